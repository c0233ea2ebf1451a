//! The directory of a pool: users by the value of one attribute, page by page (Cognito's `ListUsers`), and the user that
//! a name stands for. Made for pools of a million users: every page is one or two walks along an index that begin where
//! the page does, whatever was inserted meanwhile.
//!
//! Attributes are JSON text, which no index looks into; so those that can be searched by stand in `user_keys`, kept up
//! to date by whatever writes users. Values are compared by [`folded`], except usernames (the pool says how) and the
//! word for whether the account is enabled.

use std::collections::BTreeMap;
use std::ops::Bound;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::User;
use crate::db::schema::{user_keys, users};
use crate::db::{Conn, Prepare};
use crate::model::pool::Pool;
use crate::model::provider;
use crate::text_enum;

/// What is kept of a value, in characters: more than a filter can have.
const LONGEST: usize = 256;
/// The longest name of a connection, in characters.
const LONGEST_PROVIDER: usize = 32;

text_enum! {
    /// What users can be searched by.
    pub enum Field {
        Username = "username",
        Email = "email",
        PhoneNumber = "phone_number",
        Name = "name",
        GivenName = "given_name",
        FamilyName = "family_name",
        PreferredUsername = "preferred_username",
        UserStatus = "cognito:user_status",
        Status = "status",
        Sub = "sub",
    }
}

/// Which users of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub field: Field,
    /// The value may go on after these letters.
    pub begins: bool,
    pub value: String,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub value: String,
    pub sub: String,
}

/// Some users, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub users: Vec<User>,
    pub next: Option<Place>,
}

/// The form in which values are compared: `A` to `Z` are `a` to `z`, nothing else changes.
pub fn folded(text: &str) -> String {
    text.chars()
        .take(LONGEST)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// What the user is found by, as it is stored.
fn keys(user: &User) -> BTreeMap<&'static str, String> {
    let value = |field: &Field| match field {
        Field::Username => None,
        Field::Sub => Some(folded(&user.sub)),
        Field::UserStatus => Some(folded(user.status.as_str())),
        Field::Status => Some(if user.enabled { "Enabled" } else { "Disabled" }.to_owned()),
        attribute => user
            .attributes
            .get(attribute.as_str())
            .and_then(Value::as_str)
            .map(folded)
            .filter(|value| !value.is_empty()),
    };
    Field::ALL
        .iter()
        .filter_map(|field| Some((field.as_str(), value(field)?)))
        .collect()
}

/// Makes the user's keys what they are now.
pub(super) fn remember(conn: &mut Conn, user: &User) -> QueryResult<()> {
    let wanted = keys(user);
    let have: Vec<(String, String)> = user_keys::table
        .filter(user_keys::user_sub.eq(&user.sub))
        .select((user_keys::name, user_keys::value))
        .load(conn)?;
    for (name, _) in have
        .iter()
        .filter(|(name, _)| !wanted.contains_key(name.as_str()))
    {
        diesel::delete(user_keys::table.find((&user.sub, name))).execute(conn)?;
    }
    for (name, value) in wanted {
        if have.iter().any(|(known, kept)| known == name && *kept == value) {
            continue;
        }
        let row = (
            user_keys::user_pool_id.eq(&user.user_pool_id),
            user_keys::name.eq(name),
            user_keys::value.eq(&value),
            user_keys::user_sub.eq(&user.sub),
        );
        crate::on_backend!(conn, |c| diesel::insert_into(user_keys::table)
            .values(row)
            .on_conflict((user_keys::user_sub, user_keys::name))
            .do_update()
            .set(user_keys::value.eq(&value))
            .prepared()
            .execute(c))?;
    }
    Ok(())
}

/// How many rows one statement inserts: four values each, well below what both databases take.
const ROWS: usize = 3_000;

