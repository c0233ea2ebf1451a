//! What is wrong with rules before they are saved: every mistake with its place, so that a form can show it there.

use std::collections::HashSet;

use serde_json::Map;

use super::expression::Kind;
use super::{Compiled, Mistake, Steps, groups, parse};
use crate::model::mapping::{Absent, Rule, Source, Write};
use crate::model::pool::{Attribute, AttributeType, Settings};
use crate::rules::attribute::from_claim;
use crate::rules::claims::is_reserved;

/// Rules of one mapping: as many as a pool has attributes, and then some.
pub(super) const MAX_RULES: usize = 100;

/// Checks rules against the pool's schema. Empty when they can be saved.
pub fn check(compiled: &Compiled, settings: &Settings) -> Vec<Mistake> {
    let rules = &compiled.rules;
    if rules.attributes.len() > MAX_RULES {
        return vec![Mistake::new(
            "rules",
            format!("there are more than {MAX_RULES} rules"),
        )];
    }
    let mut mistakes = Vec::new();
    let mut seen = HashSet::new();
    let mut steps = Steps::default();
    for (index, rule) in rules.attributes.iter().enumerate() {
        let place = format!("rule {} ({})", index + 1, rule.attribute);
        let mut say = |reason: String| mistakes.push(Mistake::new(&place, reason));
        if let Err(reason) = check_source(compiled, &rule.source) {
            say(reason);
        }
        match target(&rule.attribute, settings) {
            Err(reason) => say(reason),
            Ok(_) if !seen.insert(rule.attribute.as_str()) => say("the attribute has a rule already".into()),
            Ok(attribute) => {
                if let Err(reason) = check_policies(rule, &attribute) {
                    say(reason.into());
                }
                if let Source::Expression(text) = &rule.source
                    && let Err(reason) = check_type(compiled, text, &attribute, &mut steps)
                {
                    say(reason);
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
    if let Some(rule) = &rules.groups {
        let source = check_source(compiled, &rule.source).err();
        let others = groups::check(compiled, rule);
        let say = |reason| Mistake::new("groups", reason);
        mistakes.extend(source.into_iter().chain(others).map(say));
    }
    mistakes
}

fn check_source(compiled: &Compiled, source: &Source) -> Result<(), String> {
    match source {
        Source::Claim(claim) => parse::check_claim(claim),
        Source::Expression(text) => compiled
            .expression(text)
            .map(|_| ())
            .map_err(|why| format!("has a mistake in its expression: {why}")),
    }
}

/// The attribute that a rule may set; the error says why it may not.
pub(super) fn target(name: &str, settings: &Settings) -> Result<Attribute, String> {
    if name == "username" {
        return Err("the username is always made of the provider's name and the subject".into());
    }
    if settings.tenant_claim() == Some(name) {
        return Err(format!(
            "'{name}' names the tenant, which no mapping says; the pool's settings can give that claim another name"
        ));
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

/// What an expression's own text says against the attribute: a type that never fits, or a constant that does not.
fn check_type(
    compiled: &Compiled,
    text: &str,
    attribute: &Attribute,
    steps: &mut Steps,
) -> Result<(), String> {
    // Mistakes of the text itself are told by `check_source`.
    let Ok(expression) = compiled.expression(text) else {
        return Ok(());
    };
    let claims = Map::new();
    if expression.is_constant() {
        let value = expression
            .value_within(&claims, steps)
            .map_err(|why| format!("cannot be computed: {why}"))?;
        return match value.map(|value| from_claim(attribute, &value)) {
            Some(Err(why)) => Err(format!("has an expression that does not fit: the value {why}")),
            _ => Ok(()),
        };
    }
    let textual = matches!(attribute.name.as_str(), "email" | "phone_number" | "birthdate");
    let fits = match expression.kind() {
        None | Some(Kind::Null) => true,
        Some(Kind::Text) => true,
        Some(Kind::Truth) => {
            attribute.kind == AttributeType::Boolean || attribute.kind == AttributeType::String && !textual
        }
        Some(Kind::Number) => attribute.kind != AttributeType::Boolean && !textual,
        Some(Kind::List | Kind::Object) => attribute.kind == AttributeType::String && !textual,
    };
    match expression.kind() {
        Some(kind) if !fits => Err(format!(
            "has an expression that gives {}, which '{}' ({}) cannot hold",
            kind.words(),
            attribute.name,
            attribute.kind
        )),
        _ => Ok(()),
    }
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
    use crate::model::mapping::Rules;

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
        check(&Compiled::new(&rules), &settings())
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
            groups: Some(crate::model::mapping::GroupsRule::new(Source::claim(" "))),
        };
        assert_eq!(
            check(&Compiled::new(&rules), &Settings::default())[0].place,
            "groups"
        );
    }

    #[test]
    fn an_expression_that_can_never_fit_its_attribute_is_told() {
        for (text, said) in [
            ("nickname:=claims.given_name + 1u", "line 1, column 21: unsigned"),
            ("nickname:=claims.", "line 1, column 8"),
            ("nickname:=nickname", "claims.nickname"),
            (
                "phone_number:=claims.a == 'b'",
                "a truth value, which 'phone_number' (String)",
            ),
            ("email_verified:=claims.a.split('b')", "a list"),
            (
                "updated_at:=has(claims.x)",
                "a truth value, which 'updated_at' (Number)",
            ),
            ("updated_at:='yesterday'", "must be a number"),
            ("phone_number:='123'", "E.164"),
            ("nickname:=1 + 'a'", "cannot be computed"),
        ] {
            let rule = match parse::rule(text) {
                Ok(rule) => rule,
                // Mistakes of the text are found while reading already; saved in another way they meet the check.
                Err(_) => {
                    let (name, source) = text.split_once(":=").unwrap();
                    Rule::new(name, Source::expression(source))
                }
            };
            let rules = Rules {
                attributes: vec![rule],
                groups: None,
            };
            let found = check(&Compiled::new(&rules), &Settings::default());
            assert!(
                found.len() == 1 && found[0].reason.contains(said),
                "{text}: {found:?}"
            );
        }
        assert_eq!(
            mistakes(&[
                "email:=claims.mail.lowerAscii()",
                "custom:dept:=claims.level > 3",
                "updated_at:=claims.a",
                "email_verified:=claims.a == 'b'",
                "nickname:='always the same'",
            ]),
            Vec::<String>::new()
        );
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
                    attributes: vec![Rule::new(twin.clone(), Source::claim("x"))],
                    groups: None,
                };
                assert_eq!(
                    check(&Compiled::new(&rules), &Settings::default()).len(),
                    1,
                    "{twin:?}"
                );
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
