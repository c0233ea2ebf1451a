//! The claims of a token after the pool's hook: what it adds or replaces, what it takes away, whose groups it names
//! instead. What is reserved was left out when the answer was read (`rules::hook::tokens`).

use serde_json::{Map, Value, json};

use super::{TooLarge, bounded};
use crate::model::client::Client;
use crate::model::overrides::{ClaimChanges, GroupOverride, Overrides};
use crate::rules::contract;

pub fn id_token(
    mut claims: Map<String, Value>,
    overrides: &Overrides,
    client: &Client,
) -> Result<Map<String, Value>, TooLarge> {
    change(&mut claims, &overrides.id_token);
    contract::keep_types(&client.settings.contract, &mut claims);
    if let Some(groups) = &overrides.groups {
        replace_groups(&mut claims, groups);
        set_or_remove(
            &mut claims,
            "cognito:roles",
            json!(groups.roles),
            groups.roles.is_empty(),
        );
        let role = groups.preferred_role.as_deref();
        set_or_remove(&mut claims, "cognito:preferred_role", json!(role), role.is_none());
    }
    bounded(claims)
}

/// `resource`: the token is for one, which then stays its audience (RFC 8707 §2).
pub fn access_token(
    mut claims: Map<String, Value>,
    overrides: &Overrides,
    resource: Option<&str>,
) -> Result<Map<String, Value>, TooLarge> {
    let audience = claims.get("aud").filter(|_| resource.is_some()).cloned();
    change(&mut claims, &overrides.access_token);
    if let Some(audience) = audience {
        claims.insert("aud".into(), audience);
    }
    if let Some(groups) = overrides
        .groups
        .as_ref()
        .filter(|_| overrides.groups_of_access_token)
    {
        replace_groups(&mut claims, groups);
    }
    let scopes = scopes(
        claims.get("scope").and_then(Value::as_str).unwrap_or_default(),
        overrides,
    );
    claims.insert("scope".into(), json!(scopes));
    bounded(claims)
}

/// The scopes of an access token after the hook, blank-separated: what is suppressed goes, even if it is added, too.
pub fn scopes(granted: &str, overrides: &Overrides) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let added = overrides.scopes_to_add.iter().map(String::as_str);
    for scope in granted.split(' ').chain(added) {
        let suppressed = overrides.scopes_to_suppress.iter().any(|other| other == scope);
        if !scope.is_empty() && !suppressed && !kept.contains(&scope) {
            kept.push(scope);
        }
    }
    kept.join(" ")
}

fn change(claims: &mut Map<String, Value>, changes: &ClaimChanges) {
    claims.extend(changes.add.clone());
    for name in &changes.suppress {
        claims.remove(name);
    }
}

fn replace_groups(claims: &mut Map<String, Value>, groups: &GroupOverride) {
    set_or_remove(
        claims,
        "cognito:groups",
        json!(groups.groups),
        groups.groups.is_empty(),
    );
}

fn set_or_remove(claims: &mut Map<String, Value>, name: &str, value: Value, none: bool) {
    if none {
        claims.remove(name);
    } else {
        claims.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn suppressing_wins_over_adding() {
        let overrides = Overrides {
            access_token: ClaimChanges {
                add: object(json!({ "tenant": "acme", "plan": "gold" })),
                suppress: vec!["plan".into()],
            },
            scopes_to_add: vec!["api/admin".into(), "email".into()],
            scopes_to_suppress: vec!["email".into()],
            ..Overrides::default()
        };
        let claims = object(json!({ "scope": "openid email", "aud": "issuer", "plan": "old" }));
        let changed = access_token(claims, &overrides, None).unwrap();
        assert_eq!(
            Value::Object(changed),
            json!({ "scope": "openid api/admin", "aud": "issuer", "tenant": "acme" })
        );
    }

    #[test]
    fn a_resource_stays_the_audience() {
        let mut overrides = Overrides::default();
        overrides.access_token.add = object(json!({ "aud": "client" }));
        let claims = || object(json!({ "scope": "openid", "aud": "https://api" }));
        let bound = access_token(claims(), &overrides, Some("https://api")).unwrap();
        assert_eq!(bound["aud"], "https://api");
        assert_eq!(access_token(claims(), &overrides, None).unwrap()["aud"], "client");
    }

    #[test]
    fn groups_of_the_access_token_are_the_later_versions() {
        let mut overrides = Overrides {
            groups: Some(GroupOverride {
                groups: vec!["admins".into()],
                ..GroupOverride::default()
            }),
            ..Overrides::default()
        };
        let claims = || object(json!({ "scope": "openid", "cognito:groups": ["own"] }));
        let first = access_token(claims(), &overrides, None).unwrap();
        assert_eq!(first["cognito:groups"], json!(["own"]));
        overrides.groups_of_access_token = true;
        let later = access_token(claims(), &overrides, None).unwrap();
        assert_eq!(later["cognito:groups"], json!(["admins"]));
        overrides.groups = Some(GroupOverride::default());
        let none = access_token(claims(), &overrides, None).unwrap();
        assert!(!none.contains_key("cognito:groups"));
    }
}
