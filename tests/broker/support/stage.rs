//! The stage: one broker in process, two stand-in organisations on loopback, a frozen clock, the demo's pool.

use std::cell::Cell;
use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::test::TestRequest;
use actix_web::web::{Bytes, Data};
use forebay::actions::Ctx;
use forebay::actions::admins::{self, Place};
use forebay::actions::pools::NewKeys;
use forebay::broker::{Broker, Parts};
use forebay::config::{AUDIT_DAYS, AllowedHost, Guards};
use forebay::db::{Conn, Db};
use forebay::demo::okta::{Okta, Setup};
use forebay::demo::{self, MACHINE_CLIENT, ORGANISATIONS, POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::enforcement::{self, Enforcement};
use forebay::model::{administrator, client, pool, provider};
use forebay::rules::{password, pkce};
use forebay::seal::Sealer;
use forebay::spans::{self, Exporter};
use forebay::upstream::{Options, Upstream};
use forebay::web::console::door::COOKIE;
use forebay::world::{Clock, ClockHandle, Entropy, UnixTime};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, Stream};
use serde_json::Value;

use super::database::TestDatabase;
use super::{Answer, Browser, Collector, NameServer, basic, query_of};

/// 2026-11-21T00:00:00Z: when every test begins.
pub const NOW: UnixTime = UnixTime(1_795_219_200);
pub const PUBLIC_URL: &str = "http://localhost:8080";
pub const APP: &str = "http://127.0.0.1:8090";
/// The PKCE verifier of all requests that do not bring their own.
pub const VERIFIER: &str = "the-verifier-of-the-tests-is-long-enough-0123456789";

pub(super) type Call = Rc<dyn Fn(TestRequest, Option<Body>) -> LocalBoxFuture<'static, Answer>>;
/// A body that comes bit by bit.
pub(super) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

pub struct Stage {
    pub broker: Data<Broker>,
    pub clock: ClockHandle,
    pub acme: Okta,
    pub globex: Okta,
    /// Whom the broker asks for TXT records.
    pub dns: NameServer,
    call: Call,
    database: TestDatabase,
    /// How many further nodes there are: each has an entropy of its own.
    pub(super) nodes: Cell<u64>,
    exporter: Cell<Option<Exporter>>,
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub id: Option<String>,
    pub refresh: Option<String>,
    pub answer: Value,
}

impl Stage {
    pub async fn new() -> Stage {
        Stage::with_patience(Duration::from_secs(10)).await
    }

    /// A broker that is reached under this address.
    pub async fn at(public_url: &str) -> Stage {
        Stage::set_up(public_url, Duration::from_secs(10), &[], None).await
    }

    /// A broker that gives a whole sign-in so long to get its answers from the organisation.
    pub async fn with_patience(patience: Duration) -> Stage {
        Stage::with_allowed(patience, &[]).await
    }

    /// The same that may also call these private hosts.
    pub async fn with_allowed(patience: Duration, more: &[&str]) -> Stage {
        Stage::set_up(PUBLIC_URL, patience, more, None).await
    }

    /// The same that tells the collector what it does.
    pub async fn exporting(collector: &Collector, patience: Duration, more: &[&str]) -> Stage {
        Stage::set_up(PUBLIC_URL, patience, more, Some(collector)).await
    }

    /// Hands over the spans that wait; later ones are lost.
    pub async fn flush(&self) {
        self.exporter.take().unwrap().stop().await;
    }

