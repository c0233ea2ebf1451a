//! What administrators do to a user: keep out, let in, sign out everywhere, change attributes and groups, delete. What
//! cannot be undone is asked about on a page of its own first.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde_json::Value;

use crate::actions::{Ctx, users};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::pool::{self, Attribute, AttributeType, STANDARD, Settings};
use crate::model::reach::Reach;
use crate::model::user::User;
use crate::model::user::search;
use crate::rules::attribute;
use crate::web::console::Problem;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};

/// Asks before something is done.
#[derive(Template)]
#[template(path = "console/user_confirm.html")]
struct Confirm {
    frame: Frame,
    sub: String,
    label: String,
    title: &'static str,
    /// What goes with it.
    consequences: Vec<&'static str>,
    action: String,
    button: &'static str,
    /// Must be typed.
    name: Option<String>,
    error: Option<&'static str>,
}

/// The attributes of a user as a form.
#[derive(Template)]
#[template(path = "console/user_edit.html")]
struct Edit {
    frame: Frame,
    sub: String,
    label: String,
    fields: Vec<Field>,
    error: Option<String>,
}

struct Field {
    name: String,
    value: String,
    kind: AttributeType,
    /// Set once and for all.
    fixed: bool,
    required: bool,
    error: Option<String>,
}

/// Does one thing to an account, then back to it.
async fn change<T: Send + 'static>(
    admin: &Admin,
    broker: &Broker,
    sub: String,
    action: fn(&mut Conn, &Ctx, &Reach, &str) -> Result<T, Error>,
    said: &str,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, path) = (admin.ctx(broker), admin.changes().clone(), path_of(&sub));
    broker
        .db
        .write(move |conn| action(conn, &ctx, &reach, &sub))
        .await?;
    Ok(page::done(&path, said))
}

pub async fn confirm_disable(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = find(&broker, admin.changes(), &sub, search::find_own).await?;
    Ok(page::show(&Confirm {
        title: "Disable the account",
        consequences: vec![
            "Every session and every app's grant of this person ends now: refreshing and userInfo are refused at once.",
            "Signing in is refused until the account is enabled again.",
            "Access tokens that an app checks by itself stay good until they expire.",
        ],
        button: "Disable",
        ..confirm(&admin, &request, &user, "disable")
    }))
}

pub async fn disable(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    change(&admin, &broker, sub.into_inner(), users::disable, "disabled").await
}

pub async fn enable(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    change(&admin, &broker, sub.into_inner(), users::enable, "enabled").await
}

pub async fn confirm_sign_out(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = find(&broker, admin.changes(), &sub, search::find_own).await?;
    Ok(page::show(&Confirm {
        title: "Sign out everywhere",
        consequences: vec![
            "Every session and every app's grant of this person ends now: refreshing and userInfo are refused at once.",
            "They may sign in again, and their organisation may do that without asking for a password.",
            "Access tokens that an app checks by itself stay good until they expire.",
        ],
        button: "Sign out everywhere",
        ..confirm(&admin, &request, &user, "sign-out")
    }))
}

pub async fn sign_out(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    change(
        &admin,
        &broker,
        sub.into_inner(),
        users::sign_out_everywhere,
        "signed-out",
    )
    .await
}

pub async fn confirm_delete(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), request.path())?;
    let user = find(&broker, admin.changes(), &sub, search::find_in_pool).await?;
    Ok(page::show(&deletion(&admin, &request, &user, None)))
}

pub async fn delete(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), request.path())?;
    let user = find(&broker, admin.changes(), &sub, search::find_in_pool).await?;
    if form.text("name") != user.username {
        let error = "This is not the account's username.";
        return Ok(page::refused(&deletion(&admin, &request, &user, Some(error))));
    }
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), user.sub);
    broker
        .db
        .write(move |conn| users::delete(conn, &ctx, &reach, &wanted))
        .await?;
    Ok(page::done(
        &format!("/console/users?pool={}", user.user_pool_id),
        "deleted",
    ))
}

fn deletion(admin: &Admin, request: &HttpRequest, user: &User, error: Option<&'static str>) -> Confirm {
    Confirm {
        title: "Delete the account",
        consequences: vec![
            "Its attributes, groups, linked upstream accounts, sessions and grants are gone for good.",
            "When this person signs in again, a new account with another sub is made: apps will take them for somebody else.",
            "To keep somebody out, disable the account instead.",
        ],
        button: "Delete for good",
        name: Some(user.username.clone()),
        error,
        ..confirm(admin, request, user, "delete")
    }
}

fn confirm(admin: &Admin, request: &HttpRequest, user: &User, what: &str) -> Confirm {
    Confirm {
        frame: Frame::new(admin, "users", request.query_string()),
        sub: user.sub.clone(),
        label: user.label(),
        title: "",
        consequences: Vec::new(),
        action: format!("{}/{what}", path_of(&user.sub)),
        button: "",
        name: None,
        error: None,
    }
}

