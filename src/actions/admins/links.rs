//! Links that are good for one use: the set-up link that makes the first operator, and the links by which an administrator
//! chooses a password, on the first day or after it was forgotten. Only hashes of their tokens are kept.

use serde_json::json;

use super::{Ctx, NewAdministrator, Scope, create, record};
use crate::db::Conn;
use crate::error::Error;
use crate::model::admin_session;
use crate::model::administrator::{self, Administrator, Rights, Role};
use crate::model::single_use::{self, SingleUse};
use crate::rules::secret;
use crate::world::UnixTime;

pub const SET_UP: &str = "console-set-up";
pub const PASSWORD: &str = "console-password";

/// How long a link is good: the set-up link and one for a forgotten password.
pub const LINK_SECONDS: i64 = 86_400;
/// How long an invitation is good.
pub const INVITATION_SECONDS: i64 = 7 * 86_400;

/// Makes a set-up link's token, and voids the one before. `None`: there are administrators already.
pub fn set_up_link(conn: &mut Conn, ctx: &Ctx) -> Result<Option<String>, Error> {
    if administrator::any(conn)? {
        return Ok(None);
    }
    let token = keep(conn, ctx, SET_UP, "", LINK_SECONDS)?;
    record(conn, ctx, "console.set_up_link", None, "", json!({}))?;
    Ok(Some(token))
}

/// Whether the set-up link is still good.
pub fn may_set_up(conn: &mut Conn, now: UnixTime, token: &str) -> Result<bool, Error> {
    let known = single_use::find(conn, &secret::hash(token), SET_UP, now)?;
    Ok(known.is_some() && !administrator::any(conn)?)
}

/// Makes the first operator.
pub fn set_up(conn: &mut Conn, ctx: &Ctx, token: &str, first: FirstOperator) -> Result<Administrator, Error> {
    let used = single_use::consume(conn, &secret::hash(token), SET_UP, ctx.now)?;
    if used.is_none() || administrator::any(conn)? {
        return Err(spent());
    }
    let new = NewAdministrator {
        email: first.email,
        name: first.name,
        password_hash: Some(first.password_hash),
        roles: vec![(Role::Operator, Scope::Everything)],
    };
    create(conn, ctx, new)
}

/// Who sets the console up.
#[derive(Clone)]
pub struct FirstOperator {
    pub email: String,
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: String,
}

/// Makes the token of a link by which this administrator chooses a password, and voids the one before.
pub fn password_link(
    conn: &mut Conn,
    ctx: &Ctx,
    rights: &Rights,
    id: &str,
) -> Result<(Administrator, String), Error> {
    let target = super::managed(conn, rights, id)?;
    if target.user_sub.is_some() {
        return Err(Error::Conflict(
            "This administrator signs in through a pool and has no password here.".into(),
        ));
    }
    if !target.enabled {
        return Err(Error::Conflict(
            "This administrator is disabled: enable the account first.".into(),
        ));
    }
    let token = keep_password_link(conn, ctx, &target)?;
    Ok((target, token))
}

pub(super) fn keep_password_link(
    conn: &mut Conn,
    ctx: &Ctx,
    target: &Administrator,
) -> Result<String, Error> {
    let (action, seconds) = if target.password_hash.is_none() {
        ("administrator.invite", INVITATION_SECONDS)
    } else {
        ("administrator.password_link", LINK_SECONDS)
    };
    let token = keep(conn, ctx, PASSWORD, &target.id, seconds)?;
    record(
        conn,
        ctx,
        action,
        None,
        &target.email,
        json!({ "valid_seconds": seconds }),
    )?;
    Ok(token)
}

pub(super) fn void_password_links(conn: &mut Conn, administrator_id: &str) -> Result<(), Error> {
    single_use::void(conn, PASSWORD, administrator_id)?;
    Ok(())
}

/// Whose password the link is for, while it is good.
pub fn whose_password(conn: &mut Conn, now: UnixTime, token: &str) -> Result<Option<Administrator>, Error> {
    let Some(link) = single_use::find(conn, &secret::hash(token), PASSWORD, now)? else {
        return Ok(None);
    };
    Ok(administrator::find(conn, &link.subject)?.filter(|found| found.enabled))
}

/// Uses the link: the password, and on the first day the name. Every session that there was ends.
pub fn choose_password(
    conn: &mut Conn,
    ctx: &Ctx,
    token: &str,
    name: Option<&str>,
    password_hash: String,
) -> Result<Administrator, Error> {
    let link = single_use::consume(conn, &secret::hash(token), PASSWORD, ctx.now)?.ok_or_else(spent)?;
    let mut target = administrator::lock(conn, &link.subject)?
        .filter(|found| found.enabled)
        .ok_or_else(spent)?;
    if let Some(name) = name {
        super::check_name(name)?;
        target.name = name.trim().to_owned();
        administrator::rename(conn, &target.id, &target.name, ctx.now)?;
    }
    administrator::set_password(conn, &target.id, &password_hash, ctx.now)?;
    target.password_hash = Some(password_hash);
    let ended = admin_session::delete_of(conn, &target.id, None)?;
    record(
        conn,
        &ctx.by(&target),
        "administrator.password",
        None,
        &target.email,
        json!({ "by_link": true, "sessions_ended": ended }),
    )?;
    Ok(target)
}

fn keep(conn: &mut Conn, ctx: &Ctx, purpose: &str, subject: &str, seconds: i64) -> Result<String, Error> {
    single_use::void(conn, purpose, subject)?;
    let token = secret::token(&ctx.entropy);
    single_use::insert(
        conn,
        &SingleUse {
            hash: secret::hash(&token),
            purpose: purpose.to_owned(),
            subject: subject.to_owned(),
            sealed: None,
            created_at: ctx.now,
            expires_at: ctx.now.plus(seconds),
            used_at: None,
        },
    )?;
    Ok(token)
}

fn spent() -> Error {
    Error::not_found("link", "")
}