    async fn set_up(
        public_url: &str,
        patience: Duration,
        more: &[&str],
        collector: Option<&Collector>,
    ) -> Stage {
        let database = TestDatabase::new();
        let (clock, handle) = Clock::frozen(NOW);
        let entropy = Entropy::seeded(1);
        let sealer = Sealer::new(vec![[42; 32]], entropy.clone());
        let (mut organisations, mut hosts, mut registrations) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (name, ..)) in ORGANISATIONS.into_iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let host = listener.local_addr().unwrap().to_string();
            let origin = format!("http://{host}");
            let okta = Okta::for_tests(Setup {
                name: name.into(),
                origin: origin.clone(),
                clock: clock.clone(),
                entropy: Entropy::seeded(100 + index as u64),
                faults_over_http: false,
            });
            let registration = demo::registration(index, &origin);
            demo::furnish(&okta, &registration, name, public_url);
            let serving = okta.clone();
            actix_web::rt::spawn(async move { serving.serve(listener).await });
            organisations.push(okta);
            hosts.push(host);
            registrations.push(registration);
        }
        let ctx = Ctx {
            actor: "test".into(),
            request_id: "test".into(),
            now: NOW,
            entropy: entropy.clone(),
            sealer: sealer.clone(),
        };
        let allowed: Vec<AllowedHost> = hosts
            .iter()
            .map(|host| AllowedHost::parse(host).unwrap())
            .collect();
        let dns = NameServer::start();
        let mut conn = database.target.open().unwrap();
        demo::seed(&mut conn, &ctx, keys(), APP, &registrations, &allowed).unwrap();
        drop(conn);
        let options = Options {
            allow: hosts
                .into_iter()
                .chain(more.iter().map(|host| (*host).to_owned()))
                .collect(),
            ca_pem: None,
            proxy: None,
            dns_servers: vec![dns.address()],
        };
        let upstream = Upstream::with_patience(options, patience, clock.clone(), entropy.clone()).unwrap();
        let (spans, exporter) = collector
            .map(|collector| {
                let client = upstream.unfenced(spans::EXPORT_WITHIN).unwrap();
                spans::start(client, &collector.url).unwrap()
            })
            .unzip();
        let broker = Data::new(Broker::new(Parts {
            public_url: public_url.into(),
            db: Db::open(&database.target, 4).unwrap(),
            sealer,
            clock,
            entropy,
            upstream,
            trusted_proxies: Vec::new(),
            audit_days: AUDIT_DAYS,
            guards: Guards::default(),
            spans,
        }));
        let call = door(broker.clone()).await;
        let globex = organisations.pop().unwrap();
        let acme = organisations.pop().unwrap();
        Stage {
            broker,
            clock: handle,
            acme,
            globex,
            dns,
            call,
            database,
            nodes: Cell::new(0),
            exporter: Cell::new(exporter),
        }
    }

    /// The database, for a command that works on it from outside.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    pub async fn send(&self, request: TestRequest) -> Answer {
        (self.call)(request, None).await
    }

    /// The same, with a body that is held back until this has happened.
    pub async fn send_after(
        &self,
        request: TestRequest,
        happens: impl Future<Output = ()> + 'static,
        body: String,
    ) -> Answer {
        let body = stream::once(async move {
            happens.await;
            Ok(Bytes::from(body))
        });
        (self.call)(request, Some(Box::pin(body))).await
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.send(TestRequest::get().uri(uri)).await
    }

    /// A form POST with further headers.
    pub async fn post(&self, uri: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let mut request = TestRequest::post().uri(uri).set_form(fields);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        self.send(request).await
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// The demo's tenants and administrators, and a browser in which this one is signed in to the console.
    pub fn console(&self, email: &str) -> Browser<'_> {
        static HASHES: OnceLock<[String; 2]> = OnceLock::new();
        let hashes = HASHES.get_or_init(|| {
            [demo::OPERATOR_PASSWORD, demo::TENANT_PASSWORD]
                .map(|text| password::hash(&Entropy::seeded(3), text))
        });
        let ctx = self.ctx();
        let token = self.act(|conn| {
            if administrator::find_by_email(conn, demo::OPERATOR)
                .unwrap()
                .is_none()
            {
                demo::seed_console(conn, &ctx, hashes).unwrap();
            }
            let found = administrator::find_by_email(conn, email)
                .unwrap()
                .expect("an administrator");
            admins::open_session(conn, &ctx, &found.id, "password", ctx.now, Place::default()).unwrap()
        });
        let mut browser = self.browser();
        browser.set_cookie(COOKIE, &token);
        browser
    }

    pub fn issuer(&self) -> String {
        self.broker.issuer(POOL)
    }

    /// An authorize path of the sample web app: code, PKCE, `state=st`, `nonce=no`, all overridable; an empty value
    /// leaves the parameter out.
    pub fn authorize(&self, changes: &[(&str, &str)]) -> String {
        let challenge = pkce::challenge(VERIFIER);
        let callback = format!("{APP}/callback");
        let mut fields = vec![
            ("client_id", WEB_CLIENT),
            ("redirect_uri", callback.as_str()),
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("state", "st"),
            ("nonce", "no"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        format!("/oauth2/authorize?{}", forebay::rules::params::encode(fields))
    }

    /// Redeems a code of the sample web app.
    pub async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let callback = format!("{APP}/callback");
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        let by_form = fields
            .iter()
            .any(|(name, _)| *name == "client_id" || *name == "client_secret");
        let header = basic(WEB_CLIENT, WEB_SECRET);
        let headers = if by_form {
            vec![]
        } else {
            vec![("authorization", header.as_str())]
        };
        self.post("/oauth2/token", &headers, &fields).await
    }

    /// Refreshes as the sample web app.
    pub async fn refresh(&self, token: &str) -> Answer {
        let header = basic(WEB_CLIENT, WEB_SECRET);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth2/token", &[("authorization", &header)], &fields)
            .await
    }

    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let value = format!("Bearer {access_token}");
        self.send(
            TestRequest::get()
                .uri("/oauth2/userInfo")
                .insert_header(("authorization", value)),
        )
        .await
    }

    /// A browser in which this person has a session.
    pub async fn signed_in(&self, login: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let back = browser.sign_in(login, &self.authorize(&[])).await;
        assert!(query_of(back.location(), "code").is_some(), "{back:?}");
        browser
    }

    /// A code for this person at acme, through the whole story.
    pub async fn code_for(&self, login: &str, changes: &[(&str, &str)]) -> String {
        let mut browser = self.browser();
        let back = browser.sign_in(login, &self.authorize(changes)).await;
        query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"))
    }

    /// Tokens of the sample web app for this person.
    pub async fn tokens_for(&self, login: &str, changes: &[(&str, &str)]) -> Tokens {
        let code = self.code_for(login, changes).await;
        Tokens::of(&self.exchange(&code, &[]).await.expect(200))
    }

    /// Runs something on the database and forgets cached configuration.
    #[track_caller]
    pub fn act<T>(&self, work: impl FnOnce(&mut Conn) -> T) -> T {
        let mut conn = self.database.target.open().unwrap();
        let outcome = work(&mut conn);
        self.broker.forget();
        outcome
    }

    pub fn change_client(&self, id: &str, change: impl FnOnce(&mut client::Client)) {
        self.act(|conn| {
            let mut row = client::find(conn, id).unwrap().unwrap();
            change(&mut row);
            client::update(conn, &row).unwrap();
        });
    }

    pub fn change_web_client(&self, change: impl FnOnce(&mut client::Settings)) {
        self.change_client(WEB_CLIENT, |row| change(&mut row.settings));
    }

    pub fn change_spa_client(&self, change: impl FnOnce(&mut client::Settings)) {
        self.change_client(SPA_CLIENT, |row| change(&mut row.settings));
    }

    pub fn change_machine_client(&self, change: impl FnOnce(&mut client::Settings)) {
        self.change_client(MACHINE_CLIENT, |row| change(&mut row.settings));
    }

    pub fn change_pool(&self, change: impl FnOnce(&mut pool::Settings)) {
        self.act(|conn| {
            let mut row = pool::find(conn, POOL).unwrap().unwrap();
            change(&mut row.settings);
            pool::update(conn, &row).unwrap();
        });
    }

    pub fn change_provider(&self, id: &str, change: impl FnOnce(&mut provider::Provider)) {
        self.act(|conn| {
            let mut row = provider::find(conn, id).unwrap().unwrap();
            change(&mut row);
            provider::update(conn, &row).unwrap();
        });
    }

    /// The demo's tenants; this one lets its people in by its own connections only, since somebody confirmed it by this one.
    pub fn enforce(&self, tenant: &str, connection: &str) {
        self.console(demo::OPERATOR);
        let now = self.broker.clock.now();
        let row = Enforcement {
            tenant_id: tenant.into(),
            user_pool_id: POOL.into(),
            provider_id: connection.into(),
            actor: "test".into(),
            since: now,
            confirm_by: now,
            confirmed_at: Some(now),
        };
        self.act(|conn| assert!(enforcement::insert(conn, &row).unwrap()));
    }

    /// The context of an action a test does itself.
    pub fn ctx(&self) -> Ctx {
        self.broker.ctx("test", "test")
    }

    /// The trace of that code.
    #[track_caller]
    pub fn trace(&self, code: &str) -> forebay::model::trace::Trace {
        self.act(|conn| {
            forebay::model::trace::find(conn, code)
                .unwrap()
                .expect("the trace is stored")
        })
    }

    /// All traces, newest first.
    pub fn traces(&self) -> Vec<forebay::model::trace::Trace> {
        self.act(|conn| forebay::model::trace::recent(conn, POOL, 100).unwrap())
    }
}

