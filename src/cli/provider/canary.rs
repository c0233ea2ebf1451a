//! `forebay provider canary`: a second connection of the tenant is tried with some people, side by side with the first, and
//! promoted or aborted.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::{Which, find};
use crate::actions::canaries;
use crate::cli::Outcome;
use crate::cli::output::{Output, lines, sheet, yes};
use crate::cli::store::Store;
use crate::error::Error;
use crate::model::provider::{Canary, Provider};
use crate::model::reach::Reach;
use crate::model::trace::count::Outcomes;

#[derive(Args)]
#[command(group = ArgGroup::new("what").args(["to", "promote", "abort"]))]
pub struct Try {
    #[command(flatten)]
    which: Which,
    /// The slug of the second connection: live, and of the same tenant
    #[arg(long, value_name = "SLUG")]
    to: Option<String>,
    /// How many of a hundred whose address is known before they sign in
    #[arg(long, default_value_t = 0, requires = "to", value_parser = clap::value_parser!(u32).range(0..=100))]
    percent: u32,
    /// The address of somebody who goes there in any case; repeat it
    #[arg(long = "person", value_name = "ADDRESS", requires = "to")]
    people: Vec<String>,
    /// A group of the pool whose members go there
    #[arg(long, value_name = "GROUP", requires = "to")]
    group: Option<String>,
    /// Send everybody to the second connection
    #[arg(long)]
    promote: bool,
    /// Send nobody there any more
    #[arg(long)]
    abort: bool,
}

pub fn run(store: &Store<'_>, output: Output, args: Try) -> Outcome {
    let all = Reach::everything;
    let (provider, outcomes) = store.act(move |conn, ctx| {
        let Try {
            which,
            to,
            percent,
            people,
            group,
            promote,
            abort,
        } = args;
        let found = find(conn, &which)?;
        let provider = match to {
            Some(to) => {
                let canary = Canary {
                    to,
                    percent,
                    people,
                    group,
                    ..Canary::default()
                };
                canaries::set(conn, ctx, &all(), &found.id, canary)?
            }
            None if promote => canaries::promote(conn, ctx, &all(), &found.id)?,
            None if abort => canaries::abort(conn, ctx, &all(), &found.id)?,
            None => found,
        };
        let outcomes = match &provider.settings.canary {
            Some(canary) => Some((
                canaries::outcomes(conn, &provider.id, canary.since)?,
                canaries::outcomes(conn, &canary.to, canary.since)?,
            )),
            None => None,
        };
        Ok::<_, Error>((provider, outcomes))
    })?;
    output.answer(&document(&provider, outcomes.as_ref()), || {
        let Some((canary, (here, there))) = provider.settings.canary.as_ref().zip(outcomes.as_ref()) else {
            return format!("Connection {} has no canary.", provider.id);
        };
        let entries = [
            ("connection", provider.id.clone()),
            ("second connection", canary.to.clone()),
            ("promoted", yes(canary.promoted)),
            ("percentage", canary.percent.to_string()),
            ("people", lines(&canary.people)),
            ("group", canary.group.clone().unwrap_or_default()),
            ("since", canary.since.to_string()),
            ("outcomes here", words(here)),
            ("outcomes there", words(there)),
        ];
        sheet("Canary", &entries, &[])
    })
}

fn words(outcomes: &Outcomes) -> String {
    format!(
        "{} signed in, {} refused, {} failed",
        outcomes.signed_in, outcomes.refused, outcomes.failed
    )
}

fn document(provider: &Provider, outcomes: Option<&(Outcomes, Outcomes)>) -> Value {
    let counted =
        |of: &Outcomes| json!({ "signed_in": of.signed_in, "refused": of.refused, "failed": of.failed });
    json!({
        "connection": provider.id,
        "canary": provider.settings.canary,
        "here": outcomes.map(|(here, _)| counted(here)),
        "there": outcomes.map(|(_, there)| counted(there)),
    })
}
