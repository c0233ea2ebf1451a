//! Identity providers as Cognito's API shows and takes them: OpenID Connect ones. Made here a provider is live at once, and
//! its redirect URI is Cognito's own, `/oauth2/idpresponse`, which migrated Okta apps have registered already.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{Answer, Call, page, wire};
use crate::actions::Ctx;
use crate::actions::mappings::{self, Save};
use crate::actions::providers::{self, Credentials, NewProvider, ProviderChange};
use crate::broker::{self, Broker};
use crate::db::Conn;
use crate::error::Error;
use crate::model::mapping;
use crate::model::pool;
use crate::model::provider::{self, Endpoints, Provider, Settings};
use crate::model::reach::Reach;
use crate::rules::aws::provider::{self as words, Details};
use crate::rules::registration::issuer;
use crate::rules::secret;
use crate::seal::Sealer;

/// The one `ProviderType` there is here.
const OIDC: &str = "OIDC";

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    provider_name: String,
    provider_type: Option<String>,
    provider_details: Option<BTreeMap<String, String>>,
    attribute_mapping: Option<BTreeMap<String, String>>,
    idp_identifiers: Option<Vec<String>>,
    idp_identifier: String,
    acr_mapping: Option<Map<String, Value>>,
}

impl Input {
    /// What is kept as it was set, besides the details.
    fn keep(&self, settings: &mut Settings) {
        if let Some(identifiers) = &self.idp_identifiers {
            settings
                .cognito
                .insert(words::IDENTIFIERS.into(), json!(identifiers));
        }
        if let Some(mapping) = &self.acr_mapping {
            settings
                .cognito
                .insert(words::ACR_MAPPING.into(), Value::Object(mapping.clone()));
        }
    }
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    if let Some(other) = input.provider_type.as_deref().filter(|kind| *kind != OIDC) {
        return Err(Failure::invalid(format!(
            "ProviderType: {other} is not offered here; Okta and everything else that speaks OpenID Connect is connected \
             as {OIDC}"
        )));
    }
    let details = Details::read(input.provider_details.as_ref().unwrap_or(&BTreeMap::new()), None)?;
    let rules = words::rules(
        &mapping::Rules::default(),
        input.attribute_mapping.as_ref().unwrap_or(&BTreeMap::new()),
    )?;
    check_reach(&call, &input.user_pool_id).await?;
    let endpoints = resolve(&call.broker, &details).await?;
    let mut settings = Settings {
        label: label(&input.provider_name),
        shared_callback: true,
        ..Settings::default()
    };
    input.keep(&mut settings);
    let (issuer, client_secret) = (details.issuer.clone(), details.client_secret.clone());
    details.apply(&mut settings, endpoints);
    let new = NewProvider {
        user_pool_id: input.user_pool_id,
        name: input.provider_name,
        slug: None,
        issuer,
        settings,
        credentials: Credentials {
            client_secret,
            ..Credentials::default()
        },
        identifiers: input.idp_identifiers.unwrap_or_default(),
        rules,
    };
    let allowed = call.broker.upstream.allowed().to_vec();
    call.act(move |conn, ctx, reach| {
        let id = new.user_pool_id.clone();
        pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let made = providers::create(conn, ctx, &allowed, new).map_err(|error| match error {
            Error::Conflict(why) => Failure::new("DuplicateProviderException", why),
            other => refused(other),
        })?;
        Ok(json!({ "IdentityProvider": shape(conn, &ctx.sealer, reach, &made)? }))
    })
    .await
}

pub async fn describe(call: Call) -> Answer {
    let input: Input = call.read()?;
    look(call, move |conn, sees| find(conn, sees, &input)).await
}

pub async fn by_identifier(call: Call) -> Answer {
    let input: Input = call.read()?;
    look(call, move |conn, sees| {
        let pool_id = &input.user_pool_id;
        pool::find_within(conn, sees, pool_id)?.ok_or_else(|| Failure::no_pool(pool_id))?;
        let wanted = crate::rules::registration::provider::identifier(&input.idp_identifier);
        let found = match wanted {
            Some(wanted) => provider::find_by_identifier(conn, pool_id, &wanted)?,
            None => None,
        };
        found.ok_or_else(|| {
            Failure::missing(format!(
                "No identity provider has the identifier {}.",
                input.idp_identifier
            ))
        })
    })
    .await
}

