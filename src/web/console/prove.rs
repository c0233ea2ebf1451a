//! Proving once more who one is, before secrets and deletions: the session goes on, under a new cookie.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::door::{self, Admin, Form};
use super::problem::Problem;
use super::{guest, page, passkeys, sign_in};
use crate::actions::admins;
use crate::broker::{Broker, Who};
use crate::error::StoreError;
use crate::model::{passkey, user};
use crate::rules::params;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/prove").document(get).post(post));
}

#[derive(Template)]
#[template(path = "console/prove.html")]
pub(super) struct ProvePage {
    csrf: String,
    next: String,
    email: String,
    has_password: bool,
    has_passkeys: bool,
    /// Where an administrator proves it who comes through a pool.
    through_pool: Option<String>,
    problem: Option<String>,
}

pub(super) async fn page(
    admin: &Admin,
    broker: &Broker,
    next: &str,
    problem: Option<String>,
) -> Result<ProvePage, StoreError> {
    let who = admin.administrator.clone();
    let (passkeys, user) = broker
        .db
        .read(move |conn| {
            let passkeys = passkey::of_administrator(conn, &who.id)?;
            let user = match who.user_sub {
                Some(sub) => user::find(conn, &sub)?,
                None => None,
            };
            Ok::<_, StoreError>((passkeys, user))
        })
        .await?;
    Ok(ProvePage {
        csrf: admin.csrf.clone(),
        next: next.to_owned(),
        email: admin.administrator.email.clone(),
        has_password: admin.administrator.password_hash.is_some(),
        has_passkeys: !passkeys.is_empty() && passkeys::possible(&broker.public_url),
        through_pool: user.map(|user| {
            let pool = user.user_pool_id.as_str();
            let query = params::encode([("pool", pool), ("next", next), ("anew", "yes")]);
            format!("/console/sso?{query}")
        }),
        problem,
    })
}

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
}

pub async fn get(admin: Admin, broker: Data<Broker>, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let next = guest::next(asked.next.as_deref(), &broker.public_url);
    Ok(page::show(&page(&admin, &broker, &next, None).await?))
}

pub async fn post(
    request: HttpRequest,
    admin: Admin,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let password = Zeroizing::new(form.get("password").unwrap_or_default().to_owned());
    let next = guest::next(form.get("next"), &broker.public_url);
    let who = Who::SignedIn(&admin.administrator.id);
    if let Err(seconds) = broker.attempts.take(broker.clock.now(), who) {
        let page = page(&admin, &broker, &next, Some(sign_in::wait(seconds))).await?;
        let mut answer = page::html(StatusCode::TOO_MANY_REQUESTS, &page);
        sign_in::retry_after(&mut answer, seconds);
        return Ok(answer);
    }
    let hash = admin.administrator.password_hash.clone();
    if !broker.passwords.verify(password, hash).await {
        let place = guest::place(&request, &broker);
        sign_in::failed(
            &request,
            &broker,
            Some(admin.administrator.clone()),
            "password",
            place,
        )
        .await?;
        let page = page(&admin, &broker, &next, Some("The password is wrong.".into())).await?;
        return Ok(page::refused(&page));
    }
    broker.attempts.succeeded(who);
    proved(&admin, &broker, &next).await
}

/// Gives the session its new cookie and goes on.
async fn proved(admin: &Admin, broker: &Broker, next: &str) -> Result<HttpResponse, Problem> {
    let (ctx, session) = (admin.ctx(broker), admin.session.clone());
    let token = broker
        .db
        .write(move |conn| admins::prove(conn, &ctx, &session))
        .await?;
    match token {
        Some(token) => Ok(sign_in::with_cookie(sign_in::to(next), &door::cookie(&token))),
        None => Err(Problem::SignIn {
            next: Some(next.to_owned()),
        }),
    }
}
