//! Pure decisions over facts: no I/O, no clock, no database, no async.

pub mod attribute;
pub mod authorize;
pub mod aws;
pub mod claims;
pub mod discovery;
pub mod email;
pub mod grant;
pub mod json;
pub mod jwks;
pub mod jwt;
pub mod login;
pub mod mapping;
pub mod oauth_error;
pub mod okta_issuer;
pub mod params;
pub mod password;
pub mod pkce;
pub mod redact;
pub mod redirect_uri;
pub mod refusal;
pub mod registration;
pub mod response;
pub mod scope;
pub mod secret;
pub mod upstream_error;
