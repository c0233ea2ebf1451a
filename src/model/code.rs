//! Authorization code: what a sign-in granted, waiting to be exchanged once.

use diesel::prelude::*;

use super::overrides::Overrides;
use super::token::Granted;
use crate::db::schema::authorization_codes;
use crate::db::{Conn, Json, Prepare};
use crate::world::UnixTime;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = authorization_codes)]
#[diesel(treat_none_as_default_value = false)]
pub struct Code {
    /// SHA-256 of the code.
    pub hash: Vec<u8>,
    pub client_id: String,
    pub user_sub: String,
    /// The token family that the exchange will found; known from the start, so that a replay can find it.
    pub origin_jti: String,
    pub request: Json<Request>,
    pub expires_at: UnixTime,
    pub consumed_at: Option<UnixTime>,
}

/// What the exchange must match, and what it grants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub user_pool_id: String,
    pub redirect_uri: String,
    /// The authorization request named the redirect URI, so the token request must repeat it (RFC 6749 §4.1.3).
    pub redirect_uri_given: bool,
    /// PKCE S256 challenge.
    pub code_challenge: Option<String>,
    pub session_hash: Option<Vec<u8>>,
    pub granted: Granted,
    /// What the pool's hook said at the sign-in, for the tokens that the code is exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

pub fn insert(conn: &mut Conn, code: &Code) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(authorization_codes::table)
        .values(code)
        .execute(c))
    .map(|_| ())
}

/// Spends the code of this client. `None` when it is unknown, expired, spent or another client's (for whom it stays
/// good): this statement is the gate that makes a code single use.
pub fn consume(conn: &mut Conn, hash: &[u8], client_id: &str, now: UnixTime) -> QueryResult<Option<Code>> {
    crate::on_backend!(conn, |c| {
        diesel::update(authorization_codes::table.find(hash))
            .filter(authorization_codes::client_id.eq(client_id))
            .filter(authorization_codes::consumed_at.is_null())
            .filter(authorization_codes::expires_at.gt(now))
            .set(authorization_codes::consumed_at.eq(now))
            .returning(Code::as_returning())
            .prepared()
            .get_result(c)
    })
    .optional()
}

pub fn find(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<Code>> {
    authorization_codes::table
        .find(hash)
        .select(Code::as_select())
        .first(conn)
        .optional()
}

/// Deletes the user's codes, spent or not.
pub fn delete_of_user(conn: &mut Conn, user_sub: &str) -> QueryResult<usize> {
    diesel::delete(authorization_codes::table.filter(authorization_codes::user_sub.eq(user_sub)))
        .execute(conn)
}

/// Deletes at most `limit` codes that expired before `before`.
pub fn delete_expired(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = authorization_codes::table
        .filter(authorization_codes::expires_at.lt(before))
        .limit(limit)
        .select(authorization_codes::hash)
        .load(conn)?;
    diesel::delete(authorization_codes::table.filter(authorization_codes::hash.eq_any(old))).execute(conn)
}
