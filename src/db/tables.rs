//! Whole tables, whatever is in them: read row by row as JSON and written back in batches, on either database, so that
//! what was read from one can be written to the other.
//!
//! A row travels as a JSON array of its columns, made and read by the database itself: integers stay exact, bytes are
//! hexadecimal, booleans 0 or 1. Names of tables and columns come from the schema and nowhere else.

use std::collections::BTreeMap;

use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};

use super::Conn;
use crate::on_backend;

/// A table of ours, with its columns in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    kind: Kind,
    /// PostgreSQL only: the database numbers the rows by it.
    counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
    Bytes,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    counts: bool,
}

#[derive(QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Text)]
    parent: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Table {
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The same with these columns alone, in this order; `None` where it has one of them not.
    pub fn with_columns(&self, names: &[String]) -> Option<Table> {
        let find = |name: &String| self.columns.iter().find(|column| &column.name == name).cloned();
        let columns = names.iter().map(find).collect::<Option<Vec<_>>>()?;
        let name = self.name.clone();
        Some(Table { name, columns })
    }
}

/// All tables, each after those that its rows refer to; what the schema says of itself is none of them.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<Table>> {
    let mut left: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    let query = match conn {
        Conn::Sqlite(_) => {
            "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind, false AS counts \
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' \
             AND m.name NOT IN ('__diesel_schema_migrations', 'schema_floor') ORDER BY m.name, c.cid"
        }
        Conn::Postgres(_) => {
            "SELECT table_name::text, column_name::text, data_type::text AS kind, is_identity = 'YES' AS counts \
             FROM information_schema.columns WHERE table_schema = current_schema() \
             AND table_name NOT IN ('__diesel_schema_migrations', 'schema_floor') ORDER BY table_name, ordinal_position"
        }
    };
    for row in sql_query(query).load::<ColumnRow>(conn)? {
        let kind = match row.kind.to_ascii_lowercase().as_str() {
            "blob" | "bytea" => Kind::Bytes,
            "bigint" | "integer" => Kind::Integer,
            "boolean" => Kind::Boolean,
            _ => Kind::Text,
        };
        let (name, counts) = (row.column_name, row.counts);
        let columns = left.entry(row.table_name).or_default();
        columns.push(Column { name, kind, counts });
    }
    let query = match conn {
        Conn::Sqlite(_) => {
            "SELECT m.name AS child, f.\"table\" AS parent FROM sqlite_schema m \
             JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
        }
        Conn::Postgres(_) => {
            "SELECT c.relname::text AS child, p.relname::text AS parent FROM pg_constraint f \
             JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid \
             WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace"
        }
    };
    let references = sql_query(query).load::<Reference>(conn)?;
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |name: &String| {
            let parents = references.iter().filter(|one| &one.child == name);
            parents
                .map(|one| &one.parent)
                .any(|parent| parent != name && left.contains_key(parent))
        };
        let free: Vec<String> = left.keys().filter(|name| !waits(name)).cloned().collect();
        if free.is_empty() {
            let circle = left.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(diesel::result::Error::QueryBuilderError(
                format!("tables refer to each other in a circle: {circle}").into(),
            ));
        }
        for name in free {
            let columns = left.remove(&name).unwrap_or_default();
            ordered.push(Table { name, columns });
        }
    }
    Ok(ordered)
}

/// How many rows it has.
pub fn count(conn: &mut Conn, table: &Table) -> QueryResult<u64> {
    let query = format!("SELECT COUNT(*) AS count FROM {}", table.name);
    let found = sql_query(query).get_result::<Count>(conn)?;
    Ok(u64::try_from(found.count).unwrap_or_default())
}

/// From here on the transaction reads what is committed now and nothing later, as SQLite's does anyway.
pub fn freeze(conn: &mut Conn) -> QueryResult<()> {
    use diesel::connection::SimpleConnection;
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(c) => c.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
    }
}

/// Hands over each row, as a JSON array. The rows are never all in memory.
pub fn read<E: From<diesel::result::Error>>(
    conn: &mut Conn,
    table: &Table,
    each: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let columns = table.columns.iter().map(|column| {
        let name = &column.name;
        match (&*conn, column.kind) {
            (Conn::Sqlite(_), Kind::Bytes) => {
                format!("CASE WHEN {name} IS NULL THEN NULL ELSE lower(hex({name})) END")
            }
            (Conn::Postgres(_), Kind::Bytes) => format!("encode({name}, 'hex')"),
            // As SQLite has them: 0 and 1.
            (Conn::Postgres(_), Kind::Boolean) => format!("{name}::integer"),
            _ => name.clone(),
        }
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    match conn {
        Conn::Sqlite(c) => {
            let query = format!("SELECT json_array({columns}) AS line FROM {}", table.name);
            for row in sql_query(query).load_iter::<Line, DefaultLoadingMode>(c)? {
                each(&row?.line)?;
            }
        }
        Conn::Postgres(c) => {
            let query = format!(
                "SELECT json_build_array({columns})::text AS line FROM {}",
                table.name
            );
            for row in sql_query(query).load_iter::<Line, PgRowByRowLoadingMode>(c)? {
                each(&row?.line)?;
            }
        }
    }
    Ok(())
}

/// Writes rows, a JSON array of such arrays; how many there were.
pub fn write(conn: &mut Conn, table: &Table, rows: &str) -> QueryResult<usize> {
    let names = table.column_names().join(", ");
    let on_sqlite = matches!(conn, Conn::Sqlite(_));
    let values = table.columns.iter().enumerate().map(|(at, column)| {
        if on_sqlite {
            let value = format!("json_extract(value, '$[{at}]')");
            return match column.kind {
                Kind::Bytes => format!("unhex({value})"),
                _ => value,
            };
        }
        let value = format!("(value ->> {at})");
        match column.kind {
            Kind::Text => value,
            Kind::Integer => format!("{value}::bigint"),
            Kind::Boolean => format!("{value}::boolean"),
            Kind::Bytes => format!("decode({value}, 'hex')"),
        }
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let query = if on_sqlite {
        format!(
            "INSERT INTO {} ({names}) SELECT {values} FROM json_each(?)",
            table.name
        )
    } else {
        format!(
            "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM json_array_elements($1::json)",
            table.name
        )
    };
    on_backend!(conn, |c| sql_query(query).bind::<Text, _>(rows).execute(c))
}

/// Lets the database count on after the rows that were written with numbers of their own.
pub fn count_on(conn: &mut Conn, table: &Table) -> QueryResult<()> {
    let Some(column) = table.columns.iter().find(|column| column.counts) else {
        return Ok(());
    };
    let (table, column) = (&table.name, &column.name);
    let query = format!(
        "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), \
         GREATEST((SELECT MAX({column}) FROM {table}), 1)) AS count"
    );
    sql_query(query).get_result::<Count>(conn).map(|_| ())
}
