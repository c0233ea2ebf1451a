//! Transactions that PostgreSQL undid for another's sake: they were no mistake, left nothing behind, and are to be done again.
//! That is learned where the statement fails, for what becomes of an error on its way up is each caller's own affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::result::{DatabaseErrorKind, Error};

use super::Conn;

/// Whether a statement of a connection has lost against another transaction.
pub struct Clash(Arc<AtomicBool>);

impl Clash {
    /// Watches a connection's statements. SQLite has one writer, which nobody can undo.
    pub fn watch(conn: &mut Conn) -> Clash {
        let happened = Arc::new(AtomicBool::new(false));
        if let Conn::Postgres(conn) = conn {
            let happens = happened.clone();
            conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
                if let InstrumentationEvent::FinishQuery {
                    error: Some(error), ..
                } = event
                    && is_clash(error)
                {
                    happens.store(true, Ordering::Relaxed);
                }
            });
        }
        Clash(happened)
    }

    /// Whether that happened since it was asked last.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// SQLSTATE 40001, or 40P01, which Diesel has no kind for; PostgreSQL calls that a deadlock in most languages.
fn is_clash(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        Error::DatabaseError(DatabaseErrorKind::Unknown, told) => {
            told.message().to_lowercase().contains("deadlock")
        }
        _ => false,
    }
}
