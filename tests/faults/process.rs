//! What a process uses, as the kernel counts it: memory, CPU time, open files, threads.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::stage::Node;

/// A megabyte, as budgets of memory are stated.
pub const MEGABYTE: u64 = 1_000_000;

/// What a broker uses now.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Resident memory now, and the most it has been, in bytes.
    pub resident: u64,
    pub most_resident: u64,
    pub threads: u64,
    pub files: usize,
    pub cpu: Duration,
}

impl Use {
    #[track_caller]
    pub fn of(node: &Node) -> Use {
        let process = format!("/proc/{}", node.pid());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let stat = fs::read_to_string(format!("{process}/stat")).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Use {
            resident: number("VmRSS:") * 1_024,
            most_resident: number("VmHWM:") * 1_024,
            threads: number("Threads:"),
            files: fs::read_dir(format!("{process}/fd")).unwrap().count(),
            // USER_HZ is 100 on every Linux that Rust's standard library supports.
            cpu: Duration::from_millis(ticks * 10),
        }
    }
}

/// The same program with what it is given, started by another one. It hears nothing and says nothing.
pub fn wrapped(command: &Command, by: &[&str]) -> Command {
    let mut wrapped = Command::new(by[0]);
    wrapped
        .args(&by[1..])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// Bytes as megabytes, for people.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / MEGABYTE as f64)
}
