//! Where a credential or a hook holds, as forms ask it: in every pool, or in one of those that the administrator may change.

use super::Problem;
use super::door::Admin;
use super::roles::Choice;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::pool;

/// Every pool, as a form says it.
pub const EVERYTHING: &str = "everything";

/// The options, with the one that was chosen; `everywhere` is what the first is called for those who may choose it. Whoever
/// may change no pool finds no such form, and whoever has not proven themselves of late does so first and comes back to `path`.
pub async fn choices(
    admin: &Admin,
    broker: &Broker,
    everywhere: &str,
    chosen: &str,
    path: &str,
) -> Result<Vec<Choice>, Problem> {
    let changes = admin.changes().clone();
    let everything = changes.everything;
    let pools = broker
        .db
        .read(move |conn| Ok::<_, StoreError>(pool::list_within(conn, &changes)?))
        .await?;
    if pools.is_empty() && !everything {
        return Err(Problem::NotFound);
    }
    admin.require_fresh(broker.clock.now(), path)?;
    let all = everything.then(|| Choice::new(EVERYTHING, everywhere, chosen));
    let one_of = pools
        .iter()
        .map(|pool| Choice::new(&pool.id, &format!("{} ({})", pool.name, pool.id), chosen));
    Ok(all.into_iter().chain(one_of).collect())
}
