//! Users as Cognito's API shows them: every attribute a string, `sub` first, the linked identities as JSON text.

use serde_json::{Map, Value, json};

use super::wire;
use crate::model::client::Client;
use crate::model::user::{Identity, User};
use crate::rules::attribute;

/// `AttributeListType`: what this client may read, or everything.
pub fn attributes(user: &User, identities: &[Identity], client: Option<&Client>) -> Vec<Value> {
    let readable = client.and_then(|client| client.settings.read_attributes.as_deref());
    let mut shown = vec![json!({ "Name": "sub", "Value": user.sub })];
    if !identities.is_empty() {
        let linked: Vec<Value> = identities.iter().map(identity).collect();
        shown.push(json!({ "Name": "identities", "Value": Value::Array(linked).to_string() }));
    }
    shown.extend(
        user.attributes
            .iter()
            .filter(|(name, value)| {
                !value.is_null() && readable.is_none_or(|names| names.iter().any(|known| known == *name))
            })
            .map(|(name, value)| json!({ "Name": name, "Value": attribute::outside(value) })),
    );
    shown
}

/// As it stands in the stored attribute: unlike in tokens, `primary` is a truth value and `dateCreated` a number.
fn identity(identity: &Identity) -> Value {
    json!({
        "userId": identity.subject,
        "providerName": identity.provider_name,
        "providerType": "OIDC",
        "issuer": null,
        "primary": identity.is_primary,
        "dateCreated": identity.created_ms,
    })
}

/// `UserType`.
pub fn user_type(user: &User, identities: &[Identity]) -> Value {
    json!({
        "Username": user.username,
        "Attributes": attributes(user, identities, None),
        "UserCreateDate": wire::time(user.created_at),
        "UserLastModifiedDate": wire::time(user.updated_at),
        "Enabled": user.enabled,
        "UserStatus": user.status,
    })
}

/// `AttributeListType` as it comes in: the last of one name counts, one without a value is blank.
pub fn named_values(list: &[Value]) -> Map<String, Value> {
    list.iter()
        .filter_map(|item| {
            let name = item.get("Name")?.as_str()?;
            let value = item.get("Value").and_then(Value::as_str).unwrap_or_default();
            Some((name.to_owned(), json!(value)))
        })
        .collect()
}
