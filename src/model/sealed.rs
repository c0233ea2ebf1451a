//! What is sealed at rest, wherever it is: which root key sealed how much of it, and the same sealed anew under another.
//!
//! A sealed value carries its root key's id in bytes 2 to 5 ([`crate::seal`]), so the database finds those of an older key
//! without opening any.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::db::Conn;
use crate::on_backend;

/// A column of sealed values that stay until somebody changes them.
#[derive(Debug)]
pub struct Lasting {
    pub what: &'static str,
    pub purpose: &'static str,
    pub table: &'static str,
    pub column: &'static str,
    /// The column that names the row, a text.
    key: &'static str,
    /// In SQL, over the table's own columns: where the value belongs.
    scope: &'static str,
}

/// What the pools sign with: without these nothing works.
pub const SIGNING_KEYS: Lasting = lasting(
    "signing keys",
    "signing-key",
    "signing_keys",
    "private_sealed",
    "kid",
    "user_pool_id",
);

/// Each with the label that its action seals it under: its row's key is the label's name.
pub const LASTING: [Lasting; 9] = [
    SIGNING_KEYS,
    lasting(
        "app secrets",
        "app-secret",
        "client_secrets",
        "sealed",
        "id",
        "(SELECT user_pool_id FROM app_clients WHERE app_clients.id = client_secrets.client_id)",
    ),
    lasting(
        "connections' secrets",
        "client-secret",
        "identity_providers",
        "client_secret_sealed",
        "id",
        "user_pool_id",
    ),
    lasting(
        "connections' next secrets",
        "client-secret-next",
        "identity_providers",
        "next_secret_sealed",
        "id",
        "user_pool_id",
    ),
    lasting(
        "connections' keys",
        "client-key",
        "identity_providers",
        "private_key_sealed",
        "id",
        "user_pool_id",
    ),
    lasting(
        "webhooks' secrets",
        "webhook-secret",
        "webhooks",
        "secret_sealed",
        "id",
        "user_pool_id",
    ),
    lasting(
        "hooks' secrets",
        "hook-secret",
        "hook_bindings",
        "secret_sealed",
        "id",
        "COALESCE(user_pool_id, '')",
    ),
    lasting(
        "management credentials",
        "management-secret",
        "management_credentials",
        "secret_sealed",
        "id",
        "''",
    ),
    lasting(
        "SRP verifiers",
        "srp-verifier",
        "user_passwords",
        "srp_verifier_sealed",
        "user_sub",
        "(SELECT user_pool_id FROM users WHERE users.sub = user_passwords.user_sub)",
    ),
];

/// Columns whose values expire by themselves, within a month at the most: nobody seals them anew.
pub const PASSING: [(&str, &str, &str); 5] = [
    (
        "sign-ins that ended at an organisation",
        "sessions",
        "id_token_sealed",
    ),
    ("sign-ins kept for replays", "mapper_inputs", "sealed"),
    ("challenges", "auth_challenges", "state_sealed"),
    ("ceremonies", "single_uses", "sealed"),
    ("tokens for Okta's API", "upstream_tokens", "sealed"),
];

const fn lasting(
    what: &'static str,
    purpose: &'static str,
    table: &'static str,
    column: &'static str,
    key: &'static str,
    scope: &'static str,
) -> Lasting {
    Lasting {
        what,
        purpose,
        table,
        column,
        key,
        scope,
    }
}

/// A sealed value with the name and the scope of its label.
#[derive(Clone, Debug, QueryableByName)]
pub struct Value {
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub scope: String,
    #[diesel(sql_type = Binary)]
    pub sealed: Vec<u8>,
}

#[derive(QueryableByName)]
struct Share {
    #[diesel(sql_type = Binary)]
    key_id: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many values each root key sealed, by the key's id.
pub fn shares(conn: &mut Conn, table: &str, column: &str) -> QueryResult<Vec<(Vec<u8>, u64)>> {
    let query = format!(
        "SELECT substr({column}, 2, 4) AS key_id, COUNT(*) AS count FROM {table} \
         WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
    );
    let found = sql_query(query).load::<Share>(conn)?;
    Ok(found
        .into_iter()
        .map(|share| (share.key_id, u64::try_from(share.count).unwrap_or_default()))
        .collect())
}

/// The values that another root key than this one sealed, by name after `after`.
pub fn of_others(
    conn: &mut Conn,
    kind: &Lasting,
    key_id: &[u8],
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Value>> {
    let Lasting {
        table,
        column,
        key,
        scope,
        ..
    } = kind;
    // `$1` and `$2` are what both databases take for the first and the second.
    let query = format!(
        "SELECT {key} AS name, {scope} AS scope, {column} AS sealed FROM {table} \
         WHERE {column} IS NOT NULL AND substr({column}, 2, 4) <> $1 AND {key} > $2 ORDER BY {key} LIMIT {limit}"
    );
    on_backend!(conn, |c| sql_query(query)
        .bind::<Binary, _>(key_id)
        .bind::<Text, _>(after)
        .load::<Value>(c))
}

/// Puts the same value, sealed anew, in its place; false when it is not what it was any more.
pub fn replace(conn: &mut Conn, kind: &Lasting, value: &Value, sealed: &[u8]) -> QueryResult<bool> {
    let Lasting {
        table, column, key, ..
    } = kind;
    let query = format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2 AND {column} = $3");
    let rows = on_backend!(conn, |c| sql_query(query)
        .bind::<Binary, _>(sealed)
        .bind::<Text, _>(&value.name)
        .bind::<Binary, _>(&value.sealed)
        .execute(c))?;
    Ok(rows == 1)
}
