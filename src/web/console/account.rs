//! One's own account: name, password, passkeys, sessions.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use zeroize::Zeroizing;

use super::door::{self, Admin, Form};
use super::filled::Mistakes;
use super::page::{self, Frame};
use super::problem::Problem;
use super::roles::Names;
use super::time::Moment;
use super::{passkeys, sign_in};
use crate::actions::admins;
use crate::broker::{Broker, Who};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::admin_session::{self, AdminSession};
use crate::model::{administrator, passkey};
use crate::rules::{password, user_agent};
use crate::web::resource;
use crate::world::UnixTime;

const PATH: &str = "/console/account";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource(PATH).document(get))
        .service(resource("/console/account/name").post(rename))
        .service(resource("/console/account/password").post(change_password))
        .service(resource("/console/account/sessions/{id}/end").post(end_session))
        .service(resource("/console/account/sign-out-everywhere").post(sign_out_everywhere));
}

#[derive(Template)]
#[template(path = "console/account.html")]
struct AccountPage {
    frame: Frame,
    email: String,
    name: String,
    roles: Vec<String>,
    /// Comes through a pool: no password, no passkeys, no name of one's own here.
    through_pool: bool,
    has_password: bool,
    passkeys_possible: bool,
    passkeys: Vec<PasskeyRow>,
    sessions: Vec<SessionRow>,
    refused: Mistakes,
}

struct PasskeyRow {
    id: String,
    name: String,
    created: Moment,
    used: Option<Moment>,
}

/// A session as lists show it.
pub(super) struct SessionRow {
    pub id: String,
    pub method: &'static str,
    pub address: String,
    pub browser: String,
    pub created: Moment,
    pub seen: Moment,
    /// The one that shows the list.
    pub is_this: bool,
}

/// The sessions that this administrator has open.
pub(super) fn sessions(
    conn: &mut Conn,
    administrator_id: &str,
    now: UnixTime,
    this: &AdminSession,
) -> Result<Vec<SessionRow>, StoreError> {
    let idle = now.plus(-admins::IDLE_SECONDS);
    let rows = admin_session::of_administrator(conn, administrator_id, now, idle)?;
    Ok(rows
        .into_iter()
        .map(|session| SessionRow {
            is_this: session.id == this.id,
            method: match session.method.as_str() {
                "password" => "Password",
                "passkey" => "Passkey",
                _ => "Single sign-on",
            },
            browser: user_agent::describe(&session.user_agent),
            created: Moment(session.created_at),
            seen: Moment(session.last_seen_at),
            id: session.id,
            address: session.address,
        })
        .collect())
}

async fn page(
    request: &HttpRequest,
    admin: &Admin,
    broker: &Broker,
    refused: Mistakes,
) -> Result<AccountPage, StoreError> {
    let (who, session, now) = (
        admin.administrator.clone(),
        admin.session.clone(),
        broker.clock.now(),
    );
    let (passkeys, sessions, roles) = broker
        .db
        .read(move |conn| {
            let grants = match &who.user_sub {
                None => administrator::grants(conn, &who.id)?,
                Some(sub) => {
                    let came_by = session.provider_id.as_deref().unwrap_or_default();
                    admins::single_sign_on::grants(conn, &who.id, sub, came_by)?
                }
            };
            let mut names = Names::default();
            let mut roles = Vec::new();
            for grant in &grants {
                roles.push(names.of_grant(conn, grant)?);
            }
            Ok::<_, StoreError>((
                passkey::of_administrator(conn, &who.id)?,
                sessions(conn, &who.id, now, &session)?,
                roles,
            ))
        })
        .await?;
    Ok(AccountPage {
        frame: Frame::new(admin, "account", request.query_string()),
        email: admin.administrator.email.clone(),
        name: admin.administrator.name.clone(),
        roles,
        through_pool: admin.administrator.user_sub.is_some(),
        has_password: admin.administrator.password_hash.is_some(),
        passkeys_possible: passkeys::possible(&broker.public_url),
        passkeys: passkeys
            .into_iter()
            .map(|passkey| PasskeyRow {
                id: passkey.id,
                name: passkey.name,
                created: Moment(passkey.created_at),
                used: passkey.last_used_at.map(Moment),
            })
            .collect(),
        sessions,
        refused,
    })
}

