//! Steady load for as long as `--soak MINUTES` says, while signing keys turn over (F45): memory, open files and threads of the
//! broker stay as they were when it was warm, and every invariant holds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use forebay::actions::keys;
use forebay::actions::pools::NewKeys;
use forebay::db::Conn;
use forebay::db::schema::signing_keys;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::error::Error;
use forebay::model::key::{self, State};
use forebay::rules::key_rotation::{KEPT_SECONDS, LEAD_SECONDS};

use super::Options;
use super::load::Load;
use super::log::{Log, Outcome};
use super::process::{Use, megabytes};
use super::races::sound;
use super::report::{self, Verdict};
use super::stage::{Base, Stage, ctx};

const WORKERS: u64 = 8;
/// Requests per second of all workers: about half of what a broker does beside this load's own program.
const RATE: f64 = 120.0;
/// Codes in stock: more than are used between two looks.
const STOCK: usize = 1_000;
/// Between two looks at what the broker uses.
const LOOK: Duration = Duration::from_secs(5);
/// Keys turn over ten times in a run, and every ten minutes of a long one.
const TURNS: u32 = 10;
const TURN: Duration = Duration::from_secs(600);

pub fn f45_steady_load(options: &Options) -> Verdict {
    let Some(minutes) = options.soak else {
        return Verdict::NotRun("it takes as long as --soak MINUTES says".into());
    };
    let lasts = Duration::from_secs(60 * minutes);
    let stage = Stage::new(&Base::Sqlite);
    let (node, log) = (stage.node(), Log::new());
    let load = Load {
        log: &log,
        nodes: vec![node.address],
        codes: Mutex::new(stage.codes(WEB_CLIENT, STOCK)),
        stop: AtomicBool::new(false),
        pace: Duration::from_secs_f64(WORKERS as f64 / RATE),
        seed: options.seed,
    };
    let (uses, turns) = std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        let watched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (begun, mut uses, mut turns) = (Instant::now(), Vec::new(), 0);
            let every = TURN.min(lasts / TURNS);
            while begun.elapsed() < lasts {
                std::thread::sleep(LOOK);
                if load.stock() < STOCK {
                    load.supply(stage.codes(WEB_CLIENT, STOCK));
                }
                if begun.elapsed() > every * (turns + 1) {
                    turn(&stage);
                    turns += 1;
                }
                uses.push(Use::of(&node));
            }
            (uses, turns)
        }));
        load.stop.store(true, Ordering::Relaxed);
        watched.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let operations = log.operations();
    let failed = operations
        .iter()
        .filter(|one| !matches!(one.outcome, Outcome::Done(_) | Outcome::Refused(_)))
        .count();
    assert_eq!(failed, 0, "{}", report::operations(&operations, &[]));
    sound(&log, &stage);
    // Warm after a third; the middle of a stretch is what it uses, whatever moment it was looked at.
    let third = uses.len() / 3;
    let (warm, last) = (middle(&uses[third..2 * third]), middle(&uses[2 * third..]));
    assert!(
        last.resident <= warm.resident + warm.resident / 20,
        "{} resident, then {}",
        megabytes(warm.resident),
        megabytes(last.resident)
    );
    assert!(
        last.files <= warm.files + 4,
        "{} open files, then {}",
        warm.files,
        last.files
    );
    assert!(
        last.threads <= warm.threads + 2,
        "{} threads, then {}",
        warm.threads,
        last.threads
    );
    Verdict::passed([
        format!(
            "{minutes} minutes, keys turned over {turns} times; {}",
            report::operations(&operations, &[])
        ),
        format!(
            "in the middle third {} resident, {} files, {} threads; in the last {}, {}, {}",
            megabytes(warm.resident),
            warm.files,
            warm.threads,
            megabytes(last.resident),
            last.files,
            last.threads
        ),
    ])
}

/// What was used in the middle of the looks, each figure by itself.
fn middle(uses: &[Use]) -> Use {
    fn of<T: Ord + Copy>(uses: &[Use], figure: impl Fn(&Use) -> T) -> T {
        let mut all: Vec<T> = uses.iter().map(figure).collect();
        all.sort_unstable();
        all[all.len() / 2]
    }
    Use {
        resident: of(uses, |one| one.resident),
        files: of(uses, |one| one.files),
        threads: of(uses, |one| one.threads),
        ..uses[0]
    }
}

/// Successors are published and sign, and what is old enough goes: what takes a day, in a moment.
fn turn(stage: &Stage) {
    let mut conn = stage.target.open().unwrap();
    let successors = NewKeys::make().unwrap().each();
    let ctx = ctx();
    let aged = |conn: &mut Conn, state: State, by: i64| {
        diesel::update(signing_keys::table.filter(signing_keys::state.eq(state)))
            .set(signing_keys::state_since.eq(ctx.now.plus(-by).0))
            .execute(conn)
    };
    conn.transaction::<_, Error, _>(|conn| {
        aged(conn, State::Retiring, KEPT_SECONDS)?;
        keys::delete_retired(conn, &ctx)?;
        keys::rotate(conn, &ctx, POOL, &successors)?;
        aged(conn, State::Pending, LEAD_SECONDS)?;
        for pending in key::pending(conn, ctx.now)? {
            keys::promote(conn, &ctx, &pending)?;
        }
        Ok(())
    })
    .unwrap();
}
