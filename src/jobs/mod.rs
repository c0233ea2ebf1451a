//! Work on a schedule. Clearing away, fetching metadata and turning signing keys over may run on several nodes at once: each
//! step is a bounded statement that does no harm twice. What may not is done under a lease (`model::job`), or claimed row by
//! row.

pub mod changes;
mod cleanup;
pub mod domains;
mod enforcement;
mod keys;
mod root_key;
pub mod watch;
pub mod webhooks;

use std::future::Future;
use std::time::Duration;

use actix_web::web::Data;
use tracing::warn;

use crate::broker::Broker;
use crate::error::StoreError;

/// How often expired rows are looked for.
const CLEANUP: Duration = Duration::from_secs(60);
/// How often upstream metadata is looked over.
const REFRESH: Duration = Duration::from_secs(30);
/// How often the claims of new sign-ins are read, and connections looked for that are due for a probe.
const WATCH: Duration = Duration::from_secs(60);
/// How often deliveries to webhooks are looked for.
const DELIVER: Duration = Duration::from_secs(5);
/// How often unconfirmed enforcement is looked for.
const ENFORCE: Duration = Duration::from_secs(30);
/// How often domains are looked for whose proof is due to be looked at.
const DOMAINS: Duration = Duration::from_secs(300);
/// How often signing keys, and what older root keys sealed, are looked over.
const KEYS: Duration = Duration::from_secs(60);

/// Runs all jobs until the process ends. Must be called within a tokio runtime.
pub fn start(broker: &Data<Broker>) {
    changes::start(broker);
    every(CLEANUP, "the clean-up", broker, |broker| async move {
        cleanup::run(&broker).await.map(|_| ())
    });
    every(REFRESH, "the refresh of metadata", broker, |broker| async move {
        broker.upstream.refresh_due().await;
        Ok(())
    });
    every(WATCH, "the look at claims", broker, |broker| async move {
        watch::read_claims(&broker).await
    });
    every(WATCH, "the probe of connections", broker, |broker| async move {
        watch::probe_due(&broker).await
    });
    every(DELIVER, "the delivery to webhooks", broker, |broker| async move {
        webhooks::run(&broker).await.map(|_| ())
    });
    every(ENFORCE, "the look at enforcement", broker, |broker| async move {
        enforcement::run(&broker).await.map(|_| ())
    });
    every(
        DOMAINS,
        "the look at tenants' domains",
        broker,
        |broker| async move { domains::run(&broker).await.map(|_| ()) },
    );
    every(KEYS, "the look over signing keys", broker, |broker| async move {
        keys::run(&broker).await.map(|_| ())
    });
    every(
        KEYS,
        "the taking over by a new root key",
        broker,
        |broker| async move { root_key::run(&broker).await.map(|_| ()) },
    );
}

/// Runs one job again and again, with a pause in between.
fn every<F, Work>(pause: Duration, what: &'static str, broker: &Data<Broker>, work: F)
where
    F: Fn(Data<Broker>) -> Work + Send + 'static,
    Work: Future<Output = Result<(), StoreError>> + Send,
{
    let broker = broker.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            if let Err(cause) = work(broker.clone()).await {
                warn!(%cause, "{what} was cut short; it goes on at its next turn");
            }
        }
    });
}

pub use cleanup::run as clean_up;
pub use enforcement::run as revert_enforcement;
pub use keys::run as turn_keys_over;
pub use root_key::run as take_over;
