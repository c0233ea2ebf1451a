//! Inviting administrators, giving them roles, giving them a new link, deleting them. All of it wants a proof from just
//! now: an invitation is a secret, and a role opens doors.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::problem::Problem;
use super::super::roles::{self, Names, RoleFields};
use super::super::time::Moment;
use super::PATH;
use crate::actions::admins::{self, NewAdministrator, Scope, links};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::administrator::{self, Administrator, Role};

#[derive(Template)]
#[template(path = "console/administrator_invite.html")]
struct InvitePage {
    frame: Frame,
    email: String,
    name: String,
    fields: RoleFields,
    refused: Mistakes,
}

/// The link of an invitation or for a new password: shown once.
#[derive(Template)]
#[template(path = "console/administrator_link.html")]
struct LinkPage {
    frame: Frame,
    id: String,
    email: String,
    link: String,
    invited: bool,
    until: Moment,
}

impl LinkPage {
    fn new(admin: &Admin, broker: &Broker, who: Administrator, token: &str) -> LinkPage {
        let invited = who.password_hash.is_none();
        let seconds = if invited {
            links::INVITATION_SECONDS
        } else {
            links::LINK_SECONDS
        };
        LinkPage {
            frame: Frame::new(admin, "administrators", ""),
            id: who.id,
            email: who.email,
            link: format!("{}/console/password/{token}", broker.public_url),
            invited,
            until: Moment(broker.clock.now().plus(seconds)),
        }
    }
}

/// Only those who may change something have anything to give.
fn require_something(admin: &Admin) -> Result<(), Problem> {
    if admin.changes().is_nothing() {
        Err(Problem::NotFound)
    } else {
        Ok(())
    }
}

async fn fields(admin: &Admin, broker: &Broker, role: &str, scope: &str) -> Result<RoleFields, StoreError> {
    let (rights, role, scope) = (admin.rights.clone(), role.to_owned(), scope.to_owned());
    broker
        .db
        .read(move |conn| Ok::<_, StoreError>(RoleFields::of(conn, &rights, &role, &scope)?))
        .await
}

pub async fn invite_get(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    require_something(&admin)?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&InvitePage {
        frame: Frame::new(&admin, "administrators", request.query_string()),
        email: String::new(),
        name: String::new(),
        fields: fields(&admin, &broker, "", "").await?,
        refused: Mistakes::default(),
    }))
}

pub async fn invite_post(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    require_something(&admin)?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    let (email, name) = (form.text("email").to_owned(), form.text("name").to_owned());
    let (role, scope) = (form.text("role").to_owned(), form.text("scope").to_owned());
    let invited = match roles::parse(&role, &scope) {
        Err(error) => Err(error),
        Ok(given) => {
            let new = NewAdministrator {
                // Until they choose a name themselves.
                name: if name.is_empty() {
                    email.clone()
                } else {
                    name.clone()
                },
                email: email.clone(),
                password_hash: None,
                roles: vec![given],
            };
            let (ctx, rights) = (admin.ctx(&broker), admin.rights.clone());
            broker
                .db
                .write(move |conn| admins::invite(conn, &ctx, &rights, new))
                .await
        }
    };
    match invited {
        Ok((made, token)) => Ok(page::show(&LinkPage::new(&admin, &broker, made, &token))),
        Err(error) => Ok(page::refused(&InvitePage {
            frame: Frame::new(&admin, "administrators", ""),
            email,
            name,
            fields: fields(&admin, &broker, &role, &scope).await?,
            refused: Mistakes::of(error, "email")?,
        })),
    }
}

/// A new link for somebody who has lost the first one, or the password.
pub async fn link(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), &format!("{PATH}/{id}"))?;
    let (ctx, rights, id) = (admin.ctx(&broker), admin.rights.clone(), id.into_inner());
    let (who, token) = broker
        .db
        .write(move |conn| links::password_link(conn, &ctx, &rights, &id))
        .await?;
    Ok(page::show(&LinkPage::new(&admin, &broker, who, &token)))
}

#[derive(Template)]
#[template(path = "console/administrator_roles.html")]
struct RolesPage {
    frame: Frame,
    id: String,
    email: String,
    held: Vec<Held>,
    fields: RoleFields,
    refused: Mistakes,
}

/// A role that the administrator has, and whether the form keeps it.
struct Held {
    value: String,
    label: String,
    kept: bool,
}

