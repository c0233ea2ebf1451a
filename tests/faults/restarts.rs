//! PostgreSQL in trouble: it goes away under load and comes back, stopped fast or crashed (F25), with errors only in the gap
//! and brokers that heal by themselves; a failover leaves them at a server that only reads (F25); it is slow, and no connection is
//! free (F26).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use forebay::demo::{POOL, WEB_CLIENT};

use super::Options;
use super::http::{answered, ask as send, get};
use super::load::{Load, ask, bytes};
use super::log::{Log, Operation, Outcome, Request};
use super::postgres::Own;
use super::proxy::Proxy;
use super::races::sound;
use super::report::{self, Verdict};
use super::stage::{Base, Code, Node, Stage};

const WORKERS: u64 = 8;
/// How long after PostgreSQL takes connections again a request may still fail.
const HEALED: Duration = Duration::from_secs(2);
/// No request lasts longer, whatever happens to the database.
const LONGEST: Duration = Duration::from_secs(10);

pub fn f25_postgres_restarts(options: &Options) -> Verdict {
    let own = match Own::start() {
        Ok(own) => own,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::new(&Base::Postgres(own.url(own.address)));
    let mut nodes = [stage.node(), stage.node()];
    let log = Log::new();
    let load = Load {
        log: &log,
        nodes: nodes.iter().map(|node| node.address).collect(),
        codes: Mutex::new(stage.codes(WEB_CLIENT, 3_000)),
        stop: AtomicBool::new(false),
        pace: Duration::from_millis(100),
        seed: options.seed,
    };
    let gone = Duration::from_secs(if options.full { 5 } else { 1 });
    let gaps: Vec<(Duration, Duration)> = std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        let outage = |mode: &str| {
            std::thread::sleep(Duration::from_millis(1_000));
            let from = log.now();
            own.stop(mode);
            std::thread::sleep(gone);
            for node in &nodes {
                // The process is alive, and says that it is not ready.
                assert_eq!(answered(node.address, &get("/healthz", "")).status, 200);
                assert_eq!(answered(node.address, &get("/readyz", "")).status, 503);
                // Tokens can be checked all the while.
                let keys = answered(node.address, &get(&format!("/{POOL}/.well-known/jwks.json"), ""));
                assert_eq!(keys.status, 200);
            }
            own.start_again();
            let until = log.now();
            std::thread::sleep(HEALED + Duration::from_millis(1_500));
            (from, until)
        };
        let gaps = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ["fast", "immediate"].map(outage).to_vec()
        }));
        load.stop.store(true, Ordering::Relaxed);
        gaps.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    for node in &mut nodes {
        still_runs(node);
    }
    let operations = log.operations();
    let in_a_gap = |one: &Operation| {
        gaps.iter()
            .any(|(from, until)| one.ended >= *from && one.began <= *until + HEALED)
    };
    let failed = |one: &&Operation| {
        matches!(
            one.outcome,
            Outcome::Unavailable(_) | Outcome::Unknown | Outcome::NotSent
        )
    };
    let beyond: Vec<&Operation> = operations
        .iter()
        .filter(failed)
        .filter(|one| !in_a_gap(one))
        .collect();
    assert!(beyond.is_empty(), "errors outside the gaps: {beyond:?}");
    let healed = operations
        .iter()
        .filter(failed)
        .flat_map(|one| gaps.iter().map(|(_, until)| one.began.saturating_sub(*until)))
        .filter(|late| *late <= HEALED)
        .max()
        .unwrap_or_default();
    let longest = operations
        .iter()
        .map(|one| one.ended - one.began)
        .max()
        .unwrap_or_default();
    assert!(longest < LONGEST, "a request took {longest:?}");
    assert!(operations.iter().any(|one| failed(&one)), "the gap was not felt");
    sound(&log, &stage);
    Verdict::passed([
        report::operations(&operations, &[]),
        format!(
            "the last error began {} ms after PostgreSQL was back; the longest request took {} ms",
            healed.as_millis(),
            longest.as_millis()
        ),
    ])
}

#[track_caller]
fn still_runs(node: &mut Node) {
    assert!(node.ended(Duration::ZERO).is_none(), "a broker ended");
}

