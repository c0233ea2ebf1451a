//! `/logout`, in both dialects: Cognito's (`client_id` with `logout_uri`, or with `redirect_uri` and `response_type`) and
//! OpenID Connect RP-Initiated Logout 1.0 (`id_token_hint`, `post_logout_redirect_uri`, `state`). Where the connection asks
//! for it, the user is signed out at the upstream, too.

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{authorize, error, form, query, respond};
use crate::actions::logout;
use crate::broker::{App, Broker, Wanted};
use crate::error::StoreError;
use crate::model::session::Session;
use crate::rules::authorize::Untrusted;
use crate::rules::discovery::paths;
use crate::rules::params::{self, Params};
use crate::rules::{jwt, redirect_uri, secret};
use crate::seal::Label;
use crate::web::cookies::{self, Cookies};
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::pages::{CONFIRM_FIELD, ConfirmSignOutPage, ErrorPage, Frame, SignedOutPage};

/// How long the upstream may take to come back from its sign-out.
const RETURN_SECONDS: i64 = 300;
const RETURN_COOKIE: &str = "__Host-logout-";

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    match query(&request) {
        Ok(params) => serve(&request, &broker, &params, false).await,
        Err(_) => error::untrusted(&request, &broker, Untrusted::Malformed, None).await,
    }
}

/// The answer to our own question; any other POST comes cross-site without cookies and is bounced to GET.
pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    let Ok(form) = form(&request, &body) else {
        return error::untrusted(&request, &broker, Untrusted::Malformed, None).await;
    };
    match form.get(CONFIRM_FIELD) {
        None => authorize::bounce(&request, &broker, &body, paths::LOGOUT).await,
        // From a sibling host the session's cookie would come along.
        Some(_) if !from_our_page(&request) => respond::see_other(&format!(
            "{}?{}",
            paths::LOGOUT,
            params::encode(form.without(&[CONFIRM_FIELD]))
        )),
        Some("yes") => {
            serve(
                &request,
                &broker,
                &Params::from_pairs(form.without(&[CONFIRM_FIELD])),
                true,
            )
            .await
        }
        Some(_) => still_signed_in(&request),
    }
}

/// Whether a page of ours sent this form, as far as the browser says (browsers too old for it have only the cookie's
/// `SameSite` to go by).
fn from_our_page(request: &HttpRequest) -> bool {
    request
        .headers()
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin")
}

/// What a request asks for, once it is known whose it is.
struct Asked {
    app: Option<Arc<App>>,
    /// The user that a trusted hint names.
    hinted_sub: Option<String>,
    /// Where to go after, checked against the client's registered URIs.
    destination: Option<String>,
    /// Signing out needs no question: a trusted hint, or Cognito's dialect with a registered URI.
    unasked: bool,
}

