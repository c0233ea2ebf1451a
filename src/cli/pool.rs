//! `forebay pool`: make, list, show, change and delete user pools.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Output, lines, sheet, table, yes};
use super::store::Store;
use crate::actions::pools::{self, NewKeys, NewPool, PoolChange};
use crate::config::Settings;
use crate::model::pool::{self, Attribute, AttributeType, Pool, STANDARD};

#[derive(Subcommand)]
pub enum Command {
    /// Make a pool with its signing keys
    Create(Create),
    /// List the pools
    List,
    /// Show one pool
    Show { id: String },
    /// Change a pool; what is not named stays
    Update(Update),
    /// Delete a pool with its clients, connections and users
    Delete {
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// Its id, <region>_<letters and digits>, part of the issuer for good [default: us-local-1_ and nine characters]
    #[arg(long)]
    id: Option<String>,
    /// A custom attribute; TYPE is String, Number, DateTime or Boolean [default: String]
    #[arg(long = "attribute", value_name = "NAME[:TYPE[:immutable]]", value_parser = custom_attribute)]
    attributes: Vec<Attribute>,
    /// A standard attribute that every user must have
    #[arg(long = "required", value_name = "ATTRIBUTE", value_parser = required_attribute)]
    required: Vec<Attribute>,
    /// Cognito's shapes where they depart from the standards
    #[arg(long)]
    cognito_exact: bool,
    /// Usernames that differ only by case are the same
    #[arg(long)]
    case_insensitive: bool,
    /// Refuse to delete the pool until this is switched off
    #[arg(long)]
    deletion_protection: bool,
    /// Days that the trace of a sign-in is kept [default: 14]
    #[arg(long, value_name = "DAYS")]
    trace_days: Option<u32>,
    /// Days after which a signing key gets a successor; 0: never by itself [default: 90]
    #[arg(long, value_name = "DAYS")]
    key_rotation_days: Option<u32>,
    /// A domain of yours below which preview deployments of apps have their hosts; repeat it
    #[arg(long = "preview-suffix", value_name = "DOMAIN")]
    preview_suffixes: Vec<String>,
}

#[derive(Args)]
pub struct Update {
    id: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// A further custom attribute; existing ones stay as they are
    #[arg(long = "attribute", value_name = "NAME[:TYPE[:immutable]]", value_parser = custom_attribute)]
    attributes: Vec<Attribute>,
    /// Cognito's shapes where they depart from the standards
    #[arg(long, value_name = "true|false")]
    cognito_exact: Option<bool>,
    /// Refuse to delete the pool until this is switched off
    #[arg(long, value_name = "true|false")]
    deletion_protection: Option<bool>,
    /// Days that the trace of a sign-in is kept
    #[arg(long, value_name = "DAYS")]
    trace_days: Option<u32>,
    /// Days after which a signing key gets a successor; 0: never by itself
    #[arg(long, value_name = "DAYS")]
    key_rotation_days: Option<u32>,
    /// The claim of tokens that names the tenant; '' for none
    #[arg(long, value_name = "CLAIM")]
    tenant_claim: Option<String>,
    /// A domain of yours below which preview deployments of apps have their hosts; repeat it
    #[arg(long = "preview-suffix", value_name = "DOMAIN")]
    preview_suffixes: Vec<String>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create(args) => create(&store, output, args),
        Command::List => list(&store, output),
        Command::Show { id } => {
            let pool = store.read(move |conn| pools::find(conn, &id))?;
            output.answer(&document(settings, &pool), || {
                describe(settings, "User pool", &pool, &[])
            })
        }
        Command::Update(args) => update(&store, output, args),
        Command::Delete { id, yes } => {
            output::confirm(yes, "user pool", &id)?;
            let pool = store.act(move |conn, ctx| pools::delete(conn, ctx, &id))?;
            output.answer(&json!({ "deleted": pool.id }), || {
                format!("User pool {} is deleted.", pool.id)
            })
        }
    }
}

