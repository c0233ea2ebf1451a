//! Identity provider, seen from its tenant a connection: an upstream Okta (or other OpenID provider). How we are registered
//! there and what else is set stands in [`Settings`]; which identifiers (email domains, aliases) lead to it, in `identifier`.

mod identifier;
mod settings;

pub use identifier::{any_domain_of, find_by_identifier, identified, identifiers, set_identifiers};
pub use settings::{
    ApiScope, Canary, ClientAuth, Endpoints, Environment, Provisioning, Replay, Settings, TokenIn,
    UserinfoMethod, Way,
};

use diesel::prelude::*;
use serde_json::Value;

use crate::db::schema::{identities, identity_providers, login_traces, provider_notices};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, Json, MultiBackend, Prepare, columns};
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

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Provider>> {
    crate::on_backend!(conn, |c| identity_providers::table
        .find(id)
        .select(Provider::as_select())
        .first(c))
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

pub fn among(conn: &mut Conn, ids: &[String]) -> QueryResult<Vec<Provider>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    identity_providers::table
        .filter(identity_providers::id.eq_any(ids.to_vec()))
        .select(Provider::as_select())
        .prepared_for(ids.len())
        .load(conn)
}

/// Those of these tenants, by name.
pub fn of_tenants(conn: &mut Conn, ids: &[String]) -> QueryResult<Vec<Provider>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    identity_providers::table
        .filter(
            identity_providers::tenant_id
                .assume_not_null()
                .eq_any(ids.to_vec()),
        )
        .order(identity_providers::name)
        .select(Provider::as_select())
        .prepared_for(ids.len())
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
    let found: Option<Option<String>> = crate::on_backend!(conn, |c| identity_providers::table
        .find(id)
        .select(identity_providers::tenant_id)
        .first(c))
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
        .prepared_for(names.len())
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
