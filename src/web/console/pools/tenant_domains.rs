//! The email domains of a tenant: claimed, proven by a record that is looked for on a click and every day, or asserted by
//! whoever has the pool.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::tenants::{Under, room, under};
use crate::actions::{pools, tenant_domains, tenants};
use crate::broker::Broker;
use crate::error::Error;
use crate::jobs::domains;
use crate::model::pool;
use crate::model::tenant::Tenant;
use crate::model::tenant_domain::{self, Proof, TenantDomain};
use crate::rules::tenant_domain::{GRACE_SECONDS, challenge_name, challenge_value};
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    const ALL: &str = "/console/pools/{pool}/tenants/{tenant}/domains";
    let of_one = |action: &str| format!("{ALL}/{{domain}}/{action}");
    cfg.service(resource(ALL).document(list).post(add))
        .service(resource(&of_one("look")).post(look))
        .service(resource(&of_one("subdomains")).post(subdomains))
        .service(resource(&of_one("assert")).post(assert))
        .service(resource(&of_one("remove")).post(remove));
}

#[derive(Template)]
#[template(path = "console/tenants/domains.html")]
struct List {
    frame: Frame,
    under: Under,
    tenant: Tenant,
    mistakes: Mistakes,
    /// What stands in the field that adds one.
    typed: String,
    domains: Vec<Shown>,
    may_change: bool,
    has_pool: bool,
}

/// A domain with the record that proves it.
struct Shown {
    row: TenantDomain,
    /// What its forms' addresses begin with.
    at: String,
    record_name: String,
    record_value: String,
    checked: Option<Moment>,
    proven: Option<Moment>,
    /// When it stops counting, if its record stays away.
    ends: Option<Moment>,
}

impl Shown {
    fn of(row: TenantDomain) -> Shown {
        Shown {
            at: format!("{}/{}", back(&row.user_pool_id, &row.tenant_id), row.domain),
            record_name: challenge_name(&row.domain),
            record_value: challenge_value(&row.token),
            checked: row.checked_at.map(Moment),
            proven: row.proven_at.map(Moment),
            ends: row.lost_since.map(|since| Moment(since.plus(GRACE_SECONDS))),
            row,
        }
    }

    /// The state in a word, and the class of its pill.
    fn state(&self) -> (&'static str, &'static str) {
        match (self.row.proof, self.row.lost_since) {
            (Proof::None, _) => ("not proven", "pill--quiet"),
            (_, Some(_)) => ("record gone", "pill--warn"),
            (Proof::Dns, None) => ("proven", "pill--good"),
            (Proof::Asserted, None) => ("asserted", "pill--good"),
        }
    }
}

async fn prepare(
    admin: &Admin,
    broker: &Broker,
    (pool_id, id): (&str, &str),
    query: &str,
) -> Result<List, Problem> {
    let (reach, wanted_pool, wanted) = (admin.sees().clone(), pool_id.to_owned(), id.to_owned());
    let (pool, rows, tenant) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let tenant = tenants::find(conn, &reach, &wanted)?;
            if tenant.user_pool_id != wanted_pool {
                return Err(Error::not_found("tenant", wanted));
            }
            Ok((
                pool::find_within(conn, &reach, &wanted_pool)?,
                tenant_domain::of_tenant(conn, &tenant.id)?,
                tenant,
            ))
        })
        .await?;
    let has_pool = admin.changes().has_pool(&tenant.user_pool_id);
    Ok(List {
        frame: Frame::new(admin, "pools", query),
        under: under(broker, admin, &tenant.user_pool_id, pool),
        mistakes: Mistakes::default(),
        typed: String::new(),
        domains: rows.into_iter().map(Shown::of).collect(),
        may_change: has_pool || admin.changes().tenants.contains(&tenant.id),
        has_pool,
        tenant,
    })
}

fn back(pool_id: &str, tenant: &str) -> String {
    format!("{}/{tenant}/domains", room(pool_id))
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

async fn add(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, (&path.0, &path.1), "").await?;
    let (ctx, reach, id) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        page.tenant.id.clone(),
    );
    page.typed = form.text("domain").to_owned();
    let (typed, subdomains) = (page.typed.clone(), form.is_checked("subdomains"));
    let outcome = broker
        .db
        .write(move |conn| tenant_domains::claim(conn, &ctx, &reach, &id, &typed, subdomains))
        .await;
    match outcome {
        Ok(row) => Ok(page::done(&back(&path.0, &row.tenant_id), "created")),
        Err(error) => {
            page.mistakes = Mistakes::of(error, "domain")?;
            Ok(page::refused(&page))
        }
    }
}

/// Looks for the record now.
async fn look(
    admin: Admin,
    _form: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (reach, (pool_id, id, domain)) = (admin.changes().clone(), path.into_inner());
    let wanted = id.clone();
    let row = broker
        .db
        .read(move |conn| tenant_domains::find(conn, &reach, &wanted, &domain))
        .await?;
    if row.user_pool_id != pool_id {
        return Err(Problem::NotFound);
    }
    domains::look(&broker, admin.ctx(&broker), row).await?;
    Ok(page::done(&back(&pool_id, &id), "probed"))
}

async fn subdomains(
    admin: Admin,
    form: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let wanted = form.is_checked("subdomains");
    change(
        &admin,
        &path,
        &broker,
        "saved",
        move |conn, ctx, reach, (id, domain)| {
            tenant_domains::set_subdomains(conn, ctx, reach, id, domain, wanted).map(|_| ())
        },
    )
    .await
}

/// For whoever has the pool: the tenant's own administrators prove.
async fn assert(
    admin: Admin,
    _form: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let pool_id = path.0.clone();
    change(
        &admin,
        &path,
        &broker,
        "saved",
        move |conn, ctx, reach, (id, domain)| {
            pools::find_within(conn, reach, &pool_id)?;
            tenant_domains::assert(conn, ctx, reach, id, domain).map(|_| ())
        },
    )
    .await
}

async fn remove(
    admin: Admin,
    _form: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    change(
        &admin,
        &path,
        &broker,
        "deleted",
        |conn, ctx, reach, (id, domain)| tenant_domains::remove(conn, ctx, reach, id, domain),
    )
    .await
}

/// Does something to one domain of the path; a refusal stands above the list.
async fn change(
    admin: &Admin,
    path: &(String, String, String),
    broker: &Broker,
    said: &'static str,
    work: impl FnOnce(
        &mut crate::db::Conn,
        &crate::actions::Ctx,
        &crate::model::reach::Reach,
        (&str, &str),
    ) -> Result<(), Error>
    + Clone
    + Send
    + 'static,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(admin, broker, (&path.0, &path.1), "").await?;
    let (ctx, reach) = (admin.ctx(broker), admin.changes().clone());
    let (id, domain) = (page.tenant.id.clone(), path.2.clone());
    let outcome = broker
        .db
        .write(move |conn| work(conn, &ctx, &reach, (&id, &domain)))
        .await;
    broker.forget();
    match outcome {
        Ok(()) => Ok(page::done(&back(&path.0, &page.tenant.id), said)),
        Err(error) => {
            page.mistakes = Mistakes::of(error, "domains")?;
            Ok(page::refused(&page))
        }
    }
}
