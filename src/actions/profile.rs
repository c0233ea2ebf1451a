//! The profile that a proven upstream identity leads to: found, or made just in time at the first sign-in, then brought
//! up to date by the mapping. Runs inside the caller's transaction and records one audit event.
//!
//! An identity is (provider, issuer, subject), never a name or an address: whatever else may look alike, nothing here
//! attaches one person's sign-in to another one's profile, unless an administrator has said so in advance (`linked`) or the
//! tenant wants its people recognised and nothing speaks against it (`matched`). What the claims do to the attributes is decided in
//! `rules::mapping`; names, status and the automatic group follow Cognito ("User creation").

mod groups;
mod linked;
mod matched;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Ctx, record_for};
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::group::{self, Group};
use crate::model::mapper_input::{self, Contents, Made};
use crate::model::mapping::{self, MissingGroup, Rules};
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::model::tenant_domain::{self, Vouching};
use crate::model::trace::MappingEffect;
use crate::model::user::{self, Identity, Status, User};
use crate::rules::mapping::{Compiled, Outcome, Refusal, apply, saved};
use crate::rules::redact;
use crate::rules::secret;

pub use matched::LINK_STOPPED;

/// Numbered usernames tried before one is made that cannot be taken.
const NUMBERED: u32 = 20;

/// Who came back from the provider, all of it verified.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub issuer: String,
    pub subject: String,
    /// ID token and userInfo, merged.
    pub claims: Map<String, Value>,
}

/// The profile after this sign-in.
#[derive(Clone, Debug)]
pub struct Settled {
    pub user: User,
    /// Strongest first.
    pub groups: Vec<Group>,
    /// The primary one first.
    pub identities: Vec<Identity>,
    /// The mapping's version that was applied; 0 when the provider has none.
    pub mapping_version: i64,
    pub effects: Vec<MappingEffect>,
    /// This was the first sign-in.
    pub created: bool,
    /// What decided all this, to be tried with other rules later.
    pub contents: Contents,
}

/// The sign-in was refused; nothing was changed.
#[derive(Clone, Debug)]
pub struct Refused {
    pub refusal: Refusal,
    /// What the mapping would have done.
    pub effects: Vec<MappingEffect>,
    /// The profile, where there is one.
    pub user_sub: Option<String>,
    pub mapping_version: i64,
    pub contents: Contents,
}

/// Finds or makes the profile and applies the mapping to it. The outer error undoes everything; a refusal leaves all as
/// it was.
pub fn settle(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    client: &Client,
    arrival: &Arrival,
) -> Result<Result<Settled, Refused>, StoreError> {
    let visit = Visit::of(conn, ctx, pool, provider, client, arrival)?;
    if let Err(why) = check_subject(&arrival.subject) {
        return visit
            .refused(conn, Refusal::subject_invalid(why), Vec::new(), None)
            .map(Err);
    }
    match visit.known(conn)? {
        Some(user) => visit.again(conn, user),
        None => {
            if let Some(outcome) = visit.linked(conn)? {
                return Ok(outcome);
            }
            if let Some(outcome) = visit.matched(conn)? {
                return Ok(outcome);
            }
            if !visit.makes_accounts() {
                let refusal = Refusal::account_required();
                return visit.refused(conn, refusal, Vec::new(), None).map(Err);
            }
            visit.first(conn)
        }
    }
}

/// Whom a sign-in leads to, before anything is changed: for the hooks that are asked before.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Nobody yet: the profile's name and attributes as they will be.
    New {
        username: String,
        attributes: Map<String, Value>,
    },
    Known {
        user: Box<User>,
        identities: Vec<Identity>,
    },
    /// [`settle`] is going to refuse it.
    Refused,
}

