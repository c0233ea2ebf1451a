//! Rolling upgrades: while a new version starts, nodes of the previous one go on over the schema that the new one has made.
//! So migrations only add; what is taken away goes a version later, and says so in `schema_floor`.
//!
//! `previous.json` is a database as the previous version left it: its migrations, the columns that it writes in every table,
//! rows of most, tokens that it gave. At a release, `FOREBAY_TESTS_RELEASE=1 cargo test --test broker upgrade` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use forebay::db::tables::{self, Table};
use forebay::db::{self, Conn};
use forebay::demo::{OPERATOR, POOL};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::database::{TestDatabase, batch};
use crate::support::{Stage, claims, header};

/// Until here nothing had been released: what these do, no running node can miss.
const UNRELEASED: &str = "2026-11-22-120000_rooms";

#[derive(Serialize, Deserialize)]
struct Previous {
    /// Its last migration.
    schema: String,
    access_token: String,
    refresh_token: String,
    tables: BTreeMap<String, Rows>,
}

#[derive(Serialize, Deserialize)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Value>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn previous() -> Previous {
    let path = root().join("tests/broker/database/previous.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Writes what the previous version wrote, with the columns that it names.
fn write(conn: &mut Conn, previous: &Previous) {
    for table in tables::all(conn).unwrap() {
        let Some(written) = previous.tables.get(&table.name) else {
            continue;
        };
        let narrow = table.with_columns(&written.columns);
        let narrow = narrow.unwrap_or_else(|| panic!("a column of {} is gone", table.name));
        let rows = serde_json::to_string(&written.rows).unwrap();
        assert_eq!(tables::write(conn, &narrow, &rows).unwrap(), written.rows.len());
        tables::count_on(conn, &table).unwrap();
    }
}

/// Whoever signed in at the previous version goes on.
async fn goes_on(target: &db::Target, previous: &Previous) {
    let stage = Stage::new().await;
    let node = stage.node_over(target).await;
    let person = node.userinfo(&previous.access_token).await.expect(200).json();
    assert_eq!(person["email"], "ada@acme.test");
    let renewed = node.refresh(&previous.refresh_token).await.expect(200).json();
    let token = renewed["access_token"].as_str().unwrap();
    assert_eq!(claims(token)["sub"], person["sub"]);
    let key_set = node
        .get(&format!("/{POOL}/.well-known/jwks.json"))
        .await
        .expect(200);
    let kid = header(&previous.access_token)["kid"].as_str().unwrap().to_owned();
    assert!(key_set.body.contains(&kid), "{key_set:?}");
}

#[actix_web::test]
async fn what_the_previous_version_left_behind_survives_the_migrations_since() {
    let (here, previous) = (TestDatabase::unmigrated(), previous());
    let mut conn = here.target.open().unwrap();
    db::migrate_until(&mut conn, &previous.schema).unwrap();
    write(&mut conn, &previous);
    db::migrate(&mut conn).unwrap();
    for table in tables::all(&mut conn).unwrap() {
        let before = previous
            .tables
            .get(&table.name)
            .map_or(0, |written| written.rows.len());
        let now = tables::count(&mut conn, &table).unwrap();
        assert!(now >= before as u64, "{}: {before} rows, now {now}", table.name);
    }
    drop(conn);
    goes_on(&here.target, &previous).await;
}

#[actix_web::test]
async fn the_previous_version_goes_on_writing_after_the_migrations() {
    let (here, previous) = (TestDatabase::new(), previous());
    write(&mut here.target.open().unwrap(), &previous);
    goes_on(&here.target, &previous).await;
}

#[derive(QueryableByName)]
struct Needed {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Bool)]
    needed: bool,
}

