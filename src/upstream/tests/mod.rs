//! Tests of the upstream leg against the stand-in Okta on loopback, at a frozen time: sign-ins, every fault of the
//! stand-in, the caches, the examination.

#![allow(clippy::unwrap_used)]

mod caches;
mod exchange;
mod network;
mod stages;
mod tls;
mod tokens;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::{AuthorizeRequest, Connection, Expectation, Failure, Identity, Options, Upstream};
use crate::db::Json;
use crate::demo::okta::{self, App, Okta, Seen, Server, Setup, demo_people};
use crate::model::fixture;
use crate::model::provider::{ClientAuth, Provider, Settings};
use crate::model::trace::Step;
use crate::rules::jwks::KeyPair;
use crate::rules::login::ApiAsk;
use crate::world::{Clock, ClockHandle, Entropy, UnixTime};

const NOW: UnixTime = UnixTime(1_790_000_000);
const CALLBACK: &str = "http://localhost:8080/oauth2/idpresponse/acme-okta";
const CLIENT: &str = "0oa1acmeapp000000000";
const SECRET: &str = "a_secret_of_forty_characters_with+%:/é#";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";

/// An organisation, our upstream leg and a connection between them.
struct Stage {
    okta: Okta,
    upstream: Upstream,
    connection: Connection,
    clock: ClockHandle,
    _serving: Serving,
}

/// Ends the organisation's server with the test.
struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Stage {
    async fn new() -> Stage {
        Stage::at(Server::Org, 0).await
    }

    /// `ahead`: how many seconds the organisation's clock is ahead of ours.
    async fn at(server: Server, ahead: i64) -> Stage {
        let (clock, handle) = Clock::frozen(NOW);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let okta = Okta::for_tests(Setup {
            name: "acme".into(),
            origin: format!("http://{address}"),
            clock: clock.skewed(ahead),
            entropy: Entropy::seeded(7),
            faults_over_http: false,
        });
        demo_people("acme")
            .into_iter()
            .for_each(|person| okta.add_person(person));
        okta.add_app(App {
            client_id: CLIENT.into(),
            secrets: vec![SECRET.into()],
            redirect_uris: vec![CALLBACK.into()],
            assigned: vec!["ada@acme.test".into()],
            groups_claim: true,
            ..App::default()
        });
        let serving = okta.clone();
        let serving = Serving(tokio::spawn(
            async move { serving.serve(listener).await.unwrap() },
        ));
        let issuer = server.issuer(&format!("http://{address}"));
        Stage {
            okta,
            upstream: upstream(&clock, &address, Duration::from_secs(10)),
            connection: connection(&issuer),
            clock: handle,
            _serving: serving,
        }
    }

    fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.connection.provider.settings.0);
    }

    /// Ada signs in at the organisation; the parameters that come back.
    async fn come_back(&self, request: &AuthorizeRequest) -> Vec<(String, String)> {
        let url = self
            .upstream
            .authorize_url(&self.connection, request)
            .await
            .unwrap();
        let location = browse(url).await;
        Url::parse(&location)
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect()
    }

    async fn code(&self) -> String {
        let back = self.come_back(&request()).await;
        back.into_iter().find(|(name, _)| name == "code").unwrap().1
    }

    /// A whole sign-in with what the login expects changed.
    async fn sign_in_expecting(
        &self,
        change: impl FnOnce(&mut Expectation),
    ) -> (Result<Identity, Failure>, Vec<Step>) {
        let code = self.code().await;
        let mut expectation = expectation();
        change(&mut expectation);
        let mut steps = Vec::new();
        let result = self
            .upstream
            .identity(&self.connection, &expectation, &code, None, &mut steps)
            .await;
        (result, steps)
    }

    async fn sign_in(&self) -> (Result<Identity, Failure>, Vec<Step>) {
        self.sign_in_expecting(|_| {}).await
    }

    /// The name of the cause that a sign-in ends with; empty when it succeeds.
    async fn cause(&self) -> &'static str {
        let (result, steps) = self.sign_in().await;
        assert_eq!(
            result.is_err(),
            steps.iter().any(|step| !step.passed),
            "{steps:?}"
        );
        result.err().map_or("", |failure| failure.cause.name())
    }

    fn requests_to(&self, end: &str) -> Vec<Seen> {
        let mut requests = self.okta.requests();
        requests.retain(|seen| seen.path.ends_with(end));
        requests
    }
}

fn upstream(clock: &Clock, allow: &str, patience: Duration) -> Upstream {
    let options = Options {
        allow: vec![allow.to_owned()],
        ..Options::default()
    };
    Upstream::with_patience(options, patience, clock.clone(), Entropy::seeded(11)).unwrap()
}

fn connection(issuer: &str) -> Connection {
    Connection {
        provider: Provider {
            issuer: issuer.to_owned(),
            settings: Json(Settings {
                client_id: CLIENT.into(),
                ..Settings::default()
            }),
            ..fixture::provider("acme-okta")
        },
        client_secret: Some(Zeroizing::new(SECRET.into())),
        private_key: None,
        next_secret: None,
    }
}

fn request() -> AuthorizeRequest {
    AuthorizeRequest {
        redirect_uri: CALLBACK.into(),
        state: "the-state".into(),
        nonce: "the-nonce".into(),
        code_verifier: VERIFIER.into(),
        login_hint: None,
        prompt: None,
        max_age: None,
        acr_values: None,
        okta_api: false,
    }
}

fn expectation() -> Expectation {
    Expectation {
        redirect_uri: CALLBACK.into(),
        nonce: "the-nonce".into(),
        code_verifier: VERIFIER.into(),
        begun_at: NOW,
        max_age: None,
        reauthenticate_since: None,
        acr_values: None,
        keep_sources: false,
        okta_api: ApiAsk::No,
    }
}

/// A fresh browser in which Ada signs in; where it is sent in the end.
async fn browse(url: Url) -> String {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let page = browser.get(url.clone()).send().await.unwrap();
    let page = if page.status().is_redirection() {
        page
    } else {
        let text = page.text().await.unwrap();
        let action = text
            .split_once("action=\"")
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap()
            .replace("&amp;", "&");
        browser
            .post(url.join(&action).unwrap())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("username=ada%40acme.test&password={}", okta::PASSWORD))
            .send()
            .await
            .unwrap()
    };
    page.headers()["location"].to_str().unwrap().to_owned()
}

/// The steps that failed, by name.
fn failed(steps: &[Step]) -> Vec<&str> {
    steps
        .iter()
        .filter(|step| !step.passed)
        .map(|step| step.name.as_str())
        .collect()
}
