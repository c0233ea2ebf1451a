//! Link: whoever first comes through a connection with this value of a mapped attribute is this user. Made by an
//! administrator who knows an address and not yet the upstream's subject; bound to that subject when somebody comes.

use diesel::prelude::*;

use crate::db::schema::provider_links;
use crate::db::{Conn, Prepare, columns};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = provider_links)]
pub struct Link {
    pub provider_id: String,
    /// The pool attribute to which the connection maps the claim.
    pub attribute: String,
    /// In the form in which it is compared.
    pub value: String,
    pub user_sub: String,
    /// Who came; nobody else is linked by the value after that.
    pub subject: Option<String>,
    pub created_at: UnixTime,
    /// The move of a tenant's people that made it; an administrator's own link has none.
    pub move_id: Option<String>,
}

pub fn find(conn: &mut Conn, provider_id: &str, attribute: &str, value: &str) -> QueryResult<Option<Link>> {
    provider_links::table
        .find((provider_id, attribute, value))
        .select(Link::as_select())
        .first(conn)
        .optional()
}

/// False when that value leads to somebody already.
pub fn insert(conn: &mut Conn, link: &Link) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(provider_links::table)
        .values(link)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Binds the link to who came with its value. `None` when there is no such link, or somebody has come before: only one
/// caller ever gets the row.
pub fn take(
    conn: &mut Conn,
    provider_id: &str,
    attribute: &str,
    value: &str,
    subject: &str,
) -> QueryResult<Option<Link>> {
    diesel::update(provider_links::table.find((provider_id, attribute, value)))
        .filter(provider_links::subject.is_null())
        .set(provider_links::subject.eq(subject))
        .returning(columns::<Link>())
        .prepared()
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, link: &Link) -> QueryResult<bool> {
    let key = (&link.provider_id, &link.attribute, &link.value);
    Ok(diesel::delete(provider_links::table.find(key)).execute(conn)? == 1)
}

/// How many links to the user wait for somebody to come.
pub fn waiting_of_user(conn: &mut Conn, user_sub: &str) -> QueryResult<i64> {
    provider_links::table
        .filter(provider_links::user_sub.eq(user_sub))
        .filter(provider_links::subject.is_null())
        .count()
        .get_result(conn)
}

/// The attributes by which the connection's links are made, at most `most`: each is looked up in the key after the one
/// before, so that a hundred thousand links cost no more than one.
pub fn attributes(conn: &mut Conn, provider_id: &str, most: usize) -> QueryResult<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    while names.len() < most {
        let last = names.last().cloned().unwrap_or_default();
        let next: Option<String> = provider_links::table
            .filter(provider_links::provider_id.eq(provider_id))
            .filter(provider_links::attribute.gt(last))
            .order(provider_links::attribute)
            .select(provider_links::attribute)
            .first(conn)
            .optional()?;
        match next {
            Some(name) => names.push(name),
            None => break,
        }
    }
    Ok(names)
}

/// Deletes the links that this upstream account was linked by.
pub fn delete_of_subject(
    conn: &mut Conn,
    provider_id: &str,
    user_sub: &str,
    subject: &str,
) -> QueryResult<()> {
    diesel::delete(
        provider_links::table
            .filter(provider_links::user_sub.eq(user_sub))
            .filter(provider_links::provider_id.eq(provider_id))
            .filter(provider_links::subject.eq(subject)),
    )
    .execute(conn)
    .map(|_| ())
}

/// Whom the connection's links by this attribute lead to: value and `sub`.
pub fn of_attribute(
    conn: &mut Conn,
    provider_id: &str,
    attribute: &str,
) -> QueryResult<Vec<(String, String)>> {
    provider_links::table
        .filter(provider_links::provider_id.eq(provider_id))
        .filter(provider_links::attribute.eq(attribute))
        .select((provider_links::value, provider_links::user_sub))
        .load(conn)
}
