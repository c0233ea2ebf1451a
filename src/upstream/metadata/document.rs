//! The discovery document: where it is, what we read of it, how long it may be kept.

use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Map, Value};
use url::Url;

use crate::model::provider::Endpoints;
use crate::rules::upstream_error::{Cause, plain};
use crate::upstream::http::{Http, place};
use crate::upstream::{Failure, json};
use crate::world::UnixTime;

const SHORTEST_CACHE: i64 = 5 * 60;
pub(super) const LONGEST_CACHE: i64 = 24 * 3600;
const DEFAULT_CACHE: i64 = 3600;

/// What we use of an issuer's metadata. Unknown members and values are no mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    pub authorization: Url,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub jwks: Url,
    pub end_session: Option<Url>,
    /// Answers carry `iss` (RFC 9207 §3).
    pub names_issuer: bool,
}

impl Discovery {
    /// The endpoints by their names in the metadata.
    pub fn named(&self) -> Vec<(String, String)> {
        [
            ("authorization_endpoint", Some(&self.authorization)),
            ("token_endpoint", Some(&self.token)),
            ("userinfo_endpoint", self.userinfo.as_ref()),
            ("jwks_uri", Some(&self.jwks)),
            ("end_session_endpoint", self.end_session.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, url)| Some((name.to_owned(), plain(url?.as_str(), 300))))
        .collect()
    }
}

/// `{issuer}/.well-known/openid-configuration` (Discovery §4).
pub fn discovery_url(issuer: &str) -> Result<Url, Failure> {
    Url::parse(&format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    ))
    .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the issuer is not a URL"))
}

/// A GET for JSON.
pub fn get(url: &Url) -> Result<Request<Vec<u8>>, Failure> {
    Request::builder()
        .method(Method::GET)
        .uri(url.as_str())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(Vec::new())
        .map_err(|_| {
            Failure::new(
                Cause::ConnectionMisconfigured,
                format!("{} cannot be called", place(url)),
            )
        })
}

/// The discovery document out of an answer.
pub fn discovery_document(
    answer: &Response<Vec<u8>>,
    url: &Url,
    limited_until: Option<UnixTime>,
) -> Result<Map<String, Value>, Failure> {
    let status = answer.status().as_u16();
    let cause = match status {
        200 => {
            return json::object(answer.body())
                .map_err(|why| Failure::new(Cause::DiscoveryFailed, format!("{}: {why}", place(url))));
        }
        404 | 410 => Cause::DiscoveryNotFound,
        300..=399 => Cause::RedirectRefused,
        429 => Cause::RateLimited,
        500.. => Cause::ProviderUnavailable,
        _ => Cause::DiscoveryFailed,
    };
    let mut failure = Failure::new(cause, format!("{} answered {status}", place(url)));
    failure.status = Some(status);
    failure.retry_at = limited_until.filter(|_| status == 429);
    Err(failure)
}

/// Reads what we use of a discovery document, which must speak of this very issuer (Discovery §4.3).
pub fn read_discovery(
    document: &Map<String, Value>,
    issuer: &str,
    http: &Http,
) -> Result<Discovery, Failure> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(Failure::new(
            Cause::IssuerMismatch,
            format!(
                "the discovery document names the issuer '{}', the connection '{}'",
                plain(text("issuer").unwrap_or("(none)"), 200),
                plain(issuer, 200)
            ),
        ));
    }
    let optional = |name: &str| text(name).map(|url| endpoint(name, url, http)).transpose();
    let required = |name: &str| {
        optional(name)?.ok_or_else(|| {
            Failure::new(
                Cause::DiscoveryFailed,
                format!("the discovery document has no '{name}'"),
            )
        })
    };
    Ok(Discovery {
        authorization: required("authorization_endpoint")?,
        token: required("token_endpoint")?,
        userinfo: optional("userinfo_endpoint")?,
        jwks: required("jwks_uri")?,
        end_session: optional("end_session_endpoint")?,
        names_issuer: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
    })
}

/// Reads endpoints given by hand.
pub(super) fn read_endpoints(manual: &Endpoints, http: &Http) -> Result<Discovery, Failure> {
    let optional = |name: &str, url: &Option<String>| {
        let url = url.as_deref().filter(|url| !url.is_empty());
        url.map(|url| endpoint(name, url, http)).transpose()
    };
    Ok(Discovery {
        authorization: endpoint("authorization", &manual.authorization, http)?,
        token: endpoint("token", &manual.token, http)?,
        userinfo: optional("userinfo", &manual.userinfo)?,
        jwks: endpoint("jwks", &manual.jwks, http)?,
        end_session: optional("end_session", &manual.end_session)?,
        names_issuer: false,
    })
}

fn endpoint(name: &str, url: &str, http: &Http) -> Result<Url, Failure> {
    let refused = |why: String| Failure::new(Cause::EndpointRefused, format!("{name}: {why}"));
    let url = Url::parse(url).map_err(|_| refused("is not a URL".into()))?;
    http.admits(&url).map_err(|trouble| refused(trouble.detail))?;
    Ok(url)
}

/// How long an answer may be kept: `max-age` within bounds, the least when it forbids keeping.
pub(super) fn cache_time(headers: &HeaderMap) -> i64 {
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let mut seconds = DEFAULT_CACHE;
    for directive in directives {
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return SHORTEST_CACHE;
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            seconds = age.trim_matches('"').parse().unwrap_or(DEFAULT_CACHE);
        }
    }
    seconds.clamp(SHORTEST_CACHE, LONGEST_CACHE)
}
