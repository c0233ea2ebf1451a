//! The token endpoint: codes and refresh tokens for tokens (RFC 6749 §4.1.3 and §6, RFC 7636 §4.6), with
//! Okta's refusals and headers.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::claims::{self, has};
use super::directory::{App, ClientAuth};
use super::faults::TokenFault;
use super::http::Reply;
use super::state::{Code, Grant, REFRESH_SECONDS, TOKEN_SECONDS};
use super::{Answer, Server, Visit, client_auth, forge};

/// For how long a spent refresh token still yields, so that a lost answer can be asked for again.
const LEEWAY_SECONDS: i64 = 30;

fn invalid_grant(description: &str) -> Reply {
    Reply::oauth_error(StatusCode::BAD_REQUEST, "invalid_grant", description)
}

fn invalid_request(description: &str) -> Reply {
    Reply::oauth_error(StatusCode::BAD_REQUEST, "invalid_request", description)
}

/// POST of the token endpoint.
pub fn token(visit: &mut Visit<'_>, server: Server) -> Answer {
    for fault in &visit.faults.token {
        if let TokenFault::Error {
            status,
            error,
            description,
        } = fault
        {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
            return Err(Reply::oauth_error(status, error, description));
        }
    }
    let request = visit.request;
    if request.header("origin").is_some() && request.form("code_verifier").is_none() {
        let why = "Browser requests to the token endpoint must use Proof Key for Code Exchange.";
        return Err(Reply::oauth_error(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            why,
        ));
    }
    let (app, method) = client_auth::authenticate(visit, server, "token")?;
    let reply = match request.form("grant_type") {
        Some("authorization_code") => authorization_code(visit, server, &app),
        Some("refresh_token") => refresh_token(visit, server, &app),
        Some("client_credentials") if server == Server::Org && method != ClientAuth::PrivateKeyJwt => {
            let why = "Client Credentials requests to the Org Authorization Server must use the private_key_jwt \
                       token_endpoint_auth_method.";
            Err(Reply::oauth_error(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                why,
            ))
        }
        Some("client_credentials" | "password" | "implicit") => {
            let why = "The client is not authorized to use the provided grant type. Configured grant types: \
                       [authorization_code, refresh_token].";
            Err(Reply::oauth_error(
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                why,
            ))
        }
        Some(_) => {
            let why = "The authorization grant type is not supported by the authorization server. Configured \
                       grant types: [authorization_code, refresh_token].";
            Err(Reply::oauth_error(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                why,
            ))
        }
        None => Err(invalid_request(
            "The token request must specify a 'grant_type'. Valid values: [authorization_code, refresh_token].",
        )),
    }?;
    // Observed on the live endpoint; a relying party must not keep cookies on its back channel.
    Ok(reply
        .and_header(
            "set-cookie",
            format!("JSESSIONID={}; Path=/; HttpOnly", visit.random()),
        )
        .and_header("set-cookie", "sid=; Path=/; Max-Age=0"))
}

fn authorization_code(visit: &mut Visit<'_>, server: Server, app: &App) -> Answer {
    let request = visit.request;
    let expired = || invalid_grant("The authorization code is invalid or has expired.");
    let presented = request
        .form("code")
        .ok_or_else(|| invalid_request("The 'code' parameter is required."))?;
    let found = visit
        .state
        .codes
        .get(presented)
        .filter(|code| code.expires > visit.now);
    let Some(code) = found.cloned() else {
        // A second use ends what the first one brought.
        visit.state.end_family(presented);
        return Err(expired());
    };
    let authorization = &code.authorization;
    if authorization.client_id != app.client_id {
        return Err(invalid_grant(
            "The grant was issued to another client. Please make sure the 'client_id' matches the one used at \
             the authorize request.",
        ));
    }
    if authorization.server != server {
        return Err(invalid_request(
            "The grant was issued for another authorization server.",
        ));
    }
    // From here on the code is spent, whatever becomes of it.
    visit.state.codes.remove(presented);
    if request.form("redirect_uri") != Some(authorization.redirect_uri.as_str()) {
        return Err(invalid_grant(
            "The 'redirect_uri' does not match the redirection URI used in the authorization request.",
        ));
    }
    check_pkce(
        authorization.code_challenge.as_deref(),
        request.form("code_verifier"),
    )?;
    let grant = grant_of(presented, &code, visit);
    let refresh_token = has(&grant, "offline_access").then(|| remember_refresh(visit, &grant));
    issue(
        visit,
        app,
        grant,
        code.authorization.nonce.as_deref(),
        refresh_token,
    )
}

fn check_pkce(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Reply> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(invalid_request(
            "PKCE code challenge should be specified in the authorize request for code verification.",
        )),
        (Some(_), None) => Err(invalid_request(
            "PKCE code verifier is required by the application.",
        )),
        (Some(challenge), Some(verifier)) => {
            if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge {
                Ok(())
            } else {
                Err(invalid_grant("PKCE verification failed."))
            }
        }
    }
}

fn grant_of(presented: &str, code: &Code, visit: &Visit<'_>) -> Grant {
    Grant {
        family: presented.to_owned(),
        server: code.authorization.server,
        client_id: code.authorization.client_id.clone(),
        person_id: code.person_id.clone(),
        scopes: code.authorization.scopes.clone(),
        auth_time: code.auth_time,
        acr: code.authorization.acr.clone(),
        issued: visit.now,
        expires: visit.now.plus(REFRESH_SECONDS),
        spent: false,
    }
}

