//! Keeping the story of a login attempt and handing out the short code it is found by.

use super::Ctx;
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::trace::{self, Outcome, Step, Story, Trace};
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
