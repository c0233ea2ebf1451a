//! Rotation of refresh tokens: a token yields its one successor, and ends its family when it is shown again too late.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Answer, end_family, keep_refresh};
use crate::actions::Ctx;
use crate::db::Conn;
use crate::model::client::Client;
use crate::model::token::{self, RefreshToken};
use crate::rules::grant::{self, invalid_grant};
use crate::rules::secret;

/// Whether this client's refresh tokens rotate at the token endpoint: where its record says so, and always for public
/// clients.
pub fn rotates(client: &Client) -> bool {
    client.settings.public || client.settings.rotation.enabled
}

/// How long a predecessor still yields its successor. Where the record does not switch rotation on and it happens only
/// because the client is public, a lost answer or a second tab must not end everything: the longest that can be set.
fn grace_seconds(client: &Client) -> i64 {
    let rotation = &client.settings.rotation;
    if rotation.enabled {
        rotation.grace_seconds
    } else {
        60
    }
}

pub(super) fn rotate(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    presented: &str,
    token: &RefreshToken,
) -> Answer<String> {
    // Computed, not drawn: whoever shows the predecessor again in time gets the very same successor, and nothing that
    // could be used has to be stored for it.
    let successors = ctx.sealer.derive("refresh-token-successor", presented.as_bytes());
    let mut successors = successors.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    if token::rotate(conn, &token.hash, ctx.now)?.is_some() {
        let successor = successors.next().unwrap_or_default();
        keep_refresh(conn, &successor, &token.origin_jti, ctx.now)?;
        return Ok(Ok(successor));
    }
    // Made under the root key of then, which may be an older one by now.
    let mut made = None;
    for successor in ctx.sealer.derive("refresh-token-successor", presented.as_bytes()) {
        let successor = URL_SAFE_NO_PAD.encode(successor);
        if made.is_none() && token::find_refresh(conn, &secret::hash(&successor))?.is_some() {
            made = Some(successor);
        }
    }
    // Somebody exchanged it before, perhaps just now: read again when.
    let rotated_at = token::find_refresh(conn, &token.hash)?.and_then(|(token, _)| token.rotated_at);
    let grace = grace_seconds(client);
    match (rotated_at, made) {
        (Some(at), Some(successor)) if ctx.now.since(at) <= grace && grace > 0 => Ok(Ok(successor)),
        _ => {
            end_family(
                conn,
                ctx,
                &client.user_pool_id,
                &token.origin_jti,
                "refresh_token_reused",
            )?;
            Ok(Err(invalid_grant(grant::REUSED)))
        }
    }
}
