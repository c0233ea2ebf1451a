//! Hook binding: the address that answers for an ARN-shaped id which pools name in their `LambdaConfig`; for one pool or
//! for all of them.

use diesel::prelude::*;

use crate::db::schema::hook_bindings;
use crate::db::{Conn, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = hook_bindings)]
pub struct Binding {
    pub id: String,
    pub arn: String,
    /// The one pool it is for; `None`: every pool that has none of its own under that id.
    pub user_pool_id: Option<String>,
    pub url: String,
    /// Sealed for purpose `hook-secret`, the id being the name.
    pub secret_sealed: Vec<u8>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

/// Those of pools within reach; those of all pools are the whole installation's.
fn within(reach: &Reach) -> hook_bindings::BoxedQuery<'static, MultiBackend> {
    let query = hook_bindings::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(
        hook_bindings::user_pool_id
            .assume_not_null()
            .eq_any(reach.pools.clone())
            .and(hook_bindings::user_pool_id.is_not_null()),
    )
}

pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Binding>> {
    within(reach)
        .filter(hook_bindings::id.eq(id.to_owned()))
        .select(Binding::as_select())
        .first(conn)
        .optional()
}

/// The binding of that id for just that pool, or for all.
pub fn find_by_arn(
    conn: &mut Conn,
    reach: &Reach,
    arn: &str,
    user_pool_id: Option<&str>,
) -> QueryResult<Option<Binding>> {
    let query = within(reach).filter(hook_bindings::arn.eq(arn.to_owned()));
    let query = match user_pool_id {
        Some(id) => query.filter(hook_bindings::user_pool_id.eq(id.to_owned())),
        None => query.filter(hook_bindings::user_pool_id.is_null()),
    };
    query.select(Binding::as_select()).first(conn).optional()
}

pub fn list_within(conn: &mut Conn, reach: &Reach) -> QueryResult<Vec<Binding>> {
    within(reach)
        .order((hook_bindings::arn, hook_bindings::id))
        .select(Binding::as_select())
        .load(conn)
}

/// What answers for these ids in a pool: its own bindings, and for the other ids those of all pools.
pub fn of_pool(conn: &mut Conn, user_pool_id: &str, arns: &[&str]) -> QueryResult<Vec<Binding>> {
    let found: Vec<Binding> = hook_bindings::table
        .filter(hook_bindings::arn.eq_any(arns.to_vec()))
        .filter(
            hook_bindings::user_pool_id
                .is_null()
                .or(hook_bindings::user_pool_id.eq(user_pool_id)),
        )
        .select(Binding::as_select())
        .load(conn)?;
    let (own, mut answering): (Vec<Binding>, Vec<Binding>) = found
        .into_iter()
        .partition(|binding| binding.user_pool_id.is_some());
    answering.retain(|binding| own.iter().all(|own| own.arn != binding.arn));
    answering.extend(own);
    Ok(answering)
}

/// False when the id is bound already, for the same pool or for all.
pub fn insert(conn: &mut Conn, binding: &Binding) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(hook_bindings::table)
        .values(binding)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Replaces the secret: what the old one signed is not ours any more.
pub fn set_secret(conn: &mut Conn, id: &str, sealed: &[u8], now: UnixTime) -> QueryResult<Option<Binding>> {
    diesel::update(hook_bindings::table.find(id))
        .set((
            hook_bindings::secret_sealed.eq(sealed),
            hook_bindings::updated_at.eq(now),
        ))
        .returning(columns::<Binding>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(hook_bindings::table.find(id)).execute(conn)? == 1)
}
