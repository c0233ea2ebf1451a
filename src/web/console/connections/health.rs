//! How a connection is doing: what needs attention, the last look at it stage by stage, which claims come, when its
//! secrets end. A look can be asked for at once.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, open};
use crate::actions::watch;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::jobs;
use crate::model::claims_seen::{self, Profile};
use crate::model::notice::{self, Notice};
use crate::model::probe::{self, Probe};
use crate::model::provider::Provider;
use crate::rules::drift::Drift;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

/// How long the page waits for a look that was asked for; it goes on by itself.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

#[derive(Template)]
#[template(path = "console/connections/health.html")]
struct Health {
    frame: Frame,
    at: At,
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

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.sees(), &id).await?;
    let id = opened.provider.id.clone();
    let (notices, probe, profile) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let notices = notice::of_provider(conn, &id)?;
            let probe = probe::find(conn, &id)?;
            let profile = claims_seen::profile(conn, &id)?.map(|(profile, _)| profile);
            Ok((notices, probe, profile))
        })
        .await?;
    Ok(page::show(&Health {
        frame: Frame::new(&admin, "connections", request.query_string()),
        at: At::new(&admin, &opened, "/health"),
        secrets: secrets(&opened.provider),
        claims: claims(&profile.unwrap_or_default()),
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

pub async fn probe_now(
    admin: Admin,
    id: Path<String>,
    _form: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let provider = open(&broker, admin.changes(), &id).await?.provider;
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

pub async fn accept(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let id = open(&broker, admin.changes(), &id).await?.provider.id;
    let (ctx, changes) = (admin.ctx(&broker), admin.changes().clone());
    let path = format!("/console/connections/{id}/health");
    let claim = form.text("claim").to_owned();
    broker
        .db
        .write(move |conn| watch::accept_claim(conn, &ctx, &changes, &id, &claim))
        .await?;
    Ok(page::done(&path, "accepted"))
}
