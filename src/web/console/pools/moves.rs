//! Moving a tenant's people from one connection to another: the dry run, the move with how far it has come, the end of the
//! old way, and undoing it. And by what people are recognised at their first sign-in.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use crate::actions::identity_moves::{self, LISTED, NewMove};
use crate::actions::tenants;
use crate::broker::Broker;
use crate::error::Error;
use crate::model::identity_move::{self, IdentityMove, Pairing, State};
use crate::model::provider::{self, Provider};
use crate::model::tenant::{Linking, Tenant};
use crate::rules::pairing::{self, Plan};
use crate::web::resource;

/// People of a list that are shown; the numbers are of all.
const SHOWN: usize = 50;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/pools/{pool}/tenants/{tenant}/moves")
            .document(list)
            .post(plan),
    )
    .service(resource("/console/pools/{pool}/tenants/{tenant}/linking").post(link))
    .service(resource("/console/pools/{pool}/tenants/{tenant}/moves/start").post(start))
    .service(resource("/console/pools/{pool}/tenants/{tenant}/moves/{move}").document(show))
    .service(resource("/console/pools/{pool}/tenants/{tenant}/moves/{move}/close").post(close))
    .service(resource("/console/pools/{pool}/tenants/{tenant}/moves/{move}/undo").post(undo));
}

#[derive(Template)]
#[template(path = "console/tenants/moves.html")]
struct List {
    frame: Frame,
    tenant: Tenant,
    may_change: bool,
    moves: Vec<(IdentityMove, Moment)>,
    /// From where, and to where.
    sources: Vec<Provider>,
    targets: Vec<Provider>,
    fields: Fields,
    mistakes: Mistakes,
    planned: Option<Planned>,
    /// The attribute by which people are recognised without a move.
    number: String,
}

/// What the form says.
#[derive(Clone, Default)]
struct Fields {
    from: String,
    to: String,
    by: String,
    attribute: String,
    list: String,
}

/// The dry run.
struct Planned {
    paired: usize,
    parts: [Part; 3],
}

/// One of its lists, cut.
struct Part {
    title: &'static str,
    /// What stands beside each person.
    column: &'static str,
    count: usize,
    shown: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/tenants/move.html")]
struct Show {
    frame: Frame,
    tenant: Tenant,
    row: IdentityMove,
    made: Moment,
    closed: Option<Moment>,
    undone: Option<Moment>,
    waiting: i64,
    come: i64,
    total: i64,
    /// Not all who wait are shown.
    cut: bool,
    people: Vec<(String, String)>,
    may_change: bool,
    may_undo: bool,
}

impl Planned {
    fn of(plan: Plan) -> Planned {
        let part = |title, column, list: Vec<(String, String)>| Part {
            title,
            column,
            count: list.len(),
            shown: list.into_iter().take(SHOWN).collect(),
        };
        let pairs: Vec<_> = plan
            .pairs
            .into_iter()
            .map(|pair| (pair.label, pair.value))
            .collect();
        Planned {
            paired: pairs.len(),
            parts: [
                part("One to one", "Recognised by", pairs),
                part("Ambiguous", "Why", plan.ambiguous),
                part("Without a counterpart", "Why", plan.orphans),
            ],
        }
    }
}

impl List {
    /// The tenant's own path.
    fn at(&self) -> String {
        path(&self.tenant)
    }
}

impl Show {
    fn at(&self) -> String {
        path(&self.tenant)
    }
}

impl Fields {
    fn of(form: &Form) -> Fields {
        let field = |name| form.text(name).to_owned();
        Fields {
            from: field("from"),
            to: field("to"),
            by: field("by"),
            attribute: field("attribute"),
            list: field("list"),
        }
    }

