//! "Only through Okta": switched on where nobody is locked out by it, confirmed by somebody who came in that very way,
//! lifted, and taken back by itself. A door closes only where the other one is open: at an app that offers none of the
//! tenant's connections, nothing changes.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::admins::break_glass;
use super::offers::{self, Offer};
use super::webhooks::{self, Event};
use super::{Ctx, clients, providers, record, tenants};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::client::Client;
use crate::model::enforcement::{self, Enforcement, PassedTest};
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::tenant::Tenant;
use crate::model::trace::count;
use crate::model::user::{self, User};
use crate::model::{administrator, audit, provider, tenant, tenant_domain};
use crate::rules::access::Barred;
use crate::rules::connection::fingerprint;
use crate::rules::email::Email;
use crate::rules::enforcement::{CONFIRM_SECONDS, Condition, Facts, USAGE_SECONDS, preflight};
use crate::rules::refusal::Through;
use crate::rules::tenant_domain::{and_above, covering};
use crate::text_enum;
use crate::world::UnixTime;

/// Sign-ins that are looked at to tell how many people come which way.
const MOST_COUNTED: i64 = 10_000;
/// Reverts of one run.
const BATCH: i64 = 200;
/// Events of a kind that are looked at for news.
const MOST_NEWS: i64 = 20;

/// How things stand for one of the tenant's connections, as its administrator `ctx.actor` sees it.
pub fn conditions(conn: &mut Conn, ctx: &Ctx, provider: &Provider) -> Result<Vec<Condition>, StoreError> {
    let Some(tenant_id) = &provider.tenant_id else {
        return Ok(Vec::new());
    };
    let test = enforcement::find_test(conn, &provider.id, &ctx.actor)?;
    let tested_at = test
        .filter(|test| test.fingerprint == fingerprint(provider))
        .map(|test| test.at);
    let facts = Facts {
        now: ctx.now,
        domains: tenant_domain::proven_of_tenant(conn, tenant_id)?.len(),
        provider,
        apps: clients::offering(conn, &provider.user_pool_id, &provider.name)?.len(),
        tested_at,
        break_glass: administrator::with_own_credentials(conn, &provider.user_pool_id, tenant_id)?,
    };
    Ok(preflight(&facts))
}

/// How many of the people in the tenant's domains who signed in within 30 days came through its connections, and of how
/// many.
pub fn usage(conn: &mut Conn, now: UnixTime, tenant: &Tenant) -> Result<(usize, usize), StoreError> {
    let proven = tenant_domain::proven_of_tenant(conn, &tenant.id)?;
    let own: Vec<String> = own_connections(conn, &tenant.user_pool_id, &tenant.id)?
        .into_iter()
        .map(|provider| provider.id)
        .collect();
    let since = now.plus(-USAGE_SECONDS);
    let mut ways: BTreeMap<String, bool> = BTreeMap::new();
    for (sub, provider_id) in count::people_since(conn, &tenant.user_pool_id, since, MOST_COUNTED)? {
        let came = provider_id.is_some_and(|id| own.contains(&id));
        *ways.entry(sub).or_default() |= came;
    }
    let subs: Vec<String> = ways.keys().cloned().collect();
    let mut people = HashMap::new();
    for some in subs.chunks(500) {
        for user in user::find_all(conn, some)? {
            people.insert(user.sub.clone(), user);
        }
    }
    let theirs = |sub: &String| {
        let user = people.get(sub);
        user.is_some_and(|user| domains(user).any(|domain| covering(&proven, &domain).is_some()))
    };
    let ways: Vec<bool> = ways
        .into_iter()
        .filter(|(sub, _)| theirs(sub))
        .map(|(_, came)| came)
        .collect();
    Ok((ways.iter().filter(|came| **came).count(), ways.len()))
}

