//! Group and membership. A membership says who gave it, so that a mapping takes away only what it gave.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{memberships, user_groups};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user_groups)]
#[diesel(treat_none_as_null = true)]
pub struct Group {
    pub user_pool_id: String,
    pub name: String,
    pub description: Option<String>,
    /// Lower is stronger; `None` is weakest.
    pub precedence: Option<i64>,
    pub role_arn: Option<String>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
pub struct Membership {
    pub user_sub: String,
    pub user_pool_id: String,
    pub group_name: String,
    /// [`BY_ADMIN`], or a provider's id with [`by_provider`].
    pub source: String,
    pub created_at: UnixTime,
}

/// The source of memberships that an administrator gave.
pub const BY_ADMIN: &str = "admin";

/// The source of memberships that this provider's mapping gave.
pub fn by_provider(provider_id: &str) -> String {
    format!("provider:{provider_id}")
}

/// The group of all who sign in through a provider.
pub fn automatic(user_pool_id: &str, provider_name: &str) -> String {
    format!("{user_pool_id}_{provider_name}")
}

pub fn find(conn: &mut Conn, user_pool_id: &str, name: &str) -> QueryResult<Option<Group>> {
    user_groups::table
        .find((user_pool_id, name))
        .select(Group::as_select())
        .first(conn)
        .optional()
}

/// Those of the named groups that the pool has.
pub fn existing(conn: &mut Conn, user_pool_id: &str, names: &[String]) -> QueryResult<Vec<String>> {
    user_groups::table
        .filter(user_groups::user_pool_id.eq(user_pool_id))
        .filter(user_groups::name.eq_any(names.to_vec()))
        .select(user_groups::name)
        .load(conn)
}

/// The names of the pool's groups.
pub fn names(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<String>> {
    user_groups::table
        .filter(user_groups::user_pool_id.eq(user_pool_id))
        .select(user_groups::name)
        .load(conn)
}

/// Those of the named groups that the pool has, whole.
pub fn find_named(conn: &mut Conn, user_pool_id: &str, names: &[String]) -> QueryResult<Vec<Group>> {
    user_groups::table
        .filter(user_groups::user_pool_id.eq(user_pool_id))
        .filter(user_groups::name.eq_any(names.to_vec()))
        .select(Group::as_select())
        .load(conn)
}

/// How many groups the pool has.
pub fn count(conn: &mut Conn, user_pool_id: &str) -> QueryResult<i64> {
    user_groups::table
        .filter(user_groups::user_pool_id.eq(user_pool_id))
        .count()
        .get_result(conn)
}

/// False when the group exists.
pub fn insert(conn: &mut Conn, group: &Group) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(user_groups::table)
        .values(group)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// The groups a user is in, whoever put them there: strongest precedence first, then by name.
pub fn of_user(conn: &mut Conn, user_sub: &str) -> QueryResult<Vec<Group>> {
    let mut groups: Vec<Group> = user_groups::table
        .inner_join(
            memberships::table.on(memberships::user_pool_id
                .eq(user_groups::user_pool_id)
                .and(memberships::group_name.eq(user_groups::name))),
        )
        .filter(memberships::user_sub.eq(user_sub))
        .select(Group::as_select())
        .distinct()
        .load(conn)?;
    groups.sort_by(|a, b| {
        (a.precedence.unwrap_or(i64::MAX), &a.name).cmp(&(b.precedence.unwrap_or(i64::MAX), &b.name))
    });
    Ok(groups)
}

/// The names of the groups that this source put the user in.
pub fn of_user_from(conn: &mut Conn, user_sub: &str, source: &str) -> QueryResult<Vec<String>> {
    memberships::table
        .filter(
            memberships::user_sub
                .eq(user_sub)
                .and(memberships::source.eq(source)),
        )
        .order(memberships::group_name)
        .select(memberships::group_name)
        .load(conn)
}

/// False when the user is in the group from that source already.
pub fn join(conn: &mut Conn, membership: &Membership) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(memberships::table)
        .values(membership)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Takes away the membership that this source gave; others stay.
pub fn leave(conn: &mut Conn, user_sub: &str, group_name: &str, source: &str) -> QueryResult<bool> {
    Ok(diesel::delete(memberships::table.find((user_sub, group_name, source))).execute(conn)? == 1)
}
