//! A pool's attribute schema as rules: which definitions are acceptable, how a claim of any JSON type becomes the value
//! that is stored, and how a stored value looks outside (Cognito's strings) and in tokens (OIDC Core §5.1's types).
//!
//! Inside, a value has its real JSON type: a number, a truth value, a text, or the array or object that came for a
//! String attribute. Which claim sets which attribute, and when, is `rules::mapping`'s business.

use std::collections::HashSet;
use std::fmt;

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Number, Value, json};

use super::email::Email;
use crate::model::pool::{Attribute, AttributeType, STANDARD, Settings};
use crate::world::UnixTime;

/// What a value may have, counted in characters of its outside form.
pub const MAX_CHARACTERS: usize = 2048;
/// Custom attributes of one pool.
pub const MAX_CUSTOM: usize = 50;
/// Every custom attribute's name begins so.
pub const CUSTOM: &str = "custom:";
const MAX_CUSTOM_NAME: usize = 20;

/// Something that cannot be saved as it is: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub place: String,
    pub reason: String,
}

impl Mistake {
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Mistake {
        Mistake {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Checks the attributes that a pool defines or redefines.
pub fn check_schema(attributes: &[Attribute]) -> Vec<Mistake> {
    let mut seen = HashSet::new();
    let mut mistakes: Vec<Mistake> = attributes
        .iter()
        .filter_map(|attribute| {
            let reason = match check_definition(attribute) {
                Err(reason) => reason,
                Ok(()) if !seen.insert(&attribute.name) => "is defined twice".into(),
                Ok(()) => return None,
            };
            Some(Mistake::new(&attribute.name, reason))
        })
        .collect();
    let custom = attributes
        .iter()
        .filter(|attribute| attribute.name.starts_with(CUSTOM))
        .count();
    if custom > MAX_CUSTOM {
        mistakes.push(Mistake::new(
            "attributes",
            format!("a pool has at most {MAX_CUSTOM} custom attributes, these are {custom}"),
        ));
    }
    mistakes
}

/// Checks one definition; the error completes the sentence "the attribute …".
pub fn check_definition(attribute: &Attribute) -> Result<(), String> {
    if let Some(name) = attribute.name.strip_prefix(CUSTOM) {
        let length = name.chars().count();
        if length == 0 || length > MAX_CUSTOM_NAME {
            return Err(format!(
                "must have 1 to {MAX_CUSTOM_NAME} characters after '{CUSTOM}', not {length}"
            ));
        }
        if let Some(odd) = name.chars().find(|&c| !is_name_character(c)) {
            return Err(format!(
                "has {odd:?} in its name: letters, digits and _ - . + @ / # are allowed"
            ));
        }
        if attribute.required {
            return Err("is custom: Required custom attributes are not supported currently.".into());
        }
        return Ok(());
    }
    match STANDARD.iter().find(|(name, _)| *name == attribute.name) {
        Some((_, kind)) if *kind != attribute.kind => Err(format!(
            "is a standard attribute of type {kind}, not {}",
            attribute.kind
        )),
        Some(_) => Ok(()),
        None => Err(format!(
            "is not a standard attribute; one of your own is named '{CUSTOM}…'"
        )),
    }
}

/// Checks a client's list of attributes to read or, if `writing`, to write.
pub fn check_names(settings: &Settings, names: &[String], writing: bool) -> Vec<Mistake> {
    names
        .iter()
        .filter_map(|name| {
            let reason = match (name.as_str(), writing) {
                ("sub" | "identities", false) => return None,
                ("sub" | "identities", true) => "is never written by a client",
                (flag, true) if is_verified_flag(flag) => {
                    "follows from its address and is never written by a client"
                }
                _ if settings.attribute(name).is_some() => return None,
                _ => "Attribute does not exist in the schema.",
            };
            Some(Mistake::new(format!("user.{name}"), reason))
        })
        .collect()
}

/// `email_verified` and `phone_number_verified`: what they say is about another attribute.
pub fn is_verified_flag(name: &str) -> bool {
    matches!(name, "email_verified" | "phone_number_verified")
}

/// Turns a claim into the value to store; `None` when the claim is blank, which clears. The error completes the
/// sentence "the value …".
pub fn from_claim(attribute: &Attribute, claim: &Value) -> Result<Option<Value>, String> {
    if is_verified_flag(&attribute.name) {
        return Ok(Some(Value::Bool(attests(claim))));
    }
    if is_blank(claim) {
        return Ok(None);
    }
    let value = match attribute.kind {
        AttributeType::String => text_value(&attribute.name, claim)?,
        AttributeType::Number => number(claim)?,
        AttributeType::DateTime => date_time(claim)?,
        AttributeType::Boolean => match claim {
            Value::Bool(truth) => Value::Bool(*truth),
            Value::String(word) if word == "true" || word == "false" => Value::Bool(word == "true"),
            other => return Err(format!("must be true or false, not {}", describe(other))),
        },
    };
    let length = outside(&value).chars().count();
    if length > MAX_CHARACTERS {
        return Err(format!(
            "must be no longer than {MAX_CHARACTERS} characters, this has {length}"
        ));
    }
    Ok(Some(value))
}

/// True only for JSON `true` and the string "true": nothing else vouches for an address (1, "TRUE", `[true]`…).
pub fn attests(claim: &Value) -> bool {
    match claim {
        Value::Bool(truth) => *truth,
        Value::String(word) => word == "true",
        _ => false,
    }
}

/// A claim that came without a value. OIDC Core §5.3.2 wants neither null nor empty strings; both mean "nothing".
fn is_blank(claim: &Value) -> bool {
    match claim {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The string form of a stored value, as Cognito's API and userInfo show it. Arrays are flattened to `[a,b]` with
/// form-URL-encoded elements; objects are JSON.
pub fn outside(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Object(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| {
                    let text = match item {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                })
                .collect();
            format!("[{}]", items.join(","))
        }
    }
}

/// The value as tokens carry it: OIDC Core §5.1's type for a standard attribute, always a string for a custom one.
pub fn in_token(attribute: &Attribute, value: &Value) -> Value {
    if attribute.name.starts_with(CUSTOM) {
        return Value::String(outside(value));
    }
    match attribute.kind {
        AttributeType::Boolean => Value::Bool(attests(value)),
        AttributeType::Number => number(value).unwrap_or_else(|_| Value::String(outside(value))),
        AttributeType::String if attribute.name == "address" => address(value),
        AttributeType::String | AttributeType::DateTime => Value::String(outside(value)),
    }
}

/// OIDC Core §5.1.1: the address is an object; one that is kept as a plain text is its `formatted` member.
fn address(value: &Value) -> Value {
    let text = match value {
        Value::Object(_) => return value.clone(),
        other => outside(other),
    };
    match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(members) => Value::Object(members),
        Err(_) => json!({ "formatted": text }),
    }
}

fn text_value(name: &str, claim: &Value) -> Result<Value, String> {
    let text = match (name, claim) {
        ("email" | "phone_number" | "birthdate", Value::String(text)) => text,
        ("email" | "phone_number" | "birthdate", other) => {
            return Err(format!("must be a text, not {}", describe(other)));
        }
        (_, Value::Bool(_) | Value::Number(_)) => return Ok(Value::String(outside(claim))),
        // Texts as they are; arrays and objects keep their structure inside.
        _ => return Ok(claim.clone()),
    };
    match name {
        "email" => Email::parse(text)
            .map(|email| Value::String(email.to_string()))
            .map_err(|why| format!("is not an email address that can be used: it {why}")),
        "phone_number" if !is_e164(text) => {
            Err("is not a phone number in the form +14155550100 (E.164)".into())
        }
        "birthdate" if text.chars().count() != 10 => {
            Err("must have exactly 10 characters, as in 1815-12-10".into())
        }
        _ => Ok(claim.clone()),
    }
}

/// ITU-T E.164: a plus sign and up to fifteen digits, the first of them not zero.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn number(claim: &Value) -> Result<Value, String> {
    let parsed = match claim {
        Value::Number(number) if !number.is_f64() => return Ok(claim.clone()),
        Value::Number(number) => number.as_f64().and_then(decimal),
        Value::String(text) => integer(text)
            .or_else(|| decimal_text(text))
            // Some providers write `updated_at` as a date.
            .or_else(|| {
                DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|time| time.timestamp().into())
            }),
        _ => None,
    };
    parsed
        .map(Value::Number)
        .ok_or_else(|| format!("must be a number, not {}", describe(claim)))
}

fn integer(text: &str) -> Option<Number> {
    text.parse::<i64>().ok().map(Number::from)
}

fn decimal_text(text: &str) -> Option<Number> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    plain.then(|| text.parse().ok()).flatten().and_then(decimal)
}

