//! One callback on two nodes at once (a double click behind a balancer): the upstream sees the code once, and the other
//! request waits for the session that comes of it. Within one node memory sees to that, and a SQLite file has one node.

use std::time::Duration;

use super::Leg;
use crate::actions::login;
use crate::db::Target;
use crate::error::StoreError;
use crate::model::session::Session;
use crate::web::headers::RequestId;

/// How often the other node's session is looked for, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 50;

impl Leg<'_> {
    /// Whether this login comes back for the first time on any node.
    pub(super) async fn is_first_of_all(&self) -> Result<bool, StoreError> {
        if let Target::Sqlite(_) = self.broker.db.target() {
            return Ok(true);
        }
        let ctx = self.broker.ctx("system", RequestId::of(self.request));
        let state = self.state.clone();
        self.broker
            .db
            .write(move |conn| login::come_back(conn, &ctx, &state))
            .await
    }

    /// The session that another node is about to make of this login.
    pub(super) async fn session_of_another_node(&self) -> Option<Session> {
        for _ in 0..LOOKS {
            if let Some(session) = self.session_made().await {
                return Some(session);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }
}
