//! A pool's tenants: customer organisations, which connections are theirs, who administers them. A tenant's own
//! administrators see and rename their tenant; making, deleting and giving connections is for those who have the pool.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::{Choice, Mistakes};
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::{View, look_to_change};
use crate::actions::tenants::{self, NewTenant};
use crate::actions::{mappings, pools, providers};
use crate::broker::Broker;
use crate::error::Error;
use crate::model::administrator::{self, Role};
use crate::model::client;
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, Provider};
use crate::model::tenant::{self, Tenant};
use crate::model::tenant_domain::{self, TenantDomain};
use crate::rules::discovery::paths;
use crate::rules::domain::Place;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/pools/{pool}/tenants").document(list))
        .service(
            resource("/console/pools/{pool}/tenants/new")
                .document(new)
                .post(create),
        )
        .service(resource("/console/pools/{pool}/tenants/{tenant}").document(show))
        .service(resource("/console/pools/{pool}/tenants/{tenant}/rename").post(rename))
        .service(resource("/console/pools/{pool}/tenants/{tenant}/connections").post(give))
        .service(resource("/console/pools/{pool}/tenants/{tenant}/clients").post(clients))
        .service(resource("/console/pools/{pool}/tenants/{tenant}/keep").post(keep))
        .service(
            resource("/console/pools/{pool}/tenants/{tenant}/delete")
                .document(confirm_delete)
                .post(delete),
        );
}

/// What a page about tenants stands under: for a tenant's own administrator the pool is only an id.
pub(super) struct Under {
    pub(super) pool_id: String,
    /// The pool, for those who see it as a whole.
    pub(super) view: Option<View>,
}

#[derive(Template)]
#[template(path = "console/tenants/list.html")]
struct List {
    frame: Frame,
    under: Under,
    tenants: Vec<(Tenant, Moment)>,
}

#[derive(Template)]
#[template(path = "console/tenants/new.html")]
struct New {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    id: String,
    name: String,
}

#[derive(Template)]
#[template(path = "console/tenants/show.html")]
struct Show {
    frame: Frame,
    under: Under,
    tenant: Tenant,
    mistakes: Mistakes,
    /// What stands in the field that renames it.
    name: String,
    created: Moment,
    /// Its own host, and the callback to register for its connections there.
    origin: String,
    callback: String,
    /// The pool's app clients, for those who say which of them the tenant may use.
    apps: Vec<Choice>,
    /// Its email domains.
    domains: Vec<TenantDomain>,
    connections: Vec<Provider>,
    /// The pool's connections that could be given to it.
    others: Vec<Provider>,
    administrators: Vec<(String, Role)>,
    may_rename: bool,
    /// May give and take connections, and delete the tenant.
    has_pool: bool,
}

#[derive(Template)]
#[template(path = "console/tenants/delete.html")]
struct Delete {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    tenant: Tenant,
    connections: Vec<Provider>,
    administrators: usize,
}

pub(super) fn room(pool_id: &str) -> String {
    format!("/console/pools/{pool_id}/tenants")
}

/// The pool of a page, if the administrator sees it as a whole.
pub(super) fn under(broker: &Broker, admin: &Admin, pool_id: &str, pool: Option<Pool>) -> Under {
    Under {
        pool_id: pool_id.to_owned(),
        view: pool.map(|pool| View {
            issuer: broker.issuer(&pool.id),
            may_change: admin.changes().has_pool(&pool.id),
            pool,
            tab: "tenants",
        }),
    }
}

async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (reach, wanted) = (admin.sees().clone(), id.clone());
    let (pool, tenants) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            Ok((
                pool::find_within(conn, &reach, &wanted)?,
                tenant::list(conn, &reach, Some(&wanted))?,
            ))
        })
        .await?;
    if pool.is_none() && tenants.is_empty() {
        return Err(Problem::NotFound);
    }
    Ok(page::show(&List {
        frame: Frame::new(&admin, "pools", request.query_string()),
        under: under(&broker, &admin, &id, pool),
        tenants: tenants
            .into_iter()
            .map(|tenant| {
                let created = Moment(tenant.created_at);
                (tenant, created)
            })
            .collect(),
    }))
}

