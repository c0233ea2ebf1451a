//! What speaks against two accounts being one person's. Addresses are given to other people and swapped, within families
//! and among namesakes, too, so an address that is the same says little: a number decides, else every name has to agree, and
//! enough of them to tell one person from another has to be there. People who change a name are taken for somebody else by
//! this, and then have two accounts, which can be mended.

use serde_json::{Map, Value};

use super::attribute::outside;
use super::email;

/// What names a person; each of these sets is enough to tell them from others with the same address.
const NAMES: [&str; 3] = ["given_name", "family_name", "name"];
const ENOUGH: [&[&str]; 2] = [&["given_name", "family_name"], &["name"]];

/// An attribute as it is compared.
pub fn text(attributes: &Map<String, Value>, attribute: &str) -> Option<String> {
    let text = outside(attributes.get(attribute)?);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(match attribute {
        "email" => email::folded(text),
        _ => text.to_owned(),
    })
}

/// The attributes that decide where both accounts have them: the one by which a pair came, unless that is itself something
/// that changes hands or that people share, and the tenant's own.
pub fn numbers<'a>(by: &'a str, tenants: Option<&'a str>) -> Vec<&'a str> {
    let shared = by == "email" || by == "phone_number" || NAMES.contains(&by);
    let own = (!shared).then_some(by);
    own.into_iter()
        .chain(tenants.filter(|name| own != Some(*name)))
        .collect()
}

/// What speaks against it: what the profile here says, and what the sign-in says.
pub fn contradiction(
    here: &Map<String, Value>,
    there: &Map<String, Value>,
    numbers: &[&str],
) -> Option<String> {
    let mut is_certain = false;
    for number in numbers {
        if let (Some(a), Some(b)) = (text(here, number), text(there, number)) {
            if a != b {
                return Some(format!("{number} is another one"));
            }
            is_certain = true;
        }
    }
    if is_certain {
        return None;
    }
    let agrees = |name: &str| Some(text(here, name)?.to_lowercase() == text(there, name)?.to_lowercase());
    if let Some(other) = NAMES.into_iter().find(|name| agrees(name) == Some(false)) {
        return Some(format!("{other} is another one"));
    }
    let is_enough = |names: &&[&str]| names.iter().all(|name| agrees(name).is_some());
    match ENOUGH.iter().any(is_enough) {
        true => None,
        false => Some(
            "no number, and neither given_name with family_name nor name, is known of both accounts: nothing tells the \
             person from somebody else who has the address now"
                .into(),
        ),
    }
}

/// Whether connections that both bring these attributes can tell people apart by their names.
pub fn names_people(brought: &[&str]) -> bool {
    ENOUGH
        .iter()
        .any(|names| names.iter().all(|name| brought.contains(name)))
}

/// What would speak against somebody even if they came themselves, through a connection that brings these attributes.
pub fn indistinct(here: &Map<String, Value>, brought: &[&str], numbers: &[&str]) -> Option<String> {
    let is_brought = |(name, _): &(&String, &Value)| brought.contains(&name.as_str());
    let themselves = here
        .iter()
        .filter(is_brought)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    contradiction(here, &themselves, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn is_same(here: &Value, there: &Value, numbers: &[&str]) -> bool {
        contradiction(&map(here), &map(there), numbers).is_none()
    }

    #[test]
    fn every_name_must_agree() {
        let andrew = json!({ "given_name": "Andrew", "family_name": "Smith", "name": "Andrew Smith" });
        for (there, same) in [
            (json!({ "given_name": "andrew", "family_name": "SMITH" }), true),
            (json!({ "name": "Andrew Smith" }), true),
            // Whose initial and family are the same, and so the address.
            (json!({ "given_name": "Anna", "family_name": "Smith" }), false),
            (json!({ "given_name": "Andrew", "family_name": "Sands" }), false),
            (json!({ "given_name": "Anna" }), false),
            (json!({ "name": "Anna Smith" }), false),
            (
                json!({ "given_name": "Andrew", "family_name": "Smith", "name": "Anna Smith" }),
                false,
            ),
        ] {
            assert_eq!(is_same(&andrew, &there, &[]), same, "{there}");
        }
    }

    #[test]
    fn where_too_little_is_known_nobody_is_the_same() {
        let whole = json!({ "given_name": "Ada", "family_name": "King", "name": "Ada King" });
        for (here, there) in [
            (json!({}), json!({})),
            (whole.clone(), json!({})),
            (json!({}), whole.clone()),
            // Families and namesakes share addresses, too.
            (whole.clone(), json!({ "family_name": "King" })),
            (whole.clone(), json!({ "given_name": "Ada" })),
            (
                json!({ "name": "Ada King" }),
                json!({ "given_name": "Ada", "family_name": "King" }),
            ),
            (json!({ "name": " " }), json!({ "name": "" })),
        ] {
            assert!(!is_same(&here, &there, &["custom:no"]), "{here} {there}");
        }
    }

    #[test]
    fn a_number_decides_where_both_have_it() {
        let here = json!({ "name": "Ada King", "custom:no": "7" });
        for (there, same) in [
            (json!({ "custom:no": 7, "name": "Bob Ray" }), true),
            (json!({ "custom:no": 7 }), true),
            (json!({ "custom:no": 8, "name": "Ada King" }), false),
            (json!({ "name": "Ada King" }), true),
            (json!({ "name": "Bob Ray" }), false),
        ] {
            assert_eq!(is_same(&here, &there, &["custom:no"]), same, "{there}");
        }
        let both = json!({ "custom:no": "7", "custom:id": "x" });
        assert!(!is_same(
            &both,
            &json!({ "custom:no": "7", "custom:id": "y" }),
            &["custom:no", "custom:id"]
        ));
    }

    #[test]
    fn what_changes_hands_is_no_number() {
        assert_eq!(numbers("custom:no", None), ["custom:no"]);
        assert_eq!(numbers("custom:no", Some("custom:no")), ["custom:no"]);
        assert_eq!(numbers("nickname", Some("custom:no")), ["nickname", "custom:no"]);
        for shared in ["email", "phone_number", "name", "family_name"] {
            assert_eq!(numbers(shared, Some("custom:no")), ["custom:no"], "{shared}");
        }
    }

    #[test]
    fn who_could_not_be_told_apart_is_known_before_they_come() {
        let here = map(
            &json!({ "email": "a@acme.test", "given_name": "Ada", "family_name": "King", "custom:no": "7" }),
        );
        for (brought, numbers, told) in [
            (
                ["email", "given_name", "family_name"].as_slice(),
                [].as_slice(),
                true,
            ),
            (&["email", "custom:no"], &["custom:no"], true),
            (&["email", "custom:no"], &[], false),
            (&["email", "name"], &[], false),
            (&["email", "given_name"], &[], false),
            (&[], &[], false),
        ] {
            assert_eq!(indistinct(&here, brought, numbers).is_none(), told, "{brought:?}");
        }
    }
}
