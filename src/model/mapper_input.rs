//! Mapper input: what a mapping was given at a past sign-in and what it made of it, sealed and with an end date, so that
//! an administrator sees what a draft would do to real people. No token, code or secret is among it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::Conn;
use crate::db::schema::{identity_providers, mapper_inputs};
use crate::model::tenant_domain::Vouching;
use crate::seal::Label;
use crate::world::UnixTime;

/// Sealing purpose of the contents.
const PURPOSE: &str = "mapper-input";
/// The most that one sign-in's contents take as JSON; of larger ones nothing is kept.
pub const MAX_BYTES: usize = 64 * 1024;
/// Sign-ins that are kept of one connection, the newest.
pub const KEPT: i64 = 2_000;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = mapper_inputs)]
pub struct MapperInput {
    pub id: i64,
    pub provider_id: String,
    pub client_id: String,
    pub user_sub: Option<String>,
    pub trace_code: String,
    pub mapping_version: i64,
    /// [`Contents`] as JSON, sealed under [`label`].
    pub sealed: Vec<u8>,
    pub at: UnixTime,
    pub expires_at: UnixTime,
}

#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = mapper_inputs)]
pub struct NewMapperInput {
    pub provider_id: String,
    pub client_id: String,
    pub user_sub: Option<String>,
    pub trace_code: String,
    pub mapping_version: i64,
    pub sealed: Vec<u8>,
    pub at: UnixTime,
    pub expires_at: UnixTime,
}

/// What decides what a mapping makes of a sign-in, and what the one in force made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contents {
    /// ID token and userInfo, merged.
    pub claims: Map<String, Value>,
    /// The profile's attributes before; `None` at a first sign-in.
    pub existing: Option<Map<String, Value>>,
    /// Groups that this provider had given before, without its automatic one.
    pub held: Vec<String>,
    /// Groups that were wanted, but that the pool had not and did not get.
    pub lacking: Vec<String>,
    /// They were to be made, but the pool had as many groups as it can have.
    pub no_room: bool,
    /// The app client's list of attributes that its sign-ins may change.
    pub write_attributes: Option<Vec<String>>,
    /// For whose addresses the connection's word counted.
    pub vouching: Vouching,
    /// The sign-in was refused whatever the mapping says (`user_disabled`, `subject_invalid`).
    pub barred: Option<String>,
    pub made: Made,
}

/// What a mapping makes of a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The profile's attributes afterwards.
    pub attributes: Map<String, Value>,
    /// Groups that this provider has given afterwards, without its automatic one, sorted.
    pub groups: Vec<String>,
    pub refusal: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub cause: String,
    /// What was seen, without values.
    pub detail: String,
}

/// What the contents of a connection's sign-ins are sealed for.
pub fn label<'a>(user_pool_id: &'a str, provider_id: &'a str) -> Label<'a> {
    Label {
        purpose: PURPOSE,
        scope: user_pool_id,
        name: provider_id,
    }
}

pub fn insert(conn: &mut Conn, input: &NewMapperInput) -> QueryResult<()> {
    diesel::insert_into(mapper_inputs::table)
        .values(input)
        .execute(conn)
        .map(|_| ())
}

/// The connection's newest, at most `limit`, newest first; from the one before `before` on.
pub fn newest(
    conn: &mut Conn,
    provider_id: &str,
    now: UnixTime,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<MapperInput>> {
    mapper_inputs::table
        .filter(mapper_inputs::provider_id.eq(provider_id))
        .filter(mapper_inputs::id.lt(before.unwrap_or(i64::MAX)))
        .filter(mapper_inputs::expires_at.gt(now))
        .order(mapper_inputs::id.desc())
        .limit(limit)
        .select(MapperInput::as_select())
        .load(conn)
}

/// The connection's sign-in with that trace.
pub fn by_trace(
    conn: &mut Conn,
    provider_id: &str,
    trace_code: &str,
    now: UnixTime,
) -> QueryResult<Option<MapperInput>> {
    mapper_inputs::table
        .filter(mapper_inputs::trace_code.eq(trace_code))
        .filter(mapper_inputs::provider_id.eq(provider_id))
        .filter(mapper_inputs::expires_at.gt(now))
        .select(MapperInput::as_select())
        .first(conn)
        .optional()
}

/// How many sign-ins of the connection are kept.
pub fn count(conn: &mut Conn, provider_id: &str) -> QueryResult<i64> {
    mapper_inputs::table
        .filter(mapper_inputs::provider_id.eq(provider_id))
        .count()
        .get_result(conn)
}

/// Forgets what is kept of a connection.
pub fn forget(conn: &mut Conn, provider_id: &str) -> QueryResult<usize> {
    diesel::delete(mapper_inputs::table.filter(mapper_inputs::provider_id.eq(provider_id))).execute(conn)
}

/// Forgets what is kept of a user.
pub fn forget_user(conn: &mut Conn, user_sub: &str) -> QueryResult<usize> {
    diesel::delete(mapper_inputs::table.filter(mapper_inputs::user_sub.eq(user_sub))).execute(conn)
}

/// Forgets what is kept of all connections of a tenant.
pub fn forget_of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<usize> {
    let own: Vec<String> = identity_providers::table
        .filter(identity_providers::tenant_id.eq(tenant_id))
        .select(identity_providers::id)
        .load(conn)?;
    diesel::delete(mapper_inputs::table.filter(mapper_inputs::provider_id.eq_any(own))).execute(conn)
}

/// Lets nothing of a connection live longer than `seconds` after its sign-in.
pub fn shorten(conn: &mut Conn, provider_id: &str, seconds: i64) -> QueryResult<usize> {
    diesel::update(
        mapper_inputs::table
            .filter(mapper_inputs::provider_id.eq(provider_id))
            .filter(mapper_inputs::expires_at.gt(mapper_inputs::at + seconds)),
    )
    .set(mapper_inputs::expires_at.eq(mapper_inputs::at + seconds))
    .execute(conn)
}

/// Deletes at most `limit` whose time is over.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<i64> = mapper_inputs::table
        .filter(mapper_inputs::expires_at.le(now))
        .limit(limit)
        .select(mapper_inputs::id)
        .load(conn)?;
    diesel::delete(mapper_inputs::table.filter(mapper_inputs::id.eq_any(old))).execute(conn)
}

/// Connections that have more than `keep`.
pub fn over_full(conn: &mut Conn, keep: i64) -> QueryResult<Vec<String>> {
    mapper_inputs::table
        .group_by(mapper_inputs::provider_id)
        .having(diesel::dsl::count(mapper_inputs::id).gt(keep))
        .select(mapper_inputs::provider_id)
        .load(conn)
}

/// Keeps the newest `keep` of a connection; deletes at most `limit` of the others.
pub fn trim(conn: &mut Conn, provider_id: &str, keep: i64, limit: i64) -> QueryResult<usize> {
    let old: Vec<i64> = mapper_inputs::table
        .filter(mapper_inputs::provider_id.eq(provider_id))
        .order(mapper_inputs::id.desc())
        .offset(keep)
        .limit(limit)
        .select(mapper_inputs::id)
        .load(conn)?;
    diesel::delete(mapper_inputs::table.filter(mapper_inputs::id.eq_any(old))).execute(conn)
}
