//! What differs between two versions of rules, rule by rule, in words.

use crate::model::mapping::{GroupsRule, MissingGroup, Naming, Rule, Rules, Source, Unlisted};

/// One rule that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The attribute, or `groups`.
    pub target: String,
    pub kind: ChangeKind,
    /// The rule as it was and as it is, in words; `None` where there is none.
    pub old: Option<String>,
    pub new: Option<String>,
    /// What is another: `source`, `write`, `absent`, `naming`, `missing`, `reconcile`.
    pub parts: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// In the order of the new rules, then what was removed, then the groups. The order of rules has no meaning and is none.
pub fn between(old: &Rules, new: &Rules) -> Vec<Change> {
    let find = |rules: &'_ Rules, name: &str| {
        rules
            .attributes
            .iter()
            .find(|rule| rule.attribute == name)
            .cloned()
    };
    let kept = new.attributes.iter().filter_map(|rule| {
        let before = find(old, &rule.attribute);
        change(
            &rule.attribute,
            before.as_ref(),
            Some(rule),
            rule_words,
            rule_parts,
        )
    });
    let gone = old
        .attributes
        .iter()
        .filter(|rule| find(new, &rule.attribute).is_none())
        .filter_map(|rule| change(&rule.attribute, Some(rule), None, rule_words, rule_parts));
    let groups = change(
        "groups",
        old.groups.as_ref(),
        new.groups.as_ref(),
        groups_words,
        groups_parts,
    );
    kept.chain(gone).chain(groups).collect()
}

fn change<T: PartialEq>(
    target: &str,
    old: Option<&T>,
    new: Option<&T>,
    words: fn(&T) -> String,
    parts: fn(&T, &T) -> Vec<&'static str>,
) -> Option<Change> {
    if old == new {
        return None;
    }
    Some(Change {
        target: target.to_owned(),
        kind: match (old, new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        },
        old: old.map(words),
        new: new.map(words),
        parts: match (old, new) {
            (Some(old), Some(new)) => parts(old, new),
            _ => Vec::new(),
        },
    })
}

fn rule_parts(old: &Rule, new: &Rule) -> Vec<&'static str> {
    [
        ("source", old.source != new.source),
        ("write", old.write != new.write),
        ("absent", old.absent != new.absent),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

fn groups_parts(old: &GroupsRule, new: &GroupsRule) -> Vec<&'static str> {
    [
        ("source", old.source != new.source),
        ("naming", old.naming != new.naming),
        ("missing", old.missing != new.missing),
        ("reconcile", old.reconcile != new.reconcile),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

/// `claim mail, write=first`.
pub fn rule_words(rule: &Rule) -> String {
    let mut words = source_words(&rule.source);
    if rule.write != Default::default() {
        words.push_str(&format!(", write={}", rule.write));
    }
    if rule.absent != Default::default() {
        words.push_str(&format!(", absent={}", rule.absent));
    }
    words
}

/// `claim groups, without the prefix 'app-', existing groups only`.
pub fn groups_words(rule: &GroupsRule) -> String {
    let naming = match &rule.naming {
        Naming::AsTheyCome => "named as they come".to_owned(),
        Naming::Prefix { strip, add } if strip.is_empty() => format!("with '{add}' before each"),
        Naming::Prefix { strip, add } if add.is_empty() => format!("those with '{strip}' before, without it"),
        Naming::Prefix { strip, add } => format!("those with '{strip}' before, with '{add}' instead"),
        Naming::Pattern { pattern, replacement } => {
            format!("those that match '{pattern}', as '{replacement}'")
        }
        Naming::Table { rows, unlisted } => format!(
            "by a table of {} value{}, others {}",
            rows.len(),
            if rows.len() == 1 { "" } else { "s" },
            match unlisted {
                Unlisted::Drop => "left out",
                Unlisted::Keep => "as they come",
            }
        ),
    };
    let missing = match rule.missing {
        MissingGroup::Create => "missing ones are created",
        MissingGroup::Ignore => "existing ones only",
    };
    let reconcile = if rule.reconcile {
        "taken away when they no longer come"
    } else {
        "only added"
    };
    format!("{}, {naming}, {missing}, {reconcile}", source_words(&rule.source))
}

fn source_words(source: &Source) -> String {
    match source {
        Source::Claim(name) => format!("claim {name}"),
        Source::Expression(text) => format!("expression {text}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rules::mapping::parse;

    fn rules(texts: &[&str], groups: Option<GroupsRule>) -> Rules {
        Rules {
            attributes: texts.iter().map(|text| parse::rule(text).unwrap()).collect(),
            groups,
        }
    }

    #[test]
    fn each_rule_that_differs_is_told_once() {
        let groups = GroupsRule::new(Source::claim("groups"));
        let table = GroupsRule {
            naming: Naming::Prefix {
                strip: "app-".into(),
                add: String::new(),
            },
            reconcile: false,
            ..groups.clone()
        };
        let old = rules(&["email=email", "name=name", "locale=locale"], Some(groups));
        let new = rules(
            &["locale=locale", "email:=claims.mail", "nickname=nick,write=first"],
            Some(table),
        );
        let told: Vec<_> = between(&old, &new)
            .into_iter()
            .map(|change| (change.target, change.kind, change.old, change.new, change.parts))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                (
                    "email".to_owned(),
                    ChangeKind::Changed,
                    text("claim email"),
                    text("expression claims.mail"),
                    vec!["source"]
                ),
                (
                    "nickname".to_owned(),
                    ChangeKind::Added,
                    None,
                    text("claim nick, write=first"),
                    vec![]
                ),
                (
                    "name".to_owned(),
                    ChangeKind::Removed,
                    text("claim name"),
                    None,
                    vec![]
                ),
                (
                    "groups".to_owned(),
                    ChangeKind::Changed,
                    text(
                        "claim groups, named as they come, missing ones are created, taken away when they no longer come"
                    ),
                    text(
                        "claim groups, those with 'app-' before, without it, missing ones are created, only added"
                    ),
                    vec!["naming", "reconcile"]
                ),
            ]
        );
        assert!(between(&old, &old).is_empty());
    }
}
