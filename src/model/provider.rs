//! Identity provider, seen from its tenant a connection: an upstream Okta (or other OpenID provider), how we are
//! registered there, and which identifiers (email domains, aliases) lead to it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::schema::{
    identities, identity_providers, login_traces, provider_identifiers, provider_notices,
};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, Json, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::model::trace::Outcome;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = identity_providers)]
#[diesel(treat_none_as_null = true)]
pub struct Provider {
    /// The connection's slug: unique over all pools, part of `/oauth2/idpresponse/{id}`, never changed.
    pub id: String,
    pub user_pool_id: String,
    /// Cognito's `ProviderName`, unique in its pool; part of usernames.
    pub name: String,
    /// Compared with `iss` byte by byte.
    pub issuer: String,
    pub enabled: bool,
    pub settings: Json<Settings>,
    /// Sealed for purpose `client-secret`, the id being the name.
    pub client_secret_sealed: Option<Vec<u8>>,
    /// A PEM key for `private_key_jwt`, sealed for purpose `client-key`.
    pub private_key_sealed: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
    /// The customer organisation it belongs to; an operator's own connection has none.
    pub tenant_id: Option<String>,
    /// When a test sign-in last passed on the configuration as it stands.
    pub tested_at: Option<UnixTime>,
    /// When it first went live.
    pub live_since: Option<UnixTime>,
    /// The client secret that takes over once the upstream refuses the present one; sealed for purpose `client-secret-next`.
    pub next_secret_sealed: Option<Vec<u8>>,
    pub secret_expires_at: Option<UnixTime>,
    pub next_secret_expires_at: Option<UnixTime>,
}

/// More of them say nothing more.
const MOST_TWINS: i64 = 20;

text_enum! {
    /// How far a connection has come.
    pub enum State { Draft = "draft", Tested = "tested", Live = "live", Disabled = "disabled" }
}

impl Provider {
    /// Whether who asks for this connection may come by that one: itself, or the one to which its canary leads.
    pub fn leads_to(&self, id: &str) -> bool {
        self.id == id
            || self
                .settings
                .canary
                .as_ref()
                .is_some_and(|canary| canary.to == id)
    }

    pub fn state(&self) -> State {
        match (self.enabled, self.live_since, self.tested_at) {
            (true, ..) => State::Live,
            (false, Some(_), _) => State::Disabled,
            (false, None, Some(_)) => State::Tested,
            (false, None, None) => State::Draft,
        }
    }
}

text_enum! {
    /// How we prove ourselves at the upstream token endpoint (OIDC Core §9).
    pub enum ClientAuth {
        SecretBasic = "client_secret_basic",
        SecretPost = "client_secret_post",
        PrivateKeyJwt = "private_key_jwt",
    }
}

text_enum! {
    /// Cognito's `attributes_request_method`.
    pub enum UserinfoMethod { Get = "GET", Post = "POST" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The client id at the upstream.
    pub client_id: String,
    pub client_auth: ClientAuth,
    /// `kid` sent with `private_key_jwt` assertions; `None`: the key's RFC 7638 thumbprint.
    pub private_key_id: Option<String>,
    /// `authorize_scopes`, as a list; holds `openid`.
    pub scopes: Vec<String>,
    pub userinfo_method: UserinfoMethod,
    /// The manual alternative to discovery; all of it or nothing.
    pub endpoints: Option<Endpoints>,
    /// The button's label.
    pub label: String,
    /// Sign the user out at the upstream, too.
    pub upstream_logout: bool,
    /// `sign-out redirect URI` is registered at the upstream; else it is not sent and the user stays on the upstream's page.
    pub upstream_logout_return: bool,
    /// The bare `/oauth2/idpresponse` serves this connection (an operator made it), not only `/oauth2/idpresponse/{id}`;
    /// this is the redirect URI then sent.
    pub shared_callback: bool,
    /// Signing algorithms accepted in ID tokens; never read from metadata (RFC 8725 §3.1).
    pub id_token_algorithms: Vec<String>,
    /// Instead of sending people upstream the connection takes ID tokens that apps bring (RFC 8693), and so needs no
    /// secret; `None`: the usual kind.
    pub token_in: Option<TokenIn>,
    pub replay: Replay,
    /// Another connection that some of its people are sent to instead.
    pub canary: Option<Canary>,
    /// Members of Cognito's `IdentityProviderType` as they were set, but for the secret.
    pub cognito: Map<String, Value>,
    /// What the connection is for, where its tenant has one for each environment.
    pub environment: Option<Environment>,
    pub provisioning: Provisioning,
    /// The scopes of Okta's own API that sign-ins ask for; none: that API is left alone.
    pub okta_api: Vec<ApiScope>,
}

/// Who gets an account by coming for the first time, and what with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provisioning {
    /// Whoever the upstream lets in gets one; else only those come in who have one, or are recognised as somebody who has.
    pub just_in_time: bool,
    /// Groups of the pool that a new account is put into, for good.
    pub groups: Vec<String>,
    /// Somebody has said so; else it is as it usually is.
    pub decided: bool,
}

