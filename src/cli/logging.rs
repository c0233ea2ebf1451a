//! The log: lines on standard error, for people or as JSON, filtered as the settings say. A thread of its own writes them:
//! where nobody reads standard error any more (a full pipe), lines are dropped and counted, and no request waits.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};

/// Lines that may wait to be written.
const WAITING: usize = 2_048;
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The log of this process; when it is dropped, what waits is written.
#[must_use]
pub struct Log {
    queue: Option<SyncSender<Entry>>,
}

enum Entry {
    Line(Vec<u8>),
    /// Everything before it is to be written, and then this dropped.
    Flush(SyncSender<()>),
}

/// Starts logging. A second start in one process (as tests do) changes nothing.
pub fn start(settings: &Settings) -> Log {
    // The filter was checked with the settings; `info` stands in for what cannot happen.
    // The server library's own start-up lines say nothing that ours do not; more specific settings still win.
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", settings.log))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let (queue, waiting) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let lines = Lines {
        queue: queue.clone(),
        dropped: dropped.clone(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(move || lines.clone());
    let started = match settings.log_format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    let writing = started.is_ok()
        && std::thread::Builder::new()
            .name("forebay-log".into())
            .spawn(move || write(&waiting, &dropped, &mut io::stderr()))
            .is_ok();
    Log {
        queue: writing.then_some(queue),
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            let (written, when_written) = sync_channel(0);
            // A full queue means that nobody reads: nothing is waited for.
            if queue.try_send(Entry::Flush(written)).is_ok() {
                let _ = when_written.recv_timeout(LAST_LINES);
            }
        }
    }
}

/// Takes whole lines, each in one call, and never blocks.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Entry::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The life of the thread that writes: line by line, and how many are missing, where some are.
fn write(waiting: &Receiver<Entry>, dropped: &AtomicU64, out: &mut dyn Write) {
    while let Ok(entry) = waiting.recv() {
        match entry {
            // Standard error that is closed loses lines; that is no reason to stop.
            Entry::Line(line) => drop(out.write_all(&line)),
            Entry::Flush(written) => drop(written),
        }
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let _ = writeln!(
                out,
                "forebay: {missing} log lines were dropped, because standard error was not read"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_that_find_no_room_are_counted_and_told() {
        let (queue, waiting) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut lines = Lines {
            queue,
            dropped: dropped.clone(),
        };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            assert_eq!(lines.write(line.as_bytes()).unwrap(), line.len());
        }
        drop(lines);
        let mut out = Vec::new();
        write(&waiting, &dropped, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "one\nforebay: 2 log lines were dropped, because standard error was not read\ntwo\n"
        );
    }
}
