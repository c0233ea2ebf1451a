//! A draft of rules over a sign-in of the past, beside the rules in force: what would have been another, and for how many
//! people. Reading and unsealing the past is `actions::mappings`' work.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::preview::{SignIn, run};
use super::{Compiled, Work};
use crate::model::mapper_input::{Contents, Made, Refused};
use crate::model::pool::Pool;

/// Names of one kind that a summary speaks of one by one.
pub const MAX_SENTENCES: usize = 30;

/// What rules make of a sign-in of the past, paid out of the request's work. `pool_groups` are the groups that the pool
/// has now; what the sign-in itself saw of them goes before. A group that there was not is made by rules that make groups,
/// unless the pool had no room for it.
pub fn made(
    compiled: &Compiled,
    pool: &Pool,
    pool_groups: &BTreeSet<String>,
    past: &Contents,
    work: &mut Work,
) -> Made {
    if let Some(cause) = &past.barred {
        return Made {
            attributes: past.existing.clone().unwrap_or_default(),
            groups: past.held.clone(),
            refusal: Some(Refused {
                cause: cause.clone(),
                detail: past
                    .made
                    .refusal
                    .as_ref()
                    .map_or_else(String::new, |refusal| refusal.detail.clone()),
            }),
        };
    }
    let is_among = |names: &[String], name: &str| names.iter().any(|known| known == name);
    let has = |name: &str| {
        !is_among(&past.lacking, name) && (pool_groups.contains(name) || is_among(&past.made.groups, name))
    };
    let (outcome, memberships) = run(
        compiled,
        &SignIn {
            pool,
            claims: &past.claims,
            existing: past.existing.as_ref(),
            held: &past.held,
            pool_groups,
            write_attributes: past.write_attributes.as_deref(),
            vouching: &past.vouching,
        },
        &has,
        if past.no_room {
            past.lacking.as_slice()
        } else {
            &[]
        },
    );
    work.pay(outcome.steps);
    Made {
        attributes: outcome.attributes,
        groups: memberships.held,
        refusal: outcome.refusal.map(|refusal| Refused {
            cause: refusal.cause.to_owned(),
            detail: refusal.detail,
        }),
    }
}

/// What a draft would have made another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    pub attributes: Vec<AttributeChange>,
    pub joined: Vec<String>,
    pub left: Vec<String>,
    pub admission: Admission,
}

/// One attribute: what it is by the rules in force, and by the draft.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeChange {
    pub name: String,
    pub live: Option<Value>,
    pub draft: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Admission {
    #[default]
    Same,
    /// Got in, and would not by the draft.
    NewlyRefused(Refused),
    /// Was refused, and would not be by the draft.
    NewlyAdmitted(Refused),
    /// Refused by both, for different reasons.
    RefusedOtherwise { live: Refused, draft: Refused },
}

impl Difference {
    /// Where one of the two refuses, that is the difference: there is no profile to compare.
    pub fn between(live: &Made, draft: &Made) -> Difference {
        let admission = match (&live.refusal, &draft.refusal) {
            (None, Some(refused)) => Admission::NewlyRefused(refused.clone()),
            (Some(refused), None) => Admission::NewlyAdmitted(refused.clone()),
            (Some(live), Some(draft)) if live.cause != draft.cause => Admission::RefusedOtherwise {
                live: live.clone(),
                draft: draft.clone(),
            },
            (Some(_), Some(_)) | (None, None) => Admission::Same,
        };
        if admission != Admission::Same || live.refusal.is_some() {
            return Difference {
                admission,
                ..Difference::default()
            };
        }
        let without = |names: &[String], others: &[String]| -> Vec<String> {
            names
                .iter()
                .filter(|name| !others.contains(name))
                .cloned()
                .collect()
        };
        Difference {
            attributes: changes(&live.attributes, &draft.attributes),
            joined: without(&draft.groups, &live.groups),
            left: without(&live.groups, &draft.groups),
            admission,
        }
    }

    pub fn is_none(&self) -> bool {
        *self == Difference::default()
    }
}

fn changes(live: &Map<String, Value>, draft: &Map<String, Value>) -> Vec<AttributeChange> {
    let names: BTreeSet<&String> = live.keys().chain(draft.keys()).collect();
    names
        .into_iter()
        .filter(|name| live.get(*name) != draft.get(*name))
        .map(|name| AttributeChange {
            name: name.clone(),
            live: live.get(name).cloned(),
            draft: draft.get(name).cloned(),
        })
        .collect()
}

