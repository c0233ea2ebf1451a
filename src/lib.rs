//! Forebay: sign-ins from each tenant's Okta in, one steady OpenID Connect provider out.
//!
//! Imports point down only:
//!
//! ```text
//! main.rs, cli             arguments, configuration, start
//! web, jobs                async shell: HTTP in, work on a schedule        demo: on top, uses the public surfaces
//! broker                   what the process shares
//! actions, upstream        one synchronous function, one transaction │ HTTP to Okta, fenced
//! rules                    pure decisions
//! model                    stored things: structs and their queries
//! db                       connection, the one writer, column types, schema
//! config, error, metrics, seal, spans, trace_context, world   beside the column
//! setups                   documentation: five products' set-ups, to follow
//! ```

#![forbid(unsafe_code)]

pub mod actions;
pub mod broker;
pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod error;
pub mod jobs;
pub mod metrics;
pub mod model;
pub mod rules;
pub mod seal;
pub mod setups;
pub mod spans;
pub mod trace_context;
pub mod upstream;
pub mod web;
pub mod world;
