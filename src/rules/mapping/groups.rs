//! From a claim to the names of pool groups. Which of them exist, and who is in them, is the caller's to find out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::claim;
use crate::model::mapping::GroupsRule;
use crate::model::trace::MappingEffect;

/// Groups that one sign-in may give; more are cut, and an effect says so.
pub const MAX_GROUPS: usize = 500;
const MAX_NAME: usize = 128;
/// Refused values that are named one by one; the rest is only counted.
const MAX_NAMED: usize = 20;

/// The group names that the claim holds, trimmed, each once, in order; and an effect for every one left out.
///
/// A claim that does not come means "no groups": a user's last group may vanish together with the claim, and a
/// privilege must not survive that.
pub(super) fn names(
    rule: &GroupsRule,
    claims: &Map<String, Value>,
    user_pool_id: &str,
) -> (Vec<String>, Vec<MappingEffect>) {
    let mut left_out = LeftOut {
        source: &rule.claim,
        effects: Vec::new(),
        unnamed: 0,
    };
    let values: &[Value] = match claim(claims, &rule.claim) {
        Some(Value::Array(items)) => items,
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(Value::Null) => &[],
        Some(_) => {
            left_out.note("group:*", "the claim is neither a list nor a text: no groups");
            &[]
        }
        None => {
            left_out.note("group:*", "the claim did not come: no groups");
            &[]
        }
    };
    let automatic = format!("{user_pool_id}_");
    let mut names = BTreeSet::new();
    let mut cut = 0_usize;
    for value in values {
        let Some(name) = value.as_str().map(str::trim) else {
            left_out.note("group:?", "the value is not a text");
            continue;
        };
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
        } else if name.starts_with(&automatic) {
            // Only signing in through a provider may put anyone into that provider's automatic group.
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
    if cut > 0 {
        let reason =
            format!("the claim lists {cut} groups more than the {MAX_GROUPS} that one sign-in may give");
        left_out.note("group:*", &reason);
    }
    (names.into_iter().collect(), left_out.finish())
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

struct LeftOut<'a> {
    source: &'a str,
    effects: Vec<MappingEffect>,
    unnamed: usize,
}

impl LeftOut<'_> {
    fn note(&mut self, target: &str, reason: &str) {
        // What concerns the whole claim is never lost among single values.
        if target != "group:*" && self.effects.len() >= MAX_NAMED {
            self.unnamed += 1;
            return;
        }
        self.effects.push(MappingEffect {
            target: target.to_owned(),
            source: self.source.to_owned(),
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
mod tests {
    use super::*;
    use crate::model::mapping::MissingGroup;
    use serde_json::json;

    fn run(claim: Option<Value>) -> (Vec<String>, Vec<MappingEffect>) {
        let rule = GroupsRule {
            claim: "groups".into(),
            missing: MissingGroup::Create,
        };
        let claims = claim
            .map(|value| ("groups".to_owned(), value))
            .into_iter()
            .collect();
        names(&rule, &claims, "us-local-1_Pool")
    }

    #[test]
    fn lists_and_single_texts_give_names() {
        let (names, effects) = run(Some(json!([
            " Engineering",
            "Everyone",
            "Engineering ",
            "",
            "R&D (Köln)"
        ])));
        assert_eq!(names, ["Engineering", "Everyone", "R&D (Köln)"]);
        assert!(effects.is_empty());
        assert_eq!(run(Some(json!("Finance Team"))).0, ["Finance Team"]);
        assert_eq!(run(Some(json!(null))), (vec![], vec![]));
        assert_eq!(run(Some(json!([]))), (vec![], vec![]));
    }

    #[test]
    fn whatever_is_no_group_name_is_left_out_and_said() {
        for wrong in [
            json!(["a\tb"]),
            json!(["a\u{202e}b"]),
            json!(["a\u{200b}"]),
            json!(["a\u{0}"]),
            json!(["a".repeat(129)]),
            json!(["us-local-1_Pool_globex-okta"]),
            json!([7]),
            json!([["admins"]]),
            json!({"admins": true}),
            json!(true),
        ] {
            let (names, effects) = run(Some(wrong.clone()));
            assert_eq!((names.len(), effects.len()), (0, 1), "{wrong}");
            assert_eq!(effects[0].action, "skipped");
        }
        let (names, effects) = run(None);
        assert_eq!((names.len(), effects.len()), (0, 1));
        assert_eq!(run(Some(json!(["a".repeat(128)]))).0.len(), 1);
    }

    #[test]
    fn a_133_ten_thousand_groups_are_cut_and_the_effects_stay_few() {
        let many: Vec<String> = (0..10_000).map(|n| format!("group-{n:05}")).collect();
        let (names, effects) = run(Some(json!(many)));
        assert_eq!((names.len(), effects.len()), (MAX_GROUPS, 1));
        assert!(effects[0].reason.contains("9500"));
        let (names, effects) = run(Some(json!(vec![7; 10_000])));
        assert_eq!((names.len(), effects.len()), (0, MAX_NAMED + 1));
    }
}
