//! What the tests speak in: a [`Stage`] with a broker and two organisations, a [`Browser`] that walks between them, and
//! helpers named after the steps of the story.

mod answer;
mod authenticator;
mod browser;
mod clients;
mod collector;
pub mod database;
mod dns;
mod native;
mod node;
mod other_pool;
pub mod routes;
mod stage;

pub use answer::{Answer, location_param, query_of};
pub use authenticator::Authenticator;
#[allow(unused_imports)]
pub use browser::{Browser, Form, links, unescape};
pub use clients::{SPA_CALLBACK, assert_refused, path_of};
pub use collector::{Collector, SILENCE, Told};
pub use dns::NameServer;
pub use native::{PASSWORD, SrpClient};
pub use node::Node;
pub use other_pool::{OTHER_CLIENT, OTHER_POOL, OTHER_SECRET, other_keys};
pub use stage::{APP, NOW, PUBLIC_URL, Stage, Tokens, VERIFIER, keys};

/// HTTP Basic credentials, both halves form-encoded (RFC 6749 §2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// The claims of a JWT, unverified.
pub fn claims(token: &str) -> serde_json::Value {
    part(token, 1)
}

/// The header of a JWT.
pub fn header(token: &str) -> serde_json::Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> serde_json::Value {
    use base64::Engine;
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(part)
        .expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
