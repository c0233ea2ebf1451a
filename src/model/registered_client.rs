//! Registered client: what an app client has besides when it was registered by API (RFC 7591): the end of its life, and the
//! token that its registrant reads and deletes it with.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::registered_clients;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = registered_clients)]
pub struct RegisteredClient {
    pub client_id: String,
    /// SHA-256 of the registration access token.
    pub token_hash: Vec<u8>,
    pub created_at: UnixTime,
    /// From here on the client is as good as gone; a job removes it.
    pub expires_at: UnixTime,
}

pub fn insert(conn: &mut Conn, row: &RegisteredClient) -> QueryResult<()> {
    diesel::insert_into(registered_clients::table)
        .values(row)
        .execute(conn)
        .map(|_| ())
}

pub fn find(conn: &mut Conn, client_id: &str) -> QueryResult<Option<RegisteredClient>> {
    registered_clients::table
        .find(client_id)
        .select(RegisteredClient::as_select())
        .first(conn)
        .optional()
}

/// The ids of some whose life is over, the longest dead first.
pub fn expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<Vec<String>> {
    registered_clients::table
        .filter(registered_clients::expires_at.le(now))
        .order(registered_clients::expires_at)
        .limit(limit)
        .select(registered_clients::client_id)
        .load(conn)
}
