//! Token family (everything that descends from one login at one client, named by `origin_jti`) and its refresh tokens.
//! ID and access tokens are JWTs and are not stored.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db::schema::{refresh_tokens, token_families, users};
use crate::db::{Conn, Json, Prepare};
use crate::model::overrides::Overrides;
use crate::model::user::User;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = token_families)]
#[diesel(treat_none_as_default_value = false)]
pub struct Family {
    pub origin_jti: String,
    pub user_pool_id: String,
    pub client_id: String,
    pub user_sub: String,
    pub session_hash: Option<Vec<u8>>,
    pub granted: Json<Granted>,
    pub created_at: UnixTime,
    /// When the last refresh token dies; rotation does not move it.
    pub expires_at: UnixTime,
    pub revoked_at: Option<UnixTime>,
}

/// What the login granted, unchanged by refreshing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Granted {
    pub scopes: Vec<String>,
    pub nonce: Option<String>,
    /// RFC 8707: the access token's audience.
    pub resource: Option<String>,
    /// The connection the user came by (`COGNITO`: none, by a password of ours), and its mapping's version then.
    pub provider_id: String,
    pub mapping_version: i64,
    pub auth_time: UnixTime,
    pub amr: Vec<String>,
    pub acr: Option<String>,
    /// A sign-in through Cognito's API rather than on the web: its tokens differ a little.
    pub by_api: bool,
    /// Who acts for the user (RFC 8693 §4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// When tokens end at the latest: what was derived from a token ends with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixTime>,
    /// Cognito's `event_id`: the same in all tokens of the family.
    pub event_id: String,
    /// What the pool's hook wants otherwise in the tokens that are about to be made. Not stored: it is asked each time.
    #[serde(skip)]
    pub overrides: Option<Overrides>,
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
#[diesel(treat_none_as_default_value = false)]
pub struct RefreshToken {
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    pub origin_jti: String,
    pub created_at: UnixTime,
    /// When it was exchanged for its successor.
    pub rotated_at: Option<UnixTime>,
}

pub fn insert_family(conn: &mut Conn, family: &Family) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(token_families::table)
        .values(family)
        .execute(c))
    .map(|_| ())
}

/// The family and its user.
pub fn find_family(conn: &mut Conn, origin_jti: &str) -> QueryResult<Option<(Family, User)>> {
    crate::on_backend!(conn, |c| token_families::table
        .find(origin_jti)
        .inner_join(users::table)
        .select((Family::as_select(), User::as_select()))
        .first(c))
    .optional()
}

/// Revokes the family; true when it was alive.
pub fn revoke_family(conn: &mut Conn, origin_jti: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(token_families::table.find(origin_jti))
        .filter(token_families::revoked_at.is_null())
        .set(token_families::revoked_at.eq(now))
        .prepared()
        .execute(conn)?;
    Ok(rows == 1)
}

/// The user's families that are alive, the newest first.
pub fn of_user(conn: &mut Conn, user_sub: &str, now: UnixTime, limit: i64) -> QueryResult<Vec<Family>> {
    token_families::table
        .filter(token_families::user_sub.eq(user_sub))
        .filter(token_families::expires_at.gt(now))
        .filter(token_families::revoked_at.is_null())
        .order((token_families::created_at.desc(), token_families::origin_jti))
        .limit(limit)
        .select(Family::as_select())
        .load(conn)
}

/// The next of them after that one.
pub fn next_of_user(
    conn: &mut Conn,
    user_sub: &str,
    now: UnixTime,
    after: Option<(UnixTime, String)>,
    limit: i64,
) -> QueryResult<Vec<Family>> {
    let mut query = token_families::table
        .filter(token_families::user_sub.eq(user_sub.to_owned()))
        .filter(token_families::expires_at.gt(now))
        .filter(token_families::revoked_at.is_null())
        .order((token_families::created_at.desc(), token_families::origin_jti))
        .limit(limit)
        .select(Family::as_select())
        .into_boxed();
    if let Some((at, origin_jti)) = after {
        query = query.filter(
            token_families::created_at.lt(at).or(token_families::created_at
                .eq(at)
                .and(token_families::origin_jti.gt(origin_jti))),
        );
    }
    query.load(conn)
}

/// Revokes all families that a browser session led to, and says how many were alive.
pub fn revoke_of_session(conn: &mut Conn, session_hash: &[u8], now: UnixTime) -> QueryResult<usize> {
    diesel::update(token_families::table.filter(token_families::session_hash.eq(session_hash)))
        .filter(token_families::revoked_at.is_null())
        .set(token_families::revoked_at.eq(now))
        .execute(conn)
}

/// Revokes all families of a user, and says how many were alive.
pub fn revoke_of_user(conn: &mut Conn, user_sub: &str, now: UnixTime) -> QueryResult<usize> {
    diesel::update(token_families::table.filter(token_families::user_sub.eq(user_sub)))
        .filter(token_families::revoked_at.is_null())
        .set(token_families::revoked_at.eq(now))
        .execute(conn)
}

pub fn insert_refresh(conn: &mut Conn, token: &RefreshToken) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(refresh_tokens::table)
        .values(token)
        .execute(c))
    .map(|_| ())
}

/// The refresh token of that hash and its family.
pub fn find_refresh(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<(RefreshToken, Family)>> {
    crate::on_backend!(conn, |c| refresh_tokens::table
        .find(hash)
        .inner_join(token_families::table)
        .select((RefreshToken::as_select(), Family::as_select()))
        .first(c))
    .optional()
}

/// Marks the token as exchanged. `None` when it was before: only one caller ever gets the row.
pub fn rotate(conn: &mut Conn, hash: &[u8], now: UnixTime) -> QueryResult<Option<RefreshToken>> {
    crate::on_backend!(conn, |c| {
        diesel::update(refresh_tokens::table.find(hash))
            .filter(refresh_tokens::rotated_at.is_null())
            .set(refresh_tokens::rotated_at.eq(now))
            .returning(RefreshToken::as_returning())
            .prepared()
            .get_result(c)
    })
    .optional()
}

/// Deletes at most `limit` families that expired before `before`, their refresh tokens with them.
pub fn delete_expired(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<String> = token_families::table
        .filter(token_families::expires_at.lt(before))
        .limit(limit)
        .select(token_families::origin_jti)
        .load(conn)?;
    diesel::delete(token_families::table.filter(token_families::origin_jti.eq_any(old))).execute(conn)
}

/// Deletes at most `limit` refresh tokens that were exchanged before `before`. Shown again they are unknown then, which
/// is still a refusal; a client that refreshes for years would leave thousands.
pub fn delete_rotated(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = refresh_tokens::table
        .filter(refresh_tokens::rotated_at.lt(before))
        .limit(limit)
        .select(refresh_tokens::hash)
        .load(conn)?;
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(old))).execute(conn)
}
