//! Which claims go where: the thin ID token, the full userinfo, the access token. The facts are Okta's: with
//! an access token beside it an ID token carries little more than `name`, `email` and `preferred_username`,
//! and the two kinds of server differ in what the scope `profile` brings.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::directory::{App, Person, stable_id};
use super::faults::GroupsFault;
use super::state::{Grant, TOKEN_SECONDS};
use super::{Server, Visit};

/// Claims of the scope `profile` that stand in a person's profile; the second half exists on the org server
/// only.
const PROFILE_BOTH: [&str; 6] = [
    "nickname",
    "middle_name",
    "profile",
    "zoneinfo",
    "locale",
    "updated_at",
];
const PROFILE_ORG: [&str; 4] = ["picture", "website", "gender", "birthdate"];
/// Members of a person's profile that are not custom attributes.
const OTHER: [&str; 4] = ["name", "email_verified", "address", "phone_number"];

/// The honest ID token of a grant. `access_token` is bound into it by `at_hash`.
pub fn id_token(
    visit: &Visit<'_>,
    grant: &Grant,
    person: &Person,
    app: &App,
    nonce: Option<&str>,
    access_token: &str,
) -> Map<String, Value> {
    let mut claims = Map::new();
    if app.fat_id_token {
        claims = userinfo(visit, grant, person, app);
    }
    let mut set = |name: &str, value: Value| drop(claims.insert(name.into(), value));
    set("ver", json!(1));
    set("sub", json!(person.id));
    set("iss", json!(visit.issuer(grant.server)));
    set("aud", json!(grant.client_id));
    set("iat", json!(visit.now.0));
    set("exp", json!(visit.now.plus(TOKEN_SECONDS).0));
    set("jti", json!(format!("ID.{}", visit.random())));
    set("idp", json!(stable_id("00o", &visit.setup.name)));
    set("auth_time", json!(grant.auth_time.0));
    let second_factor = grant.acr.as_deref().is_some_and(|acr| !acr.contains(":1fa:"));
    set(
        "amr",
        if second_factor {
            json!(["mfa", "otp", "pwd"])
        } else {
            json!(["pwd"])
        },
    );
    set("at_hash", json!(at_hash(access_token)));
    if let Some(acr) = &grant.acr {
        set("acr", json!(acr));
    }
    if let Some(nonce) = nonce {
        set("nonce", json!(nonce));
    }
    if has(grant, "profile") {
        set("name", name(person));
        set("preferred_username", json!(person.login));
    }
    if has(grant, "email") {
        set("email", json!(person.email));
    }
    // On the custom server the groups claim is one that is "always" included.
    if app.groups_claim && grant.server == Server::Default {
        set("groups", groups(visit, person));
    }
    claims
}

/// The honest userinfo of a grant: everything that its scopes allow.
pub fn userinfo(visit: &Visit<'_>, grant: &Grant, person: &Person, app: &App) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(person.id));
    let mut copy = |name: &str| {
        if let Some(value) = person.profile.get(name) {
            claims.insert(name.to_owned(), value.clone());
        }
    };
    if has(grant, "profile") {
        PROFILE_BOTH.iter().for_each(|name| copy(name));
        match grant.server {
            Server::Org => {
                PROFILE_ORG.iter().for_each(|name| copy(name));
                person
                    .profile
                    .keys()
                    .filter(|name| is_custom(name))
                    .for_each(|name| copy(name));
            }
            Server::Default => visit.state.custom.claims.iter().for_each(|name| copy(name)),
        }
    }
    if has(grant, "address") {
        copy("address");
    }
    if has(grant, "phone") {
        copy("phone_number");
    }
    if has(grant, "profile") {
        claims.insert("name".into(), name(person));
        claims.insert("given_name".into(), json!(person.given_name));
        claims.insert("family_name".into(), json!(person.family_name));
        claims.insert("preferred_username".into(), json!(person.login));
    }
    if has(grant, "email") {
        claims.insert("email".into(), json!(person.email));
        let verified = person
            .profile
            .get("email_verified")
            .cloned()
            .unwrap_or(json!(true));
        claims.insert("email_verified".into(), verified);
    }
    if app.groups_claim && (grant.server == Server::Default || has(grant, "groups")) {
        claims.insert("groups".into(), groups(visit, person));
    }
    claims.retain(|_, value| value.as_str() != Some(""));
    claims
}

/// The access token's claims; the two servers spell `sub` differently.
pub fn access_token(visit: &Visit<'_>, grant: &Grant, person: &Person) -> Map<String, Value> {
    let audience = match grant.server {
        Server::Org => visit.setup.origin.clone(),
        Server::Default => "api://default".into(),
    };
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.into(), value));
    set("ver", json!(1));
    set("jti", json!(format!("AT.{}", visit.random())));
    set("iss", json!(visit.issuer(grant.server)));
    set("aud", json!(audience));
    set("sub", json!(person.login));
    set("uid", json!(person.id));
    set("cid", json!(grant.client_id));
    set("scp", json!(grant.scopes));
    set("iat", json!(visit.now.0));
    set("exp", json!(visit.now.plus(TOKEN_SECONDS).0));
    set("auth_time", json!(grant.auth_time.0));
    claims
}

/// Whether the grant holds the scope.
pub fn has(grant: &Grant, scope: &str) -> bool {
    grant.scopes.iter().any(|granted| granted == scope)
}

fn name(person: &Person) -> Value {
    person
        .profile
        .get("name")
        .cloned()
        .unwrap_or_else(|| json!(person.name()))
}

/// Whether a member of a person's profile is an attribute beyond the standard claims.
pub fn is_custom(name: &str) -> bool {
    !PROFILE_BOTH.contains(&name) && !PROFILE_ORG.contains(&name) && !OTHER.contains(&name)
}

/// The left half of the access token's SHA-256 (OpenID Connect Core §3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let digest = Sha256::digest(access_token.as_bytes());
    let (left, _) = digest.split_at(digest.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

/// The groups that a token or userinfo shows, as the faults have them.
fn groups(visit: &Visit<'_>, person: &Person) -> Value {
    match &visit.faults.groups {
        Some(GroupsFault::SingleString) => Value::String(person.groups.last().cloned().unwrap_or_default()),
        Some(GroupsFault::Many(count)) => (0..*count).map(|number| format!("Group {number:05}")).collect(),
        Some(GroupsFault::TooMany) | None => person.groups.iter().cloned().collect(),
    }
}
