//! Who may enter an app: its rules with a trial on the people who signed in lately, and how strongly one must sign in.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::{View, look, look_to_change, path};
use crate::actions::access::{self, Tried};
use crate::actions::clients::{self, ClientChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::client::AccessRule;
use crate::rules::access::MOST_RULES;

/// Kept sign-ins of each connection that a draft is tried on.
const TRIED: usize = 50;

#[derive(Template)]
#[template(path = "console/clients/access.html")]
struct AccessPage {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    /// The rules, and an empty one to fill in.
    rules: Vec<AccessRule>,
    requires_acr: String,
    trial: Option<Trial>,
}

/// What the rules would say of the people who signed in lately.
struct Trial {
    enter: usize,
    people: Vec<Tried>,
}

pub async fn page(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "access").await?;
    let frame = Frame::new(&admin, "clients", request.query_string());
    Ok(page::show(&shown(frame, view, None)))
}

/// The page with what is stored, or with what was typed.
fn shown(frame: Frame, view: View, typed: Option<(Vec<AccessRule>, String)>) -> AccessPage {
    let (mut rules, requires_acr) = typed.unwrap_or_else(|| {
        let settings = &view.client.settings;
        (settings.access.clone(), settings.requires_acr.join(" "))
    });
    if view.may_change && rules.len() < MOST_RULES {
        rules.push(AccessRule::default());
    }
    AccessPage {
        frame,
        view,
        mistakes: Mistakes::default(),
        rules,
        requires_acr,
        trial: None,
    }
}

/// The rules that were typed; those left empty are no rules.
fn typed(form: &Form) -> Vec<AccessRule> {
    let text = |value: &str| value.trim().to_owned();
    let names = form.all("name");
    names
        .zip(form.all("expression"))
        .zip(form.all("contact"))
        .map(|((name, expression), contact)| AccessRule {
            name: text(name),
            expression: text(expression),
            contact: text(contact),
        })
        .filter(|rule| *rule != AccessRule::default())
        .collect()
}

/// Saves the rules, or tries them.
pub async fn submit(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "access").await?;
    let (rules, acr) = (typed(&form), form.text("requires_acr").to_owned());
    let mut draft = view.client.clone();
    draft.settings.access.clone_from(&rules);
    draft.settings.requires_acr = acr.split_ascii_whitespace().map(str::to_owned).collect();
    let tries = form.text("do") == "try";
    let mut page = shown(Frame::new(&admin, "clients", ""), view, Some((rules, acr)));
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    if tries {
        let pool = page.view.pool.settings.0.clone();
        if let Err(error) = crate::rules::access::check_settings(&draft.settings, &pool) {
            page.mistakes = Mistakes::of(error, "access")?;
            return Ok(page::refused(&page));
        }
        let (sealer, now) = (broker.sealer.clone(), ctx.now);
        let people = broker
            .db
            .read(move |conn| -> Result<_, StoreError> { access::try_on(conn, &sealer, now, &draft, TRIED) })
            .await?;
        page.trial = Some(Trial {
            enter: people.iter().filter(|tried| tried.outcome.is_ok()).count(),
            people,
        });
        return Ok(page::show(&page));
    }
    let outcome = broker
        .db
        .write(move |conn| -> Result<_, Error> {
            clients::find_within(conn, &reach, &id)?;
            let mut settings = clients::lock(conn, &id)?.settings.0;
            settings.access.clone_from(&draft.settings.access);
            settings.requires_acr.clone_from(&draft.settings.requires_acr);
            let change = ClientChange {
                settings: Some(settings),
                ..ClientChange::default()
            };
            clients::update(conn, &ctx, &id, change)
        })
        .await;
    match outcome {
        Ok(client) => {
            broker.forget();
            Ok(page::done(&format!("{}/access", path(&client.id)), "saved"))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "access")?;
            Ok(page::refused(&page))
        }
    }
}
