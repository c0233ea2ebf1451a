//! Linking upstream identities to users that exist already, as an administrator: who comes with that identity next is
//! that user. By the upstream's subject at once; by the value of a mapped attribute as soon as somebody comes with it.
//!
//! Who has come before the link was made has a profile that their first sign-in made. It gives way: it is deleted with its
//! sessions and tokens, and the identity is the user's. Two profiles are never merged: where more hangs on that one than the
//! identity itself, and in pools that are to be exactly as Cognito's, which never lets it give way, the link is refused.

use serde_json::{Value, json};

use super::{Ctx, record, users};
use crate::db::Conn;
use crate::error::Error;
use crate::model::group::{self, BY_ADMIN};
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::user::link::{self, Link};
use crate::model::user::{self, Identity, Status, User, lookalike};
use crate::model::{administrator, mapping};
use crate::rules::attribute::attests;
use crate::rules::email;
use crate::rules::linking::{attribute_of, comparable};

/// Identities linked to one user, beside the one that the profile was made from (Cognito's quota).
pub const MOST_LINKED: usize = 5;
/// Attributes by which links of one connection are made (Cognito's quota).
pub const MOST_ATTRIBUTES: usize = 5;
/// Users with one address that are looked at.
const LOOKED_AT: i64 = 10;

/// How an upstream account is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// By the upstream's `sub`.
    Subject(String),
    /// By the value of an attribute that the connection maps, or of the claim that it maps to one.
    Attribute { name: String, value: String },
}

/// Why the identity was not linked.
#[derive(Debug)]
pub enum Refused {
    /// It is this user's already.
    LinkedAlready,
    /// It leads to somebody else who does not give way, and is to be deleted or unlinked first.
    Taken(String),
    /// Somebody has come with the value already; they are linked by their subject.
    Come {
        subject: String,
    },
    /// The connection maps nothing to an attribute of that name, or the value is none that it can have.
    Unmapped(String),
    TooMany(String),
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Failed(error)
    }
}

impl From<diesel::result::Error> for Refused {
    fn from(error: diesel::result::Error) -> Refused {
        Refused::Failed(error.into())
    }
}

/// Links the identity to the user. Both belong to this pool.
pub fn link(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    source: &Source,
    destination: &User,
) -> Result<(), Refused> {
    let about = match source {
        Source::Subject(subject) => by_subject(conn, ctx, pool, provider, subject, destination)?,
        Source::Attribute { name, value } => {
            by_attribute(conn, ctx, pool, provider, (name, value), destination)?
        }
    };
    record(conn, ctx, "user.link", Some(&pool.id), &destination.sub, about)?;
    Ok(())
}

fn by_subject(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    subject: &str,
    destination: &User,
) -> Result<Value, Refused> {
    let known = user::find_identity(conn, &provider.id, &provider.issuer, subject)?;
    if let Some(known) = &known
        && (known.user_sub == destination.sub || !gives_way(conn, pool, known)?)
    {
        return Err(taken(conn, &known.user_sub, destination)?);
    }
    has_room(conn, destination)?;
    if let Some(known) = &known {
        users::delete(conn, ctx, &Reach::everything(), &known.user_sub)?;
    }
    let identity = Identity {
        provider_id: provider.id.clone(),
        issuer: provider.issuer.clone(),
        subject: subject.to_owned(),
        user_sub: destination.sub.clone(),
        provider_name: provider.name.clone(),
        is_primary: false,
        created_ms: ctx.now.0.saturating_mul(1000),
    };
    if !user::insert_identity(conn, &identity)? {
        return Err(Error::Conflict("the identity was linked at the same moment".into()).into());
    }
    let mut about = json!({ "provider": provider.id, "subject": subject });
    if let Some(known) = known {
        about["instead_of"] = json!(known.user_sub);
    }
    Ok(about)
}

/// Whether the profile to which the identity leads is nothing but what its first sign-in made.
fn gives_way(conn: &mut Conn, pool: &Pool, identity: &Identity) -> Result<bool, Error> {
    let sub = &identity.user_sub;
    let Some(user) = user::find(conn, sub)? else {
        return Ok(false);
    };
    Ok(!pool.settings.cognito_exact
        && user.status == Status::ExternalProvider
        && user.enabled
        && user::identities(conn, sub)?.len() == 1
        && link::waiting_of_user(conn, sub)? == 0
        && group::memberships(conn, sub)?
            .iter()
            .all(|one| one.source != BY_ADMIN)
        && administrator::find_by_user(conn, sub)?.is_none())
}

fn by_attribute(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    (name, value): (&str, &str),
    destination: &User,
) -> Result<Value, Refused> {
    let (attribute, value) = mapped(conn, pool, provider, name, value)?.ok_or_else(|| {
        Refused::Unmapped(format!(
            "{} maps nothing to an attribute '{name}' that could have this value",
            provider.name
        ))
    })?;
    if let Some(known) = link::find(conn, &provider.id, &attribute, &value)? {
        return Err(taken(conn, &known.user_sub, destination)?);
    }
    if let Some(come) = has_come(conn, pool, provider, (&attribute, &value))? {
        if come.user_sub == destination.sub {
            return Err(Refused::LinkedAlready);
        }
        return Err(Refused::Come {
            subject: come.subject,
        });
    }
    has_room(conn, destination)?;
    let names = link::attributes(conn, &provider.id, MOST_ATTRIBUTES)?;
    if names.len() >= MOST_ATTRIBUTES && !names.contains(&attribute) {
        return Err(Refused::TooMany(format!(
            "{} has links by {MOST_ATTRIBUTES} attributes, which is the most there can be",
            provider.name
        )));
    }
    let link = Link {
        provider_id: provider.id.clone(),
        attribute,
        value,
        user_sub: destination.sub.clone(),
        subject: None,
        created_at: ctx.now,
        move_id: None,
    };
    if !link::insert(conn, &link)? {
        return Err(Error::Conflict("the identity was linked at the same moment".into()).into());
    }
    // The value may be an address; the audit log outlives the account.
    Ok(json!({ "provider": provider.id, "attribute": link.attribute }))
}

