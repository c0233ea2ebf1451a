//! The rooms of app clients: the list, making and changing one, its secrets, and what an app needs to know to sign its
//! users in here.

mod access;
mod delete;
mod edit;
mod form;
mod secrets;
mod show;
mod snippets;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::Problem;
use super::door::Admin;
use super::lists::{self, Asked};
use super::page::{self, Frame};
use super::time::Moment;
use crate::actions::{clients, pools};
use crate::broker::Broker;
use crate::error::Error;
use crate::model::client::{self, Client, Flow};
use crate::model::pool::{self, Pool};
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/clients").document(list))
        .service(
            resource("/console/clients/new")
                .document(edit::new)
                .post(edit::create),
        )
        .service(resource("/console/clients/{client}").document(show::show))
        .service(
            resource("/console/clients/{client}/edit")
                .document(edit::edit)
                .post(edit::update),
        )
        .service(
            resource("/console/clients/{client}/access")
                .document(access::page)
                .post(access::submit),
        )
        .service(resource("/console/clients/{client}/enabled").post(delete::set_enabled))
        .service(
            resource("/console/clients/{client}/secrets")
                .document(secrets::list)
                .post(secrets::add),
        )
        .service(
            resource("/console/clients/{client}/secrets/delete")
                .document(secrets::confirm_delete)
                .post(secrets::delete),
        )
        .service(
            resource("/console/clients/{client}/delete")
                .document(delete::form)
                .post(delete::submit),
        );
}

/// A client as the pages under it show it.
pub struct View {
    pub client: Client,
    pub pool: Pool,
    pub tab: &'static str,
    pub may_change: bool,
}

/// The client, for somebody who may look at its pool as a whole.
async fn look(broker: &Broker, admin: &Admin, id: &str, tab: &'static str) -> Result<View, Problem> {
    let (reach, wanted) = (admin.sees().clone(), id.to_owned());
    let (client, pool) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let client = clients::find_within(conn, &reach, &wanted)?;
            let pool = pools::find_within(conn, &reach, &client.user_pool_id)?;
            Ok((client, pool))
        })
        .await?;
    Ok(View {
        may_change: admin.changes().has_pool(&pool.id),
        client,
        pool,
        tab,
    })
}

/// The same for somebody who may change it.
async fn look_to_change(
    broker: &Broker,
    admin: &Admin,
    id: &str,
    tab: &'static str,
) -> Result<View, Problem> {
    let view = look(broker, admin, id, tab).await?;
    if view.may_change {
        Ok(view)
    } else {
        Err(Problem::NotFound)
    }
}

/// The client's own page.
fn path(client_id: &str) -> String {
    format!("/console/clients/{client_id}")
}

#[derive(Template)]
#[template(path = "console/clients/list.html")]
struct List {
    frame: Frame,
    asked: Asked,
    /// The pool whose clients these are; `None`: of all within reach.
    pool: Option<Pool>,
    clients: Vec<Row>,
    /// The pools to choose from.
    pools: Vec<Pool>,
    next: Option<String>,
    may_change: bool,
}

struct Row {
    client: Client,
    pool: String,
    /// What kind of app it is for.
    kind: &'static str,
    created: Moment,
}

fn kind(client: &Client) -> &'static str {
    match (
        client.settings.flows.contains(&Flow::ClientCredentials),
        client.settings.public,
    ) {
        (true, _) => "machine",
        (false, true) => "public",
        (false, false) => "confidential",
    }
}

async fn list(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "clients", request.query_string());
    if !frame.has_pools {
        return Err(Problem::NotFound);
    }
    let query = lists::query(&request)?;
    let asked = Asked::of(&query);
    let chosen = query.get("pool").map(str::to_owned);
    let (reach, wanted) = (admin.sees().clone(), asked.clone());
    let (pools, pool, mut clients) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let pool = match &chosen {
                Some(id) => Some(pools::find_within(conn, &reach, id)?),
                None => None,
            };
            let after = match &wanted.after {
                Some(id) => client::find_within(conn, &reach, id)?,
                None => None,
            };
            let clients = client::page(
                conn,
                &reach,
                pool.as_ref().map(|pool| pool.id.as_str()),
                &wanted.search,
                after.as_ref(),
                Asked::limit(),
            )?;
            Ok((pool::list_within(conn, &reach)?, pool, clients))
        })
        .await?;
    let pool_id = pool.as_ref().map_or("", |pool| pool.id.as_str());
    let next = asked.next(&mut clients, "/console/clients", &[("pool", pool_id)], |client| {
        &client.id
    });
    let name_of = |id: &str| {
        pools
            .iter()
            .find(|pool| pool.id == id)
            .map(|pool| pool.name.clone())
            .unwrap_or_default()
    };
    let changes = admin.changes();
    Ok(page::show(&List {
        may_change: changes.everything || !changes.pools.is_empty(),
        clients: clients
            .into_iter()
            .map(|client| Row {
                pool: name_of(&client.user_pool_id),
                kind: kind(&client),
                created: Moment(client.created_at),
                client,
            })
            .collect(),
        frame,
        asked,
        pool,
        pools,
        next,
    }))
}
