//! "Only through Okta": what stands against it, how many already come this way, switching it on, confirming it by a new
//! sign-in, and lifting it.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use crate::actions::enforcement::{self, Came};
use crate::actions::{login, tenants};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::Error;
use crate::model::enforcement::Enforcement;
use crate::model::provider;
use crate::model::reach::Reach;
use crate::model::tenant::Tenant;
use crate::rules::enforcement::Condition;
use crate::web::cookies::{self, Cookies};
use crate::web::resource;
use crate::world::UnixTime;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/pools/{pool}/tenants/{tenant}/enforcement")
            .document(show)
            .post(change),
    );
}

#[derive(Template)]
#[template(path = "console/tenants/enforcement.html")]
struct Page {
    frame: Frame,
    mistakes: Mistakes,
    tenant: Tenant,
    standing: Standing,
    /// Each of the tenant's connections with what stands for and against it.
    ways: Vec<Way>,
    /// Of those who signed in within 30 days: who came through the tenant's connections, and all.
    came: usize,
    all: usize,
    may_change: bool,
}

/// How it stands.
enum Standing {
    Off,
    /// Until then somebody must confirm it.
    Waiting(Moment),
    On(Moment),
}

impl Standing {
    fn of(row: Option<&Enforcement>, now: UnixTime) -> Standing {
        match row.filter(|row| row.is_in_force(now)) {
            None => Standing::Off,
            Some(row) => match row.confirmed_at {
                Some(at) => Standing::On(Moment(at)),
                None => Standing::Waiting(Moment(row.confirm_by)),
            },
        }
    }
}

struct Way {
    id: String,
    name: String,
    conditions: Vec<Condition>,
}

impl Way {
    fn may_be_enforced(&self) -> bool {
        self.conditions.iter().all(|condition| condition.passed)
    }
}

fn path(pool_id: &str, tenant_id: &str) -> String {
    format!("/console/pools/{pool_id}/tenants/{tenant_id}/enforcement")
}

/// The tenant, of that pool and within reach.
fn found(conn: &mut Conn, reach: &Reach, pool_id: &str, id: &str) -> Result<Tenant, Error> {
    let tenant = tenants::find(conn, reach, id)?;
    match tenant.user_pool_id == pool_id {
        true => Ok(tenant),
        false => Err(Error::not_found("tenant", id)),
    }
}

async fn prepare(
    admin: &Admin,
    broker: &Broker,
    (pool_id, id): (String, String),
    query: &str,
) -> Result<Page, Problem> {
    let (sees, ctx) = (admin.sees().clone(), admin.ctx(broker));
    let (tenant, row, ways, (came, all)) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let tenant = found(conn, &sees, &pool_id, &id)?;
            let its = Reach {
                tenants: vec![tenant.id.clone()],
                ..Reach::default()
            };
            let mut ways = Vec::new();
            for provider in provider::list_within(conn, &its, Some(&pool_id))? {
                ways.push(Way {
                    conditions: enforcement::conditions(conn, &ctx, &provider)?,
                    id: provider.id,
                    name: provider.name,
                });
            }
            let row = crate::model::enforcement::find(conn, &tenant.id)?;
            let usage = enforcement::usage(conn, ctx.now, &tenant)?;
            Ok((tenant, row, ways, usage))
        })
        .await?;
    let changes = admin.changes();
    Ok(Page {
        frame: Frame::new(admin, "pools", query),
        mistakes: Mistakes::default(),
        standing: Standing::of(row.as_ref(), broker.clock.now()),
        may_change: changes.has_pool(&tenant.user_pool_id) || changes.tenants.contains(&tenant.id),
        tenant,
        ways,
        came,
        all,
    })
}

async fn show(
    admin: Admin,
    request: HttpRequest,
    at: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, at.into_inner(), request.query_string()).await?;
    Ok(page::show(&page))
}

async fn change(
    admin: Admin,
    request: HttpRequest,
    form: Form,
    at: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (pool_id, id) = at.into_inner();
    let back = path(&pool_id, &id);
    let (asked, connection) = (form.text("do").to_owned(), form.text("connection").to_owned());
    if asked == "enforce" {
        admin.require_fresh(broker.clock.now(), &back)?;
    }
    let sessions = match asked.as_str() {
        "confirm" => sessions(&admin, &request, &broker, &pool_id).await?,
        _ => Vec::new(),
    };
    let (ctx, reach, whose) = (admin.ctx(&broker), admin.changes().clone(), (pool_id, id));
    let wanted = whose.clone();
    let outcome = broker
        .db
        .write(move |conn| {
            let tenant = found(conn, &reach, &wanted.0, &wanted.1)?;
            match asked.as_str() {
                "enforce" => {
                    enforcement::enforce(conn, &ctx, &reach, &tenant.id, &connection).map(|_| "enforced")
                }
                "confirm" => enforcement::confirm(conn, &ctx, &reach, &tenant.id, &sessions).map(|_| "saved"),
                "lift" => enforcement::lift(conn, &ctx, &reach, &tenant.id).map(|()| "saved"),
                _ => Err(Error::invalid("do", "says nothing that can be done here")),
            }
        })
        .await;
    match outcome {
        Ok(said) => {
            broker.forget();
            Ok(page::done(&back, said))
        }
        Err(error) => {
            let mistakes = Mistakes::of(error, "enforcement")?;
            let mut page = prepare(&admin, &broker, whose, "").await?;
            page.mistakes = mistakes;
            Ok(page::refused(&page))
        }
    }
}

/// How this browser is signed in: to the console, and to the apps of the pool.
async fn sessions(
    admin: &Admin,
    request: &HttpRequest,
    broker: &Broker,
    pool_id: &str,
) -> Result<Vec<Came>, Problem> {
    let console = admin.session.provider_id.clone().map(|provider_id| Came {
        provider_id,
        at: admin.session.created_at,
    });
    let token = Cookies::of(request)
        .ok()
        .and_then(|cookies| cookies.get(&cookies::session_name(pool_id)).map(str::to_owned));
    let (now, pool) = (broker.clock.now(), pool_id.to_owned());
    let of_apps = match token {
        None => None,
        Some(token) => broker
            .db
            .read(move |conn| login::find_session(conn, now, &pool, &token))
            .await
            .map_err(Problem::Store)?,
    };
    let of_apps = of_apps.and_then(|(session, _)| {
        Some(Came {
            provider_id: session.provider_id?,
            at: session.created_at,
        })
    });
    Ok(console.into_iter().chain(of_apps).collect())
}
