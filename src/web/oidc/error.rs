//! Errors of this surface as bytes: OAuth's JSON (RFC 6749 §5.2), Bearer challenges (RFC 6750 §3), and the page that tells
//! a person what happened, what to do, and a short code.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::login_page::CHOICE;
use super::{cors, query, respond};
use crate::actions::traces::{self, Draft};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::trace::Outcome;
use crate::rules::authorize::{ReturnAddress, Untrusted};
use crate::rules::discovery::paths;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{self, Params};
use crate::rules::refusal::Refusal;
use crate::rules::response::ResponseMode;
use crate::web::cookies::{self, Cookies};
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::pages::{self, Action, ErrorPage, Frame, Method, ReturnForm};
use crate::web::peer;

/// Whether a failed client authentication came by header, and how Cognito would have answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect {
    pub by_header: bool,
    pub cognito_exact: bool,
    /// Cognito answers 401 there however the client authenticated, and so may we (RFC 6749 §5.2).
    pub at_revocation: bool,
}

/// A refusal of the token or revocation endpoint.
pub fn json(request: &HttpRequest, error: &OAuthError, dialect: Dialect) -> HttpResponse {
    tracing::info!(
        error = error.code.as_str(),
        cause = %error.cause,
        path = request.path(),
        "refused"
    );
    let challenge = error.code == Code::InvalidClient
        && (dialect.at_revocation || dialect.by_header && !dialect.cognito_exact);
    let status = match error.code {
        Code::InvalidClient if challenge => StatusCode::UNAUTHORIZED,
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(cors::ANY_ORIGIN)
        .insert_header(("Pragma", "no-cache"));
    if challenge {
        answer.insert_header((
            header::WWW_AUTHENTICATE,
            "Basic realm=\"forebay\", charset=\"UTF-8\"",
        ));
    }
    let body = if dialect.cognito_exact {
        json!({ "error": error.code.as_str() })
    } else {
        json!({ "error": error.code.as_str(), "error_description": error.description })
    };
    answer
        .content_type("application/json;charset=UTF-8")
        .body(body.to_string())
}

/// A refusal of a protected resource: no error code where no token came (RFC 6750 §3.1).
pub fn bearer(error: Option<&OAuthError>) -> HttpResponse {
    let (status, challenge) = match error {
        None => (StatusCode::UNAUTHORIZED, "Bearer realm=\"forebay\"".to_owned()),
        Some(error) => {
            tracing::info!(cause = %error.cause, "refused a bearer token");
            let status = match error.code {
                Code::InvalidToken => StatusCode::UNAUTHORIZED,
                Code::InsufficientScope => StatusCode::FORBIDDEN,
                _ => StatusCode::BAD_REQUEST,
            };
            let scope = if error.code == Code::InsufficientScope {
                ", scope=\"openid\""
            } else {
                ""
            };
            let challenge = format!(
                "Bearer realm=\"forebay\", error=\"{}\", error_description=\"{}\"{scope}",
                error.code.as_str(),
                error.description
            );
            (status, challenge)
        }
    };
    HttpResponse::build(status)
        .insert_header(cors::ANY_ORIGIN)
        .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate"))
        .insert_header((header::WWW_AUTHENTICATE, challenge))
        .finish()
}

/// The database could not do its part: 503 where trying again helps, else 500. The client gets the request id only. At an
/// address that people visit it is a page.
pub fn store(request: &HttpRequest, cause: &StoreError) -> HttpResponse {
    tracing::error!(%cause, path = request.path(), "the database failed a request");
    let (status, code) = match cause {
        StoreError::Unreadable(_) => (StatusCode::INTERNAL_SERVER_ERROR, Code::ServerError),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Code::TemporarilyUnavailable),
    };
    let page = ErrorPage {
        title: "This does not work at the moment".into(),
        what: "Something on our side is not available.".into(),
        next: "Wait a moment and try again.".into(),
        ..ErrorPage::default()
    };
    again_later(request, status, code, 1, page)
}

/// Too many requests came from where this one comes from; there will be more in so many seconds.
pub fn too_many(request: &HttpRequest, seconds: i64) -> HttpResponse {
    let page = ErrorPage {
        title: "Too many requests".into(),
        what: "Too many requests have come from your network within a minute.".into(),
        next: format!("Wait for {seconds} seconds, then load this page again."),
        ..ErrorPage::default()
    };
    let (status, code) = (StatusCode::TOO_MANY_REQUESTS, Code::TemporarilyUnavailable);
    again_later(request, status, code, seconds, page)
}

