//! Upstream grant: which of the scopes of Okta's own API that a connection asks for were granted at its last sign-in.

use diesel::prelude::*;

use crate::db::schema::upstream_grants;
use crate::db::{Conn, Json};
use crate::model::provider::ApiScope;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = upstream_grants)]
pub struct UpstreamGrant {
    pub provider_id: String,
    pub scopes: Json<Vec<ApiScope>>,
    /// Since when it is these.
    pub at: UnixTime,
}

pub fn find(conn: &mut Conn, provider_id: &str) -> QueryResult<Option<UpstreamGrant>> {
    upstream_grants::table
        .find(provider_id)
        .select(UpstreamGrant::as_select())
        .first(conn)
        .optional()
}

/// Writes only what is news: sign-ins of a connection must not wait for each other over a row of which all say the same.
pub fn note(conn: &mut Conn, grant: &UpstreamGrant) -> QueryResult<()> {
    let known = find(conn, &grant.provider_id)?;
    if known.is_some_and(|known| known.scopes == grant.scopes) {
        return Ok(());
    }
    let change = (
        upstream_grants::scopes.eq(grant.scopes.clone()),
        upstream_grants::at.eq(grant.at),
    );
    crate::on_backend!(conn, |c| diesel::insert_into(upstream_grants::table)
        .values(grant)
        .on_conflict(upstream_grants::provider_id)
        .do_update()
        .set(change.clone())
        .execute(c))
    .map(|_| ())
}

pub fn forget(conn: &mut Conn, provider_id: &str) -> QueryResult<()> {
    diesel::delete(upstream_grants::table.find(provider_id))
        .execute(conn)
        .map(|_| ())
}
