//! Connections to upstream providers: made, changed, deleted; their identifiers. Their mappings are saved by
//! [`mappings`]; how they come from a draft to being live is in `lifecycle`.
//!
//! A stored secret belongs to the URLs it was entered for. When those change it is forgotten, or the next sign-in would
//! send it to whoever the new URL belongs to. A test belongs to the configuration it was made on, likewise.

mod lifecycle;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Ctx, difference, mappings, okta_api, pools, record, record_for};
use crate::config::AllowedHost;
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::client;
use crate::model::mapping::Rules;
use crate::model::provider::{self, ClientAuth, Provider, Settings};
use crate::model::tenant_domain::{self, Proven};
use crate::rules::connection;
use crate::rules::registration::{issuer, provider as rules};
use crate::rules::{jwks, secret};
use crate::seal::Label;
use crate::world::UnixTime;

pub use lifecycle::{
    Delivery, NewDraft, TEST_PURPOSE, TestEnd, draft, go_live, keep_test, passed_check, promote_next_secret,
    receivers,
};

/// Sealing purposes of what a connection holds; the pool is the scope, the provider's id the name.
pub const SECRET_PURPOSE: &str = "client-secret";
pub const NEXT_SECRET_PURPOSE: &str = "client-secret-next";
pub const KEY_PURPOSE: &str = "client-key";

/// Numbered slugs that are tried before a random one.
const NUMBERED: usize = 9;
/// Upstream client secrets are of their making: only the length is bounded.
const LONGEST_SECRET: usize = 2048;

/// How we prove ourselves upstream; what is `None` is not given.
#[derive(Clone, Default)]
pub struct Credentials {
    pub client_secret: Option<Zeroizing<String>>,
    /// An RSA key in PEM.
    pub private_key: Option<Zeroizing<String>>,
    /// The client secret that takes over once the upstream refuses the present one.
    pub next_secret: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_secret", &self.client_secret.is_some())
            .field("private_key", &self.private_key.is_some())
            .field("next_secret", &self.next_secret.is_some())
            .finish()
    }
}

/// A connection to make.
#[derive(Clone, Debug)]
pub struct NewProvider {
    pub user_pool_id: String,
    pub name: String,
    /// `None`: made of the name.
    pub slug: Option<String>,
    pub issuer: String,
    pub settings: Settings,
    pub credentials: Credentials,
    pub identifiers: Vec<String>,
    pub rules: Rules,
}

/// What to change; `None` leaves as it is. `settings` replaces all of them. The name is part of usernames and stays.
#[derive(Clone, Debug, Default)]
pub struct ProviderChange {
    pub issuer: Option<String>,
    pub enabled: Option<bool>,
    pub settings: Option<Settings>,
    pub credentials: Credentials,
    /// The next client secret is not wanted any more.
    pub forget_next_secret: bool,
    pub expiries: Expiries,
    pub identifiers: Option<Vec<String>>,
    /// A tenant's own administrator asks: only a host that Okta operates, and endpoints by discovery.
    pub by_tenant: bool,
}

/// When the client secrets expire at the upstream, as far as somebody said so: `None` leaves it, `Some(None)` is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expiries {
    pub secret: Option<Option<UnixTime>>,
    pub next_secret: Option<Option<UnixTime>>,
}

/// A changed connection.
#[derive(Clone, Debug)]
pub struct Updated {
    pub provider: Provider,
    /// The stored client secret was forgotten, because issuer or endpoints changed and it was not entered again.
    pub secret_cleared: bool,
}

/// Makes a connection with its identifiers and the first version of its mapping.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    allowed: &[AllowedHost],
    new: NewProvider,
) -> Result<Provider, Error> {
    require_credentials(
        &new.settings,
        new.credentials.client_secret.is_some(),
        new.credentials.private_key.is_some(),
    )?;
    insert(conn, ctx, allowed, new, None, true)
}

/// Makes a connection of another installation here, a tenant's or the pool's own. What comes without its credentials is
/// not live: nobody could sign in.
pub fn move_in(
    conn: &mut Conn,
    ctx: &Ctx,
    allowed: &[AllowedHost],
    new: NewProvider,
    tenant_id: Option<String>,
    live: bool,
) -> Result<Provider, Error> {
    let complete = require_credentials(
        &new.settings,
        new.credentials.client_secret.is_some(),
        new.credentials.private_key.is_some(),
    );
    insert(conn, ctx, allowed, new, tenant_id, live && complete.is_ok())
}

