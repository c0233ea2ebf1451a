//! `forebay client`: make, list, show, change and delete app clients, and change their secrets.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::output::{self, Output, lines, sheet, table, yes};
use super::store::{Store, secret_from};
use super::{Failure, Outcome};
use crate::actions::clients::{self, ClientChange, NewClient, NewSecret};
use crate::actions::pools;
use crate::config::Settings;
use crate::error::Error;
use crate::model::client::{self, AccessRule, Client, Flow};
use crate::rules::{dotenv, scope};

#[derive(Subcommand)]
pub enum Command {
    /// Make an app client; its secret is shown this once
    Create(Create),
    /// List the app clients of a pool
    List {
        /// The pool to look in
        #[arg(long, value_name = "POOL_ID")]
        pool: String,
    },
    /// Show one app client
    Show { id: String },
    /// Print an app client as the .env of an app made for Okta; its secret is left for whoever has it
    Env { id: String },
    /// Change an app client; what is not named stays, a list that is named is replaced
    Update(Update),
    /// Delete an app client with its tokens
    Delete {
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give a confidential client a second secret, shown this once, so that apps can change over
    AddSecret(AddSecret),
    /// Let only those into the app for whom a rule holds; a rule of that name is replaced
    AddAccessRule(AddAccessRule),
    /// Take a rule about who may enter away, by its name
    DeleteAccessRule { id: String, name: String },
    /// Delete one of a client's two secrets, by its id
    DeleteSecret { id: String, secret_id: String },
}

#[derive(Args)]
#[command(group = ArgGroup::new("how").args(["public", "secret", "secret_file"]))]
pub struct Create {
    /// The pool it belongs to
    #[arg(long, value_name = "POOL_ID")]
    pool: String,
    /// What people call it
    #[arg(long)]
    name: String,
    /// Its client id [default: 26 random characters]
    #[arg(long)]
    id: Option<String>,
    /// For apps that run on a user's device or in a browser: no secret, PKCE always
    #[arg(long)]
    public: bool,
    /// A secret of your own, 24-64 characters [default: one is made]
    #[arg(long)]
    secret: Option<String>,
    /// A file that holds the secret; - for standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Print it as the .env of an app made for Okta, with its secret
    #[arg(long)]
    env: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Args)]
pub struct Update {
    id: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// false refuses every request of the client
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args)]
#[command(group = ArgGroup::new("how").args(["secret", "secret_file"]))]
pub struct AddSecret {
    id: String,
    /// A secret of your own, 24-64 characters [default: one is made]
    #[arg(long)]
    secret: Option<String>,
    /// A file that holds the secret; - for standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct AddAccessRule {
    id: String,
    /// What the rule is called; who is refused reads it
    #[arg(long)]
    name: String,
    /// A CEL expression over user, groups, tenant, connection and amr
    #[arg(long, value_name = "EXPRESSION")]
    when: String,
    /// Whom those may ask who are refused
    #[arg(long)]
    contact: String,
}

/// What a client may do; each can be repeated where it is a list.
#[derive(Clone, Args)]
struct Options {
    /// Where the app takes the answer of a sign-in; compared exactly
    #[arg(long = "callback", value_name = "URL")]
    callbacks: Vec<String>,
    /// Callbacks of preview deployments below a suffix that the pool admits, such as https://*.preview.example.com/callback
    #[arg(long = "preview-callback", value_name = "PATTERN")]
    preview_callbacks: Vec<String>,
    /// The app is a preview, a sandbox or somebody's own machine
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    non_production: Option<bool>,
    /// The callback used when a request names none
    #[arg(long, value_name = "URL")]
    default_callback: Option<String>,
    /// The app's own address that begins a sign-in: people who click its tile in Okta come here
    #[arg(long, value_name = "URL")]
    initiate_login_uri: Option<String>,
    /// Where users may be sent after signing out; compared exactly
    #[arg(long = "logout-url", value_name = "URL")]
    logout_urls: Vec<String>,
    /// code, implicit or client_credentials [default: code]
    #[arg(long = "flow", value_name = "FLOW")]
    flows: Vec<Flow>,
    /// A scope the app may ask for; several in one go are separated by blanks [default: openid email profile]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A connection through which the app's users sign in, by its name
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
    /// A refresh token is replaced at each use
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rotate_refresh: Option<bool>,
    /// Seconds, 0-60, in which a replaced refresh token still works
    #[arg(long, value_name = "SECONDS")]
    refresh_grace: Option<i64>,
    /// Lifetime of access tokens, 5-1440 [default: 60]
    #[arg(long, value_name = "MINUTES")]
    access_minutes: Option<i64>,
    /// Lifetime of ID tokens, 5-1440 [default: 60]
    #[arg(long, value_name = "MINUTES")]
    id_minutes: Option<i64>,
    /// Lifetime of refresh tokens, 1-3650 [default: 30]
    #[arg(long, value_name = "DAYS")]
    refresh_days: Option<i64>,
    /// A confidential client must use PKCE, too
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_pkce: Option<bool>,
    /// An acr value of which a sign-in must have one; '' alone requires none any more
    #[arg(long = "require-acr", value_name = "ACR")]
    requires_acr: Vec<String>,
    /// The login page asks for the address first and shows no buttons of tenants' connections
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    email_first: Option<bool>,
    /// The app may bring ID tokens of its connections of the kind token-in and gets ours for them (RFC 8693)
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    token_exchange: Option<bool>,
    /// Whether refresh tokens can be revoked [default: true]
    #[arg(long, value_name = "true|false")]
    revocation: Option<bool>,
    /// An attribute that the app's tokens and userInfo may carry [default: all]
    #[arg(long = "read-attribute", value_name = "ATTRIBUTE")]
    read_attributes: Vec<String>,
    /// An attribute that the app's users and sign-ins may change [default: all]
    #[arg(long = "write-attribute", value_name = "ATTRIBUTE")]
    write_attributes: Vec<String>,
}

