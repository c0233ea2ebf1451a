//! A pool's attribute schema, which only grows: what is there, and one more.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::{View, look, look_to_change};
use crate::actions::pools::{self, PoolChange};
use crate::broker::Broker;
use crate::model::pool::{Attribute, AttributeType, Pool, STANDARD};
use crate::rules::attribute::CUSTOM;

#[derive(Template)]
#[template(path = "console/pools/attributes.html")]
struct Schema {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    custom: Vec<Attribute>,
    standard: Vec<Attribute>,
    name: String,
    kind: AttributeType,
    immutable: bool,
}

impl Schema {
    fn new(frame: Frame, view: View) -> Schema {
        let (custom, standard) = attributes(&view.pool);
        Schema {
            frame,
            view,
            mistakes: Mistakes::default(),
            custom,
            standard,
            name: String::new(),
            kind: AttributeType::String,
            immutable: false,
        }
    }
}

/// The pool's own attributes, and the standard ones as they are in this pool.
fn attributes(pool: &Pool) -> (Vec<Attribute>, Vec<Attribute>) {
    let own = |attribute: &&Attribute| attribute.name.starts_with(CUSTOM);
    (
        pool.settings.attributes.iter().filter(own).cloned().collect(),
        STANDARD
            .iter()
            .filter_map(|(name, _)| pool.settings.attribute(name))
            .collect(),
    )
}

pub async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "attributes").await?;
    let frame = Frame::new(&admin, "pools", request.query_string());
    Ok(page::show(&Schema::new(frame, view)))
}

pub async fn add(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "attributes").await?;
    let typed = form.text("attributes");
    let name = typed.strip_prefix(CUSTOM).unwrap_or(typed).to_owned();
    let attribute = Attribute {
        name: format!("{CUSTOM}{name}"),
        kind: form.text("kind").parse().unwrap_or(AttributeType::String),
        mutable: !form.is_checked("immutable"),
        required: false,
    };
    let mut page = Schema::new(Frame::new(&admin, "pools", ""), view);
    (page.name, page.kind, page.immutable) = (name, attribute.kind, !attribute.mutable);
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let outcome = broker
        .db
        .write(move |conn| {
            let mut settings = pools::find_within(conn, &reach, &id)?.settings.0;
            settings.attributes.push(attribute);
            let change = PoolChange {
                name: None,
                settings: Some(settings),
            };
            pools::update(conn, &ctx, &id, change)
        })
        .await;
    match outcome {
        Ok(pool) => {
            broker.forget();
            Ok(page::done(
                &format!("/console/pools/{}/attributes", pool.id),
                "saved",
            ))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "attributes")?;
            Ok(page::refused(&page))
        }
    }
}
