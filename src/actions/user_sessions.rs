//! Ending one session of a user, as an administrator: a browser's (`sso…`) or a token family (`tkn…`), alone or with what
//! hangs on it.

use serde_json::json;

use super::users::Ended;
use super::{Ctx, record};
use crate::db::Conn;
use crate::error::Error;
use crate::model::code;
use crate::model::reach::Reach;
use crate::model::session::{self, Session};
use crate::model::token::{self, Family};
use crate::model::user::search;
use crate::rules::session_id;

/// A live session of a user.
enum Found {
    Browser(Box<Session>),
    Tokens(Box<Family>),
}

/// Ends the session of this id. `linked`: also the tokens that a browser's session led to, or the browser's session that a
/// token family came from, with all its tokens.
pub fn revoke(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    sub: &str,
    session_id: &str,
    linked: bool,
) -> Result<Ended, Error> {
    let user = search::find_in_pool(conn, reach, sub)?.ok_or_else(|| Error::not_found("user", sub))?;
    let missing = || Error::not_found("session", session_id);
    let found = find(conn, ctx, sub, session_id)?.ok_or_else(missing)?;
    let (browser, family) = match &found {
        Found::Browser(session) => (Some(session.hash.clone()), None),
        Found::Tokens(family) => (
            family.session_hash.clone().filter(|_| linked),
            Some(family.origin_jti.as_str()),
        ),
    };
    let mut ended = Ended::default();
    if let Some(origin_jti) = family {
        ended.families += usize::from(token::revoke_family(conn, origin_jti, ctx.now)?);
    }
    if let Some(hash) = browser {
        ended.sessions += usize::from(session::delete(conn, &hash)?);
        if linked {
            // One that is under way would found a new family.
            code::delete_of_user(conn, sub)?;
            ended.families += token::revoke_of_session(conn, &hash, ctx.now)?;
        }
    }
    if ended == Ended::default() {
        return Err(missing());
    }
    record(
        conn,
        ctx,
        "user.session.revoke",
        Some(&user.user_pool_id),
        sub,
        json!({ "session": session_id, "sessions": ended.sessions, "token_families": ended.families }),
    )?;
    Ok(ended)
}

/// The ids are made of what is stored, so the user's own few sessions are looked through.
fn find(conn: &mut Conn, ctx: &Ctx, sub: &str, id: &str) -> Result<Option<Found>, Error> {
    if id.starts_with("sso") {
        let sessions = session::of_user(conn, sub, ctx.now, i64::MAX)?;
        let found = sessions
            .into_iter()
            .find(|session| session_id::of_session(&session.hash) == id);
        return Ok(found.map(|session| Found::Browser(Box::new(session))));
    }
    let families = token::of_user(conn, sub, ctx.now, i64::MAX)?;
    let found = families
        .into_iter()
        .find(|family| session_id::of_family(&family.origin_jti) == id);
    Ok(found.map(|family| Found::Tokens(Box::new(family))))
}