/// The way in to a broker in process.
pub(super) async fn door(broker: Data<Broker>) -> Call {
    let service = Rc::new(actix_web::test::init_service(forebay::web::app(broker)).await);
    Rc::new(move |request, body| {
        let service = service.clone();
        Box::pin(async move {
            let mut request = request.to_request();
            if let Some(payload) = body {
                *request.payload() = Payload::Stream { payload };
            }
            if !request.head().headers.contains_key(header::HOST) {
                let host = header::HeaderValue::from_static("localhost:8080");
                request.head_mut().headers.insert(header::HOST, host);
            }
            let response = actix_web::test::call_service(&*service, request).await;
            let status = response.status().as_u16();
            let headers = response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
                .collect();
            let body = actix_web::test::read_body(response).await;
            Answer {
                status,
                headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            }
        })
    })
}

impl Tokens {
    pub fn of(answer: &Answer) -> Tokens {
        let json = answer.json();
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Tokens {
            access: text("access_token").expect("an access token"),
            id: text("id_token"),
            refresh: text("refresh_token"),
            answer: json.clone(),
        }
    }
}

/// Two signing keys for all tests: making them takes long.
pub fn keys() -> &'static NewKeys {
    static KEYS: OnceLock<NewKeys> = OnceLock::new();
    KEYS.get_or_init(|| NewKeys::make().unwrap())
}
