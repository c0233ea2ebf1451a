//! Rules tried on claims that somebody typed or that came in the past, with the pool as it is; and the tokens that each
//! app would get. Reads and changes nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::past::Past;
use crate::actions::pools;
use crate::actions::profile::{automatic_group, check_subject, username};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::client::{self, Client};
use crate::model::group::{self, Group};
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::model::tenant_domain;
use crate::model::user::{self, User};
use crate::rules::claims::sample::{Sample, Someone, sample};
use crate::rules::mapping::preview::{self, Preview, SignIn};
use crate::rules::mapping::{Compiled, Memberships, Refusal};
use crate::world::UnixTime;

/// The sign-in that rules are tried on.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub claims: Map<String, Value>,
    /// The profile's attributes before; `None`: a first sign-in.
    pub existing: Option<Map<String, Value>>,
    /// Groups that the provider had given before.
    pub held: Vec<String>,
    /// Groups that administrators and other providers gave.
    pub others: Vec<String>,
    /// The app client's list of attributes that its sign-ins may change; `None`: all.
    pub write_attributes: Option<Vec<String>>,
    pub user_sub: Option<String>,
    /// The user's own; `None`: one that a first sign-in would make.
    pub username: Option<String>,
    /// Refused whatever the rules say.
    pub barred: Option<Refusal>,
}

impl Given {
    /// As if the claims of that sign-in came again now: on the profile as it is today.
    pub fn again(conn: &mut Conn, provider: &Provider, past: Past) -> Result<Given, StoreError> {
        let user = match &past.user_sub {
            Some(sub) => user::find(conn, sub)?,
            None => None,
        };
        let subject = past.contents.claims.get("sub").and_then(Value::as_str);
        let mut given = Given {
            barred: check_subject(subject.unwrap_or_default())
                .err()
                .map(Refusal::subject_invalid),
            claims: past.contents.claims,
            write_attributes: past.contents.write_attributes,
            ..Given::default()
        };
        if let Some(user) = user {
            given.continue_as(conn, provider, user)?;
        }
        Ok(given)
    }

    fn continue_as(&mut self, conn: &mut Conn, provider: &Provider, user: User) -> Result<(), StoreError> {
        let automatic = format!("{}_{}", user.user_pool_id, provider.name);
        self.held = group::of_user_from(conn, &user.sub, &group::by_provider(&provider.id))?;
        self.held.retain(|name| *name != automatic);
        self.others = group::of_user(conn, &user.sub)?
            .into_iter()
            .map(|group| group.name)
            .filter(|name| *name != automatic && !self.held.contains(name))
            .collect();
        if !user.enabled {
            self.barred.get_or_insert_with(Refusal::user_disabled);
        }
        self.existing = Some(user.attributes.0);
        self.username = Some(user.username);
        self.user_sub = Some(user.sub);
        Ok(())
    }
}

/// What the rules would make of it.
pub fn preview(
    conn: &mut Conn,
    provider: &Provider,
    rules: &Compiled,
    given: &Given,
) -> Result<Preview, Error> {
    if let Some(refusal) = &given.barred {
        return Ok(Preview {
            attributes: given.existing.clone().unwrap_or_default(),
            lines: Vec::new(),
            groups: Memberships {
                held: given.held.clone(),
                ..Memberships::default()
            },
            left_out: Vec::new(),
            refusal: Some(refusal.clone()),
        });
    }
    let pool = pools::find(conn, &provider.user_pool_id)?;
    let pool_groups: BTreeSet<String> = group::names(conn, &pool.id)?.into_iter().collect();
    let sign_in = SignIn {
        pool: &pool,
        claims: &given.claims,
        existing: given.existing.as_ref(),
        held: &given.held,
        pool_groups: &pool_groups,
        write_attributes: given.write_attributes.as_deref(),
        vouching: &tenant_domain::vouching(conn, provider)?,
    };
    Ok(preview::preview(rules, &sign_in))
}

/// What each enabled app that lists the provider would get; nothing, when the sign-in would be refused. `issuer` is the
/// pool's.
pub fn tokens(
    conn: &mut Conn,
    issuer: &str,
    now: UnixTime,
    provider: &Provider,
    given: &Given,
    preview: &Preview,
) -> Result<Vec<(Client, Sample)>, Error> {
    if preview.refusal.is_some() {
        return Ok(Vec::new());
    }
    let pool = pools::find(conn, &provider.user_pool_id)?;
    let mut names = preview.groups.held.clone();
    names.push(automatic_group(&pool, provider));
    names.extend(given.others.iter().cloned());
    let mut groups = group::find_named(conn, &pool.id, &names)?;
    for name in names {
        if groups.iter().all(|group| group.name != name) {
            groups.push(bare_group(&pool, name, now));
        }
    }
    // As a token lists them: the strongest first.
    groups.sort_by(|a, b| {
        (a.precedence.unwrap_or(i64::MAX), &a.name).cmp(&(b.precedence.unwrap_or(i64::MAX), &b.name))
    });
    let subject = given.claims.get("sub").and_then(Value::as_str).unwrap_or("(sub)");
    let username = given
        .username
        .clone()
        .unwrap_or_else(|| username(&pool, provider, subject));
    let someone = Someone {
        sub: given.user_sub.as_deref(),
        username: &username,
        attributes: &preview.attributes,
        groups: &groups,
        provider_id: &provider.id,
        provider_name: &provider.name,
        tenant_id: provider.tenant_id.as_deref(),
        subject,
    };
    let clients = client::list(conn, &pool.id)?
        .into_iter()
        .filter(|client| client.enabled && client.settings.providers.contains(&provider.name));
    Ok(clients
        .map(|client| {
            let sample = sample(issuer, &pool, &client, &someone, now);
            (client, sample)
        })
        .collect())
}

/// A group that there is not, as it would be made.
pub(super) fn bare_group(pool: &Pool, name: String, now: UnixTime) -> Group {
    Group {
        user_pool_id: pool.id.clone(),
        name,
        description: None,
        precedence: None,
        role_arn: None,
        created_at: now,
        updated_at: now,
    }
}
