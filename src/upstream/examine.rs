//! The staged check of a connection, as `forebay provider test` shows it: from the name in the DNS to the redirect URI in
//! the Okta app, each stage with a named result and a sentence that an Okta administrator can follow.
//!
//! It looks afresh: caches, lanes and circuits of the sign-in are left alone. Nobody is signed in by it; the code that it
//! presents to the token endpoint is made up, and the authorization request says `prompt=none`.

use std::time::Duration;

use http::header::LOCATION;
use http::{Method, Request, StatusCode};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use url::Url;

use super::client_auth::{ASSERTION_TYPE, Credentials};
use super::fence::{self, NoAddress};
use super::http::place;
use super::json;
use super::keys::KeySet;
use super::metadata::{Discovery, discovery_document, discovery_url, get, read_discovery};
use super::okta::{authorize_url, date_of};
use super::{AuthorizeRequest, Connection, Failure, Inner, Upstream};
use crate::rules::secret;
use crate::rules::upstream_error::{self, Cause, plain};
use crate::world::UnixTime;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A certificate that ends sooner is worth a word.
const SOON: i64 = 21 * 24 * 3600;

/// One stage's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `dns`, `tcp`, `tls`, `discovery`, `issuer`, `jwks`, `client_id`, `client_auth`, `redirect_uri`, `clock`.
    pub name: &'static str,
    pub verdict: Verdict,
    /// `DNS_FAILED`, `TLS_INTERCEPTED`, `CLIENT_AUTH_FAILED`…; empty unless it failed.
    pub code: &'static str,
    pub detail: String,
    /// What to do, for an administrator of the provider; may hold a hint when the stage passed.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// Not looked at, since an earlier stage failed or it does not apply.
    Skipped,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        }
    }
}

/// Collects stages and hands each on as it ends.
struct Report<F> {
    stages: Vec<Stage>,
    each: F,
}

impl<F: FnMut(&Stage)> Report<F> {
    fn add(
        &mut self,
        name: &'static str,
        verdict: Verdict,
        code: &'static str,
        detail: String,
        remedy: &str,
    ) {
        let stage = Stage {
            name,
            verdict,
            code,
            detail,
            remedy: remedy.to_owned(),
        };
        (self.each)(&stage);
        self.stages.push(stage);
    }

    fn passed(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Verdict::Passed, "", detail.into(), "");
    }

    fn skipped(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Verdict::Skipped, "", detail.into(), "");
    }

    fn failed(&mut self, name: &'static str, failure: &Failure) {
        let refusal = failure.refusal("");
        self.add(
            name,
            Verdict::Failed,
            refusal.cause,
            failure.detail.clone(),
            refusal.remedy,
        );
    }
}

impl Upstream {
    /// Looks at everything that a sign-in needs, from this machine's network; `each` sees every stage as it ends.
    pub async fn examine(&self, c: &Connection, redirect_uri: &str, each: impl FnMut(&Stage)) -> Vec<Stage> {
        let mut report = Report {
            stages: Vec::new(),
            each,
        };
        self.0.examine(c, redirect_uri, &mut report).await;
        report.stages
    }
}

impl Inner {
    async fn examine<F: FnMut(&Stage)>(&self, c: &Connection, redirect_uri: &str, report: &mut Report<F>) {
        let first = match &c.provider.settings.0.endpoints {
            Some(manual) => Url::parse(&manual.token)
                .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the token endpoint is not a URL")),
            None => discovery_url(&c.provider.issuer),
        };
        let reached = match &first {
            Ok(url) => self.reach(url, report).await,
            Err(failure) => {
                report.failed("dns", failure);
                false
            }
        };
        let (Ok(_), true) = (first, reached) else {
            for name in [
                "discovery",
                "issuer",
                "jwks",
                "client_id",
                "client_auth",
                "redirect_uri",
                "clock",
            ] {
                report.skipped(name, "the provider was not reached");
            }
            return;
        };
        let (discovery, date) = self.discover(c, report).await;
        match &discovery {
            None => {
                for name in ["jwks", "client_id", "client_auth", "redirect_uri"] {
                    report.skipped(name, "the endpoints are not known");
                }
            }
            Some(discovery) => {
                self.look_at_keys(discovery, report).await;
                self.look_for_client(c, report).await;
                self.try_client_auth(c, discovery, redirect_uri, report).await;
                self.try_redirect_uri(c, discovery, redirect_uri, report).await;
            }
        }
        self.compare_clocks(date, report);
    }

