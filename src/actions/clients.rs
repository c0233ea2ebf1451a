//! App clients and their secrets. A secret is shown once, by the action that made it.

use serde_json::json;
use zeroize::Zeroizing;

use super::admins::single_sign_on::is_console;
use super::{Ctx, difference, pools, record};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::client::{self, Client, Secret, Settings};
use crate::model::reach::Reach;
use crate::model::{provider, resource_server};
use crate::rules::registration::{self, client as rules};
use crate::rules::secret;
use crate::seal::Label;

/// Secrets that a client may have at a time: the one in use, and the one that takes over.
pub const MOST_SECRETS: usize = 2;
/// The sealing purpose of a client's secret; the pool is its scope, the secret's id its name.
pub const SECRET_PURPOSE: &str = "app-secret";

/// The apps whose users may sign in through the pool's connection of that name: its enabled clients, without the console
/// itself, which every connection is offered to as soon as administrators come by one.
pub fn offering(conn: &mut Conn, user_pool_id: &str, connection: &str) -> Result<Vec<Client>, StoreError> {
    let mut clients = client::list(conn, user_pool_id)?;
    clients.retain(|client| {
        client.enabled
            && !is_console(client)
            && client.settings.providers.iter().any(|name| name == connection)
    });
    Ok(clients)
}

/// A client to make.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// `None`: one is made.
    pub id: Option<String>,
    pub user_pool_id: String,
    pub name: String,
    pub secret: NewSecret,
    pub settings: Settings,
}

/// Whether a new client is public, or how it comes by its secret.
#[derive(Clone)]
pub enum NewSecret {
    /// None: a public client.
    Public,
    Generate,
    Given(Zeroizing<String>),
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NewSecret::Public => "Public",
            NewSecret::Generate => "Generate",
            NewSecret::Given(_) => "Given",
        })
    }
}

/// A client just made, with its secret in the clear for the last time.
#[derive(Clone)]
pub struct Created {
    pub client: Client,
    pub secret: Option<CreatedSecret>,
}

/// A secret just made.
#[derive(Clone)]
pub struct CreatedSecret {
    pub id: String,
    pub text: Zeroizing<String>,
}

/// What to change; `None` leaves as it is. `settings` replaces all of them.
#[derive(Clone, Debug, Default)]
pub struct ClientChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub settings: Option<Settings>,
}

/// Makes a client.
pub fn create(conn: &mut Conn, ctx: &Ctx, new: NewClient) -> Result<Created, Error> {
    let created = insert(conn, ctx, new)?;
    let client = &created.client;
    record(
        conn,
        ctx,
        "client.create",
        Some(&client.user_pool_id),
        &client.id,
        json!({ "name": client.name, "confidential": !client.settings.public, "settings": client.settings }),
    )?;
    Ok(created)
}

