//! Mappings of connections: versions saved, compared and brought back, and what a draft would do, tried on made-up claims
//! ([`preview`]) and on the sign-ins of the past ([`replay`]).

mod contracts;
pub mod past;
pub mod preview;
pub mod replay;

use serde_json::json;

pub use contracts::{ContractBreach, breaches};

use super::{Ctx, pools, providers, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::mapping::{self, Mapping, Rules};
use crate::model::pool;
use crate::model::provider::{self, Provider, Replay};
use crate::rules::mapping::check;
use crate::rules::mapping::difference::{self, Change};

/// The longest that a sign-in is kept, in days.
const MOST_DAYS: u32 = 30;

/// A mapping to save.
#[derive(Clone, Debug, Default)]
pub struct Save {
    /// The version that the author started from, 0 for none.
    pub seen: i64,
    pub rules: Rules,
    pub note: String,
    /// Save also what breaks an app's contract.
    pub accept_breaches: bool,
}

/// Saves a new version of a mapping. When another was saved since the author looked, theirs is not overwritten; what
/// breaks the contract of an app is not saved unless that is accepted. Rules that change nothing make no version.
pub fn save(conn: &mut Conn, ctx: &Ctx, provider_id: &str, save: Save) -> Result<Mapping, Error> {
    let provider = providers::find(conn, provider_id)?;
    let pool = pools::find(conn, &provider.user_pool_id)?;
    let Save {
        seen, rules, note, ..
    } = save;
    check_rules(&rules, &pool.settings)?;
    if note.chars().count() > 500 || note.chars().any(char::is_control) {
        return Err(Error::invalid("note", "at most 500 characters, in one line"));
    }
    let current = mapping::current(conn, provider_id)?;
    let version = current.as_ref().map_or(0, |current| current.version);
    if version != seen {
        return Err(Error::Conflict(format!(
            "the mapping of '{}' is at version {version} by now: look at it, then save yours again",
            provider.name
        )));
    }
    if let Some(current) = &current
        && current.rules.0 == rules
    {
        return Ok(current.clone());
    }
    let before = current.map(|current| current.rules.0).unwrap_or_default();
    let broken = breaches(conn, &ctx.sealer, ctx.now, &pool, &provider, &before, &rules)?;
    let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
    if !broken.is_empty() && !save.accept_breaches {
        return Err(Error::Conflict(format!(
            "this mapping would break what apps rely on: {}",
            broken.join("; ")
        )));
    }
    let saved = insert_version(conn, ctx, &provider, version + 1, &rules, &note)?;
    let mut changes = json!({ "version": saved.version, "old": before, "new": rules });
    if !broken.is_empty() {
        changes["accepted_breaches"] = json!(broken);
    }
    record(
        conn,
        ctx,
        "provider.mapping.save",
        Some(&provider.user_pool_id),
        provider_id,
        changes,
    )?;
    Ok(saved)
}

/// Makes the rules of an earlier version the newest ones again.
pub fn rollback(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    seen: i64,
    version: i64,
    accept_breaches: bool,
) -> Result<Mapping, Error> {
    let old = find(conn, provider_id, version)?;
    let again = Save {
        seen,
        rules: old.rules.0,
        note: format!("rollback to version {version}"),
        accept_breaches,
    };
    save(conn, ctx, provider_id, again)
}

/// Says whether a connection's sign-ins are kept to try its mapping on, and for how long. What is kept beyond that goes.
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
        super::difference(&json!({ "replay": old }), &json!({ "replay": replay })),
    )?;
    Ok(())
}

/// That version, or the error that says it is not there. Version 0 is the mapping before there was one: no rules.
pub fn find(conn: &mut Conn, provider_id: &str, version: i64) -> Result<Mapping, Error> {
    if version == 0 {
        let provider = providers::find(conn, provider_id)?;
        return Ok(Mapping {
            provider_id: provider.id,
            version: 0,
            rules: Json(Rules::default()),
            author: String::new(),
            note: String::new(),
            created_at: provider.created_at,
        });
    }
    mapping::find(conn, provider_id, version)?
        .ok_or_else(|| Error::not_found("version of the mapping", version.to_string()))
}

/// What differs between two versions.
pub fn compare(conn: &mut Conn, provider_id: &str, from: i64, to: i64) -> Result<Vec<Change>, Error> {
    let (from, to) = (find(conn, provider_id, from)?, find(conn, provider_id, to)?);
    Ok(difference::between(&from.rules, &to.rules))
}

/// Refuses rules with mistakes, all of them told.
pub(super) fn check_rules(rules: &Rules, pool: &pool::Settings) -> Result<(), Error> {
    let mistakes: Vec<String> = check(rules, pool).iter().map(ToString::to_string).collect();
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Error::invalid("mapping", mistakes.join("; ")))
}

pub(super) fn insert_version(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &Provider,
    version: i64,
    rules: &Rules,
    note: &str,
) -> Result<Mapping, Error> {
    let mapping = Mapping {
        provider_id: provider.id.clone(),
        version,
        rules: Json(rules.clone()),
        author: ctx.actor.clone(),
        note: note.to_owned(),
        created_at: ctx.now,
    };
    if !mapping::insert(conn, &mapping)? {
        return Err(Error::Conflict(format!(
            "another version {version} of the mapping of '{}' was saved at the same moment",
            provider.name
        )));
    }
    Ok(mapping)
}

#[cfg(test)]
mod tests;
