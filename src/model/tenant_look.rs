//! How login pages look that are a tenant's own: at its host, and wherever a sign-in has been led to it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::tenant_looks;
use crate::db::{Conn, Json};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tenant_looks)]
#[diesel(treat_none_as_null = true)]
pub struct TenantLook {
    pub tenant_id: String,
    pub content: Json<Content>,
    /// A PNG or a JPEG, in the place of the app's picture.
    pub logo: Option<Vec<u8>>,
    pub updated_at: UnixTime,
}

/// What is not set is the app's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// Of the main button, `#rrggbb`.
    pub accent: Option<String>,
    /// Behind the card, `#rrggbb`.
    pub background: Option<String>,
    pub heading: Option<String>,
    pub introduction: Option<String>,
    pub help: Option<String>,
}

pub fn find(conn: &mut Conn, tenant_id: &str) -> QueryResult<Option<TenantLook>> {
    tenant_looks::table
        .find(tenant_id)
        .select(TenantLook::as_select())
        .first(conn)
        .optional()
}

/// Inserts the tenant's look, or replaces it.
pub fn put(conn: &mut Conn, row: &TenantLook) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(tenant_looks::table)
        .values(row)
        .on_conflict(tenant_looks::tenant_id)
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}

pub fn delete(conn: &mut Conn, tenant_id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(tenant_looks::table.find(tenant_id)).execute(conn)? == 1)
}