/// Remembers the keys of users who had none.
pub(super) fn remember_new(conn: &mut Conn, new: &[User]) -> QueryResult<()> {
    let keys: Vec<(&User, BTreeMap<&'static str, String>)> =
        new.iter().map(|user| (user, keys(user))).collect();
    let rows: Vec<_> = keys
        .iter()
        .flat_map(|(user, keys)| {
            keys.iter().map(|(name, value)| {
                (
                    user_keys::user_pool_id.eq(user.user_pool_id.as_str()),
                    user_keys::name.eq(*name),
                    user_keys::value.eq(value.as_str()),
                    user_keys::user_sub.eq(user.sub.as_str()),
                )
            })
        })
        .collect();
    for rows in rows.chunks(ROWS) {
        let rows = rows.to_vec();
        crate::on_backend!(conn, |c| diesel::insert_into(user_keys::table)
            .values(rows)
            .execute(c))?;
    }
    Ok(())
}

/// The user of the pool that goes by this name: a username, the `sub`, or `<provider>_<subject>` of a linked identity.
pub fn find_named(conn: &mut Conn, pool: &Pool, name: &str) -> QueryResult<Option<User>> {
    let found = users::table
        .filter(users::user_pool_id.eq(&pool.id))
        .filter(users::username.eq(username(pool, name)))
        .select(User::as_select())
        .first(conn)
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let of_pool = |user: &User| user.user_pool_id == pool.id;
    if let Some(user) = super::find(conn, name)?.filter(of_pool) {
        return Ok(Some(user));
    }
    // A connection's name may have an underscore itself.
    for (at, _) in name.match_indices('_') {
        let (Some(provider), Some(subject)) = (name.get(..at), name.get(at + 1..)) else {
            continue;
        };
        if provider.chars().count() > LONGEST_PROVIDER {
            break;
        }
        if let Some(user) = find_upstream(conn, pool, provider, subject)? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// The user of the pool to whom this upstream account leads.
pub fn find_upstream(
    conn: &mut Conn,
    pool: &Pool,
    provider_name: &str,
    subject: &str,
) -> QueryResult<Option<User>> {
    let Some(provider) = provider::find_by_name(conn, &pool.id, provider_name)? else {
        return Ok(None);
    };
    let found = super::find_by_identity(conn, &provider.id, &provider.issuer, subject)?;
    Ok(found.filter(|user| user.user_pool_id == pool.id))
}

/// The name in the case that the pool's usernames are compared in.
pub fn username(pool: &Pool, name: &str) -> String {
    if pool.settings.case_sensitive {
        name.to_owned()
    } else {
        name.to_lowercase()
    }
}

/// The users of the pool that the filter describes, in the order of the value, or all in the order of their usernames.
pub fn page(
    conn: &mut Conn,
    pool: &Pool,
    filter: Option<&Filter>,
    after: Option<&Place>,
    limit: usize,
) -> QueryResult<Page> {
    let (field, begins, value) = match filter {
        None => (Field::Username, true, String::new()),
        Some(filter) => {
            let value = match filter.field {
                Field::Username => username(pool, &filter.value),
                Field::Status => filter.value.clone(),
                _ => folded(&filter.value),
            };
            (filter.field, filter.begins, value)
        }
    };
    // One more than is shown tells whether there is a next page.
    let wanted = limit.saturating_add(1);
    let walk = Walk {
        user_pool_id: &pool.id,
        field,
        end: after_all(&value),
    };
    let mut places = match (begins, after) {
        (false, after) => walk.of_value(conn, &value, after.map_or("", |place| &place.sub), wanted)?,
        (true, None) => walk.of_range(conn, Bound::Included(&value), wanted)?,
        (true, Some(place)) => {
            let mut places = walk.of_value(conn, &place.value, &place.sub, wanted)?;
            let rest = wanted.saturating_sub(places.len());
            if rest > 0 {
                places.extend(walk.of_range(conn, Bound::Excluded(&place.value), rest)?);
            }
            places
        }
    };
    let more = places.len() > limit;
    places.truncate(limit);
    Ok(Page {
        users: of_places(conn, &places)?,
        next: places.pop().filter(|_| more),
    })
}

/// Along the index of one field.
struct Walk<'a> {
    user_pool_id: &'a str,
    field: Field,
    /// The first value that no longer begins as wanted.
    end: Option<String>,
}

impl Walk<'_> {
    /// Who has exactly this value, from the first after that user on.
    fn of_value(
        &self,
        conn: &mut Conn,
        value: &str,
        after_sub: &str,
        limit: usize,
    ) -> QueryResult<Vec<Place>> {
        let found: Vec<(String, String)> = if self.field == Field::Username {
            users::table
                .filter(users::user_pool_id.eq(self.user_pool_id))
                .filter(users::username.eq(value))
                .filter(users::sub.gt(after_sub))
                .select((users::username, users::sub))
                .load(conn)?
        } else {
            user_keys::table
                .filter(user_keys::user_pool_id.eq(self.user_pool_id))
                .filter(user_keys::name.eq(self.field.as_str()))
                .filter(user_keys::value.eq(value))
                .filter(user_keys::user_sub.gt(after_sub))
                .order(user_keys::user_sub)
                .limit(rows(limit))
                .select((user_keys::value, user_keys::user_sub))
                .load(conn)?
        };
        Ok(found.into_iter().map(Place::of).collect())
    }

    /// Whose value is here or further on, but before the end.
    fn of_range(&self, conn: &mut Conn, from: Bound<&str>, limit: usize) -> QueryResult<Vec<Place>> {
        let found: Vec<(String, String)> = if self.field == Field::Username {
            let mut query = users::table
                .filter(users::user_pool_id.eq(self.user_pool_id))
                .order(users::username)
                .limit(rows(limit))
                .select((users::username, users::sub))
                .into_boxed();
            query = match from {
                Bound::Excluded(value) => query.filter(users::username.gt(value.to_owned())),
                Bound::Included(value) => query.filter(users::username.ge(value.to_owned())),
                Bound::Unbounded => query,
            };
            if let Some(end) = &self.end {
                query = query.filter(users::username.lt(end.clone()));
            }
            query.load(conn)?
        } else {
            let mut query = user_keys::table
                .filter(user_keys::user_pool_id.eq(self.user_pool_id))
                .filter(user_keys::name.eq(self.field.as_str()))
                .order((user_keys::value, user_keys::user_sub))
                .limit(rows(limit))
                .select((user_keys::value, user_keys::user_sub))
                .into_boxed();
            query = match from {
                Bound::Excluded(value) => query.filter(user_keys::value.gt(value.to_owned())),
                Bound::Included(value) => query.filter(user_keys::value.ge(value.to_owned())),
                Bound::Unbounded => query,
            };
            if let Some(end) = &self.end {
                query = query.filter(user_keys::value.lt(end.clone()));
            }
            query.load(conn)?
        };
        Ok(found.into_iter().map(Place::of).collect())
    }
}

impl Place {
    fn of((value, sub): (String, String)) -> Place {
        Place { value, sub }
    }
}

/// The users at these places, in their order; who was deleted meanwhile is left out.
fn of_places(conn: &mut Conn, places: &[Place]) -> QueryResult<Vec<User>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let subs: Vec<&str> = places.iter().map(|place| place.sub.as_str()).collect();
    let found: Vec<User> = users::table
        .filter(users::sub.eq_any(subs))
        .select(User::as_select())
        .load(conn)?;
    let mut by_sub: BTreeMap<String, User> = found.into_iter().map(|user| (user.sub.clone(), user)).collect();
    Ok(places
        .iter()
        .filter_map(|place| by_sub.remove(&place.sub))
        .collect())
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The first text, by code points, after all those that begin so; none where nothing comes after them.
fn after_all(begins: &str) -> Option<String> {
    let mut letters: Vec<char> = begins.chars().collect();
    while let Some(last) = letters.pop() {
        // Between these two are the surrogates, which are no characters.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other).saturating_add(1)),
        };
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_all_that_begin_so() {
        for (begins, expected) in [
            ("", None),
            ("ab", Some("ac")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
            ("é", Some("ê")),
        ] {
            assert_eq!(after_all(begins).as_deref(), expected, "{begins:?}");
        }
    }

    #[test]
    fn only_the_letters_of_ascii_are_folded() {
        assert_eq!(folded("Ada-LOVELACE"), "ada-lovelace");
        assert_eq!(folded("Émile"), "Émile");
        assert_eq!(folded(&"é".repeat(300)).chars().count(), LONGEST);
    }
}
