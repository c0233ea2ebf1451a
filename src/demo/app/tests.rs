//! The app against a provider of a hundred lines that checks what an app must send and can be told to lie.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::test as http_test;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::LocalBoxFuture;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::*;

const ORIGIN: &str = "http://127.0.0.1:8090";
const CLIENT: &str = "sampleapp";
const SECRET: &str = "a/secret with:signs";

/// Two signing keys, made once for all tests.
static KEYS: LazyLock<[RsaPrivateKey; 2]> =
    LazyLock::new(|| [(); 2].map(|()| RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap()));

/// The provider: what it was asked for, and how it misbehaves.
#[derive(Default)]
struct Provider {
    issuer: String,
    asked: HashMap<String, String>,
    signs_with: usize,
    publishes: usize,
    down: bool,
    /// Claims put over those of the ID token.
    lies: HashMap<&'static str, Value>,
    user_info_subject: Option<&'static str>,
    refused: Option<&'static str>,
    refreshes: usize,
}

type Shared = web::Data<Mutex<Provider>>;

fn provider_started() -> Shared {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}/pool", listener.local_addr().unwrap());
    let provider = web::Data::new(Mutex::new(Provider {
        issuer,
        ..Provider::default()
    }));
    let data = provider.clone();
    let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)));
    actix_web::rt::spawn(
        server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run(),
    );
    provider
}

async fn answer(provider: Shared, request: HttpRequest, body: String) -> HttpResponse {
    let mut provider = provider.lock().unwrap();
    if provider.down {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let issuer = provider.issuer.clone();
    let form: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let authorization = request
        .headers()
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    match request.path() {
        "/pool/.well-known/openid-configuration" => HttpResponse::Ok().json(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })),
        "/pool/jwks" => {
            let key = KEYS[provider.publishes].to_public_key();
            let part = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
            HttpResponse::Ok().json(json!({"keys": [{
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": provider.publishes.to_string(),
                "n": part(key.n()), "e": part(key.e()),
            }]}))
        }
        "/pool/token" => {
            if let Some(error) = provider.refused {
                let answer = json!({"error": error, "error_description": "Refused by the test."});
                return HttpResponse::BadRequest().json(answer);
            }
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
            assert_eq!(authorization, Some(format!("Basic {basic}")));
            if form["grant_type"] == "authorization_code" {
                assert_eq!(form["redirect_uri"], format!("{ORIGIN}/callback"));
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
                assert_eq!(provider.asked["code_challenge"], challenge);
            } else {
                assert_eq!(form["refresh_token"], format!("refresh-{}", provider.refreshes));
                provider.refreshes += 1;
            }
            HttpResponse::Ok().json(provider.tokens(form["grant_type"] == "authorization_code"))
        }
        "/pool/userinfo" => {
            let subject = provider.user_info_subject.unwrap_or("ada-sub");
            match authorization {
                Some(bearer) if bearer.starts_with("Bearer ey") => HttpResponse::Ok()
                    .json(json!({"sub": subject, "email_verified": true, "custom:department": "Engines"})),
                _ => HttpResponse::Unauthorized().json(json!({"error": "invalid_token"})),
            }
        }
        _ => HttpResponse::NotFound().finish(),
    }
}

impl Provider {
    fn tokens(&self, with_nonce: bool) -> Value {
        let now = chrono::Utc::now().timestamp();
        let access_token = self.signed(&json!({
            "sub": "ada-sub", "token_use": "access", "iss": self.issuer, "iat": now, "exp": now + 3600,
        }));
        let digest = Sha256::digest(&access_token);
        let mut claims = json!({
            "sub": "ada-sub", "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 3600,
            "auth_time": now, "name": "Ada Lovelace", "email": "ada@acme.test",
            "at_hash": URL_SAFE_NO_PAD.encode(digest.first_chunk::<16>().unwrap()),
            "cognito:groups": ["Engineering"],
        });
        if with_nonce {
            claims["nonce"] = json!(self.asked["nonce"]);
        }
        for (name, lie) in &self.lies {
            claims[*name] = lie.clone();
        }
        json!({
            "id_token": self.signed(&claims), "access_token": access_token, "token_type": "Bearer",
            "refresh_token": format!("refresh-{}", self.refreshes), "expires_in": 3600,
        })
    }

    fn signed(&self, claims: &Value) -> String {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = Some(self.signs_with.to_string());
        let pem = KEYS[self.signs_with]
            .to_pkcs1_pem(rsa::pkcs1::LineEnding::LF)
            .unwrap();
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }
}

/// Calls the app's service, whose own type has no name.
type Send = Box<dyn Fn(http_test::TestRequest) -> LocalBoxFuture<'static, ServiceResponse>>;

/// One browser at one app.
struct Browser {
    send: Send,
    cookie: Option<Cookie<'static>>,
}

