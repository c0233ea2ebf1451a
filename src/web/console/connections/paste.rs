//! What to do in Okta: the exact strings for the app's fields, each with a button that copies it, and the switches that
//! people get wrong.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, open, redirect_uri};
use crate::actions::clients;
use crate::broker::Broker;
use crate::model::client::Client;
use crate::model::provider::ClientAuth;
use crate::rules::discovery::paths;
use crate::rules::params;
use crate::web::console::door::Admin;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;

#[derive(Template)]
#[template(path = "console/connections/paste.html")]
struct PastePage {
    frame: Frame,
    at: At,
    redirect_uri: String,
    sign_out_uri: String,
    origin: String,
    /// Signing out here signs out there, so that the sign-out URI is needed.
    signs_out: bool,
    /// The initiate-login URI of every app that offers the connection: which app, and the address.
    starts: Vec<(String, String)>,
    by_key: bool,
    asks_for_groups: bool,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.sees(), &id).await?;
    let (provider, public_url) = (&opened.provider, &broker.public_url);
    let settings = &provider.settings;
    let (pool, name) = (provider.user_pool_id.clone(), provider.name.clone());
    let apps = broker
        .db
        .read(move |conn| clients::offering(conn, &pool, &name))
        .await?;
    Ok(page::show(&PastePage {
        frame: Frame::new(&admin, "connections", request.query_string()),
        at: At::new(&admin, &opened, "/okta"),
        redirect_uri: redirect_uri(public_url, provider),
        sign_out_uri: format!("{public_url}{}/{}", paths::LOGOUT_RETURN, provider.id),
        origin: public_url.clone(),
        starts: starts(public_url, &provider.id, &apps),
        signs_out: settings.upstream_logout && settings.upstream_logout_return,
        by_key: settings.client_auth == ClientAuth::PrivateKeyJwt,
        asks_for_groups: settings.scopes.iter().any(|scope| scope == "groups"),
    }))
}

/// The Initiate login URIs of the apps. One app needs no name; of several, each address says whose it is.
pub fn starts(public_url: &str, connection: &str, apps: &[Client]) -> Vec<(String, String)> {
    let start = format!("{public_url}{}?connection={connection}", paths::START_LOGIN);
    match apps {
        [] | [_] => vec![(String::new(), start)],
        several => several
            .iter()
            .map(|app| {
                (
                    app.name.clone(),
                    format!("{start}&{}", params::encode([("client_id", &app.id)])),
                )
            })
            .collect(),
    }
}