/// The administrator, within what may be changed, with roles in words.
async fn held(
    admin: &Admin,
    broker: &Broker,
    id: &str,
    kept: Option<Vec<String>>,
) -> Result<(Administrator, Vec<Held>), Error> {
    let (rights, id) = (admin.rights.clone(), id.to_owned());
    broker
        .db
        .read(move |conn| {
            let who = admins::managed(conn, &rights, &id)?;
            let mut names = Names::default();
            let mut held = Vec::new();
            for grant in administrator::grants(conn, &id)? {
                let value = format!("{}|{}", grant.role, roles::scope_value(&Scope::of(&grant)));
                held.push(Held {
                    label: names.of_grant(conn, &grant)?,
                    kept: kept.as_ref().is_none_or(|kept| kept.contains(&value)),
                    value,
                });
            }
            Ok((who, held))
        })
        .await
}

pub async fn roles_get(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (who, held) = held(&admin, &broker, &id, None).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&RolesPage {
        frame: Frame::new(&admin, "administrators", request.query_string()),
        id: who.id,
        email: who.email,
        held,
        fields: fields(&admin, &broker, "", "").await?,
        refused: Mistakes::default(),
    }))
}

pub async fn roles_post(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), request.path())?;
    let kept: Vec<String> = form.all("keep").map(str::to_owned).collect();
    let (role, scope) = (form.text("role").to_owned(), form.text("scope").to_owned());
    let saved = match chosen(&kept, &role, &scope) {
        Err(error) => Err(error),
        Ok(chosen) => {
            let (ctx, rights, id) = (admin.ctx(&broker), admin.rights.clone(), id.clone());
            broker
                .db
                .write(move |conn| admins::set_roles(conn, &ctx, &rights, &id, &chosen))
                .await
        }
    };
    match saved {
        Ok(_) => Ok(page::done(&format!("{PATH}/{id}"), "saved")),
        Err(error) => {
            let refused = Mistakes::of(error, "")?;
            let (who, held) = held(&admin, &broker, &id, Some(kept)).await?;
            Ok(page::refused(&RolesPage {
                frame: Frame::new(&admin, "administrators", ""),
                id: who.id,
                email: who.email,
                held,
                fields: fields(&admin, &broker, &role, &scope).await?,
                refused,
            }))
        }
    }
}

/// The roles of a form: those that are kept, and the one that is added, if one is.
fn chosen(kept: &[String], role: &str, scope: &str) -> Result<Vec<(Role, Scope)>, Error> {
    let mut chosen = Vec::new();
    for value in kept {
        let (role, scope) = value.split_once('|').unwrap_or((value, ""));
        chosen.push(roles::parse(role, scope)?);
    }
    if !role.is_empty() || !scope.is_empty() {
        chosen.push(roles::parse(role, scope)?);
    }
    Ok(chosen)
}

#[derive(Template)]
#[template(path = "console/administrator_delete.html")]
struct DeletePage {
    frame: Frame,
    id: String,
    email: String,
    roles: Vec<String>,
    refused: Mistakes,
}

async fn delete_page(
    admin: &Admin,
    broker: &Broker,
    id: &str,
    refused: Mistakes,
) -> Result<DeletePage, Problem> {
    let (who, held) = held(admin, broker, id, None).await?;
    Ok(DeletePage {
        frame: Frame::new(admin, "administrators", ""),
        id: who.id,
        email: who.email,
        roles: held.into_iter().map(|held| held.label).collect(),
        refused,
    })
}

pub async fn delete_get(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let page = delete_page(&admin, &broker, &id, Mistakes::default()).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&page))
}

pub async fn delete_post(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let page = delete_page(&admin, &broker, &id, Mistakes::default()).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    if form.text("typed").to_lowercase() != page.email.to_lowercase() {
        let refused = Mistakes::one("typed", "This is not the account's address.");
        return Ok(page::refused(&DeletePage { refused, ..page }));
    }
    let (ctx, rights, wanted) = (admin.ctx(&broker), admin.rights.clone(), id.clone());
    let deleted = broker
        .db
        .write(move |conn| admins::delete(conn, &ctx, &rights, &wanted))
        .await;
    match deleted {
        Ok(()) => Ok(page::done(PATH, "deleted")),
        Err(error) => {
            let refused = Mistakes::of(error, "")?;
            Ok(page::refused(&DeletePage { refused, ..page }))
        }
    }
}
