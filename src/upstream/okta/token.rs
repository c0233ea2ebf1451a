//! The token request (OIDC Core §3.1.3, RFC 6749 §5): the code and our credentials out, tokens or a named refusal back.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use openidconnect::{
    AuthType, AuthorizationCode, ClientSecret, HttpRequest, HttpResponse, OAuth2TokenResponse,
    RequestTokenError, TokenUrl,
};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::{client, code_verifier, date_of, is_json, lane, redirect_url};
use crate::model::provider::ClientAuth;
use crate::rules::upstream_error::{self, Cause, plain};
use crate::upstream::client_auth::{self, ASSERTION_TYPE, Credentials};
use crate::upstream::json;
use crate::upstream::metadata::Discovery;
use crate::upstream::{Connection, Expectation, Failure, Inner};
use crate::world::UnixTime;

const LONGEST_TOKEN: usize = 64 * 1024;
/// What an access token lasts of which nothing is said, and the longest that is believed.
const USUAL_SECONDS: i64 = 300;
const MOST_SECONDS: i64 = 86_400;

/// What the token endpoint gave.
pub(super) struct Tokens {
    pub access_token: Zeroizing<String>,
    pub id_token: Zeroizing<String>,
    pub refresh_token: Option<Zeroizing<String>>,
    /// What was granted, blank-separated; `None`: what was asked for.
    pub scope: Option<String>,
    /// Seconds that the access token lasts.
    pub lasts: i64,
    /// The provider's time, from the `Date` header.
    pub date: Option<UnixTime>,
}

/// What our HTTP client took out of the answer before the library read it.
#[derive(Default)]
struct Taken {
    id_token: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
    scope: Option<String>,
    lasts: i64,
    date: Option<UnixTime>,
}

impl Inner {
    /// Exchanges the code.
    pub(super) async fn tokens(
        &self,
        c: &Connection,
        e: &Expectation,
        discovery: &Discovery,
        code: &str,
    ) -> Result<Tokens, Failure> {
        self.with_credentials(c, &discovery.token, |credentials| {
            self.exchange(c, e, discovery, code, credentials)
        })
        .await
    }

