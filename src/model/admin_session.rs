//! Session of an administrator in the console. The cookie holds a random value; here is its hash.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::admin_sessions;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = admin_sessions)]
pub struct AdminSession {
    pub hash: Vec<u8>,
    pub administrator_id: String,
    /// Names the session in lists and tells nothing of the cookie.
    pub id: String,
    /// `password`, `passkey`, `sso`.
    pub method: String,
    /// The connection by which an administrator came who signs in through a pool.
    pub provider_id: Option<String>,
    pub address: String,
    pub user_agent: String,
    pub created_at: UnixTime,
    pub last_seen_at: UnixTime,
    /// The absolute end, whatever happens in between.
    pub expires_at: UnixTime,
    /// When the administrator last proved who they are.
    pub authenticated_at: UnixTime,
    /// Until when claims of own users are shown as they came.
    pub values_open_until: Option<UnixTime>,
}

/// The session, unless it ended: at its absolute end, or when nothing was heard since `idle`.
pub fn find(
    conn: &mut Conn,
    hash: &[u8],
    now: UnixTime,
    idle: UnixTime,
) -> QueryResult<Option<AdminSession>> {
    admin_sessions::table
        .find(hash)
        .filter(admin_sessions::expires_at.gt(now))
        .filter(admin_sessions::last_seen_at.gt(idle))
        .select(AdminSession::as_select())
        .first(conn)
        .optional()
}

/// The same by the name that it has in lists.
pub fn find_named(
    conn: &mut Conn,
    administrator_id: &str,
    id: &str,
    now: UnixTime,
    idle: UnixTime,
) -> QueryResult<Option<AdminSession>> {
    admin_sessions::table
        .filter(admin_sessions::administrator_id.eq(administrator_id))
        .filter(admin_sessions::id.eq(id))
        .filter(admin_sessions::expires_at.gt(now))
        .filter(admin_sessions::last_seen_at.gt(idle))
        .select(AdminSession::as_select())
        .first(conn)
        .optional()
}

pub fn insert(conn: &mut Conn, session: &AdminSession) -> QueryResult<()> {
    diesel::insert_into(admin_sessions::table)
        .values(session)
        .execute(conn)
        .map(|_| ())
}

/// Until when the session's holder is shown claims as they came; `None` ends it.
pub fn open_values(conn: &mut Conn, hash: &[u8], until: Option<UnixTime>) -> QueryResult<()> {
    diesel::update(admin_sessions::table.find(hash))
        .set(admin_sessions::values_open_until.eq(until))
        .execute(conn)
        .map(|_| ())
}

/// Remembers that the administrator is still there.
pub fn touch(conn: &mut Conn, hash: &[u8], now: UnixTime) -> QueryResult<()> {
    diesel::update(admin_sessions::table.find(hash))
        .set(admin_sessions::last_seen_at.eq(now))
        .execute(conn)
        .map(|_| ())
}

/// The session goes on under another cookie, and its holder has just proved who they are. One conditional statement: of
/// two at the same moment one finds nothing. False when the session is not there any more.
pub fn rotate(conn: &mut Conn, hash: &[u8], successor: &[u8], now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(admin_sessions::table.find(hash))
        .set((
            admin_sessions::hash.eq(successor),
            admin_sessions::authenticated_at.eq(now),
            admin_sessions::last_seen_at.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn delete(conn: &mut Conn, hash: &[u8]) -> QueryResult<bool> {
    Ok(diesel::delete(admin_sessions::table.find(hash)).execute(conn)? == 1)
}

/// The sessions that have not ended, the latest used first.
pub fn of_administrator(
    conn: &mut Conn,
    administrator_id: &str,
    now: UnixTime,
    idle: UnixTime,
) -> QueryResult<Vec<AdminSession>> {
    admin_sessions::table
        .filter(admin_sessions::administrator_id.eq(administrator_id))
        .filter(admin_sessions::expires_at.gt(now))
        .filter(admin_sessions::last_seen_at.gt(idle))
        .order((admin_sessions::last_seen_at.desc(), admin_sessions::id))
        .select(AdminSession::as_select())
        .load(conn)
}

/// Ends one of an administrator's sessions by the name it has in lists.
pub fn delete_named(conn: &mut Conn, administrator_id: &str, id: &str) -> QueryResult<bool> {
    let rows = diesel::delete(
        admin_sessions::table
            .filter(admin_sessions::administrator_id.eq(administrator_id))
            .filter(admin_sessions::id.eq(id)),
    )
    .execute(conn)?;
    Ok(rows == 1)
}

/// Ends an administrator's sessions but the one that is kept.
pub fn delete_of(conn: &mut Conn, administrator_id: &str, kept: Option<&[u8]>) -> QueryResult<usize> {
    diesel::delete(
        admin_sessions::table
            .filter(admin_sessions::administrator_id.eq(administrator_id))
            .filter(admin_sessions::hash.ne(kept.unwrap_or_default())),
    )
    .execute(conn)
}

/// Deletes at most `limit` sessions that have ended.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, idle: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = admin_sessions::table
        .filter(
            admin_sessions::expires_at
                .le(now)
                .or(admin_sessions::last_seen_at.le(idle)),
        )
        .limit(limit)
        .select(admin_sessions::hash)
        .load(conn)?;
    diesel::delete(admin_sessions::table.filter(admin_sessions::hash.eq_any(old))).execute(conn)
}
