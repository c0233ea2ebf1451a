//! The way of a connection from a draft to being live, and of its next secret to being the present one.
//!
//! A draft is offered by no app: it is not enabled, and no client lists it. It goes live when somebody says so, mostly
//! after a test sign-in has passed on the configuration as it stands.

use serde_json::json;

use super::{
    NEXT_SECRET_PURPOSE, SECRET_PURPOSE, check_issuer, insert_under_free_slug, lock, missing,
    require_credentials,
};
use crate::actions::admins::single_sign_on::is_console;
use crate::actions::okta_api::{self, Granted};
use crate::actions::webhooks::{self, Event};
use crate::actions::{Ctx, clients, enforcement, mappings, pools, record, tenants};
use crate::config::AllowedHost;
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::client::{self, Client, Flow};
use crate::model::provider::{self, Provider, Settings, TokenIn};
use crate::model::reach::Reach;
use crate::model::single_use::{self, SingleUse};
use crate::model::tenant_domain;
use crate::rules::connection;
use crate::rules::mapping::usual;
use crate::rules::registration::client::NATIVE;
use crate::rules::registration::provider as rules;
use crate::rules::secret;
use crate::seal::Label;

/// What a test sign-in found is kept and sealed under this purpose.
pub const TEST_PURPOSE: &str = "test-sign-in";
/// And for so long.
const TEST_SECONDS: i64 = 600;

/// A connection to begin with: where it leads, and whose it is.
#[derive(Clone, Debug)]
pub struct NewDraft {
    pub user_pool_id: String,
    pub tenant_id: Option<String>,
    pub name: String,
    pub issuer: String,
    /// It takes ID tokens that apps bring, instead of sending people upstream.
    pub token_in: bool,
    /// A tenant's own administrator asks.
    pub by_tenant: bool,
}

/// Makes a connection that nobody is offered yet, with the usual mapping.
pub fn draft(conn: &mut Conn, ctx: &Ctx, allowed: &[AllowedHost], new: NewDraft) -> Result<Provider, Error> {
    let pool = pools::find(conn, &new.user_pool_id)?;
    if let Some(id) = &new.tenant_id {
        let tenant = tenants::find(conn, &Reach::everything(), id)?;
        if tenant.user_pool_id != pool.id {
            return Err(Error::invalid("tenant", "belongs to another pool"));
        }
    }
    rules::name(&new.name)?;
    check_issuer(&new.issuer, allowed)?;
    if new.by_tenant {
        let proven = match &new.tenant_id {
            Some(id) => tenant_domain::proven_of_tenant(conn, id)?,
            None => Vec::new(),
        };
        connection::check_tenants_issuer(&new.issuer, allowed, &proven)
            .map_err(|why| Error::invalid("issuer", why))?;
    }
    if provider::find_by_name(conn, &pool.id, &new.name)?.is_some() {
        return Err(Error::exists("identity provider", new.name));
    }
    let mut provider = Provider {
        id: String::new(),
        user_pool_id: pool.id,
        name: new.name,
        issuer: new.issuer,
        enabled: false,
        settings: Json(Settings {
            token_in: new.token_in.then(TokenIn::default),
            ..Settings::default()
        }),
        client_secret_sealed: None,
        private_key_sealed: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        tenant_id: new.tenant_id,
        tested_at: None,
        live_since: None,
        next_secret_sealed: None,
        secret_expires_at: None,
        next_secret_expires_at: None,
    };
    insert_under_free_slug(conn, ctx, &mut provider, None, &super::Credentials::default())?;
    mappings::insert_version(conn, ctx, &provider, 1, &usual(), "")?;
    record(
        conn,
        ctx,
        "provider.draft",
        Some(&provider.user_pool_id),
        &provider.id,
        json!({ "name": provider.name, "issuer": provider.issuer, "tenant": provider.tenant_id }),
    )?;
    Ok(provider)
}

/// An app client that a connection may be given to when it goes live.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub client: Client,
    /// Its users come through connections already, so they probably want this one, too.
    pub federates: bool,
}

