//! Webhook: an address of an administrator's that is told what happens, and the deliveries to it, which are the queue as
//! well as the record of what was answered.

use diesel::prelude::*;

use crate::db::schema::{webhook_deliveries, webhooks};
use crate::db::{Conn, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks)]
#[diesel(treat_none_as_null = true)]
pub struct Webhook {
    pub id: String,
    pub user_pool_id: String,
    /// Only what happens to this tenant's connections; else everything in the pool.
    pub tenant_id: Option<String>,
    pub url: String,
    /// Sealed for purpose `webhook-secret`; the pool is the scope, the id the name.
    pub secret_sealed: Vec<u8>,
    pub enabled: bool,
    /// Since when every delivery has failed.
    pub failing_since: Option<UnixTime>,
    /// Why we have switched it off ourselves; '' otherwise.
    pub stopped: String,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_deliveries)]
pub struct Delivery {
    /// `webhook-id`, the same at every attempt.
    pub id: String,
    pub webhook_id: String,
    /// The body as it is sent.
    pub payload: String,
    pub attempts: i64,
    /// What came back last, for people.
    pub last_answer: String,
    pub created_at: UnixTime,
    /// When it is tried next; while it is being tried, when another node may.
    pub next_at: UnixTime,
    /// When it arrived or was given up.
    pub done_at: Option<UnixTime>,
}

fn within(reach: &Reach) -> webhooks::BoxedQuery<'static, MultiBackend> {
    let query = webhooks::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        webhooks::user_pool_id
            .eq_any(reach.pools.clone())
            .or(webhooks::tenant_id
                .assume_not_null()
                .eq_any(reach.tenants.clone())
                .and(webhooks::tenant_id.is_not_null())),
    )
}

pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Webhook>> {
    within(reach)
        .filter(webhooks::id.eq(id.to_owned()))
        .select(Webhook::as_select())
        .first(conn)
        .optional()
}

/// Those of one pool, or of all.
pub fn list(conn: &mut Conn, reach: &Reach, user_pool_id: Option<&str>) -> QueryResult<Vec<Webhook>> {
    let mut query = within(reach)
        .order((webhooks::user_pool_id, webhooks::created_at, webhooks::id))
        .select(Webhook::as_select());
    if let Some(id) = user_pool_id {
        query = query.filter(webhooks::user_pool_id.eq(id.to_owned()));
    }
    query.load(conn)
}

/// How many webhooks the pool, or the tenant in it, has of its own.
pub fn count(conn: &mut Conn, user_pool_id: &str, tenant_id: Option<&str>) -> QueryResult<i64> {
    let query = webhooks::table
        .filter(webhooks::user_pool_id.eq(user_pool_id.to_owned()))
        .into_boxed::<MultiBackend>();
    match tenant_id {
        Some(id) => query.filter(webhooks::tenant_id.eq(id.to_owned())),
        None => query.filter(webhooks::tenant_id.is_null()),
    }
    .count()
    .get_result(conn)
}

/// The enabled webhooks that hear of what happens to this tenant, or to what is the pool's alone.
pub fn listening(conn: &mut Conn, user_pool_id: &str, tenant_id: Option<&str>) -> QueryResult<Vec<Webhook>> {
    let all: Vec<Webhook> = webhooks::table
        .filter(webhooks::user_pool_id.eq(user_pool_id))
        .filter(webhooks::enabled.eq(true))
        .order(webhooks::id)
        .select(Webhook::as_select())
        .load(conn)?;
    let hears = |webhook: &Webhook| webhook.tenant_id.is_none() || webhook.tenant_id.as_deref() == tenant_id;
    Ok(all.into_iter().filter(hears).collect())
}

pub fn insert(conn: &mut Conn, webhook: &Webhook) -> QueryResult<()> {
    diesel::insert_into(webhooks::table)
        .values(webhook)
        .execute(conn)
        .map(|_| ())
}

/// Holds the row until the transaction ends, and reads it.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Webhook>> {
    diesel::update(webhooks::table.find(id))
        .set(webhooks::updated_at.eq(webhooks::updated_at))
        .returning(columns::<Webhook>())
        .get_result(conn)
        .optional()
}

pub fn update(conn: &mut Conn, webhook: &Webhook) -> QueryResult<Option<Webhook>> {
    diesel::update(webhooks::table.find(&webhook.id))
        .set(webhook)
        .returning(columns::<Webhook>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(webhooks::table.find(id)).execute(conn)? == 1)
}

/// Remembers that a delivery went well (`None`) or badly, the first time of which is kept.
pub fn set_failing(conn: &mut Conn, id: &str, since: Option<UnixTime>) -> QueryResult<()> {
    let row = webhooks::table.find(id);
    match since {
        Some(_) => diesel::update(row.filter(webhooks::failing_since.is_null()))
            .set(webhooks::failing_since.eq(since))
            .execute(conn),
        None => diesel::update(row.filter(webhooks::failing_since.is_not_null()))
            .set(webhooks::failing_since.eq(since))
            .execute(conn),
    }
    .map(|_| ())
}

