//! `forebay provider`: make, list, show, change, delete and test connections to upstream identity providers.

mod canary;
mod options;
mod provisioning;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Output, facts, line, lines, plain, sheet, table, yes};
use super::store::{Store, secret_from};
use super::{Failure, Outcome};
use crate::actions::mappings::{self, Save};
use crate::actions::pools;
use crate::actions::providers::{self, NewProvider, ProviderChange};
use crate::broker;
use crate::config::{AllowedHost, Settings};
use crate::db::Conn;
use crate::error::Error;
use crate::model::mapping::{self, Mapping};
use crate::model::provider::{self, ClientAuth, Provider};
use crate::model::reach::Reach;
use crate::rules::discovery::paths;
use crate::rules::dotenv::{self, OktaApp};
use crate::rules::mapping::difference::groups_words;
use crate::rules::mapping::{parse, usual};
use crate::rules::okta_issuer;
use crate::rules::registration::issuer;
use crate::upstream::{Stage, Verdict};
use options::Options;

#[derive(Subcommand)]
pub enum Command {
    /// Make a connection; prints what to paste into the Okta app
    Create(Create),
    /// List the connections of a pool, or of all pools
    List {
        /// Only this pool's
        #[arg(long, value_name = "POOL_ID")]
        pool: Option<String>,
    },
    /// Show one connection
    Show(Which),
    /// Change a connection; what is not named stays, a list that is named is replaced
    Update(Update),
    /// Say who gets an account at the first sign-in, and in which groups; without options, show it
    Provisioning(provisioning::Provision),
    /// Try a second connection of the tenant with some of this one's people; without options, show how both do
    Canary(canary::Try),
    /// Delete a connection with its mapping and its links to users
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Check a connection from name resolution to the redirect URI, with a remedy for what fails
    Test(Which),
}

#[derive(Clone, Args)]
pub struct Which {
    /// The connection's name or slug
    #[arg(value_name = "NAME_OR_SLUG")]
    connection: String,
    /// The pool to look in, where several have a connection of that name
    #[arg(long, value_name = "POOL_ID")]
    pool: Option<String>,
}

#[derive(Args)]
pub struct Create {
    /// The pool it belongs to
    #[arg(long, value_name = "POOL_ID")]
    pool: String,
    /// Its name, 3-32 characters without blanks and underscores; stands in usernames for good
    #[arg(long)]
    name: String,
    /// What stands in the redirect URI, for good [default: made of the name]
    #[arg(long)]
    slug: Option<String>,
    /// The issuer, or the Okta domain: acme.okta.com
    #[arg(long, value_name = "ISSUER_OR_OKTA_DOMAIN", required_unless_present = "env")]
    issuer: Option<String>,
    /// A .env file with OKTA_CLIENT_ID, OKTA_CLIENT_SECRET and OKTA_ISSUER_URI; - for standard input
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    /// Another issuer or Okta domain; the stored client secret is forgotten unless it is given again
    #[arg(long, value_name = "ISSUER_OR_OKTA_DOMAIN")]
    issuer: Option<String>,
    /// false takes the connection out of service
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// Save the mapping even if it breaks the claim contract of an app
    #[arg(long)]
    accept_breaches: bool,
    #[command(flatten)]
    options: Options,
}

/// A connection with what belongs to it.
struct Found {
    provider: Provider,
    identifiers: Vec<String>,
    mapping: Option<Mapping>,
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create(args) => create(&store, output, args),
        Command::List { pool } => list(&store, output, pool),
        Command::Show(which) => {
            let found = store.read(move |conn| {
                let provider = find(conn, &which)?;
                whole(conn, provider)
            })?;
            output.answer(&document(settings, &found), || {
                describe(settings, "Connection", &found, &[])
            })
        }
        Command::Update(args) => update(&store, output, args),
        Command::Canary(args) => canary::run(&store, output, args),
        Command::Provisioning(args) => provisioning::run(&store, output, args),
        Command::Delete { which, yes } => {
            output::confirm(yes, "identity provider", &which.connection)?;
            let provider = store.act(move |conn, ctx| {
                let id = find(conn, &which)?.id;
                providers::delete(conn, ctx, &id)
            })?;
            output.answer(&json!({ "deleted": provider.id }), || {
                format!(
                    "Connection {} is deleted, and no longer on any client's list.",
                    provider.name
                )
            })
        }
        Command::Test(which) => test(&store, output, which),
    }
}

