//! Users who have a value that somebody brings at a first sign-in: an address, or something like an employee number.
//! Whether one of them is that person is not decided here.

use diesel::prelude::*;
use serde_json::Value;

use super::{User, directory};
use crate::db::Conn;
use crate::db::schema::{user_keys, users};
use crate::db::search::{anywhere, lower};

/// At most `limit` users of the pool with one of these email addresses, which are given in lower case.
pub fn by_email(conn: &mut Conn, user_pool_id: &str, forms: &[String], limit: i64) -> QueryResult<Vec<User>> {
    let keys: Vec<String> = forms.iter().map(|form| directory::folded(form)).collect();
    let mut found: Vec<User> = user_keys::table
        .inner_join(users::table.on(users::sub.eq(user_keys::user_sub)))
        .filter(user_keys::user_pool_id.eq(user_pool_id))
        .filter(user_keys::name.eq("email"))
        .filter(user_keys::value.eq_any(keys))
        .order(user_keys::user_sub)
        .limit(limit)
        .select(User::as_select())
        .load(conn)?;
    // The key is cut at some length.
    found.retain(|user| {
        let theirs = user.attributes.get("email").and_then(Value::as_str);
        theirs.is_some_and(|theirs| forms.contains(&theirs.to_lowercase()))
    });
    Ok(found)
}

/// Users of the pool in whose profile this text stands somewhere. A walk over the pool: only where a tenant wants its people
/// recognised so, and then once for each of them.
pub fn by_text(conn: &mut Conn, user_pool_id: &str, text: &str) -> QueryResult<Vec<User>> {
    users::table
        .filter(users::user_pool_id.eq(user_pool_id))
        .filter(lower(users::attributes).like(anywhere(text)).escape('!'))
        .order(users::sub)
        .select(User::as_select())
        .load(conn)
}
