//! The form on the login page for users with a password of ours, and the page that asks for another password where that
//! one was temporary. What comes of it is what comes of a sign-in at an organisation: a session, a code, a trace.

use std::collections::BTreeMap;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use zeroize::Zeroizing;

use super::authorize::{self, Begun};
use super::error::{self, Again, Shown};
use super::login_page::{self, Problems};
use super::visitor::{self, Visitor};
use super::{form, respond};
use crate::actions::login::{Outgoing, SESSION_SECONDS};
use crate::actions::native::sign_in::{self, Completed, NewPasswordState, WebSignIn};
use crate::actions::traces::{self, Draft};
use crate::broker::Broker;
use crate::broker::hooks::{self, Visit};
use crate::broker::sign_in::{Proof, Proved, Refused};
use crate::error::{Error, StoreError};
use crate::model::challenge::Name;
use crate::model::trace::Outcome;
use crate::model::user::User;
use crate::rules::authorize::Untrusted;
use crate::rules::aws::auth_flow::{self, Standing};
use crate::rules::aws::password_policy::Policy;
use crate::rules::discovery::paths;
use crate::rules::hook::{Fault, Source};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{self, Params};
use crate::rules::refusal::Refusal;
use crate::web::cookies;
use crate::web::headers::RequestId;
use crate::web::pages::{Frame, NEW_PASSWORD_FIELD, NewPasswordPage, PASSWORD_FIELD, USERNAME_FIELD};
use crate::web::peer;

/// The field of the challenge's handle.
const CHALLENGE_FIELD: &str = "challenge";
/// What is the form's own and no parameter of the authorization request.
pub const OURS: &[&str] = &[
    USERNAME_FIELD,
    PASSWORD_FIELD,
    NEW_PASSWORD_FIELD,
    CHALLENGE_FIELD,
    visitor::FIELD,
];
/// The longest username and password that are looked at, in bytes.
const LONGEST: usize = 1_024;

const WRONG: &str = "The username or the password is not right.";
const TOO_OFTEN: &str = "That was wrong too often. Wait a while, then try again.";
const STALE: &str = "This page was open for too long. Please sign in again.";

/// A form that was sent, and the authorization request that travelled with it.
struct Sent<'a> {
    request: &'a HttpRequest,
    broker: &'a Data<Broker>,
    begun: Begun,
    form: Params,
}

pub async fn sign_in(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    match Sent::read(&request, &broker, &body).await {
        Ok(sent) => sent
            .sign_in()
            .await
            .unwrap_or_else(|cause| error::store(&request, &cause)),
        Err(answer) => answer,
    }
}

pub async fn new_password(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    match Sent::read(&request, &broker, &body).await {
        Ok(sent) => sent
            .set_new_password()
            .await
            .unwrap_or_else(|cause| error::store(&request, &cause)),
        Err(answer) => answer,
    }
}

