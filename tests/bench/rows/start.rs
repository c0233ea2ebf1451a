//! From start to the first 200, with keys that are there and with keys that have to be made.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use forebay::demo::POOL;

use super::super::plan::{Database, Plan};
use super::super::process::{Process, Serve, forebay};
use super::super::table::percentile;
use super::{Report, folder};

/// Starts of each kind.
const STARTS: usize = 10;

pub fn rows(plan: &Plan, report: &mut Report, directory: &Path, database: &str, upstream: SocketAddr) {
    let starts = if plan.short { STARTS / 2 } else { STARTS };
    let mut there: Vec<Duration> = (0..starts)
        .map(|_| Process::serve(&Serve::new(directory, database, upstream)).started_in)
        .collect();
    there.sort_unstable();
    report.milliseconds(
        "start to the first 200, keys there, p90",
        percentile(&there, 0.9),
        50.0,
    );
    let mut made: Vec<Duration> = (0..starts)
        .map(|number| first_boot(directory, number, upstream))
        .collect();
    made.sort_unstable();
    report.milliseconds("first boot with key making, p90", percentile(&made, 0.9), 400.0);
}

/// A database from nothing, a pool with two keys in it, and the server.
fn first_boot(directory: &Path, number: usize, upstream: SocketAddr) -> Duration {
    let folder = folder(directory, &format!("boot-{number}"));
    let database = Database::in_file(&folder, "first");
    let begun = Instant::now();
    let made = forebay(&folder, &database.url)
        .args(["pool", "create", "--name", "First", "--id", POOL])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let server = Process::serve(&Serve::new(&folder, &database.url, upstream));
    let took = begun.elapsed();
    drop(server);
    took
}
