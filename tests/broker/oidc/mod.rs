//! The OpenID Connect surface.

mod client_auth;
mod client_credentials;
mod code_exchange;
mod refresh;
mod rotation;
mod token_request;
mod whole_story;
