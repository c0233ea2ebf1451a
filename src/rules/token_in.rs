//! An ID token that an app brings in exchange for ours (RFC 8693): what such a request says, which connection the token is
//! verified by, and how a refusal is named. The choice is made on what nobody has verified, so it does no more than choose:
//! an issuer that no connection has is refused before anything is sent anywhere.

use serde_json::{Map, Value};

use super::oauth_error::Code;
use super::refusal::Refusal;
use super::upstream_error::{Cause, plain};
use crate::model::provider::Provider;

pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 §3.
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What the app asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id_token: String,
    /// It says itself that this is an access token.
    pub is_access_token: bool,
    /// The nonce that the app sent to the provider.
    pub nonce: Option<String>,
    pub max_age: Option<i64>,
    pub scope: Option<String>,
    pub resource: Option<String>,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    MalformedToken,
    InvalidIssuer,
    WrongTokenType,
    InvalidAudience,
    OriginNotAllowed,
    JwksFetchFailed,
    UnknownKid,
    AlgorithmNotAllowed,
    InvalidSignature,
    MissingSub,
    TokenExpired,
    IssuedAtInvalid,
    NotYetValid,
    NonceMismatch,
    AuthTimeTooOld,
    TokenReplayed,
}

impl Fault {
    /// What a verification that failed means here.
    pub fn of(cause: Cause) -> Fault {
        match cause {
            Cause::TokenIssuerMismatch => Fault::InvalidIssuer,
            Cause::AudienceMismatch | Cause::AzpMismatch => Fault::InvalidAudience,
            Cause::SubjectInvalid => Fault::MissingSub,
            Cause::TokenExpired => Fault::TokenExpired,
            Cause::IssuedAtInvalid => Fault::IssuedAtInvalid,
            Cause::NotYetValid => Fault::NotYetValid,
            Cause::NonceMismatch => Fault::NonceMismatch,
            Cause::AuthTimeTooOld => Fault::AuthTimeTooOld,
            Cause::UnknownKid => Fault::UnknownKid,
            Cause::SignatureInvalid => Fault::InvalidSignature,
            Cause::AlgorithmMismatch => Fault::AlgorithmNotAllowed,
            Cause::IdTokenMalformed => Fault::MalformedToken,
            // Only the way to the keys leads over the network.
            _ => Fault::JwksFetchFailed,
        }
    }

