//! `forebay resource-server`: make, list, show and delete APIs with scopes of their own.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Output, lines, sheet, table};
use super::store::Store;
use crate::actions::{pools, resource_servers};
use crate::config::Settings;
use crate::db::Json;
use crate::error::Error;
use crate::model::resource_server::{self, ResourceServer, Scope};
use crate::rules::scope;

#[derive(Subcommand)]
pub enum Command {
    /// Make a resource server with its scopes
    Create(Create),
    /// List the resource servers of a pool
    List {
        /// The pool to look in
        #[arg(long, value_name = "POOL_ID")]
        pool: String,
    },
    /// Show one resource server
    Show {
        identifier: String,
        /// The pool to look in
        #[arg(long, value_name = "POOL_ID")]
        pool: String,
    },
    /// Delete a resource server; clients lose its scopes
    Delete {
        identifier: String,
        /// The pool to look in
        #[arg(long, value_name = "POOL_ID")]
        pool: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Create {
    /// The pool it belongs to
    #[arg(long, value_name = "POOL_ID")]
    pool: String,
    /// What its scopes begin with: a name such as demo-api, or the API's URL
    #[arg(long)]
    identifier: String,
    /// What people call it
    #[arg(long)]
    name: String,
    /// A scope and what it is for; repeat it
    #[arg(long = "scope", value_name = "NAME=DESCRIPTION", value_parser = scope_argument)]
    scopes: Vec<Scope>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create(args) => {
            let server = ResourceServer {
                user_pool_id: args.pool,
                identifier: args.identifier,
                name: args.name,
                scopes: Json(args.scopes),
            };
            let server = store.act(move |conn, ctx| resource_servers::create(conn, ctx, server))?;
            output.answer(&document(&server), || describe("Made a resource server", &server))
        }
        Command::List { pool } => {
            let servers = store.read(move |conn| {
                pools::find(conn, &pool)?;
                Ok(resource_server::list(conn, &pool)?)
            })?;
            let documents: Vec<Value> = servers.iter().map(document).collect();
            output.answer(&Value::Array(documents), || {
                let rows: Vec<Vec<String>> = servers
                    .iter()
                    .map(|server| {
                        let scopes: Vec<String> = scope::names(server).collect();
                        vec![server.identifier.clone(), server.name.clone(), scopes.join(" ")]
                    })
                    .collect();
                table(&["IDENTIFIER", "NAME", "SCOPES"], &rows)
            })
        }
        Command::Show { identifier, pool } => {
            let server = store.read(move |conn| {
                resource_server::find(conn, &pool, &identifier)?
                    .ok_or_else(|| Error::not_found("resource server", identifier))
            })?;
            output.answer(&document(&server), || describe("Resource server", &server))
        }
        Command::Delete {
            identifier,
            pool,
            yes,
        } => {
            output::confirm(yes, "resource server", &identifier)?;
            let server =
                store.act(move |conn, ctx| resource_servers::delete(conn, ctx, &pool, &identifier))?;
            output.answer(&json!({ "deleted": server.identifier }), || {
                format!("Resource server {} is deleted.", server.identifier)
            })
        }
    }
}

fn document(server: &ResourceServer) -> Value {
    json!({
        "user_pool_id": server.user_pool_id,
        "identifier": server.identifier,
        "name": server.name,
        "scopes": server.scopes,
    })
}

fn describe(heading: &str, server: &ResourceServer) -> String {
    let scopes: Vec<String> = scope::names(server)
        .zip(server.scopes.iter())
        .map(|(name, scope)| format!("{name} – {}", scope.description))
        .collect();
    let entries = [
        ("pool", server.user_pool_id.clone()),
        ("identifier", server.identifier.clone()),
        ("name", server.name.clone()),
        ("scopes", lines(&scopes)),
    ];
    sheet(heading, &entries, &[])
}

fn scope_argument(text: &str) -> Result<Scope, String> {
    let (name, description) = text
        .split_once('=')
        .ok_or_else(|| "is not NAME=DESCRIPTION, such as read=\"Read things\"".to_owned())?;
    Ok(Scope {
        name: name.trim().to_owned(),
        description: description.trim().to_owned(),
    })
}
