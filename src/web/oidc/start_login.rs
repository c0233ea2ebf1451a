//! `/start-login?connection=…`: what a tile in Okta, or any third party, opens to start a sign-in (OIDC Core §4). The browser
//! goes to the app, which asks for the sign-in itself; a short-lived cookie remembers which connection it was to be. A tile
//! that was pointed at the callback starts a sign-in all the same.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::{error, form, query, respond};
use crate::actions::traces::Draft;
use crate::actions::{clients, watch};
use crate::broker::{App, Broker, Wanted, Ways};
use crate::error::StoreError;
use crate::model::provider::{self, Provider};
use crate::rules::authorize::Untrusted;
use crate::rules::params::Params;
use crate::rules::start_login::{self, Nowhere};
use crate::upstream::Connection;
use crate::web::cookies::{self, Cookies};
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::pages::{ErrorPage, Frame};

/// How long the app has to ask.
const SECONDS: i64 = 300;

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    match query(&request) {
        Ok(params) => start(&request, &broker, &params).await,
        Err(_) => error::untrusted(&request, &broker, Untrusted::Malformed, None).await,
    }
}

/// OIDC Core §4 wants both methods.
pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    match (form(&request, &body), query(&request)) {
        (Ok(form), Ok(query)) => {
            let both = query.without(&[]).into_iter().chain(form.without(&[]));
            start(&request, &broker, &Params::from_pairs(both)).await
        }
        _ => error::untrusted(&request, &broker, Untrusted::Malformed, None).await,
    }
}

/// Why a start goes no further.
#[derive(Clone, Copy, Debug)]
enum Stopped {
    Repeated,
    /// Okta's "Send ID Token directly to app (Okta Simplified)".
    IdToken,
    NoConnection,
    /// A bare callback, and several connections that it may be.
    AtCallback,
    Issuer,
    NoApp,
    WhichApp,
    Target,
    NoAddress,
}

impl Stopped {
    /// Name, what happened, and what the tile's owner can do about it.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Stopped::Repeated => (
                "parameter_repeated",
                "The link says the same thing twice, in two ways.",
                "Each parameter must come once.",
            ),
            Stopped::IdToken => (
                "tile_sends_id_token",
                "The tile sent a token of its own instead of starting a sign-in.",
                "In Okta, on the app's General tab, set the login flow to “Redirect to app to initiate login (OIDC Compliant)”.",
            ),
            Stopped::NoConnection => (
                "connection_unknown",
                "The link does not name a connection that people can sign in through at present.",
                "In Okta, set the app's Initiate login URI to the address that the connection's page shows, and see that the \
                 connection is live.",
            ),
            Stopped::AtCallback => (
                "tile_at_callback",
                "The tile leads to the address where sign-ins come back, and nothing tells through which connection one is \
                 to begin.",
                "In Okta, set the app's Initiate login URI to the address that the connection's page shows: it is another \
                 one than the sign-in redirect URI.",
            ),
            Stopped::Issuer => (
                "tile_issuer_mismatch",
                "The link comes from another organisation than the one that it names.",
                "The Initiate login URI of an app in one Okta names the connection of another: paste the address of its own \
                 connection.",
            ),
            Stopped::NoApp => (
                "app_unknown",
                "The link leads to no app that people can sign in to through this connection.",
                "Offer the connection to an app client, or mend client_id in the Initiate login URI.",
            ),
            Stopped::WhichApp => (
                "app_ambiguous",
                "Several apps are used through this connection, and the link does not say which one is meant.",
                "Add client_id to the Initiate login URI, as the connection's page shows it.",
            ),
            Stopped::Target => (
                "target_link_uri_mismatch",
                "The link asked to end at an address that is not registered for the app.",
                "target_link_uri must equal one of the app client's callback, logout or login start URLs.",
            ),
            Stopped::NoAddress => (
                "app_without_start",
                "The app has no page on the web where a sign-in can begin. Open the app itself.",
                "Give the app client a login start URL.",
            ),
        }
    }
}

/// What is known of a start, for the trace of one that goes no further.
#[derive(Default)]
struct Known {
    provider: Option<Provider>,
    app: Option<Arc<App>>,
}

