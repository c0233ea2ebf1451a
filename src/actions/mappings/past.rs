//! The sign-ins of the past that are kept, sealed, to try a mapping on: kept as part of a sign-in's own transaction, read
//! a few at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::keeping::tenant_allows;
use crate::actions::Ctx;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::mapper_input::{self, Contents, MAX_BYTES, MapperInput, NewMapperInput};
use crate::model::provider::{Provider, Replay};
use crate::rules::mapping::expression::Kind;
use crate::rules::redact;
use crate::seal::Sealer;
use crate::world::UnixTime;

/// Rows that are read at once.
const BATCH: usize = 200;

/// One sign-in of the past, unsealed.
#[derive(Clone, Debug)]
pub struct Past {
    pub trace_code: String,
    pub at: UnixTime,
    pub client_id: String,
    pub user_sub: Option<String>,
    pub mapping_version: i64,
    pub contents: Contents,
}

impl Past {
    /// What the person is recognised by, redacted unless `open`.
    pub fn label(&self, open: bool) -> String {
        let sources = [
            Some(&self.contents.made.attributes),
            self.contents.existing.as_ref(),
            Some(&self.contents.claims),
        ];
        let found = ["email", "name", "preferred_username", "sub"]
            .into_iter()
            .find_map(|name| {
                let text = sources.iter().flatten().find_map(|of| of.get(name)?.as_str())?;
                Some((name, text))
            });
        match found {
            None => "somebody without a name".into(),
            Some((_, text)) if open => text.to_owned(),
            Some(("sub", text)) => redact::identifier(text),
            Some((name, text)) => redact::value(name, &Value::from(text)),
        }
    }
}

/// A sign-in's contents, sealed and waiting for its trace's code.
#[derive(Clone, Debug)]
pub struct Sealed(Vec<u8>);

/// Seals what is to be kept of a sign-in: `None` where the connection keeps nothing, or with the reason why not.
pub fn seal(ctx: &Ctx, provider: &Provider, contents: &Contents) -> Result<Option<Sealed>, String> {
    if !provider.settings.replay.keep {
        return Ok(None);
    }
    let plain = serde_json::to_vec(contents).map_err(|why| why.to_string())?;
    if plain.len() > MAX_BYTES {
        return Err(format!(
            "the claims take {} bytes, more than the {MAX_BYTES} that are kept",
            plain.len()
        ));
    }
    let label = mapper_input::label(&provider.user_pool_id, &provider.id);
    Ok(Some(Sealed(ctx.sealer.seal(label, &plain))))
}

/// What is known of a kept sign-in without unsealing it.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub client: &'a Client,
    pub trace_code: &'a str,
    pub user_sub: Option<String>,
    pub mapping_version: i64,
}

/// Keeps a sign-in, within the transaction that it is; not where the tenant keeps none.
pub fn keep(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &Provider,
    about: About<'_>,
    sealed: Sealed,
) -> Result<(), StoreError> {
    if !tenant_allows(conn, provider)? {
        return Ok(());
    }
    let days = i64::from(provider.settings.replay.days);
    let row = NewMapperInput {
        provider_id: provider.id.clone(),
        client_id: about.client.id.clone(),
        user_sub: about.user_sub,
        trace_code: about.trace_code.to_owned(),
        mapping_version: about.mapping_version,
        sealed: sealed.0,
        at: ctx.now,
        expires_at: ctx.now.plus(days * 86_400),
    };
    Ok(mapper_input::insert(conn, &row)?)
}

/// Forgets what a connection no longer wants kept.
pub fn shorten(conn: &mut Conn, provider_id: &str, old: &Replay, new: &Replay) -> Result<(), StoreError> {
    if !new.keep {
        mapper_input::forget(conn, provider_id)?;
    } else if new.days < old.days {
        mapper_input::shorten(conn, provider_id, i64::from(new.days) * 86_400)?;
    }
    Ok(())
}

/// Shows the newest `last` sign-ins of a connection to `each`, newest first, until that breaks off. Gives how many could
/// not be unsealed.
pub fn visit(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    provider: &Provider,
    last: usize,
    mut each: impl FnMut(Past) -> ControlFlow<()>,
) -> Result<usize, StoreError> {
    let (mut left, mut before, mut unreadable) = (last, None, 0);
    while left > 0 {
        let wanted = left.min(BATCH);
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rows = mapper_input::newest(conn, &provider.id, now, before, limit)?;
        let (read, oldest) = (rows.len(), rows.last().map(|row| row.id));
        for row in rows {
            match open(sealer, provider, row) {
                Some(past) => {
                    if each(past).is_break() {
                        return Ok(unreadable);
                    }
                }
                None => unreadable += 1,
            }
        }
        if read < wanted {
            break;
        }
        before = oldest;
        left -= read;
    }
    Ok(unreadable)
}

/// The sign-in with that trace, if it is kept and can be unsealed.
pub fn by_trace(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    provider: &Provider,
    trace_code: &str,
) -> Result<Option<Past>, StoreError> {
    let row = mapper_input::by_trace(conn, &provider.id, trace_code, now)?;
    Ok(row.and_then(|row| open(sealer, provider, row)))
}

fn open(sealer: &Sealer, provider: &Provider, row: MapperInput) -> Option<Past> {
    let label = mapper_input::label(&provider.user_pool_id, &provider.id);
    let plain = sealer.open(label, &row.sealed).ok()?;
    Some(Past {
        contents: serde_json::from_slice(&plain).ok()?,
        trace_code: row.trace_code,
        at: row.at,
        client_id: row.client_id,
        user_sub: row.user_sub,
        mapping_version: row.mapping_version,
    })
}

/// A claim as it came in the last sign-ins.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedClaim {
    /// As a rule names it: with a dot for an object's member.
    pub name: String,
    /// In how many of the sign-ins it came with a value.
    pub present: usize,
    /// The types that it came with, the latest first.
    pub kinds: Vec<Kind>,
    /// The latest value, redacted.
    pub example: String,
}

/// The claims of the last sign-ins, by name; and how many sign-ins these are.
pub fn observed(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    provider: &Provider,
    last: usize,
) -> Result<(usize, Vec<ObservedClaim>), StoreError> {
    let mut seen: BTreeMap<String, ObservedClaim> = BTreeMap::new();
    let mut sign_ins = 0;
    visit(conn, sealer, now, provider, last, |past| {
        sign_ins += 1;
        observe(&mut seen, "", &past.contents.claims);
        ControlFlow::Continue(())
    })?;
    Ok((sign_ins, seen.into_values().collect()))
}

/// An object is told with its members, but not with theirs.
fn observe(seen: &mut BTreeMap<String, ObservedClaim>, within: &str, claims: &Map<String, Value>) {
    /// Names that are told; more come of a directory gone wild.
    const MAX_NAMES: usize = 300;
    for (name, value) in claims {
        let name = format!("{within}{name}");
        if value.is_null() || seen.len() >= MAX_NAMES && !seen.contains_key(&name) {
            continue;
        }
        let claim = seen.entry(name.clone()).or_insert_with(|| ObservedClaim {
            name: name.clone(),
            present: 0,
            kinds: Vec::new(),
            example: redact::value(&name, value),
        });
        claim.present += 1;
        let kind = Kind::of(value);
        if !claim.kinds.contains(&kind) {
            claim.kinds.push(kind);
        }
        if let Value::Object(members) = value
            && within.is_empty()
        {
            observe(seen, &format!("{name}."), members);
        }
    }
}
