//! What a sign-in with these claims would make: the user as it would be then, and the tokens of each app. Only looked up
//! and worked out, nothing is written.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::test_sign_in::Came;
use crate::actions::{profile, providers};
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::group::{self, Group};
use crate::model::mapping::{self, MissingGroup, Rules};
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::model::token::Granted;
use crate::model::trace::MappingEffect;
use crate::model::user::{self, Identity, Status, User};
use crate::rules::claims::{self, Issue, Person};
use crate::rules::mapping::apply;
use crate::world::UnixTime;

/// Stands where a token has a value that is drawn when it is made.
const DRAWN: &str = "(drawn when it is made)";

pub struct Preview {
    pub is_new: bool,
    pub username: String,
    pub mapping_version: i64,
    pub attributes: Vec<AttributeChange>,
    pub groups: Vec<String>,
    /// What the rules did, in their own words; values redacted.
    pub effects: Vec<MappingEffect>,
    pub apps: Vec<AppTokens>,
}

pub struct AttributeChange {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl AttributeChange {
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

pub struct AppTokens {
    pub name: String,
    pub id_token: String,
    pub access_token: String,
    pub userinfo: String,
}

/// Whose sign-in is worked out, and through what.
pub struct Visit<'a> {
    /// Of the pool's tokens.
    pub issuer: &'a str,
    pub pool: &'a Pool,
    pub provider: &'a Provider,
    pub came: &'a Came,
    /// Leaves out what a tenant's administrator has no business with.
    pub by_tenant: bool,
    pub now: UnixTime,
}

pub fn of(conn: &mut Conn, visit: &Visit<'_>) -> Result<Preview, StoreError> {
    let Visit {
        pool,
        provider,
        came,
        now,
        ..
    } = *visit;
    let mapping = mapping::current(conn, &provider.id)?;
    let mapping_version = mapping.as_ref().map_or(0, |mapping| mapping.version);
    let rules = mapping.map(|mapping| mapping.rules.0).unwrap_or_default();
    let known = user::find_by_identity(conn, &provider.id, &came.issuer, &came.subject)?;
    let before = known.as_ref().map(|user| user.attributes.0.clone());
    let whole = apply(&rules, &came.claims, before.as_ref(), pool, None);
    let groups = groups(conn, visit, &rules, known.as_ref(), whole.groups)?;
    let user = known.clone().unwrap_or_else(|| User {
        sub: DRAWN.into(),
        user_pool_id: pool.id.clone(),
        username: profile::username(pool, provider, &came.subject),
        status: Status::ExternalProvider,
        enabled: true,
        attributes: Json(Map::new()),
        created_at: now,
        updated_at: now,
    });
    let identities = match &known {
        Some(user) => user::identities(conn, &user.sub)?,
        None => vec![Identity {
            provider_id: provider.id.clone(),
            issuer: came.issuer.clone(),
            subject: came.subject.clone(),
            user_sub: user.sub.clone(),
            provider_name: provider.name.clone(),
            is_primary: true,
            created_ms: now.0.saturating_mul(1000),
        }],
    };
    let mut apps = Vec::new();
    for receiver in providers::receivers(conn, provider, visit.by_tenant)? {
        let client = receiver.client;
        let lists = client.settings.providers.contains(&provider.name);
        if !lists && (provider.live_since.is_some() || !receiver.federates) {
            continue;
        }
        let writable = client.settings.write_attributes.as_deref();
        let outcome = apply(&rules, &came.claims, before.as_ref(), pool, writable);
        let user = User {
            attributes: Json(outcome.attributes),
            ..user.clone()
        };
        let person = Person {
            user: &user,
            groups: &groups,
            identities: &identities,
        };
        apps.push(visit.tokens(&client, &person, mapping_version));
    }
    Ok(Preview {
        is_new: known.is_none(),
        username: user.username,
        mapping_version,
        attributes: attributes(&before.unwrap_or_default(), &whole.attributes),
        groups: groups.into_iter().map(|group| group.name).collect(),
        effects: whole.effects,
        apps,
    })
}

/// The groups afterwards: what this provider gives, and what others gave before.
fn groups(
    conn: &mut Conn,
    visit: &Visit<'_>,
    rules: &Rules,
    known: Option<&User>,
    wanted: Option<Vec<String>>,
) -> Result<Vec<Group>, StoreError> {
    let Visit {
        pool, provider, now, ..
    } = *visit;
    let mut names: BTreeSet<String> = wanted.unwrap_or_default().into_iter().collect();
    if rules
        .groups
        .as_ref()
        .is_some_and(|rule| rule.missing == MissingGroup::Ignore)
    {
        let asked: Vec<String> = names.into_iter().collect();
        names = group::existing(conn, &pool.id, &asked)?.into_iter().collect();
    }
    names.insert(profile::automatic_group(pool, provider));
    if let Some(user) = known {
        let source = group::by_provider(&provider.id);
        let from_here: BTreeSet<String> = group::of_user_from(conn, &user.sub, &source)?
            .into_iter()
            .collect();
        let has = group::of_user(conn, &user.sub)?;
        names.extend(
            has.into_iter()
                .map(|group| group.name)
                .filter(|name| !from_here.contains(name)),
        );
    }
    let mut groups = Vec::with_capacity(names.len());
    for name in names {
        let found = group::find(conn, &pool.id, &name)?;
        groups.push(found.unwrap_or_else(|| Group {
            user_pool_id: pool.id.clone(),
            name,
            description: None,
            precedence: None,
            role_arn: None,
            created_at: now,
            updated_at: now,
        }));
    }
    Ok(groups)
}

impl Visit<'_> {
    /// The claims of an app's tokens, and its userInfo.
    fn tokens(&self, client: &Client, person: &Person<'_>, mapping_version: i64) -> AppTokens {
        let (came, now) = (self.came, self.now);
        let scopes = client.settings.scopes.clone();
        let issue = Issue {
            issuer: self.issuer,
            pool: self.pool,
            client,
            now,
            jti: DRAWN,
        };
        let granted = Granted {
            scopes: scopes.clone(),
            nonce: None,
            resource: None,
            provider_id: self.provider.id.clone(),
            mapping_version,
            auth_time: came.auth_time.map_or(now, UnixTime),
            amr: came.amr.clone(),
            acr: came.acr.clone(),
            event_id: DRAWN.into(),
        };
        let shown = |claims: Result<Map<String, Value>, claims::TooLarge>| match claims {
            Ok(claims) => pretty(&claims),
            Err(why) => why.to_string(),
        };
        AppTokens {
            name: client.name.clone(),
            id_token: match scopes.iter().any(|scope| scope == "openid") {
                true => shown(claims::id_token(&issue, person, &granted, DRAWN, None)),
                false => "None: the app may not ask for openid.".into(),
            },
            access_token: shown(claims::access_token(&issue, person, &granted, DRAWN)),
            userinfo: pretty(&claims::userinfo(self.pool, client, person.user, &scopes)),
        }
    }
}

fn attributes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<AttributeChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| AttributeChange {
            name: name.clone(),
            before: before.get(name).map(text),
            after: after.get(name).map(text),
        })
        .collect()
}

/// A value as a person reads it.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn pretty(claims: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(claims).unwrap_or_default()
}
