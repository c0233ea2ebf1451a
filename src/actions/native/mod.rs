//! Native users: accounts of the pool with a password of ours, for break-glass and service accounts beside the federated
//! ones. Here is how they are found and what a wrong password leaves; `accounts` makes them and sets their passwords,
//! `address` settles whose an address is, `sign_in` is what comes of a right one.

pub mod accounts;
pub mod address;
pub mod sign_in;

use diesel::QueryResult;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Ctx;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::password::{self, Password};
use crate::model::pool::Pool;
use crate::model::user::{User, directory, search};
use crate::rules::lockout;
use crate::seal::{Label, Sealer};

/// A password on its way into the database: computed before, since it takes long.
#[derive(Clone)]
pub struct NewPassword {
    pub hash: String,
    pub srp_salt: Vec<u8>,
    pub srp_verifier: Zeroizing<Vec<u8>>,
}

/// Whether the pool lists `email` under that member (`UsernameAttributes`, `AliasAttributes`).
pub fn lists_email(pool: &Pool, member: &str) -> bool {
    pool.settings
        .cognito
        .get(member)
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|name| name == "email"))
}

/// Whether people of the pool may sign in by their address.
fn takes_addresses(pool: &Pool) -> bool {
    lists_email(pool, "UsernameAttributes") || lists_email(pool, "AliasAttributes")
}

/// The user that signs in under this name: what the API knows users by, or an address where the pool takes one.
pub fn find(conn: &mut Conn, pool: &Pool, name: &str) -> QueryResult<Option<User>> {
    // PostgreSQL's text holds no NUL.
    if name.is_empty() || name.contains('\0') {
        return Ok(None);
    }
    if let Some(user) = directory::find_named(conn, pool, name)? {
        return Ok(Some(user));
    }
    let mut found = holders(conn, pool, name)?;
    match (found.pop(), found.is_empty()) {
        (user, true) => Ok(user),
        // Two of one address: nobody can tell who is meant.
        _ => Ok(None),
    }
}

/// The users of our own who would sign in by this address; nobody where the pool takes no addresses. Who comes through a
/// connection is not asked for a password here, and takes no address away from anybody.
pub fn holders(conn: &mut Conn, pool: &Pool, address: &str) -> QueryResult<Vec<User>> {
    if !takes_addresses(pool) {
        return Ok(Vec::new());
    }
    let instead = lists_email(pool, "UsernameAttributes");
    let mut found = search::own_with_email(conn, &pool.id, address)?;
    // An alias that anybody could claim is none.
    found.retain(|user| instead || user.attributes.get("email_verified") == Some(&Value::Bool(true)));
    Ok(found)
}

/// The user of that name, if they have a password.
pub fn candidate(conn: &mut Conn, pool: &Pool, name: &str) -> Result<Option<(User, Password)>, StoreError> {
    match find(conn, pool, name)? {
        Some(user) => Ok(password::with_user(conn, &user.sub)?),
        None => Ok(None),
    }
}

/// Counts a wrong password.
pub fn failed(conn: &mut Conn, ctx: &Ctx, user_sub: &str) -> Result<(), StoreError> {
    // Read again: another node may have counted one, too.
    if let Some(password) = password::find(conn, user_sub)? {
        let (failures, until) = lockout::after_failure(password.failures, password.locked_until, ctx.now);
        password::set_failures(conn, user_sub, failures, until)?;
    }
    Ok(())
}

/// A right password begins anew.
pub fn passed(conn: &mut Conn, ctx: &Ctx, user_sub: &str) -> Result<(), StoreError> {
    password::set_failures(conn, user_sub, 0, ctx.now)?;
    Ok(())
}

/// The user's SRP verifier in the clear.
pub fn verifier(sealer: &Sealer, user: &User, password: &Password) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    sealer
        .open(label(user), &password.srp_verifier_sealed)
        .map_err(|_| StoreError::Unreadable(format!("the SRP verifier of user {}", user.sub)))
}

fn label(user: &User) -> Label<'_> {
    Label {
        purpose: "srp-verifier",
        scope: &user.user_pool_id,
        name: &user.sub,
    }
}
