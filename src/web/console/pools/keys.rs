//! A pool's signing keys: what signs, what will, what did; turning them over, and taking away one that leaked.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::lists;
use super::super::page::{self, Frame};
use super::super::time::Moment;
use super::{View, look, look_to_change};
use crate::actions::{keys, pools};
use crate::broker::Broker;
use crate::error::Error;
use crate::model::key::{self, SigningKey, State, Usage};
use crate::rules::key_rotation::{self, JWKS_CACHE_SECONDS, LEAD_SECONDS};

/// A key as the page shows it.
struct Row {
    kid: String,
    usage: &'static str,
    state: State,
    /// The state as a pill is coloured.
    pill: &'static str,
    since: Moment,
    /// What happens to it next, before the time when.
    next: &'static str,
    at: Option<Moment>,
    jwk: String,
    revoke: String,
}

#[derive(Template)]
#[template(path = "console/pools/keys.html")]
struct Keys {
    frame: Frame,
    view: View,
    keys: Vec<Row>,
    /// A rotation of both uses is under way.
    rotating: bool,
    lead_minutes: i64,
}

#[derive(Template)]
#[template(path = "console/pools/revoke_key.html")]
struct Revoke {
    frame: Frame,
    view: View,
    mistakes: Mistakes,
    key: Row,
    cache_minutes: i64,
    /// The last characters of the key's id, which are typed to confirm.
    ending: String,
}

fn usage(usage: Usage) -> &'static str {
    match usage {
        Usage::IdToken => "ID tokens",
        Usage::AccessToken => "access tokens",
    }
}

fn row(pool_id: &str, key: &SigningKey, has_successor: bool, rotation_days: u32) -> Row {
    let at = key_rotation::moves_on(key.state, key.state_since, rotation_days);
    let (pill, next, at) = match key.state {
        State::Pending => ("pill--warn", "signs from", at),
        State::Active if has_successor => ("pill--good", "until its successor takes over", None),
        State::Active if at.is_none() => ("pill--good", "until it is rotated by hand", None),
        State::Active => ("pill--good", "gets a successor at", at),
        State::Retiring => ("pill--quiet", "is deleted at", at),
    };
    Row {
        kid: key.kid.clone(),
        usage: usage(key.usage),
        state: key.state,
        pill,
        since: Moment(key.state_since),
        next,
        at: at.map(Moment),
        jwk: serde_json::to_string_pretty(&key.public_jwk).unwrap_or_default(),
        revoke: revoke_path(pool_id, &key.kid),
    }
}

fn revoke_path(pool_id: &str, kid: &str) -> String {
    format!(
        "/console/pools/{pool_id}/keys/revoke?{}",
        crate::rules::params::encode([("kid", kid)])
    )
}

async fn stored(broker: &Broker, pool_id: &str) -> Result<Vec<SigningKey>, Problem> {
    let id = pool_id.to_owned();
    let keys = broker
        .db
        .read(move |conn| -> Result<_, Error> { Ok(key::of_pool(conn, &id)?) })
        .await?;
    Ok(keys)
}

fn has_pending(keys: &[SigningKey], usage: Usage) -> bool {
    keys.iter()
        .any(|key| key.usage == usage && key.state == State::Pending)
}

pub async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "keys").await?;
    let mut stored = stored(&broker, &view.pool.id).await?;
    stored.sort_by_key(|key| (key.usage, key.state));
    let days = view.pool.settings.key_rotation_days;
    Ok(page::show(&Keys {
        frame: Frame::new(&admin, "pools", request.query_string()),
        keys: stored
            .iter()
            .map(|key| row(&view.pool.id, key, has_pending(&stored, key.usage), days))
            .collect(),
        rotating: Usage::ALL.iter().all(|usage| has_pending(&stored, *usage)),
        lead_minutes: LEAD_SECONDS / 60,
        view,
    }))
}

pub async fn rotate(
    admin: Admin,
    _form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look_to_change(&broker, &admin, &id, "keys").await?;
    let path = format!("/console/pools/{}/keys", view.pool.id);
    admin.require_fresh(broker.clock.now(), &path)?;
    let successors = broker.new_keys().await?.each();
    let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), view.pool.id);
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &id)?;
            keys::rotate(conn, &ctx, &id, &successors)
        })
        .await?;
    broker.forget();
    Ok(page::done(&path, "rotating"))
}

pub async fn confirm_revoke(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let kid = lists::query(&request)?.get("kid").unwrap_or_default().to_owned();
    let page = prepare(&admin, &broker, &id, &kid).await?;
    Ok(page::show(&page))
}

pub async fn revoke(
    admin: Admin,
    form: Form,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let mut page = prepare(&admin, &broker, &id, form.text("kid")).await?;
    if form.text("confirm") != page.ending {
        page.mistakes.add(
            "confirm",
            format!("type {}, the last characters of the key's id", page.ending),
        );
        return Ok(page::refused(&page));
    }
    let spare = broker.new_key().await?;
    let (ctx, reach) = (admin.ctx(&broker), admin.changes().clone());
    let (id, kid) = (page.view.pool.id, page.key.kid);
    let path = format!("/console/pools/{id}/keys");
    broker
        .db
        .write(move |conn| {
            pools::find_within(conn, &reach, &id)?;
            keys::revoke(conn, &ctx, &id, &kid, &spare)
        })
        .await?;
    broker.forget();
    Ok(page::done(&path, "deleted"))
}

/// The page about a key, for somebody who may change the pool and has just proved who they are.
async fn prepare(admin: &Admin, broker: &Broker, id: &str, kid: &str) -> Result<Revoke, Problem> {
    let view = look_to_change(broker, admin, id, "keys").await?;
    let stored = stored(broker, &view.pool.id).await?;
    let key = stored
        .iter()
        .find(|key| key.kid == kid)
        .ok_or(Problem::NotFound)?;
    admin.require_fresh(broker.clock.now(), &revoke_path(&view.pool.id, kid))?;
    let ending: String = kid.chars().skip(kid.chars().count().saturating_sub(6)).collect();
    let days = view.pool.settings.key_rotation_days;
    Ok(Revoke {
        frame: Frame::new(admin, "pools", ""),
        mistakes: Mistakes::default(),
        key: row(&view.pool.id, key, has_pending(&stored, key.usage), days),
        cache_minutes: JWKS_CACHE_SECONDS / 60,
        ending,
        view,
    })
}
