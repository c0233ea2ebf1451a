//! Set-up link: whoever has its token may connect the Okta of one tenant, alone and without an account, until it ends or
//! the connection is live. The sessions in which they do so are kept here, too: an administrator has none of them.

use diesel::prelude::*;

use crate::db::schema::{setup_links, setup_sessions};
use crate::db::{Conn, MultiBackend};
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = setup_links)]
pub struct SetupLink {
    /// Names the link in lists and tells nothing of the token.
    pub id: String,
    pub user_pool_id: String,
    pub tenant_id: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// As it stands in the audit log.
    pub created_by: String,
    pub created_at: UnixTime,
    pub expires_at: UnixTime,
    /// When somebody first began with it.
    pub opened_at: Option<UnixTime>,
    pub revoked_at: Option<UnixTime>,
    pub done_at: Option<UnixTime>,
    /// The connection that went live by it.
    pub provider_id: Option<String>,
    /// When an administrator took note that it is done.
    pub noted_at: Option<UnixTime>,
}

text_enum! {
    /// How a link stands.
    pub enum State { Open = "open", Done = "done", Revoked = "revoked", Expired = "expired" }
}

impl SetupLink {
    pub fn state(&self, now: UnixTime) -> State {
        match (self.done_at, self.revoked_at) {
            (_, Some(_)) => State::Revoked,
            (Some(_), None) => State::Done,
            (None, None) if self.expires_at <= now => State::Expired,
            (None, None) => State::Open,
        }
    }
}

/// A browser in which somebody has begun with a link. The cookie holds a random value; here is its hash.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = setup_sessions)]
pub struct SetupSession {
    pub hash: Vec<u8>,
    pub link_id: String,
    pub id: String,
    pub address: String,
    pub user_agent: String,
    pub created_at: UnixTime,
    pub last_seen_at: UnixTime,
    pub expires_at: UnixTime,
}

fn within(reach: &Reach) -> setup_links::BoxedQuery<'static, MultiBackend> {
    let query = setup_links::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        setup_links::user_pool_id
            .eq_any(reach.pools.clone())
            .or(setup_links::tenant_id.eq_any(reach.tenants.clone())),
    )
}

pub fn insert(conn: &mut Conn, link: &SetupLink) -> QueryResult<()> {
    diesel::insert_into(setup_links::table)
        .values(link)
        .execute(conn)
        .map(|_| ())
}

pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<SetupLink>> {
    within(reach)
        .filter(setup_links::id.eq(id.to_owned()))
        .select(SetupLink::as_select())
        .first(conn)
        .optional()
}

pub fn find_by_hash(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<SetupLink>> {
    setup_links::table
        .filter(setup_links::hash.eq(hash))
        .select(SetupLink::as_select())
        .first(conn)
        .optional()
}

/// The newest links of a tenant, at most `limit`.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str, limit: i64) -> QueryResult<Vec<SetupLink>> {
    setup_links::table
        .filter(setup_links::tenant_id.eq(tenant_id))
        .order((setup_links::created_at.desc(), setup_links::id))
        .limit(limit)
        .select(SetupLink::as_select())
        .load(conn)
}

/// How many links of the tenant somebody could use now.
pub fn count_open(conn: &mut Conn, tenant_id: &str, now: UnixTime) -> QueryResult<i64> {
    setup_links::table
        .filter(setup_links::tenant_id.eq(tenant_id))
        .filter(setup_links::revoked_at.is_null())
        .filter(setup_links::done_at.is_null())
        .filter(setup_links::expires_at.gt(now))
        .count()
        .get_result(conn)
}

/// Those within reach that are done and that nobody has taken note of, newest first.
pub fn unnoted(conn: &mut Conn, reach: &Reach, limit: i64) -> QueryResult<Vec<SetupLink>> {
    within(reach)
        .filter(setup_links::done_at.is_not_null())
        .filter(setup_links::noted_at.is_null())
        .order((setup_links::done_at.desc(), setup_links::id))
        .limit(limit)
        .select(SetupLink::as_select())
        .load(conn)
}

