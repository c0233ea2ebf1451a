//! Resource server: an API with scopes of its own, which clients may be granted as `<identifier>/<scope>`.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::resource_servers;
use crate::db::{Conn, Json};

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = resource_servers)]
pub struct ResourceServer {
    pub user_pool_id: String,
    /// Also good as RFC 8707 `resource` when it is a URI.
    pub identifier: String,
    pub name: String,
    pub scopes: Json<Vec<Scope>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub name: String,
    pub description: String,
}

pub fn find(conn: &mut Conn, user_pool_id: &str, identifier: &str) -> QueryResult<Option<ResourceServer>> {
    resource_servers::table
        .find((user_pool_id, identifier))
        .select(ResourceServer::as_select())
        .first(conn)
        .optional()
}

pub fn list(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<ResourceServer>> {
    resource_servers::table
        .filter(resource_servers::user_pool_id.eq(user_pool_id))
        .order(resource_servers::identifier)
        .select(ResourceServer::as_select())
        .load(conn)
}

/// False when the identifier is taken in the pool.
pub fn insert(conn: &mut Conn, server: &ResourceServer) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(resource_servers::table)
        .values(server)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, server: &ResourceServer) -> QueryResult<bool> {
    let rows = diesel::update(resource_servers::table.find((&server.user_pool_id, &server.identifier)))
        .set((
            resource_servers::name.eq(&server.name),
            resource_servers::scopes.eq(&server.scopes),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn delete(conn: &mut Conn, user_pool_id: &str, identifier: &str) -> QueryResult<bool> {
    Ok(diesel::delete(resource_servers::table.find((user_pool_id, identifier))).execute(conn)? == 1)
}
