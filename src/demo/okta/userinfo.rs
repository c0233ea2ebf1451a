//! The userinfo endpoint (OpenID Connect Core §5.3) with Okta's refusals, which stand in the header and never
//! in the body.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::claims::{self, has};
use super::faults::UserinfoFault;
use super::http::Reply;
use super::{Answer, Server, Visit, forge};

/// GET or POST of the userinfo endpoint.
pub fn userinfo(visit: &mut Visit<'_>, server: Server) -> Answer {
    let bearer = visit
        .request
        .header("authorization")
        .and_then(|header| header.split_once(' '));
    let token = bearer
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let grant = token.and_then(|token| visit.state.access_tokens.get(token));
    let grant = grant.filter(|grant| grant.server == server && grant.expires > visit.now);
    let grant = grant.cloned().ok_or_else(invalid_token)?;
    let person = visit
        .state
        .person(&grant.person_id)
        .cloned()
        .ok_or_else(invalid_token)?;
    let app = visit
        .state
        .app(&grant.client_id)
        .cloned()
        .ok_or_else(invalid_token)?;
    if !["profile", "email", "address", "phone"]
        .iter()
        .any(|scope| has(&grant, scope))
    {
        return Err(insufficient_scope());
    }
    let mut claims = claims::userinfo(visit, &grant, &person, &app);
    let mut signed = false;
    for fault in visit.faults.userinfo.clone() {
        match fault {
            UserinfoFault::SomeoneElse => {
                let other = visit
                    .state
                    .people
                    .iter()
                    .find(|other| other.id != person.id)
                    .cloned();
                let mut other = other.unwrap_or_default();
                if other.id.is_empty() {
                    other.id = "00u1nobody0000000000".into();
                }
                claims = claims::userinfo(visit, &grant, &other, &app);
            }
            UserinfoFault::Unauthorized => return Err(invalid_token()),
            UserinfoFault::InsufficientScope => return Err(insufficient_scope()),
            UserinfoFault::Signed => signed = true,
            other => twist(&mut claims, other, &visit.setup.origin),
        }
    }
    if !signed {
        return Ok(Reply::json(StatusCode::OK, &Value::Object(claims)).no_store());
    }
    claims.insert("iss".into(), json!(visit.issuer(server)));
    claims.insert("aud".into(), json!(grant.client_id));
    let jwt = visit.state.keys(server).current()?.jwt(&claims)?;
    Ok(Reply::text(StatusCode::OK, "application/jwt", jwt).no_store())
}

fn twist(claims: &mut Map<String, Value>, fault: UserinfoFault, origin: &str) {
    match fault {
        UserinfoFault::SubMissing => drop(claims.remove("sub")),
        UserinfoFault::Sub(sub) => drop(claims.insert("sub".into(), sub)),
        UserinfoFault::EmailVerified(value) => drop(claims.insert("email_verified".into(), value)),
        UserinfoFault::ClaimSources => forge::claim_sources(claims, origin),
        UserinfoFault::Set(members) => claims.extend(members),
        UserinfoFault::Remove(names) => names.iter().for_each(|name| drop(claims.remove(name))),
        // Handled where the whole answer changes.
        UserinfoFault::SomeoneElse
        | UserinfoFault::Unauthorized
        | UserinfoFault::InsufficientScope
        | UserinfoFault::Signed => {}
    }
}

fn invalid_token() -> Reply {
    let why = r#"Bearer error="invalid_token", error_description="The access token is invalid""#;
    Reply::empty(StatusCode::UNAUTHORIZED)
        .header("www-authenticate", why)
        .no_store()
}

fn insufficient_scope() -> Reply {
    let why = "Bearer error=\"insufficient_scope\", error_description=\"The access token must provide access to at \
               least one of these scopes - profile, email, address or phone\"";
    Reply::empty(StatusCode::FORBIDDEN)
        .header("www-authenticate", why)
        .no_store()
}
