//! Rows for unit tests.

use crate::db::Json;
use crate::model::provider::{Provider, Settings};
use crate::world::UnixTime;

/// An enabled connection of that slug and name, otherwise as empty as one can be; what a test is about it says itself.
pub fn provider(id: &str) -> Provider {
    Provider {
        id: id.into(),
        user_pool_id: "pool".into(),
        name: id.into(),
        issuer: format!("https://{id}.test"),
        enabled: true,
        settings: Json(Settings::default()),
        client_secret_sealed: None,
        private_key_sealed: None,
        created_at: UnixTime(0),
        updated_at: UnixTime(0),
        tenant_id: None,
        tested_at: None,
        live_since: None,
        next_secret_sealed: None,
        secret_expires_at: None,
        next_secret_expires_at: None,
    }
}