impl Default for Provisioning {
    fn default() -> Self {
        Provisioning {
            just_in_time: true,
            groups: Vec::new(),
            decided: false,
        }
    }
}

text_enum! {
    /// What may be read of Okta's own API (org authorization server only).
    pub enum ApiScope {
        UsersReadSelf = "okta.users.read.self",
        UsersRead = "okta.users.read",
        UserTypesRead = "okta.userTypes.read",
        ProfileMappingsRead = "okta.profileMappings.read",
    }
}

impl ApiScope {
    /// Whoever signs in may be read with it; with [`ApiScope::UsersRead`] it depends on their rights in Okta.
    pub fn reads_own_profile(self) -> bool {
        matches!(self, ApiScope::UsersReadSelf | ApiScope::UsersRead)
    }
}

text_enum! {
    pub enum Environment { Production = "production", Preview = "preview", Staging = "staging" }
}

/// Whom a second connection of the tenant gets, to be tried before everybody does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Canary {
    /// The second connection.
    pub to: String,
    /// Of those whose address is known before the sign-in, 0-100.
    pub percent: u32,
    /// Addresses, in lower case.
    pub people: Vec<String>,
    /// A group of the pool, as its members are when they come.
    pub group: Option<String>,
    /// Everybody goes there, also those of whom nothing is known.
    pub promoted: bool,
    pub since: UnixTime,
}

text_enum! {
    /// How people come through a connection: they are sent upstream, or apps bring the upstream's ID token.
    pub enum Way { SignIn = "sign-in", TokenIn = "token-in" }
}

impl Settings {
    pub fn way(&self) -> Way {
        match self.token_in {
            Some(_) => Way::TokenIn,
            None => Way::SignIn,
        }
    }

    pub fn set_way(&mut self, way: Way) {
        match way {
            Way::SignIn => self.token_in = None,
            Way::TokenIn => {
                self.token_in.get_or_insert_default();
            }
        }
    }
}

/// What a connection that takes ID tokens allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenIn {
    /// Origins of the pages that may bring a token, as browsers write them; servers have none and always may.
    pub origins: Vec<String>,
}

/// Whether sign-ins are kept, sealed, to try a mapping on, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replay {
    pub keep: bool,
    /// 1-30.
    pub days: u32,
}

impl Default for Replay {
    fn default() -> Self {
        Replay { keep: true, days: 14 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            client_id: String::new(),
            client_auth: ClientAuth::SecretBasic,
            private_key_id: None,
            scopes: ["openid", "profile", "email"].map(String::from).to_vec(),
            userinfo_method: UserinfoMethod::Get,
            endpoints: None,
            label: "Okta SSO".into(),
            upstream_logout: false,
            upstream_logout_return: true,
            shared_callback: false,
            id_token_algorithms: vec!["RS256".into()],
            token_in: None,
            replay: Replay::default(),
            canary: None,
            cognito: Map::new(),
            environment: None,
            provisioning: Provisioning::default(),
            okta_api: Vec::new(),
        }
    }
}

/// Endpoint URLs given by hand (Cognito's `authorize_url`, `token_url`, `attributes_url`, `jwks_uri`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    pub authorization: String,
    pub token: String,
    pub userinfo: Option<String>,
    pub jwks: String,
    pub end_session: Option<String>,
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Provider>> {
    identity_providers::table
        .find(id)
        .select(Provider::as_select())
        .first(conn)
        .optional()
}

fn within(reach: &Reach) -> identity_providers::BoxedQuery<'static, MultiBackend> {
    let query = identity_providers::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        identity_providers::user_pool_id
            .eq_any(reach.pools.clone())
            .or(identity_providers::tenant_id
                .assume_not_null()
                .eq_any(reach.tenants.clone())
                .and(identity_providers::tenant_id.is_not_null())),
    )
}

