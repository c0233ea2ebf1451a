//! What a row measured, and how it is printed.

use std::time::Duration;

pub struct Row {
    pub name: &'static str,
    pub requests: usize,
    pub wall: Duration,
    pub cpu: f64,
    pub latencies: Vec<Duration>,
    pub memory: f64,
    /// What this cannot exceed per CPU-second, and what that is.
    pub bound: Option<(f64, &'static str)>,
    /// The share of the bound to reach.
    pub target: Option<f64>,
}

impl Row {
    pub fn per_cpu_second(&self) -> f64 {
        self.requests as f64 / self.cpu.max(0.01)
    }

    pub fn share(&self) -> Option<f64> {
        self.bound.map(|(bound, _)| self.per_cpu_second() / bound)
    }

    fn percentile(&self, of: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let index = ((sorted.len() as f64 - 1.0) * of).round() as usize;
        sorted
            .get(index)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

pub fn print(rows: &[Row]) {
    println!(
        "{:<34} {:>9} {:>11} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "row", "per s", "per CPU-s", "of bound", "target", "p50 ms", "p99 ms", "CPU µs", "MiB"
    );
    for row in rows {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s * 100.0));
        println!(
            "{:<34} {:>9.0} {:>11.0} {:>9} {:>8} {:>8.2} {:>8.2} {:>9.1} {:>8.1}",
            row.name,
            row.requests as f64 / row.wall.as_secs_f64(),
            row.per_cpu_second(),
            percent(row.share()),
            percent(row.target),
            row.percentile(0.5),
            row.percentile(0.99),
            row.cpu / row.requests as f64 * 1e6,
            row.memory
        );
    }
}
