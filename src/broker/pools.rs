//! Pools with what answering for them needs: keys, documents made once, resource servers, hooks.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use sha2::{Digest, Sha256};

use super::{Broker, domains, hooks, storable};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::key::{self, State, Usage};
use crate::model::pool::{self, Pool};
use crate::model::resource_server::{self, ResourceServer};
use crate::model::{domain, hook};
use crate::rules::discovery;
use crate::rules::jwt::{SignKey, VerifyKey};
use crate::seal::{Label, Sealer};

/// A pool with everything that answering for it needs.
pub struct PoolFacts {
    pub pool: Pool,
    pub issuer: String,
    pub id_token_key: SignKey,
    pub access_token_key: SignKey,
    /// All published keys.
    pub verify: Vec<VerifyKey>,
    pub resource_servers: Vec<ResourceServer>,
    /// What answers for the hooks that its settings name.
    pub hooks: hooks::Bound,
    pub configuration: Document,
    pub oauth_metadata: Document,
    pub jwks: Document,
}

/// A public document: its bytes, made once, and their entity tag.
pub struct Document {
    pub body: Bytes,
    /// In its quotation marks.
    pub etag: HeaderValue,
}

impl Document {
    fn of(value: &impl serde::Serialize) -> Document {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Document {
            etag: HeaderValue::from_str(&format!("\"{}\"", Document::tag(&body)))
                .unwrap_or_else(|_| HeaderValue::from_static("\"\"")),
            body: body.into(),
        }
    }

    /// The beginning of the bytes' hash.
    pub(super) fn tag(body: &[u8]) -> String {
        let hash = Sha256::digest(body);
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Broker {
    /// A pool by its id.
    pub async fn pool(&self, id: &str) -> Result<Option<Arc<PoolFacts>>, StoreError> {
        if !storable(id) {
            return Ok(None);
        }
        let reading = match self.pools.look(id).await {
            Ok(known) => return Ok(Some(known)),
            Err(reading) => reading,
        };
        let (wanted, public_url, sealer) = (id.to_owned(), self.public_url.clone(), self.sealer.clone());
        let place = self.place.clone();
        let facts = self
            .db
            .read(move |conn| -> Result<_, StoreError> {
                let Some(pool) = pool::find(conn, &wanted)? else {
                    return Ok(None);
                };
                let keys = key::of_pool(conn, &wanted)?;
                let servers = resource_server::list(conn, &wanted)?;
                let hooks = bound_hooks(conn, &sealer, &pool)?;
                let domains = domain::of_pool(conn, &wanted)?;
                let published = domains::published_at(&place, &public_url, &domains);
                let issuer = format!("{public_url}/{wanted}");
                pool_facts(&published, issuer, &sealer, pool, &keys, servers, hooks).map(Some)
            })
            .await?;
        Ok(facts.map(|facts| reading.keep(facts)))
    }

    /// A pool for its public documents, which relying parties check tokens by whether the database answers or not: while it
    /// does not, the pool as it was last known.
    pub async fn published_pool(&self, id: &str) -> Result<Option<Arc<PoolFacts>>, StoreError> {
        match self.pool(id).await {
            Err(cause) => self.pools.last(id).map(Some).ok_or(cause),
            known => known,
        }
    }
}

fn pool_facts(
    endpoints_at: &str,
    issuer: String,
    sealer: &Sealer,
    pool: Pool,
    keys: &[key::SigningKey],
    resource_servers: Vec<ResourceServer>,
    hooks: hooks::Bound,
) -> Result<PoolFacts, StoreError> {
    let unreadable = |kid: &str| StoreError::Unreadable(format!("signing key {kid}"));
    let active = |usage: Usage| {
        let key = keys
            .iter()
            .find(|key| key.usage == usage && key.state == State::Active)
            .ok_or_else(|| StoreError::Unreadable(format!("pool {} has no active {usage} key", pool.id)))?;
        let label = Label {
            purpose: "signing-key",
            scope: &pool.id,
            name: &key.kid,
        };
        let der = sealer
            .open(label, &key.private_sealed)
            .map_err(|_| unreadable(&key.kid))?;
        SignKey::new(&key.kid, &der).map_err(|_| unreadable(&key.kid))
    };
    let verify = keys
        .iter()
        .map(|key| VerifyKey::new(&key.public_jwk).map_err(|_| unreadable(&key.kid)))
        .collect::<Result<_, _>>()?;
    let published: Vec<_> = keys.iter().map(|key| &key.public_jwk.0).collect();
    Ok(PoolFacts {
        id_token_key: active(Usage::IdToken)?,
        access_token_key: active(Usage::AccessToken)?,
        verify,
        configuration: Document::of(&discovery::document(endpoints_at, &issuer, &pool.settings)),
        oauth_metadata: Document::of(&discovery::oauth_document(endpoints_at, &issuer, &pool.settings)),
        jwks: Document::of(&serde_json::json!({ "keys": published })),
        issuer,
        resource_servers,
        hooks,
        pool,
    })
}

/// The addresses of the hooks that a pool names; none are looked for where it names none.
fn bound_hooks(conn: &mut Conn, sealer: &Sealer, pool: &Pool) -> Result<hooks::Bound, StoreError> {
    let arns: Vec<&str> = pool.settings.lambda.hooks().map(|(_, arn)| arn).collect();
    if arns.is_empty() {
        return Ok(hooks::Bound::new());
    }
    let bindings = hook::of_pool(conn, &pool.id, &arns)?;
    let bound = bindings.into_iter().filter_map(|binding| {
        let address = hooks::Address::of(sealer, &binding)?;
        Some((binding.arn, address))
    });
    Ok(bound.collect())
}