    /// The stable name.
    pub fn code(self) -> &'static str {
        self.words().0
    }

    /// What the app gets, and what the trace says. What was expected and what came stands in the trace alone.
    pub fn refusal(self) -> Refusal {
        let (code, description, remedy) = self.words();
        let keys = self == Fault::JwksFetchFailed;
        Refusal {
            cause: code.into(),
            title: "The sign-in was not taken over".into(),
            what: format!("The app brought a token that is not taken: {description}.").into(),
            next: "Sign in to the app again.".into(),
            remedy: remedy.into(),
            error: match keys {
                true => Code::TemporarilyUnavailable,
                false => Code::InvalidRequest,
            },
            description: description.into(),
            other_account: false,
            retry: true,
            failed: keys,
        }
    }

    /// Name, what the app is told, what an administrator can do.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Fault::MalformedToken => (
                "MALFORMED_TOKEN",
                "subject_token is not a signed ID token",
                "The app has to send Okta's ID token as it came: three parts with dots between, no quotes, not encrypted. \
                 In Okta Auth JS it is tokens.idToken.idToken, in React authState.idToken.idToken.",
            ),
            Fault::InvalidIssuer => (
                "INVALID_ISSUER",
                "the token's issuer is of no connection that this client has",
                "The issuer must be the connection's, letter by letter: https://{domain} for Okta's org server, with \
                 /oauth2/{id} at its end for a custom one. Set the connection's domain to the issuer that was received, or \
                 let the app sign in at the one that was expected. The connection must be live and among the client's.",
            ),
            Fault::WrongTokenType => (
                "WRONG_TOKEN_TYPE",
                "this is not an ID token; an access token cannot be exchanged",
                "The app sent Okta's access token (or a token of another kind) where its ID token is wanted. In Okta Auth \
                 JS send tokens.idToken.idToken, not tokens.accessToken.accessToken.",
            ),
            Fault::InvalidAudience => (
                "INVALID_AUDIENCE",
                "the token was issued to another app than the connection's",
                "The connection's client ID must be that of the Okta app which the user signs in to: aud has it, and azp \
                 where aud has several. Copy it from the app's General tab; it begins with 0oa.",
            ),
            Fault::OriginNotAllowed => (
                "ORIGIN_NOT_ALLOWED",
                "pages of this origin may not exchange tokens",
                "Add the page's origin (https://app.example.com, without path) to the connection's origins.",
            ),
            Fault::JwksFetchFailed => (
                "JWKS_FETCH_FAILED",
                "the issuer's keys cannot be had at the moment",
                "This server could not fetch the issuer's discovery document or keys. Run “Test connection” on the \
                 connection: it says which stage fails.",
            ),
            Fault::UnknownKid => (
                "UNKNOWN_KID",
                "the key that the token names is not among the issuer's keys",
                "The keys were fetched again, at most every half minute, and do not have it: the token is of another \
                 authorization server, or the keys were rotated and the new one is not published.",
            ),
            Fault::AlgorithmNotAllowed => (
                "ALGORITHM_NOT_ALLOWED",
                "the token is signed with an algorithm that the connection does not admit",
                "Okta signs with RS256. Another algorithm is admitted in the connection's settings only.",
            ),
            Fault::InvalidSignature => (
                "INVALID_SIGNATURE",
                "the token's signature is wrong",
                "The token was changed on its way, or somebody made it up.",
            ),
            Fault::MissingSub => (
                "MISSING_SUB",
                "the token names no user",
                "An ID token has a claim sub of 1 to 255 characters. Okta's always has; a hook or proxy may take it out.",
            ),
            Fault::TokenExpired => (
                "TOKEN_EXPIRED",
                "the token has expired",
                "The app has to fetch a fresh ID token before it comes here (getWithoutPrompt in Okta Auth JS). The step \
                 shows the token's life; where it ends at once, compare the clocks: “Test connection” shows how far they \
                 are apart.",
            ),
            Fault::IssuedAtInvalid => (
                "ISSUED_AT_INVALID",
                "the token was issued in the future, or more than a day ago",
                "Compare the clocks: “Test connection” shows how far they are apart. A token older than a day is not taken.",
            ),
            Fault::NotYetValid => (
                "NOT_YET_VALID",
                "the token is not valid yet",
                "Compare the clocks: “Test connection” shows how far they are apart.",
            ),
            Fault::NonceMismatch => (
                "NONCE_MISMATCH",
                "the token has another nonce than the request",
                "The app sends the nonce of its own authorization request to Okta, or none at all.",
            ),
            Fault::AuthTimeTooOld => (
                "AUTH_TIME_TOO_OLD",
                "the user signed in longer ago than max_age",
                "The app wants a fresher sign-in: it has to send the user to Okta with max_age or prompt=login.",
            ),
            Fault::TokenReplayed => (
                "TOKEN_REPLAYED",
                "the token has been exchanged before",
                "A token is exchanged once. The app has to fetch a fresh one each time (getWithoutPrompt in Okta Auth JS \
                 instead of the one in its storage). If it does, somebody else has got hold of its tokens.",
            ),
        }
    }
}

/// No connection can verify the token.
#[derive(Debug)]
pub struct Unplaced<'a> {
    pub fault: Fault,
    /// The connection that comes nearest.
    pub provider: Option<&'a Provider>,
    /// The check, as the trace names it, with what was expected and what came.
    pub step: &'static str,
    pub seen: String,
}