impl Options {
    /// Puts what was named in place of what is there.
    fn apply(self, settings: &mut client::Settings) {
        fn replace<T>(list: &mut Vec<T>, named: Vec<T>) {
            if !named.is_empty() {
                *list = named;
            }
        }
        replace(&mut settings.redirect_uris, self.callbacks);
        replace(&mut settings.preview_redirect_uris, self.preview_callbacks);
        replace(&mut settings.logout_uris, self.logout_urls);
        replace(&mut settings.flows, self.flows);
        replace(
            &mut settings.scopes,
            self.scopes.iter().flat_map(|text| scope::parse(text)).collect(),
        );
        replace(&mut settings.providers, self.providers);
        replace(&mut settings.requires_acr, self.requires_acr);
        settings.requires_acr.retain(|value| !value.is_empty());
        for (list, named) in [
            (&mut settings.read_attributes, self.read_attributes),
            (&mut settings.write_attributes, self.write_attributes),
        ] {
            if !named.is_empty() {
                *list = Some(named);
            }
        }
        if self.default_callback.is_some() {
            settings.default_redirect_uri = self.default_callback;
        }
        if self.initiate_login_uri.is_some() {
            settings.initiate_login_uri = self.initiate_login_uri;
        }
        for (seconds, named, unit) in [
            (&mut settings.access_token_seconds, self.access_minutes, 60),
            (&mut settings.id_token_seconds, self.id_minutes, 60),
            (&mut settings.refresh_token_seconds, self.refresh_days, 86_400),
            (&mut settings.rotation.grace_seconds, self.refresh_grace, 1),
        ] {
            if let Some(named) = named {
                *seconds = named.saturating_mul(unit);
            }
        }
        for (value, named) in [
            (&mut settings.rotation.enabled, self.rotate_refresh),
            (&mut settings.require_pkce, self.require_pkce),
            (&mut settings.email_first, self.email_first),
            (&mut settings.revocation, self.revocation),
            (&mut settings.token_exchange, self.token_exchange),
            (&mut settings.non_production, self.non_production),
        ] {
            *value = named.unwrap_or(*value);
        }
    }
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let store = Store::open(settings)?;
    match command {
        Command::Create(args) => create(&store, output, args),
        Command::List { pool } => list(&store, output, pool),
        Command::Show { id } => {
            let (client, secrets) = store.read(move |conn| {
                let client = clients::find(conn, &id)?;
                let secrets = client::secrets(conn, &id)?;
                Ok((client, secrets))
            })?;
            let ids: Vec<String> = secrets.into_iter().map(|secret| secret.id).collect();
            let mut document = document(settings, &client);
            document["secret_ids"] = json!(ids);
            output.answer(&document, || {
                describe(
                    settings,
                    "App client",
                    &client,
                    &[("secret ids", lines(&ids))],
                    &[],
                )
            })
        }
        Command::Env { id } => {
            let client = store.read(move |conn| clients::find(conn, &id))?;
            let block = env_block(settings, &client, None);
            output.answer(&json!({ "env": block }), || block.clone())
        }
        Command::Update(args) => update(&store, output, args),
        Command::Delete { id, yes } => {
            output::confirm(yes, "app client", &id)?;
            let client = store.act(move |conn, ctx| clients::delete(conn, ctx, &id))?;
            output.answer(&json!({ "deleted": client.id }), || {
                format!("App client {} ({}) is deleted.", client.id, client.name)
            })
        }
        Command::AddSecret(args) => add_secret(&store, output, args),
        Command::AddAccessRule(args) => {
            let rule = AccessRule {
                name: args.name,
                expression: args.when,
                contact: args.contact,
            };
            change_access(&store, output, args.id, move |rules| {
                match rules.iter_mut().find(|known| known.name == rule.name) {
                    Some(known) => *known = rule,
                    None => rules.push(rule),
                }
                Ok(())
            })
        }
        Command::DeleteAccessRule { id, name } => change_access(&store, output, id, move |rules| {
            let before = rules.len();
            rules.retain(|known| known.name != name);
            match rules.len() < before {
                true => Ok(()),
                false => Err(Error::not_found("access rule", name)),
            }
        }),
        Command::DeleteSecret { id, secret_id } => {
            let deleted = secret_id.clone();
            store.act(move |conn, ctx| clients::delete_secret(conn, ctx, &id, &secret_id))?;
            output.answer(&json!({ "deleted": deleted }), || {
                format!("Secret {deleted} is deleted.")
            })
        }
    }
}