/// The same without its audit event, for whoever has more to say in it.
pub(super) fn insert(conn: &mut Conn, ctx: &Ctx, mut new: NewClient) -> Result<Created, Error> {
    pools::find(conn, &new.user_pool_id)?;
    registration::display_name("name", &new.name)?;
    if let Some(id) = &new.id {
        registration::client_id(id)?;
    }
    rules::tidy(&mut new.settings);
    let confidential = !matches!(new.secret, NewSecret::Public);
    new.settings.public = !confidential;
    check_settings(conn, &new.user_pool_id, &new.settings, confidential)?;
    let client = Client {
        id: new.id.unwrap_or_else(|| secret::lower(&ctx.entropy, 26)),
        user_pool_id: new.user_pool_id,
        name: new.name,
        enabled: true,
        settings: Json(new.settings),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !client::insert(conn, &client)? {
        return Err(Error::exists("app client", client.id));
    }
    let secret = match new.secret {
        NewSecret::Public => None,
        NewSecret::Generate => Some(insert_secret(conn, ctx, &client, None)?),
        NewSecret::Given(text) => Some(insert_secret(conn, ctx, &client, Some(text))?),
    };
    Ok(Created { client, secret })
}

/// Changes name, settings or whether the client is enabled.
pub fn update(conn: &mut Conn, ctx: &Ctx, id: &str, change: ClientChange) -> Result<Client, Error> {
    let old = lock(conn, id)?;
    let mut new = old.clone();
    if let Some(name) = change.name {
        registration::display_name("name", &name)?;
        new.name = name;
    }
    if let Some(enabled) = change.enabled {
        new.enabled = enabled;
    }
    if let Some(mut settings) = change.settings {
        rules::tidy(&mut settings);
        let confidential = !old.settings.public;
        settings.public = old.settings.public;
        check_settings(conn, &old.user_pool_id, &settings, confidential)?;
        new.settings = Json(settings);
    }
    new.updated_at = ctx.now;
    let new = client::update(conn, &new)?.ok_or_else(|| missing(id))?;
    record(
        conn,
        ctx,
        "client.update",
        Some(&new.user_pool_id),
        id,
        difference(&shape(&old), &shape(&new)),
    )?;
    Ok(new)
}

/// Deletes a client with its secrets, codes and tokens.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Client, Error> {
    let client = find(conn, id)?;
    client::delete(conn, id)?;
    record(
        conn,
        ctx,
        "client.delete",
        Some(&client.user_pool_id),
        id,
        json!({ "name": client.name }),
    )?;
    Ok(client)
}

/// Gives a confidential client a second secret, so that apps can change over; `None`: one is made.
pub fn add_secret(
    conn: &mut Conn,
    ctx: &Ctx,
    id: &str,
    text: Option<Zeroizing<String>>,
) -> Result<CreatedSecret, Error> {
    let client = find(conn, id)?;
    let held = client::secrets(conn, id)?;
    if held.is_empty() {
        return Err(Error::Denied(format!(
            "app client {id} is public: apps that run on a user's device cannot keep a secret. Make a new client instead"
        )));
    }
    if held.len() >= MOST_SECRETS {
        return Err(Error::Conflict(format!(
            "app client {id} has {MOST_SECRETS} secrets already: delete the one that no app uses any more"
        )));
    }
    let secret = insert_secret(conn, ctx, &client, text)?;
    record(
        conn,
        ctx,
        "client.secret.create",
        Some(&client.user_pool_id),
        id,
        json!({ "secret_id": secret.id }),
    )?;
    Ok(secret)
}

/// Deletes one of two secrets. The last one stays: without it the client would be public.
pub fn delete_secret(conn: &mut Conn, ctx: &Ctx, id: &str, secret_id: &str) -> Result<(), Error> {
    let client = find(conn, id)?;
    let held = client::secrets(conn, id)?;
    if !held.iter().any(|secret| secret.id == secret_id) {
        return Err(Error::not_found("client secret", secret_id));
    }
    if held.len() == 1 {
        return Err(Error::Conflict(format!(
            "app client {id} has no other secret: add the new one before the old one goes"
        )));
    }
    client::delete_secret(conn, id, secret_id)?;
    record(
        conn,
        ctx,
        "client.secret.delete",
        Some(&client.user_pool_id),
        id,
        json!({ "secret_id": secret_id }),
    )?;
    Ok(())
}

/// The client, for an administrator whose reach has its pool as a whole.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Client, Error> {
    client::find_within(conn, reach, id)?.ok_or_else(|| missing(id))
}

/// The client, or the error that says it is not there.
pub fn find(conn: &mut Conn, id: &str) -> Result<Client, Error> {
    client::find(conn, id)?.ok_or_else(|| missing(id))
}

/// The same, held until the transaction ends, for those who write the whole of it.
pub fn lock(conn: &mut Conn, id: &str) -> Result<Client, Error> {
    client::lock(conn, id)?.ok_or_else(|| missing(id))
}

