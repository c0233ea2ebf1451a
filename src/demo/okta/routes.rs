//! Which path leads where, on both authorization servers and on the pages; what leads nowhere, in Okta's words;
//! and the HTTP door to the faults.

use actix_web::http::StatusCode;
use serde_json::Value;

use super::http::Reply;
use super::{
    Answer, Server, Visit, api, authorize, discovery, logout, pages, sign_in, token, token_status, userinfo,
};

/// The whole route table.
pub fn route(visit: &mut Visit<'_>) -> Answer {
    let path = visit.request.path.as_str();
    let (server, rest) = if let Some(rest) = path.strip_prefix("/oauth2/default/v1/") {
        (Server::Default, Some(rest))
    } else {
        (Server::Org, path.strip_prefix("/oauth2/v1/"))
    };
    if let Some(endpoint) = rest {
        return match (visit.request.method.as_str(), endpoint) {
            ("GET" | "POST", "authorize") => authorize::authorize(visit, server),
            ("POST", "token") => token::token(visit, server),
            ("GET", "keys") => discovery::keys(visit, server),
            ("GET" | "POST", "userinfo") => userinfo::userinfo(visit, server),
            ("POST", "introspect") => token_status::introspect(visit, server),
            ("POST", "revoke") => token_status::revoke(visit, server),
            ("GET" | "POST", "logout") => logout::logout(visit, server),
            (_, "authorize" | "token" | "keys" | "userinfo" | "introspect" | "revoke" | "logout") => {
                Err(visit.okta_error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "E0000022",
                    "The endpoint does not support the provided HTTP method",
                ))
            }
            _ => Err(unknown(visit)),
        };
    }
    if let ("GET", Some(rest)) = (visit.request.method.as_str(), path.strip_prefix("/api/v1/")) {
        return api::api(visit, rest);
    }
    match (visit.request.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration") => discovery::openid(visit, Server::Org),
        ("GET", "/oauth2/default/.well-known/openid-configuration") => {
            discovery::openid(visit, Server::Default)
        }
        ("GET", "/.well-known/oauth-authorization-server") => discovery::oauth(visit, Server::Org),
        (
            "GET",
            "/.well-known/oauth-authorization-server/oauth2/default"
            | "/oauth2/default/.well-known/oauth-authorization-server",
        ) => discovery::oauth(visit, Server::Default),
        ("GET", "/.well-known/okta-organization") => discovery::organization(visit),
        ("GET", "/") => sign_in::dashboard(visit),
        ("GET", "/login/signout") => sign_in::sign_out(visit),
        ("POST", "/signin") => sign_in::to_dashboard(visit),
        ("POST", path) if path.starts_with("/signin/") => sign_in::to_app(visit),
        ("POST", path) if path.starts_with("/consent/") => sign_in::consent(visit),
        ("GET", path) if path.starts_with("/home/oidc_client/") => sign_in::tile(visit),
        ("GET", "/assets/okta.css") => Ok(pages::style_sheet()),
        ("GET", "/assets/form_post.js") => Ok(pages::form_post_script()),
        ("GET" | "POST", "/_faults") if visit.setup.faults_over_http => faults_door(visit),
        _ => Err(unknown(visit)),
    }
}

/// 404 in Okta's words; an authorization server that does not exist is named.
fn unknown(visit: &Visit<'_>) -> Reply {
    let named = visit
        .request
        .path
        .strip_prefix("/oauth2/")
        .and_then(|rest| rest.split('/').next());
    match named {
        Some(server) if !matches!(server, "v1" | "default" | "") => visit.okta_error(
            StatusCode::NOT_FOUND,
            "E0000007",
            &format!("Not found: Resource not found: {server} (AuthorizationServer)"),
        ),
        _ => visit.okta_error(
            StatusCode::NOT_FOUND,
            "E0000008",
            "The requested path was not found",
        ),
    }
}

/// Shows the faults, and replaces them. Only JSON is taken, so that no page of another origin can post here
/// without the browser asking first.
fn faults_door(visit: &mut Visit<'_>) -> Answer {
    if visit.request.method == "POST" {
        if visit.request.header("content-type") != Some("application/json") {
            let text = "the faults are JSON".to_owned();
            return Err(Reply::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "text/plain",
                text,
            ));
        }
        let faults = serde_json::from_slice(&visit.request.body)
            .map_err(|error| Reply::text(StatusCode::BAD_REQUEST, "text/plain", error.to_string()))?;
        visit.state.faults = faults;
        visit.state.befallen.clear();
    }
    let faults = serde_json::to_value(&visit.state.faults).unwrap_or(Value::Null);
    Ok(Reply::json(StatusCode::OK, &faults).no_store())
}
