//! What can be said about a connection when it is made or changed: how we are registered upstream, and what becomes of
//! a user's claims.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use zeroize::Zeroizing;

use crate::actions::providers::{Credentials, Expiries};
use crate::cli::Failure;
use crate::cli::store::secret_from;
use crate::model::mapping::{GroupsRule, MissingGroup, Rules};
use crate::model::provider::{self, ClientAuth, Endpoints, UserinfoMethod};
use crate::rules::mapping::parse;
use crate::rules::scope;
use crate::world::UnixTime;

/// How we are registered upstream, and what becomes of a user's claims.
#[derive(Args)]
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
    /// A pool attribute and the claim it is set from, such as email=email,absent=refuse; write=always|first|empty,
    /// absent=keep|clear|refuse; repeat it [default: email, email_verified, name, given_name and family_name]
    #[arg(long = "map", value_name = "ATTRIBUTE=CLAIM[,write=…][,absent=…]")]
    map: Vec<String>,
    /// The claim whose values become the user's groups
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// A value without a pool group: create the group, or heed existing ones only [default: create]
    #[arg(long, value_name = "create|existing", requires = "groups_claim")]
    groups: Option<MissingGroup>,
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
        if let Some(method) = self.userinfo_method {
            settings.userinfo_method = method;
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
        if let Some(claim) = &self.groups_claim {
            rules.groups = Some(GroupsRule {
                claim: claim.clone(),
                missing: self.groups.unwrap_or_default(),
            });
        }
        Ok(rules)
    }
}
