//! What issuers publish: discovery documents (OpenID Connect Discovery §4) and key sets, fetched when first needed, kept
//! for as long as they say (within bounds), refreshed in the background, and used a while longer when the issuer fails.
//!
//! Several requests that need the same document share one fetch. A key that a set lacks causes one forced fetch per
//! issuer and cool-down, whatever its outcome. Each issuer has a set of its own; there is no common pool of keys. A
//! document that names another issuer stops the connection instead of being outlived by the cached one.

mod cell;
mod document;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;

use super::Failure;
use super::http::{Http, place};
use super::json;
use super::keys::KeySet;
use crate::model::provider::Provider;
use crate::rules::upstream_error::Cause;
use crate::world::{Clock, UnixTime};
use cell::{Cell, Look};
use document::{cache_time, read_endpoints};

pub use document::{Discovery, discovery_document, discovery_url, get, read_discovery};

/// How long past its cache time a document serves while the issuer fails.
const STALE_METADATA: i64 = 7 * 24 * 3600;
const STALE_KEYS: i64 = 24 * 3600;
/// Between two forced fetches of one issuer's keys, and between two tries to refresh what is stale.
const COOL_DOWN: i64 = 30;
/// An issuer that nobody used for so long is forgotten.
const FORGET_AFTER: i64 = 7 * 24 * 3600;
const REFRESH_AT_ONCE: usize = 16;

/// All issuers in use.
#[derive(Clone, Debug)]
pub struct Metadata {
    http: Arc<Http>,
    clock: Clock,
    issuers: Arc<Mutex<HashMap<String, Arc<Issuer>>>>,
}

#[derive(Debug)]
struct Issuer {
    issuer: String,
    /// Endpoints given by hand: nothing is discovered.
    manual: Option<Discovery>,
    lane: String,
    discovery: Cell<Discovery>,
    keys: Cell<KeySet>,
    forced_at: Mutex<Option<UnixTime>>,
    used_at: AtomicI64,
}

impl Metadata {
    pub fn new(http: Arc<Http>, clock: Clock) -> Metadata {
        Metadata {
            http,
            clock,
            issuers: Arc::default(),
        }
    }

    /// The provider's endpoints.
    pub async fn discovery(&self, provider: &Provider) -> Result<Arc<Discovery>, Failure> {
        let issuer = self.issuer(provider)?;
        self.discovery_of(&issuer).await
    }

    /// The issuer's keys; when they do not serve, they are fetched anew, unless that was tried a moment ago.
    pub async fn keys(
        &self,
        provider: &Provider,
        serve: impl Fn(&KeySet) -> bool,
    ) -> Result<Arc<KeySet>, Failure> {
        let issuer = self.issuer(provider)?;
        let keys = self.keys_of(&issuer).await?;
        if serve(&keys) {
            return Ok(keys);
        }
        let _flight = issuer.keys.flight.lock().await;
        // Somebody else may have fetched them while we waited.
        let keys = issuer.keys.value().unwrap_or(keys);
        if serve(&keys) || !issuer.may_force(self.clock.now()) {
            return Ok(keys);
        }
        tracing::info!(issuer = %issuer.issuer, "a token names an unknown key: fetching the issuer's keys again");
        let fetched = self.fetch_keys(&issuer).await;
        Ok(issuer
            .keys
            .settle(self.clock.now(), STALE_KEYS, fetched)
            .unwrap_or(keys))
    }

    /// Refreshes whatever is past its cache time and forgets what nobody uses; for a job that runs each minute or so.
    pub async fn refresh_due(&self) {
        let now = self.clock.now();
        let issuers: Vec<Arc<Issuer>> = {
            let mut issuers = self.locked();
            issuers.retain(|_, issuer| {
                now.since(UnixTime(issuer.used_at.load(Ordering::Relaxed))) < FORGET_AFTER
            });
            issuers.values().cloned().collect()
        };
        futures_util::stream::iter(issuers)
            .for_each_concurrent(REFRESH_AT_ONCE, |issuer| async move {
                self.refresh(&issuer, now).await
            })
            .await;
    }

    async fn refresh(&self, issuer: &Arc<Issuer>, now: UnixTime) {
        if issuer.manual.is_none()
            && let Some(tries) = issuer.discovery.due(now)
        {
            let fetch = self.fetch_discovery(issuer);
            let _ = issuer
                .discovery
                .fill(&self.clock, STALE_METADATA, tries, fetch)
                .await;
        }
        if let Some(tries) = issuer.keys.due(now) {
            let fetch = self.fetch_keys(issuer);
            let _ = issuer.keys.fill(&self.clock, STALE_KEYS, tries, fetch).await;
        }
    }

