//! The audit log: who did what to which thing, and the difference; to search, and to take along as CSV or JSON.

mod difference;
mod export;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use self::difference::Change;
use super::door::Admin;
use super::page::{self, Frame};
use super::problem::Problem;
use super::time::Moment;
use super::toolbar::{self, Period, given};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::audit::{self, Event, Search};
use crate::rules::params::Params;
use crate::web::resource;
use crate::world::UnixTime;

/// Events on a page.
const PAGE: usize = 50;
/// How far back the log is shown unless it is told otherwise, in days.
const DAYS: i64 = 30;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/audit").document(list))
        .service(resource("/console/audit/events.csv").get(export::csv))
        .service(resource("/console/audit/events.json").get(export::json));
}

/// The fields of the toolbar as they were filled in.
struct Fields {
    actor: String,
    action: String,
    target: String,
    pool: String,
    sign_ins: bool,
    period: Period,
}

impl Fields {
    fn of(params: &Params, query: &str, now: UnixTime) -> Fields {
        let text = |name: &str| given(params, name).unwrap_or_default();
        Fields {
            actor: text("actor"),
            action: text("action"),
            target: text("target"),
            pool: text("pool"),
            sign_ins: params.get("sign-ins").is_some(),
            period: Period::of(query, now, DAYS),
        }
    }

    fn search(&self) -> Search {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Search {
            actor: some(&self.actor),
            action: some(&self.action),
            target: some(&self.target),
            user_pool_id: some(&self.pool),
            since: self.period.since,
            until: self.period.until,
            sign_ins: self.sign_ins,
            after: None,
        }
    }

    fn address(&self, path: &str, after: &str) -> String {
        toolbar::address(
            path,
            [
                ("actor", self.actor.as_str()),
                ("action", &self.action),
                ("target", &self.target),
                ("pool", &self.pool),
                ("sign-ins", if self.sign_ins { "yes" } else { "" }),
                ("from", &self.period.from),
                ("to", &self.period.to),
                ("after", after),
            ],
        )
    }
}

/// An event as a line of the list.
struct Line {
    when: Moment,
    event: Event,
    href: Option<String>,
    changes: Vec<Change>,
}

#[derive(Template)]
#[template(path = "console/audit/list.html")]
struct ListPage {
    frame: Frame,
    fields: Fields,
    lines: Vec<Line>,
    older: Option<String>,
    newest: Option<String>,
    csv: String,
    json: String,
    kept_days: u32,
}

async fn list(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let (params, fields) = asked(&request, &broker)?;
    let search = Search {
        after: params.get("after").and_then(cursor),
        ..fields.search()
    };
    let newest = search
        .after
        .is_some()
        .then(|| fields.address("/console/audit", ""));
    let (reach, look) = (admin.sees().clone(), fields.period.problem.is_none());
    let mut events = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
            Ok(if look {
                audit::list(conn, &reach, &search, limit)?
            } else {
                Vec::new()
            })
        })
        .await?;
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let older = events
        .last()
        .filter(|_| more)
        .map(|event| fields.address("/console/audit", &format!("{}.{}", event.at.0, event.id)));
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "audit", request.query_string()),
        older,
        newest,
        csv: fields.address("/console/audit/events.csv", ""),
        json: fields.address("/console/audit/events.json", ""),
        fields,
        lines: events.into_iter().map(Line::of).collect(),
        kept_days: broker.audit_days,
    }))
}

/// What the address asks for.
fn asked(request: &HttpRequest, broker: &Broker) -> Result<(Params, Fields), Problem> {
    let params = Params::parse(request.query_string().as_bytes())
        .map_err(|malformed| Problem::Malformed(malformed.0))?;
    let fields = Fields::of(&params, request.query_string(), broker.clock.now());
    Ok((params, fields))
}

impl Line {
    /// Folded away until somebody wants to read it.
    fn is_long(&self) -> bool {
        self.changes.len() > 4
    }

    fn of(event: Event) -> Line {
        Line {
            when: Moment(event.at),
            href: page_of(&event),
            changes: difference::changes(&event.difference),
            event,
        }
    }
}

/// The page of the thing that an event is about.
fn page_of(event: &Event) -> Option<String> {
    let target = &event.target;
    let room = match event.action.split('.').next()? {
        "provider" | "connection" => "connections",
        "user" => "users",
        "client" => "clients",
        "pool" => "pools",
        "trace" => "traces",
        "webhook" => "webhooks",
        _ => return None,
    };
    let plain = target
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let gone = event.action.ends_with(".delete");
    (plain && !gone).then(|| format!("/console/{room}/{target}"))
}

/// `1795219200.17`
fn cursor(text: &str) -> Option<(UnixTime, i64)> {
    let (at, id) = text.split_once('.')?;
    Some((UnixTime(at.parse().ok()?), id.parse().ok()?))
}

/// A file's name that says of which day it is.
fn file_name(now: UnixTime, extension: &str) -> String {
    format!("forebay-audit-{}.{extension}", toolbar::date_of(now))
}
