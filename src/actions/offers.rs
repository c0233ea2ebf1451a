//! Which connections of its pool an app client offers: those that people may come to it by. The client lists them by name; a tenant may keep
//! its own to some clients; a canary comes along with the connection whose canary it is.
//!
//! A client may list ten thousand, so nothing here reads what the list names: what is asked for is looked up from an index
//! and then held against the list.

mod standing;

use std::collections::HashSet;
use std::sync::Arc;

use diesel::QueryResult;

pub use standing::{pool_wide, standing};

use crate::db::Conn;
use crate::model::client::Client;
use crate::model::provider::{self, Provider};
use crate::model::tenant;
use crate::rules::registration::client::NATIVE;
use crate::world::UnixTime;

/// A list of more names than this is never read as a whole, and its connections have no buttons.
pub const MOST_LISTED: usize = 100;
/// Of the pool's own connections as many are looked at for those that a long list names.
const LOOKED_AT: i64 = 500;

/// What a client lists, and at whose host it is asked.
#[derive(Clone, Debug)]
pub struct Offer {
    pub user_pool_id: String,
    pub client_id: String,
    names: Arc<HashSet<String>>,
    known: Arc<standing::Known>,
    /// The one tenant whose connections these are: the request came to that tenant's own host.
    pub tenant_id: Option<String>,
}

impl Offer {
    pub fn of(client: &Client) -> Offer {
        Offer {
            user_pool_id: client.user_pool_id.clone(),
            client_id: client.id.clone(),
            names: Arc::new(client.settings.providers.iter().cloned().collect()),
            known: Arc::default(),
            tenant_id: None,
        }
    }

    /// The same at the tenant's own host.
    pub fn at_host_of(&self, tenant_id: &str) -> Offer {
        Offer {
            tenant_id: Some(tenant_id.to_owned()),
            known: Arc::default(),
            ..self.clone()
        }
    }