/// Looks, and changes nothing.
pub fn expect(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    client: &Client,
    arrival: &Arrival,
) -> Result<Expected, StoreError> {
    let visit = Visit::of(conn, ctx, pool, provider, client, arrival)?;
    if check_subject(&arrival.subject).is_err() {
        return Ok(Expected::Refused);
    }
    let found = match visit.known(conn)? {
        Some(user) => Some(user),
        None => match visit.awaited(conn)? {
            Some(user) => Some(user),
            None => visit.recognised(conn)?.found.map(|(user, _)| user),
        },
    };
    Ok(match found {
        Some(user) if !user.enabled => Expected::Refused,
        Some(user) => Expected::Known {
            identities: user::identities(conn, &user.sub)?,
            user: Box::new(user),
        },
        None if !visit.makes_accounts() => Expected::Refused,
        None => {
            let outcome = visit.apply(None);
            match outcome.refusal {
                Some(_) => Expected::Refused,
                None => Expected::New {
                    username: visit.username(1),
                    attributes: outcome.attributes,
                },
            }
        }
    })
}

/// OIDC Core §2 gives `sub` at most 255 characters. Values that stand for "nobody" must never become somebody.
pub fn check_subject(subject: &str) -> Result<(), &'static str> {
    if subject.trim().is_empty() {
        return Err("is empty");
    }
    if matches!(subject.to_ascii_lowercase().as_str(), "null" | "undefined") {
        return Err("is the word for no value");
    }
    if subject.len() > 255 {
        return Err("is longer than 255 bytes");
    }
    if subject.chars().any(char::is_control) {
        return Err("has control characters");
    }
    Ok(())
}

/// One sign-in and everything it is decided by.
struct Visit<'a> {
    ctx: &'a Ctx,
    pool: &'a Pool,
    provider: &'a Provider,
    client: &'a Client,
    arrival: &'a Arrival,
    compiled: Arc<Compiled>,
    mapping_version: i64,
    /// For whose addresses the connection's word counts.
    vouching: Vouching,
}

impl<'a> Visit<'a> {
    fn of(
        conn: &mut Conn,
        ctx: &'a Ctx,
        pool: &'a Pool,
        provider: &'a Provider,
        client: &'a Client,
        arrival: &'a Arrival,
    ) -> Result<Visit<'a>, StoreError> {
        let mapping = mapping::current(conn, &provider.id)?;
        let mapping_version = mapping.as_ref().map_or(0, |mapping| mapping.version);
        let rules = mapping.map(|mapping| mapping.rules.0).unwrap_or_default();
        Ok(Visit {
            ctx,
            pool,
            provider,
            client,
            arrival,
            mapping_version,
            compiled: saved(&provider.id, &rules),
            vouching: tenant_domain::vouching(conn, provider)?,
        })
    }
}

