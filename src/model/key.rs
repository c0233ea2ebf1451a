//! Signing key: a pool signs ID tokens with one and access tokens with another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::{signing_keys, user_pools};
use crate::db::{Conn, Json, columns};
use crate::model::pool;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub struct SigningKey {
    /// Base64 of the key's RFC 7638 thumbprint, as long as Cognito's.
    pub kid: String,
    pub user_pool_id: String,
    pub usage: Usage,
    pub state: State,
    pub public_jwk: Json<PublicJwk>,
    /// PKCS#1 DER, sealed for purpose `signing-key`, the kid being the name.
    pub private_sealed: Vec<u8>,
    pub created_at: UnixTime,
    /// Since when it is in this state.
    pub state_since: UnixTime,
}

text_enum! {
    pub enum Usage { IdToken = "id", AccessToken = "access" }
}

text_enum! {
    /// Pending: published, not yet used. Retiring: verifies only.
    pub enum State { Pending = "pending", Active = "active", Retiring = "retiring" }
}

/// A member of the JWKS (RFC 7517), in Cognito's order of members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicJwk {
    pub alg: String,
    pub e: String,
    pub kid: String,
    pub kty: String,
    pub n: String,
    #[serde(rename = "use")]
    pub key_use: String,
}

/// The pool's keys, newest first.
pub fn of_pool(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<SigningKey>> {
    signing_keys::table
        .filter(signing_keys::user_pool_id.eq(user_pool_id))
        .order((signing_keys::created_at.desc(), signing_keys::kid))
        .select(SigningKey::as_select())
        .load(conn)
}

/// False when its pool has such a key already: one of its id, or, of each use, one that signs and one that will.
pub fn insert(conn: &mut Conn, key: &SigningKey) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(signing_keys::table)
        .values(key)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Ends the signing of whichever key of the pool signs for this use, unless it is `heir` itself.
pub fn retire_active(
    conn: &mut Conn,
    user_pool_id: &str,
    usage: Usage,
    heir: &str,
    now: UnixTime,
) -> QueryResult<Option<String>> {
    diesel::update(signing_keys::table)
        .filter(signing_keys::user_pool_id.eq(user_pool_id))
        .filter(signing_keys::usage.eq(usage))
        .filter(signing_keys::state.eq(State::Active))
        .filter(signing_keys::kid.ne(heir))
        .set((
            signing_keys::state.eq(State::Retiring),
            signing_keys::state_since.eq(now),
        ))
        .returning(signing_keys::kid)
        .get_result(conn)
        .optional()
}

/// Makes a pending key that was published by then the one that signs. False when it is not pending, or not so long.
pub fn activate(conn: &mut Conn, kid: &str, published_by: UnixTime, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(signing_keys::table.find(kid))
        .filter(signing_keys::state.eq(State::Pending))
        .filter(signing_keys::state_since.le(published_by))
        .set((
            signing_keys::state.eq(State::Active),
            signing_keys::state_since.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Makes the pool's pending key of this use, if there is one, sign at once.
pub fn activate_pending(
    conn: &mut Conn,
    user_pool_id: &str,
    usage: Usage,
    now: UnixTime,
) -> QueryResult<Option<String>> {
    diesel::update(signing_keys::table)
        .filter(signing_keys::user_pool_id.eq(user_pool_id))
        .filter(signing_keys::usage.eq(usage))
        .filter(signing_keys::state.eq(State::Pending))
        .set((
            signing_keys::state.eq(State::Active),
            signing_keys::state_since.eq(now),
        ))
        .returning(signing_keys::kid)
        .get_result(conn)
        .optional()
}

/// Deletes the key and gives it as it was in that moment.
pub fn delete(conn: &mut Conn, user_pool_id: &str, kid: &str) -> QueryResult<Option<SigningKey>> {
    diesel::delete(
        signing_keys::table
            .find(kid)
            .filter(signing_keys::user_pool_id.eq(user_pool_id)),
    )
    .returning(columns::<SigningKey>())
    .get_result(conn)
    .optional()
}

/// Deletes the keys that have signed nothing since then, and gives them.
pub fn delete_retired(conn: &mut Conn, since: UnixTime) -> QueryResult<Vec<SigningKey>> {
    diesel::delete(signing_keys::table)
        .filter(signing_keys::state.eq(State::Retiring))
        .filter(signing_keys::state_since.le(since))
        .returning(columns::<SigningKey>())
        .get_results(conn)
}

/// The pending keys that were published by then.
pub fn pending(conn: &mut Conn, published_by: UnixTime) -> QueryResult<Vec<SigningKey>> {
    signing_keys::table
        .filter(signing_keys::state.eq(State::Pending))
        .filter(signing_keys::state_since.le(published_by))
        .order((signing_keys::state_since, signing_keys::kid))
        .select(SigningKey::as_select())
        .load(conn)
}

/// A key that signs, and how its pool wants it to be succeeded.
pub type Signing = (String, Usage, UnixTime, Json<pool::Settings>);

/// Pool, use, since when, and the pool's settings of every key that has signed since then or longer and has no successor
/// waiting.
pub fn without_successor(conn: &mut Conn, since: UnixTime) -> QueryResult<Vec<Signing>> {
    let waiting = diesel::alias!(signing_keys as waiting);
    signing_keys::table
        .inner_join(user_pools::table.on(user_pools::id.eq(signing_keys::user_pool_id)))
        .filter(signing_keys::state.eq(State::Active))
        .filter(signing_keys::state_since.le(since))
        .filter(diesel::dsl::not(diesel::dsl::exists(
            waiting
                .filter(
                    waiting
                        .field(signing_keys::user_pool_id)
                        .eq(signing_keys::user_pool_id),
                )
                .filter(waiting.field(signing_keys::usage).eq(signing_keys::usage))
                .filter(waiting.field(signing_keys::state).eq(State::Pending)),
        )))
        .select((
            signing_keys::user_pool_id,
            signing_keys::usage,
            signing_keys::state_since,
            user_pools::settings,
        ))
        .load(conn)
}

/// Every key without its material: pool, usage, state and when it was made.
pub fn summary(conn: &mut Conn) -> QueryResult<Vec<(String, Usage, State, UnixTime)>> {
    signing_keys::table
        .order((signing_keys::user_pool_id, signing_keys::created_at))
        .select((
            signing_keys::user_pool_id,
            signing_keys::usage,
            signing_keys::state,
            signing_keys::created_at,
        ))
        .load(conn)
}
