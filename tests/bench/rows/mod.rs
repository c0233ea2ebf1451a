//! The rows, one after the other, and what was promised of each.

mod documents;
mod growth;
mod login;
mod management;
mod nodes;
mod start;
mod tokens;

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use forebay::demo::{WEB_CLIENT, WEB_SECRET};

use super::bound;
use super::drive::Beside;
use super::http::Answer;
use super::plan::Plan;
use super::process::{Process, Serve, free_address};
use super::seed;
use super::table::{self, Figure, Row};

/// Connections of a row where nothing else is said.
const AT_ONCE: usize = 32;
/// Flows after which the memory is looked at.
const FLOWS: usize = 100_000;

/// What came of a run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    figures: Vec<Figure>,
    /// Operations so far that made tokens.
    flows: usize,
}

impl Report {
    /// A row, which may have to reach a share of its bound.
    fn row(&mut self, row: Row, share: Option<f64>) {
        eprintln!("{}: {:.0} per second", row.name, row.per_second());
        if let Some(limit) = share {
            self.figures.push(Figure::share(&row, limit));
        }
        self.rows.push(row);
    }

    /// Milliseconds, allowed as long as those on a core of 5,000 signatures per second.
    fn milliseconds(&mut self, name: impl Into<String>, measured: f64, limit: f64) {
        let signatures = bound::signatures_per_second();
        self.figures
            .push(Figure::milliseconds(name, measured, limit, signatures));
    }
}

/// Whether a short run kept its margins; a whole one prints its tables and passes.
pub async fn all(plan: &Plan) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let database = plan.database(directory.path());
    let (mut report, upstream, begun) = (Report::default(), free_address(), Instant::now());
    let okta = Process::okta(upstream);
    eprintln!("seeding …");
    let stock = seed::fill(
        &database.target(),
        upstream,
        plan.of(tokens::CODES),
        plan.of(tokens::FAMILIES),
    );
    if plan.wants("start") {
        start::rows(plan, &mut report, directory.path(), &database.url, upstream);
    }
    let server = Process::serve(&Serve::new(directory.path(), &database.url, upstream));
    // The workers are there and the jobs have looked once.
    tokio::time::sleep(Duration::from_secs(2)).await;
    report
        .figures
        .push(Figure::at_most("memory, idle", server.memory(), 20.0, " MiB"));
    if plan.wants("documents") {
        documents::rows(plan, &mut report, &server).await;
    }
    let signatures = bound::signatures_per_second();
    let commits = bound::commits_per_second(&database.target());
    if plan.wants("tokens") {
        tokens::rows(plan, &mut report, &server, &stock).await;
    }
    if plan.wants("management") {
        management::rows(plan, &mut report, &server, &database.target()).await;
    }
    if plan.wants("login") {
        login::rows(plan, &mut report, &server, &okta).await;
    }
    if !plan.short && plan.wants("tokens") {
        tokens::refresh_until(&mut report, &server, &stock, FLOWS).await;
    }
    let name = format!("memory, after {} flows", report.flows);
    report
        .figures
        .push(Figure::at_most(name, server.memory(), 60.0, " MiB"));
    drop(server);
    if plan.wants("login") {
        login::share_at_half_load(plan, &mut report, directory.path(), &database.url, &okta, &stock).await;
    }
    if plan.wants("growth") {
        growth::rows(plan, &mut report, &okta).await;
    }
    match plan.wants("nodes").then(|| plan.postgres()).flatten() {
        Some(postgres) => nodes::rows(plan, &mut report, directory.path(), &postgres, upstream).await,
        None => eprintln!("two nodes: left out; POSTGRES_URL names a server for them"),
    }
    println!(
        "{}; {} cores shared with the driver and the upstream; {:.0} RSA-2048 signatures per second of one core alone, \
         {commits:.0} commits per second one after the other ({}); in {:.0} s.",
        processor(),
        std::thread::available_parallelism().map_or(1, usize::from),
        (signatures + bound::signatures_per_second()) / 2.0,
        bound::durability(&database.target()),
        begun.elapsed().as_secs_f64()
    );
    table::print(&report.rows, &report.figures);
    !plan.short || table::judge(&report.figures)
}

/// What the machine calls its processor.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or("a processor", |name| name.trim_start_matches(['\t', ' ', ':']))
        .to_owned()
}

fn basic(id: &str, secret: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// The web client's credentials, as a header.
fn web() -> String {
    basic(WEB_CLIENT, WEB_SECRET)
}

fn is_ok(_: usize, answer: Answer) {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

/// Two tokens each.
const TWO: Beside<'static> = Beside::Signatures(0.5, "S/2");

/// A folder below that of the run.
fn folder(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}
