//! The watch over connections: keeps what a look at one has found and what the claims of its sign-ins have shown, and
//! raises or ends its notices. Who listens is told in the same transaction.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::webhooks::{self, Event};
use super::{Ctx, providers, record};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::claims_seen::{self, Profile, Shape};
use crate::model::notice::{self, Change, Notice};
use crate::model::probe::{self, Facts, Probe, Stage};
use crate::model::provider::{self, Provider};
use crate::model::reach::Reach;
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
    let provider = providers::find(conn, provider_id)?;
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
        wanted.extend(watch::of_claims(provider_id, &profile, ctx.now));
    }
    let change = notice::settle(conn, provider_id, watch::ALL, wanted)?;
    tell(conn, ctx, &provider, &change)?;
    Ok(())
}

/// Notes which claims came at a sign-in, in its own transaction: one insert, no row that others wait for.
pub fn note_claims(
    conn: &mut Conn,
    provider_id: &str,
    claims: &Map<String, Value>,
    now: UnixTime,
) -> Result<(), StoreError> {
    claims_seen::insert(conn, provider_id, drift::shape(claims), now)?;
    Ok(())
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
        let Some(provider) = provider::find(conn, &provider_id)? else {
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
    let provider = provider::find_within(conn, reach, id)?.ok_or_else(missing)?;
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
    let wanted = watch::of_claims(&provider.id, profile, ctx.now);
    let change = notice::settle(conn, &provider.id, watch::CLAIMS, wanted)?;
    tell(conn, ctx, provider, &change)
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
