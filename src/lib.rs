//! Forebay: sign-ins from each tenant's Okta in, one steady OpenID Connect provider out.

pub mod actions;
pub mod broker;
pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod error;
pub mod jobs;
pub mod model;
pub mod rules;
pub mod seal;
pub mod upstream;
pub mod web;
pub mod world;
