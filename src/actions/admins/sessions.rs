//! Sessions of administrators: opened by a proof of who one is, carried on under another cookie by the next proof, ended.

use serde_json::json;

use super::{Ctx, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::admin_session::{self, AdminSession};
use crate::model::administrator::{self, Administrator, Rights};
use crate::rules::secret;
use crate::world::UnixTime;

/// A session of the console ends so long after its sign-in at the latest.
pub const SESSION_SECONDS: i64 = 12 * 3_600;
/// It ends so long after the last request of it.
pub const IDLE_SECONDS: i64 = 30 * 60;

/// Where a session was opened from.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub address: String,
    pub user_agent: String,
    /// The connection, when the administrator came through a pool's sign-in.
    pub provider_id: Option<String>,
}

/// How somebody has proved who they are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The password of this hash was right.
    Password {
        verified: String,
    },
    Passkey,
    /// A pool says who it is, and when they were last asked there.
    Pool {
        asked_at: UnixTime,
    },
}

impl Proof {
    fn method(&self) -> &'static str {
        match self {
            Proof::Password { .. } => "password",
            Proof::Passkey => "passkey",
            Proof::Pool { .. } => "sso",
        }
    }

    /// When they proved it: the pool may have been asked long ago.
    fn at(&self, now: UnixTime) -> UnixTime {
        match self {
            Proof::Password { .. } | Proof::Passkey => now,
            Proof::Pool { asked_at } => now.min(*asked_at),
        }
    }
}

/// Opens a session for an administrator who proved who they are by `method` at that moment, and gives the cookie's value.
pub fn open_session(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator_id: &str,
    method: &str,
    authenticated_at: UnixTime,
    place: Place,
) -> Result<String, StoreError> {
    let token = secret::token(&ctx.entropy);
    let session = AdminSession {
        hash: secret::hash(&token),
        administrator_id: administrator_id.to_owned(),
        id: secret::uuid(&ctx.entropy),
        method: method.to_owned(),
        provider_id: place.provider_id,
        address: place.address,
        user_agent: place.user_agent,
        created_at: ctx.now,
        last_seen_at: ctx.now,
        expires_at: ctx.now.plus(SESSION_SECONDS),
        authenticated_at,
        values_open_until: None,
    };
    admin_session::insert(conn, &session)?;
    Ok(token)
}

/// Signs in an administrator who has proved who they are: a new session, never the one that the browser had before. `None`:
/// the account was disabled or deleted meanwhile, or its password changed.
pub fn sign_in(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator_id: &str,
    proof: &Proof,
    place: Place,
    replaced: Option<&[u8]>,
) -> Result<Option<String>, StoreError> {
    // Held: whoever changes or disables the account at this moment ends this session, too, or it does not begin.
    let still_good = |found: &Administrator| match proof {
        Proof::Password { verified } => found.password_hash.as_ref() == Some(verified),
        Proof::Passkey | Proof::Pool { .. } => true,
    };
    let Some(administrator) =
        administrator::lock(conn, administrator_id)?.filter(|found| found.enabled && still_good(found))
    else {
        return Ok(None);
    };
    administrator::touch(conn, &administrator.id, ctx.now)?;
    if let Some(hash) = replaced {
        admin_session::delete(conn, hash)?;
    }
    let difference = json!({ "method": proof.method(), "address": place.address });
    let at = proof.at(ctx.now);
    let token = open_session(conn, ctx, administrator_id, proof.method(), at, place)?;
    record(
        conn,
        &ctx.by(&administrator),
        "administrator.sign_in",
        None,
        &administrator.email,
        difference,
    )?;
    Ok(Some(token))
}

/// Somebody tried to sign in as this administrator, or as nobody we know, and could not.
pub fn sign_in_failed(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator: Option<&Administrator>,
    method: &str,
    place: &Place,
) -> Result<(), StoreError> {
    // What was typed for an unknown address may be anything, a password too: it is not kept.
    let target = administrator.map_or("unknown", |found| found.email.as_str());
    record(
        conn,
        ctx,
        "administrator.sign_in_failed",
        None,
        target,
        json!({ "method": method, "address": place.address }),
    )?;
    Ok(())
}

