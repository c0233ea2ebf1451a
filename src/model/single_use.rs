//! What lives for minutes or days and is used once: challenges of passkeys, set-up and password links, upstream ID tokens
//! that apps bring. Known by the hash of the token that its user brings.

use diesel::prelude::*;

use crate::db::schema::single_uses;
use crate::db::{Conn, Prepare, columns};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = single_uses)]
pub struct SingleUse {
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// What it is good for; a token of one purpose is nothing to another.
    pub purpose: String,
    /// Whom or what it is about.
    pub subject: String,
    pub sealed: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub expires_at: UnixTime,
    pub used_at: Option<UnixTime>,
}

pub fn insert(conn: &mut Conn, row: &SingleUse) -> QueryResult<()> {
    diesel::insert_into(single_uses::table)
        .values(row)
        .prepared()
        .execute(conn)
        .map(|_| ())
}

/// Notes that something was used that was not made here, such as another's token. One statement with its condition: false
/// when it has been used before.
pub fn spend(conn: &mut Conn, row: &SingleUse) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(single_uses::table)
        .values(row)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    Ok(rows == 1)
}

/// Forgets that it was used.
pub fn forget(conn: &mut Conn, hash: &[u8], purpose: &str) -> QueryResult<usize> {
    diesel::delete(
        single_uses::table
            .find(hash)
            .filter(single_uses::purpose.eq(purpose)),
    )
    .execute(conn)
}

/// What the token is good for now, left unused: for the page that shows its form.
pub fn find(conn: &mut Conn, hash: &[u8], purpose: &str, now: UnixTime) -> QueryResult<Option<SingleUse>> {
    single_uses::table
        .find(hash)
        .filter(single_uses::purpose.eq(purpose))
        .filter(single_uses::used_at.is_null())
        .filter(single_uses::expires_at.gt(now))
        .select(SingleUse::as_select())
        .first(conn)
        .optional()
}

/// Uses it. One statement with its condition: of two callers only one ever gets the row.
pub fn consume(conn: &mut Conn, hash: &[u8], purpose: &str, now: UnixTime) -> QueryResult<Option<SingleUse>> {
    diesel::update(single_uses::table.find(hash))
        .filter(single_uses::purpose.eq(purpose))
        .filter(single_uses::used_at.is_null())
        .filter(single_uses::expires_at.gt(now))
        .set(single_uses::used_at.eq(now))
        .returning(columns::<SingleUse>())
        .prepared()
        .get_result(conn)
        .optional()
}

/// Voids whatever there is of this purpose about this subject.
pub fn void(conn: &mut Conn, purpose: &str, subject: &str) -> QueryResult<usize> {
    diesel::delete(
        single_uses::table
            .filter(single_uses::purpose.eq(purpose))
            .filter(single_uses::subject.eq(subject)),
    )
    .execute(conn)
}

/// Deletes at most `limit` that have expired.
pub fn delete_expired(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<Vec<u8>> = single_uses::table
        .filter(single_uses::expires_at.le(now))
        .limit(limit)
        .select(single_uses::hash)
        .load(conn)?;
    diesel::delete(single_uses::table.filter(single_uses::hash.eq_any(old))).execute(conn)
}