/// Columns that whoever inserts a row has to name.
fn needed(conn: &mut Conn) -> Vec<(String, String)> {
    let query = match conn {
        Conn::Sqlite(_) => {
            "SELECT m.name AS table_name, c.name AS column_name, \
             c.\"notnull\" = 1 AND c.dflt_value IS NULL AND c.type <> 'INTEGER' AS needed \
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
        Conn::Postgres(_) => {
            "SELECT table_name::text, column_name::text, \
             is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AS needed \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
    };
    let found = diesel::sql_query(query).load::<Needed>(conn).unwrap();
    let needed = found.into_iter().filter(|column| column.needed);
    needed
        .map(|column| (column.table_name, column.column_name))
        .collect()
}

#[test]
fn every_table_and_column_of_the_previous_version_is_there_as_it_was_and_no_new_one_is_needed() {
    let (before, after, previous) = (TestDatabase::unmigrated(), TestDatabase::new(), previous());
    let mut conn = before.target.open().unwrap();
    db::migrate_until(&mut conn, &previous.schema).unwrap();
    let old = tables::all(&mut conn).unwrap();
    let mut conn = after.target.open().unwrap();
    let new = tables::all(&mut conn).unwrap();
    for (name, written) in &previous.tables {
        let find = |tables: &[Table]| {
            let found = tables.iter().find(|table| &table.name == name);
            found.and_then(|table| table.with_columns(&written.columns))
        };
        let before = find(&old);
        assert!(
            before.is_some(),
            "previous.json has another {name} than its migrations"
        );
        assert_eq!(
            find(&new),
            before,
            "{name}: taken away, renamed or of another kind"
        );
    }
    for (table, column) in needed(&mut conn) {
        let is_written = |written: &Rows| written.columns.contains(&column);
        assert!(
            previous.tables.get(&table).is_none_or(is_written),
            "the previous version does not know {table}.{column}, which has no default"
        );
    }
}

/// What a migration must not do while the previous version runs: take away, rename, change kinds, forbid. A new table may be
/// anything.
fn refused(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ").to_uppercase();
    let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let statements: Vec<String> = text.split(';').map(words).collect();
    let made: Vec<&str> = statements
        .iter()
        .filter_map(|statement| statement.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next())
        .collect();
    let is_new = |name: Option<&str>| name.is_some_and(|name| made.contains(&name));
    let bad = statements.iter().filter(|statement| {
        let mut rest = statement.split([' ', '(']);
        match (rest.next(), rest.next()) {
            (Some("DROP" | "DELETE" | "TRUNCATE"), _) => true,
            (Some("ALTER"), Some("TABLE")) if is_new(rest.next()) => false,
            (Some("ALTER"), _) => {
                let adds = statement.contains(" ADD COLUMN ");
                let must_be_named = statement.contains("NOT NULL") && !statement.contains(" DEFAULT ");
                !adds || must_be_named || statement.contains(" UNIQUE")
            }
            // Of rows that the previous version goes on writing.
            (Some("CREATE"), Some("UNIQUE")) => {
                let on = statement
                    .split(" ON ")
                    .nth(1)
                    .and_then(|on| on.split([' ', '(']).next());
                !is_new(on)
            }
            _ => false,
        }
    });
    bad.cloned().collect()
}

#[test]
fn migrations_only_add() {
    let mut seen = 0;
    for dialect in ["sqlite", "postgres"] {
        for folder in fs::read_dir(root().join("migrations").join(dialect)).unwrap() {
            let folder = folder.unwrap();
            if folder.file_name().to_string_lossy().as_ref() <= UNRELEASED {
                continue;
            }
            seen += 1;
            let sql = fs::read_to_string(folder.path().join("up.sql")).unwrap();
            // What contracts says from which version on nothing uses it any more.
            let contracts = sql.contains("INSERT INTO schema_floor");
            assert!(
                contracts || refused(&sql).is_empty(),
                "{folder:?}: {:#?}",
                refused(&sql)
            );
        }
    }
    assert!(seen > 0);
}

#[test]
fn what_takes_away_is_told_from_what_adds() {
    for adds in [
        "CREATE TABLE a (x TEXT NOT NULL); CREATE UNIQUE INDEX b ON a (x); ALTER TABLE a ADD CONSTRAINT c CHECK (x <> '');",
        "ALTER TABLE users ADD COLUMN x TEXT;\nCREATE INDEX b ON users (x);",
        "ALTER TABLE users ADD COLUMN x BIGINT NOT NULL DEFAULT 0; -- DROP TABLE users",
        "UPDATE users SET x = 1;",
    ] {
        assert_eq!(refused(adds), Vec::<String>::new(), "{adds}");
    }
    for takes in [
        "DROP TABLE users;",
        "drop index users_by_pool;",
        "ALTER TABLE users DROP COLUMN x;",
        "ALTER TABLE users RENAME TO people;",
        "ALTER TABLE users RENAME COLUMN x TO y;",
        "ALTER TABLE users ADD COLUMN x TEXT NOT NULL;",
        "ALTER TABLE users ALTER COLUMN x TYPE BIGINT;",
        "ALTER TABLE users ALTER COLUMN x SET NOT NULL;",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (x <> '');",
        "CREATE UNIQUE INDEX b ON users (x);",
        "DELETE FROM users;",
    ] {
        assert_eq!(refused(takes).len(), 1, "{takes}");
    }
}

#[test]
fn a_database_that_is_newer_is_worked_on_until_it_says_that_this_version_is_too_old() {
    let here = TestDatabase::new();
    let mut conn = here.target.open().unwrap();
    batch(
        &mut conn,
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')",
    );
    assert_eq!(
        db::migrate(&mut conn).unwrap(),
        Vec::<String>::new(),
        "only added to"
    );
    db::suits(&mut conn).unwrap();
    let own = db::schema_version(&mut TestDatabase::new().target.open().unwrap());
    let own = own.unwrap().unwrap();
    batch(
        &mut conn,
        &format!("INSERT INTO schema_floor (version) VALUES ('{own}')"),
    );
    db::migrate(&mut conn).unwrap();
    batch(
        &mut conn,
        "INSERT INTO schema_floor (version) VALUES ('20990101000000')",
    );
    for told in [db::migrate(&mut conn).map(|_| ()), db::suits(&mut conn)] {
        let told = told.unwrap_err().to_string();
        assert!(
            told.contains("newer Forebay") && told.contains("20990101000000"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// Tables whose rows no node keeps in memory: they are read where they are needed.
const READ_EACH_TIME: [&str; 39] = [
    "admin_sessions",
    "administrator_roles",
    "administrator_rules",
    "administrators",
    "audit_events",
    "auth_challenges",
    "authorization_codes",
    "claim_profiles",
    "claim_sightings",
    "enforcements",
    "identities",
    "identity_moves",
    "job_leases",
    "login_traces",
    "management_credentials",
    "mapper_inputs",
    "mappings",
    "memberships",
    "passed_tests",
    "passkeys",
    "provider_links",
    "provider_notices",
    "provider_probes",
    "refresh_tokens",
    "sessions",
    "setup_links",
    "setup_sessions",
    "single_uses",
    "tile_starts",
    "token_families",
    "upstream_grants",
    "upstream_tokens",
    "user_groups",
    "user_keys",
    "user_passwords",
    "user_terms",
    "users",
    "webhook_deliveries",
    "webhooks",
];

#[test]
fn every_table_is_told_of_or_read_each_time() {
    let mut told: Vec<String> = Vec::new();
    for folder in fs::read_dir(root().join("migrations/postgres")).unwrap() {
        let sql = fs::read_to_string(folder.unwrap().path().join("up.sql")).unwrap();
        let triggers = sql.split("CREATE TRIGGER tell_of_change ").skip(1);
        told.extend(triggers.filter_map(|one| {
            let on = one.split(" ON ").nth(1)?;
            on.split_whitespace().next().map(str::to_owned)
        }));
    }
    for table in tables::all(&mut TestDatabase::new().target.open().unwrap()).unwrap() {
        let is_told = told.contains(&table.name);
        let is_read = READ_EACH_TIME.contains(&table.name.as_str());
        assert!(
            is_told != is_read,
            "{}: is it kept in memory, and told of?",
            table.name
        );
    }
}

#[actix_web::test]
async fn what_this_version_leaves_behind_is_the_next_one_s_to_take_over() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let left = stage.act(|conn| Previous {
        schema: db::schema_version(conn).unwrap().unwrap(),
        access_token: tokens.access.clone(),
        refresh_token: tokens.refresh.clone().unwrap(),
        tables: tables::all(conn)
            .unwrap()
            .into_iter()
            .map(|table| (table.name.clone(), rows(conn, &table)))
            .collect(),
    });
    let here = TestDatabase::new();
    write(&mut here.target.open().unwrap(), &left);
    goes_on(&here.target, &left).await;
    if std::env::var_os("FOREBAY_TESTS_RELEASE").is_some() {
        let path = root().join("tests/broker/database/previous.json");
        fs::write(path, serde_json::to_string_pretty(&left).unwrap() + "\n").unwrap();
    }
}

fn rows(conn: &mut Conn, table: &Table) -> Rows {
    let mut rows = Vec::new();
    tables::read::<diesel::result::Error>(conn, table, &mut |line| {
        rows.push(serde_json::from_str(line).unwrap());
        Ok(())
    })
    .unwrap();
    let columns = table.column_names().into_iter().map(str::to_owned).collect();
    Rows { columns, rows }
}
