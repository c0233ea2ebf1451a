//! The rooms of user pools: the list, making one, and under each its overview, settings, schema, signing keys, hooks,
//! resource servers and tenants.

mod attributes;
mod delete;
mod edit;
mod enforcement;
mod hooks;
mod keys;
mod looks;
mod moves;
mod new;
mod resource_servers;
mod setup_links;
mod tenant_domains;
mod tenants;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::Problem;
use super::door::Admin;
use super::lists::{self, Asked};
use super::page::{self, Frame};
use super::time::Moment;
use crate::actions::pools;
use crate::broker::Broker;
use crate::error::Error;
use crate::model::pool::{self, Numbers, Pool};
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/pools").document(list))
        .service(
            resource("/console/pools/new")
                .document(new::form)
                .post(new::submit),
        )
        .service(resource("/console/pools/{pool}").document(overview))
        .service(
            resource("/console/pools/{pool}/edit")
                .document(edit::form)
                .post(edit::submit),
        )
        .service(
            resource("/console/pools/{pool}/attributes")
                .document(attributes::list)
                .post(attributes::add),
        )
        .service(
            resource("/console/pools/{pool}/delete")
                .document(delete::form)
                .post(delete::submit),
        )
        .service(resource("/console/pools/{pool}/hooks").document(hooks::list))
        .service(resource("/console/pools/{pool}/keys").document(keys::list))
        .service(resource("/console/pools/{pool}/keys/rotate").post(keys::rotate))
        .service(
            resource("/console/pools/{pool}/keys/revoke")
                .document(keys::confirm_revoke)
                .post(keys::revoke),
        )
        .configure(resource_servers::routes)
        .configure(enforcement::routes)
        .configure(looks::routes)
        .configure(tenants::routes)
        .configure(tenant_domains::routes)
        .configure(setup_links::routes)
        .configure(moves::routes);
}

/// A pool as the pages under it show it.
pub struct View {
    pub pool: Pool,
    pub issuer: String,
    /// The tab that is marked.
    pub tab: &'static str,
    pub may_change: bool,
}

/// The pool, for somebody who may look at it as a whole.
async fn look(broker: &Broker, admin: &Admin, id: &str, tab: &'static str) -> Result<View, Problem> {
    let (reach, wanted) = (admin.sees().clone(), id.to_owned());
    let pool = broker
        .db
        .read(move |conn| pools::find_within(conn, &reach, &wanted))
        .await?;
    Ok(View {
        issuer: broker.issuer(&pool.id),
        may_change: admin.changes().has_pool(&pool.id),
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

#[derive(Template)]
#[template(path = "console/pools/list.html")]
struct List {
    frame: Frame,
    asked: Asked,
    pools: Vec<Row>,
    next: Option<String>,
}

struct Row {
    pool: Pool,
    issuer: String,
    created: Moment,
}

async fn list(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "pools", request.query_string());
    if !frame.has_pools {
        return Err(Problem::NotFound);
    }
    let asked = Asked::of(&lists::query(&request)?);
    let (reach, wanted) = (admin.sees().clone(), asked.clone());
    let mut pools = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let after = match &wanted.after {
                Some(id) => pool::find_within(conn, &reach, id)?,
                None => None,
            };
            Ok(pool::page(
                conn,
                &reach,
                &wanted.search,
                after.as_ref(),
                Asked::limit(),
            )?)
        })
        .await?;
    let next = asked.next(&mut pools, "/console/pools", &[], |pool| &pool.id);
    Ok(page::show(&List {
        frame,
        asked,
        pools: pools
            .into_iter()
            .map(|pool| Row {
                issuer: broker.issuer(&pool.id),
                created: Moment(pool.created_at),
                pool,
            })
            .collect(),
        next,
    }))
}

#[derive(Template)]
#[template(path = "console/pools/overview.html")]
struct Overview {
    frame: Frame,
    view: View,
    numbers: Numbers,
    created: Moment,
    updated: Moment,
}

async fn overview(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "overview").await?;
    let id = view.pool.id.clone();
    let numbers = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(pool::numbers(conn, &id)?) })
        .await?;
    Ok(page::show(&Overview {
        frame: Frame::new(&admin, "pools", request.query_string()),
        created: Moment(view.pool.created_at),
        updated: Moment(view.pool.updated_at),
        view,
        numbers,
    }))
}
