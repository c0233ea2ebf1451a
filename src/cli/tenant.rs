//! `forebay tenant`: make, list, show and delete customer organisations, and say which connections and which email domains
//! are theirs.

mod domain;
mod look;
mod moves;
mod setup_link;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Output, lines, sheet, table};
use super::store::Store;
use crate::actions::enforcement;
use crate::actions::tenants::{self, NewTenant};
use crate::config::Settings;
use crate::model::reach::Reach;
use crate::model::tenant::{self, Tenant};
use crate::model::{administrator, provider, tenant_domain};

#[derive(Subcommand)]
pub enum Command {
    /// Make a tenant
    Create {
        /// The pool it belongs to
        #[arg(long, value_name = "POOL_ID")]
        pool: String,
        /// Its id: small letters, digits and dashes; never changed
        #[arg(long)]
        id: String,
        /// The organisation's name
        #[arg(long)]
        name: String,
    },
    /// List tenants
    List {
        /// Only those of this pool
        #[arg(long, value_name = "POOL_ID")]
        pool: Option<String>,
    },
    /// Show one tenant with its connections, email domains and administrators
    Show { id: String },
    /// Delete a tenant; its connections stay, switched off, and belong to the pool alone
    Delete {
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Open the ways in again that "only through Okta" has closed
    LiftEnforcement { id: String },
    /// Make a connection a tenant's own, or the pool's again
    Give(Give),
    /// Say to which app clients a tenant's people may sign in
    Clients {
        id: String,
        /// An app client; repeat it. Without any: every one that lists the tenant's connections
        #[arg(long = "client", value_name = "CLIENT_ID")]
        clients: Vec<String>,
    },
    /// Say how a tenant's own login pages look; without options, show it
    Look(look::Look),
    /// Claim email domains, prove them, give them up
    #[command(subcommand)]
    Domain(domain::Command),
    /// Links by which a customer connects their Okta alone, up to being live
    #[command(subcommand)]
    SetupLink(setup_link::Command),
    /// Move a tenant's people from one connection to another, with the accounts that they have
    #[command(subcommand)]
    Move(moves::Command),
}

#[derive(Args)]
#[command(group = ArgGroup::new("whose").args(["to", "back"]).required(true))]
pub struct Give {
    /// The connection's id
    connection: String,
    /// The tenant whose it becomes
    #[arg(long, value_name = "TENANT_ID")]
    to: Option<String>,
    /// Make it the pool's again
    #[arg(long)]
    back: bool,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create { pool, id, name } => {
            let new = NewTenant {
                id,
                user_pool_id: pool,
                name,
            };
            let tenant = store.act(move |conn, ctx| tenants::create(conn, ctx, new))?;
            output.answer(&document(&tenant), || {
                let next = [format!("forebay tenant give CONNECTION --to {}", tenant.id)];
                sheet("Made a tenant", &facts(&tenant), &next)
            })
        }
        Command::List { pool } => list(&store, output, pool),
        Command::Show { id } => show(&store, output, id),
        Command::Delete { id, yes } => {
            output::confirm(yes, "tenant", &id)?;
            let deleted = id.clone();
            store.act(move |conn, ctx| tenants::delete(conn, ctx, &Reach::everything(), &id))?;
            output.answer(&json!({ "deleted": deleted }), || {
                format!("Tenant {deleted} is deleted; its connections are switched off and belong to the pool alone.")
            })
        }
        Command::LiftEnforcement { id } => {
            let lifted = id.clone();
            store.act(move |conn, ctx| enforcement::lift(conn, ctx, &Reach::everything(), &id))?;
            output.answer(&json!({ "tenant": lifted, "enforced": false }), || {
                format!("Tenant {lifted}: every way in that an app offers is open again.")
            })
        }
        Command::Give(args) => give(&store, output, args),
        Command::Clients { id, clients } => {
            let tenant = store
                .act(move |conn, ctx| tenants::set_clients(conn, ctx, &Reach::everything(), &id, clients))?;
            output.answer(&document(&tenant), || {
                sheet("Changed a tenant", &facts(&tenant), &[])
            })
        }
        Command::Look(args) => look::run(&store, output, args),
        Command::Domain(command) => domain::run(&store, output, command),
        Command::SetupLink(command) => setup_link::run(&store, output, command),
        Command::Move(command) => moves::run(&store, output, command),
    }
}

fn list(store: &Store<'_>, output: Output, pool: Option<String>) -> Outcome {
    let found = store.read(move |conn| Ok(tenant::list(conn, &Reach::everything(), pool.as_deref())?))?;
    let documents: Vec<Value> = found.iter().map(document).collect();
    output.answer(&Value::Array(documents), || {
        if found.is_empty() {
            return "There is no tenant yet: forebay tenant create --pool ID --id acme --name Acme".into();
        }
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|tenant| {
                vec![
                    tenant.id.clone(),
                    tenant.name.clone(),
                    tenant.user_pool_id.clone(),
                    tenant.created_at.to_string(),
                ]
            })
            .collect();
        table(&["ID", "NAME", "POOL", "MADE"], &rows)
    })
}

fn show(store: &Store<'_>, output: Output, id: String) -> Outcome {
    let (tenant, connections, domains, administrators) = store.read(move |conn| {
        let tenant = tenants::find(conn, &Reach::everything(), &id)?;
        let its = Reach {
            tenants: vec![id],
            ..Reach::default()
        };
        let connections = provider::list_within(conn, &its, None)?;
        let domains = tenant_domain::of_tenant(conn, &tenant.id)?;
        let administrators = administrator::of_tenant(conn, &tenant.id)?;
        Ok((tenant, connections, domains, administrators))
    })?;
    let connections: Vec<String> = connections.into_iter().map(|connection| connection.id).collect();
    let domains: Vec<String> = domains
        .into_iter()
        .map(|row| format!("{} ({})", row.domain, row.proof))
        .collect();
    let administrators: Vec<String> = administrators
        .into_iter()
        .map(|(administrator, role)| format!("{} ({role})", administrator.email))
        .collect();
    let mut shown = document(&tenant);
    shown["connections"] = json!(connections);
    shown["domains"] = json!(domains);
    shown["administrators"] = json!(administrators);
    output.answer(&shown, || {
        let mut entries = facts(&tenant);
        entries.push(("connections", lines(&connections)));
        entries.push(("domains", lines(&domains)));
        entries.push(("administrators", lines(&administrators)));
        sheet("Tenant", &entries, &[])
    })
}

fn give(store: &Store<'_>, output: Output, args: Give) -> Outcome {
    let (connection, to) = (args.connection.clone(), args.to.clone());
    store.act(move |conn, ctx| tenants::give_connection(conn, ctx, &connection, to.as_deref()))?;
    output.answer(
        &json!({ "connection": args.connection, "tenant": args.to }),
        || match &args.to {
            Some(tenant) => format!("Connection {} belongs to tenant {tenant}.", args.connection),
            None => format!("Connection {} belongs to its pool alone.", args.connection),
        },
    )
}

fn facts(tenant: &Tenant) -> Vec<(&'static str, String)> {
    vec![
        ("id", tenant.id.clone()),
        ("name", tenant.name.clone()),
        ("pool", tenant.user_pool_id.clone()),
        ("app clients", lines(&tenant.settings.clients)),
        ("made", tenant.created_at.to_string()),
    ]
}

fn document(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "user_pool_id": tenant.user_pool_id,
        "name": tenant.name,
        "clients": tenant.settings.clients,
        "created_at": tenant.created_at.to_string(),
        "updated_at": tenant.updated_at.to_string(),
    })
}