/// How many sign-ins a draft changes, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub unchanged: usize,
    pub changed: usize,
    /// By the reason.
    pub newly_refused: BTreeMap<String, usize>,
    pub newly_admitted: usize,
    pub refused_otherwise: usize,
    pub groups_joined: BTreeMap<String, usize>,
    pub groups_left: BTreeMap<String, usize>,
    pub attributes: BTreeMap<String, AttributeCounts>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeCounts {
    /// Has a value by the draft only.
    pub gained: usize,
    /// Has a value by the rules in force only.
    pub lost: usize,
    pub changed: usize,
}

impl Summary {
    pub fn add(&mut self, difference: &Difference) {
        if difference.is_none() {
            self.unchanged += 1;
            return;
        }
        self.changed += 1;
        match &difference.admission {
            Admission::Same => {}
            Admission::NewlyRefused(refused) => {
                *self.newly_refused.entry(refused.detail.clone()).or_default() += 1;
            }
            Admission::NewlyAdmitted(_) => self.newly_admitted += 1,
            Admission::RefusedOtherwise { .. } => self.refused_otherwise += 1,
        }
        for (names, counts) in [
            (&difference.joined, &mut self.groups_joined),
            (&difference.left, &mut self.groups_left),
        ] {
            for name in names {
                *counts.entry(name.clone()).or_default() += 1;
            }
        }
        for change in &difference.attributes {
            let counts = self.attributes.entry(change.name.clone()).or_default();
            match (&change.live, &change.draft) {
                (None, _) => counts.gained += 1,
                (_, None) => counts.lost += 1,
                _ => counts.changed += 1,
            }
        }
    }

    /// What there is to say, the weightiest first, each with the number of sign-ins that it is about. Of each kind
    /// [`MAX_SENTENCES`] at the most, and then how many more there are.
    pub fn told(&self) -> Vec<(Told, usize)> {
        let mut told = most(&self.newly_refused, Told::Refused, "reasons to be refused");
        told.push((Told::Admitted, self.newly_admitted));
        told.push((Told::RefusedOtherwise, self.refused_otherwise));
        told.extend(most(&self.groups_left, Told::Left, "groups are lost"));
        told.extend(most(&self.groups_joined, Told::Joined, "groups are gained"));
        for (name, counts) in self.attributes.iter().take(MAX_SENTENCES) {
            told.push((Told::Lost(name.clone()), counts.lost));
            told.push((Told::Gained(name.clone()), counts.gained));
            told.push((Told::Changed(name.clone()), counts.changed));
        }
        let more = self.attributes.len().saturating_sub(MAX_SENTENCES);
        told.push((Told::More("attributes change"), more));
        told.retain(|(_, count)| *count > 0);
        told.push((Told::Unchanged, self.unchanged));
        told
    }

    /// "312 unchanged", "4 lose group admin", "1 would be refused: …", the weightiest first.
    pub fn sentences(&self) -> Vec<String> {
        self.told()
            .into_iter()
            .map(|(told, count)| told.sentence(count))
            .collect()
    }
}

/// The sentences for the names that come most often, and one for how many others there are.
fn most(
    counts: &BTreeMap<String, usize>,
    of: fn(String) -> Told,
    others: &'static str,
) -> Vec<(Told, usize)> {
    let mut named: Vec<(&String, usize)> = counts.iter().map(|(name, count)| (name, *count)).collect();
    named.sort_by(|(a, many), (b, few)| few.cmp(many).then(a.cmp(b)));
    let more = named.len().saturating_sub(MAX_SENTENCES);
    named
        .into_iter()
        .take(MAX_SENTENCES)
        .map(|(name, count)| (of(name.clone()), count))
        .chain([(Told::More(others), more)])
        .collect()
}

/// One thing that a summary says of some sign-ins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// For this reason.
    Refused(String),
    Admitted,
    RefusedOtherwise,
    /// The group of that name.
    Left(String),
    Joined(String),
    /// The attribute of that name.
    Lost(String),
    Gained(String),
    Changed(String),
    /// What goes beyond [`MAX_SENTENCES`]; of it not the sign-ins are counted, but the names.
    More(&'static str),
    Unchanged,
}

