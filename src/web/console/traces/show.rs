//! One sign-in: how it ended in a sentence, what to do about it, and everything that happened on the way.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::names::{ending, pill};
use super::story::{Arrival, Check, Effect, cause_in_words};
use super::values::{self, Values};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::provider::Provider;
use crate::model::trace::delivery::{self, Delivery};
use crate::model::trace::search;
use crate::model::trace::{Outcome, Trace};
use crate::model::user::User;
use crate::model::{client, provider, user};
use crate::rules::secret;
use crate::web::console::door::Admin;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

#[derive(Template)]
#[template(path = "console/traces/show.html")]
struct ShowPage {
    frame: Frame,
    trace: Trace,
    when: Moment,
    kept_until: Moment,
    pill: &'static str,
    ending: &'static str,
    headline: String,
    /// The first check that failed.
    failed: Option<usize>,
    checks: Vec<Check>,
    effects: Vec<Effect>,
    arrival: Option<Arrival>,
    user: Option<User>,
    client: Option<Client>,
    provider: Option<Provider>,
    redirect_uri: Option<String>,
    values: Values,
}

pub async fn page(
    admin: Admin,
    path: Path<String>,
    request: HttpRequest,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let code = secret::normalize_trace_code(&path).ok_or(Problem::NotFound)?;
    if code != *path {
        return Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("/console/traces/{code}")))
            .finish());
    }
    let (reach, now, wanted) = (admin.sees().clone(), broker.clock.now(), code);
    let told = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some(trace) = search::find_within(conn, &reach, &wanted)? else {
                return Ok(None);
            };
            let user = trace.user_sub.as_deref().map(|sub| user::find(conn, sub));
            let client = trace.client_id.as_deref().map(|id| client::find(conn, id));
            let provider = trace
                .provider_id
                .as_deref()
                .map(|id| provider::find_within(conn, &reach, id));
            Ok(Some(Told {
                user: user.transpose()?.flatten(),
                client: client.transpose()?.flatten(),
                provider: provider.transpose()?.flatten(),
                delivery: delivery::of(conn, &trace, now)?,
                trace,
            }))
        })
        .await?
        .ok_or(Problem::NotFound)?;
    let values = values::of(&broker, &admin, &told.trace).await?;
    Ok(page::show(&ShowPage::new(
        Frame::new(&admin, "traces", request.query_string()),
        told,
        values,
        &broker.public_url,
    )))
}

/// A trace with what its ids stand for.
struct Told {
    trace: Trace,
    user: Option<User>,
    client: Option<Client>,
    provider: Option<Provider>,
    delivery: Option<Delivery>,
}

impl ShowPage {
    fn new(frame: Frame, told: Told, values: Values, public_url: &str) -> ShowPage {
        let Told {
            mut trace,
            user,
            client,
            provider,
            delivery,
        } = told;
        let checks: Vec<Check> = std::mem::take(&mut trace.story.steps)
            .into_iter()
            .map(Check::of)
            .collect();
        let effects = std::mem::take(&mut trace.story.effects)
            .into_iter()
            .map(Effect::of)
            .collect();
        ShowPage {
            frame,
            when: Moment(trace.started_at),
            kept_until: Moment(trace.expires_at),
            pill: pill(trace.outcome),
            ending: ending(trace.outcome),
            headline: headline(&trace, user.as_ref(), client.as_ref()),
            failed: checks.iter().position(|check| !check.passed),
            checks,
            effects,
            arrival: delivery.map(Arrival::of),
            redirect_uri: provider
                .as_ref()
                .map(|provider| values::callback(public_url, provider)),
            user,
            client,
            provider,
            values,
            trace,
        }
    }
}

/// Who wanted to go where by which way, and how it ended.
fn headline(trace: &Trace, user: Option<&User>, client: Option<&Client>) -> String {
    let who = user.map_or_else(|| "Somebody".to_owned(), User::label);
    let app = client
        .map(|client| client.name.as_str())
        .or(trace.client_id.as_deref());
    let app = app.unwrap_or("an app that is not known");
    let way = match &trace.provider_id {
        Some(id) => format!(" through the connection {id}"),
        None => String::new(),
    };
    let cause = cause_in_words(&trace.cause);
    match trace.outcome {
        Outcome::SignedIn => format!("{who} signed in to {app}{way}."),
        Outcome::Refused => format!("{who} wanted to sign in to {app}{way} and was refused: {cause}."),
        Outcome::Failed => format!("{who} wanted to sign in to {app}{way}, and it failed: {cause}."),
    }
}
