//! App clients as Cognito's API shows and takes them.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::error::Failure;
use super::{Answer, Call, page, wire};
use crate::actions::admins::single_sign_on::is_console;
use crate::actions::clients::{self, ClientChange, NewClient, NewSecret};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::{self, Client, Flow, Rotation, Settings};
use crate::model::pool;
use crate::model::reach::Reach;
use crate::seal::{Label, Sealer};

/// The default of `RefreshTokenValidity` in days, and of the others in minutes.
const REFRESH_DAYS: i64 = 30;
const TOKEN_MINUTES: i64 = 60;

/// Members that mean nothing here yet: kept as they were set, and shown again.
const KEPT: [(&str, Option<&str>); 5] = [
    (
        "ExplicitAuthFlows",
        Some(r#"["ALLOW_REFRESH_TOKEN_AUTH","ALLOW_USER_SRP_AUTH","ALLOW_CUSTOM_AUTH"]"#),
    ),
    ("PreventUserExistenceErrors", None),
    ("AuthSessionValidity", Some("3")),
    ("EnablePropagateAdditionalUserContextData", Some("false")),
    ("AnalyticsConfiguration", None),
];

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    client_id: String,
    client_name: Option<String>,
    generate_secret: bool,
    client_secret: Option<String>,
    refresh_token_validity: Option<i64>,
    access_token_validity: Option<i64>,
    id_token_validity: Option<i64>,
    token_validity_units: Units,
    read_attributes: Option<Vec<String>>,
    write_attributes: Option<Vec<String>>,
    supported_identity_providers: Vec<String>,
    #[serde(rename = "CallbackURLs")]
    callback_urls: Vec<String>,
    #[serde(rename = "LogoutURLs")]
    logout_urls: Vec<String>,
    #[serde(rename = "DefaultRedirectURI")]
    default_redirect_uri: Option<String>,
    #[serde(rename = "AllowedOAuthFlows")]
    allowed_oauth_flows: Vec<Flow>,
    #[serde(rename = "AllowedOAuthScopes")]
    allowed_oauth_scopes: Vec<String>,
    #[serde(rename = "AllowedOAuthFlowsUserPoolClient")]
    allowed_oauth_flows_user_pool_client: bool,
    enable_token_revocation: Option<bool>,
    refresh_token_rotation: Option<RotationInput>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Units {
    access_token: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RotationInput {
    feature: String,
    retry_grace_period_seconds: Option<i64>,
}

impl Input {
    /// The settings these members stand for; what is left out has its default, also on update, as in Cognito.
    fn settings(&self, kept: Map<String, Value>) -> Result<Settings, Failure> {
        let oauth = [
            ("CallbackURLs", self.callback_urls.is_empty()),
            ("LogoutURLs", self.logout_urls.is_empty()),
            ("AllowedOAuthFlows", self.allowed_oauth_flows.is_empty()),
            ("AllowedOAuthScopes", self.allowed_oauth_scopes.is_empty()),
        ];
        if !self.allowed_oauth_flows_user_pool_client
            && let Some((name, _)) = oauth.iter().find(|(_, empty)| !empty)
        {
            return Err(Failure::invalid(format!(
                "{name} needs AllowedOAuthFlowsUserPoolClient to be true"
            )));
        }
        if self.allowed_oauth_flows_user_pool_client
            && (self.allowed_oauth_flows.is_empty() || self.allowed_oauth_scopes.is_empty())
        {
            return Err(Failure::new(
                "InvalidOAuthFlowException",
                "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.",
            ));
        }
        let units = &self.token_validity_units;
        let seconds = |value: Option<i64>, unit: &Option<String>, default: i64, usual: &str| {
            let unit = unit.as_deref().unwrap_or(usual);
            value
                .filter(|value| *value > 0)
                .map_or(default, |value| value.saturating_mul(unit_seconds(unit)))
        };
        Ok(Settings {
            redirect_uris: self.callback_urls.clone(),
            logout_uris: self.logout_urls.clone(),
            default_redirect_uri: self.default_redirect_uri.clone().filter(|uri| !uri.is_empty()),
            flows: self.allowed_oauth_flows.clone(),
            scopes: self.allowed_oauth_scopes.clone(),
            providers: self.supported_identity_providers.clone(),
            access_token_seconds: seconds(
                self.access_token_validity,
                &units.access_token,
                TOKEN_MINUTES * 60,
                "hours",
            ),
            id_token_seconds: seconds(
                self.id_token_validity,
                &units.id_token,
                TOKEN_MINUTES * 60,
                "hours",
            ),
            refresh_token_seconds: seconds(
                self.refresh_token_validity,
                &units.refresh_token,
                REFRESH_DAYS * 86_400,
                "days",
            ),
            read_attributes: self.read_attributes.clone(),
            write_attributes: self.write_attributes.clone(),
            revocation: self.enable_token_revocation.unwrap_or(true),
            rotation: match &self.refresh_token_rotation {
                None => Rotation::default(),
                Some(rotation) => Rotation {
                    enabled: rotation.feature == "ENABLED",
                    grace_seconds: rotation.retry_grace_period_seconds.unwrap_or(0),
                },
            },
            cognito: kept,
            ..Settings::default()
        })
    }
}

fn unit_seconds(unit: &str) -> i64 {
    match unit {
        "seconds" => 1,
        "minutes" => 60,
        "hours" => 3_600,
        _ => 86_400,
    }
}

/// The settings that a client's members in Cognito's shape stand for, whether they come in a call or in what
/// `describe-user-pool-client` printed.
pub fn settings_of(members: &Map<String, Value>) -> Result<Settings, Failure> {
    let input: Input = serde_json::from_value(Value::Object(members.clone()))
        .map_err(|why| Failure::serialization(&why.to_string()))?;
    let mut settings = input.settings(kept(members))?;
    remember_units(members, &mut settings);
    Ok(settings)
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    let settings = settings_of(&call.input)?;
    let secret = match (input.generate_secret, input.client_secret) {
        (true, Some(_)) => {
            return Err(Failure::invalid(
                "GenerateSecret and ClientSecret exclude each other",
            ));
        }
        (true, None) => NewSecret::Generate,
        (false, Some(text)) => NewSecret::Given(Zeroizing::new(text)),
        (false, None) => NewSecret::Public,
    };
    let new = NewClient {
        id: None,
        user_pool_id: input.user_pool_id,
        name: input.client_name.unwrap_or_default(),
        secret,
        settings,
    };
    call.act(move |conn, ctx, reach| {
        let id = new.user_pool_id.clone();
        pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let made = clients::create(conn, ctx, new)?;
        Ok(json!({ "UserPoolClient": shape(conn, &ctx.sealer, reach, &made.client)? }))
    })
    .await
}

pub async fn describe(call: Call) -> Answer {
    let input: Input = call.read()?;
    let (sees, changes) = (call.caller.sees.clone(), call.caller.changes.clone());
    let sealer = call.broker.sealer.clone();
    call.look(move |conn| {
        pool::find_within(conn, &sees, &input.user_pool_id)?
            .ok_or_else(|| Failure::no_pool(&input.user_pool_id))?;
        let client = find(conn, &input)?;
        Ok(json!({ "UserPoolClient": shape(conn, &sealer, &changes, &client)? }))
    })
    .await
}

pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    let settings = settings_of(&call.input)?;
    call.act(move |conn, ctx, reach| {
        pool::find_within(conn, reach, &input.user_pool_id)?
            .ok_or_else(|| Failure::no_pool(&input.user_pool_id))?;
        let old = find(conn, &input)?;
        changeable(&old)?;
        let settings = Settings {
            // What Cognito does not know of, its API does not reset.
            require_pkce: old.settings.require_pkce,
            contract: old.settings.contract.clone(),
            sso_minutes: old.settings.sso_minutes,
            access: old.settings.access.clone(),
            requires_acr: old.settings.requires_acr.clone(),
            email_first: old.settings.email_first,
            ..settings
        };
        let change = ClientChange {
            name: input.client_name.clone(),
            enabled: None,
            settings: Some(settings),
        };
        let client = clients::update(conn, ctx, &old.id, change)?;
        Ok(json!({ "UserPoolClient": shape(conn, &ctx.sealer, reach, &client)? }))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        pool::find_within(conn, reach, &input.user_pool_id)?
            .ok_or_else(|| Failure::no_pool(&input.user_pool_id))?;
        let client = find(conn, &input)?;
        changeable(&client)?;
        clients::delete(conn, ctx, &client.id)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let id = call.pool_id();
    let sees = call.caller.sees.clone();
    let wanted = page::Wanted::of(&call, "ListUserPoolClients", "MaxResults", 60)?;
    call.look(move |conn| {
        pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let (clients, next) = wanted.cut(client::list(conn, &id)?, |client| {
            format!("{}\n{}", client.name, client.id)
        });
        let shown = clients
            .iter()
            .map(|client| json!({ "ClientId": client.id, "UserPoolId": id, "ClientName": client.name }))
            .collect();
        Ok(page::answer("UserPoolClients", shown, "NextToken", next))
    })
    .await
}

/// The client of that pool.
fn find(conn: &mut Conn, input: &Input) -> Result<Client, Failure> {
    client::find(conn, &input.client_id)?
        .filter(|client| client.user_pool_id == input.user_pool_id)
        .ok_or_else(|| Failure::no_client(&input.client_id))
}

/// The client that the console is in the pool is the console's alone: whoever had its secret, or its callback, could come in as
/// the pool's administrators.
pub(super) fn changeable(client: &Client) -> Result<(), Failure> {
    if is_console(client) {
        return Err(Failure::new(
            "NotAuthorizedException",
            "This client is the console's own: it is made and kept by the rules for administrators there",
        ));
    }
    Ok(())
}

fn kept(input: &Map<String, Value>) -> Map<String, Value> {
    KEPT.iter()
        .filter_map(|(name, _)| {
            let value = input.get(*name).filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        })
        .collect()
}

/// Lifetimes are shown in the units in which they were given.
fn remember_units(input: &Map<String, Value>, settings: &mut Settings) {
    if let Some(units) = input.get("TokenValidityUnits").filter(|units| !units.is_null()) {
        settings
            .cognito
            .insert("TokenValidityUnits".into(), units.clone());
    }
}

/// The client as `UserPoolClientType`. Cognito's API shows the secret; here it does so to those who may change the pool, and
/// a reader has no use for it. The console's own is nobody's.
fn shape(conn: &mut Conn, sealer: &Sealer, changes: &Reach, client: &Client) -> Result<Value, Failure> {
    let settings = &client.settings;
    let mut shown = json!({
        "UserPoolId": client.user_pool_id,
        "ClientName": client.name,
        "ClientId": client.id,
        "CreationDate": wire::time(client.created_at),
        "LastModifiedDate": wire::time(client.updated_at),
        "AllowedOAuthFlowsUserPoolClient": !settings.flows.is_empty(),
        "EnableTokenRevocation": settings.revocation,
    });
    let units: Units = settings
        .cognito
        .get("TokenValidityUnits")
        .cloned()
        .and_then(|units| serde_json::from_value(units).ok())
        .unwrap_or_default();
    for (member, seconds, unit, usual) in [
        (
            "RefreshTokenValidity",
            settings.refresh_token_seconds,
            units.refresh_token,
            "days",
        ),
        (
            "AccessTokenValidity",
            settings.access_token_seconds,
            units.access_token,
            "hours",
        ),
        (
            "IdTokenValidity",
            settings.id_token_seconds,
            units.id_token,
            "hours",
        ),
    ] {
        let given = unit.is_some();
        let unit = unit.unwrap_or_else(|| usual.to_owned());
        // A lifetime that was set elsewhere may not fit the unit: seconds always do.
        let (value, unit) = match unit_seconds(&unit) {
            size if seconds % size == 0 => (seconds / size, unit),
            _ => (seconds, "seconds".to_owned()),
        };
        shown[member] = json!(value);
        if given || unit != usual {
            shown["TokenValidityUnits"][member.trim_end_matches("Validity")] = json!(unit);
        }
    }
    for (name, list) in [
        ("SupportedIdentityProviders", &settings.providers),
        ("CallbackURLs", &settings.redirect_uris),
        ("LogoutURLs", &settings.logout_uris),
        ("AllowedOAuthScopes", &settings.scopes),
    ] {
        if !list.is_empty() {
            shown[name] = json!(list);
        }
    }
    if !settings.flows.is_empty() {
        shown["AllowedOAuthFlows"] = json!(settings.flows);
    }
    for (name, list) in [
        ("ReadAttributes", &settings.read_attributes),
        ("WriteAttributes", &settings.write_attributes),
    ] {
        if let Some(list) = list {
            shown[name] = json!(list);
        }
    }
    if let Some(uri) = &settings.default_redirect_uri {
        shown["DefaultRedirectURI"] = json!(uri);
    }
    if settings.rotation != Rotation::default() {
        shown["RefreshTokenRotation"] = json!({
            "Feature": if settings.rotation.enabled { "ENABLED" } else { "DISABLED" },
            "RetryGracePeriodSeconds": settings.rotation.grace_seconds,
        });
    }
    for (name, default) in KEPT {
        let default = || default.and_then(|text| serde_json::from_str(text).ok());
        if let Some(value) = settings.cognito.get(name).cloned().or_else(default) {
            shown[name] = value;
        }
    }
    let shows_secret = changes.has_pool(&client.user_pool_id) && !is_console(client);
    if shows_secret && let Some(secret) = client::secrets(conn, &client.id)?.pop() {
        let label = Label {
            purpose: clients::SECRET_PURPOSE,
            scope: &client.user_pool_id,
            name: &secret.id,
        };
        let text = sealer
            .open_text(label, &secret.sealed)
            .map_err(|_| StoreError::Unreadable(format!("a secret of client {}", client.id)))?;
        shown["ClientSecret"] = json!(text.as_str());
    }
    Ok(shown)
}