/// Fifteen significant digits, within a range where text and number convert exactly in both directions: a value that
/// came back from the database a little different would look like a change at every sign-in.
fn decimal(given: f64) -> Option<Number> {
    let rounded: f64 = format!("{given:.14e}").parse().ok()?;
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        return format!("{rounded:.0}").parse::<i64>().ok().map(Number::from);
    }
    ((1e-7..1e15).contains(&rounded.abs()))
        .then(|| Number::from_f64(rounded))
        .flatten()
}

fn date_time(claim: &Value) -> Result<Value, String> {
    let text = match claim {
        Value::String(text)
            if DateTime::parse_from_rfc3339(text).is_ok()
                || NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() =>
        {
            Some(text.clone())
        }
        Value::Number(seconds) => seconds
            .as_i64()
            .filter(|&seconds| DateTime::from_timestamp(seconds, 0).is_some())
            .map(|seconds| UnixTime(seconds).to_string()),
        _ => None,
    };
    text.map(Value::String).ok_or_else(|| {
        format!(
            "must be a date like 2026-01-31 or 2026-01-31T12:00:00Z, or seconds since 1970, not {}",
            describe(claim)
        )
    })
}

/// The JSON type in words, never the value.
fn describe(claim: &Value) -> &'static str {
    match claim {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "this number",
        Value::String(_) => "this text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Neither `=` nor `,`, which separate in the command line's form of a rule, nor a second colon.
fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || "_-.+@/#".contains(c)
}

#[cfg(test)]
mod tests;
