//! A sample downstream web app: it signs its users in with an ordinary OpenID Connect library and shows what it got.
//!
//! All it knows of us is an issuer URL, a client id and a secret. It is what a developer would write against any
//! provider, and so it uses nothing of this crate but the style sheet. The conversation with the provider is in
//! `provider`, who is signed in in `sessions`, what is shown in `pages`; here are the routes.

mod pages;
mod problem;
mod provider;
mod sessions;

use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use askama::Template;
use serde::Deserialize;

use crate::web::assets;
use pages::{ProblemPage, SignedInPage, SignedOutPage};
use problem::Problem;
use provider::Provider;
use sessions::{Notice, Sessions, SignedIn};

const COOKIE: &str = "sample_app_session";

/// The whole configuration of the app.
#[derive(Clone)]
pub struct Setup {
    /// Where the app itself is found, without a path: its callback is `/callback` below it, and signing out leads
    /// back to exactly this.
    pub origin: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
}

/// The app. Clones share their sessions.
#[derive(Clone)]
pub struct SampleApp(Arc<Shared>);

struct Shared {
    setup: Setup,
    provider: Provider,
    sessions: Sessions,
}

impl SampleApp {
    /// Nothing is fetched before the first sign-in.
    pub fn new(setup: Setup) -> SampleApp {
        SampleApp(Arc::new(Shared {
            provider: Provider::new(setup.clone()),
            sessions: Sessions::default(),
            setup,
        }))
    }

    /// Adds the app's routes.
    pub fn configure(&self, cfg: &mut web::ServiceConfig) {
        cfg.app_data(web::Data::new(self.clone()))
            .configure(assets::configure)
            .service(web::resource("/").route(web::get().to(home)))
            .service(web::resource("/sign-in").route(web::get().to(sign_in)))
            .service(web::resource("/callback").route(web::get().to(callback)))
            .service(web::resource("/user-info").route(web::post().to(user_info)))
            .service(web::resource("/refresh").route(web::post().to(refresh)))
            .service(web::resource("/sign-out").route(web::post().to(sign_out)));
    }

    /// Serves the app until the future is dropped.
    pub async fn serve(&self, listener: std::net::TcpListener) -> std::io::Result<()> {
        let app = self.clone();
        HttpServer::new(move || App::new().configure(|cfg| app.configure(cfg)))
            .workers(1)
            .disable_signals()
            .listen(listener)?
            .run()
            .await
    }
}

type AppData = web::Data<SampleApp>;

async fn home(app: AppData, request: HttpRequest) -> HttpResponse {
    if let Some(elsewhere) = app.elsewhere(&request) {
        return elsewhere;
    }
    let setup = &app.0.setup;
    match app.user(&request) {
        Some((id, user)) => {
            app.0.sessions.update(&id, |user| user.notice = None);
            page(StatusCode::OK, &SignedInPage::new(&setup.issuer, user))
        }
        None => page(
            StatusCode::OK,
            &SignedOutPage {
                issuer: &setup.issuer,
                client_id: &setup.client_id,
            },
        ),
    }
}

async fn sign_in(app: AppData, request: HttpRequest) -> HttpResponse {
    if let Some(elsewhere) = app.elsewhere(&request) {
        return elsewhere;
    }
    match app.0.provider.begin().await {
        Ok((url, state, pending)) => {
            let id = app
                .0
                .sessions
                .begin(session_id(&request).as_deref(), &state, pending);
            found(url.as_str(), Some(session_cookie(id)))
        }
        Err(problem) => failed(StatusCode::BAD_GATEWAY, problem),
    }
}

/// What the provider may send to the callback (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize)]
struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    error_uri: Option<String>,
}

async fn callback(app: AppData, request: HttpRequest) -> HttpResponse {
    match app.signed_in_by(&request).await {
        Ok(cookie) => found("/", Some(cookie)),
        Err(problem) => failed(StatusCode::BAD_REQUEST, problem),
    }
}

async fn user_info(app: AppData, request: HttpRequest) -> HttpResponse {
    if let Some((id, user)) = app.user(&request) {
        let outcome = app.0.provider.user_info(&user.tokens).await;
        app.0.sessions.update(&id, |user| match outcome {
            Ok(claims) => user.user_info = Some(claims),
            Err(problem) => user.notice = Some(Notice::failure("userInfo", &problem)),
        });
    }
    found("/", None)
}