pub async fn edit(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = find(&broker, admin.changes(), &sub, search::find_in_pool).await?;
    let settings = settings_of(&broker, &user).await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "users", request.query_string()),
        sub: user.sub.clone(),
        label: user.label(),
        fields: fields(&settings, &user, &BTreeMap::new()),
        error: None,
    }))
}

pub async fn save(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let user = find(&broker, admin.changes(), &sub, search::find_in_pool).await?;
    let settings = settings_of(&broker, &user).await?;
    let typed: BTreeMap<String, String> = schema(&settings)
        .into_iter()
        .filter(|attribute| form.0.all(&attribute.name).next().is_some())
        .map(|attribute| {
            let text = form.text(&attribute.name).to_owned();
            (attribute.name, text)
        })
        .collect();
    // Only what was changed on the page: the rest may have been changed by a sign-in meanwhile.
    let changes: BTreeMap<String, Value> = typed
        .iter()
        .filter(|(name, text)| **text != shown(&user, name))
        .map(|(name, text)| {
            let value = if text.is_empty() {
                Value::Null
            } else {
                Value::String(text.clone())
            };
            (name.clone(), value)
        })
        .collect();
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), user.sub.clone());
    let outcome = broker
        .db
        .write(move |conn| users::set_attributes(conn, &ctx, &reach, &wanted, &changes))
        .await;
    match outcome {
        Ok(user) => Ok(page::done(&path_of(&user.sub), "saved")),
        Err(Error::Invalid { field, why }) => {
            let mut fields = fields(&settings, &user, &typed);
            let mut error = Some(format!("{field}: {why}"));
            for shown in &mut fields {
                if shown.name == field {
                    shown.error = Some(why.clone());
                    error = None;
                }
            }
            Ok(page::refused(&Edit {
                frame: Frame::new(&admin, "users", request.query_string()),
                label: user.label(),
                sub: user.sub,
                fields,
                error,
            }))
        }
        Err(other) => Err(other.into()),
    }
}

pub async fn join(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), sub.into_inner());
    let (path, name) = (path_of(&wanted), form.text("group").to_owned());
    let outcome = broker
        .db
        .write(move |conn| users::add_to_group(conn, &ctx, &reach, &wanted, &name))
        .await;
    match outcome {
        Err(Error::NotFound(subject)) if subject.kind == "group" => Err(Problem::Refused(Error::invalid(
            "group",
            format!("the pool has no group '{}': make it first", subject.name),
        ))),
        outcome => {
            outcome?;
            Ok(page::done(&path, "saved"))
        }
    }
}

pub async fn leave(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), sub.into_inner());
    let (path, name) = (path_of(&wanted), form.text("group").to_owned());
    broker
        .db
        .write(move |conn| users::remove_from_group(conn, &ctx, &reach, &wanted, &name))
        .await?;
    Ok(page::done(&path, "saved"))
}

type Find = fn(&mut Conn, &Reach, &str) -> diesel::QueryResult<Option<User>>;

async fn find(broker: &Broker, reach: &Reach, sub: &str, by: Find) -> Result<User, Problem> {
    let (reach, sub) = (reach.clone(), sub.to_owned());
    broker
        .db
        .read(move |conn| Ok::<_, StoreError>(by(conn, &reach, &sub)?))
        .await?
        .ok_or(Problem::NotFound)
}

async fn settings_of(broker: &Broker, user: &User) -> Result<Settings, Problem> {
    let id = user.user_pool_id.clone();
    broker
        .db
        .read(move |conn| Ok::<_, StoreError>(pool::find(conn, &id)?))
        .await?
        .map(|pool| pool.settings.0)
        .ok_or(Problem::NotFound)
}

fn path_of(sub: &str) -> String {
    format!("/console/users/{sub}")
}

/// Standard and own attributes, in the order of the form.
fn schema(settings: &Settings) -> Vec<Attribute> {
    let own = settings
        .attributes
        .iter()
        .filter(|attribute| attribute.name.starts_with(attribute::CUSTOM));
    STANDARD
        .iter()
        .filter_map(|(name, _)| settings.attribute(name))
        .chain(own.cloned())
        .collect()
}

fn shown(user: &User, name: &str) -> String {
    user.attributes
        .get(name)
        .map(attribute::outside)
        .unwrap_or_default()
}

/// What is stored, or what was typed instead.
fn fields(settings: &Settings, user: &User, typed: &BTreeMap<String, String>) -> Vec<Field> {
    schema(settings)
        .into_iter()
        .map(|attribute| Field {
            value: typed
                .get(&attribute.name)
                .cloned()
                .unwrap_or_else(|| shown(user, &attribute.name)),
            kind: attribute.kind,
            fixed: !attribute.mutable && user.attributes.contains_key(&attribute.name),
            required: attribute.required,
            error: None,
            name: attribute.name,
        })
        .collect()
}
