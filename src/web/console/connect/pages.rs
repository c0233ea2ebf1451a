//! The pages of a set-up link itself: what a mail filter sees of it, and where its holder begins, goes on and ends.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::HOME;
use crate::actions::{clients, setup_links};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::pool;
use crate::model::provider::{self, Provider, State};
use crate::model::tenant_domain::{self, TenantDomain};
use crate::web::console::connections::{Step, paste, steps};
use crate::web::console::door::{self, Admin, Form};
use crate::web::console::guest::{self, Guest, GuestForm};
use crate::web::console::links::Notice;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::sign_in;
use crate::web::console::time::Moment;
use crate::web::headers::RequestId;

#[derive(Template)]
#[template(path = "console/connect/look.html")]
struct LookPage {
    csrf: String,
    action: String,
    tenant: String,
    pool: String,
    until: Moment,
}

#[derive(Template)]
#[template(path = "console/connect/home.html")]
struct HomePage {
    frame: Frame,
    tenant: String,
    until: Moment,
    drafts: Vec<Draft>,
    domains: Vec<TenantDomain>,
    /// Where domains are claimed.
    domains_at: String,
    /// The connection that went live by the link.
    done: Option<Live>,
}

/// A connection on its way, and how far it has come.
struct Draft {
    id: String,
    name: String,
    issuer: String,
    next: String,
    label: &'static str,
    /// All the steps with what is done of them.
    steps: Vec<Step>,
}

struct Live {
    name: String,
    issuer: String,
    /// For a tile: which app, and the address.
    starts: Vec<(String, String)>,
}

fn ended() -> HttpResponse {
    let notice = Notice {
        title: "This link is not good any more",
        text: "The connection is live already, or the link has expired or was revoked. Ask whoever sent it for a new one.",
        href: "/console/sign-in",
        label: "To the sign-in page",
    };
    page::html(StatusCode::NOT_FOUND, &notice)
}

/// What the link is for. Nothing comes of looking.
pub async fn look(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    let now = broker.clock.now();
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some((link, tenant)) = setup_links::look(conn, now, &token)? else {
                return Ok(None);
            };
            let pool = pool::find(conn, &link.user_pool_id)?;
            Ok(pool.map(|pool| (link, tenant, pool)))
        })
        .await?;
    let Some((link, tenant, pool)) = found else {
        return Ok(ended());
    };
    let guest = Guest::of(&request, &broker);
    let page = LookPage {
        csrf: guest.csrf,
        action: request.path().to_owned(),
        tenant: tenant.name,
        pool: pool.name,
        until: Moment(link.expires_at),
    };
    Ok(sign_in::with_cookie(page::show(&page), &guest.cookie))
}

/// Begins, or goes on in another browser.
pub async fn begin(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
    _: GuestForm,
) -> Result<HttpResponse, Problem> {
    let place = guest::place(&request, &broker);
    let (ctx, token) = (
        broker.ctx("set-up link", RequestId::of(&request)),
        token.into_inner(),
    );
    let begun = broker
        .db
        .write(move |conn| setup_links::begin(conn, &ctx, &token, place))
        .await?;
    Ok(match begun {
        Some(cookie) => sign_in::with_cookie(sign_in::to(HOME), &door::cookie(&cookie)),
        None => ended(),
    })
}

/// The steps that are left.
pub async fn home(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let Some(holder) = admin.set_up.clone() else {
        return Ok(sign_in::to("/console"));
    };
    let (reach, pool_id, tenant_id) = (
        admin.changes().clone(),
        holder.link.user_pool_id.clone(),
        holder.tenant.id.clone(),
    );
    let domains_at = format!("/console/pools/{pool_id}/tenants/{tenant_id}/domains");
    let gone_live = holder.link.provider_id.clone();
    let (connections, domains, apps) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let connections = provider::list_within(conn, &reach, Some(&pool_id))?;
            let live = connections.iter().find(|one| Some(&one.id) == gone_live.as_ref());
            let apps = match live {
                Some(live) => clients::offering(conn, &pool_id, &live.name)?,
                None => Vec::new(),
            };
            let domains = tenant_domain::of_tenant(conn, &tenant_id)?;
            Ok((connections, domains, apps))
        })
        .await?;
    let done = holder.link.provider_id.as_ref().and_then(|id| {
        let found = connections.iter().find(|connection| connection.id == *id)?;
        Some(Live {
            name: found.name.clone(),
            issuer: found.issuer.clone(),
            starts: paste::starts(&broker.public_url, &found.id, &apps),
        })
    });
    Ok(page::show(&HomePage {
        frame: Frame::new(&admin, "connect", request.query_string()),
        tenant: holder.tenant.name,
        until: Moment(holder.link.expires_at),
        drafts: connections.iter().filter_map(draft).collect(),
        domains,
        domains_at,
        done,
    }))
}

/// How a connection goes on; none for one that has gone live, which is not the link's to change.
fn draft(connection: &Provider) -> Option<Draft> {
    let (step, label) = match connection.state() {
        State::Draft if connection.settings.client_id.is_empty() => ("/okta", "Make the app in Okta"),
        State::Draft => ("/test-sign-in", "Test it"),
        State::Tested => ("/live", "Go live"),
        State::Live | State::Disabled => return None,
    };
    Some(Draft {
        id: connection.id.clone(),
        name: connection.name.clone(),
        issuer: connection.issuer.clone(),
        next: format!("/console/connections/{}{step}", connection.id),
        label,
        steps: steps(connection),
    })
}

/// Ends the session in this browser; the link opens another.
pub async fn leave(admin: Admin, broker: Data<Broker>, _: Form) -> Result<HttpResponse, Problem> {
    let Some(holder) = admin.set_up else {
        return Err(Problem::NotFound);
    };
    broker
        .db
        .write(move |conn| setup_links::leave(conn, &holder))
        .await?;
    let notice = Notice {
        title: "You have left the set-up",
        text: "What you entered is kept. Open the link again to go on, in this browser or another one.",
        href: "/console/sign-in",
        label: "To the sign-in page",
    };
    Ok(sign_in::with_cookie(page::show(&notice), &door::cleared()))
}
