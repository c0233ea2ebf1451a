//! How a connection is doing: what needs attention, the last look at it stage by stage, which claims come, when its
//! secrets end. A look can be asked for at once.

use std::time::Duration;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::Problem;
use super::door::{Admin, Form};
use super::page::{self, Frame};
use super::time::Moment;
use crate::actions::watch;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::jobs;
use crate::model::claims_seen::{self, Profile};
use crate::model::notice::{self, Notice};
use crate::model::probe::{self, Probe};
use crate::model::provider::{self, Provider};
use crate::rules::drift::Drift;
use crate::web::resource;

/// How long the page waits for a look that was asked for; it goes on by itself.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/connections/{id}/health").document(health))
        .service(resource("/console/connections/{id}/probe").post(probe_now))
        .service(resource("/console/connections/{id}/health/accept").post(accept));
}

#[derive(Template)]
#[template(path = "console/health.html")]
struct Health {
    frame: Frame,
    provider: Provider,
    /// May ask for a look and accept what has changed.
    may_change: bool,
    notices: Vec<Notice>,
    probe: Option<Probe>,
    claims: Vec<Claim>,
    /// Which secret, and when it ends, where that is known.
    secrets: Vec<(&'static str, Option<Moment>)>,
}

/// A line of the table of claims.
struct Claim {
    name: String,
    kind: String,
    /// `98 %`, or that it is too early to tell.
    share: String,
    last: Moment,
    drift: Option<Strange>,
}

struct Strange {
    what: String,
    since: Moment,
}

async fn health(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (sees, changes, id) = (admin.sees().clone(), admin.changes().clone(), id.into_inner());
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some(provider) = provider::find_within(conn, &sees, &id)? else {
                return Ok(None);
            };
            let may_change = provider::find_within(conn, &changes, &id)?.is_some();
            let notices = notice::of_provider(conn, &id)?;
            let probe = probe::find(conn, &id)?;
            let profile = claims_seen::profile(conn, &id)?.map(|(profile, _)| profile);
            Ok(Some((provider, may_change, notices, probe, profile)))
        })
        .await?;
    let (provider, may_change, notices, probe, profile) = found.ok_or(Problem::NotFound)?;
    Ok(page::show(&Health {
        frame: Frame::new(&admin, "connections", request.query_string()),
        secrets: secrets(&provider),
        claims: claims(&profile.unwrap_or_default()),
        provider,
        may_change,
        notices,
        probe,
    }))
}

fn secrets(provider: &Provider) -> Vec<(&'static str, Option<Moment>)> {
    let mut secrets = Vec::new();
    if provider.client_secret_sealed.is_some() {
        secrets.push(("Client secret", provider.secret_expires_at.map(Moment)));
    }
    if provider.next_secret_sealed.is_some() {
        secrets.push(("Next client secret", provider.next_secret_expires_at.map(Moment)));
    }
    secrets
}

/// Those with something strange about them first.
fn claims(profile: &Profile) -> Vec<Claim> {
    let mut claims: Vec<Claim> = profile
        .claims
        .iter()
        .map(|(name, usage)| Claim {
            name: name.clone(),
            kind: usage.kind().map(|kind| kind.to_string()).unwrap_or_default(),
            share: match usage.share() {
                Some(share) => format!("{:.0} %", share * 100.0),
                None => "too early to tell".into(),
            },
            last: Moment(usage.last),
            drift: usage.drift().map(|drift| match drift {
                Drift::Missing { since, run, .. } => Strange {
                    what: format!("missing from the last {run} sign-ins"),
                    since: Moment(since),
                },
                Drift::Type { since, is, .. } => Strange {
                    what: format!("comes as {is}"),
                    since: Moment(since),
                },
            }),
        })
        .collect();
    claims.sort_by_key(|claim| claim.drift.is_none());
    claims
}

async fn probe_now(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _form: Form,
) -> Result<HttpResponse, Problem> {
    let (changes, wanted) = (admin.changes().clone(), id.clone());
    let found = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(provider::find_within(conn, &changes, &wanted)?))
        .await?;
    let provider = found.ok_or(Problem::NotFound)?;
    let path = format!("/console/connections/{}/health", provider.id);
    let looking = broker.clone();
    // A task of its own: a dead provider takes longer than a page may, and what is found is kept all the same.
    let look = tokio::spawn(async move { jobs::watch::look(&looking, &provider.id).await });
    let said = match tokio::time::timeout(LOOK_WITHIN, look).await {
        Ok(Ok(looked)) => match looked? {
            true => "probed",
            false => "probing",
        },
        Err(_) => "probing",
        Ok(Err(cause)) => return Err(StoreError::Lost(cause.to_string()).into()),
    };
    Ok(page::done(&path, said))
}

async fn accept(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, changes, id) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let path = format!("/console/connections/{id}/health");
    let claim = form.text("claim").to_owned();
    broker
        .db
        .write(move |conn| watch::accept_claim(conn, &ctx, &changes, &id, &claim))
        .await?;
    Ok(page::done(&path, "accepted"))
}