/// What may go well in so many seconds: a page where people go, else JSON. Both name the request, by which the log has it.
fn again_later(
    request: &HttpRequest,
    status: StatusCode,
    code: Code,
    seconds: i64,
    page: ErrorPage,
) -> HttpResponse {
    let visited = [
        paths::AUTHORIZE,
        paths::LOGIN,
        paths::START_LOGIN,
        paths::LOGOUT,
        paths::IDPRESPONSE,
        "/console",
    ];
    let request_id = RequestId::of(request);
    if visited.iter().any(|path| request.path().starts_with(path)) {
        let page = ErrorPage {
            frame: Frame::new(&lang(request), "Forebay"),
            error_name: code.as_str().into(),
            details: vec![("Request".into(), request_id)],
            ..page
        };
        let mut answer = respond::page(status, &page, respond::Forms::Onward).finish();
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        return answer;
    }
    HttpResponse::build(status)
        .insert_header((header::RETRY_AFTER, seconds))
        .insert_header(cors::ANY_ORIGIN)
        .content_type("application/json;charset=UTF-8")
        .body(json!({ "error": code.as_str(), "error_description": "try again later", "request_id": request_id }).to_string())
}

pub fn not_found_json(what: &str) -> HttpResponse {
    HttpResponse::NotFound()
        .insert_header(cors::ANY_ORIGIN)
        .content_type("application/json;charset=UTF-8")
        .body(json!({ "error": "not_found", "error_description": what }).to_string())
}

/// Every path that is not ours.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let page = ErrorPage {
        frame: Frame::new(&lang(&request), "Forebay"),
        title: "There is nothing here".into(),
        what: "This address belongs to no page of ours.".into(),
        next: "Go back to the app you came from and sign in again.".into(),
        error_name: "not_found".into(),
        ..ErrorPage::default()
    };
    respond::page(StatusCode::NOT_FOUND, &page, respond::Forms::ToApp).finish()
}

/// `GET /error`: where Cognito sends what it cannot redirect; kept so that such links lead to a page.
pub async fn page(request: HttpRequest) -> HttpResponse {
    let why = query(&request).ok().and_then(|params| match params.get("error") {
        Some("redirect_mismatch") => Some(Untrusted::RedirectUriMismatch),
        _ => None,
    });
    untrusted_page(&request, why.unwrap_or(Untrusted::ClientUnknown), None)
}

/// An authorization or logout request whose client or URI cannot be trusted: a page of ours, and a trace in bounded number.
pub async fn untrusted(
    request: &HttpRequest,
    broker: &Broker,
    why: Untrusted,
    client_id: Option<&str>,
) -> HttpResponse {
    let (name, ..) = words(why);
    let mut trace = Draft {
        started_at: broker.clock.now(),
        ..Draft::default()
    };
    let step = if is_logout(request) { "logout" } else { "authorize" };
    trace.step(step, false, name);
    trace.story.remedy = words(why).3.to_owned();
    if let Some(id) = client_id
        && let Ok(Some(app)) = domains::app(request, broker, id).await
    {
        trace.client_id = Some(app.client.id.clone());
        trace.user_pool_id = Some(app.pool.pool.id.clone());
    }
    let code = keep_unreached(request, broker, trace, name).await;
    untrusted_page(request, why, code.map(|code| (broker, code)))
}

fn untrusted_page(request: &HttpRequest, why: Untrusted, traced: Option<(&Broker, String)>) -> HttpResponse {
    let (name, what, next, _) = words(why);
    let copy_text = traced.as_ref().map(|(broker, code)| {
        let begun = if is_logout(request) { "sign-out" } else { "sign-in" };
        let text = format!(
            "Hello,\n\na {begun} link of your app does not work. It said:\n{what} ({name})\n\nCode: {code}\n"
        );
        text + &for_administrator(broker, "Forebay", None, code)
    });
    let page = ErrorPage {
        frame: Frame::new(&lang(request), "Forebay"),
        title: if is_logout(request) {
            "This sign-out link does not work".into()
        } else {
            "This sign-in link does not work".into()
        },
        what: what.into(),
        next: next.into(),
        trace_code: traced.map(|(_, code)| code),
        error_name: name.into(),
        details: vec![("Request".into(), RequestId::of(request))],
        copy_text,
        ..ErrorPage::default()
    };
    respond::page(StatusCode::BAD_REQUEST, &page, respond::Forms::ToApp).finish()
}

