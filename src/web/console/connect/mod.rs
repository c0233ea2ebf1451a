//! What a set-up link opens: the page on which one begins, the list of steps, and the gate that holds whoever came by a link
//! to what it is for. The steps themselves are the pages of the console's own wizard.

mod pages;

use actix_web::HttpRequest;
use actix_web::web::{Data, ServiceConfig};

use super::door::{self, Admin};
use super::problem::Problem;
use crate::actions::setup_links::Holder;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::admin_session::AdminSession;
use crate::model::administrator::Administrator;
use crate::model::provider::{self, State};
use crate::model::setup_link;
use crate::web::headers::RequestId;
use crate::web::resource;

/// The page with the steps.
pub const HOME: &str = "/console/connect";

/// What of a draft is the wizard's, by the part of the path behind the connection; its mapping's pages are, too.
const STEPS: &[&str] = &[
    "",
    "/issuer",
    "/okta",
    "/credentials",
    "/check",
    "/test-sign-in",
    "/provisioning",
    "/live",
    "/settings",
];

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource(HOME).document(pages::home))
        .service(resource("/console/connect/leave").post(pages::leave))
        .service(
            resource("/console/connect/{token}")
                .document(pages::look)
                .post(pages::begin),
        );
}

/// Whether somebody who came by a link may ask for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    Yes,
    /// It is where an administrator would go on from here: to the link's own page.
    Home,
    No,
}

impl Admitted {
    pub fn or_else_problem(self) -> Result<(), Problem> {
        match self {
            Admitted::Yes => Ok(()),
            Admitted::Home => Err(Problem::SetUp),
            Admitted::No => Err(Problem::NotFound),
        }
    }
}

/// What a path is to the holder of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    Own,
    Beginning,
    /// A step of the wizard for this connection.
    Step(&'a str),
    /// The email domains of this tenant, in this pool.
    Domains(&'a str, &'a str),
    Elsewhere,
}

/// The gate: a path that is not named here is not there for the holder of a link, whatever pages come.
fn place(path: &str) -> Place<'_> {
    match path {
        HOME | "/console/connect/leave" => return Place::Own,
        "/console" | "/console/connections" => return Place::Beginning,
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/console/pools/") {
        return domains(rest);
    }
    let Some(rest) = path.strip_prefix("/console/connections/") else {
        return Place::Elsewhere;
    };
    let (id, step) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_mapping = step == "/mapping" || step.starts_with("/mapping/");
    match id {
        "new" if step.is_empty() => Place::Own,
        _ if STEPS.contains(&step) || is_mapping || step.starts_with("/test-sign-in/") => Place::Step(id),
        _ => Place::Elsewhere,
    }
}

/// Of a tenant's pages those on which a domain is claimed and looked for; what is proven is not given up by a link.
fn domains(rest: &str) -> Place<'_> {
    let segments: Vec<&str> = rest.split('/').collect();
    match segments.as_slice() {
        [pool, "tenants", tenant, "domains"] | [pool, "tenants", tenant, "domains", _, "look"] => {
            Place::Domains(pool, tenant)
        }
        _ => Place::Elsewhere,
    }
}

/// Whether the holder may have this page: while the link is open what leads to a live connection, and of connections the
/// tenant's drafts. What is live already is changed by those who have an account.
pub fn admitted(conn: &mut Conn, holder: &Holder, path: &str) -> Result<Admitted, StoreError> {
    let is_done = holder.link.done_at.is_some();
    Ok(match place(path) {
        Place::Own if path == "/console/connections/new" && is_done => Admitted::Home,
        Place::Own => Admitted::Yes,
        Place::Beginning => Admitted::Home,
        Place::Elsewhere => Admitted::No,
        Place::Domains(pool, tenant)
            if pool == holder.link.user_pool_id && tenant == holder.link.tenant_id =>
        {
            match is_done {
                true => Admitted::Home,
                false => Admitted::Yes,
            }
        }
        Place::Domains(..) => Admitted::No,
        Place::Step(_) if is_done => Admitted::Home,
        Place::Step(id) => {
            // PostgreSQL cannot even be asked for such a name.
            let found = match id.contains('\0') {
                true => None,
                false => provider::find_within(conn, &holder.rights().changes, id)?,
            };
            match found.map(|found| found.state()) {
                Some(State::Draft | State::Tested) => Admitted::Yes,
                Some(State::Live | State::Disabled) | None => Admitted::No,
            }
        }
    })
}

