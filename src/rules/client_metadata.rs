//! What an app says of itself when it registers (RFC 7591 §2), read into a client's settings; and a client as such metadata
//! again. What is not known is passed over, as the standard wants; what is known and not offered is refused.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{scope, token_in};
use crate::model::client::{Client, Flow, Settings};
use crate::world::UnixTime;

/// How long a client lives when its registration does not say, and how long at the most, in seconds.
const USUAL_LIFE: i64 = 86_400;
const LIVES: std::ops::RangeInclusive<i64> = 60..=90 * 86_400;

/// The members that mean something here. The last three are ours.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    initiate_login_uri: Option<String>,
    /// Needed where the credential reaches several pools.
    pub user_pool_id: Option<String>,
    /// Connections that its users come by; all that the pool has when it is not said.
    pub identity_providers: Option<Vec<String>>,
    /// Seconds.
    expires_in: Option<i64>,
}

/// A registration that can be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub settings: Settings,
    pub expires_at: UnixTime,
}

/// Why a registration is refused; the text is for the developer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl Metadata {
    pub fn read(document: Map<String, Value>) -> Result<Metadata, Refused> {
        serde_json::from_value(Value::Object(document))
            .map_err(|error| Refused(format!("the metadata cannot be read: {error}")))
    }

    /// What is wanted, with these connections where none are named.
    pub fn wanted(self, providers: Vec<String>, now: UnixTime) -> Result<Wanted, Refused> {
        let refuse = |why: String| Err(Refused(why));
        let public = match self.token_endpoint_auth_method.as_deref() {
            Some("none") => true,
            None | Some("client_secret_basic" | "client_secret_post") => false,
            Some(_) => {
                let known = "none, client_secret_basic or client_secret_post";
                return refuse(format!("token_endpoint_auth_method must be {known}"));
            }
        };
        let code = || vec!["authorization_code".to_owned()];
        let (mut flows, mut token_exchange) = (Vec::new(), false);
        for grant in self.grant_types.unwrap_or_else(code) {
            match grant.as_str() {
                "authorization_code" => flows.push(Flow::Code),
                // Comes with every code.
                "refresh_token" => {}
                token_in::GRANT_TYPE => token_exchange = true,
                _ => {
                    return refuse(format!(
                        "grant_types can have authorization_code, refresh_token and {}",
                        token_in::GRANT_TYPE
                    ));
                }
            }
        }
        if self
            .response_types
            .is_some_and(|types| types.iter().any(|kind| kind != "code"))
        {
            return refuse("response_types can have code only".into());
        }
        let life = self.expires_in.unwrap_or(USUAL_LIFE);
        if !LIVES.contains(&life) {
            return refuse(format!(
                "expires_in must be {} to {} seconds",
                LIVES.start(),
                LIVES.end()
            ));
        }
        Ok(Wanted {
            name: self.client_name.unwrap_or_else(|| "Registered app".into()),
            expires_at: now.plus(life),
            settings: Settings {
                redirect_uris: self.redirect_uris,
                logout_uris: self.post_logout_redirect_uris,
                initiate_login_uri: self.initiate_login_uri,
                flows,
                scopes: scope::parse(self.scope.as_deref().unwrap_or("openid profile email")),
                providers: self.identity_providers.unwrap_or(providers),
                public,
                token_exchange,
                // What comes and goes is no place for exceptions (RFC 9700 §2.1.1).
                require_pkce: true,
                ..Settings::default()
            },
        })
    }
}

/// The client as its registrant may see it (RFC 7591 §3.2.1, RFC 7592 §3).
pub fn shown(client: &Client, registration_uri: &str, expires_at: UnixTime) -> Map<String, Value> {
    let settings = &client.settings;
    let mut grants = Vec::new();
    if settings.flows.contains(&Flow::Code) {
        grants.extend(["authorization_code", "refresh_token"]);
    }
    if settings.token_exchange {
        grants.push(token_in::GRANT_TYPE);
    }
    let document = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at,
        "client_name": client.name,
        "redirect_uris": settings.redirect_uris,
        "post_logout_redirect_uris": settings.logout_uris,
        "initiate_login_uri": settings.initiate_login_uri,
        "token_endpoint_auth_method": if settings.public { "none" } else { "client_secret_basic" },
        "grant_types": grants,
        "response_types": if settings.flows.contains(&Flow::Code) { vec!["code"] } else { Vec::new() },
        "scope": settings.scopes.join(" "),
        "user_pool_id": client.user_pool_id,
        "identity_providers": settings.providers,
        "client_expires_at": expires_at,
        "registration_client_uri": registration_uri,
    });
    match document {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            members
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(document: Value) -> Result<Wanted, String> {
        let read = Metadata::read(document.as_object().unwrap().clone());
        read.and_then(|metadata| metadata.wanted(vec!["acme-okta".into()], UnixTime(1_000)))
            .map_err(|refused| refused.0)
    }

    #[test]
    fn what_is_not_said_has_the_standards_defaults_and_an_end() {
        let made = wanted(json!({ "redirect_uris": ["https://a.example.com/cb"], "jwks_uri": "https://x" }))
            .unwrap();
        assert_eq!(made.expires_at, UnixTime(1_000 + 86_400));
        assert_eq!(made.settings.flows, [Flow::Code]);
        assert_eq!(made.settings.providers, ["acme-okta"]);
        assert!(!made.settings.public && made.settings.require_pkce && !made.settings.token_exchange);
        let widget = json!({
            "token_endpoint_auth_method": "none", "grant_types": [token_in::GRANT_TYPE], "scope": "openid",
            "identity_providers": ["acme-widget"], "expires_in": 60,
        });
        let made = wanted(widget).unwrap();
        assert!(made.settings.public && made.settings.token_exchange && made.settings.flows.is_empty());
        assert_eq!(made.settings.providers, ["acme-widget"]);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for (document, why) in [
            (
                json!({ "token_endpoint_auth_method": "private_key_jwt" }),
                "token_endpoint_auth_method",
            ),
            (json!({ "grant_types": ["implicit"] }), "grant_types"),
            (json!({ "grant_types": ["client_credentials"] }), "grant_types"),
            (json!({ "response_types": ["token"] }), "response_types"),
            (json!({ "expires_in": 59 }), "expires_in"),
            (json!({ "expires_in": 7_776_001 }), "expires_in"),
            (
                json!({ "redirect_uris": "https://a.example.com/cb" }),
                "cannot be read",
            ),
        ] {
            assert!(wanted(document.clone()).unwrap_err().contains(why), "{document}");
        }
    }
}