async fn new(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(&New {
        view: look_to_change(&broker, &admin, &id, "tenants").await?,
        frame: Frame::new(&admin, "pools", request.query_string()),
        mistakes: Mistakes::default(),
        id: String::new(),
        name: String::new(),
    }))
}

async fn create(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "tenants").await?;
    let new = NewTenant {
        id: form.text("id").to_owned(),
        user_pool_id: view.pool.id.clone(),
        name: form.text("name").to_owned(),
    };
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), new.clone());
    let outcome = broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &wanted.user_pool_id)?;
            tenants::create(conn, &ctx, wanted)
        })
        .await;
    match outcome {
        Ok(tenant) => Ok(page::done(
            &format!("{}/{}", room(&view.pool.id), tenant.id),
            "created",
        )),
        Err(error) => Ok(page::refused(&New {
            frame: Frame::new(&admin, "pools", ""),
            view,
            mistakes: Mistakes::of(error, "id")?,
            id: new.id,
            name: new.name,
        })),
    }
}

async fn show(
    admin: Admin,
    request: HttpRequest,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, &path, request.query_string()).await?;
    Ok(page::show(&page))
}

/// The tenant's page, for whoever has the tenant or its pool.
async fn prepare(
    admin: &Admin,
    broker: &Broker,
    path: &(String, String),
    query: &str,
) -> Result<Show, Problem> {
    let (reach, (pool_id, id)) = (admin.sees().clone(), path.clone());
    let (pool, clients, domains, connections, administrators, tenant) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let tenant = tenants::find(conn, &reach, &id)?;
            if tenant.user_pool_id != pool_id {
                return Err(Error::not_found("tenant", id));
            }
            Ok((
                pool::find_within(conn, &reach, &pool_id)?,
                client::list(conn, &pool_id)?,
                tenant_domain::of_tenant(conn, &id)?,
                provider::list_within(conn, &reach, Some(&pool_id))?,
                administrator::of_tenant(conn, &id)?,
                tenant,
            ))
        })
        .await?;
    let (own, others): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .partition(|connection| connection.tenant_id.as_ref() == Some(&tenant.id));
    let has_pool = admin.changes().has_pool(&tenant.user_pool_id);
    let allowed = &tenant.settings.clients;
    let apps = clients
        .into_iter()
        .filter(|_| has_pool)
        .map(|client| Choice {
            checked: allowed.contains(&client.id),
            label: client.name,
            hint: String::new(),
            value: client.id,
        })
        .collect();
    let origin = broker.place.origin_below(&Place::of_tenant(&tenant.id));
    Ok(Show {
        callback: format!("{origin}{}", paths::IDPRESPONSE),
        origin,
        apps,
        frame: Frame::new(admin, "pools", query),
        under: under(broker, admin, &tenant.user_pool_id, pool),
        mistakes: Mistakes::default(),
        name: tenant.name.clone(),
        created: Moment(tenant.created_at),
        domains,
        connections: own,
        others: others
            .into_iter()
            .filter(|connection: &Provider| has_pool && !connection.settings.shared_callback)
            .collect(),
        administrators: administrators
            .into_iter()
            .map(|(administrator, role)| (administrator.email, role))
            .collect(),
        may_rename: has_pool || admin.changes().tenants.contains(&tenant.id),
        has_pool,
        tenant,
    })
}

async fn rename(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, &path, "").await?;
    let (ctx, reach, id) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        page.tenant.id.clone(),
    );
    page.name = form.text("name").to_owned();
    let name = page.name.clone();
    let outcome = broker
        .db
        .write(move |conn| tenants::rename(conn, &ctx, &reach, &id, &name))
        .await;
    match outcome {
        Ok(tenant) => Ok(page::done(
            &format!("{}/{}", room(&tenant.user_pool_id), tenant.id),
            "saved",
        )),
        Err(error) => {
            page.mistakes = Mistakes::of(error, "name")?;
            Ok(page::refused(&page))
        }
    }
}

