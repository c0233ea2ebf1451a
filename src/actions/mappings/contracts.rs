//! Which apps a draft would break: judged by what the rules say, and by the last sign-ins, whose tokens kept to the
//! contract with the rules in force and would not with the draft.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use super::past::visit;
use super::preview::bare_group;
use crate::actions::profile::automatic_group;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::{self, Client};
use crate::model::group;
use crate::model::mapper_input::{Contents, Made};
use crate::model::mapping::Rules;
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::rules::claims::sample::{Someone, sample};
use crate::rules::contract::{Breach, Why};
use crate::rules::mapping::replay::made;
use crate::rules::mapping::{Compiled, Work};
use crate::seal::Sealer;
use crate::world::UnixTime;

/// Sign-ins that a draft is tried on before it is saved.
const LAST: usize = 500;

/// One claim that one app would no longer get as it needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractBreach {
    pub client_id: String,
    pub client_name: String,
    pub breach: Breach,
    /// In how many of the last sign-ins it would show; 0 where the rules alone tell.
    pub sign_ins: usize,
    /// The newest of them.
    pub trace_code: Option<String>,
}

impl fmt::Display for ContractBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "app '{}': {}", self.client_name, self.breach)?;
        match (self.sign_ins, &self.trace_code) {
            (0, _) => f.write_str(": no rule sets it any more"),
            (1, Some(code)) => write!(f, " at 1 of the last sign-ins ({code})"),
            (count, Some(code)) => write!(f, " at {count} of the last sign-ins ({code} is one)"),
            (count, None) => write!(f, " at {count} of the last sign-ins"),
        }
    }
}

/// What `draft` breaks that `live` keeps, for the enabled apps that list this provider. Where the rules cost much, fewer
/// sign-ins are looked at.
pub fn breaches(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    pool: &Pool,
    provider: &Provider,
    live: &Compiled,
    draft: &Compiled,
) -> Result<Vec<ContractBreach>, StoreError> {
    let mut clients = client::list(conn, &pool.id)?;
    clients.retain(|client| {
        let settings = &client.settings;
        client.enabled && !settings.contract.is_empty() && settings.providers.contains(&provider.name)
    });
    if clients.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<(String, Breach), ContractBreach> = BTreeMap::new();
    for client in &clients {
        for breach in lost(client, pool, &live.rules, &draft.rules) {
            found.insert((client.id.clone(), breach.clone()), told(client, breach));
        }
    }
    let pool_groups: BTreeSet<String> = group::names(conn, &pool.id)?.into_iter().collect();
    let mut work = Work::of_a_replay();
    visit(conn, sealer, now, provider, LAST, |past| {
        if work.is_used_up() {
            return ControlFlow::Break(());
        }
        let mut made = |rules| made(rules, pool, &pool_groups, &past.contents, &mut work);
        let (before, after) = (made(live), made(draft));
        // Who does not get in gets no tokens: that is the replay's to tell.
        if before.refusal.is_some() || after.refusal.is_some() || before == after {
            return ControlFlow::Continue(());
        }
        for client in &clients {
            let kept = shortcomings(pool, provider, client, &past.contents, &before, now);
            for breach in shortcomings(pool, provider, client, &past.contents, &after, now) {
                if kept.iter().any(|known| known.claim == breach.claim) {
                    continue;
                }
                let entry = found
                    .entry((client.id.clone(), breach.clone()))
                    .or_insert_with(|| told(client, breach));
                entry.sign_ins += 1;
                entry.trace_code.get_or_insert_with(|| past.trace_code.clone());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.into_values().collect())
}

/// Required attributes that only the rules in force set.
fn lost(client: &Client, pool: &Pool, live: &Rules, draft: &Rules) -> Vec<Breach> {
    let sets = |rules: &Rules, name: &str| rules.attributes.iter().any(|rule| rule.attribute == name);
    client
        .settings
        .contract
        .iter()
        .filter(|wanted| wanted.required && pool.settings.attribute(&wanted.claim).is_some())
        .filter(|wanted| sets(live, &wanted.claim) && !sets(draft, &wanted.claim))
        .map(|wanted| Breach {
            claim: wanted.claim.clone(),
            why: Why::Missing,
        })
        .collect()
}

fn told(client: &Client, breach: Breach) -> ContractBreach {
    ContractBreach {
        client_id: client.id.clone(),
        client_name: client.name.clone(),
        breach,
        sign_ins: 0,
        trace_code: None,
    }
}

/// How the client's ID token falls short for this profile. Of the groups only those of the provider count: what others
/// gave is the same before and after.
fn shortcomings(
    pool: &Pool,
    provider: &Provider,
    client: &Client,
    past: &Contents,
    profile: &Made,
    now: UnixTime,
) -> Vec<Breach> {
    let names = profile
        .groups
        .iter()
        .cloned()
        .chain([automatic_group(pool, provider)]);
    let groups: Vec<_> = names.map(|name| bare_group(pool, name, now)).collect();
    let subject = past
        .claims
        .get("sub")
        .and_then(|sub| sub.as_str())
        .unwrap_or_default();
    let someone = Someone {
        sub: None,
        username: subject,
        attributes: &profile.attributes,
        groups: &groups,
        provider_id: &provider.id,
        provider_name: &provider.name,
        tenant_id: provider.tenant_id.as_deref(),
        subject,
    };
    sample("", pool, client, &someone, now).breaches
}
