//! Webhooks: who is told of what happens. An event is queued in the transaction of what it tells of, so that neither
//! comes without the other; a job delivers it.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Ctx, pools, record, record_for, tenants};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::reach::Reach;
use crate::model::webhook::{self, Delivery, Webhook};
use crate::rules::secret;
use crate::rules::webhook::{self as rules, Answer};
use crate::seal::{Label, Sealer};
use crate::text_enum;

const SECRET_PURPOSE: &str = "webhook-secret";

text_enum! {
    /// What is told.
    pub enum Event {
        /// Something about a connection has begun to need attention.
        ConnectionAttention = "connection.attention",
        /// Nothing about it does any more.
        ConnectionRecovered = "connection.recovered",
        /// It went live.
        ConnectionLive = "connection.live",
        /// A customer has brought it there alone, by a set-up link.
        SetUpCompleted = "setup_link.completed",
        /// A tenant lets its people in through its own connections only, until it is confirmed or taken back.
        EnforcementOn = "tenant.enforcement_on",
        /// Somebody who came that way has made it last.
        EnforcementConfirmed = "tenant.enforcement_confirmed",
        /// An administrator has opened the other ways again.
        EnforcementLifted = "tenant.enforcement_lifted",
        /// Nobody confirmed it in time: the other ways are open again.
        EnforcementReverted = "tenant.enforcement_reverted",
        /// An administrator tries the webhook.
        Test = "webhook.test",
    }
}

/// A webhook to make.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    pub user_pool_id: String,
    /// Only for what happens to this tenant.
    pub tenant_id: Option<String>,
    /// Admitted by the outbound fence.
    pub url: url::Url,
}