    /// The move that the form describes.
    fn new_move(&self, tenant: &Tenant) -> Result<NewMove, Error> {
        let (pairing, lines) = match self.by.as_str() {
            "email" => (Pairing::Attribute { name: "email".into() }, Vec::new()),
            "attribute" if self.attribute.is_empty() => {
                return Err(Error::invalid(
                    "attribute",
                    "Name the attribute that both accounts have.",
                ));
            }
            "attribute" => {
                let name = self.attribute.clone();
                (Pairing::Attribute { name }, Vec::new())
            }
            "list" => {
                let (attribute, lines) =
                    pairing::read_list(&self.list).map_err(|why| Error::invalid("list", why))?;
                (Pairing::List { attribute }, lines)
            }
            _ => return Err(Error::invalid("by", "Choose by what accounts are paired.")),
        };
        Ok(NewMove {
            tenant_id: tenant.id.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            pairing,
            lines,
        })
    }
}

fn path(tenant: &Tenant) -> String {
    format!("/console/pools/{}/tenants/{}", tenant.user_pool_id, tenant.id)
}

fn room(tenant: &Tenant) -> String {
    format!("{}/moves", path(tenant))
}

fn may_change(admin: &Admin, tenant: &Tenant) -> bool {
    admin.changes().has_pool(&tenant.user_pool_id) || admin.changes().tenants.contains(&tenant.id)
}

/// The tenant's page of moves, for whoever sees the tenant.
async fn prepare(
    admin: &Admin,
    broker: &Broker,
    (pool_id, id): (&str, &str),
    query: &str,
) -> Result<List, Problem> {
    let (reach, pool_id, id) = (admin.sees().clone(), pool_id.to_owned(), id.to_owned());
    let (tenant, moves, connections) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let tenant = tenants::find(conn, &reach, &id)?;
            if tenant.user_pool_id != pool_id {
                return Err(Error::not_found("tenant", id));
            }
            Ok((
                identity_move::of_tenant(conn, &tenant.id, LISTED)?,
                provider::list_within(conn, &reach, Some(&tenant.user_pool_id))?,
                tenant,
            ))
        })
        .await
        .map(|(moves, connections, tenant)| (tenant, moves, connections))?;
    let is_own = |one: &Provider| one.tenant_id.as_ref() == Some(&tenant.id);
    Ok(List {
        frame: Frame::new(admin, "pools", query),
        may_change: may_change(admin, &tenant),
        targets: connections.iter().filter(|one| is_own(one)).cloned().collect(),
        sources: connections
            .into_iter()
            .filter(|one| is_own(one) || one.tenant_id.is_none())
            .collect(),
        moves: moves
            .into_iter()
            .map(|row| {
                let made = Moment(row.created_at);
                (row, made)
            })
            .collect(),
        number: tenant.settings.linking.attribute.clone().unwrap_or_default(),
        tenant,
        fields: Fields {
            by: "email".into(),
            ..Fields::default()
        },
        mistakes: Mistakes::default(),
        planned: None,
    })
}

async fn list(
    admin: Admin,
    request: HttpRequest,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, (&path.0, &path.1), request.query_string()).await?;
    Ok(page::show(&page))
}

/// The page with its form as it was sent, for whoever may change the tenant.
async fn filled_in(
    admin: &Admin,
    broker: &Broker,
    path: &(String, String),
    form: &Form,
) -> Result<List, Problem> {
    let mut page = prepare(admin, broker, (&path.0, &path.1), "").await?;
    if !page.may_change {
        return Err(Problem::NotFound);
    }
    page.fields = Fields::of(form);
    Ok(page)
}

/// The dry run: nothing is changed.
async fn plan(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = filled_in(&admin, &broker, &path, &form).await?;
    let reach = admin.changes().clone();
    let planned = match page.fields.new_move(&page.tenant) {
        Ok(new) => {
            broker
                .db
                .read(move |conn| identity_moves::prepare(conn, &reach, &new))
                .await
        }
        Err(error) => Err(error),
    };
    match planned {
        Ok(prepared) => {
            page.planned = Some(Planned::of(prepared.plan));
            Ok(page::show(&page))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "by")?;
            Ok(page::refused(&page))
        }
    }
}

async fn start(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = filled_in(&admin, &broker, &path, &form).await?;
    admin.require_fresh(broker.clock.now(), &room(&page.tenant))?;
    let (ctx, reach) = (admin.ctx(&broker), admin.changes().clone());
    let started = match page.fields.new_move(&page.tenant) {
        Ok(new) => {
            broker
                .db
                .write(move |conn| identity_moves::start(conn, &ctx, &reach, &new))
                .await
        }
        Err(error) => Err(error),
    };
    match started {
        Ok((row, _)) => {
            broker.forget();
            let moves = format!("{}/{}", room(&page.tenant), row.id);
            Ok(page::done(&moves, "moving"))
        }
        Err(error) => {
            page.mistakes = Mistakes::of(error, "by")?;
            Ok(page::refused(&page))
        }
    }
}

