//! The sign-in at a provider: the authorize URL, the code's exchange for a verified identity, the logout URL. All
//! `openidconnect` types stay here.
//!
//! That library makes the requests (OIDC Core §3.1.2.1, §3.1.3.1) and reads the token response. Its HTTP client is ours,
//! which sees each answer first: status, media type and JSON are judged there, and the ID token is taken out, so that
//! `verify` can say what is wrong with one that the library would only call unparsable.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenUrl,
};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::client_auth::{self, ASSERTION_TYPE, Credentials};
use super::http::place;
use super::json;
use super::metadata::Discovery;
use super::verify::{self, Checks, Demands};
use super::{AuthorizeRequest, Connection, Expectation, Failure, Identity, Inner, SIGN_IN_WITHIN, Upstream};
use crate::model::provider::{ClientAuth, UserinfoMethod};
use crate::model::trace::Step;
use crate::rules::upstream_error::{self, Cause, plain};
use crate::world::UnixTime;

/// More than this between our clock and the provider's, and times can no longer be judged.
const SKEW: i64 = 60;
const LONGEST_ACCESS_TOKEN: usize = 64 * 1024;

/// What userinfo may not say: these are the ID token's alone.
const PROTOCOL_CLAIMS: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "azp",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "at_hash",
    "c_hash",
    "s_hash",
    "ver",
    "idp",
    "events",
];
/// What nobody needs after verification; the last two would have us fetch claims elsewhere (Core §5.6.2).
const DROPPED_CLAIMS: [&str; 6] = [
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "_claim_names",
    "_claim_sources",
];

impl Upstream {
    /// Where to send the browser: code flow with PKCE (S256), `state` and `nonce`.
    pub async fn authorize_url(&self, c: &Connection, r: &AuthorizeRequest) -> Result<Url, Failure> {
        let discovery = self.0.metadata.discovery(&c.provider).await?;
        authorize_url(c, &discovery, r)
    }

    /// Exchanges the code and checks everything that came back. `iss` is the callback's parameter (RFC 9207). Each check
    /// leaves a step, also when the whole ends badly.
    pub async fn identity(
        &self,
        c: &Connection,
        e: &Expectation,
        code: &str,
        iss: Option<&str>,
        steps: &mut Vec<Step>,
    ) -> Result<Identity, Failure> {
        tokio::time::timeout(SIGN_IN_WITHIN, self.0.identity(c, e, code, iss, steps))
            .await
            .unwrap_or_else(|_| {
                let detail = format!(
                    "the sign-in was not finished within {} s",
                    SIGN_IN_WITHIN.as_secs()
                );
                Err(Failure::new(Cause::Timeout, detail))
            })
    }

    /// RP-Initiated Logout §2; `None` when the provider has no such endpoint.
    pub async fn logout_url(
        &self,
        c: &Connection,
        id_token_hint: &str,
        post_logout_redirect_uri: Option<&str>,
        state: Option<&str>,
    ) -> Result<Option<Url>, Failure> {
        let discovery = self.0.metadata.discovery(&c.provider).await?;
        Ok(discovery.end_session.clone().map(|mut url| {
            url.query_pairs_mut()
                .append_pair("id_token_hint", id_token_hint)
                .extend_pairs(post_logout_redirect_uri.map(|uri| ("post_logout_redirect_uri", uri)))
                .extend_pairs(state.map(|state| ("state", state)));
            url
        }))
    }
}

/// What the token endpoint gave.
struct Tokens {
    access_token: Zeroizing<String>,
    id_token: Zeroizing<String>,
    /// The provider's time, from the `Date` header.
    date: Option<UnixTime>,
}

/// What our HTTP client took out of the answer before the library read it.
#[derive(Default)]
struct Taken {
    id_token: Option<Zeroizing<String>>,
    date: Option<UnixTime>,
}

