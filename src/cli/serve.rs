//! `forebay serve`: log, database, keys, then the broker on its address until it is told to stop.

use std::net::TcpListener;
use std::num::NonZero;

use actix_web::web::Data;
use socket2::SockRef;
use tracing::{debug, info};

use super::store::{open_sealer, refuse_another_root_key, upstream};
use super::{Failure, Outcome, admin, logging, output};
use crate::actions::admins::links;
use crate::broker::{Broker, Parts};
use crate::config::Settings;
use crate::db::{self, Db};
use crate::spans::{self, Exporter};
use crate::world::{Clock, Entropy};
use crate::{jobs, web};

/// New connections that may wait until a worker takes them; the system may allow fewer.
const WAITING: i32 = 4_096;

pub fn run(settings: &Settings) -> Outcome {
    // Held to the end: dropped, it writes the last lines.
    let log = logging::start(settings);
    // Taken first: a second broker on the same address must not touch the database.
    let listener = TcpListener::bind(settings.listen).map_err(|error| {
        Failure::Refused(format!(
            "cannot listen on {}: {error}. Choose another address with --listen",
            settings.listen
        ))
    })?;
    // The standard library lets 128 wait, and whoever is the next to come tries again after a second.
    if let Err(cause) = SockRef::from(&listener).listen(WAITING) {
        debug!(%cause, "fewer new connections may wait");
    }
    let metrics = settings
        .metrics_listen
        .map(|address| {
            TcpListener::bind(address).map_err(|error| {
                Failure::Refused(format!(
                    "cannot serve metrics on {address}: {error}. Choose another address with --metrics-listen"
                ))
            })
        })
        .transpose()?;
    let mut parts = assemble(settings)?;
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    actix_web::rt::System::new().block_on(async {
        let exporter = tell_spans(settings, &mut parts)?;
        let broker = Data::new(Broker::new(parts));
        broker.metrics.watch_log(log.lost_lines());
        offer_set_up(&broker).await?;
        jobs::start(&broker);
        let failed = |error: std::io::Error| Failure::Refused(format!("the server failed: {error}"));
        if let Some(listener) = metrics {
            let server = web::metrics::serve(broker.clone(), listener).map_err(failed)?;
            tokio::spawn(server);
        }
        let server = web::serve(broker, listener, workers).map_err(failed)?;
        info!(listen = %settings.listen, public_url = %settings.public_url, "Forebay is ready");
        server.await.map_err(failed)?;
        if let Some(exporter) = exporter {
            exporter.stop().await;
        }
        info!("stopped");
        Ok(())
    })
}

/// Begins to send spans, where a collector is named. On the thread that serves nobody.
fn tell_spans(settings: &Settings, parts: &mut Parts) -> Result<Option<Exporter>, Failure> {
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok(None);
    };
    let client = parts.upstream.unfenced(spans::EXPORT_WITHIN);
    let started = client.and_then(|client| spans::start(client, endpoint));
    let (spans, exporter) = started.map_err(Failure::Usage)?;
    parts.spans = Some(spans);
    Ok(Some(exporter))
}

/// Prints the link that makes the first operator, as long as there is no administrator. Each start makes a new one, and the
/// one before is void. The log says that there is one, not what it is.
async fn offer_set_up(broker: &Broker) -> Outcome {
    let ctx = broker.ctx("system", broker.request_id());
    let made = broker
        .db
        .write(move |conn| links::set_up_link(conn, &ctx))
        .await?;
    if let Some(token) = made {
        info!("the console has no administrator yet; the link to set it up is on standard output");
        output::line(&format!(
            "Open this within a day to make the console's first operator: {}",
            admin::address(&broker.public_url, &token)
        ));
    }
    Ok(())
}

/// A broker's parts over the database that the settings name, its schema brought up to date.
fn assemble(settings: &Settings) -> Result<Parts, Failure> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let mut conn = settings
        .database
        .open()
        .map_err(|error| Failure::Refused(format!("the database cannot be opened: {error}")))?;
    let ran = db::migrate(&mut conn).map_err(|error| {
        Failure::Refused(format!(
            "the database's schema cannot be brought up to date: {error}"
        ))
    })?;
    let sealer = open_sealer(settings, &entropy)?;
    refuse_another_root_key(&mut conn, &sealer)?;
    drop(conn);
    if !ran.is_empty() {
        info!(
            migrations = ran.len(),
            "the database's schema is brought up to date"
        );
    }
    Ok(Parts {
        public_url: settings.public_url.origin().to_owned(),
        db: Db::open(&settings.database, settings.database_connections)?,
        sealer,
        upstream: upstream(settings, &clock, &entropy)?,
        trusted_proxies: settings.trusted_proxies.clone(),
        audit_days: settings.audit_days,
        guards: settings.guards.clone(),
        clock,
        entropy,
        spans: None,
    })
}