fn create(store: &Store<'_>, output: Output, args: Create) -> Outcome {
    let secret = match given_secret(args.secret, args.secret_file)? {
        Some(text) => NewSecret::Given(text),
        None if args.public => NewSecret::Public,
        None => NewSecret::Generate,
    };
    let mut settings = client::Settings::default();
    if args.options.token_exchange == Some(true) && args.options.callbacks.is_empty() {
        // A widget whose host app signs people in has nowhere to be returned to, and no other flow unless one is named.
        settings.flows.clear();
    }
    args.options.apply(&mut settings);
    if settings.scopes.is_empty() && !settings.flows.contains(&Flow::ClientCredentials) {
        settings.scopes = ["openid", "email", "profile"].map(String::from).to_vec();
    }
    let new = NewClient {
        id: args.id,
        user_pool_id: args.pool,
        name: args.name,
        secret,
        settings,
    };
    let generated = matches!(new.secret, NewSecret::Generate);
    let made = store.act(move |conn, ctx| clients::create(conn, ctx, new))?;
    let client = &made.client;
    // Only what was made here is shown: the caller knows their own.
    let shown = made.secret.filter(|_| generated);
    let mut document = document(store.settings, client);
    if let Some(secret) = &shown {
        document["client_secret"] = json!(*secret.text);
    }
    if args.env {
        let block = env_block(
            store.settings,
            client,
            shown.as_ref().map(|secret| secret.text.as_str()),
        );
        return output.answer(&document, || block);
    }
    let mut next = Vec::new();
    if client.settings.providers.is_empty() && !client.settings.flows.contains(&Flow::ClientCredentials) {
        next.push(format!(
            "forebay client update {} --provider NAME   (nobody can sign in yet: no connection is allowed)",
            client.id
        ));
    }
    next.push("give the app the issuer, the client id and the secret; it finds the rest by discovery".into());
    let secret = shown.map(|secret| format!("{}   (shown this once)", *secret.text));
    output.answer(&document, || {
        describe(
            store.settings,
            "Made an app client",
            client,
            &[("client secret", secret.unwrap_or_default())],
            &next,
        )
    })
}

fn env_block(settings: &Settings, client: &Client, secret: Option<&str>) -> String {
    let issuer = settings.public_url.issuer(&client.user_pool_id);
    dotenv::block(&issuer, &client.id, client.settings.public, secret)
}

fn given_secret(text: Option<String>, file: Option<PathBuf>) -> Result<Option<Zeroizing<String>>, Failure> {
    match (text, file) {
        (Some(text), _) => Ok(Some(Zeroizing::new(text))),
        (None, Some(path)) => secret_from(&path).map(Some),
        (None, None) => Ok(None),
    }
}

fn list(store: &Store<'_>, output: Output, pool_id: String) -> Outcome {
    let clients = store.read(move |conn| {
        pools::find(conn, &pool_id)?;
        Ok(client::list(conn, &pool_id)?)
    })?;
    let documents: Vec<Value> = clients
        .iter()
        .map(|client| document(store.settings, client))
        .collect();
    output.answer(&Value::Array(documents), || {
        if clients.is_empty() {
            return "The pool has no app client yet: forebay client create --pool ID --name NAME --callback URL".into();
        }
        let rows: Vec<Vec<String>> = clients
            .iter()
            .map(|client| {
                vec![
                    client.id.clone(),
                    client.name.clone(),
                    flows(client),
                    client.settings.providers.join(" "),
                    yes(client.enabled),
                ]
            })
            .collect();
        table(&["CLIENT ID", "NAME", "FLOWS", "PROVIDERS", "ENABLED"], &rows)
    })
}