impl Told {
    pub fn sentence(&self, count: usize) -> String {
        let each = |one: &'static str, many: &'static str| if count == 1 { one } else { many };
        match self {
            Told::Refused(reason) => format!("{count} would be refused: {reason}"),
            Told::Admitted => format!("{count} would get in who were refused"),
            Told::RefusedOtherwise => format!("{count} would be refused for another reason"),
            Told::Left(name) => format!("{count} {} group {name}", each("loses", "lose")),
            Told::Joined(name) => format!("{count} {} group {name}", each("gains", "gain")),
            Told::Lost(name) => format!("{count} {} {name}", each("loses", "lose")),
            Told::Gained(name) => format!("{count} {} {name}", each("gains", "gain")),
            Told::Changed(name) => format!("{count} {} {name}", each("gets another", "get another")),
            Told::More(what) => format!("and {count} more {what}"),
            Told::Unchanged => format!("{count} unchanged"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::db::Json;
    use crate::model::mapping::{GroupsRule, MissingGroup, Rules, Source};
    use crate::world::UnixTime;

    #[test]
    fn rules_that_make_groups_make_what_there_was_not_unless_there_was_no_room() {
        let pool = Pool {
            id: "us-local-1_Pool".into(),
            name: "pool".into(),
            settings: Json::default(),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        };
        let groups = |missing, past: &Contents| {
            let rules = Rules {
                attributes: Vec::new(),
                groups: Some(GroupsRule {
                    missing,
                    ..GroupsRule::new(Source::claim("groups"))
                }),
            };
            let mut work = Work::of_a_replay();
            let compiled = Compiled::new(&rules);
            made(&compiled, &pool, &BTreeSet::new(), past, &mut work).groups
        };
        let mut past = Contents {
            claims: [("groups".to_owned(), json!(["new"]))].into_iter().collect(),
            lacking: vec!["new".into()],
            ..Contents::default()
        };
        assert_eq!(groups(MissingGroup::Ignore, &past), Vec::<String>::new());
        assert_eq!(groups(MissingGroup::Create, &past), ["new"]);
        past.no_room = true;
        assert_eq!(groups(MissingGroup::Create, &past), Vec::<String>::new());
    }

    fn result(attributes: Value, groups: &[&str], refusal: Option<&str>) -> Made {
        Made {
            attributes: attributes.as_object().cloned().unwrap(),
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            refusal: refusal.map(|cause| Refused {
                cause: cause.into(),
                detail: format!("{cause}!"),
            }),
        }
    }

    #[test]
    fn differences_are_counted_and_told() {
        let live = result(json!({"a": 1, "b": 2, "c": 3}), &["x", "y"], None);
        let mut summary = Summary::default();
        let other = Difference::between(&live, &result(json!({"a": 1, "b": 5, "d": 4}), &["y", "z"], None));
        assert_eq!(
            (&other.joined, &other.left),
            (&vec!["z".to_owned()], &vec!["x".to_owned()])
        );
        let names: Vec<_> = other
            .attributes
            .iter()
            .map(|change| change.name.as_str())
            .collect();
        assert_eq!(names, ["b", "c", "d"]);
        summary.add(&other);
        summary.add(&other);
        summary.add(&Difference::between(&live, &live));
        let refused = result(json!({}), &[], Some("claim_required"));
        let invalid = result(json!({}), &[], Some("attribute_invalid"));
        summary.add(&Difference::between(&live, &refused));
        summary.add(&Difference::between(&refused, &live));
        summary.add(&Difference::between(&refused, &invalid));
        summary.add(&Difference::between(&refused, &refused));
        assert_eq!(
            summary.sentences(),
            [
                "1 would be refused: claim_required!",
                "1 would get in who were refused",
                "1 would be refused for another reason",
                "2 lose group x",
                "2 gain group z",
                "2 get another b",
                "2 lose c",
                "2 gain d",
                "2 unchanged",
            ]
        );
        assert_eq!((summary.changed, summary.unchanged), (5, 2));
    }

    #[test]
    fn a_summary_of_three_hundred_groups_names_those_that_most_gain() {
        let live = result(json!({}), &[], None);
        let names: Vec<String> = (0..300).map(|n| format!("g{n:03}")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut summary = Summary::default();
        summary.add(&Difference::between(&live, &result(json!({}), &all, None)));
        summary.add(&Difference::between(&live, &result(json!({}), &["g299"], None)));
        let sentences = summary.sentences();
        assert_eq!(sentences.len(), MAX_SENTENCES + 2);
        assert_eq!(sentences[0], "2 gain group g299");
        assert_eq!(sentences[MAX_SENTENCES], "and 270 more groups are gained");
    }
}
