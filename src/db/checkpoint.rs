//! SQLite's checkpoints, on a thread of their own: what commits have left in the write-ahead log is copied into the database
//! file while the writer goes on. In the writer itself, where SQLite would do it after every thousand pages, all that wait
//! would wait some milliseconds longer, several times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use tracing::warn;

use super::{Conn, Target};

/// Jobs after which the log is copied: some thousand pages, of which most are the same few.
const JOBS: usize = 1024;
/// How long after a commit it is copied when there are not as many.
const QUIET: Duration = Duration::from_secs(1);

/// The writer's side.
pub struct Checkpoints {
    written: SyncSender<()>,
    thread: Thread,
    /// The thread has copied all but what was written meanwhile.
    rest: Arc<AtomicBool>,
    jobs: usize,
}

impl Checkpoints {
    pub fn beside(target: &Target) -> std::io::Result<Checkpoints> {
        let (written, news) = sync_channel(1);
        let rest = Arc::<AtomicBool>::default();
        let (target, copied) = (target.clone(), rest.clone());
        let spawned = thread::Builder::new()
            .name("forebay-checkpoint".into())
            .spawn(move || copy(&target, &news, &copied))?;
        Ok(Checkpoints {
            written,
            thread: spawned.thread().clone(),
            rest,
            jobs: 0,
        })
    }

    /// To be told of each commit, with the connection that made it.
    pub fn committed(&mut self, conn: &mut Conn, jobs: usize) {
        let _ = self.written.try_send(());
        // While nothing is left in the log the next commit begins it anew; a log that is never copied to its end only grows.
        if self.rest.swap(false, Ordering::Relaxed) {
            checkpoint(conn);
        }
        self.jobs += jobs;
        if self.jobs >= JOBS {
            self.jobs = 0;
            self.thread.unpark();
        }
    }
}

/// A connection for the writer, which leaves the log alone.
pub fn open_writer(target: &Target) -> diesel::ConnectionResult<Conn> {
    let mut conn = target.open()?;
    conn.batch_execute("PRAGMA wal_autocheckpoint = 0")
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Until the writer is gone.
fn copy(target: &Target, news: &Receiver<()>, copied: &AtomicBool) {
    let mut conn = None;
    while news.recv().is_ok() {
        thread::park_timeout(QUIET);
        if conn.is_none() {
            conn = target.open().ok();
        }
        if let Some(conn) = &mut conn {
            checkpoint(conn);
        }
        copied.store(true, Ordering::Relaxed);
    }
}

/// As much as can be copied without anybody waiting.
fn checkpoint(conn: &mut Conn) {
    if let Err(cause) = conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
        // A full disk: what is acknowledged stands in the log all the same.
        warn!(%cause, "the write-ahead log could not be copied into the database");
    }
}