fn is_logout(request: &HttpRequest) -> bool {
    request.path() == paths::LOGOUT
}

/// Name, what happened, what to do, remedy for the app's developer.
fn words(why: Untrusted) -> (&'static str, &'static str, &'static str, &'static str) {
    let next = "Go back to the app and try again; if it keeps happening, tell the people who run the app.";
    match why {
        Untrusted::ClientMissing => (
            "client_id_missing",
            "The link does not say which app it is for.",
            next,
            "Send client_id with the request.",
        ),
        Untrusted::ClientUnknown => (
            "client_unknown",
            "The app that sent you here is not registered with us, or is switched off.",
            next,
            "Check client_id against the app clients of the user pool.",
        ),
        Untrusted::RedirectUriMissing => (
            "redirect_uri_missing",
            "The app did not say where to send you after signing in.",
            next,
            "The client has several callback URLs and no default: send redirect_uri.",
        ),
        Untrusted::RedirectUriMismatch => (
            "redirect_mismatch",
            "The app asked to send you to an address that is not registered for it.",
            next,
            "redirect_uri must equal one of the client's callback URLs character by character.",
        ),
        Untrusted::LogoutUriMismatch => (
            "logout_uri_mismatch",
            "The app asked to send you to an address that is not registered for it.",
            next,
            "logout_uri and post_logout_redirect_uri must equal one of the client's logout URLs character by character.",
        ),
        Untrusted::Malformed => (
            "request_malformed",
            "The link is damaged: it holds characters that we cannot read, or far too many of them.",
            next,
            "Parameters must be form-encoded UTF-8, at most a hundred of them.",
        ),
        Untrusted::Repeated => (
            "parameter_repeated",
            "The link says the same thing twice, in two ways.",
            next,
            "Each parameter must come once.",
        ),
    }
}

/// The authorization request to begin again with: as it was, and asking for another account.
pub struct Again {
    pub href: String,
    pub other_href: String,
}

impl Again {
    /// The same request to this connection, whatever it chose before.
    fn through(&self, connection: &str) -> String {
        let (path, query) = self.href.split_once('?').unwrap_or((self.href.as_str(), ""));
        let params = Params::parse(query.as_bytes()).unwrap_or_default();
        let mut pairs = params.without(&[CHOICE, &["prompt"]].concat());
        pairs.push(("identity_provider".into(), connection.to_owned()));
        format!("{path}?{}", params::encode(pairs))
    }
}

/// How a refused sign-in is shown.
pub struct Shown<'a> {
    pub refusal: &'a Refusal,
    pub trace_code: Option<String>,
    pub pool_name: &'a str,
    pub client_name: Option<&'a str>,
    /// The name of the connection, where the sign-in had one.
    pub connection: Option<&'a str>,
    pub issuer: &'a str,
    /// Where the app waits for the OAuth error.
    pub address: Option<&'a ReturnAddress>,
    /// How to begin again.
    pub again: Option<Again>,
    /// The login cookie that is over now.
    pub clear: Option<String>,
}

