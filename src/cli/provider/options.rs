//! What can be said about a connection when it is made or changed: how we are registered upstream, and what becomes of
//! a user's claims.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use zeroize::Zeroizing;

use crate::actions::providers::{Credentials, Expiries};
use crate::cli::Failure;
use crate::cli::store::secret_from;
use crate::model::mapping::{GroupsRule, MissingGroup, Naming, Rules, Source, TableRow, Unlisted};
use crate::model::provider::{self, ApiScope, ClientAuth, Endpoints, Environment, UserinfoMethod, Way};
use crate::rules::dotenv::OktaApp;
use crate::rules::mapping::parse;
use crate::rules::scope;
use crate::world::UnixTime;

/// How we are registered upstream, and what becomes of a user's claims.
#[derive(Clone, Args)]
#[command(group = ArgGroup::new("credential").args(["client_secret", "client_secret_file", "private_key_file"]))]
pub(super) struct Options {
    /// The client id of the app in Okta
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The client secret of the app in Okta
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
    /// A file that holds the client secret; - for standard input
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// A file that holds the secret which takes over once Okta refuses the present one; - for standard input
    #[arg(long, value_name = "FILE")]
    next_secret_file: Option<PathBuf>,
    /// The day on which the present client secret expires at the upstream; never, when nobody knows
    #[arg(long, value_name = "YYYY-MM-DD|never", value_parser = expiry)]
    secret_expires: Option<Expiry>,
    /// The same for the next secret
    #[arg(long, value_name = "YYYY-MM-DD|never", value_parser = expiry)]
    next_secret_expires: Option<Expiry>,
    /// An RSA key in PEM, for private_key_jwt; - for standard input
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// The kid that the upstream knows the key by [default: its RFC 7638 thumbprint]
    #[arg(long, value_name = "KID")]
    private_key_id: Option<String>,
    /// client_secret_basic, client_secret_post or private_key_jwt [default: by what is given]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<ClientAuth>,
    /// What is asked of the upstream, separated by blanks [default: openid profile email]
    #[arg(long = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// An email domain or alias that leads to this connection; repeat it
    #[arg(long = "identifier", value_name = "DOMAIN")]
    pub(super) identifiers: Vec<String>,
    /// What the button on the login page says [default: Okta SSO]
    #[arg(long)]
    label: Option<String>,
    /// What it is for, where a tenant has one for each: production, preview or staging
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Option<Environment>,
    /// A pool attribute and the claim it is set from, such as email=email,absent=refuse, or an expression in CEL, such as
    /// 'name,write=first:=claims.given_name + " " + claims.family_name'; write=always|first|empty,
    /// absent=keep|clear|refuse; repeat it [default: email, email_verified, name, given_name and family_name]
    #[arg(
        long = "map",
        value_name = "ATTRIBUTE=CLAIM[,write=…][,absent=…]|ATTRIBUTE[,…]:=CEL"
    )]
    map: Vec<String>,
    /// sign-in: people are sent to Okta; token-in: apps bring Okta's ID token, and no secret is needed [default: sign-in]
    #[arg(long, value_name = "KIND")]
    kind: Option<Way>,
    /// The origin of a page that may bring an ID token, such as https://app.example.com; repeat it (kind token-in)
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// What sign-ins ask of Okta's own API, separated by blanks: okta.users.read.self, okta.users.read,
    /// okta.userTypes.read, okta.profileMappings.read; none leaves it alone (org authorization server only) [default: none]
    #[arg(long, value_name = "SCOPES|none", value_parser = api_scopes)]
    okta_api: Option<ApiScopes>,
    #[command(flatten)]
    groups: GroupOptions,
    /// Endpoints by hand, instead of discovery; authorize, token and jwks belong together
    #[arg(long, value_name = "URL")]
    authorize_url: Option<String>,
    /// See --authorize-url
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// Where further claims come from; none: the ID token's have to do
    #[arg(long, value_name = "URL")]
    userinfo_url: Option<String>,
    /// See --authorize-url
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// Where a sign-out goes on upstream
    #[arg(long, value_name = "URL")]
    end_session_url: Option<String>,
    /// How userinfo is asked: GET or POST [default: GET]
    #[arg(long, value_name = "METHOD")]
    userinfo_method: Option<UserinfoMethod>,
    /// Signing out here signs out of the upstream, too
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    upstream_logout: Option<bool>,
    /// Register the bare /oauth2/idpresponse upstream, as Cognito does, instead of one that names the connection
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    shared_callback: Option<bool>,
}

