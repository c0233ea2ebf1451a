//! Management credentials: the access keys that SDKs, Terraform and scripts sign their calls with. Operators have all of
//! them, administrators of a pool those of their pool. A secret stands in the answer that made it and never again.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use zeroize::Zeroizing;

use super::Problem;
use super::door::{Admin, Form};
use super::filled::Mistakes;
use super::page::{self, Frame};
use super::places::{self, EVERYTHING};
use super::roles::Choice;
use super::time::Moment;
use crate::actions::credentials::{self, NewCredential};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::credential::{self, Credential, Role};
use crate::model::pool;
use crate::web::resource;

const PATH: &str = "/console/credentials";
const ROOM: &str = "credentials";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource(PATH).document(list).post(create))
        .service(resource("/console/credentials/new").document(new))
        .service(resource("/console/credentials/{id}").document(show))
        .service(resource("/console/credentials/{id}/rotate").post(rotate))
        .service(resource("/console/credentials/{id}/enabled").post(set_enabled))
        .service(
            resource("/console/credentials/{id}/delete")
                .document(ask_delete)
                .post(delete),
        );
}

#[derive(Template)]
#[template(path = "console/credentials/list.html")]
struct List {
    frame: Frame,
    credentials: Vec<Credential>,
}

#[derive(Template)]
#[template(path = "console/credentials/new.html")]
struct New {
    frame: Frame,
    roles: Vec<Choice>,
    pools: Vec<Choice>,
    description: String,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "console/credentials/show.html")]
struct Show {
    frame: Frame,
    credential: Credential,
    may_change: bool,
    /// Right after it was made: never again.
    secret: Option<Zeroizing<String>>,
}

#[derive(Template)]
#[template(path = "console/credentials/delete.html")]
struct Delete {
    frame: Frame,
    credential: Credential,
    mistakes: Mistakes,
}

/// They reach pools as a whole: a tenant's administrators have nothing to do with them.
fn may_enter(frame: &Frame) -> Result<(), Problem> {
    if frame.has_pools {
        Ok(())
    } else {
        Err(Problem::NotFound)
    }
}

async fn list(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, ROOM, request.query_string());
    may_enter(&frame)?;
    let sees = admin.sees().clone();
    let credentials = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(credential::list_within(conn, &sees)?))
        .await?;
    Ok(page::show(&List { frame, credentials }))
}

async fn new(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let page = form(&admin, &broker, request.query_string(), "", "").await?;
    Ok(page::show(&page))
}

/// The empty form, or the one that was sent.
async fn form(admin: &Admin, broker: &Broker, query: &str, role: &str, pool: &str) -> Result<New, Problem> {
    let pools = places::choices(admin, broker, "Every pool", pool, "/console/credentials/new").await?;
    let roles = [
        (Role::ReadOnly, "Looks and changes nothing"),
        (Role::Admin, "Changes everything in its reach"),
    ];
    Ok(New {
        frame: Frame::new(admin, ROOM, query),
        roles: roles
            .into_iter()
            .map(|(known, label)| Choice::new(known.as_str(), label, role))
            .collect(),
        pools,
        description: String::new(),
        mistakes: Mistakes::default(),
    })
}

async fn create(admin: Admin, broker: Data<Broker>, sent: Form) -> Result<HttpResponse, Problem> {
    let (role, place) = (sent.text("role").to_owned(), sent.text("pool").to_owned());
    let mut again = form(&admin, &broker, "", &role, &place).await?;
    again.description = sent.text("description").to_owned();
    let (ctx, changes, description) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        again.description.clone(),
    );
    let made = broker
        .db
        .write(move |conn| {
            let role = role
                .parse::<Role>()
                .map_err(|_| Error::invalid("role", "choose what it may do"))?;
            let user_pool_id = match place.as_str() {
                EVERYTHING if changes.everything => None,
                id if !id.contains('\0') && pool::find_within(conn, &changes, id)?.is_some() => {
                    Some(id.to_owned())
                }
                _ => return Err(Error::invalid("pool", "choose what it reaches")),
            };
            let new = NewCredential {
                id: None,
                secret: None,
                role,
                user_pool_id,
                description,
            };
            credentials::create(conn, &ctx, new)
        })
        .await;
    match made {
        Ok((credential, secret)) => Ok(page::show(&Show {
            frame: Frame::new(&admin, ROOM, ""),
            credential,
            may_change: true,
            secret: Some(secret),
        })),
        Err(error) => {
            again.mistakes = Mistakes::of(error, "description")?;
            Ok(page::refused(&again))
        }
    }
}

async fn show(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (sees, changes, id) = (admin.sees().clone(), admin.changes().clone(), id.into_inner());
    let (credential, may_change) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let found = credentials::find_within(conn, &sees, &id)?;
            let may_change = credential::find_within(conn, &changes, &id)?.is_some();
            Ok((found, may_change))
        })
        .await?;
    Ok(page::show(&Show {
        frame: Frame::new(&admin, ROOM, request.query_string()),
        credential,
        may_change,
        secret: None,
    }))
}

async fn rotate(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let credential = changeable(&broker, &admin, id.into_inner()).await?;
    admin.require_fresh(broker.clock.now(), &page_of(&credential.id))?;
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), credential.id.clone());
    let secret = broker
        .db
        .write(move |conn| {
            credentials::find_within(conn, &changes, &id)?;
            credentials::rotate(conn, &ctx, &id)
        })
        .await?;
    Ok(page::show(&Show {
        frame: Frame::new(&admin, ROOM, ""),
        credential,
        may_change: true,
        secret: Some(secret),
    }))
}

async fn set_enabled(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let (path, enabled) = (page_of(&id), form.text("enabled") == "true");
    broker
        .db
        .write(move |conn| {
            credentials::find_within(conn, &changes, &id)?;
            credentials::set_enabled(conn, &ctx, &id, enabled)
        })
        .await?;
    Ok(page::done(&path, if enabled { "enabled" } else { "disabled" }))
}

async fn ask_delete(admin: Admin, broker: Data<Broker>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, id.into_inner()).await?;
    Ok(page::show(&page))
}

async fn delete(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, id.into_inner()).await?;
    let id = page.credential.id.clone();
    if form.text("confirm") != id {
        let why = "type the access key id as it stands above";
        page.mistakes = Mistakes::one("confirm", why);
        return Ok(page::refused(&page));
    }
    let (ctx, changes) = (admin.ctx(&broker), admin.changes().clone());
    broker
        .db
        .write(move |conn| {
            credentials::find_within(conn, &changes, &id)?;
            credentials::delete(conn, &ctx, &id)
        })
        .await?;
    Ok(page::done(PATH, "deleted"))
}

async fn prepare(admin: &Admin, broker: &Broker, id: String) -> Result<Delete, Problem> {
    let credential = changeable(broker, admin, id).await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/delete", page_of(&credential.id)))?;
    Ok(Delete {
        frame: Frame::new(admin, ROOM, ""),
        credential,
        mistakes: Mistakes::default(),
    })
}

async fn changeable(broker: &Broker, admin: &Admin, id: String) -> Result<Credential, Problem> {
    let changes = admin.changes().clone();
    let found = broker
        .db
        .read(move |conn| credentials::find_within(conn, &changes, &id))
        .await?;
    Ok(found)
}

fn page_of(id: &str) -> String {
    format!("{PATH}/{id}")
}
