//! `forebay admin`: the console's administrators, for the first day and for the day on which nobody can sign in any more.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{Output, lines, sheet, table, yes};
use super::store::{Store, secret_from};
use super::{Failure, Outcome};
use crate::actions::admins::{self, NewAdministrator, Scope, links};
use crate::config::Settings;
use crate::db::Conn;
use crate::error::Error;
use crate::model::administrator::{self, Administrator, Grant, Rights, Role};
use crate::rules::password;

/// Administrators that are listed at once.
const PAGE: i64 = 200;

#[derive(Subcommand)]
pub enum Command {
    /// Make the link that makes the first operator; the one before is void
    SetupLink,
    /// Make an administrator; without a password file a link is printed by which they choose one
    Create(Create),
    /// List the administrators
    List,
    /// Replace an administrator's roles
    Roles {
        email: String,
        /// operator, viewer, pool_admin:<pool id>, tenant_admin:<tenant id>, viewer:<pool or tenant id>
        #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
        roles: Vec<(Role, Scope)>,
    },
    /// Lock an administrator out, at once
    Disable { email: String },
    /// Let a disabled administrator in again
    Enable { email: String },
    /// Make a link by which an administrator chooses a new password
    ResetPassword { email: String },
}

#[derive(Args)]
pub struct Create {
    #[arg(long)]
    email: String,
    /// What people call them [default: the address]
    #[arg(long)]
    name: Option<String>,
    /// A file with the password, or - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// operator, viewer, pool_admin:<pool id>, tenant_admin:<tenant id>, viewer:<pool or tenant id>
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
    roles: Vec<(Role, Scope)>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::SetupLink => set_up_link(&store, output),
        Command::Create(args) => create(&store, output, args),
        Command::List => list(&store, output),
        Command::Roles { email, roles } => {
            let changed = store.act(move |conn, ctx| {
                let who = find(conn, &email)?;
                admins::set_roles(conn, ctx, &Rights::everything(), &who.id, &roles)?;
                described(conn, who)
            })?;
            answer(output, "Roles are replaced", &changed, None)
        }
        Command::Disable { email } => set_enabled(&store, output, email, false),
        Command::Enable { email } => set_enabled(&store, output, email, true),
        Command::ResetPassword { email } => {
            let (who, token) = store.act(move |conn, ctx| {
                let who = find(conn, &email)?;
                let (who, token) = links::password_link(conn, ctx, &Rights::everything(), &who.id)?;
                Ok((described(conn, who)?, token))
            })?;
            answer(
                output,
                "A link for a new password",
                &who,
                Some(&password_link(&store, &token)),
            )
        }
    }
}

fn set_up_link(store: &Store<'_>, output: Output) -> Outcome {
    let Some(token) = store.act(links::set_up_link)? else {
        return Err(Failure::Refused(
            "there are administrators already: forebay admin create makes another, forebay admin reset-password \
             a new password"
                .into(),
        ));
    };
    let link = address(store.settings.public_url.origin(), &token);
    output.answer(&json!({ "set_up_link": link }), || {
        format!("Open this within a day to make the first operator:\n\n  {link}\n")
    })
}

/// The address of a set-up link.
pub fn address(public_url: &str, token: &str) -> String {
    format!("{public_url}/console/setup/{token}")
}

fn password_link(store: &Store<'_>, token: &str) -> String {
    format!("{}/console/password/{token}", store.settings.public_url.origin())
}

fn create(store: &Store<'_>, output: Output, args: Create) -> Outcome {
    let password_hash = match &args.password_file {
        None => None,
        Some(path) => {
            let typed = secret_from(path)?;
            password::check(&typed, &args.email)
                .map_err(|why| Failure::Refused(format!("the password is not taken. {why}")))?;
            let hash = password::hash(&store.entropy, &typed);
            if hash.is_empty() {
                return Err(Failure::Refused("the password could not be hashed".into()));
            }
            Some(hash)
        }
    };
    let has_password = password_hash.is_some();
    let new = NewAdministrator {
        name: args.name.unwrap_or_else(|| args.email.clone()),
        email: args.email,
        password_hash,
        roles: args.roles,
    };
    let (who, token) = store.act(move |conn, ctx| {
        let whole = Rights::everything();
        let (who, token) = if has_password {
            (admins::create(conn, ctx, new)?, None)
        } else {
            let (who, token) = admins::invite(conn, ctx, &whole, new)?;
            (who, Some(token))
        };
        Ok((described(conn, who)?, token))
    })?;
    let link = token.map(|token| password_link(store, &token));
    answer(output, "Made an administrator", &who, link.as_deref())
}

