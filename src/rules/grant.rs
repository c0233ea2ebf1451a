//! The token request (RFC 6749 §4.1.3, §4.4.2, §6; RFC 8693 §2.1): parsing it, and whether the client has proved who it is. Also the
//! checks of a spent code or refresh token against the request that brings it.

use super::oauth_error::{Code, OAuthError};
use super::params::{self, Params};
use super::{pkce, redirect_uri, scope, secret, token_in};
use crate::model::client::{Client, Flow, Secret};
use crate::model::code;

/// The grants that the token endpoint knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    Code {
        code: String,
        redirect_uri: Option<String>,
        verifier: Option<String>,
        resource: Option<String>,
    },
    Refresh {
        token: String,
        scope: Option<String>,
        resource: Option<String>,
    },
    ClientCredentials {
        scope: Option<String>,
        resource: Option<String>,
    },
    TokenExchange(token_in::Request),
}

/// Names served at the token endpoint, for discovery.
pub const GRANT_TYPES: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    token_in::GRANT_TYPE,
];

/// How a client presented itself (RFC 6749 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub client_id: String,
    pub secret: Option<String>,
    /// It used the `Authorization` header, so a refusal answers 401 with `WWW-Authenticate` (§5.2).
    pub by_header: bool,
}

/// Longest credential that is looked at.
const LONGEST: usize = 2_048;

/// Reads the client's credentials: from the `Authorization` header or the form, never from both.
pub fn credentials(header: Option<&str>, form: &Params) -> Result<Credentials, OAuthError> {
    for name in ["client_assertion", "client_assertion_type"] {
        if form.get(name).is_some() {
            return Err(OAuthError::new(
                Code::InvalidClient,
                "client assertions are not supported",
            ));
        }
    }
    let Some(header) = header else {
        let client_id = form
            .get("client_id")
            .ok_or_else(|| OAuthError::new(Code::InvalidClient, "client authentication is missing"))?;
        return Ok(Credentials {
            client_id: client_id.to_owned(),
            secret: form.get("client_secret").map(str::to_owned),
            by_header: false,
        });
    };
    let (client_id, given) = basic(header).ok_or_else(|| {
        OAuthError::new(
            Code::InvalidClient,
            "the Authorization header is not HTTP Basic credentials",
        )
    })?;
    if form.get("client_secret").is_some() {
        return Err(OAuthError::new(
            Code::InvalidRequest,
            "the client authenticates in two ways at once",
        ));
    }
    if form.get("client_id").is_some_and(|other| other != client_id) {
        return Err(OAuthError::new(
            Code::InvalidRequest,
            "client_id differs from the Authorization header",
        ));
    }
    Ok(Credentials {
        client_id,
        secret: (!given.is_empty()).then_some(given),
        by_header: true,
    })
}

/// RFC 7617 with both halves form-decoded after base64 (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST {
        return None;
    }
    let plain = STANDARD.decode(encoded.trim()).ok()?;
    let colon = plain.iter().position(|byte| *byte == b':')?;
    let (id, rest) = plain.split_at_checked(colon)?;
    let decode = |half: &[u8]| params::decode(half).ok();
    Some((decode(id)?, decode(rest.get(1..)?)?)).filter(|(id, _)| !id.is_empty())
}

/// Whether the client has proved who it is. An unknown or disabled client, a wrong secret and a missing one give the
/// same answer after the same work; `client` is `None` when there is no such (enabled) client.
pub fn authenticate(
    credentials: &Credentials,
    client: Option<(&Client, &[Secret])>,
) -> Result<(), OAuthError> {
    let refuse = |cause: &'static str| {
        Err(OAuthError::because(
            Code::InvalidClient,
            "client authentication failed",
            cause,
        ))
    };
    let given = secret::hash(credentials.secret.as_deref().unwrap_or_default());
    let secrets = client.map_or(&[][..], |(_, secrets)| secrets);
    // Always two comparisons: the number of secrets a client has is not told by time.
    let mut proved = false;
    for slot in 0..2 {
        let stored = secrets
            .get(slot)
            .map_or(&[0; 32][..], |secret| secret.hash.as_slice());
        proved |= secret::equal(&given, stored) & (slot < secrets.len());
    }
    match client {
        None => refuse("no such client, or it is disabled"),
        Some((client, _)) if client.settings.public => match credentials.secret {
            None => Ok(()),
            Some(_) => refuse("a public client sent a secret"),
        },
        Some(_) if credentials.secret.is_none() => {
            refuse("a confidential client sent no secret: a page in a browser needs a public client")
        }
        Some(_) if !proved => refuse("wrong secret"),
        Some(_) => Ok(()),
    }
}