/// The clients of the connection's pool that could offer it, without the console itself. A tenant's own administrator gives
/// it only to those that offer connections anyway: which other apps there are is not theirs to know.
pub fn receivers(conn: &mut Conn, provider: &Provider, by_tenant: bool) -> Result<Vec<Receiver>, StoreError> {
    let clients = client::list(conn, &provider.user_pool_id)?;
    Ok(clients
        .into_iter()
        .filter(|client| {
            let flows = &client.settings.flows;
            let takes = match provider.settings.token_in {
                Some(_) => client.settings.token_exchange,
                None => flows.contains(&Flow::Code) || flows.contains(&Flow::Implicit),
            };
            client.enabled && !is_console(client) && takes
        })
        .map(|client| Receiver {
            federates: client.settings.providers.iter().any(|name| name != NATIVE),
            client,
        })
        .filter(|receiver| receiver.federates || !by_tenant)
        .collect())
}

/// How a connection goes live.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Ids of the clients that offer it from now on.
    pub clients: Vec<String>,
    /// Without a test sign-in on this configuration.
    pub untested: bool,
    pub by_tenant: bool,
}

/// Switches a draft on and gives it to clients.
pub fn go_live(conn: &mut Conn, ctx: &Ctx, id: &str, delivery: &Delivery) -> Result<Provider, Error> {
    let mut provider = lock(conn, id)?;
    if provider.live_since.is_some() {
        return Err(Error::Conflict(format!(
            "'{}' has gone live already",
            provider.name
        )));
    }
    if delivery.by_tenant && provider.settings.token_in.is_some() {
        return Err(Error::Conflict(format!(
            "'{}' takes ID tokens, and no secret shows that the Okta behind it is yours: an operator of this server looks at \
             it and lets it go live",
            provider.name
        )));
    }
    rules::client_id(&provider.settings.client_id)?;
    rules::token_in(&provider.issuer, &provider.settings)?;
    rules::okta_api(&provider.issuer, &provider.settings)?;
    require_credentials(
        &provider.settings,
        provider.client_secret_sealed.is_some(),
        provider.private_key_sealed.is_some(),
    )?;
    if provider.tested_at.is_none() && !delivery.untested {
        return Err(Error::Conflict(format!(
            "no {} has passed on the configuration of '{}' as it stands: make one first",
            match provider.settings.token_in {
                Some(_) => "check",
                None => "test sign-in",
            },
            provider.name
        )));
    }
    let offered = receivers(conn, &provider, delivery.by_tenant)?;
    for id in &delivery.clients {
        if !offered.iter().any(|receiver| receiver.client.id == *id) {
            return Err(Error::not_found("app client", id));
        }
        let mut client = clients::lock(conn, id)?;
        if !client.settings.providers.contains(&provider.name) {
            client.settings.providers.push(provider.name.clone());
            client.updated_at = ctx.now;
            client::update(conn, &client)?;
        }
    }
    provider.enabled = true;
    provider.live_since = Some(ctx.now);
    provider.updated_at = ctx.now;
    let provider = provider::update(conn, &provider)?.ok_or_else(|| missing(id))?;
    record(
        conn,
        ctx,
        "provider.live",
        Some(&provider.user_pool_id),
        id,
        json!({ "tested_at": provider.tested_at, "given_to_clients": delivery.clients }),
    )?;
    let data = json!({
        "connection": { "id": provider.id, "name": provider.name, "issuer": provider.issuer },
        "user_pool_id": provider.user_pool_id,
        "tenant": provider.tenant_id,
    });
    let tenant = provider.tenant_id.as_deref();
    webhooks::emit(
        conn,
        ctx,
        &provider.user_pool_id,
        tenant,
        Event::ConnectionLive,
        &data,
    )?;
    Ok(provider)
}

