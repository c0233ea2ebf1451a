//! Client authentication at the token, introspection and revocation endpoints: exactly one of the header, the
//! body's secret, or an assertion (RFC 6749 §2.3, RFC 7523), as the app is configured, with Okta's refusals.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};
use serde_json::{Map, Value};

use super::directory::{App, ClientAuth};
use super::http::Reply;
use super::{Server, Visit};
use crate::world::UnixTime;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// 401 `invalid_client`.
fn invalid(description: &str) -> Reply {
    Reply::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

const FAILED: &str = "Client authentication failed. Either the client or the client credentials are invalid.";

/// The app that makes this request, and the method by which it proved itself.
pub fn authenticate(
    visit: &mut Visit<'_>,
    server: Server,
    endpoint: &str,
) -> Result<(App, ClientAuth), Reply> {
    let request = visit.request;
    if request.query("client_secret").is_some() || request.query("client_assertion").is_some() {
        let why = "Client credentials cannot be supplied via query parameters.";
        return Err(Reply::oauth_error(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            why,
        ));
    }
    let authorization = request.header("authorization");
    let secret = request.form("client_secret");
    let assertion = request.form("client_assertion");
    if usize::from(authorization.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some())
        > 1
    {
        let why = "Cannot supply multiple client credentials. Use one of the following: credentials in the \
                   Authorization header, credentials in the post body, or a client_assertion in the post body.";
        return Err(Reply::oauth_error(
            StatusCode::UNAUTHORIZED,
            "invalid_request",
            why,
        ));
    }
    if let Some(header) = authorization {
        let (client_id, secret) = basic(header)
            .ok_or_else(|| invalid("Found Authentication header but was not valid client credentials."))?;
        if request.form("client_id").is_some_and(|named| named != client_id) {
            return Err(invalid(FAILED));
        }
        let app = with_secret(visit, &client_id, &secret, ClientAuth::ClientSecretBasic)?;
        return Ok((app, ClientAuth::ClientSecretBasic));
    }
    if let Some(assertion) = assertion {
        if request.form("client_assertion_type") != Some(ASSERTION_TYPE) {
            let why = "The client_assertion_type is invalid.";
            return Err(Reply::oauth_error(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                why,
            ));
        }
        return by_assertion(visit, server, endpoint, assertion);
    }
    let client_id = request
        .form("client_id")
        .ok_or_else(|| invalid("No client credentials found."))?;
    if let Some(secret) = secret {
        let app = with_secret(visit, client_id, secret, ClientAuth::ClientSecretPost)?;
        return Ok((app, ClientAuth::ClientSecretPost));
    }
    let app = known(visit, client_id)?;
    match app.auth {
        ClientAuth::None => Ok((app, ClientAuth::None)),
        _ => Err(invalid(FAILED)),
    }
}

fn known(visit: &Visit<'_>, client_id: &str) -> Result<App, Reply> {
    let app = visit.state.app(client_id).cloned();
    app.ok_or_else(|| invalid("Invalid value for 'client_id' parameter."))
}

/// Both halves of the header are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(String::from)
}

fn with_secret(visit: &Visit<'_>, client_id: &str, secret: &str, method: ClientAuth) -> Result<App, Reply> {
    let app = known(visit, client_id)?;
    let takes_secrets = matches!(
        app.auth,
        ClientAuth::ClientSecretBasic | ClientAuth::ClientSecretPost
    );
    if !takes_secrets || (app.strict_auth && app.auth != method) {
        return Err(invalid(FAILED));
    }
    if !app.secrets.iter().any(|live| live == secret) {
        return Err(invalid(
            "The client secret supplied for a confidential client is invalid.",
        ));
    }
    Ok(app)
}