fn create(store: &Store<'_>, output: Output, mut args: Create) -> Outcome {
    let allowed = store.settings.allow_upstream.clone();
    let from_env = match &args.env {
        None => OktaApp::default(),
        Some(path) => dotenv::read(&secret_from(path)?)
            .map_err(|why| Failure::Usage(format!("{} {why}", path.display())))?,
    };
    let Some(typed) = args.issuer.or_else(|| from_env.issuer.clone()) else {
        return Err(Failure::Usage(
            "--issuer is missing, and the file has no OKTA_ISSUER_URI".into(),
        ));
    };
    args.options.complete(from_env);
    let mut settings = provider::Settings::default();
    args.options.apply(&mut settings);
    let new = NewProvider {
        user_pool_id: args.pool,
        name: args.name,
        slug: args.slug,
        issuer: read_issuer(&typed, &allowed)?,
        settings,
        credentials: args.options.credentials()?,
        rules: args.options.rules(usual())?,
        identifiers: args.options.identifiers,
    };
    let (found, twins) = store.act(move |conn, ctx| {
        let provider = providers::create(conn, ctx, &allowed, new)?;
        let twins = provider::twins(conn, &Reach::everything(), &provider)?;
        Ok((whole(conn, provider)?, twins))
    })?;
    warn_of_twins(&twins);
    let name = &found.provider.name;
    let mut next = vec![
        format!("forebay provider test {}", found.provider.id),
        format!(
            "forebay client create … --provider {name}   or   forebay client update CLIENT_ID --provider {name}"
        ),
    ];
    if groups_without_scope(&found) {
        next.push(
            "Okta's org server sends groups only when asked: forebay provider update … --scope 'openid profile email groups'"
                .into(),
        );
    }
    output.answer(&document(store.settings, &found), || {
        describe(store.settings, "Made a connection", &found, &next)
    })
}

