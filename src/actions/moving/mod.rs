//! Pools that move in: what a bundle describes is made here, what is here and the same is left alone, what differs is
//! named and changed only when asked to. So an import can be run again, whatever became of the last run. Users follow in
//! batches ([`people`]); how a pool is read to move out is in [`export`].

pub mod export;
pub mod people;

use serde_json::{Value, json};

use super::clients::{ClientChange, NewClient, NewSecret};
use super::groups::Description;
use super::mappings::Save;
use super::pools::{NewKeys, NewPool, PoolChange};
use super::providers::{Credentials, NewProvider, ProviderChange};
use super::tenants::NewTenant;
use super::{Ctx, clients, groups, mappings, pools, providers, resource_servers, tenants};
use crate::config::AllowedHost;
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::reach::Reach;
use crate::model::{client, group, mapping, pool, provider, resource_server, tenant};
use crate::rules::moving::{Bundle, Client, Connection, Group, Pool, ResourceServer, Secrets, Tenant};
use crate::rules::registration::provider as rules;

/// What an import brings besides the bundle, and how it is to go about it.
pub struct Terms<'a> {
    pub secrets: &'a Secrets,
    /// What a new pool signs with.
    pub keys: &'a NewKeys,
    pub allowed: &'a [AllowedHost],
    /// What differs becomes what the bundle says.
    pub overwrite: bool,
}

/// What an import made of a bundle, thing by thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub made: Vec<String>,
    /// How many were there already, and the same.
    pub equal: usize,
    /// Were there and differ: left alone, or changed when that was asked for.
    pub differing: Vec<String>,
    /// What whoever imports has to see to.
    pub remarks: Vec<String>,
}

impl Report {
    fn same(&mut self) -> Result<(), Error> {
        self.equal += 1;
        Ok(())
    }
}

/// Makes all of the bundle, in the order in which one thing needs another.
pub fn configuration(
    conn: &mut Conn,
    ctx: &Ctx,
    bundle: &Bundle,
    terms: &Terms<'_>,
) -> Result<Report, Error> {
    let mut report = Report::default();
    let id = &bundle.pool.id;
    pool(conn, ctx, &bundle.pool, terms, &mut report)?;
    for each in &bundle.tenants {
        tenant(conn, ctx, id, each, terms, &mut report)?;
    }
    for each in &bundle.resource_servers {
        server(conn, ctx, id, each, terms, &mut report)?;
    }
    for each in &bundle.connections {
        connection(conn, ctx, id, each, terms, &mut report)?;
    }
    for each in &bundle.clients {
        app_client(conn, ctx, id, each, terms, &mut report)?;
    }
    for each in &bundle.groups {
        user_group(conn, ctx, id, each, terms, &mut report)?;
    }
    Ok(report)
}

fn pool(
    conn: &mut Conn,
    ctx: &Ctx,
    wanted: &Pool,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("user pool {}", wanted.id);
    let Some(there) = pool::find(conn, &wanted.id)? else {
        let new = NewPool {
            id: Some(wanted.id.clone()),
            name: wanted.name.clone(),
            settings: wanted.settings.clone(),
        };
        pools::create(conn, ctx, new, terms.keys)?;
        report.made.push(name);
        return Ok(());
    };
    if there.name == wanted.name && there.settings.0 == wanted.settings {
        return report.same();
    }
    report.differing.push(name);
    if terms.overwrite {
        let change = PoolChange {
            name: Some(wanted.name.clone()),
            settings: Some(wanted.settings.clone()),
        };
        pools::update(conn, ctx, &wanted.id, change)?;
    }
    Ok(())
}

fn tenant(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    wanted: &Tenant,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("tenant {}", wanted.id);
    let everything = Reach::everything();
    let Some(there) = tenant::find(conn, &everything, &wanted.id)? else {
        let new = NewTenant {
            id: wanted.id.clone(),
            user_pool_id: pool_id.to_owned(),
            name: wanted.name.clone(),
        };
        tenants::create(conn, ctx, new)?;
        report.made.push(name);
        return Ok(());
    };
    if there.user_pool_id != pool_id {
        return Err(elsewhere(&name, &there.user_pool_id));
    }
    if there.name == wanted.name {
        return report.same();
    }
    report.differing.push(name);
    if terms.overwrite {
        tenants::rename(conn, ctx, &everything, &wanted.id, &wanted.name)?;
    }
    Ok(())
}

fn server(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    wanted: &ResourceServer,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("resource server {}", wanted.identifier);
    let row = resource_server::ResourceServer {
        user_pool_id: pool_id.to_owned(),
        identifier: wanted.identifier.clone(),
        name: wanted.name.clone(),
        scopes: Json(wanted.scopes.clone()),
    };
    match resource_server::find(conn, pool_id, &wanted.identifier)? {
        None => {
            resource_servers::create(conn, ctx, row)?;
            report.made.push(name);
        }
        Some(there) if there == row => report.equal += 1,
        Some(_) => {
            report.differing.push(name);
            if terms.overwrite {
                resource_servers::update(conn, ctx, row)?;
            }
        }
    }
    Ok(())
}

