//! User pool: one OpenID Connect provider with its own users, keys, clients and attribute schema.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::schema::{
    app_clients, identity_providers, resource_servers, tenants, user_groups, user_pools, users,
};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, Json, MultiBackend, columns};
use crate::model::lambda_config::LambdaConfig;
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user_pools)]
#[diesel(treat_none_as_null = true)]
pub struct Pool {
    /// `<region>_<alphanumerics>`, as Cognito's; part of the issuer and therefore never changed.
    pub id: String,
    pub name: String,
    pub settings: Json<Settings>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

/// What an operator may set. Unknown members of an older or newer version are left alone by `default`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Cognito's shapes where they depart from the standards (string booleans in userInfo, no `aud` in access tokens…).
    pub cognito_exact: bool,
    /// Whether usernames are compared by their exact case. Immutable.
    pub case_sensitive: bool,
    pub deletion_protection: bool,
    /// Attributes besides the standard ones, and changes to the standard ones' `required` and `mutable`.
    pub attributes: Vec<Attribute>,
    /// Days that the trace of a login is kept.
    pub trace_days: u32,
    pub tags: BTreeMap<String, String>,
    /// Members of Cognito's `UserPoolType` that mean nothing here, as they were set.
    pub cognito: Map<String, Value>,
    /// Days after which a signing key gets a successor; 0: never by itself.
    pub key_rotation_days: u32,
    /// The hooks that take part in sign-ins and tokens.
    pub lambda: LambdaConfig,
    pub sessions: Sessions,
    /// The claim of tokens that has the id of the tenant by whose connection the user came; empty: none. See
    /// [`Settings::tenant_claim`].
    pub tenant_claim: String,
    /// Domains of the operator's own below which preview deployments of apps have their hosts.
    pub preview_suffixes: Vec<String>,
}

/// What the claim is called unless a pool says otherwise.
pub const TENANT_CLAIM: &str = "custom:tenant_id";

/// How many sign-ins of one user may live at a time (Cognito's session configuration).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sessions {
    /// Whether the limit is kept.
    pub tracked: bool,
    /// 1-100; the oldest sign-in ends when one more begins.
    pub most_per_user: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cognito_exact: false,
            case_sensitive: true,
            deletion_protection: false,
            attributes: Vec::new(),
            trace_days: 14,
            tags: BTreeMap::new(),
            cognito: Map::new(),
            key_rotation_days: 90,
            lambda: LambdaConfig::default(),
            sessions: Sessions::default(),
            tenant_claim: TENANT_CLAIM.into(),
            preview_suffixes: Vec::new(),
        }
    }
}

text_enum! {
    pub enum AttributeType { String = "String", Number = "Number", DateTime = "DateTime", Boolean = "Boolean" }
}

/// One attribute of the pool's schema (Cognito's `SchemaAttributeType`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// `email`, `custom:department`, …
    pub name: String,
    pub kind: AttributeType,
    pub mutable: bool,
    pub required: bool,
}

/// The standard attributes of OIDC Core §5.1 as Cognito names and types them; `sub` apart.
pub const STANDARD: &[(&str, AttributeType)] = &[
    ("address", AttributeType::String),
    ("birthdate", AttributeType::String),
    ("email", AttributeType::String),
    ("email_verified", AttributeType::Boolean),
    ("family_name", AttributeType::String),
    ("gender", AttributeType::String),
    ("given_name", AttributeType::String),
    ("locale", AttributeType::String),
    ("middle_name", AttributeType::String),
    ("name", AttributeType::String),
    ("nickname", AttributeType::String),
    ("phone_number", AttributeType::String),
    ("phone_number_verified", AttributeType::Boolean),
    ("picture", AttributeType::String),
    ("preferred_username", AttributeType::String),
    ("profile", AttributeType::String),
    ("updated_at", AttributeType::Number),
    ("website", AttributeType::String),
    ("zoneinfo", AttributeType::String),
];

impl Settings {
    /// The claim that names the tenant. Where nobody has named it and the schema has an attribute by the usual name, as pools
    /// that moved here from Cognito may, the attribute stays what it is, and there is no such claim.
    pub fn tenant_claim(&self) -> Option<&str> {
        let name = self.tenant_claim.as_str();
        let is_attribute = name == TENANT_CLAIM && self.attribute(name).is_some();
        (!name.is_empty() && !is_attribute).then_some(name)
    }

