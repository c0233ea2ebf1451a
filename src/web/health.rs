//! Alive, and ready: the database answers, the root key opens what is in it, and nobody has told this node to stop.
//! Upstreams never count.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web};

use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::{job, key, pool};
use crate::seal::Label;

pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// Ready: the database takes a write, and the root key opens a signing key.
pub async fn ready(broker: web::Data<Broker>) -> HttpResponse {
    if broker.draining.load(Ordering::Relaxed) {
        return not_ready("stopping\n");
    }
    let (sealer, now) = (broker.sealer.clone(), broker.clock.now());
    // A row once a second, however often somebody asks; in between a statement that changes none, which a standby refuses, too.
    let is_due = broker.beat.swap(now.0, Ordering::Relaxed) != now.0;
    let checked = broker
        .db
        .write(move |conn| -> Result<(), StoreError> {
            if is_due {
                job::beat(conn, "readiness", now)?;
            } else {
                pool::touch_none(conn)?;
            }
            let Some(first) = pool::list(conn)?.into_iter().next() else {
                return Ok(());
            };
            let Some(key) = key::of_pool(conn, &first.id)?.into_iter().next() else {
                return Ok(());
            };
            let label = Label {
                purpose: "signing-key",
                scope: &first.id,
                name: &key.kid,
            };
            let opened = sealer.open(label, &key.private_sealed);
            opened
                .map(|_| ())
                .map_err(|_| StoreError::Unreadable("a signing key: is this the right root key?".into()))
        })
        .await;
    match checked {
        Ok(()) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("ready\n"),
        Err(cause) => {
            // What could not be written is tried by the next who asks.
            broker.beat.store(0, Ordering::Relaxed);
            tracing::warn!(%cause, "not ready");
            not_ready("not ready; the log says why\n")
        }
    }
}

fn not_ready(why: &'static str) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header(("Retry-After", "1"))
        .content_type("text/plain; charset=utf-8")
        .body(why)
}