fn list(store: &Store<'_>, output: Output) -> Outcome {
    let all = store.read(|conn| {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let whole = Rights::everything();
            let page = administrator::page(conn, &whole.sees, "", after.as_deref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = Some(last.email.clone());
            for who in page {
                all.push(described(conn, who)?);
            }
        }
    })?;
    let documents: Vec<Value> = all.iter().map(document).collect();
    output.answer(&json!({ "administrators": documents }), || {
        if all.is_empty() {
            return "There is no administrator yet: forebay admin setup-link".into();
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|(who, grants)| {
                vec![
                    who.email.clone(),
                    who.name.clone(),
                    roles(grants).join(", "),
                    yes(who.enabled),
                    who.last_seen_at
                        .map_or_else(|| "never".into(), |at| at.to_string()),
                ]
            })
            .collect();
        table(&["ACCOUNT", "NAME", "ROLES", "ENABLED", "LAST SEEN"], &rows)
    })
}

fn set_enabled(store: &Store<'_>, output: Output, email: String, enabled: bool) -> Outcome {
    let who = store.act(move |conn, ctx| {
        let who = find(conn, &email)?;
        admins::set_enabled(conn, ctx, &Rights::everything(), &who.id, enabled)?;
        let who = find(conn, &email)?;
        described(conn, who)
    })?;
    let heading = if enabled { "Enabled" } else { "Disabled" };
    answer(output, heading, &who, None)
}

fn find(conn: &mut Conn, email: &str) -> Result<Administrator, Error> {
    administrator::find_by_email(conn, &email.to_lowercase())?
        .ok_or_else(|| Error::not_found("administrator", email))
}

type Described = (Administrator, Vec<Grant>);

fn described(conn: &mut Conn, who: Administrator) -> Result<Described, Error> {
    let grants = administrator::grants(conn, &who.id)?;
    Ok((who, grants))
}

/// Roles as `--role` takes them.
fn roles(grants: &[Grant]) -> Vec<String> {
    grants
        .iter()
        .map(|grant| match grant.scope.as_str() {
            "" => grant.role.to_string(),
            scope => format!("{}:{scope}", grant.role),
        })
        .collect()
}

fn document((who, grants): &Described) -> Value {
    json!({
        "email": who.email,
        "name": who.name,
        "roles": roles(grants),
        "enabled": who.enabled,
        "last_seen_at": who.last_seen_at.map(|at| at.to_string()),
    })
}

fn answer(output: Output, heading: &str, who: &Described, link: Option<&str>) -> Outcome {
    let mut shown = document(who);
    if let Some(link) = link {
        shown["link"] = json!(link);
    }
    output.answer(&shown, || {
        let (administrator, grants) = who;
        sheet(
            heading,
            &[
                ("account", administrator.email.clone()),
                ("name", administrator.name.clone()),
                ("roles", lines(&roles(grants))),
                ("enabled", yes(administrator.enabled)),
                ("link", link.unwrap_or_default().to_owned()),
            ],
            &[],
        )
    })
}

/// `operator`, `viewer`, or a role and the pool or tenant where it holds. A pool's id has a `_`, a tenant's has none.
fn role(text: &str) -> Result<(Role, Scope), String> {
    let (role, place) = match text.split_once(':') {
        Some((role, place)) => (role, Some(place.to_owned())),
        None => (text, None),
    };
    let role: Role = role.replace('-', "_").parse()?;
    let scope = match (role, place) {
        (_, None) => Scope::Everything,
        (Role::TenantAdmin, Some(id)) => Scope::Tenant(id),
        (Role::Viewer, Some(id)) if !id.contains('_') => Scope::Tenant(id),
        (_, Some(id)) => Scope::Pool(id),
    };
    Ok((role, scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_with_the_place_where_it_holds() {
        for (text, read) in [
            ("operator", (Role::Operator, Scope::Everything)),
            ("viewer", (Role::Viewer, Scope::Everything)),
            ("viewer:acme", (Role::Viewer, Scope::Tenant("acme".into()))),
            (
                "viewer:eu-1_Pool",
                (Role::Viewer, Scope::Pool("eu-1_Pool".into())),
            ),
            (
                "pool-admin:eu-1_Pool",
                (Role::PoolAdmin, Scope::Pool("eu-1_Pool".into())),
            ),
            (
                "tenant_admin:acme",
                (Role::TenantAdmin, Scope::Tenant("acme".into())),
            ),
        ] {
            assert_eq!(role(text), Ok(read), "{text}");
        }
        assert!(role("king").is_err());
    }
}
