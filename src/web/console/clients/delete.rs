//! Switching a client off and on, and deleting it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::{View, look_to_change, path};
use crate::actions::clients::{self, ClientChange};
use crate::broker::Broker;

#[derive(Template)]
#[template(path = "console/clients/delete.html")]
struct Delete {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
}

/// Disabled, every request of the client is refused; its tokens end at our own endpoints.
pub async fn set_enabled(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let enabled = form.text("enabled") == "true";
    let change = ClientChange {
        enabled: Some(enabled),
        ..ClientChange::default()
    };
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let client = broker
        .db
        .write(move |conn| {
            clients::find_within(conn, &reach, &id)?;
            clients::update(conn, &ctx, &id, change)
        })
        .await?;
    broker.forget();
    let said = if enabled { "enabled" } else { "disabled" };
    Ok(page::done(&path(&client.id), said))
}

pub async fn form(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, &id, request.query_string()).await?;
    Ok(page::show(&page))
}

pub async fn submit(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, &id, "").await?;
    if form.text("confirm") != page.view.client.name {
        page.mistakes.add(
            "confirm",
            format!("type the client's name, {}, to delete it", page.view.client.name),
        );
        return Ok(page::refused(&page));
    }
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let client = broker
        .db
        .write(move |conn| {
            clients::find_within(conn, &reach, &id)?;
            clients::delete(conn, &ctx, &id)
        })
        .await?;
    broker.forget();
    Ok(page::done(
        &format!("/console/clients?pool={}", client.user_pool_id),
        "deleted",
    ))
}

async fn prepare(admin: &Admin, broker: &Broker, id: &str, query: &str) -> Result<Delete, Problem> {
    let view = look_to_change(broker, admin, id, "delete").await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/delete", path(&view.client.id)))?;
    Ok(Delete {
        frame: Frame::new(admin, "clients", query),
        view,
        mistakes: Mistakes::default(),
    })
}
