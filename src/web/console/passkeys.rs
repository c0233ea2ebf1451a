//! Passkeys as the browser's script speaks of them: a challenge as JSON, and its answer in a field of an ordinary form.
//! They work over https and on localhost only; elsewhere no page offers them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::{Host, Url};
use webauthn_rs::prelude::{CredentialID, Uuid, Webauthn, WebauthnBuilder, WebauthnError};

use super::door::{self, Admin, Form};
use super::guest::{self, GuestForm};
use super::problem::Problem;
use super::{page, prove, sign_in};
use crate::actions::admins::passkeys::{self, Answer, Purpose};
use crate::broker::{Broker, rest_of_minute};
use crate::error::StoreError;
use crate::model::passkey;
use crate::rules::params::Params;
use crate::rules::secret;
use crate::web::cookies::Cookies;
use crate::web::headers::RequestId;
use crate::web::resource;

const NOT_ACCEPTED: &str = "The passkey was not accepted. Try again, or use another way in.";

/// The longest name of a passkey, in characters.
const LONGEST_NAME: usize = 64;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/sign-in/passkey").post(sign_in_post))
        .service(resource("/console/sign-in/passkey/challenge").post(sign_in_challenge))
        .service(resource("/console/prove/passkey").post(prove_post))
        .service(resource("/console/prove/passkey/challenge").post(prove_challenge))
        .service(resource("/console/account/passkeys").post(register))
        .service(resource("/console/account/passkeys/challenge").post(register_challenge))
        .service(resource("/console/account/passkeys/{id}/delete").post(remove));
}

/// Whether browsers let passkeys be used at this address.
pub fn possible(public_url: &str) -> bool {
    Url::parse(public_url).is_ok_and(|url| match url.host() {
        Some(Host::Domain(host)) => url.scheme() == "https" || host == "localhost",
        _ => false,
    })
}

fn webauthn(broker: &Broker) -> Result<Webauthn, Problem> {
    let refused = |_: WebauthnError| Problem::Malformed("passkeys need https, or localhost");
    let origin = Url::parse(&broker.public_url)
        .map_err(|_| Problem::Malformed("passkeys need https, or localhost"))?;
    if !possible(&broker.public_url) {
        return Err(Problem::Malformed("passkeys need https, or localhost"));
    }
    WebauthnBuilder::new(origin.host_str().unwrap_or_default(), &origin)
        .and_then(|builder| builder.rp_name("Forebay console").build())
        .map_err(refused)
}

fn broken(cause: WebauthnError) -> Problem {
    Problem::Store(StoreError::Unreadable(format!("a passkey's challenge: {cause}")))
}

/// The challenge for the script: its name, and what `navigator.credentials` is called with.
fn challenge(token: &str, options: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "challenge": token, "options": options }))
}

/// What the script put into the form.
fn answer<T: DeserializeOwned>(form: &Params) -> Option<Answer<T>> {
    Some(Answer {
        challenge: form.get("challenge")?.to_owned(),
        credential: serde_json::from_str(form.get("credential")?).ok()?,
    })
}

pub async fn sign_in_challenge(
    request: HttpRequest,
    broker: Data<Broker>,
    _: GuestForm,
) -> Result<HttpResponse, Problem> {
    let ctx = broker.ctx("system", RequestId::of(&request));
    if !broker.challenges.take(ctx.now, guest::address(&request, &broker)) {
        let mut answer = HttpResponse::TooManyRequests().finish();
        sign_in::retry_after(&mut answer, rest_of_minute(ctx.now));
        return Ok(answer);
    }
    let (asked, state) = webauthn(&broker)?
        .start_discoverable_authentication()
        .map_err(broken)?;
    let token = broker
        .db
        .write(move |conn| passkeys::keep_challenge(conn, &ctx, Purpose::SignIn, "", &state))
        .await?;
    Ok(challenge(&token, &asked.public_key))
}

pub async fn sign_in_post(
    request: HttpRequest,
    broker: Data<Broker>,
    form: GuestForm,
) -> Result<HttpResponse, Problem> {
    let next = guest::next(form.0.get("next"), &broker.public_url);
    let place = guest::place(&request, &broker);
    let webauthn = webauthn(&broker)?;
    let ctx = broker.ctx("system", RequestId::of(&request));
    let replaced = Cookies::of(&request)
        .ok()
        .and_then(|cookies| cookies.get(door::COOKIE).map(secret::hash));
    let opened = match answer(&form.0) {
        None => None,
        Some(answer) => {
            let place = place.clone();
            broker
                .db
                .write(move |conn| {
                    passkeys::sign_in(conn, &ctx, &webauthn, &answer, place, replaced.as_deref())
                })
                .await?
        }
    };
    match opened {
        Some(token) => Ok(sign_in::with_cookie(sign_in::to(&next), &door::cookie(&token))),
        None => {
            sign_in::failed(&request, &broker, None, "passkey", place).await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            sign_in::refuse(&request, &broker, status, &next, "", NOT_ACCEPTED.into()).await
        }
    }
}

