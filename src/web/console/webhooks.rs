//! Webhooks: which addresses are told of what happens, what they answered, and the making, trying and ending of them.
//! Those of a pool hear of everything in it, those of a tenant of the tenant's own connections.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use url::Url;
use zeroize::Zeroizing;

use super::Problem;
use super::door::{Admin, Form};
use super::page::{self, Frame};
use super::time::Moment;
use crate::actions::webhooks::{self, NewWebhook};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::pool::{self, Pool};
use crate::model::reach::Reach;
use crate::model::tenant;
use crate::model::webhook::{self, Delivery, Webhook};
use crate::rules::{connection, webhook as rules};
use crate::web::resource;

/// Deliveries shown on a webhook's page.
const SHOWN: i64 = 50;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/webhooks").document(list).post(create))
        .service(resource("/console/pools/{pool}/webhooks").document(list_of_pool))
        .service(resource("/console/webhooks/new").document(new))
        .service(resource("/console/webhooks/{id}").document(show))
        .service(resource("/console/webhooks/{id}/test").post(test))
        .service(resource("/console/webhooks/{id}/enabled").post(set_enabled))
        .service(resource("/console/webhooks/{id}/secret").post(replace_secret))
        .service(
            resource("/console/webhooks/{id}/delete")
                .document(ask_delete)
                .post(delete),
        );
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct ListPage {
    frame: Frame,
    /// The pool whose webhooks these are, where it is one's.
    pool: Option<Pool>,
    webhooks: Vec<Webhook>,
}

#[derive(Template)]
#[template(path = "console/webhook_new.html")]
struct NewPage {
    frame: Frame,
    places: Vec<Place>,
    url: String,
    place: String,
    /// What is wrong with the address.
    url_error: Option<String>,
    /// What is wrong otherwise.
    error: Option<String>,
}

/// What a webhook can be of.
struct Place {
    /// `pool:<id>` or `tenant:<id>`.
    value: String,
    label: String,
}

#[derive(Template)]
#[template(path = "console/webhook.html")]
struct ShowPage {
    frame: Frame,
    webhook: Webhook,
    may_change: bool,
    deliveries: Vec<Line>,
    /// Right after it was made: never again.
    secret: Option<Zeroizing<String>>,
}

/// A delivery on the page.
struct Line {
    delivery: Delivery,
    event: String,
}

impl Line {
    fn of(delivery: Delivery) -> Line {
        let body: Option<serde_json::Value> = serde_json::from_str(&delivery.payload).ok();
        Line {
            event: body
                .and_then(|body| Some(body.get("type")?.as_str()?.to_owned()))
                .unwrap_or_default(),
            delivery,
        }
    }
}

#[derive(Template)]
#[template(path = "console/webhook_delete.html")]
struct DeletePage {
    frame: Frame,
    webhook: Webhook,
    host: String,
    error: Option<&'static str>,
}

async fn list(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let sees = admin.sees().clone();
    let webhooks = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(webhook::list(conn, &sees, None)?))
        .await?;
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "webhooks", request.query_string()),
        pool: None,
        webhooks,
    }))
}

async fn list_of_pool(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (sees, id) = (admin.sees().clone(), pool.into_inner());
    if id.contains('\0') {
        return Err(Problem::NotFound);
    }
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some(pool) = pool::find_within(conn, &sees, &id)? else {
                return Ok(None);
            };
            let webhooks = webhook::list(conn, &sees, Some(&pool.id))?;
            Ok(Some((pool, webhooks)))
        })
        .await?;
    let (pool, webhooks) = found.ok_or(Problem::NotFound)?;
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "pools", request.query_string()),
        pool: Some(pool),
        webhooks,
    }))
}

async fn new(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    may_make(&admin)?;
    admin.require_fresh(broker.clock.now(), "/console/webhooks/new")?;
    let places = places(&broker, admin.changes()).await?;
    Ok(page::show(&NewPage {
        frame: Frame::new(&admin, "webhooks", request.query_string()),
        places,
        url: String::new(),
        place: String::new(),
        url_error: None,
        error: None,
    }))
}

async fn create(admin: Admin, broker: Data<Broker>, form: Form) -> Result<HttpResponse, Problem> {
    may_make(&admin)?;
    admin.require_fresh(broker.clock.now(), "/console/webhooks/new")?;
    let places = places(&broker, admin.changes()).await?;
    let place = form.text("place").to_owned();
    let mut again = NewPage {
        frame: Frame::new(&admin, "webhooks", ""),
        places,
        url: form.text("url").to_owned(),
        place: place.clone(),
        url_error: None,
        error: None,
    };
    let of_tenant = place.starts_with("tenant:");
    let url = match address(&broker, &again.url, of_tenant) {
        Ok(url) => url,
        Err(why) => {
            again.url_error = Some(why);
            return Ok(page::refused(&again));
        }
    };
    let (ctx, changes) = (admin.ctx(&broker), admin.changes().clone());
    let made = broker
        .db
        .write(move |conn| {
            let new = match place.split_once(':') {
                Some(("tenant", id)) if !id.contains('\0') => NewWebhook {
                    user_pool_id: crate::actions::tenants::find(conn, &changes, id)?.user_pool_id,
                    tenant_id: Some(id.to_owned()),
                    url,
                },
                Some(("pool", id)) => NewWebhook {
                    user_pool_id: id.to_owned(),
                    tenant_id: None,
                    url,
                },
                _ => return Err(Error::invalid("place", "choose what it hears of")),
            };
            webhooks::create(conn, &ctx, &changes, new)
        })
        .await;
    match made {
        Ok((webhook, secret)) => Ok(page::show(&ShowPage {
            frame: Frame::new(&admin, "webhooks", ""),
            webhook,
            may_change: true,
            deliveries: Vec::new(),
            secret: Some(secret),
        })),
        Err(error @ (Error::Invalid { .. } | Error::Conflict(_))) => {
            again.error = Some(error.to_string());
            Ok(page::refused(&again))
        }
        Err(error) => Err(error.into()),
    }
}

