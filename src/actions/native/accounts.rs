//! Making native users, and setting and taking away their passwords. An administrator does it, or the user as the step of
//! a sign-in.

use serde_json::{Map, Value, json};

use super::{NewPassword, address, label, lists_email};
use crate::actions::{Ctx, record, users};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::password::{self, Password};
use crate::model::pool::Pool;
use crate::model::reach::Reach;
use crate::model::user::{self, Status, User, search};
use crate::rules::attribute;
use crate::world::UnixTime;

/// A user to make, with an id drawn before: the password is bound to it.
pub struct NewUser<'a> {
    pub pool: &'a Pool,
    pub sub: String,
    pub username: String,
    /// As they came: checked here against the pool's schema.
    pub attributes: Map<String, Value>,
    /// A verified address that is somebody else's alias becomes this user's.
    pub takes_alias: bool,
    /// `None`: nobody can sign in before one is set.
    pub password: Option<NewPassword>,
    /// Until when that password is good for setting another.
    pub temporary_until: UnixTime,
}

/// Makes a user who has to set another password at the first sign-in.
pub fn create(conn: &mut Conn, ctx: &Ctx, new: NewUser<'_>) -> Result<User, Error> {
    let attributes = conforming(new.pool, &new.attributes)?;
    let user = User {
        sub: new.sub,
        user_pool_id: new.pool.id.clone(),
        username: new.username,
        status: Status::ForceChangePassword,
        enabled: true,
        attributes: Json(attributes),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !user::insert(conn, &user)? {
        return Err(Error::exists("user", user.username));
    }
    address::settle(conn, ctx, new.pool, &user, new.takes_alias).map_err(|error| match error {
        // There the address is the name.
        Error::Exists(what) if lists_email(new.pool, "UsernameAttributes") => {
            Error::exists("user", what.name)
        }
        other => other,
    })?;
    let has_password = new.password.is_some();
    if let Some(password) = new.password {
        keep(conn, ctx, &user, password, Some(new.temporary_until))?;
    }
    record(
        conn,
        ctx,
        "user.create",
        Some(&user.user_pool_id),
        &user.sub,
        json!({ "username": user.username, "password": has_password }),
    )?;
    Ok(user)
}

/// The attributes in the types of the pool's schema, none that is required left out.
fn conforming(pool: &Pool, given: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let refuse = |name: &str, why: &str| {
        let why = format!("{name}: {why}");
        Err(Error::invalid("Attributes did not conform to the schema", why))
    };
    let mut attributes = Map::new();
    for (name, value) in given {
        let Some(definition) = pool.settings.attribute(name) else {
            return refuse(name, "Attribute does not exist in the schema.");
        };
        match attribute::from_claim(&definition, value) {
            Ok(Some(value)) => attributes.insert(name.clone(), value),
            Ok(None) => None,
            Err(why) => return refuse(name, &format!("the value {why}")),
        };
    }
    let missing = pool
        .settings
        .attributes
        .iter()
        .find(|attribute| attribute.required && !attributes.contains_key(&attribute.name));
    match missing {
        Some(attribute) => refuse(&attribute.name, "The attribute is required"),
        None => Ok(attributes),
    }
}

/// Sets a user's password, as an administrator: for good, or until then and only for setting another. A federated user
/// has one, too, from then on (as Cognito's).
pub fn set_password(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    sub: &str,
    password: NewPassword,
    temporary_until: Option<UnixTime>,
) -> Result<(), Error> {
    let user = search::find_in_pool(conn, reach, sub)?.ok_or_else(|| Error::not_found("user", sub))?;
    let status = match temporary_until {
        None => Status::Confirmed,
        Some(_) => Status::ForceChangePassword,
    };
    keep(conn, ctx, &user, password, temporary_until)?;
    user::set_status(conn, sub, status, ctx.now)?;
    record(
        conn,
        ctx,
        "user.password.set",
        Some(&user.user_pool_id),
        sub,
        json!({
            "temporary": temporary_until.is_some(),
            "status": { "old": user.status, "new": status },
        }),
    )?;
    Ok(())
}

/// Lets the password sign nobody in any more until an administrator sets another. It is kept, so that only who knows it
/// is told so.
pub fn require_reset(conn: &mut Conn, ctx: &Ctx, reach: &Reach, sub: &str) -> Result<(), Error> {
    let user = search::find_in_pool(conn, reach, sub)?.ok_or_else(|| Error::not_found("user", sub))?;
    let resettable = matches!(user.status, Status::Confirmed | Status::ResetRequired);
    if !resettable || password::find(conn, sub)?.is_none() {
        return Err(Error::Denied(
            "User password cannot be reset in the current state.".into(),
        ));
    }
    user::set_status(conn, sub, Status::ResetRequired, ctx.now)?;
    record(
        conn,
        ctx,
        "user.password.reset",
        Some(&user.user_pool_id),
        sub,
        json!({ "status": { "old": user.status, "new": Status::ResetRequired } }),
    )?;
    Ok(())
}

/// Takes the password away and signs the user out everywhere: what remains are the connections that the user is linked
/// to, until an administrator sets another. False when there is none.
pub fn take_password(conn: &mut Conn, ctx: &Ctx, user: &User) -> Result<bool, Error> {
    if !password::delete(conn, &user.sub)? {
        return Ok(false);
    }
    record(
        conn,
        ctx,
        "user.password.take",
        Some(&user.user_pool_id),
        &user.sub,
        json!({}),
    )?;
    users::end(conn, ctx, &user.sub)?;
    Ok(true)
}

pub(super) fn keep(
    conn: &mut Conn,
    ctx: &Ctx,
    user: &User,
    new: NewPassword,
    temporary_until: Option<UnixTime>,
) -> Result<(), Error> {
    let row = Password {
        user_sub: user.sub.clone(),
        hash: new.hash,
        srp_salt: new.srp_salt,
        srp_verifier_sealed: ctx.sealer.seal(label(user), &new.srp_verifier),
        temporary_until,
        failures: 0,
        locked_until: ctx.now,
        updated_at: ctx.now,
    };
    Ok(password::put(conn, &row)?)
}
