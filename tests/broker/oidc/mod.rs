//! The OpenID Connect surface.

mod authorize_request;
mod cookies;
mod http_layer;
mod login_page;
mod logout;
mod prompt_and_sessions;
mod redirect_targets;
mod response_modes;
mod whole_story;
