//! Deleting a pool: for operators, after a proof of who they are and its name typed.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::{View, look_to_change};
use crate::actions::pools;
use crate::broker::Broker;
use crate::error::Error;
use crate::model::pool::{self, Numbers};

#[derive(Template)]
#[template(path = "console/pools/delete.html")]
struct Delete {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    numbers: Numbers,
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
    if form.text("confirm") != page.view.pool.name {
        page.mistakes.add(
            "confirm",
            format!("type the pool's name, {}, to delete it", page.view.pool.name),
        );
        return Ok(page::refused(&page));
    }
    let (ctx, id) = (admin.ctx(&broker), id.into_inner());
    let outcome = broker.db.write(move |conn| pools::delete(conn, &ctx, &id)).await;
    match outcome {
        Ok(_) => {
            broker.forget();
            Ok(page::done("/console/pools", "deleted"))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "confirm")?;
            Ok(page::refused(&page))
        }
    }
}

/// The page, for an operator who has just proved who they are.
async fn prepare(admin: &Admin, broker: &Broker, id: &str, query: &str) -> Result<Delete, Problem> {
    admin.require_operator()?;
    let view = look_to_change(broker, admin, id, "delete").await?;
    let path = format!("/console/pools/{}/delete", view.pool.id);
    admin.require_fresh(broker.clock.now(), &path)?;
    let id = view.pool.id.clone();
    let numbers = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(pool::numbers(conn, &id)?) })
        .await?;
    Ok(Delete {
        frame: Frame::new(admin, "pools", query),
        view,
        mistakes: Mistakes::default(),
        numbers,
    })
}
