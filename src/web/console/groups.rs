//! The groups of a pool, for whoever has the pool as a whole. A group's name may hold anything visible, `/` and `..` too:
//! it travels as a parameter, never as part of a path.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::door::{Admin, Form};
use super::page::{self, Frame};
use super::problem::Problem;
use super::time::Moment;
use crate::actions::groups::{self, Description};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::group::{self, Group};
use crate::model::pool::{self, Pool};
use crate::model::reach::Reach;
use crate::rules::params::{self, Params};
use crate::web::resource;

/// Groups, or members, on one page.
const SHOWN: usize = 50;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/pools/{pool}/groups").document(list))
        .service(
            resource("/console/pools/{pool}/groups/new")
                .document(new)
                .post(create),
        )
        .service(resource("/console/pools/{pool}/group").document(show))
        .service(
            resource("/console/pools/{pool}/group/edit")
                .document(edit)
                .post(update),
        )
        .service(
            resource("/console/pools/{pool}/group/delete")
                .document(confirm)
                .post(delete),
        );
}

#[derive(Template)]
#[template(path = "console/groups.html")]
struct List {
    frame: Frame,
    pool: Pool,
    contains: String,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
    may_change: bool,
}

struct Row {
    name: String,
    description: String,
    precedence: Option<i64>,
    members: i64,
}

#[derive(Template)]
#[template(path = "console/group.html")]
struct Show {
    frame: Frame,
    pool: Pool,
    group: Group,
    created: Moment,
    size: i64,
    members: Vec<Member>,
    first: Option<String>,
    next: Option<String>,
    may_change: bool,
}

struct Member {
    sub: String,
    label: String,
    username: String,
    enabled: bool,
}

/// The form of a new group and of a known one.
#[derive(Template)]
#[template(path = "console/group_edit.html")]
struct Edit {
    frame: Frame,
    pool: Pool,
    is_new: bool,
    name: String,
    description: String,
    precedence: String,
    /// The field that is wrong, and why.
    error: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/group_delete.html")]
struct Delete {
    frame: Frame,
    pool: Pool,
    name: String,
    size: i64,
    error: Option<&'static str>,
}

impl Edit {
    fn error_at(&self, field: &str) -> Option<&str> {
        self.error
            .as_ref()
            .filter(|(name, _)| name == field)
            .map(|(_, why)| why.as_str())
    }
}

async fn list(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let asked = Params::parse(request.query_string().as_bytes()).unwrap_or_default();
    let frame = Frame::new(&admin, "pools", request.query_string());
    let page = broker
        .db
        .read(move |conn| {
            let pool = find_pool(conn, admin.sees(), &pool)?;
            list_page(conn, frame, pool, &asked, admin.changes())
        })
        .await?;
    Ok(page::show(&page))
}

fn list_page(
    conn: &mut Conn,
    frame: Frame,
    pool: Pool,
    asked: &Params,
    changes: &Reach,
) -> Result<List, Problem> {
    let contains = asked.get("q").unwrap_or_default().trim().to_owned();
    let after = asked.get("after");
    let mut found = group::page(conn, &pool.id, &contains, after, one_more()).map_err(StoreError::from)?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let names = found.iter().map(|group| group.name.clone()).collect();
    let sizes = group::sizes(conn, &pool.id, names).map_err(StoreError::from)?;
    let path = format!("{}s", path_of(&pool));
    let page = |after: Option<&str>| {
        let fields = [("q", contains.as_str()), ("after", after.unwrap_or_default())];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        format!("{path}?{}", params::encode(fields))
    };
    Ok(List {
        frame,
        first: after.map(|_| page(None)),
        next: found.last().filter(|_| more).map(|last| page(Some(&last.name))),
        rows: found
            .iter()
            .map(|group| Row {
                name: group.name.clone(),
                description: group.description.clone().unwrap_or_default(),
                precedence: group.precedence,
                members: sizes
                    .iter()
                    .find(|(name, _)| *name == group.name)
                    .map_or(0, |(_, size)| *size),
            })
            .collect(),
        may_change: changes.has_pool(&pool.id),
        contains,
        pool,
    })
}

async fn show(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let asked = Params::parse(request.query_string().as_bytes()).unwrap_or_default();
    let frame = Frame::new(&admin, "pools", request.query_string());
    let page = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let pool = find_pool(conn, admin.sees(), &pool)?;
            let group = groups::find(conn, &pool.id, asked.get("name").unwrap_or_default())?;
            let after = asked.get("after");
            let mut members =
                group::members(conn, &pool.id, &group.name, after.unwrap_or_default(), one_more())
                    .map_err(StoreError::from)?;
            let more = members.len() > SHOWN;
            members.truncate(SHOWN);
            let page = |after: Option<&str>| {
                let place = after.map(|after| ("after", after));
                let fields = [("name", group.name.as_str())].into_iter().chain(place);
                format!("{}?{}", path_of(&pool), params::encode(fields))
            };
            Ok(Show {
                frame,
                size: size(conn, &pool, &group.name)?,
                created: Moment(group.created_at),
                first: after.map(|_| page(None)),
                next: members.last().filter(|_| more).map(|last| page(Some(&last.sub))),
                members: members
                    .iter()
                    .map(|user| Member {
                        sub: user.sub.clone(),
                        label: user.label(),
                        username: user.username.clone(),
                        enabled: user.enabled,
                    })
                    .collect(),
                may_change: admin.changes().has_pool(&pool.id),
                pool,
                group,
            })
        })
        .await?;
    Ok(page::show(&page))
}

