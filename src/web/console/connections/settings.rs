//! What may be changed about a connection without touching where it leads or as whom it comes: the button's label, what
//! leads to it, signing out, Okta's own API.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, by_tenant, field_error, open, within};
use crate::actions::providers::{self, ProviderChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::provider::{self, ApiScope, Environment};
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
    /// The scopes of Okta's own API that are asked for.
    okta_api: Vec<ApiScope>,
    /// Domains are the operator's word until their owner has proved them.
    may_route: bool,
    wrong: Option<(&'static str, String)>,
}

impl SettingsPage {
    /// What a scope is good for here.
    fn use_of(scope: &ApiScope) -> &'static str {
        match scope {
            ApiScope::UsersReadSelf => "fills what a sign-in did not bring from the person's own profile",
            ApiScope::UsersRead => {
                "the same, where the one above cannot be granted; Okta grants its use to its administrators only"
            }
            ApiScope::UserTypesRead => {
                "finds the mapping of the default user type, where there are several types"
            }
            ApiScope::ProfileMappingsRead => "imports Okta's own profile mapping in the mapping editor",
        }
    }

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
    page.okta_api = ApiScope::ALL
        .iter()
        .copied()
        .filter(|scope| form.0.all("okta_api").any(|chosen| chosen == scope.as_str()))
        .collect();
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let (reach, wanted) = (admin.changes().clone(), id.clone());
    let (label, signs_out, comes_back) = (page.label.clone(), page.signs_out, page.comes_back);
    let (environment, okta_api) = (page.environment, page.okta_api.clone());
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
            settings.okta_api = okta_api;
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
            page.wrong = Some(field_error(error, &["label", "identifiers", "okta_api"])?);
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
        okta_api: settings.okta_api.clone(),
        may_route: !by_tenant(admin, &opened.provider.user_pool_id),
        wrong: None,
    })
}
