//! Finding traces: by person, time, outcome and what else an administrator remembers; within their reach, newest first,
//! a page at a time.
//!
//! Millions of traces are kept, so no list may walk through them. A reach is taken apart into the parts that have an index
//! (everything, a pool, a connection); of each part the newest page is read, and the pages are merged here. The attempts of
//! one person are few: there the reach is a condition.

use diesel::dsl::sql;
use diesel::expression::BoxableExpression;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable};

use super::{Outcome, Trace};
use crate::db::schema::{identity_providers, login_traces};
use crate::db::{Conn, MultiBackend};
use crate::model::provider;
use crate::model::reach::Reach;
use crate::world::UnixTime;

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = login_traces)]
pub struct Row {
    pub code: String,
    pub provider_id: Option<String>,
    pub client_id: Option<String>,
    pub user_sub: Option<String>,
    pub outcome: Outcome,
    pub cause: String,
    pub started_at: UnixTime,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub person: Option<Person>,
    /// Begun at this moment or later, and before that one.
    pub since: Option<UnixTime>,
    pub until: Option<UnixTime>,
    pub ending: Option<Ending>,
    pub cause: Option<String>,
    pub provider_id: Option<String>,
    pub client_id: Option<String>,
    /// The last row of the page before.
    pub after: Option<(UnixTime, String)>,
}

/// Whose attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// As [`super::person_hashes`] gives them.
    Hashes(Vec<Vec<u8>>),
    /// A user's `sub`.
    User(String),
}

/// How the attempts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Refused or failed.
    Unsuccessful,
    Was(Outcome),
}

/// A part of a reach for which the table has an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Everything,
    Pool(String),
    /// Only what happened since the connection was made: before, the name may have been somebody else's.
    Connection {
        id: String,
        since: UnixTime,
    },
}

pub(super) type Condition =
    Box<dyn BoxableExpression<login_traces::table, MultiBackend, SqlType = Nullable<Bool>>>;

/// The literal of the partial indexes: a bound value would not let the database use them.
pub(super) const UNSUCCESSFUL: &str = "login_traces.outcome <> 'signed_in'";

/// The cause of every trace that ended in a sign-in.
const SIGNED_IN: &str = "signed_in";

impl Part {
    pub(super) fn condition(&self) -> Option<Condition> {
        match self {
            Part::Everything => None,
            Part::Pool(id) => Some(Box::new(login_traces::user_pool_id.eq(id.clone()))),
            Part::Connection { id, since } => Some(Box::new(
                login_traces::provider_id
                    .eq(id.clone())
                    .and(login_traces::started_at.ge(*since)),
            )),
        }
    }
}

/// The parts of a reach; none when there is nothing in it.
pub(super) fn parts(conn: &mut Conn, reach: &Reach) -> QueryResult<Vec<Part>> {
    if reach.everything {
        return Ok(vec![Part::Everything]);
    }
    let mut parts: Vec<Part> = reach.pools.iter().cloned().map(Part::Pool).collect();
    if !reach.tenants.is_empty() {
        let own: Vec<(String, String, UnixTime)> = identity_providers::table
            .filter(identity_providers::tenant_id.eq_any(reach.tenants.clone()))
            .select((
                identity_providers::id,
                identity_providers::user_pool_id,
                identity_providers::created_at,
            ))
            .load(conn)?;
        parts.extend(
            own.into_iter()
                .filter(|(_, pool, _)| !reach.has_pool(pool))
                .map(|(id, _, since)| Part::Connection { id, since }),
        );
    }
    Ok(parts)
}

/// Any of the parts; `None` when that is no condition at all. Must not be asked of no parts.
fn any_of(parts: &[Part]) -> Option<Condition> {
    let mut conditions = Vec::new();
    for part in parts {
        conditions.push(part.condition()?);
    }
    conditions
        .into_iter()
        .reduce(|one, other| Box::new(one.or(other)))
}

/// The trace, for an administrator with this reach.
pub fn find_within(conn: &mut Conn, reach: &Reach, code: &str) -> QueryResult<Option<Trace>> {
    let parts = parts(conn, reach)?;
    if parts.is_empty() {
        return Ok(None);
    }
    let mut query = login_traces::table
        .filter(login_traces::code.eq(code.to_owned()))
        .select(Trace::as_select())
        .into_boxed();
    if let Some(condition) = any_of(&parts) {
        query = query.filter(condition);
    }
    query.first(conn).optional()
}

/// The newest traces within reach that the search describes, at most `limit`.
pub fn list(conn: &mut Conn, reach: &Reach, search: &Search, limit: i64) -> QueryResult<Vec<Row>> {
    let mut parts = parts(conn, reach)?;
    if let Some(id) = &search.provider_id {
        parts = match provider::find_within(conn, reach, id)? {
            Some(known) => vec![Part::Connection {
                id: known.id,
                since: known.created_at,
            }],
            // The connection is gone; who may see everything may still see what came of it.
            None if reach.everything => vec![Part::Connection {
                id: id.clone(),
                since: UnixTime(0),
            }],
            None => Vec::new(),
        };
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    if search.person.is_some() {
        return page(conn, any_of(&parts), search, limit);
    }
    let mut rows = Vec::new();
    for part in parts {
        rows.extend(page(conn, part.condition(), search, limit)?);
    }
    rows.sort_by(|a, b| (b.started_at, &b.code).cmp(&(a.started_at, &a.code)));
    rows.dedup_by(|a, b| a.code == b.code);
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rows)
}

fn page(conn: &mut Conn, within: Option<Condition>, search: &Search, limit: i64) -> QueryResult<Vec<Row>> {
    let mut query = login_traces::table
        .select(Row::as_select())
        .order((login_traces::started_at.desc(), login_traces::code.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(within) = within {
        query = query.filter(within);
    }
    match &search.person {
        Some(Person::Hashes(hashes)) => {
            query = query.filter(login_traces::person_hash.eq_any(hashes.clone()))
        }
        Some(Person::User(sub)) => query = query.filter(login_traces::user_sub.eq(sub.clone())),
        None => {}
    }
    if let Some(since) = search.since {
        query = query.filter(login_traces::started_at.ge(since));
    }
    if let Some(until) = search.until {
        query = query.filter(login_traces::started_at.lt(until));
    }
    // Of the causes one alone ends in a sign-in; any other may be looked for where little is.
    let unsuccessful = search
        .ending
        .is_some_and(|ending| ending != Ending::Was(Outcome::SignedIn))
        || search.cause.as_deref().is_some_and(|cause| cause != SIGNED_IN);
    if unsuccessful {
        query = query.filter(sql::<Bool>(UNSUCCESSFUL));
    }
    if let Some(Ending::Was(outcome)) = search.ending {
        query = query.filter(login_traces::outcome.eq(outcome.as_str()));
    }
    if let Some(cause) = &search.cause {
        query = query.filter(login_traces::cause.eq(cause.clone()));
    }
    if let Some(id) = &search.client_id {
        query = query.filter(login_traces::client_id.eq(id.clone()));
    }
    if let Some((at, code)) = &search.after {
        // The first condition is for the index, the second exact.
        query = query.filter(login_traces::started_at.le(*at)).filter(
            login_traces::started_at
                .lt(*at)
                .or(login_traces::code.lt(code.clone())),
        );
    }
    query.load(conn)
}