    /// The attribute of that name: as the pool defines it, else as the standard does.
    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .cloned()
            .or_else(|| {
                STANDARD
                    .iter()
                    .find(|(standard, _)| *standard == name)
                    .map(|&(name, kind)| Attribute {
                        name: name.to_owned(),
                        kind,
                        mutable: true,
                        required: false,
                    })
            })
    }
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Pool>> {
    crate::on_backend!(conn, |c| user_pools::table
        .find(id)
        .select(Pool::as_select())
        .first(c))
    .optional()
}

/// How many sign-ins of one user may live at a time, where the pool limits them.
pub fn most_sessions(conn: &mut Conn, id: &str) -> QueryResult<Option<i64>> {
    let sessions = find(conn, id)?.map(|pool| pool.settings.0.sessions);
    Ok(sessions
        .filter(|sessions| sessions.tracked)
        .and_then(|sessions| sessions.most_per_user))
}

fn within(reach: &Reach) -> user_pools::BoxedQuery<'static, MultiBackend> {
    let query = user_pools::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(user_pools::id.eq_any(reach.pools.clone()))
}

/// The pool, for an administrator whose reach has it as a whole.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Pool>> {
    within(reach)
        .filter(user_pools::id.eq(id.to_owned()))
        .select(Pool::as_select())
        .first(conn)
        .optional()
}

/// The first of the pools within reach whose name or id holds `search`, by name, from the one after `after` on.
pub fn page(
    conn: &mut Conn,
    reach: &Reach,
    search: &str,
    after: Option<&Pool>,
    limit: i64,
) -> QueryResult<Vec<Pool>> {
    let pattern = anywhere(search);
    let mut query = within(reach)
        .filter(
            lower(user_pools::name)
                .like(pattern.clone())
                .escape('!')
                .or(lower(user_pools::id).like(pattern).escape('!')),
        )
        .order((user_pools::name, user_pools::id))
        .limit(limit)
        .select(Pool::as_select());
    if let Some(last) = after {
        query = query.filter(
            user_pools::name.gt(last.name.clone()).or(user_pools::name
                .eq(last.name.clone())
                .and(user_pools::id.gt(last.id.clone()))),
        );
    }
    query.load(conn)
}

/// How much there is in a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub clients: i64,
    pub connections: i64,
    pub tenants: i64,
    pub users: i64,
    pub groups: i64,
    pub resource_servers: i64,
}

pub fn numbers(conn: &mut Conn, id: &str) -> QueryResult<Numbers> {
    Ok(Numbers {
        clients: app_clients::table
            .filter(app_clients::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
        connections: identity_providers::table
            .filter(identity_providers::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
        tenants: tenants::table
            .filter(tenants::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
        users: users::table
            .filter(users::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
        groups: user_groups::table
            .filter(user_groups::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
        resource_servers: resource_servers::table
            .filter(resource_servers::user_pool_id.eq(id))
            .count()
            .get_result(conn)?,
    })
}

/// The pools that are within reach as a whole.
pub fn list_within(conn: &mut Conn, reach: &Reach) -> QueryResult<Vec<Pool>> {
    within(reach)
        .order((user_pools::name, user_pools::id))
        .select(Pool::as_select())
        .load(conn)
}

pub fn list(conn: &mut Conn) -> QueryResult<Vec<Pool>> {
    user_pools::table
        .order((user_pools::name, user_pools::id))
        .select(Pool::as_select())
        .load(conn)
}

/// False when the id is taken.
pub fn insert(conn: &mut Conn, pool: &Pool) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(user_pools::table)
        .values(pool)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Holds the row until the transaction ends.
pub fn hold(conn: &mut Conn, id: &str) -> QueryResult<()> {
    diesel::update(user_pools::table.find(id))
        .set(user_pools::updated_at.eq(user_pools::updated_at))
        .execute(conn)
        .map(|_| ())
}

pub fn update(conn: &mut Conn, pool: &Pool) -> QueryResult<Option<Pool>> {
    diesel::update(user_pools::table.find(&pool.id))
        .set(pool)
        .returning(columns::<Pool>())
        .get_result(conn)
        .optional()
}

/// Deletes the pool and everything in it.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(user_pools::table.find(id)).execute(conn)? == 1)
}

/// Writes without changing anything: whether the database takes writes at all.
pub fn touch_none(conn: &mut Conn) -> QueryResult<()> {
    diesel::update(user_pools::table.filter(user_pools::id.eq("")))
        .set(user_pools::name.eq(""))
        .execute(conn)
        .map(|_| ())
}
