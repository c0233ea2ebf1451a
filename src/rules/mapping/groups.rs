//! From what the upstream says to the names of pool groups, and from these to what changes for one person. Which groups
//! the pool has is the caller's to find out.

mod naming;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::apply::shown;
use super::{Compiled, Steps};
use crate::model::mapping::{GroupsRule, Source};
use crate::model::trace::MappingEffect;
use naming::Namer;
pub(super) use naming::{check, compiled as compiled_pattern};

/// Groups that one sign-in may give; more are cut, and an effect says so.
pub const MAX_GROUPS: usize = 500;
const MAX_NAME: usize = 128;
/// Refused values that are named one by one; the rest is only counted.
const MAX_NAMED: usize = 20;

/// The group names that the source holds, trimmed, each once, in order; and an effect for every one left out.
///
/// A claim that does not come means "no groups": a user's last group may vanish together with the claim, and a
/// privilege must not survive that. The same holds for an expression without a value.
pub(super) fn names(
    compiled: &Compiled,
    rule: &GroupsRule,
    claims: &Map<String, Value>,
    user_pool_id: &str,
    steps: &mut Steps,
) -> (Vec<String>, Vec<MappingEffect>) {
    let mut left_out = LeftOut {
        source: shown(&rule.source),
        effects: Vec::new(),
        unnamed: 0,
    };
    let came = compiled.sourced(&rule.source, claims, steps);
    let values: &[Value] = match came.as_ref().map(Option::as_deref) {
        Ok(Some(Value::Array(items))) => items,
        Ok(Some(one @ Value::String(_))) => std::slice::from_ref(one),
        Ok(Some(Value::Null)) => &[],
        Ok(Some(_)) => {
            left_out.note(
                "group:*",
                &format!("{} is neither a list nor a text: no groups", what(rule)),
            );
            &[]
        }
        Ok(None) => {
            let reason = match rule.source {
                Source::Claim(_) => "the claim did not come: no groups",
                Source::Expression(_) => "the expression has no value: no groups",
            };
            left_out.note("group:*", reason);
            &[]
        }
        Err(why) => {
            left_out.note("group:*", &format!("no groups: the value {why}"));
            &[]
        }
    };
    let mut namer = Namer::new(compiled, &rule.naming, steps);
    let mut names = BTreeSet::new();
    let mut cut = 0_usize;
    for value in values {
        let Some(value) = value.as_str().map(str::trim) else {
            left_out.note("group:?", "the value is not a text");
            continue;
        };
        if value.is_empty() {
            continue;
        }
        for name in namer.names(value) {
            let name = name.trim();
            if name.is_empty() || names.contains(name) {
                continue;
            }
            if name.chars().count() > MAX_NAME {
                left_out.note("group:?", "the name has more than 128 characters");
            } else if !is_group_name(name) {
                left_out.note(
                    "group:?",
                    "the name has characters that a group's name cannot have",
                );
            } else if is_automatic(user_pool_id, name) {
                left_out.note(
                    &format!("group:{name}"),
                    "names of that form belong to the automatic groups",
                );
            } else if names.len() == MAX_GROUPS {
                cut += 1;
            } else {
                names.insert(name.to_owned());
            }
        }
    }
    if let Some(reason) = namer.trouble {
        left_out.note("group:*", reason);
    }
    if cut > 0 {
        let reason = format!(
            "{} lists {cut} groups more than the {MAX_GROUPS} that one sign-in may give",
            what(rule)
        );
        left_out.note("group:*", &reason);
    }
    (names.into_iter().collect(), left_out.finish())
}

fn what(rule: &GroupsRule) -> &'static str {
    match rule.source {
        Source::Claim(_) => "the claim",
        Source::Expression(_) => "the expression",
    }
}

/// One person's groups of one provider, before and after a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Those that the provider has given afterwards, sorted.
    pub held: Vec<String>,
    pub joined: Vec<String>,
    pub left: Vec<String>,
}

impl Memberships {
    /// `wanted` are the names of [`apply`](super::apply())'s outcome, `held` what this provider gave before, `lacking` the
    /// wanted groups that there are not and will not be. Without a groups rule the provider gives none, and takes back
    /// what an earlier mapping gave.
    pub fn after(
        rule: Option<&GroupsRule>,
        wanted: &[String],
        held: &[String],
        lacking: &BTreeSet<String>,
    ) -> Memberships {
        let wanted: BTreeSet<&String> = wanted.iter().filter(|name| !lacking.contains(*name)).collect();
        let before: BTreeSet<&String> = held.iter().collect();
        let reconcile = rule.is_none_or(|rule| rule.reconcile);
        let kept: BTreeSet<&String> = if reconcile {
            BTreeSet::new()
        } else {
            before.clone()
        };
        let after: BTreeSet<&String> = wanted.union(&kept).copied().collect();
        let names = |names: Vec<&&String>| names.into_iter().map(|name| (*name).clone()).collect();
        Memberships {
            joined: names(after.difference(&before).collect()),
            left: names(before.difference(&after).collect()),
            held: names(after.iter().collect()),
        }
    }
}

/// Whether a name has the form of a provider's automatic group: only signing in through that provider puts anyone there.
pub fn is_automatic(user_pool_id: &str, name: &str) -> bool {
    name.strip_prefix(user_pool_id)
        .is_some_and(|rest| rest.starts_with('_'))
}

/// Cognito's class for group names (letters, marks, symbols, digits, punctuation), and blanks inside, which directory
/// groups have so often that refusing them would leave half of them out.
pub fn is_group_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_NAME).contains(&length) && name.trim() == name && name.chars().all(|c| c == ' ' || is_visible(c))
}

/// Neither separator nor control, format, private-use or unassigned character, as far as these hide or reorder text.
fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}')
}

struct LeftOut {
    source: String,
    effects: Vec<MappingEffect>,
    unnamed: usize,
}

impl LeftOut {
    fn note(&mut self, target: &str, reason: &str) {
        // What concerns the whole claim is never lost among single values.
        if target != "group:*" && self.effects.len() >= MAX_NAMED {
            self.unnamed += 1;
            return;
        }
        self.effects.push(MappingEffect {
            target: target.to_owned(),
            source: self.source.clone(),
            action: "skipped".into(),
            old: None,
            new: None,
            reason: reason.to_owned(),
        });
    }

    fn finish(mut self) -> Vec<MappingEffect> {
        if self.unnamed > 0 {
            let reason = format!("{} more values are no usable group names", self.unnamed);
            self.note("group:*", &reason);
        }
        self.effects
    }
}

#[cfg(test)]
mod tests;
