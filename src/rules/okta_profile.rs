//! A person's profile as Okta's own API shows it: which standard claims it fills where a sign-in brought none, and the
//! claim under which a mapping reads the rest by Okta's own names.
//!
//! What the ID token or userinfo has said is never overwritten. Whether an address is verified is for those to say, so
//! `…_verified` is never made up, nor an address put beside one that came alone.

use serde_json::{Map, Value};

/// The claim that holds the whole profile: `custom:dept=okta_profile.department`.
pub const CLAIM: &str = "okta_profile";
/// Attributes of one profile that are taken over, and the longest of their texts; Okta's own limits are below both.
const MOST: usize = 300;
const LONGEST: usize = 4_096;

/// A claim of OpenID Connect (Core §5.1), and the attributes of Okta's profile that fill it, the first that is there.
const STANDARD: [(&str, &[&str]); 11] = [
    ("preferred_username", &["login"]),
    ("email", &["email"]),
    ("given_name", &["firstName"]),
    ("family_name", &["lastName"]),
    ("middle_name", &["middleName"]),
    ("name", &["displayName"]),
    ("nickname", &["nickName"]),
    ("profile", &["profileUrl"]),
    ("phone_number", &["mobilePhone", "primaryPhone"]),
    ("locale", &["locale"]),
    ("zoneinfo", &["timezone"]),
];

/// The attributes that every Okta user's profile has.
const BASE: [&str; 31] = [
    "login",
    "email",
    "secondEmail",
    "firstName",
    "lastName",
    "middleName",
    "honorificPrefix",
    "honorificSuffix",
    "title",
    "displayName",
    "nickName",
    "profileUrl",
    "primaryPhone",
    "mobilePhone",
    "streetAddress",
    "city",
    "state",
    "zipCode",
    "countryCode",
    "postalAddress",
    "preferredLanguage",
    "locale",
    "timezone",
    "userType",
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "managerId",
    "manager",
];

/// The base profile's attributes as a rule names them.
pub fn names() -> impl Iterator<Item = String> {
    BASE.iter().map(|name| format!("{CLAIM}.{name}"))
}

/// The standard claim that an attribute of Okta's profile is, under whatever of its names.
pub fn standard_claim(attribute: &str) -> Option<&'static str> {
    if matches!(attribute, "userName" | "username") {
        return Some("preferred_username");
    }
    STANDARD
        .iter()
        .find(|(_, from)| from.contains(&attribute))
        .map(|(claim, _)| *claim)
}

/// Fills what is missing and adds the profile itself; gives the standard claims that it filled.
pub fn fill(claims: &mut Map<String, Value>, profile: Map<String, Value>) -> Vec<&'static str> {
    let mut filled = Vec::new();
    for (claim, from) in STANDARD {
        let is_there = |name: &str| claims.get(name).is_some_and(|value| !value.is_null());
        // A word about an address that did not come is not about Okta's either.
        if is_there(claim) || is_there(&format!("{claim}_verified")) {
            continue;
        }
        let found = from.iter().find_map(|name| text(&profile, name));
        let found = match claim {
            "name" => found.or_else(|| whole_name(&profile)),
            // `en_US` there, `en-US` here (RFC 5646).
            "locale" => found.map(|text| text.replace('_', "-")),
            _ => found,
        };
        if let Some(text) = found {
            claims.insert(claim.to_owned(), Value::String(text));
            filled.push(claim);
        }
    }
    if !claims.contains_key(CLAIM) {
        let kept: Map<String, Value> = profile
            .into_iter()
            .filter(|(name, value)| name.len() <= 128 && is_kept(value))
            .take(MOST)
            .collect();
        claims.insert(CLAIM.to_owned(), Value::Object(kept));
    }
    filled
}

fn text(profile: &Map<String, Value>, name: &str) -> Option<String> {
    let text = profile.get(name)?.as_str()?.trim();
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

fn whole_name(profile: &Map<String, Value>) -> Option<String> {
    let parts: Vec<String> = ["firstName", "lastName"]
        .iter()
        .filter_map(|name| text(profile, name))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Okta's attributes are texts, numbers, truth values, and lists of the first two.
fn is_kept(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) => false,
        Value::String(text) => text.len() <= LONGEST,
        Value::Array(items) => {
            items.len() <= MOST && items.iter().all(|item| !item.is_array() && is_kept(item))
        }
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn only_what_is_missing_is_filled() {
        let mut claims = object(json!({"sub": "00u1", "given_name": "Augusta", "nickname": null}));
        let filled = fill(
            &mut claims,
            object(json!({
                "login": "ada@acme.test", "firstName": "Ada", "lastName": "Lovelace", "displayName": null,
                "nickName": "Countess", "locale": "en_GB", "timezone": "Europe/London", "primaryPhone": "+1 415 555 0100",
                "mobilePhone": "", "department": "Engines", "manager": null, "skills": ["a", "b"], "nested": {"a": 1},
                "huge": "x".repeat(5_000),
            })),
        );
        assert_eq!(
            filled,
            [
                "preferred_username",
                "family_name",
                "name",
                "nickname",
                "phone_number",
                "locale",
                "zoneinfo"
            ]
        );
        assert_eq!(claims["given_name"], "Augusta");
        assert_eq!(claims["name"], "Ada Lovelace");
        assert_eq!(claims["locale"], "en-GB");
        assert_eq!(claims["phone_number"], "+1 415 555 0100");
        assert_eq!(claims[CLAIM]["firstName"], "Ada");
        assert_eq!(claims[CLAIM]["skills"], json!(["a", "b"]));
        for gone in ["manager", "nested", "huge"] {
            assert_eq!(claims[CLAIM].get(gone), None, "{gone}");
        }
    }

    #[test]
    fn no_address_is_put_beside_a_word_about_another_and_none_is_called_verified() {
        let profile =
            object(json!({"email": "root@acme.test", "mobilePhone": "+14155550100", "email_verified": true}));
        let mut claims =
            object(json!({"sub": "00u1", "email_verified": true, "phone_number_verified": false}));
        assert!(fill(&mut claims, profile.clone()).is_empty());
        assert_eq!(claims.get("email"), None);
        let mut claims = object(json!({"sub": "00u1"}));
        assert_eq!(fill(&mut claims, profile), ["email", "phone_number"]);
        assert_eq!(claims.get("email_verified"), None);
    }

    #[test]
    fn a_claim_of_that_name_is_left_alone() {
        let mut claims = object(json!({"okta_profile": "mine"}));
        fill(&mut claims, object(json!({"firstName": "Ada"})));
        assert_eq!(claims[CLAIM], "mine");
    }
}
