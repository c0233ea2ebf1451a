//! Hooks: one function for each of Cognito's triggers, to be called between two transactions and never within one.
//!
//! A function whose trigger has no hook in the pool does nothing and waits for nothing; whether one has is read from the
//! cached pool. Every call leaves a step for the trace of the sign-in: the hook's id and what it said, no attribute, no
//! token, no secret.
//!
//! For somebody who comes from an upstream, in this order: [`inbound_federation`]; then at the first sign-in
//! [`pre_sign_up`] and, when the profile is there, [`post_confirmation`]; at a later one [`pre_authentication`] and
//! [`post_authentication`]; at last [`pre_token_generation`]. Who signs in with a password of ours has the latter three:
//! the first before it is checked, then [`after_password`].

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::{Broker, PoolFacts};
use crate::actions::hooks;
use crate::error::StoreError;
use crate::model::group::{self, Group};
use crate::model::hook::Binding;
use crate::model::lambda_config::{Trigger, Version};
use crate::model::overrides::Overrides;
use crate::model::trace::Step;
use crate::model::user::{self, Identity, User};
use crate::rules::claims;
use crate::rules::hook::{self, Event, Fault, FaultKind, Source, tokens};
use crate::rules::{secret, webhook};
use crate::seal::Sealer;
use crate::upstream::{self, HookCall, Upstream};
use crate::world::{Entropy, UnixTime};

/// What answers in a pool for each id of its `LambdaConfig`.
pub type Bound = HashMap<String, Address>;

/// A hook's address and what its calls are signed with.
pub struct Address {
    /// The binding's.
    pub id: String,
    url: Url,
    secret: Zeroizing<String>,
}

impl Address {
    /// `None` when the secret does not open under this root key: the hook is then as good as unbound.
    pub fn of(sealer: &Sealer, binding: &Binding) -> Option<Address> {
        Some(Address {
            id: binding.id.clone(),
            url: Url::parse(&binding.url).ok()?,
            secret: hooks::open_secret(sealer, binding).ok()?,
        })
    }
}

/// On whose behalf hooks are called, and what came of it so far.
pub struct Visit<'a> {
    pub broker: &'a Broker,
    pub pool: &'a PoolFacts,
    pub client_id: &'a str,
    /// `ClientMetadata` of an API call; the hosted flow has none.
    pub client_metadata: Value,
    /// `ValidationData` of an API call; the hosted flow has none.
    pub validation_data: Value,
    /// For the trace.
    pub steps: Vec<Step>,
}

