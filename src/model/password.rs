//! Password of a native user: its hash, what SRP needs of it, and how often it was got wrong since it was last right.

use diesel::prelude::*;

use super::user::User;
use crate::db::Conn;
use crate::db::schema::{user_passwords, users};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user_passwords)]
#[diesel(treat_none_as_null = true)]
pub struct Password {
    pub user_sub: String,
    /// Argon2id, PHC form.
    pub hash: String,
    pub srp_salt: Vec<u8>,
    /// Sealed for purpose `srp-verifier`, the pool its scope, the `sub` its name.
    pub srp_verifier_sealed: Vec<u8>,
    /// A temporary password is good until then and only for setting another; a permanent one has no end.
    pub temporary_until: Option<UnixTime>,
    pub failures: i64,
    pub locked_until: UnixTime,
    pub updated_at: UnixTime,
}

pub fn find(conn: &mut Conn, user_sub: &str) -> QueryResult<Option<Password>> {
    user_passwords::table
        .find(user_sub)
        .select(Password::as_select())
        .first(conn)
        .optional()
}

/// The user of that `sub`, if they have a password.
pub fn with_user(conn: &mut Conn, user_sub: &str) -> QueryResult<Option<(User, Password)>> {
    user_passwords::table
        .inner_join(users::table)
        .filter(user_passwords::user_sub.eq(user_sub))
        .select((User::as_select(), Password::as_select()))
        .first(conn)
        .optional()
}

/// Sets it, whether there was one or not.
pub fn put(conn: &mut Conn, password: &Password) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(user_passwords::table)
        .values(password)
        .on_conflict(user_passwords::user_sub)
        .do_update()
        .set(password)
        .execute(c))
    .map(|_| ())
}

/// False when there is none.
pub fn delete(conn: &mut Conn, user_sub: &str) -> QueryResult<bool> {
    Ok(diesel::delete(user_passwords::table.find(user_sub)).execute(conn)? == 1)
}

/// Notes how often it was got wrong, and until when it is not looked at.
pub fn set_failures(
    conn: &mut Conn,
    user_sub: &str,
    failures: i64,
    locked_until: UnixTime,
) -> QueryResult<usize> {
    diesel::update(user_passwords::table.find(user_sub))
        .set((
            user_passwords::failures.eq(failures),
            user_passwords::locked_until.eq(locked_until),
        ))
        .execute(conn)
}
