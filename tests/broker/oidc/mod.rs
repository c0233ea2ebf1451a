//! The OpenID Connect surface.

mod advertised;
mod authorize_request;
mod client_auth;
mod client_credentials;
mod code_exchange;
mod cognito_exact;
mod cookies;
mod disabled_things;
mod discovery;
mod http_layer;
mod jwks;
mod login_page;
mod logout;
mod prompt_and_sessions;
mod redirect_targets;
mod refresh;
mod response_modes;
mod revoke;
mod rotation;
mod token_claims;
mod token_kinds;
mod token_request;
mod userinfo;
mod whole_story;