impl<'a> Visit<'a> {
    /// One of the hosted flow or the token endpoint.
    pub fn new(broker: &'a Broker, pool: &'a PoolFacts, client_id: &'a str) -> Visit<'a> {
        Visit {
            broker,
            pool,
            client_id,
            client_metadata: json!({}),
            validation_data: json!({}),
            steps: Vec::new(),
        }
    }

    fn has(&self, trigger: Trigger) -> bool {
        self.pool.pool.settings.lambda.arn(trigger).is_some()
    }

    async fn call(
        &mut self,
        source: Source,
        username: &str,
        request: Value,
        response: Value,
    ) -> Result<Map<String, Value>, Fault> {
        self.call_version("1", source, username, request, response).await
    }

    async fn call_version(
        &mut self,
        version: &'static str,
        source: Source,
        username: &str,
        request: Value,
        response: Value,
    ) -> Result<Map<String, Value>, Fault> {
        let trigger = source.trigger();
        let lambda = &self.pool.pool.settings.lambda;
        let Some(arn) = lambda.arn(trigger) else {
            return Ok(Map::new());
        };
        let event = Event {
            source,
            version,
            user_pool_id: &self.pool.pool.id,
            client_id: self.client_id,
            username,
            request,
            response,
        };
        let outcome = match self.pool.hooks.get(arn) {
            Some(address) => {
                let Broker {
                    upstream,
                    entropy,
                    clock,
                    ..
                } = self.broker;
                send(upstream, entropy, clock.now(), address, trigger, &event.body()).await
            }
            None => Err(Fault {
                trigger,
                kind: FaultKind::Unreachable("no address is bound to it: forebay hook bind".into()),
            }),
        };
        match &outcome {
            Ok(_) => self.note(trigger, true, format!("{arn} answered")),
            Err(fault) => self.failed(fault, arn),
        }
        outcome
    }

    fn note(&mut self, trigger: Trigger, passed: bool, detail: String) {
        self.steps.push(Step {
            name: format!("hook.{trigger}"),
            passed,
            detail,
        });
    }

    fn failed(&mut self, fault: &Fault, arn: &str) {
        let (pool, detail) = (&self.pool.pool.id, fault.detail());
        tracing::info!(
            pool, arn, trigger = %fault.trigger, exception = fault.exception(), detail, "a hook stopped a sign-in"
        );
        self.note(fault.trigger, false, format!("{arn}: {detail}"));
    }

    /// An answer that arrived and cannot be used after all.
    fn malformed(&mut self, trigger: Trigger, why: String) -> Fault {
        let fault = Fault {
            trigger,
            kind: FaultKind::Malformed(why),
        };
        let arn = self
            .pool
            .pool
            .settings
            .lambda
            .arn(trigger)
            .unwrap_or_default()
            .to_owned();
        self.steps.pop();
        self.failed(&fault, &arn);
        fault
    }
}

/// Calls an address, signed with its secret.
pub async fn send(
    upstream: &Upstream,
    entropy: &Entropy,
    now: UnixTime,
    address: &Address,
    trigger: Trigger,
    body: &str,
) -> Result<Map<String, Value>, Fault> {
    let id = format!("msg_{}", secret::lower(entropy, 26));
    let headers = webhook::headers(&address.secret, &id, now, body);
    let call = HookCall {
        trigger,
        name: &address.id,
        url: &address.url,
        headers: &headers,
        body,
    };
    upstream.call_hook(&call).await
}

/// Calls a hook as a sign-in of somebody would whom no pool has, for an administrator who tries it.
pub async fn try_out(
    upstream: &Upstream,
    entropy: &Entropy,
    now: UnixTime,
    address: &Address,
    user_pool_id: Option<&str>,
) -> Result<(), Fault> {
    let event = Event {
        source: Source::PreAuthentication,
        version: "1",
        user_pool_id: user_pool_id.unwrap_or("forebay_test"),
        client_id: "forebay-test",
        username: "forebay-test",
        request: json!({ "userAttributes": {}, "validationData": {}, "userNotFound": true }),
        response: json!({}),
    };
    let trigger = Trigger::PreAuthentication;
    send(upstream, entropy, now, address, trigger, &event.body()).await?;
    Ok(())
}

/// What the upstream said, before anything is made of it: gives what is to be mapped instead, if something is. Who it is
/// about stays the subject that was proven, whatever the answer names.
pub async fn inbound_federation(
    visit: &mut Visit<'_>,
    username: &str,
    provider_name: &str,
    identity: &upstream::Identity,
) -> Result<Option<Map<String, Value>>, Fault> {
    if !visit.has(Trigger::InboundFederation) {
        return Ok(None);
    }
    let sources = identity.sources.as_ref();
    let access_token = sources.and_then(|sources| sources.access_token.as_deref());
    let mut attributes = json!({
        "tokenResponse": { "access_token": access_token, "id_token": identity.id_token.as_str(), "token_type": "Bearer" },
        "idToken": sources.map(|sources| &sources.id_token),
        "userInfo": sources.map(|sources| &sources.userinfo),
    });
    if let Some(profile) = sources.and_then(|sources| sources.okta_profile.as_ref()) {
        attributes["oktaProfile"] = profile.clone();
    }
    let request = json!({
        "providerName": provider_name,
        "providerType": "OIDC",
        "attributes": attributes,
    });
    let response = json!({ "userAttributesToMap": {} });
    let answer = visit
        .call(Source::InboundFederation, username, request, response)
        .await?;
    hook::attributes_to_map(&answer)
        .map_err(|fault| visit.malformed(Trigger::InboundFederation, fault.detail().to_owned()))
}

/// Before a profile is made. `attributes` are those that it will have. Whether it is to be confirmed or verified without
/// further ado, which the hook may say, matters to nobody who comes from an upstream or whom an administrator makes.
pub async fn pre_sign_up(
    visit: &mut Visit<'_>,
    source: Source,
    username: &str,
    attributes: &Map<String, Value>,
) -> Result<(), Fault> {
    if !visit.has(Trigger::PreSignUp) {
        return Ok(());
    }
    let request = json!({
        "userAttributes": hook::new_user_attributes(attributes),
        "validationData": visit.validation_data, "clientMetadata": visit.client_metadata,
    });
    let response = json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false });
    let answer = visit.call(source, username, request, response).await?;
    for name in ["autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone"] {
        if !matches!(answer.get(name), None | Some(Value::Null | Value::Bool(_))) {
            return Err(visit.malformed(Trigger::PreSignUp, format!("{name} is not a boolean")));
        }
    }
    Ok(())
}

/// After a profile was made and confirmed. The profile stays, whatever the hook says; the sign-in does not go on.
pub async fn post_confirmation(
    visit: &mut Visit<'_>,
    user: &User,
    identities: &[Identity],
) -> Result<(), Fault> {
    if !visit.has(Trigger::PostConfirmation) {
        return Ok(());
    }
    let request = json!({
        "userAttributes": hook::user_attributes(user, identities), "clientMetadata": visit.client_metadata,
    });
    visit
        .call(Source::ConfirmSignUp, &user.username, request, json!({}))
        .await?;
    Ok(())
}

