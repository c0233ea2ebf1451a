//! A tenant's set-up links: made, listed and revoked by whoever has the pool. What such a link opens is in `console::connect`.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::{self, Mistakes};
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::{View, look_to_change};
use crate::actions::setup_links::{self, USUAL_DAYS};
use crate::broker::Broker;
use crate::error::Error;
use crate::model::setup_link::{SetupLink, State};
use crate::model::tenant::Tenant;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/pools/{pool}/tenants/{tenant}/setup-links")
            .document(list)
            .post(create),
    )
    .service(resource("/console/pools/{pool}/tenants/{tenant}/setup-links/{link}/revoke").post(revoke))
    .service(resource("/console/pools/{pool}/tenants/{tenant}/setup-links/{link}/noted").post(noted));
}

#[derive(Template)]
#[template(path = "console/tenants/setup_links.html")]
struct List {
    frame: Frame,
    view: View,
    tenant: Tenant,
    rows: Vec<Row>,
    mistakes: Mistakes,
    days: String,
    /// The link that was just made, which is shown this once.
    made: Option<(String, Moment)>,
}

struct Row {
    id: String,
    state: State,
    by: String,
    made: Moment,
    until: Moment,
    opened: Option<Moment>,
    connection: Option<String>,
}

/// The page of a tenant's links, for those who may make them.
async fn prepare(
    admin: &Admin,
    broker: &Broker,
    (pool_id, tenant_id): (&str, &str),
    query: &str,
) -> Result<List, Problem> {
    let view = look_to_change(broker, admin, pool_id, "tenants").await?;
    let (reach, pool_id, id) = (
        admin.changes().clone(),
        view.pool.id.clone(),
        tenant_id.to_owned(),
    );
    let (tenant, links) = broker
        .db
        .read(move |conn| {
            let (tenant, links) = setup_links::list(conn, &reach, &id)?;
            if tenant.user_pool_id == pool_id {
                Ok((tenant, links))
            } else {
                Err(Error::not_found("tenant", id))
            }
        })
        .await?;
    let now = broker.clock.now();
    Ok(List {
        frame: Frame::new(admin, "pools", query),
        view,
        tenant,
        rows: links
            .into_iter()
            .map(|link| Row {
                state: link.state(now),
                id: link.id,
                by: link.created_by,
                made: Moment(link.created_at),
                until: Moment(link.expires_at),
                opened: link.opened_at.map(Moment),
                connection: link.provider_id,
            })
            .collect(),
        mistakes: Mistakes::default(),
        days: USUAL_DAYS.to_string(),
        made: None,
    })
}

async fn list(
    admin: Admin,
    request: HttpRequest,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, (&path.0, &path.1), request.query_string()).await?;
    Ok(page::show(&page))
}

async fn create(
    admin: Admin,
    request: HttpRequest,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let at = (path.0.as_str(), path.1.as_str());
    let mut page = prepare(&admin, &broker, at, "").await?;
    // What it opens needs no account: as with an invitation, not by a browser that was left open.
    admin.require_fresh(broker.clock.now(), request.path())?;
    page.days = form.text("days").to_owned();
    let days: i64 = filled::number(&form, "days", &mut page.mistakes);
    if !page.mistakes.is_empty() {
        return Ok(page::refused(&page));
    }
    let (ctx, reach, id) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        page.tenant.id.clone(),
    );
    let made = broker
        .db
        .write(move |conn| setup_links::create(conn, &ctx, &reach, &id, days))
        .await;
    match made {
        Ok((link, token)) => {
            let mut page = prepare(&admin, &broker, at, "").await?;
            let address = format!("{}/console/connect/{token}", broker.public_url);
            page.made = Some((address, Moment(link.expires_at)));
            Ok(page::show(&page))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "days")?;
            Ok(page::refused(&page))
        }
    }
}

/// The link of a path, if pool and tenant in it are its own.
fn is_at(link: &SetupLink, path: &(String, String, String)) -> Result<(), Error> {
    if link.user_pool_id == path.0 && link.tenant_id == path.1 {
        Ok(())
    } else {
        Err(Error::not_found("set-up link", path.2.as_str()))
    }
}

async fn revoke(
    admin: Admin,
    _: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, path) = (admin.ctx(&broker), admin.changes().clone(), path.into_inner());
    let back = format!("/console/pools/{}/tenants/{}/setup-links", path.0, path.1);
    broker
        .db
        .write(move |conn| {
            is_at(&setup_links::find(conn, &reach, &path.2)?, &path)?;
            setup_links::revoke(conn, &ctx, &reach, &path.2)
        })
        .await?;
    Ok(page::done(&back, "revoked"))
}

/// Takes note that a customer has done their part.
async fn noted(
    admin: Admin,
    _: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, path) = (admin.ctx(&broker), admin.changes().clone(), path.into_inner());
    broker
        .db
        .write(move |conn| {
            is_at(&setup_links::find(conn, &reach, &path.2)?, &path)?;
            setup_links::take_note(conn, &ctx, &reach, &path.2)
        })
        .await?;
    Ok(page::done("/console", "noted"))
}