/// A failover cuts every connection, and the next ones reach a server that only reads; later they reach one that writes, while
/// those that are open stay where they are.
pub fn f25_a_failover_to_a_server_that_only_reads(options: &Options) -> Verdict {
    let own = match Own::start() {
        Ok(own) => own,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::new(&Base::Postgres(own.url(own.address)));
    let (mut node, log) = (stage.node(), Log::new());
    let mut codes = stage.codes(WEB_CLIENT, 60 * options.count(1, 10));
    let address = node.address;
    let exchange = |code: &Code| {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        ask(&log, (0, address), request, &code.sub, WEB_CLIENT)
    };
    let mut operator = stage.target.open().unwrap();
    let mut healed = Vec::new();
    for _ in 0..options.count(1, 10) {
        operator.batch_execute(ONLY_READS).unwrap();
        let code = codes.pop().unwrap();
        for _ in 0..10 {
            assert_eq!(exchange(&code), Outcome::Unavailable(503));
        }
        assert_eq!(answered(node.address, &get("/healthz", "")).status, 200);
        assert_eq!(answered(node.address, &get("/readyz", "")).status, 503);
        let keys = get(&format!("/{POOL}/.well-known/jwks.json"), "");
        assert_eq!(
            answered(node.address, &keys).status,
            200,
            "what only reads goes on"
        );
        operator.batch_execute(WRITES).unwrap();
        let begun = Instant::now();
        while !matches!(exchange(&code), Outcome::Done(Some(_))) {
            assert!(
                begun.elapsed() < HEALED,
                "it stays with the server that only reads"
            );
        }
        healed.push(begun.elapsed());
        // None of the connections that were opened meanwhile is left.
        for code in codes.split_off(codes.len() - 40) {
            let outcome = exchange(&code);
            assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
        }
    }
    still_runs(&mut node);
    sound(&log, &stage);
    Verdict::passed([format!(
        "503 while nothing can be written, what only reads goes on; an exchange succeeded again after {}",
        report::spread(&healed)
    )])
}

const ONLY_READS: &str = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    END $$;
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();";

const WRITES: &str = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
    END $$";

/// Far more than the broker has connections.
const AT_ONCE: usize = 64;
/// What each message to a slow PostgreSQL waits.
const SLOW: Duration = Duration::from_millis(100);

pub fn f26_slow_postgres(_: &Options) -> Verdict {
    let own = match Own::start() {
        Ok(own) => own,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let proxy = Proxy::before(own.address);
    let stage = Stage::new(&Base::Postgres(own.url(proxy.address)));
    let (node, log) = (stage.node(), Log::new());
    let codes = stage.codes(WEB_CLIENT, AT_ONCE);
    proxy.delay(SLOW);
    let barrier = Barrier::new(AT_ONCE);
    let answers: Vec<(Duration, Option<u16>)> = std::thread::scope(|scope| {
        let asking: Vec<_> = codes
            .iter()
            .map(|code| {
                let (log, barrier, address) = (&log, &barrier, node.address);
                let request = Request::Exchange {
                    code: code.code.clone(),
                };
                scope.spawn(move || {
                    barrier.wait();
                    let begun = log.now();
                    let answer = send(address, &bytes(&request, WEB_CLIENT)).ok();
                    if let Some(busy) = answer.as_ref().filter(|answer| answer.status == 503) {
                        assert!(busy.header("retry-after").is_some(), "{}", busy.head);
                    }
                    (log.now() - begun, answer.map(|answer| answer.status))
                })
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    proxy.delay(Duration::ZERO);
    let count = |status| answers.iter().filter(|(_, one)| *one == Some(status)).count();
    let (served, busy) = (count(200), count(503));
    let longest = answers.iter().map(|(took, _)| *took).max().unwrap_or_default();
    assert_eq!(served + busy, AT_ONCE, "{answers:?}");
    assert!(served > 0 && busy > 0, "{served} served, {busy} refused");
    assert!(longest < LONGEST, "a request took {longest:?}");
    // Who was told to come again is served, now that it is fast; nothing was done by half.
    for (code, (_, status)) in codes.into_iter().zip(&answers) {
        if *status == Some(503) {
            let request = Request::Exchange { code: code.code };
            let outcome = ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT);
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
    }
    sound(&log, &stage);
    Verdict::passed([format!(
        "{AT_ONCE} at once with {} ms for each message: {served} served, {busy} got 503 with Retry-After, the last after {} ms",
        SLOW.as_millis(),
        longest.as_millis()
    )])
}