async fn refresh(app: AppData, request: HttpRequest) -> HttpResponse {
    if let Some((id, user)) = app.user(&request) {
        let outcome = app.0.provider.refresh(&user.tokens).await;
        app.0.sessions.update(&id, |user| match outcome {
            Ok(tokens) => {
                user.tokens = tokens;
                user.notice = Some(Notice {
                    is_error: false,
                    text: "The tokens are refreshed.".to_owned(),
                });
            }
            Err(problem) => user.notice = Some(Notice::failure("The refresh", &problem)),
        });
    }
    found("/", None)
}

/// First here, then at the provider, which sends the browser back to the start page.
async fn sign_out(app: AppData, request: HttpRequest) -> HttpResponse {
    let user = session_id(&request).and_then(|id| app.0.sessions.end(&id));
    let url = match user {
        Some(user) => app.0.provider.sign_out_url(&user.tokens).await,
        None => None,
    };
    let mut gone = session_cookie(String::new());
    gone.make_removal();
    found(url.as_ref().map_or("/", |url| url.as_str()), Some(gone))
}

impl SampleApp {
    /// Follows the callback to its end: a session with a user in it, whose cookie is returned.
    async fn signed_in_by(&self, request: &HttpRequest) -> Result<Cookie<'static>, Problem> {
        let query = web::Query::<CallbackQuery>::from_query(request.query_string())
            .map_err(|error| Problem::new("invalid_callback", error.to_string()))?
            .into_inner();
        let session = session_id(request);
        let pending = session
            .as_deref()
            .zip(query.state.as_deref())
            .and_then(|(id, state)| self.0.sessions.take_pending(id, state));
        if let Some(error) = &query.error {
            let (description, uri) = (query.error_description.as_deref(), query.error_uri.as_deref());
            return Err(Problem::authorization(error, description, uri));
        }
        let (Some(id), Some(pending)) = (session, pending) else {
            return Err(Problem::new(
                "unknown_state",
                "This sign-in was not begun in this browser, or it is finished already.",
            ));
        };
        if query.iss.is_some_and(|iss| iss != self.0.setup.issuer) {
            return Err(Problem::new(
                "wrong_issuer",
                "The answer comes from another provider than was asked.",
            ));
        }
        let code = query
            .code
            .ok_or_else(|| Problem::new("no_code", "The provider sent no code."))?;
        let tokens = self.0.provider.complete(pending, code).await?;
        Ok(session_cookie(self.0.sessions.sign_in(&id, tokens)))
    }

    fn user(&self, request: &HttpRequest) -> Option<(String, SignedIn)> {
        let id = session_id(request)?;
        let user = self.0.sessions.signed_in(&id)?;
        Some((id, user))
    }

    /// The way to the app's own origin for a browser that came by another name of this machine (`localhost`):
    /// its cookie would not be there at the callback.
    fn elsewhere(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        let (_, own) = self.0.setup.origin.split_once("://")?;
        (host != own).then(|| found(&format!("{}{}", self.0.setup.origin, request.path()), None))
    }
}

impl Notice {
    fn failure(what: &str, problem: &Problem) -> Notice {
        Notice {
            is_error: true,
            text: format!("{what} failed ({}): {}", problem.code, problem.text),
        }
    }
}

fn session_id(request: &HttpRequest) -> Option<String> {
    request.cookie(COOKIE).map(|cookie| cookie.value().to_owned())
}

/// Not `Secure`: the app speaks plain HTTP, on the loopback interface only.
fn session_cookie(id: String) -> Cookie<'static> {
    Cookie::build(COOKIE, id)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

fn found(location: &str, cookie: Option<Cookie<'_>>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if let Some(cookie) = cookie {
        response.cookie(cookie);
    }
    response.finish()
}

fn failed(status: StatusCode, problem: Problem) -> HttpResponse {
    page(status, &ProblemPage::new("The sign-in failed", problem))
}

/// No `form-action` in the policy: Chromium applies it to the redirects after a form too, and signing out is a form
/// that ends at the provider, or at whatever the provider redirects to.
fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    let Ok(html) = template.render() else {
        return HttpResponse::InternalServerError().body("The page could not be made.\n");
    };
    HttpResponse::build(status)
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(html)
}

#[cfg(test)]
mod tests;
