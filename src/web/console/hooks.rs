//! Hooks: which address answers for an ARN that pools name in their `LambdaConfig`; bound, tried, given new secrets and
//! unbound here. A pool names its hooks through the management API. Bindings for all pools are the operators'.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use url::Url;
use zeroize::Zeroizing;

use super::Problem;
use super::door::{Admin, Form};
use super::filled::Mistakes;
use super::lists;
use super::page::{self, Frame};
use super::places::{self, EVERYTHING};
use super::roles::Choice;
use super::time::Moment;
use crate::actions::hooks::{self, NewBinding, Use};
use crate::broker::Broker;
use crate::broker::hooks::{Address, try_out};
use crate::error::{Error, StoreError};
use crate::model::hook::{self, Binding};
use crate::rules::webhook;
use crate::web::resource;

const PATH: &str = "/console/hooks";
const NEW: &str = "/console/hooks/new";
const ROOM: &str = "hooks";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource(PATH).document(list).post(bind))
        .service(resource(NEW).document(new))
        .service(resource("/console/hooks/{id}").document(show))
        .service(resource("/console/hooks/{id}/rotate").post(rotate))
        .service(resource("/console/hooks/{id}/test").post(test))
        .service(
            resource("/console/hooks/{id}/unbind")
                .document(ask_unbind)
                .post(unbind),
        );
}

#[derive(Template)]
#[template(path = "console/hooks/list.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    /// Pools with ids that nothing answers for.
    unbound: Vec<hooks::Unbound>,
}

/// A binding and the pools that name it.
struct Row {
    binding: Binding,
    uses: Vec<Use>,
}

#[derive(Template)]
#[template(path = "console/hooks/new.html")]
struct New {
    frame: Frame,
    pools: Vec<Choice>,
    arn: String,
    url: String,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "console/hooks/show.html")]
struct Show {
    frame: Frame,
    binding: Binding,
    uses: Vec<Use>,
    may_change: bool,
    /// Right after it was made: never again.
    secret: Option<Zeroizing<String>>,
    /// What came of a call just now.
    tried: Option<Result<(), String>>,
}

#[derive(Template)]
#[template(path = "console/hooks/unbind.html")]
struct Unbind {
    frame: Frame,
    binding: Binding,
    uses: Vec<Use>,
    mistakes: Mistakes,
}

async fn list(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, ROOM, request.query_string());
    if !frame.has_pools {
        return Err(Problem::NotFound);
    }
    let sees = admin.sees().clone();
    let (rows, unbound) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let bindings = hook::list_within(conn, &sees)?;
            let uses = hooks::named_by(conn, &sees, &bindings)?;
            let rows = bindings.into_iter().zip(uses);
            let rows: Vec<Row> = rows.map(|(binding, uses)| Row { binding, uses }).collect();
            Ok((rows, hooks::unbound(conn, &sees)?))
        })
        .await?;
    Ok(page::show(&List { frame, rows, unbound }))
}

/// `?arn=` fills in what a pool names already, `?pool=` for which.
async fn new(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = lists::query(&request)?;
    // Whoever has to prove themselves first comes back to what was asked for.
    let path = match request.query_string() {
        "" => NEW.to_owned(),
        query => format!("{NEW}?{query}"),
    };
    let chosen = asked.get("pool").unwrap_or_default();
    let mut page = form(&admin, &broker, chosen, &path).await?;
    page.arn = asked.get("arn").unwrap_or_default().to_owned();
    Ok(page::show(&page))
}

async fn form(admin: &Admin, broker: &Broker, chosen: &str, path: &str) -> Result<New, Problem> {
    let pools = places::choices(admin, broker, "Every pool that names it", chosen, path).await?;
    Ok(New {
        frame: Frame::new(admin, ROOM, ""),
        pools,
        arn: String::new(),
        url: String::new(),
        mistakes: Mistakes::default(),
    })
}

async fn bind(admin: Admin, broker: Data<Broker>, sent: Form) -> Result<HttpResponse, Problem> {
    let place = sent.text("pool").to_owned();
    let mut again = form(&admin, &broker, &place, NEW).await?;
    again.arn = sent.text("arn").to_owned();
    again.url = sent.text("url").to_owned();
    let url = match address(&broker, &again.url) {
        Ok(url) => url,
        Err(why) => {
            again.mistakes = Mistakes::one("url", why);
            return Ok(page::refused(&again));
        }
    };
    let (ctx, changes, arn) = (admin.ctx(&broker), admin.changes().clone(), again.arn.clone());
    let made = broker
        .db
        .write(move |conn| {
            let new = NewBinding {
                arn,
                user_pool_id: (place != EVERYTHING).then_some(place),
                url,
            };
            hooks::bind(conn, &ctx, &changes, new)
        })
        .await;
    match made {
        Ok((binding, secret)) => {
            broker.forget();
            shown(&admin, &broker, binding, Some(secret), None).await
        }
        Err(error) => {
            again.mistakes = Mistakes::of(error, "arn")?;
            Ok(page::refused(&again))
        }
    }
}

