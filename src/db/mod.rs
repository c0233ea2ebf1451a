//! The database behind two doors: [`Db::read`] and [`Db::write`]. Both take a closure over one connection and run it
//! off the async threads; nothing else in the crate opens a connection or holds one while it waits for the network, but the
//! one that listens for changes ([`Listener`]).
//!
//! On PostgreSQL a write is one transaction on a pooled connection, and another one if PostgreSQL undid it for another's
//! sake. On SQLite, which has one writer at a time anyway, a single thread runs the queued closures, each in a savepoint of
//! one `BEGIN IMMEDIATE` transaction, commits durably and only then answers: waiting requests share the cost of a commit, and
//! none starves.

mod clash;
pub mod column;
mod conn;
mod listen;
mod prepared;
pub mod schema;
pub mod search;
pub mod tables;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use clash::Clash;
pub use column::Json;
pub use conn::{
    Conn, MigrationResult, MultiBackend, Target, columns, knows, migrate, migrate_until, pending_migrations,
    schema_version, suits,
};
pub use listen::Listener;
pub use prepared::Prepare;

use crate::error::StoreError;

/// Writes that may wait in SQLite's queue; a caller beyond that is told at once that the database is busy.
const QUEUE: usize = 2048;
/// Closures that share one commit at the most.
const BATCH: usize = 256;
/// How long a request waits for a free connection.
const WAIT: Duration = Duration::from_secs(1);
/// How often a transaction is begun that PostgreSQL undoes for another's sake.
const ATTEMPTS: usize = 5;

/// Opens connections for the pool.
#[derive(Debug)]
struct Manager(Target);

/// A connection of the pool, and whether its transaction lost against another.
struct Pooled {
    conn: Conn,
    clash: Clash,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let mut conn = self.0.open().map_err(diesel::r2d2::Error::ConnectionError)?;
        let clash = Clash::watch(&mut conn);
        Ok(Pooled { conn, clash })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        use diesel::connection::SimpleConnection;
        pooled
            .conn
            .batch_execute("SELECT 1")
            .map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking()
            || pooled.clash.is_read_only()
            || crate::on_backend!(&mut pooled.conn, |c| {
                AnsiTransactionManager::is_broken_transaction_manager(c)
            })
    }
}

/// The database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: r2d2::Pool<Manager>,
    /// SQLite only: the queue of the one writer.
    writer: Option<mpsc::Sender<Queued>>,
    target: Arc<Target>,
}

/// How busy the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub connections: u32,
    pub idle: u32,
    /// SQLite only: what waits for the one writer.
    pub waiting_writes: Option<usize>,
}

/// Work for a connection, and what came of it: a `Result<T, E>` whose types only the caller knows. The code around it is
/// there once and not once for each of the hundreds of closures, which would double the program. A write may have to be done
/// more than once before it counts.
type Write = Box<dyn FnMut(&mut Conn) -> Outcome + Send>;
type Read = Box<dyn FnOnce(&mut Conn) -> Outcome + Send>;

struct Outcome {
    result: Box<dyn Any + Send>,
    /// It was `Ok`: a transaction is to be committed.
    is_ok: bool,
}

/// A job that waits for the writer, and who waits for it.
struct Queued {
    job: Write,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl Db {
    /// Opens the database. `readers` is the number of pooled connections (on PostgreSQL they write, too).
    pub fn open(target: &Target, readers: u32) -> Result<Db, StoreError> {
        let lost = |cause: &dyn std::fmt::Display| StoreError::Lost(cause.to_string());
        // The first connection is made by hand, so that its error says what is wrong and not only "timed out".
        let first = match target {
            Target::Postgres(_) => target.open(),
            Target::Sqlite(_) => target.open_writer(),
        };
        let first = first.map_err(|cause| lost(&cause))?;
        let pool = r2d2::Pool::builder()
            .max_size(readers.max(1))
            .min_idle(Some(1))
            .connection_timeout(WAIT)
            .test_on_check_out(matches!(target, Target::Postgres(_)))
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(Manager(target.clone()));
        let writer = match target {
            Target::Postgres(_) => None,
            Target::Sqlite(_) => {
                let (queue, jobs) = mpsc::channel(QUEUE);
                let target = target.clone();
                std::thread::Builder::new()
                    .name("forebay-writer".into())
                    .spawn(move || write_batches(first, &target, jobs))
                    .map_err(|cause| lost(&cause))?;
                Some(queue)
            }
        };
        Ok(Db {
            pool,
            writer,
            target: Arc::new(target.clone()),
        })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How busy it is now.
    pub fn load(&self) -> Load {
        let state = self.pool.state();
        Load {
            connections: state.connections,
            idle: state.idle_connections,
            waiting_writes: self
                .writer
                .as_ref()
                .map(|queue| queue.max_capacity() - queue.capacity()),
        }
    }

    /// Runs a closure that only reads.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let job: Read = Box::new(move |conn| Outcome::of(work(conn)));
        opened(self.pooled(job, |pooled, job| Ok(job(&mut pooled.conn))).await)
    }

    /// Runs a closure in one transaction: committed durably when it returns `Ok`, undone when it returns `Err`. On PostgreSQL
    /// it is run anew, on what is there by then, when its transaction was undone for another's sake; so whatever it does beside
    /// the database has to bear being done again.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Clone + Send + 'static,
    {
        let job: Write = Box::new(move |conn| Outcome::of(work.clone()(conn)));
        opened(match &self.writer {
            Some(writer) => queued(writer, job).await,
            None => self.pooled(job, in_transactions).await,
        })
    }

    /// Runs a job on a pooled connection, off the async threads.
    async fn pooled<J: Send + 'static>(
        &self,
        job: J,
        how: fn(&mut Pooled, J) -> Result<Outcome, StoreError>,
    ) -> Result<Outcome, StoreError> {
        let pool = self.pool.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let mut pooled = pool
                .get()
                .map_err(|_| StoreError::Busy("no connection came free"))?;
            how(&mut pooled, job)
        });
        ran.await
            .unwrap_or_else(|cause| Err(StoreError::Lost(cause.to_string())))
    }
}

