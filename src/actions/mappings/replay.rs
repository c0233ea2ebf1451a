//! A draft of rules over the sign-ins of the past: what would have been another for whom. Reads and changes nothing.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::Value;

use super::past::{Past, visit};
use crate::actions::pools;
use crate::db::Conn;
use crate::error::Error;
use crate::model::group;
use crate::model::mapping::Rules;
use crate::model::provider::Provider;
use crate::rules::attribute::outside;
use crate::rules::mapping::replay::{Admission, Difference, Summary, made};
use crate::rules::mapping::{Compiled, Work};
use crate::rules::redact;
use crate::seal::Sealer;
use crate::world::UnixTime;

/// Sign-ins that are told one by one; all of them are counted.
pub const MAX_TOLD: usize = 500;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many sign-ins, the newest.
    pub last: usize,
    /// Show values and people as they are, not redacted.
    pub open: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub sign_ins: usize,
    /// Kept, but no longer to be unsealed.
    pub unreadable: usize,
    /// The rules cost so much that older sign-ins were not looked at.
    pub cut: bool,
    pub summary: Summary,
    /// The newest first, at most [`MAX_TOLD`].
    pub differences: Vec<Entry>,
}

/// One sign-in that would have ended in another way.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub trace_code: String,
    pub at: UnixTime,
    pub client_id: String,
    pub user_sub: Option<String>,
    /// Whom it is about, redacted unless asked for openly.
    pub label: String,
    pub attributes: Vec<AttributeEntry>,
    pub joined: Vec<String>,
    pub left: Vec<String>,
    pub admission: Admission,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeEntry {
    pub name: String,
    /// By the rules in force, and by the draft; redacted unless asked for openly.
    pub live: Option<String>,
    pub draft: Option<String>,
}

/// Runs both over the connection's last sign-ins.
pub fn replay(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    provider: &Provider,
    live: &Compiled,
    draft: &Compiled,
    options: Options,
) -> Result<Report, Error> {
    let pool = pools::find(conn, &provider.user_pool_id)?;
    let pool_groups: BTreeSet<String> = group::names(conn, &pool.id)?.into_iter().collect();
    let mut report = Report::default();
    let mut work = Work::of_a_replay();
    report.unreadable = visit(conn, sealer, now, provider, options.last, |past| {
        if work.is_used_up() {
            report.cut = true;
            return ControlFlow::Break(());
        }
        report.sign_ins += 1;
        let mut made = |rules| made(rules, &pool, &pool_groups, &past.contents, &mut work);
        let difference = Difference::between(&made(live), &made(draft));
        report.summary.add(&difference);
        if !difference.is_none() && report.differences.len() < MAX_TOLD {
            let entry = entry(past, difference, &live.rules, &draft.rules, options.open);
            report.differences.push(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(report)
}

fn entry(past: Past, difference: Difference, live: &Rules, draft: &Rules, open: bool) -> Entry {
    let attributes = difference.attributes.into_iter().map(|change| {
        let shown = |value: &Value, by: &Rules| {
            if open {
                outside(value)
            } else {
                redact::attribute(&change.name, value, by.computes(&change.name))
            }
        };
        AttributeEntry {
            live: change.live.as_ref().map(|value| shown(value, live)),
            draft: change.draft.as_ref().map(|value| shown(value, draft)),
            name: change.name.clone(),
        }
    });
    Entry {
        attributes: attributes.collect(),
        label: past.label(open),
        joined: difference.joined,
        left: difference.left,
        admission: difference.admission,
        trace_code: past.trace_code,
        at: past.at,
        client_id: past.client_id,
        user_sub: past.user_sub,
    }
}

#[cfg(test)]
mod tests;
