//! Connections: the list, one connection with its facts, and the wizard that brings a draft to being live. Each step of the
//! wizard is a page of the connection, so that it can be left and taken up again, and found later for a change.

mod canary;
mod check;
mod credentials;
mod delete;
mod health;
mod issuer;
mod list;
mod live;
pub mod paste;
mod preview;
mod provisioning;
mod secrets;
mod settings;
mod show;
mod test_result;
pub mod test_sign_in;

use actix_web::web::ServiceConfig;

use super::door::Admin;
use super::problem::Problem;
use crate::actions::providers;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, ClientAuth, Provider, State};
use crate::model::reach::Reach;
use crate::model::tenant::{self, Tenant};
use crate::rules::connection::Kind;
use crate::rules::discovery::paths;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/connections").document(list::page))
        .service(
            resource("/console/connections/new")
                .document(issuer::begin)
                .post(issuer::begun),
        )
        .service(resource("/console/connections/{id}").document(show::page))
        .service(
            resource("/console/connections/{id}/issuer")
                .document(issuer::change)
                .post(issuer::changed),
        )
        .service(resource("/console/connections/{id}/okta").document(paste::page))
        .service(
            resource("/console/connections/{id}/credentials")
                .document(credentials::page)
                .post(credentials::entered),
        )
        .service(
            resource("/console/connections/{id}/check")
                .document(check::page)
                .post(check::run),
        )
        .service(
            resource("/console/connections/{id}/test-sign-in")
                .document(test_sign_in::page)
                .post(test_sign_in::start),
        )
        .service(resource("/console/connections/{id}/test-sign-in/{state}").document(test_result::page))
        .service(
            resource("/console/connections/{id}/provisioning")
                .document(provisioning::page)
                .post(provisioning::save),
        )
        .service(
            resource("/console/connections/{id}/live")
                .document(live::page)
                .post(live::go),
        )
        .service(
            resource("/console/connections/{id}/settings")
                .document(settings::page)
                .post(settings::save),
        )
        .service(
            resource("/console/connections/{id}/secrets")
                .document(secrets::page)
                .post(secrets::save),
        )
        .service(
            resource("/console/connections/{id}/canary")
                .document(canary::page)
                .post(canary::set),
        )
        .service(resource("/console/connections/{id}/canary/promote").post(canary::promote))
        .service(resource("/console/connections/{id}/canary/abort").post(canary::abort))
        .service(resource("/console/connections/{id}/secrets/promote").post(secrets::promote))
        .service(resource("/console/connections/{id}/health").document(health::page))
        .service(resource("/console/connections/{id}/probe").post(health::probe_now))
        .service(resource("/console/connections/{id}/health/accept").post(health::accept))
        .service(resource("/console/connections/{id}/disable").post(show::disable))
        .service(resource("/console/connections/{id}/enable").post(show::enable))
        .service(
            resource("/console/connections/{id}/delete")
                .document(delete::page)
                .post(delete::confirmed),
        );
}

/// A connection with what it belongs to.
#[derive(Clone, Debug)]
struct Opened {
    provider: Provider,
    pool: Pool,
    tenant: Option<Tenant>,
}

/// The connection, for somebody with this reach.
async fn open(broker: &Broker, reach: &Reach, id: &str) -> Result<Opened, Problem> {
    // PostgreSQL cannot even be asked for such a name.
    if id.contains('\0') {
        return Err(Problem::NotFound);
    }
    let (reach, id) = (reach.clone(), id.to_owned());
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some(provider) = provider::find_within(conn, &reach, &id)? else {
                return Ok(None);
            };
            let Some(pool) = pool::find(conn, &provider.user_pool_id)? else {
                return Ok(None);
            };
            let tenant = match &provider.tenant_id {
                Some(id) => tenant::find(conn, &Reach::everything(), id)?,
                None => None,
            };
            Ok(Some(Opened {
                provider,
                pool,
                tenant,
            }))
        })
        .await?;
    found.ok_or(Problem::NotFound)
}

/// The connection in the transaction of a change, held until that ends.
fn within(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Provider, Error> {
    let found = match id.contains('\0') {
        true => None,
        false => provider::find_within(conn, reach, id)?,
    };
    found.ok_or_else(|| Error::not_found("connection", id))?;
    providers::lock(conn, id)
}

/// Whether it is as a tenant's administrator that this one changes things in the pool.
fn by_tenant(admin: &Admin, user_pool_id: &str) -> bool {
    !admin.changes().has_pool(user_pool_id)
}

/// What stands above every page of a connection.
#[derive(Clone, Debug)]
struct At {
    id: String,
    name: String,
    issuer: String,
    kind: Kind,
    state: State,
    /// Apps bring its ID tokens.
    token_in: bool,
    pool: String,
    tenant: Option<String>,
    may_change: bool,
    /// The page that is shown, by the last segment of its path.
    here: &'static str,
    steps: Vec<Step>,
}

/// One step of the wizard, each a page of the draft.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) segment: &'static str,
    pub(super) label: &'static str,
    hint: &'static str,
    pub(super) done: bool,
}

