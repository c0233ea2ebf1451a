//! A pool's name and settings.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::{Mistakes, number};
use super::super::page::{self, Frame};
use super::{View, look_to_change};
use crate::actions::pools::{self, PoolChange};
use crate::broker::Broker;

#[derive(Template)]
#[template(path = "console/pools/edit.html")]
struct Edit {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    name: String,
    trace_days: String,
    key_rotation_days: String,
    tenant_claim: String,
    preview_suffixes: String,
    cognito_exact: bool,
    deletion_protection: bool,
}

pub async fn form(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "edit").await?;
    let settings = &view.pool.settings;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "pools", request.query_string()),
        mistakes: Mistakes::default(),
        name: view.pool.name.clone(),
        trace_days: settings.trace_days.to_string(),
        key_rotation_days: settings.key_rotation_days.to_string(),
        tenant_claim: settings.tenant_claim.clone(),
        preview_suffixes: settings.preview_suffixes.join("\n"),
        cognito_exact: settings.cognito_exact,
        deletion_protection: settings.deletion_protection,
        view,
    }))
}

pub async fn submit(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "edit").await?;
    let mut mistakes = Mistakes::default();
    let trace_days = number(&form, "trace_days", &mut mistakes);
    let key_rotation_days = number(&form, "key_rotation_days", &mut mistakes);
    if mistakes.is_empty() {
        let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
        let name = form.text("name").to_owned();
        let tenant_claim = form.text("tenant_claim").to_owned();
        let preview_suffixes = form.lines("preview_suffixes");
        let (cognito_exact, deletion_protection) = (
            form.is_checked("cognito_exact"),
            form.is_checked("deletion_protection"),
        );
        let outcome = broker
            .db
            .write(move |conn| {
                let mut settings = pools::find_within(conn, &reach, &id)?.settings.0;
                settings.cognito_exact = cognito_exact;
                settings.deletion_protection = deletion_protection;
                settings.trace_days = trace_days;
                settings.key_rotation_days = key_rotation_days;
                settings.tenant_claim = tenant_claim;
                settings.preview_suffixes = preview_suffixes;
                let change = PoolChange {
                    name: Some(name),
                    settings: Some(settings),
                };
                pools::update(conn, &ctx, &id, change)
            })
            .await;
        match outcome {
            Ok(pool) => {
                broker.forget();
                return Ok(page::done(&format!("/console/pools/{}", pool.id), "saved"));
            }
            Err(error) => mistakes = Mistakes::of(error, "name")?,
        }
    }
    Ok(page::refused(&Edit {
        frame: Frame::new(&admin, "pools", ""),
        view,
        mistakes,
        name: form.text("name").into(),
        trace_days: form.text("trace_days").into(),
        key_rotation_days: form.text("key_rotation_days").into(),
        tenant_claim: form.text("tenant_claim").into(),
        preview_suffixes: form.text("preview_suffixes").into(),
        cognito_exact: form.is_checked("cognito_exact"),
        deletion_protection: form.is_checked("deletion_protection"),
    }))
}
