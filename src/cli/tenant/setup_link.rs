//! `forebay tenant setup-link`: make, list and revoke the links by which a customer connects their Okta alone.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::actions::setup_links::{self, LONGEST_DAYS, USUAL_DAYS};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::cli::store::Store;
use crate::model::reach::Reach;
use crate::model::setup_link::SetupLink;
use crate::world::UnixTime;

#[derive(Subcommand)]
pub enum Command {
    /// Make a link and print it, once
    Create {
        /// The tenant whose Okta may be connected
        tenant: String,
        /// For how many days it is good
        #[arg(long, default_value_t = USUAL_DAYS, value_parser = clap::value_parser!(i64).range(1..=LONGEST_DAYS))]
        days: i64,
    },
    /// List a tenant's links
    List { tenant: String },
    /// End a link, and at once the sessions of whoever works with it
    Revoke { id: String },
}

pub fn run(store: &Store<'_>, output: Output, command: Command) -> Outcome {
    let now = store.clock.now();
    match command {
        Command::Create { tenant, days } => {
            let (link, token) = store
                .act(move |conn, ctx| setup_links::create(conn, ctx, &Reach::everything(), &tenant, days))?;
            let address = address(store.settings.public_url.origin(), &token);
            let mut shown = document(&link, now);
            shown["link"] = json!(address);
            output.answer(&shown, || {
                format!(
                    "Send this to whoever connects the Okta of {}. It is good until {} and is not shown again:\n\n  \
                     {address}\n",
                    link.tenant_id, link.expires_at
                )
            })
        }
        Command::List { tenant } => {
            let (tenant, links) =
                store.read(move |conn| setup_links::list(conn, &Reach::everything(), &tenant))?;
            let documents = links.iter().map(|link| document(link, now)).collect();
            output.answer(&Value::Array(documents), || {
                if links.is_empty() {
                    return format!(
                        "There is no set-up link yet: forebay tenant setup-link create {}",
                        tenant.id
                    );
                }
                let rows: Vec<Vec<String>> = links.iter().map(|link| row(link, now)).collect();
                table(&["ID", "STATE", "MADE", "UNTIL", "OPENED", "CONNECTION"], &rows)
            })
        }
        Command::Revoke { id } => {
            let link =
                store.act(move |conn, ctx| setup_links::revoke(conn, ctx, &Reach::everything(), &id))?;
            output.answer(&json!({ "revoked": link.id }), || {
                format!("Set-up link {} is revoked.", link.id)
            })
        }
    }
}

/// The address of a link.
pub fn address(public_url: &str, token: &str) -> String {
    format!("{public_url}/console/connect/{token}")
}

fn row(link: &SetupLink, now: UnixTime) -> Vec<String> {
    vec![
        link.id.clone(),
        link.state(now).to_string(),
        link.created_at.to_string(),
        link.expires_at.to_string(),
        link.opened_at.map_or_else(|| "never".into(), |at| at.to_string()),
        link.provider_id.clone().unwrap_or_default(),
    ]
}

fn document(link: &SetupLink, now: UnixTime) -> Value {
    json!({
        "id": link.id,
        "tenant": link.tenant_id,
        "state": link.state(now),
        "created_by": link.created_by,
        "created_at": link.created_at.to_string(),
        "expires_at": link.expires_at.to_string(),
        "opened_at": link.opened_at.map(|at| at.to_string()),
        "done_at": link.done_at.map(|at| at.to_string()),
        "connection": link.provider_id,
    })
}
