//! A deployment that has grown (F37): many users, sessions, connections and clients. It starts at once, and signing in takes
//! about as long as on an empty one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use forebay::demo::{POOL, WEB_CLIENT};

use super::Options;
use super::http::{answered, get};
use super::process::{Use, megabytes};
use super::report::{Verdict, middle_p99, spread};
use super::sign_in::{authorize, code_of, until_the_callback};
use super::stage::{Base, Node, Stage};

/// How fast a broker is there.
const READY: Duration = Duration::from_secs(3);

/// What there is of each.
struct Size {
    users: usize,
    sessions: usize,
    connections: usize,
    clients: usize,
}

/// Fills the database by statements of its own, where an action for each would take all day: copies of the demo's rows.
fn fill(stage: &Stage, size: &Size) {
    let Size {
        users,
        sessions,
        connections,
        clients,
    } = size;
    let numbers = |count: &usize| {
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})"
        )
    };
    let sub = "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) % 4294967296, n)";
    let names: String = (0..*connections).map(|n| format!(",\"okta-{n}\"")).collect();
    let statements = format!(
        "BEGIN;
         {} INSERT INTO users (sub, user_pool_id, username, status, enabled, attributes, created_at, updated_at)
         SELECT {sub}, '{POOL}', 'acme-okta_' || n, 'EXTERNAL_PROVIDER', true,
           json_object('email', 'person' || n || '@customer.test', 'email_verified', json('true')), n, n FROM numbers;
         {} INSERT INTO identities (provider_id, issuer, subject, user_sub, provider_name, is_primary, created_ms)
         SELECT 'acme-okta', 'https://customer.test', '00u' || n, {sub}, 'acme-okta', true, n FROM numbers;
         {} INSERT INTO sessions (hash, user_pool_id, user_sub, provider_id, login_hash, facts, created_at, expires_at)
         SELECT CAST('session' || n AS BLOB), '{POOL}', {sub}, 'acme-okta', CAST('login' || n AS BLOB),
           (SELECT facts FROM sessions LIMIT 1), unixepoch(), unixepoch() + 3600 FROM numbers;
         {} INSERT INTO tenants (id, user_pool_id, name, settings, created_at, updated_at)
         SELECT 'tenant-' || n, '{POOL}', 'Tenant ' || n, '{{}}', 0, 0 FROM numbers;
         {} INSERT INTO identity_providers (id, user_pool_id, name, issuer, enabled, settings, created_at, updated_at,
           tenant_id, live_since)
         SELECT 'okta-' || n, '{POOL}', 'okta-' || n, 'https://customer-' || n || '.okta.com', TRUE, settings, 0, 0,
           'tenant-' || n, 0 FROM numbers, identity_providers WHERE id = 'acme-okta';
         UPDATE app_clients SET settings = replace(settings, '\"providers\":[\"acme-okta\"', '\"providers\":[\"acme-okta\"{names}')
         WHERE id = '{WEB_CLIENT}';
         {} INSERT INTO app_clients (id, user_pool_id, name, enabled, settings, created_at, updated_at)
         SELECT 'client' || n, user_pool_id, 'Client ' || n, TRUE, settings, 0, 0 FROM numbers, app_clients
         WHERE id = '{WEB_CLIENT}';
         COMMIT; ANALYZE;",
        numbers(users),
        numbers(users),
        numbers(sessions),
        numbers(connections),
        numbers(connections),
        numbers(clients),
    );
    stage.target.open().unwrap().batch_execute(&statements).unwrap();
}

/// How long whole sign-ins and requests to begin one take at a node.
struct Took {
    sign_in: Vec<Duration>,
    authorize: Vec<Duration>,
}

/// One kind of what was measured.
type Which = fn(&Took) -> &Vec<Duration>;

fn measure(stage: &Stage, node: SocketAddr, count: usize) -> Took {
    let mut took = Took {
        sign_in: Vec::new(),
        authorize: Vec::new(),
    };
    for number in 0..count + 3 {
        let begun = Instant::now();
        let back = until_the_callback(stage, node, "somebody@acme.test");
        let answer = answered(node, &get(&back.callback, &back.cookies));
        assert!(code_of(&answer).is_some(), "{}", answer.text());
        let sign_in = begun.elapsed();
        let begun = Instant::now();
        let answer = answered(node, &authorize());
        assert_eq!(answer.status, 302, "{}", answer.text());
        // The first ones read what is kept from then on.
        if number >= 3 {
            took.sign_in.push(sign_in);
            took.authorize.push(begun.elapsed());
        }
    }
    took
}

pub fn f37_a_deployment_that_has_grown(options: &Options) -> Verdict {
    let scale = options.count(1, 10);
    let size = Size {
        users: 10_000 * scale,
        sessions: 5_000 * scale,
        connections: 100 * scale,
        clients: 1_000 * scale,
    };
    let rounds = options.count(40, 400);
    let (small, large) = (Stage::new(&Base::Sqlite), Stage::new(&Base::Sqlite));
    fill(&large, &size);
    let nodes: Vec<Node> = [&small, &large]
        .map(|stage| {
            stage.newcomer("somebody@acme.test");
            stage.node()
        })
        .into();
    assert!(nodes[1].ready_in < READY, "ready after {:?}", nodes[1].ready_in);
    // By turns, so that whatever else the machine does is felt by both.
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for ((stage, node), all) in [&small, &large].iter().zip(&nodes).zip(&mut all) {
            all.push(measure(stage, node.address, rounds / 5));
        }
    }
    let [empty, grown] = &all;
    let of = |all: &[Took], which: Which| -> Vec<Vec<Duration>> {
        all.iter().map(|took| which(took).clone()).collect()
    };
    let kinds: [(&str, Which); 2] = [
        ("sign-ins", |took| &took.sign_in),
        ("authorization requests", |took| &took.authorize),
    ];
    let mut lines = Vec::new();
    for (what, which) in kinds {
        let (empty, grown) = (of(empty, which), of(grown, which));
        let (base, with) = (middle_p99(&empty), middle_p99(&grown));
        assert!(
            with < base * 2,
            "{what}: p99 {base:?} where there is nothing, {with:?} where there is all of it"
        );
        lines.push(format!(
            "{what}: {}; with nothing there: {}",
            spread(&grown.concat()),
            spread(&empty.concat())
        ));
    }
    lines.insert(
        0,
        format!(
            "{} users, {} sessions, {} connections, {} clients: ready after {} ms, {} resident",
            size.users,
            size.sessions,
            size.connections,
            size.clients,
            nodes[1].ready_in.as_millis(),
            megabytes(Use::of(&nodes[1]).resident)
        ),
    );
    Verdict::Passed(lines)
}
