//! Introspection (RFC 7662) and revocation (RFC 7009) of the tokens that `token` issued.

use actix_web::http::StatusCode;
use serde_json::json;

use super::http::Reply;
use super::{Answer, Server, Visit, client_auth};

/// POST of the introspection endpoint: only what lives, and only to its own client.
pub fn introspect(visit: &mut Visit<'_>, server: Server) -> Answer {
    let (app, _) = client_auth::authenticate(visit, server, "introspect")?;
    let token = visit.request.form("token").unwrap_or_default();
    let access = visit
        .state
        .access_tokens
        .get(token)
        .map(|grant| (grant, "Bearer"));
    let refresh = visit.state.refresh_tokens.get(token).filter(|grant| !grant.spent);
    let found = access
        .or(refresh.map(|grant| (grant, "refresh_token")))
        .filter(|(grant, _)| {
            grant.server == server && grant.client_id == app.client_id && grant.expires > visit.now
        });
    let body = match found {
        None => json!({"active": false}),
        Some((grant, kind)) => json!({
            "active": true,
            "token_type": kind,
            "scope": grant.scopes.join(" "),
            "client_id": grant.client_id,
            "username": visit.state.person(&grant.person_id).map(|person| &person.login),
            "uid": grant.person_id,
            "iss": visit.issuer(server),
            "iat": grant.issued.0,
            "exp": grant.expires.0,
        }),
    };
    Ok(Reply::json(StatusCode::OK, &body).no_store())
}

/// POST of the revocation endpoint: 200 and nothing, known token or not. With a refresh token goes all that
/// descends from it.
pub fn revoke(visit: &mut Visit<'_>, server: Server) -> Answer {
    let (app, _) = client_auth::authenticate(visit, server, "revoke")?;
    let token = visit.request.form("token").unwrap_or_default();
    let ours = |grant: &&super::state::Grant| grant.client_id == app.client_id && grant.server == server;
    let family = visit
        .state
        .refresh_tokens
        .get(token)
        .filter(ours)
        .map(|grant| grant.family.clone());
    if visit
        .state
        .access_tokens
        .get(token)
        .is_some_and(|grant| ours(&grant))
    {
        visit.state.access_tokens.remove(token);
    }
    if let Some(family) = family {
        visit.state.end_family(&family);
    }
    Ok(Reply::empty(StatusCode::OK).no_store())
}
