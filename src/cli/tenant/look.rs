//! `forebay tenant look`: the logo, colours and words of a tenant's own login pages.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::actions::tenant_looks::{self, Logo};
use crate::cli::output::{Output, sheet};
use crate::cli::store::Store;
use crate::cli::{Failure, Outcome};
use crate::model::reach::Reach;
use crate::model::tenant_look::{Content, TenantLook};

#[derive(Args)]
pub struct Look {
    tenant: String,
    /// A PNG or JPEG of at most 100 KB
    #[arg(long, value_name = "FILE", conflicts_with = "no_logo")]
    logo: Option<PathBuf>,
    /// Take the logo away
    #[arg(long)]
    no_logo: bool,
    /// The colour of the main button, such as '#0b617a'; '' gives it back to the app, as with all that follow
    #[arg(long, value_name = "COLOUR")]
    accent: Option<String>,
    /// The colour behind the card
    #[arg(long, value_name = "COLOUR")]
    background: Option<String>,
    /// In the place of "Sign in to …"
    #[arg(long, value_name = "TEXT")]
    heading: Option<String>,
    /// Below the heading
    #[arg(long, value_name = "TEXT")]
    introduction: Option<String>,
    /// At the end: whom to ask
    #[arg(long = "help-text", value_name = "TEXT")]
    help_text: Option<String>,
}

/// Changes what is named, and shows all of it.
pub fn run(store: &Store<'_>, output: Output, args: Look) -> Outcome {
    let everything = Reach::everything();
    let Look { tenant, no_logo, .. } = args;
    let logo = match (&args.logo, no_logo) {
        (Some(file), _) => {
            let read = std::fs::read(file);
            Logo::Is(
                read.map_err(|why| Failure::Refused(format!("{} cannot be read: {why}", file.display())))?,
            )
        }
        (None, true) => Logo::Goes,
        (None, false) => Logo::Stays,
    };
    let named = [
        &args.accent,
        &args.background,
        &args.heading,
        &args.introduction,
        &args.help_text,
    ];
    let changes = named.iter().any(|one| one.is_some()) || !matches!(logo, Logo::Stays);
    let wanted = tenant.clone();
    let look = if changes {
        store.act(move |conn, ctx| {
            let old = tenant_looks::find(conn, &everything, &wanted)?;
            let mut content = old.map(|old| old.content.0).unwrap_or_default();
            let Content {
                accent,
                background,
                heading,
                introduction,
                help,
            } = &mut content;
            for (kept, given) in [
                (accent, args.accent),
                (background, args.background),
                (heading, args.heading),
                (introduction, args.introduction),
                (help, args.help_text),
            ] {
                if let Some(text) = given {
                    *kept = Some(text).filter(|text| !text.is_empty());
                }
            }
            tenant_looks::set(conn, ctx, &everything, &wanted, content, logo)
        })?
    } else {
        store.read(move |conn| tenant_looks::find(conn, &everything, &wanted))?
    };
    show(output, &tenant, look.as_ref())
}

fn show(output: Output, tenant: &str, look: Option<&TenantLook>) -> Outcome {
    let content = look.map(|look| look.content.0.clone()).unwrap_or_default();
    let logo = look.and_then(|look| look.logo.as_ref()).map(Vec::len);
    output.answer(
        &json!({ "tenant": tenant, "look": content, "logo_bytes": logo }),
        || {
            let or_the_apps = |text: &Option<String>| text.clone().unwrap_or_else(|| "the app's".into());
            let entries = [
                ("tenant", tenant.to_owned()),
                (
                    "logo",
                    logo.map_or_else(|| "the app's".into(), |bytes| format!("{bytes} bytes")),
                ),
                ("accent", or_the_apps(&content.accent)),
                ("background", or_the_apps(&content.background)),
                ("heading", or_the_apps(&content.heading)),
                ("introduction", or_the_apps(&content.introduction)),
                ("help", or_the_apps(&content.help)),
            ];
            sheet("Login page", &entries, &[])
        },
    )
}
