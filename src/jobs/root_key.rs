//! Seals what older root keys sealed anew under the one that seals, where the settings have more than one. One node at a
//! time does it, in small transactions.

use tracing::{info, warn};

use crate::actions::root_key;
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::job;
use crate::model::sealed::LASTING;

const JOB: &str = "root-key";
/// How long a node may take before another one may.
const LEASE: i64 = 3_600;
/// What other nodes still seal under the old key is found this much later.
const AGAIN: i64 = 3_600;

/// One run over everything; gives the number of values that were sealed anew.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    if broker.sealer.key_ids().len() < 2 {
        return Ok(0);
    }
    let now = broker.clock.now();
    let until = now.plus(LEASE);
    let is_ours = broker
        .db
        .write(move |conn| Ok::<_, StoreError>(job::claim(conn, JOB, now, until, AGAIN)?))
        .await?;
    if !is_ours {
        return Ok(0);
    }
    let (mut anew, mut closed) = (0, 0);
    for kind in &LASTING {
        let mut after = Some(String::new());
        while let Some(from) = after {
            let ctx = broker.ctx("system", broker.request_id());
            let key_id = ctx.sealer.key_id();
            let batch = broker
                .db
                .read(move |conn| root_key::next(conn, key_id, kind, &from))
                .await?;
            after = batch.next.clone();
            if batch.is_empty() {
                break;
            }
            let done = broker
                .db
                .write(move |conn| root_key::seal_anew(conn, &ctx, kind, &batch))
                .await
                .map_err(|error| match error {
                    Error::Internal(cause) => cause,
                    other => StoreError::Lost(other.to_string()),
                })?;
            anew += done.anew;
            closed += done.closed;
        }
    }
    if anew > 0 {
        info!(anew, "the root key took over what older ones had sealed");
    }
    if closed > 0 {
        warn!(
            closed,
            "no root key that is here opens these sealed values; forebay keys root tells whose key is missing"
        );
    }
    let done = broker.clock.now();
    broker
        .db
        .write(move |conn| Ok::<_, StoreError>(job::done(conn, JOB, done, until)?))
        .await?;
    Ok(anew)
}
