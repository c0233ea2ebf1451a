//! Delivers to webhooks what was queued. A delivery is claimed row by row, so that of several nodes one sends it; a node
//! that dies in between leaves it to be sent again, under the same id.

use futures_util::StreamExt;
use tracing::warn;
use url::Url;

use crate::actions::webhooks::{self, Outcome};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::webhook::{self, Delivery, Webhook};
use crate::rules::webhook::{Answer, headers};

/// Longer than any attempt takes.
const CLAIM: i64 = 60;
/// Deliveries claimed together, and of one webhook.
const BATCH: i64 = 40;
const EACH: usize = 5;
/// Batches of one run; the rest is for the next.
const MOST_BATCHES: usize = 50;
const AT_ONCE: usize = 20;

/// Sends everything that is due; gives the number of attempts.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    let mut attempts = 0;
    for _ in 0..MOST_BATCHES {
        let now = broker.clock.now();
        let claimed = broker
            .db
            .write(move |conn| Ok::<_, StoreError>(webhook::claim(conn, now, now.plus(CLAIM), EACH, BATCH)?))
            .await?;
        if claimed.is_empty() {
            break;
        }
        attempts += claimed.len();
        futures_util::stream::iter(claimed)
            .for_each_concurrent(AT_ONCE, |(delivery, row)| async move {
                if let Err(cause) = deliver(broker, delivery, row).await {
                    warn!(%cause, "a delivery could not be settled; it is tried again");
                }
            })
            .await;
    }
    Ok(attempts)
}

async fn deliver(broker: &Broker, delivery: Delivery, row: Webhook) -> Result<(), StoreError> {
    let answer = match (Url::parse(&row.url), webhooks::open_secret(&broker.sealer, &row)) {
        (Ok(url), Ok(secret)) => {
            let headers = headers(&secret, &delivery.id, broker.clock.now(), &delivery.payload);
            broker
                .upstream
                .post(&url, &headers, delivery.payload.clone())
                .await
        }
        (Err(_), _) => Answer::Nothing("the address is no URL".into()),
        (_, Err(_)) => Answer::Nothing("its secret cannot be opened with this root key: replace it".into()),
    };
    let ctx = broker.ctx("system", "webhooks");
    let outcome = broker
        .db
        .write(move |conn| webhooks::answered(conn, &ctx, &row, &delivery, &answer))
        .await?;
    broker.metrics.delivery(match outcome {
        Outcome::Arrived => "arrived",
        Outcome::Failed => "failed",
        Outcome::GivenUp => "given_up",
    });
    Ok(())
}
