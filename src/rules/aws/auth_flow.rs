//! The sign-in flows of Cognito's API: which of them a client has (`ExplicitAuthFlows`), how a client with a secret shows
//! that it has it (`SECRET_HASH`), and how long a challenge waits for its answer (`AuthSessionValidity`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::model::client::{Client, Settings};
use crate::model::user::{Status, User};
use crate::rules::secret;
use crate::world::UnixTime;

/// The one scope of tokens that come of a sign-in through the API.
pub const SCOPE: &str = "aws.cognito.signin.user.admin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Password,
    AdminPassword,
    Srp,
    Refresh,
}

impl Flow {
    /// The flow of that name; nothing where it is not offered here.
    pub fn named(name: &str) -> Option<Flow> {
        match name {
            "USER_PASSWORD_AUTH" => Some(Flow::Password),
            "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => Some(Flow::AdminPassword),
            "USER_SRP_AUTH" => Some(Flow::Srp),
            "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => Some(Flow::Refresh),
            _ => None,
        }
    }

    /// Its names in `ExplicitAuthFlows`, the old one last.
    fn names(self) -> &'static [&'static str] {
        match self {
            Flow::Password => &["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
            Flow::AdminPassword => &["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"],
            Flow::Srp => &["ALLOW_USER_SRP_AUTH"],
            Flow::Refresh => &["ALLOW_REFRESH_TOKEN_AUTH"],
        }
    }

    /// Whether the client has it. A client that names none has SRP and refreshing; the old names, which stood beside
    /// those two, take neither away.
    pub fn is_of(self, settings: &Settings) -> bool {
        let named = named(settings);
        let old = named.iter().all(|name| !name.starts_with("ALLOW_"));
        let usual = match self {
            Flow::Refresh => old,
            Flow::Srp => old && !named.contains(&"CUSTOM_AUTH_FLOW_ONLY"),
            Flow::Password | Flow::AdminPassword => false,
        };
        usual || self.names().iter().any(|name| named.contains(name))
    }
}

fn named(settings: &Settings) -> Vec<&str> {
    settings
        .cognito
        .get("ExplicitAuthFlows")
        .and_then(Value::as_array)
        .map(|flows| flows.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Whether the client names this flow in so many words.
pub fn names(settings: &Settings, flow: &str) -> bool {
    named(settings).contains(&flow)
}

/// Whether the client wants an unknown user and a wrong password to look the same.
pub fn hides_existence(settings: &Settings) -> bool {
    settings
        .cognito
        .get("PreventUserExistenceErrors")
        .and_then(Value::as_str)
        == Some("ENABLED")
}

/// How long a challenge waits for its answer, in seconds.
pub fn challenge_seconds(settings: &Settings) -> i64 {
    let minutes = settings
        .cognito
        .get("AuthSessionValidity")
        .and_then(Value::as_i64);
    minutes.unwrap_or(3).clamp(3, 15) * 60
}

/// Whether a `SECRET_HASH` is what the client's secrets (in the clear) make of one of these usernames. `Err` says why not,
/// in Cognito's words.
pub fn check_secret_hash(
    client: &Client,
    secrets: &[impl AsRef<str>],
    usernames: &[&str],
    given: Option<&str>,
) -> Result<(), String> {
    let id = &client.id;
    match given {
        None if client.settings.public => Ok(()),
        None => Err(format!(
            "Client {id} is configured with secret but SECRET_HASH was not received"
        )),
        Some(_) if client.settings.public => Err(format!(
            "Client {id} is not configured for secret but secret hash was received"
        )),
        Some(given) => {
            let mut proved = false;
            for secret in secrets {
                for username in usernames {
                    let expected = secret_hash(secret.as_ref(), username, id);
                    proved |= secret::equal(expected.as_bytes(), given.as_bytes());
                }
            }
            if proved {
                Ok(())
            } else {
                Err(format!("Unable to verify secret hash for client {id}"))
            }
        }
    }
}

/// `SECRET_HASH`: HMAC-SHA-256 over username and client id.
pub fn secret_hash(secret: &str, username: &str, client_id: &str) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => {
            let mac = mac.chain_update(username).chain_update(client_id);
            STANDARD.encode(mac.finalize().into_bytes())
        }
        Err(_) => String::new(),
    }
}

/// What comes of a right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    SignedIn,
    /// The password was temporary: another has to be set first.
    NewPassword,
    Disabled,
    Unconfirmed,
    ResetRequired,
    /// The temporary password came too late.
    Expired,
}

/// Only ever told to somebody who has shown the right password.
pub fn standing(user: &User, temporary_until: Option<UnixTime>, now: UnixTime) -> Standing {
    if !user.enabled {
        return Standing::Disabled;
    }
    match (user.status, temporary_until) {
        (Status::Unconfirmed, _) => Standing::Unconfirmed,
        (Status::ResetRequired, _) => Standing::ResetRequired,
        (_, Some(until)) if until <= now => Standing::Expired,
        (Status::ForceChangePassword, _) | (_, Some(_)) => Standing::NewPassword,
        _ => Standing::SignedIn,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_has_the_flows_it_names_and_srp_and_refreshing_where_it_names_none() {
        let has = |flows: Value| {
            let mut settings = Settings::default();
            settings.cognito.insert("ExplicitAuthFlows".into(), flows);
            [Flow::Password, Flow::AdminPassword, Flow::Srp, Flow::Refresh].map(|flow| flow.is_of(&settings))
        };
        assert_eq!(has(Value::Null), [false, false, true, true]);
        assert_eq!(has(json!([])), [false, false, true, true]);
        assert_eq!(
            has(json!(["ALLOW_USER_PASSWORD_AUTH"])),
            [true, false, false, false]
        );
        assert_eq!(
            has(json!([
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH"
            ])),
            [false, true, false, true]
        );
        assert_eq!(has(json!(["ADMIN_NO_SRP_AUTH"])), [false, true, true, true]);
        assert_eq!(has(json!(["CUSTOM_AUTH_FLOW_ONLY"])), [false, false, false, true]);
    }

    #[test]
    fn a_challenge_waits_within_cognito_s_bounds() {
        let seconds = |minutes: Value| {
            let mut settings = Settings::default();
            settings.cognito.insert("AuthSessionValidity".into(), minutes);
            challenge_seconds(&settings)
        };
        assert_eq!(seconds(Value::Null), 180);
        assert_eq!(seconds(json!(15)), 900);
        assert_eq!(seconds(json!(99)), 900);
    }
}