/// The address as typed, if we may call it.
fn address(broker: &Broker, typed: &str) -> Result<Url, String> {
    let url = webhook::url(typed)?;
    broker.upstream.admits(&url)?;
    Ok(url)
}

async fn show(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (sees, id) = (admin.sees().clone(), id.into_inner());
    let (binding, uses) = broker
        .db
        .read(move |conn| -> Result<_, Error> {
            let binding = hooks::find(conn, &sees, &id)?;
            let uses = hooks::named_by(conn, &sees, std::slice::from_ref(&binding))?;
            Ok((binding, uses))
        })
        .await?;
    Ok(page::show(&Show {
        frame: Frame::new(&admin, ROOM, request.query_string()),
        may_change: may_change(&admin, &binding),
        binding,
        uses: uses.into_iter().flatten().collect(),
        secret: None,
        tried: None,
    }))
}

fn may_change(admin: &Admin, binding: &Binding) -> bool {
    match &binding.user_pool_id {
        Some(id) => admin.changes().has_pool(id),
        None => admin.changes().everything,
    }
}

/// The page of a hook that was changed or called just now.
async fn shown(
    admin: &Admin,
    broker: &Broker,
    binding: Binding,
    secret: Option<Zeroizing<String>>,
    tried: Option<Result<(), String>>,
) -> Result<HttpResponse, Problem> {
    let (sees, wanted) = (admin.sees().clone(), binding.clone());
    let uses = broker
        .db
        .read(move |conn| hooks::named_by(conn, &sees, &[wanted]))
        .await?;
    Ok(page::show(&Show {
        frame: Frame::new(admin, ROOM, ""),
        binding,
        uses: uses.into_iter().flatten().collect(),
        may_change: true,
        secret,
        tried,
    }))
}

async fn rotate(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    admin.require_fresh(broker.clock.now(), &page_of(&id))?;
    let (binding, secret) = broker
        .db
        .write(move |conn| hooks::rotate(conn, &ctx, &changes, &id))
        .await?;
    broker.forget();
    shown(&admin, &broker, binding, Some(secret), None).await
}

/// Calls it at once, so that the page can say what came of it.
async fn test(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let binding = changeable(&broker, &admin, id.into_inner()).await?;
    let tried = match Address::of(&broker.sealer, &binding) {
        None => Err("its secret does not open with this root key: replace it".to_owned()),
        Some(address) => {
            let pool = binding.user_pool_id.as_deref();
            let now = broker.clock.now();
            try_out(&broker.upstream, &broker.entropy, now, &address, pool)
                .await
                .map_err(|fault| format!("{}: {}", fault.exception(), fault.detail()))
        }
    };
    shown(&admin, &broker, binding, None, Some(tried)).await
}

async fn ask_unbind(admin: Admin, broker: Data<Broker>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, id.into_inner()).await?;
    Ok(page::show(&page))
}

async fn unbind(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, id.into_inner()).await?;
    if form.text("confirm") != page.binding.arn {
        page.mistakes = Mistakes::one("confirm", "type the ARN as it stands above");
        return Ok(page::refused(&page));
    }
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), page.binding.id);
    broker
        .db
        .write(move |conn| hooks::unbind(conn, &ctx, &changes, &id))
        .await?;
    broker.forget();
    Ok(page::done(PATH, "unbound"))
}

async fn prepare(admin: &Admin, broker: &Broker, id: String) -> Result<Unbind, Problem> {
    let binding = changeable(broker, admin, id).await?;
    admin.require_fresh(broker.clock.now(), &format!("{}/unbind", page_of(&binding.id)))?;
    let (sees, wanted) = (admin.sees().clone(), binding.clone());
    let uses = broker
        .db
        .read(move |conn| hooks::named_by(conn, &sees, &[wanted]))
        .await?;
    Ok(Unbind {
        frame: Frame::new(admin, ROOM, ""),
        binding,
        uses: uses.into_iter().flatten().collect(),
        mistakes: Mistakes::default(),
    })
}

async fn changeable(broker: &Broker, admin: &Admin, id: String) -> Result<Binding, Problem> {
    let changes = admin.changes().clone();
    let found = broker
        .db
        .read(move |conn| hooks::find(conn, &changes, &id))
        .await?;
    Ok(found)
}

fn page_of(id: &str) -> String {
    format!("{PATH}/{id}")
}
