//! Tags of user pools.

use std::collections::BTreeMap;

use serde_json::json;

use super::error::Failure;
use super::{Answer, Call};
use crate::actions::pools::{self, PoolChange};
use crate::model::pool;

/// Tags that one pool may have (AWS's limit).
const MOST: usize = 50;

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Input {
    resource_arn: String,
    tags: BTreeMap<String, String>,
    tag_keys: Vec<String>,
}

pub async fn tag(call: Call) -> Answer {
    let input: Input = call.read()?;
    change(call, &input.resource_arn, move |tags| {
        tags.extend(input.tags);
        if tags.len() > MOST {
            return Err(Failure::new(
                "UserPoolTaggingException",
                format!("A user pool has at most {MOST} tags"),
            ));
        }
        Ok(())
    })
    .await
}

pub async fn untag(call: Call) -> Answer {
    let input: Input = call.read()?;
    change(call, &input.resource_arn, move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let input: Input = call.read()?;
    let id = pool_of(&input.resource_arn)?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let pool = pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        Ok(json!({ "Tags": pool.settings.tags }))
    })
    .await
}

async fn change(
    call: Call,
    arn: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Failure> + Clone + Send + 'static,
) -> Answer {
    let id = pool_of(arn)?;
    call.act(move |conn, ctx, reach| {
        let pool = pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let mut settings = pool.settings.0;
        edit(&mut settings.tags)?;
        let change = PoolChange {
            settings: Some(settings),
            ..PoolChange::default()
        };
        pools::update(conn, ctx, &id, change)?;
        Ok(json!({}))
    })
    .await
}

/// The pool that an ARN names: `arn:aws:cognito-idp:<region>:<account>:userpool/<pool id>`.
fn pool_of(arn: &str) -> Result<String, Failure> {
    arn.split_once(":userpool/")
        .map(|(_, id)| id.to_owned())
        .ok_or_else(|| Failure::invalid("ResourceArn must name a user pool"))
}
