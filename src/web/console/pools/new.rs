//! Making a pool: for operators. Its two signing keys are made first, off the async threads.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::{Choice, Mistakes, number};
use super::super::page::{self, Frame};
use crate::actions::pools::{self, NewPool};
use crate::broker::Broker;
use crate::model::pool::{Attribute, STANDARD, Settings};

#[derive(Template)]
#[template(path = "console/pools/new.html")]
struct New {
    frame: Frame,
    mistakes: Mistakes,
    name: String,
    id: String,
    trace_days: String,
    key_rotation_days: String,
    case_insensitive: bool,
    cognito_exact: bool,
    deletion_protection: bool,
    required: Vec<Choice>,
}

impl New {
    fn empty(frame: Frame) -> New {
        let settings = Settings::default();
        New {
            frame,
            mistakes: Mistakes::default(),
            name: String::new(),
            id: String::new(),
            trace_days: settings.trace_days.to_string(),
            key_rotation_days: settings.key_rotation_days.to_string(),
            case_insensitive: false,
            cognito_exact: settings.cognito_exact,
            deletion_protection: true,
            required: required(|_| false),
        }
    }

    fn typed(frame: Frame, form: &Form, mistakes: Mistakes) -> New {
        New {
            frame,
            mistakes,
            name: form.text("name").into(),
            id: form.text("id").into(),
            trace_days: form.text("trace_days").into(),
            key_rotation_days: form.text("key_rotation_days").into(),
            case_insensitive: form.is_checked("case_insensitive"),
            cognito_exact: form.is_checked("cognito_exact"),
            deletion_protection: form.is_checked("deletion_protection"),
            required: required(|name| form.all("attributes").any(|ticked| ticked == name)),
        }
    }
}

/// The standard attributes that a pool can require of its users.
fn required(is_ticked: impl Fn(&str) -> bool) -> Vec<Choice> {
    STANDARD
        .iter()
        .map(|(name, kind)| Choice::new(*name, kind.to_string(), is_ticked(name)))
        .collect()
}

pub async fn form(admin: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    admin.require_operator()?;
    Ok(page::show(&New::empty(Frame::new(
        &admin,
        "pools",
        request.query_string(),
    ))))
}

pub async fn submit(admin: Admin, form: Form, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    admin.require_operator()?;
    let frame = Frame::new(&admin, "pools", "");
    let mut mistakes = Mistakes::default();
    let new = read(&form, &mut mistakes);
    if let Err(error) = pools::check_new(&new) {
        for (field, why) in Mistakes::of(error, "name")?.all() {
            mistakes.add(field, why);
        }
    }
    // Keys take a second: not for a form that will not do.
    if !mistakes.is_empty() {
        return Ok(page::refused(&New::typed(frame, &form, mistakes)));
    }
    let keys = broker.new_keys().await?;
    let ctx = admin.ctx(&broker);
    let outcome = broker
        .db
        .write(move |conn| pools::create(conn, &ctx, new, &keys))
        .await;
    match outcome {
        Ok(pool) => {
            broker.forget();
            Ok(page::done(&format!("/console/pools/{}", pool.id), "created"))
        }
        Err(error) => {
            let mistakes = Mistakes::of(error, "id")?;
            Ok(page::refused(&New::typed(frame, &form, mistakes)))
        }
    }
}

fn read(form: &Form, mistakes: &mut Mistakes) -> NewPool {
    let required = STANDARD
        .iter()
        .filter(|(name, _)| form.all("attributes").any(|ticked| ticked == *name))
        .map(|(name, kind)| Attribute {
            name: (*name).to_owned(),
            kind: *kind,
            mutable: true,
            required: true,
        });
    NewPool {
        id: Some(form.text("id").to_owned()).filter(|id| !id.is_empty()),
        name: form.text("name").to_owned(),
        settings: Settings {
            cognito_exact: form.is_checked("cognito_exact"),
            case_sensitive: !form.is_checked("case_insensitive"),
            deletion_protection: form.is_checked("deletion_protection"),
            attributes: required.collect(),
            trace_days: number(form, "trace_days", mistakes),
            key_rotation_days: number(form, "key_rotation_days", mistakes),
            ..Settings::default()
        },
    }
}
