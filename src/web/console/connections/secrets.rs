//! Rotation of the client secret without an outage: the next one is entered while the present one still works; once Okta
//! refuses the present one, the next takes over by itself.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use zeroize::Zeroizing;

use super::{At, Opened, by_tenant, field_error, open, within};
use crate::actions::providers::{self, Credentials, Expiries, ProviderChange};
use crate::broker::Broker;
use crate::model::provider::ClientAuth;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;
use crate::world::UnixTime;

#[derive(Template)]
#[template(path = "console/connections/secrets.html")]
struct SecretsPage {
    frame: Frame,
    at: At,
    by_key: bool,
    has_secret: bool,
    has_next: bool,
    expires: String,
    next_expires: String,
    expires_at: Option<Moment>,
    next_expires_at: Option<Moment>,
    wrong: Option<(&'static str, String)>,
}

impl SecretsPage {
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
    let opened = open(&broker, admin.changes(), &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&stored(&admin, &request, &opened)))
}

pub async fn save(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    let mut page = stored(&admin, &request, &opened);
    page.expires = form.text("expires").to_owned();
    page.next_expires = form.text("next_expires").to_owned();
    let day = |text: &str| match text {
        "" => Ok(None),
        day => UnixTime::of_day(day)
            .map(Some)
            .ok_or_else(|| "Write the day as 2027-01-31, or leave it empty.".to_owned()),
    };
    let (expires, next_expires) = match (day(&page.expires), day(&page.next_expires)) {
        (Ok(expires), Ok(next)) => (expires, next),
        (Err(why), _) => {
            page.wrong = Some(("expires", why));
            return Ok(page::refused(&page));
        }
        (_, Err(why)) => {
            page.wrong = Some(("next_expires", why));
            return Ok(page::refused(&page));
        }
    };
    let next_secret =
        Some(Zeroizing::new(form.text("next_secret").to_owned())).filter(|text| !text.is_empty());
    let change = ProviderChange {
        forget_next_secret: form.is_checked("forget"),
        expiries: Expiries {
            secret: Some(expires),
            next_secret: Some(next_expires.filter(|_| page.has_next || next_secret.is_some())),
        },
        credentials: Credentials {
            next_secret,
            ..Credentials::default()
        },
        by_tenant: by_tenant(&admin, &opened.provider.user_pool_id),
        ..ProviderChange::default()
    };
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let (reach, wanted) = (admin.changes().clone(), id.clone());
    let updated = broker
        .db
        .write(move |conn| {
            within(conn, &reach, &wanted)?;
            providers::update(conn, &ctx, &allowed, &wanted, change)
        })
        .await;
    match updated {
        Ok(_) => {
            broker.forget();
            Ok(page::done(&format!("/console/connections/{id}/secrets"), "saved"))
        }
        Err(error) => {
            page.wrong = Some(field_error(error, &["next_secret"])?);
            Ok(page::refused(&page))
        }
    }
}

/// Makes the next secret the present one now, without waiting for Okta to refuse the old one.
pub async fn promote(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let path = format!("/console/connections/{id}/secrets");
    let reach = admin.changes().clone();
    open(&broker, &reach, &id).await?;
    admin.require_fresh(broker.clock.now(), &path)?;
    let (ctx, wanted) = (admin.ctx(&broker), id.into_inner());
    broker
        .db
        .write(move |conn| {
            let provider = within(conn, &reach, &wanted)?;
            providers::promote_next_secret(conn, &ctx, &provider)
        })
        .await?;
    broker.forget();
    Ok(page::done(&path, "rotated"))
}

fn stored(admin: &Admin, request: &HttpRequest, opened: &Opened) -> SecretsPage {
    let provider = &opened.provider;
    let day = |at: Option<UnixTime>| at.map_or_else(String::new, UnixTime::day);
    SecretsPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, opened, "/secrets"),
        by_key: provider.settings.client_auth == ClientAuth::PrivateKeyJwt,
        has_secret: provider.client_secret_sealed.is_some(),
        has_next: provider.next_secret_sealed.is_some(),
        expires: day(provider.secret_expires_at),
        next_expires: day(provider.next_secret_expires_at),
        expires_at: provider.secret_expires_at.map(Moment),
        next_expires_at: provider.next_secret_expires_at.map(Moment),
        wrong: None,
    }
}