    pub fn lists(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether it names more connections than a person could choose from.
    pub fn is_long(&self) -> bool {
        self.tenant_id.is_none() && self.names.len() > MOST_LISTED
    }
}

/// The connection by whose name the client offers the one with this id: itself, or the one whose canary it is.
pub fn find(conn: &mut Conn, offer: &Offer, id: &str) -> QueryResult<Option<Provider>> {
    match provider::find(conn, id)? {
        Some(row) => offered_as(conn, offer, row),
        None => Ok(None),
    }
}

fn offered_as(conn: &mut Conn, offer: &Offer, row: Provider) -> QueryResult<Option<Provider>> {
    if offer.lists(&row.name) {
        return Ok(taken(conn, offer, vec![row])?.pop());
    }
    if !row.enabled {
        return Ok(None);
    }
    let siblings = of_tenants(conn, offer, row.tenant_id.as_slice())?;
    Ok(siblings.into_iter().find(|main| main.leads_to(&row.id)))
}

/// Whether what was granted at that time through that connection was granted through one that the client still offers.
/// What came through an earlier one of the same name is not its own. Cognito's API signs native users in whatever the
/// client lists.
pub fn still(conn: &mut Conn, offer: &Offer, id: &str, at: UnixTime) -> QueryResult<bool> {
    if id == NATIVE {
        return Ok(true);
    }
    let standing = standing(conn, offer, id)?;
    Ok(standing.is_some_and(|standing| standing.created_at <= at && standing.is_offered))
}

/// Those of these ids that the client lists.
pub fn by_ids(conn: &mut Conn, offer: &Offer, ids: &[String]) -> QueryResult<Vec<Provider>> {
    let rows = provider::among(conn, ids)?;
    taken(conn, offer, rows)
}

pub fn by_name(conn: &mut Conn, offer: &Offer, name: &str) -> QueryResult<Option<Provider>> {
    if !offer.lists(name) {
        return Ok(None);
    }
    let row = provider::find_by_name(conn, &offer.user_pool_id, name)?;
    Ok(taken(conn, offer, row.into_iter().collect())?.pop())
}

pub fn of_tenants(conn: &mut Conn, offer: &Offer, ids: &[String]) -> QueryResult<Vec<Provider>> {
    let rows = provider::of_tenants(conn, ids)?;
    taken(conn, offer, rows)
}

/// Those whose ID tokens the client may bring: all, or of a long list those of this issuer.
pub fn token_in(conn: &mut Conn, offer: &Offer, issuer: Option<&str>) -> QueryResult<Vec<Provider>> {
    let mut found = match issuer {
        _ if !offer.is_long() => choice(conn, offer)?,
        // PostgreSQL cannot even be asked for such a text.
        Some(issuer) if !issuer.contains('\0') => {
            let rows = provider::of_issuer(conn, &offer.user_pool_id, issuer)?;
            taken(conn, offer, rows)?
        }
        _ => Vec::new(),
    };
    found.retain(|provider| provider.settings.token_in.is_some());
    Ok(found)
}

/// Those that people can be shown to choose from: all, or of a long list some of those that are no tenant's.
pub fn choice(conn: &mut Conn, offer: &Offer) -> QueryResult<Vec<Provider>> {
    if let Some(tenant) = &offer.tenant_id {
        return of_tenants(conn, offer, std::slice::from_ref(tenant));
    }
    let pool = &offer.user_pool_id;
    let rows = if offer.is_long() {
        provider::own_of_pool(conn, pool, LOOKED_AT)?
    } else {
        let names: Vec<String> = offer.names.iter().cloned().collect();
        provider::list_named(conn, pool, &names)?
    };
    let mut taken = taken(conn, offer, rows)?;
    taken.truncate(MOST_LISTED);
    Ok(taken)
}

/// The canaries of these connections.
pub fn canaries(conn: &mut Conn, offer: &Offer, mains: &[Provider]) -> QueryResult<Vec<Provider>> {
    let mut found = Vec::new();
    for main in mains {
        let Some(canary) = &main.settings.canary else {
            continue;
        };
        let is_its = |to: &Provider| {
            to.enabled && to.tenant_id == main.tenant_id && to.user_pool_id == offer.user_pool_id
        };
        found.extend(provider::find(conn, &canary.to)?.filter(is_its));
    }
    Ok(found)
}

/// Those of the rows that the client offers, by name.
fn taken(conn: &mut Conn, offer: &Offer, mut rows: Vec<Provider>) -> QueryResult<Vec<Provider>> {
    rows.retain(|row| {
        row.enabled
            && row.user_pool_id == offer.user_pool_id
            && offer.lists(&row.name)
            && (offer.tenant_id.is_none() || row.tenant_id == offer.tenant_id)
    });
    let tenants: Vec<String> = rows.iter().filter_map(|row| row.tenant_id.clone()).collect();
    let choosy = tenant::choosy(conn, &tenants)?;
    rows.retain(|row| {
        let clients = row.tenant_id.as_ref().and_then(|id| choosy.get(id));
        clients.is_none_or(|clients| clients.contains(&offer.client_id))
    });
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

/// Whether people can be sent there; the others take tokens that apps bring.
pub fn is_for_browsers(provider: &Provider) -> bool {
    provider.settings.token_in.is_none()
}

/// Whether somebody who comes to the app by `from` could as well come by `to`: it is a way of the same kind, and offered, or
/// what an offered one leads everybody to. Nobody is led to a door that the app does not have.
pub fn is_open_instead(
    conn: &mut Conn,
    client: &Client,
    from: &Provider,
    to: &Provider,
) -> QueryResult<bool> {
    if !to.enabled || is_for_browsers(from) != is_for_browsers(to) {
        return Ok(false);
    }
    let main = find(conn, &Offer::of(client), &to.id)?;
    Ok(main.is_some_and(|main| {
        let canary = main.settings.canary.as_ref();
        main.id == to.id || canary.is_some_and(|canary| canary.promoted)
    }))
}