pub async fn prove_challenge(admin: Admin, broker: Data<Broker>, _: Form) -> Result<HttpResponse, Problem> {
    let ctx = admin.ctx(&broker);
    let webauthn = webauthn(&broker)?;
    let id = admin.administrator.id;
    let wanted = id.clone();
    let held = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(passkey::of_administrator(conn, &wanted)?))
        .await?;
    let held: Vec<_> = held.into_iter().map(|passkey| passkey.credential.0).collect();
    let (asked, state) = webauthn.start_passkey_authentication(&held).map_err(broken)?;
    let token = broker
        .db
        .write(move |conn| passkeys::keep_challenge(conn, &ctx, Purpose::Prove, &id, &state))
        .await?;
    Ok(challenge(&token, &asked.public_key))
}

pub async fn prove_post(
    request: HttpRequest,
    admin: Admin,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let next = guest::next(form.get("next"), &broker.public_url);
    let (ctx, session, webauthn) = (admin.ctx(&broker), admin.session.clone(), webauthn(&broker)?);
    let proved = match answer(&form.0) {
        None => None,
        Some(answer) => {
            broker
                .db
                .write(move |conn| passkeys::prove(conn, &ctx, &webauthn, &session, &answer))
                .await?
        }
    };
    match proved {
        Some(token) => Ok(sign_in::with_cookie(sign_in::to(&next), &door::cookie(&token))),
        None => {
            let place = guest::place(&request, &broker);
            let who = Some(admin.administrator.clone());
            sign_in::failed(&request, &broker, who, "passkey", place).await?;
            let page = prove::page(&admin, &broker, &next, Some(NOT_ACCEPTED.into())).await?;
            Ok(page::refused(&page))
        }
    }
}

pub async fn register_challenge(
    admin: Admin,
    broker: Data<Broker>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), "/console/account")?;
    let ctx = admin.ctx(&broker);
    let webauthn = webauthn(&broker)?;
    let who = admin.administrator;
    let id = who.id.clone();
    let held = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(passkey::of_administrator(conn, &id)?))
        .await?;
    let held: Vec<CredentialID> = held
        .iter()
        .map(|passkey| passkey.credential.cred_id().clone())
        .collect();
    let handle = Uuid::parse_str(&who.id).map_err(|_| Problem::NotFound)?;
    let (asked, state) = webauthn
        .start_passkey_registration(handle, &who.email, &who.name, Some(held))
        .map_err(broken)?;
    // The sign-in asks for no address: the authenticator must find the credential by itself.
    let mut options = json!(asked.public_key);
    options["authenticatorSelection"]["residentKey"] = json!("required");
    options["authenticatorSelection"]["requireResidentKey"] = json!(true);
    let token = broker
        .db
        .write(move |conn| passkeys::keep_challenge(conn, &ctx, Purpose::Register, &who.id, &state))
        .await?;
    Ok(challenge(&token, &options))
}

pub async fn register(
    request: HttpRequest,
    admin: Admin,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), "/console/account")?;
    let (ctx, webauthn, session) = (admin.ctx(&broker), webauthn(&broker)?, admin.session.clone());
    let name: String = form
        .text("passkey_name")
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect();
    let name = if name.is_empty() {
        "Passkey".to_owned()
    } else {
        name
    };
    let registered = match answer(&form.0) {
        None => false,
        Some(answer) => {
            broker
                .db
                .write(move |conn| passkeys::register(conn, &ctx, &webauthn, &session, &name, &answer))
                .await?
        }
    };
    if registered {
        return Ok(page::done("/console/account", "passkey"));
    }
    let refused = super::filled::Mistakes::one("passkey", "The passkey was not accepted. Try again.");
    super::account::refuse(&request, &admin, &broker, refused).await
}

pub async fn remove(
    request: HttpRequest,
    admin: Admin,
    broker: Data<Broker>,
    id: actix_web::web::Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    admin.require_fresh(broker.clock.now(), "/console/account")?;
    let (ctx, whose) = (admin.ctx(&broker), admin.administrator.id.clone());
    let id = id.into_inner();
    let removed = broker
        .db
        .write(move |conn| passkeys::remove(conn, &ctx, &whose, &id))
        .await;
    match removed {
        Ok(()) => Ok(page::done("/console/account", "passkey-removed")),
        Err(error) => {
            let refused = super::filled::Mistakes::of(error, "passkey")?;
            super::account::refuse(&request, &admin, &broker, refused).await
        }
    }
}
