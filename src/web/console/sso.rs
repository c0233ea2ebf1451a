//! Signing in to the console through a pool, as an ordinary app of it would: authorization code, PKCE, nonce. Nothing is
//! stored on the way out; what must be remembered travels sealed in a cookie. The code is exchanged in process.
//!
//! The session's cookie is `SameSite=Strict`, and a chain of redirects that began at the identity provider would not bring
//! it back: so the callback ends in a small page of ours, whose link leads on.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::door::{self, Admin};
use super::links::Notice;
use super::problem::Problem;
use super::{guest, page, sign_in};
use crate::actions::admins::single_sign_on::{self, Arrival, Refused};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::administrator_rule;
use crate::rules::discovery::paths;
use crate::rules::grant::Shown;
use crate::rules::{params, pkce, secret};
use crate::seal::Label;
use crate::web::cookies::{self, Cookies};
use crate::web::headers::RequestId;
use crate::web::resource;
use crate::world::UnixTime;

const COOKIE: &str = "__Host-console-sso";
const LABEL: Label<'_> = Label {
    purpose: "console-sso",
    scope: "console",
    name: COOKIE,
};
/// How long a sign-in may take.
const SECONDS: i64 = 600;
/// Clocks of identity providers may be so much slow.
const SKEW: i64 = 60;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/sso").get(start))
        .service(resource("/console/sso/callback").get(callback));
}

/// Where a pool sends the code.
pub fn callback_uri(public_url: &str) -> String {
    format!("{public_url}/console/sso/callback")
}

#[derive(Deserialize)]
pub struct Asked {
    pool: String,
    next: Option<String>,
    /// The administrator is to prove anew who they are.
    anew: Option<String>,
}

/// What is remembered between start and callback.
#[derive(Serialize, Deserialize)]
struct Started {
    user_pool_id: String,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    at: UnixTime,
    /// The session that is to be replaced by a fresh one, as lists name it.
    anew: Option<String>,
}

pub async fn start(
    request: HttpRequest,
    broker: Data<Broker>,
    admin: Result<Admin, Problem>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let wanted = asked.pool.clone();
    let known = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(administrator_rule::pools(conn)?))
        .await?
        .into_iter()
        .any(|(id, _)| id == wanted);
    if !known {
        return Err(Problem::NotFound);
    }
    let anew = match (&asked.anew, admin) {
        (Some(_), admin) => Some(admin?.session.id),
        (None, _) => None,
    };
    let started = Started {
        user_pool_id: asked.pool.clone(),
        state: secret::short_token(&broker.entropy),
        nonce: secret::short_token(&broker.entropy),
        verifier: secret::token(&broker.entropy),
        next: guest::next(asked.next.as_deref(), &broker.public_url),
        at: broker.clock.now(),
        anew,
    };
    let client_id = single_sign_on::client_id(&started.user_pool_id);
    let callback = callback_uri(&broker.public_url);
    let challenge = pkce::challenge(&started.verifier);
    let mut fields = vec![
        ("client_id", client_id.as_str()),
        ("redirect_uri", callback.as_str()),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", started.state.as_str()),
        ("nonce", started.nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if started.anew.is_some() {
        fields.push(("prompt", "login"));
    }
    let location = format!("{}?{}", paths::AUTHORIZE, params::encode(fields));
    let plain = serde_json::to_vec(&started)
        .map_err(|cause| Problem::Store(StoreError::Unreadable(cause.to_string())))?;
    let sealed = URL_SAFE_NO_PAD.encode(broker.sealer.seal(LABEL, &plain));
    tracing::debug!(
        request_id = RequestId::of(&request),
        "a sign-in to the console starts at a pool"
    );
    Ok(sign_in::with_cookie(
        sign_in::to(&location),
        &cookies::set(COOKIE.into(), sealed, SECONDS),
    ))
}

#[derive(Deserialize)]
pub struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
}

/// The page after the callback.
#[derive(Template)]
#[template(path = "console/onward.html")]
struct Onward<'a> {
    next: &'a str,
}

pub async fn callback(
    request: HttpRequest,
    broker: Data<Broker>,
    answer: Query<Answer>,
) -> Result<HttpResponse, Problem> {
    let Some(started) = started(&request, &broker) else {
        return Ok(refuse(
            "It took too long, or it was begun in another browser. Begin again.",
        ));
    };
    let is_ours = answer
        .state
        .as_deref()
        .is_some_and(|state| secret::equal(state.as_bytes(), started.state.as_bytes()))
        && answer.iss.as_deref() == Some(broker.issuer(&started.user_pool_id).as_str());
    if !is_ours {
        return Ok(refuse("The answer belongs to another sign-in. Begin again."));
    }
    let place = guest::place(&request, &broker);
    let app = broker
        .app(&single_sign_on::client_id(&started.user_pool_id))
        .await?;
    let (Some(code), Some(app)) = (answer.code.clone(), app) else {
        sign_in::failed(&request, &broker, None, "sso", place).await?;
        return Ok(refuse("The sign-in was refused or given up."));
    };
    let ctx = broker.ctx("system", RequestId::of(&request));
    let (redirect_uri, next) = (callback_uri(&broker.public_url), started.next.clone());
    let from = place.clone();
    let arrived = broker
        .db
        .write(move |conn| {
            let arrival = Arrival {
                client: &app.client,
                offer: &app.offer,
                shown: Shown {
                    code: &code,
                    redirect_uri: Some(&redirect_uri),
                    verifier: Some(&started.verifier),
                    resource: None,
                },
                nonce: &started.nonce,
                anew: started.anew.map(|session| (started.at.plus(-SKEW), session)),
            };
            single_sign_on::arrive(conn, &ctx, &arrival, from)
        })
        .await?;
    let why = match arrived {
        Ok(token) => {
            let answer = page::show(&Onward { next: &next });
            let answer = sign_in::with_cookie(answer, &door::cookie(&token));
            return Ok(sign_in::with_cookie(answer, &cookies::clear(COOKIE.into())));
        }
        Err(Refused::Code) => "The answer was used before or is not good. Begin again.",
        Err(Refused::Stale) => "You were not asked for your password. Begin again.",
        Err(Refused::NoRole) => {
            "You are signed in, but none of your groups may use this console. Ask an administrator of it."
        }
        Err(Refused::Disabled) => "Your account here is disabled. Ask an administrator of this console.",
    };
    sign_in::failed(&request, &broker, None, "sso", place).await?;
    Ok(refuse(why))
}

fn started(request: &HttpRequest, broker: &Broker) -> Option<Started> {
    let cookies = Cookies::of(request).ok()?;
    let sealed = URL_SAFE_NO_PAD.decode(cookies.get(COOKIE)?).ok()?;
    let plain = broker.sealer.open(LABEL, &sealed).ok()?;
    let started: Started = serde_json::from_slice(&plain).ok()?;
    (started.at.plus(SECONDS) > broker.clock.now()).then_some(started)
}

fn refuse(why: &str) -> HttpResponse {
    let notice = Notice {
        title: "You are not signed in",
        text: why,
        href: "/console/sign-in",
        label: "To the sign-in page",
    };
    let answer = page::html(StatusCode::FORBIDDEN, &notice);
    sign_in::with_cookie(answer, &cookies::clear(COOKIE.into()))
}
