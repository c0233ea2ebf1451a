//! A pool read to move out: everything but its users, its secrets, and its users page by page. It only reads, yet the
//! secrets leave, so that is recorded.

use std::collections::HashMap;

use serde_json::json;
use zeroize::Zeroizing;

use crate::actions::{Ctx, clients, pools, providers, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::reach::Reach;
use crate::model::user::bulk;
use crate::model::{client, group, mapping, provider, resource_server, tenant};
use crate::rules::moving::{
    Bundle, Client, Connection, Credentials, Group, Link, Person, Pool, ResourceServer, Seat, Secrets, Tenant,
};
use crate::seal::{Label, Sealer};

/// Everything of the pool but its users and secrets, each list in an order of its own.
pub fn bundle(conn: &mut Conn, user_pool_id: &str) -> Result<Bundle, Error> {
    let pool = pools::find(conn, user_pool_id)?;
    let mut connections = Vec::new();
    for each in provider::list(conn, user_pool_id)? {
        connections.push(Connection {
            identifiers: provider::identifiers(conn, &each.id)?,
            mapping: mapping::current(conn, &each.id)?
                .map(|mapping| mapping.rules.0)
                .unwrap_or_default(),
            slug: Some(each.id),
            name: each.name,
            issuer: each.issuer,
            live: each.enabled,
            tenant: each.tenant_id,
            settings: each.settings.0,
        });
    }
    let mut bundle = Bundle {
        pool: Pool {
            id: pool.id,
            name: pool.name,
            settings: pool.settings.0,
        },
        tenants: tenant::list(conn, &Reach::everything(), Some(user_pool_id))?
            .into_iter()
            .map(|each| Tenant {
                id: each.id,
                name: each.name,
            })
            .collect(),
        resource_servers: resource_server::list(conn, user_pool_id)?
            .into_iter()
            .map(|each| ResourceServer {
                identifier: each.identifier,
                name: each.name,
                scopes: each.scopes.0,
            })
            .collect(),
        connections,
        clients: client::list(conn, user_pool_id)?
            .into_iter()
            .map(|each| Client {
                id: each.id,
                name: each.name,
                enabled: each.enabled,
                settings: each.settings.0,
            })
            .collect(),
        groups: group::page(conn, user_pool_id, "", None, crate::actions::groups::MOST)?
            .into_iter()
            .map(|each| Group {
                name: each.name,
                description: each.description,
                precedence: each.precedence,
                role_arn: each.role_arn,
            })
            .collect(),
    };
    // Databases sort by locales; an export is sorted by bytes wherever it is made.
    bundle.tenants.sort_by(|a, b| a.id.cmp(&b.id));
    bundle
        .resource_servers
        .sort_by(|a, b| a.identifier.cmp(&b.identifier));
    bundle.connections.sort_by(|a, b| a.name.cmp(&b.name));
    bundle.clients.sort_by(|a, b| a.id.cmp(&b.id));
    bundle.groups.sort_by(|a, b| a.name.cmp(&b.name));
    for connection in &mut bundle.connections {
        connection.identifiers.sort();
    }
    Ok(bundle)
}

/// The pool's secrets in the clear, to be sealed to a recipient at once. That they were taken out is recorded.
pub fn secrets(conn: &mut Conn, ctx: &Ctx, user_pool_id: &str, recipient: &str) -> Result<Secrets, Error> {
    let mut secrets = Secrets::default();
    for app in client::list(conn, user_pool_id)? {
        let mut held = Vec::new();
        for secret in client::secrets(conn, &app.id)? {
            let purpose = clients::SECRET_PURPOSE;
            held.push(open(
                &ctx.sealer,
                user_pool_id,
                purpose,
                &secret.id,
                &secret.sealed,
            )?);
        }
        if !held.is_empty() {
            secrets.clients.insert(app.id, held);
        }
    }
    for each in provider::list(conn, user_pool_id)? {
        let opened = |purpose, sealed: &Option<Vec<u8>>| {
            sealed
                .as_ref()
                .map(|sealed| open(&ctx.sealer, user_pool_id, purpose, &each.id, sealed))
                .transpose()
        };
        let credentials = Credentials {
            client_secret: opened(providers::SECRET_PURPOSE, &each.client_secret_sealed)?,
            next_secret: opened(providers::NEXT_SECRET_PURPOSE, &each.next_secret_sealed)?,
            private_key: opened(providers::KEY_PURPOSE, &each.private_key_sealed)?,
        };
        if credentials != Credentials::default() {
            secrets.connections.insert(each.name, credentials);
        }
    }
    record(
        conn,
        ctx,
        "pool.export_secrets",
        Some(user_pool_id),
        user_pool_id,
        json!({ "recipient": recipient, "clients": secrets.clients.len(), "connections": secrets.connections.len() }),
    )?;
    Ok(secrets)
}

fn open(
    sealer: &Sealer,
    scope: &str,
    purpose: &'static str,
    name: &str,
    sealed: &[u8],
) -> Result<Zeroizing<String>, Error> {
    let label = Label { purpose, scope, name };
    sealer
        .open_text(label, sealed)
        .map_err(|_| StoreError::Unreadable(format!("a secret of {name}")).into())
}

/// The next users by `sub`, those after `after`.
pub fn people(conn: &mut Conn, user_pool_id: &str, after: &str, limit: i64) -> Result<Vec<Person>, Error> {
    let users = bulk::page(conn, user_pool_id, after, limit)?;
    let subs: Vec<&str> = users.iter().map(|user| user.sub.as_str()).collect();
    let mut identities = bulk::identities(conn, &subs)?;
    let names: Vec<(String, String)> = provider::list(conn, user_pool_id)?
        .into_iter()
        .map(|each| (group::by_provider(&each.id), each.name))
        .collect();
    let mut seats: HashMap<String, Vec<Seat>> = HashMap::new();
    for membership in group::memberships_of(conn, &subs)? {
        let by = names
            .iter()
            .find(|(source, _)| *source == membership.source)
            .map(|(_, name)| name.clone());
        seats.entry(membership.user_sub).or_default().push(Seat {
            at_first: membership.source == group::AT_FIRST,
            group: membership.group_name,
            by,
        });
    }
    Ok(users
        .into_iter()
        .map(|user| {
            let mut groups = seats.remove(&user.sub).unwrap_or_default();
            groups.sort();
            let mut links: Vec<Link> = identities
                .remove(&user.sub)
                .unwrap_or_default()
                .into_iter()
                .map(|identity| Link {
                    connection: identity.provider_name,
                    subject: identity.subject,
                    primary: identity.is_primary,
                    created_ms: identity.created_ms,
                })
                .collect();
            links.sort_by(|a, b| (&a.connection, &a.subject).cmp(&(&b.connection, &b.subject)));
            Person {
                sub: user.sub,
                username: user.username,
                status: user.status,
                enabled: user.enabled,
                attributes: user.attributes.0,
                created_at: user.created_at,
                updated_at: user.updated_at,
                identities: links,
                groups,
            }
        })
        .collect())
}