async fn browser(app: &SampleApp) -> Browser {
    let app = app.clone();
    let service = Rc::new(http_test::init_service(App::new().configure(|cfg| app.configure(cfg))).await);
    let send: Send = Box::new(move |request| {
        let service = service.clone();
        Box::pin(async move { http_test::call_service(&*service, request.to_request()).await })
    });
    Browser { send, cookie: None }
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Browser {
    async fn send(&mut self, method: Method, path: &str) -> Answer {
        let mut request = http_test::TestRequest::default().method(method).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.cookie(cookie.clone());
        }
        let response = (self.send)(request).await;
        if let Some(cookie) = response.response().cookies().next() {
            self.cookie = Some(cookie.into_owned());
        }
        let location = response
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = String::from_utf8(http_test::read_body(response).await.to_vec()).unwrap();
        Answer {
            status,
            location,
            body,
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    async fn post(&mut self, path: &str) -> Answer {
        let answer = self.send(Method::POST, path).await;
        assert_eq!(answer.status, 303);
        answer
    }

    /// Begins a sign-in and has the provider remember what it was asked for; the path of the callback.
    async fn begin(&mut self, provider: &Shared) -> String {
        let answer = self.get("/sign-in").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let asked = query(&answer.location.unwrap());
        let callback = format!("/callback?code=good&state={}", asked["state"]);
        provider.lock().unwrap().asked = asked;
        callback
    }

    async fn sign_in(&mut self, provider: &Shared) {
        let callback = self.begin(provider).await;
        let answer = self.get(&callback).await;
        assert_eq!(
            (answer.status, answer.location.as_deref()),
            (303, Some("/")),
            "{}",
            answer.body
        );
    }
}

fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn sample_app(provider: &Shared) -> SampleApp {
    SampleApp::new(Setup {
        origin: ORIGIN.to_owned(),
        issuer: provider.lock().unwrap().issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
    })
}

#[actix_web::test]
async fn the_whole_story() {
    let provider = provider_started();
    let issuer = provider.lock().unwrap().issuer.clone();
    let app = sample_app(&provider);
    let mut browser = browser(&app).await;

    let page = browser.get("/").await;
    assert!(page.body.contains("href=\"/sign-in\"") && page.body.contains(&issuer));
    assert!(
        !page.body.contains("secret with"),
        "the secret stays on the server"
    );

    let callback = browser.begin(&provider).await;
    let asked = provider.lock().unwrap().asked.clone();
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["redirect_uri"], format!("{ORIGIN}/callback"));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["scope"], "openid email profile");
    assert!(asked["nonce"].len() >= 16 && asked["state"].len() >= 16);
    let before = browser.cookie.clone().unwrap();
    assert_eq!(before.http_only(), Some(true));
    assert_eq!(before.same_site(), Some(SameSite::Lax));
    assert_ne!(before.secure(), Some(true), "plain HTTP would lose it");

    let answer = browser.get(&callback).await;
    assert_eq!(answer.location.as_deref(), Some("/"));
    assert_ne!(
        browser.cookie.as_ref().unwrap().value(),
        before.value(),
        "a session planted before is worthless"
    );

    let page = browser.get("/").await.body;
    assert!(page.contains("Hello, Ada Lovelace") && page.contains("ada@acme.test"));
    assert!(page.contains("<code>cognito:groups</code>") && page.contains("<code>token_use</code>"));
    assert!(!page.contains("custom:department"));

    browser.post("/user-info").await;
    let page = browser.get("/").await.body;
    assert!(
        page.contains("custom:department") && page.contains("&#34;Engines&#34;"),
        "{page}"
    );

    browser.post("/refresh").await;
    assert!(browser.get("/").await.body.contains("The tokens are refreshed."));
    assert!(
        !browser.get("/").await.body.contains("The tokens are refreshed."),
        "said once"
    );
    browser.post("/refresh").await;
    assert_eq!(
        provider.lock().unwrap().refreshes,
        2,
        "the rotated refresh token was used"
    );

    let answer = browser.post("/sign-out").await;
    let location = answer.location.unwrap();
    assert!(location.starts_with(&format!("{issuer}/logout?")), "{location}");
    let parameters = query(&location);
    assert_eq!(parameters["post_logout_redirect_uri"], ORIGIN, "without a path");
    assert_eq!(parameters["client_id"], CLIENT);
    assert_eq!(parameters["id_token_hint"].split('.').count(), 3);
    assert!(browser.get("/").await.body.contains("href=\"/sign-in\""));
    browser.cookie = Some(before);
    assert!(browser.get("/").await.body.contains("href=\"/sign-in\""));
}

