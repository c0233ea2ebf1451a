//! What a pre token generation hook answers, in its three versions, read into [`Overrides`]. A claim that is not the
//! hook's to touch is left out and named, so that the trace can say so; an answer of the wrong shape is none.

use serde_json::{Map, Value};

use crate::model::lambda_config::Version;
use crate::model::overrides::{ClaimChanges, GroupOverride, Overrides};
use crate::rules::claims::is_reserved;
use crate::rules::scope::is_scope;

/// Claims and scopes that one answer may have, as in Cognito.
const MOST: usize = 5_000;
/// Claims whose values are never objects or lists.
const PLAIN: [&str; 4] = ["address", "updated_at", "email_verified", "phone_number_verified"];

/// What the answer changes, if anything, and the claims it named in vain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub overrides: Option<Overrides>,
    pub ignored: Vec<String>,
}

/// Reads the `response` of a token event.
pub fn read(version: Version, client_id: &str, response: &Map<String, Value>) -> Result<Read, String> {
    let member = match version {
        Version::V1 => "claimsOverrideDetails",
        Version::V2 | Version::V3 => "claimsAndScopeOverrideDetails",
    };
    let Some(details) = object(response, member)? else {
        return Ok(Read::default());
    };
    let mut reader = Reader {
        client_id,
        only_text: version == Version::V1,
        ignored: Vec::new(),
        count: 0,
    };
    let mut overrides = Overrides {
        groups: groups(details)?,
        ..Overrides::default()
    };
    if version == Version::V1 {
        overrides.id_token = reader.changes(details, Token::Id)?;
    } else {
        if let Some(id) = object(details, "idTokenGeneration")? {
            overrides.id_token = reader.changes(id, Token::Id)?;
        }
        if let Some(access) = object(details, "accessTokenGeneration")? {
            overrides.access_token = reader.changes(access, Token::Access)?;
            overrides.scopes_to_add = scopes(access, "scopesToAdd")?;
            overrides.scopes_to_suppress = scopes(access, "scopesToSuppress")?;
        }
        overrides.groups_of_access_token = true;
    }
    let scopes = overrides.scopes_to_add.len() + overrides.scopes_to_suppress.len();
    if reader.count + scopes > MOST {
        return Err(format!("more than {MOST} claims and scopes"));
    }
    Ok(Read {
        overrides: Some(overrides),
        ignored: reader.ignored,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Id,
    Access,
}

struct Reader<'a> {
    client_id: &'a str,
    /// The first version's values are strings.
    only_text: bool,
    ignored: Vec<String>,
    count: usize,
}

impl Reader<'_> {
    fn changes(&mut self, given: &Map<String, Value>, token: Token) -> Result<ClaimChanges, String> {
        let mut changes = ClaimChanges::default();
        if let Some(add) = object(given, "claimsToAddOrOverride")? {
            self.count += add.len();
            for (name, value) in add {
                if self.only_text && !value.is_string() {
                    return Err("claimsToAddOrOverride has a value that is not a string".into());
                }
                if self.may_add(name, value, token) {
                    changes.add.insert(name.clone(), value.clone());
                } else {
                    self.ignored.push(name.clone());
                }
            }
        }
        for name in texts(given, "claimsToSuppress")? {
            self.count += 1;
            if is_reserved(&name) {
                self.ignored.push(name);
            } else {
                changes.suppress.push(name);
            }
        }
        Ok(changes)
    }

    fn may_add(&self, name: &str, value: &Value, token: Token) -> bool {
        if token == Token::Access && name == "aud" {
            return value.as_str() == Some(self.client_id);
        }
        let complex = value.is_object() || value.is_array();
        let named = !name.trim().is_empty() && !name.starts_with("dev:") && !is_reserved(name);
        named && !value.is_null() && (!complex || !PLAIN.contains(&name))
    }
}

/// What replaces the groups. One that is there and says nothing takes them away.
fn groups(details: &Map<String, Value>) -> Result<Option<GroupOverride>, String> {
    let Some(given) = details.get("groupOverrideDetails") else {
        return Ok(None);
    };
    let given = match given {
        Value::Null => return Ok(Some(GroupOverride::default())),
        Value::Object(given) => given,
        _ => return Err("groupOverrideDetails is not an object".into()),
    };
    Ok(Some(GroupOverride {
        groups: texts(given, "groupsToOverride")?,
        roles: texts(given, "iamRolesToOverride")?,
        preferred_role: match given.get("preferredRole") {
            None | Some(Value::Null) => None,
            Some(Value::String(role)) => Some(role.clone()).filter(|role| !role.is_empty()),
            Some(_) => return Err("preferredRole is not a string".into()),
        },
    }))
}

fn object<'a>(given: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(format!("{name} is not an object")),
    }
}

