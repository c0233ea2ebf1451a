//! Users, as administrators change them: kept out and let in, signed out everywhere, their attributes and groups, deleted.
//! Shared by the console, the management API and provisioning.
//!
//! Each function takes the reach within which it may act. Who only has tenants decides over accounts that are their
//! tenants' alone, and over nothing that other apps of the pool rely on: attributes (an address that somebody else is
//! known by), groups and deletion are the pool's.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Ctx, native, pools, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::group::{self, Membership};
use crate::model::reach::Reach;
use crate::model::user::search;
use crate::model::user::{self, Status, User};
use crate::model::{admin_session, administrator, code, session, token};
use crate::rules::{attribute, redact};

/// What ended with a sign-out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those of the console, too.
    pub sessions: usize,
    /// Token families that were alive.
    pub families: usize,
}

/// Keeps the user out from now on: no sign-in, no refresh, no userInfo.
pub fn disable(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<Ended, Error> {
    let user = own(conn, reach, sub)?;
    user::set_enabled(conn, sub, false, ctx.now)?;
    let ended = end(conn, ctx, sub)?;
    record(
        conn,
        ctx,
        "user.disable",
        Some(&user.user_pool_id),
        sub,
        json!({
            "enabled": { "old": user.enabled, "new": false },
            "sessions": ended.sessions,
            "token_families": ended.families,
        }),
    )?;
    Ok(ended)
}

/// Lets the user in again.
pub fn enable(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<(), Error> {
    let user = own(conn, reach, sub)?;
    user::set_enabled(conn, sub, true, ctx.now)?;
    record(
        conn,
        ctx,
        "user.enable",
        Some(&user.user_pool_id),
        sub,
        json!({ "enabled": { "old": user.enabled, "new": true } }),
    )?;
    Ok(())
}

/// Ends every session and every grant of the user. They may sign in again.
pub fn sign_out_everywhere(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<Ended, Error> {
    let user = own(conn, reach, sub)?;
    let ended = end(conn, ctx, sub)?;
    record(
        conn,
        ctx,
        "user.sign_out_everywhere",
        Some(&user.user_pool_id),
        sub,
        json!({ "sessions": ended.sessions, "token_families": ended.families }),
    )?;
    Ok(ended)
}

/// Codes go as well: one that is still under way would found a new family. And so do the sessions of the console that the
/// user has as an administrator.
pub(super) fn end(conn: &mut Conn, ctx: &Ctx, sub: &str) -> Result<Ended, Error> {
    code::delete_of_user(conn, sub)?;
    let in_console = match administrator::find_by_user(conn, sub)? {
        Some(who) => admin_session::delete_of(conn, &who.id, None)?,
        None => 0,
    };
    Ok(Ended {
        sessions: session::delete_of_user(conn, sub)? + in_console,
        families: token::revoke_of_user(conn, sub, ctx.now)?,
    })
}

/// Takes an account that waits for its confirmation as confirmed.
pub fn confirm(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<(), Error> {
    let user = of_pool(conn, reach, sub)?;
    if !user::change_status(conn, sub, Status::Unconfirmed, Status::Confirmed, ctx.now)? {
        return Err(Error::Denied(format!(
            "User cannot be confirmed. Current status is {}",
            user.status
        )));
    }
    record(
        conn,
        ctx,
        "user.confirm",
        Some(&user.user_pool_id),
        sub,
        json!({ "status": { "old": Status::Unconfirmed, "new": Status::Confirmed } }),
    )?;
    Ok(())
}

/// Deletes the user with everything that hangs on the account. Who signs in with the same upstream account later is made
/// anew, under another `sub`.
pub fn delete(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<User, Error> {
    let user = of_pool(conn, reach, sub)?;
    record(
        conn,
        ctx,
        "user.delete",
        Some(&user.user_pool_id),
        sub,
        json!({ "username": user.username }),
    )?;
    user::delete(conn, sub)?;
    Ok(user)
}

/// Sets the named attributes, or clears those given as null. What is not named stays, except that another address is not
/// verified unless the same change says so, as in Cognito's `AdminUpdateUserAttributes`.
pub fn set_attributes(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    sub: &str,
    changes: &BTreeMap<String, Value>,
) -> Result<User, Error> {
    of_pool(conn, reach, sub)?;
    let user = user::lock(conn, sub)?.ok_or_else(|| missing(sub))?;
    let pool = pools::find(conn, &user.user_pool_id)?;
    let mut attributes = user.attributes.0.clone();
    for (name, value) in changes {
        let Some(definition) = pool.settings.attribute(name) else {
            return Err(Error::invalid(name, "Attribute does not exist in the schema."));
        };
        let value = match value {
            Value::Null => None,
            given => attribute::from_claim(&definition, given)
                .map_err(|why| Error::invalid(name, format!("the value {why}")))?,
        };
        if value.as_ref() == attributes.get(name) {
            continue;
        }
        if !definition.mutable && attributes.contains_key(name) {
            return Err(Error::invalid(
                name,
                "Attribute cannot be updated. It is immutable: once set, it stays for the life of the account",
            ));
        }
        match value {
            Some(value) => attributes.insert(name.clone(), value),
            None if definition.required => {
                return Err(Error::invalid(name, "is required by the pool"));
            }
            None => attributes.remove(name),
        };
    }
    for (address, flag) in [
        ("email", "email_verified"),
        ("phone_number", "phone_number_verified"),
    ] {
        if attributes.get(address) != user.attributes.get(address) && !changes.contains_key(flag) {
            attributes.remove(flag);
        }
    }
    if attributes == user.attributes.0 {
        return Ok(user);
    }
    let difference = differences(&user.attributes, &attributes);
    let user = user::set_attributes(conn, sub, &Json(attributes), ctx.now)?.ok_or_else(|| missing(sub))?;
    if ["email", "email_verified"]
        .iter()
        .any(|name| difference.contains_key(*name))
    {
        native::address::settle(conn, ctx, &pool, &user, false)?;
    }
    record(
        conn,
        ctx,
        "user.update",
        Some(&user.user_pool_id),
        sub,
        json!({ "attributes": difference }),
    )?;
    Ok(user)
}

/// The attributes that differ, redacted: the audit log outlives the account.
fn differences(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let shown = |name: &str, from: &Map<String, Value>| {
        from.get(name)
            .map_or(Value::Null, |value| Value::String(redact::value(name, value)))
    };
    old.keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)))
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            (
                name.clone(),
                json!({ "old": shown(name, old), "new": shown(name, new) }),
            )
        })
        .collect()
}

