//! `forebay keys`: show a pool's signing keys, rotate them, take away one that leaked; let a new root key take over.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Output, sheet, table};
use super::progress::Progress;
use super::store::Store;
use crate::actions::keys;
use crate::actions::pools::{self, NewKeys};
use crate::actions::root_key;
use crate::config::Settings;
use crate::model::key::{self, SigningKey, State};
use crate::model::sealed::LASTING;
use crate::rules::key_rotation::{LEAD_SECONDS, moves_on};

#[derive(Subcommand)]
pub enum Command {
    /// Show the keys of a pool: which sign, which will, which only verify
    Show { pool: String },
    /// Publish successors of a pool's keys; a running broker lets them sign once every app can know them
    Rotate { pool: String },
    /// Take a leaked key away at once; tokens that it signed are good no more
    Revoke {
        pool: String,
        kid: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show which root key seals what, and which one is not needed any more
    Root,
    /// Seal what older root keys sealed anew under the first one; a running broker does it by itself within the hour
    TakeOver,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Show { pool } => show(&store, output, pool),
        Command::Rotate { pool } => rotate(&store, output, pool),
        Command::Revoke { pool, kid, yes } => {
            output::confirm(yes, "signing key", &kid)?;
            revoke(&store, output, pool, kid)
        }
        Command::Root => root(&store, output),
        Command::TakeOver => take_over(&store, output),
    }
}

fn show(store: &Store<'_>, output: Output, pool_id: String) -> Outcome {
    let (pool, stored) = store.read(move |conn| {
        let pool = pools::find(conn, &pool_id)?;
        let stored = key::of_pool(conn, &pool_id)?;
        Ok((pool, stored))
    })?;
    let days = pool.settings.key_rotation_days;
    let documents: Vec<Value> = stored.iter().map(|key| document(key, days)).collect();
    output.answer(&Value::Array(documents), || {
        let rows: Vec<Vec<String>> = stored.iter().map(|key| line(key, days)).collect();
        table(&["KID", "USE", "STATE", "SINCE", "NEXT"], &rows)
    })
}

fn rotate(store: &Store<'_>, output: Output, pool_id: String) -> Outcome {
    let successors = NewKeys::make()?.each();
    let published = store.act(move |conn, ctx| keys::rotate(conn, ctx, &pool_id, &successors))?;
    output.answer(
        &json!({ "published": published, "signs_after_seconds": LEAD_SECONDS }),
        || {
            let next = [format!(
                "nothing: a running broker lets them sign in {} minutes and deletes the old ones when they are not needed",
                LEAD_SECONDS / 60
            )];
            let entries = [("key ids", output::lines(&published))];
            sheet("Published new signing keys", &entries, &next)
        },
    )
}

fn revoke(store: &Store<'_>, output: Output, pool_id: String, kid: String) -> Outcome {
    let spare = keys::make()?;
    let gone = store.act(move |conn, ctx| keys::revoke(conn, ctx, &pool_id, &kid, &spare))?;
    output.answer(&json!({ "revoked": gone.kid, "was": gone.state }), || {
        let signs = match gone.state {
            State::Active => " Its successor signs from now on.",
            State::Pending | State::Retiring => "",
        };
        format!(
            "Key {} is revoked: tokens that it signed are good no more.{signs}",
            gone.kid
        )
    })
}

/// Which root key seals what. A key that is here and seals nothing that lasts may go.
fn root(store: &Store<'_>, output: Output) -> Outcome {
    let ids = store.sealer()?.key_ids();
    let shares = store.read(root_key::shares)?;
    let mut all = ids.clone();
    for share in &shares {
        if !all.contains(&share.key_id) {
            all.push(share.key_id.clone());
        }
    }
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for id in all {
        let place = ids.iter().position(|one| *one == id);
        let of = |passes: bool| {
            let its = shares
                .iter()
                .filter(|share| share.key_id == id && share.passes == passes);
            its.map(|share| share.count).sum::<u64>()
        };
        let (lasting, passing) = (of(false), of(true));
        let state = match (place, lasting, passing) {
            (None, ..) => "is not here: what it sealed cannot be opened",
            (Some(0), ..) => "seals",
            (_, 0, 0) => "may go",
            (_, 0, _) => "may go once what passes has passed, within a month",
            _ => "opens: forebay keys take-over",
        };
        documents.push(json!({ "key_id": id, "state": state, "lasting": lasting, "passing": passing }));
        rows.push(vec![
            id,
            state.to_owned(),
            lasting.to_string(),
            passing.to_string(),
        ]);
    }
    output.answer(&Value::Array(documents), || {
        table(&["ROOT KEY", "STATE", "LASTING", "PASSING"], &rows)
    })
}

fn take_over(store: &Store<'_>, output: Output) -> Outcome {
    let key_id = store.sealer()?.key_id();
    let seals = store.sealer()?.key_ids().swap_remove(0);
    let shares = store.read(root_key::shares)?;
    let others = shares
        .iter()
        .filter(|share| !share.passes && share.key_id != seals);
    let mut progress = Progress::new(others.map(|share| share.count).sum(), "values");
    let (mut anew, mut closed) = (0, 0);
    for kind in &LASTING {
        let mut after = Some(String::new());
        while let Some(from) = after {
            let batch = store.read(move |conn| Ok(root_key::next(conn, key_id, kind, &from)?))?;
            after = batch.next.clone();
            let done = store.act(move |conn, ctx| root_key::seal_anew(conn, ctx, kind, &batch))?;
            if done.anew > 0 {
                progress.advance(done.anew);
            }
            anew += done.anew;
            closed += done.closed;
        }
    }
    progress.finish();
    output.answer(&json!({ "sealed_anew": anew, "closed": closed }), || {
        let closed = match closed {
            0 => String::new(),
            count => format!(" No root key that is here opens {count} more: see forebay keys root."),
        };
        format!("{anew} values are sealed anew under the first root key.{closed}")
    })
}

fn document(key: &SigningKey, rotation_days: u32) -> Value {
    json!({
        "kid": key.kid,
        "use": key.usage,
        "state": key.state,
        "since": key.state_since.to_string(),
        "moves_on": moves_on(key.state, key.state_since, rotation_days).map(|at| at.to_string()),
        "public_jwk": key.public_jwk,
    })
}

fn line(key: &SigningKey, rotation_days: u32) -> Vec<String> {
    let what = match key.state {
        State::Pending => "signs from",
        State::Active => "gets a successor at",
        State::Retiring => "is deleted at",
    };
    let next = moves_on(key.state, key.state_since, rotation_days);
    vec![
        key.kid.clone(),
        key.usage.to_string(),
        key.state.to_string(),
        key.state_since.to_string(),
        next.map(|at| format!("{what} {at}")).unwrap_or_default(),
    ]
}
