//! Administrator rule: the members of a pool's group may use the console with this role, through the pool's own sign-in.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{administrator_rules, tenants, user_pools};
use crate::model::administrator::Role;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = administrator_rules)]
pub struct AdministratorRule {
    pub id: String,
    /// Whose users it is about.
    pub user_pool_id: String,
    pub group_name: String,
    /// The connection whose word for the membership is taken. `None`: only what administrators here gave counts.
    pub provider_id: Option<String>,
    pub role: Role,
    pub scope_pool_id: Option<String>,
    pub scope_tenant_id: Option<String>,
    pub created_at: UnixTime,
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<AdministratorRule>> {
    administrator_rules::table
        .find(id)
        .select(AdministratorRule::as_select())
        .first(conn)
        .optional()
}

/// The rules of a pool that give a role in that very pool or at a tenant of it. Others, from before that was asked, count
/// for nothing.
pub fn in_force(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<AdministratorRule>> {
    let tenants_of_pool = tenants::table
        .filter(tenants::user_pool_id.eq(user_pool_id))
        .select(tenants::id.nullable());
    administrator_rules::table
        .filter(administrator_rules::user_pool_id.eq(user_pool_id))
        .filter(
            administrator_rules::scope_pool_id
                .eq(user_pool_id)
                .or(administrator_rules::scope_tenant_id.eq_any(tenants_of_pool)),
        )
        .order((administrator_rules::group_name, administrator_rules::id))
        .select(AdministratorRule::as_select())
        .load(conn)
}

pub fn list(conn: &mut Conn) -> QueryResult<Vec<AdministratorRule>> {
    administrator_rules::table
        .order((
            administrator_rules::user_pool_id,
            administrator_rules::group_name,
            administrator_rules::id,
        ))
        .select(AdministratorRule::as_select())
        .load(conn)
}

/// Id and name of the pools whose users may sign in to the console.
pub fn pools(conn: &mut Conn) -> QueryResult<Vec<(String, String)>> {
    user_pools::table
        .filter(user_pools::id.eq_any(administrator_rules::table.select(administrator_rules::user_pool_id)))
        .order((user_pools::name, user_pools::id))
        .select((user_pools::id, user_pools::name))
        .load(conn)
}

pub fn insert(conn: &mut Conn, rule: &AdministratorRule) -> QueryResult<()> {
    diesel::insert_into(administrator_rules::table)
        .values(rule)
        .execute(conn)
        .map(|_| ())
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(administrator_rules::table.find(id)).execute(conn)? == 1)
}