pub(super) fn authorize_url(
    c: &Connection,
    discovery: &Discovery,
    r: &AuthorizeRequest,
) -> Result<Url, Failure> {
    let verifier = code_verifier(&r.code_verifier)?;
    let (state, nonce) = (r.state.clone(), r.nonce.clone());
    let client = client(c)?
        .set_auth_uri(AuthUrl::from_url(discovery.authorization.clone()))
        .set_redirect_uri(redirect_url(&r.redirect_uri)?);
    let scopes = c
        .provider
        .settings
        .0
        .scopes
        .iter()
        .filter(|scope| *scope != "openid");
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .add_scopes(scopes.map(|scope| Scope::new(scope.clone())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    for (name, value) in [
        ("login_hint", r.login_hint.clone()),
        ("prompt", r.prompt.as_deref().and_then(prompt)),
        ("max_age", r.max_age.map(|age| age.max(0).to_string())),
        ("acr_values", r.acr_values.clone()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            request = request.add_extra_param(name, value);
        }
    }
    Ok(request.url().0)
}

/// Okta refuses `select_account`; asking for the credentials is its way to let another account in.
fn prompt(asked: &str) -> Option<String> {
    let mut values: Vec<&str> = Vec::new();
    for value in asked.split_ascii_whitespace() {
        let value = if value == "select_account" { "login" } else { value };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    (!values.is_empty()).then(|| values.join(" "))
}

impl Inner {
    async fn identity(
        &self,
        c: &Connection,
        e: &Expectation,
        code: &str,
        iss: Option<&str>,
        steps: &mut Vec<Step>,
    ) -> Result<Identity, Failure> {
        // RFC 9207 §2.4, before the code goes anywhere.
        if let Some(iss) = iss {
            let detail = format!("{}, expected {}", plain(iss, 200), plain(&c.provider.issuer, 200));
            note(
                steps,
                "callback.iss",
                iss == c.provider.issuer,
                Cause::CallbackIssuerMismatch,
                detail,
            )?;
        }
        let discovery = self
            .metadata
            .discovery(&c.provider)
            .await
            .inspect_err(|failure| failed(steps, "metadata", failure))?;
        if iss.is_none() {
            let detail = if discovery.names_issuer {
                "absent, although announced"
            } else {
                "absent"
            };
            note(
                steps,
                "callback.iss",
                !discovery.names_issuer,
                Cause::CallbackIssuerMissing,
                detail,
            )?;
        }
        let tokens = self
            .tokens(c, e, &discovery, code)
            .await
            .inspect_err(|failure| failed(steps, "token", failure))?;
        passed(steps, "token", "the code was exchanged");
        let clock_differs = self.clock_step(tokens.date, steps);
        let claims = self
            .verified(c, e, &tokens, steps)
            .await
            .map_err(|failure| match failure.cause {
                Cause::TokenExpired | Cause::IssuedAtInvalid | Cause::NotYetValid if clock_differs => {
                    Failure {
                        cause: Cause::ClockSkew,
                        ..failure
                    }
                }
                _ => failure,
            })?;
        let userinfo = match &discovery.userinfo {
            None => {
                passed(steps, "userinfo", "the provider has no such endpoint");
                Map::new()
            }
            Some(url) => self
                .userinfo(c, url, &tokens.access_token, steps)
                .await
                .inspect_err(|failure| failed(steps, "userinfo", failure))?,
        };
        if !userinfo.is_empty() {
            // Core §5.3.2: userinfo about somebody else must not be used.
            let same = userinfo
                .get("sub")
                .is_some_and(|sub| Some(sub) == claims.get("sub"));
            let detail = if same {
                "that of the ID token"
            } else {
                "not that of the ID token"
            };
            note(
                steps,
                "userinfo.sub",
                same,
                Cause::UserinfoSubjectMismatch,
                detail,
            )?;
        }
        Ok(identity(c, claims, userinfo, tokens.id_token))
    }

    async fn tokens(
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

    /// Runs a token request with the connection's credentials. When the provider refuses the secret in the header, it is
    /// tried once in the body: the method is fixed per Okta app, and admins cannot tell which one it is.
    pub(super) async fn with_credentials<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        c: &Connection,
        token_endpoint: &Url,
        request: impl Fn(Credentials) -> F,
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
        let refused = matches!(&first, Err(failure) if failure.cause == Cause::ClientAuthFailed && failure.status == Some(401));
        if !refused || posting || settings.client_auth != ClientAuth::SecretBasic {
            return first;
        }
        let second = request(credentials(true)?).await;
        match &second {
            Err(failure) if failure.cause == Cause::ClientAuthFailed => return first,
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
        let malformed =
            |why: &str| Failure::new(Cause::ResponseMalformed, format!("the token response has {why}"));
        let id_token = match members.remove("id_token") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(Zeroizing::new(text)),
            Some(_) => return Err(malformed("an id_token that is not a string")),
        };
        // RFC 6749 §7.1: a token of a type that we do not know is not used; the name is case-insensitive.
        let bearer = members.get("token_type").and_then(Value::as_str);
        if !bearer.is_some_and(|name| name.eq_ignore_ascii_case("bearer")) {
            return Err(malformed("another token_type than Bearer"));
        }
        let access_token = members.get("access_token").and_then(Value::as_str);
        if !access_token.is_some_and(|text| {
            (1..=LONGEST_ACCESS_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        }) {
            return Err(malformed("no usable access_token"));
        }
        // Some providers write these as strings or leave them empty; nothing here depends on them.
        members.retain(|name, _| matches!(name.as_str(), "access_token" | "token_type"));
        *taken.lock().unwrap_or_else(PoisonError::into_inner) = Taken {
            id_token,
            date: date_of(answer.headers()),
        };
        let body = serde_json::to_vec(&members).map_err(|_| malformed("what cannot be written as JSON"))?;
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// The members of a successful token response, or why it is none.
    pub(super) fn token_members(&self, answer: &Response<Vec<u8>>) -> Result<Map<String, Value>, Failure> {
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

    /// Notes how far the provider's clock is from ours; true when times cannot be judged.
    fn clock_step(&self, date: Option<UnixTime>, steps: &mut Vec<Step>) -> bool {
        let Some(date) = date else { return false };
        let ahead = date.since(self.clock.now());
        let differs = ahead.abs() > SKEW;
        steps.push(Step {
            name: "clock".into(),
            passed: !differs,
            detail: format!("the provider's clock is {ahead} s ahead of ours"),
        });
        differs
    }

    async fn verified(
        &self,
        c: &Connection,
        e: &Expectation,
        tokens: &Tokens,
        steps: &mut Vec<Step>,
    ) -> Result<Map<String, Value>, Failure> {
        let settings = &c.provider.settings.0;
        let demands = Demands {
            issuer: &c.provider.issuer,
            client_id: &settings.client_id,
            algorithms: &settings.id_token_algorithms,
            nonce: &e.nonce,
            access_token: &tokens.access_token,
            authenticated_since: e
                .max_age
                .map(|age| e.begun_at.plus(-age.max(0)))
                .max(e.reauthenticate_since),
            acr_values: e.acr_values.as_deref(),
            now: self.clock.now(),
        };
        let token = verify::read(&tokens.id_token, &demands, steps)?;
        let keys = self
            .metadata
            .keys(&c.provider, |keys| token.has_candidate(keys))
            .await
            .inspect_err(|failure| failed(steps, "jwks", failure))?;
        token.check_signature(&keys, steps)?;
        token.check_claims(&demands, steps)
    }

    /// Core §5.3. Empty when the granted scopes open nothing there.
    async fn userinfo(
        &self,
        c: &Connection,
        url: &Url,
        access_token: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Map<String, Value>, Failure> {
        let post = c.provider.settings.0.userinfo_method == UserinfoMethod::Post;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| Failure::new(Cause::ResponseMalformed, "the access token cannot be sent"))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(if post { Method::POST } else { Method::GET })
            .uri(url.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer);
        if post {
            request = request.header(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
        }
        let request = request.body(Vec::new()).map_err(|_| {
            Failure::new(
                Cause::ConnectionMisconfigured,
                format!("{} cannot be called", place(url)),
            )
        })?;
        let answer = self.http.send(&lane(c), request).await?;
        let status = answer.status();
        let refused = |cause, why: &str| Failure::new(cause, format!("{}: {why}", place(url)));
        if status == StatusCode::FORBIDDEN && challenge_says(answer.headers(), "insufficient_scope") {
            passed(
                steps,
                "userinfo",
                "the granted scopes open nothing there: the ID token has to do",
            );
            return Ok(Map::new());
        }
        if status != StatusCode::OK {
            let cause = match status.as_u16() {
                429 => Cause::RateLimited,
                500.. => Cause::ProviderUnavailable,
                300..=399 => Cause::RedirectRefused,
                400 => token_refusal(status, answer.body()).cause,
                _ => Cause::UserinfoFailed,
            };
            let cause = if cause == Cause::GroupsOverflow || status != StatusCode::BAD_REQUEST {
                cause
            } else {
                Cause::UserinfoFailed
            };
            let mut failure = refused(cause, &format!("answered {}", status.as_u16()));
            failure.retry_at = self
                .http
                .limited_until(answer.headers())
                .filter(|_| status.as_u16() == 429);
            return Err(failure);
        }
        if !is_json(answer.headers()) {
            return Err(refused(
                Cause::UserinfoFailed,
                "the answer is not application/json",
            ));
        }
        let claims = json::object(answer.body()).map_err(|why| refused(Cause::UserinfoFailed, &why))?;
        if !claims.contains_key("sub") {
            return Err(refused(Cause::UserinfoSubjectMismatch, "the answer has no 'sub'"));
        }
        passed(steps, "userinfo", &format!("{} claims", claims.len()));
        Ok(claims)
    }
}

/// ID token and userinfo as one.
fn identity(
    c: &Connection,
    claims: Map<String, Value>,
    userinfo: Map<String, Value>,
    id_token: Zeroizing<String>,
) -> Identity {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let amr = match claims.get("amr") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let (subject, acr, sid) = (text("sub").unwrap_or_default(), text("acr"), text("sid"));
    let auth_time = claims
        .get("auth_time")
        .and_then(verify::moment_of)
        .map(|time| time.0);
    let mut merged = userinfo;
    merged.retain(|name, _| !PROTOCOL_CLAIMS.contains(&name.as_str()));
    for (name, value) in claims {
        if !value.is_null() || !merged.contains_key(&name) {
            merged.insert(name, value);
        }
    }
    merged.retain(|name, _| !DROPPED_CLAIMS.contains(&name.as_str()));
    Identity {
        issuer: c.provider.issuer.clone(),
        subject,
        claims: merged,
        auth_time,
        amr,
        acr,
        sid,
        id_token,
    }
}

/// Why a token request was refused (`error` of RFC 6749 §5.2, or Okta's own shape).
fn token_refusal(status: StatusCode, body: &[u8]) -> Failure {
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

fn client(c: &Connection) -> Result<CoreClient, Failure> {
    let wrong = |_| Failure::new(Cause::ConnectionMisconfigured, "the issuer is not a URL");
    Ok(CoreClient::new(
        ClientId::new(c.provider.settings.0.client_id.clone()),
        IssuerUrl::new(c.provider.issuer.clone()).map_err(wrong)?,
        JsonWebKeySet::default(),
    ))
}

/// RFC 7636 §4.1; the library would panic over another length.
fn code_verifier(text: &str) -> Result<PkceCodeVerifier, Failure> {
    if !(43..=128).contains(&text.len()) {
        return Err(Failure::new(
            Cause::ConnectionMisconfigured,
            "the PKCE verifier has the wrong length",
        ));
    }
    Ok(PkceCodeVerifier::new(text.to_owned()))
}

fn redirect_url(text: &str) -> Result<RedirectUrl, Failure> {
    RedirectUrl::new(text.to_owned())
        .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the redirect URI is not a URL"))
}

/// Token and userinfo requests of one connection; another connection's, to the same Okta even, go on a lane of their own.
pub(super) fn lane(c: &Connection) -> String {
    format!("connection {}", c.provider.id)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn challenge_says(headers: &HeaderMap, error: &str) -> bool {
    let mut challenges = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    challenges.any(|challenge| challenge.contains(&format!("error=\"{error}\"")))
}

/// The `Date` header (RFC 9110 §6.6.1).
pub(super) fn date_of(headers: &HeaderMap) -> Option<UnixTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = chrono::NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").ok()?;
    Some(UnixTime(date.and_utc().timestamp()))
}

fn passed(steps: &mut Vec<Step>, name: &str, detail: &str) {
    steps.push(Step {
        name: name.to_owned(),
        passed: true,
        detail: detail.to_owned(),
    });
}

fn failed(steps: &mut Vec<Step>, name: &str, failure: &Failure) {
    steps.push(Step {
        name: name.to_owned(),
        passed: false,
        detail: failure.to_string(),
    });
}

/// One check that decides at once.
fn note(
    steps: &mut Vec<Step>,
    name: &str,
    passed: bool,
    cause: Cause,
    detail: impl Into<String>,
) -> Result<(), Failure> {
    let mut checks = Checks::new(steps);
    checks.check(name, passed, cause, detail);
    checks.finish()
}

#[cfg(test)]
mod tests;
