//! What the rows measured and what was promised, as Markdown and as verdicts.

use std::time::Duration;

/// Signatures per second of the core for which the figures in milliseconds are given: on a slower one they are allowed as
/// many times longer.
const REFERENCE: f64 = 5_000.0;

pub struct Row {
    pub name: String,
    pub wall: Duration,
    /// Seconds of the server's CPU time.
    pub cpu: f64,
    /// In order, one for each operation.
    pub latencies: Vec<Duration>,
    /// MiB resident, after the row.
    pub memory: f64,
    pub bound: Option<Bound>,
}

/// What a row is held against, and what that is.
pub struct Bound {
    pub rate: f64,
    pub what: &'static str,
    /// Per second, and not per second of the server's CPU time.
    pub by_the_clock: bool,
}

impl Row {
    pub fn operations(&self) -> usize {
        self.latencies.len()
    }

    pub fn per_second(&self) -> f64 {
        self.operations() as f64 / self.wall.as_secs_f64()
    }

    pub fn per_cpu_second(&self) -> f64 {
        self.operations() as f64 / self.cpu
    }

    /// Of its bound.
    pub fn share(&self) -> f64 {
        let bound = self.bound.as_ref().unwrap();
        let rate = if bound.by_the_clock {
            self.per_second()
        } else {
            self.per_cpu_second()
        };
        rate / bound.rate
    }

    /// Milliseconds within which that share of the operations ended.
    pub fn percentile(&self, of: f64) -> f64 {
        percentile(&self.latencies, of)
    }

    fn markdown(&self) -> String {
        let share = self.bound.as_ref().map_or("-".into(), |bound| {
            format!("{:.0} % of {}", self.share() * 100.0, bound.what)
        });
        format!(
            "| {} | {:.0} | {:.0} | {share} | {:.2} | {:.2} | {:.1} | {:.0} µs | {:.1} MiB |",
            self.name,
            self.per_second(),
            self.per_cpu_second(),
            self.percentile(0.5),
            self.percentile(0.99),
            self.percentile(1.0),
            self.cpu / self.operations() as f64 * 1e6,
            self.memory
        )
    }
}

/// Milliseconds within which that share of these times lies, which are in order.
pub fn percentile(ordered: &[Duration], of: f64) -> f64 {
    let index = ((ordered.len() as f64 - 1.0) * of).round() as usize;
    ordered.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// A promise: what was measured, and what it must be.
pub struct Figure {
    pub name: String,
    measured: f64,
    limit: f64,
    unit: &'static str,
    is_floor: bool,
    /// What the gate allows besides: a fraction of a floor, a multiple of a ceiling. None: it does not judge.
    margin: Option<f64>,
}

impl Figure {
    /// A row reaches that share of its bound.
    pub fn share(row: &Row, limit: f64) -> Figure {
        let what = row.bound.as_ref().map_or("", |bound| bound.what);
        Figure {
            name: format!("{}, of {what}", row.name),
            measured: row.share() * 100.0,
            limit: limit * 100.0,
            unit: " %",
            is_floor: true,
            margin: Some(0.5),
        }
    }

    /// A time, allowed as long as that on the core of the reference.
    pub fn milliseconds(name: impl Into<String>, measured: f64, limit: f64, signatures: f64) -> Figure {
        Figure {
            limit: limit * (REFERENCE / signatures).max(1.0),
            // A neighbour on the machine makes the slowest of many requests as slow as it likes.
            margin: None,
            ..Figure::at_most(name, measured, limit, " ms")
        }
    }

    pub fn at_most(name: impl Into<String>, measured: f64, limit: f64, unit: &'static str) -> Figure {
        Figure {
            name: name.into(),
            measured,
            limit,
            unit,
            is_floor: false,
            margin: Some(1.5),
        }
    }

    pub fn at_least(name: impl Into<String>, measured: f64, limit: f64, unit: &'static str) -> Figure {
        Figure {
            is_floor: true,
            margin: Some(0.8),
            ..Figure::at_most(name, measured, limit, unit)
        }
    }

    fn holds(&self, margin: f64) -> bool {
        let limit = self.limit * margin;
        if self.is_floor {
            self.measured >= limit
        } else {
            self.measured <= limit
        }
    }

    fn markdown(&self) -> String {
        let (bound, holds) = (
            if self.is_floor { "at least" } else { "at most" },
            if self.holds(1.0) { "yes" } else { "no" },
        );
        let digits = usize::from(self.limit < 100.0) + usize::from(self.limit < 10.0);
        let (measured, limit, unit) = (self.measured, self.limit, self.unit);
        format!(
            "| {} | {measured:.digits$}{unit} | {bound} {limit:.digits$}{unit} | {holds} |",
            self.name
        )
    }
}

/// The tables that the README has.
pub fn print(rows: &[Row], figures: &[Figure]) {
    println!(
        "\n| row | per second | per CPU-second | share | p50 ms | p99 ms | max ms | CPU each | memory |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        println!("{}", row.markdown());
    }
    println!("\n| figure | measured | promised | holds |");
    println!("|---|---:|---:|---|");
    for figure in figures {
        println!("{}", figure.markdown());
    }
}

/// The gate: a line for each ratio that has a wide margin to keep; whether all do.
pub fn judge(figures: &[Figure]) -> bool {
    println!();
    let mut all_hold = true;
    for figure in figures {
        let Some(margin) = figure.margin else {
            continue;
        };
        let holds = figure.holds(margin);
        all_hold &= holds;
        println!(
            "{} {}: {:.1}{unit} (promised {:.1}{unit}, the gate is at {:.1}{unit})",
            if holds { "PASS" } else { "FAIL" },
            figure.name,
            figure.measured,
            figure.limit,
            figure.limit * margin,
            unit = figure.unit
        );
    }
    all_hold
}
