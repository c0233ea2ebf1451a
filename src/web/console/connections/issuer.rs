//! Where a connection leads: the wizard's first step, and the same question later. What was typed is corrected before the
//! administrator's eyes: every issuer that it may stand for is tried by discovery, and they choose.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::future::join_all;

use super::{At, by_tenant, field_error, open, within};
use crate::actions::providers::{self, NewDraft, ProviderChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::pool;
use crate::model::provider::Way;
use crate::model::reach::Reach;
use crate::model::tenant;
use crate::model::tenant_domain::{self, Proven};
use crate::rules::connection::{self, Kind};
use crate::rules::okta_issuer::Candidate;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;

/// The longest text that is taken for an address.
const LONGEST: usize = 500;

#[derive(Template)]
#[template(path = "console/connections/issuer.html")]
struct IssuerPage {
    frame: Frame,
    /// The connection whose issuer changes; none for a new one.
    at: Option<At>,
    action: String,
    /// Whose a new connection may be.
    places: Vec<Place>,
    place: String,
    typed: String,
    name: String,
    /// Apps bring its ID tokens.
    token_in: bool,
    choices: Vec<Choice>,
    typed_error: Option<String>,
    suggestion: Option<String>,
    name_error: Option<String>,
    place_error: Option<String>,
}

impl IssuerPage {
    /// The choice in the form is one of what is typed in it now.
    fn is_looked_up(&self, form: &Form) -> bool {
        bounded(form.text("looked_up")) == self.typed
    }
}

/// A pool, or a tenant in it.
#[derive(Clone, Debug)]
struct Place {
    value: String,
    label: String,
    user_pool_id: String,
    tenant_id: Option<String>,
}

/// One issuer that the typed text may stand for, and how it answered.
struct Choice {
    issuer: String,
    kind: Kind,
    /// What was understood or changed.
    note: String,
    answers: bool,
    seen: String,
    remedy: String,
    /// Its discovery document offers the scope `groups`.
    groups: bool,
    checked: bool,
}

pub async fn begin(
    admin: Admin,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let places = places(&admin, &broker).await?;
    Ok(page::show(&new_page(&admin, &request, places)))
}

pub async fn begun(
    admin: Admin,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = new_page(&admin, &request, places(&admin, &broker).await?);
    page.typed = bounded(form.text("domain"));
    page.name = form.text("name").to_owned();
    page.place = form.text("place").to_owned();
    page.token_in = form.text("kind") == Way::TokenIn.as_str();
    let Some(place) = page
        .places
        .iter()
        .find(|place| place.value == page.place)
        .cloned()
    else {
        page.place = only(&page.places);
        page.place_error = Some("Choose whose connection it is.".into());
        return Ok(page::refused(&page));
    };
    let by_tenant = by_tenant(&admin, &place.user_pool_id);
    let bounds = bounds(&broker, by_tenant, place.tenant_id.as_deref()).await?;
    let chosen = form.text("issuer").to_owned();
    if chosen.is_empty() || !page.is_looked_up(&form) {
        return Ok(ask(&broker, page, bounds.as_deref()).await);
    }
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let new = NewDraft {
        user_pool_id: place.user_pool_id,
        tenant_id: place.tenant_id,
        name: match page.name.as_str() {
            "" => connection::name_for(&chosen),
            name => name.to_owned(),
        },
        issuer: chosen.clone(),
        token_in: page.token_in,
        by_tenant,
    };
    let reach = admin.changes().clone();
    let made = broker
        .db
        .write(move |conn| {
            match &new.tenant_id {
                Some(id) => tenant::find(conn, &reach, id)?.map(|tenant| tenant.id),
                None => pool::find_within(conn, &reach, &new.user_pool_id)?.map(|pool| pool.id),
            }
            .ok_or_else(|| Error::not_found("place", &new.name))?;
            providers::draft(conn, &ctx, &allowed, new)
        })
        .await;
    match made {
        Ok(provider) => {
            broker.forget();
            let path = format!("/console/connections/{}/okta", provider.id);
            Ok(page::done(&path, "draft"))
        }
        Err(Error::Exists(what)) => {
            page.name_error = Some(format!("{what} already exists: give this one another name."));
            Ok(ask_again(&broker, page, bounds.as_deref(), &chosen).await)
        }
        Err(error) => {
            match field_error(error, &["name", "issuer"])? {
                ("name", why) => page.name_error = Some(why),
                (_, why) => page.typed_error = Some(format!("The issuer {why}.")),
            }
            Ok(ask_again(&broker, page, bounds.as_deref(), &chosen).await)
        }
    }
}

pub async fn change(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    let at = At::new(&admin, &opened, "/issuer");
    Ok(page::show(&change_page(&admin, &request, at)))
}

pub async fn changed(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    let by_tenant = by_tenant(&admin, &opened.provider.user_pool_id);
    let bounds = bounds(&broker, by_tenant, opened.provider.tenant_id.as_deref()).await?;
    let mut page = change_page(&admin, &request, At::new(&admin, &opened, "/issuer"));
    page.typed = bounded(form.text("domain"));
    let chosen = form.text("issuer").to_owned();
    if chosen.is_empty() || !page.is_looked_up(&form) {
        return Ok(ask(&broker, page, bounds.as_deref()).await);
    }
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let (reach, wanted, issuer) = (admin.changes().clone(), id.clone(), chosen.clone());
    let updated = broker
        .db
        .write(move |conn| {
            within(conn, &reach, &wanted)?;
            let change = ProviderChange {
                issuer: Some(issuer),
                by_tenant,
                ..ProviderChange::default()
            };
            providers::update(conn, &ctx, &allowed, &wanted, change)
        })
        .await;
    match updated {
        Ok(updated) => {
            broker.forget();
            let said = if updated.secret_cleared {
                "issuer-secret"
            } else {
                "saved"
            };
            Ok(page::done(&format!("/console/connections/{id}"), said))
        }
        Err(Error::Conflict(why)) => {
            page.typed_error = Some(why);
            Ok(ask_again(&broker, page, bounds.as_deref(), &chosen).await)
        }
        Err(error) => {
            let (_, why) = field_error(error, &["issuer"])?;
            page.typed_error = Some(format!("The issuer {why}."));
            Ok(ask_again(&broker, page, bounds.as_deref(), &chosen).await)
        }
    }
}

/// Reads what was typed, tries what it may stand for, and shows the choice.
/// The domains that are proven to be the tenant's, where its administrator may name no other hosts than Okta's beside them.
async fn bounds(
    broker: &Broker,
    by_tenant: bool,
    tenant_id: Option<&str>,
) -> Result<Option<Vec<Proven>>, Problem> {
    if !by_tenant {
        return Ok(None);
    }
    let id = tenant_id.unwrap_or_default().to_owned();
    let proven = broker
        .db
        .read(move |conn| Ok::<_, Error>(tenant_domain::proven_of_tenant(conn, &id)?))
        .await?;
    Ok(Some(proven))
}

async fn ask(broker: &Broker, mut page: IssuerPage, bounds: Option<&[Proven]>) -> HttpResponse {
    let allowed = broker.upstream.allowed();
    let candidates = match connection::candidates(&page.typed, allowed) {
        Ok(candidates) => candidates,
        Err(mistake) => {
            page.typed_error = Some(format!("{}.", capital(&mistake.why)));
            page.suggestion = mistake.suggestion;
            return page::refused(&page);
        }
    };
    if let Some(proven) = bounds
        && let Some(why) = candidates
            .iter()
            .find_map(|candidate| connection::check_tenants_issuer(&candidate.issuer, allowed, proven).err())
    {
        page.typed_error = Some(format!("The issuer {why}."));
        return page::refused(&page);
    }
    page.choices = choices(broker, candidates).await;
    if page.at.is_none()
        && page.name.is_empty()
        && let Some(first) = page.choices.first()
    {
        page.name = connection::name_for(&first.issuer);
    }
    page::show(&page)
}

/// The choice once more, with what was wrong about it.
async fn ask_again(
    broker: &Broker,
    mut page: IssuerPage,
    bounds: Option<&[Proven]>,
    chosen: &str,
) -> HttpResponse {
    let typed = if page.typed.is_empty() {
        chosen
    } else {
        &page.typed
    };
    let allowed = broker.upstream.allowed();
    let candidates = connection::candidates(typed, allowed)
        .unwrap_or_default()
        .into_iter()
        .filter(|candidate| {
            bounds.is_none_or(|proven| {
                connection::check_tenants_issuer(&candidate.issuer, allowed, proven).is_ok()
            })
        })
        .collect();
    page.choices = choices(broker, candidates).await;
    for choice in &mut page.choices {
        choice.checked = choice.issuer == chosen;
    }
    page::refused(&page)
}

async fn choices(broker: &Broker, candidates: Vec<Candidate>) -> Vec<Choice> {
    let tried = candidates.into_iter().map(|candidate| async {
        let kind = Kind::of(&candidate.issuer);
        match broker.upstream.answers(&candidate.issuer).await {
            Ok(answers) => Choice {
                kind,
                note: candidate.note,
                answers: true,
                seen: String::new(),
                remedy: String::new(),
                groups: answers.scopes.iter().any(|scope| scope == "groups"),
                checked: false,
                issuer: candidate.issuer,
            },
            Err(failure) => Choice {
                kind,
                note: candidate.note,
                answers: false,
                remedy: failure.refusal("Okta").remedy.to_owned(),
                seen: failure.detail,
                groups: false,
                checked: false,
                issuer: candidate.issuer,
            },
        }
    });
    let mut choices = join_all(tried).await;
    // What was typed stands first, so the first that answers is the best guess.
    let best = choices.iter().position(|choice| choice.answers).unwrap_or(0);
    if let Some(choice) = choices.get_mut(best) {
        choice.checked = true;
    }
    choices
}

/// Where this administrator may make a connection.
async fn places(admin: &Admin, broker: &Broker) -> Result<Vec<Place>, Problem> {
    let reach = admin.changes().clone();
    let places = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let tenants = tenant::list(conn, &reach, None)?;
            let mut places = Vec::new();
            for pool in pool::list_within(conn, &reach)? {
                places.push(Place {
                    value: format!("pool:{}", pool.id),
                    label: format!("{} – the pool's own", pool.name),
                    user_pool_id: pool.id,
                    tenant_id: None,
                });
            }
            for tenant in tenants {
                let pool = pool::find_within(conn, &Reach::everything(), &tenant.user_pool_id)?;
                places.push(Place {
                    value: format!("tenant:{}", tenant.id),
                    label: format!(
                        "{} – in {}",
                        tenant.name,
                        pool.map_or_else(|| tenant.user_pool_id.clone(), |pool| pool.name)
                    ),
                    user_pool_id: tenant.user_pool_id,
                    tenant_id: Some(tenant.id),
                });
            }
            Ok(places)
        })
        .await?;
    if places.is_empty() {
        return Err(Problem::NotFound);
    }
    Ok(places)
}

fn new_page(admin: &Admin, request: &HttpRequest, places: Vec<Place>) -> IssuerPage {
    IssuerPage {
        place: only(&places),
        places,
        action: "/console/connections/new".into(),
        ..empty_page(admin, request)
    }
}

/// The place that needs no choice.
fn only(places: &[Place]) -> String {
    match places {
        [only] => only.value.clone(),
        _ => String::new(),
    }
}

fn change_page(admin: &Admin, request: &HttpRequest, at: At) -> IssuerPage {
    IssuerPage {
        action: format!("{}/issuer", at.path()),
        typed: at.issuer.clone(),
        at: Some(at),
        ..empty_page(admin, request)
    }
}

fn empty_page(admin: &Admin, request: &HttpRequest) -> IssuerPage {
    IssuerPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: None,
        action: String::new(),
        places: Vec::new(),
        place: String::new(),
        typed: String::new(),
        name: String::new(),
        token_in: false,
        choices: Vec::new(),
        typed_error: None,
        suggestion: None,
        name_error: None,
        place_error: None,
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect::<String>()
    })
}
