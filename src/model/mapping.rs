//! Mapping: the numbered versions of a provider's rules. What a rule can say is stored data and stands here; what it
//! does is decided in `rules::mapping`.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::mappings;
use crate::db::{Conn, Json};
use crate::text_enum;
use crate::world::UnixTime;

/// One version. Versions are only ever added; the highest is in force.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = mappings)]
pub struct Mapping {
    pub provider_id: String,
    pub version: i64,
    pub rules: Json<Rules>,
    pub author: String,
    pub note: String,
    pub created_at: UnixTime,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    pub attributes: Vec<Rule>,
    pub groups: Option<GroupsRule>,
}

/// Sets one pool attribute from one upstream claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `email`, `custom:department`, …; `username` is not mapped: it is always made of provider and `sub`.
    pub attribute: String,
    /// The claim's name; a dot descends into an object (`address.country`), unless a claim has the whole name.
    pub claim: String,
    #[serde(default)]
    pub write: Write,
    #[serde(default)]
    pub absent: Absent,
}

text_enum! {
    /// When a claim that came is written.
    #[derive(Default)]
    pub enum Write {
        #[default]
        Always = "always",
        FirstSignIn = "first",
        WhenEmpty = "empty",
    }
}

text_enum! {
    /// What happens when the claim did not come. (A claim that came blank clears, as in Cognito.)
    #[derive(Default)]
    pub enum Absent {
        #[default]
        Keep = "keep",
        Clear = "clear",
        Refuse = "refuse",
    }
}

/// Makes pool groups of a claim's values. Only memberships that this provider gave are ever taken away again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupsRule {
    pub claim: String,
    #[serde(default)]
    pub missing: MissingGroup,
}

text_enum! {
    /// What happens with a value for which the pool has no group.
    #[derive(Default)]
    pub enum MissingGroup {
        #[default]
        Create = "create",
        Ignore = "existing",
    }
}

/// The version in force; a provider without any has empty rules.
pub fn current(conn: &mut Conn, provider_id: &str) -> QueryResult<Option<Mapping>> {
    mappings::table
        .filter(mappings::provider_id.eq(provider_id))
        .order(mappings::version.desc())
        .select(Mapping::as_select())
        .first(conn)
        .optional()
}

/// False when that version exists: somebody saved in between.
pub fn insert(conn: &mut Conn, mapping: &Mapping) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(mappings::table)
        .values(mapping)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}
