//! Signing key: a pool signs ID tokens with one and access tokens with another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::signing_keys;
use crate::db::{Conn, Json};
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

pub fn insert(conn: &mut Conn, key: &SigningKey) -> QueryResult<()> {
    diesel::insert_into(signing_keys::table)
        .values(key)
        .execute(conn)
        .map(|_| ())
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
