//! Tile start: when a click on an Okta tile was first and last seen to begin a sign-in through a connection.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::tile_starts;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = tile_starts)]
pub struct TileStart {
    pub provider_id: String,
    pub first_at: UnixTime,
    pub last_at: UnixTime,
}

pub fn find(conn: &mut Conn, provider_id: &str) -> QueryResult<Option<TileStart>> {
    tile_starts::table
        .find(provider_id)
        .select(TileStart::as_select())
        .first(conn)
        .optional()
}

/// Remembers a click, unless one was remembered after `before`.
pub fn note(conn: &mut Conn, provider_id: &str, now: UnixTime, before: UnixTime) -> QueryResult<()> {
    let first = TileStart {
        provider_id: provider_id.to_owned(),
        first_at: now,
        last_at: now,
    };
    let rows = crate::on_backend!(&mut *conn, |c| diesel::insert_into(tile_starts::table)
        .values(&first)
        .on_conflict_do_nothing()
        .execute(c))?;
    if rows == 0 {
        diesel::update(tile_starts::table.find(provider_id))
            .filter(tile_starts::last_at.le(before))
            .set(tile_starts::last_at.eq(now))
            .execute(conn)?;
    }
    Ok(())
}