fn update(store: &Store<'_>, output: Output, args: Update) -> Outcome {
    let client = store.act(move |conn, ctx| {
        let mut settings = clients::find(conn, &args.id)?.settings.0;
        args.options.apply(&mut settings);
        let change = ClientChange {
            name: args.name,
            enabled: args.enabled,
            settings: Some(settings),
        };
        clients::update(conn, ctx, &args.id, change)
    })?;
    output.answer(&document(store.settings, &client), || {
        describe(store.settings, "Changed the app client", &client, &[], &[])
    })
}

fn change_access(
    store: &Store<'_>,
    output: Output,
    id: String,
    change: impl FnOnce(&mut Vec<AccessRule>) -> Result<(), Error> + Clone + Send + 'static,
) -> Outcome {
    let client = store.act(move |conn, ctx| {
        let mut settings = clients::lock(conn, &id)?.settings.0;
        change(&mut settings.access)?;
        let change = ClientChange {
            settings: Some(settings),
            ..ClientChange::default()
        };
        clients::update(conn, ctx, &id, change)
    })?;
    output.answer(&document(store.settings, &client), || {
        describe(store.settings, "Changed who may enter", &client, &[], &[])
    })
}

fn add_secret(store: &Store<'_>, output: Output, args: AddSecret) -> Outcome {
    let given = given_secret(args.secret, args.secret_file)?;
    let generated = given.is_none();
    let id = args.id.clone();
    let secret = store.act(move |conn, ctx| clients::add_secret(conn, ctx, &id, given))?;
    let mut document = json!({ "client_id": args.id, "secret_id": secret.id });
    let mut entries = vec![("secret id", secret.id.clone())];
    if generated {
        document["client_secret"] = json!(*secret.text);
        entries.push(("client secret", format!("{}   (shown this once)", *secret.text)));
    }
    let next = [
        "give the new secret to the app; both work until one is deleted".to_owned(),
        format!("forebay client show {}   (the older secret's id)", args.id),
        format!("forebay client delete-secret {} SECRET_ID", args.id),
    ];
    output.answer(&document, || sheet("Added a client secret", &entries, &next))
}

fn document(settings: &Settings, client: &Client) -> Value {
    json!({
        "id": client.id,
        "user_pool_id": client.user_pool_id,
        "issuer": settings.public_url.issuer(&client.user_pool_id),
        "name": client.name,
        "enabled": client.enabled,
        "settings": client.settings,
        "created_at": client.created_at.to_string(),
        "updated_at": client.updated_at.to_string(),
    })
}

fn describe(
    settings: &Settings,
    heading: &str,
    client: &Client,
    first: &[(&str, String)],
    next: &[String],
) -> String {
    let own = &client.settings;
    let rotation = match own.rotation.enabled {
        true => format!("at each use, {} s of grace", own.rotation.grace_seconds),
        false => String::new(),
    };
    let access: Vec<String> = own
        .access
        .iter()
        .map(|rule| format!("{}: {} (ask {})", rule.name, rule.expression, rule.contact))
        .collect();
    let mut entries = vec![("client id", client.id.clone())];
    entries.extend(first.iter().cloned());
    entries.extend([
        ("name", client.name.clone()),
        ("issuer", settings.public_url.issuer(&client.user_pool_id)),
        ("enabled", yes(client.enabled)),
        ("flows", flows(client)),
        ("scopes", own.scopes.join(" ")),
        ("providers", own.providers.join(" ")),
        ("callbacks", lines(&own.redirect_uris)),
        ("preview callbacks", lines(&own.preview_redirect_uris)),
        (
            "default callback",
            own.default_redirect_uri.clone().unwrap_or_default(),
        ),
        (
            "login start url",
            own.initiate_login_uri.clone().unwrap_or_default(),
        ),
        ("logout urls", lines(&own.logout_uris)),
        (
            "access token",
            format!("{} minutes", own.access_token_seconds / 60),
        ),
        ("id token", format!("{} minutes", own.id_token_seconds / 60)),
        (
            "refresh token",
            format!("{} days", own.refresh_token_seconds / 86_400),
        ),
        ("rotation", rotation),
        ("who may enter", lines(&access)),
        ("requires acr", own.requires_acr.join(" ")),
        (
            "reads only",
            own.read_attributes.clone().unwrap_or_default().join(" "),
        ),
        (
            "writes only",
            own.write_attributes.clone().unwrap_or_default().join(" "),
        ),
        ("made", client.created_at.to_string()),
    ]);
    sheet(heading, &entries, next)
}

fn flows(client: &Client) -> String {
    let names: Vec<&str> = client.settings.flows.iter().map(|flow| flow.as_str()).collect();
    names.join(" ")
}
