//! Cost as work grows: the same login in a small deployment and in ones with many users, many connections, many pools, turn
//! and turn about.

use std::time::Duration;

use forebay::actions::pools::NewKeys;

use super::super::crowd;
use super::super::plan::{Database, Plan};
use super::super::process::{Process, Serve};
use super::super::seed;
use super::super::table::{Figure, percentile};
use super::Report;
use super::login::{Walker, sign_in_upstream};

/// How much slower the median login may be.
const RATIO: f64 = 1.3;

/// A deployment: what it has much of, and how many of each.
struct World {
    name: &'static str,
    users: usize,
    connections: usize,
    pools: usize,
}

pub async fn rows(plan: &Plan, report: &mut Report, okta: &Process) {
    let many = |count: usize| if plan.short { count / 20 } else { count };
    let world = |name, users, connections, pools| World {
        name,
        users,
        connections,
        pools,
    };
    let worlds = [
        world("", 100, 10, 1),
        world("users", many(1_000_000), 10, 1),
        world("connections", 100, many(10_000), 1),
        world("pools", 100, 10, many(1_000)),
    ];
    let mut made = Vec::new();
    for world in &worlds {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::in_file(directory.path(), "world");
        world.make(&database, okta);
        let server = Process::serve(&Serve::new(directory.path(), &database.url, okta.address));
        made.push((server, directory));
    }
    // Only when all are there: a connection that waits for the next one's users is closed.
    let cookie = sign_in_upstream(okta.address).await;
    let mut lanes = Vec::new();
    for (server, directory) in made {
        let mut walker = Walker::new(&server, okta, &cookie).await;
        // The first makes the account and fetches the upstream's keys.
        walker.sign_in().await;
        lanes.push((walker, server, directory, Vec::<Duration>::new()));
    }
    for _ in 0..if plan.short { 60 } else { 300 } {
        for (walker, _, _, times) in &mut lanes {
            times.push(walker.sign_in().await.whole);
        }
    }
    let mut small = 0.0;
    for (world, (_, server, _, mut times)) in worlds.iter().zip(lanes) {
        times.sort_unstable();
        let median = percentile(&times, 0.5);
        if world.name.is_empty() {
            small = median;
            continue;
        }
        let count = world.users.max(world.connections).max(world.pools);
        let name = format!(
            "login with {count} {} against {} (p50 {median:.1} ms, {small:.1} ms; {:.0} MiB)",
            world.name,
            world.fewer(),
            server.memory()
        );
        report
            .figures
            .push(Figure::at_most(name, median / small, RATIO, " times"));
    }
}

impl World {
    fn make(&self, database: &Database, okta: &Process) {
        eprintln!(
            "seeding {} users, {} connections, {} pools …",
            self.users, self.connections, self.pools
        );
        seed::fill(&database.target(), okta.address, 0, 0);
        let (mut conn, ctx) = (database.target().open().unwrap(), seed::ctx());
        // The demo's own count, too.
        crowd::connections(&mut conn, self.connections - 1);
        let keys = NewKeys::make().unwrap();
        crowd::pools(&mut conn, &ctx, &keys, self.pools - 1);
        crowd::users(&mut conn, self.users);
    }

    /// How many the small one has of what this has much of.
    fn fewer(&self) -> usize {
        match self.name {
            "users" => 100,
            "connections" => 10,
            _ => 1,
        }
    }
}
