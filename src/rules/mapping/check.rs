//! What is wrong with rules before they are saved: every mistake with its place, so that a form can show it there.

use std::collections::HashSet;

use super::{Mistake, parse};
use crate::model::mapping::{Absent, Rule, Rules, Write};
use crate::model::pool::{Attribute, Settings};
use crate::rules::claims::is_reserved;

/// Checks rules against the pool's schema. Empty when they can be saved.
pub fn check(rules: &Rules, settings: &Settings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut seen = HashSet::new();
    for (index, rule) in rules.attributes.iter().enumerate() {
        let place = format!("rule {} ({})", index + 1, rule.attribute);
        let mut say = |reason: String| mistakes.push(Mistake::new(&place, reason));
        if let Err(reason) = parse::check_claim(&rule.claim) {
            say(reason);
        }
        match target(&rule.attribute, settings) {
            Err(reason) => say(reason),
            Ok(_) if !seen.insert(rule.attribute.as_str()) => say("the attribute has a rule already".into()),
            Ok(attribute) => {
                if let Err(reason) = check_policies(rule, &attribute) {
                    say(reason.into());
                }
            }
        }
    }
    for name in required(settings) {
        if !seen.contains(name.as_str()) {
            mistakes.push(Mistake::new(
                "rules",
                format!("the pool requires '{name}', but no rule sets it: nobody could sign in"),
            ));
        }
    }
    if let Some(groups) = &rules.groups
        && let Err(reason) = parse::check_claim(&groups.claim)
    {
        mistakes.push(Mistake::new("groups", reason));
    }
    mistakes
}

/// The attribute that a rule may set; the error says why it may not.
pub(super) fn target(name: &str, settings: &Settings) -> Result<Attribute, String> {
    if name == "username" {
        return Err("the username is always made of the provider's name and the subject".into());
    }
    if is_reserved(name) {
        return Err(format!("'{name}' is a reserved claim, which only we set"));
    }
    settings
        .attribute(name)
        .ok_or_else(|| format!("the pool has no attribute '{name}'"))
}

/// The names of the attributes that the pool requires.
pub(super) fn required(settings: &Settings) -> impl Iterator<Item = &String> {
    settings
        .attributes
        .iter()
        .filter(|attribute| attribute.required)
        .map(|attribute| &attribute.name)
}

fn check_policies(rule: &Rule, attribute: &Attribute) -> Result<(), &'static str> {
    match (rule.absent, rule.write) {
        (Absent::Clear, Write::FirstSignIn) => Err(
            "absent=clear has nothing to clear where the rule runs at the first sign-in only (write=first)",
        ),
        (Absent::Clear, Write::WhenEmpty) => {
            Err("absent=clear has nothing to clear where the rule only fills what is empty (write=empty)")
        }
        (Absent::Clear, Write::Always) if attribute.required => Err(
            "absent=clear would empty an attribute that the pool requires: write absent=refuse or absent=keep",
        ),
        (Absent::Clear, Write::Always) if !attribute.mutable => {
            Err("absent=clear would change an immutable attribute: write absent=refuse or absent=keep")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::pool::AttributeType;

    fn settings() -> Settings {
        let attribute = |name: &str, mutable, required| Attribute {
            name: name.into(),
            kind: AttributeType::String,
            mutable,
            required,
        };
        Settings {
            attributes: vec![
                attribute("email", true, true),
                attribute("custom:tenant", false, false),
                attribute("custom:dept", true, false),
            ],
            ..Settings::default()
        }
    }

    fn mistakes(texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let rules = Rules {
            attributes: parse::rules(&texts).unwrap(),
            groups: None,
        };
        check(&rules, &settings())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn good_rules_have_no_mistake() {
        assert_eq!(
            mistakes(&[
                "email=email,absent=refuse",
                "custom:tenant=org.id,write=first,absent=refuse",
                "custom:dept=department,absent=clear",
                "name=name,write=empty",
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_mistake_is_found_in_its_place() {
        for (text, place, reason) in [
            (
                "custom:nope=x",
                "rule 2 (custom:nope)",
                "no attribute 'custom:nope'",
            ),
            (
                "username=x",
                "rule 2 (username)",
                "provider's name and the subject",
            ),
            ("email=mail", "rule 2 (email)", "a rule already"),
            (
                "nickname=n,write=first,absent=clear",
                "rule 2 (nickname)",
                "write=first",
            ),
            (
                "nickname=n,write=empty,absent=clear",
                "rule 2 (nickname)",
                "write=empty",
            ),
            (
                "custom:tenant=t,absent=clear",
                "rule 2 (custom:tenant)",
                "immutable",
            ),
        ] {
            let found = mistakes(&["email=email", text]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].starts_with(place) && found[0].contains(reason),
                "{found:?}"
            );
        }
        assert!(mistakes(&["email=email,absent=clear"])[0].contains("requires"));
        assert!(mistakes(&["name=name"])[0].contains("the pool requires 'email'"));
        let rules = Rules {
            attributes: Vec::new(),
            groups: Some(crate::model::mapping::GroupsRule {
                claim: " ".into(),
                missing: Default::default(),
            }),
        };
        assert_eq!(check(&rules, &Settings::default())[0].place, "groups");
    }

    #[test]
    fn a_53_reserved_claims_and_their_twins_are_no_targets() {
        for name in crate::rules::claims::RESERVED {
            for twin in [
                (*name).to_owned(),
                name.to_uppercase(),
                format!(" {name}"),
                format!("{name}\u{200b}"),
                name.replace('s', "\u{17f}"),
                name.chars()
                    .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
                    .collect(),
            ] {
                let rules = Rules {
                    attributes: vec![Rule {
                        attribute: twin.clone(),
                        claim: "x".into(),
                        write: Write::Always,
                        absent: Absent::Keep,
                    }],
                    groups: None,
                };
                assert_eq!(check(&rules, &Settings::default()).len(), 1, "{twin:?}");
            }
        }
        for name in [
            "cognito:groups",
            "cognito:username",
            "COGNITO:roles",
            "cognito:anything",
        ] {
            assert!(target(name, &settings()).is_err(), "{name}");
        }
    }
}
