//! Whether sign-ins are kept to try a mapping on: each connection says for itself, and its tenant may say that none are,
//! whatever its connections say. What was kept goes with the switch.

use serde_json::json;

use super::past;
use crate::actions::{Ctx, providers, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::mapper_input;
use crate::model::provider::{self, Provider, Replay};
use crate::model::reach::Reach;
use crate::model::tenant;

/// The longest that a sign-in is kept, in days.
const MOST_DAYS: u32 = 30;

/// Says whether a connection's sign-ins are kept, and for how long. What is kept beyond that goes.
pub fn keep_sign_ins(conn: &mut Conn, ctx: &Ctx, provider_id: &str, replay: Replay) -> Result<(), Error> {
    let mut provider = providers::lock(conn, provider_id)?;
    if !(1..=MOST_DAYS).contains(&replay.days) {
        return Err(Error::invalid(
            "days",
            format!("sign-ins are kept for 1 to {MOST_DAYS} days"),
        ));
    }
    let old = provider.settings.replay.clone();
    past::shorten(conn, provider_id, &old, &replay)?;
    if old == replay {
        return Ok(());
    }
    provider.settings.replay = replay.clone();
    provider.updated_at = ctx.now;
    provider::update(conn, &provider)?;
    record(
        conn,
        ctx,
        "provider.update",
        Some(&provider.user_pool_id),
        provider_id,
        crate::actions::difference(&json!({ "replay": old }), &json!({ "replay": replay })),
    )?;
    Ok(())
}

/// Says whether sign-ins of a tenant's connections are kept at all. Switched off, what was kept of them is deleted.
pub fn keep_of_tenant(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    keep: bool,
) -> Result<(), Error> {
    let missing = || Error::not_found("tenant", tenant_id);
    tenant::find(conn, reach, tenant_id)?.ok_or_else(missing)?;
    let mut row = tenant::lock(conn, tenant_id)?.ok_or_else(missing)?;
    let old = row.settings.keeps_sign_ins;
    row.settings.0.keeps_sign_ins = keep;
    row.updated_at = ctx.now;
    if old != keep {
        tenant::update(conn, &row)?.ok_or_else(missing)?;
        record(
            conn,
            ctx,
            "tenant.update",
            Some(&row.user_pool_id),
            tenant_id,
            json!({ "keeps_sign_ins": { "old": old, "new": keep } }),
        )?;
    }
    if !keep {
        mapper_input::forget_of_tenant(conn, tenant_id)?;
    }
    Ok(())
}

/// Whether the connection's tenant lets sign-ins be kept; the pool's own connections answer to nobody else.
pub fn tenant_allows(conn: &mut Conn, provider: &Provider) -> Result<bool, StoreError> {
    match &provider.tenant_id {
        Some(id) => Ok(tenant::keeps_sign_ins(conn, id)?),
        None => Ok(true),
    }
}

/// For a connection that came to a tenant: what the tenant does not want kept goes.
pub fn settle(conn: &mut Conn, provider: &Provider) -> Result<(), StoreError> {
    if !tenant_allows(conn, provider)? {
        mapper_input::forget(conn, &provider.id)?;
    }
    Ok(())
}