pub async fn get(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    let page = page(&request, &admin, &broker, Mistakes::default()).await?;
    Ok(page::show(&page))
}

/// The page again with what was refused.
pub(super) async fn refuse(
    request: &HttpRequest,
    admin: &Admin,
    broker: &Broker,
    refused: Mistakes,
) -> Result<HttpResponse, Problem> {
    Ok(page::refused(&page(request, admin, broker, refused).await?))
}

pub async fn rename(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, who, name) = (
        admin.ctx(&broker),
        admin.administrator.clone(),
        form.text("name").to_owned(),
    );
    let renamed = broker
        .db
        .write(move |conn| admins::rename(conn, &ctx, &who, &name))
        .await;
    match renamed {
        Ok(()) => Ok(page::done(PATH, "saved")),
        Err(error) => refuse(&request, &admin, &broker, Mistakes::of(error, "name")?).await,
    }
}

/// The present password is asked for, whatever the session is worth: it proves who sits there.
pub async fn change_password(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let field = |name: &str| Zeroizing::new(form.get(name).unwrap_or_default().to_owned());
    let (present, chosen) = (field("present"), field("password"));
    let Some(held) = admin.administrator.password_hash.clone() else {
        return Err(Problem::NotFound);
    };
    if let Err(why) = password::check(&chosen, &admin.administrator.email) {
        return refuse(&request, &admin, &broker, Mistakes::one("password", why)).await;
    }
    let who = Who::SignedIn(&admin.administrator.id);
    if let Err(seconds) = broker.attempts.take(broker.clock.now(), who) {
        let refused = Mistakes::one("present", sign_in::wait(seconds));
        let page = page(&request, &admin, &broker, refused).await?;
        let mut answer = page::html(StatusCode::TOO_MANY_REQUESTS, &page);
        sign_in::retry_after(&mut answer, seconds);
        return Ok(answer);
    }
    if !broker.passwords.verify(present, Some(held.clone())).await {
        let refused = Mistakes::one("present", "This is not your present password.");
        return refuse(&request, &admin, &broker, refused).await;
    }
    broker.attempts.succeeded(who);
    let Some(hash) = broker.passwords.hash(&broker.entropy, chosen).await else {
        let refused = Mistakes::one("password", "The password could not be stored. Try again.");
        return refuse(&request, &admin, &broker, refused).await;
    };
    let (ctx, session) = (admin.ctx(&broker), admin.session.clone());
    let changed = broker
        .db
        .write(move |conn| admins::change_password(conn, &ctx, &session, &held, &hash))
        .await;
    match changed {
        Ok(token) => Ok(sign_in::with_cookie(
            page::done(PATH, "password"),
            &door::cookie(&token),
        )),
        Err(error) => refuse(&request, &admin, &broker, Mistakes::of(error, "password")?).await,
    }
}

pub async fn end_session(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, who, id) = (admin.ctx(&broker), admin.administrator, id.into_inner());
    broker
        .db
        .write(move |conn| admins::end_session(conn, &ctx, &who, &id))
        .await?;
    Ok(page::done(PATH, "session-ended"))
}

pub async fn sign_out_everywhere(
    admin: Admin,
    broker: Data<Broker>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    let (ctx, who) = (admin.ctx(&broker), admin.administrator);
    broker
        .db
        .write(move |conn| admins::end_all_sessions(conn, &ctx, &who))
        .await?;
    Ok(sign_in::with_cookie(
        page::done("/console/sign-in", "signed-out"),
        &door::cleared(),
    ))
}
