//! How long and how often people stay signed in: at most so many sessions of a user in the pool, and for how long an app
//! takes the session of an earlier sign-in instead of asking again.

use serde_json::{Value, json};

use super::clients::changeable;
use super::error::Failure;
use super::{Answer, Call};
use crate::actions::clients::{self, ClientChange};
use crate::actions::pools::{self, PoolChange};
use crate::db::Conn;
use crate::model::client::{self, Client};
use crate::model::pool::{self, Pool};
use crate::model::reach::Reach;

pub async fn of_pool(call: Call) -> Answer {
    let id = call.pool_id();
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let pool = pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        Ok(pool_shape(&pool))
    })
    .await
}

pub async fn set_of_pool(call: Call) -> Answer {
    let id = call.pool_id();
    let tracking: Option<String> = call.member("UserSessionTracking")?;
    let most = number(&call, "TokenSession", "MaxPerUser");
    call.act(move |conn, ctx, reach| {
        let pool = pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let mut settings = pool.settings.0;
        settings.sessions = pool::Sessions {
            tracked: tracking.as_deref() == Some("ENABLED"),
            most_per_user: most,
        };
        let change = PoolChange {
            settings: Some(settings),
            ..PoolChange::default()
        };
        Ok(pool_shape(&pools::update(conn, ctx, &id, change)?))
    })
    .await
}

pub async fn of_client(call: Call) -> Answer {
    let (pool_id, id) = (call.pool_id(), client_id(&call)?);
    let sees = call.caller.sees.clone();
    call.look(move |conn| Ok(client_shape(&find(conn, &sees, &pool_id, &id)?)))
        .await
}

pub async fn set_of_client(call: Call) -> Answer {
    let (pool_id, id) = (call.pool_id(), client_id(&call)?);
    let minutes = number(&call, "SSOSession", "MaxValidityMinutes");
    call.act(move |conn, ctx, reach| {
        changeable(&find(conn, reach, &pool_id, &id)?)?;
        let mut settings = clients::lock(conn, &id)?.settings.0;
        settings.sso_minutes = minutes;
        let change = ClientChange {
            settings: Some(settings),
            ..ClientChange::default()
        };
        Ok(client_shape(&clients::update(conn, ctx, &id, change)?))
    })
    .await
}

fn number(call: &Call, structure: &str, member: &str) -> Option<i64> {
    call.input.get(structure)?.get(member)?.as_i64()
}

fn client_id(call: &Call) -> Result<String, Failure> {
    Ok(call.member("ClientId")?.unwrap_or_default())
}

fn find(conn: &mut Conn, reach: &Reach, pool_id: &str, id: &str) -> Result<Client, Failure> {
    pool::find_within(conn, reach, pool_id)?.ok_or_else(|| Failure::no_pool(pool_id))?;
    client::find_within(conn, reach, id)?
        .filter(|client| client.user_pool_id == pool_id)
        .ok_or_else(|| Failure::no_client(id))
}

fn pool_shape(pool: &Pool) -> Value {
    let sessions = &pool.settings.sessions;
    let mut shown = json!({
        "UserPoolId": pool.id,
        "UserSessionTracking": if sessions.tracked { "ENABLED" } else { "DISABLED" },
    });
    if let Some(most) = sessions.most_per_user {
        shown["TokenSession"] = json!({ "MaxPerUser": most });
    }
    shown
}

fn client_shape(client: &Client) -> Value {
    let mut shown = json!({ "UserPoolId": client.user_pool_id, "ClientId": client.id });
    if let Some(minutes) = client.settings.sso_minutes {
        shown["SSOSession"] = json!({ "MaxValidityMinutes": minutes });
    }
    shown
}