async fn new(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "pools", request.query_string()),
        pool,
        is_new: true,
        name: String::new(),
        description: String::new(),
        precedence: String::new(),
        error: None,
    }))
}

async fn create(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    let name = form.text("name").to_owned();
    let outcome = match described(&form) {
        Err(error) => Err(error),
        Ok(about) => {
            let (ctx, pool_id, name) = (admin.ctx(&broker), pool.id.clone(), name.clone());
            broker
                .db
                .write(move |conn| groups::create(conn, &ctx, &pool_id, &name, about))
                .await
        }
    };
    let path = href(&pool, "", &name);
    answer(
        &admin,
        &request,
        pool,
        &form,
        name,
        true,
        outcome,
        ("created", path),
    )
}

async fn edit(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    let (pool_id, name) = (pool.id.clone(), named(&request));
    let group = broker
        .db
        .read(move |conn| groups::find(conn, &pool_id, &name))
        .await?;
    Ok(page::show(&Edit {
        frame: Frame::new(&admin, "pools", request.query_string()),
        pool,
        is_new: false,
        description: group.description.unwrap_or_default(),
        precedence: group
            .precedence
            .map(|number| number.to_string())
            .unwrap_or_default(),
        name: group.name,
        error: None,
    }))
}

async fn update(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    let name = named(&request);
    let outcome = match described(&form) {
        Err(error) => Err(error),
        Ok(about) => {
            let (ctx, pool_id, name) = (admin.ctx(&broker), pool.id.clone(), name.clone());
            broker
                .db
                .write(move |conn| {
                    groups::update(conn, &ctx, &pool_id, &name, |group| {
                        group.description = about.description;
                        group.precedence = about.precedence;
                    })
                })
                .await
        }
    };
    let path = href(&pool, "", &name);
    answer(
        &admin,
        &request,
        pool,
        &form,
        name,
        false,
        outcome,
        ("saved", path),
    )
}

