//! What issuers publish: discovery documents (OpenID Connect Discovery §4) and key sets, fetched when first needed, kept
//! for as long as they say (within bounds), refreshed in the background, and used a while longer when the issuer fails.
//!
//! Several requests that need the same document share one fetch. A key that a set lacks causes one forced fetch per
//! issuer and cool-down, whatever its outcome. Each issuer has a set of its own; there is no common pool of keys. A
//! document that names another issuer stops the connection instead of being outlived by the cached one.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Map, Value};
use url::Url;

use super::Failure;
use super::http::{Http, place};
use super::json;
use super::keys::KeySet;
use crate::model::provider::{Endpoints, Provider};
use crate::rules::upstream_error::{Cause, plain};
use crate::world::{Clock, UnixTime};

const SHORTEST_CACHE: i64 = 5 * 60;
const LONGEST_CACHE: i64 = 24 * 3600;
const DEFAULT_CACHE: i64 = 3600;
/// How long past its cache time a document serves while the issuer fails.
const STALE_METADATA: i64 = 7 * 24 * 3600;
const STALE_KEYS: i64 = 24 * 3600;
/// Between two forced fetches of one issuer's keys, and between two tries to refresh what is stale.
const COOL_DOWN: i64 = 30;
/// An issuer that nobody used for so long is forgotten.
const FORGET_AFTER: i64 = 7 * 24 * 3600;
const REFRESH_AT_ONCE: usize = 16;

/// What we use of an issuer's metadata. Unknown members and values are no mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    pub authorization: Url,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub jwks: Url,
    pub end_session: Option<Url>,
    /// Answers carry `iss` (RFC 9207 §3).
    pub names_issuer: bool,
}

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
        let keys = issuer.keys.slot().value.clone().unwrap_or(keys);
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

/// A document with its cache time, and the lock that makes its fetches one.
#[derive(Debug)]
struct Cell<T> {
    slot: Mutex<Slot<T>>,
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<Arc<T>>,
    fresh_until: UnixTime,
    /// Fetches that ended, well or badly: who waited can tell that one did.
    tries: u64,
    tried_at: Option<UnixTime>,
    failure: Option<Failure>,
}

enum Look<T> {
    Fresh(Arc<T>),
    Stale(Arc<T>),
    Missing { tries: u64 },
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Cell {
            slot: Mutex::new(Slot {
                value: None,
                fresh_until: UnixTime(0),
                tries: 0,
                tried_at: None,
                failure: None,
            }),
            flight: tokio::sync::Mutex::new(()),
        }
    }
}

impl<T> Cell<T> {
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, now: UnixTime, stale: i64) -> Look<T> {
        let slot = self.slot();
        match &slot.value {
            // A clock that was set back must not keep a document for longer than it may be kept.
            Some(value) if now < slot.fresh_until && slot.fresh_until.since(now) <= LONGEST_CACHE => {
                Look::Fresh(value.clone())
            }
            Some(value) if now < slot.fresh_until.plus(stale) => Look::Stale(value.clone()),
            _ => Look::Missing { tries: slot.tries },
        }
    }

    /// A document is there, past its cache time, and its refresh was not tried a moment ago.
    fn due(&self, now: UnixTime) -> Option<u64> {
        let slot = self.slot();
        let due =
            slot.value.is_some() && (now >= slot.fresh_until || slot.fresh_until.since(now) > LONGEST_CACHE);
        (due && slot.rested(now)).then_some(slot.tries)
    }

    fn may_try(&self, now: UnixTime) -> bool {
        self.due(now).is_some()
    }

    /// Fetches, unless another did since `tries` was read: then its result is ours.
    async fn fill(
        &self,
        clock: &Clock,
        stale: i64,
        tries: u64,
        fetch: impl Future<Output = Result<(T, i64), Failure>>,
    ) -> Result<Arc<T>, Failure> {
        let _flight = self.flight.lock().await;
        {
            let slot = self.slot();
            if slot.tries != tries {
                return match (&slot.value, &slot.failure) {
                    (Some(value), _) => Ok(value.clone()),
                    (None, Some(failure)) => Err(failure.clone()),
                    (None, None) => Err(Failure::new(
                        Cause::DiscoveryFailed,
                        "the last fetch left nothing",
                    )),
                };
            }
        }
        let fetched = fetch.await;
        self.settle(clock.now(), stale, fetched)
    }

    /// Takes in what a fetch brought. When it failed, the old value serves on, unless the issuer itself is in doubt.
    fn settle(
        &self,
        now: UnixTime,
        stale: i64,
        fetched: Result<(T, i64), Failure>,
    ) -> Result<Arc<T>, Failure> {
        let mut slot = self.slot();
        slot.tries += 1;
        slot.tried_at = Some(now);
        match fetched {
            Ok((value, seconds)) => {
                let value = Arc::new(value);
                slot.value = Some(value.clone());
                slot.fresh_until = now.plus(seconds);
                slot.failure = None;
                Ok(value)
            }
            Err(failure) => {
                let in_doubt = matches!(failure.cause, Cause::IssuerMismatch | Cause::EndpointRefused);
                let too_old = now >= slot.fresh_until.plus(stale);
                if in_doubt || too_old {
                    slot.value = None;
                }
                slot.failure = Some(failure.clone());
                slot.value.clone().ok_or(failure)
            }
        }
    }
}

