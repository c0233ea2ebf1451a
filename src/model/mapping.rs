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

impl Rules {
    /// Whether an expression makes this attribute.
    pub fn computes(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|rule| rule.attribute == attribute && matches!(rule.source, Source::Expression(_)))
    }

    /// The attributes that sign-ins bring.
    pub fn brought(&self) -> Vec<&str> {
        self.attributes
            .iter()
            .map(|rule| rule.attribute.as_str())
            .collect()
    }
}

/// Sets one pool attribute from what the upstream said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `email`, `custom:department`, …; `username` is not mapped: it is always made of provider and `sub`.
    pub attribute: String,
    #[serde(flatten)]
    pub source: Source,
    #[serde(default)]
    pub write: Write,
    #[serde(default)]
    pub absent: Absent,
}

impl Rule {
    /// The attribute from that source, at every sign-in, kept when nothing comes.
    pub fn new(attribute: impl Into<String>, source: Source) -> Rule {
        Rule {
            attribute: attribute.into(),
            source,
            write: Write::default(),
            absent: Absent::default(),
        }
    }
}

/// Where a value comes from. In JSON `{"claim": "email"}` or `{"expression": "claims.email.lowerAscii()"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A claim's name; a dot descends into an object (`address.country`), unless a claim has the whole name.
    Claim(String),
    /// An expression in CEL over `claims`.
    Expression(String),
}

impl Source {
    pub fn claim(name: impl Into<String>) -> Source {
        Source::Claim(name.into())
    }

    pub fn expression(text: impl Into<String>) -> Source {
        Source::Expression(text.into())
    }
}

/// The claim's name, or the expression's text.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Source::Claim(text) | Source::Expression(text)) = self;
        f.write_str(text)
    }
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

/// Makes pool groups of the values of a list. Only memberships that this provider gave are ever taken away again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupsRule {
    #[serde(flatten)]
    pub source: Source,
    #[serde(default)]
    pub naming: Naming,
    #[serde(default)]
    pub missing: MissingGroup,
    /// Takes away what this provider gave and does not name any more; else memberships are only added.
    #[serde(default = "reconcile")]
    pub reconcile: bool,
}

impl GroupsRule {
    /// Groups named as the values are; created where they lack, taken away when they no longer come.
    pub fn new(source: Source) -> GroupsRule {
        GroupsRule {
            source,
            naming: Naming::default(),
            missing: MissingGroup::default(),
            reconcile: reconcile(),
        }
    }
}

/// What rules did before they could say otherwise.
fn reconcile() -> bool {
    true
}

/// How a value becomes the name of a group, or of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Naming {
    /// The value is the name.
    #[default]
    AsTheyCome,
    /// Values that begin with `strip`, without it and with `add` in front instead; others are left out.
    Prefix {
        #[serde(default)]
        strip: String,
        #[serde(default)]
        add: String,
    },
    /// Values that the whole pattern matches, as the replacement says (`$1`, `${name}`); others are left out.
    Pattern { pattern: String, replacement: String },
    /// The values that are listed, each as its groups.
    Table {
        rows: Vec<TableRow>,
        #[serde(default)]
        unlisted: Unlisted,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    pub value: String,
    pub groups: Vec<String>,
}

text_enum! {
    /// What a value becomes that stands in no row.
    #[derive(Default)]
    pub enum Unlisted {
        #[default]
        Drop = "drop",
        Keep = "keep",
    }
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

/// That version.
pub fn find(conn: &mut Conn, provider_id: &str, version: i64) -> QueryResult<Option<Mapping>> {
    mappings::table
        .find((provider_id, version))
        .select(Mapping::as_select())
        .first(conn)
        .optional()
}

/// Versions, newest first: at most `limit` of those before `before`.
pub fn history(
    conn: &mut Conn,
    provider_id: &str,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Mapping>> {
    mappings::table
        .filter(mappings::provider_id.eq(provider_id))
        .filter(mappings::version.lt(before.unwrap_or(i64::MAX)))
        .order(mappings::version.desc())
        .limit(limit)
        .select(Mapping::as_select())
        .load(conn)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_saved_before_there_were_expressions_still_load() {
        let old = json!({
            "attributes": [{"attribute": "email", "claim": "mail", "write": "first", "absent": "refuse"}],
            "groups": {"claim": "groups", "missing": "existing"},
        });
        let rules: Rules = serde_json::from_value(old).unwrap();
        assert_eq!(rules.attributes[0].source, Source::claim("mail"));
        assert_eq!(
            rules.groups,
            Some(GroupsRule {
                missing: MissingGroup::Ignore,
                ..GroupsRule::new(Source::claim("groups"))
            })
        );
        let bare: GroupsRule = serde_json::from_value(json!({"claim": "groups"})).unwrap();
        assert_eq!(bare, GroupsRule::new(Source::claim("groups")));
    }

    #[test]
    fn every_kind_of_rule_comes_back_as_it_was_saved() {
        let row = TableRow {
            value: "a".into(),
            groups: vec!["b".into(), "c".into()],
        };
        for naming in [
            Naming::AsTheyCome,
            Naming::Prefix {
                strip: "okta-".into(),
                add: String::new(),
            },
            Naming::Pattern {
                pattern: "app-(.*)".into(),
                replacement: "$1".into(),
            },
            Naming::Table {
                rows: vec![row],
                unlisted: Unlisted::Keep,
            },
        ] {
            let rules = Rules {
                attributes: vec![Rule::new("name", Source::expression("claims.a + claims.b"))],
                groups: Some(GroupsRule {
                    naming,
                    reconcile: false,
                    ..GroupsRule::new(Source::expression("claims.groups"))
                }),
            };
            let text = serde_json::to_string(&rules).unwrap();
            assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules, "{text}");
        }
    }
}
