//! The OpenID Connect surface.

mod addresses;
mod authorize_refusals;
mod authorize_request;
mod client_auth;
mod client_credentials;
mod code_exchange;
mod cookies;
mod http_layer;
mod led;
mod login_page;
mod logout;
mod prompt;
mod redirect_targets;
mod refresh;
mod response_modes;
mod rotation;
mod sessions;
mod token_request;
mod whole_story;
mod wire;
