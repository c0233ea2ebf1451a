//! Users who have a value that somebody brings at a first sign-in: an address, or something like an employee number.
//! Whether one of them is that person is not decided here.

use diesel::prelude::*;
use serde_json::Value;

use super::{User, directory};
use crate::db::Conn;
use crate::db::schema::{identities, user_keys, users};
use crate::db::search::{loosely, lower};

/// Users that are looked at together.
const PAGE: i64 = 500;

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

/// Those of whom `is_it` is true among the users of the pool in whose profile this text stands somewhere; of all of them, or
/// of those alone who have come by a connection. A walk, page by page: only where a tenant wants its people recognised so,
/// and then once for each of them.
pub fn by_text(
    conn: &mut Conn,
    user_pool_id: &str,
    came_by: Option<&str>,
    text: &str,
    is_it: impl Fn(&User) -> bool,
) -> QueryResult<Vec<User>> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let mut query = users::table
            .filter(users::user_pool_id.eq(user_pool_id.to_owned()))
            .filter(users::sub.gt(after))
            .filter(lower(users::attributes).like(loosely(text)).escape('!'))
            .order(users::sub)
            .limit(PAGE)
            .select(User::as_select())
            .into_boxed();
        if let Some(connection) = came_by {
            let theirs = identities::table
                .filter(identities::provider_id.eq(connection.to_owned()))
                .select(identities::user_sub);
            query = query.filter(users::sub.eq_any(theirs));
        }
        let page: Vec<User> = query.load(conn)?;
        let is_last = i64::try_from(page.len()).is_ok_and(|length| length < PAGE);
        after = page.last().map_or_else(String::new, |user| user.sub.clone());
        found.extend(page.into_iter().filter(&is_it));
        if is_last {
            return Ok(found);
        }
    }
}