fn by_assertion(
    visit: &mut Visit<'_>,
    server: Server,
    endpoint: &str,
    assertion: &str,
) -> Result<(App, ClientAuth), Reply> {
    let claims = payload(assertion).ok_or_else(|| invalid("The client_assertion is not a valid JWT."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let client_id = text("sub").unwrap_or_default();
    if text("iss") != Some(client_id) || visit.request.form("client_id").is_some_and(|id| id != client_id) {
        return Err(invalid(
            "The issuer and subject of the client_assertion must be the 'client_id'.",
        ));
    }
    let app = known(visit, client_id)?;
    verify(&app, assertion)?;

    let endpoint = server.endpoint(&visit.setup.origin, endpoint);
    let here = |audience: &Value| {
        audience
            .as_str()
            .is_some_and(|audience| audience == endpoint || audience == visit.issuer(server))
    };
    let at_home = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(here),
        Some(audience) => here(audience),
        None => false,
    };
    if !at_home {
        return Err(invalid(
            "The audience claim for client_assertion must be the endpoint invoked for the request.",
        ));
    }
    let expires = claims.get("exp").and_then(Value::as_i64).map(UnixTime);
    let expires = expires.ok_or_else(|| invalid("The client_assertion token must contain an expiration."))?;
    if expires <= visit.now {
        return Err(invalid("The client_assertion token is expired."));
    }
    if expires.since(visit.now) > 3600 {
        return Err(invalid(
            "The client_assertion token has an expiration too far into the future.",
        ));
    }
    // Okta forgives no clock but grants the usual few seconds.
    if claims
        .get("iat")
        .and_then(Value::as_i64)
        .is_some_and(|issued| issued > visit.now.plus(60).0)
    {
        return Err(invalid("The client_assertion token was issued in the future."));
    }
    if let Some(jti) = text("jti") {
        visit.state.tidy(visit.now);
        let key = (app.client_id.clone(), jti.to_owned());
        if visit.state.assertions.insert(key, expires).is_some() {
            return Err(invalid("The client_assertion token has already been used."));
        }
    }
    let method = app.auth;
    Ok((app, method))
}

fn payload(jwt: &str) -> Option<Map<String, Value>> {
    let mut parts = jwt.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The assertion's signature, by a registered key or by the secret, as the app is configured.
fn verify(app: &App, assertion: &str) -> Result<(), Reply> {
    use Algorithm::{ES256, ES384, HS256, HS384, HS512, RS256, RS384, RS512};
    let bad = || invalid("The client_assertion signature is invalid.");
    let header = decode_header(assertion).map_err(|_| bad())?;
    let keys: Vec<DecodingKey> = match (app.auth, header.alg) {
        (ClientAuth::PrivateKeyJwt, RS256 | RS384 | RS512 | ES256 | ES384) => {
            let named = |jwk: &&Value| header.kid.is_none() || jwk["kid"].as_str() == header.kid.as_deref();
            let jwks: Vec<&Value> = app.public_keys.iter().filter(named).collect();
            if jwks.is_empty() {
                return Err(invalid("The client_assertion JWT kid is invalid."));
            }
            let parsed = jwks
                .into_iter()
                .filter_map(|jwk| serde_json::from_value::<Jwk>(jwk.clone()).ok());
            parsed
                .filter_map(|jwk| DecodingKey::from_jwk(&jwk).ok())
                .collect()
        }
        (ClientAuth::ClientSecretJwt, HS256 | HS384 | HS512) => {
            let long = app.secrets.iter().filter(|secret| secret.len() >= 32);
            let keys: Vec<_> = long
                .map(|secret| DecodingKey::from_secret(secret.as_bytes()))
                .collect();
            if keys.is_empty() {
                return Err(invalid("The client secret is too short to verify a JWT HMAC."));
            }
            keys
        }
        _ => return Err(invalid(FAILED)),
    };
    let (message, signature) = assertion.rsplit_once('.').ok_or_else(bad)?;
    let good =
        |key: &DecodingKey| crypto::verify(signature, message.as_bytes(), key, header.alg).unwrap_or(false);
    if keys.iter().any(good) { Ok(()) } else { Err(bad()) }
}
