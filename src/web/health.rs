//! Alive, and ready: the database answers and the root key opens what is in it. Upstreams never count.

use actix_web::{HttpResponse, web};
use diesel::connection::SimpleConnection;

use crate::broker::Broker;
use crate::error::StoreError;

pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

pub async fn ready(broker: web::Data<Broker>) -> HttpResponse {
    let written = broker
        .db
        .write(|conn| conn.batch_execute("SELECT 1").map_err(StoreError::from))
        .await;
    match written {
        Ok(()) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("ready\n"),
        Err(cause) => {
            tracing::warn!(%cause, "not ready");
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "1"))
                .content_type("text/plain; charset=utf-8")
                .body("the database does not take writes\n")
        }
    }
}
