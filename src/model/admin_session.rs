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

pub fn insert(conn: &mut Conn, session: &AdminSession) -> QueryResult<()> {
    diesel::insert_into(admin_sessions::table)
        .values(session)
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
