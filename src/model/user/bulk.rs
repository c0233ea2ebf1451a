//! Users a thousand at a time, for pools that move in or out: a handful of statements for each batch, however many users
//! are in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;

use super::{Identity, User, directory, search};
use crate::db::Conn;
use crate::db::schema::{identities, users};

/// The first users of a pool by `sub`, those after `after`.
pub fn page(conn: &mut Conn, user_pool_id: &str, after: &str, limit: i64) -> QueryResult<Vec<User>> {
    users::table
        .filter(users::user_pool_id.eq(user_pool_id))
        .filter(users::sub.gt(after))
        .order(users::sub)
        .limit(limit)
        .select(User::as_select())
        .load(conn)
}

/// Those of the named users that there are, of whatever pool, by `sub`.
pub fn find(conn: &mut Conn, subs: &[&str]) -> QueryResult<HashMap<String, User>> {
    let found: Vec<User> = users::table
        .filter(users::sub.eq_any(subs.to_vec()))
        .select(User::as_select())
        .load(conn)?;
    Ok(found.into_iter().map(|user| (user.sub.clone(), user)).collect())
}

/// The `sub`s behind usernames of a pool.
pub fn subs_of(
    conn: &mut Conn,
    user_pool_id: &str,
    usernames: &[&str],
) -> QueryResult<HashMap<String, String>> {
    let found: Vec<(String, String)> = users::table
        .filter(users::user_pool_id.eq(user_pool_id))
        .filter(users::username.eq_any(usernames.to_vec()))
        .select((users::username, users::sub))
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// The identities of these users, those of each in their order.
pub fn identities(conn: &mut Conn, subs: &[&str]) -> QueryResult<BTreeMap<String, Vec<Identity>>> {
    let found: Vec<Identity> = identities::table
        .filter(identities::user_sub.eq_any(subs.to_vec()))
        .order((
            identities::is_primary.desc(),
            identities::created_ms,
            identities::provider_id,
        ))
        .select(Identity::as_select())
        .load(conn)?;
    let mut of_user: BTreeMap<String, Vec<Identity>> = BTreeMap::new();
    for identity in found {
        of_user
            .entry(identity.user_sub.clone())
            .or_default()
            .push(identity);
    }
    Ok(of_user)
}

/// Who is linked to these subjects of a provider: subject to `sub`.
pub fn owners(
    conn: &mut Conn,
    provider_id: &str,
    issuer: &str,
    subjects: &[&str],
) -> QueryResult<HashMap<String, String>> {
    let found: Vec<(String, String)> = identities::table
        .filter(identities::provider_id.eq(provider_id))
        .filter(identities::issuer.eq(issuer))
        .filter(identities::subject.eq_any(subjects.to_vec()))
        .select((identities::subject, identities::user_sub))
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// Inserts users that are not there, with their identities and what they are found by.
pub fn insert(conn: &mut Conn, new: &[User], linked: &[Identity]) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(users::table).values(new).execute(c))?;
    insert_identities(conn, linked)?;
    let mut subjects: HashMap<&str, Vec<&str>> = HashMap::new();
    for identity in linked {
        subjects
            .entry(&identity.user_sub)
            .or_default()
            .push(&identity.subject);
    }
    let words: Vec<(&User, BTreeSet<String>)> = new
        .iter()
        .map(|user| {
            let subjects = subjects.get(user.sub.as_str()).map_or(&[][..], Vec::as_slice);
            (user, search::terms_with(user, subjects))
        })
        .collect();
    search::remember_new(conn, &words)?;
    directory::remember_new(conn, new)
}

/// Links upstream accounts that nobody is linked to.
pub fn insert_identities(conn: &mut Conn, linked: &[Identity]) -> QueryResult<()> {
    // Seven values each, well below what both databases take in one statement.
    for some in linked.chunks(3_000) {
        crate::on_backend!(conn, |c| diesel::insert_into(identities::table)
            .values(some)
            .execute(c))?;
    }
    Ok(())
}