async fn start(request: &HttpRequest, broker: &Data<Broker>, params: &Params) -> HttpResponse {
    let mut known = Known::default();
    match prepare(request, broker, params, &mut known).await {
        Ok(Ok((cookie, location))) => {
            // Okta's tiles send it; a link that somebody wrote mostly does not.
            if params.get("iss").is_some()
                && let Some(provider) = &known.provider
            {
                remember(broker, &provider.id).await;
            }
            let mut answer = respond::redirect(&location);
            answer.cookie(cookie);
            answer.finish()
        }
        Ok(Err(stopped)) => stop(request, broker, stopped, known).await,
        Err(cause) => error::store(request, &cause),
    }
}

/// For the console, which says where no tile was ever seen. Strangers can bring it about, so mostly it only reads.
async fn remember(broker: &Broker, provider_id: &str) {
    let (now, id) = (broker.clock.now(), provider_id.to_owned());
    let is_known = broker
        .db
        .read(move |conn| watch::knows_tile(conn, now, &id))
        .await;
    let id = provider_id.to_owned();
    let noted = match is_known {
        Ok(true) => Ok(()),
        Ok(false) => {
            broker
                .db
                .write(move |conn| watch::note_tile(conn, now, &id))
                .await
        }
        Err(cause) => Err(cause),
    };
    if let Err(cause) = noted {
        tracing::warn!(%cause, connection = provider_id, "a click on a tile could not be remembered");
    }
}

/// A request to the callback that answers nothing of ours, as a tile sends it that was given the redirect URI for its
/// address: the start of a sign-in through the connection of the path, or through the one that it can only be.
pub async fn at_callback(
    request: &HttpRequest,
    broker: &Data<Broker>,
    connection: Option<&str>,
) -> Option<HttpResponse> {
    let params = query(request).ok()?;
    if ["state", "code", "error"]
        .iter()
        .any(|name| params.get(name).is_some())
    {
        return None;
    }
    let named = match connection {
        Some(id) => Some(id.to_owned()),
        None => match only(request, broker, params.get("iss")).await {
            Ok(found) => found,
            Err(cause) => return Some(error::store(request, &cause)),
        },
    };
    let Some(id) = named else {
        return Some(stop(request, broker, Stopped::AtCallback, Known::default()).await);
    };
    let mut pairs = params.without(&["connection"]);
    pairs.push(("connection".to_owned(), id));
    Some(start(request, broker, &Params::from_pairs(pairs)).await)
}

/// The one connection that a tile at the bare callback of this host can be of.
async fn only(
    request: &HttpRequest,
    broker: &Broker,
    iss: Option<&str>,
) -> Result<Option<String>, StoreError> {
    /// Of more than these nobody can be the only one.
    const LOOKED_AT: i64 = 50;
    let (pool, origin) = (domains::pool_of(request), iss.map(start_login::origin));
    let mut found = match origin {
        Some(None) => return Ok(None),
        origin => {
            let origin = origin.flatten();
            broker
                .db
                .read(move |conn| -> Result<_, StoreError> {
                    Ok(provider::enabled_of(
                        conn,
                        pool.as_deref(),
                        origin.as_deref(),
                        LOOKED_AT + 1,
                    )?)
                })
                .await?
        }
    };
    if i64::try_from(found.len()).is_ok_and(|count| count > LOOKED_AT) {
        return Ok(None);
    }
    let at_tenants_host = domains::tenant_of(request).is_some();
    found.retain(|provider| {
        (provider.settings.shared_callback || at_tenants_host)
            && domains::offers(request, provider)
            && iss.is_none_or(|iss| start_login::is_of(iss, &provider.issuer))
    });
    Ok(match found.as_slice() {
        [one] => Some(one.id.clone()),
        _ => None,
    })
}

