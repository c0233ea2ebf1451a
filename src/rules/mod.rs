//! Pure decisions over facts: no I/O, no clock, no database, no async.

pub mod authorize;
pub mod jwks;
pub mod jwt;
pub mod oauth_error;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod response;
pub mod secret;
