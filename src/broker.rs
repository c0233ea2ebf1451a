//! What the whole process shares: the database, the keys, the clock, the entropy, the way to the upstreams, and a
//! read-through cache of configuration.
//!
//! A change made here empties the cache at once, and so does one made by another node or by the command line as soon as
//! PostgreSQL tells of it (`jobs::changes`). Where nobody tells, an entry is read again after a second, so that it bites
//! within two all the same. Nothing upstream is needed to build any of it.

mod apps;
pub mod arrival;
mod attempts;
mod cache;
mod connections;
mod domains;
mod gates;
pub mod hooks;
mod limits;
mod looks;
mod okta_api;
mod organisation;
mod passwords;
mod pools;
mod rates;
pub mod refresh;
mod seats;
pub mod sign_in;
mod ways;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use ipnet::IpNet;

pub use apps::App;
pub use attempts::{Attempts, BY_ACCOUNT, BY_ADDRESS, WINDOW_SECONDS, Who, network};
pub use domains::Site;
pub use gates::Gates;
pub use limits::{Allowance, Returned, Share, UNREACHED_TRACE_DAYS, Unknown, rest_of_minute};
pub use looks::{Dress, File, Look, picture_name};
pub use passwords::Passwords;
pub use pools::{Document, PoolFacts};
pub use rates::{Over, RATE_WINDOW, Rate, Standing};
pub use seats::{Seat, Seats};
pub use ways::{Wanted, Ways};

use self::cache::Cache;
use crate::actions::pools::NewKeys;
use crate::actions::{Ctx, keys};
use crate::config::Guards;
use crate::db::Db;
use crate::error::{Error, StoreError};
use crate::metrics::Metrics;
use crate::model::provider::{self, Provider};
use crate::rules::domain::Place;
use crate::rules::jwks::{self, KeyPair};
use crate::rules::{jwt, secret};
use crate::seal::{Label, Sealer};
use crate::spans::Spans;
use crate::upstream::{Connection, NextSecret, Upstream};
use crate::world::{Clock, Entropy};

/// What a broker is made of.
pub struct Parts {
    /// The origin that apps and browsers see, without a trailing slash. Everything that goes into an `iss`, a link or a
    /// cookie comes from here, never from a request's `Host`.
    pub public_url: String,
    pub db: Db,
    pub sealer: Sealer,
    pub clock: Clock,
    pub entropy: Entropy,
    pub upstream: Upstream,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For how long audit events are kept.
    pub audit_days: u32,
    pub guards: Guards,
    /// Where spans go, if anywhere.
    pub spans: Option<Spans>,
}

pub struct Broker {
    pub public_url: String,
    pub db: Db,
    pub sealer: Sealer,
    pub clock: Clock,
    pub entropy: Entropy,
    pub upstream: Upstream,
    pub trusted_proxies: Vec<IpNet>,
    pub audit_days: u32,
    pub guards: Guards,
    pub spans: Option<Spans>,
    /// Open connections.
    pub seats: Seats,
    /// Requests by address, and token requests by app client.
    pub address_rate: Rate<IpAddr>,
    pub client_rate: Rate<String>,
    /// This node was told to stop.
    pub draining: AtomicBool,
    /// The second in which `/readyz` wrote its row last.
    pub beat: AtomicI64,
    /// Where pools' domains are served.
    pub place: Place,
    pub metrics: Metrics,
    /// Traces of attempts that never reached an upstream.
    pub unreached_traces: Allowance,
    /// Callbacks that ended badly before the upstream's answer was verified.
    pub failed_callbacks: Allowance,
    /// Good tokens that apps bring and that are refused for the person's sake: each time costs a trace.
    pub refused_tokens: Allowance,
    /// Logins that have come back.
    pub returned: Returned,
    /// Callbacks under way, by their `state`.
    pub arriving: Gates,
    /// Upstream tokens that are being looked up or refreshed: one flight at a time each.
    refreshing: Gates,
    /// Tries to sign in to the console with a password.
    pub attempts: Attempts,
    pub passwords: Passwords,
    /// Native accounts whose password is being looked at: one try at a time each.
    pub proving: Gates,
    /// Wrong passwords of native accounts, by the address they came from; nobody's use up those of all.
    pub wrong_passwords: Allowance,
    /// Wrong passwords of accounts that there are not.
    pub unknown_accounts: Unknown,
    /// Challenges of SRP, which strangers make us store.
    pub srp_challenges: Allowance,
    /// Audit events of sign-ins to the console that failed.
    pub failed_sign_ins: Allowance,
    /// Challenges of passkeys, which strangers make us store.
    pub challenges: Allowance,
    pools: Cache<PoolFacts>,
    apps: Cache<App>,
    dresses: Cache<Dress>,
    ways: Cache<Ways>,
    connections: Cache<Connection>,
    sites: Cache<domains::Sites>,
    tenant_sites: Cache<Site>,
}

