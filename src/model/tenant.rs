//! Tenant: a customer organisation inside a pool, with connections of its own.

use std::collections::HashMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::tenants;
use crate::db::{Conn, Json, MultiBackend, Prepare, columns};
use crate::model::reach::Reach;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tenants)]
pub struct Tenant {
    /// DNS-safe, unique over all pools, never changed.
    pub id: String,
    pub user_pool_id: String,
    pub name: String,
    pub settings: Json<Settings>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Sign-ins of its connections may be kept, sealed, to try mappings on; each connection then says for itself.
    pub keeps_sign_ins: bool,
    /// The app clients to which its people may sign in; empty: all that list its connections.
    pub clients: Vec<String>,
    pub linking: Linking,
}

/// By what somebody who first comes by one of the tenant's connections is recognised as a user that there is. Nothing, unless
/// somebody wants it: links and moves that an administrator has made need none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Linking {
    /// The address, in a domain that is proven to be the tenant's.
    pub email: bool,
    /// An attribute that holds something like an employee number. Where both accounts have one it also decides whether
    /// they are one person's.
    pub attribute: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            keeps_sign_ins: true,
            clients: Vec::new(),
            linking: Linking::default(),
        }
    }
}

fn within(reach: &Reach) -> tenants::BoxedQuery<'static, MultiBackend> {
    let query = tenants::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        tenants::user_pool_id
            .eq_any(reach.pools.clone())
            .or(tenants::id.eq_any(reach.tenants.clone())),
    )
}

pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Tenant>> {
    within(reach)
        .filter(tenants::id.eq(id.to_owned()))
        .select(Tenant::as_select())
        .first(conn)
        .optional()
}

/// Whether the tenant lets sign-ins be kept.
pub fn keeps_sign_ins(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    let settings: Option<Json<Settings>> = tenants::table
        .find(id)
        .select(tenants::settings)
        .first(conn)
        .optional()?;
    Ok(settings.is_none_or(|settings| settings.keeps_sign_ins))
}

/// The pool that a tenant is in.
pub fn pool_of(conn: &mut Conn, id: &str) -> QueryResult<Option<String>> {
    tenants::table
        .find(id)
        .select(tenants::user_pool_id)
        .first(conn)
        .optional()
}

/// Those among them that let people into some app clients only, with the clients.
pub fn choosy(conn: &mut Conn, ids: &[String]) -> QueryResult<HashMap<String, Vec<String>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, Json<Settings>)> = tenants::table
        .filter(tenants::id.eq_any(ids.to_vec()))
        .select((tenants::id, tenants::settings))
        .prepared_for(ids.len())
        .load(conn)?;
    let lists = rows.into_iter().map(|(id, settings)| (id, settings.0.clients));
    Ok(lists.filter(|(_, clients)| !clients.is_empty()).collect())
}

/// How the tenant's people are recognised.
pub fn linking(conn: &mut Conn, id: &str) -> QueryResult<Linking> {
    let settings: Option<Json<Settings>> = tenants::table
        .find(id)
        .select(tenants::settings)
        .first(conn)
        .optional()?;
    Ok(settings.map(|settings| settings.0.linking).unwrap_or_default())
}

/// Those of one pool, or of all, by name.
pub fn list(conn: &mut Conn, reach: &Reach, user_pool_id: Option<&str>) -> QueryResult<Vec<Tenant>> {
    let mut query = within(reach)
        .order((tenants::name, tenants::id))
        .select(Tenant::as_select());
    if let Some(id) = user_pool_id {
        query = query.filter(tenants::user_pool_id.eq(id.to_owned()));
    }
    query.load(conn)
}

/// False when the id is taken.
pub fn insert(conn: &mut Conn, tenant: &Tenant) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(tenants::table)
        .values(tenant)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Holds the row until the transaction ends, and reads it.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Tenant>> {
    diesel::update(tenants::table.find(id))
        .set(tenants::updated_at.eq(tenants::updated_at))
        .returning(columns::<Tenant>())
        .get_result(conn)
        .optional()
}

pub fn update(conn: &mut Conn, tenant: &Tenant) -> QueryResult<Option<Tenant>> {
    diesel::update(tenants::table.find(&tenant.id))
        .set(tenant)
        .returning(columns::<Tenant>())
        .get_result(conn)
        .optional()
}

/// Deletes the tenant; its connections stay and belong to the pool alone, so they are to be switched off before.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(tenants::table.find(id)).execute(conn)? == 1)
}
