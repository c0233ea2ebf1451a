//! Finding users: who is within an administrator's reach, the list of a pool page by page, and the search by what an
//! address, a name or an identifier begins with. Made for pools of a million users: every page is a walk along an index.
//!
//! Attributes are JSON text, which no index looks into; so the words that a search may name stand in `user_terms`, in
//! lower case, kept up to date by whatever writes users.

use std::collections::BTreeSet;

use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use serde_json::Value;

use super::{Identity, Status, User};
use crate::db::schema::{identities, identity_providers, memberships, user_passwords, user_terms, users};
use crate::db::{Conn, Prepare};
use crate::model::reach::Reach;

/// What is kept of a term, in characters.
const LONGEST: usize = 100;
/// Users of a tenant up to which its list is sorted as a whole; a larger one is met often enough along the pool's list.
const FEW: i64 = 5_000;

/// Which users of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What an address, name, username, upstream subject or `sub` begins with.
    pub begins: Option<String>,
    pub enabled: Option<bool>,
    /// Users with an identity at this connection.
    pub provider_id: Option<String>,
    /// Members of this group, whoever put them there.
    pub group: Option<String>,
}

/// Some users, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub users: Vec<User>,
    /// Given as `after`, leads to the next page.
    pub next: Option<String>,
}

/// The words by which this user is found.
fn terms(user: &User) -> BTreeSet<String> {
    let named = ["email", "name", "family_name"];
    named
        .into_iter()
        .filter_map(|name| user.attributes.get(name).and_then(Value::as_str))
        .chain([user.username.as_str(), user.sub.as_str()])
        .map(term)
        .filter(|term| !term.is_empty())
        .collect()
}

/// The form in which terms are kept and asked for.
fn term(text: &str) -> String {
    text.trim().to_lowercase().chars().take(LONGEST).collect()
}

/// Makes the user's terms what they are now.
pub(super) fn remember(conn: &mut Conn, user: &User) -> QueryResult<()> {
    let mut wanted = terms(user);
    let subjects: Vec<String> = identities::table
        .filter(identities::user_sub.eq(&user.sub))
        .select(identities::subject)
        .load(conn)?;
    wanted.extend(subjects.iter().map(|subject| term(subject)));
    let have: BTreeSet<String> = user_terms::table
        .filter(user_terms::user_sub.eq(&user.sub))
        .select(user_terms::term)
        .load(conn)?
        .into_iter()
        .collect();
    for gone in have.difference(&wanted) {
        diesel::delete(user_terms::table.find((&user.user_pool_id, gone, &user.sub))).execute(conn)?;
    }
    for new in wanted.difference(&have) {
        insert(conn, &user.user_pool_id, new, &user.sub)?;
    }
    Ok(())
}

/// How many rows one statement inserts: three values each, well below what both databases take.
const ROWS: usize = 3_000;

/// The words by which a user with these upstream subjects is found.
pub(super) fn terms_with(user: &User, subjects: &[&str]) -> BTreeSet<String> {
    let mut words = terms(user);
    words.extend(subjects.iter().map(|subject| term(subject)));
    words
}

/// Remembers the words of users who had none.
pub(super) fn remember_new(conn: &mut Conn, words: &[(&User, BTreeSet<String>)]) -> QueryResult<()> {
    let rows: Vec<_> = words
        .iter()
        .flat_map(|(user, terms)| {
            terms.iter().map(|term| {
                (
                    user_terms::user_pool_id.eq(user.user_pool_id.as_str()),
                    user_terms::term.eq(term.as_str()),
                    user_terms::user_sub.eq(user.sub.as_str()),
                )
            })
        })
        .collect();
    for rows in rows.chunks(ROWS) {
        let rows = rows.to_vec();
        crate::on_backend!(conn, |c| diesel::insert_into(user_terms::table)
            .values(rows)
            .execute(c))?;
    }
    Ok(())
}

