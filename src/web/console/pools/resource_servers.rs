//! A pool's resource servers: APIs with scopes of their own. Their identifiers may be URLs, so they stand in the query
//! and not in the path.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::lists;
use super::super::page::{self, Frame};
use super::{View, look, look_to_change};
use crate::actions::{pools, resource_servers};
use crate::broker::Broker;
use crate::db::Json;
use crate::error::Error;
use crate::model::client;
use crate::model::resource_server::{self, ResourceServer, Scope};
use crate::rules::{params, scope};
use crate::web::resource;

/// Empty rows at the end of the table of scopes.
const SPARE_ROWS: usize = 4;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/pools/{pool}/resource-servers").document(list))
        .service(
            resource("/console/pools/{pool}/resource-servers/new")
                .document(new)
                .post(create),
        )
        .service(
            resource("/console/pools/{pool}/resource-servers/edit")
                .document(edit)
                .post(update),
        )
        .service(
            resource("/console/pools/{pool}/resource-servers/delete")
                .document(confirm_delete)
                .post(delete),
        );
}

#[derive(Template)]
#[template(path = "console/pools/resource_servers.html")]
struct List {
    frame: Frame,
    view: View,
    servers: Vec<Row>,
}

struct Row {
    server: ResourceServer,
    edit: String,
    delete: String,
}

#[derive(Template)]
#[template(path = "console/pools/resource_server.html")]
struct Edit {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    /// There is none of this identifier yet.
    is_new: bool,
    identifier: String,
    name: String,
    scopes: Vec<Scope>,
    action: String,
}

#[derive(Template)]
#[template(path = "console/pools/delete_resource_server.html")]
struct Delete {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    server: ResourceServer,
    /// Clients that lose scopes.
    clients: Vec<String>,
    action: String,
}

fn room(pool_id: &str) -> String {
    format!("/console/pools/{pool_id}/resource-servers")
}

fn path(pool_id: &str, what: &str, identifier: &str) -> String {
    format!(
        "{}/{what}?{}",
        room(pool_id),
        params::encode([("identifier", identifier)])
    )
}

/// What the form holds, and room for more scopes.
fn with_spare_rows(mut scopes: Vec<Scope>) -> Vec<Scope> {
    let empty = || Scope {
        name: String::new(),
        description: String::new(),
    };
    scopes.extend(std::iter::repeat_with(empty).take(SPARE_ROWS));
    scopes
}

fn read(form: &Form, user_pool_id: String, identifier: String) -> ResourceServer {
    let scopes = form
        .all("scope_name")
        .zip(form.all("scope_description"))
        .map(|(name, description)| Scope {
            name: name.trim().to_owned(),
            description: description.trim().to_owned(),
        })
        .filter(|scope| !scope.name.is_empty() || !scope.description.is_empty())
        .collect();
    ResourceServer {
        user_pool_id,
        identifier,
        name: form.text("name").to_owned(),
        scopes: Json(scopes),
    }
}

async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "resource-servers").await?;
    let id = view.pool.id.clone();
    let servers = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(resource_server::list(conn, &id)?) })
        .await?;
    Ok(page::show(&List {
        frame: Frame::new(&admin, "pools", request.query_string()),
        servers: servers
            .into_iter()
            .map(|server| Row {
                edit: path(&view.pool.id, "edit", &server.identifier),
                delete: path(&view.pool.id, "delete", &server.identifier),
                server,
            })
            .collect(),
        view,
    }))
}

async fn new(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "resource-servers").await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "pools", request.query_string()),
        mistakes: Mistakes::default(),
        is_new: true,
        identifier: String::new(),
        name: String::new(),
        scopes: with_spare_rows(Vec::new()),
        action: format!("{}/new", room(&view.pool.id)),
        view,
    }))
}

async fn create(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "resource-servers").await?;
    let server = read(&form, view.pool.id.clone(), form.text("identifier").to_owned());
    let (ctx, reach, new) = (admin.ctx(&broker), admin.changes().clone(), server.clone());
    let outcome = broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &new.user_pool_id)?;
            resource_servers::create(conn, &ctx, new)
        })
        .await;
    finish(&admin, &broker, view, server, true, outcome)
}