#[actix_web::test]
async fn an_id_token_that_does_not_hold_signs_nobody_in() {
    let provider = provider_started();
    let app = sample_app(&provider);
    let mut browser = browser(&app).await;
    let past = chrono::Utc::now().timestamp() - 7200;
    for (claim, lie) in [
        ("nonce", json!("another")),
        ("aud", json!("anotherapp")),
        ("iss", json!("https://elsewhere.test")),
        ("exp", json!(past)),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        let callback = browser.begin(&provider).await;
        provider.lock().unwrap().lies = HashMap::from([(claim, lie)]);
        let answer = browser.get(&callback).await;
        assert_eq!(answer.status, 400, "{claim}");
        assert!(
            answer.body.contains("id_token_failed"),
            "{claim}: {}",
            answer.body
        );
        assert!(
            browser.get("/").await.body.contains("href=\"/sign-in\""),
            "{claim}"
        );
    }
    provider.lock().unwrap().lies.clear();
    browser.sign_in(&provider).await;
}

#[actix_web::test]
async fn a_callback_that_does_not_belong_here_signs_nobody_in() {
    let provider = provider_started();
    let app = sample_app(&provider);
    let (mut ours, mut other) = (browser(&app).await, browser(&app).await);
    other.get("/sign-in").await;

    let callback = ours.begin(&provider).await;
    for (mine, path, code) in [
        (false, callback.clone(), "unknown_state"),
        (
            true,
            "/callback?code=good&state=invented".to_owned(),
            "unknown_state",
        ),
        (true, "/callback?code=good".to_owned(), "unknown_state"),
        (
            true,
            format!("{callback}&iss=https://elsewhere.test"),
            "wrong_issuer",
        ),
        (true, callback, "unknown_state"),
        (
            true,
            "/callback?state=a&state=b&code=good".to_owned(),
            "invalid_callback",
        ),
    ] {
        let answer = if mine {
            ours.get(&path).await
        } else {
            other.get(&path).await
        };
        assert_eq!(answer.status, 400, "{path}");
        assert!(
            answer.body.contains(&format!(">{code}<")),
            "{path}: {}",
            answer.body
        );
    }

    let issuer = provider.lock().unwrap().issuer.clone();
    let callback = ours.begin(&provider).await;
    let answer = ours.get(&format!("{callback}&iss={issuer}")).await;
    assert_eq!(answer.status, 303, "the right issuer is welcome");
    assert_eq!(ours.get(&callback).await.status, 400, "a callback works once");
}

#[actix_web::test]
async fn what_the_provider_refuses_is_shown_in_its_words() {
    let provider = provider_started();
    let app = sample_app(&provider);
    let mut browser = browser(&app).await;

    let state = browser.begin(&provider).await;
    let state = state.split("state=").nth(1).unwrap();
    let path =
        format!("/callback?error=access_denied&error_description=Not+assigned+%3Csvg%3E&state={state}");
    let answer = browser.get(&path).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains(">access_denied<") && answer.body.contains("Not assigned &#60;svg&#62;"));

    let callback = browser.begin(&provider).await;
    provider.lock().unwrap().refused = Some("invalid_grant");
    let answer = browser.get(&callback).await;
    assert!(answer.body.contains(">invalid_grant<") && answer.body.contains("Refused by the test."));

    provider.lock().unwrap().refused = None;
    browser.sign_in(&provider).await;
    provider.lock().unwrap().refused = Some("invalid_grant");
    browser.post("/refresh").await;
    let page = browser.get("/").await.body;
    assert!(
        page.contains("The refresh failed (invalid_grant): Refused by the test."),
        "{page}"
    );
    assert!(
        page.contains("Hello, Ada Lovelace"),
        "the old tokens are still there"
    );

    provider.lock().unwrap().user_info_subject = Some("mallory");
    browser.post("/user-info").await;
    let page = browser.get("/").await.body;
    assert!(page.contains("userInfo failed (userinfo_failed)"), "{page}");
}

#[actix_web::test]
async fn keys_may_rotate_and_the_provider_may_start_later() {
    let provider = provider_started();
    provider.lock().unwrap().down = true;
    let app = sample_app(&provider);
    let mut browser = browser(&app).await;
    let answer = browser.get("/sign-in").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("discovery_failed"), "{}", answer.body);

    provider.lock().unwrap().down = false;
    browser.sign_in(&provider).await;
    {
        let mut provider = provider.lock().unwrap();
        (provider.signs_with, provider.publishes) = (1, 1);
    }
    browser.sign_in(&provider).await;
    provider.lock().unwrap().signs_with = 0;
    let callback = browser.begin(&provider).await;
    assert_eq!(
        browser.get(&callback).await.status,
        400,
        "a key that is not published counts for nothing"
    );
}

#[actix_web::test]
async fn a_browser_that_came_by_another_name_is_led_to_the_origin() {
    let provider = provider_started();
    let app = sample_app(&provider);
    let browser = browser(&app).await;
    for (host, expected) in [
        ("localhost:8090", Some("http://127.0.0.1:8090/")),
        ("127.0.0.1:8090", None),
    ] {
        let request = http_test::TestRequest::get()
            .uri("/")
            .insert_header(("host", host));
        let response = (browser.send)(request).await;
        let location = response
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap());
        assert_eq!(location, expected, "{host}");
    }
}
