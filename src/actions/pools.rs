//! User pools: made with their signing keys, changed, deleted.

use serde_json::json;

use super::{Ctx, difference, keys, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::key::{State, Usage};
use crate::model::pool::{self, Pool, Settings};
use crate::model::reach::Reach;
use crate::model::{client, domain};
use crate::rules::jwks::KeyPair;
use crate::rules::registration::{self, pool as rules, uri};
use crate::rules::secret;

/// What stands before the underscore in the ids that we make.
const REGION: &str = "us-local-1";
/// How often a random id is drawn before a taken one is believed; a second time is all but impossible.
const DRAWS: usize = 5;

/// A pool to make.
#[derive(Clone, Debug)]
pub struct NewPool {
    /// `None`: one is made.
    pub id: Option<String>,
    pub name: String,
    pub settings: Settings,
}

/// The keys that a new pool signs with.
#[derive(Clone, Debug)]
pub struct NewKeys {
    pub id_token: KeyPair,
    pub access_token: KeyPair,
}

impl NewKeys {
    /// Takes long: to be done off the async threads and before the transaction.
    pub fn make() -> Result<NewKeys, Error> {
        Ok(NewKeys {
            id_token: keys::make()?,
            access_token: keys::make()?,
        })
    }

    pub fn each(self) -> [(Usage, KeyPair); 2] {
        [
            (Usage::IdToken, self.id_token),
            (Usage::AccessToken, self.access_token),
        ]
    }
}

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct PoolChange {
    pub name: Option<String>,
    pub settings: Option<Settings>,
}

/// What can be told of a new pool without its keys and the other pools.
pub fn check_new(new: &NewPool) -> Result<(), Error> {
    registration::display_name("name", &new.name)?;
    rules::settings(&new.settings)?;
    new.id.as_deref().map_or(Ok(()), rules::id)
}

/// Makes a pool and seals its two signing keys.
pub fn create(conn: &mut Conn, ctx: &Ctx, new: NewPool, pairs: &NewKeys) -> Result<Pool, Error> {
    check_new(&new)?;
    let mut pool = Pool {
        id: String::new(),
        name: new.name,
        settings: Json(new.settings),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let mut draws = 0;
    loop {
        pool.id = match &new.id {
            Some(id) => id.clone(),
            None => format!("{REGION}_{}", secret::lower(&ctx.entropy, 9)),
        };
        if pool::insert(conn, &pool)? {
            break;
        }
        draws += 1;
        if new.id.is_some() || draws == DRAWS {
            return Err(Error::exists("user pool", pool.id));
        }
    }
    let mut kids = Vec::new();
    for (usage, pair) in pairs.clone().each() {
        if !keys::insert(conn, ctx, &pool.id, usage, State::Active, &pair)? {
            return Err(Error::exists("signing key", pair.kid));
        }
        kids.push(pair.kid);
    }
    record(
        conn,
        ctx,
        "pool.create",
        Some(&pool.id),
        &pool.id,
        json!({ "name": pool.name, "settings": pool.settings, "signing_keys": kids }),
    )?;
    Ok(pool)
}

/// Changes name or settings. The attribute schema only grows.
pub fn update(conn: &mut Conn, ctx: &Ctx, id: &str, change: PoolChange) -> Result<Pool, Error> {
    let old = find(conn, id)?;
    let mut new = old.clone();
    if let Some(name) = change.name {
        registration::display_name("name", &name)?;
        new.name = name;
    }
    if let Some(settings) = change.settings {
        rules::change(&old.settings, &settings)?;
        check_previews(conn, id, &settings)?;
        new.settings = Json(settings);
    }
    new.updated_at = ctx.now;
    let new = pool::update(conn, &new)?.ok_or_else(|| missing(id))?;
    record(
        conn,
        ctx,
        "pool.update",
        Some(id),
        id,
        difference(&shape(&old), &shape(&new)),
    )?;
    Ok(new)
}

/// No preview suffix goes while an app client has callbacks below it: they would work on.
fn check_previews(conn: &mut Conn, id: &str, settings: &Settings) -> Result<(), Error> {
    let stranded = |pattern: &String| uri::preview(pattern, &settings.preview_suffixes).is_err();
    let stranded: Vec<String> = client::list(conn, id)?
        .into_iter()
        .filter(|client| client.settings.preview_redirect_uris.iter().any(stranded))
        .map(|client| format!("{} ({})", client.name, client.id))
        .collect();
    match stranded.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(
            "preview_suffixes",
            format!(
                "these app clients have preview callbacks below none of them: {}. Take those away first",
                stranded.join(", ")
            ),
        )),
    }
}