/// A day, or none.
#[derive(Clone, Copy)]
struct Expiry(Option<UnixTime>);

fn expiry(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry(None)),
        day => UnixTime::of_day(day)
            .map(|at| Expiry(Some(at)))
            .ok_or_else(|| "is not a day such as 2027-01-31".to_owned()),
    }
}

#[derive(Clone)]
struct ApiScopes(Vec<ApiScope>);

fn api_scopes(text: &str) -> Result<ApiScopes, String> {
    if text == "none" {
        return Ok(ApiScopes(Vec::new()));
    }
    let mut scopes = text
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<ApiScope>, _>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(ApiScopes(scopes))
}

impl Options {
    pub(super) fn credentials(&self) -> Result<Credentials, Failure> {
        let client_secret = match (&self.client_secret, &self.client_secret_file) {
            (Some(text), _) => Some(Zeroizing::new(text.clone())),
            (None, Some(path)) => Some(secret_from(path)?),
            (None, None) => None,
        };
        let private_key = self.private_key_file.as_deref().map(secret_from).transpose()?;
        let next_secret = self.next_secret_file.as_deref().map(secret_from).transpose()?;
        Ok(Credentials {
            client_secret,
            private_key,
            next_secret,
        })
    }

    /// Takes from an app's `.env` what was not named itself.
    pub(super) fn complete(&mut self, app: OktaApp) {
        self.client_id = self.client_id.take().or(app.client_id);
        if self.client_secret_file.is_none() && self.private_key_file.is_none() {
            let secret = app.client_secret.map(|secret| secret.to_string());
            self.client_secret = self.client_secret.take().or(secret);
        }
    }

    /// When the secrets expire, where something was said about it.
    pub(super) fn expiries(&self) -> Expiries {
        Expiries {
            secret: self.secret_expires.map(|Expiry(at)| at),
            next_secret: self.next_secret_expires.map(|Expiry(at)| at),
        }
    }

    /// Puts what was named in place of what is there.
    pub(super) fn apply(&self, settings: &mut provider::Settings) {
        if let Some(client_id) = &self.client_id {
            settings.client_id.clone_from(client_id);
        }
        if let Some(method) = self.auth_method {
            settings.client_auth = method;
        } else if self.private_key_file.is_some() {
            settings.client_auth = ClientAuth::PrivateKeyJwt;
        }
        if self.private_key_id.is_some() {
            settings.private_key_id.clone_from(&self.private_key_id);
        }
        if !self.scopes.is_empty() {
            settings.scopes = scope::parse(&self.scopes.join(" "));
        }
        if let Some(label) = &self.label {
            settings.label.clone_from(label);
        }
        if let Some(ApiScopes(scopes)) = &self.okta_api {
            settings.okta_api.clone_from(scopes);
        }
        settings.environment = self.environment.or(settings.environment);
        if let Some(method) = self.userinfo_method {
            settings.userinfo_method = method;
        }
        if let Some(way) = self.kind {
            settings.set_way(way);
        }
        if let Some(kind) = settings.token_in.as_mut().filter(|_| !self.origins.is_empty()) {
            kind.origins.clone_from(&self.origins);
        }
        settings.upstream_logout = self.upstream_logout.unwrap_or(settings.upstream_logout);
        settings.shared_callback = self.shared_callback.unwrap_or(settings.shared_callback);
        self.apply_endpoints(settings);
    }

    fn apply_endpoints(&self, settings: &mut provider::Settings) {
        let mut endpoints = settings.endpoints.clone().unwrap_or_default();
        for (url, named) in [
            (&mut endpoints.authorization, &self.authorize_url),
            (&mut endpoints.token, &self.token_url),
            (&mut endpoints.jwks, &self.jwks_url),
        ] {
            if let Some(named) = named {
                url.clone_from(named);
            }
        }
        for (url, named) in [
            (&mut endpoints.userinfo, &self.userinfo_url),
            (&mut endpoints.end_session, &self.end_session_url),
        ] {
            if named.is_some() {
                url.clone_from(named);
            }
        }
        if endpoints != Endpoints::default() {
            settings.endpoints = Some(endpoints);
        }
    }

