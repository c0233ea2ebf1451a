//! Callbacks that belong to no login of this browser: expired, finished before, forged, or begun elsewhere. Nothing is sent
//! to any upstream because of them, and no app hears of them: there is nobody to answer to.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use crate::actions::traces::Draft;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::session;
use crate::rules::login::{self, Login};
use crate::rules::params::Params;
use crate::rules::refusal::Refusal;
use crate::rules::secret;
use crate::web::cookies::{self, Cookies};
use crate::web::domains;
use crate::web::oidc::error::{self, Shown};
use crate::web::oidc::{query, respond};
use crate::web::pages::{ErrorPage, Frame};

/// Why a callback belongs to no login of this browser, with its state where that is one of ours.
pub struct Unknown {
    pub seen: &'static str,
    pub state: Option<String>,
}

/// The login that this callback belongs to, by its state and this browser's cookie.
pub fn own_login(request: &HttpRequest, broker: &Broker) -> Result<(Params, String, Login), Unknown> {
    let unknown = |seen| Unknown { seen, state: None };
    let params = query(request).map_err(|_| unknown("the query cannot be read"))?;
    if params.repeated().is_some() {
        return Err(unknown("a parameter is repeated"));
    }
    let state = params
        .get("state")
        .ok_or_else(|| unknown("no state came back"))?
        .to_owned();
    if !login::is_state(&state) {
        return Err(unknown("the state is not one of ours"));
    }
    let cookies = Cookies::of(request).map_err(|_| unknown("a cookie came twice"))?;
    let name = login::cookie_name(&state);
    let value = cookies.get(&name).ok_or_else(|| Unknown {
        seen: "this browser has no login of that state",
        state: Some(state.clone()),
    })?;
    let login = Login::open(&broker.sealer, &broker.public_url, &state, value).ok_or_else(|| Unknown {
        seen: "the login cookie does not open",
        state: Some(state.clone()),
    })?;
    if login.expired(broker.clock.now()) {
        return Err(Unknown {
            seen: "the login is older than five minutes",
            state: Some(state),
        });
    }
    Ok((params, state, login))
}

/// Our database could not even say whose callback this is.
pub fn unavailable(request: &HttpRequest, broker: &Broker, cause: &StoreError) -> HttpResponse {
    tracing::error!(%cause, "an app client could not be read");
    error::refused(
        request,
        broker,
        Shown {
            refusal: &Refusal::unavailable(),
            trace_code: None,
            pool_name: "Forebay",
            client_name: None,
            connection: None,
            issuer: "",
            address: None,
            again: None,
            clear: None,
        },
    )
}

/// The page of such a callback, with its trace in bounded number; for the browser that just finished that login, a friendly one.
pub async fn unknown_login(
    request: &HttpRequest,
    broker: &Broker,
    connection: Option<&str>,
    unknown: Unknown,
) -> HttpResponse {
    if let Some(state) = &unknown.state
        && signed_in_by(request, broker, state).await
    {
        return signed_in_already(request);
    }
    let refusal = Refusal::login_unknown();
    let mut trace = Draft {
        started_at: broker.clock.now(),
        ..Draft::default()
    };
    // At the host of a pool or a tenant others' connections are as unknown as none.
    if let Some(id) = connection
        && let Ok(Some(connection)) = broker.connection(id).await
        && domains::offers(request, &connection.provider)
    {
        trace.provider_id = Some(connection.provider.id.clone());
        trace.user_pool_id = Some(connection.provider.user_pool_id.clone());
    }
    trace.step("callback", false, unknown.seen);
    trace.story.remedy = refusal.remedy.to_string();
    // Not as it stands in the address: only what is one of ours goes onto a page.
    let known = trace.provider_id.clone();
    let trace_code = error::keep_unreached(request, broker, trace, &refusal.cause).await;
    error::refused(
        request,
        broker,
        Shown {
            refusal: &refusal,
            trace_code,
            pool_name: "Forebay",
            client_name: None,
            connection: known.as_deref(),
            issuer: "",
            address: None,
            again: None,
            clear: unknown.state.map(|state| login::cookie_name(&state)),
        },
    )
}

/// Whether this browser has the session that the login of this state has made (the back button).
async fn signed_in_by(request: &HttpRequest, broker: &Broker, state: &str) -> bool {
    let Ok(cookies) = Cookies::of(request) else {
        return false;
    };
    let own: Vec<Vec<u8>> = cookies
        .with_prefix(&cookies::session_name(""))
        .into_iter()
        .map(|(_, token)| secret::hash(&token))
        .collect();
    if own.is_empty() {
        return false;
    }
    let hash = secret::hash(state);
    let made = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(session::find_by_login(conn, &hash)?))
        .await;
    matches!(made, Ok(Some(session)) if own.contains(&session.hash))
}

/// The login is over because it succeeded; which app it was for is forgotten with it.
fn signed_in_already(request: &HttpRequest) -> HttpResponse {
    let page = ErrorPage {
        frame: Frame::new(&error::lang(request), "Forebay"),
        title: "You are already signed in".into(),
        what: "This sign-in was finished a moment ago, in this very browser.".into(),
        next: "Go forward again, or open the app: it will let you in.".into(),
        error_name: "already_signed_in".into(),
        ..ErrorPage::default()
    };
    respond::page(StatusCode::OK, &page, respond::Forms::ToApp).finish()
}
