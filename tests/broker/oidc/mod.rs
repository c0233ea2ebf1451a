//! The OpenID Connect surface.

mod authorize_request;
mod client_auth;
mod client_credentials;
mod code_exchange;
mod cookies;
mod http_layer;
mod login_page;
mod logout;
mod prompt_and_sessions;
mod redirect_targets;
mod refresh;
mod response_modes;
mod rotation;
mod token_request;
mod whole_story;