    /// The mapping as typed, over what is there.
    pub(super) fn rules(&self, before: Rules) -> Result<Rules, Failure> {
        let mut rules = before;
        if !self.map.is_empty() {
            rules.attributes = parse::rules(&self.map).map_err(|mistakes| {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                Failure::Usage(format!("--map: {}", mistakes.join("; ")))
            })?;
        }
        self.groups.apply(&mut rules)?;
        Ok(rules)
    }
}

/// What becomes of the values that list a user's groups.
#[derive(Clone, Args)]
#[command(group = ArgGroup::new("groups_source").args(["groups_claim", "groups_expression"]))]
struct GroupOptions {
    /// The claim whose values become the user's groups
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// An expression in CEL whose values become the user's groups, such as claims.roles.map(r, r.name)
    #[arg(long, value_name = "CEL")]
    groups_expression: Option<String>,
    /// A value without a pool group: create the group, or heed existing ones only [default: create]
    #[arg(long, value_name = "create|existing")]
    groups: Option<MissingGroup>,
    /// Only values that begin so, and without it
    #[arg(long, value_name = "PREFIX")]
    groups_strip: Option<String>,
    /// What is put before each value
    #[arg(long, value_name = "PREFIX")]
    groups_add: Option<String>,
    /// Only values that this regular expression matches as a whole
    #[arg(long, value_name = "REGEX", conflicts_with_all = ["groups_strip", "groups_add"])]
    groups_pattern: Option<String>,
    /// What such a value becomes [default: $1]
    #[arg(long, value_name = "TEXT", requires = "groups_pattern")]
    groups_replacement: Option<String>,
    /// A value and the groups it becomes; repeat it
    #[arg(long, value_name = "VALUE=GROUP[,GROUP…]", conflicts_with_all = ["groups_strip", "groups_add", "groups_pattern"])]
    groups_table: Vec<String>,
    /// A value that is in no row of the table: drop it, or keep it as it is [default: drop]
    #[arg(long, value_name = "drop|keep", requires = "groups_table")]
    groups_unlisted: Option<Unlisted>,
    /// false: groups are only added, never taken away again [default: true]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    groups_reconcile: Option<bool>,
}

impl GroupOptions {
    /// Another source begins a new rule; without one, what was named takes the place of what is there.
    fn apply(&self, rules: &mut Rules) -> Result<(), Failure> {
        let source = match (&self.groups_claim, &self.groups_expression) {
            (Some(claim), _) => Some(Source::claim(claim)),
            (None, Some(text)) => Some(Source::expression(text)),
            (None, None) => None,
        };
        let naming = self.naming()?;
        if source.is_none() && naming.is_none() && self.groups.is_none() && self.groups_reconcile.is_none() {
            return Ok(());
        }
        let mut rule = match (source, rules.groups.take()) {
            (Some(source), _) => GroupsRule::new(source),
            (None, Some(rule)) => rule,
            (None, None) => {
                return Err(Failure::Usage(
                    "say where groups come from: --groups-claim or --groups-expression".into(),
                ));
            }
        };
        rule.naming = naming.unwrap_or(rule.naming);
        rule.missing = self.groups.unwrap_or(rule.missing);
        rule.reconcile = self.groups_reconcile.unwrap_or(rule.reconcile);
        rules.groups = Some(rule);
        Ok(())
    }

    fn naming(&self) -> Result<Option<Naming>, Failure> {
        if self.groups_strip.is_some() || self.groups_add.is_some() {
            return Ok(Some(Naming::Prefix {
                strip: self.groups_strip.clone().unwrap_or_default(),
                add: self.groups_add.clone().unwrap_or_default(),
            }));
        }
        if let Some(pattern) = &self.groups_pattern {
            return Ok(Some(Naming::Pattern {
                pattern: pattern.clone(),
                replacement: self.groups_replacement.clone().unwrap_or_else(|| "$1".into()),
            }));
        }
        if self.groups_table.is_empty() {
            return Ok(None);
        }
        let row = |text: &String| {
            let (value, groups) = text.split_once('=').ok_or_else(|| {
                Failure::Usage(format!(
                    "--groups-table: '{text}' is not of the form VALUE=GROUP[,GROUP…]"
                ))
            })?;
            Ok(TableRow {
                value: value.trim().to_owned(),
                groups: groups.split(',').map(|name| name.trim().to_owned()).collect(),
            })
        };
        Ok(Some(Naming::Table {
            rows: self
                .groups_table
                .iter()
                .map(row)
                .collect::<Result<_, Failure>>()?,
            unlisted: self.groups_unlisted.unwrap_or_default(),
        }))
    }
}
