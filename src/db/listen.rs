//! Hearing from PostgreSQL that configuration was changed: triggers notify at each commit that did, whoever made it. The
//! connection is one of its own, beside the pool, for it listens all its life.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

/// As the triggers have it; what they send is the schema that their table is in.
const CHANNEL: &str = "forebay_configuration";

pub struct Listener {
    conn: PgConnection,
    schema: String,
}

impl Listener {
    /// Connects and begins to listen.
    pub fn open(url: &str) -> Result<Listener, ConnectionError> {
        let mut conn = PgConnection::establish(url)?;
        conn.batch_execute(&format!("LISTEN {CHANNEL}"))
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        let schema = diesel::select(sql::<Text>("current_schema()::text"))
            .get_result(&mut conn)
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Listener { conn, schema })
    }

    /// Whether anything was told since it was last asked; does not wait.
    pub fn heard(&mut self) -> QueryResult<bool> {
        let mut heard = false;
        for notification in self.conn.notifications_iter() {
            heard |= notification?.payload == self.schema;
        }
        Ok(heard)
    }

    /// Asks the server for an answer: a connection that somebody in between has forgotten looks like one where nothing happens.
    pub fn probe(&mut self) -> QueryResult<()> {
        self.conn.batch_execute("SELECT 1")
    }
}
