//! Challenge: what waits between two steps of a native user's sign-in. Known by the hash of its handle, which is
//! Cognito's `Session` or SRP's secret block; answered once.

use diesel::prelude::*;

use crate::db::schema::auth_challenges;
use crate::db::{Conn, columns};
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = auth_challenges)]
pub struct Challenge {
    /// SHA-256 of the handle.
    pub hash: Vec<u8>,
    pub user_pool_id: String,
    pub client_id: String,
    /// `None`: somebody unknown is led through the steps, so that they learn nothing.
    pub user_sub: Option<String>,
    pub name: Name,
    /// What the answer is checked against, sealed for purpose `challenge`, the pool its scope, the client its name.
    pub state_sealed: Vec<u8>,
    pub expires_at: UnixTime,
    pub consumed_at: Option<UnixTime>,
}

text_enum! {
    /// Cognito's `ChallengeName`, those that occur here.
    pub enum Name {
        PasswordVerifier = "PASSWORD_VERIFIER",
        NewPasswordRequired = "NEW_PASSWORD_REQUIRED",
    }
}

pub fn insert(conn: &mut Conn, challenge: &Challenge) -> QueryResult<()> {
    diesel::insert_into(auth_challenges::table)
        .values(challenge)
        .execute(conn)
        .map(|_| ())
}

/// The challenge that this client can answer now, left unanswered.
pub fn find(
    conn: &mut Conn,
    hash: &[u8],
    client_id: &str,
    name: Name,
    now: UnixTime,
) -> QueryResult<Option<Challenge>> {
    auth_challenges::table
        .find(hash)
        .filter(auth_challenges::client_id.eq(client_id))
        .filter(auth_challenges::name.eq(name))
        .filter(auth_challenges::consumed_at.is_null())
        .filter(auth_challenges::expires_at.gt(now))
        .select(Challenge::as_select())
        .first(conn)
        .optional()
}

/// Answers it. One statement with its condition: of two callers only one ever gets the row.
pub fn consume(
    conn: &mut Conn,
    hash: &[u8],
    client_id: &str,
    name: Name,
    now: UnixTime,
) -> QueryResult<Option<Challenge>> {
    diesel::update(auth_challenges::table.find(hash))
        .filter(auth_challenges::client_id.eq(client_id))
        .filter(auth_challenges::name.eq(name))
        .filter(auth_challenges::consumed_at.is_null())
        .filter(auth_challenges::expires_at.gt(now))
        .set(auth_challenges::consumed_at.eq(now))
        .returning(columns::<Challenge>())
        .get_result(conn)
        .optional()
}

/// Deletes at most `limit` that have expired.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = auth_challenges::table
        .filter(auth_challenges::expires_at.le(now))
        .limit(limit)
        .select(auth_challenges::hash)
        .load(conn)?;
    diesel::delete(auth_challenges::table.filter(auth_challenges::hash.eq_any(old))).execute(conn)
}
