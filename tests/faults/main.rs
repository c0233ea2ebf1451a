//! The fault suite: real `forebay serve` processes that are killed, starved, cut off and raced, while an operation log
//! ([`log`]) writes down what was asked and answered; then a checker ([`checker`]) compares the log with the database:
//!
//! - I1 each code has at most one success;
//! - I2 what was answered with 200 is there and works, or its successor does, unless it was revoked;
//! - I3 nothing that was revoked with 200 succeeds two seconds later;
//! - I4 each user's `sub` is constant, and two users never share one;
//! - I5 each token is about the user, for the client and from the pool that were asked;
//! - I6 no rows by half, no two users with one identity;
//! - I7 the audit log has each revocation once.
//!
//! `cargo test` runs the shorter half. `cargo test --test faults -- --full` runs all of it, with 200 kill cycles for each
//! database. `--soak MINUTES`, `--cycles N`, `--seed N`, `--database sqlite|postgres` and words of checks' names narrow or widen a run.
//! PostgreSQL is the server that `TEST_DATABASE_URL` or `POSTGRES_URL` names, or one of the suite's own where Debian's
//! programs are installed; what it has to stop is always its own. All traffic stays on 127.0.0.1. What needs something that
//! is not here says so, and is neither passed nor failed.
//!
//! Where each fault is tested:
//!
//! | faults | where |
//! |---|---|
//! | F1, F4, F6 | [`races`] |
//! | F2, F3 | [`kill`]; the power cut in [`power`] |
//! | F5, F27 | [`lost_answers`] |
//! | F7, F8 | [`sign_in`]; also `tests/broker/upstream/twice.rs` and `many_at_once.rs` |
//! | F9 | [`rotation`] |
//! | F10, F11, F20, F22 | `tests/broker/upstream/token_endpoint_faults.rs` |
//! | F12, F13 | `tests/broker/upstream/slow.rs` |
//! | F14 | [`names`]; also `tests/broker/upstream/slow.rs` |
//! | F15 | `src/upstream/tests/tls.rs` (without revoked chains: nothing asks for revocation) |
//! | F16, F17, F18 | `tests/broker/upstream/metadata_faults.rs` |
//! | F19 | `tests/broker/upstream/id_token_faults.rs` |
//! | F23, F24 | [`sqlite`] |
//! | F25, F26 | [`restarts`] |
//! | F28 | [`clashes`] |
//! | F29, F44 | [`crowd`] |
//! | F30 | [`slow`] (without second heads on one connection, which nothing ends); each deadline by itself in `tests/broker/guards.rs` |
//! | F31, F32 | [`bodies`], [`malformed`] (without schemathesis and cargo-fuzz) |
//! | F33, F40, F42 | [`ends`]; a root key that takes over in `tests/broker/root_key.rs` |
//! | F34 | [`upgrade`]; what an older version left behind in `tests/broker/database/upgrade.rs` |
//! | F35, F37 | [`abandoned`], [`large`] |
//! | F36 | `tests/broker/upstream/many_at_once.rs` |
//! | F38 | `tests/broker/jobs.rs`, `tests/broker/traces.rs` |
//! | F39 | `tests/broker/moving/backup.rs` |
//! | F41 | [`entropy`] |
//! | F43 | `tests/interop/browser/loop.test.mjs`, thirty sign-ins; a thousand where `FOREBAY_SIGN_INS=1000` asks for them |
//! | F45 | [`soak`], where `--soak` asks for it |
//! | F21 | nothing to test: a session and its refresh tokens end here, and the upstream is not asked again |
#![allow(clippy::unwrap_used)]

mod abandoned;
mod bodies;
mod checker;
mod checker_tests;
mod clashes;
mod crowd;
mod ends;
mod entropy;
mod http;
mod kill;
mod large;
mod load;
mod log;
mod lost_answers;
mod malformed;
mod names;
mod postgres;
mod power;
mod process;
mod proxy;
mod races;
mod report;
mod restarts;
mod rotation;
mod routes;
mod rows;
mod sign_in;
mod slow;
mod soak;
mod sqlite;
mod stage;
mod upgrade;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use report::Verdict;

/// How a run is wanted.
pub struct Options {
    /// All of it, and not its shorter half.
    pub full: bool,
    cycles: Option<usize>,
    pub seed: u64,
    /// How many minutes of steady load, if any.
    pub soak: Option<u64>,
    pub sqlite: bool,
    pub postgres: bool,
    /// A PostgreSQL server to make databases at.
    pub postgres_url: Option<String>,
    /// Parts of names; none is all.
    only: Vec<String>,
}

impl Options {
    fn read() -> Result<Options, String> {
        let named = |name| std::env::var(name).ok().filter(|url| url.starts_with("postgres"));
        let postgres_url = named("TEST_DATABASE_URL").or_else(|| named("POSTGRES_URL"));
        let mut options = Options {
            full: false,
            cycles: None,
            seed: 6,
            soak: None,
            // A run on PostgreSQL is one beside another on SQLite.
            sqlite: postgres_url.is_none(),
            postgres: true,
            postgres_url,
            only: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
            match argument.as_str() {
                "--full" => options.full = true,
                "--cycles" => options.cycles = Some(number(value()?)? as usize),
                "--soak" => options.soak = Some(number(value()?)?).filter(|minutes| *minutes > 0),
                "--seed" => options.seed = number(value()?)?,
                "--database" => match value()?.as_str() {
                    "sqlite" => (options.sqlite, options.postgres) = (true, false),
                    "postgres" => (options.sqlite, options.postgres) = (false, true),
                    other => return Err(format!("{other} is no database: sqlite or postgres")),
                },
                // Cargo's harness has flags that this one has no use for.
                flag if flag.starts_with('-') => eprintln!("{flag} means nothing here"),
                part => options.only.push(part.to_owned()),
            }
        }
        Ok(options)
    }

