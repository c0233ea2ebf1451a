//! Both migration folders make the same tables: names, columns, nullability; and both match the schema.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use forebay::db::{self, Conn, Target};

use crate::support::database::{TestDatabase, on_postgres};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

fn columns(conn: &mut Conn) -> BTreeMap<(String, String), bool> {
    let query = match conn {
        Conn::Sqlite(_) => {
            "SELECT m.name AS table_name, p.name AS column_name, p.\"notnull\" = 0 AS nullable \
             FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '__diesel%'"
        }
        Conn::Postgres(_) => {
            "SELECT table_name::text, column_name::text, is_nullable = 'YES' AS nullable \
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE '__diesel%'"
        }
    };
    diesel::sql_query(query)
        .load::<Column>(conn)
        .unwrap()
        .into_iter()
        .map(|column| ((column.table_name, column.column_name), column.nullable))
        .collect()
}

#[test]
fn both_databases_have_the_same_tables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parity.db");
    let mut sqlite = Target::Sqlite(path.display().to_string()).open().unwrap();
    db::migrate(&mut sqlite).unwrap();
    let expected = columns(&mut sqlite);
    assert!(expected.len() > 80, "{expected:?}");
    let here = TestDatabase::new();
    let found = columns(&mut here.target.open().unwrap());
    assert_eq!(
        expected,
        found,
        "SQLite against {:?}",
        on_postgres().map_or("SQLite", |_| "PostgreSQL")
    );
}

#[test]
fn migrating_twice_and_from_two_nodes_at_once_is_safe() {
    let here = TestDatabase::new();
    let target = here.target.clone();
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let target = target.clone();
            std::thread::spawn(move || {
                db::migrate(&mut target.open().unwrap()).map_err(|cause| cause.to_string())
            })
        })
        .collect();
    for node in nodes {
        assert_eq!(node.join().unwrap(), Ok(vec![]));
    }
}

#[test]
fn ten_nodes_that_start_on_an_empty_sqlite_file_migrate_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::Sqlite(directory.path().join("empty.db").display().to_string());
    let nodes: Vec<_> = (0..10)
        .map(|_| {
            let target = target.clone();
            std::thread::spawn(move || {
                db::migrate(&mut target.open().map_err(|cause| cause.to_string())?)
                    .map_err(|cause| cause.to_string())
            })
        })
        .collect();
    let ran: Vec<_> = nodes
        .into_iter()
        .map(|node| node.join().unwrap().unwrap().len())
        .collect();
    assert_eq!(ran.iter().filter(|count| **count > 0).count(), 1, "{ran:?}");
}
