//! Upstream token: what an administrator's test sign-in was given for Okta's own API, sealed, so that they can import
//! Okta's mapping afterwards. Nobody else's token is ever stored.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::upstream_tokens;
use crate::db::{Conn, Json};
use crate::model::provider::ApiScope;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = upstream_tokens)]
pub struct UpstreamToken {
    pub provider_id: String,
    /// Of the administrator, or of the set-up link by which a guest came.
    pub administrator_id: String,
    pub scopes: Json<Vec<ApiScope>>,
    /// [`Tokens`] as JSON, sealed for purpose `upstream-token`, the pool being the scope and `provider/administrator` the
    /// name.
    pub sealed: Vec<u8>,
    /// Until then the access token is good.
    pub access_ends: UnixTime,
    pub expires_at: UnixTime,
}

/// What is sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    pub access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// The administrator's token of this connection, unless its time is over.
pub fn find(
    conn: &mut Conn,
    provider_id: &str,
    administrator_id: &str,
    now: UnixTime,
) -> QueryResult<Option<UpstreamToken>> {
    upstream_tokens::table
        .find((provider_id, administrator_id))
        .filter(upstream_tokens::expires_at.gt(now))
        .select(UpstreamToken::as_select())
        .first(conn)
        .optional()
}

/// Puts it in place of the one before.
pub fn put(conn: &mut Conn, token: &UpstreamToken) -> QueryResult<()> {
    let change = (
        upstream_tokens::scopes.eq(token.scopes.clone()),
        upstream_tokens::sealed.eq(token.sealed.clone()),
        upstream_tokens::access_ends.eq(token.access_ends),
        upstream_tokens::expires_at.eq(token.expires_at),
    );
    crate::on_backend!(conn, |c| diesel::insert_into(upstream_tokens::table)
        .values(token)
        .on_conflict((upstream_tokens::provider_id, upstream_tokens::administrator_id))
        .do_update()
        .set(change.clone())
        .execute(c))
    .map(|_| ())
}

/// Puts what a refresh gave in place of what it was made with; false where that is not there any more.
pub fn replace(
    conn: &mut Conn,
    seen: &UpstreamToken,
    sealed: &[u8],
    access_ends: UnixTime,
) -> QueryResult<bool> {
    let rows = diesel::update(upstream_tokens::table.find((&seen.provider_id, &seen.administrator_id)))
        .filter(upstream_tokens::sealed.eq(&seen.sealed))
        .set((
            upstream_tokens::sealed.eq(sealed),
            upstream_tokens::access_ends.eq(access_ends),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Forgets a token that the upstream has refused, if it is still that one.
pub fn forget_refused(conn: &mut Conn, seen: &UpstreamToken) -> QueryResult<()> {
    diesel::delete(upstream_tokens::table.find((&seen.provider_id, &seen.administrator_id)))
        .filter(upstream_tokens::sealed.eq(&seen.sealed))
        .execute(conn)
        .map(|_| ())
}

/// Forgets all tokens of a connection; whether there were any.
pub fn forget(conn: &mut Conn, provider_id: &str) -> QueryResult<bool> {
    let rows = diesel::delete(upstream_tokens::table.filter(upstream_tokens::provider_id.eq(provider_id)))
        .execute(conn)?;
    Ok(rows > 0)
}

/// Forgets all tokens of an administrator.
pub fn forget_of(conn: &mut Conn, administrator_id: &str) -> QueryResult<()> {
    diesel::delete(upstream_tokens::table.filter(upstream_tokens::administrator_id.eq(administrator_id)))
        .execute(conn)
        .map(|_| ())
}

/// Deletes at most `limit` whose time is over.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let over: Vec<(String, String)> = upstream_tokens::table
        .filter(upstream_tokens::expires_at.le(now))
        .limit(limit)
        .select((upstream_tokens::provider_id, upstream_tokens::administrator_id))
        .load(conn)?;
    let mut gone = 0;
    for key in over {
        gone += diesel::delete(upstream_tokens::table.find(key))
            .filter(upstream_tokens::expires_at.le(now))
            .execute(conn)?;
    }
    Ok(gone)
}
