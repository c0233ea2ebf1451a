//! Takes back "only through Okta" where nobody confirmed it in time. At a sign-in it has not held since; this ends it for
//! the record.

use tracing::info;

use crate::actions::enforcement;
use crate::broker::Broker;
use crate::error::StoreError;

/// One run; gives the number of tenants.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    let ctx = broker.ctx("system", broker.request_id());
    let reverted = broker
        .db
        .write(move |conn| enforcement::revert(conn, &ctx))
        .await?;
    if reverted > 0 {
        info!(reverted, "unconfirmed enforcement was taken back");
    }
    Ok(reverted)
}
