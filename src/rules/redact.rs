//! What a trace or an audit event may show of a claim or attribute: enough to follow a mapping ("the same address as
//! before", "a list where a text was wanted"), not enough to learn a person's data. By class: truth values as they
//! are, email addresses as `a***@domain`, identifiers as a short hash, anything else as its type and length; and so is
//! everything that an expression made.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::email::Email;

/// Names whose values identify an account somewhere: shown as a hash, so that equal ones can be told to be equal.
const IDENTIFIERS: &[&str] = &[
    "sub", "oid", "uid", "sid", "jti", "idp", "id", "user_id", "at_hash",
];

/// The redacted form of the value that a claim or attribute of that name has.
pub fn value(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("number({})", number.to_string().len()),
        Value::String(text) if text.is_empty() => "empty".into(),
        Value::String(text) if IDENTIFIERS.contains(&name) => identifier(text),
        Value::String(text) => match Email::parse(text) {
            Ok(email) => email_address(&email),
            Err(_) => hidden(text),
        },
        Value::Array(items) => format!("list({})", items.len()),
        Value::Object(members) => format!("object({})", members.len()),
    }
}

/// The redacted form of an attribute's value. What an expression made may be anything that it read, put in whatever form
/// shows most of it: of that only type and length are told.
pub fn attribute(name: &str, value: &Value, computed: bool) -> String {
    match value {
        _ if !computed => self::value(name, value),
        Value::Bool(_) => "truth value".into(),
        Value::String(text) => hidden(text),
        other => self::value("", other),
    }
}

/// A text of which only the length is told.
pub fn hidden(text: &str) -> String {
    format!("text({})", text.chars().count())
}

/// Each claim's redacted form under its own name.
pub fn claims(claims: &Map<String, Value>) -> Map<String, Value> {
    claims
        .iter()
        .map(|(name, claim)| (name.clone(), Value::String(value(name, claim))))
        .collect()
}

/// An identifier as the first eight hexadecimal digits of its SHA-256.
pub fn identifier(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("#{hex}")
}

fn email_address(email: &Email) -> String {
    let mut local = email.local().chars();
    match (local.next(), local.next()) {
        (Some(first), Some(_)) => format!("{first}***@{}", email.domain()),
        // The first character would be all of it.
        _ => format!("***@{}", email.domain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_class_has_its_form() {
        for (name, given, shown) in [
            ("email", json!("ada@acme.test"), "a***@acme.test"),
            ("email", json!("a@acme.test"), "***@acme.test"),
            ("preferred_username", json!("Ada@ACME.test"), "A***@acme.test"),
            ("email", json!("not an address"), "text(14)"),
            ("given_name", json!("Ada"), "text(3)"),
            ("nickname", json!("Ädä"), "text(3)"),
            ("nickname", json!(""), "empty"),
            ("email_verified", json!(true), "true"),
            ("updated_at", json!(1_754_000_000), "number(10)"),
            ("groups", json!(["a", "b"]), "list(2)"),
            ("address", json!({"country": "GB"}), "object(1)"),
            ("name", json!(null), "null"),
        ] {
            assert_eq!(value(name, &given), shown, "{name}");
        }
        let shown = value("sub", &json!("00u1ada"));
        assert!(shown.starts_with('#') && shown.len() == 9 && !shown.contains("ada"));
        assert_eq!(
            shown,
            value("sub", &json!("00u1ada")),
            "equal identifiers look equal"
        );
        assert_ne!(shown, value("sub", &json!("00u1eve")));
    }

    #[test]
    fn of_what_an_expression_made_only_type_and_length_are_told() {
        for (given, shown) in [
            (json!("x@secret.example"), "text(16)"),
            (json!(""), "text(0)"),
            (json!(true), "truth value"),
            (json!(42), "number(2)"),
            (json!(["secret"]), "list(1)"),
        ] {
            assert_eq!(attribute("email", &given, true), shown);
            assert_eq!(attribute("sub", &given, true), shown);
        }
        assert_eq!(
            attribute("email", &json!("ada@acme.test"), false),
            "a***@acme.test"
        );
    }

    #[test]
    fn no_value_survives_in_a_whole_claim_set() {
        let Value::Object(set) = json!({
            "sub": "00u1ada", "email": "lovelace@acme.test", "name": "Ada Lovelace", "phone_number": "+441234567",
            "groups": ["Engineering"], "address": {"locality": "London"}
        }) else {
            unreachable!()
        };
        let shown = Value::Object(claims(&set)).to_string();
        for secret in [
            "00u1ada",
            "lovelace@",
            "Lovelace",
            "1234567",
            "Engineering",
            "London",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
