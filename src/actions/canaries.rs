//! Canaries: some of a connection's people are sent to a second connection of the same tenant, until it is promoted or
//! aborted. Whoever comes is the same user either way, because the tenant has its people recognised; where they would not
//! be there is no canary.

use serde_json::{Value, json};

use super::profile::LINK_STOPPED;
use super::{Ctx, difference, providers, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::audit::{self, Event, Search};
use crate::model::provider::{self, Canary, Provider};
use crate::model::reach::Reach;
use crate::model::tenant::{self, Linking, Tenant};
use crate::model::user::lookalike;
use crate::model::{group, mapping, tenant_domain, trace};
use crate::rules::{canary as rules, email};
use crate::world::UnixTime;

/// People with one address that are looked at.
const LOOKED_AT: i64 = 10;
/// Events about people who were not recognised that are looked at.
const MOST_STOPPED: i64 = 1_000;

/// Starts a canary, or changes whom it takes; its beginning stays while it leads to the same connection.
pub fn set(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str, canary: Canary) -> Result<Provider, Error> {
    let row = held(conn, reach, id)?;
    let mut canary = rules::check(canary)?;
    let to = provider::find_within(conn, reach, &canary.to)?
        .filter(|to| to.id != row.id && to.user_pool_id == row.user_pool_id && to.tenant_id == row.tenant_id)
        .ok_or_else(|| Error::invalid("to", "must be another connection of the tenant"))?;
    if !to.enabled {
        return Err(Error::invalid(
            "to",
            format!("{} is not live: let it go live first", to.name),
        ));
    }
    if to.settings.canary.is_some() {
        return Err(Error::invalid("to", format!("{} has a canary itself", to.name)));
    }
    let Some(tenant_id) = &row.tenant_id else {
        return Err(Error::Conflict(
            "a canary is of a tenant's own connections".into(),
        ));
    };
    let linking = tenant::linking(conn, tenant_id)?;
    if let Some(why) = unrecognised(conn, tenant_id, &linking, &row.id, &to.id)? {
        return Err(Error::Conflict(why));
    }
    let before = row
        .settings
        .canary
        .as_ref()
        .filter(|before| before.to == canary.to);
    canary.since = before.map_or(ctx.now, |before| before.since);
    keep(conn, ctx, row, Some(canary), "canary")
}

/// Sends everybody to the second connection, also those of whom nothing is known before they sign in.
pub fn promote(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<Provider, Error> {
    let row = held(conn, reach, id)?;
    let canary = running(&row)?;
    let to = provider::find(conn, &canary.to)?;
    if !to.is_some_and(|to| to.enabled) {
        return Err(Error::Conflict(
            "the second connection is not live any more".into(),
        ));
    }
    let promoted = Canary {
        promoted: true,
        ..canary
    };
    keep(conn, ctx, row, Some(promoted), "canary_promote")
}

/// Sends everybody the old way again. Whoever came by the second connection is found to be the same user there, too.
pub fn abort(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<Provider, Error> {
    let row = held(conn, reach, id)?;
    running(&row)?;
    keep(conn, ctx, row, None, "canary_abort")
}

/// Why people of the one connection would not be recognised at the other one.
fn unrecognised(
    conn: &mut Conn,
    tenant_id: &str,
    linking: &Linking,
    from: &str,
    to: &str,
) -> Result<Option<String>, StoreError> {
    let here = mapping::current(conn, from)?.map(|mapping| mapping.rules.0);
    let there = mapping::current(conn, to)?.map(|mapping| mapping.rules.0);
    let (here, there) = (here.unwrap_or_default(), there.unwrap_or_default());
    let has_domain = !tenant_domain::proven_of_tenant(conn, tenant_id)?.is_empty();
    Ok(rules::recognises(linking, &here.brought(), &there.brought(), has_domain).err())
}

/// Refuses to change by what a tenant's people are recognised, where a canary of its connections relies on that.
pub(super) fn check_linking(conn: &mut Conn, row: &Tenant, linking: &Linking) -> Result<(), Error> {
    let reach = Reach {
        tenants: vec![row.id.clone()],
        ..Reach::default()
    };
    for from in provider::list_within(conn, &reach, Some(&row.user_pool_id))? {
        let Some(canary) = &from.settings.canary else {
            continue;
        };
        if let Some(why) = unrecognised(conn, &row.id, linking, &from.id, &canary.to)? {
            return Err(Error::Conflict(format!(
                "{} has a canary, which is to be ended first: {why}",
                from.name
            )));
        }
    }
    Ok(())
}

fn held(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Provider, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = match id.contains('\0') {
        true => None,
        false => provider::find_within(conn, reach, id)?,
    };
    found.ok_or_else(|| Error::not_found("connection", id))?;
    providers::lock(conn, id)
}

fn running(row: &Provider) -> Result<Canary, Error> {
    row.settings
        .canary
        .clone()
        .ok_or_else(|| Error::Conflict("there is no canary".into()))
}

fn keep(
    conn: &mut Conn,
    ctx: &Ctx,
    mut row: Provider,
    canary: Option<Canary>,
    what: &str,
) -> Result<Provider, Error> {
    let old = std::mem::replace(&mut row.settings.canary, canary);
    row.updated_at = ctx.now;
    let row = provider::update(conn, &row)?.ok_or_else(|| Error::not_found("connection", &row.id))?;
    let changes = difference(
        &json!({ "canary": old }),
        &json!({ "canary": row.settings.canary }),
    );
    let action = format!("provider.{what}");
    record(conn, ctx, &action, Some(&row.user_pool_id), &row.id, changes)?;
    Ok(row)
}

/// Whether somebody with this address is in the group.
pub fn is_member(
    conn: &mut Conn,
    user_pool_id: &str,
    address: &str,
    group: &str,
) -> Result<bool, StoreError> {
    for user in lookalike::by_email(conn, user_pool_id, &email::written(address), LOOKED_AT)? {
        let held = group::memberships(conn, &user.sub)?;
        if held.iter().any(|one| one.group_name == group) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How sign-ins by a connection have ended since then.
pub fn outcomes(conn: &mut Conn, id: &str, since: UnixTime) -> Result<trace::count::Outcomes, StoreError> {
    Ok(trace::count::by_outcome(conn, id, since)?)
}

/// How many people have got an account of their own there since then because something spoke against their being whom
/// their address or number led to. Each stands in the audit log.
pub fn stopped(conn: &mut Conn, tenant_id: &str, id: &str, since: UnixTime) -> Result<usize, StoreError> {
    let reach = Reach {
        tenants: vec![tenant_id.to_owned()],
        ..Reach::default()
    };
    let search = Search {
        action: Some(LINK_STOPPED.into()),
        since: Some(since),
        ..Search::default()
    };
    let events = audit::list(conn, &reach, &search, MOST_STOPPED)?;
    let by_it = |event: &&Event| event.difference.get("provider").and_then(Value::as_str) == Some(id);
    Ok(events.iter().filter(by_it).count())
}
