//! The claims of ID tokens, access tokens and userInfo answers: which there are, of which JSON type, and which of a
//! user's attributes a client gets to see. Signing, token headers and HTTP are other people's; so is the decision that
//! the token may be issued at all.
//!
//! Names and shapes are Cognito's ("Tokens" and "userInfo" there); where they depart from OIDC Core §5.1 or RFC 9068 the
//! standard holds, unless the pool asks for `cognito_exact`. An attribute can never stand in for a claim of
//! [`RESERVED`], whatever the pool's schema or a mapping says, and an attribute of another type than the client's contract
//! has is left out.

pub mod overridden;
pub mod sample;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::client::Client;
use crate::model::group::Group;
use crate::model::pool::Pool;
use crate::model::token::Granted;
use crate::model::user::{Identity, User};
use crate::rules::attribute::{CUSTOM, in_token, outside};
use crate::rules::contract;
use crate::rules::identities;
use crate::world::UnixTime;

/// Claims that only we set; besides them everything that begins with `cognito:`.
pub const RESERVED: &[&str] = &[
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "device_key",
    "event_id",
    "exp",
    "iat",
    "identities",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "origin_jti",
    "s_hash",
    "scope",
    "sid",
    "sub",
    "token_use",
    "username",
    "version",
];

/// The most that one token's claims may take as JSON. Servers refuse header lines long before that; a token that grew
/// beyond it is a mapping gone wrong.
pub const MAX_BYTES: usize = 32 * 1024;

/// Whether no attribute and no mapping may ever set this claim, in any case.
pub fn is_reserved(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    name.starts_with("cognito:") || RESERVED.contains(&name.as_str())
}

/// Who issues to whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Issue<'a> {
    pub issuer: &'a str,
    pub pool: &'a Pool,
    pub client: &'a Client,
    pub now: UnixTime,
    /// The new token's own id.
    pub jti: &'a str,
}

/// Who the token speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    pub user: &'a User,
    pub groups: &'a [Group],
    /// The primary one first.
    pub identities: &'a [Identity],
    /// The tenant by whose connection the user came.
    pub tenant_id: Option<&'a str>,
}

/// The claims of one token are more than a token may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    pub bytes: usize,
    /// The claim that takes most of it, and how much.
    pub largest: String,
    pub largest_bytes: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the token's claims take {} bytes, more than the {MAX_BYTES} it may have; '{}' alone takes {}",
            self.bytes, self.largest, self.largest_bytes
        )
    }
}

impl std::error::Error for TooLarge {}

/// The ID token (OIDC Core §2). `access_token` is the one that is issued beside it, for `at_hash`.
pub fn id_token(
    issue: &Issue<'_>,
    person: &Person<'_>,
    granted: &Granted,
    origin_jti: &str,
    access_token: Option<&str>,
) -> Result<Map<String, Value>, TooLarge> {
    // The one scope of a sign-in through the API releases as much as `openid` alone.
    let openid = ["openid".to_owned()];
    let scopes = if granted.by_api {
        &openid[..]
    } else {
        &granted.scopes
    };
    let mut claims: Map<String, Value> = released(issue.pool, issue.client, person.user, scopes)
        .map(|(attribute, value)| {
            let value = in_token(&attribute, value);
            (attribute.name, value)
        })
        .collect();
    contract::keep_types(&issue.client.settings.contract, &mut claims);
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(issue.issuer));
    set("sub", json!(person.user.sub));
    set("aud", json!(issue.client.id));
    set("token_use", json!("id"));
    set("auth_time", json!(granted.auth_time));
    set("iat", json!(issue.now));
    let ends = issue.now.plus(issue.client.settings.id_token_seconds);
    set(
        "exp",
        json!(granted.not_after.map_or(ends, |last| last.min(ends))),
    );
    set("jti", json!(issue.jti));
    set("origin_jti", json!(origin_jti));
    set("event_id", json!(granted.event_id));
    set("cognito:username", json!(person.user.username));
    if let Some(act) = &granted.act {
        set("act", act.clone());
    }
    if let Some(nonce) = &granted.nonce {
        set("nonce", json!(nonce));
    }
    if let Some(token) = access_token {
        set("at_hash", json!(at_hash(token)));
    }
    if let Some(acr) = &granted.acr {
        set("acr", json!(acr));
    }
    if !granted.amr.is_empty() {
        set("amr", json!(granted.amr));
    }
    let groups = by_precedence(person.groups);
    if !groups.is_empty() {
        set("cognito:groups", group_names(&groups));
    }
    let roles = roles(&groups);
    if !roles.is_empty() {
        set("cognito:roles", json!(roles));
    }
    if let Some(role) = preferred_role(&groups) {
        set("cognito:preferred_role", json!(role));
    }
    if !person.identities.is_empty() {
        set("identities", identities::claim(person.identities));
    }
    set_tenant(issue, person, &mut claims);
    bounded(claims)
}

