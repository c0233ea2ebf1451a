//! How we prove ourselves at the token endpoint (OIDC Core §9): secret in the header, secret in the body, or a signed
//! assertion (RFC 7523).
//!
//! The assertion's audience is the issuer, as RFC 10070 wants it, except for Okta, which accepts only the full URL of
//! the endpoint that is called and is known by the shape of that URL, on a customer's own domain, too.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{Connection, Failure};
use crate::model::provider::ClientAuth;
use crate::rules::secret;
use crate::rules::upstream_error::Cause;
use crate::world::{Entropy, UnixTime};

/// RFC 10070 admits five minutes.
const ASSERTION_LASTS: i64 = 120;

pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credentials of one token request.
pub enum Credentials {
    /// `post`: in the body instead of the header.
    Secret {
        secret: Zeroizing<String>,
        post: bool,
    },
    Assertion(Zeroizing<String>),
}

/// The credentials that the connection's settings ask for.
pub fn credentials(
    c: &Connection,
    token_endpoint: &Url,
    posting: bool,
    entropy: &Entropy,
    now: UnixTime,
) -> Result<Credentials, Failure> {
    let missing = |what: &str| {
        Failure::new(
            Cause::ConnectionMisconfigured,
            format!("the connection has no {what}"),
        )
    };
    match c.provider.settings.0.client_auth {
        ClientAuth::PrivateKeyJwt => assertion(c, token_endpoint, entropy, now)
            .map(Credentials::Assertion)
            .map_err(|why| missing(&format!("usable private key: {why}"))),
        method => Ok(Credentials::Secret {
            secret: c.client_secret.clone().ok_or_else(|| missing("client secret"))?,
            post: posting || method == ClientAuth::SecretPost,
        }),
    }
}

fn assertion(
    c: &Connection,
    token_endpoint: &Url,
    entropy: &Entropy,
    now: UnixTime,
) -> Result<Zeroizing<String>, String> {
    let settings = &c.provider.settings.0;
    let pair = c.private_key.as_ref().ok_or("none is set")?;
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(
        settings
            .private_key_id
            .clone()
            .unwrap_or_else(|| pair.kid.clone()),
    );
    let claims = json!({
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": audience(&c.provider.issuer, token_endpoint),
        "iat": now.0,
        "exp": now.plus(ASSERTION_LASTS).0,
        "jti": secret::token(entropy),
    });
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_rsa_der(&pair.private_der))
        .map(Zeroizing::new)
        .map_err(|_| "it cannot sign".to_owned())
}

fn audience<'a>(issuer: &'a str, token_endpoint: &'a Url) -> &'a str {
    if is_oktas(token_endpoint) {
        token_endpoint.as_str()
    } else {
        issuer
    }
}

/// `/oauth2/v1/token` or `/oauth2/{server}/v1/token`.
fn is_oktas(token_endpoint: &Url) -> bool {
    let segments: Vec<&str> = token_endpoint.path().split('/').skip(1).collect();
    matches!(
        segments.as_slice(),
        ["oauth2", "v1", "token"] | ["oauth2", _, "v1", "token"]
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_audience_is_the_issuer_except_at_okta() {
        let issuer = "https://op.example";
        for (endpoint, expected) in [
            ("https://op.example/token", issuer),
            ("https://op.example/oauth2/token", issuer),
            (
                "https://acme.okta.com/oauth2/v1/token",
                "https://acme.okta.com/oauth2/v1/token",
            ),
            (
                "https://login.acme.com/oauth2/aus1/v1/token",
                "https://login.acme.com/oauth2/aus1/v1/token",
            ),
        ] {
            assert_eq!(audience(issuer, &Url::parse(endpoint).unwrap()), expected);
        }
    }
}
