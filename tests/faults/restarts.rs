//! PostgreSQL goes away under load and comes back: stopped fast, and crashed (F25). Errors only in the gap, and the brokers
//! heal by themselves.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay::demo::{POOL, WEB_CLIENT};

use super::Options;
use super::http::{answered, get};
use super::load::Load;
use super::log::{Log, Operation, Outcome};
use super::postgres::Own;
use super::races::sound;
use super::report::{self, Verdict};
use super::stage::{Base, Node, Stage};

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
                let keys = get(&format!("/{POOL}/.well-known/jwks.json"), "");
                assert_eq!(answered(node.address, &keys).status, 200);
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