fn insert_secret(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    text: Option<Zeroizing<String>>,
) -> Result<CreatedSecret, Error> {
    let text = match text {
        Some(text) => {
            registration::client_secret(&text)?;
            text
        }
        None => Zeroizing::new(secret::lower(&ctx.entropy, 52)),
    };
    // Cognito names a secret after its second; two of the same second differ by the next free one.
    let held = client::secrets(conn, &client.id)?;
    let mut second = ctx.now.0;
    let id = loop {
        let id = format!("{}--{second}", client.id);
        if !held.iter().any(|secret| secret.id == id) {
            break id;
        }
        second += 1;
    };
    let label = Label {
        purpose: SECRET_PURPOSE,
        scope: &client.user_pool_id,
        name: &id,
    };
    let row = Secret {
        client_id: client.id.clone(),
        hash: secret::hash(&text),
        sealed: ctx.sealer.seal(label, text.as_bytes()),
        created_at: ctx.now,
        id: id.clone(),
    };
    if held.iter().any(|secret| secret.hash == row.hash) {
        return Err(Error::invalid(
            "client_secret",
            "is the one the client has already",
        ));
    }
    client::insert_secret(conn, &row)?;
    Ok(CreatedSecret { id, text })
}

fn check_settings(
    conn: &mut Conn,
    pool_id: &str,
    settings: &Settings,
    confidential: bool,
) -> Result<(), Error> {
    let pool = pools::find(conn, pool_id)?;
    let providers: Vec<String> = provider::list(conn, pool_id)?
        .into_iter()
        .map(|provider| provider.name)
        .collect();
    let servers = resource_server::list(conn, pool_id)?;
    rules::settings(
        settings,
        rules::Surroundings {
            confidential,
            pool: &pool.settings,
            providers: &providers,
            servers: &servers,
        },
    )
}

fn missing(id: &str) -> Error {
    Error::not_found("app client", id)
}

