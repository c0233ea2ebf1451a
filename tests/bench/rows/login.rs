//! Whole logins: authorize, the upstream (where the person is signed in already), idpresponse, the code's exchange; and what
//! of one is the broker's own.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use forebay::demo::WEB_CLIENT;
use forebay::rules::{params, pkce};

use super::super::bound;
use super::super::http::{Connection, get, post};
use super::super::plan::Plan;
use super::super::process::{Process, Serve, free_address};
use super::super::seed::{APP, Stock, VERIFIER};
use super::super::table::{Bound, Row, percentile};
use super::tokens::refreshing;
use super::{Report, web};

/// Logins under way at a time.
const WALKERS: usize = 16;

pub async fn rows(plan: &Plan, report: &mut Report, server: &Process, okta: &Process) {
    let total = plan.of(2_000);
    let cookie = sign_in_upstream(okta.address).await;
    let (latencies, numbers) = (RefCell::new(Vec::new()), RefCell::new(0..total));
    let before = bound::signatures_per_second();
    let (begun, cpu) = (Instant::now(), server.cpu_seconds());
    let walkers = (0..WALKERS).map(|_| async {
        let mut walker = Walker::new(server, okta, &cookie).await;
        while numbers.borrow_mut().next().is_some() {
            let login = walker.sign_in().await;
            latencies.borrow_mut().push(login.whole);
        }
    });
    futures_util::future::join_all(walkers).await;
    let (wall, cpu) = (begun.elapsed(), server.cpu_seconds() - cpu);
    let mut latencies = latencies.into_inner();
    latencies.sort_unstable();
    let row = Row {
        name: "whole login (with the upstream)".into(),
        wall,
        cpu,
        latencies,
        memory: server.memory(),
        bound: Some(Bound {
            rate: (before + bound::signatures_per_second()) / 4.0,
            what: "S/2",
            by_the_clock: false,
        }),
    };
    report.row(row, None);
    report.flows += total;
}

/// Logins one after the other while refreshes keep the server half busy: what of each the broker took, the time of its own
/// calls to the upstream, as its metrics have them, taken out.
pub async fn share_at_half_load(
    plan: &Plan,
    report: &mut Report,
    directory: &Path,
    database: &str,
    okta: &Process,
    stock: &Stock,
) {
    let metrics = free_address();
    let mut serve = Serve::new(directory, database, okta.address);
    serve.metrics = Some(metrics);
    let server = Process::serve(&serve);
    // A lane of requests one after the other takes a core; with a pause after each as long as the request, half of one.
    let refresh = refreshing(stock);
    let mut busy = Connection::open(server.address).await;
    let begun = Instant::now();
    for number in 0..plan.of(2_000) {
        busy.send(&refresh(number)).await;
    }
    let pause = begun.elapsed() / u32::try_from(plan.of(2_000)).unwrap();
    let cookie = sign_in_upstream(okta.address).await;
    let mut walker = Walker::new(&server, okta, &cookie).await;
    walker.sign_in().await;
    let done = RefCell::new(false);
    let background = async {
        let mut number = 0;
        while !*done.borrow() {
            busy.send(&refresh(number)).await;
            number += 1;
            tokio::time::sleep(pause).await;
        }
    };
    let logins = async {
        let mut shares = Vec::new();
        let mut metrics = Connection::open(metrics).await;
        let mut before = upstream_seconds(&mut metrics).await;
        for _ in 0..plan.of(1_000) {
            let login = walker.sign_in().await;
            let after = upstream_seconds(&mut metrics).await;
            shares.push(
                login
                    .at_broker
                    .saturating_sub(Duration::from_secs_f64(after - before)),
            );
            before = after;
        }
        done.replace(true);
        shares.sort_unstable();
        shares
    };
    let ((), shares) = futures_util::future::join(background, logins).await;
    report.milliseconds(
        format!(
            "the broker's share of a login at half load, p99 (p50 {:.1} ms)",
            percentile(&shares, 0.5)
        ),
        percentile(&shares, 0.99),
        15.0,
    );
}

/// Seconds of all calls upstream so far, by the server's own count.
async fn upstream_seconds(metrics: &mut Connection) -> f64 {
    let answer = metrics.send(&get("/metrics", "")).await;
    let text = String::from_utf8(answer.body).unwrap();
    text.lines()
        .filter(|line| line.starts_with("forebay_upstream_seconds_sum"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// Somebody with a browser who is signed in at the upstream, and an app: one connection to each server.
pub struct Walker {
    broker: Connection,
    okta: Connection,
    okta_cookie: String,
    web: String,
}

/// How long one login took, in all and at the broker.
pub struct Login {
    pub whole: Duration,
    pub at_broker: Duration,
}

impl Walker {
    pub async fn new(broker: &Process, okta: &Process, okta_cookie: &str) -> Walker {
        Walker {
            broker: Connection::open(broker.address).await,
            okta: Connection::open(okta.address).await,
            okta_cookie: okta_cookie.to_owned(),
            web: web(),
        }
    }

    pub async fn sign_in(&mut self) -> Login {
        let begun = Instant::now();
        let away = self.broker.send(&get(&authorize_path("acme-okta"), "")).await;
        let left = Instant::now();
        let ours = away.cookies().next().unwrap_or_else(|| panic!("{}", away.head));
        let there = path_of(away.header("location").unwrap());
        let back = self
            .okta
            .send(&get(&there, &format!("Cookie: {}\r\n", self.okta_cookie)))
            .await;
        let returned = Instant::now();
        let callback = path_of(back.header("location").unwrap_or_else(|| panic!("{}", back.head)));
        let done = self
            .broker
            .send(&get(&callback, &format!("Cookie: {ours}\r\n")))
            .await;
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
        let tokens = self.broker.send(&post("/oauth2/token", &self.web, &form)).await;
        assert_eq!(tokens.status, 200, "{}", String::from_utf8_lossy(&tokens.body));
        Login {
            whole: begun.elapsed(),
            at_broker: begun.elapsed() - (returned - left),
        }
    }
}

pub fn authorize_path(provider: &str) -> String {
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

/// Signs Ada in at the stand-in's dashboard, and gives the cookie.
pub async fn sign_in_upstream(address: SocketAddr) -> String {
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
