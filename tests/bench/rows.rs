//! The rows, one after the other, each with its own bound measured beside it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use forebay::db::Target;
use forebay::demo::{API, MACHINE_CLIENT, MACHINE_SECRET, POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::rules::{params, pkce};

use super::http::{Connection, get, post};
use super::process::{Process, free_address};
use super::seed::{self, APP, Stock, VERIFIER};
use super::signatures_per_second;
use super::table::{self, Row};

const AT_ONCE: usize = 32;
const CODES: usize = 12_000;
const FAMILIES: usize = 64;

pub async fn all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.db");
    let upstream = free_address();
    let okta = Process::okta(upstream);
    eprintln!("seeding {CODES} codes …");
    let url = std::env::var("BENCH_DATABASE_URL").unwrap_or_else(|_| format!("sqlite://{}", path.display()));
    let stock = seed::fill(&Target::parse(&url).unwrap(), upstream, CODES, FAMILIES);
    let server = Process::serve(directory.path(), &url, upstream);
    println!(
        "start on an existing database to the first accepted connection: {:.0} ms; idle memory {:.1} MiB",
        server.started_in.as_secs_f64() * 1000.0,
        server.memory()
    );
    let bench = Bench { server, okta };
    let mut rows = Vec::new();
    bench.documents(&mut rows).await;
    bench.authorize(&mut rows).await;
    bench.tokens(&mut rows, stock).await;
    bench.whole_login(&mut rows).await;
    table::print(&rows);
    println!("memory after the run: {:.1} MiB", bench.server.memory());
}

struct Bench {
    server: Process,
    okta: Process,
}