/// The identity by which somebody who has the value has come through the connection: it is known by its subject, and no link
/// by a value leads it elsewhere any more.
fn has_come(
    conn: &mut Conn,
    pool: &Pool,
    provider: &Provider,
    (attribute, value): (&str, &str),
) -> Result<Option<Identity>, Error> {
    let has_value = |user: &User| {
        let theirs = user.attributes.get(attribute);
        theirs
            .and_then(|theirs| comparable(&pool.settings, attribute, theirs))
            .is_some_and(|theirs| theirs == value)
    };
    let found = match attribute {
        "email" => lookalike::by_email(conn, &pool.id, &email::written(value), LOOKED_AT)?,
        _ => lookalike::by_text(conn, &pool.id, Some(&provider.id), value, has_value)?,
    };
    for user in found {
        // An address that nobody has vouched for leads nobody here, and stands in nobody's way.
        let flag = user.attributes.get(&format!("{attribute}_verified"));
        let counts = !matches!(attribute, "email" | "phone_number") || flag.is_some_and(attests);
        if !has_value(&user) || !counts {
            continue;
        }
        let identities = user::identities(conn, &user.sub)?;
        if let Some(one) = identities.into_iter().find(|one| one.provider_id == provider.id) {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// The attribute and the value as they are kept.
fn mapped(
    conn: &mut Conn,
    pool: &Pool,
    provider: &Provider,
    name: &str,
    value: &str,
) -> Result<Option<(String, String)>, Error> {
    let rules = mapping::current(conn, &provider.id)?
        .map(|mapping| mapping.rules.0)
        .unwrap_or_default();
    Ok(attribute_of(&rules, name).and_then(|attribute| {
        let value = comparable(&pool.settings, attribute, &Value::String(value.to_owned()))?;
        Some((attribute.to_owned(), value))
    }))
}

fn taken(conn: &mut Conn, by: &str, destination: &User) -> Result<Refused, Error> {
    if by == destination.sub {
        return Ok(Refused::LinkedAlready);
    }
    let name = user::find(conn, by)?.map_or_else(String::new, |user| user.username);
    Ok(Refused::Taken(name))
}

fn has_room(conn: &mut Conn, destination: &User) -> Result<(), Refused> {
    // Held, so that two calls at once don't both find the last place free.
    user::lock(conn, &destination.sub)?;
    let linked = user::identities(conn, &destination.sub)?
        .into_iter()
        .filter(|identity| !identity.is_primary)
        .count();
    let waiting = usize::try_from(link::waiting_of_user(conn, &destination.sub)?).unwrap_or(usize::MAX);
    if linked.saturating_add(waiting) >= MOST_LINKED {
        return Err(Refused::TooMany(format!(
            "{MOST_LINKED} identities are linked to the user, which is the most there can be"
        )));
    }
    Ok(())
}

/// Why the identity was not taken away.
#[derive(Debug)]
pub enum Kept {
    /// No such identity is linked to anybody.
    Unknown,
    /// The profile was made from it: without it nobody could ever sign in to that profile.
    Own,
    Failed(Error),
}

impl From<Error> for Kept {
    fn from(error: Error) -> Kept {
        Kept::Failed(error)
    }
}

impl From<diesel::result::Error> for Kept {
    fn from(error: diesel::result::Error) -> Kept {
        Kept::Failed(error.into())
    }
}

/// Takes the identity away from the user to whom it was linked, and signs that user out everywhere: a session may have come
/// by it. Who comes with it next gets a profile of their own.
pub fn unlink(
    conn: &mut Conn,
    ctx: &Ctx,
    pool: &Pool,
    provider: &Provider,
    source: &Source,
) -> Result<(), Kept> {
    let (user_sub, subject) = match source {
        Source::Subject(subject) => (None, Some(subject.clone())),
        Source::Attribute { name, value } => {
            let (attribute, value) = mapped(conn, pool, provider, name, value)?.ok_or(Kept::Unknown)?;
            let link = link::find(conn, &provider.id, &attribute, &value)?.ok_or(Kept::Unknown)?;
            link::delete(conn, &link)?;
            (Some(link.user_sub), link.subject)
        }
    };
    let identity = match &subject {
        Some(subject) => user::find_identity(conn, &provider.id, &provider.issuer, subject)?,
        None => None,
    };
    let user_sub = match (&identity, user_sub) {
        (Some(identity), _) if identity.is_primary => return Err(Kept::Own),
        (Some(identity), _) => identity.user_sub.clone(),
        // Nobody has come with the value yet.
        (None, Some(user_sub)) => user_sub,
        (None, None) => return Err(Kept::Unknown),
    };
    let mut about = json!({ "provider": provider.id });
    if let Some(identity) = &identity {
        about["subject"] = json!(identity.subject);
    }
    // Recorded while it can be told whose tenant's it is.
    record(conn, ctx, "user.unlink", Some(&pool.id), &user_sub, about)?;
    if let Some(identity) = &identity {
        user::delete_identity(conn, identity)?;
        link::delete_of_subject(conn, &provider.id, &user_sub, &identity.subject)?;
        users::end(conn, ctx, &user_sub)?;
    }
    Ok(())
}