/// Puts the user into a group, as an administrator: no mapping takes that away.
pub fn add_to_group(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    sub: &str,
    group_name: &str,
) -> Result<(), Error> {
    let user = of_pool(conn, reach, sub)?;
    if group::find(conn, &user.user_pool_id, group_name)?.is_none() {
        return Err(Error::not_found("group", group_name));
    }
    let joined = group::join(
        conn,
        &Membership {
            user_sub: sub.to_owned(),
            user_pool_id: user.user_pool_id.clone(),
            group_name: group_name.to_owned(),
            source: group::BY_ADMIN.into(),
            created_at: ctx.now,
        },
    )?;
    if joined {
        record(
            conn,
            ctx,
            "user.group.add",
            Some(&user.user_pool_id),
            sub,
            json!({ "group": group_name }),
        )?;
    }
    Ok(())
}

/// Takes away what an administrator gave, or the first sign-in. A membership that a connection's mapping gave stays: it
/// would come back with the next sign-in.
pub fn remove_from_group(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    sub: &str,
    group_name: &str,
) -> Result<(), Error> {
    let user = of_pool(conn, reach, sub)?;
    if !group::take_gift(conn, sub, group_name)? {
        return Err(Error::not_found("membership in group", group_name));
    }
    record(
        conn,
        ctx,
        "user.group.remove",
        Some(&user.user_pool_id),
        sub,
        json!({ "group": group_name }),
    )?;
    Ok(())
}

fn own(conn: &mut Conn, reach: &Reach, sub: &str) -> Result<User, Error> {
    search::find_own(conn, reach, sub)?.ok_or_else(|| missing(sub))
}

fn of_pool(conn: &mut Conn, reach: &Reach, sub: &str) -> Result<User, Error> {
    search::find_in_pool(conn, reach, sub)?.ok_or_else(|| missing(sub))
}

fn missing(sub: &str) -> Error {
    Error::not_found("user", sub)
}
