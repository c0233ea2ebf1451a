//! One connection: how it stands, what is done and what is still to do, its facts; switching it off and on.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, by_tenant, open, within};
use crate::actions::providers::{self, ProviderChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::client;
use crate::model::mapping;
use crate::model::provider::{self, ApiScope, ClientAuth};
use crate::model::tile_start;
use crate::model::upstream_grant;
use crate::rules::connection::system_log;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

#[derive(Template)]
#[template(path = "console/connections/show.html")]
struct ShowPage {
    frame: Frame,
    at: At,
    client_id: String,
    method: ClientAuth,
    scopes: String,
    /// The scopes of Okta's own API that are asked for, and what came of it and since when.
    okta_api: Vec<ApiScope>,
    granted: Option<(Vec<ApiScope>, Moment)>,
    has_secret: bool,
    has_key: bool,
    has_next_secret: bool,
    secret_expires: Option<Moment>,
    next_secret_expires: Option<Moment>,
    identifiers: Vec<String>,
    origins: Vec<String>,
    mapping_version: i64,
    tested: Option<Moment>,
    live: Option<Moment>,
    made: Moment,
    last: Option<Moment>,
    /// When its tile was last clicked.
    tile: Option<Moment>,
    people: i64,
    apps: Vec<String>,
    /// Connections that come with the same client id, by slug and name.
    twins: Vec<(String, String)>,
    notices: Vec<String>,
    /// What Okta has logged about the app.
    system_log: Option<String>,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.sees(), &id).await?;
    let row = opened.provider.clone();
    let whole_pool = admin.sees().has_pool(&row.user_pool_id);
    let sees = admin.sees().clone();
    let (identifiers, version, last, tile, notices, people, apps, twins, granted) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let clients = client::list(conn, &row.user_pool_id)?;
            let lists = |client: &client::Client| client.settings.providers.contains(&row.name);
            Ok((
                provider::identifiers(conn, &row.id)?,
                mapping::current(conn, &row.id)?.map_or(0, |mapping| mapping.version),
                provider::last_sign_in(conn, &row.id)?,
                tile_start::find(conn, &row.id)?,
                provider::notices(conn, &row.id)?,
                provider::count_identities(conn, &row.id)?,
                clients
                    .into_iter()
                    .filter(lists)
                    .map(|client| client.name)
                    .collect::<Vec<_>>(),
                provider::twins(conn, &sees, &row)?,
                upstream_grant::find(conn, &row.id)?,
            ))
        })
        .await?;
    let provider = &opened.provider;
    let settings = &provider.settings;
    Ok(page::show(&ShowPage {
        frame: Frame::new(&admin, "connections", request.query_string()),
        at: At::new(&admin, &opened, ""),
        client_id: settings.client_id.clone(),
        method: settings.client_auth,
        scopes: settings.scopes.join(" "),
        okta_api: settings.okta_api.clone(),
        granted: granted.map(|grant| (grant.scopes.0, Moment(grant.at))),
        has_secret: provider.client_secret_sealed.is_some(),
        has_key: provider.private_key_sealed.is_some(),
        has_next_secret: provider.next_secret_sealed.is_some(),
        secret_expires: provider.secret_expires_at.map(Moment),
        next_secret_expires: provider.next_secret_expires_at.map(Moment),
        identifiers,
        origins: settings.token_in.clone().unwrap_or_default().origins,
        mapping_version: version,
        tested: provider.tested_at.map(Moment),
        live: provider.live_since.map(Moment),
        made: Moment(provider.created_at),
        last: last.map(Moment),
        tile: tile.map(|tile| Moment(tile.last_at)),
        people,
        // Which apps a pool has is for those to know who see the pool.
        twins: twins.into_iter().map(|twin| (twin.id, twin.name)).collect(),
        apps: if whole_pool { apps } else { Vec::new() },
        notices,
        system_log: system_log(&provider.issuer, &settings.client_id),
    }))
}

pub async fn disable(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    switch(admin, &id, &broker, false).await
}

pub async fn enable(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    switch(admin, &id, &broker, true).await
}

/// Only what has been live is switched on again; a draft goes live on its own page.
async fn switch(admin: Admin, id: &str, broker: &Broker, on: bool) -> Result<HttpResponse, Problem> {
    let (ctx, allowed) = (admin.ctx(broker), broker.upstream.allowed().to_vec());
    let (reach, wanted) = (admin.changes().clone(), id.to_owned());
    broker
        .db
        .write(move |conn| {
            let provider = within(conn, &reach, &wanted)?;
            if provider.live_since.is_none() {
                return Err(Error::Conflict(format!(
                    "'{}' has never been live: let it go live first",
                    provider.name
                )));
            }
            let change = ProviderChange {
                enabled: Some(on),
                by_tenant: by_tenant(&admin, &provider.user_pool_id),
                ..ProviderChange::default()
            };
            providers::update(conn, &ctx, &allowed, &wanted, change)
        })
        .await?;
    broker.forget();
    let said = if on { "enabled" } else { "disabled" };
    Ok(page::done(&format!("/console/connections/{id}"), said))
}
