//! A rolling upgrade on PostgreSQL (F34). There is one binary, so the versions differ by the schema: a node serves over the one
//! before the last migration while a new node brings it up to date; then over one that a later version has added to. Nobody
//! who exchanges codes, refreshes and revokes meanwhile sees an error.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use forebay::db;
use forebay::demo::WEB_CLIENT;

use super::Options;
use super::load::Load;
use super::log::{Log, Outcome};
use super::postgres;
use super::process::wrapped;
use super::races::sound;
use super::report::{self, Verdict};
use super::stage::{Base, Stage, free_address};

const WORKERS: u64 = 6;

/// What a later version would do to a database that this one works on.
const LATER: &str = "ALTER TABLE token_families ADD COLUMN later TEXT;
    ALTER TABLE authorization_codes ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE app_clients ADD COLUMN later TEXT;
    CREATE INDEX later_tokens ON refresh_tokens (created_at);
    CREATE TABLE later (id BIGINT PRIMARY KEY, token_hash BYTEA);
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000');";

/// The last migration's version, and what undoes it.
fn last_migration() -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let last = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let name = last.file_name().unwrap().to_string_lossy().into_owned();
    let version: String = name
        .chars()
        .take_while(|c| *c != '_')
        .filter(char::is_ascii_digit)
        .collect();
    (version, fs::read_to_string(last.join("down.sql")).unwrap())
}

pub fn f34_a_rolling_upgrade(options: &Options) -> Verdict {
    let server = match postgres::server(options) {
        Ok(server) => server,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let rounds = options.count(1, 10);
    let stage = Stage::new(&Base::Postgres(server.url()));
    let log = Log::new();
    for _ in 0..rounds {
        forward(&stage, &log, options);
    }
    back(&stage, &log, options);
    let operations = log.operations();
    let failed: Vec<_> = operations
        .iter()
        .filter(|one| !matches!(one.outcome, Outcome::Done(_) | Outcome::Refused(_)))
        .collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
    sound(&log, &stage);
    Verdict::passed([
        format!(
            "{rounds} times the last migration under load, and what a later version adds: every request was answered"
        ),
        report::operations(&operations, &[]),
    ])
}

/// Keeps these nodes busy while something is done.
fn busy<T>(stage: &Stage, log: &Log, nodes: Vec<SocketAddr>, seed: u64, work: impl FnOnce() -> T) -> T {
    let load = Load {
        log,
        nodes,
        codes: Mutex::new(stage.codes(WEB_CLIENT, 800)),
        stop: AtomicBool::new(false),
        pace: Duration::from_millis(80),
        seed,
    };
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        // Codes that are exchanged: the load has begun.
        let before = log.operations().len();
        while log.operations().len() < before + 20 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        std::thread::sleep(Duration::from_millis(700));
        load.stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// N to N + 1: the old node serves while the new one migrates, and goes on beside it.
fn forward(stage: &Stage, log: &Log, options: &Options) {
    let old = stage.node();
    let (version, undo) = last_migration();
    let mut conn = stage.target.open().unwrap();
    conn.batch_execute(&format!(
        "{undo} DELETE FROM __diesel_schema_migrations WHERE version = '{version}';"
    ))
    .unwrap();
    assert_eq!(db::pending_migrations(&mut conn).unwrap(), 1);
    let new = busy(stage, log, vec![old.address], options.seed, || stage.node());
    assert_eq!(
        db::pending_migrations(&mut conn).unwrap(),
        0,
        "it migrates as it starts"
    );
    busy(
        stage,
        log,
        vec![old.address, new.address],
        options.seed + 1,
        || (),
    );
    // The old one goes; the new one has it all.
    drop(old);
    busy(stage, log, vec![new.address], options.seed + 2, || ());
}

/// As a later version's start would: again, where PostgreSQL undid it for the sake of a request.
fn add(stage: &Stage) {
    let mut conn = stage.target.open().unwrap();
    let mut attempts = 1..10;
    while let Err(error) = conn.batch_execute(LATER) {
        assert!(
            error.to_string().contains("deadlock") && attempts.next().is_some(),
            "{error}"
        );
    }
}

/// N + 1 and back to N: this version meets a database that a later one has added to, and starts over it.
fn back(stage: &Stage, log: &Log, options: &Options) {
    let node = stage.node();
    let other = busy(stage, log, vec![node.address], options.seed + 3, || {
        add(stage);
        // Put back to this version, which knows nothing of what was added.
        stage.node()
    });
    busy(
        stage,
        log,
        vec![node.address, other.address],
        options.seed + 4,
        || {
            // The later version says that this one is too old: those that run go on until they are replaced, and no other starts.
            let floor = "INSERT INTO schema_floor (version) VALUES ('20990101000000')";
            stage.target.open().unwrap().batch_execute(floor).unwrap();
            let refused = wrapped(&stage.command(free_address()), &["timeout", "20"])
                .status()
                .unwrap();
            assert!(
                refused.code().is_some_and(|code| code != 0 && code != 124),
                "it starts over a database that it is too old for: {refused}"
            );
        },
    );
}
