//! A client's own page: what an app needs to know to sign its users in here, ready to be copied.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::Admin;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::snippets::{self, Facts, Snippet};
use super::{View, kind, look};
use crate::broker::Broker;
use crate::rules::discovery::paths;

#[derive(Template)]
#[template(path = "console/clients/show.html")]
struct Show {
    frame: Frame,
    view: View,
    kind: &'static str,
    /// Names and values to be copied.
    values: Vec<(&'static str, &'static str, String)>,
    snippets: Vec<Snippet>,
    created: Moment,
    updated: Moment,
}

pub async fn show(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "overview").await?;
    let issuer = broker.issuer(&view.pool.id);
    let at = |path: &str| format!("{}{path}", broker.public_url);
    let mut values = vec![
        ("Issuer", "issuer", issuer.clone()),
        ("Client id", "client-id", view.client.id.clone()),
        (
            "Discovery",
            "discovery",
            format!("{issuer}/.well-known/openid-configuration"),
        ),
        ("Authorize", "authorize", at(paths::AUTHORIZE)),
        ("Token", "token", at(paths::TOKEN)),
        ("UserInfo", "userinfo", at(paths::USERINFO)),
        ("Revoke", "revoke", at(paths::REVOKE)),
        ("Key set (JWKS)", "jwks", format!("{issuer}{}", paths::JWKS)),
        ("End session", "end-session", at(paths::LOGOUT)),
    ];
    if let Some(callback) = view.client.settings.redirect_uris.first() {
        values.push(("Callback (first)", "callback", callback.clone()));
    }
    let facts = Facts::of(&broker.public_url, issuer, &view.client, &view.pool.id);
    Ok(page::show(&Show {
        frame: Frame::new(&admin, "clients", request.query_string()),
        kind: kind(&view.client),
        values,
        snippets: snippets::of(&facts),
        created: Moment(view.client.created_at),
        updated: Moment(view.client.updated_at),
        view,
    }))
}
