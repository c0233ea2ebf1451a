//! Claim contracts: which claims of which type an app needs in its ID tokens and userInfo answers. A mapping that would
//! break one is not saved without saying so, and what is minted never holds a claim of another type than the contract
//! has: such a claim is left out, since an app is better off without it than with something it cannot read.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value, json};

use super::attribute::Mistake;
use super::claims::is_reserved;
use crate::model::client::{Client, ContractClaim, ContractKind};

/// Claims of one contract.
const MAX_CLAIMS: usize = 64;
const MAX_NAME: usize = 256;
/// Values that one claim may be limited to.
const MAX_VALUES: usize = 200;

/// How claims fall short of a contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    pub claim: String,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Missing,
    /// Another type than wanted.
    Type {
        wanted: ContractKind,
        found: &'static str,
    },
    /// A value that is not among the listed ones.
    Value,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = &self.claim;
        match &self.why {
            Why::Missing => write!(f, "'{claim}' is required and would be missing"),
            Why::Type { wanted, found } => {
                write!(f, "'{claim}' must be of type {wanted} and would be {found}")
            }
            Why::Value => write!(f, "'{claim}' would have a value that the contract does not list"),
        }
    }
}

/// What these claims lack.
pub fn check(contract: &[ContractClaim], claims: &Map<String, Value>) -> Vec<Breach> {
    contract
        .iter()
        .filter_map(|wanted| {
            let why = match claims.get(&wanted.claim) {
                None if wanted.required => Why::Missing,
                None => return None,
                Some(value) if !is_of(wanted.kind, value) => Why::Type {
                    wanted: wanted.kind,
                    found: kind_of(value),
                },
                Some(value) if !is_listed(wanted, value) => Why::Value,
                Some(_) => return None,
            };
            Some(Breach {
                claim: wanted.claim.clone(),
                why,
            })
        })
        .collect()
}

/// Takes out what has another type than its contract says. Claims that only we set are never taken out.
pub fn keep_types(contract: &[ContractClaim], claims: &mut Map<String, Value>) {
    for wanted in contract {
        if !is_reserved(&wanted.claim)
            && claims
                .get(&wanted.claim)
                .is_some_and(|value| !is_of(wanted.kind, value))
        {
            claims.remove(&wanted.claim);
        }
    }
}

/// What is wrong with a contract itself.
pub fn mistakes(contract: &[ContractClaim]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut seen = HashSet::new();
    if contract.len() > MAX_CLAIMS {
        mistakes.push(Mistake::new(
            "contract",
            format!("has more than {MAX_CLAIMS} claims"),
        ));
    }
    for wanted in contract {
        let mut say = |reason: String| mistakes.push(Mistake::new(&wanted.claim, reason));
        let name = wanted.claim.as_str();
        if name.is_empty()
            || name.trim() != name
            || name.chars().count() > MAX_NAME
            || name.chars().any(char::is_control)
        {
            say(format!("must be a claim's name of 1 to {MAX_NAME} characters"));
        }
        if !seen.insert(name) {
            say("is listed twice".into());
        }
        if !wanted.one_of.is_empty() && !matches!(wanted.kind, ContractKind::String | ContractKind::Array) {
            say(format!("lists values, but is of type {}", wanted.kind));
        }
        if wanted.one_of.len() > MAX_VALUES
            || wanted.one_of.iter().any(|value| value.chars().count() > MAX_NAME)
        {
            say(format!(
                "lists more than {MAX_VALUES} values, or one of more than {MAX_NAME} characters"
            ));
        }
    }
    mistakes
}

