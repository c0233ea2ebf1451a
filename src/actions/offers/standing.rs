//! How a connection and a pool stand to what was granted earlier: looked up once for an offer and kept as long as it lives.
//! An app's lives for a second (`broker::cache`), so that what an administrator changes counts within two; an offer that is
//! made for one question asks anew.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use diesel::QueryResult;

use super::{Offer, offered_as};
use crate::db::Conn;
use crate::model::{enforcement, identity_move, pool, provider};
use crate::world::UnixTime;

/// Connections of one offer that are kept at the most; beyond it all are forgotten and looked up as needed.
const KEPT: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Known {
    connections: RwLock<HashMap<String, Arc<Standing>>>,
    pool: OnceLock<PoolWide>,
}

/// A connection that somebody has come by before.
#[derive(Debug)]
pub struct Standing {
    pub created_at: UnixTime,
    pub tenant_id: Option<String>,
    /// Itself, or the one whose canary it is.
    pub is_offered: bool,
    /// Its people are on the move to another one.
    pub is_moved_from: bool,
}

/// What goes for all people of the offer's pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolWide {
    /// Some tenant has closed all ways in but its own.
    pub is_enforced: bool,
    /// So many sign-ins of one user may live at a time.
    pub most_sessions: Option<i64>,
}

/// The connection with this id, while there is one.
pub fn standing(conn: &mut Conn, offer: &Offer, id: &str) -> QueryResult<Option<Arc<Standing>>> {
    let known = &offer.known.connections;
    if let Some(standing) = known.read().unwrap_or_else(PoisonError::into_inner).get(id) {
        return Ok(Some(standing.clone()));
    }
    let Some(row) = provider::find(conn, id)? else {
        return Ok(None);
    };
    let standing = Arc::new(Standing {
        created_at: row.created_at,
        tenant_id: row.tenant_id.clone(),
        is_moved_from: !identity_move::away_from(conn, id)?.is_empty(),
        is_offered: offered_as(conn, offer, row)?.is_some(),
    });
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= KEPT {
        known.clear();
    }
    known.insert(id.to_owned(), standing.clone());
    Ok(Some(standing))
}

pub fn pool_wide(conn: &mut Conn, offer: &Offer) -> QueryResult<PoolWide> {
    if let Some(known) = offer.known.pool.get() {
        return Ok(*known);
    }
    let read = PoolWide {
        is_enforced: enforcement::any_of_pool(conn, &offer.user_pool_id)?,
        most_sessions: pool::most_sessions(conn, &offer.user_pool_id)?,
    };
    Ok(*offer.known.pool.get_or_init(|| read))
}