/// The connection whose issuer and client the token names.
pub fn choose<'a>(
    providers: &'a [Provider],
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<&'a Provider, Unplaced<'a>> {
    let iss = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let issued: Vec<&Provider> = providers
        .iter()
        .filter(|provider| provider.issuer == iss)
        .collect();
    let Some(nearest) = issued.first().copied() else {
        let known: Vec<&str> = providers
            .iter()
            .map(|provider| provider.issuer.as_str())
            .collect();
        return Err(Unplaced {
            fault: Fault::InvalidIssuer,
            provider: None,
            step: "id_token.iss",
            seen: expected(claims.get("iss"), &known),
        });
    };
    if let Some(seen) = other_kind(header, claims) {
        return Err(Unplaced {
            fault: Fault::WrongTokenType,
            provider: Some(nearest),
            step: "id_token.typ",
            seen,
        });
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let ours = |provider: &&&Provider| audiences.contains(&provider.settings.client_id.as_str());
    issued.iter().find(ours).copied().ok_or_else(|| {
        let known: Vec<&str> = issued
            .iter()
            .map(|provider| provider.settings.client_id.as_str())
            .collect();
        Unplaced {
            fault: Fault::InvalidAudience,
            provider: Some(nearest),
            step: "id_token.aud",
            seen: expected(claims.get("aud"), &known),
        }
    })
}

/// What else than an ID token this is: Okta's access tokens have `scp` and `cid`, others say so in `typ` (RFC 9068 §2.1);
/// a logout token has `events` (Back-Channel Logout §2.4), and shares issuer, key and audience with ID tokens.
fn other_kind(header: &Map<String, Value>, claims: &Map<String, Value>) -> Option<String> {
    let typ = header.get("typ").and_then(Value::as_str);
    if let Some(typ) = typ.filter(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Some(format!("typ is {}, expected JWT or none", plain(typ, 60)));
    }
    if claims.contains_key("scp") && claims.contains_key("cid") {
        return Some(format!(
            "an access token of Okta's: it has scp and cid, and the audience {}",
            shown(claims.get("aud"))
        ));
    }
    if claims.contains_key("events") {
        return Some("a logout or event token: it has events".to_owned());
    }
    None
}

fn expected(received: Option<&Value>, known: &[&str]) -> String {
    let known = match known {
        [] => "nothing: the client has no connection that takes ID tokens".to_owned(),
        known => plain(&known.join(" or "), 400),
    };
    format!("received {}, expected {known}", shown(received))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => plain(text, 200),
        Some(other) => plain(&other.to_string(), 200),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::db::Json;
    use crate::model::fixture;
    use crate::model::provider::{Settings, TokenIn};

    fn provider(id: &str, issuer: &str, client_id: &str) -> Provider {
        Provider {
            issuer: issuer.into(),
            settings: Json(Settings {
                client_id: client_id.into(),
                token_in: Some(TokenIn::default()),
                ..Settings::default()
            }),
            ..fixture::provider(id)
        }
    }

    #[test]
    fn a_token_leads_to_the_connection_of_its_issuer_and_client_or_is_refused_by_name() {
        let (acme, preview) = ("https://acme.okta.com", "https://acme.oktapreview.com");
        let known = [
            provider("live", acme, "0oa1"),
            provider("second", acme, "0oa2"),
            provider("preview", preview, "0oa1"),
        ];
        for (header, claims, outcome) in [
            (json!({}), json!({"iss": acme, "aud": "0oa1"}), Ok("live")),
            (json!({}), json!({"iss": acme, "aud": "0oa2"}), Ok("second")),
            (
                json!({"typ": "JWT"}),
                json!({"iss": preview, "aud": ["x", "0oa1"]}),
                Ok("preview"),
            ),
            (json!({}), json!({"aud": "0oa1"}), Err(Fault::InvalidIssuer)),
            (
                json!({}),
                json!({"iss": [acme], "aud": "0oa1"}),
                Err(Fault::InvalidIssuer),
            ),
            (
                json!({}),
                json!({"iss": format!("{acme}/"), "aud": "0oa1"}),
                Err(Fault::InvalidIssuer),
            ),
            (
                json!({}),
                json!({"iss": acme, "aud": "0oa3"}),
                Err(Fault::InvalidAudience),
            ),
            (json!({}), json!({"iss": acme}), Err(Fault::InvalidAudience)),
            (
                json!({}),
                json!({"iss": preview, "aud": "0oa2"}),
                Err(Fault::InvalidAudience),
            ),
            (
                json!({"typ": "at+jwt"}),
                json!({"iss": acme, "aud": "0oa1"}),
                Err(Fault::WrongTokenType),
            ),
            (
                json!({}),
                json!({"iss": acme, "aud": acme, "cid": "0oa1", "scp": ["openid"]}),
                Err(Fault::WrongTokenType),
            ),
            (
                json!({}),
                json!({"iss": acme, "aud": "0oa1", "events": {}}),
                Err(Fault::WrongTokenType),
            ),
        ] {
            let chosen = choose(&known, header.as_object().unwrap(), claims.as_object().unwrap());
            let chosen = chosen
                .map(|provider| provider.id.as_str())
                .map_err(|unplaced| unplaced.fault);
            assert_eq!(chosen, outcome, "{header} {claims}");
        }
        let claims = json!({"iss": "https://evil.test"});
        let unplaced = choose(&known[..1], &Map::new(), claims.as_object().unwrap()).unwrap_err();
        assert_eq!(
            unplaced.seen,
            format!("received https://evil.test, expected {acme}")
        );
    }

    #[test]
    fn what_only_the_way_to_the_keys_can_bring_is_named_after_it() {
        for (cause, code) in [
            (Cause::TokenIssuerMismatch, "INVALID_ISSUER"),
            (Cause::AzpMismatch, "INVALID_AUDIENCE"),
            (Cause::SubjectInvalid, "MISSING_SUB"),
            (Cause::DnsFailed, "JWKS_FETCH_FAILED"),
            (Cause::DiscoveryNotFound, "JWKS_FETCH_FAILED"),
            (Cause::Timeout, "JWKS_FETCH_FAILED"),
            (Cause::UnknownKid, "UNKNOWN_KID"),
            (Cause::TokenExpired, "TOKEN_EXPIRED"),
        ] {
            assert_eq!(Fault::of(cause).code(), code);
        }
    }
}
