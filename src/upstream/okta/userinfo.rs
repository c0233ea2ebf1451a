//! Userinfo (OIDC Core §5.3), and how it is merged with the ID token, which always wins.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::token::token_refusal;
use super::{is_json, lane, passed};
use crate::model::provider::UserinfoMethod;
use crate::model::trace::Step;
use crate::rules::upstream_error::Cause;
use crate::upstream::http::place;
use crate::upstream::{Connection, Failure, Identity, Inner, json, verify};

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

impl Inner {
    /// Core §5.3. Empty when the granted scopes open nothing there.
    pub(super) async fn userinfo(
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
pub(super) fn identity(
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
        sources: None,
        okta_api: None,
    }
}

fn challenge_says(headers: &HeaderMap, error: &str) -> bool {
    let mut challenges = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    challenges.any(|challenge| challenge.contains(&format!("error=\"{error}\"")))
}
