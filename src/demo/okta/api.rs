//! A little of Okta's own API, for tokens of the org authorization server: one's own user, the default user type, the
//! profile mappings of apps; with Okta's refusals. Whoever is no administrator sees themselves only.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::claims::{has, is_custom};
use super::directory::{App, Person, stable_id};
use super::http::Reply;
use super::state::Grant;
use super::{Answer, Server, Visit};

/// A request below `/api/v1/`.
pub fn api(visit: &mut Visit<'_>, rest: &str) -> Answer {
    let grant = bearer(visit)?;
    let person = visit.state.person(&grant.person_id).cloned();
    let person = person.ok_or_else(|| invalid_token(visit))?;
    let segments: Vec<&str> = rest.split('/').collect();
    match segments.as_slice() {
        ["users", "me"] => {
            demand(visit, &grant, &["okta.users.read.self", "okta.users.read"], None)?;
            Ok(json_reply(&user(visit, &person)))
        }
        ["meta", "types", "user", "default"] => {
            demand(visit, &grant, &["okta.userTypes.read"], Some(&person))?;
            Ok(json_reply(&user_type(visit)))
        }
        ["mappings"] => {
            demand(visit, &grant, &["okta.profileMappings.read"], Some(&person))?;
            let target = visit.request.query("targetId");
            let source = visit.request.query("sourceId");
            let found = visit
                .state
                .apps
                .iter()
                .filter(|app| target.is_none_or(|id| id == app.client_id))
                .filter(|_| source.is_none_or(|id| id == type_id(visit)))
                .map(|app| mapping(visit, app));
            Ok(json_reply(&found.collect()))
        }
        ["mappings", id] => {
            demand(visit, &grant, &["okta.profileMappings.read"], Some(&person))?;
            let found = visit.state.apps.iter().find(|app| mapping_id(app) == *id);
            let app = found.ok_or_else(|| unknown(visit))?;
            let mut whole = mapping(visit, app);
            whole["properties"] = Value::Object(app.profile_mapping.clone());
            Ok(json_reply(&whole))
        }
        _ => Err(unknown(visit)),
    }
}

fn json_reply(value: &Value) -> Reply {
    Reply::json(StatusCode::OK, value).no_store()
}

fn bearer(visit: &Visit<'_>) -> Result<Grant, Reply> {
    visit
        .request
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "))
        .and_then(|token| visit.state.access_tokens.get(token))
        .filter(|grant| grant.server == Server::Org && grant.expires > visit.now)
        .cloned()
        .ok_or_else(|| invalid_token(visit))
}

/// One of these scopes and, where it is not about oneself, the rights to use it.
fn demand(visit: &Visit<'_>, grant: &Grant, scopes: &[&str], by: Option<&Person>) -> Result<(), Reply> {
    let granted = scopes.iter().any(|scope| has(grant, scope));
    let may = by.is_none_or(|person| visit.state.administrators.contains(&person.login));
    if granted && may {
        return Ok(());
    }
    let why = "You do not have permission to perform the requested action";
    Err(visit.okta_error(StatusCode::FORBIDDEN, "E0000006", why))
}

fn invalid_token(visit: &Visit<'_>) -> Reply {
    visit.okta_error(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided")
}

fn unknown(visit: &Visit<'_>) -> Reply {
    visit.okta_error(
        StatusCode::NOT_FOUND,
        "E0000008",
        "The requested path was not found",
    )
}

fn type_id(visit: &Visit<'_>) -> String {
    stable_id("oty", &visit.setup.name)
}

fn mapping_id(app: &App) -> String {
    stable_id("prm", &app.client_id)
}

fn user(visit: &Visit<'_>, person: &Person) -> Value {
    let of = |name: &str| person.profile.get(name).cloned().unwrap_or(Value::Null);
    let locale = of("locale").as_str().map(|text| text.replace('-', "_"));
    let mut profile: Map<String, Value> = person
        .profile
        .iter()
        .filter(|(name, _)| is_custom(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in [
        ("login", json!(person.login)),
        ("email", json!(person.email)),
        ("firstName", json!(person.given_name)),
        ("lastName", json!(person.family_name)),
        ("displayName", of("name")),
        ("nickName", of("nickname")),
        ("mobilePhone", of("phone_number")),
        ("locale", json!(locale)),
        ("timezone", of("zoneinfo")),
    ] {
        profile.insert(name.into(), value);
    }
    let href = format!("{}/api/v1/users/{}", visit.setup.origin, person.id);
    json!({
        "id": person.id, "status": "ACTIVE", "type": {"id": type_id(visit)}, "profile": profile,
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}}, "_links": {"self": {"href": href}},
    })
}

fn user_type(visit: &Visit<'_>) -> Value {
    let id = type_id(visit);
    let href = format!("{}/api/v1/meta/types/user/{id}", visit.setup.origin);
    json!({"id": id, "name": "user", "displayName": "User", "default": true, "_links": {"self": {"href": href}}})
}

/// As the list shows it.
fn mapping(visit: &Visit<'_>, app: &App) -> Value {
    let id = mapping_id(app);
    let href = format!("{}/api/v1/mappings/{id}", visit.setup.origin);
    json!({
        "id": id, "source": {"id": type_id(visit), "name": "user", "type": "user"},
        "target": {"id": app.client_id, "name": "oidc_client", "type": "appuser"}, "_links": {"self": {"href": href}},
    })
}
