//! Deleting a connection: a page that says what goes with it and wants its name typed.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, open, within};
use crate::actions::providers;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::provider;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;

#[derive(Template)]
#[template(path = "console/connections/delete.html")]
struct DeletePage {
    frame: Frame,
    at: At,
    people: i64,
    typed: String,
    wrong: bool,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = asked(&admin, &broker, &request, &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&page))
}

pub async fn confirmed(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = asked(&admin, &broker, &request, &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    if form.text("name") != page.at.name {
        page.typed = form.text("name").to_owned();
        page.wrong = true;
        return Ok(page::refused(&page));
    }
    let ctx = admin.ctx(&broker);
    let (reach, wanted) = (admin.changes().clone(), id.into_inner());
    broker
        .db
        .write(move |conn| {
            within(conn, &reach, &wanted)?;
            providers::delete(conn, &ctx, &wanted)
        })
        .await?;
    broker.forget();
    Ok(page::done("/console/connections", "deleted"))
}

async fn asked(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    id: &str,
) -> Result<DeletePage, Problem> {
    let opened = open(broker, admin.changes(), id).await?;
    let wanted = id.to_owned();
    let people = broker
        .db
        .read(move |conn| -> Result<_, StoreError> { Ok(provider::count_identities(conn, &wanted)?) })
        .await?;
    Ok(DeletePage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, &opened, ""),
        people,
        typed: String::new(),
        wrong: false,
    })
}
