//! Rules tried on claims that somebody typed or that came in the past, with the pool as it is; and the tokens that each
//! app would get. Reads and changes nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::past::Past;
use crate::actions::pools;
use crate::actions::profile::{automatic_group, username};
use crate::db::Conn;
use crate::error::Error;
use crate::model::client::{self, Client};
use crate::model::group::{self, Group};
use crate::model::mapping::Rules;
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::rules::claims::sample::{Sample, Someone, sample};
use crate::rules::mapping::preview::{self, Preview, SignIn};
use crate::world::UnixTime;

/// The sign-in that rules are tried on.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub claims: Map<String, Value>,
    /// The profile's attributes before; `None`: a first sign-in.
    pub existing: Option<Map<String, Value>>,
    /// Groups that the provider had given before.
    pub held: Vec<String>,
    /// The app client's list of attributes that its sign-ins may change; `None`: all.
    pub write_attributes: Option<Vec<String>>,
    pub user_sub: Option<String>,
}

impl From<Past> for Given {
    fn from(past: Past) -> Given {
        let contents = past.contents;
        Given {
            claims: contents.claims,
            existing: contents.existing,
            held: contents.held,
            write_attributes: contents.write_attributes,
            user_sub: past.user_sub,
        }
    }
}

/// What the rules would make of it.
pub fn preview(conn: &mut Conn, provider: &Provider, rules: &Rules, given: &Given) -> Result<Preview, Error> {
    let pool = pools::find(conn, &provider.user_pool_id)?;
    let pool_groups: BTreeSet<String> = group::names(conn, &pool.id)?.into_iter().collect();
    let sign_in = SignIn {
        pool: &pool,
        claims: &given.claims,
        existing: given.existing.as_ref(),
        held: &given.held,
        pool_groups: &pool_groups,
        write_attributes: given.write_attributes.as_deref(),
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
    let mut groups = group::find_named(conn, &pool.id, &names)?;
    for name in names {
        if groups.iter().all(|group| group.name != name) {
            groups.push(bare_group(&pool, name, now));
        }
    }
    let subject = given.claims.get("sub").and_then(Value::as_str).unwrap_or("(sub)");
    let username = username(&pool, provider, subject);
    let someone = Someone {
        sub: given.user_sub.as_deref(),
        username: &username,
        attributes: &preview.attributes,
        groups: &groups,
        provider_id: &provider.id,
        provider_name: &provider.name,
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