fn insert(
    conn: &mut Conn,
    ctx: &Ctx,
    allowed: &[AllowedHost],
    new: NewProvider,
    tenant_id: Option<String>,
    live: bool,
) -> Result<Provider, Error> {
    let pool = pools::find(conn, &new.user_pool_id)?;
    rules::name(&new.name)?;
    check_issuer(&new.issuer, allowed)?;
    rules::settings(&new.settings, allowed)?;
    rules::token_in(&new.issuer, &new.settings)?;
    rules::okta_api(&new.issuer, &new.settings)?;
    check_credentials(&new.credentials)?;
    let identifiers = rules::identifiers(&new.identifiers)?;
    mappings::check_rules(&new.rules, &pool.settings)?;
    if provider::find_by_name(conn, &pool.id, &new.name)?.is_some() {
        return Err(Error::exists("identity provider", new.name));
    }
    let mut provider = Provider {
        id: String::new(),
        user_pool_id: pool.id,
        name: new.name,
        issuer: new.issuer,
        enabled: live,
        settings: Json(new.settings),
        client_secret_sealed: None,
        private_key_sealed: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        tenant_id,
        tested_at: None,
        live_since: live.then_some(ctx.now),
        next_secret_sealed: None,
        secret_expires_at: None,
        next_secret_expires_at: None,
    };
    insert_under_free_slug(conn, ctx, &mut provider, new.slug, &new.credentials)?;
    set_identifiers(conn, &provider, &identifiers)?;
    if new.rules != Rules::default() {
        mappings::insert_version(conn, ctx, &provider, 1, &new.rules, "")?;
    }
    record(
        conn,
        ctx,
        "provider.create",
        Some(&provider.user_pool_id),
        &provider.id,
        json!({ "provider": shape(&provider), "identifiers": identifiers, "mapping": new.rules }),
    )?;
    Ok(provider)
}

/// Changes a connection. The issuer of one that people have signed in through stays: with another issuer they would be
/// other people.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    allowed: &[AllowedHost],
    id: &str,
    change: ProviderChange,
) -> Result<Updated, Error> {
    let old = lock(conn, id)?;
    let mut new = old.clone();
    if let Some(issuer) = change.issuer {
        check_issuer(&issuer, allowed)?;
        new.issuer = issuer;
    }
    if let Some(settings) = change.settings {
        rules::settings(&settings, allowed)?;
        new.settings = Json(settings);
    }
    rules::token_in(&new.issuer, &new.settings)?;
    if new.tenant_id.is_some() && new.settings.shared_callback && !old.settings.shared_callback {
        return Err(Error::invalid(
            "shared_callback",
            "is for the pool's own connections: one callback for parties that do not trust each other lets one take the \
             other's codes",
        ));
    }
    rules::okta_api(&new.issuer, &new.settings)?;
    if change.by_tenant {
        let proven = match &old.tenant_id {
            Some(id) => tenant_domain::proven_of_tenant(conn, id)?,
            None => Vec::new(),
        };
        check_tenants_choice(&old, &new, allowed, &proven)?;
    }
    if let Some(enabled) = change.enabled {
        new.enabled = enabled;
        new.live_since = new.live_since.or(enabled.then_some(ctx.now));
    }
    if new.issuer != old.issuer && provider::has_identities(conn, id)? {
        return Err(Error::Conflict(format!(
            "people have signed in through '{}' with issuer {}; under another issuer they would be strangers. Make a \
             second identity provider for {} and retire this one",
            old.name, old.issuer, new.issuer
        )));
    }
    check_credentials(&change.credentials)?;
    let moved = new.issuer != old.issuer || new.settings.endpoints != old.settings.endpoints;
    let secret_cleared =
        moved && change.credentials.client_secret.is_none() && old.client_secret_sealed.is_some();
    if secret_cleared {
        new.client_secret_sealed = None;
    }
    // A date belongs to the secret that it was said of.
    if secret_cleared || change.credentials.client_secret.is_some() {
        new.secret_expires_at = None;
    }
    if moved || change.forget_next_secret || change.credentials.next_secret.is_some() {
        new.next_secret_sealed = None;
        new.next_secret_expires_at = None;
    }
    new.secret_expires_at = change.expiries.secret.unwrap_or(new.secret_expires_at);
    new.next_secret_expires_at = change.expiries.next_secret.unwrap_or(new.next_secret_expires_at);
    seal(ctx, &mut new, &change.credentials);
    if new.next_secret_sealed.is_some() && new.client_secret_sealed.is_none() {
        return Err(Error::invalid(
            "next_secret",
            "takes over from a present secret, and there is none: enter it as the client secret",
        ));
    }
    if connection::fingerprint(&new) != connection::fingerprint(&old) {
        new.tested_at = None;
    }
    if new.settings.client_auth != old.settings.client_auth
        || new.settings.token_in.is_some() != old.settings.token_in.is_some()
    {
        require_credentials(
            &new.settings,
            new.client_secret_sealed.is_some(),
            new.private_key_sealed.is_some(),
        )?;
    }
    new.updated_at = ctx.now;
    let identifiers = match change.identifiers {
        None => None,
        Some(typed) => {
            let before = provider::identifiers(conn, id)?;
            let after = rules::identifiers(&typed)?;
            set_identifiers(conn, &new, &after)?;
            (before != after).then(|| json!({ "old": before, "new": after }))
        }
    };
    mappings::past::shorten(conn, id, &old.settings.replay, &new.settings.replay)?;
    let tokens_forgotten = okta_api::forget_what_is_over(conn, &old, &new)?;
    let new = provider::update(conn, &new)?.ok_or_else(|| missing(id))?;
    let mut changes = difference(&shape(&old), &shape(&new));
    if let Value::Object(changes) = &mut changes {
        if let Some(identifiers) = identifiers {
            changes.insert("identifiers".into(), identifiers);
        }
        for (name, entered) in [
            ("client_secret", change.credentials.client_secret.is_some()),
            ("private_key", change.credentials.private_key.is_some()),
            ("next_secret", change.credentials.next_secret.is_some()),
        ] {
            if entered {
                changes.insert(name.into(), json!("entered"));
            }
        }
        for (name, forgotten) in [
            ("client_secret", secret_cleared),
            (
                "next_secret",
                old.next_secret_sealed.is_some() && new.next_secret_sealed.is_none(),
            ),
            ("upstream_tokens", tokens_forgotten),
        ] {
            if forgotten {
                changes.insert(name.into(), json!("forgotten"));
            }
        }
    }
    record(conn, ctx, "provider.update", Some(&new.user_pool_id), id, changes)?;
    Ok(Updated {
        provider: new,
        secret_cleared,
    })
}