async fn serve(
    request: &HttpRequest,
    broker: &Data<Broker>,
    params: &Params,
    confirmed: bool,
) -> HttpResponse {
    let asked = match understand(request, broker, params).await {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let Ok(cookies) = Cookies::of(request) else {
        return error::untrusted(request, broker, Untrusted::Repeated, None).await;
    };
    // Without a client the pool is unknown; then every session of this host is meant.
    let sessions: Vec<(String, String)> = match &asked.app {
        Some(app) => {
            let pool = app.pool.pool.id.clone();
            let token = cookies.get(&cookies::session_name(&pool)).map(str::to_owned);
            token.map(|token| (pool, token)).into_iter().collect()
        }
        None => cookies.with_prefix("__Host-session-"),
    };
    let wanted = sessions.clone();
    let live = broker
        .db
        .read(move |conn| {
            let mut live = Vec::new();
            for (pool, token) in wanted {
                // An hour after the sign-in it signs nobody in any more, but can still be ended at the upstream.
                if let Some(session) = logout::find(conn, &pool, &token)? {
                    live.push((token, session));
                }
            }
            Ok::<_, StoreError>(live)
        })
        .await;
    let live = match live {
        Ok(live) => live,
        Err(cause) => return error::store(request, &cause),
    };
    let someone_else = live.iter().any(|(_, session)| {
        asked
            .hinted_sub
            .as_ref()
            .is_some_and(|sub| *sub != session.user_sub)
    });
    if !live.is_empty() && !confirmed && (!asked.unasked || someone_else) {
        return ask(request, &asked, params);
    }
    // Only what the browser has sent: a page elsewhere could otherwise take away a session that it cannot use.
    let gone = sessions
        .iter()
        .map(|(pool, _)| cookies::clear(cookies::session_name(pool)))
        .collect();
    finish(request, broker, asked, live, gone).await
}

/// Ends the sessions, here and where asked for at the upstream, and goes on.
async fn finish(
    request: &HttpRequest,
    broker: &Data<Broker>,
    asked: Asked,
    live: Vec<(String, Session)>,
    gone: Vec<Cookie<'static>>,
) -> HttpResponse {
    let mut upstream = None;
    for (token, session) in live {
        let ctx = broker.ctx(format!("user:{}", session.user_sub), RequestId::of(request));
        let ended = broker
            .db
            .write(move |conn| logout::end(conn, &ctx, &session.user_pool_id, &token))
            .await;
        match ended {
            Ok(ended) => upstream = upstream.or(ended),
            Err(cause) => return error::store(request, &cause),
        }
    }
    if let Some(session) = upstream
        && let Some((url, cookie)) =
            upstream_url(request, broker, &session, asked.destination.as_deref()).await
    {
        let mut answer = respond::redirect(&url);
        gone.into_iter().chain(cookie).for_each(|cookie| {
            answer.cookie(cookie);
        });
        return answer.finish();
    }
    match &asked.destination {
        Some(destination) => {
            let mut answer = respond::redirect(destination);
            gone.into_iter().for_each(|cookie| {
                answer.cookie(cookie);
            });
            answer.finish()
        }
        None => {
            let page = match signed_out(request, broker, asked.app.as_deref()).await {
                Ok(page) => page,
                Err(cause) => return error::store(request, &cause),
            };
            let answer = respond::page(StatusCode::OK, &page, respond::Forms::Onward);
            gone.into_iter()
                .fold(answer, |answer, cookie| answer.cookie(cookie))
                .finish()
        }
    }
}

/// Reads the request in its dialect.
async fn understand(
    request: &HttpRequest,
    broker: &Data<Broker>,
    params: &Params,
) -> Result<Asked, HttpResponse> {
    let bad = async |why| Err(error::untrusted(request, broker, why, params.get("client_id")).await);
    if params.repeated().is_some() {
        return bad(Untrusted::Repeated).await;
    }
    let unavailable = |cause: StoreError| error::store(request, &cause);
    let named = match params.get("client_id") {
        None => None,
        Some(id) => match domains::app(request, broker, id).await.map_err(unavailable)? {
            Some(app) => Some(app),
            None => return bad(Untrusted::ClientUnknown).await,
        },
    };
    if let Some(uri) = params.get("logout_uri") {
        let Some(app) = named else {
            return bad(Untrusted::ClientMissing).await;
        };
        if !redirect_uri::is_logout_uri(&app.client.settings, uri) {
            return bad(Untrusted::LogoutUriMismatch).await;
        }
        return Ok(Asked {
            app: Some(app),
            hinted_sub: None,
            destination: Some(uri.to_owned()),
            unasked: true,
        });
    }
    if let Some(uri) = params.get("redirect_uri")
        && params.get("response_type").is_some()
    {
        let Some(app) = named else {
            return bad(Untrusted::ClientMissing).await;
        };
        if redirect_uri::registered(&app.client.settings, uri).is_none() {
            return bad(Untrusted::RedirectUriMismatch).await;
        }
        let destination = Some(authorize::login_url(params, None));
        return Ok(Asked {
            app: Some(app),
            hinted_sub: None,
            destination,
            unasked: true,
        });
    }
    let (app, hinted_sub) = match params.get("id_token_hint") {
        None => (named, None),
        Some(hint) => match trusted(request, broker, hint).await.map_err(unavailable)? {
            // The hint's client and the named one must be the same (RP-Initiated Logout §2).
            Some((app, _))
                if named
                    .as_ref()
                    .is_some_and(|named| named.client.id != app.client.id) =>
            {
                return bad(Untrusted::ClientUnknown).await;
            }
            Some((app, sub)) => (Some(app), Some(sub)),
            None => (named, None),
        },
    };
    let destination = match (params.get("post_logout_redirect_uri"), &app) {
        (None, _) => None,
        (Some(_), None) => return bad(Untrusted::ClientMissing).await,
        (Some(uri), Some(app)) => {
            if !redirect_uri::is_logout_uri(&app.client.settings, uri) {
                return bad(Untrusted::LogoutUriMismatch).await;
            }
            Some(match params.get("state") {
                None => uri.to_owned(),
                Some(state) => {
                    let joint = if uri.contains('?') { '&' } else { '?' };
                    format!("{uri}{joint}{}", params::encode([("state", state)]))
                }
            })
        }
    };
    Ok(Asked {
        app,
        unasked: hinted_sub.is_some(),
        hinted_sub,
        destination,
    })
}

/// The client and user of an ID token of ours, which may have expired.
async fn trusted(
    request: &HttpRequest,
    broker: &Data<Broker>,
    hint: &str,
) -> Result<Option<(Arc<App>, String)>, StoreError> {
    let Some(pool_id) = crate::web::bearer::pool_of(hint, &broker.public_url) else {
        return Ok(None);
    };
    let Some(pool) = broker.pool(&pool_id).await? else {
        return Ok(None);
    };
    let Ok(claims) = jwt::verify_expired(&pool.verify, hint, &pool.issuer, "id") else {
        return Ok(None);
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(client_id), Some(sub)) = (text("aud"), text("sub")) else {
        return Ok(None);
    };
    let app = domains::app(request, broker, &client_id)
        .await?
        .filter(|app| app.pool.pool.id == pool_id);
    Ok(app.map(|app| (app, sub)))
}

/// The upstream's end-session URL, with the cookie that remembers where to go when it comes back.
async fn upstream_url(
    request: &HttpRequest,
    broker: &Data<Broker>,
    session: &Session,
    destination: Option<&str>,
) -> Option<(String, Option<Cookie<'static>>)> {
    let provider_id = session.provider_id.as_ref()?;
    let connection = broker.connection(provider_id).await.ok()??;
    let settings = &connection.provider.settings;
    if !settings.upstream_logout {
        return None;
    }
    let label = Label {
        purpose: "upstream-id-token",
        scope: &session.user_pool_id,
        name: provider_id,
    };
    let hint = broker
        .sealer
        .open_text(label, session.id_token_sealed.as_ref()?)
        .ok()?;
    let back = format!(
        "{}{}/{provider_id}",
        domains::origin(request, broker),
        paths::LOGOUT_RETURN
    );
    let state = secret::short_token(&broker.entropy);
    let returns = settings.upstream_logout_return;
    let (back, given_state) = if returns {
        (Some(back.as_str()), Some(state.as_str()))
    } else {
        (None, None)
    };
    match broker
        .upstream
        .logout_url(&connection, &hint, back, given_state)
        .await
    {
        Ok(Some(url)) => {
            let cookie = destination
                .filter(|_| returns)
                .map(|destination| remember(broker, &state, destination));
            Some((url.into(), cookie))
        }
        Ok(None) => None,
        Err(failure) => {
            tracing::warn!(
                connection = provider_id,
                cause = failure.cause.name(),
                "no sign-out at the upstream"
            );
            None
        }
    }
}

fn remember(broker: &Broker, state: &str, destination: &str) -> Cookie<'static> {
    let name = format!("{RETURN_COOKIE}{state}");
    let label = Label {
        purpose: "logout",
        scope: &broker.public_url,
        name: &name,
    };
    let value = URL_SAFE_NO_PAD.encode(broker.sealer.seal(label, destination.as_bytes()));
    cookies::set(name, value, RETURN_SECONDS)
}

