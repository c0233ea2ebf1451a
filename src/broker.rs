//! What the whole process shares: the database, the keys, the clock, the entropy, the way to the upstreams, and a
//! read-through cache of configuration.
//!
//! An entry of the cache is read again after a second, so a change made by another node or by the command line bites
//! within two; a change made here empties the cache at once. Nothing upstream is needed to build any of it.

pub mod arrival;
mod attempts;
mod connections;
mod domains;
mod gates;
pub mod hooks;
mod limits;
mod looks;
mod passwords;
pub mod refresh;
pub mod sign_in;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use ipnet::IpNet;
use sha2::{Digest, Sha256};

pub use attempts::{Attempts, BY_ACCOUNT, BY_ADDRESS, WINDOW_SECONDS, Who};
pub use domains::Site;
pub use gates::Gates;
pub use limits::{Allowance, Returned, UNREACHED_TRACE_DAYS, Unknown};
pub use looks::{File, Look, picture_name};
pub use passwords::Passwords;

use crate::actions::pools::NewKeys;
use crate::actions::tokens::Live;
use crate::actions::{Ctx, canaries, keys};
use crate::db::{Conn, Db};
use crate::error::{Error, StoreError};
use crate::metrics::Metrics;
use crate::model::client::{self, Client, Secret};
use crate::model::domain;
use crate::model::hook;
use crate::model::key::{self, State, Usage};
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, Provider};
use crate::model::registered_client;
use crate::model::resource_server::{self, ResourceServer};
use crate::model::{tenant, tenant_domain};
use crate::rules::canary::takes;
use crate::rules::discovery;
use crate::rules::domain::Place;
use crate::rules::jwks::{self, KeyPair};
use crate::rules::jwt::{self, SignKey, VerifyKey};
use crate::rules::registration::client::NATIVE;
use crate::rules::routing::Routes;
use crate::rules::secret;
use crate::seal::{Label, Sealer};
use crate::upstream::{Connection, NextSecret, Upstream};
use crate::world::{Clock, Entropy, UnixTime};

/// How long configuration is used before it is read again.
const FRESH: Duration = Duration::from_secs(1);
/// Entries of one kind that are kept at the most.
const KEPT: usize = 50_000;

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
    /// Where pools' domains are served.
    pub place: Place,
    pub metrics: Metrics,
    /// Traces of attempts that never reached an upstream.
    pub unreached_traces: Allowance,
    /// Callbacks that ended badly before the upstream's answer was verified.
    pub failed_callbacks: Allowance,
    /// Logins that have come back.
    pub returned: Returned,
    /// Callbacks under way, by their `state`.
    pub arriving: Gates,
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
    /// Counts the times configuration was forgotten, so that a value read before is not kept after.
    generation: AtomicU64,
    pools: Cache<String, PoolFacts>,
    apps: Cache<String, App>,
    tenant_apps: Cache<String, App>,
    connections: Cache<String, Connection>,
    sites: Cache<String, domains::Sites>,
}

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
    pub etag: String,
}

impl Document {
    fn of(value: &impl serde::Serialize) -> Document {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Document {
            etag: Document::tag(&body),
            body: body.into(),
        }
    }

