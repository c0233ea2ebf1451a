//! Okta's own API, with the access token of a sign-in at the org authorization server: the profile of whoever signed in,
//! and Okta's profile mapping for an administrator's import.
//!
//! Nothing here may spoil a sign-in: the calls have a lane of their own, so that trouble with the API does not close the
//! way to the token endpoint, and they come after everything that decides who it is, within a time of their own.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::token::Tokens;
use super::{is_json, lane, passed};
use crate::model::provider::ApiScope;
use crate::model::trace::Step;
use crate::rules::login::ApiAsk;
use crate::rules::okta_profile;
use crate::rules::upstream_error::plain;
use crate::upstream::http::place;
use crate::upstream::{Connection, Identity, Inner, Upstream, json};

/// What a sign-in asked of the API waits for, as a part of what the sign-in itself may wait.
const SHARE: f32 = 0.3;

/// What was granted of the scopes that were asked for, and the tokens that have them.
#[derive(Clone)]
pub struct ApiGrant {
    pub scopes: Vec<ApiScope>,
    pub access_token: Zeroizing<String>,
    pub refresh_token: Option<Zeroizing<String>>,
    /// Seconds that the access token lasts.
    pub lasts: i64,
}

/// The API did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiFailure {
    /// The HTTP status, where it answered.
    pub status: Option<u16>,
    /// What was seen, without tokens.
    pub detail: String,
}

impl ApiFailure {
    fn new(detail: impl Into<String>) -> ApiFailure {
        ApiFailure {
            status: None,
            detail: detail.into(),
        }
    }
}

/// What the token response granted, told in the trace.
pub(super) fn granted(
    c: &Connection,
    asked: ApiAsk,
    tokens: &Tokens,
    steps: &mut Vec<Step>,
) -> Option<ApiGrant> {
    let wanted = &c.provider.settings.okta_api;
    if wanted.is_empty() {
        return None;
    }
    let mut step = |passed, detail: String| {
        steps.push(Step {
            name: "okta_api.scopes".into(),
            passed,
            detail,
        });
    };
    match asked {
        ApiAsk::Asked => {}
        ApiAsk::Refused => {
            step(
                false,
                "Okta refused the request for the scopes of its API, and was asked again without them: grant them on the \
                 app's Okta API Scopes tab"
                    .into(),
            );
            return None;
        }
        // It was switched on while the person was on the way.
        ApiAsk::No => return None,
    }
    // RFC 6749 §5.1: a response that names no scope has granted what was asked.
    let named = tokens.scope.as_deref();
    let has = |scope: &ApiScope| {
        named.is_none_or(|named| named.split_ascii_whitespace().any(|one| one == scope.as_str()))
    };
    let (scopes, missing): (Vec<ApiScope>, Vec<ApiScope>) = wanted.iter().partition(|scope| has(scope));
    let list = |scopes: &[ApiScope]| {
        scopes
            .iter()
            .map(|scope| scope.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (scopes.as_slice(), missing.as_slice()) {
        (all, []) => step(true, format!("granted: {}", list(all))),
        ([], none) => step(false, format!("not granted: {}", list(none))),
        (some, others) => step(
            false,
            format!("granted: {}; not granted: {}", list(some), list(others)),
        ),
    }
    Some(ApiGrant {
        scopes,
        access_token: tokens.access_token.clone(),
        refresh_token: tokens.refresh_token.clone(),
        lasts: tokens.lasts,
    })
}

impl Inner {
    /// Fills what the sign-in did not bring from the person's own profile, where that may be read. What goes wrong stands
    /// in the trace, and the sign-in goes on.
    pub(super) async fn fill(&self, c: &Connection, identity: &mut Identity, steps: &mut Vec<Step>) {
        let Some(grant) = &identity.okta_api else { return };
        if !grant.scopes.iter().any(|scope| scope.reads_own_profile()) {
            return;
        }
        const STEP: &str = "okta_api.profile";
        match self.profile(c, &grant.access_token, &identity.subject).await {
            Ok(profile) => {
                let came = identity.claims.contains_key(okta_profile::CLAIM);
                let filled = okta_profile::fill(&mut identity.claims, profile);
                let claims = &identity.claims;
                if let Some(sources) = &mut identity.sources {
                    let filled = filled.iter().copied();
                    let told = filled.filter_map(|name| Some((name.to_owned(), claims.get(name)?.clone())));
                    sources.userinfo.extend(told);
                    let profile = claims.get(okta_profile::CLAIM).filter(|_| !came);
                    sources.okta_profile = profile.cloned();
                }
                let detail = match filled.as_slice() {
                    [] => "nothing was missing".to_owned(),
                    names => format!("filled {}", names.join(", ")),
                };
                passed(steps, STEP, &detail);
            }
            Err(failure) => {
                tracing::warn!(connection = %c.provider.id, detail = failure.detail, "a profile could not be read");
                steps.push(Step {
                    name: STEP.into(),
                    passed: false,
                    detail: format!("{}; signed in without it", failure.detail),
                });
            }
        }
    }

    async fn profile(
        &self,
        c: &Connection,
        access_token: &str,
        subject: &str,
    ) -> Result<Map<String, Value>, ApiFailure> {
        let within = self.sign_in_within.mul_f32(SHARE);
        let user = self
            .api_object(c, access_token, &["users", "me"], &[], within)
            .await?;
        if user.get("id").and_then(Value::as_str) != Some(subject) {
            return Err(ApiFailure::new(
                "the profile is not that of the ID token's subject and was not looked at",
            ));
        }
        member(user, "profile", "the user has no profile")
    }

    async fn profile_mapping(
        &self,
        c: &Connection,
        access_token: &str,
        scopes: &[ApiScope],
    ) -> Result<Map<String, Value>, ApiFailure> {
        let within = self.sign_in_within;
        let client_id = c.provider.settings.client_id.as_str();
        let mut query = vec![("targetId", client_id.to_owned()), ("limit", "200".to_owned())];
        if scopes.contains(&ApiScope::UserTypesRead) {
            // An organisation may have several types of users, each with a mapping of its own.
            let kind = self
                .api_object(
                    c,
                    access_token,
                    &["meta", "types", "user", "default"],
                    &[],
                    within,
                )
                .await?;
            query.extend(text_of(&kind, "id").map(|id| ("sourceId", id.to_owned())));
        }
        let answer = self.api(c, access_token, &["mappings"], &query, within).await?;
        let found: Vec<Map<String, Value>> = serde_json::from_slice(answer.body())
            .map_err(|_| ApiFailure::new("the list of mappings is not a list of objects"))?;
        let to_our_app = |mapping: &&Map<String, Value>| {
            let end = |side: &str, name: &str| {
                mapping
                    .get(side)
                    .and_then(|end| end.get(name))
                    .and_then(Value::as_str)
            };
            end("target", "id") == Some(client_id) && end("source", "type") == Some("user")
        };
        let id = found
            .iter()
            .find(to_our_app)
            .and_then(|mapping| text_of(mapping, "id"))
            .ok_or_else(|| ApiFailure::new("Okta has no mapping from its users to this app"))?;
        let mapping = self
            .api_object(c, access_token, &["mappings", id], &[], within)
            .await?;
        member(mapping, "properties", "the mapping has no properties")
    }

    async fn api_object(
        &self,
        c: &Connection,
        access_token: &str,
        path: &[&str],
        query: &[(&str, String)],
        within: Duration,
    ) -> Result<Map<String, Value>, ApiFailure> {
        let answer = self.api(c, access_token, path, query, within).await?;
        json::object(answer.body()).map_err(ApiFailure::new)
    }

    /// A GET below `/api/v1`; the JSON of a 200.
    async fn api(
        &self,
        c: &Connection,
        access_token: &str,
        path: &[&str],
        query: &[(&str, String)],
        within: Duration,
    ) -> Result<Response<Vec<u8>>, ApiFailure> {
        let url = api_url(&c.provider.issuer, path, query)
            .ok_or_else(|| ApiFailure::new("the issuer's address has no room for the API"))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| ApiFailure::new("the access token cannot be sent"))?;
        bearer.set_sensitive(true);
        let request = Request::builder()
            .method(Method::GET)
            .uri(url.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer)
            .body(Vec::new())
            .map_err(|_| ApiFailure::new(format!("{} cannot be called", place(&url))))?;
        let lane = format!("{} api", lane(c));
        let answer = self
            .http
            .send_within(&lane, request, within)
            .await
            .map_err(|trouble| ApiFailure::new(trouble.to_string()))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let members = json::object(answer.body()).unwrap_or_default();
            let said = |name: &str| plain(text_of(&members, name).unwrap_or_default(), 200);
            return Err(ApiFailure {
                status: Some(status.as_u16()),
                detail: format!(
                    "{} answered {} {}: {}",
                    place(&url),
                    status.as_u16(),
                    said("errorCode"),
                    said("errorSummary")
                ),
            });
        }
        if !is_json(answer.headers()) {
            return Err(ApiFailure::new(format!(
                "{} answered with something else than application/json",
                place(&url)
            )));
        }
        Ok(answer)
    }
}

