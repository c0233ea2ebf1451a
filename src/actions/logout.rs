//! Ending a browser session.

use serde_json::json;

use super::{Ctx, record};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::session::{self, Session};
use crate::rules::secret;

/// The session of a cookie in this pool, live or ended: what can be signed out of.
pub fn find(conn: &mut Conn, user_pool_id: &str, token: &str) -> Result<Option<Session>, StoreError> {
    let found = session::find_ended(conn, &secret::hash(token))?;
    Ok(found.filter(|session| session.user_pool_id == user_pool_id))
}

/// Ends it; gives it back, for what is left to do at the upstream, unless somebody was faster.
pub fn end(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    token: &str,
) -> Result<Option<Session>, StoreError> {
    let Some(session) = find(conn, user_pool_id, token)? else {
        return Ok(None);
    };
    if !session::delete(conn, &session.hash)? {
        return Ok(None);
    }
    let about = json!({ "provider": session.provider_id, "signed_in_at": session.created_at });
    record(
        conn,
        ctx,
        "session.end",
        Some(user_pool_id),
        &session.user_sub,
        about,
    )?;
    Ok(Some(session))
}