fn remember_refresh(visit: &mut Visit<'_>, grant: &Grant) -> String {
    let token = visit.random();
    visit.state.tidy(visit.now);
    visit.state.refresh_tokens.insert(token.clone(), grant.clone());
    token
}

fn refresh_token(visit: &mut Visit<'_>, server: Server, app: &App) -> Answer {
    let request = visit.request;
    let expired = || invalid_grant("The refresh token is invalid or expired.");
    let presented = request
        .form("refresh_token")
        .ok_or_else(|| invalid_request("The 'refresh_token' parameter is required."))?;
    let found = visit
        .state
        .refresh_tokens
        .get(presented)
        .filter(|grant| grant.expires > visit.now);
    let mut grant = found
        .filter(|grant| grant.server == server)
        .cloned()
        .ok_or_else(expired)?;
    if grant.client_id != app.client_id {
        return Err(invalid_grant(
            "The grant was issued to another client. Please make sure the 'client_id' matches the one used at \
             the authorize request.",
        ));
    }
    if grant.spent && visit.now.since(grant.issued) > LEEWAY_SECONDS {
        visit.state.end_family(&grant.family);
        return Err(expired());
    }
    let still_assigned = visit
        .state
        .person(&grant.person_id)
        .is_some_and(|person| app.admits(person));
    if !still_assigned {
        return Err(expired());
    }
    let refresh_token = if app.rotate_refresh_tokens {
        if let Some(old) = visit
            .state
            .refresh_tokens
            .get_mut(presented)
            .filter(|old| !old.spent)
        {
            old.spent = true;
            old.issued = visit.now;
        }
        // Expiry is inherited: rotation does not extend it.
        let successor = Grant {
            spent: false,
            issued: visit.now,
            ..grant.clone()
        };
        remember_refresh(visit, &successor)
    } else {
        presented.to_owned()
    };
    if let Some(scope) = request.form("scope") {
        let narrowed: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
        if !narrowed.iter().all(|scope| has(&grant, scope)) {
            let why = "The requested scopes are not a subset of those granted.";
            return Err(Reply::oauth_error(StatusCode::BAD_REQUEST, "invalid_scope", why));
        }
        grant.scopes = narrowed;
    }
    issue(visit, app, grant, None, Some(refresh_token))
}

/// The token answer for a grant.
fn issue(
    visit: &mut Visit<'_>,
    app: &App,
    grant: Grant,
    nonce: Option<&str>,
    refresh_token: Option<String>,
) -> Answer {
    let server = grant.server;
    for fault in &visit.faults.token {
        if let TokenFault::RotateKeys { keep_old } = fault {
            visit.state.keys(server).rotate(*keep_old)?;
        }
    }
    let gone = || invalid_grant("The authorization code is invalid or has expired.");
    let person = visit.state.person(&grant.person_id).cloned().ok_or_else(gone)?;
    let claims = claims::access_token(visit, &grant, &person);
    let access_token = visit.state.keys(server).current()?.jwt(&claims)?;
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "access_token": access_token,
        "scope": grant.scopes.join(" "),
    });
    if has(&grant, "openid") {
        let claims = claims::id_token(visit, &grant, &person, app, nonce, &access_token);
        let other_person = visit.state.people.iter().find(|other| other.id != person.id);
        let other_sub = other_person
            .map_or("00u1nobody0000000000", |other| other.id.as_str())
            .to_owned();
        let knowledge = forge::Knowledge {
            now: visit.now,
            client_id: &app.client_id,
            client_secret: app.secrets.first().map_or("", String::as_str),
            other_issuer: &visit.issuer(server.other()),
            other_sub: &other_sub,
            origin: &visit.setup.origin,
        };
        let keys = visit.state.keys(server);
        body["id_token"] = json!(forge::id_token(claims, &visit.faults.id_token, keys, &knowledge)?);
    }
    if let Some(refresh_token) = refresh_token {
        body["refresh_token"] = json!(refresh_token);
    }
    let expires = visit.now.plus(TOKEN_SECONDS);
    visit.state.tidy(visit.now);
    visit.state.access_tokens.insert(
        access_token,
        Grant {
            issued: visit.now,
            expires,
            ..grant
        },
    );
    twist(&mut body, &visit.faults.token);
    Ok(Reply::json(StatusCode::OK, &body).no_store())
}

fn twist(body: &mut Value, faults: &[TokenFault]) {
    let Some(members) = body.as_object_mut() else {
        return;
    };
    for fault in faults {
        match fault {
            TokenFault::TypeLowerCase => drop(members.insert("token_type".into(), json!("bearer"))),
            TokenFault::Type(name) => drop(members.insert("token_type".into(), json!(name))),
            TokenFault::NoExpiresIn => drop(members.remove("expires_in")),
            TokenFault::NoIdToken => drop(members.remove("id_token")),
            TokenFault::NoAccessToken => drop(members.remove("access_token")),
            TokenFault::Set(more) => members.extend(more.clone()),
            TokenFault::Remove(names) => names.iter().for_each(|name| drop(members.remove(name))),
            // Done before there was a body.
            TokenFault::Error { .. } | TokenFault::RotateKeys { .. } => {}
        }
    }
}