impl Outcome {
    fn of<T: Send + 'static, E: Send + 'static>(result: Result<T, E>) -> Outcome {
        Outcome {
            is_ok: result.is_ok(),
            result: Box::new(result),
        }
    }
}

/// What the job put in.
fn opened<T, E>(outcome: Result<Outcome, StoreError>) -> Result<T, E>
where
    T: 'static,
    E: From<StoreError> + 'static,
{
    match outcome?.result.downcast::<Result<T, E>>() {
        Ok(result) => *result,
        Err(_) => Err(E::from(StoreError::Lost("an answer of another type".into()))),
    }
}

/// Runs a job in a transaction; in another, as long as PostgreSQL undoes it for another's sake.
fn in_transactions(pooled: &mut Pooled, mut job: Write) -> Result<Outcome, StoreError> {
    for attempt in 1..ATTEMPTS {
        pooled.clash.take();
        let outcome = in_transaction(&mut pooled.conn, &mut job);
        let is_done = outcome.as_ref().is_ok_and(|outcome| outcome.is_ok);
        if is_done || !pooled.clash.take() {
            return outcome;
        }
        debug!(attempt, "a transaction was undone for another's sake");
    }
    in_transaction(&mut pooled.conn, &mut job)
}

/// Runs a job in a transaction, or in a savepoint of the one that is open. What it refused is an outcome, too.
fn in_transaction(conn: &mut Conn, job: &mut Write) -> Result<Outcome, StoreError> {
    enum Undone {
        Refused(Outcome),
        Failed(diesel::result::Error),
    }
    impl From<diesel::result::Error> for Undone {
        fn from(cause: diesel::result::Error) -> Undone {
            Undone::Failed(cause)
        }
    }
    let done = conn.transaction(|conn| match job(conn) {
        outcome if outcome.is_ok => Ok(outcome),
        refused => Err(Undone::Refused(refused)),
    });
    match done {
        Ok(outcome) | Err(Undone::Refused(outcome)) => Ok(outcome),
        Err(Undone::Failed(cause)) => Err(StoreError::Database(cause)),
    }
}

/// Hands a job to the writer and waits for what came of it.
async fn queued(writer: &mpsc::Sender<Queued>, job: Write) -> Result<Outcome, StoreError> {
    let (answer, outcome) = oneshot::channel();
    writer
        .try_send(Queued { job, answer })
        .map_err(|_| StoreError::Busy("the write queue is full"))?;
    outcome
        .await
        .unwrap_or_else(|_| Err(StoreError::Lost("the writer dropped it".into())))
}

/// The life of SQLite's writer: take what waits (never wait for more), run it, commit, answer.
fn write_batches(mut conn: Conn, target: &Target, mut jobs: mpsc::Receiver<Queued>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(first) = jobs.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        let ran = run_batch(&mut conn, batch.drain(..));
        if let Ran::NotBegun = ran {
            // Whoever came in the meantime has waited already, and would wait for as long again.
            while let Ok(late) = jobs.try_recv() {
                late.refuse();
            }
        }
        if !matches!(ran, Ran::Committed) {
            // The connection's transaction state cannot be trusted after a panic or a failed commit.
            match target.open_writer() {
                Ok(fresh) => conn = fresh,
                Err(cause) => error!(%cause, "the writer could not reopen the database"),
            }
        }
    }
}

/// What became of a batch.
enum Ran {
    Committed,
    Undone,
    /// Another process held the database for longer than the busy timeout, or it cannot be written.
    NotBegun,
}

impl Queued {
    fn refuse(self) {
        let _ = self
            .answer
            .send(Err(StoreError::Busy("another process holds it")));
    }
}

/// Runs the jobs in one transaction and answers them.
fn run_batch(conn: &mut Conn, jobs: impl Iterator<Item = Queued>) -> Ran {
    let begun = match conn {
        Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
        Conn::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
    };
    if let Err(cause) = begun {
        error!(%cause, "a batch of writes could not begin");
        jobs.for_each(Queued::refuse);
        return Ran::NotBegun;
    }
    let mut failure = None;
    let mut answers = Vec::new();
    for Queued { mut job, answer } in jobs {
        if failure.is_some() {
            // Dropping the job drops its channel: the caller hears that it was lost.
            continue;
        }
        match catch_unwind(AssertUnwindSafe(|| in_transaction(conn, &mut job))) {
            Ok(outcome) => answers.push((answer, outcome)),
            Err(_) => failure = Some("a job in the same commit panicked".into()),
        }
    }
    if failure.is_none() {
        let committed = crate::on_backend!(conn, |c| AnsiTransactionManager::commit_transaction(c));
        failure = committed.err().map(|cause| cause.to_string());
    }
    if let Some(cause) = &failure {
        error!(%cause, "a batch of writes failed");
        let _ = crate::on_backend!(conn, |c| AnsiTransactionManager::rollback_transaction(c));
    }
    for (answer, outcome) in answers {
        // Nobody waits any more when the request was dropped; the work is done all the same.
        let _ = answer.send(match &failure {
            None => outcome,
            Some(cause) => Err(StoreError::Lost(cause.clone())),
        });
    }
    match failure {
        None => Ran::Committed,
        Some(_) => Ran::Undone,
    }
}