/// The connection, for an administrator with this reach.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Provider>> {
    within(reach)
        .filter(identity_providers::id.eq(id.to_owned()))
        .select(Provider::as_select())
        .first(conn)
        .optional()
}

/// The connections within reach, of one pool or of all.
pub fn list_within(conn: &mut Conn, reach: &Reach, user_pool_id: Option<&str>) -> QueryResult<Vec<Provider>> {
    let mut query = within(reach)
        .order((identity_providers::user_pool_id, identity_providers::name))
        .select(Provider::as_select());
    if let Some(id) = user_pool_id {
        query = query.filter(identity_providers::user_pool_id.eq(id.to_owned()));
    }
    query.load(conn)
}

/// Whether there is any connection within reach.
pub fn any_within(conn: &mut Conn, reach: &Reach) -> QueryResult<bool> {
    let found: Option<String> = within(reach)
        .select(identity_providers::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// One page of the connections within reach, by name: those of one pool, those whose name, slug or issuer
/// has `text` in it. `after` is the last one of the page before.
pub fn search_within(
    conn: &mut Conn,
    reach: &Reach,
    user_pool_id: Option<&str>,
    text: &str,
    after: Option<&Provider>,
    limit: i64,
) -> QueryResult<Vec<Provider>> {
    let mut query = within(reach)
        .order((identity_providers::name, identity_providers::id))
        .limit(limit)
        .select(Provider::as_select());
    if let Some(id) = user_pool_id {
        query = query.filter(identity_providers::user_pool_id.eq(id.to_owned()));
    }
    if !text.is_empty() {
        query = query.filter(
            lower(identity_providers::name)
                .like(anywhere(text))
                .escape('!')
                .or(identity_providers::id.like(anywhere(text)).escape('!'))
                .or(lower(identity_providers::issuer).like(anywhere(text)).escape('!')),
        );
    }
    if let Some(last) = after {
        query = query.filter(
            identity_providers::name
                .gt(last.name.clone())
                .or(identity_providers::name
                    .eq(last.name.clone())
                    .and(identity_providers::id.gt(last.id.clone()))),
        );
    }
    query.load(conn)
}

/// Other connections within reach that come with the same client id: environments that were mixed up, mostly.
pub fn twins(conn: &mut Conn, reach: &Reach, provider: &Provider) -> QueryResult<Vec<Provider>> {
    let client_id = &provider.settings.client_id;
    if client_id.is_empty() {
        return Ok(Vec::new());
    }
    let member = format!("\"client_id\":{}", Value::from(client_id.as_str()));
    let mut found: Vec<Provider> = within(reach)
        .filter(
            lower(identity_providers::settings)
                .like(anywhere(&member))
                .escape('!'),
        )
        .filter(identity_providers::id.ne(provider.id.clone()))
        .order(identity_providers::name)
        .limit(MOST_TWINS)
        .select(Provider::as_select())
        .load(conn)?;
    // Case, and what else in the settings may look the same.
    found.retain(|other| other.settings.client_id == *client_id);
    Ok(found)
}

/// When somebody last got in through the connection, as far as traces reach back.
pub fn last_sign_in(conn: &mut Conn, id: &str) -> QueryResult<Option<UnixTime>> {
    login_traces::table
        .filter(login_traces::provider_id.eq(id))
        .filter(login_traces::outcome.eq(Outcome::SignedIn))
        .order(login_traces::started_at.desc())
        .select(login_traces::started_at)
        .first(conn)
        .optional()
}

/// What needs attention about the connection, as the watch over connections has noted it.
pub fn notices(conn: &mut Conn, id: &str) -> QueryResult<Vec<String>> {
    provider_notices::table
        .filter(provider_notices::provider_id.eq(id))
        .order((provider_notices::kind, provider_notices::subject))
        .select(provider_notices::detail)
        .load(conn)
}

/// How many people have signed in through the connection.
pub fn count_identities(conn: &mut Conn, id: &str) -> QueryResult<i64> {
    identities::table
        .filter(identities::provider_id.eq(id))
        .count()
        .get_result(conn)
}

pub fn find_by_name(conn: &mut Conn, user_pool_id: &str, name: &str) -> QueryResult<Option<Provider>> {
    identity_providers::table
        .filter(
            identity_providers::user_pool_id
                .eq(user_pool_id)
                .and(identity_providers::name.eq(name)),
        )
        .select(Provider::as_select())
        .first(conn)
        .optional()
}

/// The provider of the pool that an identifier (as it is stored) leads to.
pub fn find_by_identifier(
    conn: &mut Conn,
    user_pool_id: &str,
    identifier: &str,
) -> QueryResult<Option<Provider>> {
    let led: Option<String> = provider_identifiers::table
        .find((user_pool_id, identifier))
        .select(provider_identifiers::provider_id)
        .first(conn)
        .optional()?;
    match led {
        Some(id) => find(conn, &id),
        None => Ok(None),
    }
}

pub fn list(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(identity_providers::user_pool_id.eq(user_pool_id))
        .order(identity_providers::name)
        .select(Provider::as_select())
        .load(conn)
}

pub fn list_all(conn: &mut Conn) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .order((identity_providers::user_pool_id, identity_providers::name))
        .select(Provider::as_select())
        .load(conn)
}

/// Whether a domain is among the identifiers that lead to one of these providers.
pub fn any_domain_of(conn: &mut Conn, ids: &[String]) -> QueryResult<bool> {
    let domains = provider_identifiers::table
        .filter(provider_identifiers::provider_id.eq_any(ids.to_vec()))
        .filter(provider_identifiers::identifier.like("%.%"));
    diesel::select(diesel::dsl::exists(domains)).get_result(conn)
}

pub fn among(conn: &mut Conn, ids: &[String]) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(identity_providers::id.eq_any(ids.to_vec()))
        .select(Provider::as_select())
        .load(conn)
}