fn texts(given: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{name} is not a list of strings");
    match given.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn scopes(given: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let scopes = texts(given, name)?;
    match scopes.iter().all(|scope| is_scope(scope)) {
        true => Ok(scopes),
        false => Err(format!("{name} has what is no scope; none has a blank")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn first(details: Value) -> Result<Read, String> {
        let response = json!({ "claimsOverrideDetails": details });
        read(Version::V1, "client", response.as_object().unwrap())
    }

    fn second(details: Value) -> Result<Read, String> {
        let response = json!({ "claimsAndScopeOverrideDetails": details });
        read(Version::V2, "client", response.as_object().unwrap())
    }

    #[test]
    fn nothing_said_changes_nothing() {
        for nothing in [json!({}), json!({ "claimsOverrideDetails": null })] {
            let read = read(Version::V1, "client", nothing.as_object().unwrap()).unwrap();
            assert_eq!(read, Read::default());
        }
    }

    #[test]
    fn the_first_version_has_strings_for_the_id_token() {
        let found = first(json!({
            "claimsToAddOrOverride": { "tenant": "acme", "sub": "me" }, "claimsToSuppress": ["email", "cognito:groups"]
        }))
        .unwrap();
        let overrides = found.overrides.unwrap();
        assert_eq!(Value::Object(overrides.id_token.add), json!({ "tenant": "acme" }));
        assert_eq!(overrides.id_token.suppress, ["email"]);
        assert_eq!(overrides.access_token, ClaimChanges::default());
        assert!(!overrides.groups_of_access_token);
        assert_eq!(found.ignored, ["sub", "cognito:groups"]);
        assert!(first(json!({ "claimsToAddOrOverride": { "n": 1 } })).is_err());
    }

    #[test]
    fn groups_are_kept_replaced_or_taken_away() {
        assert_eq!(first(json!({})).unwrap().overrides.unwrap().groups, None);
        for none in [json!(null), json!({})] {
            let found = first(json!({ "groupOverrideDetails": none })).unwrap();
            assert_eq!(found.overrides.unwrap().groups, Some(GroupOverride::default()));
        }
        let found = second(json!({ "groupOverrideDetails": {
            "groupsToOverride": ["admins"], "iamRolesToOverride": ["r"], "preferredRole": ""
        } }));
        assert_eq!(
            found.unwrap().overrides.unwrap().groups,
            Some(GroupOverride {
                groups: vec!["admins".into()],
                roles: vec!["r".into()],
                preferred_role: None
            })
        );
    }

    #[test]
    fn what_is_ours_is_not_the_hooks() {
        let reserved = [
            "acr",
            "amr",
            "at_hash",
            "aud",
            "auth_time",
            "azp",
            "client_id",
            "device_key",
            "event_id",
            "exp",
            "iat",
            "identities",
            "iss",
            "jti",
            "nbf",
            "nonce",
            "origin_jti",
            "sub",
            "token_use",
            "username",
            "version",
            "cognito:username",
            "cognito:anything",
            "SUB",
            " iss",
            "dev:x",
            "scope",
        ];
        let claims: Map<String, Value> = reserved
            .iter()
            .map(|name| ((*name).to_owned(), json!("x")))
            .collect();
        let found = second(json!({
            "idTokenGeneration": { "claimsToAddOrOverride": claims },
            "accessTokenGeneration": { "claimsToAddOrOverride": claims },
        }))
        .unwrap();
        let overrides = found.overrides.unwrap();
        assert!(overrides.id_token.add.is_empty() && overrides.access_token.add.is_empty());
        assert_eq!(found.ignored.len(), 2 * reserved.len());
        let audience = |aud: &str| {
            let found =
                second(json!({ "accessTokenGeneration": { "claimsToAddOrOverride": { "aud": aud } } }));
            found.unwrap().overrides.unwrap().access_token.add.len()
        };
        assert_eq!((audience("client"), audience("another")), (1, 0));
    }

    #[test]
    fn values_may_be_of_any_type_where_the_claim_allows_it() {
        let found = second(json!({ "accessTokenGeneration": { "claimsToAddOrOverride": {
            "tenant": { "id": 1 }, "levels": [1, 2], "on": true, "address": { "formatted": "x" }, "nothing": null
        }, "claimsToSuppress": ["dev:x"], "scopesToAdd": ["api/admin"], "scopesToSuppress": ["email"] } }))
        .unwrap();
        let overrides = found.overrides.unwrap();
        assert_eq!(
            Value::Object(overrides.access_token.add),
            json!({ "tenant": { "id": 1 }, "levels": [1, 2], "on": true })
        );
        assert_eq!(overrides.access_token.suppress, ["dev:x"]);
        assert_eq!(
            (overrides.scopes_to_add, overrides.scopes_to_suppress),
            (vec!["api/admin".into()], vec!["email".into()])
        );
    }

    #[test]
    fn a_wrong_shape_is_no_answer() {
        for wrong in [
            json!("x"),
            json!({ "idTokenGeneration": [] }),
            json!({ "idTokenGeneration": { "claimsToAddOrOverride": ["x"] } }),
            json!({ "idTokenGeneration": { "claimsToSuppress": "x" } }),
            json!({ "idTokenGeneration": { "claimsToSuppress": [1] } }),
            json!({ "accessTokenGeneration": { "scopesToAdd": ["a b"] } }),
            json!({ "groupOverrideDetails": "x" }),
            json!({ "groupOverrideDetails": { "preferredRole": 1 } }),
        ] {
            assert!(second(wrong.clone()).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=MOST).map(|n| format!("c{n}")).collect();
        assert!(second(json!({ "idTokenGeneration": { "claimsToSuppress": many } })).is_err());
    }
}