/// What the holder of the session may do now. An administrator who came through a pool has the roles that its rules give
/// to the groups they are in at this moment. `None`: they may not come in any more.
pub fn rights(
    conn: &mut Conn,
    administrator: &Administrator,
    session: &AdminSession,
) -> Result<Option<Rights>, StoreError> {
    if !administrator.enabled {
        return Ok(None);
    }
    let grants = match &administrator.user_sub {
        None => administrator::grants(conn, &administrator.id)?,
        Some(sub) => {
            let came_by = session.provider_id.as_deref().unwrap_or_default();
            let grants = super::single_sign_on::grants(conn, &administrator.id, sub, came_by)?;
            if grants.is_empty() {
                return Ok(None);
            }
            grants
        }
    };
    Ok(Some(Rights::of(&grants)))
}

/// The administrator has proved once more who they are: their session goes on under a new cookie, whose value this gives.
/// `None`: the session has ended meanwhile.
pub fn prove(conn: &mut Conn, ctx: &Ctx, session: &AdminSession) -> Result<Option<String>, StoreError> {
    let token = secret::token(&ctx.entropy);
    let lives = admin_session::rotate(conn, &session.hash, &secret::hash(&token), ctx.now)?;
    Ok(lives.then_some(token))
}

/// Changes the password of the session's holder, whose present one has just been verified. All other sessions end, and
/// this one goes on under a new cookie, whose value this gives.
pub fn change_password(
    conn: &mut Conn,
    ctx: &Ctx,
    session: &AdminSession,
    verified: &str,
    hash: &str,
) -> Result<String, Error> {
    let missing = || Error::not_found("session", session.id.as_str());
    let administrator = administrator::lock(conn, &session.administrator_id)?
        .filter(|found| found.enabled)
        .ok_or_else(missing)?;
    if administrator.password_hash.as_deref() != Some(verified) {
        return Err(Error::Conflict(
            "The password was changed elsewhere meanwhile.".into(),
        ));
    }
    administrator::set_password(conn, &administrator.id, hash, ctx.now)?;
    super::links::void_password_links(conn, &administrator.id)?;
    let token = prove(conn, ctx, session)?.ok_or_else(missing)?;
    let ended = admin_session::delete_of(conn, &administrator.id, Some(&secret::hash(&token)))?;
    record(
        conn,
        ctx,
        "administrator.password",
        None,
        &administrator.email,
        json!({ "sessions_ended": ended }),
    )?;
    Ok(token)
}

/// Ends this session.
pub fn sign_out(conn: &mut Conn, ctx: &Ctx, session: &AdminSession, email: &str) -> Result<(), StoreError> {
    if admin_session::delete(conn, &session.hash)? {
        record(conn, ctx, "administrator.sign_out", None, email, json!({}))?;
    }
    Ok(())
}

/// Ends one session of this administrator, named as lists name it.
pub fn end_session(conn: &mut Conn, ctx: &Ctx, whose: &Administrator, id: &str) -> Result<(), Error> {
    if !admin_session::delete_named(conn, &whose.id, id)? {
        return Err(Error::not_found("session", id));
    }
    record(
        conn,
        ctx,
        "administrator.session.end",
        None,
        &whose.email,
        json!({ "session": id }),
    )?;
    Ok(())
}

/// Ends all sessions of this administrator.
pub fn end_all_sessions(conn: &mut Conn, ctx: &Ctx, whose: &Administrator) -> Result<(), Error> {
    let ended = admin_session::delete_of(conn, &whose.id, None)?;
    record(
        conn,
        ctx,
        "administrator.session.end",
        None,
        &whose.email,
        json!({ "sessions_ended": ended }),
    )?;
    Ok(())
}
