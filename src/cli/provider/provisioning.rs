//! `forebay provider provisioning`: who gets an account by a connection at the first sign-in, and what with.

use clap::Args;
use serde_json::json;

use super::{Which, find};
use crate::actions::provisioning;
use crate::cli::Outcome;
use crate::cli::output::{Output, lines, sheet, yes};
use crate::cli::store::Store;
use crate::model::reach::Reach;

#[derive(Args)]
pub struct Provision {
    #[command(flatten)]
    which: Which,
    /// false lets in only those who have an account, or are recognised or linked
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    just_in_time: Option<bool>,
    /// A group that a new account is put into, for good; repeat it
    #[arg(long = "group", value_name = "GROUP", conflicts_with = "no_groups")]
    groups: Vec<String>,
    /// New accounts are put into no group but those that the mapping gives
    #[arg(long)]
    no_groups: bool,
}

/// Changes what is named, and shows how it stands.
pub fn run(store: &Store<'_>, output: Output, args: Provision) -> Outcome {
    let Provision {
        which,
        just_in_time,
        groups,
        no_groups,
    } = args;
    let changes = just_in_time.is_some() || no_groups || !groups.is_empty();
    let provider = if changes {
        store.act(move |conn, ctx| {
            let provider = find(conn, &which)?;
            let old = provider.settings.0.provisioning;
            let groups = match no_groups || !groups.is_empty() {
                true => groups,
                false => old.groups,
            };
            let just_in_time = just_in_time.unwrap_or(old.just_in_time);
            provisioning::set(
                conn,
                ctx,
                &Reach::everything(),
                &provider.id,
                just_in_time,
                groups,
            )
        })?
    } else {
        store.read(move |conn| find(conn, &which))?
    };
    let stands = &provider.settings.provisioning;
    output.answer(
        &json!({
            "connection": provider.id,
            "just_in_time": stands.just_in_time,
            "groups": stands.groups,
        }),
        || {
            let entries = [
                ("connection", provider.id.clone()),
                ("account at the first sign-in", yes(stands.just_in_time)),
                ("groups for new accounts", lines(&stands.groups)),
            ];
            sheet("Who gets an account", &entries, &[])
        },
    )
}
