//! What users do for themselves with their access token, which must have the scope `aws.cognito.signin.user.admin`: look
//! at their profile, change it, sign out everywhere, delete themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, users};
use crate::actions::{Ctx, enforcement, users as actions};
use crate::db::Conn;
use crate::model::reach::Reach;
use crate::model::user;
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
pub async fn act(
    call: &Call,
    bearer: &Bearer,
    work: impl FnOnce(&mut Conn, &Ctx, &Reach, &str) -> Answer + Clone + Send + 'static,
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
    // Who somebody is can always be read.
    let readable = bearer
        .app
        .client
        .settings
        .read_attributes
        .clone()
        .map(|mut names| {
            names.extend(["sub".to_owned(), "identities".to_owned()]);
            names
        });
    call.look(move |conn| {
        let identities = user::identities(conn, &bearer.user.sub)?;
        let shown = users::shown_attributes(&bearer.user, &identities, readable.as_deref());
        Ok(json!({ "Username": bearer.user.username, "UserAttributes": shown }))
    })
    .await
}

pub async fn auth_factors(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    call.look(move |conn| Ok(users::factors(conn, &bearer.user)?))
        .await
}

pub async fn global_sign_out(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    act(&call, &bearer, |conn, ctx, reach, sub| {
        actions::sign_out_everywhere(conn, ctx, reach, sub)?;
        Ok(json!({}))
    })
    .await
}

pub async fn update_attributes(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    change(&call, &bearer, users::given_attributes(&call)?).await
}

pub async fn delete_attributes(call: Call) -> Answer {
    let bearer = caller(&call).await?;
    let names: Vec<String> = call.member("UserAttributeNames")?.unwrap_or_default();
    let changes = names.into_iter().map(|name| (name, Value::Null)).collect();
    change(&call, &bearer, changes).await
}

async fn change(call: &Call, bearer: &Bearer, changes: BTreeMap<String, Value>) -> Answer {
    let names: Vec<String> = changes.keys().cloned().collect();
    writable(bearer.app.client.settings.write_attributes.as_deref(), &names)?;
    let (user, came_by) = (bearer.user.clone(), bearer.family.granted.provider_id.clone());
    act(call, bearer, move |conn, ctx, reach, sub| {
        // Their organisation knows its people by their addresses: nobody whom it has closed this way to gives up theirs.
        if enforcement::is_wanted_elsewhere(conn, ctx.now, &user, &came_by)? {
            return Err(Failure::new(
                "NotAuthorizedException",
                "The user's organisation has closed the way by which this token was given",
            ));
        }
        actions::set_attributes(conn, ctx, reach, sub, &changes).map_err(users::not_conforming)?;
        Ok(json!({}))
    })
    .await
}

/// Whether a client may let its users change these attributes: those it names, or the standard ones where it names none (as
/// in Cognito). What a pool adds of its own, a role perhaps, is not its users' to say.
pub fn writable(allowed: Option<&[String]>, names: &[String]) -> Result<(), Failure> {
    let refused = names.iter().any(|name| {
        attribute::is_verified_flag(name)
            || matches!(name.as_str(), "sub" | "identities")
            || match allowed {
                Some(allowed) => !allowed.contains(name),
                None => name.starts_with("custom:") || name.starts_with("dev:"),
            }
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
        actions::delete(conn, ctx, reach, sub)?;
        Ok(json!({}))
    })
    .await
}
