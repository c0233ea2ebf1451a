//! Signing keys change while apps verify what they get (F9): two relying parties keep the key set they fetched and fetch it
//! again only when they meet a key they do not know, as apps do. Not one token may fail at either of them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use forebay::actions::keys;
use forebay::db::schema::signing_keys;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::key::{self, PublicJwk, State};
use forebay::rules::jwt::{self, VerifyKey};
use forebay::rules::key_rotation::LEAD_SECONDS;

use super::Options;
use super::http::{answered, get};
use super::load::bytes;
use super::log::Request;
use super::races::on_each;
use super::report::Verdict;
use super::stage::{Stage, ctx, issuer};

const WORKERS: usize = 4;

/// An app that verifies tokens.
struct RelyingParty {
    /// Where it asks for keys.
    node: SocketAddr,
    keys: Vec<VerifyKey>,
    fetched: usize,
}

impl RelyingParty {
    fn new(node: SocketAddr) -> RelyingParty {
        let mut party = RelyingParty {
            node,
            keys: Vec::new(),
            fetched: 0,
        };
        party.fetch();
        party
    }

    fn fetch(&mut self) {
        self.fetched += 1;
        self.keys = key_set(self.node)
            .iter()
            .map(|jwk| VerifyKey::new(jwk).unwrap())
            .collect();
    }

    /// Why it does not take the token.
    fn verify(&mut self, token: &str, kind: &str) -> Result<(), String> {
        let kid = kid_of(token);
        if !self.keys.iter().any(|key| key.kid == kid) {
            self.fetch();
        }
        let now = ctx().now;
        jwt::verify(&self.keys, token, &issuer(), kind, now)
            .map(|_| ())
            .map_err(|refused| format!("{kind} token by {kid}: {refused}"))
    }
}

fn key_set(node: SocketAddr) -> Vec<PublicJwk> {
    let answer = answered(node, &get(&format!("/{POOL}/.well-known/jwks.json"), ""));
    serde_json::from_value(answer.json()["keys"].clone()).unwrap()
}

fn kid_of(token: &str) -> String {
    use base64::Engine;
    let head = token.split('.').next().unwrap_or_default();
    let head = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(head)
        .unwrap();
    let head: serde_json::Value = serde_json::from_slice(&head).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

/// What the workers and the relying parties found.
#[derive(Default)]
struct Found {
    verified: usize,
    failed: Vec<String>,
    signed_by: HashSet<String>,
}

pub fn f9_keys_rotate_under_load(options: &Options) -> Verdict {
    let rotations = options.count(2, 10);
    on_each(options, |stage, nodes| {
        let (stop, found) = (AtomicBool::new(false), Mutex::new(Found::default()));
        // One asks the node that signs first, one the last.
        let parties = [nodes[0], nodes[nodes.len() - 1]].map(|node| Mutex::new(RelyingParty::new(node)));
        let codes = Mutex::new(stage.codes(WEB_CLIENT, WORKERS * nodes.len()));
        std::thread::scope(|scope| {
            for number in 0..WORKERS {
                let (stop, found, parties, codes) = (&stop, &found, &parties, &codes);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        work(nodes[number % nodes.len()], codes, parties, found);
                    }
                });
            }
            let rotated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                (0..rotations).for_each(|_| rotate(stage, nodes, &codes, &found));
            }));
            stop.store(true, Ordering::Relaxed);
            rotated.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        let found = found.into_inner().unwrap();
        assert!(
            found.failed.is_empty(),
            "{} failed: {:?}",
            found.failed.len(),
            found.failed.first()
        );
        // Both uses have a key of their own, and each rotation makes two.
        assert_eq!(
            found.signed_by.len(),
            2 * (rotations + 1),
            "{:?}",
            found.signed_by
        );
        let fetched = parties.map(|party| party.into_inner().unwrap().fetched);
        vec![format!(
            "{rotations} rotations: {} tokens of {} keys verified at 2 apps, which fetched the keys {fetched:?} times; 0 failed",
            found.verified,
            found.signed_by.len(),
        )]
    })
}

/// One exchange, and what the apps make of it.
fn work(
    node: SocketAddr,
    codes: &Mutex<Vec<super::stage::Code>>,
    parties: &[Mutex<RelyingParty>; 2],
    found: &Mutex<Found>,
) {
    let next = codes.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let Some(code) = next else {
        return std::thread::sleep(Duration::from_millis(5));
    };
    let answer = answered(node, &bytes(&Request::Exchange { code: code.code }, WEB_CLIENT));
    let body = answer.json();
    for (name, kind) in [("id_token", "id"), ("access_token", "access")] {
        let Some(token) = body[name].as_str() else {
            let said = format!("{}: {}", answer.status, answer.text());
            found
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .failed
                .push(said);
            return;
        };
        for party in parties {
            let verified = party
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .verify(token, kind);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.signed_by.insert(kid_of(token));
            match verified {
                Ok(()) => found.verified += 1,
                Err(why) => found.failed.push(why),
            }
        }
    }
}

/// One rotation from end to end: the command publishes successors; when their time has come they sign.
fn rotate(stage: &Stage, nodes: &[SocketAddr], codes: &Mutex<Vec<super::stage::Code>>, found: &Mutex<Found>) {
    let supply = || {
        let fresh = stage.codes(WEB_CLIENT, 40);
        codes.lock().unwrap_or_else(PoisonError::into_inner).extend(fresh);
    };
    supply();
    let output = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["keys", "rotate", POOL, "--database", &stage.url])
        .env("FOREBAY_ROOT_KEY", super::stage::root_key_text())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut conn = stage.target.open().unwrap();
    // What is published is on every node within two seconds; it signs minutes later, which are not waited for here.
    let pending = key::pending(&mut conn, ctx().now).unwrap();
    assert_eq!(pending.len(), 2);
    for node in nodes {
        within(
            Duration::from_secs(3),
            "every node publishes the new keys",
            || {
                let known = key_set(*node);
                pending
                    .iter()
                    .all(|new| known.iter().any(|jwk| jwk.kid == new.kid))
            },
        );
    }
    diesel::update(signing_keys::table.filter(signing_keys::state.eq(State::Pending)))
        .set(signing_keys::state_since.eq(ctx().now.plus(-LEAD_SECONDS).0))
        .execute(&mut conn)
        .unwrap();
    // As a node's job does, every minute.
    for key in &pending {
        let promoted = stage_transaction(&mut conn, |conn| keys::promote(conn, &ctx(), key));
        assert!(promoted, "{} is {:?}", key.kid, State::Pending);
    }
    within(Duration::from_secs(10), "the new keys sign", || {
        supply();
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        pending.iter().all(|key| found.signed_by.contains(&key.kid))
    });
}

fn stage_transaction<T>(
    conn: &mut forebay::db::Conn,
    work: impl FnOnce(&mut forebay::db::Conn) -> Result<T, forebay::error::Error>,
) -> T {
    conn.transaction(work).unwrap()
}

#[track_caller]
fn within(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < time, "not within {time:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
