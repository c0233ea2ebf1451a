//! Management credential: an access key that signs calls of the management API, and what it may do.

use diesel::prelude::*;

use crate::db::schema::management_credentials;
use crate::db::{Conn, MultiBackend};
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = management_credentials)]
pub struct Credential {
    /// The access key id.
    pub id: String,
    /// Sealed for purpose `management-secret`, the id being the name: a signature is checked with the secret itself.
    pub secret_sealed: Vec<u8>,
    pub role: Role,
    /// The one pool within reach; `None`: all.
    pub user_pool_id: Option<String>,
    pub description: String,
    pub enabled: bool,
    pub created_at: UnixTime,
    /// To the minute.
    pub last_used_at: Option<UnixTime>,
}

text_enum! {
    /// What a credential may do within its reach.
    pub enum Role { Admin = "admin", ReadOnly = "read_only" }
}

impl Credential {
    pub fn reach(&self) -> Reach {
        match &self.user_pool_id {
            None => Reach::everything(),
            Some(pool) => Reach {
                pools: vec![pool.clone()],
                ..Reach::default()
            },
        }
    }
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Credential>> {
    management_credentials::table
        .find(id)
        .select(Credential::as_select())
        .first(conn)
        .optional()
}

/// Those of pools within reach; those that reach every pool are the whole installation's.
fn within(reach: &Reach) -> management_credentials::BoxedQuery<'static, MultiBackend> {
    let query = management_credentials::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        management_credentials::user_pool_id
            .assume_not_null()
            .eq_any(reach.pools.clone())
            .and(management_credentials::user_pool_id.is_not_null()),
    )
}

pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Credential>> {
    within(reach)
        .filter(management_credentials::id.eq(id.to_owned()))
        .select(Credential::as_select())
        .first(conn)
        .optional()
}

pub fn list_within(conn: &mut Conn, reach: &Reach) -> QueryResult<Vec<Credential>> {
    within(reach)
        .order((management_credentials::created_at, management_credentials::id))
        .select(Credential::as_select())
        .load(conn)
}

/// False when the id is taken.
pub fn insert(conn: &mut Conn, credential: &Credential) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(management_credentials::table)
        .values(credential)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Replaces the secret: what the old one signed is refused from now on.
pub fn set_secret(conn: &mut Conn, id: &str, sealed: &[u8]) -> QueryResult<bool> {
    let rows = diesel::update(management_credentials::table.find(id))
        .set(management_credentials::secret_sealed.eq(sealed))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn set_enabled(conn: &mut Conn, id: &str, enabled: bool) -> QueryResult<bool> {
    let rows = diesel::update(management_credentials::table.find(id))
        .set(management_credentials::enabled.eq(enabled))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(management_credentials::table.find(id)).execute(conn)? == 1)
}

/// Remembers the use, unless one within the last minute is remembered.
pub fn touch(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<()> {
    let stale = management_credentials::last_used_at
        .is_null()
        .or(management_credentials::last_used_at.lt(now.plus(-60)));
    diesel::update(management_credentials::table.find(id))
        .filter(stale)
        .set(management_credentials::last_used_at.eq(now))
        .execute(conn)
        .map(|_| ())
}