pub fn enqueue(conn: &mut Conn, delivery: &Delivery) -> QueryResult<()> {
    diesel::insert_into(webhook_deliveries::table)
        .values(delivery)
        .execute(conn)
        .map(|_| ())
}

/// Ends the oldest waiting deliveries of a webhook beyond the latest `keep`.
pub fn trim(conn: &mut Conn, webhook_id: &str, keep: i64, now: UnixTime, why: &str) -> QueryResult<usize> {
    let waiting: i64 = webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook_id))
        .filter(webhook_deliveries::done_at.is_null())
        .count()
        .get_result(conn)?;
    if waiting <= keep {
        return Ok(0);
    }
    let oldest: Vec<String> = webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook_id))
        .filter(webhook_deliveries::done_at.is_null())
        .order((webhook_deliveries::created_at, webhook_deliveries::id))
        .limit(waiting - keep)
        .select(webhook_deliveries::id)
        .load(conn)?;
    diesel::update(webhook_deliveries::table)
        .filter(webhook_deliveries::id.eq_any(oldest))
        .set((
            webhook_deliveries::done_at.eq(Some(now)),
            webhook_deliveries::last_answer.eq(why),
        ))
        .execute(conn)
}

/// The webhook's deliveries, newest first.
pub fn deliveries(conn: &mut Conn, webhook_id: &str, limit: i64) -> QueryResult<Vec<Delivery>> {
    webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook_id))
        .order((
            webhook_deliveries::created_at.desc(),
            webhook_deliveries::id.desc(),
        ))
        .limit(limit)
        .select(Delivery::as_select())
        .load(conn)
}

/// Takes due deliveries of enabled webhooks until `until`, so that no other node sends them as well, and counts the
/// attempt. Each webhook gives at most `each`, so that one with a long queue does not hold up the others.
pub fn claim(
    conn: &mut Conn,
    now: UnixTime,
    until: UnixTime,
    each: usize,
    limit: i64,
) -> QueryResult<Vec<(Delivery, Webhook)>> {
    let due: Vec<(String, String)> = webhook_deliveries::table
        .inner_join(webhooks::table.on(webhooks::id.eq(webhook_deliveries::webhook_id)))
        .filter(webhooks::enabled.eq(true))
        .filter(webhook_deliveries::done_at.is_null())
        .filter(webhook_deliveries::next_at.le(now))
        .order((webhook_deliveries::next_at, webhook_deliveries::id))
        .limit(limit * 20)
        .select((webhook_deliveries::id, webhook_deliveries::webhook_id))
        .load(conn)?;
    let mut taken = Vec::new();
    let mut by_webhook = std::collections::HashMap::<String, usize>::new();
    for (id, webhook_id) in due {
        let count = by_webhook.entry(webhook_id.clone()).or_default();
        if *count >= each || taken.len() as i64 >= limit {
            continue;
        }
        let claimed: Option<Delivery> = diesel::update(webhook_deliveries::table.find(&id))
            .filter(webhook_deliveries::done_at.is_null())
            .filter(webhook_deliveries::next_at.le(now))
            .set((
                webhook_deliveries::next_at.eq(until),
                webhook_deliveries::attempts.eq(webhook_deliveries::attempts + 1),
            ))
            .returning(columns::<Delivery>())
            .get_result(conn)
            .optional()?;
        let webhook = find(conn, &Reach::everything(), &webhook_id)?;
        if let (Some(delivery), Some(webhook)) = (claimed, webhook) {
            *count += 1;
            taken.push((delivery, webhook));
        }
    }
    Ok(taken)
}

/// What came of an attempt: done at a time, or to be tried again at another.
pub fn settle(
    conn: &mut Conn,
    id: &str,
    answer: &str,
    next_at: UnixTime,
    done_at: Option<UnixTime>,
) -> QueryResult<()> {
    diesel::update(webhook_deliveries::table.find(id))
        .set((
            webhook_deliveries::last_answer.eq(answer),
            webhook_deliveries::next_at.eq(next_at),
            webhook_deliveries::done_at.eq(done_at),
        ))
        .execute(conn)
        .map(|_| ())
}

/// How many deliveries wait.
pub fn waiting(conn: &mut Conn) -> QueryResult<i64> {
    webhook_deliveries::table
        .inner_join(webhooks::table.on(webhooks::id.eq(webhook_deliveries::webhook_id)))
        .filter(webhooks::enabled.eq(true))
        .filter(webhook_deliveries::done_at.is_null())
        .count()
        .get_result(conn)
}

/// Deletes deliveries that were made before; at most `limit`.
pub fn delete_old(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<String> = webhook_deliveries::table
        .filter(webhook_deliveries::created_at.lt(before))
        .limit(limit)
        .select(webhook_deliveries::id)
        .load(conn)?;
    diesel::delete(webhook_deliveries::table.filter(webhook_deliveries::id.eq_any(old))).execute(conn)
}
