//! `forebay tenant move`: who would move from one connection of a tenant to another, the move itself, how far it has come,
//! its end, and undoing it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::actions::identity_moves::{self, NewMove};
use crate::actions::tenants;
use crate::cli::output::{self, Output, lines, sheet, table};
use crate::cli::store::Store;
use crate::cli::{Failure, Outcome};
use crate::model::identity_move::{self, IdentityMove, Pairing};
use crate::model::reach::Reach;
use crate::rules::pairing::{self, Plan};

/// Moves that are listed at once.
const LISTED: i64 = 50;

#[derive(Subcommand)]
pub enum Command {
    /// Say who would move and who would not; nothing is changed
    Plan(Which),
    /// Move them, each at their next sign-in by the new connection
    Start(Which),
    /// List a tenant's moves
    List { tenant: String },
    /// Say how far a move has come
    Show { id: String },
    /// Close the old way to everybody in the move
    Close { id: String },
    /// Take everything back, within 30 days
    Undo {
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Which {
    /// The tenant whose people move
    tenant: String,
    /// The connection by which they come today
    #[arg(long, value_name = "CONNECTION")]
    from: String,
    /// The tenant's connection by which they will come
    #[arg(long, value_name = "CONNECTION")]
    to: String,
    /// By what accounts are paired: email, or an attribute such as custom:employee_number
    #[arg(
        long,
        value_name = "ATTRIBUTE",
        default_value = "email",
        conflicts_with = "list"
    )]
    by: String,
    /// A CSV file with the heading user,sub (or user,email) and a person in each line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

impl Which {
    fn read(self) -> Result<NewMove, Failure> {
        let (pairing, lines) = match &self.list {
            None => (Pairing::Attribute { name: self.by }, Vec::new()),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?;
                let (attribute, lines) = pairing::read_list(&text)
                    .map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?;
                (Pairing::List { attribute }, lines)
            }
        };
        Ok(NewMove {
            tenant_id: self.tenant,
            from: self.from,
            to: self.to,
            pairing,
            lines,
        })
    }
}

pub fn run(store: &Store<'_>, output: Output, command: Command) -> Outcome {
    let everything = Reach::everything();
    match command {
        Command::Plan(which) => {
            let new = which.read()?;
            let prepared = store.read(move |conn| identity_moves::prepare(conn, &everything, &new))?;
            output.answer(&plan(&prepared.plan), || told(&prepared.plan))
        }
        Command::Start(which) => {
            let new = which.read()?;
            let (row, made) =
                store.act(move |conn, ctx| identity_moves::start(conn, ctx, &everything, &new))?;
            let mut shown = document(&row);
            shown["plan"] = plan(&made);
            output.answer(&shown, || {
                format!(
                    "{}\nMove {} is made: {} move at their next sign-in by {}. See how far it is: forebay tenant move show {}",
                    told(&made),
                    row.id,
                    made.pairs.len(),
                    row.to_provider_id,
                    row.id
                )
            })
        }
        Command::List { tenant } => {
            let moves = store.read(move |conn| {
                let tenant = tenants::find(conn, &everything, &tenant)?;
                Ok(identity_move::of_tenant(conn, &tenant.id, LISTED)?)
            })?;
            let documents = moves.iter().map(document).collect();
            output.answer(&Value::Array(documents), || {
                let rows: Vec<Vec<String>> = moves.iter().map(row).collect();
                table(&["ID", "FROM", "TO", "STATE", "MADE"], &rows)
            })
        }
        Command::Show { id } => show(store, output, id),
        Command::Close { id } => {
            let row = store.act(move |conn, ctx| identity_moves::close(conn, ctx, &everything, &id))?;
            output.answer(&document(&row), || {
                format!(
                    "Connection {} is closed to the people of move {}; they are led to {}.",
                    row.from_provider_id, row.id, row.to_provider_id
                )
            })
        }
        Command::Undo { id, yes } => {
            output::confirm(yes, "move", &id)?;
            let row = store.act(move |conn, ctx| identity_moves::undo(conn, ctx, &everything, &id))?;
            output.answer(&document(&row), || {
                format!(
                    "Move {} is undone: its people come by {} again.",
                    row.id, row.from_provider_id
                )
            })
        }
    }
}

fn show(store: &Store<'_>, output: Output, id: String) -> Outcome {
    let (row, (waiting, come)) = store.read(move |conn| {
        let row = identity_moves::find(conn, &Reach::everything(), &id)?;
        let progress = identity_move::progress(conn, &row.id)?;
        Ok((row, progress))
    })?;
    let mut shown = document(&row);
    shown["have_come"] = json!(come);
    shown["waiting"] = json!(waiting);
    output.answer(&shown, || {
        let entries = [
            ("id", row.id.clone()),
            ("tenant", row.tenant_id.clone()),
            ("from", row.from_provider_id.clone()),
            ("to", row.to_provider_id.clone()),
            ("by", row.pairing.attribute().to_owned()),
            ("state", row.state().to_string()),
            ("made", row.created_at.to_string()),
            ("have come", format!("{come} of {}", come + waiting)),
        ];
        sheet("Move", &entries, &[])
    })
}

fn told(plan: &Plan) -> String {
    let pairs: Vec<String> = plan
        .pairs
        .iter()
        .map(|pair| format!("{} = {}", pair.label, pair.value))
        .collect();
    let told = |list: &[(String, String)]| {
        let told: Vec<String> = list.iter().map(|(who, why)| format!("{who}: {why}")).collect();
        lines(&told)
    };
    let entries = [
        ("one to one", lines(&pairs)),
        ("ambiguous", told(&plan.ambiguous)),
        ("no counterpart", told(&plan.orphans)),
    ];
    let heading = format!(
        "{} one to one, {} ambiguous, {} without a counterpart",
        plan.pairs.len(),
        plan.ambiguous.len(),
        plan.orphans.len()
    );
    sheet(&heading, &entries, &[])
}

fn plan(plan: &Plan) -> Value {
    let list = |list: &[(String, String)]| -> Vec<Value> {
        list.iter()
            .map(|(who, why)| json!({ "person": who, "why": why }))
            .collect()
    };
    let pairs: Vec<Value> = plan
        .pairs
        .iter()
        .map(
            |pair| json!({ "sub": pair.user_sub, "person": pair.label, pair.attribute.as_str(): pair.value }),
        )
        .collect();
    json!({ "one_to_one": pairs, "ambiguous": list(&plan.ambiguous), "orphans": list(&plan.orphans) })
}

fn row(row: &IdentityMove) -> Vec<String> {
    vec![
        row.id.clone(),
        row.from_provider_id.clone(),
        row.to_provider_id.clone(),
        row.state().to_string(),
        row.created_at.to_string(),
    ]
}

fn document(row: &IdentityMove) -> Value {
    json!({
        "id": row.id,
        "tenant": row.tenant_id,
        "from": row.from_provider_id,
        "to": row.to_provider_id,
        "by": row.pairing.attribute(),
        "state": row.state(),
        "created_by": row.created_by,
        "created_at": row.created_at.to_string(),
        "closed_at": row.closed_at.map(|at| at.to_string()),
        "undone_at": row.undone_at.map(|at| at.to_string()),
    })
}
