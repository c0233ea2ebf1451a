//! Users as Cognito's API shows and changes them. A user goes by the username, the `sub`, or `<provider>_<subject>`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, wire};
use crate::actions::{Ctx, users};
use crate::db::Conn;
use crate::error::Error;
use crate::model::password;
use crate::model::pool::{self, Pool};
use crate::model::reach::Reach;
use crate::model::user::{self, Identity, User, directory};
use crate::rules::attribute::outside;
use crate::rules::identities;

/// Whom a call is about.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Named {
    pub user_pool_id: String,
    pub username: String,
}

impl Named {
    /// The pool and the user, within this reach.
    pub fn find(&self, conn: &mut Conn, reach: &Reach) -> Result<(Pool, User), Failure> {
        let pool = pool_within(conn, reach, &self.user_pool_id)?;
        let user = directory::find_named(conn, &pool, &self.username)?.ok_or_else(Failure::no_user)?;
        Ok((pool, user))
    }
}

pub(super) fn pool_within(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Pool, Failure> {
    pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeInput {
    pub name: String,
    /// Left out, it is blank.
    #[serde(default)]
    pub value: Option<String>,
}

pub async fn get(call: Call) -> Answer {
    let named: Named = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let (_, user) = named.find(conn, &sees)?;
        let identities = user::identities(conn, &user.sub)?;
        Ok(shape(&user, &identities, "UserAttributes", None))
    })
    .await
}

pub async fn update_attributes(call: Call) -> Answer {
    let changes = given_attributes(&call)?;
    change_attributes(call, changes).await
}

/// The attributes that a call brings. As in Cognito, a blank value deletes, and of two for one name the last one counts.
pub(super) fn given_attributes(call: &Call) -> Result<BTreeMap<String, Value>, Failure> {
    let given: Vec<AttributeInput> = call.member("UserAttributes")?.unwrap_or_default();
    let named = given.into_iter().map(|attribute| {
        let value = attribute.value.filter(|value| !value.trim().is_empty());
        (attribute.name, value.map_or(Value::Null, Value::String))
    });
    Ok(named.collect())
}

pub async fn delete_attributes(call: Call) -> Answer {
    let names: Vec<String> = call.member("UserAttributeNames")?.unwrap_or_default();
    let changes = names.into_iter().map(|name| (name, Value::Null)).collect();
    change_attributes(call, changes).await
}

async fn change_attributes(call: Call, changes: BTreeMap<String, Value>) -> Answer {
    let fixed = ["sub", "identities"];
    if let Some(name) = fixed.into_iter().find(|name| changes.contains_key(*name)) {
        return Err(Failure::invalid(format!(
            "user.{name}: Attribute cannot be updated."
        )));
    }
    act(call, move |conn, ctx, reach, user| {
        users::set_attributes(conn, ctx, reach, &user.sub, &changes).map_err(not_conforming)?;
        Ok(())
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    act(call, |conn, ctx, reach, user| {
        users::delete(conn, ctx, reach, &user.sub)?;
        Ok(())
    })
    .await
}

pub async fn enable(call: Call) -> Answer {
    act(call, |conn, ctx, reach, user| {
        Ok(users::enable(conn, ctx, reach, &user.sub)?)
    })
    .await
}

pub async fn disable(call: Call) -> Answer {
    act(call, |conn, ctx, reach, user| {
        users::disable(conn, ctx, reach, &user.sub)?;
        Ok(())
    })
    .await
}

/// Ends the browser sessions with the tokens. Cognito leaves them, so that its next redirect signs the user in again.
pub async fn sign_out(call: Call) -> Answer {
    act(call, |conn, ctx, reach, user| {
        users::sign_out_everywhere(conn, ctx, reach, &user.sub)?;
        Ok(())
    })
    .await
}

pub async fn confirm(call: Call) -> Answer {
    act(call, |conn, ctx, reach, user| {
        users::confirm(conn, ctx, reach, &user.sub).map_err(|error| match error {
            Error::Denied(why) => Failure::new("NotAuthorizedException", why),
            other => other.into(),
        })
    })
    .await
}

/// What the user can prove themselves by here; who comes through a connection does so there.
pub async fn auth_factors(call: Call) -> Answer {
    let named: Named = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let (_, user) = named.find(conn, &sees)?;
        Ok(factors(conn, &user)?)
    })
    .await
}

/// Which factors there are: a password, for whom has one here.
pub(super) fn factors(conn: &mut Conn, user: &User) -> diesel::QueryResult<Value> {
    let factors: &[&str] = match password::find(conn, &user.sub)? {
        Some(_) => &["PASSWORD"],
        None => &[],
    };
    Ok(json!({ "Username": user.username, "ConfiguredUserAuthFactors": factors }))
}

/// An attribute that the pool's schema does not take, named as Cognito names it.
pub(super) fn not_conforming(error: Error) -> Failure {
    match error {
        Error::Invalid { field, why } => Failure::invalid(format!("user.{field}: {why}")),
        other => other.into(),
    }
}

/// Changes the user that the call names.
async fn act(
    call: Call,
    work: impl FnOnce(&mut Conn, &Ctx, &Reach, &User) -> Result<(), Failure> + Clone + Send + 'static,
) -> Answer {
    let named: Named = call.read()?;
    call.act(move |conn, ctx, reach| {
        let (_, user) = named.find(conn, reach)?;
        work(conn, ctx, reach, &user)?;
        Ok(json!({}))
    })
    .await
}

/// The user with the attributes under that name: all of them, or those that are asked for.
pub(super) fn shape(user: &User, identities: &[Identity], list: &str, only: Option<&[String]>) -> Value {
    json!({
        "Username": user.username,
        list: shown_attributes(user, identities, only),
        "UserCreateDate": wire::time(user.created_at),
        "UserLastModifiedDate": wire::time(user.updated_at),
        "Enabled": user.enabled,
        "UserStatus": user.status,
    })
}

/// `AttributeListType`: all of the user's attributes, or those that are asked for.
pub(super) fn shown_attributes(user: &User, identities: &[Identity], only: Option<&[String]>) -> Vec<Value> {
    let wanted = |name: &str| only.is_none_or(|names| names.iter().any(|known| known == name));
    let mut attributes = vec![("sub".to_owned(), user.sub.clone())];
    attributes.extend(
        user.attributes
            .iter()
            .map(|(name, value)| (name.clone(), outside(value))),
    );
    if !identities.is_empty() {
        attributes.push(("identities".to_owned(), identities::attribute(identities)));
    }
    attributes
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect()
}