/// The address as typed, if we may call it, and on behalf of a tenant where it is to be a tenant's.
fn address(broker: &Broker, typed: &str, of_tenant: bool) -> Result<Url, String> {
    let url = rules::url(typed)?;
    broker.upstream.admits(&url)?;
    if of_tenant && !connection::is_tenants_to_call(&url, broker.upstream.allowed()) {
        return Err(
            "is a host that the operator admits for connections of their own, not for what a tenant sets up"
                .into(),
        );
    }
    Ok(url)
}

fn may_make(admin: &Admin) -> Result<(), Problem> {
    if admin.changes().is_nothing() {
        return Err(Problem::NotFound);
    }
    Ok(())
}

/// What the administrator may make webhooks of.
async fn places(broker: &Broker, changes: &Reach) -> Result<Vec<Place>, Problem> {
    let changes = changes.clone();
    let places = broker
        .db
        .read(move |conn: &mut Conn| -> Result<_, StoreError> {
            let pools = pool::list_within(conn, &changes)?.into_iter().map(|pool| Place {
                label: format!("Everything in the pool {}", pool.name),
                value: format!("pool:{}", pool.id),
            });
            let mut places: Vec<Place> = pools.collect();
            places.extend(
                tenant::list(conn, &changes, None)?
                    .into_iter()
                    .map(|tenant| Place {
                        label: format!("The connections of {}", tenant.name),
                        value: format!("tenant:{}", tenant.id),
                    }),
            );
            Ok(places)
        })
        .await?;
    Ok(places)
}

async fn show(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (sees, changes, id) = (admin.sees().clone(), admin.changes().clone(), id.into_inner());
    let (webhook, may_change, deliveries) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let found = webhooks::find(conn, &sees, &id)?;
            let may_change = webhook::find(conn, &changes, &id)?.is_some();
            let deliveries = webhook::deliveries(conn, &id, SHOWN)?;
            Ok((found, may_change, deliveries))
        })
        .await?;
    Ok(page::show(&ShowPage {
        frame: Frame::new(&admin, "webhooks", request.query_string()),
        webhook,
        may_change,
        deliveries: deliveries.into_iter().map(Line::of).collect(),
        secret: None,
    }))
}

async fn test(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let path = page_of(&id);
    broker
        .db
        .write(move |conn| webhooks::test(conn, &ctx, &changes, &id))
        .await?;
    Ok(page::done(&path, "queued"))
}

async fn set_enabled(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let (path, enabled) = (page_of(&id), form.text("enabled") == "true");
    broker
        .db
        .write(move |conn| webhooks::set_enabled(conn, &ctx, &changes, &id, enabled))
        .await?;
    Ok(page::done(&path, if enabled { "enabled" } else { "disabled" }))
}

async fn replace_secret(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    admin.require_fresh(broker.clock.now(), &page_of(&id))?;
    let (webhook, secret, deliveries) = broker
        .db
        .write(move |conn| -> Result<_, Error> {
            let (webhook, secret) = webhooks::replace_secret(conn, &ctx, &changes, &id)?;
            Ok((webhook, secret, webhook::deliveries(conn, &id, SHOWN)?))
        })
        .await?;
    Ok(page::show(&ShowPage {
        frame: Frame::new(&admin, "webhooks", ""),
        webhook,
        may_change: true,
        deliveries: deliveries.into_iter().map(Line::of).collect(),
        secret: Some(secret),
    }))
}

async fn ask_delete(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let webhook = changeable(&broker, &admin, id.into_inner()).await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/delete", page_of(&webhook.id)))?;
    Ok(page::show(&DeletePage {
        frame: Frame::new(&admin, "webhooks", request.query_string()),
        host: host(&webhook),
        webhook,
        error: None,
    }))
}

async fn delete(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let webhook = changeable(&broker, &admin, id.into_inner()).await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/delete", page_of(&webhook.id)))?;
    if form.text("host") != host(&webhook) {
        return Ok(page::refused(&DeletePage {
            frame: Frame::new(&admin, "webhooks", ""),
            host: host(&webhook),
            webhook,
            error: Some("Type the host as it stands above."),
        }));
    }
    let (ctx, changes) = (admin.ctx(&broker), admin.changes().clone());
    broker
        .db
        .write(move |conn| webhooks::delete(conn, &ctx, &changes, &webhook.id))
        .await?;
    Ok(page::done("/console/webhooks", "deleted"))
}

async fn changeable(broker: &Broker, admin: &Admin, id: String) -> Result<Webhook, Problem> {
    let changes = admin.changes().clone();
    let found = broker
        .db
        .read(move |conn| webhooks::find(conn, &changes, &id))
        .await?;
    Ok(found)
}

fn host(webhook: &Webhook) -> String {
    Url::parse(&webhook.url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

fn page_of(id: &str) -> String {
    format!("/console/webhooks/{id}")
}
