//! Deletes what has expired: codes, sessions of users and administrators, token families, traces, audit events, links,
//! challenges, webhook deliveries, sign-ins kept for replays, upstream tokens, app clients that were registered until now; in small
//! batches, so that no write waits long.

use crate::actions::{admins, login, registrations};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::{
    admin_session, audit, challenge, code, mapper_input, session, setup_link, single_use, token, trace,
    upstream_token, webhook,
};
use crate::world::UnixTime;

/// Rows of one statement.
const BATCH: i64 = 200;
/// A spent code is remembered for a day, so that its replay still revokes what it produced.
const CODES: i64 = 86_400;
/// Revoked and expired families are remembered for as long as an access token can live.
const FAMILIES: i64 = 86_400;
/// How long a refresh token is remembered after its exchange, so that showing it again ends its family.
const ROTATED: i64 = 30 * 86_400;
/// Deliveries to webhooks, with what was answered.
const DELIVERIES: i64 = 14 * 86_400;
/// Traces of attempts that never reached an upstream.
const UNREACHED: i64 = 1_000;

/// One run over everything; gives the number of rows that went.
pub async fn run(broker: &Broker) -> Result<usize, StoreError> {
    let mut gone = 0;
    type Step = fn(&mut Conn, UnixTime) -> diesel::QueryResult<usize>;
    let steps: &[Step] = &[
        |conn, now| code::delete_expired(conn, now.plus(-CODES), BATCH),
        |conn, now| session::delete_expired(conn, now, now.plus(-login::SIGN_OUT_SECONDS), BATCH),
        |conn, now| token::delete_expired(conn, now.plus(-FAMILIES), BATCH),
        |conn, now| token::delete_rotated(conn, now.plus(-ROTATED), BATCH),
        |conn, now| trace::delete_expired(conn, now, BATCH),
        |conn, _| trace::trim_unreached(conn, UNREACHED, BATCH),
        |conn, now| admin_session::delete_expired(conn, now, now.plus(-admins::IDLE_SECONDS), BATCH),
        |conn, now| setup_link::delete_expired(conn, now, now.plus(-admins::IDLE_SECONDS), BATCH),
        |conn, now| single_use::delete_expired(conn, now, BATCH),
        |conn, now| challenge::delete_expired(conn, now, BATCH),
        |conn, now| webhook::delete_old(conn, now.plus(-DELIVERIES), BATCH),
        |conn, now| mapper_input::delete_expired(conn, now, BATCH),
        |conn, now| upstream_token::delete_expired(conn, now, BATCH),
    ];
    for step in steps {
        gone += in_batches(broker, *step).await?;
    }
    // All of them are counted for this, which no writer waits for.
    let over_full = broker
        .db
        .read(|conn| Ok::<_, StoreError>(mapper_input::over_full(conn, mapper_input::KEPT)?))
        .await?;
    for provider_id in over_full {
        gone += in_batches(broker, move |conn, _| {
            mapper_input::trim(conn, &provider_id, mapper_input::KEPT, BATCH)
        })
        .await?;
    }
    let kept = i64::from(broker.audit_days) * 86_400;
    gone += in_batches(broker, move |conn, now| {
        audit::delete_before(conn, now.plus(-kept), BATCH)
    })
    .await?;
    let ctx = broker.ctx("system", "cleanup");
    loop {
        let its_ctx = ctx.clone();
        let over = broker
            .db
            .write(move |conn| registrations::delete_expired(conn, &its_ctx, BATCH))
            .await
            .map_err(|error| match error {
                Error::Internal(cause) => cause,
                other => StoreError::Lost(other.to_string()),
            })?;
        gone += over;
        if over < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(gone)
}

/// Repeats a step until it finds less than a batch.
async fn in_batches(
    broker: &Broker,
    step: impl Fn(&mut Conn, UnixTime) -> diesel::QueryResult<usize> + Clone + Send + 'static,
) -> Result<usize, StoreError> {
    let mut gone = 0;
    loop {
        let (now, step) = (broker.clock.now(), step.clone());
        let rows = broker
            .db
            .write(move |conn| Ok::<_, StoreError>(step(conn, now)?))
            .await?;
        gone += rows;
        if rows < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(gone);
        }
    }
}