/// Deletes a connection with its identifiers, mapping and links to users. Clients lose it from their lists, so that a
/// later namesake is not let in.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Provider, Error> {
    let provider = find(conn, id)?;
    let mut clients = Vec::new();
    for client in client::list(conn, &provider.user_pool_id)? {
        if client.settings.providers.contains(&provider.name) {
            let mut client = super::clients::lock(conn, &client.id)?;
            client.settings.providers.retain(|name| *name != provider.name);
            client.updated_at = ctx.now;
            client::update(conn, &client)?;
            clients.push(client.id);
        }
    }
    provider::delete(conn, id)?;
    record_for(
        conn,
        ctx,
        provider.tenant_id.as_deref(),
        "provider.delete",
        Some(&provider.user_pool_id),
        id,
        json!({ "name": provider.name, "issuer": provider.issuer, "taken_from_clients": clients }),
    )?;
    Ok(provider)
}

/// The connection with this slug, or the error that says it is not there.
pub fn find(conn: &mut Conn, id: &str) -> Result<Provider, Error> {
    provider::find(conn, id)?.ok_or_else(|| missing(id))
}

/// The same, held until the transaction ends, for those who write the whole of it.
pub fn lock(conn: &mut Conn, id: &str) -> Result<Provider, Error> {
    provider::lock(conn, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Error {
    Error::not_found("identity provider", id)
}

/// Inserts under the slug that was asked for, else under the first free one of the name's.
fn insert_under_free_slug(
    conn: &mut Conn,
    ctx: &Ctx,
    provider: &mut Provider,
    wanted: Option<String>,
    credentials: &Credentials,
) -> Result<(), Error> {
    let candidates = match &wanted {
        Some(slug) => {
            rules::slug(slug)?;
            vec![slug.clone()]
        }
        None => {
            let base = rules::default_slug(&provider.name);
            let numbered = (2..=NUMBERED).map(|n| rules::suffixed_slug(&base, &n.to_string()));
            let random = rules::suffixed_slug(&base, &secret::lower(&ctx.entropy, 8));
            std::iter::once(base.clone())
                .chain(numbered)
                .chain([random])
                .collect()
        }
    };
    for slug in candidates {
        provider.id = slug;
        // The slug is part of what the secrets are sealed for.
        seal(ctx, provider, credentials);
        if provider::insert(conn, provider)? {
            return Ok(());
        }
    }
    Err(Error::exists("connection", provider.id.clone()))
}

fn seal(ctx: &Ctx, provider: &mut Provider, credentials: &Credentials) {
    let sealed = |purpose, text: &Zeroizing<String>| {
        let label = Label {
            purpose,
            scope: &provider.user_pool_id,
            name: &provider.id,
        };
        ctx.sealer.seal(label, text.as_bytes())
    };
    let client_secret = credentials
        .client_secret
        .as_ref()
        .map(|text| sealed(SECRET_PURPOSE, text));
    let private_key = credentials
        .private_key
        .as_ref()
        .map(|text| sealed(KEY_PURPOSE, text));
    let next_secret = credentials
        .next_secret
        .as_ref()
        .map(|text| sealed(NEXT_SECRET_PURPOSE, text));
    if client_secret.is_some() {
        provider.client_secret_sealed = client_secret;
    }
    if private_key.is_some() {
        provider.private_key_sealed = private_key;
    }
    if next_secret.is_some() {
        provider.next_secret_sealed = next_secret;
    }
}

/// Where a tenant's own administrator may lead a connection (attacks.md A-101).
fn check_tenants_choice(
    old: &Provider,
    new: &Provider,
    allowed: &[AllowedHost],
    proven: &[Proven],
) -> Result<(), Error> {
    if new.issuer != old.issuer {
        connection::check_tenants_issuer(&new.issuer, allowed, proven)
            .map_err(|why| Error::invalid("issuer", why))?;
    }
    if new.settings.endpoints != old.settings.endpoints {
        return Err(Error::invalid("endpoints", "come from discovery"));
    }
    if new.settings.shared_callback != old.settings.shared_callback {
        return Err(Error::invalid("shared_callback", "is the operator's to choose"));
    }
    if new.settings.way() != old.settings.way() {
        return Err(Error::invalid("kind", "is chosen when the connection is made"));
    }
    // Without a secret nothing shows that it is their own Okta: somebody else's people would come by this connection.
    let moved = new.issuer != old.issuer || new.settings.client_id != old.settings.client_id;
    if moved && new.settings.token_in.is_some() && old.live_since.is_some() {
        return Err(Error::invalid(
            "client_id",
            "and issuer of a connection that takes ID tokens are the operator's to change once it is live",
        ));
    }
    Ok(())
}

fn check_issuer(text: &str, allowed: &[AllowedHost]) -> Result<(), Error> {
    issuer::check(text, allowed).map_err(|why| Error::invalid("issuer", why))
}

fn check_credentials(credentials: &Credentials) -> Result<(), Error> {
    for (field, secret) in [
        ("client_secret", &credentials.client_secret),
        ("next_secret", &credentials.next_secret),
    ] {
        let Some(secret) = secret else { continue };
        if secret.is_empty()
            || secret.len() > LONGEST_SECRET
            || secret.chars().any(|c| c.is_control() || c == ' ')
        {
            return Err(Error::invalid(
                field,
                "must be the secret from the upstream's app page, without blanks or line breaks",
            ));
        }
        if secret.chars().all(|c| matches!(c, '*' | '•' | '●')) {
            return Err(Error::invalid(
                field,
                "is the mask that stands for a secret, not the secret",
            ));
        }
    }
    if let Some(pem) = &credentials.private_key {
        jwks::from_pem(pem).map_err(|why| Error::invalid("private_key", why))?;
    }
    Ok(())
}

fn require_credentials(settings: &Settings, secret: bool, key: bool) -> Result<(), Error> {
    let method = settings.client_auth;
    match method {
        // It never comes to the upstream as a client: all that it needs there are public keys.
        _ if settings.token_in.is_some() => Ok(()),
        ClientAuth::SecretBasic | ClientAuth::SecretPost if !secret => Err(Error::invalid(
            "client_secret",
            format!("is needed for {method}: copy it from the upstream's app page"),
        )),
        ClientAuth::PrivateKeyJwt if !key => Err(Error::invalid(
            "private_key",
            "is needed for private_key_jwt: an RSA key in PEM, whose public side the upstream has",
        )),
        _ => Ok(()),
    }
}

fn set_identifiers(conn: &mut Conn, provider: &Provider, identifiers: &[String]) -> Result<(), Error> {
    provider::set_identifiers(conn, provider, identifiers)?.map_err(|taken| {
        Error::Conflict(format!(
            "'{taken}' leads to another identity provider of the pool"
        ))
    })
}

/// What the audit log may hold: everything but the secrets.
fn shape(provider: &Provider) -> Value {
    json!({
        "name": provider.name,
        "issuer": provider.issuer,
        "enabled": provider.enabled,
        "settings": provider.settings,
        "secret_expires_at": provider.secret_expires_at,
        "next_secret_expires_at": provider.next_secret_expires_at,
    })
}

#[cfg(test)]
mod tests;
