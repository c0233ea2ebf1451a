//! What is kept of Okta's own API: which scopes a connection was granted, and, sealed, the tokens of administrators who
//! made a test sign-in there.
//!
//! A person's token is used for their own profile while they sign in and then dropped. Only the import of Okta's mapping
//! needs one later, and it needs that of an administrator of Okta: so whoever imports comes with the token of their own
//! test sign-in, and never with somebody else's.

use super::Ctx;
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::provider::{ApiScope, Provider};
use crate::model::upstream_grant::{self, UpstreamGrant};
use crate::model::upstream_token::{self, Tokens, UpstreamToken};
use crate::seal::Label;

const PURPOSE: &str = "upstream-token";
/// A token that can be refreshed is kept for so long after the test sign-in.
const KEPT: i64 = 30 * 86_400;

/// What a token endpoint gave for Okta's API.
#[derive(Clone)]
pub struct Granted {
    pub scopes: Vec<ApiScope>,
    pub tokens: Tokens,
    /// Seconds that the access token lasts.
    pub lasts: i64,
}

/// Notes what a sign-in was granted, in its own transaction.
pub fn note_granted(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    scopes: &[ApiScope],
) -> Result<(), StoreError> {
    let grant = UpstreamGrant {
        provider_id: provider_id.to_owned(),
        scopes: Json(scopes.to_vec()),
        at: ctx.now,
    };
    Ok(upstream_grant::note(conn, &grant)?)
}

/// Keeps what a test sign-in was granted; `provider` is locked, so that the switch does not go off in between.
pub fn keep_tested(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &Provider,
    administrator_id: &str,
    granted: &Granted,
) -> Result<(), StoreError> {
    let asked = &provider.settings.okta_api;
    let scopes: Vec<ApiScope> = granted
        .scopes
        .iter()
        .copied()
        .filter(|scope| asked.contains(scope))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    note_granted(conn, ctx, &provider.id, &scopes)?;
    if !scopes.contains(&ApiScope::ProfileMappingsRead) {
        return Ok(());
    }
    let access_ends = ctx.now.plus(granted.lasts);
    let expires_at = match granted.tokens.refresh_token {
        Some(_) => ctx.now.plus(KEPT),
        None => access_ends,
    };
    let row = UpstreamToken {
        provider_id: provider.id.clone(),
        administrator_id: administrator_id.to_owned(),
        scopes: Json(scopes),
        sealed: seal(ctx, provider, administrator_id, &granted.tokens)?,
        access_ends,
        expires_at,
    };
    Ok(upstream_token::put(conn, &row)?)
}

/// Stores what a refresh gave.
pub fn keep_refreshed(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &Provider,
    seen: &UpstreamToken,
    tokens: &Tokens,
    lasts: i64,
) -> Result<(), StoreError> {
    let sealed = seal(ctx, provider, &seen.administrator_id, tokens)?;
    upstream_token::replace(conn, seen, &sealed, ctx.now.plus(lasts))?;
    Ok(())
}

/// With the switch go the tokens: when it is off, and when they were given for another configuration.
pub fn forget_what_is_over(conn: &mut Conn, old: &Provider, new: &Provider) -> Result<bool, StoreError> {
    let asked = &new.settings.okta_api;
    let narrowed = old.settings.okta_api.iter().any(|scope| !asked.contains(scope));
    let moved = old.issuer != new.issuer
        || old.settings.client_id != new.settings.client_id
        || old.settings.endpoints != new.settings.endpoints;
    if !narrowed && !moved {
        return Ok(false);
    }
    upstream_grant::forget(conn, &new.id)?;
    Ok(upstream_token::forget(conn, &new.id)?)
}

/// Opens what is kept for an administrator.
pub fn open(ctx: &Ctx, provider: &Provider, row: &UpstreamToken) -> Result<Tokens, StoreError> {
    let name = name_of(provider, &row.administrator_id);
    let plain = ctx.sealer.open(label(provider, &name), &row.sealed);
    plain
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok())
        .ok_or_else(|| StoreError::Unreadable(format!("an upstream token of connection {}", provider.id)))
}

fn seal(
    ctx: &Ctx,
    provider: &Provider,
    administrator_id: &str,
    tokens: &Tokens,
) -> Result<Vec<u8>, StoreError> {
    let plain = serde_json::to_vec(tokens).map_err(|cause| StoreError::Lost(cause.to_string()))?;
    let name = name_of(provider, administrator_id);
    Ok(ctx.sealer.seal(label(provider, &name), &plain))
}

fn name_of(provider: &Provider, administrator_id: &str) -> String {
    format!("{}/{administrator_id}", provider.id)
}

fn label<'a>(provider: &'a Provider, name: &'a str) -> Label<'a> {
    Label {
        purpose: PURPOSE,
        scope: &provider.user_pool_id,
        name,
    }
}