    /// Runs a token request with the connection's credentials. When the provider refuses the present secret, the next one
    /// is tried; that it was taken is noted at the connection, for the caller to store.
    pub(in crate::upstream) async fn with_credentials<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        c: &Connection,
        token_endpoint: &Url,
        request: impl Fn(Credentials) -> F,
    ) -> Result<T, Failure> {
        let by_secret = c.provider.settings.client_auth != ClientAuth::PrivateKeyJwt;
        let Some(next) = c.next_secret.as_ref().filter(|_| by_secret) else {
            return self.with_present(c, token_endpoint, &request).await;
        };
        let later = Connection {
            client_secret: Some(next.secret.clone()),
            next_secret: None,
            ..c.clone()
        };
        if c.next_secret_took_over() {
            return self.with_present(&later, token_endpoint, &request).await;
        }
        let first = self.with_present(c, token_endpoint, &request).await;
        if !matches!(&first, Err(failure) if failure.cause == Cause::ClientAuthFailed) {
            return first;
        }
        let second = self.with_present(&later, token_endpoint, &request).await;
        let taken = match &second {
            Ok(_) => true,
            Err(failure) => proves_authentication(failure.cause),
        };
        if !taken {
            // What is wrong with the present one is what an administrator has to know.
            return first;
        }
        tracing::info!(connection = %c.provider.id, "the provider takes the next client secret");
        next.took_over.store(true, Ordering::Relaxed);
        second
    }

    /// The same with the present credentials. When the provider refuses the secret in the header, it is tried once in the
    /// body: the method is fixed per Okta app, and admins cannot tell which one it is.
    async fn with_present<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        c: &Connection,
        token_endpoint: &Url,
        request: &impl Fn(Credentials) -> F,
    ) -> Result<T, Failure> {
        let settings = &c.provider.settings.0;
        let name = (c.provider.id.clone(), settings.client_id.clone());
        let posting = self
            .posting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&name);
        let credentials =
            |posting| client_auth::credentials(c, token_endpoint, posting, &self.entropy, self.clock.now());
        let first = request(credentials(posting)?).await;
        let refused = matches!(&first, Err(failure) if failure.cause == Cause::ClientAuthFailed);
        if posting && refused {
            // Perhaps it was never the method: begin with the configured one next time.
            self.posting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&name);
        }
        let clean = matches!(&first, Err(failure) if failure.status == Some(401));
        if !refused || !clean || posting || settings.client_auth != ClientAuth::SecretBasic {
            return first;
        }
        let second = request(credentials(true)?).await;
        match &second {
            Err(failure) if failure.cause == Cause::ClientAuthFailed => return first,
            Err(failure) if !proves_authentication(failure.cause) => {}
            _ => {
                tracing::info!(connection = %c.provider.id, "the provider takes client_secret_post only: remembered");
                self.posting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(name);
            }
        }
        second
    }

    async fn exchange(
        &self,
        c: &Connection,
        e: &Expectation,
        discovery: &Discovery,
        code: &str,
        credentials: Credentials,
    ) -> Result<Tokens, Failure> {
        let mut client = client(c)?.set_token_uri(TokenUrl::from_url(discovery.token.clone()));
        let mut assertion = None;
        match credentials {
            Credentials::Secret { secret, post } => {
                client = client
                    .set_client_secret(ClientSecret::new(secret.to_string()))
                    .set_auth_type(if post {
                        AuthType::RequestBody
                    } else {
                        AuthType::BasicAuth
                    });
            }
            Credentials::Assertion(jwt) => assertion = Some(jwt),
        }
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(code_verifier(&e.code_verifier)?)
            .set_redirect_uri(Cow::Owned(redirect_url(&e.redirect_uri)?));
        if let Some(jwt) = &assertion {
            request = request
                .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                .add_extra_param("client_assertion", jwt.as_str());
        }
        let taken = Mutex::new(Taken::default());
        let send = |request: HttpRequest| self.token_answer(c, request, &taken);
        let tokens = request.request_async(&send).await.map_err(|error| match error {
            RequestTokenError::Request(failure) => failure,
            // These hold the answer's body, which must not be told.
            _ => Failure::new(
                Cause::ResponseMalformed,
                "the token response lacks what RFC 6749 section 5.1 requires",
            ),
        })?;
        let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        let id_token = taken
            .id_token
            .ok_or_else(|| Failure::new(Cause::IdTokenMissing, "the token response has no id_token"))?;
        Ok(Tokens {
            access_token: Zeroizing::new(tokens.access_token().secret().clone()),
            id_token,
            refresh_token: taken.refresh_token,
            scope: taken.scope,
            lasts: taken.lasts,
            date: taken.date,
        })
    }

    /// The library's HTTP client: sends the request, and lets only a sound token response through.
    async fn token_answer(
        &self,
        c: &Connection,
        request: HttpRequest,
        taken: &Mutex<Taken>,
    ) -> Result<HttpResponse, Failure> {
        let answer = self.http.send(&lane(c), request).await?;
        let mut members = self.token_members(&answer)?;
        let id_token = match members.remove("id_token") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(Zeroizing::new(text)),
            Some(_) => return Err(malformed("an id_token that is not a string")),
        };
        bearer_of(&members)?;
        let scope = members.get("scope").and_then(Value::as_str);
        let rest = Taken {
            id_token,
            refresh_token: refresh_token_of(&members),
            scope: scope.map(str::to_owned),
            lasts: lasts_of(&members),
            date: date_of(answer.headers()),
        };
        // Some providers write the others as strings or leave them empty; no sign-in depends on them.
        members.retain(|name, _| matches!(name.as_str(), "access_token" | "token_type"));
        *taken.lock().unwrap_or_else(PoisonError::into_inner) = rest;
        let body = serde_json::to_vec(&members).map_err(|_| malformed("what cannot be written as JSON"))?;
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// The members of a successful token response, or why it is none.
    pub(in crate::upstream) fn token_members(
        &self,
        answer: &Response<Vec<u8>>,
    ) -> Result<Map<String, Value>, Failure> {
        if answer.status() == StatusCode::OK {
            if !is_json(answer.headers()) {
                return Err(Failure::new(
                    Cause::ResponseMalformed,
                    "the token response is not application/json",
                ));
            }
            return json::object(answer.body())
                .map_err(|why| Failure::new(Cause::ResponseMalformed, format!("the token response: {why}")));
        }
        let mut failure = token_refusal(answer.status(), answer.body());
        failure.status = Some(answer.status().as_u16());
        if failure.cause == Cause::RateLimited {
            failure.retry_at = self.http.limited_until(answer.headers());
        }
        Err(failure)
    }
}