/// Those of these tenants, by name.
pub fn of_tenants(conn: &mut Conn, ids: &[String]) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(
            identity_providers::tenant_id
                .assume_not_null()
                .eq_any(ids.to_vec()),
        )
        .order(identity_providers::name)
        .select(Provider::as_select())
        .load(conn)
}

/// Those of a pool that are no tenant's, by name, at most `limit`.
pub fn own_of_pool(conn: &mut Conn, user_pool_id: &str, limit: i64) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(identity_providers::user_pool_id.eq(user_pool_id))
        .filter(identity_providers::tenant_id.is_null())
        .order(identity_providers::name)
        .limit(limit)
        .select(Provider::as_select())
        .load(conn)
}

pub fn of_issuer(conn: &mut Conn, user_pool_id: &str, issuer: &str) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(identity_providers::issuer.eq(issuer))
        .filter(identity_providers::user_pool_id.eq(user_pool_id))
        .select(Provider::as_select())
        .load(conn)
}

/// The tenant that the connection belongs to.
pub fn tenant_of(conn: &mut Conn, id: &str) -> QueryResult<Option<String>> {
    let found: Option<Option<String>> = identity_providers::table
        .find(id)
        .select(identity_providers::tenant_id)
        .first(conn)
        .optional()?;
    Ok(found.flatten())
}

/// Those of the named providers that exist in the pool and are enabled.
pub fn list_named(conn: &mut Conn, user_pool_id: &str, names: &[String]) -> QueryResult<Vec<Provider>> {
    identity_providers::table
        .filter(identity_providers::user_pool_id.eq(user_pool_id))
        .filter(identity_providers::name.eq_any(names.to_vec()))
        .filter(identity_providers::enabled.eq(true))
        .order(identity_providers::name)
        .select(Provider::as_select())
        .load(conn)
}

/// The enabled connections, of one pool or of all, whose issuer is at this origin (a few more where that has a wildcard's
/// characters in it), or at any.
pub fn enabled_of(
    conn: &mut Conn,
    user_pool_id: Option<&str>,
    origin: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Provider>> {
    let mut query = identity_providers::table
        .filter(identity_providers::enabled.eq(true))
        .order(identity_providers::id)
        .limit(limit)
        .select(Provider::as_select())
        .into_boxed();
    if let Some(id) = user_pool_id {
        query = query.filter(identity_providers::user_pool_id.eq(id.to_owned()));
    }
    if let Some(origin) = origin {
        let below = identity_providers::issuer.like(format!("{origin}/%"));
        query = query.filter(identity_providers::issuer.eq(origin.to_owned()).or(below));
    }
    query.load(conn)
}

/// False when the slug, or the name within the pool, is taken.
pub fn insert(conn: &mut Conn, provider: &Provider) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(identity_providers::table)
        .values(provider)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, provider: &Provider) -> QueryResult<Option<Provider>> {
    diesel::update(identity_providers::table.find(&provider.id))
        .set(provider)
        .returning(columns::<Provider>())
        .get_result(conn)
        .optional()
}

