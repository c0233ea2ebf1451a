//! Work on a schedule: clearing away what has expired, fetching upstream metadata before it goes stale, turning signing
//! keys over. Every job may run on several nodes at once: each step is a bounded statement that does no harm twice.

mod cleanup;
mod keys;

use std::time::Duration;

use actix_web::web::Data;
use tracing::warn;

use crate::broker::Broker;

/// How often expired rows are looked for.
const CLEANUP: Duration = Duration::from_secs(60);
/// How often upstream metadata is looked over.
const REFRESH: Duration = Duration::from_secs(30);
/// How often signing keys are looked over.
const KEYS: Duration = Duration::from_secs(60);

/// Runs all jobs until the process ends. Must be called within a tokio runtime.
pub fn start(broker: &Data<Broker>) {
    let cleaning = broker.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(CLEANUP).await;
            if let Err(cause) = cleanup::run(&cleaning).await {
                warn!(%cause, "the clean-up was cut short; it goes on in a minute");
            }
        }
    });
    let refreshing = broker.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(REFRESH).await;
            refreshing.upstream.refresh_due().await;
        }
    });
    let turning = broker.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(KEYS).await;
            if let Err(cause) = keys::run(&turning).await {
                warn!(%cause, "the signing keys were not all looked over; it goes on in a minute");
            }
        }
    });
}

pub use cleanup::run as clean_up;
pub use keys::run as turn_keys_over;
