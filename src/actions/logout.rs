//! Ending a browser session.

use serde_json::json;

use super::{Ctx, record};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::session::{self, Session};
use crate::rules::secret;

/// Ends the session of a cookie in this pool; gives it back when it was alive, for what is left to do at the upstream.
pub fn end(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    token: &str,
) -> Result<Option<Session>, StoreError> {
    let hash = secret::hash(token);
    let Some(session) =
        session::find(conn, &hash, ctx.now)?.filter(|session| session.user_pool_id == user_pool_id)
    else {
        return Ok(None);
    };
    // Two sign-outs at once: one of them ends it.
    if !session::delete(conn, &hash)? {
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