/// Deletes a pool with everything in it, unless it is protected.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Pool, Error> {
    let pool = find(conn, id)?;
    if pool.settings.deletion_protection {
        return Err(Error::Denied(format!(
            "user pool {id} is protected from deletion: switch deletion_protection off first"
        )));
    }
    let domains: Vec<String> = domain::of_pool(conn, id)?
        .into_iter()
        .map(|domain| domain.name)
        .collect();
    if !domains.is_empty() {
        return Err(Error::Denied(format!(
            "user pool {id} cannot be deleted. It has a domain configured that should be deleted first: {}",
            domains.join(", ")
        )));
    }
    pool::delete(conn, id)?;
    record(
        conn,
        ctx,
        "pool.delete",
        Some(id),
        id,
        json!({ "name": pool.name }),
    )?;
    Ok(pool)
}

/// The pool, for an administrator whose reach has it as a whole.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Pool, Error> {
    pool::find_within(conn, reach, id)?.ok_or_else(|| missing(id))
}

/// The pool, or the error that says it is not there.
pub fn find(conn: &mut Conn, id: &str) -> Result<Pool, Error> {
    pool::find(conn, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Error {
    Error::not_found("user pool", id)
}

fn shape(pool: &Pool) -> serde_json::Value {
    json!({ "name": pool.name, "settings": pool.settings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::fixture::{Fixture, keys};
    use super::*;
    use crate::model::{audit, key};
    use crate::seal::Label;

    fn new(id: Option<&str>) -> NewPool {
        NewPool {
            id: id.map(str::to_owned),
            name: "Acme".into(),
            settings: Settings::default(),
        }
    }

    #[test]
    fn a_pool_is_made_with_two_sealed_keys_and_one_audit_event() {
        let mut fixture = Fixture::new();
        let ctx = fixture.ctx.clone();
        let pool = fixture
            .act(|conn| create(conn, &ctx, new(None), &keys()))
            .unwrap();
        rules::id(&pool.id).unwrap();
        assert!(pool.id.starts_with("us-local-1_"), "{}", pool.id);

        let stored = fixture.act(|conn| Ok(key::of_pool(conn, &pool.id)?)).unwrap();
        let mut usages: Vec<_> = stored.iter().map(|key| (key.usage, key.state)).collect();
        usages.sort();
        assert_eq!(
            usages,
            [
                (Usage::IdToken, State::Active),
                (Usage::AccessToken, State::Active)
            ]
        );
        for key in &stored {
            let label = Label {
                purpose: "signing-key",
                scope: &pool.id,
                name: &key.kid,
            };
            let der = ctx.sealer.open(label, &key.private_sealed).unwrap();
            assert!(
                [&keys().id_token, &keys().access_token]
                    .iter()
                    .any(|pair| pair.private_der == der)
            );
        }

        let events = fixture.act(|conn| Ok(audit::recent(conn, None, 10)?)).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].action.as_str(), events[0].actor.as_str()),
            ("pool.create", "test")
        );
    }

    #[test]
    fn a_taken_id_and_a_malformed_one_are_refused() {
        let mut fixture = Fixture::new();
        let ctx = fixture.ctx.clone();
        let mut make = |id: &str| fixture.act(|conn| create(conn, &ctx, new(Some(id)), &keys()));
        assert_eq!(make("us-local-1_One").unwrap().id, "us-local-1_One");
        assert!(matches!(make("us-local-1_One"), Err(Error::Exists(_))));
        assert!(matches!(make("one"), Err(Error::Invalid { .. })));
    }

    #[test]
    fn a_change_is_recorded_as_its_difference_and_a_protected_pool_stays() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let id = fixture.pool_id();
        let protected = Settings {
            deletion_protection: true,
            ..Settings::default()
        };
        let change = |settings: &Settings| PoolChange {
            settings: Some(settings.clone()),
            ..PoolChange::default()
        };
        fixture
            .act(|conn| update(conn, &ctx, &id, change(&protected)))
            .unwrap();
        let event = fixture.last_event();
        assert_eq!(
            event.difference.0,
            json!({ "settings": { "deletion_protection": { "old": false, "new": true } } })
        );
        assert!(matches!(
            fixture.act(|conn| delete(conn, &ctx, &id)),
            Err(Error::Denied(_))
        ));

        fixture
            .act(|conn| update(conn, &ctx, &id, change(&Settings::default())))
            .unwrap();
        fixture.act(|conn| delete(conn, &ctx, &id)).unwrap();
        assert!(matches!(
            fixture.act(|conn| find(conn, &id)),
            Err(Error::NotFound(_))
        ));
        assert_eq!(fixture.last_event().action, "pool.delete");
        assert!(matches!(
            fixture.act(|conn| delete(conn, &ctx, &id)),
            Err(Error::NotFound(_))
        ));
    }
}
