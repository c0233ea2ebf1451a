//! Which claims came at sign-ins: sightings, written one per sign-in, and the profile of each connection that a job makes
//! of them. Names, types and counts; never a value.
//!
//! A sign-in only inserts: the profile is one row per connection, and updating it there would make all sign-ins of a
//! connection wait for each other.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::{claim_profiles, claim_sightings};
use crate::db::{Conn, Json, columns};
use crate::text_enum;
use crate::world::UnixTime;

text_enum! {
    /// A claim's JSON type.
    pub enum Kind { Text = "text", Number = "number", Truth = "truth", List = "list", Object = "object" }
}

/// What came at one sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    pub claims: BTreeMap<String, Kind>,
    /// Lists so long that they are worth a word, with their lengths.
    pub long: BTreeMap<String, u64>,
    /// Whose sign-in it was, as a short keyed hash: somebody who comes again and again says nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = claim_sightings)]
pub struct Sighting {
    pub id: i64,
    pub provider_id: String,
    pub shape: Json<Shape>,
    pub at: UnixTime,
}

/// What usually comes at a connection's sign-ins; made and judged by `rules::drift`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    pub claims: BTreeMap<String, Usage>,
    pub long: BTreeMap<String, Long>,
}

/// One claim's past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Sign-ins counted since the claim first came, and in how many of them it did; both shrink together, so that the
    /// recent past weighs more. The present run of absences is not in them.
    pub seen: f64,
    pub present: f64,
    /// The types it has come with.
    pub kinds: BTreeMap<Kind, u64>,
    /// When it last came.
    pub last: UnixTime,
    /// Sign-ins in a row without it, each person's once, and when the first of them was.
    pub absent: u64,
    pub absent_since: UnixTime,
    /// A type it never had before, in how many of its latest appearances, each person's once, and since when.
    pub odd: Option<(Kind, u64, UnixTime)>,
    /// Who came last in the one run and in the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_people: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd_people: Vec<u32>,
}

/// A list that came long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Long {
    pub most: u64,
    pub last: UnixTime,
}

pub fn insert(conn: &mut Conn, provider_id: &str, shape: Shape, at: UnixTime) -> QueryResult<()> {
    diesel::insert_into(claim_sightings::table)
        .values((
            claim_sightings::provider_id.eq(provider_id),
            claim_sightings::shape.eq(Json(shape)),
            claim_sightings::at.eq(at),
        ))
        .execute(conn)
        .map(|_| ())
}

/// Takes the oldest sightings out of the table, in the order in which they came.
pub fn take(conn: &mut Conn, limit: i64) -> QueryResult<Vec<Sighting>> {
    let ids: Vec<i64> = claim_sightings::table
        .order(claim_sightings::id)
        .limit(limit)
        .select(claim_sightings::id)
        .load(conn)?;
    let mut taken: Vec<Sighting> = diesel::delete(claim_sightings::table)
        .filter(claim_sightings::id.eq_any(ids))
        .returning(columns::<Sighting>())
        .get_results(conn)?;
    taken.sort_by_key(|sighting| sighting.id);
    Ok(taken)
}

/// The connection's profile and when it was last added to; empty when nobody has signed in yet.
pub fn profile(conn: &mut Conn, provider_id: &str) -> QueryResult<Option<(Profile, UnixTime)>> {
    let found: Option<(Json<Profile>, UnixTime)> = claim_profiles::table
        .find(provider_id)
        .select((claim_profiles::profile, claim_profiles::at))
        .first(conn)
        .optional()?;
    Ok(found.map(|(profile, at)| (profile.0, at)))
}

/// The connections that have a profile.
pub fn profiled(conn: &mut Conn) -> QueryResult<Vec<String>> {
    claim_profiles::table
        .order(claim_profiles::provider_id)
        .select(claim_profiles::provider_id)
        .load(conn)
}

pub fn put_profile(conn: &mut Conn, provider_id: &str, profile: &Profile, at: UnixTime) -> QueryResult<()> {
    let row = (
        claim_profiles::provider_id.eq(provider_id),
        claim_profiles::profile.eq(Json(profile.clone())),
        claim_profiles::at.eq(at),
    );
    crate::on_backend!(conn, |c| diesel::insert_into(claim_profiles::table)
        .values(row.clone())
        .on_conflict(claim_profiles::provider_id)
        .do_update()
        .set((row.1.clone(), row.2))
        .execute(c))
    .map(|_| ())
}
