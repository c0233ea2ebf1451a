//! What users do for themselves with their access token, which must have the scope `aws.cognito.signin.user.admin`: look
//! at their profile, change it, sign out everywhere, delete themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, people};
use crate::actions::{Ctx, users};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::reach::Reach;
use crate::model::{password, user};
use crate::rules::attribute;
use crate::rules::aws::auth_flow;
use crate::web::bearer::{Bearer, Refused, bearer};

/// The user behind `AccessToken`.
pub async fn caller(call: &Call) -> Result<Bearer, Failure> {
    let refuse = |why: &str| Failure::new("NotAuthorizedException", why);
    let token: String = call.member("AccessToken")?.unwrap_or_default();
    match bearer(&call.broker, &token).await? {
        Ok(bearer) if bearer.has(auth_flow::SCOPE) => Ok(bearer),
        Ok(_) | Err(Refused::OfNobody) => Err(refuse("Access Token does not have required scopes")),
        Err(Refused::Expired) => Err(refuse("Access Token has expired")),
        Err(Refused::Ended(_)) => Err(refuse("Access Token has been revoked")),
        Err(Refused::Invalid(_)) => Err(refuse("Invalid Access Token")),
    }
}

/// Changes something about the user, as the user.
async fn act(
    call: &Call,
    bearer: &Bearer,
    work: impl FnOnce(&mut Conn, &Ctx, &Reach, &str) -> Answer + Send + 'static,
) -> Answer {
    let sub = bearer.user.sub.clone();
    let ctx = call.broker.ctx(format!("user:{sub}"), &call.request_id);
    // The token has been looked at: this user, and nobody else, is within its reach.
    call.broker
        .db
        .write(move |conn| work(conn, &ctx, &Reach::everything(), &sub))
        .await
}

pub async fn get_user(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    let sub = bearer.user.sub.clone();
    let identities = call
        .broker
        .db
        .read(move |conn| Ok::<_, StoreError>(user::identities(conn, &sub)?))
        .await?;
    let shown = people::attributes(&bearer.user, &identities, Some(&bearer.app.client));
    Ok(json!({ "Username": bearer.user.username, "UserAttributes": shown }))
}

/// Which factors there are: a password, for whom has one here.
pub async fn auth_factors(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    let sub = bearer.user.sub.clone();
    let has_password = call
        .broker
        .db
        .read(move |conn| Ok::<_, StoreError>(password::find(conn, &sub)?.is_some()))
        .await?;
    let factors: &[&str] = if has_password { &["PASSWORD"] } else { &[] };
    Ok(json!({ "Username": bearer.user.username, "ConfiguredUserAuthFactors": factors }))
}

pub async fn global_sign_out(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    act(&call, &bearer, |conn, ctx, reach, sub| {
        users::sign_out_everywhere(conn, ctx, reach, sub)?;
        Ok(json!({}))
    })
    .await
}

pub async fn update_attributes(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    let given: Vec<Value> = call.member("UserAttributes")?.unwrap_or_default();
    change(&call, &bearer, people::named_values(&given).into_iter().collect()).await?;
    Ok(json!({}))
}

pub async fn delete_attributes(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    let names: Vec<String> = call.member("UserAttributeNames")?.unwrap_or_default();
    change(
        &call,
        &bearer,
        names.into_iter().map(|name| (name, Value::Null)).collect(),
    )
    .await?;
    Ok(json!({}))
}

async fn change(call: &Call, bearer: &Bearer, changes: BTreeMap<String, Value>) -> Answer {
    let names: Vec<String> = changes.keys().cloned().collect();
    writable(bearer.app.client.settings.write_attributes.as_deref(), &names)?;
    act(call, bearer, move |conn, ctx, reach, sub| {
        users::set_attributes(conn, ctx, reach, sub, &changes)?;
        Ok(json!({}))
    })
    .await
}

/// Whether a client may let its users change these attributes.
pub fn writable(allowed: Option<&[String]>, names: &[String]) -> Result<(), Failure> {
    let refused = names.iter().any(|name| {
        attribute::is_verified_flag(name)
            || matches!(name.as_str(), "sub" | "identities")
            || allowed.is_some_and(|allowed| !allowed.contains(name))
    });
    if refused {
        return Err(Failure::new(
            "NotAuthorizedException",
            "A client attempted to write unauthorized attribute",
        ));
    }
    Ok(())
}

pub async fn delete(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    act(&call, &bearer, |conn, ctx, reach, sub| {
        users::delete(conn, ctx, reach, sub)?;
        Ok(json!({}))
    })
    .await
}
