//! Connections beside the sign-in: as they are stored, whether anybody is offered them or not, and the next secret that
//! has proved to be the good one.

use super::{Broker, connection, storable};
use crate::actions::providers;
use crate::error::StoreError;
use crate::model::provider;
use crate::model::reach::Reach;
use crate::upstream::Connection;

impl Broker {
    /// A connection within reach with its secrets unsealed, in whatever state it is; read now and not kept.
    pub async fn connection_as_it_is(
        &self,
        reach: &Reach,
        id: &str,
    ) -> Result<Option<Connection>, StoreError> {
        if !storable(id) {
            return Ok(None);
        }
        let (reach, wanted, sealer) = (reach.clone(), id.to_owned(), self.sealer.clone());
        self.db
            .read(move |conn| match provider::find_within(conn, &reach, &wanted)? {
                Some(provider) => connection(&sealer, provider).map(Some),
                None => Ok(None),
            })
            .await
    }

    /// After a conversation with the provider: stores the next secret as the present one, where that is the one it took. A
    /// sign-in does not end over it: as long as both are stored, the next sign-in finds out anew.
    pub async fn settle_secret(&self, connection: &Connection, request_id: &str) {
        if !connection.next_secret_took_over() {
            return;
        }
        let ctx = self.ctx("system", request_id);
        let seen = connection.provider.clone();
        let promoted = self
            .db
            .write(move |conn| providers::promote_next_secret(conn, &ctx, &seen))
            .await;
        match promoted {
            Ok(_) => self.forget(),
            Err(cause) => {
                tracing::error!(connection = connection.provider.id, %cause, "the next secret could not be stored");
            }
        }
    }
}
