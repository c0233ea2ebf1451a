//! The driver of one row: requests over some connections, in slices that take turns with the row's bound.

use std::cell::RefCell;
use std::ops::Range;
use std::time::{Duration, Instant};

use forebay::db::Target;

use super::bound;
use super::http::{Answer, Connection, get};
use super::process::Process;
use super::table::{Bound, Row};

/// Slices of a row; its bound is measured before each.
const SLICES: usize = 4;

pub struct Load<'a> {
    pub name: &'static str,
    pub at_once: usize,
    pub total: usize,
    pub beside: Beside<'a>,
}

/// What a row is measured beside.
pub enum Beside<'a> {
    Nothing,
    /// Signatures of one core, times this: a half where an operation needs two.
    Signatures(f64, &'static str),
    /// The same number of requests to a server that does nothing.
    Bare(&'a Process),
    /// Commits of the database, one after the other. Waiting writes share theirs, so that there is more than all of it to get.
    Commits(&'a Target),
}

/// What one slice took.
#[derive(Default)]
pub struct Slice {
    pub wall: Duration,
    pub cpu: f64,
    pub latencies: Vec<Duration>,
}

/// `next` gives each request's bytes, `check` looks at the answer. The connections are shared out among the servers.
pub async fn drive(
    servers: &[&Process],
    load: &Load<'_>,
    next: impl Fn(usize) -> Vec<u8>,
    check: impl Fn(usize, Answer),
) -> Row {
    let (mut whole, mut bounds) = (Slice::default(), Vec::new());
    for number in 0..SLICES {
        let range = load.total * number / SLICES..load.total * (number + 1) / SLICES;
        match load.beside {
            Beside::Nothing => (),
            Beside::Signatures(times, _) => bounds.push(bound::signatures_per_second() * times),
            Beside::Commits(target) => bounds.push(bound::commits_per_second(target)),
            Beside::Bare(bare) => {
                let count = range.len();
                let beside = slice(
                    &[bare],
                    load.at_once,
                    range.clone(),
                    &|_| get("/", ""),
                    &|_, _| (),
                )
                .await;
                bounds.push(count as f64 / beside.cpu);
            }
        }
        let one = slice(servers, load.at_once, range, &next, &check).await;
        whole.wall += one.wall;
        whole.cpu += one.cpu;
        whole.latencies.extend(one.latencies);
    }
    whole.latencies.sort_unstable();
    let what = match load.beside {
        Beside::Nothing => "",
        Beside::Signatures(_, what) => what,
        Beside::Bare(_) => "bare actix-web",
        Beside::Commits(_) => "single commits",
    };
    Row {
        name: load.name.into(),
        wall: whole.wall,
        cpu: whole.cpu,
        latencies: whole.latencies,
        memory: servers.iter().map(|server| server.memory()).sum(),
        bound: (!bounds.is_empty()).then(|| Bound {
            rate: bounds.iter().sum::<f64>() / bounds.len() as f64,
            what,
            by_the_clock: matches!(load.beside, Beside::Commits(_)),
        }),
    }
}

async fn slice(
    servers: &[&Process],
    at_once: usize,
    range: Range<usize>,
    next: &impl Fn(usize) -> Vec<u8>,
    check: &impl Fn(usize, Answer),
) -> Slice {
    let cpu = || servers.iter().map(|server| server.cpu_seconds()).sum::<f64>();
    let (latencies, numbers) = (RefCell::new(Vec::with_capacity(range.len())), RefCell::new(range));
    let (begun, before) = (Instant::now(), cpu());
    let lanes = (0..at_once).map(|lane| {
        let address = servers[lane % servers.len()].address;
        let (latencies, numbers) = (&latencies, &numbers);
        async move {
            let mut connection = Connection::open(address).await;
            loop {
                let Some(number) = numbers.borrow_mut().next() else {
                    return;
                };
                let request = next(number);
                let begun = Instant::now();
                let answer = connection.send(&request).await;
                latencies.borrow_mut().push(begun.elapsed());
                check(number, answer);
            }
        }
    });
    futures_util::future::join_all(lanes).await;
    Slice {
        wall: begun.elapsed(),
        // A tick at least, so that there is a rate.
        cpu: (cpu() - before).max(0.01),
        latencies: latencies.into_inner(),
    }
}
