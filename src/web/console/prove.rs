//! Proving once more who one is, before secrets and deletions: the session goes on, under a new cookie.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::door::{self, Admin, Form};
use super::problem::Problem;
use super::{guest, page, sign_in};
use crate::actions::admins;
use crate::broker::Broker;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/prove").document(get).post(post));
}

#[derive(Template)]
#[template(path = "console/prove.html")]
struct ProvePage {
    csrf: String,
    next: String,
    email: String,
    has_password: bool,
    problem: Option<String>,
}

impl ProvePage {
    fn new(admin: &Admin, next: &str, problem: Option<String>) -> ProvePage {
        ProvePage {
            csrf: admin.csrf.clone(),
            next: next.to_owned(),
            email: admin.administrator.email.clone(),
            has_password: admin.administrator.password_hash.is_some(),
            problem,
        }
    }
}

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
}

pub async fn get(admin: Admin, broker: Data<Broker>, asked: Query<Asked>) -> HttpResponse {
    let next = guest::next(asked.next.as_deref(), &broker.public_url);
    page::show(&ProvePage::new(&admin, &next, None))
}

pub async fn post(
    request: HttpRequest,
    admin: Admin,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let password = Zeroizing::new(form.get("password").unwrap_or_default().to_owned());
    let next = guest::next(form.get("next"), &broker.public_url);
    let email = admin.administrator.email.clone();
    let (now, address) = (broker.clock.now(), guest::address(&request, &broker));
    if let Err(seconds) = broker.attempts.take(now, &email, address) {
        let page = ProvePage::new(&admin, &next, Some(sign_in::wait(seconds)));
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
        let page = ProvePage::new(&admin, &next, Some("The password is wrong.".into()));
        return Ok(page::refused(&page));
    }
    broker.attempts.succeeded(&email, address);
    proved(&admin, &broker, &next).await
}

/// Gives the session its new cookie and goes on.
pub(super) async fn proved(admin: &Admin, broker: &Broker, next: &str) -> Result<HttpResponse, Problem> {
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
