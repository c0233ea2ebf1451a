//! Trace: the story of one login attempt, redacted, found by the short code that the user was shown. Lists of them are
//! in `search`, numbers about them in `count`, what the app made of a sign-in in `delivery`.

pub mod count;
pub mod delivery;
pub mod search;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::{Deserialize, Serialize};

use crate::db::schema::login_traces;
use crate::db::{Conn, Json, Prepare};
use crate::seal::Sealer;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = login_traces)]
pub struct Trace {
    /// `K7Q-2FM`.
    pub code: String,
    pub user_pool_id: Option<String>,
    pub provider_id: Option<String>,
    pub client_id: Option<String>,
    pub user_sub: Option<String>,
    pub outcome: Outcome,
    /// Stable name of what decided the outcome: `signed_in`, `user_not_assigned`, `NONCE_MISMATCH`…
    pub cause: String,
    /// The attempt came back from the upstream; others are kept in bounded number, since anyone can make them.
    pub reached_provider: bool,
    pub story: Json<Story>,
    pub started_at: UnixTime,
    pub expires_at: UnixTime,
    /// Whose attempt it was, by [`person_hashes`] of the address; `None` where nobody said who came.
    pub person_hash: Option<Vec<u8>>,
}

text_enum! {
    pub enum Outcome { SignedIn = "signed_in", Refused = "refused", Failed = "failed" }
}

/// Steps in the order they happened, then what to do about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Story {
    pub steps: Vec<Step>,
    /// What each mapping rule did; attribute values are redacted by class.
    pub effects: Vec<MappingEffect>,
    /// A sentence that an Okta administrator can follow; empty when nothing is wrong.
    pub remedy: String,
    /// The mapping that was applied; 0 where the connection has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping_version: Option<i64>,
    /// The token family that the app's code leads to, or whose tokens it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_jti: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `authorize`, `callback`, `token`, `id_token.nonce`, `userinfo`, `mapping`, `user`, `code`…
    pub name: String,
    pub passed: bool,
    /// What was seen, without secrets, codes or tokens.
    pub detail: String,
}

/// One rule's effect on one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingEffect {
    /// The pool attribute, or `group:<name>`.
    pub target: String,
    /// The claim it came from.
    pub source: String,
    /// `written`, `unchanged`, `kept`, `cleared`, `skipped`, `refused`, `joined`, `left`.
    pub action: String,
    /// Old and new value, redacted.
    pub old: Option<String>,
    pub new: Option<String>,
    /// Why, where the action does not say it.
    pub reason: String,
}

/// Half an HMAC of the address under the root key: a table of traces tells nobody who signed in, and still the attempts of
/// one person are found. The first hash is the one to store; older root keys made the others.
pub fn person_hashes(sealer: &Sealer, address: &str) -> Vec<Vec<u8>> {
    let address = address.trim().to_lowercase();
    sealer
        .derive("person", address.as_bytes())
        .map(|hash| hash[..16].to_vec())
        .collect()
}

pub fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<Trace>> {
    login_traces::table
        .find(code)
        .select(Trace::as_select())
        .first(conn)
        .optional()
}

/// False when the code is taken: draw another.
pub fn insert(conn: &mut Conn, trace: &Trace) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(login_traces::table)
        .values(trace)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    Ok(rows == 1)
}

/// The newest traces of a pool.
pub fn recent(conn: &mut Conn, user_pool_id: &str, limit: i64) -> QueryResult<Vec<Trace>> {
    login_traces::table
        .filter(login_traces::user_pool_id.eq(user_pool_id))
        .order(login_traces::started_at.desc())
        .limit(limit)
        .select(Trace::as_select())
        .load(conn)
}

/// The newest traces of a user, of these connections or of all.
pub fn of_user(
    conn: &mut Conn,
    user_sub: &str,
    provider_ids: Option<Vec<String>>,
    limit: i64,
) -> QueryResult<Vec<Trace>> {
    let mut query = login_traces::table
        .filter(login_traces::user_sub.eq(user_sub.to_owned()))
        .order(login_traces::started_at.desc())
        .limit(limit)
        .select(Trace::as_select())
        .into_boxed();
    if let Some(ids) = provider_ids {
        query = query.filter(login_traces::provider_id.assume_not_null().eq_any(ids));
    }
    query.load(conn)
}

/// Deletes at most `limit` traces whose time is over.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<String> = login_traces::table
        .filter(login_traces::expires_at.lt(now))
        .limit(limit)
        .select(login_traces::code)
        .load(conn)?;
    diesel::delete(login_traces::table.filter(login_traces::code.eq_any(old))).execute(conn)
}

/// The literal of the partial index: a bound value would not let the database use it.
const UNREACHED: &str = "login_traces.reached_provider = false";

/// Keeps the newest `keep` traces of attempts that never reached a provider, deletes at most `limit` of the others.
pub fn trim_unreached(conn: &mut Conn, keep: i64, limit: i64) -> QueryResult<usize> {
    let old: Vec<String> = login_traces::table
        .filter(sql::<Bool>(UNREACHED))
        .order(login_traces::started_at.desc())
        .offset(keep)
        .limit(limit)
        .select(login_traces::code)
        .load(conn)?;
    diesel::delete(login_traces::table.filter(login_traces::code.eq_any(old))).execute(conn)
}