fn connection(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    wanted: &Connection,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("connection {}", wanted.name);
    let Some(there) = provider::find_by_name(conn, pool_id, &wanted.name)? else {
        // The slug stands in the redirect URI, so it is kept, unless another pool here has it.
        let slug = match &wanted.slug {
            Some(slug) if provider::find(conn, slug)?.is_none() => Some(slug.clone()),
            _ => None,
        };
        let new = NewProvider {
            user_pool_id: pool_id.to_owned(),
            name: wanted.name.clone(),
            slug,
            issuer: wanted.issuer.clone(),
            settings: wanted.settings.clone(),
            credentials: credentials(terms.secrets, &wanted.name),
            identifiers: wanted.identifiers.clone(),
            rules: wanted.mapping.clone(),
        };
        let made = providers::move_in(conn, ctx, terms.allowed, new, wanted.tenant.clone(), wanted.live)?;
        if wanted.live && !made.enabled {
            report.remarks.push(format!(
                "{name} came without its secret and is disabled: enter it in the console, then let it go live"
            ));
        }
        if wanted.slug.as_ref().is_some_and(|slug| *slug != made.id) {
            report.remarks.push(format!(
                "{name} has the slug {} here, so another redirect URI is to be registered upstream",
                made.id
            ));
        }
        report.made.push(name);
        return Ok(());
    };
    let rules = mapping::current(conn, &there.id)?.map(|mapping| (mapping.version, mapping.rules.0));
    let (version, rules) = rules.unwrap_or_default();
    let (mut here, mut identifiers) = (
        provider::identifiers(conn, &there.id)?,
        rules::identifiers(&wanted.identifiers)?,
    );
    here.sort();
    identifiers.sort();
    let same_mapping = rules == wanted.mapping;
    let same_rest =
        there.issuer == wanted.issuer && there.settings.0 == wanted.settings && here == identifiers;
    if same_mapping && same_rest {
        return report.same();
    }
    report.differing.push(name);
    if !terms.overwrite {
        return Ok(());
    }
    if !same_rest {
        let change = ProviderChange {
            issuer: Some(wanted.issuer.clone()),
            settings: Some(wanted.settings.clone()),
            credentials: credentials(terms.secrets, &wanted.name),
            identifiers: Some(wanted.identifiers.clone()),
            ..ProviderChange::default()
        };
        providers::update(conn, ctx, terms.allowed, &there.id, change)?;
    }
    if !same_mapping {
        let save = Save {
            seen: version,
            rules: wanted.mapping.clone(),
            note: "moved in".into(),
            accept_breaches: true,
        };
        mappings::save(conn, ctx, &there.id, save)?;
    }
    Ok(())
}

fn credentials(secrets: &Secrets, connection: &str) -> Credentials {
    let held = secrets.connections.get(connection).cloned().unwrap_or_default();
    Credentials {
        client_secret: held.client_secret,
        private_key: held.private_key,
        next_secret: held.next_secret,
    }
}

fn app_client(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    wanted: &Client,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("app client {}", wanted.id);
    let change = ClientChange {
        name: Some(wanted.name.clone()),
        enabled: Some(wanted.enabled),
        settings: Some(wanted.settings.clone()),
    };
    let Some(there) = client::find(conn, &wanted.id)? else {
        let mut held = terms.secrets.clients.get(&wanted.id).cloned().unwrap_or_default();
        held.reverse();
        let first = match (wanted.settings.public, held.pop()) {
            (true, _) => NewSecret::Public,
            (false, Some(text)) => NewSecret::Given(text),
            (false, None) => {
                report.remarks.push(format!(
                    "{name} came without its secret and has a new one that nobody knows: \
                     forebay client add-secret {} shows another",
                    wanted.id
                ));
                NewSecret::Generate
            }
        };
        let new = NewClient {
            id: Some(wanted.id.clone()),
            user_pool_id: pool_id.to_owned(),
            name: wanted.name.clone(),
            secret: first,
            settings: wanted.settings.clone(),
        };
        clients::create(conn, ctx, new)?;
        while let Some(text) = held.pop() {
            clients::add_secret(conn, ctx, &wanted.id, Some(text))?;
        }
        if !wanted.enabled {
            clients::update(conn, ctx, &wanted.id, change)?;
        }
        report.made.push(name);
        return Ok(());
    };
    if there.user_pool_id != pool_id {
        return Err(elsewhere(&name, &there.user_pool_id));
    }
    if (&there.name, there.enabled, &there.settings.0) == (&wanted.name, wanted.enabled, &wanted.settings) {
        return report.same();
    }
    report.differing.push(name);
    if terms.overwrite {
        clients::update(conn, ctx, &wanted.id, change)?;
    }
    Ok(())
}

fn user_group(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    wanted: &Group,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let name = format!("group {}", wanted.name);
    let about = Description {
        description: wanted.description.clone(),
        precedence: wanted.precedence,
        role_arn: wanted.role_arn.clone(),
    };
    let Some(there) = group::find(conn, pool_id, &wanted.name)? else {
        groups::create(conn, ctx, pool_id, &wanted.name, about)?;
        report.made.push(name);
        return Ok(());
    };
    let here = Description {
        description: there.description,
        precedence: there.precedence,
        role_arn: there.role_arn,
    };
    if here == about {
        return report.same();
    }
    report.differing.push(name);
    if terms.overwrite {
        groups::update(conn, ctx, pool_id, &wanted.name, |group| *group = about)?;
    }
    Ok(())
}

fn elsewhere(name: &str, pool_id: &str) -> Error {
    Error::Conflict(format!("{name} belongs to another pool here, {pool_id}"))
}

/// What the audit log says of a batch.
fn told(report: &people::Batch) -> Value {
    json!({
        "made": report.made,
        "equal": report.equal,
        "differing": report.differing.len(),
        "overwritten": report.overwritten,
        "refused": report.refused.len(),
        "memberships": report.memberships,
    })
}