/// Holds the row until the transaction ends, and reads it.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Provider>> {
    diesel::update(identity_providers::table.find(id))
        .set(identity_providers::updated_at.eq(identity_providers::updated_at))
        .returning(columns::<Provider>())
        .get_result(conn)
        .optional()
}

/// Switches off the connections of a tenant that are on; gives their ids.
pub fn disable_of_tenant(conn: &mut Conn, tenant_id: &str, now: UnixTime) -> QueryResult<Vec<String>> {
    let mut ids: Vec<String> = diesel::update(
        identity_providers::table
            .filter(identity_providers::tenant_id.eq(tenant_id))
            .filter(identity_providers::enabled.eq(true)),
    )
    .set((
        identity_providers::enabled.eq(false),
        identity_providers::updated_at.eq(now),
    ))
    .returning(identity_providers::id)
    .get_results(conn)?;
    ids.sort();
    Ok(ids)
}

pub fn set_tested(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<()> {
    diesel::update(identity_providers::table.find(id))
        .set(identity_providers::tested_at.eq(now))
        .execute(conn)
        .map(|_| ())
}

/// Puts the next secret, sealed anew, in the present one's place, if both are still those. False otherwise.
pub fn promote_next_secret(
    conn: &mut Conn,
    id: &str,
    present: &[u8],
    next: &[u8],
    resealed: &[u8],
    now: UnixTime,
) -> QueryResult<bool> {
    let rows = diesel::update(identity_providers::table.find(id))
        .filter(identity_providers::client_secret_sealed.eq(present))
        .filter(identity_providers::next_secret_sealed.eq(next))
        .set((
            identity_providers::client_secret_sealed.eq(resealed),
            identity_providers::secret_expires_at.eq(identity_providers::next_secret_expires_at),
            identity_providers::next_secret_sealed.eq(None::<Vec<u8>>),
            identity_providers::next_secret_expires_at.eq(None::<UnixTime>),
            identity_providers::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(identity_providers::table.find(id)).execute(conn)? == 1)
}

/// Whether anybody has signed in through the provider.
pub fn has_identities(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        identities::table.filter(identities::provider_id.eq(id)),
    ))
    .get_result(conn)
}

/// The identifiers that lead to the provider, in order.
pub fn identifiers(conn: &mut Conn, provider_id: &str) -> QueryResult<Vec<String>> {
    provider_identifiers::table
        .filter(provider_identifiers::provider_id.eq(provider_id))
        .order(provider_identifiers::identifier)
        .select(provider_identifiers::identifier)
        .load(conn)
}

/// Those of these identifiers (as they are stored) that lead anywhere in the pool, each with its provider's id.
pub fn identified(
    conn: &mut Conn,
    user_pool_id: &str,
    identifiers: &[String],
) -> QueryResult<Vec<(String, String)>> {
    provider_identifiers::table
        .filter(provider_identifiers::user_pool_id.eq(user_pool_id))
        .filter(provider_identifiers::identifier.eq_any(identifiers.to_vec()))
        .select((
            provider_identifiers::identifier,
            provider_identifiers::provider_id,
        ))
        .load(conn)
}

/// Replaces the provider's identifiers (lower case); names the first that another provider of the pool holds.
pub fn set_identifiers(
    conn: &mut Conn,
    provider: &Provider,
    identifiers: &[String],
) -> QueryResult<Result<(), String>> {
    diesel::delete(provider_identifiers::table.filter(provider_identifiers::provider_id.eq(&provider.id)))
        .execute(conn)?;
    for identifier in identifiers {
        let row = (
            provider_identifiers::user_pool_id.eq(&provider.user_pool_id),
            provider_identifiers::identifier.eq(identifier),
            provider_identifiers::provider_id.eq(&provider.id),
        );
        let rows = crate::on_backend!(conn, |c| diesel::insert_into(provider_identifiers::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c))?;
        if rows == 0 {
            return Ok(Err(identifier.clone()));
        }
    }
    Ok(Ok(()))
}
