//! `forebay hook`: which HTTPS address answers for an ARN that pools name in their `LambdaConfig`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Output, sheet, table};
use super::store::Store;
use super::{Failure, Outcome};
use crate::actions::hooks::{self, NewBinding};
use crate::broker::hooks::{Address, try_out};
use crate::config::Settings;
use crate::db::Conn;
use crate::error::Error;
use crate::model::hook::{self, Binding};
use crate::model::reach::Reach;
use crate::rules::webhook;

#[derive(Subcommand)]
pub enum Command {
    /// Let an HTTPS address answer for an ARN; the secret that signs the calls is shown this once
    Bind {
        #[command(flatten)]
        which: Which,
        /// The address that is called
        url: String,
    },
    /// List the bindings, and which pools name each
    List,
    /// Give the hook a new secret; the old one signs nothing from now on
    Rotate(Which),
    /// Call it once, as the sign-in of somebody whom no pool has
    Test(Which),
    /// Take the binding away; sign-ins that need the hook are refused from then on
    Unbind {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// A binding.
#[derive(Clone, Args)]
pub struct Which {
    /// The id, such as arn:aws:lambda:local:000000000000:function:hook-1
    arn: String,
    /// The one pool that the binding is for; all when left out
    #[arg(long, value_name = "POOL_ID")]
    pool: Option<String>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Bind { which, url } => {
            let url = webhook::url(&url).map_err(|why| Failure::Usage(format!("the address {why}")))?;
            store
                .upstream()?
                .admits(&url)
                .map_err(|why| Failure::Refused(format!("the address cannot be bound: {why}")))?;
            let new = NewBinding {
                arn: which.arn,
                user_pool_id: which.pool,
                url,
            };
            let (made, secret) =
                store.act(move |conn, ctx| hooks::bind(conn, ctx, &Reach::everything(), new))?;
            show_secret(output, "Bound a hook", &made, &secret)
        }
        Command::List => {
            let all = store.read(|conn| -> Result<_, Error> {
                let rows = hook::list_within(conn, &Reach::everything())?;
                let named_by = hooks::named_by(conn, &Reach::everything(), &rows)?;
                Ok(rows.into_iter().zip(named_by).collect::<Vec<_>>())
            })?;
            let documents: Vec<Value> = all
                .iter()
                .map(|(row, uses)| {
                    let uses: Vec<Value> = uses
                        .iter()
                        .map(|used| json!({ "user_pool_id": used.pool.id, "triggers": used.triggers }))
                        .collect();
                    let mut document = document(row);
                    document["named_by"] = json!(uses);
                    document
                })
                .collect();
            output.answer(&Value::Array(documents), || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|(row, uses)| {
                        let uses: Vec<String> = uses.iter().map(|used| used.pool.id.clone()).collect();
                        vec![row.arn.clone(), is_for(row), row.url.clone(), uses.join(", ")]
                    })
                    .collect();
                table(&["ARN", "FOR", "ADDRESS", "NAMED BY"], &rows)
            })
        }
        Command::Rotate(which) => {
            let (made, secret) = store.act(move |conn, ctx| {
                let row = find(conn, &which)?;
                hooks::rotate(conn, ctx, &Reach::everything(), &row.id)
            })?;
            show_secret(output, "Made a new secret", &made, &secret)
        }
        Command::Test(which) => {
            let row = store.read(move |conn| find(conn, &which))?;
            let address = Address::of(store.sealer()?, &row).ok_or_else(|| {
                Failure::Refused("its secret does not open with this root key: rotate it".into())
            })?;
            let upstream = store.upstream()?;
            let now = store.clock.now();
            let pool = row.user_pool_id.as_deref();
            store
                .wait(try_out(&upstream, &store.entropy, now, &address, pool))
                .map_err(|fault| Failure::Refused(format!("{}: {}", fault.exception(), fault.detail())))?;
            output.answer(&json!({ "arn": row.arn, "answered": true }), || {
                format!("{} answered, and its answer can be used.", row.arn)
            })
        }
        Command::Unbind { which, yes } => {
            output::confirm(yes, "hook", &which.arn)?;
            let arn = which.arn.clone();
            store.act(move |conn, ctx| {
                let row = find(conn, &which)?;
                hooks::unbind(conn, ctx, &Reach::everything(), &row.id)
            })?;
            output.answer(&json!({ "unbound": arn }), || format!("{arn} is unbound."))
        }
    }
}

fn find(conn: &mut Conn, which: &Which) -> Result<Binding, Error> {
    let found = hook::find_by_arn(conn, &Reach::everything(), &which.arn, which.pool.as_deref())?;
    found.ok_or_else(|| Error::not_found("hook", which.arn.clone()))
}

fn show_secret(output: Output, heading: &str, row: &Binding, secret: &str) -> Outcome {
    let mut shown = document(row);
    shown["secret"] = json!(secret);
    output.answer(&shown, || {
        let entries = [
            ("arn", row.arn.clone()),
            ("for", is_for(row)),
            ("address", row.url.clone()),
            ("secret", secret.to_owned()),
        ];
        let next = "The secret is not shown again. Calls are signed with it as Standard Webhooks: refuse what does not fit.";
        sheet(heading, &entries, &[next.into()])
    })
}

fn is_for(row: &Binding) -> String {
    row.user_pool_id.clone().unwrap_or_else(|| "all pools".into())
}

fn document(row: &Binding) -> Value {
    json!({
        "id": row.id, "arn": row.arn, "user_pool_id": row.user_pool_id, "url": row.url,
        "created_at": row.created_at.0, "updated_at": row.updated_at.0,
    })
}