impl<'a> Sent<'a> {
    /// The form of a page that this browser was shown, for a request that is still good.
    async fn read(
        request: &'a HttpRequest,
        broker: &'a Data<Broker>,
        body: &Bytes,
    ) -> Result<Sent<'a>, HttpResponse> {
        let Ok(form) = form(request, body) else {
            return Err(error::untrusted(request, broker, Untrusted::Malformed, None).await);
        };
        let asked = Params::from_pairs(form.without(OURS));
        let begun = authorize::begin_with(request, broker, asked, true).await?;
        if begun.authorization.prompt.none {
            let refusal = OAuthError::new(Code::LoginRequired, "nobody is signed in");
            return Err(authorize::refuse(
                request,
                &begun.app,
                &begun.authorization,
                &refusal,
            ));
        }
        if !begun.app.has_native_users() {
            let away = authorize::login_url(&begun.params, Some(authorize::NOT_AVAILABLE));
            return Err(respond::see_other(&away));
        }
        let sent = Sent {
            request,
            broker,
            begun,
            form,
        };
        if !visitor::is_theirs(request, broker, &sent.form) {
            return Err(sent.again(StatusCode::UNPROCESSABLE_ENTITY, STALE));
        }
        Ok(sent)
    }

    fn field(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or_default()
    }

    fn username(&self) -> &str {
        self.field(USERNAME_FIELD).trim()
    }

    /// The login page with what is wrong.
    fn again(&self, status: StatusCode, problem: &str) -> HttpResponse {
        let Begun {
            app,
            authorization,
            params,
            ways,
            ..
        } = &self.begun;
        let problems = Problems {
            status,
            password: Some(problem),
            username: self.username(),
            ..Problems::default()
        };
        login_page::show(
            self.request,
            self.broker,
            (app, ways),
            authorization,
            params,
            problems,
        )
    }

    fn trace(&self, person: &str) -> Draft {
        let app = &self.begun.app;
        let mut trace = Draft {
            user_pool_id: Some(app.pool.pool.id.clone()),
            client_id: Some(app.client.id.clone()),
            started_at: self.broker.clock.now(),
            ..Draft::default()
        };
        trace.concerns(&self.broker.sealer, person);
        let seen = format!("app {} asked; by a password of ours", app.client.name);
        trace.step("authorize", true, seen);
        trace
    }

    async fn sign_in(self) -> Result<HttpResponse, StoreError> {
        let typed = Zeroizing::new(self.field(PASSWORD_FIELD).to_owned());
        let username = self.username();
        if username.is_empty() || username.len() > LONGEST || typed.is_empty() || typed.len() > LONGEST {
            return Ok(self.again(StatusCode::UNPROCESSABLE_ENTITY, WRONG));
        }
        let broker = self.broker;
        let ctx = broker.ctx(
            format!("client:{}", self.begun.app.client.id),
            RequestId::of(self.request),
        );
        let address = peer::address(self.request, &broker.trusted_proxies);
        let mut trace = self.trace(username);
        let proof = Proof::Password(typed);
        let app = self.begun.app.clone();
        let mut visit = Visit::new(broker, &app.pool, &app.client.id);
        let outcome = broker.prove(&ctx, &mut visit, username, proof, address).await?;
        trace.story.steps.append(&mut visit.steps);
        let mut wait = None;
        let (cause, seen, status, shown) = match outcome {
            Ok(proved) => return self.proved(proved, trace).await,
            Err(Refused::TooOften { seconds }) => {
                wait = Some(seconds);
                (
                    "password_attempts_exceeded",
                    "got wrong too often just now; not looked at",
                    StatusCode::TOO_MANY_REQUESTS,
                    TOO_OFTEN,
                )
            }
            Err(Refused::Wrong { known }) => (
                "password_wrong",
                if known {
                    "not the account's"
                } else {
                    "no account of that name has a password"
                },
                StatusCode::UNPROCESSABLE_ENTITY,
                WRONG,
            ),
            Err(Refused::ByHook(fault)) => return Ok(self.turned_away(&fault, trace).await),
        };
        trace.step("password", false, seen);
        broker.metrics.sign_in(Outcome::Refused.as_str(), cause);
        error::keep_unreached(self.request, broker, trace, cause).await;
        let mut answer = self.again(status, shown);
        if let Some(seconds) = wait {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        Ok(answer)
    }

    async fn proved(self, proved: Proved, mut trace: Draft) -> Result<HttpResponse, StoreError> {
        let Proved { user, password } = proved;
        let ctx = self
            .broker
            .ctx(format!("user:{}", user.sub), RequestId::of(self.request));
        trace.user_sub = Some(user.sub.clone());
        trace.step("password", true, "the account's");
        match auth_flow::standing(&user, password.temporary_until, ctx.now) {
            Standing::SignedIn => self.complete(user, trace).await,
            Standing::NewPassword => {
                let state = NewPasswordState {
                    shown: password.updated_at,
                };
                let (app, sub) = (self.begun.app.clone(), user.sub.clone());
                let name = Name::NewPasswordRequired;
                let handle = self
                    .broker
                    .db
                    .write(move |conn| sign_in::challenge(conn, &ctx, &app.client, name, Some(sub), &state))
                    .await?;
                Ok(self.ask_new_password(StatusCode::OK, &handle, user.username, None))
            }
            Standing::Disabled => self.refuse_user(Refusal::user_disabled(), trace).await,
            Standing::Expired => self.refuse_user(Refusal::password_expired(), trace).await,
            Standing::ResetRequired => self.refuse_user(Refusal::password_reset(), trace).await,
            Standing::Unconfirmed => self.refuse_user(Refusal::user_unconfirmed(), trace).await,
        }
    }

    async fn refuse_user(&self, refusal: Refusal, mut trace: Draft) -> Result<HttpResponse, StoreError> {
        trace.step("user", false, refusal.what.to_string());
        self.refuse(refusal, trace).await
    }

    /// A hook refused before anybody had shown anything: strangers can bring that about, so its trace counts among theirs.
    async fn turned_away(&self, fault: &Fault, mut trace: Draft) -> HttpResponse {
        let refusal = fault.refusal();
        trace.story.remedy = refusal.remedy.to_string();
        let trace_code = error::keep_unreached(self.request, self.broker, trace, &refusal.cause).await;
        self.refused(&refusal, trace_code)
    }

    /// Keeps the trace, whose last step says why, and shows the page.
    async fn refuse(&self, refusal: Refusal, mut trace: Draft) -> Result<HttpResponse, StoreError> {
        trace.story.remedy = refusal.remedy.to_string();
        let ctx = self.broker.ctx("system", RequestId::of(self.request));
        let (cause, days) = (
            refusal.cause.to_string(),
            self.begun.app.pool.pool.settings.trace_days,
        );
        let trace_code = self
            .broker
            .db
            .write(move |conn| traces::keep(conn, &ctx, trace, Outcome::Refused, &cause, days))
            .await?;
        Ok(self.refused(&refusal, Some(trace_code)))
    }

    fn refused(&self, refusal: &Refusal, trace_code: Option<String>) -> HttpResponse {
        let Begun {
            app,
            authorization,
            params,
            ..
        } = &self.begun;
        self.broker
            .metrics
            .sign_in(Outcome::Refused.as_str(), &refusal.cause);
        let href = |prompt: Option<&str>| {
            let mut pairs = params.without(&["prompt"]);
            pairs.extend(prompt.map(|prompt| ("prompt".to_owned(), prompt.to_owned())));
            format!("{}?{}", paths::AUTHORIZE, params::encode(pairs))
        };
        let shown = Shown {
            refusal,
            trace_code,
            pool_name: app.shown_name(),
            client_name: Some(&app.client.name),
            connection: None,
            issuer: &app.pool.issuer,
            address: Some(&authorization.return_address()),
            again: Some(Again {
                href: href(None),
                other_href: href(Some("login")),
            }),
            clear: None,
        };
        error::refused(self.request, self.broker, shown)
    }

    fn ask_new_password(
        &self,
        status: StatusCode,
        handle: &str,
        username: String,
        problem: Option<String>,
    ) -> HttpResponse {
        let visitor = Visitor::of(self.request, self.broker);
        let mut hidden = self.begun.params.without(&[]);
        hidden.push((CHALLENGE_FIELD.into(), handle.to_owned()));
        hidden.push((visitor::FIELD.into(), visitor.csrf));
        let page = NewPasswordPage {
            frame: Frame::new(&error::lang(self.request), self.begun.app.shown_name()),
            action: paths::NEW_PASSWORD.into(),
            hidden,
            username,
            problem,
        };
        respond::page(status, &page, respond::Forms::Onward)
            .ends_at(&self.begun.authorization.redirect_uri)
            .cookie(visitor.cookie)
            .finish()
    }

    async fn set_new_password(self) -> Result<HttpResponse, StoreError> {
        let broker = self.broker;
        let handle = self.field(CHALLENGE_FIELD).to_owned();
        let app = self.begun.app.clone();
        let Some(user) = broker.challenged(&app.client, &handle).await? else {
            return Ok(self.again(StatusCode::UNPROCESSABLE_ENTITY, STALE));
        };
        let typed = Zeroizing::new(self.field(NEW_PASSWORD_FIELD).to_owned());
        if let Err(why) = Policy::of(&app.pool.pool.settings).check(&typed) {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(self.ask_new_password(status, &handle, user.username, Some(why)));
        }
        let pool_id = &app.pool.pool.id;
        let made = broker
            .passwords
            .make(&broker.entropy, pool_id, &user.username, typed)
            .await;
        let new = made.ok_or_else(|| StoreError::Lost("a password could not be hashed".into()))?;
        let ctx = broker.ctx(format!("user:{}", user.sub), RequestId::of(self.request));
        let client = app.clone();
        let set = broker
            .db
            .write(move |conn| {
                sign_in::set_new_password(conn, &ctx, &client.client, &handle, new, &BTreeMap::new())
            })
            .await;
        match set {
            Ok(Some(user)) => {
                let mut trace = self.trace(&user.label());
                trace.step("password", true, "another one was set");
                self.complete(user, trace).await
            }
            Ok(None) => Ok(self.again(StatusCode::UNPROCESSABLE_ENTITY, STALE)),
            Err(Error::Internal(cause)) => Err(cause),
            Err(other) => Err(StoreError::Lost(other.to_string())),
        }
    }

    /// The session and the code, and back to the app; unless a hook has something against it.
    async fn complete(self, user: User, mut trace: Draft) -> Result<HttpResponse, StoreError> {
        let (app, authorization) = (self.begun.app.clone(), self.begun.authorization.clone());
        let insisted = authorization.required_sub.as_deref();
        let overrides = if insisted.is_none_or(|sub| sub == user.sub) {
            let mut visit = Visit::new(self.broker, &app.pool, &app.client.id);
            let (source, scopes) = (Source::TokensHostedAuth, &authorization.scopes);
            let outcome = hooks::after_password(&mut visit, source, &user, scopes).await?;
            trace.story.steps.append(&mut visit.steps);
            match outcome {
                Ok(overrides) => overrides,
                Err(fault) => {
                    trace.user_sub = Some(user.sub);
                    return self.refuse(fault.refusal(), trace).await;
                }
            }
        } else {
            // Not whom the app asked for: refused below, and no hook's business.
            None
        };
        let ctx = self
            .broker
            .ctx(format!("user:{}", user.sub), RequestId::of(self.request));
        let completed = self
            .broker
            .db
            .write(move |conn| {
                let work = WebSignIn {
                    pool: &app.pool.pool,
                    client: &app.client,
                    authorization: &authorization,
                    user_sub: &user.sub,
                    overrides,
                    trace,
                };
                sign_in::complete(conn, &ctx, work)
            })
            .await?;
        match completed {
            Completed::SignedIn {
                session_token,
                outgoing,
            } => Ok(self.to_app(session_token, &outgoing)),
            Completed::Refused { refusal, trace_code } => Ok(self.refused(&refusal, Some(trace_code))),
        }
    }

    fn to_app(&self, session_token: String, outgoing: &Outgoing) -> HttpResponse {
        let Begun {
            app, authorization, ..
        } = &self.begun;
        self.broker
            .metrics
            .sign_in(Outcome::SignedIn.as_str(), "signed_in");
        let address = authorization.return_address();
        let response = authorize::success(self.broker, app, &address, outgoing)
            .unwrap_or_else(|refusal| address.error_response(&refusal, &app.pool.issuer));
        let name = cookies::session_name(&app.pool.pool.id);
        let session = cookies::set(name, session_token, SESSION_SECONDS);
        let mut answer = respond::to_app(&response, &error::lang(self.request), vec![session]);
        if answer.status() == StatusCode::FOUND {
            // What follows a POST (RFC 9700 §4.12): no browser sends the password on.
            *answer.status_mut() = StatusCode::SEE_OTHER;
        }
        answer
    }
}
