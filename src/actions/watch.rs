//! The watch over connections: keeps what a look at one has found and what the claims of its sign-ins have shown, and
//! raises or ends its notices. Who listens is told in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::webhooks::{self, Event};
use super::{Ctx, record};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::claims_seen::{self, Profile, Shape};
use crate::model::mapping::{self, Source};
use crate::model::notice::{self, Change, Kind, Notice};
use crate::model::probe::{self, Facts, Probe, Stage};
use crate::model::provider::{self, Provider};
use crate::model::reach::Reach;
use crate::model::tenant_domain;
use crate::model::tile_start;
use crate::rules::mapping::saved;
use crate::rules::{drift, watch};
use crate::world::UnixTime;

/// Keeps a look at a connection and settles everything that may need attention there.
pub fn keep_look(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    stages: Vec<Stage>,
    facts: Facts,
) -> Result<(), Error> {
    // Held until the end: profile and notices are read, judged and written back.
    let provider = provider::lock(conn, provider_id)?
        .ok_or_else(|| Error::not_found("identity provider", provider_id))?;
    // What another issuer showed says nothing about this one.
    let before = probe::find(conn, provider_id)?
        .map(|probe| probe.facts.0)
        .filter(|facts| facts.issuer == provider.issuer);
    let mut row = Probe {
        provider_id: provider.id.clone(),
        passed: !stages.iter().any(Stage::failed),
        stages: Json(stages),
        facts: Json(facts),
        at: ctx.now,
    };
    let mut wanted = watch::of_probe(&row, before.as_ref());
    row.facts = Json(watch::remember(row.facts.0, before));
    probe::put(conn, &row)?;
    wanted.extend(watch::of_secrets(&provider, ctx.now));
    if let Some((mut profile, at)) = claims_seen::profile(conn, provider_id)? {
        drift::forget(&mut profile, ctx.now);
        claims_seen::put_profile(conn, provider_id, &profile, at)?;
        let groups = group_claims(conn, provider_id)?;
        wanted.extend(watch::of_claims(provider_id, &profile, &groups, ctx.now));
    }
    let change = notice::settle(conn, provider_id, watch::ALL, wanted)?;
    tell(conn, ctx, &provider, &change)?;
    Ok(())
}

/// Notes which claims came at a sign-in, in its own transaction: one insert, no row that others wait for.
pub fn note_claims(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    subject: &str,
    claims: &Map<String, Value>,
) -> Result<(), StoreError> {
    let shape = Shape {
        person: person(ctx, provider_id, subject),
        ..drift::shape(claims)
    };
    claims_seen::insert(conn, provider_id, shape, ctx.now)?;
    Ok(())
}

/// Clicks on a connection's tile within this time are remembered as one.
const TILE_SECONDS: i64 = 3_600;

/// Whether a click on the connection's tile was remembered a short while ago.
pub fn knows_tile(conn: &mut Conn, now: UnixTime, provider_id: &str) -> Result<bool, StoreError> {
    let known = tile_start::find(conn, provider_id)?;
    Ok(known.is_some_and(|known| known.last_at > now.plus(-TILE_SECONDS)))
}

/// Remembers that somebody has clicked on the connection's tile.
pub fn note_tile(conn: &mut Conn, now: UnixTime, provider_id: &str) -> Result<(), StoreError> {
    Ok(tile_start::note(conn, provider_id, now, now.plus(-TILE_SECONDS))?)
}