    /// DNS, TCP and TLS; false when one of them failed.
    async fn reach<F: FnMut(&Stage)>(&self, url: &Url, report: &mut Report<F>) -> bool {
        let exempt = match self.http.admits(url) {
            Ok(exempt) => exempt,
            Err(trouble) => {
                report.failed("dns", &trouble.into());
                report.skipped("tcp", "the address is refused");
                report.skipped("tls", "the address is refused");
                return false;
            }
        };
        if self.http.proxied && !exempt {
            for name in ["dns", "tcp", "tls"] {
                report.skipped(name, "the outbound proxy does this");
            }
            return true;
        }
        let (host, port) = (
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(443),
        );
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match fence::resolve(name, !exempt).await {
            Ok(addresses) => addresses,
            Err(problem) => {
                let cause = match problem {
                    NoAddress::Unresolved(_) => Cause::DnsFailed,
                    NoAddress::NotPublic => Cause::AddressRefused,
                };
                report.failed("dns", &Failure::new(cause, format!("{host}: {problem}")));
                report.skipped("tcp", "there is no address");
                report.skipped("tls", "there is no address");
                return false;
            }
        };
        let shown: Vec<String> = addresses
            .iter()
            .take(4)
            .map(|address| address.ip().to_string())
            .collect();
        report.passed("dns", format!("{host} is {}", shown.join(", ")));

        let mut stream = None;
        let mut refused = false;
        for mut address in addresses.into_iter().take(4) {
            address.set_port(port);
            match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(connected)) => {
                    stream = Some((connected, address));
                    break;
                }
                Ok(Err(_)) => refused = true,
                Err(_) => {}
            }
        }
        let Some((stream, address)) = stream else {
            let (cause, what) = match refused {
                true => (Cause::ConnectFailed, "refuses the connection"),
                false => (Cause::ConnectTimeout, "does not answer"),
            };
            report.failed("tcp", &Failure::new(cause, format!("{host} port {port} {what}")));
            report.skipped("tls", "there is no connection");
            return false;
        };
        report.passed("tcp", format!("connected to {address}"));
        if url.scheme() != "https" {
            report.skipped("tls", "plain http, as a named exception for development");
            return true;
        }
        self.shake_hands(name, stream, report).await
    }

    async fn shake_hands<F: FnMut(&Stage)>(
        &self,
        host: &str,
        stream: TcpStream,
        report: &mut Report<F>,
    ) -> bool {
        let (Ok((config, recorder)), Ok(server)) =
            (self.http.trust.recording(), ServerName::try_from(host.to_owned()))
        else {
            report.failed(
                "tls",
                &Failure::new(Cause::TlsHandshakeFailed, "the host is no name for TLS"),
            );
            return false;
        };
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let shaken = tokio::time::timeout(CONNECT_WITHIN, connector.connect(server, stream)).await;
        let chain = recorder.chain();
        let seen = chain.as_ref().map_or_else(
            || "no certificate came".to_owned(),
            |chain| {
                format!(
                    "certificate {} issued by {}, valid until {}",
                    chain.subject, chain.issuer, chain.not_after
                )
            },
        );
        match shaken {
            Ok(Ok(stream)) => {
                let version = stream
                    .get_ref()
                    .1
                    .protocol_version()
                    .and_then(|version| version.as_str().map(str::to_owned));
                let detail = format!(
                    "{}; {seen}",
                    version.unwrap_or_else(|| "TLS".into()).replace('_', ".")
                );
                let remedy = match &chain {
                    Some(chain) if chain.names_an_inspector() => {
                        "An inspecting proxy issued this certificate, and this machine trusts it: it can read client secrets and tokens. Exempt the Okta domain from inspection."
                    }
                    Some(chain) if chain.not_after.since(self.clock.now()) < SOON => {
                        "The certificate ends soon: see that it is renewed in time."
                    }
                    _ => "",
                };
                report.add("tls", Verdict::Passed, "", detail, remedy);
                true
            }
            Ok(Err(error)) => {
                let why = plain(&error.to_string(), 200);
                let unknown = why.contains("UnknownIssuer");
                let intercepted = unknown
                    && !self.http.trust.is_empty()
                    && chain.is_some_and(|chain| chain.looks_intercepted());
                let cause = if intercepted {
                    Cause::TlsIntercepted
                } else {
                    Cause::TlsHandshakeFailed
                };
                let mut detail = format!("{why}; {seen}");
                if self.http.trust.is_empty() {
                    detail.push_str("; this machine has no certificate authorities (install ca-certificates or set the CA bundle)");
                }
                report.failed("tls", &Failure::new(cause, detail));
                false
            }
            Err(_) => {
                report.failed(
                    "tls",
                    &Failure::new(
                        Cause::TlsHandshakeFailed,
                        format!("the handshake was not finished in time; {seen}"),
                    ),
                );
                false
            }
        }
    }

    /// Discovery document and issuer equality; the endpoints and the provider's time.
    async fn discover<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        report: &mut Report<F>,
    ) -> (Option<Discovery>, Option<UnixTime>) {
        if c.provider.settings.0.endpoints.is_some() {
            report.skipped("discovery", "the endpoints are given by hand");
            report.skipped("issuer", "the endpoints are given by hand");
            return match self.metadata.discovery(&c.provider).await {
                Ok(discovery) => (Some((*discovery).clone()), None),
                Err(failure) => {
                    report.failed("discovery", &failure);
                    (None, None)
                }
            };
        }
        let fetched = async {
            let url = discovery_url(&c.provider.issuer)?;
            let answer = self.http.send_now(get(&url)?).await?;
            let document = discovery_document(&answer, &url, self.http.limited_until(answer.headers()))?;
            Ok::<_, Failure>((url, document, date_of(answer.headers())))
        };
        let (url, document, date) = match fetched.await {
            Ok(found) => found,
            Err(failure) => {
                report.failed("discovery", &failure);
                report.skipped("issuer", "there is no discovery document");
                return (None, None);
            }
        };
        report.passed("discovery", format!("{} answers", place(&url)));
        match read_discovery(&document, &c.provider.issuer, &self.http) {
            Ok(discovery) => {
                report.passed("issuer", format!("is {}", plain(&c.provider.issuer, 200)));
                (Some(discovery), date)
            }
            Err(failure) => {
                report.failed("issuer", &failure);
                (None, date)
            }
        }
    }

    async fn look_at_keys<F: FnMut(&Stage)>(&self, discovery: &Discovery, report: &mut Report<F>) {
        let failed = |why: String| {
            Failure::new(
                Cause::JwksFetchFailed,
                format!("{}: {why}", place(&discovery.jwks)),
            )
        };
        let fetched = async {
            let answer = self
                .http
                .send_now(get(&discovery.jwks)?)
                .await
                .map_err(|trouble| failed(trouble.to_string()))?;
            if answer.status() != StatusCode::OK {
                return Err(failed(format!("answered {}", answer.status().as_u16())));
            }
            let document = json::object(answer.body()).map_err(&failed)?;
            KeySet::read(&document)
                .filter(|keys| !keys.is_empty())
                .ok_or_else(|| failed("holds no key that can verify an ID token".into()))
        };
        match fetched.await {
            Ok(keys) => report.passed(
                "jwks",
                format!("{} usable keys, {} others", keys.len(), keys.skipped),
            ),
            Err(failure) => report.failed("jwks", &failure),
        }
    }

    /// Okta narrows its discovery document to an app and refuses an unknown one; other providers ignore the parameter.
    async fn look_for_client<F: FnMut(&Stage)>(&self, c: &Connection, report: &mut Report<F>) {
        if c.provider.settings.0.endpoints.is_some() {
            return report.skipped("client_id", "the endpoints are given by hand");
        }
        let asked = async {
            let mut url = discovery_url(&c.provider.issuer)?;
            url.query_pairs_mut()
                .append_pair("client_id", &c.provider.settings.0.client_id);
            Ok::<_, Failure>(self.http.send_now(get(&url)?).await?)
        };
        match asked.await {
            Ok(answer) if answer.status() == StatusCode::OK => report.passed("client_id", "not refused by the provider"),
            Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => report.add(
                "client_id",
                Verdict::Failed,
                "CLIENT_UNKNOWN",
                "the provider does not know this client ID".into(),
                "Copy the client ID from the app's General tab in Okta, and see that the app is active and belongs to this Okta organisation.",
            ),
            Ok(answer) => report.skipped("client_id", format!("the provider answered {}", answer.status().as_u16())),
            Err(failure) => report.skipped("client_id", failure.detail),
        }
    }

    /// A made-up code: a provider that accepts our credentials complains about the code, else about us.
    async fn try_client_auth<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        report: &mut Report<F>,
    ) {
        let tried = self
            .with_credentials(c, &discovery.token, |credentials| {
                self.present_made_up_code(c, discovery, redirect_uri, credentials)
            })
            .await;
        match tried {
            Ok(()) => report.passed("client_auth", "the provider accepts the client's credentials"),
            Err(failure) => report.failed("client_auth", &failure),
        }
    }

    async fn present_made_up_code(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        credentials: Credentials,
    ) -> Result<(), Failure> {
        let client_id = &c.provider.settings.0.client_id;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", "made-up-by-forebay-to-test-the-connection")
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_verifier", &secret::token(&self.entropy));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(discovery.token.as_str())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        match &credentials {
            Credentials::Secret { secret, post: false } => {
                request = request.header("authorization", basic(client_id, secret))
            }
            Credentials::Secret { secret, post: true } => {
                form.append_pair("client_id", client_id)
                    .append_pair("client_secret", secret);
            }
            Credentials::Assertion(jwt) => {
                form.append_pair("client_id", client_id)
                    .append_pair("client_assertion_type", ASSERTION_TYPE)
                    .append_pair("client_assertion", jwt);
            }
        }
        let request = request
            .body(form.finish().into_bytes())
            .map_err(|_| Failure::new(Cause::ConnectionMisconfigured, "the token request cannot be made"))?;
        let answer = self.http.send_now(request).await?;
        match self.token_members(&answer) {
            Err(failure)
                if matches!(
                    failure.cause,
                    Cause::CodeRejected | Cause::PkceFailed | Cause::RedirectUriMismatch
                ) =>
            {
                Ok(())
            }
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new(
                Cause::ResponseMalformed,
                "the provider accepted a code that was made up",
            )),
        }
    }

    /// Without a session at the provider, `prompt=none` comes straight back to a registered redirect URI and to no other.
    async fn try_redirect_uri<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        report: &mut Report<F>,
    ) {
        let request = AuthorizeRequest {
            redirect_uri: redirect_uri.to_owned(),
            state: secret::short_token(&self.entropy),
            nonce: secret::token(&self.entropy),
            code_verifier: secret::token(&self.entropy),
            login_hint: None,
            prompt: Some("none".into()),
            max_age: None,
            acr_values: None,
        };
        let asked = async {
            let url = authorize_url(c, discovery, &request)?;
            Ok::<_, Failure>(self.http.send_now(get(&url)?).await?)
        };
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(failure) => return report.failed("redirect_uri", &failure),
        };
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let error = location
            .filter(|_| answer.status().is_redirection())
            .and_then(|location| came_back(location, redirect_uri));
        match error {
            Some((error, _))
                if matches!(
                    error.as_str(),
                    "login_required" | "interaction_required" | "consent_required" | ""
                ) =>
            {
                report.passed(
                    "redirect_uri",
                    format!("the provider sends users back to {}", plain(redirect_uri, 200)),
                );
            }
            Some((error, description)) => {
                let cause = upstream_error::of_callback(&error, Some(&description));
                let detail = format!(
                    "the redirect URI is registered, but the provider refuses the request: {}: {}",
                    plain(&error, 64),
                    plain(&description, 200)
                );
                report.failed("redirect_uri", &Failure::new(cause, detail));
            }
            None if answer.status().is_client_error() => report.add(
                "redirect_uri",
                Verdict::Failed,
                "REDIRECT_URI_NOT_ALLOWED",
                format!(
                    "the provider answered {} instead of sending the browser back to {}",
                    answer.status().as_u16(),
                    plain(redirect_uri, 200)
                ),
                &format!(
                    "In the Okta app's General tab add exactly this Sign-in redirect URI: {}",
                    plain(redirect_uri, 300)
                ),
            ),
            None => report.skipped(
                "redirect_uri",
                format!(
                    "cannot be told from the provider's answer ({})",
                    answer.status().as_u16()
                ),
            ),
        }
    }

    fn compare_clocks<F: FnMut(&Stage)>(&self, date: Option<UnixTime>, report: &mut Report<F>) {
        let Some(date) = date else {
            return report.skipped("clock", "the provider did not tell its time");
        };
        let ahead = date.since(self.clock.now());
        let detail = format!("the provider's clock is {ahead} s ahead of this server's");
        match ahead.abs() <= 60 {
            true => report.passed("clock", detail),
            false => report.failed("clock", &Failure::new(Cause::ClockSkew, detail)),
        }
    }
}

/// RFC 6749 §2.3.1: both halves form-encoded first.
fn basic(client_id: &str, secret: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Error and description of a redirect to our own URI; `None` for a redirect to elsewhere.
fn came_back(location: &str, redirect_uri: &str) -> Option<(String, String)> {
    let location = Url::parse(location).ok()?;
    let ours = Url::parse(redirect_uri).ok()?;
    if location.origin() != ours.origin() || location.path() != ours.path() {
        return None;
    }
    let value = |name: &str| {
        let mut pairs = location.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Some((value("error"), value("error_description")))
}