/// Switches it on for a quarter of an hour; [`confirm`] makes it last.
pub fn enforce(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    provider_id: &str,
) -> Result<Enforcement, Error> {
    let tenant = held(conn, reach, tenant_id)?;
    let provider = providers::lock(conn, provider_id)?;
    if provider.tenant_id.as_ref() != Some(&tenant.id) {
        return Err(Error::not_found("connection", provider_id));
    }
    let failed: Vec<String> = conditions(conn, ctx, &provider)?
        .into_iter()
        .filter(|condition| !condition.passed)
        .map(|condition| condition.detail)
        .collect();
    if !failed.is_empty() {
        return Err(Error::Conflict(failed.join(" ")));
    }
    // What nobody confirmed is over, whether the job has been there or not.
    if enforcement::find(conn, &tenant.id)?.is_some_and(|old| !old.is_in_force(ctx.now)) {
        enforcement::delete(conn, &tenant.id)?;
    }
    let row = Enforcement {
        tenant_id: tenant.id.clone(),
        user_pool_id: tenant.user_pool_id.clone(),
        provider_id: provider.id,
        actor: ctx.actor.clone(),
        since: ctx.now,
        confirm_by: ctx.now.plus(CONFIRM_SECONDS),
        confirmed_at: None,
    };
    if !enforcement::insert(conn, &row)? {
        return Err(Error::Conflict("it is switched on already".into()));
    }
    let difference = json!({ "connection": row.provider_id, "confirm_by": row.confirm_by });
    tell(conn, ctx, Turn::On, &row, difference)?;
    Ok(row)
}

/// A session of whoever confirms: by which connection, and since when.
#[derive(Clone, Debug)]
pub struct Came {
    pub provider_id: String,
    pub at: UnixTime,
}

/// Makes it last, by somebody who has come since it was switched on, through the very connection that was tested and is
/// still what it was then, or through the one that some of its people are sent to.
pub fn confirm(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    sessions: &[Came],
) -> Result<Enforcement, Error> {
    let tenant = held(conn, reach, tenant_id)?;
    let waiting = enforcement::find(conn, &tenant.id)?.ok_or_else(over)?;
    let provider = providers::lock(conn, &waiting.provider_id)?;
    let Some(tested_at) = tested_since(conn, ctx, &waiting, &provider)? else {
        return Err(Error::Conflict(
            "The connection has been changed since it was tested: make another test sign-in, then sign in to an app through \
             it, come back and confirm."
                .into(),
        ));
    };
    let canary = provider.settings.canary.as_ref().map(|canary| canary.to.as_str());
    let is_proof = |came: &&Came| {
        came.at > waiting.since.max(tested_at)
            && (came.provider_id == provider.id || Some(came.provider_id.as_str()) == canary)
    };
    let Some(proof) = sessions.iter().find(is_proof) else {
        return Err(Error::Conflict(
            "Nobody has signed in through Okta in this browser since it was switched on: open an app, sign in there \
             through your connection, come back and confirm."
                .into(),
        ));
    };
    let row = enforcement::confirm(conn, &tenant.id, ctx.now)?.ok_or_else(over)?;
    // With the row held: an administrator who went since it was switched on has been seen to go, or waits for this.
    if !break_glass::can_be_lifted(conn, &row)? {
        return Err(Error::Conflict(
            "Nobody could lift it without Okta any more: give an administrator a password or a passkey, then confirm.".into(),
        ));
    }
    let difference = json!({ "came_by": proof.provider_id });
    tell(conn, ctx, Turn::Confirmed, &row, difference)?;
    Ok(row)
}

/// When the connection was tested as it is configured now: by whoever switched it on, or by whoever confirms.
fn tested_since(
    conn: &mut Conn,
    ctx: &Ctx,
    waiting: &Enforcement,
    provider: &Provider,
) -> Result<Option<UnixTime>, StoreError> {
    let present = fingerprint(provider);
    for actor in [&waiting.actor, &ctx.actor] {
        let test = enforcement::find_test(conn, &provider.id, actor)?;
        if let Some(test) = test.filter(|test| test.fingerprint == present) {
            return Ok(Some(test.at));
        }
    }
    Ok(None)
}

fn over() -> Error {
    Error::Conflict(
        "There is nothing to confirm: it was confirmed before, lifted, or has reverted by itself.".into(),
    )
}

/// Opens the other doors again.
pub fn lift(conn: &mut Conn, ctx: &Ctx, reach: &Reach, tenant_id: &str) -> Result<(), Error> {
    let tenant = held(conn, reach, tenant_id)?;
    let row = enforcement::delete(conn, &tenant.id)?
        .ok_or_else(|| Error::Conflict("nothing is enforced for this tenant".into()))?;
    tell(conn, ctx, Turn::Lifted, &row, json!({ "since": row.since }))?;
    Ok(())
}