impl Upstream {
    /// The properties of Okta's own mapping from its users to the connection's app.
    pub async fn profile_mapping(
        &self,
        c: &Connection,
        access_token: &str,
        scopes: &[ApiScope],
    ) -> Result<Map<String, Value>, ApiFailure> {
        self.0.profile_mapping(c, access_token, scopes).await
    }
}

/// The object that an answer holds under this name.
fn member(
    mut answer: Map<String, Value>,
    name: &str,
    missing: &str,
) -> Result<Map<String, Value>, ApiFailure> {
    match answer.remove(name) {
        Some(Value::Object(found)) => Ok(found),
        _ => Err(ApiFailure::new(missing)),
    }
}

/// Each segment by itself, so that none of Okta's ids leads elsewhere.
fn api_url(issuer: &str, path: &[&str], query: &[(&str, String)]) -> Option<Url> {
    let mut url = Url::parse(issuer).ok()?;
    url.path_segments_mut()
        .ok()?
        .clear()
        .extend(["api", "v1"])
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Some(url)
}

fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_oktas_stays_a_segment() {
        let url = |path: &[&str]| api_url("https://acme.okta.com", path, &[]).map(String::from);
        assert_eq!(
            url(&["users", "me"]).as_deref(),
            Some("https://acme.okta.com/api/v1/users/me")
        );
        assert_eq!(
            url(&["mappings", "a/../../b?c#d"]).as_deref(),
            Some("https://acme.okta.com/api/v1/mappings/a%2F..%2F..%2Fb%3Fc%23d")
        );
        let asked = [("targetId", "0oa&x=1".to_owned())];
        assert_eq!(
            api_url("https://acme.okta.com", &["mappings"], &asked)
                .map(String::from)
                .as_deref(),
            Some("https://acme.okta.com/api/v1/mappings?targetId=0oa%26x%3D1")
        );
    }
}