pub fn set_noted(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(setup_links::table.find(id))
        .filter(setup_links::done_at.is_not_null())
        .filter(setup_links::noted_at.is_null())
        .set(setup_links::noted_at.eq(now))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Remembers the first time; false when it was not that.
pub fn set_opened(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(setup_links::table.find(id))
        .filter(setup_links::opened_at.is_null())
        .set(setup_links::opened_at.eq(now))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Ends the link before its time, with the sessions that began with it. False when it had ended already.
pub fn revoke(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(setup_links::table.find(id))
        .filter(setup_links::revoked_at.is_null())
        .filter(setup_links::done_at.is_null())
        .set(setup_links::revoked_at.eq(now))
        .execute(conn)?;
    if rows == 1 {
        diesel::delete(setup_sessions::table.filter(setup_sessions::link_id.eq(id))).execute(conn)?;
    }
    Ok(rows == 1)
}

/// What the link was for is done, by this connection. One conditional statement: a link that is revoked at the same moment,
/// has expired or is done already does nothing more.
pub fn finish(conn: &mut Conn, id: &str, provider_id: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(setup_links::table.find(id))
        .filter(setup_links::revoked_at.is_null())
        .filter(setup_links::done_at.is_null())
        .filter(setup_links::expires_at.gt(now))
        .set((
            setup_links::done_at.eq(now),
            setup_links::provider_id.eq(provider_id),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn insert_session(conn: &mut Conn, session: &SetupSession) -> QueryResult<()> {
    diesel::insert_into(setup_sessions::table)
        .values(session)
        .execute(conn)
        .map(|_| ())
}

/// The session, unless it ended: at its absolute end, or when nothing was heard since `idle`.
pub fn find_session(
    conn: &mut Conn,
    hash: &[u8],
    now: UnixTime,
    idle: UnixTime,
) -> QueryResult<Option<SetupSession>> {
    setup_sessions::table
        .find(hash)
        .filter(setup_sessions::expires_at.gt(now))
        .filter(setup_sessions::last_seen_at.gt(idle))
        .select(SetupSession::as_select())
        .first(conn)
        .optional()
}

/// The same by its name, for what comes back without the cookie.
pub fn find_session_named(
    conn: &mut Conn,
    link_id: &str,
    id: &str,
    now: UnixTime,
    idle: UnixTime,
) -> QueryResult<Option<SetupSession>> {
    setup_sessions::table
        .filter(setup_sessions::link_id.eq(link_id))
        .filter(setup_sessions::id.eq(id))
        .filter(setup_sessions::expires_at.gt(now))
        .filter(setup_sessions::last_seen_at.gt(idle))
        .select(SetupSession::as_select())
        .first(conn)
        .optional()
}

pub fn touch_session(conn: &mut Conn, hash: &[u8], now: UnixTime) -> QueryResult<()> {
    diesel::update(setup_sessions::table.find(hash))
        .set(setup_sessions::last_seen_at.eq(now))
        .execute(conn)
        .map(|_| ())
}

pub fn delete_session(conn: &mut Conn, hash: &[u8]) -> QueryResult<bool> {
    Ok(diesel::delete(setup_sessions::table.find(hash)).execute(conn)? == 1)
}

/// Deletes at most `limit` sessions that have ended.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, idle: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = setup_sessions::table
        .filter(
            setup_sessions::expires_at
                .le(now)
                .or(setup_sessions::last_seen_at.le(idle)),
        )
        .limit(limit)
        .select(setup_sessions::hash)
        .load(conn)?;
    diesel::delete(setup_sessions::table.filter(setup_sessions::hash.eq_any(old))).execute(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_link_stands() {
        let link = |revoked: Option<i64>, done: Option<i64>| SetupLink {
            id: String::new(),
            user_pool_id: String::new(),
            tenant_id: String::new(),
            hash: Vec::new(),
            created_by: String::new(),
            created_at: UnixTime(0),
            expires_at: UnixTime(100),
            opened_at: None,
            revoked_at: revoked.map(UnixTime),
            done_at: done.map(UnixTime),
            provider_id: None,
            noted_at: None,
        };
        for (revoked, done, now, expected) in [
            (None, None, 99, State::Open),
            (None, None, 100, State::Expired),
            (None, Some(50), 200, State::Done),
            (Some(50), None, 60, State::Revoked),
            (Some(50), None, 200, State::Revoked),
        ] {
            assert_eq!(link(revoked, done).state(UnixTime(now)), expected);
        }
    }
}
