//! `ListUsers` in a pool of a million users (`cargo bench -- list-users`; `BENCH_USERS` for another number): pages of 60
//! by whole values and by what they begin with, the first ones and those after them, one at a time over one connection.
//! The times are those of whole calls, signature and loopback included.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use forebay::db::{Conn, Target};
use forebay::demo::{ACCESS_KEY, ACCESS_SECRET, POOL};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::Connection;
use super::process::{Process, free_address};
use super::seed;

/// Users in the pool.
const USERS: usize = 1_000_000;
/// Walks through the list of each kind, and pages of each walk.
const WALKS: usize = 60;
const PAGES: usize = 5;
/// What the median page may take.
const MILLISECONDS: f64 = 10.0;

pub async fn run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.db");
    let url = std::env::var("BENCH_DATABASE_URL").unwrap_or_else(|_| format!("sqlite://{}", path.display()));
    let users = std::env::var("BENCH_USERS").map_or(USERS, |text| text.parse().unwrap());
    let (target, upstream) = (Target::parse(&url).unwrap(), free_address());
    seed::fill(&target, upstream, 0, 0);
    let begun = Instant::now();
    let name = fill(&mut target.open().unwrap(), users);
    eprintln!("seeded {users} users in {:.0} s", begun.elapsed().as_secs_f64());
    let server = Process::serve(directory.path(), &url, upstream);
    let mut connection = Connection::open(server.address).await;
    for (what, filter) in [
        ("by the beginning of the email", "email ^= \"person{}\""),
        ("by the beginning of the username", "username ^= \"acme-okta_{}\""),
        (
            "by the beginning of the last name",
            "family_name ^= \"Family-{}\"",
        ),
        ("by the last name", "family_name = \"family-{}0\""),
        ("by the beginning of the sub", "sub ^= \"{}\""),
        ("by the status", "cognito:user_status = \"EXTERNAL_PROVIDER\""),
        ("without a filter", ""),
    ] {
        let mut taken = Vec::new();
        for walk in 0..WALKS {
            walk_through(
                &mut connection,
                &filter.replace("{}", &(10 + walk).to_string()),
                &mut taken,
            )
            .await;
        }
        taken.sort_unstable();
        let at = |share: f64| milliseconds(taken[((taken.len() - 1) as f64 * share) as usize]);
        println!(
            "FIGURE ListUsers {what}, {users} users, {name}: median {:.2} ms of {} pages, 99th percentile {:.2} ms \
             (limit {MILLISECONDS})",
            at(0.5),
            taken.len(),
            at(0.99)
        );
        assert!(at(0.5) <= MILLISECONDS, "{what} is slow");
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Some pages, each from where the last one ended.
async fn walk_through(connection: &mut Connection, filter: &str, taken: &mut Vec<Duration>) {
    let mut input = json!({ "UserPoolId": POOL, "Filter": filter, "Limit": 60 });
    for _ in 0..PAGES {
        let request = signed("ListUsers", &input.to_string());
        let begun = Instant::now();
        let answer = connection.send(&request).await;
        taken.push(begun.elapsed());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let page: Value = answer.json();
        match page.get("PaginationToken") {
            Some(token) => input["PaginationToken"] = token.clone(),
            None => return,
        }
    }
}

/// Fills the pool, users by the expressions of the database at hand, their keys as the migration made those of the users
/// there were; tells which database it is.
fn fill(conn: &mut Conn, users: usize) -> &'static str {
    let (name, numbers, sub, attributes, migration) = match conn {
        Conn::Sqlite(_) => (
            "SQLite",
            format!("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {users})"),
            "printf('%08x-0000-4000-8000-%012x', (i * 2654435761) % 4294967296, i)",
            "json_object('email', 'person' || i || '@customer.test', 'email_verified', json('true'), \
             'given_name', printf('Given-%02d', i % 50), 'family_name', printf('Family-%03d', i % 1000))",
            include_str!("../../migrations/sqlite/2026-11-21-161000_directory/up.sql"),
        ),
        Conn::Postgres(_) => (
            "PostgreSQL",
            format!("WITH n (i) AS (SELECT generate_series(0::bigint, {users} - 1))"),
            "lpad(to_hex((i * 2654435761) % 4294967296), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(i), 12, '0')",
            "json_build_object('email', 'person' || i || '@customer.test', 'email_verified', true, \
             'given_name', 'Given-' || lpad((i % 50)::text, 2, '0'), \
             'family_name', 'Family-' || lpad((i % 1000)::text, 3, '0'))::text",
            include_str!("../../migrations/postgres/2026-11-21-161000_directory/up.sql"),
        ),
    };
    let statement = |begins: &str| -> String {
        let of = migration
            .split(';')
            .map(str::trim)
            .filter(|text| text.starts_with(begins));
        of.map(|text| format!("{text};\n")).collect()
    };
    conn.batch_execute(&format!(
        "INSERT INTO users (sub, user_pool_id, username, status, enabled, attributes, created_at, updated_at) \
         {numbers} SELECT {sub}, '{POOL}', 'acme-okta_' || i, 'EXTERNAL_PROVIDER', true, {attributes}, i, i FROM n;
         DELETE FROM user_keys; DROP INDEX user_keys_in_order;
         {} {} ANALYZE;",
        statement("INSERT INTO user_keys"),
        statement("CREATE INDEX user_keys_in_order"),
    ))
    .unwrap();
    name
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call as an AWS SDK signs it (Signature Version 4).
fn signed(operation: &str, body: &str) -> Vec<u8> {
    let host = "localhost:8080";
    let target = format!("AWSCognitoIdentityProviderService.{operation}");
    let at = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let names = "host;x-amz-date;x-amz-target";
    let canonical = format!(
        "POST\n/\n\nhost:{host}\nx-amz-date:{at}\nx-amz-target:{target}\n\n{names}\n{}",
        hex(&Sha256::digest(body))
    );
    let scope = format!("{}/us-local-1/cognito-idp/aws4_request", &at[..8]);
    let text = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let secret = format!("AWS4{ACCESS_SECRET}").into_bytes();
    let key = scope.split('/').fold(secret, |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &text));
    format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Date: {at}\r\n\
         X-Amz-Target: {target}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, \
         SignedHeaders={names}, Signature={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
