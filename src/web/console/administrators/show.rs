//! One administrator: roles, sessions, and what can be done about them at once.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::account::{self, SessionRow};
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::problem::Problem;
use super::super::roles::Names;
use super::super::time::Moment;
use super::{PATH, State};
use crate::actions::admins;
use crate::broker::Broker;
use crate::error::Error;
use crate::model::administrator;

#[derive(Template)]
#[template(path = "console/administrator.html")]
struct ShowPage {
    frame: Frame,
    id: String,
    email: String,
    name: String,
    roles: Vec<String>,
    state: State,
    through_pool: bool,
    created: Moment,
    seen: Option<Moment>,
    /// Whether the one who looks may change the one who is looked at.
    may_change: bool,
    is_self: bool,
    sessions: Vec<SessionRow>,
    refused: Mistakes,
}

async fn page(
    request: &HttpRequest,
    admin: &Admin,
    broker: &Broker,
    id: &str,
    refused: Mistakes,
) -> Result<ShowPage, Problem> {
    let (rights, session, wanted, now) = (
        admin.rights.clone(),
        admin.session.clone(),
        id.to_owned(),
        broker.clock.now(),
    );
    let (who, roles, state, may_change, sessions) = broker
        .db
        .read(move |conn| {
            let who = administrator::find_within(conn, &rights.sees, &wanted)?
                .ok_or_else(|| Error::not_found("administrator", wanted.as_str()))?;
            let may_change = administrator::find_within(conn, &rights.changes, &wanted)?.is_some();
            let sessions = if may_change {
                account::sessions(conn, &who.id, now, &session)?
            } else {
                Vec::new()
            };
            let roles = super::roles(conn, &mut Names::default(), &who)?;
            let state = State::of(conn, &who)?;
            Ok::<_, Error>((who, roles, state, may_change, sessions))
        })
        .await?;
    Ok(ShowPage {
        frame: Frame::new(admin, "administrators", request.query_string()),
        is_self: who.id == admin.administrator.id,
        id: who.id,
        email: who.email,
        name: who.name,
        roles,
        state,
        through_pool: who.user_sub.is_some(),
        created: Moment(who.created_at),
        seen: who.last_seen_at.map(Moment),
        may_change,
        sessions,
        refused,
    })
}

pub async fn get(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(
        &page(&request, &admin, &broker, &id, Mistakes::default()).await?,
    ))
}

pub async fn disable(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    set_enabled(&admin, &request, &broker, &id, false).await
}

pub async fn enable(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    set_enabled(&admin, &request, &broker, &id, true).await
}

async fn set_enabled(
    admin: &Admin,
    request: &HttpRequest,
    broker: &Broker,
    id: &str,
    enabled: bool,
) -> Result<HttpResponse, Problem> {
    let (ctx, rights, wanted) = (admin.ctx(broker), admin.rights.clone(), id.to_owned());
    let changed = broker
        .db
        .write(move |conn| admins::set_enabled(conn, &ctx, &rights, &wanted, enabled))
        .await;
    match changed {
        Ok(()) => Ok(page::done(
            &format!("{PATH}/{id}"),
            if enabled { "enabled" } else { "disabled" },
        )),
        Err(error) => {
            let refused = Mistakes::of(error, "")?;
            Ok(page::refused(&page(request, admin, broker, id, refused).await?))
        }
    }
}

pub async fn sign_out(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, rights, wanted) = (admin.ctx(&broker), admin.rights, id.clone());
    broker
        .db
        .write(move |conn| {
            let who = admins::managed(conn, &rights, &wanted)?;
            admins::end_all_sessions(conn, &ctx, &who)
        })
        .await?;
    Ok(page::done(&format!("{PATH}/{id}"), "sessions-ended"))
}

pub async fn end_session(
    admin: Admin,
    broker: Data<Broker>,
    ids: Path<(String, String)>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    let (id, session) = ids.into_inner();
    let (ctx, rights, wanted) = (admin.ctx(&broker), admin.rights, id.clone());
    broker
        .db
        .write(move |conn| {
            let who = admins::managed(conn, &rights, &wanted)?;
            admins::end_session(conn, &ctx, &who, &session)
        })
        .await?;
    Ok(page::done(&format!("{PATH}/{id}"), "session-ended"))
}
