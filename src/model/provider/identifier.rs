//! Identifiers, in lower case: email domains and aliases, each of which leads to one connection of its pool.

use diesel::prelude::*;

use super::{Provider, find};
use crate::db::schema::provider_identifiers;
use crate::db::{Conn, Prepare};

/// The provider of the pool that an identifier (as it is stored) leads to.
pub fn find_by_identifier(
    conn: &mut Conn,
    user_pool_id: &str,
    identifier: &str,
) -> QueryResult<Option<Provider>> {
    let led: Option<String> = provider_identifiers::table
        .find((user_pool_id, identifier))
        .select(provider_identifiers::provider_id)
        .first(conn)
        .optional()?;
    match led {
        Some(id) => find(conn, &id),
        None => Ok(None),
    }
}

/// The identifiers that lead to the provider, in order.
pub fn identifiers(conn: &mut Conn, provider_id: &str) -> QueryResult<Vec<String>> {
    provider_identifiers::table
        .filter(provider_identifiers::provider_id.eq(provider_id))
        .order(provider_identifiers::identifier)
        .select(provider_identifiers::identifier)
        .load(conn)
}

/// Those of these identifiers (as they are stored) that lead anywhere in the pool, each with its provider's id.
pub fn identified(
    conn: &mut Conn,
    user_pool_id: &str,
    identifiers: &[String],
) -> QueryResult<Vec<(String, String)>> {
    if identifiers.is_empty() {
        return Ok(Vec::new());
    }
    provider_identifiers::table
        .filter(provider_identifiers::user_pool_id.eq(user_pool_id))
        .filter(provider_identifiers::identifier.eq_any(identifiers.to_vec()))
        .select((
            provider_identifiers::identifier,
            provider_identifiers::provider_id,
        ))
        .prepared_for(identifiers.len())
        .load(conn)
}

/// Replaces the provider's identifiers (lower case); names the first that another provider of the pool holds.
pub fn set_identifiers(
    conn: &mut Conn,
    provider: &Provider,
    identifiers: &[String],
) -> QueryResult<Result<(), String>> {
    diesel::delete(provider_identifiers::table.filter(provider_identifiers::provider_id.eq(&provider.id)))
        .execute(conn)?;
    for identifier in identifiers {
        let row = (
            provider_identifiers::user_pool_id.eq(&provider.user_pool_id),
            provider_identifiers::identifier.eq(identifier),
            provider_identifiers::provider_id.eq(&provider.id),
        );
        let rows = crate::on_backend!(conn, |c| diesel::insert_into(provider_identifiers::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c))?;
        if rows == 0 {
            return Ok(Err(identifier.clone()));
        }
    }
    Ok(Ok(()))
}

/// Whether a domain is among the identifiers that lead to one of these providers.
pub fn any_domain_of(conn: &mut Conn, ids: &[String]) -> QueryResult<bool> {
    let domains = provider_identifiers::table
        .filter(provider_identifiers::provider_id.eq_any(ids.to_vec()))
        .filter(provider_identifiers::identifier.like("%.%"));
    diesel::select(diesel::dsl::exists(domains)).get_result(conn)
}
