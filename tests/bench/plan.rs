//! What a run is to do: how much of everything, and on which database.

use std::path::Path;

use diesel::connection::SimpleConnection;
use forebay::db::Target;

/// What a run can be narrowed to.
const PARTS: [&str; 7] = [
    "start",
    "documents",
    "tokens",
    "management",
    "login",
    "growth",
    "nodes",
];

pub struct Plan {
    /// The gate: a tenth of the requests, and verdicts.
    pub short: bool,
    /// Parts of the table to measure; none is all.
    only: Vec<String>,
    /// The database server of all rows, in place of SQLite.
    database: Option<String>,
    /// The PostgreSQL server of the rows that need one.
    postgres: Option<String>,
}

impl Plan {
    pub fn of_this_run() -> Plan {
        let arguments: Vec<String> = std::env::args().collect();
        let database = arguments
            .iter()
            .position(|argument| argument == "--database")
            .map(|at| arguments[at + 1].clone());
        let only = PARTS
            .iter()
            .filter(|part| arguments.iter().any(|one| one == *part));
        Plan {
            only: only.map(|part| (*part).to_owned()).collect(),
            short: arguments.iter().any(|argument| argument == "--short"),
            postgres: database.clone().or_else(|| {
                let named = std::env::var("POSTGRES_URL").ok();
                named.filter(|url| !url.is_empty())
            }),
            database,
        }
    }

    /// Whether a run looks at this part of the table.
    pub fn wants(&self, part: &str) -> bool {
        assert!(PARTS.contains(&part), "{part} is a part that nobody can name");
        self.only.is_empty() || self.only.iter().any(|one| one == part)
    }

    /// That many in a whole run, a tenth of it in a short one.
    pub fn of(&self, whole: usize) -> usize {
        if self.short { whole / 10 } else { whole }
    }

    /// The database of the rows.
    pub fn database(&self, directory: &Path) -> Database {
        match &self.database {
            Some(server) => Database::on_server(server, "rows"),
            None => Database::in_file(directory, "bench"),
        }
    }

    /// A database of its own on the PostgreSQL server, where one is named.
    pub fn postgres(&self) -> Option<Database> {
        self.postgres
            .as_deref()
            .map(|server| Database::on_server(server, "nodes"))
    }
}

/// A database made for the run, and dropped with this.
pub struct Database {
    pub url: String,
    server: Option<(Target, String)>,
}

impl Database {
    pub fn in_file(directory: &Path, name: &str) -> Database {
        Database {
            url: format!("sqlite://{}", directory.join(name).with_extension("db").display()),
            server: None,
        }
    }

    fn on_server(server: &str, what: &str) -> Database {
        let name = format!("forebay_bench_{what}_{}", std::process::id());
        let target = Target::parse(server).unwrap();
        let mut conn = target.open().unwrap();
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
            .unwrap();
        conn.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Database {
            url: url.into(),
            server: Some((target, name)),
        }
    }

    pub fn target(&self) -> Target {
        Target::parse(&self.url).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.server
            && let Ok(mut conn) = server.open()
        {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