fn create(store: &Store<'_>, output: Output, args: Create) -> Outcome {
    let new = NewPool {
        id: args.id,
        name: args.name,
        settings: pool::Settings {
            cognito_exact: args.cognito_exact,
            case_sensitive: !args.case_insensitive,
            deletion_protection: args.deletion_protection,
            attributes: args.required.into_iter().chain(args.attributes).collect(),
            trace_days: args.trace_days.unwrap_or(pool::Settings::default().trace_days),
            preview_suffixes: args.preview_suffixes,
            key_rotation_days: args
                .key_rotation_days
                .unwrap_or(pool::Settings::default().key_rotation_days),
            ..pool::Settings::default()
        },
    };
    let keys = NewKeys::make()?;
    let pool = store.act(move |conn, ctx| pools::create(conn, ctx, new, &keys))?;
    let next = [
        format!(
            "forebay provider create --pool {} --name acme-okta --issuer acme.okta.com --client-id … --client-secret-file …",
            pool.id
        ),
        format!(
            "forebay client create --pool {} --name my-app --callback https://app.example.com/callback --provider acme-okta",
            pool.id
        ),
    ];
    output.answer(&document(store.settings, &pool), || {
        describe(
            store.settings,
            "Made a user pool with two signing keys",
            &pool,
            &next,
        )
    })
}

fn list(store: &Store<'_>, output: Output) -> Outcome {
    let pools = store.read(|conn| Ok(pool::list(conn)?))?;
    let documents: Vec<Value> = pools.iter().map(|pool| document(store.settings, pool)).collect();
    output.answer(&Value::Array(documents), || {
        if pools.is_empty() {
            return "There is no user pool yet: forebay pool create --name NAME".into();
        }
        let rows: Vec<Vec<String>> = pools
            .iter()
            .map(|pool| {
                vec![
                    pool.id.clone(),
                    pool.name.clone(),
                    store.settings.public_url.issuer(&pool.id),
                    pool.created_at.to_string(),
                ]
            })
            .collect();
        table(&["ID", "NAME", "ISSUER", "MADE"], &rows)
    })
}

fn update(store: &Store<'_>, output: Output, args: Update) -> Outcome {
    let pool = store.act(move |conn, ctx| {
        let mut settings = pools::find(conn, &args.id)?.settings.0;
        settings.attributes.extend(args.attributes);
        settings.cognito_exact = args.cognito_exact.unwrap_or(settings.cognito_exact);
        settings.deletion_protection = args.deletion_protection.unwrap_or(settings.deletion_protection);
        settings.trace_days = args.trace_days.unwrap_or(settings.trace_days);
        settings.tenant_claim = args.tenant_claim.unwrap_or(settings.tenant_claim);
        if !args.preview_suffixes.is_empty() {
            settings.preview_suffixes = args.preview_suffixes;
        }
        settings.key_rotation_days = args.key_rotation_days.unwrap_or(settings.key_rotation_days);
        let change = PoolChange {
            name: args.name,
            settings: Some(settings),
        };
        pools::update(conn, ctx, &args.id, change)
    })?;
    output.answer(&document(store.settings, &pool), || {
        describe(store.settings, "Changed the user pool", &pool, &[])
    })
}

fn document(settings: &Settings, pool: &Pool) -> Value {
    json!({
        "id": pool.id,
        "name": pool.name,
        "issuer": settings.public_url.issuer(&pool.id),
        "settings": pool.settings,
        "created_at": pool.created_at.to_string(),
        "updated_at": pool.updated_at.to_string(),
    })
}