/// The access token of a user (RFC 9068 §2.2).
pub fn access_token(
    issue: &Issue<'_>,
    person: &Person<'_>,
    granted: &Granted,
    origin_jti: &str,
) -> Result<Map<String, Value>, TooLarge> {
    let mut claims = access_claims(issue, &granted.scopes, granted.resource.as_deref());
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("sub", json!(person.user.sub));
    set("username", json!(person.user.username));
    set("auth_time", json!(granted.auth_time));
    set("origin_jti", json!(origin_jti));
    set("event_id", json!(granted.event_id));
    let ends = issue.now.plus(issue.client.settings.access_token_seconds);
    set(
        "exp",
        json!(granted.not_after.map_or(ends, |last| last.min(ends))),
    );
    if let Some(act) = &granted.act {
        set("act", act.clone());
    }
    // RFC 9068 §2.2.1 has both as of the login; Cognito keeps them to the ID token.
    if !issue.pool.settings.cognito_exact {
        if let Some(acr) = &granted.acr {
            set("acr", json!(acr));
        }
        if !granted.amr.is_empty() {
            set("amr", json!(granted.amr));
        }
    }
    let groups = by_precedence(person.groups);
    if !groups.is_empty() {
        set("cognito:groups", group_names(&groups));
    }
    if granted.by_api {
        claims.remove("version");
    }
    set_tenant(issue, person, &mut claims);
    bounded(claims)
}

/// No attribute and no mapping says whose people somebody is: the connection does.
fn set_tenant(issue: &Issue<'_>, person: &Person<'_>, claims: &mut Map<String, Value>) {
    if let (Some(name), Some(id)) = (issue.pool.settings.tenant_claim(), person.tenant_id) {
        claims.insert(name.to_owned(), json!(id));
    }
}

/// The access token of a client on its own behalf (`client_credentials`): `sub` is the client.
pub fn client_access_token(
    issue: &Issue<'_>,
    scopes: &[String],
    resource: Option<&str>,
) -> Result<Map<String, Value>, TooLarge> {
    let mut claims = access_claims(issue, scopes, resource);
    claims.insert("sub".into(), json!(issue.client.id));
    claims.insert("auth_time".into(), json!(issue.now));
    bounded(claims)
}

/// The userInfo answer (OIDC Core §5.3.2): `sub` and `username` always, then what the scopes release.
pub fn userinfo(pool: &Pool, client: &Client, user: &User, scopes: &[String]) -> Map<String, Value> {
    let mut claims: Map<String, Value> = released(pool, client, user, scopes)
        .map(|(attribute, value)| {
            let value = if pool.settings.cognito_exact {
                Value::String(outside(value))
            } else {
                in_token(&attribute, value)
            };
            (attribute.name, value)
        })
        .collect();
    contract::keep_types(&client.settings.contract, &mut claims);
    claims.insert("sub".into(), json!(user.sub));
    claims.insert("username".into(), json!(user.username));
    claims
}

/// OIDC Core §3.1.3.6 for RS256: the left half of the token's SHA-256, base64url.
pub fn at_hash(access_token: &str) -> String {
    let digest = Sha256::digest(access_token.as_bytes());
    let half: Vec<u8> = digest.iter().copied().take(16).collect();
    URL_SAFE_NO_PAD.encode(half)
}

/// What every access token has, whoever it speaks of.
fn access_claims(issue: &Issue<'_>, scopes: &[String], resource: Option<&str>) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(issue.issuer));
    set("client_id", json!(issue.client.id));
    set("token_use", json!("access"));
    set("scope", json!(scopes.join(" ")));
    set("version", json!(2));
    set("iat", json!(issue.now));
    set(
        "exp",
        json!(issue.now.plus(issue.client.settings.access_token_seconds)),
    );
    set("jti", json!(issue.jti));
    match resource {
        Some(resource) => set("aud", json!(resource)),
        // RFC 9068 §3: without a resource, a default one; ours is the pool. Cognito then has no `aud`.
        None if !issue.pool.settings.cognito_exact => set("aud", json!(issue.issuer)),
        None => None,
    };
    claims
}

