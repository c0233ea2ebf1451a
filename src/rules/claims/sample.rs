//! The claims that an app would get for a user who is not there: for previews, never to be signed. They are made by the
//! very functions that make the real ones; what only a real login brings has placeholders.

use serde_json::{Map, Value, json};

use super::{Issue, Person, TooLarge, access_token, id_token, userinfo};
use crate::db::Json;
use crate::model::client::Client;
use crate::model::group::Group;
use crate::model::pool::Pool;
use crate::model::token::Granted;
use crate::model::user::{Identity, Status, User};
use crate::rules::contract::{self, Breach};
use crate::world::UnixTime;

/// Stands for every id that is drawn at random.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What one app would get.
#[derive(Clone, Debug)]
pub struct Sample {
    /// `None` when the client may not ask for `openid`.
    pub id_token: Option<Result<Map<String, Value>, TooLarge>>,
    pub access_token: Result<Map<String, Value>, TooLarge>,
    pub userinfo: Map<String, Value>,
    /// How the ID token falls short of the client's contract.
    pub breaches: Vec<Breach>,
}

/// Who would sign in.
#[derive(Clone, Copy, Debug)]
pub struct Someone<'a> {
    /// `None`: a user who is not there yet.
    pub sub: Option<&'a str>,
    pub username: &'a str,
    pub attributes: &'a Map<String, Value>,
    pub groups: &'a [Group],
    pub provider_id: &'a str,
    pub provider_name: &'a str,
    /// Whose connection it is.
    pub tenant_id: Option<&'a str>,
    /// The upstream's.
    pub subject: &'a str,
}

/// What the client would get if it asked for everything that it may ask for.
pub fn sample(issuer: &str, pool: &Pool, client: &Client, someone: &Someone<'_>, now: UnixTime) -> Sample {
    let user = User {
        sub: someone.sub.unwrap_or(NOBODY).to_owned(),
        user_pool_id: pool.id.clone(),
        username: someone.username.to_owned(),
        status: Status::ExternalProvider,
        enabled: true,
        attributes: Json(someone.attributes.clone()),
        created_at: now,
        updated_at: now,
    };
    let identities = [Identity {
        provider_id: someone.provider_id.to_owned(),
        issuer: String::new(),
        subject: someone.subject.to_owned(),
        user_sub: user.sub.clone(),
        provider_name: someone.provider_name.to_owned(),
        is_primary: true,
        created_ms: now.0.saturating_mul(1000),
    }];
    let granted = Granted {
        scopes: client.settings.scopes.clone(),
        provider_id: someone.provider_id.to_owned(),
        auth_time: now,
        event_id: NOBODY.into(),
        ..Granted::default()
    };
    // Without the contract first: it would hide by what the claims fall short of it.
    let mut free = client.clone();
    let contract = std::mem::take(&mut free.settings.contract);
    let issue = Issue {
        issuer,
        pool,
        client: &free,
        now,
        jti: NOBODY,
    };
    let person = Person {
        user: &user,
        groups: someone.groups,
        identities: &identities,
        tenant_id: someone.tenant_id,
    };
    let openid = granted.scopes.iter().any(|scope| scope == "openid");
    let mut breaches = Vec::new();
    let id = openid.then(|| {
        let mut claims = id_token(&issue, &person, &granted, NOBODY, None)?;
        claims.insert("at_hash".into(), json!("(of the access token)"));
        breaches = contract::check(&contract, &claims);
        contract::keep_types(&contract, &mut claims);
        Ok(claims)
    });
    Sample {
        id_token: id,
        access_token: access_token(&issue, &person, &granted, NOBODY),
        userinfo: userinfo(pool, client, &user, &granted.scopes),
        breaches,
    }
}
