//! Many users, connections and pools: a deployment that has grown, by statements of the database's own where an action for
//! each would take all day.

use diesel::connection::{Connection, SimpleConnection};
use forebay::actions::Ctx;
use forebay::actions::pools::{self, NewKeys, NewPool};
use forebay::db::Conn;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::error::Error;
use forebay::model::pool::Settings;

/// Users of the pool, each with the keys by which the migration found those of the users there were.
pub fn users(conn: &mut Conn, count: usize) {
    let (sub, attributes, migration) = match conn {
        Conn::Sqlite(_) => (
            "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) % 4294967296, n)",
            "json_object('email', 'person' || n || '@customer.test', 'email_verified', json('true'), \
             'given_name', printf('Given-%02d', n % 50), 'family_name', printf('Family-%03d', n % 1000))",
            include_str!("../../migrations/sqlite/2026-11-21-161000_directory/up.sql"),
        ),
        Conn::Postgres(_) => (
            "lpad(to_hex((n * 2654435761) % 4294967296), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0')",
            "json_build_object('email', 'person' || n || '@customer.test', 'email_verified', true, \
             'given_name', 'Given-' || lpad((n % 50)::text, 2, '0'), \
             'family_name', 'Family-' || lpad((n % 1000)::text, 3, '0'))::text",
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
    let numbers = numbers(count);
    conn.batch_execute(&format!(
        "{numbers} INSERT INTO users (sub, user_pool_id, username, status, enabled, attributes, created_at, updated_at) \
         SELECT {sub}, '{POOL}', 'acme-okta_' || n, 'EXTERNAL_PROVIDER', true, {attributes}, n, n FROM numbers;
         {numbers} INSERT INTO identities (provider_id, issuer, subject, user_sub, provider_name, is_primary, created_ms) \
         SELECT 'acme-okta', 'https://customer.test', '00u' || n, {sub}, 'acme-okta', true, n FROM numbers;
         DELETE FROM user_keys; DROP INDEX user_keys_in_order;
         {} {} ANALYZE;",
        statement("INSERT INTO user_keys"),
        statement("CREATE INDEX user_keys_in_order"),
    ))
    .unwrap();
}

/// Tenants with a proven domain and a live connection each, all of them offered by the web client.
pub fn connections(conn: &mut Conn, count: usize) {
    let numbers = numbers(count);
    let names: String = (0..count).map(|n| format!(",\"okta-{n}\"")).collect();
    conn.batch_execute(&format!(
        "{numbers} INSERT INTO tenants (id, user_pool_id, name, settings, created_at, updated_at) \
         SELECT 'tenant-' || n, '{POOL}', 'Tenant ' || n, '{{}}', 0, 0 FROM numbers;
         {numbers} INSERT INTO tenant_domains (tenant_id, domain, user_pool_id, subdomains, token, proof, proven_at, finding, \
         created_at, updated_at) \
         SELECT 'tenant-' || n, 'customer-' || n || '.test', '{POOL}', FALSE, 'token', 'asserted', 0, '', 0, 0 FROM numbers;
         {numbers} INSERT INTO identity_providers (id, user_pool_id, name, issuer, enabled, settings, created_at, updated_at, \
         tenant_id, live_since) \
         SELECT 'okta-' || n, '{POOL}', 'okta-' || n, 'https://customer-' || n || '.okta.com', TRUE, settings, 0, 0, \
         'tenant-' || n, 0 FROM numbers, identity_providers WHERE id = 'acme-okta';
         UPDATE app_clients SET settings = replace(settings, '\"providers\":[\"acme-okta\"', '\"providers\":[\"acme-okta\"{names}') \
         WHERE id = '{WEB_CLIENT}'; ANALYZE;"
    ))
    .unwrap();
}

/// More pools, each with signing keys of its own name; the same bits, since making two thousand keys takes minutes.
pub fn pools(conn: &mut Conn, ctx: &Ctx, keys: &NewKeys, count: usize) {
    conn.transaction::<_, Error, _>(|conn| {
        for number in 0..count {
            let mut keys = keys.clone();
            for (key, usage) in [(&mut keys.id_token, "id"), (&mut keys.access_token, "access")] {
                key.kid = format!("{usage}-key-of-pool-{number}");
                key.public_jwk.kid.clone_from(&key.kid);
            }
            let pool = NewPool {
                id: Some(format!("us-local-1_Bench{number:04}")),
                name: format!("Pool {number}"),
                settings: Settings::default(),
            };
            pools::create(conn, ctx, pool, &keys)?;
        }
        Ok(())
    })
    .unwrap();
}

/// The table `numbers` with a column `n`, on either database.
fn numbers(count: usize) -> String {
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})"
    )
}