/// Makes the next secret the present one, if both are still those of `seen`: another node may have been faster, or an
/// administrator may have entered another one. False when there was nothing to do.
pub fn promote_next_secret(conn: &mut Conn, ctx: &Ctx, seen: &Provider) -> Result<bool, Error> {
    let (Some(present), Some(next)) = (&seen.client_secret_sealed, &seen.next_secret_sealed) else {
        return Ok(false);
    };
    let label = |purpose| Label {
        purpose,
        scope: &seen.user_pool_id,
        name: &seen.id,
    };
    let secret = ctx
        .sealer
        .open(label(NEXT_SECRET_PURPOSE), next)
        .map_err(|_| StoreError::Unreadable(format!("{NEXT_SECRET_PURPOSE} of connection {}", seen.id)))?;
    let resealed = ctx.sealer.seal(label(SECRET_PURPOSE), &secret);
    if !provider::promote_next_secret(conn, &seen.id, present, next, &resealed, ctx.now)? {
        return Ok(false);
    }
    record(
        conn,
        ctx,
        "provider.secret.promote",
        Some(&seen.user_pool_id),
        &seen.id,
        json!({ "client_secret": "the next one" }),
    )?;
    Ok(true)
}

/// How a test sign-in ended.
#[derive(Clone)]
pub struct TestEnd {
    pub provider_id: String,
    /// What may be changed by the administrator who made it.
    pub reach: Reach,
    /// The configuration that was tested.
    pub fingerprint: String,
    /// The administrator's session, which alone may see the result.
    pub session_id: String,
    /// The upstream `state`, which names the result.
    pub state: String,
    pub passed: bool,
    /// Stable name of what went wrong.
    pub cause: String,
    /// What was found, to be sealed.
    pub result: Vec<u8>,
    pub administrator_id: String,
    /// What was granted of Okta's own API, where that was asked for.
    pub granted: Option<Granted>,
}

/// Keeps the result of a test sign-in for ten minutes. When it passed on the configuration as it stands now, the
/// connection counts as tested.
pub fn keep_test(conn: &mut Conn, ctx: &Ctx, end: TestEnd) -> Result<(), Error> {
    let id = &end.provider_id;
    provider::find_within(conn, &end.reach, id)?.ok_or_else(|| missing(id))?;
    // Held, so that nobody changes what was tested in between.
    let provider = lock(conn, id)?;
    let label = Label {
        purpose: TEST_PURPOSE,
        scope: &provider.user_pool_id,
        name: id,
    };
    let hash = secret::hash(&end.state);
    if single_use::find(conn, &hash, TEST_PURPOSE, ctx.now)?.is_some() {
        // The same answer has reached another node as well, and that one was faster.
        return Ok(());
    }
    let is_as_tested = connection::fingerprint(&provider) == end.fingerprint;
    let counts = end.passed && is_as_tested;
    if let Some(granted) = end.granted.filter(|_| is_as_tested) {
        okta_api::keep_tested(conn, ctx, &provider, &end.administrator_id, &granted)?;
    }
    if counts {
        provider::set_tested(conn, id, ctx.now)?;
        enforcement::note_test(conn, ctx, &provider)?;
    }
    single_use::insert(
        conn,
        &SingleUse {
            hash,
            purpose: TEST_PURPOSE.into(),
            subject: end.session_id,
            sealed: Some(ctx.sealer.seal(label, &end.result)),
            created_at: ctx.now,
            expires_at: ctx.now.plus(TEST_SECONDS),
            used_at: None,
        },
    )?;
    record(
        conn,
        ctx,
        "provider.test",
        Some(&provider.user_pool_id),
        id,
        json!({ "passed": end.passed, "cause": end.cause, "counts": counts }),
    )?;
    Ok(())
}

/// Every stage of a check has passed. Where nobody is sent upstream no test sign-in can be made, and this is the test: it
/// counts for the configuration that was checked.
pub fn passed_check(conn: &mut Conn, ctx: &Ctx, reach: &Reach, seen: &Provider) -> Result<(), Error> {
    let id = &seen.id;
    provider::find_within(conn, reach, id)?.ok_or_else(|| missing(id))?;
    let provider = lock(conn, id)?;
    let counts = connection::fingerprint(&provider) == connection::fingerprint(seen);
    if counts {
        provider::set_tested(conn, id, ctx.now)?;
    }
    record(
        conn,
        ctx,
        "provider.check",
        Some(&provider.user_pool_id),
        id,
        json!({ "passed": true, "counts": counts }),
    )?;
    Ok(())
}
