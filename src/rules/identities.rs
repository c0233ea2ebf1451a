//! Cognito's `identities`: which upstream accounts a profile is linked to. An attribute in the API and in hooks' events, a
//! claim in ID tokens; `issuer` is null for OpenID providers in both.

use serde_json::{Value, json};

use crate::model::user::Identity;

/// The attribute: JSON in a string.
pub fn attribute(identities: &[Identity]) -> String {
    shape(identities, |identity| {
        (json!(identity.is_primary), json!(identity.created_ms))
    })
    .to_string()
}

/// The claim, which has strings where the attribute has a truth value and a number.
pub fn claim(identities: &[Identity]) -> Value {
    shape(identities, |identity| {
        let (primary, created) = (identity.is_primary, identity.created_ms);
        (json!(primary.to_string()), json!(created.to_string()))
    })
}

/// `told` gives `primary` and `dateCreated`.
fn shape(identities: &[Identity], told: fn(&Identity) -> (Value, Value)) -> Value {
    identities
        .iter()
        .map(|identity| {
            let (primary, created) = told(identity);
            json!({
                "userId": identity.subject, "providerName": identity.provider_name, "providerType": "OIDC",
                "issuer": null, "primary": primary, "dateCreated": created,
            })
        })
        .collect()
}