/// The holder of a link as the console's pages know who is there.
pub async fn admin(
    broker: &Data<Broker>,
    request: &HttpRequest,
    holder: Holder,
    token: &str,
) -> Result<Admin, Problem> {
    let now = broker.clock.now();
    if holder.session.last_seen_at.plus(60) <= now {
        let hash = holder.session.hash.clone();
        broker
            .db
            .write(move |conn| Ok::<_, StoreError>(setup_link::touch_session(conn, &hash, now)?))
            .await?;
    }
    let (link, session) = (&holder.link, &holder.session);
    Ok(Admin {
        administrator: Administrator {
            id: link.id.clone(),
            email: holder.actor(),
            name: holder.tenant.name.clone(),
            password_hash: None,
            user_sub: None,
            enabled: true,
            created_at: link.created_at,
            updated_at: link.created_at,
            last_seen_at: None,
        },
        rights: holder.rights(),
        session: AdminSession {
            hash: session.hash.clone(),
            administrator_id: link.id.clone(),
            id: session.id.clone(),
            method: "setup_link".into(),
            provider_id: None,
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            authenticated_at: session.created_at,
            values_open_until: None,
        },
        csrf: door::csrf(&broker.sealer, token),
        request_id: RequestId::of(request),
        set_up: Some(holder),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_knows_what_a_link_is_for() {
        for own in [
            "/console/connect",
            "/console/connect/leave",
            "/console/connections/new",
        ] {
            assert_eq!(place(own), Place::Own, "{own}");
        }
        for step in [
            "",
            "/issuer",
            "/okta",
            "/credentials",
            "/check",
            "/test-sign-in",
            "/test-sign-in/abc",
            "/provisioning",
            "/live",
            "/settings",
            "/mapping",
            "/mapping/check",
            "/mapping/history",
        ] {
            let path = format!("/console/connections/acme-okta{step}");
            assert_eq!(place(&path), Place::Step("acme-okta"), "{path}");
        }
        let domains = "/console/pools/us-east-1_A/tenants/acme/domains";
        for own in [domains.to_owned(), format!("{domains}/acme.test/look")] {
            assert_eq!(place(&own), Place::Domains("us-east-1_A", "acme"), "{own}");
        }
        for beginning in ["/console", "/console/connections"] {
            assert_eq!(place(beginning), Place::Beginning);
        }
        for elsewhere in [
            "/console/connect/some-token",
            "/console/connections/acme-okta/delete",
            "/console/connections/acme-okta/disable",
            "/console/connections/acme-okta/enable",
            "/console/connections/acme-okta/secrets",
            "/console/connections/acme-okta/secrets/promote",
            "/console/connections/acme-okta/health",
            "/console/connections/acme-okta/health/accept",
            "/console/connections/acme-okta/probe",
            "/console/connections/acme-okta/live/x",
            "/console/connections/new/delete",
            "/console/connectionsx",
            "/console/users",
            "/console/traces",
            "/console/audit",
            "/console/account",
            "/console/prove",
            "/console/webhooks",
            "/console/pools/p/tenants/acme",
            "/console/pools/p/tenants/acme/domains/acme.test/assert",
            "/console/pools/p/tenants/acme/domains/acme.test/remove",
            "/console/pools/p/tenants/acme/domains/acme.test/subdomains",
            "/console/pools/p/tenants/acme/rename",
            "/console/pools/p/tenants/acme/setup-links",
        ] {
            assert_eq!(place(elsewhere), Place::Elsewhere, "{elsewhere}");
        }
    }
}
