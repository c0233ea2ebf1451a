//! Email domains of tenants: claimed, proven by a record or asserted by an operator, lost, given up. Whose a domain is
//! nobody is told but its owner: a claim that cannot be proven says so without a name.

use serde_json::json;

use super::{Ctx, record, tenants, watch};
use crate::db::Conn;
use crate::error::Error;
use crate::model::reach::Reach;
use crate::model::tenant::Tenant;
use crate::model::tenant_domain::{self, Proof, TenantDomain};
use crate::rules::secret;
use crate::rules::tenant_domain::{self as rules, Found, Turn};

const TAKEN: &str = "the domain, or one that it lies in, is proven to be another organisation's";

/// Claims a domain for the tenant; until it is proven that means nothing.
pub fn claim(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    typed: &str,
    subdomains: bool,
) -> Result<TenantDomain, Error> {
    let tenant = tenants::find(conn, reach, tenant_id)?;
    let domain = rules::normalise(typed)?;
    if tenant_domain::of_tenant(conn, &tenant.id)?.len() >= rules::MOST {
        return Err(Error::invalid(
            "domain",
            format!("a tenant may have {} domains, which it has", rules::MOST),
        ));
    }
    let row = TenantDomain {
        tenant_id: tenant.id.clone(),
        domain,
        user_pool_id: tenant.user_pool_id.clone(),
        subdomains,
        token: secret::short_token(&ctx.entropy),
        proof: Proof::None,
        proven_at: None,
        checked_at: None,
        seen_at: None,
        lost_since: None,
        finding: String::new(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !tenant_domain::insert(conn, &row)? {
        return Err(Error::exists("domain", row.domain));
    }
    let about = json!({ "domain": row.domain, "subdomains": subdomains });
    record(
        conn,
        ctx,
        "tenant.domain_add",
        Some(&row.user_pool_id),
        &row.tenant_id,
        about,
    )?;
    Ok(row)
}

/// Says whether addresses in subdomains count as well.
pub fn set_subdomains(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    domain: &str,
    subdomains: bool,
) -> Result<TenantDomain, Error> {
    let (_, mut row) = held(conn, reach, tenant_id, domain)?;
    let old = row.subdomains;
    row.subdomains = subdomains;
    if row.is_proven() && subdomains && tenant_domain::any_below(conn, &row)? {
        return Err(Error::Conflict(format!(
            "another organisation has a domain below {domain}: ask the operator"
        )));
    }
    let row = keep(conn, ctx, row)?;
    let about = json!({ "domain": domain, "subdomains": { "old": old, "new": subdomains } });
    record(
        conn,
        ctx,
        "tenant.domain_update",
        Some(&row.user_pool_id),
        tenant_id,
        about,
    )?;
    Ok(row)
}

/// An operator says that the domain is the tenant's; whether the caller has the pool is the caller's to check.
pub fn assert(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    domain: &str,
) -> Result<TenantDomain, Error> {
    let (_, mut row) = held(conn, reach, tenant_id, domain)?;
    if stands_in_the_way(conn, &row)? {
        return Err(Error::Conflict(TAKEN.into()));
    }
    let old = row.proof;
    row.proof = Proof::Asserted;
    row.proven_at = row.proven_at.or(Some(ctx.now));
    row.lost_since = None;
    let row = keep(conn, ctx, row)?;
    let about = json!({ "domain": domain, "proof": { "old": old, "new": row.proof } });
    record(
        conn,
        ctx,
        "tenant.domain_assert",
        Some(&row.user_pool_id),
        tenant_id,
        about,
    )?;
    watch::settle_domains(conn, ctx, tenant_id)?;
    Ok(row)
}

/// Gives the domain up.
pub fn remove(conn: &mut Conn, ctx: &Ctx, reach: &Reach, tenant_id: &str, domain: &str) -> Result<(), Error> {
    let (tenant, row) = held(conn, reach, tenant_id, domain)?;
    tenant_domain::delete(conn, tenant_id, domain)?;
    let about = json!({ "domain": domain, "proof": row.proof });
    record(
        conn,
        ctx,
        "tenant.domain_remove",
        Some(&tenant.user_pool_id),
        tenant_id,
        about,
    )?;
    watch::settle_domains(conn, ctx, tenant_id)?;
    Ok(())
}

/// Takes over what a look for the record of this claim has found; nothing, when the claim was given up meanwhile.
pub fn looked(conn: &mut Conn, ctx: &Ctx, seen: &TenantDomain, found: &Found) -> Result<Turn, Error> {
    tenant_domain::hold_pool(conn, &seen.user_pool_id)?;
    let row = tenant_domain::find(conn, &seen.tenant_id, &seen.domain)?;
    let Some(mut row) = row.filter(|row| row.token == seen.token) else {
        return Ok(Turn::Same);
    };
    let taken = stands_in_the_way(conn, &row)?;
    let turn = rules::judge(&mut row, found, taken, ctx.now);
    let row = keep(conn, ctx, row)?;
    if let Some(action) = turn.action() {
        let about = json!({ "domain": row.domain, "finding": row.finding });
        record(conn, ctx, action, Some(&row.user_pool_id), &row.tenant_id, about)?;
        watch::settle_domains(conn, ctx, &row.tenant_id)?;
    }
    Ok(turn)
}

/// The claim, for whoever has the tenant.
pub fn find(conn: &mut Conn, reach: &Reach, tenant_id: &str, domain: &str) -> Result<TenantDomain, Error> {
    tenants::find(conn, reach, tenant_id)?;
    tenant_domain::find(conn, tenant_id, domain)?.ok_or_else(|| missing(domain))
}

/// The claim with its pool held, so that what is decided about it stays true until it is written.
fn held(
    conn: &mut Conn,
    reach: &Reach,
    tenant_id: &str,
    domain: &str,
) -> Result<(Tenant, TenantDomain), Error> {
    let tenant = tenants::find(conn, reach, tenant_id)?;
    tenant_domain::hold_pool(conn, &tenant.user_pool_id)?;
    let row = tenant_domain::find(conn, tenant_id, domain)?.ok_or_else(|| missing(domain))?;
    Ok((tenant, row))
}

fn stands_in_the_way(conn: &mut Conn, row: &TenantDomain) -> Result<bool, Error> {
    let names: Vec<&str> = rules::and_above(&row.domain).collect();
    let others = tenant_domain::proven_among(conn, &row.user_pool_id, &names)?;
    Ok(rules::is_taken(row, &others) || (row.subdomains && tenant_domain::any_below(conn, row)?))
}

fn keep(conn: &mut Conn, ctx: &Ctx, mut row: TenantDomain) -> Result<TenantDomain, Error> {
    row.updated_at = ctx.now;
    tenant_domain::update(conn, &row)?.ok_or_else(|| missing(&row.domain))
}

fn missing(domain: &str) -> Error {
    Error::not_found("domain", domain)
}
