//! The canary of a connection: whom a second one gets, how both do side by side, and its end.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, open};
use crate::actions::canaries;
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::provider::{self, Canary, Provider};
use crate::model::trace::count::Outcomes;
use crate::web::console::door::{Admin, Form};
use crate::web::console::filled::{self, Mistakes};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

#[derive(Template)]
#[template(path = "console/connections/canary.html")]
struct CanaryPage {
    frame: Frame,
    at: At,
    /// What could be tried.
    others: Vec<Provider>,
    to: String,
    percent: String,
    people: String,
    group: String,
    running: Option<Running>,
    mistakes: Mistakes,
}

struct Running {
    to: String,
    since: Moment,
    promoted: bool,
    here: Outcomes,
    there: Outcomes,
    /// Who got a second account there.
    stopped: usize,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(&stored(&admin, &broker, &request, &id).await?))
}

async fn stored(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    id: &str,
) -> Result<CanaryPage, Problem> {
    let opened = open(broker, admin.changes(), id).await?;
    let (reach, row) = (admin.changes().clone(), opened.provider.clone());
    let canary = row.settings.canary.clone();
    let (others, running) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let all = provider::list_within(conn, &reach, Some(&row.user_pool_id))?;
            let running = match &row.settings.canary {
                Some(canary) => Some(Running {
                    here: canaries::outcomes(conn, &row.id, canary.since)?,
                    there: canaries::outcomes(conn, &canary.to, canary.since)?,
                    stopped: match &row.tenant_id {
                        Some(id) => canaries::stopped(conn, id, &canary.to, canary.since)?,
                        None => 0,
                    },
                    to: canary.to.clone(),
                    since: Moment(canary.since),
                    promoted: canary.promoted,
                }),
                None => None,
            };
            let is_candidate = |one: &Provider| {
                one.id != row.id && one.enabled && one.tenant_id.is_some() && one.tenant_id == row.tenant_id
            };
            Ok((all.into_iter().filter(is_candidate).collect::<Vec<_>>(), running))
        })
        .await?;
    let canary = canary.unwrap_or(Canary {
        percent: 5,
        ..Canary::default()
    });
    Ok(CanaryPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, &opened, "/canary"),
        others,
        to: canary.to,
        percent: canary.percent.to_string(),
        people: canary.people.join("\n"),
        group: canary.group.unwrap_or_default(),
        running,
        mistakes: Mistakes::default(),
    })
}

pub async fn set(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = stored(&admin, &broker, &request, &id).await?;
    page.to = form.text("to").to_owned();
    page.percent = form.text("percent").to_owned();
    page.people = form.text("people").to_owned();
    page.group = form.text("group").to_owned();
    let canary = Canary {
        to: page.to.clone(),
        percent: filled::number(&form, "percent", &mut page.mistakes),
        people: form.lines("people"),
        group: Some(page.group.clone()),
        ..Canary::default()
    };
    if !page.mistakes.is_empty() {
        return Ok(page::refused(&page));
    }
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), id.clone());
    let saved = broker
        .db
        .write(move |conn| canaries::set(conn, &ctx, &reach, &wanted, canary))
        .await;
    match saved {
        Ok(_) => {
            broker.forget();
            Ok(page::done(&format!("/console/connections/{id}/canary"), "canary"))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "to")?;
            Ok(page::refused(&page))
        }
    }
}

pub async fn promote(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    end(admin, id.into_inner(), &broker, "promoted", canaries::promote).await
}

pub async fn abort(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    end(admin, id.into_inner(), &broker, "aborted", canaries::abort).await
}

/// What ends the trial, one way or the other.
type Ending = fn(
    &mut crate::db::Conn,
    &crate::actions::Ctx,
    &crate::model::reach::Reach,
    &str,
) -> Result<Provider, Error>;

async fn end(
    admin: Admin,
    id: String,
    broker: &Broker,
    said: &str,
    action: Ending,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, wanted) = (admin.ctx(broker), admin.changes().clone(), id.clone());
    broker
        .db
        .write(move |conn| action(conn, &ctx, &reach, &wanted))
        .await?;
    broker.forget();
    Ok(page::done(&format!("/console/connections/{id}/canary"), said))
}
