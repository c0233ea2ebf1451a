//! Browser session: someone signed in to a pool, through a provider or with a password of ours. The cookie holds a random value; here is its hash.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::sessions;
use crate::db::{Conn, Json, Prepare};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct Session {
    pub hash: Vec<u8>,
    pub user_pool_id: String,
    pub user_sub: String,
    /// The connection they came by; `None`: none, by a password.
    pub provider_id: Option<String>,
    /// Hash of the login's upstream `state`: one login makes one session, however often its callback is sent.
    pub login_hash: Vec<u8>,
    pub facts: Json<Facts>,
    /// The upstream ID token for `id_token_hint` at the upstream's logout, sealed for purpose `upstream-id-token`; kept
    /// only where the connection asks for upstream logout.
    pub id_token_sealed: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub expires_at: UnixTime,
}

/// What the upstream said about the authentication itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// When the user last proved who they are: the upstream's `auth_time` where it gave one.
    pub auth_time: UnixTime,
    pub amr: Vec<String>,
    pub acr: Option<String>,
    /// The upstream's session id (`sid`), where it gave one.
    pub sid: Option<String>,
}

pub fn find(conn: &mut Conn, hash: &[u8], now: UnixTime) -> QueryResult<Option<Session>> {
    crate::on_backend!(conn, |c| sessions::table
        .find(hash)
        .filter(sessions::expires_at.gt(now))
        .select(Session::as_select())
        .first(c))
    .optional()
}

/// The session, also when it signs nobody in any more: for ending it at the upstream.
pub fn find_ended(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<Session>> {
    sessions::table
        .find(hash)
        .select(Session::as_select())
        .first(conn)
        .optional()
}

/// The session that a login has already made.
pub fn find_by_login(conn: &mut Conn, login_hash: &[u8]) -> QueryResult<Option<Session>> {
    sessions::table
        .filter(sessions::login_hash.eq(login_hash))
        .select(Session::as_select())
        .first(conn)
        .optional()
}

/// False when the login has made its session already.
pub fn insert(conn: &mut Conn, session: &Session) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(sessions::table)
        .values(session)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    Ok(rows == 1)
}

/// Ends the session; true when it was alive.
pub fn delete(conn: &mut Conn, hash: &[u8]) -> QueryResult<bool> {
    Ok(diesel::delete(sessions::table.find(hash)).execute(conn)? == 1)
}

/// The user's sessions that are alive, the newest first.
pub fn of_user(conn: &mut Conn, user_sub: &str, now: UnixTime, limit: i64) -> QueryResult<Vec<Session>> {
    sessions::table
        .filter(sessions::user_sub.eq(user_sub))
        .filter(sessions::expires_at.gt(now))
        .order((sessions::created_at.desc(), sessions::hash))
        .limit(limit)
        .select(Session::as_select())
        .load(conn)
}

/// The next of them after that one.
pub fn next_of_user(
    conn: &mut Conn,
    user_sub: &str,
    now: UnixTime,
    after: Option<(UnixTime, Vec<u8>)>,
    limit: i64,
) -> QueryResult<Vec<Session>> {
    let mut query = sessions::table
        .filter(sessions::user_sub.eq(user_sub.to_owned()))
        .filter(sessions::expires_at.gt(now))
        .order((sessions::created_at.desc(), sessions::hash))
        .limit(limit)
        .select(Session::as_select())
        .into_boxed();
    if let Some((at, hash)) = after {
        query = query.filter(
            sessions::created_at
                .lt(at)
                .or(sessions::created_at.eq(at).and(sessions::hash.gt(hash))),
        );
    }
    query.load(conn)
}

pub fn delete_of_user(conn: &mut Conn, user_sub: &str) -> QueryResult<usize> {
    diesel::delete(sessions::table.filter(sessions::user_sub.eq(user_sub))).execute(conn)
}

/// Deletes at most `limit` sessions that ended before `now`; those with an upstream ID token, which signing out will
/// need, only when they ended before `kept`.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, kept: UnixTime, limit: i64) -> QueryResult<usize> {
    let over = sessions::id_token_sealed
        .is_null()
        .and(sessions::expires_at.lt(now))
        .or(sessions::expires_at.lt(kept));
    let old: Vec<Vec<u8>> = sessions::table
        .filter(over)
        .limit(limit)
        .select(sessions::hash)
        .load(conn)?;
    diesel::delete(sessions::table.filter(sessions::hash.eq_any(old))).execute(conn)
}
