//! Identity move: the people of one connection of a tenant become people of another one, each at their next sign-in and
//! with the `sub` they have. Who is to become whom stands in `provider_links`, under the move's id.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::{identities, identity_moves, provider_links, users};
use crate::db::{Conn, Json, MultiBackend};
use crate::model::reach::Reach;
use crate::model::user::link::Link;
use crate::model::user::{Identity, User};
use crate::text_enum;
use crate::world::UnixTime;

/// For so long a move can be undone.
pub const UNDO_SECONDS: i64 = 30 * 86_400;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identity_moves)]
pub struct IdentityMove {
    pub id: String,
    pub user_pool_id: String,
    pub tenant_id: String,
    pub from_provider_id: String,
    pub to_provider_id: String,
    pub pairing: Json<Pairing>,
    /// As it stands in the audit log.
    pub created_by: String,
    pub created_at: UnixTime,
    /// Since when the old way is closed for everybody whom the tenant's domains make the tenant's.
    pub closed_at: Option<UnixTime>,
    pub undone_at: Option<UnixTime>,
}

/// How old and new accounts are paired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// By what the profiles say: `email`, or something like an employee number.
    Attribute { name: String },
    /// By a list, whose second column is this attribute, or `sub` for the new connection's own.
    List { attribute: String },
}

impl Pairing {
    /// By what somebody is recognised when they come.
    pub fn attribute(&self) -> &str {
        match self {
            Pairing::Attribute { name } => name,
            Pairing::List { attribute } => attribute,
        }
    }

    /// What profiles say decides, and not an administrator's own list.
    pub fn trusts_profiles(&self) -> bool {
        matches!(self, Pairing::Attribute { .. })
    }
}

text_enum! {
    /// How a move stands.
    pub enum State { Open = "open", Closed = "closed", Undone = "undone" }
}

impl IdentityMove {
    pub fn state(&self) -> State {
        match (self.undone_at, self.closed_at) {
            (Some(_), _) => State::Undone,
            (None, Some(_)) => State::Closed,
            (None, None) => State::Open,
        }
    }

    pub fn can_be_undone(&self, now: UnixTime) -> bool {
        self.undone_at.is_none() && now.since(self.created_at) <= UNDO_SECONDS
    }
}

fn within(reach: &Reach) -> identity_moves::BoxedQuery<'static, MultiBackend> {
    let query = identity_moves::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        identity_moves::user_pool_id
            .eq_any(reach.pools.clone())
            .or(identity_moves::tenant_id.eq_any(reach.tenants.clone())),
    )
}

pub fn insert(conn: &mut Conn, row: &IdentityMove) -> QueryResult<()> {
    diesel::insert_into(identity_moves::table)
        .values(row)
        .execute(conn)
        .map(|_| ())
}

pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<IdentityMove>> {
    within(reach)
        .filter(identity_moves::id.eq(id.to_owned()))
        .select(IdentityMove::as_select())
        .first(conn)
        .optional()
}

/// The newest moves of a tenant, at most `limit`.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str, limit: i64) -> QueryResult<Vec<IdentityMove>> {
    identity_moves::table
        .filter(identity_moves::tenant_id.eq(tenant_id))
        .order((identity_moves::created_at.desc(), identity_moves::id))
        .limit(limit)
        .select(IdentityMove::as_select())
        .load(conn)
}

/// The moves away from this connection that are not undone, newest first.
pub fn away_from(conn: &mut Conn, provider_id: &str) -> QueryResult<Vec<IdentityMove>> {
    identity_moves::table
        .filter(identity_moves::from_provider_id.eq(provider_id))
        .filter(identity_moves::undone_at.is_null())
        .order((identity_moves::created_at.desc(), identity_moves::id))
        .select(IdentityMove::as_select())
        .load(conn)
}

/// Closes the old way; false when it is closed already or the move undone.
pub fn close(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(identity_moves::table.find(id))
        .filter(identity_moves::closed_at.is_null())
        .filter(identity_moves::undone_at.is_null())
        .set(identity_moves::closed_at.eq(now))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Marks the move undone, if it began after `since`; of two callers only one ever gets true.
pub fn undo(conn: &mut Conn, id: &str, since: UnixTime, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(identity_moves::table.find(id))
        .filter(identity_moves::undone_at.is_null())
        .filter(identity_moves::created_at.ge(since))
        .set(identity_moves::undone_at.eq(now))
        .execute(conn)?;
    Ok(rows == 1)
}

/// How many of a move's pairs wait, and how many have come.
pub fn progress(conn: &mut Conn, id: &str) -> QueryResult<(i64, i64)> {
    let waiting = provider_links::table
        .filter(provider_links::move_id.eq(id))
        .filter(provider_links::subject.is_null())
        .count()
        .get_result(conn)?;
    let come = provider_links::table
        .filter(provider_links::move_id.eq(id))
        .filter(provider_links::subject.is_not_null())
        .count()
        .get_result(conn)?;
    Ok((waiting, come))
}

/// Pairs of a move whose person has not come yet, by `sub`, with the person's account; at most `limit`.
pub fn waiting(conn: &mut Conn, id: &str, limit: i64) -> QueryResult<Vec<(Link, User)>> {
    provider_links::table
        .inner_join(users::table.on(users::sub.eq(provider_links::user_sub)))
        .filter(provider_links::move_id.eq(id))
        .filter(provider_links::subject.is_null())
        .order(provider_links::user_sub)
        .limit(limit)
        .select((Link::as_select(), User::as_select()))
        .load(conn)
}

/// Pairs of a move whose person has come.
pub fn come(conn: &mut Conn, id: &str) -> QueryResult<Vec<Link>> {
    provider_links::table
        .filter(provider_links::move_id.eq(id))
        .filter(provider_links::subject.is_not_null())
        .order(provider_links::user_sub)
        .select(Link::as_select())
        .load(conn)
}

/// The pair of this person in a move.
pub fn pair_of(conn: &mut Conn, id: &str, user_sub: &str) -> QueryResult<Option<Link>> {
    provider_links::table
        .filter(provider_links::move_id.eq(id))
        .filter(provider_links::user_sub.eq(user_sub))
        .select(Link::as_select())
        .first(conn)
        .optional()
}

/// Deletes the pairs of a move.
pub fn delete_pairs(conn: &mut Conn, id: &str) -> QueryResult<usize> {
    diesel::delete(provider_links::table.filter(provider_links::move_id.eq(id))).execute(conn)
}

/// The accounts of a connection with the identity that they have there, by subject and issuer from after `after`; at most
/// `limit`.
pub fn people(
    conn: &mut Conn,
    provider_id: &str,
    (subject, issuer): (&str, &str),
    limit: i64,
) -> QueryResult<Vec<(Identity, User)>> {
    identities::table
        .inner_join(users::table)
        .filter(identities::provider_id.eq(provider_id))
        .filter(
            identities::subject
                .gt(subject)
                .or(identities::subject.eq(subject).and(identities::issuer.gt(issuer))),
        )
        .order((identities::subject, identities::issuer))
        .limit(limit)
        .select((Identity::as_select(), User::as_select()))
        .load(conn)
}
