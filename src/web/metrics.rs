//! `GET /metrics` for Prometheus, on an address of its own: what it says names connections and pools, which is nobody's
//! business on the public address. Counts come from `metrics`; what is true at this moment is read when it is asked for.

use std::net::TcpListener;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::{key, notice, webhook};

/// Label sets of one figure at the most.
const MOST: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cache {
    cache: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Use {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Key {
    pool: String,
    usage: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Notices {
    connection: String,
    kind: &'static str,
}

/// Serves nothing but the metrics.
pub fn serve(broker: Data<Broker>, listener: TcpListener) -> std::io::Result<Server> {
    let server = HttpServer::new(move || App::new().app_data(broker.clone()).configure(routes))
        .workers(1)
        .disable_signals()
        .client_request_timeout(Duration::from_secs(5))
        .listen(listener)?
        .run();
    Ok(server)
}

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(super::resource("/metrics").document(show));
}

async fn show(broker: Data<Broker>) -> HttpResponse {
    let mut registry = Registry::with_prefix("forebay");
    own_state(&broker, &mut registry);
    // Without a database the rest is worth all the more.
    let reachable = match stored_state(&broker, &mut registry).await {
        Ok(()) => 1,
        Err(cause) => {
            tracing::warn!(%cause, "the database was not there for the metrics");
            0
        }
    };
    let up = Gauge::<i64>::default();
    up.set(reachable);
    registry.register("database_up", "Whether the database answered", up);
    match broker.metrics.text(&registry) {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .insert_header(("cache-control", "no-store"))
            .body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// What this process knows of itself.
fn own_state(broker: &Broker, registry: &mut Registry) {
    let caches = Family::<Cache, Counter<u64, AtomicU64>>::default();
    for (cache, hits, misses) in broker.cache_use() {
        for (outcome, count) in [("hit", hits), ("miss", misses)] {
            caches.get_or_create(&Cache { cache, outcome }).inc_by(count);
        }
    }
    registry.register("cache_lookups", "Lookups in the configuration caches", caches);
    let lost = Counter::<u64, AtomicU64>::default();
    lost.inc_by(broker.metrics.lost_log_lines());
    registry.register(
        "log_lines_lost",
        "Lines of the log that were dropped because nobody read them quickly enough",
        lost,
    );
    if let Some(spans) = &broker.spans {
        let lost = Counter::<u64, AtomicU64>::default();
        lost.inc_by(spans.lost());
        registry.register(
            "spans_lost",
            "Spans that were dropped because the collector did not take them quickly enough, or not at all",
            lost,
        );
    }
    let seats = Gauge::<i64>::default();
    seats.set(i64::from(broker.seats.taken()));
    registry.register("open_connections", "Open connections of clients", seats);
    let load = broker.db.load();
    let connections = Family::<Use, Gauge>::default();
    for (state, count) in [
        ("idle", load.idle),
        ("busy", load.connections.saturating_sub(load.idle)),
    ] {
        connections.get_or_create(&Use { state }).set(i64::from(count));
    }
    registry.register(
        "database_connections",
        "Open connections to the database",
        connections,
    );
    if let Some(waiting) = load.waiting_writes {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        registry.register(
            "database_waiting_writes",
            "Writes that wait for SQLite's one writer",
            gauge,
        );
    }
}

/// What the database knows.
async fn stored_state(broker: &Broker, registry: &mut Registry) -> Result<(), StoreError> {
    let now = broker.clock.now();
    let (keys, counts, waiting) = broker
        .db
        .read(|conn: &mut Conn| -> Result<_, StoreError> {
            Ok((
                key::summary(conn)?,
                notice::counts(conn)?,
                webhook::waiting(conn)?,
            ))
        })
        .await?;
    let ages = Family::<Key, Gauge>::default();
    for (pool, usage, state, created_at) in keys.into_iter().take(MOST) {
        let labels = Key {
            pool,
            usage: usage.as_str(),
            state: state.as_str(),
        };
        // Of several in one state the oldest.
        let age = ages.get_or_create_owned(&labels);
        age.set(age.get().max(now.since(created_at)));
    }
    registry.register(
        "signing_key_age_seconds",
        "Age of the oldest signing key by pool, usage and state",
        ages,
    );
    let notices = Family::<Notices, Gauge>::default();
    for (connection, kind, count) in counts.into_iter().take(MOST) {
        let kind = kind.as_str();
        notices.get_or_create(&Notices { connection, kind }).set(count);
    }
    registry.register(
        "connection_notices",
        "What needs attention, by connection and kind",
        notices,
    );
    let gauge = Gauge::<i64>::default();
    gauge.set(waiting);
    registry.register(
        "webhook_deliveries_waiting",
        "Deliveries that wait to be sent",
        gauge,
    );
    Ok(())
}
