//! `ListUsers` in a pool of a million users (`cargo bench -- list-users`; `BENCH_USERS` for another number): pages of 60
//! by whole values and by what they begin with, the first ones and those after them, one at a time over one connection.
//! The times are those of whole calls, signature and loopback included.

use std::time::{Duration, Instant};

use forebay::db::{Conn, Target};
use forebay::demo::POOL;
use serde_json::{Value, json};

use super::crowd;
use super::http::Connection;
use super::process::{Process, Serve, free_address};
use super::seed;
use super::sigv4::signed;

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
    let mut conn = target.open().unwrap();
    crowd::users(&mut conn, users);
    let name = match conn {
        Conn::Sqlite(_) => "SQLite",
        Conn::Postgres(_) => "PostgreSQL",
    };
    eprintln!("seeded {users} users in {:.0} s", begun.elapsed().as_secs_f64());
    let server = Process::serve(&Serve::new(directory.path(), &url, upstream));
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