/// Takes back what nobody confirmed in time; gives the number. It has not held since: this is for the record.
pub fn revert(conn: &mut Conn, ctx: &Ctx) -> Result<usize, StoreError> {
    let over = enforcement::take_unconfirmed(conn, ctx.now, BATCH)?;
    for row in &over {
        tell(conn, ctx, Turn::Reverted, row, json!({ "since": row.since }))?;
    }
    Ok(over.len())
}

text_enum! {
    /// What becomes of it, as the audit log has it.
    pub enum Turn {
        On = "tenant.enforce",
        Confirmed = "tenant.enforce_confirm",
        Lifted = "tenant.enforce_lift",
        Reverted = "tenant.enforce_revert",
    }
}

/// The audit log and whoever listens are told.
fn tell(
    conn: &mut Conn,
    ctx: &Ctx,
    turn: Turn,
    row: &Enforcement,
    difference: serde_json::Value,
) -> Result<(), StoreError> {
    let (tenant_id, pool_id) = (&row.tenant_id, &row.user_pool_id);
    record(conn, ctx, turn.as_str(), Some(pool_id), tenant_id, difference)?;
    let event = match turn {
        Turn::On => Event::EnforcementOn,
        Turn::Confirmed => Event::EnforcementConfirmed,
        Turn::Lifted => Event::EnforcementLifted,
        Turn::Reverted => Event::EnforcementReverted,
    };
    let data = json!({
        "tenant": tenant_id,
        "user_pool_id": pool_id,
        "connection": row.provider_id,
        "since": row.since.to_string(),
        "confirm_by": row.confirmed_at.is_none().then(|| row.confirm_by.to_string()),
    });
    webhooks::emit(conn, ctx, pool_id, Some(tenant_id), event, &data)
}

/// What last became of the ways in of a tenant.
#[derive(Clone, Debug)]
pub struct News {
    pub tenant_id: String,
    pub user_pool_id: String,
    pub turn: Turn,
    pub at: UnixTime,
    pub actor: String,
}

/// The latest of each tenant within reach since then, newest first.
pub fn news(conn: &mut Conn, reach: &Reach, since: UnixTime) -> Result<Vec<News>, StoreError> {
    let mut found: BTreeMap<String, (audit::Event, Turn)> = BTreeMap::new();
    for turn in Turn::ALL {
        let search = audit::Search {
            action: Some(turn.to_string()),
            since: Some(since),
            ..audit::Search::default()
        };
        for told in audit::list(conn, reach, &search, MOST_NEWS)? {
            match found.get(&told.target) {
                Some((known, _)) if (known.at, known.id) >= (told.at, told.id) => {}
                _ => drop(found.insert(told.target.clone(), (told, *turn))),
            }
        }
    }
    let mut news: Vec<News> = found
        .into_values()
        .filter_map(|(told, turn)| {
            Some(News {
                tenant_id: told.target,
                user_pool_id: told.user_pool_id?,
                turn,
                at: told.at,
                actor: told.actor,
            })
        })
        .collect();
    news.sort_by_key(|one| std::cmp::Reverse(one.at));
    Ok(news)
}