/// The wizard's steps with what is done of them.
pub(super) fn steps(provider: &Provider) -> Vec<Step> {
    let settings = &provider.settings;
    let token_in = settings.token_in.is_some();
    let proved = match settings.client_auth {
        _ if token_in => true,
        ClientAuth::PrivateKeyJwt => provider.private_key_sealed.is_some(),
        ClientAuth::SecretBasic | ClientAuth::SecretPost => provider.client_secret_sealed.is_some(),
    };
    let configured = proved && !settings.client_id.is_empty();
    let tested = provider.tested_at.is_some();
    let (credentials, check) = match token_in {
        true => (
            "Bring the client ID from there, and say which pages may come.",
            "From the name in the DNS to the signing keys, with a remedy for what fails.",
        ),
        false => (
            "Bring client ID and secret from there.",
            "From the name in the DNS to the redirect URI, with a remedy for what fails.",
        ),
    };
    [
        (
            "/issuer",
            "Where it leads",
            "Your Okta's authorization server.",
            true,
        ),
        (
            "/okta",
            "The app in Okta",
            "Make an app there with the strings of this page.",
            configured,
        ),
        ("/credentials", "Credentials", credentials, configured),
        ("/check", "Check the connection", check, tested),
        (
            "/test-sign-in",
            "Test sign-in",
            "Sign in through Okta yourself. Nothing is stored; you see what came.",
            tested,
        ),
        (
            "/provisioning",
            "Who gets an account",
            "Say what happens when somebody comes for the first time, and what when they leave.",
            settings.provisioning.decided,
        ),
        (
            "/live",
            "Go live",
            "Choose the apps that offer it.",
            provider.live_since.is_some(),
        ),
    ]
    .into_iter()
    // Nobody is sent there by us, so that nobody can try it here.
    .filter(|(segment, ..)| !token_in || *segment != "/test-sign-in")
    .map(|(segment, label, hint, done)| Step {
        segment,
        label,
        hint,
        done,
    })
    .collect()
}

/// A page of the connection, as the navigation lists it.
struct Tab {
    segment: &'static str,
    label: &'static str,
}

impl At {
    fn new(admin: &Admin, opened: &Opened, here: &'static str) -> At {
        let provider = &opened.provider;
        let changes = admin.changes();
        let own = |id: &String| changes.tenants.contains(id);
        At {
            id: provider.id.clone(),
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            kind: Kind::of(&provider.issuer),
            state: provider.state(),
            token_in: provider.settings.token_in.is_some(),
            pool: opened.pool.name.clone(),
            tenant: opened.tenant.as_ref().map(|tenant| tenant.name.clone()),
            may_change: changes.has_pool(&provider.user_pool_id)
                || provider.tenant_id.as_ref().is_some_and(own),
            here,
            steps: steps(provider),
        }
    }

    fn is_draft(&self) -> bool {
        matches!(self.state, State::Draft | State::Tested)
    }

    /// The first step that is not done.
    fn next_step(&self) -> Option<&Step> {
        self.steps.iter().find(|step| !step.done)
    }

    fn path(&self) -> String {
        format!("/console/connections/{}", self.id)
    }

    fn pill(&self) -> &'static str {
        pill(self.state)
    }

    /// It leads to one of Okta's custom authorization servers.
    fn is_custom(&self) -> bool {
        self.kind == Kind::Custom
    }

    /// The pages beside the wizard's steps; once it is live those are among them.
    fn tabs(&self) -> Vec<Tab> {
        let tab = |segment, label| Tab { segment, label };
        let mut tabs = vec![tab("", "Overview"), tab("/mapping", "Mapping")];
        if !self.is_draft() {
            tabs.extend([tab("/health", "Health"), tab("/okta", "In Okta")]);
        }
        if self.may_change {
            if !self.is_draft() {
                tabs.push(tab("/credentials", "Credentials"));
                if !self.token_in {
                    tabs.push(tab("/secrets", "Next secret"));
                }
                tabs.push(tab("/check", "Check"));
                if !self.token_in {
                    tabs.push(tab("/test-sign-in", "Test sign-in"));
                    tabs.push(tab("/canary", "Canary"));
                }
            }
            if !self.is_draft() {
                tabs.push(tab("/provisioning", "Accounts"));
            }
            tabs.push(tab("/settings", "Settings"));
        }
        tabs
    }
}

fn pill(state: State) -> &'static str {
    match state {
        State::Live => "pill--good",
        State::Tested => "pill--warn",
        State::Draft => "pill--quiet",
        State::Disabled => "pill--bad",
    }
}

/// What is registered at the upstream as the sign-in redirect URI.
fn redirect_uri(public_url: &str, provider: &Provider) -> String {
    match provider.settings.shared_callback {
        true => format!("{public_url}{}", paths::IDPRESPONSE),
        false => format!("{public_url}{}/{}", paths::IDPRESPONSE, provider.id),
    }
}

/// What a refusal says, when it is about one of these fields; anything else is the caller's to pass on.
fn field_error(error: Error, fields: &[&'static str]) -> Result<(&'static str, String), Problem> {
    match error {
        Error::Invalid { field, why } => match fields.iter().find(|known| **known == field) {
            Some(known) => Ok((known, why)),
            None => Err(Problem::Refused(Error::Invalid { field, why })),
        },
        other => Err(other.into()),
    }
}