type Prepared = Result<(actix_web::cookie::Cookie<'static>, String), Stopped>;

async fn prepare(
    request: &HttpRequest,
    broker: &Broker,
    params: &Params,
    known: &mut Known,
) -> Result<Prepared, StoreError> {
    if params.repeated().is_some() {
        return Ok(Err(Stopped::Repeated));
    }
    if params.get("id_token").is_some() {
        return Ok(Err(Stopped::IdToken));
    }
    let connection = match params.get("connection") {
        Some(id) => broker.connection(id).await?,
        None => None,
    };
    let ours = |connection: &Arc<Connection>| domains::offers(request, &connection.provider);
    let Some(connection) = connection.filter(ours) else {
        return Ok(Err(Stopped::NoConnection));
    };
    let provider = &known.provider.insert(connection.provider.clone());
    if let Some(iss) = params.get("iss")
        && !start_login::is_of(iss, &provider.issuer)
    {
        return Ok(Err(Stopped::Issuer));
    }
    let app = match app(broker, params.get("client_id"), provider).await? {
        Ok(app) => known.app.insert(app),
        Err(stopped) => return Ok(Err(stopped)),
    };
    let (hint, target) = (params.get("login_hint"), params.get("target_link_uri"));
    let location = start_login::destination(&app.client.settings, &app.pool.issuer, hint, target);
    Ok(match location {
        Ok(location) => Ok((
            cookies::set(cookie_name(&app.client.id), provider.id.clone(), SECONDS),
            location,
        )),
        Err(Nowhere::Target) => Err(Stopped::Target),
        Err(Nowhere::NoAddress) => Err(Stopped::NoAddress),
    })
}

/// The app that is meant: the one named, or the only one that offers the connection.
async fn app(
    broker: &Broker,
    client_id: Option<&str>,
    provider: &Provider,
) -> Result<Result<Arc<App>, Stopped>, StoreError> {
    let client_id = match client_id {
        Some(id) => id.to_owned(),
        None => {
            let (pool, name) = (provider.user_pool_id.clone(), provider.name.clone());
            let offering = broker
                .db
                .read(move |conn| clients::offering(conn, &pool, &name))
                .await?;
            match offering.as_slice() {
                [] => return Ok(Err(Stopped::NoApp)),
                [one] => one.id.clone(),
                _ => return Ok(Err(Stopped::WhichApp)),
            }
        }
    };
    let Some(app) = broker.app(&client_id).await? else {
        return Ok(Err(Stopped::NoApp));
    };
    let ways = broker.ways(&app, Wanted::id(&provider.id)).await?;
    Ok(ways.provider(&provider.id).map(|_| app).ok_or(Stopped::NoApp))
}

/// A page that says why, and a trace in bounded number.
async fn stop(request: &HttpRequest, broker: &Broker, stopped: Stopped, known: Known) -> HttpResponse {
    let (name, what, remedy) = stopped.words();
    let mut trace = Draft {
        started_at: broker.clock.now(),
        user_pool_id: known
            .provider
            .as_ref()
            .map(|provider| provider.user_pool_id.clone()),
        provider_id: known.provider.map(|provider| provider.id),
        client_id: known.app.map(|app| app.client.id.clone()),
        ..Draft::default()
    };
    trace.step("start", false, name);
    trace.story.remedy = remedy.to_owned();
    let trace_code = error::keep_unreached(request, broker, trace, name).await;
    let copy_text = trace_code.as_ref().map(|code| {
        let text = format!("Hello,\n\nthe tile or link that I clicked does not work. It said:\n{what} ({name})\n\nCode: {code}\n");
        text + &error::for_administrator(broker, "Forebay", None, code)
    });
    let page = ErrorPage {
        frame: Frame::new(&error::lang(request), "Forebay"),
        title: "This sign-in link does not work".into(),
        what: what.into(),
        next: "Open the app itself and sign in there; and tell the people who look after the tile or link."
            .into(),
        trace_code,
        error_name: name.into(),
        details: vec![("Request".into(), RequestId::of(request))],
        copy_text,
        ..ErrorPage::default()
    };
    respond::page(StatusCode::BAD_REQUEST, &page, respond::Forms::ToApp).finish()
}

/// One for each app, so that tiles of two apps don't take each other's connection.
pub fn cookie_name(client_id: &str) -> String {
    format!("__Host-start-{client_id}")
}

/// The start was for one sign-in.
pub fn used(answer: &mut HttpResponse, app: &App) {
    let over = cookies::clear(cookie_name(&app.client.id));
    if let Err(cause) = answer.add_cookie(&over) {
        tracing::error!(%cause, "a cookie could not be cleared");
    }
}

/// The connection that this browser's sign-in at the app was started with.
pub fn chosen<'a>(request: &HttpRequest, app: &App, ways: &'a Ways) -> Option<&'a Provider> {
    let cookies = Cookies::of(request).ok()?;
    ways.provider(cookies.get(&cookie_name(&app.client.id))?)
}