/// Adds the upstream's own name for the user.
pub(super) fn remember_subject(conn: &mut Conn, identity: &Identity) -> QueryResult<()> {
    let pool: Option<String> = users::table
        .find(&identity.user_sub)
        .select(users::user_pool_id)
        .first(conn)
        .optional()?;
    match pool {
        Some(pool) => insert(conn, &pool, &term(&identity.subject), &identity.user_sub),
        None => Ok(()),
    }
}

fn insert(conn: &mut Conn, user_pool_id: &str, term: &str, user_sub: &str) -> QueryResult<()> {
    let row = (
        user_terms::user_pool_id.eq(user_pool_id),
        user_terms::term.eq(term),
        user_terms::user_sub.eq(user_sub),
    );
    crate::on_backend!(conn, |c| diesel::insert_into(user_terms::table)
        .values(row)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    Ok(())
}

/// The user, for an administrator with this reach: of a pool of theirs, or known to a connection of a tenant of theirs.
pub fn find_within(conn: &mut Conn, reach: &Reach, sub: &str) -> QueryResult<Option<User>> {
    let Some(user) = super::find(conn, sub)? else {
        return Ok(None);
    };
    if reach.has_pool(&user.user_pool_id) {
        return Ok(Some(user));
    }
    let theirs = identities_of(conn, reach, sub)?.into_iter().any(|(_, own)| own);
    Ok(theirs.then_some(user))
}

/// The user, if it is this administrator's alone: of a pool of theirs, or known to no connection but those of their
/// tenants. Whoever shares an account with others does not decide over it.
pub fn find_own(conn: &mut Conn, reach: &Reach, sub: &str) -> QueryResult<Option<User>> {
    let Some(user) = super::find(conn, sub)? else {
        return Ok(None);
    };
    if reach.has_pool(&user.user_pool_id) {
        return Ok(Some(user));
    }
    let identities = identities_of(conn, reach, sub)?;
    let own = !identities.is_empty() && identities.iter().all(|(_, own)| *own);
    Ok(own.then_some(user))
}

/// The user, of a pool that is within reach as a whole.
pub fn find_in_pool(conn: &mut Conn, reach: &Reach, sub: &str) -> QueryResult<Option<User>> {
    Ok(super::find(conn, sub)?.filter(|user| reach.has_pool(&user.user_pool_id)))
}

/// The user's identities, and whether each is at a connection within reach.
pub fn identities_of(conn: &mut Conn, reach: &Reach, sub: &str) -> QueryResult<Vec<(Identity, bool)>> {
    let identities = super::identities(conn, sub)?;
    let ids: Vec<String> = identities
        .iter()
        .map(|identity| identity.provider_id.clone())
        .collect();
    let owners: Vec<(String, String, Option<String>)> = identity_providers::table
        .filter(identity_providers::id.eq_any(ids))
        .select((
            identity_providers::id,
            identity_providers::user_pool_id,
            identity_providers::tenant_id,
        ))
        .load(conn)?;
    let own = |identity: &Identity| {
        owners.iter().any(|(id, pool, tenant)| {
            *id == identity.provider_id
                && (reach.has_pool(pool)
                    || tenant
                        .as_ref()
                        .is_some_and(|tenant| reach.tenants.contains(tenant)))
        })
    };
    Ok(identities
        .into_iter()
        .map(|identity| {
            let own = own(&identity);
            (identity, own)
        })
        .collect())
}

/// The connections of the pool whose users are within reach; `None` when all users of the pool are.
fn connections(conn: &mut Conn, reach: &Reach, user_pool_id: &str) -> QueryResult<Option<Vec<String>>> {
    if reach.has_pool(user_pool_id) {
        return Ok(None);
    }
    identity_providers::table
        .filter(identity_providers::user_pool_id.eq(user_pool_id))
        .filter(
            identity_providers::tenant_id
                .assume_not_null()
                .eq_any(reach.tenants.clone())
                .and(identity_providers::tenant_id.is_not_null()),
        )
        .select(identity_providers::id)
        .load(conn)
        .map(Some)
}

/// Narrows a boxed query that has the table of users in it.
macro_rules! narrowed {
    ($query:expr, $filter:expr, $connections:expr) => {{
        let mut query = $query;
        if let Some(enabled) = $filter.enabled {
            query = query.filter(users::enabled.eq(enabled));
        }
        if let Some(id) = $filter.provider_id.clone() {
            query = query.filter(exists(
                identities::table
                    .filter(identities::user_sub.eq(users::sub))
                    .filter(identities::provider_id.eq(id)),
            ));
        }
        if let Some(group) = $filter.group.clone() {
            query = query.filter(exists(
                memberships::table
                    .filter(memberships::user_sub.eq(users::sub))
                    .filter(memberships::group_name.eq(group)),
            ));
        }
        if let Some(connections) = $connections {
            query = query.filter(exists(
                identities::table
                    .filter(identities::user_sub.eq(users::sub))
                    .filter(identities::provider_id.eq_any(connections)),
            ));
        }
        query
    }};
}

/// One page of the pool's users within reach. A search goes along its terms, everything else from the newest user on.
/// An `after` that no page gave leads to the first page.
pub fn page(
    conn: &mut Conn,
    reach: &Reach,
    user_pool_id: &str,
    filter: &Filter,
    after: Option<&str>,
    limit: usize,
) -> QueryResult<Page> {
    let connections = connections(conn, reach, user_pool_id)?;
    if connections.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Page::default());
    }
    match filter.begins.as_deref().map(term).filter(|term| !term.is_empty()) {
        Some(begins) => by_term(conn, connections, user_pool_id, filter, &begins, after, limit),
        None => newest(conn, connections, user_pool_id, filter, after, limit),
    }
}

