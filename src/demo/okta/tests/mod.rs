//! Tests of the stand-in itself: the tests of the broker rest on it, so it must be shown to be honest, and each
//! fault must be shown to be one. All go through the front door, in process, at a frozen time.

#![allow(clippy::unwrap_used)]

mod clients;
mod faults;
mod flow;
mod refusals;
mod transport;

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App as WebApp, http::StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::http::{Pairs, find};
use super::{App, Okta, Server, Setup, demo_people};
use crate::world::{Clock, ClockHandle, Entropy, UnixTime};

pub const ORIGIN: &str = "http://127.0.0.1:8091";
pub const CALLBACK: &str = "http://localhost:8080/oauth2/idpresponse/acme-okta";
pub const CLIENT: &str = "0oa1acmeapp000000000";
pub const SECRET: &str = "a_secret_of_forty_characters_0123456789A";
pub const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
pub const NOW: UnixTime = UnixTime(1_790_000_000);

/// An organisation and one browser in front of it.
pub struct Stage {
    pub okta: Okta,
    pub clock: ClockHandle,
    pub cookie: Option<String>,
}

/// An answer as a client sees it.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        find(&self.headers, name).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A parameter of the address that the browser is sent to.
    pub fn sent(&self, name: &str) -> Option<String> {
        let location = url::Url::parse(self.header("location")).unwrap();
        location
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Where the page's form goes.
    pub fn action(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once("action=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

pub fn app() -> App {
    App {
        client_id: CLIENT.into(),
        secrets: vec![SECRET.into()],
        redirect_uris: vec![CALLBACK.into()],
        logout_uris: vec!["http://localhost:8080/signed-out".into()],
        initiate_login_uri: Some("http://localhost:8080/start-login?connection=acme-okta".into()),
        label: "Forebay".into(),
        assigned: vec!["ada@acme.test".into(), "Finance".into()],
        groups_claim: true,
        ..App::default()
    }
}

impl Stage {
    pub fn new() -> Stage {
        let (clock, handle) = Clock::frozen(NOW);
        let okta = Okta::for_tests(Setup {
            name: "acme".into(),
            origin: ORIGIN.into(),
            clock,
            entropy: Entropy::seeded(7),
            faults_over_http: true,
        });
        demo_people("acme")
            .into_iter()
            .for_each(|person| okta.add_person(person));
        okta.add_app(app());
        Stage {
            okta,
            clock: handle,
            cookie: None,
        }
    }

    pub async fn send(&mut self, request: TestRequest) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.insert_header(("cookie", cookie.clone())),
            None => request,
        };
        let okta = self.okta.clone();
        let service = init_service(WebApp::new().configure(|config| okta.configure(config))).await;
        let response = call_service(&service, request.to_request()).await;
        let status = response.status();
        let headers: Pairs = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            if cookie.starts_with("sid-acme=") {
                self.cookie = cookie.split(';').next().map(str::to_owned);
            }
        }
        Page {
            status,
            headers,
            body: read_body(response).await.to_vec(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(TestRequest::get().uri(path)).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(TestRequest::post().uri(path).set_form(form)).await
    }

    /// The authorize request of a well-behaved relying party, with some parameters changed; an empty value
    /// leaves one out.
    pub async fn authorize(&mut self, server: Server, changes: &[(&str, &str)]) -> Page {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut parameters = vec![
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile email phone address"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            parameters.retain(|(known, _)| known != name);
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.get(&format!("{}?{query}", path(server, "authorize"))).await
    }

    pub async fn sign_in(&mut self, page: &Page, login: &str) -> Page {
        self.post(&page.action(), &[("username", login), ("password", "demo")])
            .await
    }

    /// A code for the person, on the way of a fresh browser.
    pub async fn code(&mut self, server: Server, login: &str, changes: &[(&str, &str)]) -> String {
        self.cookie = None;
        let page = self.authorize(server, changes).await;
        let back = self.sign_in(&page, login).await;
        back.sent("code").unwrap()
    }

    pub async fn redeem(&mut self, server: Server, code: &str) -> Page {
        self.token(server, &[("code", code)]).await
    }

    /// A token request with the secret in the body, with some fields changed.
    pub async fn token(&mut self, server: Server, changes: &[(&str, &str)]) -> Page {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        let browser = self.cookie.take();
        let page = self.post(&path(server, "token"), &form).await;
        self.cookie = browser;
        page
    }

    /// The token answer of a whole sign-in.
    pub async fn tokens(&mut self, server: Server, login: &str, changes: &[(&str, &str)]) -> Value {
        let code = self.code(server, login, changes).await;
        let page = self.redeem(server, &code).await;
        assert_eq!(page.status, 200, "{}", page.text());
        page.json()
    }

    pub async fn userinfo(&mut self, server: Server, access_token: &Value) -> Page {
        let bearer = format!("Bearer {}", access_token.as_str().unwrap());
        let request = TestRequest::get().uri(&path(server, "userinfo"));
        self.send(request.insert_header(("authorization", bearer))).await
    }
}

/// An endpoint's path.
pub fn path(server: Server, endpoint: &str) -> String {
    server.endpoint("", endpoint)
}

/// The claims of a JWT, unverified.
pub fn claims(jwt: &Value) -> Map<String, Value> {
    let payload = jwt.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The names of a JSON object's members.
pub fn names(object: &Map<String, Value>) -> Vec<&str> {
    object.keys().map(String::as_str).collect()
}