fn basic(id: &str, secret: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// Runs `total` requests over as many connections; `next` gives each one's bytes, `check` looks at the answer.
async fn drive(
    process: &Process,
    name: &'static str,
    at_once: usize,
    total: usize,
    next: impl Fn(usize) -> Vec<u8>,
    check: impl Fn(usize, super::http::Answer),
) -> Row {
    let latencies = RefCell::new(Vec::with_capacity(total));
    let taken = RefCell::new(0);
    let (begun, cpu) = (Instant::now(), process.cpu_seconds());
    let workers = (0..at_once).map(|_| async {
        let mut connection = Connection::open(process.address).await;
        loop {
            let number = {
                let mut taken = taken.borrow_mut();
                *taken += 1;
                *taken - 1
            };
            if number >= total {
                return;
            }
            let request = next(number);
            let begun = Instant::now();
            let answer = connection.send(&request).await;
            latencies.borrow_mut().push(begun.elapsed());
            check(number, answer);
        }
    });
    futures_util::future::join_all(workers).await;
    Row {
        name,
        requests: total,
        wall: begun.elapsed(),
        cpu: process.cpu_seconds() - cpu,
        latencies: latencies.into_inner(),
        memory: process.memory(),
        bound: None,
        target: None,
    }
}

impl Bench {
    async fn documents(&self, rows: &mut Vec<Row>) {
        for (name, path) in [
            ("discovery", format!("/{POOL}/.well-known/openid-configuration")),
            ("JWKS", format!("/{POOL}/.well-known/jwks.json")),
        ] {
            let size = Connection::open(self.server.address)
                .await
                .send(&get(&path, ""))
                .await
                .body
                .len();
            let bare = Process::bare(size);
            let beside = drive(&bare, "bare", AT_ONCE, 60_000, |_| get("/", ""), |_, _| ()).await;
            let mut row = drive(
                &self.server,
                name,
                AT_ONCE,
                60_000,
                |_| get(&path, ""),
                |_, a| assert_eq!(a.status, 200),
            )
            .await;
            row.bound = Some((beside.per_cpu_second(), "bare actix-web"));
            row.target = Some(0.7);
            rows.push(row);
        }
    }

    async fn authorize(&self, rows: &mut Vec<Row>) {
        let direct = authorize_path("acme-okta");
        // The first fetches the upstream's metadata.
        Connection::open(self.server.address)
            .await
            .send(&get(&direct, ""))
            .await;
        let check = |_, answer: super::http::Answer| assert_eq!(answer.status, 302);
        rows.push(
            drive(
                &self.server,
                "authorize redirect",
                AT_ONCE,
                30_000,
                |_| get(&direct, ""),
                check,
            )
            .await,
        );
        let page = authorize_path("").replace("/oauth2/authorize", "/login");
        let check = |_, answer: super::http::Answer| assert_eq!(answer.status, 200);
        rows.push(
            drive(
                &self.server,
                "login page",
                AT_ONCE,
                30_000,
                |_| get(&page, ""),
                check,
            )
            .await,
        );
    }

    async fn tokens(&self, rows: &mut Vec<Row>, stock: Stock) {
        let web = basic(WEB_CLIENT, WEB_SECRET);
        let callback = format!("{APP}/callback");
        let ok = |_, answer: super::http::Answer| {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        };
        let code = |number: usize| {
            let code = &stock.codes[number];
            let form = params::encode([
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &callback),
                ("code_verifier", VERIFIER),
            ]);
            post("/oauth2/token", &web, &form)
        };
        let half = CODES / 2;
        let bound = signatures_per_second();
        let mut row = drive(&self.server, "code exchange, 32 at once", 32, half, code, ok).await;
        row.bound = Some(((bound + signatures_per_second()) / 4.0, "two signatures"));
        row.target = Some(0.72);
        rows.push(row);
        let mut row = drive(
            &self.server,
            "code exchange, 64 at once",
            64,
            half,
            |n| code(half + n),
            ok,
        )
        .await;
        row.bound = Some(((bound + signatures_per_second()) / 4.0, "two signatures"));
        rows.push(row);

        let refresh = |number: usize| {
            let token = &stock.refresh[number % FAMILIES];
            post(
                "/oauth2/token",
                &web,
                &params::encode([("grant_type", "refresh_token"), ("refresh_token", token)]),
            )
        };
        let bound = signatures_per_second();
        let mut row = drive(&self.server, "refresh", AT_ONCE, 8_000, refresh, ok).await;
        row.bound = Some(((bound + signatures_per_second()) / 4.0, "two signatures"));
        row.target = Some(0.75);
        rows.push(row);

        // Each chain is followed by one request at a time: the stock's first free token is taken, its successor put back.
        let chains = RefCell::new(stock.rotating.clone());
        let rotate = |_: usize| {
            let token = chains.borrow_mut().pop().unwrap();
            post(
                "/oauth2/token",
                "",
                &params::encode([
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token),
                    ("client_id", SPA_CLIENT),
                ]),
            )
        };
        let keep = |_, answer: super::http::Answer| {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            chains
                .borrow_mut()
                .insert(0, answer.json()["refresh_token"].as_str().unwrap().to_owned());
        };
        let bound = signatures_per_second();
        let mut row = drive(
            &self.server,
            "refresh with rotation",
            AT_ONCE,
            6_000,
            rotate,
            keep,
        )
        .await;
        row.bound = Some(((bound + signatures_per_second()) / 4.0, "two signatures"));
        row.target = Some(0.7);
        rows.push(row);

        let machine = basic(MACHINE_CLIENT, MACHINE_SECRET);
        let scope = format!("{API}/read");
        let credentials = |_: usize| {
            post(
                "/oauth2/token",
                &machine,
                &params::encode([("grant_type", "client_credentials"), ("scope", &scope)]),
            )
        };
        let bound = signatures_per_second();
        let mut row = drive(
            &self.server,
            "client credentials",
            AT_ONCE,
            15_000,
            credentials,
            ok,
        )
        .await;
        row.bound = Some(((bound + signatures_per_second()) / 2.0, "one signature"));
        row.target = Some(0.75);
        rows.push(row);

        let answer = Connection::open(self.server.address)
            .await
            .send(&refresh(0))
            .await
            .json();
        let bearer = format!(
            "Authorization: Bearer {}\r\n",
            answer["access_token"].as_str().unwrap()
        );
        let info = |_: usize| get("/oauth2/userInfo", &bearer);
        rows.push(drive(&self.server, "userInfo", AT_ONCE, 30_000, info, ok).await);
    }

    /// authorize → upstream (already signed in there) → idpresponse → code → tokens, over one connection each.
    async fn whole_login(&self, rows: &mut Vec<Row>) {
        let total = 2_000;
        let cookie = sign_in_upstream(self.okta.address).await;
        let latencies = RefCell::new(Vec::with_capacity(total));
        let taken = Rc::new(RefCell::new(0));
        let (begun, cpu) = (Instant::now(), self.server.cpu_seconds());
        let walkers = (0..16).map(|_| async {
            let mut broker = Connection::open(self.server.address).await;
            let mut okta = Connection::open(self.okta.address).await;
            loop {
                {
                    let mut taken = taken.borrow_mut();
                    *taken += 1;
                    if *taken > total {
                        return;
                    }
                }
                let begun = Instant::now();
                login(&mut broker, &mut okta, &cookie).await;
                latencies.borrow_mut().push(begun.elapsed());
            }
        });
        futures_util::future::join_all(walkers).await;
        rows.push(Row {
            name: "whole login (with the upstream)",
            requests: total,
            wall: begun.elapsed(),
            cpu: self.server.cpu_seconds() - cpu,
            latencies: latencies.into_inner(),
            memory: self.server.memory(),
            bound: Some((signatures_per_second() / 2.0, "two signatures")),
            target: None,
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn authorize_path(provider: &str) -> String {
    let challenge = pkce::challenge(VERIFIER);
    let callback = format!("{APP}/callback");
    let mut fields = vec![
        ("client_id", WEB_CLIENT),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "0123456789abcdef"),
        ("nonce", "0123456789abcdef"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    if !provider.is_empty() {
        fields.push(("identity_provider", provider));
    }
    format!("/oauth2/authorize?{}", params::encode(fields))
}

async fn login(broker: &mut Connection, okta: &mut Connection, okta_cookie: &str) {
    let away = broker.send(&get(&authorize_path("acme-okta"), "")).await;
    let ours = away.cookies().next().unwrap().to_owned();
    let there = path_of(away.header("location").unwrap());
    let back = okta
        .send(&get(&there, &format!("Cookie: {okta_cookie}\r\n")))
        .await;
    let callback = path_of(back.header("location").unwrap_or_else(|| panic!("{}", back.head)));
    let done = broker.send(&get(&callback, &format!("Cookie: {ours}\r\n"))).await;
    let target = done
        .header("location")
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.body)));
    let query = target.split_once('?').unwrap().1;
    let code = params::Params::parse(query.as_bytes())
        .unwrap()
        .get("code")
        .unwrap()
        .to_owned();
    let form = params::encode([
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &format!("{APP}/callback")),
        ("code_verifier", VERIFIER),
    ]);
    let tokens = broker
        .send(&post("/oauth2/token", &basic(WEB_CLIENT, WEB_SECRET), &form))
        .await;
    assert_eq!(tokens.status, 200);
}

/// Signs Ada in at the stand-in's dashboard, and gives the cookie.
async fn sign_in_upstream(address: SocketAddr) -> String {
    let form = params::encode([("username", "ada@acme.test"), ("password", "demo")]);
    let answer = Connection::open(address)
        .await
        .send(&post("/signin", "", &form))
        .await;
    answer
        .cookies()
        .next()
        .unwrap_or_else(|| panic!("{}", answer.head))
        .to_owned()
}

fn path_of(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    rest[rest.find('/').unwrap()..].to_owned()
}