fn newest(
    conn: &mut Conn,
    connections: Option<Vec<String>>,
    user_pool_id: &str,
    filter: &Filter,
    after: Option<&str>,
    limit: usize,
) -> QueryResult<Page> {
    let mut query = users::table
        .select(User::as_select())
        .order((users::created_at.desc(), users::sub.desc()))
        .limit(one_more(limit))
        .into_boxed();
    let few = match &connections {
        Some(ids) => has_few(conn, ids)?,
        None => false,
    };
    if few {
        // Without the pool's condition: it would lead both databases along the list of the whole pool, of which these
        // may be the very last.
        let subs = identities::table
            .filter(identities::provider_id.eq_any(connections.clone().unwrap_or_default()))
            .select(identities::user_sub);
        query = query.filter(users::sub.eq_any(subs));
    } else {
        query = query.filter(users::user_pool_id.eq(user_pool_id.to_owned()));
    }
    if let Some((created_at, sub)) = after.and_then(|after| after.split_once('.'))
        && let Ok(created_at) = created_at.parse::<i64>()
    {
        // Compared as a pair, which both databases look up in the index.
        query = query.filter(
            sql::<Bool>("(users.created_at, users.sub) < (")
                .bind::<BigInt, _>(created_at)
                .sql(", ")
                .bind::<Text, _>(sub.to_owned())
                .sql(")"),
        );
    }
    let found: Vec<User> = narrowed!(query, filter, connections.filter(|_| !few)).load(conn)?;
    Ok(cut(found, limit, |user| {
        (user.clone(), format!("{}.{}", user.created_at.0, user.sub))
    }))
}

/// Whether the connections have few users, so that sorting them is quicker than meeting them along the pool's list.
fn has_few(conn: &mut Conn, connections: &[String]) -> QueryResult<bool> {
    let beyond: Option<String> = identities::table
        .filter(identities::provider_id.eq_any(connections.to_vec()))
        .select(identities::user_sub)
        .offset(FEW)
        .limit(1)
        .first(conn)
        .optional()?;
    Ok(beyond.is_none())
}