/// `/logout/idpresponse`: back from the upstream's sign-out.
pub async fn returned(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    let found = (|| {
        let params = query(&request).ok()?;
        let name = format!("{RETURN_COOKIE}{}", params.get("state")?);
        let cookies = Cookies::of(&request).ok()?;
        let sealed = URL_SAFE_NO_PAD.decode(cookies.get(&name)?).ok()?;
        let label = Label {
            purpose: "logout",
            scope: &broker.public_url,
            name: &name,
        };
        let destination = broker.sealer.open_text(label, &sealed).ok()?;
        Some((name, destination))
    })();
    match found {
        Some((name, destination)) => respond::redirect(&destination)
            .cookie(cookies::clear(name))
            .finish(),
        None => match signed_out(&request, &broker, None).await {
            Ok(page) => respond::page(StatusCode::OK, &page, respond::Forms::Onward).finish(),
            Err(cause) => error::store(&request, &cause),
        },
    }
}

/// "Do you want to sign out?": nobody trusted has asked (RP-Initiated Logout §2).
fn ask(request: &HttpRequest, asked: &Asked, params: &Params) -> HttpResponse {
    let lang = error::lang(request);
    let (pool, client) = match &asked.app {
        Some(app) => (app.shown_name(), app.client.name.clone()),
        None => ("Forebay", "Forebay".to_owned()),
    };
    let page = ConfirmSignOutPage {
        frame: Frame::new(&lang, pool),
        client_name: client,
        action: paths::LOGOUT.into(),
        fields: params.without(&[CONFIRM_FIELD]),
    };
    let page = respond::page(StatusCode::OK, &page, respond::Forms::Onward);
    match &asked.destination {
        Some(destination) => page.ends_at(destination).finish(),
        None => page.finish(),
    }
}

async fn signed_out(
    request: &HttpRequest,
    broker: &Broker,
    app: Option<&App>,
) -> Result<SignedOutPage, StoreError> {
    let name = app.map_or("Forebay", App::shown_name);
    let still_signed_in_upstream = match app {
        Some(app) => {
            let ways = broker.ways(app, Wanted::choice()).await?;
            ways.many || ways.providers.iter().any(|p| !p.settings.upstream_logout)
        }
        None => false,
    };
    Ok(SignedOutPage {
        frame: Frame::new(&error::lang(request), name),
        client_name: app.map(|app| app.client.name.clone()),
        return_href: None,
        still_signed_in_upstream,
    })
}

fn still_signed_in(request: &HttpRequest) -> HttpResponse {
    let page = ErrorPage {
        frame: Frame::new(&error::lang(request), "Forebay"),
        title: "You are still signed in".into(),
        what: "Nothing was changed.".into(),
        next: "You can close this page or go back to the app.".into(),
        error_name: "sign_out_cancelled".into(),
        ..ErrorPage::default()
    };
    respond::page(StatusCode::OK, &page, respond::Forms::Onward).finish()
}