impl Visit<'_> {
    fn rules(&self) -> &Rules {
        &self.compiled.rules
    }

    fn known(&self, conn: &mut Conn) -> Result<Option<User>, StoreError> {
        let found = user::find_by_identity(
            conn,
            &self.provider.id,
            &self.arrival.issuer,
            &self.arrival.subject,
        )?;
        // A provider belongs to one pool; should its identities ever lead elsewhere, that is nobody here.
        Ok(found.filter(|user| user.user_pool_id == self.pool.id))
    }

    /// Whether a first sign-in makes a profile.
    fn makes_accounts(&self) -> bool {
        self.provider.settings.provisioning.just_in_time
    }

    /// The first sign-in: makes the profile, unless another sign-in of the same person is faster.
    fn first(&self, conn: &mut Conn) -> Result<Result<Settled, Refused>, StoreError> {
        let outcome = self.apply(None);
        if let Some(refusal) = outcome.refusal {
            return self.refused(conn, refusal, outcome.effects, None).map(Err);
        }
        let Some(user) = self.create(conn, outcome.attributes)? else {
            // The other sign-in has committed: its profile is ours.
            let Some(user) = self.known(conn)? else {
                return Err(StoreError::Busy(
                    "a profile was made and deleted at the same moment",
                ));
            };
            return self.again(conn, user);
        };
        self.join_automatic_group(conn, &user)?;
        self.join_first_groups(conn, &user)?;
        self.finish(conn, user, Map::new(), outcome.groups, outcome.effects, true)
            .map(Ok)
    }

    /// A later sign-in.
    fn again(&self, conn: &mut Conn, mut user: User) -> Result<Result<Settled, Refused>, StoreError> {
        if !user.enabled {
            return self
                .refused(conn, Refusal::user_disabled(), Vec::new(), Some(&user))
                .map(Err);
        }
        let mut outcome = self.apply(Some(&user.attributes));
        if outcome.refusal.is_none() && outcome.attributes != *user.attributes {
            // Somebody else may be changing the profile: decide again over the row that now waits for us.
            let Some(held) = user::lock(conn, &user.sub)? else {
                return Err(StoreError::Busy("the profile was deleted at the same moment"));
            };
            if !held.enabled {
                return self
                    .refused(conn, Refusal::user_disabled(), Vec::new(), Some(&held))
                    .map(Err);
            }
            outcome = self.apply(Some(&held.attributes));
            user = held;
        }
        if let Some(refusal) = outcome.refusal {
            return self.refused(conn, refusal, outcome.effects, Some(&user)).map(Err);
        }
        let before = user.attributes.0.clone();
        if outcome.attributes != before {
            let attributes = Json(outcome.attributes);
            user = user::set_attributes(conn, &user.sub, &attributes, self.ctx.now)?
                .ok_or(StoreError::Busy("the profile was deleted at the same moment"))?;
        }
        self.finish(conn, user, before, outcome.groups, outcome.effects, false)
            .map(Ok)
    }

    fn apply(&self, existing: Option<&Map<String, Value>>) -> Outcome {
        apply(
            &self.compiled,
            &self.arrival.claims,
            existing,
            self.pool,
            self.client.settings.write_attributes.as_deref(),
            &self.vouching,
        )
    }

    /// Inserts user and identity; `None` when another sign-in has made this person's profile meanwhile.
    ///
    /// On PostgreSQL an insert waits for a concurrent one with the same key to end, so a username that turns out to be
    /// taken is either the other sign-in's (and then the identity is there now) or somebody else's.
    fn create(&self, conn: &mut Conn, attributes: Map<String, Value>) -> Result<Option<User>, StoreError> {
        let sub = secret::uuid(&self.ctx.entropy);
        let mut user = User {
            username: String::new(),
            user_pool_id: self.pool.id.clone(),
            status: Status::ExternalProvider,
            enabled: true,
            attributes: Json(attributes),
            created_at: self.ctx.now,
            updated_at: self.ctx.now,
            sub,
        };
        let numbered = (1..=NUMBERED).map(|number| self.username(number));
        let unique = format!("{}_{}", self.username(1), user.sub);
        for username in numbered.chain([unique]) {
            user.username = username;
            if user::insert(conn, &user)? {
                if user::insert_identity(conn, &self.identity(&user))? {
                    return Ok(Some(user));
                }
                user::delete(conn, &user.sub)?;
                return Ok(None);
            }
            if self.known(conn)?.is_some() {
                return Ok(None);
            }
        }
        Err(StoreError::Busy("no free username was found"))
    }

    /// `<ProviderName>_<subject>`; a number from the second on, for a name whose earlier owner is somebody else.
    fn username(&self, number: u32) -> String {
        let name = username(self.pool, self.provider, &self.arrival.subject);
        match number {
            1 => name,
            number => format!("{name}_{number}"),
        }
    }

    fn identity(&self, user: &User) -> Identity {
        Identity {
            provider_id: self.provider.id.clone(),
            issuer: self.arrival.issuer.clone(),
            subject: self.arrival.subject.clone(),
            user_sub: user.sub.clone(),
            provider_name: self.provider.name.clone(),
            is_primary: true,
            created_ms: self.ctx.now.0.saturating_mul(1000),
        }
    }

    /// What is alike at every sign-in: groups, the audit event, the answer.
    fn finish(
        &self,
        conn: &mut Conn,
        user: User,
        before: Map<String, Value>,
        wanted: Option<Vec<String>>,
        mut effects: Vec<MappingEffect>,
        created: bool,
    ) -> Result<Settled, StoreError> {
        let groups = self.settle_groups(conn, &user, wanted.unwrap_or_default(), &mut effects)?;
        let (joined, left) = (&groups.memberships.joined, &groups.memberships.left);
        record_for(
            conn,
            self.ctx,
            self.provider.tenant_id.as_deref(),
            if created { "user.create" } else { "user.sign_in" },
            Some(&self.pool.id),
            &user.sub,
            json!({
                "provider": self.provider.id,
                "mapping_version": self.mapping_version,
                "attributes": changes(&before, &user.attributes, self.rules()),
                "groups": { "joined": joined, "left": left },
            }),
        )?;
        let contents = Contents {
            existing: (!created).then_some(before),
            held: groups.before,
            lacking: groups.lacking.into_iter().collect(),
            no_room: self.makes_groups(),
            made: Made {
                attributes: user.attributes.0.clone(),
                groups: groups.memberships.held,
                refusal: None,
            },
            ..self.contents()
        };
        Ok(Settled {
            contents,
            groups: group::of_user(conn, &user.sub)?,
            identities: user::identities(conn, &user.sub)?,
            mapping_version: self.mapping_version,
            effects,
            created,
            user,
        })
    }

    fn refused(
        &self,
        conn: &mut Conn,
        refusal: Refusal,
        effects: Vec<MappingEffect>,
        user: Option<&User>,
    ) -> Result<Refused, StoreError> {
        let existing = user.map(|user| user.attributes.0.clone());
        let held = match user {
            Some(user) => self.given_groups(conn, user)?,
            None => Vec::new(),
        };
        let contents = Contents {
            barred: refusal.is_about_the_person().then(|| refusal.cause.to_owned()),
            made: Made {
                attributes: existing.clone().unwrap_or_default(),
                groups: held.clone(),
                refusal: Some(mapper_input::Refused {
                    cause: refusal.cause.to_owned(),
                    detail: refusal.detail.clone(),
                }),
            },
            existing,
            held,
            ..self.contents()
        };
        Ok(Refused {
            refusal,
            effects,
            user_sub: user.map(|user| user.sub.clone()),
            mapping_version: self.mapping_version,
            contents,
        })
    }

    /// Whether groups that the pool lacks are made; then it lacks only those that it has no room for.
    fn makes_groups(&self) -> bool {
        let rule = self.rules().groups.as_ref();
        rule.is_some_and(|rule| rule.missing == MissingGroup::Create)
    }

    /// What is known of every sign-in before anything came of it.
    fn contents(&self) -> Contents {
        Contents {
            claims: self.arrival.claims.clone(),
            write_attributes: self.client.settings.write_attributes.clone(),
            vouching: self.vouching.clone(),
            ..Contents::default()
        }
    }
}

/// `<ProviderName>_<subject>`, in the case that the pool's usernames are compared in.
pub fn username(pool: &Pool, provider: &Provider, subject: &str) -> String {
    let name = format!("{}_{subject}", provider.name);
    if pool.settings.case_sensitive {
        name
    } else {
        name.to_lowercase()
    }
}

/// The group of all who sign in through this provider, as Cognito names it.
pub fn automatic_group(pool: &Pool, provider: &Provider) -> String {
    format!("{}_{}", pool.id, provider.name)
}

/// The attributes that differ, each with its old and new value, redacted.
fn changes(before: &Map<String, Value>, after: &Map<String, Value>, rules: &Rules) -> Value {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let shown = |name: &str, value: Option<&Value>| {
        value.map(|value| redact::attribute(name, value, rules.computes(name)))
    };
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let change = json!({
                "old": shown(name, before.get(name)),
                "new": shown(name, after.get(name)),
            });
            (name.clone(), change)
        })
        .collect()
}

#[cfg(test)]
mod tests;