/// The grant that an authenticated client asks for.
pub fn parse(form: &Params, client: &Client) -> Result<Grant, OAuthError> {
    let invalid = |text: &'static str| OAuthError::new(Code::InvalidRequest, text);
    if form.repeated().is_some() {
        return Err(invalid("a parameter is repeated"));
    }
    let owned = |name: &str| form.get(name).map(str::to_owned);
    let (grant, flow) = match form.get("grant_type") {
        None => return Err(invalid("grant_type is missing")),
        Some("authorization_code") => {
            let code = owned("code").ok_or_else(|| invalid("code is missing"))?;
            let grant = Grant::Code {
                code,
                redirect_uri: owned("redirect_uri"),
                verifier: owned("code_verifier"),
                resource: owned("resource"),
            };
            (grant, Flow::Code)
        }
        Some("refresh_token") => {
            let token = owned("refresh_token").ok_or_else(|| invalid("refresh_token is missing"))?;
            (
                Grant::Refresh {
                    token,
                    scope: owned("scope"),
                    resource: owned("resource"),
                },
                Flow::Code,
            )
        }
        Some("client_credentials") => {
            let grant = Grant::ClientCredentials {
                scope: owned("scope"),
                resource: owned("resource"),
            };
            (grant, Flow::ClientCredentials)
        }
        Some(token_in::GRANT_TYPE) if !client.settings.token_exchange => return Err(not_allowed()),
        Some(token_in::GRANT_TYPE) => return token_exchange(form, client).map(Grant::TokenExchange),
        Some(_) => {
            return Err(OAuthError::new(
                Code::UnsupportedGrantType,
                "grant_type is not supported",
            ));
        }
    };
    if !client.settings.flows.contains(&flow) || (flow == Flow::ClientCredentials && client.settings.public) {
        return Err(not_allowed());
    }
    Ok(grant)
}

fn not_allowed() -> OAuthError {
    OAuthError::new(
        Code::UnauthorizedClient,
        "this client may not use that grant_type",
    )
}

/// An ID token for tokens of ours (RFC 8693 §2.1). Nobody acts for anybody else here, and no refresh token is given: a
/// fresh ID token does the same.
fn token_exchange(form: &Params, client: &Client) -> Result<token_in::Request, OAuthError> {
    let refuse = |code, text: &'static str| Err(OAuthError::new(code, text));
    let invalid = |text| refuse(Code::InvalidRequest, text);
    if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
        return invalid("actor_token is not supported");
    }
    if form.get("audience").is_some_and(|audience| audience != client.id) {
        return refuse(
            Code::InvalidTarget,
            "the tokens are for the client itself: name an API by resource",
        );
    }
    if let Some(wanted) = form.get("requested_token_type")
        && ![token_in::ACCESS_TOKEN, token_in::ID_TOKEN, token_in::JWT].contains(&wanted)
    {
        return invalid("requested_token_type is not one that is given for an ID token");
    }
    let is_access_token = match form.get("subject_token_type") {
        Some(token_in::ID_TOKEN) => false,
        Some(token_in::ACCESS_TOKEN) => true,
        Some(_) => return invalid("subject_token_type must be urn:ietf:params:oauth:token-type:id_token"),
        None => return invalid("subject_token_type is missing"),
    };
    let Some(id_token) = form.get("subject_token") else {
        return invalid("subject_token is missing");
    };
    let max_age = match form.get("max_age").map(str::parse::<i64>) {
        None => None,
        Some(Ok(age)) if age >= 0 => Some(age),
        Some(_) => return invalid("max_age is not a number of seconds"),
    };
    let owned = |name: &str| form.get(name).map(str::to_owned);
    Ok(token_in::Request {
        id_token: id_token.to_owned(),
        is_access_token,
        nonce: owned("nonce"),
        max_age,
        scope: owned("scope"),
        resource: owned("resource"),
    })
}