fn by_term(
    conn: &mut Conn,
    connections: Option<Vec<String>>,
    user_pool_id: &str,
    filter: &Filter,
    begins: &str,
    after: Option<&str>,
    limit: usize,
) -> QueryResult<Page> {
    // Whoever is found by several terms stands where the first of them does.
    let earlier = diesel::alias!(user_terms as earlier);
    let after = after.and_then(|after| after.split_once('.'));
    // The place to begin at once more by itself: SQLite looks a pair up only where nothing else bounds the term.
    let first = after.map_or(begins, |(_, term)| term.max(begins));
    let mut query = user_terms::table
        .inner_join(users::table)
        .filter(user_terms::term.ge(first.to_owned()))
        .filter(user_terms::term.lt(format!("{begins}\u{10ffff}")))
        .filter(not(exists(
            earlier
                .filter(earlier.field(user_terms::user_sub).eq(user_terms::user_sub))
                .filter(earlier.field(user_terms::term).ge(begins.to_owned()))
                .filter(earlier.field(user_terms::term).lt(user_terms::term)),
        )))
        .select((user_terms::term, User::as_select()))
        .order((user_terms::term, user_terms::user_sub))
        .limit(one_more(limit))
        .into_boxed();
    let few = match &connections {
        Some(ids) => has_few(conn, ids)?,
        None => false,
    };
    if few {
        // As in the list: along the few users, not along what the whole pool has under these letters.
        let subs = identities::table
            .filter(identities::provider_id.eq_any(connections.clone().unwrap_or_default()))
            .select(identities::user_sub);
        query = query.filter(user_terms::user_sub.eq_any(subs));
    } else {
        query = query.filter(user_terms::user_pool_id.eq(user_pool_id.to_owned()));
    }
    if let Some((sub, term)) = after {
        query = query.filter(
            sql::<Bool>("(user_terms.term, user_terms.user_sub) > (")
                .bind::<Text, _>(term.to_owned())
                .sql(", ")
                .bind::<Text, _>(sub.to_owned())
                .sql(")"),
        );
    }
    let found: Vec<(String, User)> = narrowed!(query, filter, connections.filter(|_| !few)).load(conn)?;
    Ok(cut(found, limit, |(term, user)| {
        (user.clone(), format!("{}.{term}", user.sub))
    }))
}

/// Some of the users of our own whose address that is, whoever vouches for it: not those who only come through a connection.
pub fn own_with_email(conn: &mut Conn, user_pool_id: &str, email: &str) -> QueryResult<Vec<User>> {
    let mut found: Vec<User> = user_terms::table
        .inner_join(users::table)
        .filter(user_terms::user_pool_id.eq(user_pool_id))
        .filter(user_terms::term.eq(term(email)))
        .filter(users::status.ne(Status::ExternalProvider).or(exists(
            user_passwords::table.filter(user_passwords::user_sub.eq(users::sub)),
        )))
        .select(User::as_select())
        .limit(20)
        .load(conn)?;
    // A term may be a name or a username as well.
    found.retain(|user| {
        let theirs = user.attributes.get("email").and_then(Value::as_str);
        theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(email))
    });
    Ok(found)
}

/// One more than is shown tells whether there is a next page.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}

/// The rows that are shown, and the place after the last of them if there are more.
fn cut<R>(mut found: Vec<R>, limit: usize, user_and_place: impl Fn(&R) -> (User, String)) -> Page {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| user_and_place(last).1);
    Page {
        users: found.iter().map(|row| user_and_place(row).0).collect(),
        next,
    }
}

/// The identities of these users.
pub fn identities_of_all(conn: &mut Conn, subs: &[String]) -> QueryResult<Vec<Identity>> {
    identities::table
        .filter(identities::user_sub.eq_any(subs.to_vec()))
        .order((identities::user_sub, identities::provider_name))
        .select(Identity::as_select())
        .load(conn)
}
