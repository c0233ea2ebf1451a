//! Pages behind links that are good for one use: the console's set-up, and the choice of a password.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use zeroize::Zeroizing;

use super::door;
use super::filled::Mistakes;
use super::guest::{self, Guest, GuestForm};
use super::problem::Problem;
use super::{page, sign_in};
use crate::actions::admins::Proof;
use crate::actions::admins::links::{self, FirstOperator};
use crate::broker::{Broker, Who};
use crate::error::Error;
use crate::model::administrator::Administrator;
use crate::rules::password;
use crate::web::headers::RequestId;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/setup/{token}")
            .document(set_up_get)
            .post(set_up_post),
    )
    .service(
        resource("/console/password/{token}")
            .document(password_get)
            .post(password_post),
    );
}

/// The form that a link opens: the first operator, an invited administrator, a new password.
#[derive(Template)]
#[template(path = "console/link.html")]
struct LinkPage {
    kind: Kind,
    csrf: String,
    action: String,
    email: String,
    name: String,
    refused: Mistakes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    SetUp,
    Invitation,
    Password,
}

/// A link that was used, has expired, or never was.
#[derive(Template)]
#[template(path = "console/notice.html")]
pub(super) struct Notice<'a> {
    pub title: &'a str,
    pub text: &'a str,
    pub href: &'a str,
    pub label: &'a str,
}

fn spent() -> HttpResponse {
    let notice = Notice {
        title: "This link is not good any more",
        text: "It was used already, has expired, or a newer one has taken its place. Ask for a new one; on the server, \
               forebay admin setup-link and forebay admin reset-password make one.",
        href: "/console/sign-in",
        label: "To the sign-in page",
    };
    page::html(StatusCode::NOT_FOUND, &notice)
}

fn show(request: &HttpRequest, broker: &Broker, mut page: LinkPage) -> HttpResponse {
    let guest = Guest::of(request, broker);
    page.csrf = guest.csrf;
    page.action = request.path().to_owned();
    let answer = if !page.refused.is_empty() {
        page::refused(&page)
    } else {
        page::show(&page)
    };
    sign_in::with_cookie(answer, &guest.cookie)
}

pub async fn set_up_get(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    let now = broker.clock.now();
    let good = broker
        .db
        .read(move |conn| links::may_set_up(conn, now, &token))
        .await?;
    if !good {
        return Ok(spent());
    }
    Ok(show(
        &request,
        &broker,
        set_up_page(String::new(), String::new(), Mistakes::default()),
    ))
}

fn set_up_page(email: String, name: String, refused: Mistakes) -> LinkPage {
    LinkPage {
        kind: Kind::SetUp,
        csrf: String::new(),
        action: String::new(),
        email,
        name,
        refused,
    }
}

pub async fn set_up_post(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
    form: GuestForm,
) -> Result<HttpResponse, Problem> {
    let (email, name) = (form.text("email").to_owned(), form.text("name").to_owned());
    let refuse = |refused| {
        Ok(show(
            &request,
            &broker,
            set_up_page(email.clone(), name.clone(), refused),
        ))
    };
    // Asked before the costly hash: whoever has no link makes us compute nothing.
    let (now, asked) = (broker.clock.now(), token.clone());
    let good = broker
        .db
        .read(move |conn| links::may_set_up(conn, now, &asked))
        .await?;
    if !good {
        return Ok(spent());
    }
    let hash = match hash(&broker, &form, &email).await {
        Ok(hash) => hash,
        Err(refused) => return refuse(refused),
    };
    let (ctx, token) = (broker.ctx("set-up", RequestId::of(&request)), token.into_inner());
    let first = FirstOperator {
        email: email.clone(),
        name: name.clone(),
        password_hash: hash,
    };
    let made = broker
        .db
        .write(move |conn| links::set_up(conn, &ctx, &token, first))
        .await;
    match made {
        Ok(made) => enter(&request, &broker, &made).await,
        Err(Error::NotFound(_)) => Ok(spent()),
        Err(error) => refuse(Mistakes::of(error, "email")?),
    }
}

pub async fn password_get(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    match whose(&broker, &token).await? {
        Some(whose) => Ok(show(
            &request,
            &broker,
            password_page(&whose, None, Mistakes::default()),
        )),
        None => Ok(spent()),
    }
}

async fn whose(broker: &Broker, token: &str) -> Result<Option<Administrator>, Error> {
    let (now, token) = (broker.clock.now(), token.to_owned());
    broker
        .db
        .read(move |conn| links::whose_password(conn, now, &token))
        .await
}

fn password_page(whose: &Administrator, typed: Option<&str>, refused: Mistakes) -> LinkPage {
    LinkPage {
        kind: match whose.password_hash {
            None => Kind::Invitation,
            Some(_) => Kind::Password,
        },
        csrf: String::new(),
        action: String::new(),
        email: whose.email.clone(),
        name: typed.unwrap_or(&whose.name).to_owned(),
        refused,
    }
}

pub async fn password_post(
    request: HttpRequest,
    broker: Data<Broker>,
    token: Path<String>,
    form: GuestForm,
) -> Result<HttpResponse, Problem> {
    let Some(whose) = whose(&broker, &token).await? else {
        return Ok(spent());
    };
    let name = whose
        .password_hash
        .is_none()
        .then(|| form.text("name").to_owned());
    let refuse = |refused| {
        Ok(show(
            &request,
            &broker,
            password_page(&whose, name.as_deref(), refused),
        ))
    };
    let hash = match hash(&broker, &form, &whose.email).await {
        Ok(hash) => hash,
        Err(refused) => return refuse(refused),
    };
    let ctx = broker.ctx("link", RequestId::of(&request));
    let (given, token) = (name.clone(), token.into_inner());
    let chosen = broker
        .db
        .write(move |conn| links::choose_password(conn, &ctx, &token, given.as_deref(), hash))
        .await;
    match chosen {
        Ok(chosen) => {
            // Whoever was locked out for trying has another way in now.
            broker.attempts.succeeded(Who::Guest {
                account: &chosen.email,
                address: guest::address(&request, &broker),
            });
            enter(&request, &broker, &chosen).await
        }
        Err(Error::NotFound(_)) => Ok(spent()),
        Err(error) => refuse(Mistakes::of(error, "name")?),
    }
}

/// The hash of the password that the form brings, if it may be one.
pub(super) async fn hash(broker: &Broker, form: &GuestForm, email: &str) -> Result<String, Mistakes> {
    let typed = Zeroizing::new(form.0.get("password").unwrap_or_default().to_owned());
    password::check(&typed, email).map_err(|why| Mistakes::one("password", why))?;
    broker
        .passwords
        .hash(&broker.entropy, typed)
        .await
        .ok_or_else(|| Mistakes::one("password", "The password could not be stored. Try again."))
}

/// Opens the session of somebody who has just chosen a password, and leads them to where a passkey can be added.
async fn enter(request: &HttpRequest, broker: &Broker, who: &Administrator) -> Result<HttpResponse, Problem> {
    let place = guest::place(request, broker);
    let Some(verified) = who.password_hash.clone() else {
        return Ok(spent());
    };
    let proof = Proof::Password { verified };
    match sign_in::open(request, broker, &who.id, proof, place).await? {
        Some(token) => Ok(sign_in::with_cookie(
            page::done("/console/account", "welcome"),
            &door::cookie(&token),
        )),
        None => Ok(spent()),
    }
}