/// The page of a refused sign-in: what happened, what to do, the code, and the ways on.
pub fn refused(request: &HttpRequest, broker: &Broker, shown: Shown<'_>) -> HttpResponse {
    let Shown {
        refusal,
        trace_code,
        client_name,
        ..
    } = shown;
    tracing::info!(
        cause = %refusal.cause,
        trace = trace_code.as_deref().unwrap_or("-"),
        "a sign-in was refused"
    );
    let mut actions = Vec::new();
    if let Some(again) = &shown.again {
        if let Some(through) = &refusal.through {
            actions.push(Action {
                label: format!("Sign in through {}", through.label),
                href: again.through(&through.connection),
                primary: true,
            });
        } else if refusal.other_account {
            actions.push(Action {
                label: "Sign in as someone else".into(),
                href: again.other_href.clone(),
                primary: true,
            });
        } else if refusal.retry {
            actions.push(Action {
                label: "Try again".into(),
                href: again.href.clone(),
                primary: true,
            });
        }
    }
    let response = shown
        .address
        .map(|address| address.error_response(&refusal.oauth(), shown.issuer));
    let back = format!("Back to {}", client_name.unwrap_or("the app"));
    let mut return_form = None;
    if let Some(response) = response {
        if response.mode == ResponseMode::FormPost {
            return_form = Some(ReturnForm {
                label: back,
                action: response.redirect_uri.clone(),
                method: Method::Post,
                fields: response
                    .fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            });
        } else {
            actions.push(Action {
                label: back,
                href: response.location(),
                primary: false,
            });
        }
    }
    let now = RequestId::of(request);
    let copy_text = trace_code.as_ref().map(|code| {
        let mut text = format!(
            "Hello,\n\nI could not sign in to {}. It said:\n{} ({})\n\nCode: {code}\n",
            client_name.unwrap_or(shown.pool_name),
            refusal.title,
            refusal.cause
        );
        text.push_str(&for_administrator(
            broker,
            shown.pool_name,
            shown.connection,
            code,
        ));
        text
    });
    let page = ErrorPage {
        frame: Frame::new(&lang(request), shown.pool_name),
        title: refusal.title.to_string(),
        what: refusal.what.to_string(),
        next: refusal.next.to_string(),
        trace_code,
        error_name: refusal.cause.to_string(),
        actions,
        return_form,
        details: vec![("Request".into(), now)],
        copy_text,
    };
    let status = if refusal.failed {
        StatusCode::BAD_GATEWAY
    } else {
        StatusCode::FORBIDDEN
    };
    let mut answer = respond::page(status, &page, respond::Forms::ToApp);
    if let Some(address) = shown.address {
        answer = answer.ends_at(&address.redirect_uri);
    }
    if let Some(name) = shown.clear {
        answer = answer.cookie(cookies::clear(name));
    }
    answer.finish()
}

/// The lines of a user's message that help whoever reads it: when, where, and the address of the story, which opens for
/// signed-in administrators only.
pub fn for_administrator(broker: &Broker, pool_name: &str, connection: Option<&str>, code: &str) -> String {
    let mut text = format!("When: {}\nSign-in service: {pool_name}\n", broker.clock.now());
    if let Some(connection) = connection {
        text.push_str(&format!("Organisation's connection: {connection}\n"));
    }
    text.push_str(&format!(
        "What happened, and what to do about it: {}/console/traces/{code}\n",
        broker.public_url
    ));
    text
}

/// Keeps the trace of an attempt that never reached an upstream, as far as the bound allows: strangers can make these.
pub async fn keep_unreached(
    request: &HttpRequest,
    broker: &Broker,
    trace: Draft,
    cause: &str,
) -> Option<String> {
    let address = peer::address(request, &broker.trusted_proxies);
    if !broker.unreached_traces.take(broker.clock.now(), address) {
        return None;
    }
    let ctx = broker.ctx("system", RequestId::of(request));
    let cause = cause.to_owned();
    let kept = broker
        .db
        .write(move |conn| {
            traces::keep(
                conn,
                &ctx,
                trace,
                Outcome::Refused,
                &cause,
                crate::broker::UNREACHED_TRACE_DAYS,
            )
        })
        .await;
    kept.inspect_err(|cause: &StoreError| tracing::error!(%cause, "a trace could not be kept"))
        .ok()
}

/// The cookie of a language that was asked for (as Cognito's `lang`): what comes after the login page speaks it, too.
const LANG_COOKIE: &str = "__Host-lang";
const LANG_SECONDS: i64 = 30 * 86_400;

/// Remembers the language that this request asks for.
pub fn remember_lang(request: &HttpRequest) -> Option<actix_web::cookie::Cookie<'static>> {
    let params = query(request).ok()?;
    let tag = pages::texts(params.get("lang")?).lang;
    Some(cookies::set(LANG_COOKIE.into(), tag.into(), LANG_SECONDS))
}

/// The language a page is shown in: `lang`, else the one asked for before, else what the browser prefers.
pub fn lang(request: &HttpRequest) -> String {
    let asked = query(request)
        .ok()
        .and_then(|params| params.get("lang").map(str::to_owned))
        .or_else(|| Cookies::of(request).ok()?.get(LANG_COOKIE).map(str::to_owned));
    let preferred = request
        .headers()
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    match (asked, preferred) {
        (Some(tag), _) => pages::texts(&tag).lang.to_owned(),
        (None, Some(ranges)) => pages::preferred(ranges).lang.to_owned(),
        (None, None) => "en".to_owned(),
    }
}
