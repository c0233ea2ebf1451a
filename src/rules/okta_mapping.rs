//! Okta's own profile mapping (its user → the app's user) as rules of ours: a draft for somebody to look at.
//!
//! Okta writes a mapping as expressions of its own language. The plain ones are translated: an attribute (`user.firstName`),
//! a text, both joined by `+`. Whatever else there is stands in the list with its expression and the reason why not, so
//! that nothing is lost without a word.

use serde_json::{Map, Value};

use super::okta_profile;
use crate::model::mapping::{Rule, Source, Write};
use crate::model::pool::Settings;
use crate::rules::attribute::{CUSTOM, is_verified_flag};

/// One property of the app's profile in Okta.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub property: String,
    /// As Okta has it.
    pub expression: String,
    /// The rule that does the same here, or why there is none.
    pub outcome: Result<Rule, String>,
}

/// Properties of one mapping that are looked at.
const MOST: usize = 300;

/// The rules for a mapping's `properties`, as `/api/v1/mappings/{id}` shows them.
pub fn translate(properties: &Map<String, Value>, settings: &Settings) -> Vec<Imported> {
    let mut taken: Vec<String> = Vec::new();
    let one = |(property, mapped): (&String, &Value)| {
        let text = |name: &str| mapped.get(name).and_then(Value::as_str).unwrap_or_default();
        let expression = text("expression");
        // Okta sends such a property when it makes the app's user, and never again.
        let write = match text("pushStatus") {
            "DONT_PUSH" => Write::FirstSignIn,
            _ => Write::Always,
        };
        let outcome = attribute(property, settings).and_then(|attribute| {
            if taken.contains(&attribute) {
                return Err(format!("another property sets {attribute} already"));
            }
            let source =
                source(expression).ok_or("this expression is not translated: write a rule for it")?;
            taken.push(attribute.clone());
            Ok(Rule {
                write,
                ..Rule::new(attribute, source)
            })
        });
        Imported {
            property: property.clone(),
            expression: expression.to_owned(),
            outcome,
        }
    };
    properties.iter().take(MOST).map(one).collect()
}

/// The pool's attribute that a property is.
fn attribute(property: &str, settings: &Settings) -> Result<String, String> {
    if is_verified_flag(property) {
        return Err("whether an address is verified is for Okta's own claim to say".into());
    }
    let own = format!("{CUSTOM}{property}");
    [Some(property), okta_profile::standard_claim(property), Some(&own)]
        .into_iter()
        .flatten()
        .find(|name| settings.attribute(name).is_some())
        .map(str::to_owned)
        .ok_or_else(|| format!("the pool has no attribute for it: add {own} first"))
}

enum Term<'a> {
    /// An attribute of the Okta user.
    Attribute(&'a str),
    Text(String),
}

fn source(expression: &str) -> Option<Source> {
    let terms = terms(expression)?;
    if let [Term::Attribute(name)] = terms.as_slice() {
        return Some(Source::Claim(format!("{}.{name}", okta_profile::CLAIM)));
    }
    let parts = terms.iter().map(|term| match term {
        Term::Attribute(name) => format!("claims.{}.{name}", okta_profile::CLAIM),
        // JSON's escapes are CEL's, too.
        Term::Text(text) => Value::from(text.as_str()).to_string(),
    });
    Some(Source::expression(parts.collect::<Vec<_>>().join(" + ")))
}

/// The terms of a sum; `None` where there is anything else in it.
fn terms(expression: &str) -> Option<Vec<Term<'_>>> {
    let mut terms = Vec::new();
    let mut rest = expression.trim();
    loop {
        let (term, after) = match rest.chars().next()? {
            quote @ ('"' | '\'') => quoted(rest, quote)?,
            _ => named(rest)?,
        };
        terms.push(term);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(terms);
        }
        rest = rest.strip_prefix('+')?.trim_start();
    }
}

fn quoted(text: &str, quote: char) -> Option<(Term<'_>, &str)> {
    let inner = text.strip_prefix(quote)?;
    let (literal, after) = inner.split_once(quote)?;
    // What an escape means there is not worth guessing.
    (!literal.contains('\\')).then(|| (Term::Text(literal.to_owned()), after))
}

fn named(text: &str) -> Option<(Term<'_>, &str)> {
    let inner = text.strip_prefix("user.")?;
    let end = inner
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inner.len());
    let (name, after) = inner.split_at_checked(end)?;
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins_well.then_some((Term::Attribute(name), after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::pool::{Attribute, AttributeType};
    use serde_json::json;

    fn settings() -> Settings {
        Settings {
            attributes: vec![Attribute {
                name: "custom:department".into(),
                kind: AttributeType::String,
                mutable: true,
                required: false,
            }],
            ..Settings::default()
        }
    }

    #[test]
    fn plain_expressions_become_sources() {
        for (expression, expected) in [
            ("user.firstName", Some(Source::claim("okta_profile.firstName"))),
            (" user.login ", Some(Source::claim("okta_profile.login"))),
            ("\"Acme \\\"", None),
            ("'Acme'", Some(Source::expression("\"Acme\""))),
            ("\"it's\"", Some(Source::expression("\"it's\""))),
            (
                "user.firstName+ \" \" +user.lastName",
                Some(Source::expression(
                    "claims.okta_profile.firstName + \" \" + claims.okta_profile.lastName",
                )),
            ),
            ("", None),
            ("user.", None),
            ("user.1st", None),
            ("user.firstName +", None),
            ("user.firstName user.lastName", None),
            ("user.first-name", None),
            ("appuser.firstName", None),
            ("String.toLowerCase(user.email)", None),
            ("user.email != null ? user.email : user.login", None),
            ("\"open", None),
            ("user.ä", None),
        ] {
            assert_eq!(source(expression), expected, "{expression}");
        }
    }

    #[test]
    fn a_property_finds_its_attribute_or_says_why_not() {
        let properties = json!({
            "firstName": {"expression": "user.firstName", "pushStatus": "PUSH"},
            "given_name": {"expression": "user.nickName", "pushStatus": "PUSH"},
            "userName": {"expression": "user.login", "pushStatus": "DONT_PUSH"},
            "department": {"expression": "user.department"},
            "shoeSize": {"expression": "user.shoeSize"},
            "email_verified": {"expression": "\"true\""},
            "locale": {"expression": "String.substring(user.locale, 0, 2)"},
            "odd": "not an object",
        });
        let found = translate(properties.as_object().unwrap(), &settings());
        let told: Vec<(&str, Result<String, &str>)> = found
            .iter()
            .map(|one| {
                let outcome = one.outcome.as_ref();
                let rule = outcome.map(|rule| format!("{} {} {}", rule.attribute, rule.source, rule.write));
                (one.property.as_str(), rule.map_err(String::as_str))
            })
            .collect();
        let set = |text: &str| Ok(text.to_owned());
        assert_eq!(
            told,
            [
                (
                    "department",
                    set("custom:department okta_profile.department always")
                ),
                (
                    "email_verified",
                    Err("whether an address is verified is for Okta's own claim to say")
                ),
                ("firstName", set("given_name okta_profile.firstName always")),
                ("given_name", Err("another property sets given_name already")),
                (
                    "locale",
                    Err("this expression is not translated: write a rule for it")
                ),
                (
                    "odd",
                    Err("the pool has no attribute for it: add custom:odd first")
                ),
                (
                    "shoeSize",
                    Err("the pool has no attribute for it: add custom:shoeSize first")
                ),
                ("userName", set("preferred_username okta_profile.login first")),
            ]
        );
    }
}
