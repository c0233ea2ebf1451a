//! `forebay export`: a pool as one canonical JSON document, which `forebay import pool` takes. Users are written as they
//! are read; the secrets are sealed to whoever is to have them, or left out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::output::{Output, facts};
use super::store::Store;
use super::{Failure, Outcome};
use crate::actions::moving::export;
use crate::config::Settings;
use crate::rules::moving::FORMAT;
use crate::rules::moving::envelope::{self, Purpose};

/// Users that are read at a time.
const PAGE: i64 = 1_000;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Command {
    #[command(subcommand)]
    keygen: Option<Keygen>,
    #[command(flatten)]
    export: Export,
}

#[derive(Subcommand)]
enum Keygen {
    /// Make a key pair, where the pool goes to: the public key is for whoever exports, the private one opens the secrets
    Keygen,
}

#[derive(Args)]
#[command(group = ArgGroup::new("secrets").required(true).args(["recipient", "without_secrets"]))]
struct Export {
    /// The pool to export
    #[arg(long, value_name = "POOL_ID", required = true)]
    pool: Option<String>,
    /// Seal the secrets to this public key
    #[arg(long, value_name = "PUBLIC_KEY", allow_hyphen_values = true)]
    recipient: Option<String>,
    /// Leave the secrets out: connections arrive disabled, clients get new secrets
    #[arg(long)]
    without_secrets: bool,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    match command.keygen {
        Some(Keygen::Keygen) => keygen(output),
        None => write(settings, command.export),
    }
}

fn keygen(output: Output) -> Outcome {
    let (public, private) = envelope::key_pair().map_err(Failure::Refused)?;
    let document = json!({ "public_key": public, "private_key": private.as_str() });
    output.answer(&document, || {
        facts(&[
            ("public key, for --recipient", public.clone()),
            ("private key, for --key", private.to_string()),
        ])
    })
}

fn write(settings: &Settings, export: Export) -> Outcome {
    let pool_id = export.pool.unwrap_or_default();
    let store = Store::open(settings)?;
    let id = pool_id.clone();
    let bundle = store.read(move |conn| export::bundle(conn, &id))?;
    let secrets = match export.recipient {
        None => Value::Null,
        Some(recipient) => {
            envelope::check(&recipient).map_err(Failure::Usage)?;
            let (id, key) = (pool_id.clone(), recipient.clone());
            let secrets = store.act(move |conn, ctx| export::secrets(conn, ctx, &id, &key))?;
            let plain = Zeroizing::new(serde_json::to_vec(&secrets).map_err(unwritable)?);
            let sealed =
                envelope::seal(Purpose::PoolSecrets, &recipient, &pool_id, &plain).map_err(Failure::Usage)?;
            serde_json::to_value(sealed).map_err(unwritable)?
        }
    };
    let mut head = serde_json::to_value(bundle).map_err(unwritable)?;
    head["forebay"] = json!(FORMAT);
    head["secrets"] = secrets;

    let mut sink: Box<dyn Write> = match &export.output {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(unwritable)?)),
    };
    // One member, and one user, in a line: what changed between two exports shows in any comparison of texts.
    for (at, (name, value)) in head.as_object().into_iter().flatten().enumerate() {
        let open = if at == 0 { "{" } else { "" };
        writeln!(sink, "{open}{}:{value},", json!(name)).map_err(unwritable)?;
    }
    sink.write_all(b"\"users\":[").map_err(unwritable)?;
    let (mut after, mut first) = (String::new(), true);
    loop {
        let (id, last) = (pool_id.clone(), after.clone());
        let people = store.read(move |conn| export::people(conn, &id, &last, PAGE))?;
        for person in &people {
            let line = serde_json::to_value(person).map_err(unwritable)?;
            write!(sink, "{}\n{line}", if first { "" } else { "," }).map_err(unwritable)?;
            first = false;
        }
        match people.last() {
            Some(last) => after.clone_from(&last.sub),
            None => break,
        }
    }
    sink.write_all(b"\n]}\n").map_err(unwritable)?;
    sink.flush().map_err(unwritable)
}

fn unwritable(why: impl std::fmt::Display) -> Failure {
    Failure::Refused(format!("the export cannot be written: {why}"))
}