/// Shows the provider that `find` finds; its secret only to who may change it anyway.
async fn look(
    call: Call,
    find: impl FnOnce(&mut Conn, &Reach) -> Result<Provider, Failure> + Send + 'static,
) -> Answer {
    let (sees, changes) = (call.caller.sees.clone(), call.caller.changes.clone());
    let sealer = call.broker.sealer.clone();
    call.look(move |conn| {
        let provider = find(conn, &sees)?;
        Ok(json!({ "IdentityProvider": shape(conn, &sealer, &changes, &provider)? }))
    })
    .await
}

/// Members that are left out stay as they are.
pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    check_reach(&call, &input.user_pool_id).await?;
    let (reach, wanted) = (
        call.caller.changes.clone(),
        (input.user_pool_id.clone(), input.provider_name.clone()),
    );
    let before = call
        .broker
        .db
        .read(move |conn| find_named(conn, &reach, &wanted.0, &wanted.1))
        .await?;
    let details = match &input.provider_details {
        None => None,
        Some(map) => {
            let details = Details::read(map, Some(&before))?;
            let endpoints = if details.leads_where(&before) {
                before.settings.endpoints.clone()
            } else {
                resolve(&call.broker, &details).await?
            };
            Some((details, endpoints))
        }
    };
    let allowed = call.broker.upstream.allowed().to_vec();
    call.act(move |conn, ctx, reach| {
        let id = find(conn, reach, &input)?.id;
        let old = providers::lock(conn, &id)?;
        let mut change = ProviderChange {
            identifiers: input.idp_identifiers.clone(),
            ..ProviderChange::default()
        };
        let mut settings = old.settings.0.clone();
        input.keep(&mut settings);
        if let Some((details, endpoints)) = details {
            change.issuer = Some(details.issuer.clone());
            // The secret that is there already is not entered anew, unless it shall go to another address from now on.
            let stays = details.issuer == old.issuer && endpoints == old.settings.endpoints;
            let held = secret_of(&ctx.sealer, &old)?;
            change.credentials.client_secret = details.client_secret.clone().filter(|given| {
                !stays || !held.is_some_and(|held| secret::equal(held.as_bytes(), given.as_bytes()))
            });
            details.apply(&mut settings, endpoints);
        }
        change.settings = Some(settings);
        let updated = providers::update(conn, ctx, &allowed, &old.id, change).map_err(refused)?;
        if updated.secret_cleared {
            return Err(Failure::invalid(
                "client_secret: is needed again, for it would go to another address from now on",
            ));
        }
        if let Some(wanted) = &input.attribute_mapping {
            remap(conn, ctx, &old.id, wanted)?;
        }
        Ok(json!({ "IdentityProvider": shape(conn, &ctx.sealer, reach, &updated.provider)? }))
    })
    .await
}

/// Saves a new version of the mapping when it says something new.
fn remap(
    conn: &mut Conn,
    ctx: &Ctx,
    provider_id: &str,
    wanted: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let current = mapping::current(conn, provider_id)?;
    let seen = current.as_ref().map_or(0, |current| current.version);
    let before = current.map(|current| current.rules.0).unwrap_or_default();
    let rules = words::rules(&before, wanted)?;
    if rules == before {
        return Ok(());
    }
    let save = Save {
        seen,
        rules,
        note: String::new(),
        accept_breaches: false,
    };
    mappings::save(conn, ctx, provider_id, save).map_err(refused)?;
    Ok(())
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let provider = find(conn, reach, &input)?;
        providers::delete(conn, ctx, &provider.id)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let id = call.pool_id();
    let sees = call.caller.sees.clone();
    let wanted = page::Wanted::of(&call, "ListIdentityProviders", "MaxResults", 50)?;
    call.look(move |conn| {
        pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let (providers, next) = wanted.cut(provider::list(conn, &id)?, |provider| provider.name.clone());
        let shown = providers
            .iter()
            .map(|provider| {
                json!({
                    "ProviderName": provider.name, "ProviderType": OIDC,
                    "CreationDate": wire::time(provider.created_at), "LastModifiedDate": wire::time(provider.updated_at),
                })
            })
            .collect();
        Ok(page::answer("Providers", shown, "NextToken", next))
    })
    .await
}

