//! What a sign-in with these claims would make: the user as it would be then, and the tokens of each app. Only looked up
//! and worked out, nothing is written.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::test_sign_in::Came;
use crate::actions::{profile, providers};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::group::{self, Group};
use crate::model::mapping;
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::model::tenant_domain;
use crate::model::user::{self, User};
use crate::rules::claims::TooLarge;
use crate::rules::claims::sample::{Sample, Someone, sample};
use crate::rules::mapping::preview::{self as rules, Line, SignIn};
use crate::rules::mapping::saved;
use crate::world::UnixTime;

pub struct Preview {
    pub is_new: bool,
    pub username: String,
    pub mapping_version: i64,
    /// What each rule does.
    pub lines: Vec<Change>,
    /// All groups of the user afterwards.
    pub groups: Vec<String>,
    pub apps: Vec<App>,
}

/// One attribute, with its values as a person reads them.
pub struct Change {
    pub attribute: String,
    pub source: String,
    pub action: String,
    pub reason: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// What one app would get, as JSON.
pub struct App {
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
        pool, provider, came, ..
    } = *visit;
    let mapping = mapping::current(conn, &provider.id)?;
    let mapping_version = mapping.as_ref().map_or(0, |mapping| mapping.version);
    let rules = saved(
        &provider.id,
        &mapping.map(|mapping| mapping.rules.0).unwrap_or_default(),
    );
    let known = user::find_by_identity(conn, &provider.id, &came.issuer, &came.subject)?;
    let given = Groups::of(conn, pool, provider, known.as_ref())?;
    let pool_groups: BTreeSet<String> = group::names(conn, &pool.id)?.into_iter().collect();
    let vouching = tenant_domain::vouching(conn, provider)?;
    let work_out = |write_attributes: Option<&[String]>| {
        let sign_in = SignIn {
            pool,
            claims: &came.claims,
            existing: known.as_ref().map(|user| &user.attributes.0),
            held: &given.from_here,
            pool_groups: &pool_groups,
            write_attributes,
            vouching: &vouching,
        };
        rules::preview(&rules, &sign_in)
    };
    let whole = work_out(None);
    let mut names = whole.groups.held.clone();
    names.push(profile::automatic_group(pool, provider));
    names.extend(given.from_others.iter().cloned());
    let groups = named(conn, pool, names, visit.now)?;
    let username = known.as_ref().map_or_else(
        || profile::username(pool, provider, &came.subject),
        |user| user.username.clone(),
    );
    let mut apps = Vec::new();
    for receiver in providers::receivers(conn, provider, visit.by_tenant)? {
        let client = receiver.client;
        let lists = client.settings.providers.contains(&provider.name);
        // Before it is live no app lists it; those that it would be given to are shown instead.
        if !lists && (provider.live_since.is_some() || !receiver.federates) {
            continue;
        }
        let someone = Someone {
            sub: known.as_ref().map(|user| user.sub.as_str()),
            username: &username,
            attributes: &work_out(client.settings.write_attributes.as_deref()).attributes,
            groups: &groups,
            provider_id: &provider.id,
            provider_name: &provider.name,
            tenant_id: provider.tenant_id.as_deref(),
            subject: &came.subject,
        };
        let tokens = sample(visit.issuer, pool, &client, &someone, visit.now);
        apps.push(App::of(client.name.clone(), tokens));
    }
    Ok(Preview {
        is_new: known.is_none(),
        username,
        mapping_version,
        lines: whole.lines.into_iter().map(Change::of).collect(),
        groups: groups.into_iter().map(|group| group.name).collect(),
        apps,
    })
}

/// The groups that somebody has already, by who gave them.
#[derive(Default)]
struct Groups {
    from_here: Vec<String>,
    from_others: Vec<String>,
}

impl Groups {
    fn of(
        conn: &mut Conn,
        pool: &Pool,
        provider: &Provider,
        known: Option<&User>,
    ) -> Result<Groups, StoreError> {
        let Some(user) = known else {
            return Ok(Groups::default());
        };
        let automatic = profile::automatic_group(pool, provider);
        let mut from_here = group::of_user_from(conn, &user.sub, &group::by_provider(&provider.id))?;
        from_here.retain(|name| *name != automatic);
        let all = group::of_user(conn, &user.sub)?.into_iter();
        let from_others = all
            .map(|group| group.name)
            .filter(|name| !from_here.contains(name) && *name != automatic);
        Ok(Groups {
            from_others: from_others.collect(),
            from_here,
        })
    }
}

/// The groups of these names; those that the pool has not are as they would be made.
fn named(
    conn: &mut Conn,
    pool: &Pool,
    mut names: Vec<String>,
    now: UnixTime,
) -> Result<Vec<Group>, StoreError> {
    names.sort();
    names.dedup();
    let mut groups = group::find_named(conn, &pool.id, &names)?;
    for name in names {
        if groups.iter().all(|group| group.name != name) {
            groups.push(Group {
                user_pool_id: pool.id.clone(),
                name,
                description: None,
                precedence: None,
                role_arn: None,
                created_at: now,
                updated_at: now,
            });
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

impl Change {
    fn of(line: Line) -> Change {
        Change {
            old: line.old.as_ref().map(text),
            new: line.new.as_ref().map(text),
            attribute: line.attribute,
            source: line.source,
            action: line.action,
            reason: line.reason,
        }
    }
}

impl App {
    fn of(name: String, tokens: Sample) -> App {
        let shown = |claims: Result<Map<String, Value>, TooLarge>| match claims {
            Ok(claims) => pretty(&claims),
            Err(why) => why.to_string(),
        };
        App {
            name,
            id_token: tokens
                .id_token
                .map_or_else(|| "None: the app may not ask for openid.".into(), shown),
            access_token: shown(tokens.access_token),
            userinfo: pretty(&tokens.userinfo),
        }
    }
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
