//! OpenID Connect RP-Initiated Logout as Okta does it: the hint is required, the address is exact, and the
//! browser's session ends only when it belongs to the person in the hint.

use actix_web::http::StatusCode;
use serde_json::Value;

use super::http::{Reply, find, with_query};
use super::{Answer, Server, Visit, pages, sign_in};

/// GET or POST of the logout endpoint.
pub fn logout(visit: &mut Visit<'_>, server: Server) -> Answer {
    let request = visit.request;
    let parameters = if request.method == "POST" {
        &request.form
    } else {
        &request.query
    };
    let get = |name: &str| find(parameters, name);
    let setup = visit.setup;
    let page = |error: &str, why: &str| pages::error(setup, StatusCode::BAD_REQUEST, error, why);

    // An expired hint is good as long as it is genuine.
    let hint = get("id_token_hint")
        .ok_or_else(|| page("invalid_request", "The 'id_token_hint' parameter is required."))?;
    let issuer = visit.issuer(server);
    let claims = visit
        .state
        .keys(server)
        .genuine(hint)
        .filter(|claims| claims.get("iss").and_then(Value::as_str) == Some(issuer.as_str()))
        .ok_or_else(|| page("invalid_token", "The id token is invalid."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let app = visit
        .state
        .app(text("aud"))
        .cloned()
        .ok_or_else(|| page("invalid_client", "Invalid value for 'client_id' parameter."))?;
    let reply = match get("post_logout_redirect_uri") {
        None => Reply::redirect("/"),
        Some(uri) if app.logout_uris.iter().any(|known| known == uri) => {
            let state: Vec<_> = get("state")
                .map(|state| ("state".to_owned(), state.to_owned()))
                .into_iter()
                .collect();
            Reply::redirect(&with_query(uri, &state))
        }
        Some(_) => {
            let why = "The 'post_logout_redirect_uri' parameter must be a Logout redirect URI in the client app \
                       settings.";
            return Err(page("invalid_request", why));
        }
    };
    match sign_in::session(visit) {
        Some(session) if session.person_id == text("sub") => Ok(sign_in::end_session(visit, reply)),
        _ => Ok(reply),
    }
}
