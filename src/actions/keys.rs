//! Signing keys: a successor is published, takes over, and what it succeeded goes when nothing that it signed can still
//! be good (`rules::key_rotation` says when). Each step holds whatever other nodes do meanwhile: the database lets a
//! pool have one active and one pending key of each use, and a step that finds the key in another state undoes itself.

use serde_json::json;

use super::{Ctx, pools, record};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::key::{self, SigningKey, State, Usage};
use crate::rules::jwks::{self, KeyPair};
use crate::rules::key_rotation::{KEPT_SECONDS, LEAD_SECONDS};
use crate::seal::Label;

/// Makes a key. Takes long: to be done off the async threads and before the transaction.
pub fn make() -> Result<KeyPair, Error> {
    jwks::generate()
        .map_err(|cause| Error::Internal(StoreError::Lost(format!("no signing key could be made: {cause}"))))
}

/// Seals and stores a key. False when the pool has one in that state already.
pub(super) fn insert(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    usage: Usage,
    state: State,
    pair: &KeyPair,
) -> Result<bool, Error> {
    let label = Label {
        purpose: "signing-key",
        scope: pool_id,
        name: &pair.kid,
    };
    let row = SigningKey {
        kid: pair.kid.clone(),
        user_pool_id: pool_id.to_owned(),
        usage,
        state,
        public_jwk: Json(pair.public_jwk.clone()),
        private_sealed: ctx.sealer.seal(label, &pair.private_der),
        created_at: ctx.now,
        state_since: ctx.now,
    };
    Ok(key::insert(conn, &row)?)
}

/// Publishes successors. They sign once every verifier can know them ([`promote`]). Of a use that has a successor
/// waiting, the new key is dropped; when all have, that is a conflict.
pub fn rotate(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    successors: &[(Usage, KeyPair)],
) -> Result<Vec<String>, Error> {
    pools::find(conn, pool_id)?;
    let mut published = Vec::new();
    for (usage, pair) in successors {
        if insert(conn, ctx, pool_id, *usage, State::Pending, pair)? {
            published.push(pair.kid.clone());
        }
    }
    if published.is_empty() {
        return Err(Error::Conflict(
            "a rotation is under way: its new keys are published and take over within minutes".into(),
        ));
    }
    record(
        conn,
        ctx,
        "key.rotate",
        Some(pool_id),
        pool_id,
        json!({ "published": published }),
    )?;
    Ok(published)
}

/// Lets a pending key sign, once it has been published long enough, and retires the one before it. False when there was
/// nothing to do (any more).
pub fn promote(conn: &mut Conn, ctx: &Ctx, pending: &SigningKey) -> Result<bool, Error> {
    let retired = key::retire_active(conn, &pending.user_pool_id, pending.usage, &pending.kid, ctx.now)?;
    let published_by = ctx.now.plus(-LEAD_SECONDS);
    match (
        key::activate(conn, &pending.kid, published_by, ctx.now)?,
        &retired,
    ) {
        (true, _) => {}
        (false, None) => return Ok(false),
        // Nobody takes over: what was retired above must go on signing.
        (false, Some(_)) => return Err(Error::Conflict(format!("key {} is not pending", pending.kid))),
    }
    record(
        conn,
        ctx,
        "key.promote",
        Some(&pending.user_pool_id),
        &pending.user_pool_id,
        json!({ "use": pending.usage, "active": pending.kid, "retiring": retired }),
    )?;
    Ok(true)
}

/// Deletes the keys whose last tokens have expired; gives their number.
pub fn delete_retired(conn: &mut Conn, ctx: &Ctx) -> Result<usize, Error> {
    let gone = key::delete_retired(conn, ctx.now.plus(-KEPT_SECONDS))?;
    for key in &gone {
        record(
            conn,
            ctx,
            "key.delete",
            Some(&key.user_pool_id),
            &key.user_pool_id,
            json!({ "use": key.usage, "kid": key.kid }),
        )?;
    }
    Ok(gone.len())
}

/// Takes a leaked key away at once. If it was the one that signs, its successor signs from this moment: the one that is
/// waiting, else `spare`, which no verifier has seen yet.
pub fn revoke(
    conn: &mut Conn,
    ctx: &Ctx,
    pool_id: &str,
    kid: &str,
    spare: &KeyPair,
) -> Result<SigningKey, Error> {
    let gone = key::delete(conn, pool_id, kid)?.ok_or_else(|| Error::not_found("signing key", kid))?;
    let successor = match gone.state {
        State::Pending | State::Retiring => None,
        State::Active => Some(match key::activate_pending(conn, pool_id, gone.usage, ctx.now)? {
            Some(waiting) => waiting,
            None if insert(conn, ctx, pool_id, gone.usage, State::Active, spare)? => spare.kid.clone(),
            None => return Err(Error::Conflict("another change of the keys came first".into())),
        }),
    };
    record(
        conn,
        ctx,
        "key.revoke",
        Some(pool_id),
        pool_id,
        json!({ "use": gone.usage, "kid": kid, "was": gone.state, "active": successor }),
    )?;
    Ok(gone)
}

#[cfg(test)]
mod tests;