    /// The beginning of the bytes' hash.
    fn tag(body: &[u8]) -> String {
        let hash = Sha256::digest(body);
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An enabled app client with what a request of it needs.
pub struct App {
    pub client: Client,
    pub secrets: Vec<Secret>,
    pub pool: Arc<PoolFacts>,
    /// The enabled connections that the client lists, by name: those that people are sent to.
    pub providers: Vec<Provider>,
    /// The place of each by its id.
    places: HashMap<String, usize>,
    /// The enabled connections that some of those connections' people are sent to instead.
    pub canaries: Vec<Provider>,
    /// And those whose ID tokens it may bring.
    pub token_in: Vec<Provider>,
    /// Identifiers (lower case) that lead to one of them, with the provider's id.
    pub identifiers: HashMap<String, String>,
    /// Where addresses and tenants' codes lead.
    pub routes: Routes,
    /// The one tenant whose connections these are: the request came to that tenant's own host.
    pub tenant_id: Option<String>,
    /// How its login page looks.
    pub look: Look,
    /// When it ends, where it was registered until then.
    pub expires_at: Option<UnixTime>,
}

impl App {
    /// The connections as actions take them. Cognito's API signs native users in whatever the client lists, so they are
    /// always among them; whether the web does is [`App::has_native_users`].
    pub fn live_providers(&self) -> Vec<Live> {
        let native = Live {
            id: NATIVE.to_owned(),
            created_at: UnixTime(0),
        };
        self.providers
            .iter()
            .chain(&self.canaries)
            .chain(&self.token_in)
            .map(|provider| Live {
                id: provider.id.clone(),
                created_at: provider.created_at,
            })
            .chain([native])
            .collect()
    }

    /// Whether the client offers native users the form on the login page.
    pub fn has_native_users(&self) -> bool {
        self.client.settings.providers.iter().any(|name| name == NATIVE)
    }

    pub fn provider(&self, id: &str) -> Option<&Provider> {
        match self.places.get(id) {
            Some(place) => self.providers.get(*place),
            None => self.canaries.iter().find(|canary| canary.id == id),
        }
    }

    /// The connection by whose name the app offers this one: itself, or the one whose canary it is.
    pub fn offered_as<'a>(&'a self, provider: &'a Provider) -> &'a Provider {
        let leads_to = |one: &&Provider| {
            let canary = one.settings.canary.as_ref();
            canary.is_some_and(|canary| canary.to == provider.id)
        };
        match self.providers.iter().find(leads_to) {
            Some(main) if !self.places.contains_key(&provider.id) => main,
            _ => provider,
        }
    }

    /// Whether it has not come to the end until which it was registered.
    fn lives(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// The same with nothing but the tenant's connections, for the tenant's own host.
    fn of_tenant(&self, tenant_id: &str) -> App {
        let ids = self.routes.of_tenant(tenant_id).iter();
        let providers: Vec<Provider> = ids.filter_map(|id| self.provider(id)).cloned().collect();
        let places = places(&providers);
        let mut client = self.client.clone();
        client.settings.providers = providers.iter().map(|provider| provider.name.clone()).collect();
        let leads_there = |(_, id): &(&String, &String)| places.contains_key(*id);
        let its_own = |provider: &&Provider| provider.tenant_id.as_deref() == Some(tenant_id);
        App {
            client,
            secrets: self.secrets.clone(),
            pool: self.pool.clone(),
            canaries: self.canaries.iter().filter(its_own).cloned().collect(),
            token_in: self.token_in.iter().filter(its_own).cloned().collect(),
            identifiers: self
                .identifiers
                .iter()
                .filter(leads_there)
                .map(|(name, id)| (name.clone(), id.clone()))
                .collect(),
            providers,
            places,
            routes: self.routes.within(tenant_id),
            tenant_id: Some(tenant_id.to_owned()),
            look: self.look.clone(),
            expires_at: self.expires_at,
        }
    }
}

impl Broker {
    pub fn new(parts: Parts) -> Broker {
        jwt::install();
        Broker {
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
            unreached_traces: Allowance::new(60, 20),
            failed_callbacks: Allowance::new(3_000, 60),
            returned: Returned::default(),
            arriving: Gates::default(),
            attempts: Attempts::default(),
            passwords: Passwords::default(),
            proving: Gates::default(),
            wrong_passwords: Allowance::new(u32::MAX, 30),
            unknown_accounts: Unknown::default(),
            srp_challenges: Allowance::new(6_000, 300),
            failed_sign_ins: Allowance::new(30, 5),
            challenges: Allowance::new(300, 30),
            generation: AtomicU64::new(0),
            pools: Cache::default(),
            apps: Cache::default(),
            tenant_apps: Cache::default(),
            connections: Cache::default(),
            sites: Cache::default(),
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

    /// Forgets all cached configuration: to be called after each change of it on this node.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.pools.clear();
        self.apps.clear();
        self.tenant_apps.clear();
        self.connections.clear();
        self.sites.clear();
    }

    /// A pool by its id.
    pub async fn pool(&self, id: &str) -> Result<Option<Arc<PoolFacts>>, StoreError> {
        if !storable(id) {
            return Ok(None);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        if let Some(known) = self.pools.get(id) {
            return Ok(Some(known));
        }
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
        Ok(facts.map(|facts| self.keep(&self.pools, generation, id, facts)))
    }

    /// An enabled app client by its id.
    pub async fn app(&self, client_id: &str) -> Result<Option<Arc<App>>, StoreError> {
        if !storable(client_id) {
            return Ok(None);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let now = self.clock.now();
        let lives = |app: &Arc<App>| app.lives(now);
        if let Some(known) = self.apps.get(client_id) {
            return Ok(Some(known).filter(lives));
        }
        let wanted = client_id.to_owned();
        let found = self
            .db
            .read(move |conn| -> Result<_, StoreError> {
                let Some(client) = client::find(conn, &wanted)?.filter(|client| client.enabled) else {
                    return Ok(None);
                };
                let secrets = client::secrets(conn, &client.id)?;
                let pool_id = &client.user_pool_id;
                let mut listed = provider::list_named(conn, pool_id, &client.settings.providers)?;
                let choosy = tenant::choosy(conn, pool_id)?;
                let takes_them = |provider: &Provider| {
                    let tenant = provider.tenant_id.as_ref().and_then(|id| choosy.get(id));
                    tenant.is_none_or(|clients| clients.contains(&client.id))
                };
                listed.retain(takes_them);
                let (token_in, providers): (Vec<_>, Vec<_>) = listed
                    .into_iter()
                    .partition(|provider| provider.settings.token_in.is_some());
                let places = places(&providers);
                let mut canaries = Vec::new();
                for canary in providers.iter().filter_map(|one| one.settings.canary.as_ref()) {
                    let to = provider::find(conn, &canary.to)?
                        .filter(|to| to.enabled && !places.contains_key(&to.id) && takes_them(to));
                    canaries.extend(to);
                }
                let mut identifiers: HashMap<String, String> = provider::identifiers_of_pool(conn, pool_id)?
                    .into_iter()
                    .collect();
                identifiers.retain(|_, id| places.contains_key(id));
                let proven = tenant_domain::proven_of_pool(conn, pool_id)?;
                let routes = Routes::new(&providers, &identifiers, proven);
                let look = looks::of(conn, &client)?;
                let expires_at = registered_client::find(conn, &client.id)?.map(|row| row.expires_at);
                Ok(Some((
                    client,
                    secrets,
                    (providers, places, canaries, token_in),
                    identifiers,
                    routes,
                    look,
                    expires_at,
                )))
            })
            .await?;
        let Some((client, secrets, ways, identifiers, routes, look, expires_at)) = found else {
            return Ok(None);
        };
        let Some(pool) = self.pool(&client.user_pool_id).await? else {
            return Ok(None);
        };
        let (providers, places, canaries, token_in) = ways;
        let app = App {
            client,
            secrets,
            pool,
            providers,
            places,
            canaries,
            token_in,
            identifiers,
            routes,
            tenant_id: None,
            look,
            expires_at,
        };
        Ok(Some(self.keep(&self.apps, generation, client_id, app)).filter(lives))
    }

    /// An enabled app client as it is at a tenant's own host: with that tenant's connections alone.
    pub async fn app_of_tenant(
        &self,
        client_id: &str,
        tenant_id: &str,
    ) -> Result<Option<Arc<App>>, StoreError> {
        let generation = self.generation.load(Ordering::SeqCst);
        let key = format!("{tenant_id} {client_id}");
        let now = self.clock.now();
        if let Some(known) = self.tenant_apps.get(&key) {
            return Ok(Some(known).filter(|app| app.lives(now)));
        }
        let app = self.app(client_id).await?;
        Ok(app.map(|app| self.keep(&self.tenant_apps, generation, &key, app.of_tenant(tenant_id))))
    }

    /// The connection that this person is sent to where a connection has a canary; none where it stays.
    pub async fn canary(
        &self,
        app: &App,
        provider: &Provider,
        address: Option<&str>,
    ) -> Result<Option<Provider>, StoreError> {
        let Some(canary) = &provider.settings.canary else {
            return Ok(None);
        };
        let Some(to) = app.provider(&canary.to) else {
            return Ok(None);
        };
        let is_member = match (&canary.group, address) {
            (Some(group), Some(address)) if !address.contains('\0') => {
                let (pool, address, group) =
                    (provider.user_pool_id.clone(), address.to_owned(), group.clone());
                self.db
                    .read(move |conn| canaries::is_member(conn, &pool, &address, &group))
                    .await?
            }
            _ => false,
        };
        Ok(takes(canary, address, is_member).then(|| to.clone()))
    }

    /// An enabled connection by its id, with its secrets unsealed.
    pub async fn connection(&self, id: &str) -> Result<Option<Arc<Connection>>, StoreError> {
        if !storable(id) {
            return Ok(None);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        if let Some(known) = self.connections.get(id) {
            return Ok(Some(known));
        }
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
        Ok(found.map(|connection| self.keep(&self.connections, generation, id, connection)))
    }

    /// How often each cache had what was asked of it, and how often it had not.
    pub fn cache_use(&self) -> [(&'static str, u64, u64); 4] {
        [
            self.pools.asked("pools"),
            self.apps.asked("apps"),
            self.connections.asked("connections"),
            self.sites.asked("domains"),
        ]
    }

    /// Keeps what was read, unless configuration was forgotten since.
    fn keep<V>(&self, cache: &Cache<String, V>, generation: u64, key: &str, value: V) -> Arc<V> {
        let value = Arc::new(value);
        if self.generation.load(Ordering::SeqCst) == generation {
            cache.put(key.to_owned(), value.clone());
        }
        value
    }

    /// Makes a signing key, off the async threads: it takes a good part of a second.
    pub async fn new_key(&self) -> Result<KeyPair, Error> {
        let entropy = self.entropy.clone();
        off_thread(move || keys::make(&entropy)).await
    }

    /// Makes the two signing keys of a pool, off the async threads.
    pub async fn new_keys(&self) -> Result<NewKeys, Error> {
        let entropy = self.entropy.clone();
        off_thread(move || NewKeys::make(&entropy)).await
    }

    /// Draws a fresh request id.
    pub fn request_id(&self) -> String {
        secret::uuid(&self.entropy)
    }
}

/// Where each connection stands in the list.
fn places(providers: &[Provider]) -> HashMap<String, usize> {
    let ids = providers.iter().map(|provider| provider.id.clone());
    ids.zip(0..).collect()
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

/// Values that are read again when they are older than [`FRESH`].
struct Cache<K, V> {
    entries: RwLock<HashMap<K, (Instant, Arc<V>)>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Cache {
            entries: RwLock::default(),
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries
            .get(key)
            .filter(|(read_at, _)| read_at.elapsed() < FRESH)
            .map(|(_, value)| value.clone());
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn asked(&self, name: &'static str) -> (&'static str, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (name, read(&self.hits), read(&self.misses))
    }

    fn put(&self, key: K, value: Arc<V>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= KEPT {
            entries.retain(|_, (read_at, _)| read_at.elapsed() < FRESH);
        }
        entries.insert(key, (Instant::now(), value));
    }

    fn clear(&self) {
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
