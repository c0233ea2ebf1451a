//! `forebay credential`: access keys for the management API.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Output, sheet, table};
use super::store::Store;
use crate::actions::credentials::{self, NewCredential};
use crate::config::Settings;
use crate::error::Error;
use crate::model::credential::{self, Credential, Role};
use crate::model::reach::Reach;

#[derive(Subcommand)]
pub enum Command {
    /// Make an access key; its secret is shown this once
    Create(Create),
    /// List the access keys
    List,
    /// Give an access key a new secret; the old one is refused at once
    Rotate { id: String },
    /// Refuse what this access key signs, until it is enabled again
    Disable { id: String },
    /// Take what this access key signs again
    Enable { id: String },
    /// Delete an access key
    Delete {
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Create {
    /// What it may do within its reach
    #[arg(long, value_enum)]
    role: RoleArgument,
    /// The one pool that it reaches; all when left out
    #[arg(long, value_name = "POOL_ID")]
    pool: Option<String>,
    /// Who has it, or what for
    #[arg(long, default_value = "")]
    description: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    Admin,
    ReadOnly,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create(args) => {
            let new = NewCredential {
                id: None,
                secret: None,
                role: match args.role {
                    RoleArgument::Admin => Role::Admin,
                    RoleArgument::ReadOnly => Role::ReadOnly,
                },
                user_pool_id: args.pool,
                description: args.description,
            };
            let (made, secret) = store.act(move |conn, ctx| credentials::create(conn, ctx, new))?;
            let mut document = document(&made);
            document["secret_access_key"] = json!(secret.as_str());
            output.answer(&document, || {
                let entries = [
                    ("access key id", made.id.clone()),
                    ("secret access key", secret.to_string()),
                    ("role", made.role.to_string()),
                    ("reaches", reaches(&made)),
                ];
                sheet(
                    "Made a credential",
                    &entries,
                    &[
                        "The secret is not shown again. Point an AWS SDK at this server with --endpoint-url."
                            .into(),
                    ],
                )
            })
        }
        Command::List => {
            let all =
                store.read(|conn| Ok::<_, Error>(credential::list_within(conn, &Reach::everything())?))?;
            output.answer(&Value::Array(all.iter().map(document).collect()), || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|row| {
                        vec![
                            row.id.clone(),
                            row.role.to_string(),
                            reaches(row),
                            if row.enabled { "enabled" } else { "disabled" }.into(),
                            row.description.clone(),
                        ]
                    })
                    .collect();
                table(
                    &["ACCESS KEY ID", "ROLE", "REACHES", "STATE", "DESCRIPTION"],
                    &rows,
                )
            })
        }
        Command::Rotate { id } => {
            let name = id.clone();
            let secret = store.act(move |conn, ctx| credentials::rotate(conn, ctx, &name))?;
            output.answer(
                &json!({ "access_key_id": id, "secret_access_key": secret.as_str() }),
                || {
                    let entries = [
                        ("access key id", id.clone()),
                        ("secret access key", secret.to_string()),
                    ];
                    sheet(
                        "Made a new secret",
                        &entries,
                        &["It is not shown again; the old one is refused from now on.".into()],
                    )
                },
            )
        }
        Command::Disable { id } => switch(&store, output, id, false),
        Command::Enable { id } => switch(&store, output, id, true),
        Command::Delete { id, yes } => {
            output::confirm(yes, "credential", &id)?;
            let name = id.clone();
            store.act(move |conn, ctx| credentials::delete(conn, ctx, &name))?;
            output.answer(&json!({ "deleted": id }), || {
                format!("Credential {id} is deleted.")
            })
        }
    }
}

fn switch(store: &Store<'_>, output: Output, id: String, enabled: bool) -> Outcome {
    let name = id.clone();
    store.act(move |conn, ctx| credentials::set_enabled(conn, ctx, &name, enabled))?;
    output.answer(&json!({ "access_key_id": id, "enabled": enabled }), || {
        let state = if enabled { "enabled" } else { "disabled" };
        format!("Credential {id} is {state}.")
    })
}

fn reaches(row: &Credential) -> String {
    row.user_pool_id.clone().unwrap_or_else(|| "everything".into())
}

fn document(row: &Credential) -> Value {
    json!({
        "access_key_id": row.id, "role": row.role, "user_pool_id": row.user_pool_id, "enabled": row.enabled,
        "description": row.description, "created_at": row.created_at.0,
        "last_used_at": row.last_used_at.map(|at| at.0),
    })
}
