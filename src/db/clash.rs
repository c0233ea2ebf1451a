//! Transactions that PostgreSQL undid for another's sake: they were no mistake, left nothing behind, and are to be done again.
//! And connections to a server that only reads, which a failover leaves behind: none of them is kept. Both are learned where the
//! statement fails, for what becomes of an error on its way up is each caller's own affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::result::{DatabaseErrorKind, Error};

use super::Conn;

/// What statements of a connection met with.
#[derive(Default)]
pub struct Clash {
    clashed: Arc<AtomicBool>,
    read_only: Arc<AtomicBool>,
}

impl Clash {
    /// Watches a connection's statements. SQLite has one writer, which nobody can undo.
    pub fn watch(conn: &mut Conn) -> Clash {
        let clash = Clash::default();
        if let Conn::Postgres(conn) = conn {
            let (clashed, read_only) = (clash.clashed.clone(), clash.read_only.clone());
            conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
                let InstrumentationEvent::FinishQuery {
                    error: Some(Error::DatabaseError(kind, told)),
                    ..
                } = event
                else {
                    return;
                };
                match kind {
                    DatabaseErrorKind::SerializationFailure => clashed.store(true, Ordering::Relaxed),
                    // 40P01, which Diesel has no kind for; PostgreSQL calls it that in most languages.
                    DatabaseErrorKind::Unknown if told.message().to_lowercase().contains("deadlock") => {
                        clashed.store(true, Ordering::Relaxed);
                    }
                    DatabaseErrorKind::ReadOnlyTransaction => read_only.store(true, Ordering::Relaxed),
                    _ => {}
                }
            });
        }
        clash
    }

    /// Whether a transaction lost against another since this was asked last.
    pub fn take(&self) -> bool {
        self.clashed.swap(false, Ordering::Relaxed)
    }

    /// Whether a write was refused because the server only reads.
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }
}