fn shape(client: &Client) -> serde_json::Value {
    json!({ "name": client.name, "enabled": client.enabled, "settings": client.settings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::fixture::Fixture;
    use super::*;

    fn new(fixture: &Fixture, secret: NewSecret) -> NewClient {
        NewClient {
            id: None,
            user_pool_id: fixture.pool_id(),
            name: "Portal".into(),
            secret,
            settings: Settings {
                redirect_uris: vec!["https://app.example.com/callback".into()],
                scopes: ["openid", "email", "openid"].map(String::from).to_vec(),
                ..Settings::default()
            },
        }
    }

    #[test]
    fn a_generated_secret_is_shown_once_and_kept_as_hash_and_sealed() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let made = new(&fixture, NewSecret::Generate);
        let made = fixture.act(|conn| create(conn, &ctx, made)).unwrap();
        assert_eq!(made.client.id.len(), 26);
        assert_eq!(made.client.settings.scopes, ["openid", "email"]);
        let shown = made.secret.unwrap();
        assert_eq!(shown.text.len(), 52);
        assert_eq!(shown.id, format!("{}--{}", made.client.id, ctx.now.0));

        let held = fixture
            .act(|conn| Ok(client::secrets(conn, &made.client.id)?))
            .unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].hash, secret::hash(&shown.text));
        let label = Label {
            purpose: SECRET_PURPOSE,
            scope: &made.client.user_pool_id,
            name: &shown.id,
        };
        assert_eq!(ctx.sealer.open_text(label, &held[0].sealed).unwrap(), shown.text);
        let event = fixture.last_event();
        assert_eq!(event.action, "client.create");
        assert!(!event.difference.0.to_string().contains(shown.text.as_str()));
    }

    #[test]
    fn an_id_is_unique_over_all_pools_and_a_refused_client_leaves_nothing() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let events = fixture.events();
        let with = |fixture: &Fixture, change: fn(&mut NewClient)| {
            let mut client = new(fixture, NewSecret::Public);
            client.id = Some("portal".into());
            change(&mut client);
            client
        };
        for (change, what) in [
            (
                (|c| c.user_pool_id = "us-local-1_None".into()) as fn(&mut NewClient),
                "pool",
            ),
            (|c| c.id = Some("a b".into()), "id"),
            (|c| c.name.clear(), "name"),
            (|c| c.settings.redirect_uris = vec!["/x".into()], "redirect URI"),
            (|c| c.settings.providers = vec!["none".into()], "provider"),
            (
                |c| c.secret = NewSecret::Given(Zeroizing::new("short".into())),
                "secret",
            ),
        ] {
            let client = with(&fixture, change);
            assert!(fixture.act(|conn| create(conn, &ctx, client)).is_err(), "{what}");
            assert!(fixture.act(|conn| find(conn, "portal")).is_err(), "{what}");
        }
        assert_eq!(fixture.events(), events);

        let client = with(&fixture, |_| ());
        assert!(
            fixture
                .act(|conn| create(conn, &ctx, client.clone()))
                .unwrap()
                .secret
                .is_none()
        );
        assert!(matches!(
            fixture.act(|conn| create(conn, &ctx, client)),
            Err(Error::Exists(_))
        ));
    }

    #[test]
    fn secrets_are_two_at_most_and_one_at_least() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let given = Zeroizing::new("demo_secret_for_the_sample_web_app_0001".to_owned());
        let client = new(&fixture, NewSecret::Given(given.clone()));
        let id = fixture.act(|conn| create(conn, &ctx, client)).unwrap().client.id;

        assert!(
            fixture
                .act(|conn| add_secret(conn, &ctx, &id, Some(given)))
                .is_err()
        );
        let second = fixture.act(|conn| add_secret(conn, &ctx, &id, None)).unwrap();
        // Made in the same second as the first, and yet another id.
        assert_eq!(second.id, format!("{id}--{}", ctx.now.0 + 1));
        assert_eq!(
            fixture.last_event().difference.0,
            json!({ "secret_id": second.id })
        );
        assert!(matches!(
            fixture.act(|conn| add_secret(conn, &ctx, &id, None)),
            Err(Error::Conflict(_))
        ));

        let first = format!("{id}--{}", ctx.now.0);
        fixture
            .act(|conn| delete_secret(conn, &ctx, &id, &first))
            .unwrap();
        assert!(matches!(
            fixture.act(|conn| delete_secret(conn, &ctx, &id, &first)),
            Err(Error::NotFound(_))
        ));
        assert!(matches!(
            fixture.act(|conn| delete_secret(conn, &ctx, &id, &second.id)),
            Err(Error::Conflict(_))
        ));

        let public = new(&fixture, NewSecret::Public);
        let public = fixture.act(|conn| create(conn, &ctx, public)).unwrap().client.id;
        assert!(matches!(
            fixture.act(|conn| add_secret(conn, &ctx, &public, None)),
            Err(Error::Denied(_))
        ));
    }

    #[test]
    fn a_change_is_checked_and_recorded_as_its_difference() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let client = new(&fixture, NewSecret::Public);
        let client = fixture.act(|conn| create(conn, &ctx, client)).unwrap().client;
        let mut settings = client.settings.0.clone();
        settings.access_token_seconds = 600;
        let change = ClientChange {
            name: Some("Portal 2".into()),
            enabled: Some(false),
            settings: Some(settings),
        };
        let changed = fixture
            .act(|conn| update(conn, &ctx, &client.id, change))
            .unwrap();
        assert_eq!((changed.name.as_str(), changed.enabled), ("Portal 2", false));
        assert_eq!(
            fixture.last_event().difference.0,
            json!({
                "enabled": { "old": true, "new": false },
                "name": { "old": "Portal", "new": "Portal 2" },
                "settings": { "access_token_seconds": { "old": 3600, "new": 600 } },
            })
        );

        let mut machine = changed.settings.0.clone();
        machine.flows = vec![client::Flow::ClientCredentials];
        let change = ClientChange {
            settings: Some(machine),
            ..ClientChange::default()
        };
        let refusal = fixture
            .act(|conn| update(conn, &ctx, &client.id, change))
            .unwrap_err();
        assert!(refusal.to_string().contains("needs a client secret"), "{refusal}");

        fixture.act(|conn| delete(conn, &ctx, &client.id)).unwrap();
        assert!(matches!(
            fixture.act(|conn| delete(conn, &ctx, &client.id)),
            Err(Error::NotFound(_))
        ));
    }
}
