//! Group and membership. A membership says who gave it, so that a mapping takes away only what it gave.

use diesel::dsl;
use diesel::prelude::*;

use crate::db::schema::{memberships, user_groups, users};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, columns};
use crate::model::user::User;
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
#[diesel(treat_none_as_default_value = false)]
pub struct Membership {
    pub user_sub: String,
    pub user_pool_id: String,
    pub group_name: String,
    /// [`BY_ADMIN`], [`AT_FIRST`], or a provider's id with [`by_provider`].
    pub source: String,
    pub created_at: UnixTime,
}

/// The source of memberships that an administrator gave.
pub const BY_ADMIN: &str = "admin";
/// The source of memberships that a connection's settings give to a new account. Neither a mapping takes them back nor do
/// they make an administrator: whoever sets up a connection may be a guest.
pub const AT_FIRST: &str = "first sign-in";

/// The source of memberships that this provider's mapping gave.
pub fn by_provider(provider_id: &str) -> String {
    format!("provider:{provider_id}")
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

pub fn update(conn: &mut Conn, group: &Group) -> QueryResult<Option<Group>> {
    diesel::update(user_groups::table.find((&group.user_pool_id, &group.name)))
        .set(group)
        .returning(columns::<Group>())
        .get_result(conn)
        .optional()
}

/// Deletes the group with its memberships.
pub fn delete(conn: &mut Conn, user_pool_id: &str, name: &str) -> QueryResult<bool> {
    Ok(diesel::delete(user_groups::table.find((user_pool_id, name))).execute(conn)? == 1)
}

/// Some of the pool's groups by name: those after `after`, those whose name contains the words whatever their case.
pub fn page(
    conn: &mut Conn,
    user_pool_id: &str,
    contains: &str,
    after: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Group>> {
    let mut query = user_groups::table
        .filter(user_groups::user_pool_id.eq(user_pool_id.to_owned()))
        .order(user_groups::name)
        .limit(limit)
        .select(Group::as_select())
        .into_boxed();
    if !contains.is_empty() {
        query = query.filter(lower(user_groups::name).like(anywhere(contains)).escape('!'));
    }
    if let Some(after) = after {
        query = query.filter(user_groups::name.gt(after.to_owned()));
    }
    query.load(conn)
}

/// How many members each of these groups has; a group without any is not among them.
pub fn sizes(conn: &mut Conn, user_pool_id: &str, names: Vec<String>) -> QueryResult<Vec<(String, i64)>> {
    memberships::table
        .filter(memberships::user_pool_id.eq(user_pool_id))
        .filter(memberships::group_name.eq_any(names))
        .group_by(memberships::group_name)
        .select((
            memberships::group_name,
            dsl::count(memberships::user_sub).aggregate_distinct(),
        ))
        .load(conn)
}

/// Some members of a group by sub: those after `after`, each once, whoever put them there.
pub fn members(
    conn: &mut Conn,
    user_pool_id: &str,
    name: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<User>> {
    let subs: Vec<String> = memberships::table
        .filter(memberships::user_pool_id.eq(user_pool_id))
        .filter(memberships::group_name.eq(name))
        .filter(memberships::user_sub.gt(after))
        .order(memberships::user_sub)
        .select(memberships::user_sub)
        .distinct()
        .limit(limit)
        .load(conn)?;
    users::table
        .filter(users::sub.eq_any(subs))
        .order(users::sub)
        .select(User::as_select())
        .load(conn)
}

/// Every membership of a user, by group.
pub fn memberships(conn: &mut Conn, user_sub: &str) -> QueryResult<Vec<Membership>> {
    memberships::table
        .filter(memberships::user_sub.eq(user_sub))
        .order((memberships::group_name, memberships::source))
        .select(Membership::as_select())
        .load(conn)
}

/// Every membership of these users, by user, group and source.
pub fn memberships_of(conn: &mut Conn, user_subs: &[&str]) -> QueryResult<Vec<Membership>> {
    memberships::table
        .filter(memberships::user_sub.eq_any(user_subs.to_vec()))
        .order((
            memberships::user_sub,
            memberships::group_name,
            memberships::source,
        ))
        .select(Membership::as_select())
        .load(conn)
}

/// Inserts memberships that are not there.
pub fn insert_memberships(conn: &mut Conn, new: &[Membership]) -> QueryResult<()> {
    // Five values each, well below what both databases take in one statement.
    for some in new.chunks(3_000) {
        crate::on_backend!(conn, |c| diesel::insert_into(memberships::table)
            .values(some)
            .execute(c))?;
    }
    Ok(())
}

/// The groups a user is in, whoever put them there: strongest precedence first, then by name.
pub fn of_user(conn: &mut Conn, user_sub: &str) -> QueryResult<Vec<Group>> {
    let mut groups: Vec<Group> = crate::on_backend!(conn, |c| user_groups::table
        .inner_join(
            memberships::table.on(memberships::user_pool_id
                .eq(user_groups::user_pool_id)
                .and(memberships::group_name.eq(user_groups::name))),
        )
        .filter(memberships::user_sub.eq(user_sub))
        .select(Group::as_select())
        .distinct()
        .load(c))?;
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

/// Whether an administrator may take away what this source gave: no sign-in would bring it back.
pub fn is_gift(source: &str) -> bool {
    matches!(source, BY_ADMIN | AT_FIRST)
}

/// Takes away the membership as far as it is a gift; what a provider gave stays. False when there was none.
pub fn take_gift(conn: &mut Conn, user_sub: &str, group_name: &str) -> QueryResult<bool> {
    let rows = diesel::delete(
        memberships::table
            .filter(memberships::user_sub.eq(user_sub))
            .filter(memberships::group_name.eq(group_name))
            .filter(memberships::source.eq_any([BY_ADMIN, AT_FIRST])),
    )
    .execute(conn)?;
    Ok(rows > 0)
}

/// Takes away the membership that this source gave; others stay.
pub fn leave(conn: &mut Conn, user_sub: &str, group_name: &str, source: &str) -> QueryResult<bool> {
    Ok(diesel::delete(memberships::table.find((user_sub, group_name, source))).execute(conn)? == 1)
}
