//! Steady load for as long as `--soak MINUTES` says, while signing keys turn over and the organisation is in every trouble by turns
//! (F45): memory, open files and threads of the broker stay as they were when it was warm, and every invariant holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use forebay::actions::keys;
use forebay::actions::pools::NewKeys;
use forebay::db::Conn;
use forebay::db::schema::signing_keys;
use forebay::demo::okta::{Endpoint, Faults, Transport, Trouble};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::error::Error;
use forebay::model::key::{self, State};
use forebay::rules::key_rotation::{KEPT_SECONDS, LEAD_SECONDS};

use super::Options;
use super::http::{answered, get};
use super::load::{Dice, Load};
use super::log::{Log, Outcome};
use super::process::{Use, megabytes};
use super::races::sound;
use super::report::{self, Verdict};
use super::sign_in::{code_of, towards_the_callback};
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
/// Between two sign-ins: so seldom that those which fail do not shut everybody out.
const PAUSE: Duration = Duration::from_secs(2);
/// Whoever signs in has an answer within this, whatever the organisation does: what one sign-in may take of it, and a little.
const PATIENCE: Duration = Duration::from_secs(12);
/// By then sign-ins succeed again: an organisation that failed is left alone for a while, and so is a network whose sign-ins did.
const RECOVERS: Duration = Duration::from_secs(90);

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
    let (uses, turns, people) = std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        let people = scope.spawn(|| sign_ins(&stage, node.address, Dice::new(options.seed), &load.stop));
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
        let (uses, turns) = watched.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (uses, turns, people.join().unwrap())
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
        people,
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

/// People sign in one after the other, half of them while the organisation is in some trouble (those of F10 to F18 that its answers
/// can be in; names and certificates stay as they are). Each is signed in or has a page in time; and when all is well again, so
/// are sign-ins. What came of them.
fn sign_ins(stage: &Stage, node: SocketAddr, mut dice: Dice, stop: &AtomicBool) -> String {
    let (mut signed_in, mut pages) = (0, BTreeMap::new());
    while !stop.load(Ordering::Relaxed) {
        let faults = match dice.below(2) {
            0 => Faults::default(),
            _ => trouble(&mut dice),
        };
        stage.okta.set_faults(|now| *now = faults.clone());
        let begun = Instant::now();
        match sign_in(stage, node) {
            200..=399 => signed_in += 1,
            page => {
                assert!(matches!(page, 403 | 429 | 502 | 503), "{page} while {faults:?}");
                *pages.entry(page).or_insert(0) += 1;
            }
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{:?} while {faults:?}",
            begun.elapsed()
        );
        std::thread::sleep(PAUSE);
    }
    stage.okta.set_faults(|now| *now = Faults::default());
    let well = Instant::now();
    while sign_in(stage, node) >= 400 {
        assert!(well.elapsed() < RECOVERS, "sign-ins fail though all is well");
        std::thread::sleep(PAUSE);
    }
    assert!(signed_in > 0 && !pages.is_empty(), "{signed_in} and {pages:?}");
    format!(
        "{signed_in} people signed in, pages for the others by status: {pages:?}; well again after {} s",
        well.elapsed().as_secs()
    )
}

/// Where a sign-in ends: 302 where the app gets a code, else the page's status.
fn sign_in(stage: &Stage, node: SocketAddr) -> u16 {
    let page = match towards_the_callback(stage, node, "ada@acme.test") {
        Ok(back) => answered(node, &get(&back.callback, &back.cookies)),
        Err(page) => page,
    };
    assert_eq!(page.status < 400, code_of(&page).is_some(), "{}", page.text());
    page.status
}

/// One endpoint of the back channel in one trouble.
fn trouble(dice: &mut Dice) -> Faults {
    let endpoint = match dice.below(4) {
        0 => Endpoint::Discovery,
        1 => Endpoint::Keys,
        2 => Endpoint::Userinfo,
        _ => Endpoint::Token,
    };
    let trouble = match dice.below(10) {
        0 => Trouble::NeverAnswer,
        1 => Trouble::Drip { every_ms: 50 },
        2 => Trouble::Stall,
        3 => Trouble::Cut,
        4 => Trouble::ServerError,
        5 => Trouble::RateLimited { reset_in: 2 },
        6 => Trouble::Html,
        7 => Trouble::Truncated,
        8 => Trouble::Huge { bytes: 64 << 20 },
        _ => Trouble::GzipBomb { bytes: 256 << 20 },
    };
    Faults {
        transport: [(endpoint, Transport::trouble(trouble))].into(),
        ..Faults::default()
    }
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
