//! The domains of user pools. A certificate is the reverse proxy's business here: its ARN is kept and shown again.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{Answer, Call};
use crate::actions::domains;
use crate::model::domain::{self, Domain, Settings};
use crate::model::pool;
use crate::rules::domain::Place;

/// Members that are kept as they are set.
const KEPT: [&str; 2] = ["ManagedLoginVersion", "CustomDomainConfig"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    domain: String,
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    let settings = settings(&call.input)?;
    if input.domain.contains('.') != settings.cognito.contains_key("CustomDomainConfig") {
        return Err(Failure::invalid(
            "Domain: a domain of your own has CustomDomainConfig, a prefix has no dot and none",
        ));
    }
    let place = call.broker.place.clone();
    call.act(move |conn, ctx, reach| {
        let id = &input.user_pool_id;
        pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))?;
        // Nobody proves here that a name is theirs: it is taken on the word of whoever runs the installation.
        if input.domain.contains('.') && !reach.everything {
            return Err(Failure::new(
                "NotAuthorizedException",
                "A domain of your own is given by a credential that reaches every pool; this one may take a prefix",
            ));
        }
        let made = domains::create(conn, ctx, &place, id, &input.domain, settings)?;
        Ok(answer(&place, &made))
    })
    .await
}

/// A domain that is nobody's, or out of reach, is described as nothing at all; so Terraform knows that it is gone.
pub async fn describe(call: Call) -> Answer {
    let input: Input = call.read()?;
    let (sees, place) = (call.caller.sees.clone(), call.broker.place.clone());
    call.look(move |conn| {
        let found = domain::find_within(conn, &sees, &input.domain)?;
        let shown = found.map_or_else(|| json!({}), |domain| shape(&place, &domain));
        Ok(json!({ "DomainDescription": shown }))
    })
    .await
}

pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    let settings = settings(&call.input)?;
    let place = call.broker.place.clone();
    call.act(move |conn, ctx, reach| {
        let id = &input.user_pool_id;
        pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))?;
        let mut old = domains::find_within(conn, reach, &input.domain)?;
        if old.user_pool_id != *id {
            return Err(Failure::missing(format!(
                "Domain {} does not exist.",
                input.domain
            )));
        }
        old.settings.cognito.extend(settings.cognito);
        let updated = domains::update(conn, ctx, reach, &input.domain, old.settings.0)?;
        Ok(answer(&place, &updated))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let id = &input.user_pool_id;
        pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))?;
        let found = domains::find_within(conn, reach, &input.domain)?;
        if found.user_pool_id != *id {
            return Err(Failure::missing(format!(
                "Domain {} does not exist.",
                input.domain
            )));
        }
        domains::delete(conn, ctx, reach, &input.domain)?;
        Ok(json!({}))
    })
    .await
}

fn settings(input: &Map<String, Value>) -> Result<Settings, Failure> {
    if input.get("Routing").is_some_and(|routing| !routing.is_null()) {
        return Err(Failure::invalid(
            "Routing: there is one region here, and no failover",
        ));
    }
    if let Some(version) = input.get("ManagedLoginVersion").and_then(Value::as_i64)
        && !(1..=2).contains(&version)
    {
        return Err(Failure::invalid("ManagedLoginVersion: must be 1 or 2"));
    }
    let kept = KEPT.iter().filter_map(|name| {
        let value = input.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    Ok(Settings {
        cognito: kept.collect(),
    })
}

fn version(domain: &Domain) -> Value {
    let set = domain.settings.cognito.get("ManagedLoginVersion");
    set.cloned().unwrap_or_else(|| json!(1))
}

/// What making and changing one says: for a domain of their own, the name to point it at.
fn answer(place: &Place, domain: &Domain) -> Value {
    let mut answer = json!({ "ManagedLoginVersion": version(domain) });
    if domain.is_custom() {
        answer["CloudFrontDomain"] = json!(place.host());
    }
    answer
}

/// The domain as `DomainDescriptionType`.
fn shape(place: &Place, domain: &Domain) -> Value {
    let changed = DateTime::from_timestamp(domain.updated_at.0, 0).unwrap_or_default();
    let mut shown = json!({
        "UserPoolId": domain.user_pool_id,
        "AWSAccountId": "000000000000",
        "Domain": domain.name,
        "CloudFrontDistribution": place.host(),
        "Version": changed.format("%Y%m%d%H%M%S").to_string(),
        "Status": "ACTIVE",
        "ManagedLoginVersion": version(domain),
    });
    // Left out of a prefix: the model has no CustomDomainConfig without its certificate.
    if let Some(custom) = domain.settings.cognito.get("CustomDomainConfig") {
        shown["CustomDomainConfig"] = custom.clone();
    }
    shown
}