/// Four bytes of an HMAC under the root key: enough to tell people of one connection apart, and no way back to anybody.
fn person(ctx: &Ctx, provider_id: &str, subject: &str) -> Option<u32> {
    let whole = format!("{provider_id} {subject}");
    let hash = ctx.sealer.derive("claims-seen", whole.as_bytes()).next()?;
    hash.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Reads at most `limit` noted sign-ins into the profiles of their connections; gives their number.
pub fn read_claims(conn: &mut Conn, ctx: &Ctx, limit: i64) -> Result<usize, StoreError> {
    let taken = claims_seen::take(conn, limit)?;
    let count = taken.len();
    let mut by_provider: BTreeMap<String, Vec<(Shape, UnixTime)>> = BTreeMap::new();
    for sighting in taken {
        let one = (sighting.shape.0, sighting.at);
        by_provider.entry(sighting.provider_id).or_default().push(one);
    }
    for (provider_id, sightings) in by_provider {
        // Held until the end: somebody may be accepting a claim at this moment.
        let Some(provider) = provider::lock(conn, &provider_id)? else {
            continue;
        };
        let mut profile =
            claims_seen::profile(conn, &provider_id)?.map_or_else(Profile::default, |(known, _)| known);
        for (shape, at) in &sightings {
            drift::add(&mut profile, shape, *at);
        }
        settle_claims(conn, ctx, &provider, &profile)?;
    }
    Ok(count)
}

/// An administrator says that a claim is meant to be as it is now.
pub fn accept_claim(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str, claim: &str) -> Result<(), Error> {
    let missing = || Error::not_found("identity provider", id);
    provider::find_within(conn, reach, id)?.ok_or_else(missing)?;
    // Held until the end: the job may be adding sign-ins at this moment.
    let provider = provider::lock(conn, id)?.ok_or_else(missing)?;
    let known = claims_seen::profile(conn, id)?.filter(|(profile, _)| profile.claims.contains_key(claim));
    let Some((mut profile, _)) = known else {
        return Err(Error::not_found("claim", claim));
    };
    drift::accept(&mut profile, claim);
    record(
        conn,
        ctx,
        "connection.claim.accept",
        Some(&provider.user_pool_id),
        id,
        json!({ "claim": claim }),
    )?;
    settle_claims(conn, ctx, &provider, &profile)?;
    Ok(())
}

fn settle_claims(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &Provider,
    profile: &Profile,
) -> Result<(), StoreError> {
    claims_seen::put_profile(conn, &provider.id, profile, ctx.now)?;
    let groups = group_claims(conn, &provider.id)?;
    let wanted = watch::of_claims(&provider.id, profile, &groups, ctx.now);
    let change = notice::settle(conn, &provider.id, watch::CLAIMS, wanted)?;
    tell(conn, ctx, provider, &change)
}

/// The claims that hold groups: the one that is called so, and those that the groups rule reads.
fn group_claims(conn: &mut Conn, provider_id: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut names = BTreeSet::from(["groups".to_owned()]);
    let rules = mapping::current(conn, provider_id)?.map(|mapping| mapping.rules.0);
    if let Some(rules) = rules
        && let Some(rule) = &rules.groups
    {
        match &rule.source {
            Source::Claim(name) => {
                names.insert(name.clone());
            }
            Source::Expression(text) => {
                if let Ok(expression) = saved(provider_id, &rules).expression(text) {
                    names.extend(expression.claims().into_iter().map(str::to_owned));
                }
            }
        }
    }
    Ok(names)
}

/// Brings the notices of the tenant's connections in line with its domains whose proof is gone.
pub fn settle_domains(conn: &mut Conn, ctx: &Ctx, tenant_id: &str) -> Result<(), Error> {
    let domains = tenant_domain::of_tenant(conn, tenant_id)?;
    let of_tenant = Reach {
        tenants: vec![tenant_id.to_owned()],
        ..Reach::default()
    };
    for provider in provider::list_within(conn, &of_tenant, None)? {
        let wanted = watch::of_domains(&provider.id, &domains, ctx.now);
        let change = notice::settle(conn, &provider.id, &[Kind::DomainLost], wanted)?;
        tell(conn, ctx, &provider, &change)?;
    }
    Ok(())
}

/// Records what began or ended and queues it for who listens. A connection that is not in use troubles nobody.
fn tell(conn: &mut Conn, ctx: &Ctx, provider: &Provider, change: &Change) -> Result<(), StoreError> {
    let recovered = change.left == 0 && !change.ended.is_empty();
    let (event, notices) = match (change.raised.is_empty(), recovered) {
        (false, _) => (Event::ConnectionAttention, &change.raised),
        (true, true) => (Event::ConnectionRecovered, &change.ended),
        (true, false) => return Ok(()),
    };
    let notices: Vec<Value> = notices.iter().map(told).collect();
    record(
        conn,
        ctx,
        event.as_str(),
        Some(&provider.user_pool_id),
        &provider.id,
        json!({ "notices": notices }),
    )?;
    if !provider.enabled {
        return Ok(());
    }
    let data = json!({
        "connection": { "id": provider.id, "name": provider.name, "issuer": provider.issuer },
        "user_pool_id": provider.user_pool_id,
        "tenant": provider.tenant_id,
        "notices": notices,
    });
    let tenant = provider.tenant_id.as_deref();
    webhooks::emit(conn, ctx, &provider.user_pool_id, tenant, event, &data)
}

fn told(notice: &Notice) -> Value {
    json!({
        "kind": notice.kind,
        "subject": notice.subject,
        "title": notice.kind.title(),
        "detail": notice.detail,
        "remedy": notice.kind.remedy(),
        "since": notice.since.to_string(),
    })
}
