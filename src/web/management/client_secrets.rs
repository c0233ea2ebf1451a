//! The secrets of an app client: two at most, so that an app can change from one to the next. A secret that was made here is
//! in the answer that makes it; lists name secrets and never show them.

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::clients::changeable;
use super::error::Failure;
use super::{Answer, Call, wire};
use crate::actions::clients;
use crate::db::Conn;
use crate::error::Error;
use crate::model::client::{self, Client};
use crate::model::pool;
use crate::model::reach::Reach;

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    client_id: String,
    client_secret: Option<String>,
    client_secret_id: String,
}

pub async fn add(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let client = find(conn, reach, &input)?;
        changeable(&client)?;
        let given = input.client_secret.map(Zeroizing::new);
        let generated = given.is_none();
        let made = clients::add_secret(conn, ctx, &client.id, given).map_err(|error| match error {
            Error::Conflict(why) => Failure::new("LimitExceededException", why),
            other => other.into(),
        })?;
        let mut shown = json!({
            "ClientSecretId": made.id, "ClientSecretCreateDate": wire::time(ctx.now),
        });
        if generated {
            shown["ClientSecretValue"] = json!(made.text.as_str());
        }
        Ok(json!({ "ClientSecretDescriptor": shown }))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let client = find(conn, reach, &input)?;
        changeable(&client)?;
        clients::delete_secret(conn, ctx, &client.id, &input.client_secret_id).map_err(
            |error| match error {
                Error::Conflict(why) => Failure::invalid(why),
                other => other.into(),
            },
        )?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let client = find(conn, &sees, &input)?;
        let shown: Vec<Value> = client::secrets(conn, &client.id)?
            .iter()
            .map(|secret| {
                json!({
                    "ClientSecretId": secret.id, "ClientSecretCreateDate": wire::time(secret.created_at),
                })
            })
            .collect();
        Ok(json!({ "ClientSecrets": shown }))
    })
    .await
}

/// The client of that pool, within reach.
fn find(conn: &mut Conn, reach: &Reach, input: &Input) -> Result<Client, Failure> {
    pool::find_within(conn, reach, &input.user_pool_id)?
        .ok_or_else(|| Failure::no_pool(&input.user_pool_id))?;
    client::find_within(conn, reach, &input.client_id)?
        .filter(|client| client.user_pool_id == input.user_pool_id)
        .ok_or_else(|| Failure::no_client(&input.client_id))
}