fn list(store: &Store<'_>, output: Output, pool_id: Option<String>) -> Outcome {
    let connections = store.read(move |conn| {
        let providers = match &pool_id {
            Some(id) => {
                pools::find(conn, id)?;
                provider::list(conn, id)?
            }
            None => provider::list_all(conn)?,
        };
        providers
            .into_iter()
            .map(|provider| whole(conn, provider))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let documents: Vec<Value> = connections
        .iter()
        .map(|found| document(store.settings, found))
        .collect();
    output.answer(&Value::Array(documents), || {
        if connections.is_empty() {
            return "There is no connection yet: forebay provider create --help".into();
        }
        let rows: Vec<Vec<String>> = connections
            .iter()
            .map(|found| {
                vec![
                    found.provider.name.clone(),
                    found.provider.id.clone(),
                    found.provider.user_pool_id.clone(),
                    found.provider.issuer.clone(),
                    found.identifiers.join(" "),
                    yes(found.provider.enabled),
                ]
            })
            .collect();
        table(
            &["NAME", "SLUG", "POOL", "ISSUER", "IDENTIFIERS", "ENABLED"],
            &rows,
        )
    })
}

fn update(store: &Store<'_>, output: Output, args: Update) -> Outcome {
    let allowed = store.settings.allow_upstream.clone();
    let issuer = args
        .issuer
        .as_deref()
        .map(|typed| read_issuer(typed, &allowed))
        .transpose()?;
    let credentials = args.options.credentials()?;
    let expiries = args.options.expiries();
    let which = args.which;
    let (id, before) = store.read(move |conn| {
        let provider = find(conn, &which)?;
        let before = mapping::current(conn, &provider.id)?;
        Ok((provider.id, before))
    })?;
    let seen = before.as_ref().map_or(0, |mapping| mapping.version);
    let old_rules = before.map(|mapping| mapping.rules.0).unwrap_or_default();
    let rules = args.options.rules(old_rules.clone())?;
    let (options, accept_breaches) = (args.options, args.accept_breaches);
    let (found, cleared, twins) = store.act(move |conn, ctx| {
        let mut settings = providers::find(conn, &id)?.settings.0;
        options.apply(&mut settings);
        let change = ProviderChange {
            issuer,
            enabled: args.enabled,
            settings: Some(settings),
            credentials,
            identifiers: (!options.identifiers.is_empty()).then(|| options.identifiers.clone()),
            expiries,
            ..ProviderChange::default()
        };
        let updated = providers::update(conn, ctx, &allowed, &id, change)?;
        if rules != old_rules {
            let save = Save {
                seen,
                rules,
                note: String::new(),
                accept_breaches,
            };
            mappings::save(conn, ctx, &id, save)?;
        }
        let twins = provider::twins(conn, &Reach::everything(), &updated.provider)?;
        Ok((whole(conn, updated.provider)?, updated.secret_cleared, twins))
    })?;
    warn_of_twins(&twins);
    let next: Vec<String> = cleared
        .then(|| {
            format!(
                "forebay provider update {} --client-secret-file …   (the URLs changed, so the old secret was forgotten)",
                found.provider.id
            )
        })
        .into_iter()
        .collect();
    let mut document = document(store.settings, &found);
    document["secret_cleared"] = json!(cleared);
    output.answer(&document, || {
        describe(store.settings, "Changed the connection", &found, &next)
    })
}

fn test(store: &Store<'_>, output: Output, which: Which) -> Outcome {
    let sealer = store.sealer()?.clone();
    let connection = store.read(move |conn| {
        let provider = find(conn, &which)?;
        Ok(broker::connection(&sealer, provider)?)
    })?;
    let upstream = store.upstream()?;
    let provider = &connection.provider;
    let redirect_uri = redirect_uri(store.settings, provider);
    if !output.json {
        line(&format!(
            "{} at {}\n",
            plain(&provider.name),
            plain(&provider.issuer)
        ));
    }
    let each = |stage: &Stage| {
        if !output.json {
            line(stage_text(stage).trim_end());
        }
    };
    let stages = store.wait(upstream.examine(&connection, &redirect_uri, each));
    if connection.next_secret_took_over() {
        let seen = connection.provider.clone();
        store.act(move |conn, ctx| providers::promote_next_secret(conn, ctx, &seen))?;
        eprintln!("forebay: the upstream takes the next client secret only; it is the present one now");
    }
    let failed = stages
        .iter()
        .filter(|stage| stage.verdict == Verdict::Failed)
        .count();
    if failed == 0 && provider.settings.token_in.is_some() {
        let seen = provider.clone();
        store.act(move |conn, ctx| providers::passed_check(conn, ctx, &Reach::everything(), &seen))?;
    }
    let document = json!({
        "connection": provider.id,
        "issuer": provider.issuer,
        "redirect_uri": redirect_uri,
        "passed": failed == 0,
        "stages": stages.iter().map(stage_document).collect::<Vec<_>>(),
    });
    output.answer(&document, || match failed {
        0 => "\nAll is well: people can sign in through this connection.".into(),
        1 => "\nOne stage failed.".into(),
        more => format!("\n{more} stages failed."),
    })?;
    if failed == 0 { Ok(()) } else { Err(Failure::Said) }
}

/// One stage of an examination, with its remedy below it.
pub fn stage_text(stage: &Stage) -> String {
    let mark = match stage.verdict {
        Verdict::Passed => '✓',
        Verdict::Failed => '✗',
        Verdict::Skipped => '–',
    };
    let code = if stage.code.is_empty() {
        String::new()
    } else {
        format!("{}: ", stage.code)
    };
    let mut text = format!("  {mark} {:<12}  {code}{}\n", stage.name, plain(&stage.detail));
    if !stage.remedy.is_empty() {
        text.push_str(&format!("    {:<12}  → {}\n", "", plain(&stage.remedy)));
    }
    text
}

pub fn stage_document(stage: &Stage) -> Value {
    json!({
        "name": stage.name,
        "status": stage.verdict.name(),
        "code": stage.code,
        "detail": stage.detail,
        "remedy": stage.remedy,
    })
}

/// What is registered as the sign-in redirect URI upstream.
pub fn redirect_uri(settings: &Settings, provider: &Provider) -> String {
    match provider.settings.shared_callback {
        true => settings.public_url.at(paths::IDPRESPONSE),
        false => settings
            .public_url
            .at(&format!("{}/{}", paths::IDPRESPONSE, provider.id)),
    }
}

/// The connection with that slug, else the one of that name in the pool, else the only one of that name.
fn find(conn: &mut Conn, which: &Which) -> Result<Provider, Error> {
    let in_pool = |provider: &Provider| which.pool.as_ref().is_none_or(|id| *id == provider.user_pool_id);
    if let Some(provider) = provider::find(conn, &which.connection)?.filter(|provider| in_pool(provider)) {
        return Ok(provider);
    }
    let mut named: Vec<Provider> = provider::list_all(conn)?
        .into_iter()
        .filter(|provider| provider.name == which.connection && in_pool(provider))
        .collect();
    match (named.pop(), named.len()) {
        (Some(provider), 0) => Ok(provider),
        (None, _) => Err(Error::not_found("identity provider", &which.connection)),
        (Some(_), _) => Err(Error::Conflict(format!(
            "several pools have an identity provider '{}': add --pool",
            which.connection
        ))),
    }
}

fn whole(conn: &mut Conn, provider: Provider) -> Result<Found, Error> {
    Ok(Found {
        identifiers: provider::identifiers(conn, &provider.id)?,
        mapping: mapping::current(conn, &provider.id)?,
        provider,
    })
}

/// The issuer for what was typed, with a word about what was understood.
fn read_issuer(typed: &str, allowed: &[AllowedHost]) -> Result<String, Failure> {
    match okta_issuer::normalize(typed) {
        Ok(candidates) => {
            let Some(first) = candidates.into_iter().next() else {
                return Err(Failure::Usage(format!("--issuer: '{typed}' is no issuer")));
            };
            if !first.note.is_empty() {
                eprintln!(
                    "forebay: the issuer is read as {} ({})",
                    first.issuer,
                    plain(&first.note)
                );
            }
            Ok(first.issuer)
        }
        // A development host that the settings admit may be named in ways that no Okta is.
        Err(_) if typed.starts_with("http://") && issuer::check(typed, allowed).is_ok() => {
            Ok(typed.to_owned())
        }
        Err(mistake) => Err(Failure::Usage(format!("--issuer '{typed}': {mistake}"))),
    }
}

/// One app in Okta for two environments is mostly a mistake.
fn warn_of_twins(twins: &[Provider]) {
    if !twins.is_empty() {
        let names: Vec<&str> = twins.iter().map(|twin| twin.id.as_str()).collect();
        eprintln!(
            "forebay: the same client id is used by {}: production, preview and staging should each have an app in Okta",
            names.join(", ")
        );
    }
}

fn groups_without_scope(found: &Found) -> bool {
    let mapped = found
        .mapping
        .as_ref()
        .is_some_and(|mapping| mapping.rules.groups.is_some());
    mapped
        && !found
            .provider
            .settings
            .scopes
            .iter()
            .any(|scope| scope == "groups")
}

fn document(settings: &Settings, found: &Found) -> Value {
    let provider = &found.provider;
    json!({
        "name": provider.name,
        "slug": provider.id,
        "user_pool_id": provider.user_pool_id,
        "issuer": provider.issuer,
        "enabled": provider.enabled,
        "settings": provider.settings,
        "has_client_secret": provider.client_secret_sealed.is_some(),
        "has_private_key": provider.private_key_sealed.is_some(),
        "has_next_secret": provider.next_secret_sealed.is_some(),
        "secret_expires_at": provider.secret_expires_at.map(|at| at.to_string()),
        "next_secret_expires_at": provider.next_secret_expires_at.map(|at| at.to_string()),
        "state": provider.state(),
        "tested_at": provider.tested_at.map(|at| at.to_string()),
        "identifiers": found.identifiers,
        "mapping": found.mapping.as_ref().map(|mapping| json!({ "version": mapping.version, "rules": mapping.rules })),
        "redirect_uri": redirect_uri(settings, provider),
        "sign_out_redirect_uri": sign_out_redirect_uri(settings, provider),
        "created_at": provider.created_at.to_string(),
        "updated_at": provider.updated_at.to_string(),
    })
}

fn sign_out_redirect_uri(settings: &Settings, provider: &Provider) -> String {
    settings
        .public_url
        .at(&format!("{}/{}", paths::LOGOUT_RETURN, provider.id))
}

fn describe(settings: &Settings, heading: &str, found: &Found, next: &[String]) -> String {
    let provider = &found.provider;
    let own = &provider.settings;
    let stored = match own.client_auth {
        ClientAuth::PrivateKeyJwt => provider.private_key_sealed.is_some(),
        ClientAuth::SecretBasic | ClientAuth::SecretPost => provider.client_secret_sealed.is_some(),
    };
    let authenticates = match (&own.token_in, stored) {
        (Some(_), _) => String::new(),
        (None, true) => own.client_auth.to_string(),
        (None, false) => format!("{} – its secret is missing", own.client_auth),
    };
    let origins = own.token_in.as_ref().map(|kind| lines(&kind.origins));
    let rules = found
        .mapping
        .as_ref()
        .map(|mapping| mapping.rules.0.clone())
        .unwrap_or_default();
    let mapped: Vec<String> = rules.attributes.iter().map(parse::rule_text).collect();
    let endpoints = own.endpoints.as_ref().map(|endpoints| {
        let named = [
            ("authorize", Some(&endpoints.authorization)),
            ("token", Some(&endpoints.token)),
            ("userinfo", endpoints.userinfo.as_ref()),
            ("jwks", Some(&endpoints.jwks)),
            ("end session", endpoints.end_session.as_ref()),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, url)| url.map(|url| format!("{name} {url}")));
        named.collect::<Vec<_>>().join("\n")
    });
    let entries = [
        ("name", provider.name.clone()),
        ("slug", provider.id.clone()),
        ("pool", provider.user_pool_id.clone()),
        ("issuer", provider.issuer.clone()),
        ("endpoints", endpoints.unwrap_or_else(|| "by discovery".into())),
        ("client id", own.client_id.clone()),
        ("kind", own.way().to_string()),
        ("origins", origins.unwrap_or_default()),
        ("authenticates", authenticates),
        (
            "next secret",
            match provider.next_secret_sealed {
                Some(_) => "waits for Okta to refuse the present one".into(),
                None => String::new(),
            },
        ),
        ("scopes", own.scopes.join(" ")),
        (
            "Okta's own API",
            own.okta_api
                .iter()
                .map(|scope| scope.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        ),
        ("button", own.label.clone()),
        (
            "environment",
            own.environment.map(|one| one.to_string()).unwrap_or_default(),
        ),
        ("identifiers", lines(&found.identifiers)),
        ("mapping", lines(&mapped)),
        (
            "groups from",
            rules.groups.as_ref().map(groups_words).unwrap_or_default(),
        ),
        ("signs out there", yes(own.upstream_logout)),
        ("enabled", yes(provider.enabled)),
    ];
    let paste = facts(&[
        ("Sign-in redirect URI", redirect_uri(settings, provider)),
        ("Sign-out redirect URI", sign_out_redirect_uri(settings, provider)),
    ]);
    let mut text = sheet(heading, &entries, &[]);
    if own.token_in.is_none() {
        text.push_str(&format!("\nPaste into the Okta app, under General:\n{paste}"));
    }
    if !next.is_empty() {
        text.push_str(&format!("\nNext:\n  {}\n", next.join("\n  ")));
    }
    text
}