    /// How many kill cycles: as asked for, or as many as that half has.
    pub fn cycles(&self, short: usize, full: usize) -> usize {
        self.cycles.unwrap_or(self.count(short, full))
    }

    pub fn count(&self, short: usize, full: usize) -> usize {
        if self.full { full } else { short }
    }

    fn wants(&self, check: &Check) -> bool {
        let database = match check.on {
            On::Neither | On::Each => true,
            On::Sqlite => self.sqlite,
            On::Postgres => self.postgres,
        };
        database && (self.only.is_empty() || self.only.iter().any(|part| check.name.contains(part.as_str())))
    }
}

/// What a check plays on.
#[derive(Clone, Copy)]
enum On {
    Neither,
    Sqlite,
    Postgres,
    Each,
}

struct Check {
    name: &'static str,
    on: On,
    run: fn(&Options) -> Verdict,
}

macro_rules! checks {
    ($($on:ident $path:ident::$name:ident;)*) => {
        [$(Check { name: concat!(stringify!($path), "::", stringify!($name)), on: On::$on, run: $path::$name }),*]
    };
}

/// Tests of the suite itself.
macro_rules! tests {
    ($($path:ident::$name:ident;)*) => {
        [$(Check {
            name: concat!(stringify!($path), "::", stringify!($name)),
            on: On::Neither,
            run: |_| { $path::$name(); Verdict::passed([]) },
        }),*]
    };
}

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let of_itself = tests! {
        checker_tests::a_sound_run_has_no_violation;
        checker_tests::a_code_that_was_exchanged_twice_is_found;
        checker_tests::what_was_acknowledged_and_is_lost_is_found;
        checker_tests::a_revoked_token_that_works_is_found;
        checker_tests::a_token_of_somebody_else_is_found;
        checker_tests::rows_by_half_and_rows_twice_are_found;
        checker_tests::an_audit_log_that_disagrees_is_found;
        power::an_answer_before_its_sync_is_found;
    };
    let faults = checks! {
        Each races::f1_one_code;
        Postgres kill::f2_two_nodes_on_postgres;
        Sqlite kill::f3_sqlite;
        Sqlite power::f3_synced_before_it_is_answered;
        Each races::f4_one_refresh_token;
        Each lost_answers::f5_the_answer_of_a_refresh;
        Each races::f6_an_end_during_refreshes;
        Each sign_in::f7_one_callback_twice;
        Each sign_in::f8_a_newcomer_in_many_browsers;
        Sqlite names::f14_a_name_server_in_trouble;
        Each rotation::f9_keys_rotate_under_load;
        Sqlite sqlite::f23_locked_by_another_process;
        Sqlite sqlite::f24_disk_full;
        Postgres restarts::f25_postgres_restarts;
        Postgres restarts::f25_a_failover_to_a_server_that_only_reads;
        Postgres restarts::f26_slow_postgres;
        Postgres lost_answers::f27_cut_after_commit;
        Postgres clashes::f28_undone_for_another_s_sake;
        Postgres clashes::f28_as_if_one_after_the_other;
        Sqlite crowd::f29_a_crowd_does_not_slow_the_active;
        Sqlite crowd::f29_no_file_is_left;
        Sqlite slow::f30_slow_clients;
        Sqlite bodies::f31_bodies_of_the_wrong_size;
        Sqlite malformed::f32_malformed_requests;
        Sqlite ends::f33_sigterm_under_load;
        Postgres upgrade::f34_a_rolling_upgrade;
        Sqlite abandoned::f35_logins_that_nobody_ends;
        Sqlite large::f37_a_deployment_that_has_grown;
        Sqlite ends::f40_another_root_key;
        Sqlite entropy::f41_no_entropy;
        Sqlite ends::f42_a_log_that_nobody_reads;
        Sqlite crowd::f44_a_crowd_within_128_mb;
        Sqlite soak::f45_steady_load;
    };
    let begun = Instant::now();
    let (mut passed, mut failed, mut not_run) = (0, Vec::new(), 0);
    for check in of_itself
        .iter()
        .chain(&faults)
        .filter(|check| options.wants(check))
    {
        let started = Instant::now();
        println!("test {} ...", check.name);
        let verdict = catch_unwind(AssertUnwindSafe(|| (check.run)(&options)));
        let seconds = started.elapsed().as_secs_f64();
        match verdict {
            Ok(Verdict::Passed(lines)) => {
                passed += 1;
                lines.iter().for_each(|line| println!("    {line}"));
                println!("    ok in {seconds:.1} s");
            }
            Ok(Verdict::NotRun(reason)) => {
                not_run += 1;
                println!("    NOT RUN: {reason}");
            }
            // The panic has said why, on standard error.
            Err(_) => {
                failed.push(check.name);
                println!("    FAILED in {seconds:.1} s");
            }
        }
    }
    for name in &failed {
        println!("failed: {name}");
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed; 0 ignored; {not_run} not run; finished in {:.1}s",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        begun.elapsed().as_secs_f64()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
