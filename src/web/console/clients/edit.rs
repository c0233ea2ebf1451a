//! Making and changing an app client. Whether it is public is settled when it is made.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::lists;
use super::super::page::{self, Frame};
use super::form::{self, Fields, Offer};
use super::secrets::Shown;
use super::{View, look_to_change, path};
use crate::actions::clients::{self, ClientChange, NewClient, NewSecret};
use crate::actions::pools;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::Error;
use crate::model::client::Settings;
use crate::model::pool::{self, Pool};
use crate::model::{provider, resource_server};
use crate::rules::params;

#[derive(Template)]
#[template(path = "console/clients/choose_pool.html")]
struct ChoosePool {
    frame: Frame,
    pools: Vec<Pool>,
}

#[derive(Template)]
#[template(path = "console/clients/new.html")]
struct New {
    frame: Frame,
    pool: Pool,
    mistakes: Mistakes,
    fields: Fields,
    public: bool,
}

#[derive(Template)]
#[template(path = "console/clients/edit.html")]
struct Edit {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    fields: Fields,
    /// The client has no secret.
    public: bool,
}

/// What a pool has for its clients to choose from.
fn offer(conn: &mut Conn, pool: &Pool) -> Result<Offer, Error> {
    Ok(Offer {
        pool: pool.settings.0.clone(),
        providers: provider::list(conn, &pool.id)?,
        servers: resource_server::list(conn, &pool.id)?,
    })
}

/// The pool in which a client is to be made, with its offer; `None` when none was named.
async fn chosen(broker: &Broker, admin: &Admin, id: &str) -> Result<(Pool, Offer), Problem> {
    let (reach, id) = (admin.changes().clone(), id.to_owned());
    let chosen = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let pool = pools::find_within(conn, &reach, &id)?;
            let offer = offer(conn, &pool)?;
            Ok((pool, offer))
        })
        .await?;
    Ok(chosen)
}

fn new_path(pool_id: &str) -> String {
    format!("/console/clients/new?{}", params::encode([("pool", pool_id)]))
}

pub async fn new(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "clients", request.query_string());
    let query = lists::query(&request)?;
    let id = match query.get("pool") {
        Some(id) => id.to_owned(),
        None => {
            let reach = admin.changes().clone();
            let mut pools = broker
                .db
                .read(move |conn| -> Result<_, Error> { Ok(pool::list_within(conn, &reach)?) })
                .await?;
            match pools.len() {
                0 => return Err(Problem::NotFound),
                1 => pools.remove(0).id,
                _ => return Ok(page::show(&ChoosePool { frame, pools })),
            }
        }
    };
    let (pool, offer) = chosen(&broker, &admin, &id).await?;
    admin.require_fresh(broker.clock.now(), &new_path(&pool.id))?;
    let settings = Settings {
        scopes: ["openid", "email", "profile"].map(String::from).to_vec(),
        providers: offer
            .providers
            .iter()
            .map(|provider| provider.name.clone())
            .collect(),
        require_pkce: true,
        ..Settings::default()
    };
    Ok(page::show(&New {
        frame,
        mistakes: Mistakes::default(),
        fields: form::shown("", &settings, &offer),
        public: false,
        pool,
    }))
}

pub async fn create(admin: Admin, form: Form, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let (pool, offer) = chosen(&broker, &admin, form.text("pool")).await?;
    // The answer may hold a secret.
    admin.require_fresh(broker.clock.now(), &new_path(&pool.id))?;
    let mut mistakes = Mistakes::default();
    let settings = form::read(&form, Settings::default(), &mut mistakes);
    let public = settings.public;
    if mistakes.is_empty() {
        let new = NewClient {
            id: None,
            user_pool_id: pool.id.clone(),
            name: form.text("name").to_owned(),
            secret: if public {
                NewSecret::Public
            } else {
                NewSecret::Generate
            },
            settings,
        };
        let (ctx, reach) = (admin.ctx(&broker), admin.changes().clone());
        let outcome = broker
            .db
            .write(move |conn| {
                pools::find_within(conn, &reach, &new.user_pool_id)?;
                clients::create(conn, &ctx, new)
            })
            .await;
        match outcome {
            Ok(made) => {
                broker.forget();
                let Some(secret) = made.secret else {
                    return Ok(page::done(&path(&made.client.id), "created"));
                };
                // The one answer in which the secret stands.
                return Ok(page::show(&Shown::new(&admin, made.client, pool, secret)));
            }
            Err(error) => mistakes = Mistakes::of(error, "name")?,
        }
    }
    Ok(page::refused(&New {
        frame: Frame::new(&admin, "clients", ""),
        mistakes,
        fields: form::typed(&form, &offer),
        public,
        pool,
    }))
}

pub async fn edit(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "edit").await?;
    let (_, offer) = chosen(&broker, &admin, &view.pool.id).await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "clients", request.query_string()),
        mistakes: Mistakes::default(),
        fields: form::shown(&view.client.name, &view.client.settings, &offer),
        public: view.client.settings.public,
        view,
    }))
}

pub async fn update(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "edit").await?;
    let mut mistakes = Mistakes::default();
    form::read(&form, view.client.settings.0.clone(), &mut mistakes);
    if mistakes.is_empty() {
        let typed = form.clone();
        let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
        let outcome = broker
            .db
            .write(move |conn| {
                clients::find_within(conn, &reach, &id)?;
                let before = clients::lock(conn, &id)?.settings.0;
                let change = ClientChange {
                    name: Some(typed.text("name").to_owned()),
                    enabled: None,
                    settings: Some(form::read(&typed, before, &mut Mistakes::default())),
                };
                clients::update(conn, &ctx, &id, change)
            })
            .await;
        match outcome {
            Ok(client) => {
                broker.forget();
                return Ok(page::done(&path(&client.id), "saved"));
            }
            Err(error) => mistakes = Mistakes::of(error, "name")?,
        }
    }
    let (_, offer) = chosen(&broker, &admin, &view.pool.id).await?;
    Ok(page::refused(&Edit {
        frame: Frame::new(&admin, "clients", ""),
        mistakes,
        fields: form::typed(&form, &offer),
        public: view.client.settings.public,
        view,
    }))
}