/// What a token request shows for its code.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub code: &'a str,
    pub redirect_uri: Option<&'a str>,
    pub verifier: Option<&'a str>,
    pub resource: Option<&'a str>,
}

/// Whether this client, as it is registered now, may have what the code grants. One answer for every reason; the reason
/// is for the log.
pub fn check_code(code: &code::Code, client: &Client, shown: &Shown<'_>) -> Result<(), OAuthError> {
    let refuse = |cause: &'static str| Err(invalid_grant(cause));
    let request = &code.request;
    if code.client_id != client.id {
        return refuse("the code belongs to another client");
    }
    if redirect_uri::registered(&client.settings, &request.redirect_uri).is_none() {
        return refuse("the redirect URI is not the client's any more");
    }
    match shown.redirect_uri {
        Some(given) if given != request.redirect_uri => {
            return refuse("redirect_uri differs from the request's");
        }
        None if request.redirect_uri_given => return refuse("redirect_uri is not repeated"),
        _ => {}
    }
    let pkce_required = client.settings.public || client.settings.require_pkce;
    match (&request.code_challenge, shown.verifier) {
        (None, None) if pkce_required => refuse("the client must use PKCE by now"),
        (None, None) => Ok(()),
        (None, Some(_)) => refuse("a code_verifier came for a code without a challenge"),
        (Some(_), None) => refuse("code_verifier is missing"),
        (Some(challenge), Some(verifier)) if pkce::matches(verifier, challenge) => Ok(()),
        (Some(_), Some(_)) => refuse("code_verifier does not match"),
    }
}

/// Why a refresh token is not taken, where a surface tells one reason from another.
pub const REVOKED: &str = "the refresh token is revoked";
pub const EXPIRED: &str = "the refresh token has expired";
pub const REUSED: &str = "the refresh token was used before; its family is revoked";

/// `invalid_grant`, saying to the client nothing that tells one reason from another.
pub fn invalid_grant(cause: &'static str) -> OAuthError {
    OAuthError::because(
        Code::InvalidGrant,
        "the code or token is invalid, expired, revoked or not this client's",
        cause,
    )
}

/// A token request may name the resource that the authorization request was for, and no other (RFC 8707 §2.2).
pub fn check_resource(asked: Option<&str>, granted: Option<&str>) -> Result<(), OAuthError> {
    match asked {
        Some(asked) if granted != Some(asked) => Err(OAuthError::new(
            Code::InvalidTarget,
            "the resource is not the one that was granted",
        )),
        _ => Ok(()),
    }
}

/// The scopes of an access token: those of the grant, or fewer when asked (RFC 6749 §6), and only what the client may
/// still have.
pub fn live_scopes(
    asked: Option<&str>,
    granted: &[String],
    allowed: &[String],
) -> Result<Vec<String>, OAuthError> {
    let still: Vec<String> = granted
        .iter()
        .filter(|scope| allowed.contains(scope))
        .cloned()
        .collect();
    if still.is_empty() {
        return Err(OAuthError::new(
            Code::InvalidScope,
            "the client may have none of the granted scopes any more",
        ));
    }
    let mut asked = scope::parse(asked.unwrap_or_default());
    // Says that a refresh token is wanted, which is here already.
    asked.retain(|scope| scope != "offline_access");
    if asked.iter().any(|scope| !still.contains(scope)) {
        return Err(OAuthError::new(Code::InvalidScope, "a scope was not granted"));
    }
    Ok(if asked.is_empty() { still } else { asked })
}

#[cfg(test)]
#[path = "grant/tests.rs"]
mod tests;
