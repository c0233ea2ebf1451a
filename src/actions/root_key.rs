//! A new root key takes over what older ones sealed, batch by batch, until an old one can go.

use serde_json::json;

use super::{Ctx, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::enforcement;
use crate::model::provider::{self, Provider};
use crate::model::sealed::{self, LASTING, Lasting, PASSING, SIGNING_KEYS};
use crate::rules::connection::fingerprint;
use crate::seal::{Label, Sealer, shown_id};

/// Values of one transaction.
const BATCH: i64 = 200;

/// Some values that older root keys sealed.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    values: Vec<sealed::Value>,
    /// Where the next batch begins; `None` after the last.
    pub next: Option<String>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// What came of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub anew: usize,
    /// None of the root keys that are here opens these.
    pub closed: usize,
}

/// How many values a root key sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub what: &'static str,
    /// They expire by themselves.
    pub passes: bool,
    pub key_id: String,
    pub count: u64,
}

/// The root key that sealed signing keys and is not here, by its id: without it no sign-in can end.
pub fn missing(conn: &mut Conn, sealer: &Sealer) -> Result<Option<String>, Error> {
    let here = sealer.key_ids();
    let sealed = sealed::shares(conn, SIGNING_KEYS.table, SIGNING_KEYS.column)?;
    Ok(sealed
        .into_iter()
        .map(|(key_id, _)| shown_id(&key_id))
        .find(|key_id| !here.contains(key_id)))
}

/// What each root key sealed.
pub fn shares(conn: &mut Conn) -> Result<Vec<Share>, Error> {
    let lasting = LASTING
        .iter()
        .map(|kind| (kind.what, kind.table, kind.column, false));
    let passing = PASSING
        .iter()
        .map(|(what, table, column)| (*what, *table, *column, true));
    let mut all = Vec::new();
    for (what, table, column, passes) in lasting.chain(passing) {
        for (key_id, count) in sealed::shares(conn, table, column)? {
            all.push(Share {
                what,
                passes,
                key_id: shown_id(&key_id),
                count,
            });
        }
    }
    Ok(all)
}

/// The next values that older root keys sealed. It may walk over many that none of them did: to be read, with nothing held.
pub fn next(conn: &mut Conn, key_id: [u8; 4], kind: &Lasting, after: &str) -> Result<Batch, StoreError> {
    let values = sealed::of_others(conn, kind, &key_id, after, BATCH)?;
    let is_full = values.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
    let last = values.last().filter(|_| is_full);
    Ok(Batch {
        next: last.map(|value| value.name.clone()),
        values,
    })
}

/// Seals a batch anew under the root key that seals, but for what was changed meanwhile. The audit log has it as one event,
/// with nothing of what was sealed.
pub fn seal_anew(conn: &mut Conn, ctx: &Ctx, kind: &Lasting, batch: &Batch) -> Result<Done, Error> {
    let mut done = Done::default();
    for value in &batch.values {
        let label = Label {
            purpose: kind.purpose,
            scope: &value.scope,
            name: &value.name,
        };
        let Ok(plain) = ctx.sealer.open(label, &value.sealed) else {
            done.closed += 1;
            continue;
        };
        let tested = match kind.table {
            "identity_providers" => provider::find(conn, &value.name)?,
            _ => None,
        };
        if !sealed::replace(conn, kind, value, &ctx.sealer.seal(label, &plain))? {
            continue;
        }
        done.anew += 1;
        if let Some(tested) = tested {
            carry_tests(conn, &tested)?;
        }
    }
    if done.anew > 0 {
        let difference = json!({ "sealed_anew": done.anew, "of": kind.what });
        record(conn, ctx, "root_key.take_over", None, "", difference)?;
    }
    Ok(done)
}

/// Tests that a connection has passed go on to count: the same secret, sealed anew, is no other configuration.
fn carry_tests(conn: &mut Conn, before: &Provider) -> Result<(), Error> {
    if let Some(after) = provider::find(conn, &before.id)? {
        enforcement::carry_tests(conn, &before.id, &fingerprint(before), &fingerprint(&after))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::actions::fixture::Fixture;
    use crate::db::tables;

    #[test]
    fn every_sealed_column_either_is_sealed_anew_or_passes() {
        let found = Fixture::new()
            .act(|conn| Ok(tables::all(conn)?))
            .unwrap()
            .into_iter()
            .flat_map(|table| {
                let sealed = |name: &&str| name.ends_with("sealed");
                let names: Vec<String> = table
                    .column_names()
                    .into_iter()
                    .filter(sealed)
                    .map(Into::into)
                    .collect();
                names.into_iter().map(move |column| (table.name.clone(), column))
            })
            .collect::<BTreeSet<_>>();
        let lasting = LASTING.iter().map(|kind| (kind.table, kind.column));
        let passing = PASSING.iter().map(|(_, table, column)| (*table, *column));
        let known = lasting
            .chain(passing)
            .map(|(table, column)| (table.to_owned(), column.to_owned()))
            .collect::<BTreeSet<_>>();
        assert_eq!(found, known);
    }
}
