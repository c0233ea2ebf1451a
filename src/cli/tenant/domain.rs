//! `forebay tenant domain`: the email domains of tenants, with the record that proves each.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::actions::tenant_domains;
use crate::cli::Outcome;
use crate::cli::output::{self, Output, sheet, table, yes};
use crate::cli::store::Store;
use crate::model::reach::Reach;
use crate::model::tenant_domain::{self, TenantDomain};
use crate::rules::tenant_domain::{challenge_name, challenge_value, normalise};

#[derive(Subcommand)]
pub enum Command {
    /// Claim a domain; it counts once it is proven
    Add {
        #[command(flatten)]
        which: Which,
        /// Addresses in its subdomains count as well
        #[arg(long)]
        subdomains: bool,
        /// It is the tenant's on your word, without a record
        #[arg(long)]
        assert: bool,
    },
    /// List a tenant's domains
    List { tenant: String },
    /// Look for the TXT record that proves a domain
    Check(Which),
    /// Say that a domain is the tenant's, without a record
    Assert(Which),
    /// Say whether addresses in subdomains count as well
    Subdomains {
        #[command(flatten)]
        which: Which,
        /// They do not
        #[arg(long)]
        off: bool,
    },
    /// Give a domain up
    Remove {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Which {
    tenant: String,
    domain: String,
}

pub fn run(store: &Store<'_>, output: Output, command: Command) -> Outcome {
    let all = Reach::everything;
    match command {
        Command::Add {
            which: Which { tenant, domain },
            subdomains,
            assert,
        } => {
            let row = store.act(move |conn, ctx| {
                let row = tenant_domains::claim(conn, ctx, &all(), &tenant, &domain, subdomains)?;
                match assert {
                    true => tenant_domains::assert(conn, ctx, &all(), &row.tenant_id, &row.domain),
                    false => Ok(row),
                }
            })?;
            show(output, "Claimed a domain", &row)
        }
        Command::List { tenant } => list(store, output, tenant),
        Command::Check(Which { tenant, domain }) => {
            let domain = normalise(&domain)?;
            let (wanted, name) = (tenant.clone(), domain.clone());
            let row = store.read(move |conn| tenant_domains::find(conn, &all(), &wanted, &name))?;
            let found = store.wait(store.upstream()?.look_for_proof(&row.domain, &row.token));
            store.act(move |conn, ctx| tenant_domains::looked(conn, ctx, &row, &found))?;
            let row = store.read(move |conn| tenant_domains::find(conn, &all(), &tenant, &domain))?;
            show(output, "Looked for the record", &row)
        }
        Command::Assert(Which { tenant, domain }) => {
            let domain = normalise(&domain)?;
            let row =
                store.act(move |conn, ctx| tenant_domains::assert(conn, ctx, &all(), &tenant, &domain))?;
            show(output, "Asserted a domain", &row)
        }
        Command::Subdomains {
            which: Which { tenant, domain },
            off,
        } => {
            let domain = normalise(&domain)?;
            let row = store.act(move |conn, ctx| {
                tenant_domains::set_subdomains(conn, ctx, &all(), &tenant, &domain, !off)
            })?;
            show(output, "Changed a domain", &row)
        }
        Command::Remove {
            which: Which { tenant, domain },
            yes,
        } => {
            let domain = normalise(&domain)?;
            output::confirm(yes, "domain", &domain)?;
            let gone = domain.clone();
            store.act(move |conn, ctx| tenant_domains::remove(conn, ctx, &all(), &tenant, &domain))?;
            output.answer(&json!({ "removed": gone }), || {
                format!("Domain {gone} is no longer the tenant's.")
            })
        }
    }
}

fn list(store: &Store<'_>, output: Output, tenant: String) -> Outcome {
    let rows = store.read(move |conn| {
        crate::actions::tenants::find(conn, &Reach::everything(), &tenant)?;
        Ok(tenant_domain::of_tenant(conn, &tenant)?)
    })?;
    let documents: Vec<Value> = rows.iter().map(document).collect();
    output.answer(&Value::Array(documents), || {
        if rows.is_empty() {
            return "The tenant has no domain: forebay tenant domain add TENANT example.com".into();
        }
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    row.domain.clone(),
                    row.proof.to_string(),
                    yes(row.subdomains),
                    row.finding.clone(),
                ]
            })
            .collect();
        table(&["DOMAIN", "PROOF", "SUBDOMAINS", "LAST LOOK"], &rows)
    })
}

fn show(output: Output, title: &str, row: &TenantDomain) -> Outcome {
    output.answer(&document(row), || {
        let mut entries = vec![
            ("domain", row.domain.clone()),
            ("tenant", row.tenant_id.clone()),
            ("subdomains", yes(row.subdomains)),
            ("proof", row.proof.to_string()),
            ("TXT record at", challenge_name(&row.domain)),
            ("with the value", challenge_value(&row.token)),
        ];
        if let Some(at) = row.checked_at {
            entries.push(("last look", format!("{at}: {}", row.finding)));
        }
        let next = match row.is_proven() {
            true => Vec::new(),
            false => vec![format!(
                "forebay tenant domain check {} {}",
                row.tenant_id, row.domain
            )],
        };
        sheet(title, &entries, &next)
    })
}

fn document(row: &TenantDomain) -> Value {
    json!({
        "tenant": row.tenant_id,
        "domain": row.domain,
        "subdomains": row.subdomains,
        "proof": row.proof,
        "record_name": challenge_name(&row.domain),
        "record_value": challenge_value(&row.token),
        "proven_at": row.proven_at.map(|at| at.to_string()),
        "checked_at": row.checked_at.map(|at| at.to_string()),
        "lost_since": row.lost_since.map(|at| at.to_string()),
        "finding": row.finding,
    })
}
