//! One connection, to SQLite or to PostgreSQL, chosen by the URL's scheme.
//!
//! Queries are written once against [`Conn`]; where the dialects differ, `on_backend!` runs the same expression
//! against whichever connection is open. The derive's own `establish` is not used: it would try one backend after
//! the other and turn a mistyped PostgreSQL URL into a new SQLite file.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::max;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::{PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::schema::schema_floor;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Held while one node migrates, so that others which start at the same moment wait for it (any constant will do).
const MIGRATION_LOCK: i64 = 0x0046_4f52_4542_4159;

/// How long a connection waits for others that hold an SQLite database.
const BUSY: Duration = Duration::from_secs(5);

/// A database connection of either kind.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Evaluates one expression against the open connection, whichever it is.
#[macro_export]
macro_rules! on_backend {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($c) => $body,
            $crate::db::Conn::Postgres($c) => $body,
        }
    };
}

/// The columns of `T` in the order of its fields, for `returning(columns::<T>())` on [`Conn`].
pub fn columns<T: Selectable<MultiBackend>>() -> T::SelectExpression {
    T::construct_selection()
}

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file path, or `:memory:`.
    Sqlite(String),
    /// A libpq connection URL.
    Postgres(String),
}

impl Target {
    /// Reads `sqlite://path`, `sqlite::memory:`, `postgres://…` or `postgresql://…`.
    pub fn parse(url: &str) -> Result<Target, String> {
        if let Some(path) = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
        {
            return match path {
                "" => Err("names no file: write sqlite://forebay.db, for example".into()),
                path => Ok(Target::Sqlite(path.to_owned())),
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Target::Postgres(url.to_owned()));
        }
        Err("must begin with sqlite:// or postgres://".into())
    }

    /// Opens a connection and sets what every connection of ours needs.
    pub fn open(&self) -> Result<Conn, ConnectionError> {
        match self {
            Target::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path)?;
                set_up(&mut conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Sqlite(conn))
            }
            Target::Postgres(url) => Ok(Conn::Postgres(PgConnection::establish(url)?)),
        }
    }

    /// The same for SQLite's one writer.
    pub(super) fn open_writer(&self) -> Result<Conn, ConnectionError> {
        let mut conn = self.open()?;
        conn.batch_execute(
            // It touches more pages than any reader. And what waits for it waits while it copies its log into the database: so
            // seldom that it is less than one request in a hundred; most pages are the same few, and are copied once.
            "PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 8000",
        )
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
}

/// What every connection to SQLite needs. An empty file is switched to WAL by whoever comes first; who comes at the same moment
/// does not wait for that, whatever its busy timeout, but is told that the database is locked, and has to come again.
fn set_up(conn: &mut SqliteConnection) -> QueryResult<()> {
    let begun = Instant::now();
    // WAL lets readers go on beside the writer; FULL makes an acknowledged commit survive a power cut.
    let settings = format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;",
        BUSY.as_millis()
    );
    loop {
        match conn.batch_execute(&settings) {
            Err(DatabaseError(_, why)) if why.message() == "database is locked" && begun.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// What a migration run did or why it could not.
pub type MigrationResult = Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>>;

/// Brings the schema up to date and names the migrations that ran. Safe when several nodes start at once: on
/// PostgreSQL under an advisory lock, on SQLite because each migration is a transaction and the file has one writer.
pub fn migrate(conn: &mut Conn) -> MigrationResult {
    fn names(versions: Vec<MigrationVersion<'_>>) -> Vec<String> {
        versions.iter().map(ToString::to_string).collect()
    }
    match conn {
        Conn::Sqlite(c) => {
            // A lock taken by a second process that starts now makes the other wait (busy_timeout), then find nothing.
            c.immediate_transaction(|c| -> Result<Vec<String>, MigrationFailure> {
                suits_this_build(&c.applied_migrations()?, || {
                    schema_floor::table.select(max(schema_floor::version)).first(c)
                })?;
                Ok(c.run_pending_migrations(SQLITE).map(names)?)
            })
            .map_err(|failure| failure.0)
        }
        Conn::Postgres(c) => {
            c.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
            let applied = c.applied_migrations();
            let result = applied
                .and_then(|applied| {
                    suits_this_build(&applied, || {
                        schema_floor::table.select(max(schema_floor::version)).first(c)
                    })
                })
                .and_then(|()| c.run_pending_migrations(POSTGRES).map(names));
            c.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?;
            result
        }
    }
}

/// Whether this build may work on the database. One that a newer Forebay has migrated is as good as before, for migrations
/// only add; until one takes something away and says which it is that everybody must know by then.
pub fn suits(conn: &mut Conn) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let applied = crate::on_backend!(conn, |c| c.applied_migrations())?;
    suits_this_build(&applied, || {
        schema_floor::table.select(max(schema_floor::version)).first(conn)
    })
}

fn suits_this_build(
    applied: &[MigrationVersion<'_>],
    floor: impl FnOnce() -> QueryResult<Option<String>>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // The floor is as new a table as this build: it is there where something newer is.
    if applied.iter().all(|version| knows(&version.to_string())) {
        return Ok(());
    }
    match floor()?.filter(|floor| !knows(floor)) {
        None => Ok(()),
        Some(floor) => Err(format!(
            "the database was migrated by a newer Forebay and no longer suits this one: it takes one that knows the migration \
             {floor}"
        )
        .into()),
    }
}

/// How many migrations this build knows that the database has not seen.
pub fn pending_migrations(conn: &mut Conn) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    match conn {
        Conn::Sqlite(c) => Ok(c.pending_migrations(SQLITE)?.len()),
        Conn::Postgres(c) => Ok(c.pending_migrations(POSTGRES)?.len()),
    }
}

/// The version of the newest migration that the database has seen; none where it has seen none.
pub fn schema_version(conn: &mut Conn) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
    let applied = crate::on_backend!(conn, |c| c.applied_migrations())?;
    Ok(applied.iter().map(ToString::to_string).max())
}

/// Whether this build has a migration of that version.
pub fn knows(version: &str) -> bool {
    let known = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).unwrap_or_default();
    known
        .iter()
        .any(|migration| migration.name().version().to_string() == version)
}

/// Brings the schema to what it was at that version, which must be a known one, and no further.
pub fn migrate_until(conn: &mut Conn, version: &str) -> MigrationResult {
    let mut names = Vec::new();
    match conn {
        Conn::Sqlite(c) => {
            for migration in c.pending_migrations(SQLITE)? {
                if migration.name().version().to_string().as_str() <= version {
                    names.push(c.run_migration(&migration)?.to_string());
                }
            }
        }
        Conn::Postgres(c) => {
            for migration in c.pending_migrations(POSTGRES)? {
                if migration.name().version().to_string().as_str() <= version {
                    names.push(c.run_migration(&migration)?.to_string());
                }
            }
        }
    }
    Ok(names)
}

struct MigrationFailure(Box<dyn std::error::Error + Send + Sync>);

impl From<Box<dyn std::error::Error + Send + Sync>> for MigrationFailure {
    fn from(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        MigrationFailure(cause)
    }
}

impl From<diesel::result::Error> for MigrationFailure {
    fn from(cause: diesel::result::Error) -> Self {
        MigrationFailure(cause.into())
    }
}
