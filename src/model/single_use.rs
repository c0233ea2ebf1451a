//! What lives for minutes: challenges, links, results of tests. The name is hashed, the content sealed by whoever puts it
//! there.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::single_uses;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = single_uses)]
pub struct SingleUse {
    pub hash: Vec<u8>,
    /// What it is for; one kind never serves as another.
    pub purpose: String,
    /// Whom or what it belongs to.
    pub subject: String,
    pub sealed: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub expires_at: UnixTime,
    pub used_at: Option<UnixTime>,
}

/// False when the name is taken.
pub fn insert(conn: &mut Conn, row: &SingleUse) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(single_uses::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// The one of that name, purpose and subject, while it lives; looking does not use it up.
pub fn find(
    conn: &mut Conn,
    hash: &[u8],
    purpose: &str,
    subject: &str,
    now: UnixTime,
) -> QueryResult<Option<SingleUse>> {
    single_uses::table
        .find(hash)
        .filter(single_uses::purpose.eq(purpose))
        .filter(single_uses::subject.eq(subject))
        .filter(single_uses::expires_at.gt(now))
        .select(SingleUse::as_select())
        .first(conn)
        .optional()
}

/// Deletes at most `limit` whose time is over.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = single_uses::table
        .filter(single_uses::expires_at.lt(now))
        .limit(limit)
        .select(single_uses::hash)
        .load(conn)?;
    diesel::delete(single_uses::table.filter(single_uses::hash.eq_any(old))).execute(conn)
}