/// Gives the tenant a connection of the pool, or takes one back.
async fn give(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, (pool_id, id)) = (admin.ctx(&broker), admin.changes().clone(), path.into_inner());
    let (connection, takes_back) = (form.text("connection").to_owned(), form.is_checked("take_back"));
    let back = format!("{}/{id}", room(&pool_id));
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &pool_id)?;
            let tenant = tenants::find(conn, &reach, &id)?;
            let provider = providers::find(conn, &connection)?;
            let is_its = provider.tenant_id.as_ref() == Some(&tenant.id);
            let elsewhere = tenant.user_pool_id != pool_id || provider.user_pool_id != pool_id;
            if elsewhere || (takes_back && !is_its) {
                return Err(Error::not_found("connection", connection));
            }
            let owner = (!takes_back).then_some(tenant.id.as_str());
            tenants::give_connection(conn, &ctx, &provider.id, owner)
        })
        .await?;
    broker.forget();
    Ok(page::done(&back, "saved"))
}

/// Says to which app clients the tenant's people may sign in.
async fn clients(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, (pool_id, id)) = (admin.ctx(&broker), admin.changes().clone(), path.into_inner());
    let back = format!("{}/{id}", room(&pool_id));
    let chosen: Vec<String> = form.all("clients").map(str::to_owned).collect();
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &pool_id)?;
            let tenant = tenants::find(conn, &reach, &id)?;
            if tenant.user_pool_id != pool_id {
                return Err(Error::not_found("tenant", id));
            }
            tenants::set_clients(conn, &ctx, &reach, &id, chosen)
        })
        .await?;
    broker.forget();
    Ok(page::done(&back, "saved"))
}

/// Says whether sign-ins of the tenant's connections are kept.
async fn keep(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, (pool_id, id)) = (admin.ctx(&broker), admin.changes().clone(), path.into_inner());
    let back = format!("{}/{id}", room(&pool_id));
    let keep = form.is_checked("keep");
    broker
        .db
        .write(move |conn| {
            let tenant = tenants::find(conn, &reach, &id)?;
            if tenant.user_pool_id != pool_id {
                return Err(Error::not_found("tenant", id));
            }
            mappings::keeping::keep_of_tenant(conn, &ctx, &reach, &id, keep)
        })
        .await?;
    Ok(page::done(&back, "saved"))
}

async fn confirm_delete(
    admin: Admin,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare_delete(&admin, &broker, &path).await?;
    Ok(page::show(&page))
}

async fn delete(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare_delete(&admin, &broker, &path).await?;
    if form.text("confirm") != page.tenant.name {
        page.mistakes.add(
            "confirm",
            format!("type the tenant's name, {}, to delete it", page.tenant.name),
        );
        return Ok(page::refused(&page));
    }
    let (ctx, reach, tenant) = (admin.ctx(&broker), admin.changes().clone(), page.tenant);
    let room = room(&tenant.user_pool_id);
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &tenant.user_pool_id)?;
            tenants::delete(conn, &ctx, &reach, &tenant.id)
        })
        .await?;
    broker.forget();
    Ok(page::done(&room, "deleted"))
}

async fn prepare_delete(admin: &Admin, broker: &Broker, path: &(String, String)) -> Result<Delete, Problem> {
    let shown = prepare(admin, broker, path, "").await?;
    let (true, Some(view)) = (shown.has_pool, shown.under.view) else {
        return Err(Problem::NotFound);
    };
    let action = format!("{}/{}/delete", room(&view.pool.id), shown.tenant.id);
    admin.require_fresh(broker.clock.now(), &action)?;
    Ok(Delete {
        frame: shown.frame,
        view,
        mistakes: Mistakes::default(),
        tenant: shown.tenant,
        connections: shown.connections,
        administrators: shown.administrators.len(),
    })
}
