//! The question before a silent sign-in of an app with a scheme of its own (RFC 8252 §8.6): any app on a device may claim
//! that scheme, so a session alone does not answer for it. The answer is a sealed ticket in a link of our own page, bound
//! to session, client and redirect URI, which no app can write or read.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{error, respond};
use crate::broker::{App, Broker};
use crate::model::session::Session;
use crate::model::user::User;
use crate::rules::authorize::Authorization;
use crate::rules::discovery::paths;
use crate::rules::params::{self, Params};
use crate::rules::redirect_uri;
use crate::seal::Label;
use crate::web::pages::{ContinuePage, Frame};
use crate::world::UnixTime;

/// The parameter of the ticket.
pub const FIELD: &str = "proceed";
/// How long the page may stay open.
const TICKET_SECONDS: i64 = 300;

/// Whether the person has to be asked, and has not yet said yes.
pub fn is_due(
    broker: &Broker,
    app: &App,
    request: &Authorization,
    session: &Session,
    params: &Params,
) -> bool {
    redirect_uri::is_private_scheme(&request.redirect_uri)
        && !params
            .get(FIELD)
            .is_some_and(|ticket| good(broker, app, request, session, ticket))
}

fn good(broker: &Broker, app: &App, request: &Authorization, session: &Session, ticket: &str) -> bool {
    let name = name(app, request, session);
    let until = URL_SAFE_NO_PAD
        .decode(ticket)
        .ok()
        .and_then(|sealed| broker.sealer.open_text(label(app, &name), &sealed).ok())
        .and_then(|text| text.parse().ok())
        .map(UnixTime);
    until.is_some_and(|until| broker.clock.now() <= until)
}

/// "Continue as …?"
pub fn page(
    request: &HttpRequest,
    broker: &Data<Broker>,
    app: &App,
    authorization: &Authorization,
    session: &Session,
    user: &User,
    params: &Params,
) -> HttpResponse {
    let until = broker.clock.now().plus(TICKET_SECONDS).0.to_string();
    let name = name(app, authorization, session);
    let ticket = URL_SAFE_NO_PAD.encode(broker.sealer.seal(label(app, &name), until.as_bytes()));
    let href = |dropped: &[&str], (name, value): (&str, &str)| {
        let mut pairs = params.without(dropped);
        pairs.push((name.to_owned(), value.to_owned()));
        format!("{}?{}", paths::AUTHORIZE, params::encode(pairs))
    };
    let shown = ["email", "name"]
        .iter()
        .find_map(|attribute| user.attributes.get(*attribute)?.as_str());
    let page = ContinuePage {
        frame: Frame::new(&error::lang(request), app.shown_name()),
        client_name: Some(app.client.name.clone()),
        user_label: shown.unwrap_or(&user.username).to_owned(),
        continue_href: href(&[FIELD], (FIELD, &ticket)),
        other_href: href(&[FIELD, "prompt"], ("prompt", "select_account")),
        other_way: None,
    };
    respond::page(StatusCode::OK, &page, respond::Forms::Onward).finish()
}

fn name(app: &App, request: &Authorization, session: &Session) -> String {
    let session = URL_SAFE_NO_PAD.encode(&session.hash);
    format!("{} {session} {}", app.client.id, request.redirect_uri)
}

fn label<'a>(app: &'a App, name: &'a str) -> Label<'a> {
    Label {
        purpose: "confirm",
        scope: &app.client.user_pool_id,
        name,
    }
}
