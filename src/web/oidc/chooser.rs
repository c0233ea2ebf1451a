//! The page on which a person chooses among the connections that an address, or a tenant's code, leads to.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::choice::Several;
use super::{error, login_page, respond};
use crate::broker::{App, Broker};
use crate::rules::authorize::Authorization;
use crate::rules::params::Params;
use crate::web::domains;
use crate::web::pages::{Frame, LoginPage, Message, MessageKind};

const SEVERAL: &str = "Your organisation has several ways to sign in. Choose one.";

/// The login page with nothing but these ways, each of which takes the address along. Where all are one tenant's the page is
/// that tenant's.
pub async fn page(
    request: &HttpRequest,
    broker: &Broker,
    app: &App,
    authorization: &Authorization,
    params: &Params,
    several: &Several<'_>,
) -> HttpResponse {
    let lang = error::lang(request);
    let led = match several.tenant() {
        Some(tenant) => domains::app_led_to(request, broker, &app.client.id, tenant).await,
        None => Ok(None),
    };
    let led = match led {
        Ok(led) => led,
        Err(cause) => return error::store(request, &cause),
    };
    let shown = led.as_deref().unwrap_or(app);
    let address = several.address.as_ref().map(|address| address.as_str());
    let page = LoginPage {
        frame: Frame::new(&lang, shown.shown_name()),
        client_name: Some(app.client.name.clone()),
        buttons: login_page::buttons(&several.providers, params, authorization, address),
        message: Some(Message {
            kind: MessageKind::Info,
            text: SEVERAL.to_owned(),
        }),
        look: login_page::look(shown, &lang),
        ..LoginPage::default()
    };
    respond::page(StatusCode::OK, &page, respond::Forms::Onward)
        .ends_at(&authorization.redirect_uri)
        .finish()
}