/// What the button says: the provider's name, as in Cognito.
fn label(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Whoever may not change the pool does not make us call anybody either.
async fn check_reach(call: &Call, pool_id: &str) -> Result<(), Failure> {
    let (reach, id) = (call.changes()?, pool_id.to_owned());
    call.broker
        .db
        .read(move |conn| match pool::find_within(conn, &reach, &id)? {
            Some(_) => Ok(()),
            None => Err(Failure::no_pool(&id)),
        })
        .await
}

/// By discovery, as long as the issuer publishes what is needed; else the addresses that were given by hand.
async fn resolve(broker: &Broker, details: &Details) -> Result<Option<Endpoints>, Failure> {
    issuer::check(&details.issuer, broker.upstream.allowed())
        .map_err(|why| Failure::invalid(format!("oidc_issuer: the issuer {why}")))?;
    let Err(failure) = broker.upstream.answers(&details.issuer).await else {
        return Ok(None);
    };
    details.endpoints().map(Some).map_err(|missing| {
        Failure::invalid(format!(
            "oidc_issuer: {} cannot be discovered ({failure}), and without that {missing} must be given",
            details.issuer
        ))
    })
}

fn find(conn: &mut Conn, reach: &Reach, input: &Input) -> Result<Provider, Failure> {
    find_named(conn, reach, &input.user_pool_id, &input.provider_name)
}

fn find_named(conn: &mut Conn, reach: &Reach, pool_id: &str, name: &str) -> Result<Provider, Failure> {
    pool::find_within(conn, reach, pool_id)?.ok_or_else(|| Failure::no_pool(pool_id))?;
    provider::find_by_name(conn, pool_id, name)?
        .ok_or_else(|| Failure::missing(format!("Identity provider {name} does not exist.")))
}

/// What is wrong with a provider is wrong with what was sent: nothing here gets better by being tried again.
fn refused(error: Error) -> Failure {
    match error {
        Error::Conflict(why) => Failure::invalid(why),
        Error::Invalid { field, why } => Failure::invalid(format!("{field}: {why}")),
        other => other.into(),
    }
}

fn secret_of(sealer: &Sealer, provider: &Provider) -> Result<Option<zeroize::Zeroizing<String>>, Failure> {
    Ok(broker::connection(sealer, provider.clone())?.client_secret)
}

/// The provider as `IdentityProviderType`. The secret stands in it for those who may change the pool: Terraform compares
/// it with what it has set, and a reader has no use for it.
fn shape(conn: &mut Conn, sealer: &Sealer, changes: &Reach, provider: &Provider) -> Result<Value, Failure> {
    let secret = if changes.has_pool(&provider.user_pool_id) {
        secret_of(sealer, provider)?
    } else {
        None
    };
    let details = words::shown(provider, secret.as_ref().map(|secret| secret.as_str()));
    let rules = mapping::current(conn, &provider.id)?
        .map(|current| current.rules.0)
        .unwrap_or_default();
    let stored = provider::identifiers(conn, &provider.id)?;
    let mut shown = json!({
        "UserPoolId": provider.user_pool_id,
        "ProviderName": provider.name,
        "ProviderType": OIDC,
        "ProviderDetails": details,
        "AttributeMapping": words::mapping_shown(&rules),
        "IdpIdentifiers": words::identifiers_shown(&provider.settings, stored),
        "CreationDate": wire::time(provider.created_at),
        "LastModifiedDate": wire::time(provider.updated_at),
    });
    if let Some(mapping) = provider.settings.cognito.get(words::ACR_MAPPING) {
        shown["AcrMapping"] = mapping.clone();
    }
    Ok(shown)
}
