//! `forebay import`: a pool moves in, from Cognito or from another Forebay. First it says what it would do, then it does
//! it; it can be run again after an interruption, or when users came since.

mod dump;
mod read;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{self, Output, plain};
use super::progress::Progress;
use super::store::{Store, secret_from};
use super::{Failure, Outcome};
use crate::actions::moving::people::{self, Batch};
use crate::actions::moving::{self, Report, Terms};
use crate::actions::pools::NewKeys;
use crate::config::Settings;
use crate::error::Error;
use crate::model::pool;
use crate::rules::moving::{Bundle, Notes, Secrets};
use dump::{Dump, Lot};

/// Names that are printed of each kind; the rest is counted.
const SHOWN: usize = 20;

#[derive(Subcommand)]
pub enum Command {
    /// A user pool of Amazon Cognito, as the AWS CLI prints it (the README says how to get that)
    Cognito {
        /// A directory of JSON documents, or one file
        path: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// A pool that `forebay export` wrote
    Pool {
        file: PathBuf,
        /// A file that holds the private key of `forebay export keygen`; - for standard input
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
pub struct Options {
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// What is here and differs becomes what the import says; otherwise it is left alone
    #[arg(long)]
    overwrite: bool,
}

/// What the transactions of an import share.
struct Move {
    bundle: Bundle,
    secrets: Secrets,
    keys: NewKeys,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let (dump, options) = match command {
        Command::Cognito { path, options } => (dump::cognito(&path)?, options),
        Command::Pool { file, key, options } => {
            let key = key.as_deref().map(secret_from).transpose()?;
            (
                dump::export(&file, key.as_ref().map(|key| key.as_str()))?,
                options,
            )
        }
    };
    let store = Store::open(settings)?;
    let shared = Arc::new(Move {
        bundle: dump.bundle.clone(),
        secrets: dump.secrets.clone(),
        keys: NewKeys::make()?,
    });
    let report = rehearse(&store, &shared, options.overwrite)?;
    let mut notes = dump.notes.clone();
    let expected = compare(&store, &dump, &mut notes)?;
    if options.dry_run {
        return tell(output, &dump, &report, &expected, &notes, None);
    }
    if !output.json {
        output::line(&text(&dump, &report, &expected, &notes, None));
    }
    if !options.yes {
        ask(&dump)?;
    }
    let report = configure(&store, &shared, options.overwrite)?;
    let mut progress = Progress::new(dump.users, "users");
    let done = move_in(&store, &dump, options.overwrite, &mut progress);
    progress.finish();
    let done = done?;
    tell(output, &dump, &report, &done, &Notes::default(), Some(&progress))
}

/// Makes the configuration.
fn configure(store: &Store<'_>, shared: &Arc<Move>, overwrite: bool) -> Result<Report, Failure> {
    let shared = shared.clone();
    let allowed = store.settings.allow_upstream.clone();
    store.act(move |conn, ctx| {
        let terms = Terms {
            secrets: &shared.secrets,
            keys: &shared.keys,
            allowed: &allowed,
            overwrite,
        };
        moving::configuration(conn, ctx, &shared.bundle, &terms)
    })
}

/// Makes the configuration, looks at what came of it, and undoes it: nothing tells better what an import would do.
fn rehearse(store: &Store<'_>, shared: &Arc<Move>, overwrite: bool) -> Result<Report, Failure> {
    let (tell, told) = mpsc::channel();
    let shared = shared.clone();
    let allowed = store.settings.allow_upstream.clone();
    let undone: Result<(), Failure> = store.act(move |conn, ctx| {
        let terms = Terms {
            secrets: &shared.secrets,
            keys: &shared.keys,
            allowed: &allowed,
            overwrite,
        };
        let report = moving::configuration(conn, ctx, &shared.bundle, &terms)?;
        // Whoever asked waits for it below.
        let _ = tell.send(report);
        Err(Error::Conflict("only rehearsed".into()))
    });
    match (told.try_recv(), undone) {
        (Ok(report), _) => Ok(report),
        (Err(_), Err(failure)) => Err(failure),
        (Err(_), Ok(())) => Err(Failure::Refused("the rehearsal was lost".into())),
    }
}

/// What the import would do to users; nothing is written.
fn compare(store: &Store<'_>, dump: &Dump, notes: &mut Notes) -> Result<Batch, Failure> {
    let pool_id = dump.bundle.pool.id.clone();
    let there = store.read(move |conn| Ok(pool::find(conn, &pool_id)?.is_some()))?;
    let mut total = Batch::default();
    dump.lots(notes, &mut |lot| {
        match lot {
            // Links to connections that are yet to be made would look like links to nowhere.
            Lot::People(people) if !there => total.made += people.len(),
            Lot::People(people) => {
                let pool_id = dump.bundle.pool.id.clone();
                let batch = store.read(move |conn| people::compare(conn, &pool_id, &people))?;
                add(&mut total, batch);
            }
            Lot::Seats(seats) => total.memberships += seats.len(),
        }
        Ok(())
    })?;
    Ok(total)
}

fn move_in(
    store: &Store<'_>,
    dump: &Dump,
    overwrite: bool,
    progress: &mut Progress,
) -> Result<Batch, Failure> {
    let mut total = Batch::default();
    // What there is to note was noted before.
    dump.lots(&mut Notes::default(), &mut |lot| {
        let pool_id = dump.bundle.pool.id.clone();
        let batch = match lot {
            Lot::People(people) => {
                let count = people.len();
                let batch =
                    store.act(move |conn, ctx| people::move_in(conn, ctx, &pool_id, &people, overwrite))?;
                progress.advance(count);
                batch
            }
            Lot::Seats(seats) => store.act(move |conn, ctx| people::join(conn, ctx, &pool_id, &seats))?,
        };
        add(&mut total, batch);
        Ok(())
    })?;
    Ok(total)
}

fn add(total: &mut Batch, batch: Batch) {
    total.made += batch.made;
    total.equal += batch.equal;
    total.overwritten += batch.overwritten;
    total.memberships += batch.memberships;
    total.differing.extend(batch.differing);
    total.refused.extend(batch.refused);
}

fn ask(dump: &Dump) -> Outcome {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage(
            "nothing was done: add --yes to do it, or --dry-run if this was all you wanted to know".into(),
        ));
    }
    eprint!("Go on with {}? [y/N] ", plain(&dump.bundle.pool.id));
    let mut typed = String::new();
    let read = stdin.lock().read_line(&mut typed);
    if read.is_ok() && matches!(typed.trim(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::Refused("nothing was done".into()))
}

/// Prints what was done, or would be; users who could not be made are a failure when they were to be made.
fn tell(
    output: Output,
    dump: &Dump,
    report: &Report,
    users: &Batch,
    notes: &Notes,
    progress: Option<&Progress>,
) -> Outcome {
    let document = json!({
        "pool": dump.bundle.pool.id,
        "done": progress.is_some(),
        "made": report.made,
        "equal": report.equal,
        "differing": report.differing,
        "remarks": report.remarks,
        "stays_behind": notes.lines(),
        "users": {
            "made": users.made, "equal": users.equal, "differing": users.differing, "overwritten": users.overwritten,
            "refused": users.refused, "memberships": users.memberships,
        },
        "seconds": progress.map(Progress::seconds),
        "users_per_second": progress.map(Progress::rate),
    });
    output.answer(&document, || text(dump, report, users, notes, progress))?;
    if progress.is_some() && !users.refused.is_empty() {
        return Err(Failure::Said);
    }
    Ok(())
}

/// With a progress it was done; without, it would be.
fn text(dump: &Dump, report: &Report, users: &Batch, notes: &Notes, progress: Option<&Progress>) -> String {
    let (made, left) = match progress {
        None => ("Would make", "Here, and differs"),
        Some(_) => ("Made", "Was here, and differs"),
    };
    let mut lines = vec![format!(
        "User pool {} ({}), {} users",
        dump.bundle.pool.id, dump.bundle.pool.name, dump.users
    )];
    list(&mut lines, made, &report.made);
    lines.push(format!(
        "{made} users: {}, memberships: {}",
        users.made, users.memberships
    ));
    lines.push(format!(
        "Here already, and the same: {} and {} users",
        report.equal, users.equal
    ));
    list(&mut lines, left, &report.differing);
    list(&mut lines, &format!("{left} (users)"), &users.differing);
    if !(report.differing.is_empty() && users.differing.is_empty()) {
        lines.push("  What differs is left alone without --overwrite.".into());
    }
    list(&mut lines, "Cannot be made", &users.refused);
    list(&mut lines, "Cannot come along", &notes.lines());
    list(&mut lines, "To see to", &report.remarks);
    if let Some(progress) = progress {
        lines.push(format!(
            "{} users in {:.1} s, {} per second",
            dump.users,
            progress.seconds(),
            progress.rate()
        ));
    }
    plain(&lines.join("\n"))
}

fn list(lines: &mut Vec<String>, heading: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    lines.push(format!("{heading}:"));
    lines.extend(items.iter().take(SHOWN).map(|item| format!("  {item}")));
    if items.len() > SHOWN {
        lines.push(format!("  and {} more", items.len() - SHOWN));
    }
}
