//! What a person does at the organisation: sign in, consent, look at the dashboard, click a tile, sign out.
//! The browser session lives in a cookie of the organisation's own.

use actix_web::http::StatusCode;

use super::authorize_answer::refuse;
use super::authorize_request::Authorization;
use super::directory::{PASSWORD, Person};
use super::http::{Reply, with_query};
use super::state::{SESSION_SECONDS, Session};
use super::{Answer, Visit, authorize, pages};

/// The cookie's name. Cookies ignore ports, so two organisations on one address need names of their own.
pub fn cookie_name(organisation: &str) -> String {
    format!("sid-{organisation}")
}

/// The browser's session, if it has one that has not ended.
pub fn session(visit: &Visit<'_>) -> Option<Session> {
    let id = visit.request.cookie(&cookie_name(&visit.setup.name))?;
    let session = visit.state.sessions.get(id)?;
    (session.expires > visit.now && visit.state.person(&session.person_id).is_some()).then(|| session.clone())
}

/// Checks the form's name and password, and opens a session.
fn open_session(visit: &mut Visit<'_>) -> Option<(String, Session)> {
    let login = visit.request.form("username")?.to_owned();
    let person_id = visit.state.person_by_login(&login)?.id.clone();
    if visit.request.form("password") != Some(PASSWORD) {
        return None;
    }
    let id = visit.random();
    let session = Session {
        person_id,
        auth_time: visit.now,
        expires: visit.now.plus(SESSION_SECONDS),
    };
    visit.state.tidy(visit.now);
    // Signing in again ends the session before, whoever's it was.
    if let Some(old) = visit.request.cookie(&cookie_name(&visit.setup.name)) {
        visit.state.sessions.remove(old);
    }
    visit.state.sessions.insert(id.clone(), session.clone());
    Some((id, session))
}

/// Not `Secure`: the stand-in speaks plain http on loopback.
fn with_cookie(visit: &Visit<'_>, reply: Reply, id: &str) -> Reply {
    let name = cookie_name(&visit.setup.name);
    reply.and_header(
        "set-cookie",
        format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax"),
    )
}

/// The answer with the browser's session ended.
pub fn end_session(visit: &mut Visit<'_>, reply: Reply) -> Reply {
    let name = cookie_name(&visit.setup.name);
    if let Some(id) = visit.request.cookie(&name) {
        visit.state.sessions.remove(id);
    }
    reply.and_header(
        "set-cookie",
        format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"),
    )
}

const WRONG: &str = "Unable to sign in. Check the username and the password.";

/// The sign-in form of an app's authorize request.
pub fn to_app(visit: &mut Visit<'_>) -> Answer {
    let authorization = parked(visit, "/signin/")?;
    let Some((id, session)) = open_session(visit) else {
        let action = visit.request.path.clone();
        let label = visit
            .state
            .app(&authorization.client_id)
            .map(|app| app.label.clone());
        let typed = visit.request.form("username").unwrap_or_default();
        return Ok(pages::sign_in(
            visit.setup,
            &action,
            &label.unwrap_or_default(),
            typed,
            Some(WRONG),
        ));
    };
    unpark(visit, "/signin/");
    let reply = authorize::proceed(visit, authorization, &session, false)?;
    Ok(with_cookie(visit, reply, &id))
}

/// The sign-in form of the dashboard.
pub fn to_dashboard(visit: &mut Visit<'_>) -> Answer {
    match open_session(visit) {
        Some((id, _)) => Ok(with_cookie(visit, Reply::redirect("/"), &id)),
        None => {
            let typed = visit.request.form("username").unwrap_or_default();
            Ok(pages::sign_in(visit.setup, "/signin", "", typed, Some(WRONG)))
        }
    }
}

/// The consent form.
pub fn consent(visit: &mut Visit<'_>) -> Answer {
    let authorization = parked(visit, "/consent/")?;
    let session = session(visit).ok_or_else(|| start_over(visit))?;
    unpark(visit, "/consent/");
    match visit.request.form("decision") {
        Some("allow") => authorize::proceed(visit, authorization, &session, true),
        _ => {
            let why = "The resource owner or authorization server denied the request.";
            refuse(visit, &authorization, "access_denied", why)
        }
    }
}

/// The authorize request that a form's address names.
fn parked(visit: &Visit<'_>, prefix: &str) -> Result<Authorization, Reply> {
    let ticket = visit.request.path.strip_prefix(prefix).unwrap_or_default();
    let sign_in = visit
        .state
        .sign_ins
        .get(ticket)
        .filter(|sign_in| sign_in.expires > visit.now);
    sign_in
        .map(|sign_in| sign_in.authorization.clone())
        .ok_or_else(|| start_over(visit))
}

fn unpark(visit: &mut Visit<'_>, prefix: &str) {
    let ticket = visit.request.path.strip_prefix(prefix).unwrap_or_default();
    visit.state.sign_ins.remove(ticket);
}

fn start_over(visit: &Visit<'_>) -> Reply {
    let why = "Request expired, please start over and try again.";
    pages::error(visit.setup, StatusCode::BAD_REQUEST, "login_required", why)
}

/// The end-user dashboard: the assigned apps that have a tile. Without a session, the sign-in page.
pub fn dashboard(visit: &mut Visit<'_>) -> Answer {
    let signed_in = session(visit).and_then(|session| visit.state.person(&session.person_id).cloned());
    match signed_in {
        None => Ok(pages::sign_in(visit.setup, "/signin", "", "", None)),
        Some(person) => {
            let tiles = tiles(visit, &person);
            Ok(pages::dashboard(visit.setup, &person, tiles))
        }
    }
}

/// Label and address of every tile. The `iss` of a tile is the organisation, whichever server the app uses.
fn tiles(visit: &Visit<'_>, person: &Person) -> Vec<(String, String)> {
    let apps = visit.state.apps.iter().filter(|app| app.admits(person));
    apps.filter_map(|app| {
        let uri = app.initiate_login_uri.as_deref()?;
        Some((
            app.label.clone(),
            with_query(uri, &[("iss".to_owned(), visit.setup.origin.clone())]),
        ))
    })
    .collect()
}

/// A tile's embed link, `/home/oidc_client/{client_id}/aln…`: leads to the app as the tile does.
pub fn tile(visit: &mut Visit<'_>) -> Answer {
    let client_id = visit.request.path.split('/').nth(3).unwrap_or_default();
    let uri = visit
        .state
        .app(client_id)
        .and_then(|app| app.initiate_login_uri.clone());
    let Some(uri) = uri else {
        let why = "This app is not on the dashboard.";
        return Err(pages::error(visit.setup, StatusCode::NOT_FOUND, "E0000007", why));
    };
    match session(visit) {
        None => Ok(Reply::redirect("/")),
        Some(_) => Ok(Reply::redirect(&with_query(
            &uri,
            &[("iss".to_owned(), visit.setup.origin.clone())],
        ))),
    }
}

/// Signs out of the organisation only.
pub fn sign_out(visit: &mut Visit<'_>) -> Answer {
    let reply = Reply::redirect("/");
    Ok(end_session(visit, reply))
}
