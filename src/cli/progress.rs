//! How far a long run has come: a bar that redraws itself on a terminal, a line now and then elsewhere. On standard error,
//! for standard output is the answer's.

use std::io::{IsTerminal, Write};
use std::time::Instant;

const WIDTH: u64 = 32;

pub struct Progress {
    began: Instant,
    total: u64,
    /// What is counted: `users`, `rows`.
    things: &'static str,
    done: u64,
    terminal: bool,
}

impl Progress {
    pub fn new(total: u64, things: &'static str) -> Progress {
        Progress {
            began: Instant::now(),
            total,
            things,
            done: 0,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    pub fn advance(&mut self, by: usize) {
        self.done += by as u64;
        let line = format!(
            "{} of {} {}, {} per second",
            self.done,
            self.total,
            self.things,
            self.rate()
        );
        // Nobody reading is no reason to stop.
        let _ = if self.terminal {
            let full = (self.done * WIDTH)
                .checked_div(self.total)
                .unwrap_or(WIDTH)
                .min(WIDTH);
            let bar = "#".repeat(full as usize) + &" ".repeat((WIDTH - full) as usize);
            write!(std::io::stderr(), "\r[{bar}] {line}\u{1b}[K")
        } else {
            writeln!(std::io::stderr(), "{line}")
        };
    }

    /// Leaves the bar's line.
    pub fn finish(&self) {
        if self.terminal && self.done > 0 {
            eprintln!();
        }
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// How many per second so far.
    pub fn rate(&self) -> u64 {
        (self.done as f64 / self.seconds().max(0.001)) as u64
    }
}
