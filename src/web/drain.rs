//! The end of a node: it is told to stop, says so where a load balancer asks, takes no more connections and finishes what
//! is under way.

use std::future::pending;
use std::sync::atomic::Ordering;

use actix_web::web::Data;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::broker::Broker;

/// Ends when no more connections are to be taken. SIGINT comes from somebody at a terminal, who waits for nobody's health
/// checks.
pub async fn told(broker: Data<Broker>) {
    let by_hand = tokio::select! {
        () = came(SignalKind::interrupt()) => true,
        () = came(SignalKind::terminate()) => false,
    };
    broker.draining.store(true, Ordering::Relaxed);
    info!("told to stop; what is under way is finished");
    if !by_hand {
        tokio::time::sleep(broker.guards.drain_delay).await;
    }
}

async fn came(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        // Then the signal has its usual effect, and nobody waits for it here.
        Err(_) => pending().await,
    }
}
