//! Alive, and ready: the database answers, the root key opens what is in it, and nobody has told this node to stop.
//! Upstreams never count.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web};

use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::{key, pool};
use crate::seal::Label;

pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// Ready: a write transaction begins and ends, and the root key opens a signing key.
pub async fn ready(broker: web::Data<Broker>) -> HttpResponse {
    if broker.draining.load(Ordering::Relaxed) {
        return not_ready("stopping\n");
    }
    let sealer = broker.sealer.clone();
    let checked = broker
        .db
        .write(move |conn| -> Result<(), StoreError> {
            // Changes nothing, but a database that takes no writes (a standby, a full disk) refuses it.
            pool::touch_none(conn)?;
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
