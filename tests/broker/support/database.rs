//! A database of its own for every test: a copy of a migrated SQLite file, or a copy of a migrated database on the PostgreSQL
//! server that `TEST_DATABASE_URL` names.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use forebay::db::{self, Conn, Target};

/// Removed with the test.
pub struct TestDatabase {
    pub target: Target,
    cleanup: Cleanup,
}

enum Cleanup {
    File(PathBuf),
    Database { url: String, name: String },
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
                let name = format!("{}{number}", prefix(std::process::id()));
                let mut conn = Target::Postgres(url.clone()).open().unwrap();
                let template = if migrated {
                    postgres_template(&url)
                } else {
                    "template1"
                };
                batch(&mut conn, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
                TestDatabase {
                    target: Target::Postgres(at(&url, &name)),
                    cleanup: Cleanup::Database { url, name },
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
            Cleanup::Database { url, name } => {
                if let Ok(mut conn) = Target::Postgres(url.clone()).open() {
                    batch(&mut conn, &format!("DROP DATABASE {name} WITH (FORCE)"));
                }
            }
        }
    }
}

pub fn batch(conn: &mut Conn, sql: &str) {
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

/// What the names of a process's databases begin with.
fn prefix(process: u32) -> String {
    format!("forebay_test_{process}_")
}

/// The same server's database of this name.
fn at(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(name);
    url.into()
}

/// The migrated database that this process copies. It stays when the process ends; the next one removes it.
fn postgres_template(url: &str) -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let mut conn = Target::Postgres(url.to_owned()).open().unwrap();
        remove_what_is_left(&mut conn);
        let name = format!("{}template", prefix(std::process::id()));
        batch(&mut conn, &format!("CREATE DATABASE {name}"));
        db::migrate(&mut Target::Postgres(at(url, &name)).open().unwrap()).unwrap();
        name
    })
}

/// Removes the databases of processes that have ended.
fn remove_what_is_left(conn: &mut Conn) {
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let all: Vec<Left> =
        sql_query("SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'forebay\\_test\\_%'")
            .load(conn)
            .unwrap();
    for Left { name } in all {
        let process = name.trim_start_matches("forebay_test_").split('_').next();
        if process.is_some_and(|id| !PathBuf::from(format!("/proc/{id}")).exists()) {
            // Another process may be at it, too.
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
