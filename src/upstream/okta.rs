//! The sign-in at a provider: the authorize URL, the code's exchange for a verified identity, the logout URL. All
//! `openidconnect` types stay here and below.
//!
//! That library makes the requests (OIDC Core §3.1.2.1, §3.1.3.1) and reads the token response. Its HTTP client is ours,
//! which sees each answer first: status, media type and JSON are judged there, and the ID token is taken out, so that
//! `verify` can say what is wrong with one that the library would only call unparsable.

mod api;
mod brought;
mod refresh;
mod token;
mod userinfo;

use std::collections::HashSet;

use http::header::{CONTENT_TYPE, DATE, HeaderMap};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    AuthUrl, ClientId, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};
use serde_json::{Map, Value};
use url::Url;

use super::metadata::Discovery;
use super::verify::{self, Came, Checks, Demands};
use super::{AuthorizeRequest, Connection, Expectation, Failure, Identity, Inner, Sources, Upstream};
use crate::model::trace::Step;
use crate::rules::upstream_error::{Cause, plain};
use crate::world::UnixTime;
use token::Tokens;

pub use api::{ApiFailure, ApiGrant};
pub use brought::{Brought, claimed, end_of_brought};
pub use refresh::Refreshed;
pub(super) use token::token_request;

/// More than this between our clock and the provider's, and times can no longer be judged.
const SKEW: i64 = 60;

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
        let within = self.0.sign_in_within;
        let mut identity = tokio::time::timeout(within, self.0.identity(c, e, code, iss, steps))
            .await
            .unwrap_or_else(|_| {
                let detail = format!("the sign-in was not finished within {} s", within.as_secs_f32());
                Err(Failure::new(Cause::Timeout, detail))
            })?;
        self.0.fill(c, &mut identity, steps).await;
        Ok(identity)
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
    let settings = &c.provider.settings.0;
    let mut scopes: Vec<&str> = settings.scopes.iter().map(String::as_str).collect();
    if r.okta_api {
        scopes.extend(settings.okta_api.iter().map(|scope| scope.as_str()));
    }
    // The library asks for it by itself.
    let mut asked = HashSet::from(["openid"]);
    scopes.retain(|scope| asked.insert(*scope));
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .add_scopes(scopes.into_iter().map(|scope| Scope::new(scope.to_owned())))
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
        let claimed_email = verify::claimed_email(&tokens.id_token);
        self.believed(c, e, &discovery, tokens, steps)
            .await
            .map_err(|failure| Failure {
                claimed_email,
                ..failure
            })
    }

    /// Who the tokens say it is, once all of it is verified.
    async fn believed(
        &self,
        c: &Connection,
        e: &Expectation,
        discovery: &Discovery,
        tokens: Tokens,
        steps: &mut Vec<Step>,
    ) -> Result<Identity, Failure> {
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
        let more = match &discovery.userinfo {
            None => {
                passed(steps, "userinfo", "the provider has no such endpoint");
                Map::new()
            }
            Some(url) => self
                .userinfo(c, url, &tokens.access_token, steps)
                .await
                .inspect_err(|failure| failed(steps, "userinfo", failure))?,
        };
        if !more.is_empty() {
            // Core §5.3.2: userinfo about somebody else must not be used.
            let same = more.get("sub").is_some_and(|sub| Some(sub) == claims.get("sub"));
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
        let okta_api = api::granted(c, e.okta_api, &tokens, steps);
        let opens_api = okta_api.as_ref().is_some_and(|grant| !grant.scopes.is_empty());
        let sources = e.keep_sources.then(|| Sources {
            access_token: (!opens_api).then_some(tokens.access_token),
            id_token: claims.clone(),
            userinfo: more.clone(),
            okta_profile: None,
        });
        Ok(Identity {
            sources,
            okta_api,
            ..userinfo::identity(c, claims, more, tokens.id_token)
        })
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
            came: Came::ByCode {
                nonce: &e.nonce,
                access_token: &tokens.access_token,
            },
            authenticated_since: e
                .max_age
                .map(|age| e.begun_at.plus(-age.max(0)))
                .max(e.reauthenticate_since),
            acr_values: e.acr_values.as_deref(),
            now: self.clock.now(),
        };
        self.checked(c, &tokens.id_token, &demands, steps).await
    }

    /// The claims of an ID token that agrees with everything it has to agree with.
    async fn checked(
        &self,
        c: &Connection,
        id_token: &str,
        demands: &Demands<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<Map<String, Value>, Failure> {
        let token = verify::read(id_token, demands, steps)?;
        let keys = self
            .metadata
            .keys(&c.provider, |keys| token.has_candidate(keys))
            .await
            .inspect_err(|failure| failed(steps, "jwks", failure))?;
        token.check_signature(&keys, steps)?;
        token.check_claims(demands, steps)
    }
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