impl Broker {
    pub fn new(parts: Parts) -> Broker {
        jwt::install();
        Broker {
            pools: Cache::new(&parts.clock),
            apps: Cache::new(&parts.clock),
            dresses: Cache::new(&parts.clock),
            ways: Cache::of_few(&parts.clock),
            connections: Cache::new(&parts.clock),
            sites: Cache::new(&parts.clock),
            tenant_sites: Cache::new(&parts.clock),
            metrics: Metrics::new(parts.upstream.calls()),
            place: Place::of(&parts.public_url),
            public_url: parts.public_url,
            db: parts.db,
            sealer: parts.sealer,
            clock: parts.clock,
            entropy: parts.entropy,
            upstream: parts.upstream,
            trusted_proxies: parts.trusted_proxies,
            audit_days: parts.audit_days,
            seats: Seats::default(),
            address_rate: Rate::new("address", parts.guards.requests_per_address),
            client_rate: Rate::new("client", parts.guards.requests_per_client),
            draining: AtomicBool::new(false),
            beat: AtomicI64::new(0),
            unreached_traces: Allowance::new(60, 20),
            failed_callbacks: Allowance::new(3_000, 60),
            refused_tokens: Allowance::new(60_000, 10),
            returned: Returned::default(),
            arriving: Gates::default(),
            refreshing: Gates::default(),
            attempts: Attempts::default(),
            passwords: Passwords::default(),
            proving: Gates::default(),
            wrong_passwords: Allowance::new(u32::MAX, parts.guards.wrong_passwords_per_address),
            unknown_accounts: Unknown::default(),
            srp_challenges: Allowance::new(6_000, 300),
            failed_sign_ins: Allowance::new(30, 5),
            challenges: Allowance::new(300, 30),
            guards: parts.guards,
            spans: parts.spans,
        }
    }

    /// The context of an action that `actor` does now.
    pub fn ctx(&self, actor: impl Into<String>, request_id: impl Into<String>) -> Ctx {
        Ctx {
            actor: actor.into(),
            request_id: request_id.into(),
            now: self.clock.now(),
            entropy: self.entropy.clone(),
            sealer: self.sealer.clone(),
        }
    }

    pub fn issuer(&self, user_pool_id: &str) -> String {
        format!("{}/{user_pool_id}", self.public_url)
    }

    /// Forgets all cached configuration: to be called after each change of it on this node. Pools before the apps that hold
    /// them, or an app would be kept with a pool that is not.
    pub fn forget(&self) {
        self.pools.clear();
        self.apps.clear();
        self.dresses.clear();
        self.ways.clear();
        self.connections.clear();
        self.sites.clear();
        self.tenant_sites.clear();
    }

    /// An enabled connection by its id, with its secrets unsealed.
    pub async fn connection(&self, id: &str) -> Result<Option<Arc<Connection>>, StoreError> {
        if !storable(id) {
            return Ok(None);
        }
        let reading = match self.connections.look(id).await {
            Ok(known) => return Ok(Some(known)),
            Err(reading) => reading,
        };
        let (wanted, sealer) = (id.to_owned(), self.sealer.clone());
        let found = self
            .db
            .read(move |conn| -> Result<_, StoreError> {
                match provider::find(conn, &wanted)?.filter(|provider| provider.enabled) {
                    Some(provider) => connection(&sealer, provider).map(Some),
                    None => Ok(None),
                }
            })
            .await?;
        Ok(found.map(|connection| reading.keep(connection)))
    }

    /// How often each cache had what was asked of it, and how often it had not.
    pub fn cache_use(&self) -> [(&'static str, u64, u64); 5] {
        [
            self.pools.asked("pools"),
            self.apps.asked("apps"),
            self.ways.asked("ways"),
            self.connections.asked("connections"),
            self.sites.asked("domains"),
        ]
    }

    /// Makes a signing key, off the async threads: it takes tenths of a second.
    pub async fn new_key(&self) -> Result<KeyPair, Error> {
        off_thread(keys::make).await
    }

    /// Makes the two signing keys of a pool, off the async threads.
    pub async fn new_keys(&self) -> Result<NewKeys, Error> {
        off_thread(NewKeys::make).await
    }

    /// Draws a fresh request id.
    pub fn request_id(&self) -> String {
        secret::uuid(&self.entropy)
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|cause| Err(StoreError::Lost(cause.to_string()).into()))
}

/// Whether a name that came from outside can be one of ours at all: PostgreSQL's text holds no NUL, and asking it for one
/// is an error where there is only nothing to be found.
fn storable(name: &str) -> bool {
    !name.contains('\0')
}

/// A provider with its secrets unsealed, ready to talk to.
pub fn connection(sealer: &Sealer, provider: Provider) -> Result<Connection, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("{what} of connection {}", provider.id));
    let open = |purpose, sealed: &Option<Vec<u8>>| match sealed {
        None => Ok(None),
        Some(sealed) => {
            let label = Label {
                purpose,
                scope: &provider.user_pool_id,
                name: &provider.id,
            };
            sealer
                .open_text(label, sealed)
                .map(Some)
                .map_err(|_| unreadable(purpose))
        }
    };
    let client_secret = open("client-secret", &provider.client_secret_sealed)?;
    let next_secret = open("client-secret-next", &provider.next_secret_sealed)?;
    let private_key: Option<KeyPair> = open("client-key", &provider.private_key_sealed)?
        .map(|pem| jwks::from_pem(&pem).map_err(|_| unreadable("client-key")))
        .transpose()?;
    Ok(Connection {
        provider,
        client_secret,
        private_key: private_key.map(Arc::new),
        next_secret: next_secret.map(NextSecret::new),
    })
}