/// The attributes that these scopes release to this client, with their definitions. `openid` alone releases every
/// readable one; `profile`, `email` and `phone` beside it narrow that to theirs (Cognito's rule).
fn released<'a>(
    pool: &'a Pool,
    client: &'a Client,
    user: &'a User,
    scopes: &'a [String],
) -> impl Iterator<Item = (crate::model::pool::Attribute, &'a Value)> {
    let has = |scope: &str| scopes.iter().any(|granted| granted == scope);
    let (openid, profile, email, phone) = (has("openid"), has("profile"), has("email"), has("phone"));
    let all = !(profile || email || phone);
    let readable = client.settings.read_attributes.as_deref();
    let tenant_claim = pool.settings.tenant_claim();
    user.attributes.iter().filter_map(move |(name, value)| {
        let in_scope = all
            || match name.as_str() {
                "email" | "email_verified" => email,
                "phone_number" | "phone_number_verified" => phone,
                other => profile && (PROFILE.contains(&other) || other.starts_with(CUSTOM)),
            };
        let may = openid
            && in_scope
            && !is_reserved(name)
            && tenant_claim != Some(name.as_str())
            && !value.is_null()
            && readable.is_none_or(|names| names.contains(name));
        may.then(|| pool.settings.attribute(name))
            .flatten()
            .map(|attribute| (attribute, value))
    })
}

/// The standard attributes of the scope `profile` (OIDC Core §5.4); Cognito adds the custom ones.
const PROFILE: &[&str] = &[
    "birthdate",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Strongest first: the lowest precedence, none being the weakest, then by name.
fn by_precedence(groups: &[Group]) -> Vec<&Group> {
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by(|a, b| (strength(a), &a.name).cmp(&(strength(b), &b.name)));
    sorted
}

fn strength(group: &Group) -> i64 {
    group.precedence.unwrap_or(i64::MAX)
}

fn group_names(groups: &[&Group]) -> Value {
    groups
        .iter()
        .map(|group| Value::String(group.name.clone()))
        .collect()
}

fn role(group: &Group) -> Option<&str> {
    group.role_arn.as_deref().filter(|arn| !arn.is_empty())
}

/// The roles of the groups, each once, strongest first.
fn roles<'a>(groups: &[&'a Group]) -> Vec<&'a str> {
    let mut roles = Vec::new();
    for arn in groups.iter().filter_map(|group| role(group)) {
        if !roles.contains(&arn) {
            roles.push(arn);
        }
    }
    roles
}

/// The role of the strongest group that has one; none when several tie there with different roles.
fn preferred_role<'a>(groups: &[&'a Group]) -> Option<&'a str> {
    let mut with_role = groups
        .iter()
        .filter_map(|group| Some((strength(group), role(group)?)));
    let (strongest, arn) = with_role.next()?;
    with_role
        .take_while(|(strength, _)| *strength == strongest)
        .all(|(_, other)| other == arn)
        .then_some(arn)
}

/// `groupConfiguration` of Cognito's token events: what the tokens would say of groups.
pub fn group_configuration(groups: &[Group]) -> Value {
    let groups = by_precedence(groups);
    json!({
        "groupsToOverride": group_names(&groups), "iamRolesToOverride": roles(&groups),
        "preferredRole": preferred_role(&groups),
    })
}

fn bounded(claims: Map<String, Value>) -> Result<Map<String, Value>, TooLarge> {
    // Name, quotes, colon and comma count with the value.
    let sizes = claims
        .iter()
        .map(|(name, value)| (name.len() + 4 + value.to_string().len(), name));
    let bytes: usize = sizes.clone().map(|(size, _)| size).sum();
    if bytes <= MAX_BYTES {
        return Ok(claims);
    }
    let (largest_bytes, largest) = sizes
        .max()
        .map_or((0, String::new()), |(size, name)| (size, name.clone()));
    Err(TooLarge {
        bytes,
        largest,
        largest_bytes,
    })
}

#[cfg(test)]
mod tests;
