//! Looks every day whether the records that prove tenants' domains are still there. One node does it at a time; a domain
//! whose record is gone has some days of grace, which the tenant's connections tell of.

use futures_util::StreamExt;
use tracing::{info, warn};

use crate::actions::{Ctx, tenant_domains};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::job;
use crate::model::tenant_domain::{self, TenantDomain};
use crate::rules::tenant_domain::{CHECK_SECONDS, Turn};

const NAME: &str = "domains";
/// A node that has not finished by then is taken for dead.
const LEASE: i64 = 600;
/// Domains of one round; at [`AT_ONCE`] and ten seconds each at the worst it ends within its lease.
const ROUND: i64 = 500;
const AT_ONCE: usize = 16;

/// One round over the domains whose turn it is; gives how many were looked at.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    let now = broker.clock.now();
    let until = now.plus(LEASE);
    let ours = broker
        .db
        .write(move |conn| Ok::<_, StoreError>(job::claim(conn, NAME, now, until, 0)?))
        .await?;
    if !ours {
        return Ok(0);
    }
    let before = now.plus(-CHECK_SECONDS + 1);
    let due = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(tenant_domain::to_check(conn, before, ROUND)?))
        .await?;
    let count = due.len();
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |row| async move {
            let (tenant, domain) = (row.tenant_id.clone(), row.domain.clone());
            let ctx = broker.ctx("system", NAME);
            match look(broker, ctx, row).await {
                Ok(Turn::Same) => {}
                Ok(turn) => info!(tenant, domain, ?turn, "a domain's proof has changed"),
                Err(cause) => warn!(tenant, domain, %cause, "a domain could not be looked at"),
            }
        })
        .await;
    let done = broker.clock.now();
    broker
        .db
        .write(move |conn| Ok::<_, StoreError>(job::done(conn, NAME, done, until)?))
        .await?;
    Ok(count)
}

/// Looks for the record of one claim now, and takes over what is found as the doing of whoever asked.
pub async fn look(broker: &Broker, ctx: Ctx, row: TenantDomain) -> Result<Turn, Error> {
    let found = broker.upstream.look_for_proof(&row.domain, &row.token).await;
    let turn = broker
        .db
        .write(move |conn| tenant_domains::looked(conn, &ctx, &row, &found))
        .await?;
    if turn != Turn::Same {
        broker.forget();
    }
    Ok(turn)
}
