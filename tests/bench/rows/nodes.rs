//! Two nodes over one PostgreSQL against one. The cores are the same for both, for the driver and for PostgreSQL, so the wall
//! clock cannot tell what a second machine would bring: what can be told is whether a node's work costs more of its own CPU
//! when there is another beside it, and that is the figure, as the capacity of two against that of one.

use std::net::SocketAddr;
use std::path::Path;

use super::super::drive::{Load, drive};
use super::super::plan::{Database, Plan};
use super::super::process::{Process, Serve};
use super::super::seed;
use super::super::table::Figure;
use super::tokens::{FAMILIES, refreshing};
use super::{AT_ONCE, Report, TWO, is_ok};

pub async fn rows(
    plan: &Plan,
    report: &mut Report,
    directory: &Path,
    postgres: &Database,
    upstream: SocketAddr,
) {
    let stock = seed::fill(&postgres.target(), upstream, 0, plan.of(FAMILIES));
    let serve = || Process::serve(&Serve::new(directory, &postgres.url, upstream));
    let (first, second) = (serve(), serve());
    let load = |name| Load {
        name,
        at_once: AT_ONCE,
        total: plan.of(8_000),
        beside: TWO,
    };
    let refresh = refreshing(&stock);
    let one = drive(
        &[&first],
        &load("refresh, one node on PostgreSQL"),
        &refresh,
        is_ok,
    )
    .await;
    let two = drive(
        &[&first, &second],
        &load("refresh, two nodes on PostgreSQL"),
        &refresh,
        is_ok,
    )
    .await;
    let capacity = 2.0 * two.share() / one.share();
    report.row(one, None);
    report.row(two, None);
    report.figures.push(Figure::at_least(
        "two nodes on PostgreSQL against one, capacity by CPU",
        capacity,
        1.8,
        " times",
    ));
}
