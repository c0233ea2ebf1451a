//! Races for one thing: one code (F1), one refresh token (F4), one user whose tokens end while they are being refreshed (F6).
//! On one node over SQLite and on two over PostgreSQL.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay::actions::users;
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::model::reach::Reach;
use forebay::rules::secret;

use super::Options;
use super::checker::{self, Own};
use super::http::{self, Answer, Failed, Line};
use super::load::{ask, bytes};
use super::log::{Issued, Log, Operation, Outcome, Request, hash_of};
use super::postgres;
use super::report::{self, Verdict, percentile, spread};
use super::stage::{Base, Node, SPA_GRACE, Stage, ctx, issuer};

/// A stage with its nodes: one on SQLite, two on PostgreSQL.
pub fn on_each(options: &Options, check: impl Fn(&Stage, &[SocketAddr]) -> Vec<String>) -> Verdict {
    let mut lines = Vec::new();
    let mut reasons = Vec::new();
    let mut on = |name: &str, base: &Base, nodes: usize| {
        let stage = Stage::new(base);
        let nodes: Vec<Node> = (0..nodes).map(|_| stage.node()).collect();
        let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
        lines.extend(
            check(&stage, &addresses)
                .into_iter()
                .map(|line| format!("{name}: {line}")),
        );
    };
    if options.sqlite {
        on("SQLite, 1 node", &Base::Sqlite, 1);
    }
    if options.postgres {
        match postgres::server(options) {
            Ok(server) => on("PostgreSQL, 2 nodes", &Base::Postgres(server.url()), 2),
            Err(reason) => reasons.push(reason),
        }
    }
    match reasons.pop() {
        Some(reason) if lines.is_empty() => Verdict::NotRun(reason),
        Some(reason) => {
            lines.push(format!("PostgreSQL: not run: {reason}"));
            Verdict::Passed(lines)
        }
        None => Verdict::Passed(lines),
    }
}

