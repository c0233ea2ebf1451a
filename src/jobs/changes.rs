//! Configuration that another node or a command changed takes effect here at once: PostgreSQL tells of each such commit
//! (`db::listen`), and what is kept in memory is forgotten. While nobody tells (SQLite, a lost connection, a pooler that
//! passes nothing on), what is kept is read again after a second all the same.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use actix_web::web::Data;
use tracing::{info, warn};

use crate::broker::Broker;
use crate::db::{Listener, Target};

/// How often it is looked whether anything was told. libpq hands over what has arrived, and cannot be waited for.
const LOOK: Duration = Duration::from_millis(50);
/// Looks after which the server is asked whether it is still there: half a minute.
const PROBED_EVERY: u32 = 600;
/// How long until a lost connection is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Listens until the broker is gone.
pub fn start(broker: &Data<Broker>) {
    if let Target::Sqlite(_) = broker.db.target() {
        return;
    }
    let broker = Arc::downgrade(&broker.clone().into_inner());
    let started = thread::Builder::new()
        .name("forebay-listener".into())
        .spawn(move || listen(&broker));
    if let Err(cause) = started {
        warn!(%cause, "changes by other nodes are not listened for; they take effect within two seconds");
    }
}

fn listen(broker: &Weak<Broker>) {
    let mut ear = Ear::default();
    let mut hears = true;
    while let Some(broker) = broker.upgrade() {
        let outcome = ear.listen(&broker);
        // Said once each time, however long it lasts.
        match &outcome {
            Err(cause) if hears => {
                warn!(%cause, "changes by other nodes are not heard of; they take effect within two seconds");
            }
            Ok(_) if !hears => info!("changes by other nodes are heard of again"),
            _ => {}
        }
        hears = outcome.is_ok();
        drop(broker);
        thread::sleep(if hears { LOOK } else { AGAIN });
    }
}

/// What one node hears with.
#[derive(Default)]
pub struct Ear {
    listener: Option<Listener>,
    looks: u32,
}

impl Ear {
    /// Looks once whether anything was told, and has the broker forget what it keeps if so; says whether it had. A lost
    /// connection is opened anew with the next look, and what was told meanwhile may have been anything.
    pub fn listen(&mut self, broker: &Broker) -> Result<bool, String> {
        let heard = match (&mut self.listener, broker.db.target()) {
            (_, Target::Sqlite(_)) => Ok(false),
            (Some(listener), _) => {
                self.looks = (self.looks + 1) % PROBED_EVERY;
                let probed = match self.looks {
                    0 => listener.probe(),
                    _ => Ok(()),
                };
                probed
                    .and_then(|()| listener.heard())
                    .map_err(|cause| cause.to_string())
            }
            (none, Target::Postgres(url)) => Listener::open(url)
                .map(|listener| {
                    *none = Some(listener);
                    true
                })
                .map_err(|cause| cause.to_string()),
        };
        match heard {
            Ok(true) => broker.forget(),
            Ok(false) => {}
            Err(_) => self.listener = None,
        }
        heard
    }
}
