//! Signing in with a password, and signing out. Unknown address, wrong password and disabled account get the same answer
//! after the same work.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::door::{self, Admin, Form};
use super::guest::{self, Guest, GuestForm};
use super::problem::Problem;
use super::{page, passkeys};
use crate::actions::admins::{self, Place, Proof};
use crate::broker::{Broker, Who};
use crate::error::StoreError;
use crate::model::administrator::{self, Administrator};
use crate::model::administrator_rule;
use crate::rules::{params, secret};
use crate::web::cookies::Cookies;
use crate::web::headers::RequestId;
use crate::web::resource;

/// No address is longer (RFC 5321 §4.5.3.1.3).
const LONGEST_ADDRESS: usize = 254;
const WRONG: &str = "The address or the password is wrong.";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/sign-in").document(get).post(post))
        .service(resource("/console/sign-out").post(sign_out));
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    csrf: String,
    next: String,
    email: String,
    problem: Option<String>,
    /// The last session has just ended.
    signed_out: bool,
    passkeys_possible: bool,
    /// The pools through which administrators sign in: the name and where its button leads.
    pools: Vec<(String, String)>,
}

async fn page(broker: &Broker, guest: &Guest, next: &str) -> Result<SignInPage, StoreError> {
    let pools = broker
        .db
        .read(|conn| Ok::<_, StoreError>(administrator_rule::pools(conn)?))
        .await?;
    Ok(SignInPage {
        csrf: guest.csrf.clone(),
        next: next.to_owned(),
        email: String::new(),
        problem: None,
        signed_out: false,
        passkeys_possible: passkeys::possible(&broker.public_url),
        pools: pools
            .into_iter()
            .map(|(id, name)| {
                let query = params::encode([("pool", id.as_str()), ("next", next)]);
                (name, format!("/console/sso?{query}"))
            })
            .collect(),
    })
}

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
    done: Option<String>,
}

pub async fn get(
    request: HttpRequest,
    broker: Data<Broker>,
    admin: Result<Admin, Problem>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let next = guest::next(asked.next.as_deref(), &broker.public_url);
    if admin.is_ok() {
        return Ok(to(&next));
    }
    let guest = Guest::of(&request, &broker);
    let mut page = page(&broker, &guest, &next).await?;
    page.signed_out = asked.done.as_deref() == Some("signed-out");
    Ok(with_cookie(page::show(&page), &guest.cookie))
}

pub async fn post(
    request: HttpRequest,
    broker: Data<Broker>,
    form: GuestForm,
) -> Result<HttpResponse, Problem> {
    let email = form.text("email").to_lowercase();
    let password = Zeroizing::new(form.0.get("password").unwrap_or_default().to_owned());
    let next = guest::next(form.0.get("next"), &broker.public_url);
    if email.len() > LONGEST_ADDRESS {
        // Nobody's: nothing is to be looked up, nor remembered.
        let (status, why) = (StatusCode::UNPROCESSABLE_ENTITY, WRONG.into());
        return refuse(&request, &broker, status, &next, &email, why).await;
    }
    let (now, address) = (broker.clock.now(), guest::address(&request, &broker));
    let who = Who::Guest {
        account: &email,
        address,
    };
    if let Err(seconds) = broker.attempts.take(now, who) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut answer = refuse(&request, &broker, status, &next, &email, wait(seconds)).await?;
        retry_after(&mut answer, seconds);
        return Ok(answer);
    }
    let found = find(&broker, &email).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let is_right = broker.passwords.verify(password, hash.clone()).await;
    let place = guest::place(&request, &broker);
    let opened = match found
        .as_ref()
        .zip(hash)
        .filter(|(found, _)| is_right && found.enabled)
    {
        Some((administrator, verified)) => {
            let proof = Proof::Password { verified };
            open(&request, &broker, &administrator.id, proof, place.clone()).await?
        }
        None => None,
    };
    match opened {
        Some(token) => {
            broker.attempts.succeeded(who);
            Ok(with_cookie(to(&next), &door::cookie(&token)))
        }
        None => {
            failed(&request, &broker, found, "password", place).await?;
            let (status, why) = (StatusCode::UNPROCESSABLE_ENTITY, WRONG.into());
            refuse(&request, &broker, status, &next, &email, why).await
        }
    }
}

/// The page again with what is wrong.
pub(super) async fn refuse(
    request: &HttpRequest,
    broker: &Broker,
    status: StatusCode,
    next: &str,
    email: &str,
    problem: String,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(request, broker);
    let mut page = page(broker, &guest, next).await?;
    page.email = email.chars().take(LONGEST_ADDRESS).collect();
    page.problem = Some(problem);
    Ok(page::html(status, &page))
}

/// The administrator of that address.
async fn find(broker: &Broker, email: &str) -> Result<Option<Administrator>, StoreError> {
    let email = email.to_owned();
    broker
        .db
        .read(move |conn| Ok::<_, StoreError>(administrator::find_by_email(conn, &email)?))
        .await
}

/// Opens the session of somebody who has proved who they are; it takes the place of the one that the browser has.
pub(super) async fn open(
    request: &HttpRequest,
    broker: &Broker,
    administrator_id: &str,
    proof: Proof,
    place: Place,
) -> Result<Option<String>, StoreError> {
    let ctx = broker.ctx("system", RequestId::of(request));
    let id = administrator_id.to_owned();
    let replaced = Cookies::of(request)
        .ok()
        .and_then(|cookies| cookies.get(door::COOKIE).map(secret::hash));
    broker
        .db
        .write(move |conn| admins::sign_in(conn, &ctx, &id, &proof, place, replaced.as_deref()))
        .await
}

/// Leaves an audit event of a sign-in that failed, unless there were many just now.
pub(super) async fn failed(
    request: &HttpRequest,
    broker: &Broker,
    administrator: Option<Administrator>,
    method: &'static str,
    place: Place,
) -> Result<(), StoreError> {
    let ctx = broker.ctx("anonymous", RequestId::of(request));
    if !broker
        .failed_sign_ins
        .take(ctx.now, guest::address(request, broker))
    {
        return Ok(());
    }
    broker
        .db
        .write(move |conn| admins::sign_in_failed(conn, &ctx, administrator.as_ref(), method, &place))
        .await
}

pub async fn sign_out(admin: Admin, broker: Data<Broker>, _: Form) -> Result<HttpResponse, Problem> {
    let ctx = admin.ctx(&broker);
    broker
        .db
        .write(move |conn| admins::sign_out(conn, &ctx, &admin.session, &admin.administrator.email))
        .await?;
    Ok(with_cookie(
        page::done("/console/sign-in", "signed-out"),
        &door::cleared(),
    ))
}

/// On to a page of ours.
pub(super) fn to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .finish()
}

pub(super) fn with_cookie(mut answer: HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> HttpResponse {
    if answer.add_cookie(cookie).is_err() {
        tracing::error!("a cookie of ours could not be written");
    }
    answer
}

/// What is said to somebody who has tried too often.
pub(super) fn wait(seconds: i64) -> String {
    match (seconds + 59) / 60 {
        1 => "That was wrong too often. Try again in a minute.".into(),
        minutes => format!("That was wrong too often. Try again in {minutes} minutes."),
    }
}

pub(super) fn retry_after(answer: &mut HttpResponse, seconds: i64) {
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
}
