//! Passkey of an administrator: a WebAuthn credential with its public key and counter.

use diesel::prelude::*;
use webauthn_rs::prelude::Passkey as Credential;

use crate::db::schema::passkeys;
use crate::db::{Conn, Json};
use crate::world::UnixTime;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = passkeys)]
pub struct Passkey {
    /// The credential id in base64url, unique over all administrators.
    pub id: String,
    pub administrator_id: String,
    /// What its holder calls it.
    pub name: String,
    pub credential: Json<Credential>,
    pub created_at: UnixTime,
    pub last_used_at: Option<UnixTime>,
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Passkey>> {
    passkeys::table
        .find(id)
        .select(Passkey::as_select())
        .first(conn)
        .optional()
}

/// The same, held until the transaction ends: two uses at the same moment must not both see the old counter.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Passkey>> {
    match conn {
        Conn::Sqlite(_) => find(conn, id),
        Conn::Postgres(c) => passkeys::table
            .find(id)
            .for_update()
            .select(Passkey::as_select())
            .first(c)
            .optional(),
    }
}

pub fn of_administrator(conn: &mut Conn, administrator_id: &str) -> QueryResult<Vec<Passkey>> {
    passkeys::table
        .filter(passkeys::administrator_id.eq(administrator_id))
        .order((passkeys::created_at, passkeys::id))
        .select(Passkey::as_select())
        .load(conn)
}

/// False when the credential is registered already, by whomever.
pub fn insert(conn: &mut Conn, passkey: &Passkey) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(passkeys::table)
        .values(passkey)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Remembers a use with the counter that it brought.
pub fn used(conn: &mut Conn, id: &str, credential: &Json<Credential>, now: UnixTime) -> QueryResult<()> {
    diesel::update(passkeys::table.find(id))
        .set((
            passkeys::credential.eq(credential),
            passkeys::last_used_at.eq(now),
        ))
        .execute(conn)
        .map(|_| ())
}

pub fn delete(conn: &mut Conn, administrator_id: &str, id: &str) -> QueryResult<bool> {
    let rows = diesel::delete(
        passkeys::table
            .find(id)
            .filter(passkeys::administrator_id.eq(administrator_id)),
    )
    .execute(conn)?;
    Ok(rows == 1)
}
