//! A client's secrets: two at a time at the most, so that an app can change over. A new one stands in the answer that
//! made it and never again.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::lists;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::{View, look, look_to_change, path};
use crate::actions::clients::{self, CreatedSecret, MOST_SECRETS};
use crate::broker::Broker;
use crate::error::Error;
use crate::model::client::{self, Client};
use crate::model::pool::Pool;
use crate::rules::params;

#[derive(Template)]
#[template(path = "console/clients/secrets.html")]
struct Secrets {
    frame: Frame,
    view: View,
    secrets: Vec<Row>,
    may_add: bool,
}

/// A secret as the page shows it: all but itself.
struct Row {
    id: String,
    created: Moment,
    /// Where it is deleted, if it may be.
    delete: Option<String>,
}

/// A secret that was made just now.
#[derive(Template)]
#[template(path = "console/clients/secret.html")]
pub struct Shown {
    frame: Frame,
    client: Client,
    pool: Pool,
    secret: CreatedSecret,
}

impl Shown {
    pub fn new(admin: &Admin, client: Client, pool: Pool, secret: CreatedSecret) -> Shown {
        Shown {
            frame: Frame::new(admin, "clients", ""),
            client,
            pool,
            secret,
        }
    }
}

#[derive(Template)]
#[template(path = "console/clients/delete_secret.html")]
struct Delete {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    secret_id: String,
    created: Moment,
}

fn delete_path(client_id: &str, secret_id: &str) -> String {
    format!(
        "{}/secrets/delete?{}",
        path(client_id),
        params::encode([("secret", secret_id)])
    )
}

async fn stored(broker: &Broker, client_id: &str) -> Result<Vec<client::Secret>, Problem> {
    let id = client_id.to_owned();
    let secrets = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(client::secrets(conn, &id)?) })
        .await?;
    Ok(secrets)
}

pub async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "secrets").await?;
    let stored = stored(&broker, &view.client.id).await?;
    let may_delete = view.may_change && stored.len() > 1;
    Ok(page::show(&Secrets {
        frame: Frame::new(&admin, "clients", request.query_string()),
        may_add: view.may_change && (1..MOST_SECRETS).contains(&stored.len()),
        secrets: stored
            .into_iter()
            .map(|secret| Row {
                delete: may_delete.then(|| delete_path(&view.client.id, &secret.id)),
                created: Moment(secret.created_at),
                id: secret.id,
            })
            .collect(),
        view,
    }))
}

pub async fn add(
    admin: Admin,
    _form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "secrets").await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/secrets", path(&view.client.id)))?;
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let secret = broker
        .db
        .write(move |conn| {
            clients::find_within(conn, &reach, &id)?;
            clients::add_secret(conn, &ctx, &id, None)
        })
        .await?;
    broker.forget();
    Ok(page::show(&Shown::new(&admin, view.client, view.pool, secret)))
}

pub async fn confirm_delete(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let secret_id = lists::query(&request)?
        .get("secret")
        .unwrap_or_default()
        .to_owned();
    let page = prepare(&admin, &broker, &id, &secret_id).await?;
    Ok(page::show(&page))
}

pub async fn delete(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, &id, form.text("secret")).await?;
    if form.text("confirm") != page.view.client.name {
        page.mistakes.add(
            "confirm",
            format!(
                "type the client's name, {}, to delete the secret",
                page.view.client.name
            ),
        );
        return Ok(page::refused(&page));
    }
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let (secret_id, room) = (page.secret_id.clone(), format!("{}/secrets", path(&id)));
    let outcome = broker
        .db
        .write(move |conn| {
            clients::find_within(conn, &reach, &id)?;
            clients::delete_secret(conn, &ctx, &id, &secret_id)
        })
        .await;
    match outcome {
        Ok(()) => {
            broker.forget();
            Ok(page::done(&room, "deleted"))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "confirm")?;
            Ok(page::refused(&page))
        }
    }
}

async fn prepare(admin: &Admin, broker: &Broker, id: &str, secret_id: &str) -> Result<Delete, Problem> {
    let view = look_to_change(broker, admin, id, "secrets").await?;
    let stored = stored(broker, &view.client.id).await?;
    let secret = stored
        .iter()
        .find(|secret| secret.id == secret_id)
        .ok_or(Problem::NotFound)?;
    admin.require_fresh(broker.clock.now(), &delete_path(&view.client.id, secret_id))?;
    Ok(Delete {
        frame: Frame::new(admin, "clients", ""),
        mistakes: Mistakes::default(),
        secret_id: secret.id.clone(),
        created: Moment(secret.created_at),
        view,
    })
}
