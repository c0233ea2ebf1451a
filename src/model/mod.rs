//! The stored things: one file per concept with its struct and its queries. Rules name the structs; actions call the
//! queries; nothing here decides.

pub mod admin_session;
pub mod administrator;
pub mod administrator_rule;
pub mod audit;
pub mod challenge;
pub mod claims_seen;
pub mod client;
pub mod code;
pub mod credential;
pub mod domain;
pub mod enforcement;
#[cfg(test)]
pub mod fixture;
pub mod group;
pub mod hook;
pub mod identity_move;
pub mod job;
pub mod key;
pub mod lambda_config;
pub mod login_page;
pub mod mapper_input;
pub mod mapping;
pub mod notice;
pub mod overrides;
pub mod passkey;
pub mod password;
pub mod pool;
pub mod probe;
pub mod provider;
pub mod reach;
pub mod registered_client;
pub mod resource_server;
pub mod session;
pub mod setup_link;
pub mod single_use;
pub mod tenant;
pub mod tenant_domain;
pub mod tile_start;
pub mod token;
pub mod trace;
pub mod upstream_grant;
pub mod upstream_token;
pub mod user;
pub mod webhook;
