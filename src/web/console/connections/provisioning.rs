//! Who gets an account when they come for the first time, and what happens when they lose their place in Okta.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, open};
use crate::actions::provisioning;
use crate::broker::Broker;
use crate::model::provider::Provisioning;
use crate::web::console::door::{Admin, Form};
use crate::web::console::filled::Mistakes;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;

#[derive(Template)]
#[template(path = "console/connections/provisioning.html")]
struct ProvisioningPage {
    frame: Frame,
    at: At,
    provisioning: Provisioning,
    /// What stands in the field.
    groups: String,
    /// How long somebody stays who was unassigned: signed in, in minutes, and by an app's refresh token, in days.
    session_minutes: i64,
    refresh_days: i64,
    mistakes: Mistakes,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(&stored(&admin, &broker, &request, &id).await?))
}

async fn stored(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    id: &str,
) -> Result<ProvisioningPage, Problem> {
    let opened = open(broker, admin.changes(), id).await?;
    let row = opened.provider.clone();
    let (session, refresh) = broker
        .db
        .read(move |conn| provisioning::stays(conn, &row))
        .await?;
    let provisioning = opened.provider.settings.provisioning.clone();
    Ok(ProvisioningPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, &opened, "/provisioning"),
        groups: provisioning.groups.join("\n"),
        provisioning,
        session_minutes: session / 60,
        refresh_days: (refresh + 86_399) / 86_400,
        mistakes: Mistakes::default(),
    })
}

pub async fn save(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = stored(&admin, &broker, &request, &id).await?;
    let (just_in_time, groups) = (form.is_checked("just_in_time"), form.lines("groups"));
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), id.clone());
    let saved = broker
        .db
        .write(move |conn| provisioning::set(conn, &ctx, &reach, &wanted, just_in_time, groups))
        .await;
    match saved {
        Ok(_) => {
            broker.forget();
            Ok(page::done(
                &format!("/console/connections/{id}/provisioning"),
                "saved",
            ))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "groups")?;
            page.provisioning.just_in_time = just_in_time;
            page.groups = form.text("groups").to_owned();
            Ok(page::refused(&page))
        }
    }
}