/// The contract as JSON Schema (2020-12), for the app to check its tokens with.
pub fn json_schema(client: &Client) -> Value {
    let contract = &client.settings.contract;
    let properties: Map<String, Value> = contract
        .iter()
        .map(|wanted| {
            let mut schema = json!({ "type": wanted.kind });
            match wanted.kind {
                ContractKind::String if !wanted.one_of.is_empty() => schema["enum"] = json!(wanted.one_of),
                ContractKind::Array if !wanted.one_of.is_empty() => {
                    schema["items"] = json!({ "enum": wanted.one_of });
                }
                _ => {}
            }
            (wanted.claim.clone(), schema)
        })
        .collect();
    let required: Vec<&str> = contract
        .iter()
        .filter(|wanted| wanted.required)
        .map(|wanted| wanted.claim.as_str())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Claims of {}", client.name),
        "type": "object",
        "properties": properties,
        "required": required,
    })
}

fn is_of(kind: ContractKind, value: &Value) -> bool {
    match kind {
        ContractKind::String => value.is_string(),
        ContractKind::Number => value.is_number(),
        ContractKind::Boolean => value.is_boolean(),
        ContractKind::Array => value.is_array(),
        ContractKind::Object => value.is_object(),
    }
}

fn is_listed(wanted: &ContractClaim, value: &Value) -> bool {
    let listed = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| wanted.one_of.iter().any(|one| one == text))
    };
    match value {
        _ if wanted.one_of.is_empty() => true,
        Value::Array(items) => items.iter().all(listed),
        other => listed(other),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(claim: &str, kind: ContractKind, required: bool, one_of: &[&str]) -> ContractClaim {
        ContractClaim {
            claim: claim.into(),
            kind,
            required,
            one_of: one_of.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn each_way_to_fall_short_is_told() {
        let contract = [
            wanted("email", ContractKind::String, true, &[]),
            wanted("level", ContractKind::Number, false, &[]),
            wanted("cognito:groups", ContractKind::Array, false, &["a", "b"]),
            wanted("plan", ContractKind::String, false, &["pro"]),
        ];
        for (claims, told) in [
            (json!({"email": "a@b.c"}), vec![]),
            (
                json!({"email": "a@b.c", "level": 1, "cognito:groups": ["a"], "plan": "pro", "other": {}}),
                vec![],
            ),
            (json!({}), vec!["'email' is required and would be missing"]),
            (
                json!({"email": ["x"]}),
                vec!["'email' must be of type string and would be array"],
            ),
            (
                json!({"email": "", "level": "1", "cognito:groups": ["c"], "plan": "free"}),
                vec![
                    "'level' must be of type number and would be string",
                    "'cognito:groups' would have a value that the contract does not list",
                    "'plan' would have a value that the contract does not list",
                ],
            ),
        ] {
            let breaches = check(&contract, claims.as_object().unwrap());
            assert_eq!(
                breaches.iter().map(ToString::to_string).collect::<Vec<_>>(),
                told,
                "{claims}"
            );
        }
    }

    #[test]
    fn claims_of_another_type_go_unless_only_we_set_them() {
        let contract = [
            wanted("level", ContractKind::Number, true, &[]),
            wanted("sub", ContractKind::Number, true, &[]),
            wanted("name", ContractKind::String, true, &[]),
        ];
        let mut claims = json!({"level": "1", "sub": "x", "name": "Ada", "other": 1})
            .as_object()
            .cloned()
            .unwrap();
        keep_types(&contract, &mut claims);
        assert_eq!(
            Value::Object(claims),
            json!({"sub": "x", "name": "Ada", "other": 1})
        );
    }

    #[test]
    fn a_contract_itself_is_checked() {
        for (wrong, said) in [
            (wanted("", ContractKind::String, true, &[]), "name"),
            (wanted(" a", ContractKind::String, true, &[]), "name"),
            (wanted("ok", ContractKind::String, true, &[]), "twice"),
            (wanted("a", ContractKind::Number, true, &["1"]), "type number"),
        ] {
            let found = mistakes(&[wanted("ok", ContractKind::String, true, &["x"]), wrong.clone()]);
            assert!(
                found.len() == 1 && found[0].reason.contains(said),
                "{wrong:?}: {found:?}"
            );
        }
        let many = vec![wanted("a", ContractKind::String, true, &[]); 65];
        assert!(mistakes(&many)[0].reason.contains("64"));
    }
}
