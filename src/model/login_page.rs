//! How the login pages of a pool look: the style and picture of Cognito's UI customization, the branding of managed login,
//! and the terms that a page links to.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db::schema::{login_brandings, login_terms, ui_customizations};
use crate::db::{Conn, Json, columns};
use crate::text_enum;
use crate::world::UnixTime;

/// Style and picture for one client, or for all clients of a pool that have none of their own.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = ui_customizations)]
#[diesel(treat_none_as_null = true)]
pub struct Customization {
    /// The client's id; the pool's, for all its clients.
    pub scope: String,
    pub user_pool_id: String,
    pub client_id: Option<String>,
    /// As it was set. What pages load is written anew from it.
    pub css: String,
    pub image: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

/// The branding of one client's page.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = login_brandings)]
pub struct Branding {
    pub id: String,
    pub user_pool_id: String,
    pub client_id: String,
    pub content: Json<Content>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

/// What was set, in Cognito's own words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// Nothing is set: the page looks as it does by itself.
    pub provided_values: bool,
    pub settings: Option<Value>,
    pub assets: Vec<Asset>,
}

/// A picture (Cognito's `AssetType`), its bytes in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Asset {
    pub category: String,
    pub color_mode: String,
    pub extension: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

text_enum! {
    /// What a page can link to.
    pub enum TermsName { TermsOfUse = "terms-of-use", PrivacyPolicy = "privacy-policy" }
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = login_terms)]
pub struct Terms {
    pub id: String,
    pub user_pool_id: String,
    pub client_id: String,
    pub name: TermsName,
    /// Addresses by language, as Cognito names languages: `cognito:default`, `cognito:german`.
    pub links: Json<BTreeMap<String, String>>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

pub fn customization(conn: &mut Conn, scope: &str) -> QueryResult<Option<Customization>> {
    ui_customizations::table
        .find(scope)
        .select(Customization::as_select())
        .first(conn)
        .optional()
}

/// Inserts the customization, or replaces the one of that scope.
pub fn put_customization(conn: &mut Conn, row: &Customization) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(ui_customizations::table)
        .values(row)
        .on_conflict(ui_customizations::scope)
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}

pub fn delete_customization(conn: &mut Conn, scope: &str) -> QueryResult<bool> {
    Ok(diesel::delete(ui_customizations::table.find(scope)).execute(conn)? == 1)
}

pub fn branding(conn: &mut Conn, user_pool_id: &str, id: &str) -> QueryResult<Option<Branding>> {
    login_brandings::table
        .find(id)
        .filter(login_brandings::user_pool_id.eq(user_pool_id))
        .select(Branding::as_select())
        .first(conn)
        .optional()
}

pub fn branding_of(conn: &mut Conn, client_id: &str) -> QueryResult<Option<Branding>> {
    login_brandings::table
        .filter(login_brandings::client_id.eq(client_id))
        .select(Branding::as_select())
        .first(conn)
        .optional()
}

/// False when the client has one.
pub fn insert_branding(conn: &mut Conn, row: &Branding) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(login_brandings::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update_branding(conn: &mut Conn, row: &Branding) -> QueryResult<Option<Branding>> {
    diesel::update(login_brandings::table.find(&row.id))
        .set(row)
        .returning(columns::<Branding>())
        .get_result(conn)
        .optional()
}

pub fn delete_branding(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(login_brandings::table.find(id)).execute(conn)? == 1)
}

pub fn terms(conn: &mut Conn, user_pool_id: &str, id: &str) -> QueryResult<Option<Terms>> {
    login_terms::table
        .find(id)
        .filter(login_terms::user_pool_id.eq(user_pool_id))
        .select(Terms::as_select())
        .first(conn)
        .optional()
}

/// The terms of one client's page, by name.
pub fn terms_of(conn: &mut Conn, client_id: &str) -> QueryResult<Vec<Terms>> {
    login_terms::table
        .filter(login_terms::client_id.eq(client_id))
        .order(login_terms::name)
        .select(Terms::as_select())
        .load(conn)
}

pub fn terms_of_pool(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<Terms>> {
    login_terms::table
        .filter(login_terms::user_pool_id.eq(user_pool_id))
        .select(Terms::as_select())
        .load(conn)
}

/// False when the client has terms of that name.
pub fn insert_terms(conn: &mut Conn, row: &Terms) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(login_terms::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update_terms(conn: &mut Conn, row: &Terms) -> QueryResult<Option<Terms>> {
    diesel::update(login_terms::table.find(&row.id))
        .set(row)
        .returning(columns::<Terms>())
        .get_result(conn)
        .optional()
}

pub fn delete_terms(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(login_terms::table.find(id)).execute(conn)? == 1)
}