/// Sends one request many times at the same moment, over the nodes in turn; each answer, and how long it took.
pub fn at_once(
    nodes: &[SocketAddr],
    count: usize,
    request: &[u8],
) -> Vec<(usize, Duration, Result<Answer, Failed>)> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..count)
            .map(|number| {
                let (barrier, node) = (&barrier, number % nodes.len());
                scope.spawn(move || {
                    let line = Line::open(nodes[node]);
                    barrier.wait();
                    let begun = Instant::now();
                    let answer = line.and_then(|line| line.send(request));
                    (node, begun.elapsed(), answer)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

/// The checker over everything.
#[track_caller]
pub fn sound(log: &Log, stage: &Stage) {
    let own = Own { issuer: issuer() };
    report::no_violation(&checker::check(&log.operations(), &stage.rows(), &own));
}

/// Exchanges a fresh code at that node.
#[track_caller]
pub fn tokens(log: &Log, stage: &Stage, node: SocketAddr, client: &'static str) -> (String, Issued) {
    let code = stage.codes(client, 1).remove(0);
    let request = Request::Exchange { code: code.code };
    match ask(log, (0, node), request, &code.sub, client) {
        Outcome::Done(Some(issued)) => (code.sub, issued),
        other => panic!("the code was not exchanged: {other:?}"),
    }
}

/// Sends the web client's request so often at the same moment, and writes down what each was answered.
pub fn race(
    log: &Log,
    nodes: &[SocketAddr],
    count: usize,
    request: &Request,
    sub: &str,
) -> Vec<(Outcome, Duration)> {
    let began = log.now();
    let answers = at_once(nodes, count, &bytes(request, WEB_CLIENT)).into_iter();
    let written = answers.map(|(node, took, answer)| {
        let outcome = Outcome::of(&answer);
        log.write(Operation {
            node,
            began,
            ended: began + took,
            request: request.clone(),
            sub: sub.to_owned(),
            client: WEB_CLIENT,
            outcome: outcome.clone(),
            answer_hash: hash_of(&answer),
        });
        (outcome, took)
    });
    written.collect()
}

pub fn f1_one_code(options: &Options) -> Verdict {
    let count = options.count(20, 1_000);
    on_each(options, |stage, nodes| {
        let log = Log::new();
        let mut latencies = Vec::new();
        let mut successes = 0;
        // In portions, so that none expires while it waits.
        for portion in (0..count).collect::<Vec<_>>().chunks(50) {
            for code in stage.codes(WEB_CLIENT, portion.len()) {
                let request = Request::Exchange { code: code.code };
                for (outcome, took) in race(&log, nodes, 64, &request, &code.sub) {
                    match outcome {
                        Outcome::Done(_) => successes += 1,
                        Outcome::Refused(error) => assert_eq!(error, "invalid_grant"),
                        other => panic!("a racer got {other:?}"),
                    }
                    latencies.push(took);
                }
            }
        }
        assert_eq!(successes, count, "each code once");
        sound(&log, stage);
        // The figure of a release build on a machine of its own; a debug build beside other tests is given time.
        let most = if options.full { 500 } else { 5_000 };
        assert!(
            percentile(&latencies, 0.99) < Duration::from_millis(most),
            "{}",
            spread(&latencies)
        );
        vec![format!(
            "{count} codes, 64 at once: {successes} successes; {}",
            spread(&latencies)
        )]
    })
}

/// Hashes of the family's tokens that have not been exchanged.
fn live_leaves(stage: &Stage, token: &str) -> usize {
    let rows = stage.rows();
    let jti = &rows.tokens[&secret::hash(token)].origin_jti;
    rows.tokens
        .values()
        .filter(|row| row.origin_jti == *jti && !row.is_rotated)
        .count()
}

pub fn f4_one_refresh_token(options: &Options) -> Verdict {
    on_each(options, |stage, nodes| {
        let log = Log::new();
        let (sub, first) = tokens(&log, stage, nodes[0], SPA_CLIENT);
        let first = first.refresh.unwrap();
        let request = Request::Refresh { token: first.clone() };
        let begun = Instant::now();
        let mut successors: Vec<String> = Vec::new();
        for (_, _, answer) in at_once(nodes, 50, &bytes(&request, SPA_CLIENT)) {
            let Outcome::Done(Some(issued)) = Outcome::of(&answer) else {
                panic!("within the grace period all get an answer: {answer:?}")
            };
            successors.extend(issued.refresh);
        }
        assert!(
            begun.elapsed() < SPA_GRACE,
            "the race took longer than the grace period"
        );
        assert_eq!(successors.len(), 50);
        successors.dedup();
        assert_eq!(successors.len(), 1, "all hold the same successor");
        assert_eq!(live_leaves(stage, &first), 1);
        // What a loser got works, too.
        let request = Request::Refresh {
            token: successors.remove(0),
        };
        let Outcome::Done(Some(next)) = ask(&log, (0, nodes[0]), request, &sub, SPA_CLIENT) else {
            panic!("the successor does not work")
        };
        assert_eq!(live_leaves(stage, &first), 1);
        // Shown again after the grace period, on every node in turn: the family is dead everywhere.
        std::thread::sleep(SPA_GRACE + Duration::from_millis(1_100));
        for node in nodes {
            let late = http::answered(
                *node,
                &bytes(&Request::Refresh { token: first.clone() }, SPA_CLIENT),
            );
            assert_eq!(late.json()["error"], "invalid_grant");
        }
        let token = next.refresh.unwrap();
        for node in nodes {
            let ended = http::answered(
                *node,
                &bytes(&Request::Refresh { token: token.clone() }, SPA_CLIENT),
            );
            assert_eq!(ended.json()["error"], "invalid_grant");
        }
        vec!["50 at once hold one successor; reuse after the grace period ends the family".into()]
    })
}

/// How the tokens of a user end.
#[derive(Clone, Copy, Debug)]
enum End {
    Revoked,
    Disabled,
}

pub fn f6_an_end_during_refreshes(options: &Options) -> Verdict {
    on_each(options, |stage, nodes| {
        [End::Revoked, End::Disabled]
            .into_iter()
            .map(|end| ended_while_refreshing(stage, nodes, end))
            .collect()
    })
}

fn ended_while_refreshing(stage: &Stage, nodes: &[SocketAddr], end: End) -> String {
    let log = Log::new();
    let (sub, issued) = tokens(&log, stage, nodes[0], WEB_CLIENT);
    let first = issued.refresh.unwrap();
    let stop = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        for number in 0..8 {
            let (log, stop, sub, mut token) = (&log, &stop, &sub, first.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let node = number % nodes.len();
                    let request = Request::Refresh { token: token.clone() };
                    if let Outcome::Done(Some(issued)) =
                        ask(log, (node, nodes[node]), request, sub, WEB_CLIENT)
                    {
                        token = issued.refresh.unwrap_or(token);
                    }
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(400));
        match end {
            End::Revoked => {
                let request = Request::Revoke { token: first.clone() };
                let outcome = ask(&log, (0, nodes[0]), request, &sub, WEB_CLIENT);
                assert_eq!(outcome, Outcome::Done(None));
            }
            // By another process, as an administrator's node would.
            End::Disabled => {
                let mut conn = stage.target.open().unwrap();
                users::disable(&mut conn, &ctx(), &Reach::everything(), &sub).unwrap();
            }
        }
        let ended = log.now();
        std::thread::sleep(Duration::from_millis(3_000));
        stop.store(true, Ordering::Relaxed);
        ended
    });
    let refreshed = |operation: &&Operation| {
        matches!(operation.request, Request::Refresh { .. }) && matches!(operation.outcome, Outcome::Done(_))
    };
    let operations = log.operations();
    let before = operations
        .iter()
        .filter(refreshed)
        .filter(|one| one.ended < ended)
        .count();
    let last = operations
        .iter()
        .filter(refreshed)
        .map(|one| one.began.saturating_sub(ended))
        .max()
        .unwrap_or_default();
    assert!(before > 8, "only {before} refreshes before the end");
    assert!(
        last <= Duration::from_secs(2),
        "{end:?}: a refresh succeeded {last:?} afterwards"
    );
    if let End::Revoked = end {
        sound(&log, stage);
    }
    format!(
        "{end:?} after {before} refreshes: the last success began {} ms later",
        last.as_millis()
    )
}
