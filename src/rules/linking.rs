//! Linking by attribute: which values of a sign-in an administrator may have linked to a user in advance, and the form in
//! which they are compared. A value counts as the connection maps it to the pool's attribute. An address counts only
//! when the connection vouches for it, and only where its word counts: whoever may type an address into a directory must
//! not become its owner here.

use serde_json::{Map, Value};

use super::attribute::{attests, from_claim, outside};
use super::email;
use super::mapping::{Compiled, Steps, claim};
use super::tenant_domain::vouches;
use crate::model::mapping::{Rules, Source};
use crate::model::pool::Settings;
use crate::model::tenant_domain::Vouching;

/// The attribute that a link by this name goes by: a pool attribute that the connection maps, or a claim that it maps to one.
pub fn attribute_of<'a>(rules: &'a Rules, name: &str) -> Option<&'a str> {
    let mapped = rules.attributes.iter().find(|rule| rule.attribute == name);
    let claimed = || {
        rules
            .attributes
            .iter()
            .find(|rule| matches!(&rule.source, Source::Claim(claim) if claim == name))
    };
    mapped.or_else(claimed).map(|rule| rule.attribute.as_str())
}

/// A value of the attribute in the form in which it is compared; `None` for one that nobody can have.
pub fn comparable(settings: &Settings, attribute: &str, value: &Value) -> Option<String> {
    let definition = settings.attribute(attribute)?;
    let text = outside(&from_claim(&definition, value).ok()??);
    Some(if attribute == "email" {
        email::folded(&text)
    } else {
        text
    })
}

/// The attributes and values by which this sign-in may have been linked.
pub fn offered(
    settings: &Settings,
    compiled: &Compiled,
    claims: &Map<String, Value>,
    vouching: &Vouching,
) -> Vec<(String, String)> {
    let mut steps = Steps::default();
    let vouched = |attribute: &str| match attribute {
        "email" | "phone_number" => claim(claims, &format!("{attribute}_verified")).is_some_and(attests),
        _ => true,
    };
    let rules = compiled.rules.attributes.iter();
    rules
        .filter(|rule| vouched(&rule.attribute))
        .filter_map(|rule| {
            let value = compiled.sourced(&rule.source, claims, &mut steps).ok()??;
            let value = comparable(settings, &rule.attribute, &value)?;
            let counts = rule.attribute != "email" || vouches(vouching, &value);
            counts.then(|| (rule.attribute.clone(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mapping::Rule;
    use crate::model::tenant_domain::Proven;
    use serde_json::json;

    fn rules() -> Rules {
        Rules {
            attributes: vec![
                Rule::new("email", Source::claim("email")),
                Rule::new("nickname", Source::claim("employee")),
                Rule::new("locale", Source::expression("claims.locale + '-x'")),
            ],
            groups: None,
        }
    }

    fn by(claims: Value) -> Vec<(String, String)> {
        let claims = claims.as_object().cloned().unwrap_or_default();
        offered(
            &Settings::default(),
            &Compiled::new(&rules()),
            &claims,
            &Vouching::Everybody,
        )
    }

    fn pair(attribute: &str, value: &str) -> (String, String) {
        (attribute.into(), value.into())
    }

    #[test]
    fn an_address_counts_only_when_it_is_vouched_for() {
        for flag in [json!(true), json!("true")] {
            let claims = json!({ "email": "Ann@Acme.test", "email_verified": flag });
            assert_eq!(by(claims), [pair("email", "ann@acme.test")]);
        }
        for flag in [json!(false), json!("false"), json!(1), Value::Null] {
            assert_eq!(
                by(json!({ "email": "ann@acme.test", "email_verified": flag })),
                []
            );
        }
        assert_eq!(by(json!({ "email": "ann@acme.test" })), []);
    }

    #[test]
    fn an_address_counts_only_where_the_connections_word_counts() {
        let proven = Proven {
            tenant_id: "acme".into(),
            domain: "acme.test".into(),
            subdomains: false,
        };
        let within = Vouching::Within(vec![proven]);
        let by = |address: &str| {
            let claims = json!({ "email": address, "email_verified": true });
            let claims = claims.as_object().cloned().unwrap_or_default();
            offered(&Settings::default(), &Compiled::new(&rules()), &claims, &within)
        };
        assert_eq!(by("ann@acme.test"), [pair("email", "ann@acme.test")]);
        for other in ["ann@globex.test", "ann@eu.acme.test"] {
            assert_eq!(by(other), [], "{other}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_its_domain_is_written() {
        for address in ["Ann@Bücher.example", "ann@xn--bcher-kva.example"] {
            let claims = json!({ "email": address, "email_verified": true });
            assert_eq!(by(claims), [pair("email", "ann@xn--bcher-kva.example")]);
        }
    }

    #[test]
    fn other_values_count_as_they_are_mapped() {
        let claims = json!({ "employee": 4711, "locale": "de", "nickname": "not mapped" });
        assert_eq!(by(claims), [pair("nickname", "4711"), pair("locale", "de-x")]);
        assert_eq!(by(json!({ "employee": "" })), []);
    }

    #[test]
    fn a_link_is_named_by_attribute_or_claim() {
        let rules = rules();
        for (name, expected) in [
            ("email", Some("email")),
            ("nickname", Some("nickname")),
            ("employee", Some("nickname")),
            ("zoneinfo", None),
            ("Cognito_Subject", None),
        ] {
            assert_eq!(attribute_of(&rules, name), expected, "{name}");
        }
    }
}
