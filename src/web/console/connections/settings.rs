//! What may be changed about a connection without touching where it leads or as whom it comes: the button's label, what
//! leads to it, signing out.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, by_tenant, field_error, open, within};
use crate::actions::providers::{self, ProviderChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::provider::{self, Environment};
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;

#[derive(Template)]
#[template(path = "console/connections/settings.html")]
struct SettingsPage {
    frame: Frame,
    at: At,
    label: String,
    identifiers: String,
    environment: Option<Environment>,
    signs_out: bool,
    comes_back: bool,
    /// Domains are the operator's word until their owner has proved them.
    may_route: bool,
    wrong: Option<(&'static str, String)>,
}

impl SettingsPage {
    fn error(&self, field: &str) -> Option<&str> {
        self.wrong
            .as_ref()
            .filter(|(known, _)| *known == field)
            .map(|(_, why)| why.as_str())
    }
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(&stored(&admin, &broker, &request, &id).await?))
}

pub async fn save(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = stored(&admin, &broker, &request, &id).await?;
    page.label = form.text("label").to_owned();
    if page.may_route {
        page.identifiers = form.text("identifiers").to_owned();
    }
    page.environment = form.text("environment").parse().ok();
    page.signs_out = form.is_checked("signs_out");
    page.comes_back = form.is_checked("comes_back");
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let (reach, wanted) = (admin.changes().clone(), id.clone());
    let (label, signs_out, comes_back) = (page.label.clone(), page.signs_out, page.comes_back);
    let environment = page.environment;
    let identifiers = page.may_route.then(|| form.lines("identifiers"));
    let updated = broker
        .db
        .write(move |conn| {
            let provider = within(conn, &reach, &wanted)?;
            let mut settings = provider.settings.0.clone();
            settings.label = label;
            settings.environment = environment;
            settings.upstream_logout = signs_out;
            settings.upstream_logout_return = comes_back;
            // A draft has no client id yet, which the whole of the settings would be refused for.
            if settings.client_id.is_empty() {
                return Err(Error::invalid(
                    "label",
                    "is saved after the credentials: enter those first",
                ));
            }
            let change = ProviderChange {
                settings: Some(settings),
                identifiers,
                by_tenant: by_tenant(&admin, &provider.user_pool_id),
                ..ProviderChange::default()
            };
            providers::update(conn, &ctx, &allowed, &wanted, change)
        })
        .await;
    match updated {
        Ok(_) => {
            broker.forget();
            Ok(page::done(
                &format!("/console/connections/{id}/settings"),
                "saved",
            ))
        }
        Err(Error::Conflict(why)) => {
            page.wrong = Some(("identifiers", why));
            Ok(page::refused(&page))
        }
        Err(error) => {
            page.wrong = Some(field_error(error, &["label", "identifiers"])?);
            Ok(page::refused(&page))
        }
    }
}

async fn stored(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    id: &str,
) -> Result<SettingsPage, Problem> {
    let opened = open(broker, admin.changes(), id).await?;
    let wanted = id.to_owned();
    let identifiers = broker
        .db
        .read(move |conn| -> Result<_, StoreError> { Ok(provider::identifiers(conn, &wanted)?) })
        .await?;
    let settings = &opened.provider.settings;
    Ok(SettingsPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, &opened, "/settings"),
        label: settings.label.clone(),
        identifiers: identifiers.join("\n"),
        environment: settings.environment,
        signs_out: settings.upstream_logout,
        comes_back: settings.upstream_logout_return,
        may_route: !by_tenant(admin, &opened.provider.user_pool_id),
        wrong: None,
    })
}
