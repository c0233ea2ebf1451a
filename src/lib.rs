//! Forebay: sign-ins from each tenant's Okta in, one steady OpenID Connect provider out.

pub mod demo;
pub mod world;
