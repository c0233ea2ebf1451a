//! Tenants: customer organisations inside a pool, and which connections are theirs.

use serde_json::{Value, json};

use super::{Ctx, canaries, mappings, pools, providers, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::client;
use crate::model::provider;
use crate::model::reach::Reach;
use crate::model::tenant::{self, Linking, Settings, Tenant};
use crate::rules::registration::provider as rules;

/// A tenant to make.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// DNS-safe; never changed.
    pub id: String,
    pub user_pool_id: String,
    pub name: String,
}

pub fn create(conn: &mut Conn, ctx: &Ctx, new: NewTenant) -> Result<Tenant, Error> {
    let pool = pools::find(conn, &new.user_pool_id)?;
    rules::slug(&new.id)?;
    check_name(&new.name)?;
    let row = Tenant {
        id: new.id,
        user_pool_id: pool.id,
        name: new.name,
        settings: Json(Settings::default()),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !tenant::insert(conn, &row)? {
        return Err(Error::exists("tenant", row.id));
    }
    record(
        conn,
        ctx,
        "tenant.create",
        Some(&row.user_pool_id),
        &row.id,
        json!({ "name": row.name }),
    )?;
    Ok(row)
}

pub fn rename(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str, name: &str) -> Result<Tenant, Error> {
    find(conn, reach, id)?;
    check_name(name)?;
    let old = tenant::lock(conn, id)?.ok_or_else(|| missing(id))?;
    let mut row = old.clone();
    row.name = name.to_owned();
    row.updated_at = ctx.now;
    let row = tenant::update(conn, &row)?.ok_or_else(|| missing(id))?;
    record(
        conn,
        ctx,
        "tenant.update",
        Some(&row.user_pool_id),
        id,
        json!({ "name": { "old": old.name, "new": row.name } }),
    )?;
    Ok(row)
}

/// Says to which app clients the tenant's people may sign in; none named: to all that list its connections.
pub fn set_clients(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
    clients: Vec<String>,
) -> Result<Tenant, Error> {
    find(conn, reach, id)?;
    let mut row = tenant::lock(conn, id)?.ok_or_else(|| missing(id))?;
    for client in &clients {
        let known = client::find(conn, client)?;
        if known.is_none_or(|known| known.user_pool_id != row.user_pool_id) {
            return Err(Error::invalid(
                "clients",
                format!("{client} is no app client of the pool"),
            ));
        }
    }
    let old = std::mem::replace(&mut row.settings.clients, clients);
    let changes = json!({ "clients": { "old": old, "new": row.settings.clients } });
    set(conn, ctx, row, changes)
}

/// Says by what the tenant's people are recognised at their first sign-in by one of its connections.
pub fn set_linking(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
    linking: Linking,
) -> Result<Tenant, Error> {
    find(conn, reach, id)?;
    let mut row = tenant::lock(conn, id)?.ok_or_else(|| missing(id))?;
    let pool = pools::find(conn, &row.user_pool_id)?;
    if let Some(name) = &linking.attribute
        && (name == "email" || pool.settings.attribute(name).is_none())
    {
        return Err(Error::invalid(
            "number",
            "must be an attribute of the pool's schema that holds something like an employee number",
        ));
    }
    canaries::check_linking(conn, &row, &linking)?;
    let old = std::mem::replace(&mut row.settings.linking, linking);
    let changes = json!({ "linking": { "old": old, "new": row.settings.linking } });
    set(conn, ctx, row, changes)
}

/// Keeps changed settings.
fn set(conn: &mut Conn, ctx: &Ctx, mut row: Tenant, changes: Value) -> Result<Tenant, Error> {
    let id = row.id.clone();
    row.updated_at = ctx.now;
    let row = tenant::update(conn, &row)?.ok_or_else(|| missing(&id))?;
    record(conn, ctx, "tenant.update", Some(&row.user_pool_id), &id, changes)?;
    Ok(row)
}

/// Deletes the tenant. Its connections stay, the pool's alone and switched off: as the pool's own they would vouch for
/// more than the tenant's, which somebody has to want.
pub fn delete(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<(), Error> {
    find(conn, reach, id)?;
    let row = tenant::lock(conn, id)?.ok_or_else(|| missing(id))?;
    let switched_off = provider::disable_of_tenant(conn, id, ctx.now)?;
    tenant::delete(conn, id)?;
    record(
        conn,
        ctx,
        "tenant.delete",
        Some(&row.user_pool_id),
        id,
        json!({ "name": row.name, "connections_switched_off": switched_off }),
    )?;
    Ok(())
}

/// Makes the connection a tenant's own, or with `None` the pool's again.
pub fn give_connection(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    tenant_id: Option<&str>,
) -> Result<(), Error> {
    // Held, and before the connection as `delete` does: a tenant that goes takes along what it was given.
    let tenant = match tenant_id {
        Some(id) => Some(tenant::lock(conn, id)?.ok_or_else(|| missing(id))?),
        None => None,
    };
    let mut row = providers::lock(conn, provider_id)?;
    // Its administrators could turn it to another issuer, and one callback for parties that do not trust each other lets
    // one take the other's codes.
    if tenant.is_some() && row.settings.shared_callback {
        return Err(Error::Conflict(format!(
            "connection {provider_id} uses the callback address without a name, which is for the pool's own connections: \
             switch that off first, and register the address with its name at the upstream"
        )));
    }
    if tenant
        .as_ref()
        .is_some_and(|tenant| tenant.user_pool_id != row.user_pool_id)
    {
        return Err(Error::invalid(
            "tenant",
            "belongs to another pool than the connection",
        ));
    }
    let old = row.tenant_id.clone();
    row.tenant_id = tenant.map(|tenant| tenant.id);
    row.updated_at = ctx.now;
    provider::update(conn, &row)?;
    mappings::keeping::settle(conn, &row)?;
    record(
        conn,
        ctx,
        "provider.update",
        Some(&row.user_pool_id),
        provider_id,
        json!({ "tenant": { "old": old, "new": row.tenant_id } }),
    )?;
    Ok(())
}

pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Tenant, Error> {
    tenant::find(conn, reach, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Error {
    Error::not_found("tenant", id)
}

fn check_name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if length == 0 || length > 128 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "1-128 characters, in one line"));
    }
    Ok(())
}
