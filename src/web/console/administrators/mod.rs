//! Administrators: those whose roles lie within one's own reach. Whoever is outside it is not there at all.

mod edit;
mod rules;
mod show;

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::door::Admin;
use super::page::{self, Frame};
use super::problem::Problem;
use super::roles::Names;
use super::time::Moment;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::administrator::{self, Administrator};
use crate::model::{passkey, user};
use crate::rules::params;
use crate::web::resource;

const PATH: &str = "/console/administrators";
/// Rows of a page.
const ROWS: usize = 50;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource(PATH).document(list))
        .service(
            resource("/console/administrators/invite")
                .document(edit::invite_get)
                .post(edit::invite_post),
        )
        .service(
            resource("/console/administrators/rules")
                .document(rules::get)
                .post(rules::post),
        )
        .service(
            resource("/console/administrators/rules/{id}/delete")
                .document(rules::delete_get)
                .post(rules::delete_post),
        )
        .service(resource("/console/administrators/{id}").document(show::get))
        .service(
            resource("/console/administrators/{id}/roles")
                .document(edit::roles_get)
                .post(edit::roles_post),
        )
        .service(
            resource("/console/administrators/{id}/delete")
                .document(edit::delete_get)
                .post(edit::delete_post),
        )
        .service(resource("/console/administrators/{id}/link").post(edit::link))
        .service(resource("/console/administrators/{id}/disable").post(show::disable))
        .service(resource("/console/administrators/{id}/enable").post(show::enable))
        .service(resource("/console/administrators/{id}/sign-out").post(show::sign_out))
        .service(resource("/console/administrators/{id}/sessions/{session}/end").post(show::end_session));
}

#[derive(Template)]
#[template(path = "console/administrators.html")]
struct ListPage {
    frame: Frame,
    search: String,
    rows: Vec<Row>,
    /// Where the next page is.
    next: Option<String>,
    first: bool,
    /// May make rules by which a pool's groups become administrators.
    has_rules: bool,
}

/// An administrator as lists show them.
struct Row {
    id: String,
    email: String,
    name: String,
    roles: Vec<String>,
    state: State,
    seen: Option<Moment>,
}

/// How an administrator's account stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    /// Has not used the link of the invitation.
    Invited,
    Disabled,
}

impl State {
    fn of(conn: &mut Conn, who: &Administrator) -> Result<State, StoreError> {
        Ok(if !who.enabled {
            State::Disabled
        } else if who.password_hash.is_none()
            && who.user_sub.is_none()
            && passkey::of_administrator(conn, &who.id)?.is_empty()
        {
            State::Invited
        } else {
            State::Active
        })
    }
}

/// The roles in words; those of somebody who comes through a pool are not stored.
fn roles(conn: &mut Conn, names: &mut Names, who: &Administrator) -> Result<Vec<String>, StoreError> {
    if let Some(sub) = &who.user_sub {
        let pool = match user::find(conn, sub)? {
            Some(user) => names.pool(conn, &user.user_pool_id)?,
            None => String::new(),
        };
        return Ok(vec![format!("By the groups in the pool {pool}")]);
    }
    let mut roles = Vec::new();
    for grant in administrator::grants(conn, &who.id)? {
        roles.push(names.of_grant(conn, &grant)?);
    }
    Ok(roles)
}

#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
    after: Option<String>,
}

pub async fn list(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let search = asked.q.as_deref().unwrap_or_default().trim().to_owned();
    let (reach, after, wanted) = (admin.sees().clone(), asked.after.clone(), search.clone());
    let (rows, next) = broker
        .db
        .read(move |conn| {
            let limit = i64::try_from(ROWS + 1).unwrap_or(i64::MAX);
            let mut found = administrator::page(conn, &reach, &wanted, after.as_deref(), limit)?;
            let more = found.len() > ROWS;
            found.truncate(ROWS);
            let next = found.last().filter(|_| more).map(|last| last.email.clone());
            let mut names = Names::default();
            let mut rows = Vec::new();
            for who in found {
                rows.push(Row {
                    roles: roles(conn, &mut names, &who)?,
                    state: State::of(conn, &who)?,
                    seen: who.last_seen_at.map(Moment),
                    id: who.id,
                    email: who.email,
                    name: who.name,
                });
            }
            Ok::<_, StoreError>((rows, next))
        })
        .await?;
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "administrators", request.query_string()),
        next: next.map(|after| {
            format!(
                "{PATH}?{}",
                params::encode([("q", search.as_str()), ("after", &after)])
            )
        }),
        first: asked.after.is_none(),
        has_rules: rules::may_make(&admin),
        search,
        rows,
    }))
}
