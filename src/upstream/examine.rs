//! The staged check of a connection, as `forebay provider test` shows it: from the name in the DNS to the redirect URI in
//! the Okta app, each stage with a named result and a sentence that an Okta administrator can follow.
//!
//! It looks afresh: caches, lanes and circuits of the sign-in are left alone. Nobody is signed in by it; the code that it
//! presents to the token endpoint is made up, and the authorization request says `prompt=none`.

mod issuer;
mod reach;
mod registration;

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::http::place;
use super::json;
use super::keys::KeySet;
use super::metadata::{Discovery, discovery_document, discovery_url, get, read_discovery};
use super::okta::date_of;
use super::{Connection, Failure, Inner, Upstream};
use crate::model::probe::Facts;
use crate::rules::upstream_error::{Cause, plain};
use crate::world::UnixTime;

pub use issuer::Answers;

/// One stage's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `dns`, `tcp`, `tls`, `discovery`, `issuer`, `jwks`, `client_id`, `client_auth`, `redirect_uri`, `clock`; `app_kind` of a
    /// connection whose ID tokens apps bring.
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
    facts: Facts,
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
            facts: Facts::default(),
            each,
        };
        self.0.examine(c, redirect_uri, &mut report).await;
        report.stages
    }

    /// The same, with what the provider showed of itself.
    pub async fn probe(&self, c: &Connection, redirect_uri: &str) -> (Vec<Stage>, Facts) {
        let mut report = Report {
            stages: Vec::new(),
            facts: Facts::default(),
            each: |_: &Stage| {},
        };
        self.0.examine(c, redirect_uri, &mut report).await;
        (report.stages, report.facts)
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
                if c.provider.settings.token_in.is_some() {
                    self.try_as_page(c, discovery, report).await;
                    let why = "ID tokens are brought by apps: nobody is sent there by us";
                    report.skipped("client_auth", why);
                    report.skipped("redirect_uri", why);
                } else {
                    self.try_client_auth(c, discovery, redirect_uri, report).await;
                    self.try_redirect_uri(c, discovery, redirect_uri, report).await;
                }
            }
        }
        self.compare_clocks(date, report);
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
        report.facts.issuer = document
            .get("issuer")
            .and_then(Value::as_str)
            .map(|issuer| plain(issuer, 300))
            .unwrap_or_default();
        match read_discovery(&document, &c.provider.issuer, &self.http) {
            Ok(discovery) => {
                report.passed("issuer", format!("is {}", plain(&c.provider.issuer, 200)));
                report.facts.endpoints = discovery.named();
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
            Ok(keys) => {
                report.facts.key_ids = keys.names().map(|id| plain(id, 100)).collect();
                report.passed(
                    "jwks",
                    format!("{} usable keys, {} others", keys.len(), keys.skipped),
                );
            }
            Err(failure) => report.failed("jwks", &failure),
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