/// On to the group, or the form again with what is wrong at its field.
#[allow(clippy::too_many_arguments, reason = "all of it is one form")]
fn answer(
    admin: &Admin,
    request: &HttpRequest,
    pool: Pool,
    form: &Form,
    name: String,
    is_new: bool,
    outcome: Result<Group, Error>,
    done: (&str, String),
) -> Result<HttpResponse, Problem> {
    let error = match outcome {
        Ok(_) => return Ok(page::done(&done.1, done.0)),
        Err(Error::Invalid { field, why }) => (field, why),
        Err(Error::Exists(_)) => ("name".into(), "the pool has a group of this name".into()),
        Err(other) => return Err(other.into()),
    };
    Ok(page::refused(&Edit {
        frame: Frame::new(admin, "pools", request.query_string()),
        pool,
        is_new,
        name,
        description: form.text("description").to_owned(),
        precedence: form.text("precedence").to_owned(),
        error: Some(error),
    }))
}

async fn confirm(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    let name = named(&request);
    admin.require_fresh(broker.clock.now(), &href(&pool, "/delete", &name))?;
    let page = deletion(&broker, &admin, &request, pool, name, None).await?;
    Ok(page::show(&page))
}

async fn delete(
    admin: Admin,
    broker: Data<Broker>,
    pool: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let pool = changeable(&broker, &admin, &pool).await?;
    let name = named(&request);
    admin.require_fresh(broker.clock.now(), &href(&pool, "/delete", &name))?;
    if form.text("typed") != name {
        let error = Some("This is not the group's name.");
        let page = deletion(&broker, &admin, &request, pool, name, error).await?;
        return Ok(page::refused(&page));
    }
    let (ctx, pool_id) = (admin.ctx(&broker), pool.id.clone());
    broker
        .db
        .write(move |conn| groups::delete(conn, &ctx, &pool_id, &name))
        .await?;
    Ok(page::done(&format!("{}s", path_of(&pool)), "deleted"))
}

async fn deletion(
    broker: &Broker,
    admin: &Admin,
    request: &HttpRequest,
    pool: Pool,
    name: String,
    error: Option<&'static str>,
) -> Result<Delete, Problem> {
    let frame = Frame::new(admin, "pools", request.query_string());
    broker
        .db
        .read(move |conn| {
            groups::find(conn, &pool.id, &name)?;
            Ok(Delete {
                frame,
                size: size(conn, &pool, &name)?,
                pool,
                name,
                error,
            })
        })
        .await
}

fn described(form: &Form) -> Result<Description, Error> {
    let precedence = match form.text("precedence") {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| Error::invalid("precedence", "a whole number from 0 on; 0 is strongest"))?,
        ),
    };
    Ok(Description {
        description: Some(form.text("description").to_owned()).filter(|text| !text.is_empty()),
        precedence,
        role_arn: None,
    })
}

fn named(request: &HttpRequest) -> String {
    Params::parse(request.query_string().as_bytes())
        .ok()
        .and_then(|asked| asked.get("name").map(str::to_owned))
        .unwrap_or_default()
}

fn path_of(pool: &Pool) -> String {
    format!("/console/pools/{}/group", pool.id)
}

fn href(pool: &Pool, what: &str, name: &str) -> String {
    format!("{}{what}?{}", path_of(pool), params::encode([("name", name)]))
}

fn size(conn: &mut Conn, pool: &Pool, name: &str) -> Result<i64, Problem> {
    let sizes = group::sizes(conn, &pool.id, vec![name.to_owned()]).map_err(StoreError::from)?;
    Ok(sizes.first().map_or(0, |(_, size)| *size))
}

fn one_more() -> i64 {
    i64::try_from(SHOWN).map_or(i64::MAX, |shown| shown + 1)
}

fn find_pool(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Pool, Problem> {
    pool::find_within(conn, reach, id)
        .map_err(StoreError::from)?
        .ok_or(Problem::NotFound)
}

async fn changeable(broker: &Broker, admin: &Admin, id: &str) -> Result<Pool, Problem> {
    let (reach, id) = (admin.changes().clone(), id.to_owned());
    broker.db.read(move |conn| find_pool(conn, &reach, &id)).await
}