/// The tenant, held until the transaction ends, for an administrator with this reach.
fn held(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Tenant, Error> {
    tenants::find(conn, reach, id)?;
    tenant::lock(conn, id)?.ok_or_else(|| Error::not_found("tenant", id))
}

fn own_connections(
    conn: &mut Conn,
    user_pool_id: &str,
    tenant_id: &str,
) -> Result<Vec<Provider>, StoreError> {
    let its = Reach {
        tenants: vec![tenant_id.to_owned()],
        ..Reach::default()
    };
    Ok(provider::list_within(conn, &its, Some(user_pool_id))?)
}

/// Whether this user, who came by that connection, must come by another one: their tenant's, which the app offers.
pub fn closes(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    user: &User,
    connection: &str,
) -> Result<Option<Barred>, StoreError> {
    let claimants = claimants(conn, now, user, connection)?;
    if claimants.is_empty() {
        return Ok(None);
    }
    let offer = Offer::of(client);
    for Claimant { tenant_id, whose } in claimants {
        let mut own = offers::of_tenants(conn, &offer, std::slice::from_ref(&tenant_id))?;
        // A door that only an app can knock at, with a token, is none that another one may be closed for.
        own.retain(offers::is_for_browsers);
        // Of several the one that somebody has come in by when it was confirmed, or whose canary that one is.
        let confirmed = enforcement::find(conn, &tenant_id)?.map(|row| row.provider_id);
        let is_confirmed = |way: &&Provider| confirmed.as_ref() == Some(&way.id);
        let leads_there = |way: &&Provider| confirmed.as_ref().is_some_and(|id| way.leads_to(id));
        let way = own
            .iter()
            .find(is_confirmed)
            .or_else(|| own.iter().find(leads_there));
        if let Some(way) = way.or(own.first()) {
            let through = Through {
                label: way.settings.label.clone(),
                connection: way.name.clone(),
            };
            return Ok(Some(Barred::OnlyThrough { whose, through }));
        }
    }
    Ok(None)
}

/// Whether a tenant wants this user, who came by that connection, to come by its own wherever an app offers it: they then
/// change nothing of their profile that would make them somebody whom it does not concern.
pub fn is_wanted_elsewhere(
    conn: &mut Conn,
    now: UnixTime,
    user: &User,
    connection: &str,
) -> Result<bool, StoreError> {
    Ok(!claimants(conn, now, user, connection)?.is_empty())
}

/// A tenant that has closed other ways in for somebody, and what they know it by.
struct Claimant {
    tenant_id: String,
    whose: String,
}

/// The tenants that enforce their own connections on this user: those whose domain an address of theirs is in, and those
/// by whose connection they have come before, whatever their profile says now. Nobody's where they come by one of them:
/// with two, each would close the other's door.
fn claimants(
    conn: &mut Conn,
    now: UnixTime,
    user: &User,
    connection: &str,
) -> Result<Vec<Claimant>, StoreError> {
    if !enforcement::any_of_pool(conn, &user.user_pool_id)? {
        return Ok(Vec::new());
    }
    let mut claimants: Vec<Claimant> = Vec::new();
    for domain in domains(user) {
        let names: Vec<&str> = and_above(&domain).collect();
        let proven = tenant_domain::proven_among(conn, &user.user_pool_id, &names)?;
        if let Some(owner) = covering(&proven, &domain) {
            claimants.push(Claimant {
                tenant_id: owner.tenant_id.clone(),
                whose: owner.domain.clone(),
            });
        }
    }
    // Not only those that the app lists: a canary's people come by one that it does not.
    let came = provider::find(conn, connection)?.and_then(|provider| provider.tenant_id);
    let mut brought = Vec::new();
    for identity in user::identities(conn, &user.sub)? {
        let tenant = provider::find(conn, &identity.provider_id)?.and_then(|provider| provider.tenant_id);
        // Whom a tenant has brought is at home there, whatever was linked to them since.
        if identity.is_primary && tenant.is_some() && tenant == came {
            brought.clear();
            break;
        }
        brought.extend(tenant);
    }
    for tenant_id in brought {
        if claimants.iter().any(|known| known.tenant_id == tenant_id) {
            continue;
        }
        if let Some(tenant) = tenant::find(conn, &Reach::everything(), &tenant_id)? {
            let whose = tenant.name;
            claimants.push(Claimant { tenant_id, whose });
        }
    }
    let mut in_force = Vec::new();
    for claimant in claimants {
        let row = enforcement::find(conn, &claimant.tenant_id)?;
        if !row.is_some_and(|row| row.is_in_force(now)) {
            continue;
        }
        if came.as_ref() == Some(&claimant.tenant_id) {
            return Ok(Vec::new());
        }
        in_force.push(claimant);
    }
    Ok(in_force)
}

/// The domains of the addresses that a user goes by.
fn domains(user: &User) -> impl Iterator<Item = String> {
    let email = user.attributes.get("email").and_then(|value| value.as_str());
    [email, Some(user.username.as_str())]
        .into_iter()
        .flatten()
        .filter_map(|text| Some(Email::parse(text).ok()?.domain().to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Remembers that this administrator's test of a connection has passed.
pub fn note_test(conn: &mut Conn, ctx: &Ctx, provider: &Provider) -> Result<(), StoreError> {
    let test = PassedTest {
        provider_id: provider.id.clone(),
        actor: ctx.actor.clone(),
        fingerprint: fingerprint(provider),
        at: ctx.now,
    };
    Ok(enforcement::put_test(conn, &test)?)
}
