//! Domain: the host under which a pool's pages and endpoints are reached besides the public URL's. A prefix hangs below
//! the public host; a name with a dot is the customer's own.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::schema::pool_domains;
use crate::db::{Conn, Json, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pool_domains)]
pub struct Domain {
    /// `acme`, or `login.acme.example`; unique over all pools.
    pub name: String,
    pub user_pool_id: String,
    pub settings: Json<Settings>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Members of Cognito's `DomainDescriptionType` that mean nothing here (the certificate is the proxy's), as they were
    /// set.
    pub cognito: Map<String, Value>,
}

impl Domain {
    /// The customer's own, not a prefix.
    pub fn is_custom(&self) -> bool {
        self.name.contains('.')
    }
}

fn within(reach: &Reach) -> pool_domains::BoxedQuery<'static, MultiBackend> {
    let query = pool_domains::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(pool_domains::user_pool_id.eq_any(reach.pools.clone()))
}

/// The domain, for whoever's reach has its pool as a whole.
pub fn find_within(conn: &mut Conn, reach: &Reach, name: &str) -> QueryResult<Option<Domain>> {
    within(reach)
        .filter(pool_domains::name.eq(name.to_owned()))
        .select(Domain::as_select())
        .first(conn)
        .optional()
}

pub fn of_pool(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<Domain>> {
    pool_domains::table
        .filter(pool_domains::user_pool_id.eq(user_pool_id))
        .order(pool_domains::name)
        .select(Domain::as_select())
        .load(conn)
}

/// The domains of all pools.
pub fn list_all(conn: &mut Conn) -> QueryResult<Vec<Domain>> {
    pool_domains::table.select(Domain::as_select()).load(conn)
}

/// False when the name is taken.
pub fn insert(conn: &mut Conn, domain: &Domain) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(pool_domains::table)
        .values(domain)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, domain: &Domain) -> QueryResult<Option<Domain>> {
    diesel::update(pool_domains::table.find(&domain.name))
        .set(domain)
        .returning(columns::<Domain>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, name: &str) -> QueryResult<bool> {
    Ok(diesel::delete(pool_domains::table.find(name)).execute(conn)? == 1)
}
