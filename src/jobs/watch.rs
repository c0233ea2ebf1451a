//! The watch over connections: a look at each once a day and after each change, and the claims of new sign-ins read into
//! profiles. Of several nodes one does it at a time, and no issuer is looked at twice at once.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use tracing::{info, warn};

use crate::actions::watch;
use crate::broker::{self, Broker};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::probe::{self, Stage};
use crate::model::{job, provider};
use crate::rules::discovery::paths;
use crate::rules::secret;
use crate::rules::watch::is_due;

/// A node that has not finished by then is taken for dead.
const LEASE: i64 = 600;
/// A single look takes a minute at the very most.
const LOOK_LEASE: i64 = 120;
/// Connections looked at in one round, so that the round ends within its lease even if every provider is dead.
const ROUND: usize = 50;
/// Issuers looked at at the same time: a dead one takes its time, and the others do not wait for it.
const AT_ONCE: usize = 8;
/// Sign-ins read in one transaction.
const BATCH: i64 = 500;

/// One round over everything that is due.
pub async fn run(broker: &Broker) -> Result<(), StoreError> {
    read_claims(broker).await?;
    probe_due(broker).await
}

/// Reads the claims of new sign-ins into the profiles of their connections.
pub async fn read_claims(broker: &Broker) -> Result<(), StoreError> {
    let Some(lease) = Lease::take(broker, "claims".into(), LEASE).await? else {
        return Ok(());
    };
    loop {
        let ctx = broker.ctx("system", "watch");
        let read = broker
            .db
            .write(move |conn| watch::read_claims(conn, &ctx, BATCH))
            .await?;
        if i64::try_from(read).is_ok_and(|read| read < BATCH) || !lease.holds(broker) {
            break;
        }
    }
    lease.give_back(broker).await
}

/// Looks at the connections whose turn it is.
pub async fn probe_due(broker: &Broker) -> Result<(), StoreError> {
    let Some(lease) = Lease::take(broker, "probes".into(), LEASE).await? else {
        return Ok(());
    };
    let now = broker.clock.now();
    let turns = broker
        .db
        .read(|conn: &mut Conn| Ok::<_, StoreError>(probe::turns(conn)?))
        .await?;
    let mut by_issuer: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for turn in turns.into_iter().filter(|turn| is_due(turn, now)).take(ROUND) {
        by_issuer.entry(turn.issuer).or_default().push(turn.provider_id);
    }
    futures_util::stream::iter(by_issuer.into_values())
        .for_each_concurrent(AT_ONCE, |connections| async move {
            for id in connections {
                if let Err(cause) = look(broker, &id).await {
                    warn!(connection = id, %cause, "a connection could not be looked at");
                }
            }
        })
        .await;
    let before = now.plus(-86_400);
    broker
        .db
        .write(move |conn| Ok::<_, StoreError>(job::forget(conn, ISSUER, before)?))
        .await?;
    lease.give_back(broker).await
}

/// Names of the leases on issuers begin so.
const ISSUER: &str = "probe ";

/// Looks at one connection now and keeps what was found; false when its issuer is being looked at already.
pub async fn look(broker: &Broker, id: &str) -> Result<bool, Error> {
    let (wanted, sealer) = (id.to_owned(), broker.sealer.clone());
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            provider::find(conn, &wanted)?
                .map(|provider| broker::connection(&sealer, provider))
                .transpose()
        })
        .await?;
    let connection = found.ok_or_else(|| Error::not_found("identity provider", id))?;
    let issuer: String = secret::hash(&connection.provider.issuer)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let Some(lease) = Lease::take(broker, format!("{ISSUER}{issuer}"), LOOK_LEASE).await? else {
        return Ok(false);
    };
    let back = match connection.provider.settings.shared_callback {
        true => format!("{}{}", broker.public_url, paths::IDPRESPONSE),
        false => format!("{}{}/{id}", broker.public_url, paths::IDPRESPONSE),
    };
    let (stages, facts) = broker.upstream.probe(&connection, &back).await;
    let failed = stages.iter().find(|stage| !stage.code.is_empty());
    info!(
        connection = id,
        failed = failed.map(|stage| stage.code),
        "looked at a connection"
    );
    let stages = stages
        .into_iter()
        .map(|stage| Stage {
            name: stage.name.to_owned(),
            verdict: stage.verdict.name().to_owned(),
            code: stage.code.to_owned(),
            detail: stage.detail,
            remedy: stage.remedy,
        })
        .collect();
    let (ctx, wanted) = (broker.ctx("system", "watch"), id.to_owned());
    broker
        .db
        .write(move |conn| watch::keep_look(conn, &ctx, &wanted, stages, facts))
        .await?;
    lease.give_back(broker).await?;
    Ok(true)
}

/// A job that is this node's for a while.
struct Lease {
    name: String,
    until: crate::world::UnixTime,
}

impl Lease {
    async fn take(broker: &Broker, name: String, seconds: i64) -> Result<Option<Lease>, StoreError> {
        let now = broker.clock.now();
        let lease = Lease {
            name: name.clone(),
            until: now.plus(seconds),
        };
        let until = lease.until;
        let ours = broker
            .db
            .write(move |conn| Ok::<_, StoreError>(job::claim(conn, &name, now, until, 0)?))
            .await?;
        Ok(ours.then_some(lease))
    }

    fn holds(&self, broker: &Broker) -> bool {
        broker.clock.now() < self.until
    }

    async fn give_back(self, broker: &Broker) -> Result<(), StoreError> {
        let now = broker.clock.now();
        broker
            .db
            .write(move |conn| Ok::<_, StoreError>(job::done(conn, &self.name, now, self.until)?))
            .await
    }
}
