//! What changes things: each action is one synchronous function over one connection and, run by `Db::write`, one
//! transaction. It looks up, asks the rules, changes, records one audit event and answers. Shared by every surface.

pub mod login;
pub mod logout;
pub mod profile;
pub mod tokens;
pub mod traces;

use diesel::QueryResult;
use serde_json::Value;

use crate::db::{Conn, Json};
use crate::model::audit;
use crate::seal::Sealer;
use crate::world::{Entropy, UnixTime};

/// Who acts, when, and what an action may draw on.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// As it stands in the audit log: `cli:<login name>`, `client:<id>`, `user:<sub>`, `system`.
    pub actor: String,
    pub request_id: String,
    pub now: UnixTime,
    pub entropy: Entropy,
    pub sealer: Sealer,
}

/// Writes the audit event of a change, in the change's own transaction. `difference` holds no secret.
pub fn record(
    conn: &mut Conn,
    ctx: &Ctx,
    action: &str,
    user_pool_id: Option<&str>,
    target: &str,
    difference: Value,
) -> QueryResult<()> {
    audit::insert(
        conn,
        &audit::NewEvent {
            at: ctx.now,
            actor: ctx.actor.clone(),
            action: action.to_owned(),
            user_pool_id: user_pool_id.map(str::to_owned),
            target: target.to_owned(),
            difference: Json(difference),
            request_id: ctx.request_id.clone(),
        },
    )
}
