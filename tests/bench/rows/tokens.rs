//! The token endpoint, grant by grant, and userInfo.

use std::cell::RefCell;
use std::ops::Range;

use forebay::demo::{API, MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT};
use forebay::rules::params;

use super::super::drive::{Beside, Load, drive};
use super::super::http::{Answer, Connection, get, post};
use super::super::plan::Plan;
use super::super::process::Process;
use super::super::seed::{APP, Stock, VERIFIER};
use super::{AT_ONCE, Report, TWO, basic, is_ok, web};

/// Codes that a whole run uses up: a quarter before it counts, and half of the rest at 64 connections.
pub const CODES: usize = 16_000;
/// Token families that are refreshed; more than [`AT_ONCE`] in a short run, too.
pub const FAMILIES: usize = 640;

pub async fn rows(plan: &Plan, report: &mut Report, server: &Process, stock: &Stock) {
    exchange(report, server, stock).await;
    refresh(plan, report, server, stock).await;
    client_credentials(plan, report, server).await;
    userinfo(plan, report, server, stock).await;
}

async fn exchange(report: &mut Report, server: &Process, stock: &Stock) {
    let web = web();
    let callback = format!("{APP}/callback");
    let code = |number: usize| {
        let form = params::encode([
            ("grant_type", "authorization_code"),
            ("code", &stock.codes[number]),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
        ]);
        post("/oauth2/token", &web, &form)
    };
    let exchange = async |name, at_once, beside, numbers: Range<usize>| {
        let load = Load {
            name,
            at_once,
            total: numbers.len(),
            beside,
        };
        drive(&[server], &load, |number| code(numbers.start + number), is_ok).await
    };
    // A server that has run for a while: its statements are prepared, and SQLite's log has the length that it keeps. What a
    // first request takes, the rows of the start say.
    let all = stock.codes.len();
    let (warm, half) = (all / 4, all - all * 3 / 8);
    exchange("", 32, Beside::Nothing, 0..warm).await;
    let row = exchange("code exchange, 32 at once", 32, TWO, warm..half).await;
    report.milliseconds("code exchange, 32 at once, p99", row.percentile(0.99), 15.0);
    report.row(row, Some(0.72));
    let row = exchange("code exchange, 64 at once", 64, TWO, half..all).await;
    report.milliseconds(
        "code exchange, 64 at once, the slowest",
        row.percentile(1.0),
        100.0,
    );
    report.row(row, None);
    report.flows += stock.codes.len();
}

/// Refreshes one of the families that do not rotate.
pub fn refreshing(stock: &Stock) -> impl Fn(usize) -> Vec<u8> {
    let web = web();
    move |number: usize| {
        let token = &stock.refresh[number % stock.refresh.len()];
        let form = params::encode([("grant_type", "refresh_token"), ("refresh_token", token)]);
        post("/oauth2/token", &web, &form)
    }
}

async fn refresh(plan: &Plan, report: &mut Report, server: &Process, stock: &Stock) {
    let load = |name, total| Load {
        name,
        at_once: AT_ONCE,
        total: plan.of(total),
        beside: TWO,
    };
    let kept = load("refresh", 8_000);
    report.row(
        drive(&[server], &kept, refreshing(stock), is_ok).await,
        Some(0.75),
    );

    // Each chain is followed by one request at a time: the stock's first free token is taken, its successor put back.
    let chains = RefCell::new(stock.rotating.clone());
    let rotate = |_: usize| {
        let token = chains.borrow_mut().pop().unwrap();
        let form = params::encode([
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", SPA_CLIENT),
        ]);
        post("/oauth2/token", "", &form)
    };
    let keep = |number, answer: Answer| {
        let successor = answer.json()["refresh_token"].as_str().map(str::to_owned);
        is_ok(number, answer);
        chains.borrow_mut().insert(0, successor.unwrap());
    };
    let rotating = load("refresh with rotation", 6_000);
    report.row(drive(&[server], &rotating, rotate, keep).await, Some(0.7));
    report.flows += kept.total + rotating.total;
}

async fn client_credentials(plan: &Plan, report: &mut Report, server: &Process) {
    let machine = basic(MACHINE_CLIENT, MACHINE_SECRET);
    let scope = format!("{API}/read");
    let form = params::encode([("grant_type", "client_credentials"), ("scope", &scope)]);
    let load = Load {
        name: "client credentials",
        at_once: AT_ONCE,
        total: plan.of(15_000),
        beside: Beside::Signatures(1.0, "S"),
    };
    let credentials = |_: usize| post("/oauth2/token", &machine, &form);
    report.row(drive(&[server], &load, credentials, is_ok).await, Some(0.75));
    report.flows += load.total;
}

async fn userinfo(plan: &Plan, report: &mut Report, server: &Process, stock: &Stock) {
    let answer = Connection::open(server.address)
        .await
        .send(&refreshing(stock)(0))
        .await
        .json();
    let bearer = format!(
        "Authorization: Bearer {}\r\n",
        answer["access_token"].as_str().unwrap()
    );
    let load = Load {
        name: "userInfo",
        at_once: AT_ONCE,
        total: plan.of(30_000),
        // 10,000 per CPU-second where a core makes 5,000 signatures.
        beside: Beside::Signatures(2.0, "2 S"),
    };
    let info = |_: usize| get("/oauth2/userInfo", &bearer);
    report.row(drive(&[server], &load, info, is_ok).await, Some(1.0));
}

/// Refreshes until there have been that many flows.
pub async fn refresh_until(report: &mut Report, server: &Process, stock: &Stock, flows: usize) {
    let load = Load {
        name: "refresh, the rest of the flows",
        at_once: AT_ONCE,
        total: flows.saturating_sub(report.flows),
        beside: Beside::Nothing,
    };
    drive(&[server], &load, refreshing(stock), is_ok).await;
    report.flows += load.total;
}
