//! Keeping the story of a login attempt and handing out the short code it is found by.

use serde_json::{Map, Value, json};

use super::mappings::past;
use super::{Ctx, record_for};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::reach::Reach;
use crate::model::trace::search;
use crate::model::trace::{self, Outcome, Step, Story, Trace};
use crate::model::{admin_session, audit, provider};
use crate::rules::email::Email;
use crate::rules::secret;
use crate::seal::Sealer;
use crate::world::UnixTime;

/// A trace before it has its code.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub user_pool_id: Option<String>,
    pub provider_id: Option<String>,
    pub client_id: Option<String>,
    pub user_sub: Option<String>,
    pub started_at: UnixTime,
    pub reached_provider: bool,
    /// Whose attempt it is, as far as somebody has said so.
    pub person_hash: Option<Vec<u8>>,
    pub story: Story,
}

impl Draft {
    /// The attempt is that of the person with this address. Something to search by and nothing else: until the upstream's
    /// answer is verified it is only what somebody said.
    pub fn concerns(&mut self, sealer: &Sealer, address: &str) {
        self.person_hash = person_hash(sealer, address).or(self.person_hash.take());
    }

    /// Adds what happened next.
    pub fn step(&mut self, name: &str, passed: bool, detail: impl Into<String>) {
        self.story.steps.push(Step {
            name: name.to_owned(),
            passed,
            detail: detail.into(),
        });
    }
}

/// What a trace keeps of an address; nothing of what is none.
pub fn person_hash(sealer: &Sealer, address: &str) -> Option<Vec<u8>> {
    let address = Email::parse(address.trim()).ok()?;
    trace::person_hashes(sealer, address.as_str()).into_iter().next()
}

/// The claims of a sign-in, for an administrator who asks to see them.
pub enum Claims {
    /// Not a sign-in of their own people.
    OutOfReach,
    NotKept,
    Kept(Map<String, Value>),
}

/// Claims stay open for a quarter of an hour.
pub const OPEN_SECONDS: i64 = 15 * 60;

/// Whether an administrator with this reach may be shown the claims of this sign-in.
pub fn may_show(conn: &mut Conn, reach: &Reach, code: &str) -> Result<bool, StoreError> {
    Ok(search::find_within(conn, reach, code)?.is_some())
}

/// Shows the claims of one sign-in as they came. That they were shown is recorded with it, or they are not.
pub fn show_claims(conn: &mut Conn, ctx: &Ctx, reach: &Reach, code: &str) -> Result<Claims, StoreError> {
    let Some(trace) = search::find_within(conn, reach, code)? else {
        return Ok(Claims::OutOfReach);
    };
    let Some(claims) = remembered(conn, ctx, &trace)? else {
        return Ok(Claims::NotKept);
    };
    record_about(conn, ctx, "trace.show_claims", &trace)?;
    Ok(Claims::Kept(claims))
}

/// Opens claims to this session of an administrator, beginning with those of one sign-in.
pub fn open_claims(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    session: &[u8],
    code: &str,
) -> Result<(), Error> {
    let trace = search::find_within(conn, reach, code)?.ok_or_else(|| Error::not_found("trace", code))?;
    admin_session::open_values(conn, session, Some(ctx.now.plus(OPEN_SECONDS)))?;
    record_about(conn, ctx, "trace.open_claims", &trace)?;
    Ok(())
}

/// Closes them before the time is over.
pub fn close_claims(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    session: &[u8],
    code: &str,
) -> Result<(), Error> {
    let trace = search::find_within(conn, reach, code)?.ok_or_else(|| Error::not_found("trace", code))?;
    admin_session::open_values(conn, session, None)?;
    record_about(conn, ctx, "trace.close_claims", &trace)?;
    Ok(())
}

/// The event belongs to the tenant whose person signed in.
fn record_about(conn: &mut Conn, ctx: &Ctx, action: &str, trace: &Trace) -> Result<(), StoreError> {
    let tenant_id = match &trace.provider_id {
        Some(id) => audit::tenant_of(conn, "provider", id)?,
        None => None,
    };
    record_for(
        conn,
        ctx,
        tenant_id.as_deref(),
        action,
        trace.user_pool_id.as_deref(),
        &trace.code,
        json!({ "provider": trace.provider_id, "user": trace.user_sub }),
    )?;
    Ok(())
}

/// What the mapping was given at that sign-in.
fn remembered(conn: &mut Conn, ctx: &Ctx, trace: &Trace) -> Result<Option<Map<String, Value>>, StoreError> {
    let Some(id) = &trace.provider_id else {
        return Ok(None);
    };
    let Some(provider) = provider::find(conn, id)? else {
        return Ok(None);
    };
    let past = past::by_trace(conn, &ctx.sealer, ctx.now, &provider, &trace.code)?;
    Ok(past.map(|past| past.contents.claims))
}

/// Stores the story for `days` and gives its code.
pub fn keep(
    conn: &mut Conn,
    ctx: &Ctx,
    draft: Draft,
    outcome: Outcome,
    cause: &str,
    days: u32,
) -> Result<String, StoreError> {
    let mut row = Trace {
        code: String::new(),
        user_pool_id: draft.user_pool_id,
        provider_id: draft.provider_id,
        client_id: draft.client_id,
        user_sub: draft.user_sub,
        outcome,
        cause: cause.to_owned(),
        reached_provider: draft.reached_provider,
        story: Json(draft.story),
        started_at: draft.started_at,
        expires_at: ctx.now.plus(i64::from(days) * 86_400),
        person_hash: draft.person_hash,
    };
    // A thousand million codes: a second draw is rare, a tenth does not happen.
    for _ in 0..10 {
        row.code = secret::trace_code(&ctx.entropy);
        if trace::insert(conn, &row)? {
            return Ok(row.code);
        }
    }
    Err(StoreError::Lost("no free trace code".into()))
}
