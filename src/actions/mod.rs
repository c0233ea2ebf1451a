//! What changes things: each action is one synchronous function over one connection and, run by `Db::write`, one
//! transaction. It looks up, asks the rules, changes, records one audit event and answers. Shared by every surface.

pub mod access;
pub mod admins;
pub mod canaries;
pub mod clients;
pub mod credentials;
pub mod domains;
pub mod enforcement;
#[cfg(test)]
pub(crate) mod fixture;
pub mod groups;
pub mod hooks;
pub mod identity_moves;
pub mod keys;
pub mod linking;
pub mod login;
pub mod login_pages;
pub mod logout;
pub mod mappings;
pub mod moving;
pub mod native;
pub mod offers;
pub mod pools;
pub mod profile;
pub mod providers;
pub mod registrations;
pub mod resource_servers;
pub mod setup_links;
pub mod tenant_domains;
pub mod tenants;
pub mod tokens;
pub mod traces;
pub mod user_sessions;
pub mod users;
pub mod watch;
pub mod webhooks;

use diesel::QueryResult;
use serde_json::{Map, Value, json};

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
///
/// An event about a tenant's own thing is the tenant's to see, found by what the action names: `tenant.*`, `provider.*`,
/// `connection.*` and `webhook.*` (targets are their ids), `user.*` (a `sub`), `administrator.*` (an address). What is deleted is recorded
/// before, while it can be told whose it is.
pub fn record(
    conn: &mut Conn,
    ctx: &Ctx,
    action: &str,
    user_pool_id: Option<&str>,
    target: &str,
    difference: Value,
) -> QueryResult<()> {
    let tenant_id = audit::tenant_of(conn, action, target)?;
    record_for(
        conn,
        ctx,
        tenant_id.as_deref(),
        action,
        user_pool_id,
        target,
        difference,
    )
}

/// The same, where it is known whose own the thing is.
pub fn record_for(
    conn: &mut Conn,
    ctx: &Ctx,
    tenant_id: Option<&str>,
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
            tenant_id: tenant_id.map(str::to_owned),
        },
    )
}

/// What differs between two shapes of a thing, as an audit event holds it: `{"name": {"old": …, "new": …}}`. Objects are
/// compared member by member, everything else as a whole.
pub fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return json!({ "old": old, "new": new });
    };
    let mut changes = Map::new();
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            let [old, new] = [old, new].map(|value| value.unwrap_or(&Value::Null));
            changes.insert(name.clone(), difference(old, new));
        }
    }
    Value::Object(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_members_that_changed() {
        let old = json!({ "a": 1, "b": { "c": [1], "d": 2 }, "gone": true });
        let new = json!({ "a": 1, "b": { "c": [1, 2], "d": 2 }, "came": null, "fresh": {} });
        assert_eq!(
            difference(&old, &new),
            json!({
                "b": { "c": { "old": [1], "new": [1, 2] } },
                "gone": { "old": true, "new": null },
                "came": { "old": null, "new": null },
                "fresh": { "old": null, "new": {} },
            })
        );
        assert_eq!(difference(&old, &old), json!({}));
    }
}