/// The access token of a response, if it is one that can be used.
pub(super) fn bearer_of(members: &Map<String, Value>) -> Result<Zeroizing<String>, Failure> {
    // RFC 6749 §7.1: a token of a type that we do not know is not used; the name is case-insensitive.
    let bearer = members.get("token_type").and_then(Value::as_str);
    if !bearer.is_some_and(|name| name.eq_ignore_ascii_case("bearer")) {
        return Err(malformed("another token_type than Bearer"));
    }
    let access_token = members.get("access_token").and_then(Value::as_str);
    access_token
        .filter(|text| is_token(text))
        .map(|text| Zeroizing::new(text.to_owned()))
        .ok_or_else(|| malformed("no usable access_token"))
}

pub(super) fn refresh_token_of(members: &Map<String, Value>) -> Option<Zeroizing<String>> {
    let text = members.get("refresh_token").and_then(Value::as_str)?;
    is_token(text).then(|| Zeroizing::new(text.to_owned()))
}

/// How long the access token lasts; little where the response does not say.
pub(super) fn lasts_of(members: &Map<String, Value>) -> i64 {
    let said = members.get("expires_in").and_then(Value::as_i64);
    said.unwrap_or(USUAL_SECONDS).clamp(0, MOST_SECONDS)
}

fn is_token(text: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn malformed(why: &str) -> Failure {
    Failure::new(Cause::ResponseMalformed, format!("the token response has {why}"))
}

/// A POST to the token endpoint with these fields and the connection's credentials, or as a public client.
pub(in crate::upstream) fn token_request(
    c: &Connection,
    discovery: &Discovery,
    fields: &[(&str, &str)],
    credentials: Option<&Credentials>,
) -> Result<Request<Vec<u8>>, Failure> {
    let client_id = &c.provider.settings.0.client_id;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(discovery.token.as_str())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded");
    match credentials {
        Some(Credentials::Secret { secret, post: false }) => {
            request = request.header("authorization", basic(client_id, secret));
        }
        Some(Credentials::Secret { secret, post: true }) => {
            form.append_pair("client_id", client_id)
                .append_pair("client_secret", secret);
        }
        Some(Credentials::Assertion(jwt)) => {
            form.append_pair("client_id", client_id)
                .append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", jwt);
        }
        None => {
            form.append_pair("client_id", client_id);
        }
    }
    request
        .body(form.finish().into_bytes())
        .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the token request cannot be made"))
}

/// RFC 6749 §2.3.1: both halves form-encoded first.
fn basic(client_id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    format!("Basic {}", STANDARD.encode(pair))
}

/// Why a token request was refused (`error` of RFC 6749 §5.2, or Okta's own shape).
pub(super) fn token_refusal(status: StatusCode, body: &[u8]) -> Failure {
    let members = json::object(body).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, said) = if text("error").is_empty() {
        (text("errorCode"), text("errorSummary"))
    } else {
        (text("error"), text("error_description"))
    };
    let words = said.to_ascii_lowercase();
    let cause = match (status.as_u16(), error) {
        (429, _) | (_, "E0000047") => Cause::RateLimited,
        (500.., _) => Cause::ProviderUnavailable,
        (300..=399, _) => Cause::RedirectRefused,
        (_, "invalid_client") => Cause::ClientAuthFailed,
        (_, "invalid_grant" | "invalid_request") if words.contains("pkce") => Cause::PkceFailed,
        (_, "invalid_grant") if words.contains("redirect_uri") => Cause::RedirectUriMismatch,
        (_, "invalid_grant") => Cause::CodeRejected,
        (_, "unauthorized_client" | "unsupported_grant_type") => Cause::GrantNotAllowed,
        (_, "use_dpop_nonce" | "invalid_dpop_proof") => Cause::DpopRequired,
        (_, "access_denied" | "server_error" | "invalid_scope" | "temporarily_unavailable") => {
            upstream_error::of_callback(error, Some(said))
        }
        (_, "") => Cause::ResponseMalformed,
        _ => Cause::TokenRequestRefused,
    };
    let what = match error {
        "" => "no error that can be read".to_owned(),
        error => format!("{}: {}", plain(error, 64), plain(said, 200)),
    };
    Failure::new(
        cause,
        format!("the provider answered {} with {what}", status.as_u16()),
    )
}

/// Refusals that come only after the client was authenticated.
fn proves_authentication(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::CodeRejected | Cause::PkceFailed | Cause::RedirectUriMismatch | Cause::GrantNotAllowed
    )
}