/// Makes a webhook and gives its secret, which is never shown again.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    new: NewWebhook,
) -> Result<(Webhook, Zeroizing<String>), Error> {
    let pool = match &new.tenant_id {
        Some(id) => tenants::find(conn, reach, id)?.user_pool_id,
        None if reach.has_pool(&new.user_pool_id) && !new.user_pool_id.contains('\0') => {
            pools::find(conn, &new.user_pool_id)?.id
        }
        None => return Err(Error::not_found("user pool", new.user_pool_id)),
    };
    if pool != new.user_pool_id {
        return Err(Error::invalid("place", "the tenant belongs to another pool"));
    }
    if webhook::count(conn, &pool, new.tenant_id.as_deref())? >= rules::MOST {
        return Err(Error::Conflict(format!(
            "there are {} webhooks already: delete one first",
            rules::MOST
        )));
    }
    let mut row = Webhook {
        id: format!("wh_{}", secret::lower(&ctx.entropy, 20)),
        user_pool_id: pool,
        tenant_id: new.tenant_id,
        url: new.url.into(),
        secret_sealed: Vec::new(),
        enabled: true,
        failing_since: None,
        stopped: String::new(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let plain = draw_secret(ctx, &mut row);
    webhook::insert(conn, &row)?;
    let shape = json!({ "url": row.url, "tenant": row.tenant_id });
    record(
        conn,
        ctx,
        "webhook.create",
        Some(&row.user_pool_id),
        &row.id,
        shape,
    )?;
    Ok((row, plain))
}

/// Switches it on, with a clean slate, or off.
pub fn set_enabled(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
    enabled: bool,
) -> Result<Webhook, Error> {
    let old = locked(conn, reach, id)?;
    let mut row = old.clone();
    row.enabled = enabled;
    row.failing_since = None;
    row.stopped = String::new();
    row.updated_at = ctx.now;
    let row = webhook::update(conn, &row)?.ok_or_else(|| missing(id))?;
    let changes = json!({ "enabled": { "old": old.enabled, "new": enabled } });
    record(conn, ctx, "webhook.update", Some(&row.user_pool_id), id, changes)?;
    Ok(row)
}

/// Replaces the secret at once and gives the new one.
pub fn replace_secret(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
) -> Result<(Webhook, Zeroizing<String>), Error> {
    let mut row = locked(conn, reach, id)?;
    let plain = draw_secret(ctx, &mut row);
    row.updated_at = ctx.now;
    let row = webhook::update(conn, &row)?.ok_or_else(|| missing(id))?;
    let changes = json!({ "secret": "replaced" });
    record(conn, ctx, "webhook.update", Some(&row.user_pool_id), id, changes)?;
    Ok((row, plain))
}

pub fn delete(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<(), Error> {
    let row = find(conn, reach, id)?;
    webhook::delete(conn, id)?;
    let shape = json!({ "url": row.url });
    let tenant_id = row.tenant_id.as_deref();
    record_for(
        conn,
        ctx,
        tenant_id,
        "webhook.delete",
        Some(&row.user_pool_id),
        id,
        shape,
    )?;
    Ok(())
}

/// Queues a delivery that says nothing but that it is one.
pub fn test(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<(), Error> {
    let row = find(conn, reach, id)?;
    if !row.enabled {
        return Err(Error::Conflict(
            "the webhook is switched off: switch it on first".into(),
        ));
    }
    let data = json!({ "webhook": row.id });
    queue(conn, ctx, &row, Event::Test, &data)?;
    record(conn, ctx, "webhook.test", Some(&row.user_pool_id), id, json!({}))?;
    Ok(())
}

/// Tells every webhook that hears of this tenant, or of what is the pool's alone. `data` holds no secret and nothing of
/// a user's.
pub fn emit(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    tenant_id: Option<&str>,
    event: Event,
    data: &Value,
) -> Result<(), StoreError> {
    for row in webhook::listening(conn, user_pool_id, tenant_id)? {
        queue(conn, ctx, &row, event, data)?;
    }
    Ok(())
}

fn queue(conn: &mut Conn, ctx: &Ctx, row: &Webhook, event: Event, data: &Value) -> Result<(), StoreError> {
    let payload = json!({ "type": event, "timestamp": ctx.now.to_string(), "data": data });
    let delivery = Delivery {
        id: format!("msg_{}", secret::lower(&ctx.entropy, 26)),
        webhook_id: row.id.clone(),
        payload: payload.to_string(),
        attempts: 0,
        last_answer: String::new(),
        created_at: ctx.now,
        next_at: ctx.now,
        done_at: None,
    };
    webhook::enqueue(conn, &delivery)?;
    let why = "not sent: too many newer ones wait";
    webhook::trim(conn, &row.id, rules::LONGEST_QUEUE, ctx.now, why)?;
    Ok(())
}

/// How a delivery stands after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Arrived,
    Failed,
    GivenUp,
}

/// Settles an attempt: done, to be tried again, or given up. A receiver that says it is gone for good, or has answered
/// nothing well for days, is switched off.
pub fn answered(
    conn: &mut Conn,
    ctx: &Ctx,
    row: &Webhook,
    delivery: &Delivery,
    answer: &Answer,
) -> Result<Outcome, StoreError> {
    let said = match answer {
        Answer::Status(status) => format!("answered {status}"),
        Answer::Nothing(why) => why.clone(),
    };
    if matches!(answer, Answer::Status(200..=299)) {
        webhook::settle(conn, &delivery.id, &said, ctx.now, Some(ctx.now))?;
        webhook::set_failing(conn, &row.id, None)?;
        return Ok(Outcome::Arrived);
    }
    let next = rules::next_attempt(delivery.attempts, ctx.now);
    let done = next.is_none().then_some(ctx.now);
    webhook::settle(conn, &delivery.id, &said, next.unwrap_or(ctx.now), done)?;
    webhook::set_failing(conn, &row.id, Some(ctx.now))?;
    let stopped = match (answer, row.failing_since) {
        (Answer::Status(410), _) => Some("the receiver answered 410: it is gone for good".to_owned()),
        (_, Some(since)) if ctx.now.since(since) >= rules::GIVE_UP => Some(format!(
            "every delivery has failed since {since}; the last one: {said}"
        )),
        _ => None,
    };
    if let Some(why) = stopped
        && let Some(mut now) = webhook::find(conn, &Reach::everything(), &row.id)?.filter(|now| now.enabled)
    {
        now.enabled = false;
        now.stopped = why;
        now.updated_at = ctx.now;
        webhook::update(conn, &now)?;
        let changes = json!({ "enabled": { "old": true, "new": false }, "why": now.stopped });
        record(
            conn,
            ctx,
            "webhook.update",
            Some(&now.user_pool_id),
            &now.id,
            changes,
        )?;
    }
    Ok(if done.is_some() {
        Outcome::GivenUp
    } else {
        Outcome::Failed
    })
}

/// The secret in the clear, for signing.
pub fn open_secret(sealer: &Sealer, row: &Webhook) -> Result<Zeroizing<String>, StoreError> {
    sealer
        .open_text(label(row), &row.secret_sealed)
        .map_err(|_| StoreError::Unreadable(format!("the secret of webhook {}", row.id)))
}

pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Webhook, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = if id.contains('\0') {
        None
    } else {
        webhook::find(conn, reach, id)?
    };
    found.ok_or_else(|| missing(id))
}

/// The row as it is to be changed: nobody else changes it before this transaction has ended.
fn locked(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Webhook, Error> {
    find(conn, reach, id)?;
    webhook::lock(conn, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Error {
    Error::not_found("webhook", id)
}

fn draw_secret(ctx: &Ctx, row: &mut Webhook) -> Zeroizing<String> {
    let plain = Zeroizing::new(rules::new_secret(&ctx.entropy));
    row.secret_sealed = ctx.sealer.seal(label(row), plain.as_bytes());
    plain
}

fn label(row: &Webhook) -> Label<'_> {
    Label {
        purpose: SECRET_PURPOSE,
        scope: &row.user_pool_id,
        name: &row.id,
    }
}
