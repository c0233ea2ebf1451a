//! A database of its own for every test: a copy of a migrated SQLite file, or a schema on the PostgreSQL server that
//! `TEST_DATABASE_URL` names.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use forebay::db::{self, Target};

/// Removed with the test.
pub struct TestDatabase {
    pub target: Target,
    cleanup: Cleanup,
}

enum Cleanup {
    File(PathBuf),
    Schema { url: String, name: String },
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Whether the suite runs on PostgreSQL.
pub fn on_postgres() -> Option<String> {
    std::env::var("TEST_DATABASE_URL")
        .ok()
        .filter(|url| url.starts_with("postgres"))
}

impl TestDatabase {
    /// Migrated and empty.
    pub fn new() -> TestDatabase {
        TestDatabase::made(true)
    }

    /// Without a table.
    pub fn unmigrated() -> TestDatabase {
        TestDatabase::made(false)
    }

    fn made(migrated: bool) -> TestDatabase {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        match on_postgres() {
            None => {
                let path = directory().join(format!("test-{number}.db"));
                if migrated {
                    std::fs::copy(template(), &path).unwrap();
                }
                TestDatabase {
                    target: Target::Sqlite(path.display().to_string()),
                    cleanup: Cleanup::File(path),
                }
            }
            Some(url) => {
                let name = format!("t_{}_{number}", std::process::id());
                let mut conn = Target::Postgres(url.clone()).open().unwrap();
                batch(&mut conn, &format!("CREATE SCHEMA {name}"));
                let joint = if url.contains('?') { '&' } else { '?' };
                let target = Target::Postgres(format!("{url}{joint}options=-csearch_path%3D{name}"));
                if migrated {
                    db::migrate(&mut target.open().unwrap()).unwrap();
                }
                TestDatabase {
                    target,
                    cleanup: Cleanup::Schema { url, name },
                }
            }
        }
    }
}

impl TestDatabase {
    /// As `--database` takes it.
    pub fn url(&self) -> String {
        match &self.target {
            Target::Sqlite(path) => format!("sqlite://{path}"),
            Target::Postgres(url) => url.clone(),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &self.cleanup {
            Cleanup::File(path) => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{end}", path.display()));
                }
            }
            Cleanup::Schema { url, name } => {
                if let Ok(mut conn) = Target::Postgres(url.clone()).open() {
                    batch(&mut conn, &format!("DROP SCHEMA {name} CASCADE"));
                }
            }
        }
    }
}

pub fn batch(conn: &mut db::Conn, sql: &str) {
    conn.batch_execute(sql).unwrap();
}

fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("forebay-tests-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    })
}

fn template() -> &'static PathBuf {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let path = directory().join("template.db");
        let mut conn = Target::Sqlite(path.display().to_string()).open().unwrap();
        db::migrate(&mut conn).unwrap();
        batch(&mut conn, "PRAGMA wal_checkpoint(TRUNCATE)");
        path
    })
}
