//! Turns signing keys over: pending ones that every verifier can know take over, retired ones whose tokens have all
//! expired go, and keys that are old enough for their pool get a successor. Every node does it; the database decides who
//! was first.

use tracing::info;

use crate::actions::keys;
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::key::{self, Usage};
use crate::model::pool;
use crate::rules::key_rotation::{LEAD_SECONDS, is_due};

/// No key is succeeded earlier, whatever its pool says: one day is the shortest time that can be set.
const YOUNGEST: i64 = 86_400;

/// One run over everything; gives the number of steps that were taken.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    let steps = promote(broker).await? + delete_retired(broker).await? + succeed(broker).await?;
    if steps > 0 {
        broker.forget();
    }
    Ok(steps)
}

async fn promote(broker: &Broker) -> Result<usize, StoreError> {
    let published_by = broker.clock.now().plus(-LEAD_SECONDS);
    let ripe = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(key::pending(conn, published_by)?))
        .await?;
    let mut steps = 0;
    for pending in ripe {
        let (ctx, kid) = (broker.ctx("system", broker.request_id()), pending.kid.clone());
        let outcome = broker
            .db
            .write(move |conn| keys::promote(conn, &ctx, &pending))
            .await;
        match outcome {
            Ok(true) => {
                info!(kid, "a new key signs");
                steps += 1;
            }
            Ok(false) => {}
            Err(Error::Internal(cause)) => return Err(cause),
            Err(cause) => info!(kid, %cause, "a key did not take over"),
        }
    }
    Ok(steps)
}

async fn delete_retired(broker: &Broker) -> Result<usize, StoreError> {
    let ctx = broker.ctx("system", broker.request_id());
    let outcome = broker
        .db
        .write(move |conn| keys::delete_retired(conn, &ctx))
        .await;
    internal(outcome)
}

async fn succeed(broker: &Broker) -> Result<usize, StoreError> {
    let mut steps = 0;
    for (pool_id, usage) in due(broker).await? {
        let pair = internal(broker.new_key().await)?;
        let (ctx, wanted) = (broker.ctx("system", broker.request_id()), pool_id.clone());
        let outcome = broker
            .db
            .write(move |conn| keys::rotate(conn, &ctx, &wanted, &[(usage, pair)]))
            .await;
        match outcome {
            Ok(_) => {
                info!(user_pool_id = pool_id, %usage, "a signing key gets a successor");
                steps += 1;
            }
            Err(Error::Internal(cause)) => return Err(cause),
            // Another node was first, or the pool is gone.
            Err(cause) => info!(user_pool_id = pool_id, %cause, "no successor was published"),
        }
    }
    Ok(steps)
}

/// The pools and uses whose keys are old enough.
async fn due(broker: &Broker) -> Result<Vec<(String, Usage)>, StoreError> {
    let now = broker.clock.now();
    let signing = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(key::without_successor(conn, now.plus(-YOUNGEST))?))
        .await?;
    let wants = |since, settings: &pool::Settings| is_due(since, settings.key_rotation_days, now);
    Ok(signing
        .into_iter()
        .filter(|(_, _, since, settings)| wants(*since, settings))
        .map(|(pool_id, usage, ..)| (pool_id, usage))
        .collect())
}

/// Nothing here can be refused for the caller's sake.
fn internal<T>(outcome: Result<T, Error>) -> Result<T, StoreError> {
    outcome.map_err(|error| match error {
        Error::Internal(cause) => cause,
        other => StoreError::Lost(other.to_string()),
    })
}
