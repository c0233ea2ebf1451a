//! The report: what each check has to say, and cargo's own last line.

use std::time::Duration;

use super::checker::{Kind, Violation};
use super::log::{Operation, Outcome};

/// How a check ended that did not fail; failures are panics.
pub enum Verdict {
    /// With what it measured.
    Passed(Vec<String>),
    /// What it needs is not here.
    NotRun(String),
}

impl Verdict {
    pub fn passed(lines: impl IntoIterator<Item = String>) -> Verdict {
        Verdict::Passed(lines.into_iter().collect())
    }
}

/// The operations of a run in one line.
pub fn operations(all: &[Operation], violations: &[Violation]) -> String {
    let (mut acknowledged, mut refused, mut unavailable, mut unknown, mut not_sent) = (0, 0, 0, 0, 0);
    for operation in all {
        match operation.outcome {
            Outcome::Done(_) => acknowledged += 1,
            Outcome::Refused(_) => refused += 1,
            Outcome::Unavailable(_) => unavailable += 1,
            Outcome::Unknown => unknown += 1,
            Outcome::NotSent => not_sent += 1,
        }
    }
    let count = |kind| violations.iter().filter(|one| one.kind == kind).count();
    format!(
        "operations: {acknowledged} acknowledged, {refused} refused, {unavailable} answered 5xx, {unknown} unknown, \
         {not_sent} never sent; lost {}, doubled {}, otherwise wrong {}",
        count(Kind::Lost),
        count(Kind::Doubled),
        count(Kind::Wrong)
    )
}

/// Fails with the first violations, if there are any.
#[track_caller]
pub fn no_violation(violations: &[Violation]) {
    let first: Vec<String> = violations
        .iter()
        .take(10)
        .map(|one| format!("{} {:?}: {}", one.invariant, one.kind, one.what))
        .collect();
    assert!(
        violations.is_empty(),
        "{} violations, the first:\n  {}",
        violations.len(),
        first.join("\n  ")
    );
}

/// The given share of the durations is no longer than this.
pub fn percentile(durations: &[Duration], share: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * share).ceil().max(1.0);
    sorted.get(rank as usize - 1).copied().unwrap_or_default()
}

/// The p99 of several rounds: that of the one in the middle, for one hiccup of the machine is nobody's fault.
pub fn middle_p99(rounds: &[Vec<Duration>]) -> Duration {
    let ends: Vec<Duration> = rounds.iter().map(|round| percentile(round, 0.99)).collect();
    percentile(&ends, 0.5)
}

/// A row of durations in one phrase.
pub fn spread(durations: &[Duration]) -> String {
    format!(
        "p50 {} ms, p99 {} ms, worst {} ms",
        percentile(durations, 0.5).as_millis(),
        percentile(durations, 0.99).as_millis(),
        percentile(durations, 1.0).as_millis()
    )
}