/// Before somebody gets in; for a password, before it is checked. `None`: nobody has that name, which the hook is asked
/// about all the same, so that neither an answer nor the time it takes tells strangers who exists.
pub async fn pre_authentication(
    visit: &mut Visit<'_>,
    username: &str,
    user: Option<(&User, &[Identity])>,
) -> Result<(), Fault> {
    if !visit.has(Trigger::PreAuthentication) {
        return Ok(());
    }
    let attributes = user.map(|(user, identities)| hook::user_attributes(user, identities));
    let request = json!({
        "userAttributes": attributes.unwrap_or_default(), "validationData": visit.validation_data,
        "userNotFound": user.is_none(),
    });
    visit
        .call(Source::PreAuthentication, username, request, json!({}))
        .await?;
    Ok(())
}

/// After somebody who is known has proved who they are, before there are tokens.
pub async fn post_authentication(
    visit: &mut Visit<'_>,
    user: &User,
    identities: &[Identity],
) -> Result<(), Fault> {
    if !visit.has(Trigger::PostAuthentication) {
        return Ok(());
    }
    let request = json!({
        "userAttributes": hook::user_attributes(user, identities), "newDeviceUsed": false,
        "clientMetadata": visit.client_metadata,
    });
    visit
        .call(Source::PostAuthentication, &user.username, request, json!({}))
        .await?;
    Ok(())
}

/// Whom tokens are made for.
pub struct Bearer<'a> {
    pub user: &'a User,
    pub groups: &'a [Group],
    pub identities: &'a [Identity],
}

/// Once a password of ours was right and nothing has been made of it yet: post authentication, then what is to be
/// otherwise in the tokens.
pub async fn after_password(
    visit: &mut Visit<'_>,
    source: Source,
    user: &User,
    scopes: &[String],
) -> Result<Result<Option<Overrides>, Fault>, StoreError> {
    let lambda = &visit.pool.pool.settings.lambda;
    if lambda.post_authentication.is_none() && lambda.token_generation().is_none() {
        return Ok(Ok(None));
    }
    let (groups, identities) = belongings(visit.broker, user).await?;
    let bearer = Bearer {
        user,
        groups: &groups,
        identities: &identities,
    };
    if let Err(fault) = post_authentication(visit, user, &identities).await {
        return Ok(Err(fault));
    }
    Ok(pre_token_generation(visit, source, &bearer, scopes).await)
}

/// What hooks are told of a user beside the profile.
pub async fn belongings(broker: &Broker, user: &User) -> Result<(Vec<Group>, Vec<Identity>), StoreError> {
    let sub = user.sub.clone();
    broker
        .db
        .read(move |conn| Ok((group::of_user(conn, &sub)?, user::identities(conn, &sub)?)))
        .await
}

/// Before tokens are made for a user: gives what is to be otherwise in them, for `Granted::overrides` of what they are
/// minted from.
pub async fn pre_token_generation(
    visit: &mut Visit<'_>,
    source: Source,
    bearer: &Bearer<'_>,
    scopes: &[String],
) -> Result<Option<Overrides>, Fault> {
    let Some((_, version)) = visit.pool.pool.settings.lambda.token_generation() else {
        return Ok(None);
    };
    let mut request = json!({
        "userAttributes": hook::user_attributes(bearer.user, bearer.identities),
        "groupConfiguration": claims::group_configuration(bearer.groups),
        "clientMetadata": visit.client_metadata,
    });
    if version != Version::V1 {
        request["scopes"] = json!(scopes);
    }
    overrides(visit, source, version, &bearer.user.username, request).await
}

/// The same for a client's token for itself, of which only the third version of the event is told.
pub async fn pre_client_token_generation(
    visit: &mut Visit<'_>,
    scopes: &[String],
) -> Result<Option<Overrides>, Fault> {
    let Some((_, Version::V3)) = visit.pool.pool.settings.lambda.token_generation() else {
        return Ok(None);
    };
    let request = json!({
        "userAttributes": {}, "groupConfiguration": null, "scopes": scopes, "clientMetadata": visit.client_metadata,
    });
    let source = Source::TokensClientCredentials;
    overrides(visit, source, Version::V3, "ClientCredentials", request).await
}

async fn overrides(
    visit: &mut Visit<'_>,
    source: Source,
    version: Version,
    username: &str,
    request: Value,
) -> Result<Option<Overrides>, Fault> {
    let (number, member) = match version {
        Version::V1 => ("1", "claimsOverrideDetails"),
        Version::V2 => ("2", "claimsAndScopeOverrideDetails"),
        Version::V3 => ("3", "claimsAndScopeOverrideDetails"),
    };
    let answer = visit
        .call_version(number, source, username, request, json!({ member: null }))
        .await?;
    let trigger = Trigger::PreTokenGeneration;
    let read = match tokens::read(version, visit.client_id, &answer) {
        Ok(read) => read,
        Err(why) => return Err(visit.malformed(trigger, why)),
    };
    if !read.ignored.is_empty() {
        let names = crate::rules::upstream_error::plain(&read.ignored.join(", "), 200);
        visit.note(
            trigger,
            true,
            format!("left out, because they are ours alone: {names}"),
        );
    }
    Ok(read.overrides)
}