    async fn discovery_of(&self, issuer: &Arc<Issuer>) -> Result<Arc<Discovery>, Failure> {
        if let Some(manual) = &issuer.manual {
            return Ok(Arc::new(manual.clone()));
        }
        match issuer.discovery.look(self.clock.now(), STALE_METADATA) {
            Look::Fresh(value) => Ok(value),
            Look::Stale(value) => {
                self.refresh_behind(issuer);
                Ok(value)
            }
            Look::Missing { tries } => {
                let fetch = self.fetch_discovery(issuer);
                issuer
                    .discovery
                    .fill(&self.clock, STALE_METADATA, tries, fetch)
                    .await
            }
        }
    }

    async fn keys_of(&self, issuer: &Arc<Issuer>) -> Result<Arc<KeySet>, Failure> {
        match issuer.keys.look(self.clock.now(), STALE_KEYS) {
            Look::Fresh(value) => Ok(value),
            Look::Stale(value) => {
                self.refresh_behind(issuer);
                Ok(value)
            }
            Look::Missing { tries } => {
                let fetch = self.fetch_keys(issuer);
                issuer.keys.fill(&self.clock, STALE_KEYS, tries, fetch).await
            }
        }
    }

    /// Refreshes while the request at hand goes on with what is there.
    fn refresh_behind(&self, issuer: &Arc<Issuer>) {
        let (metadata, issuer) = (self.clone(), issuer.clone());
        let now = self.clock.now();
        if issuer.discovery.may_try(now) || issuer.keys.may_try(now) {
            tokio::spawn(async move { metadata.refresh(&issuer, now).await });
        }
    }

    async fn fetch_discovery(&self, issuer: &Issuer) -> Result<(Discovery, i64), Failure> {
        let url = discovery_url(&issuer.issuer)?;
        let answer = self.http.send(&issuer.lane, get(&url)?).await?;
        let document = discovery_document(&answer, &url, self.http.limited_until(answer.headers()))?;
        let discovery = read_discovery(&document, &issuer.issuer, &self.http).inspect_err(|failure| {
            tracing::error!(issuer = %issuer.issuer, cause = failure.cause.name(), "the issuer's metadata is not usable");
        })?;
        Ok((discovery, cache_time(answer.headers())))
    }

    async fn fetch_keys(&self, issuer: &Arc<Issuer>) -> Result<(KeySet, i64), Failure> {
        let discovery = self.discovery_of(issuer).await?;
        let failed = |why: String| {
            Failure::new(
                Cause::JwksFetchFailed,
                format!("{}: {why}", place(&discovery.jwks)),
            )
        };
        let answer = self
            .http
            .send(&issuer.lane, get(&discovery.jwks)?)
            .await
            .map_err(|trouble| {
                let mut failure = failed(trouble.to_string());
                failure.retry_at = trouble.retry_at;
                failure
            })?;
        if answer.status() != http::StatusCode::OK {
            return Err(failed(format!("answered {}", answer.status().as_u16())));
        }
        let document = json::object(answer.body()).map_err(failed)?;
        let keys = KeySet::read(&document).ok_or_else(|| failed("the document has no 'keys'".into()))?;
        Ok((keys, cache_time(answer.headers())))
    }

    fn issuer(&self, provider: &Provider) -> Result<Arc<Issuer>, Failure> {
        let endpoints = provider.settings.0.endpoints.as_ref();
        // Keys belong to the address they came from: one issuer named by two connections with different manual
        // endpoints must not share them.
        let name = match endpoints {
            None => provider.issuer.clone(),
            Some(manual) => format!("{} {:?}", provider.issuer, manual),
        };
        let now = self.clock.now();
        if let Some(issuer) = self.locked().get(&name) {
            issuer.used_at.store(now.0, Ordering::Relaxed);
            return Ok(issuer.clone());
        }
        let manual = endpoints
            .map(|manual| read_endpoints(manual, &self.http))
            .transpose()?;
        let issuer = Arc::new(Issuer {
            issuer: provider.issuer.clone(),
            manual,
            lane: format!("issuer {name}"),
            discovery: Cell::default(),
            keys: Cell::default(),
            forced_at: Mutex::default(),
            used_at: AtomicI64::new(now.0),
        });
        Ok(self.locked().entry(name).or_insert(issuer).clone())
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Arc<Issuer>>> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuer {
    /// Leave for a forced fetch, which starts the cool-down at once, so that a failure counts, too.
    fn may_force(&self, now: UnixTime) -> bool {
        let mut forced_at = self.forced_at.lock().unwrap_or_else(PoisonError::into_inner);
        if forced_at.is_some_and(|at| (0..COOL_DOWN).contains(&now.since(at))) {
            return false;
        }
        *forced_at = Some(now);
        true
    }
}
