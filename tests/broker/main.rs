//! The broker through its front door: URL in, response out, on a real database, with a frozen clock, seeded entropy and
//! the stand-in Okta. One binary, so that it links once. `TEST_DATABASE_URL=postgres://…` runs it on PostgreSQL.
#![allow(clippy::unwrap_used)]

mod canaries;
mod command_line;
mod console;
mod database;
mod guards;
mod hooks;
mod jobs;
mod leaks;
mod management;
mod metrics;
mod moves;
mod moving;
mod native;
mod nodes;
mod oidc;
mod operations;
mod otlp;
mod reflex;
mod root_key;
mod support;
mod token_in;
mod traces;
mod upstream;