fn describe(settings: &Settings, heading: &str, pool: &Pool, next: &[String]) -> String {
    let issuer = settings.public_url.issuer(&pool.id);
    let attributes: Vec<String> = pool.settings.attributes.iter().map(attribute_text).collect();
    let rotation = match pool.settings.key_rotation_days {
        0 => "only when asked to".into(),
        days => format!("every {days} days"),
    };
    let usernames = match pool.settings.case_sensitive {
        true => "",
        false => "differ by more than case",
    };
    let entries = [
        ("id", pool.id.clone()),
        ("name", pool.name.clone()),
        ("discovery", format!("{issuer}/.well-known/openid-configuration")),
        ("issuer", issuer),
        ("attributes", lines(&attributes)),
        ("usernames", usernames.into()),
        ("cognito exact", yes(pool.settings.cognito_exact)),
        ("protected", yes(pool.settings.deletion_protection)),
        ("preview suffixes", pool.settings.preview_suffixes.join(" ")),
        ("traces kept", format!("{} days", pool.settings.trace_days)),
        ("keys rotate", rotation),
        ("tenant claim", pool.settings.tenant_claim.clone()),
        ("made", pool.created_at.to_string()),
    ];
    sheet(heading, &entries, next)
}

fn attribute_text(attribute: &Attribute) -> String {
    let mut text = format!("{} ({}", attribute.name, attribute.kind);
    if attribute.required {
        text.push_str(", required");
    }
    if !attribute.mutable {
        text.push_str(", immutable");
    }
    text + ")"
}

/// Reads `NAME[:TYPE[:immutable]]`; the prefix `custom:` may be written or left out.
fn custom_attribute(text: &str) -> Result<Attribute, String> {
    let mut parts = text.strip_prefix("custom:").unwrap_or(text).split(':');
    let name = parts.next().unwrap_or_default();
    if !text.starts_with("custom:") && STANDARD.iter().any(|(standard, _)| *standard == name) {
        return Err(format!(
            "{name} is a standard attribute, which every pool has; to make it compulsory write --required {name}"
        ));
    }
    let mut attribute = Attribute {
        name: format!("custom:{name}"),
        kind: AttributeType::String,
        mutable: true,
        required: false,
    };
    for part in parts {
        let kind = AttributeType::ALL
            .iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(part));
        match kind {
            Some(kind) => attribute.kind = *kind,
            None if part == "immutable" => attribute.mutable = false,
            None => {
                return Err(format!(
                    "'{part}' is neither String, Number, DateTime, Boolean nor immutable"
                ));
            }
        }
    }
    Ok(attribute)
}

fn required_attribute(name: &str) -> Result<Attribute, String> {
    let found = STANDARD.iter().find(|(standard, _)| *standard == name);
    found
        .map(|&(name, kind)| Attribute {
            name: name.to_owned(),
            kind,
            mutable: true,
            required: true,
        })
        .ok_or_else(|| {
            let names: Vec<&str> = STANDARD.iter().map(|(name, _)| *name).collect();
            format!(
                "'{name}' is no standard attribute; these are: {}",
                names.join(", ")
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_are_read_as_they_are_typed() {
        for (text, name, kind, mutable) in [
            ("department", "custom:department", AttributeType::String, true),
            (
                "custom:department",
                "custom:department",
                AttributeType::String,
                true,
            ),
            ("level:number", "custom:level", AttributeType::Number, true),
            (
                "custom:level:Number:immutable",
                "custom:level",
                AttributeType::Number,
                false,
            ),
            ("tenant:immutable", "custom:tenant", AttributeType::String, false),
            ("custom:email", "custom:email", AttributeType::String, true),
        ] {
            let attribute = custom_attribute(text).unwrap();
            assert_eq!(
                (attribute.name.as_str(), attribute.kind, attribute.mutable),
                (name, kind, mutable),
                "{text}"
            );
        }
        assert!(custom_attribute("level:integer").is_err());
        assert!(
            custom_attribute("email")
                .unwrap_err()
                .contains("--required email")
        );
        assert!(required_attribute("email").unwrap().required);
        assert!(required_attribute("department").is_err());
    }
}
