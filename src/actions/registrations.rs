//! App clients that come and go: registered by API with an end (RFC 7591), read and deleted by whoever registered them
//! (RFC 7592), and removed when their time is over.

use serde_json::json;

use super::clients::{self, CreatedSecret, NewClient, NewSecret};
use super::{Ctx, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::client::{self, Client};
use crate::model::reach::Reach;
use crate::model::registered_client::{self, RegisteredClient};
use crate::model::{pool, provider};
use crate::rules::client_metadata::{Metadata, Refused};
use crate::rules::secret;
use crate::world::UnixTime;

/// A client that has just been registered, with its secrets in the clear for the last time.
pub struct Registered {
    pub client: Client,
    pub secret: Option<CreatedSecret>,
    pub access_token: String,
    pub expires_at: UnixTime,
}

/// Registers a client in a pool within reach.
pub fn register(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    user_pool_id: &str,
    metadata: Metadata,
) -> Result<Registered, Error> {
    let pool = pool::find_within(conn, reach, user_pool_id)?
        .ok_or_else(|| Error::not_found("user pool", user_pool_id))?;
    let connections = provider::list(conn, &pool.id)?;
    let all = connections
        .into_iter()
        .filter(|connection| connection.enabled)
        .map(|connection| connection.name);
    let wanted = metadata
        .wanted(all.collect(), ctx.now)
        .map_err(|Refused(why)| Error::invalid("metadata", why))?;
    let new = NewClient {
        id: None,
        user_pool_id: pool.id,
        name: wanted.name,
        secret: match wanted.settings.public {
            true => NewSecret::Public,
            false => NewSecret::Generate,
        },
        settings: wanted.settings,
    };
    let created = clients::insert(conn, ctx, new)?;
    let (client, access_token) = (created.client, secret::token(&ctx.entropy));
    let row = RegisteredClient {
        client_id: client.id.clone(),
        token_hash: secret::hash(&access_token),
        created_at: ctx.now,
        expires_at: wanted.expires_at,
    };
    registered_client::insert(conn, &row)?;
    record(
        conn,
        ctx,
        "client.register",
        Some(&client.user_pool_id),
        &client.id,
        json!({ "name": client.name, "settings": client.settings, "expires_at": row.expires_at }),
    )?;
    Ok(Registered {
        client,
        secret: created.secret,
        access_token,
        expires_at: row.expires_at,
    })
}

/// The client that this registration access token administers, as long as it lives.
pub fn find(
    conn: &mut Conn,
    now: UnixTime,
    client_id: &str,
    access_token: &str,
) -> Result<Option<(Client, UnixTime)>, StoreError> {
    let Some(row) = registered_client::find(conn, client_id)? else {
        return Ok(None);
    };
    if !secret::equal(&row.token_hash, &secret::hash(access_token)) || row.expires_at <= now {
        return Ok(None);
    }
    let client = client::find(conn, client_id)?.filter(|client| client.enabled);
    Ok(client.map(|client| (client, row.expires_at)))
}

/// Deletes it for its registrant; false when the token is not its own.
pub fn delete(conn: &mut Conn, ctx: &Ctx, client_id: &str, access_token: &str) -> Result<bool, Error> {
    if find(conn, ctx.now, client_id, access_token)?.is_none() {
        return Ok(false);
    }
    clients::delete(conn, ctx, client_id)?;
    Ok(true)
}

/// Deletes some whose time is over; gives their number.
pub fn delete_expired(conn: &mut Conn, ctx: &Ctx, limit: i64) -> Result<usize, Error> {
    let over = registered_client::expired(conn, ctx.now, limit)?;
    for id in &over {
        match clients::delete(conn, ctx, id) {
            // Another node was faster.
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(over.len())
}