impl<T> Slot<T> {
    fn rested(&self, now: UnixTime) -> bool {
        self.tried_at
            .is_none_or(|at| !(0..COOL_DOWN).contains(&now.since(at)))
    }
}

/// `{issuer}/.well-known/openid-configuration` (Discovery §4).
pub fn discovery_url(issuer: &str) -> Result<Url, Failure> {
    Url::parse(&format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    ))
    .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the issuer is not a URL"))
}

/// A GET for JSON.
pub fn get(url: &Url) -> Result<Request<Vec<u8>>, Failure> {
    Request::builder()
        .method(Method::GET)
        .uri(url.as_str())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(Vec::new())
        .map_err(|_| {
            Failure::new(
                Cause::ConnectionMisconfigured,
                format!("{} cannot be called", place(url)),
            )
        })
}

/// The discovery document out of an answer.
pub fn discovery_document(
    answer: &Response<Vec<u8>>,
    url: &Url,
    limited_until: Option<UnixTime>,
) -> Result<Map<String, Value>, Failure> {
    let status = answer.status().as_u16();
    let cause = match status {
        200 => {
            return json::object(answer.body())
                .map_err(|why| Failure::new(Cause::DiscoveryFailed, format!("{}: {why}", place(url))));
        }
        404 | 410 => Cause::DiscoveryNotFound,
        300..=399 => Cause::RedirectRefused,
        429 => Cause::RateLimited,
        500.. => Cause::ProviderUnavailable,
        _ => Cause::DiscoveryFailed,
    };
    let mut failure = Failure::new(cause, format!("{} answered {status}", place(url)));
    failure.status = Some(status);
    failure.retry_at = limited_until.filter(|_| status == 429);
    Err(failure)
}

/// Reads what we use of a discovery document, which must speak of this very issuer (Discovery §4.3).
pub fn read_discovery(
    document: &Map<String, Value>,
    issuer: &str,
    http: &Http,
) -> Result<Discovery, Failure> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(Failure::new(
            Cause::IssuerMismatch,
            format!(
                "the discovery document names the issuer '{}', the connection '{}'",
                plain(text("issuer").unwrap_or("(none)"), 200),
                plain(issuer, 200)
            ),
        ));
    }
    let optional = |name: &str| text(name).map(|url| endpoint(name, url, http)).transpose();
    let required = |name: &str| {
        optional(name)?.ok_or_else(|| {
            Failure::new(
                Cause::DiscoveryFailed,
                format!("the discovery document has no '{name}'"),
            )
        })
    };
    Ok(Discovery {
        authorization: required("authorization_endpoint")?,
        token: required("token_endpoint")?,
        userinfo: optional("userinfo_endpoint")?,
        jwks: required("jwks_uri")?,
        end_session: optional("end_session_endpoint")?,
        names_issuer: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
    })
}

fn read_endpoints(manual: &Endpoints, http: &Http) -> Result<Discovery, Failure> {
    let optional = |name: &str, url: &Option<String>| {
        let url = url.as_deref().filter(|url| !url.is_empty());
        url.map(|url| endpoint(name, url, http)).transpose()
    };
    Ok(Discovery {
        authorization: endpoint("authorization", &manual.authorization, http)?,
        token: endpoint("token", &manual.token, http)?,
        userinfo: optional("userinfo", &manual.userinfo)?,
        jwks: endpoint("jwks", &manual.jwks, http)?,
        end_session: optional("end_session", &manual.end_session)?,
        names_issuer: false,
    })
}

fn endpoint(name: &str, url: &str, http: &Http) -> Result<Url, Failure> {
    let refused = |why: String| Failure::new(Cause::EndpointRefused, format!("{name}: {why}"));
    let url = Url::parse(url).map_err(|_| refused("is not a URL".into()))?;
    http.admits(&url).map_err(|trouble| refused(trouble.detail))?;
    Ok(url)
}

/// How long an answer may be kept: `max-age` within bounds, the least when it forbids keeping.
fn cache_time(headers: &HeaderMap) -> i64 {
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let mut seconds = DEFAULT_CACHE;
    for directive in directives {
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return SHORTEST_CACHE;
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            seconds = age.trim_matches('"').parse().unwrap_or(DEFAULT_CACHE);
        }
    }
    seconds.clamp(SHORTEST_CACHE, LONGEST_CACHE)
}

#[cfg(test)]
mod tests;