async fn edit(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "resource-servers").await?;
    let server = find(&broker, &view, &request).await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "pools", request.query_string()),
        mistakes: Mistakes::default(),
        is_new: false,
        action: path(&view.pool.id, "edit", &server.identifier),
        identifier: server.identifier,
        name: server.name,
        scopes: with_spare_rows(server.scopes.0),
        view,
    }))
}

async fn update(
    admin: Admin,
    form: Form,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "resource-servers").await?;
    let stored = find(&broker, &view, &request).await?;
    let server = read(&form, stored.user_pool_id, stored.identifier);
    let (ctx, reach, new) = (admin.ctx(&broker), admin.changes().clone(), server.clone());
    let outcome = broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &new.user_pool_id)?;
            resource_servers::update(conn, &ctx, new)
        })
        .await;
    finish(&admin, &broker, view, server, false, outcome)
}

/// Back to the list, or the form again with what was typed.
fn finish(
    admin: &Admin,
    broker: &Broker,
    view: View,
    typed: ResourceServer,
    is_new: bool,
    outcome: Result<ResourceServer, Error>,
) -> Result<HttpResponse, Problem> {
    let room = room(&view.pool.id);
    match outcome {
        Ok(_) => {
            broker.forget();
            Ok(page::done(&room, if is_new { "created" } else { "saved" }))
        }
        Err(error) => Ok(page::refused(&Edit {
            frame: Frame::new(admin, "pools", ""),
            mistakes: Mistakes::of(error, "identifier")?,
            is_new,
            action: match is_new {
                true => format!("{room}/new"),
                false => path(&view.pool.id, "edit", &typed.identifier),
            },
            identifier: typed.identifier,
            name: typed.name,
            scopes: with_spare_rows(typed.scopes.0),
            view,
        })),
    }
}

async fn confirm_delete(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, &id, &request).await?;
    Ok(page::show(&page))
}

async fn delete(
    admin: Admin,
    form: Form,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, &id, &request).await?;
    if form.text("confirm") != page.server.identifier {
        page.mistakes.add(
            "confirm",
            format!("type the identifier, {}, to delete it", page.server.identifier),
        );
        return Ok(page::refused(&page));
    }
    let (ctx, reach, server) = (admin.ctx(&broker), admin.changes().clone(), page.server);
    let room = room(&server.user_pool_id);
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &server.user_pool_id)?;
            resource_servers::delete(conn, &ctx, &server.user_pool_id, &server.identifier)
        })
        .await?;
    broker.forget();
    Ok(page::done(&room, "deleted"))
}

async fn prepare(admin: &Admin, broker: &Broker, id: &str, request: &HttpRequest) -> Result<Delete, Problem> {
    let view = look_to_change(broker, admin, id, "resource-servers").await?;
    let server = find(broker, &view, request).await?;
    let action = path(&view.pool.id, "delete", &server.identifier);
    admin.require_fresh(broker.clock.now(), &action)?;
    let (id, gone): (String, Vec<String>) = (view.pool.id.clone(), scope::names(&server).collect());
    let clients = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(client::list(conn, &id)?) })
        .await?;
    Ok(Delete {
        frame: Frame::new(admin, "pools", ""),
        view,
        mistakes: Mistakes::default(),
        server,
        clients: clients
            .into_iter()
            .filter(|client| client.settings.scopes.iter().any(|scope| gone.contains(scope)))
            .map(|client| client.name)
            .collect(),
        action,
    })
}

/// The resource server that the address names, in the pool that was looked up already.
async fn find(broker: &Broker, view: &View, request: &HttpRequest) -> Result<ResourceServer, Problem> {
    let query = lists::query(request)?;
    let (id, identifier) = (
        view.pool.id.clone(),
        query.get("identifier").unwrap_or_default().to_owned(),
    );
    let server = broker
        .db
        .read(move |conn| resource_servers::find(conn, &id, &identifier))
        .await?;
    Ok(server)
}
