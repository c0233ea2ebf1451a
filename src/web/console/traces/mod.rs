//! Sign-ins, and why some did not succeed: the list with its search, and through a code straight to one of them.

pub mod names;
mod show;
mod story;
mod values;

use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use self::names::Line;
use super::door::Admin;
use super::page::{self, Frame};
use super::problem::Problem;
use super::toolbar::{self, Period, given};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::provider;
use crate::model::trace::search::{self, Ending, Person, Search};
use crate::model::trace::{self, Outcome};
use crate::rules::params::Params;
use crate::rules::{email, secret};
use crate::web::resource;
use crate::world::UnixTime;

/// Sign-ins on a page.
const PAGE: usize = 50;
/// How far back the list looks unless it is told otherwise, in days.
const DAYS: i64 = 7;
/// Connections that the field suggests.
const SUGGESTED: usize = 100;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/traces").document(list))
        .service(resource("/console/traces/{code}").document(show::page))
        .service(resource("/console/traces/{code}/values").post(values::post));
}

/// The fields of the toolbar as they were filled in.
#[derive(Default)]
struct Fields {
    q: String,
    outcome: String,
    cause: String,
    connection: String,
    app: String,
    period: Period,
}

impl Fields {
    fn address(&self, after: &str) -> String {
        toolbar::address(
            "/console/traces",
            [
                ("q", self.q.as_str()),
                ("outcome", &self.outcome),
                ("cause", &self.cause),
                ("connection", &self.connection),
                ("app", &self.app),
                ("from", &self.period.from),
                ("to", &self.period.to),
                ("after", after),
            ],
        )
    }

    /// Whether the fields that are folded away hold something.
    fn has_more(&self) -> bool {
        !(self.cause.is_empty() && self.connection.is_empty() && self.app.is_empty())
    }
}

#[derive(Template)]
#[template(path = "console/traces/list.html")]
struct ListPage {
    frame: Frame,
    fields: Fields,
    /// Stands at the search field.
    problem: Option<String>,
    lines: Vec<Line>,
    connections: Vec<String>,
    older: Option<String>,
    newest: Option<String>,
}

async fn list(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let params = Params::parse(request.query_string().as_bytes())
        .map_err(|malformed| Problem::Malformed(malformed.0))?;
    let text = |name: &str| given(&params, name).unwrap_or_default();
    let fields = Fields {
        q: text("q"),
        outcome: text("outcome"),
        cause: text("cause"),
        connection: text("connection"),
        app: text("app"),
        period: Period::of(request.query_string(), broker.clock.now(), DAYS),
    };
    let mut problem = None;
    let mut person = None;
    if !fields.q.is_empty() {
        match asked_for(&broker, &fields.q) {
            Asked::Person(found) => person = Some(found),
            Asked::Code(code) => {
                let (reach, wanted) = (admin.sees().clone(), code.clone());
                let found = broker
                    .db
                    .read(move |conn| Ok::<_, StoreError>(search::find_within(conn, &reach, &wanted)?))
                    .await?;
                if found.is_some() {
                    return Ok(HttpResponse::SeeOther()
                        .insert_header((header::LOCATION, format!("/console/traces/{code}")))
                        .finish());
                }
                problem = Some(format!(
                    "There is no sign-in {code}: the code may be mistyped, its story may be too old to be kept, or it \
                     belongs to another organisation."
                ));
            }
            Asked::Nothing => {
                problem = Some(
                    "Write a code such as K7Q-2FM, a whole email address, or a user's id (sub).".to_owned(),
                );
            }
        }
    }
    let search = Search {
        person,
        since: fields.period.since,
        until: fields.period.until,
        ending: ending(&fields.outcome),
        cause: given(&params, "cause"),
        provider_id: given(&params, "connection"),
        client_id: given(&params, "app"),
        after: params.get("after").and_then(cursor),
    };
    let newest = search.after.is_some().then(|| fields.address(""));
    let reach = admin.sees().clone();
    let look = problem.is_none() && fields.period.problem.is_none();
    let (rows, connections) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let mut rows = Vec::new();
            if look {
                let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
                rows = search::list(conn, &reach, &search, limit)?;
            }
            let known = provider::list_within(conn, &reach, None)?;
            let more = rows.len() > PAGE;
            rows.truncate(PAGE);
            let older = rows
                .last()
                .filter(|_| more)
                .map(|row| format!("{}.{}", row.started_at.0, row.code));
            let known = known.into_iter().map(|provider| provider.id).take(SUGGESTED);
            Ok(((names::lines(conn, rows)?, older), known.collect()))
        })
        .await?;
    let (lines, older) = rows;
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "traces", request.query_string()),
        older: older.map(|after| fields.address(&after)),
        newest,
        fields,
        problem,
        lines,
        connections,
    }))
}

/// What the search field means.
enum Asked {
    Code(String),
    Person(Person),
    Nothing,
}

fn asked_for(broker: &Broker, typed: &str) -> Asked {
    if let Some(code) = secret::normalize_trace_code(typed) {
        return Asked::Code(code);
    }
    if let Ok(address) = email::Email::parse(typed) {
        let hashes = trace::person_hashes(&broker.sealer, address.as_str());
        return Asked::Person(Person::Hashes(hashes));
    }
    let is_sub = typed.len() == 36 && typed.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_sub {
        return Asked::Person(Person::User(typed.to_ascii_lowercase()));
    }
    Asked::Nothing
}

fn ending(name: &str) -> Option<Ending> {
    match name {
        "unsuccessful" => Some(Ending::Unsuccessful),
        name => name.parse::<Outcome>().ok().map(Ending::Was),
    }
}

/// `1795219200.K7Q-2FM`
fn cursor(text: &str) -> Option<(UnixTime, String)> {
    let (at, code) = text.split_once('.')?;
    Some((UnixTime(at.parse().ok()?), secret::normalize_trace_code(code)?))
}
