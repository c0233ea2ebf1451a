//! kill -9 at random points of a steady load of code exchanges, refreshes and revocations: one node on SQLite (F3), two on
//! PostgreSQL (F2). Whatever was acknowledged is there afterwards, and nothing happened twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Options;
use super::checker::{self, Own};
use super::load::{Dice, Load};
use super::log::{Log, Operation, Outcome};
use super::postgres;
use super::report::{self, Verdict, percentile};
use super::stage::{Base, Node, Stage, free_address, issuer};

use forebay::demo::WEB_CLIENT;

const WORKERS: u64 = 16;
/// Requests per second of all workers.
const RATE: f64 = 160.0;
/// Codes that are kept in stock: more than a cycle uses.
const STOCK: usize = 400;
/// How long a restart may take, with a debug build on a busy machine.
const READY: Duration = Duration::from_secs(10);

pub fn f3_sqlite(options: &Options) -> Verdict {
    run(
        &Stage::new(&Base::Sqlite),
        1,
        options.cycles(4, 200),
        options.seed,
    )
}

pub fn f2_two_nodes_on_postgres(options: &Options) -> Verdict {
    match postgres::server(options) {
        Ok(server) => run(
            &Stage::new(&Base::Postgres(server.url())),
            2,
            options.cycles(4, 200),
            options.seed,
        ),
        Err(reason) => Verdict::NotRun(reason),
    }
}

/// When a node was dead, on the log's clock.
struct Gap {
    node: usize,
    from: Duration,
    until: Duration,
}

fn run(stage: &Stage, nodes: usize, cycles: usize, seed: u64) -> Verdict {
    let log = Log::new();
    let addresses: Vec<_> = (0..nodes).map(|_| free_address()).collect();
    let mut running: Vec<Node> = addresses
        .iter()
        .map(|&address| Node::start(stage.command(address)))
        .collect();
    let load = Load {
        log: &log,
        nodes: addresses.clone(),
        codes: Mutex::new(stage.codes(WEB_CLIENT, STOCK)),
        stop: AtomicBool::new(false),
        pace: Duration::from_secs_f64(WORKERS as f64 / RATE),
        seed,
    };
    let gaps = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        // Also when a cycle panics, or the scope would wait for ever.
        let _stop = StopOnDrop(&load.stop);
        let mut dice = Dice::new(seed);
        for cycle in 0..cycles {
            if load.stock() < STOCK {
                load.supply(stage.codes(WEB_CLIENT, STOCK));
            }
            std::thread::sleep(Duration::from_millis(200 + dice.below(700)));
            let node = cycle % nodes;
            let from = log.now();
            running[node].kill();
            running[node] = Node::start(stage.command(addresses[node]));
            let until = log.now();
            gaps.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Gap { node, from, until });
            assert_eq!(stage.integrity(), "ok", "after cycle {cycle}");
        }
        std::thread::sleep(Duration::from_millis(500));
    });
    let gaps = gaps.into_inner().unwrap_or_else(PoisonError::into_inner);
    let operations = log.operations();
    let own = Own { issuer: issuer() };
    let violations = checker::check(&operations, &stage.rows(), &own);
    let recovery: Vec<Duration> = gaps.iter().map(|gap| gap.until - gap.from).collect();
    let lines = [
        format!(
            "{cycles} cycles of kill -9, {nodes} node(s), seed {seed}, {:.0} requests/s",
            operations.len() as f64 / log.now().as_secs_f64()
        ),
        report::operations(&operations, &violations),
        format!("kill to ready: {}", report::spread(&recovery)),
        format!(
            "errors beyond connections to the dead node: {}",
            errors_of_the_living(&operations, &gaps)
        ),
    ];
    report::no_violation(&violations);
    let logs: Vec<String> = addresses.iter().map(|&address| stage.log_of(address)).collect();
    assert_eq!(
        errors_of_the_living(&operations, &gaps),
        0,
        "{}\n{}",
        lines.join("\n"),
        logs.join("\n")
    );
    assert!(
        percentile(&recovery, 1.0) < READY,
        "a restart took {}",
        report::spread(&recovery)
    );
    assert!(
        operations
            .iter()
            .any(|operation| matches!(operation.outcome, Outcome::Unknown)),
        "no request was under way at any kill: the load is too small to show anything"
    );
    Verdict::passed(lines)
}

/// Requests to a node that lived all the while, which had no answer or a 5xx.
fn errors_of_the_living(operations: &[Operation], gaps: &[Gap]) -> usize {
    let failed = |operation: &&Operation| {
        matches!(
            operation.outcome,
            Outcome::Unavailable(_) | Outcome::Unknown | Outcome::NotSent
        )
    };
    operations
        .iter()
        .filter(failed)
        .filter(|operation| {
            !gaps.iter().any(|gap| {
                gap.node == operation.node && operation.ended >= gap.from && operation.began <= gap.until
            })
        })
        .count()
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