async fn show(
    admin: Admin,
    request: HttpRequest,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (reach, path) = (admin.sees().clone(), path.into_inner());
    let (tenant, row, (waiting, come), people) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let row = identity_moves::find(conn, &reach, &path.2)?;
            is_at(&row, &path)?;
            Ok((
                tenants::find(conn, &reach, &row.tenant_id)?,
                identity_move::progress(conn, &row.id)?,
                identity_move::waiting(conn, &row.id, i64::try_from(SHOWN).unwrap_or(i64::MAX))?,
                row,
            ))
        })
        .await
        .map(|(tenant, progress, people, row)| (tenant, row, progress, people))?;
    let may_change = may_change(&admin, &tenant);
    Ok(page::show(&Show {
        frame: Frame::new(&admin, "pools", request.query_string()),
        made: Moment(row.created_at),
        closed: row.closed_at.map(Moment),
        undone: row.undone_at.map(Moment),
        waiting,
        come,
        total: waiting + come,
        cut: usize::try_from(waiting).is_ok_and(|waiting| waiting > people.len()),
        people: people
            .into_iter()
            .map(|(link, user)| (user.label(), link.value))
            .collect(),
        may_change,
        may_undo: may_change && row.can_be_undone(broker.clock.now()),
        tenant,
        row,
    }))
}

/// The move of a path, if pool and tenant in it are its own.
fn is_at(row: &IdentityMove, path: &(String, String, String)) -> Result<(), Error> {
    if row.user_pool_id == path.0 && row.tenant_id == path.1 {
        Ok(())
    } else {
        Err(Error::not_found("move", path.2.as_str()))
    }
}

async fn close(
    admin: Admin,
    _: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    end(admin, path.into_inner(), &broker, "closed", identity_moves::close).await
}

async fn undo(
    admin: Admin,
    _: Form,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    end(admin, path.into_inner(), &broker, "undone", identity_moves::undo).await
}

/// An action that ends something of a move.
type Ending = fn(
    &mut crate::db::Conn,
    &crate::actions::Ctx,
    &crate::model::reach::Reach,
    &str,
) -> Result<IdentityMove, Error>;

async fn end(
    admin: Admin,
    path: (String, String, String),
    broker: &Broker,
    said: &str,
    action: Ending,
) -> Result<HttpResponse, Problem> {
    let back = format!("/console/pools/{}/tenants/{}/moves/{}", path.0, path.1, path.2);
    let (ctx, reach) = (admin.ctx(broker), admin.changes().clone());
    let (found, wanted) = (reach.clone(), path.clone());
    // What is not there needs no proof.
    broker
        .db
        .read(move |conn| is_at(&identity_moves::find(conn, &found, &wanted.2)?, &wanted))
        .await?;
    admin.require_fresh(broker.clock.now(), &back)?;
    broker
        .db
        .write(move |conn| action(conn, &ctx, &reach, &path.2))
        .await?;
    Ok(page::done(&back, said))
}

/// By what the tenant's people are recognised.
async fn link(
    admin: Admin,
    form: Form,
    path: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = filled_in(&admin, &broker, &path, &form).await?;
    let attribute = form.text("number");
    let linking = Linking {
        email: form.is_checked("by_email"),
        attribute: (!attribute.is_empty()).then(|| attribute.to_owned()),
    };
    let (ctx, reach, id) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        page.tenant.id.clone(),
    );
    let wanted = linking.clone();
    let saved = broker
        .db
        .write(move |conn| tenants::set_linking(conn, &ctx, &reach, &id, wanted))
        .await;
    match saved {
        Ok(tenant) => Ok(page::done(&room(&tenant), "saved")),
        Err(error) => {
            page.mistakes = Mistakes::of(error, "number")?;
            page.number = linking.attribute.clone().unwrap_or_default();
            page.tenant.settings.linking = linking;
            Ok(page::refused(&page))
        }
    }
}
