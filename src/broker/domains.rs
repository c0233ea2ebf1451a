//! Which pool, or which tenant, a host belongs to. All hosts are read together: whoever names hosts that are nobody's must
//! not make us ask the database for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Broker;
use crate::error::StoreError;
use crate::model::domain::{self, Domain};
use crate::model::tenant;
use crate::rules::domain::Place;

/// The one entry of the cache.
const ALL: &str = "all";

/// A host that is one pool's or one tenant's own.
#[derive(Debug)]
pub struct Site {
    pub user_pool_id: String,
    /// The tenant whose own it is.
    pub tenant_id: Option<String>,
    pub origin: String,
}

/// All of them, by host.
pub type Sites = HashMap<String, Arc<Site>>;

impl Broker {
    /// The pool whose own this host is; none for the public URL's and for those that are nobody's.
    pub async fn site(&self, host: &str) -> Result<Option<Arc<Site>>, StoreError> {
        if host.is_empty() || host == self.place.host() {
            return Ok(None);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        if let Some(known) = self.sites.get(ALL) {
            return Ok(known.get(host).cloned());
        }
        let place = self.place.clone();
        let sites = self
            .db
            .read(move |conn| -> Result<Sites, StoreError> {
                let tenants = tenant::ids(conn)?.into_iter();
                let domains = domain::list_all(conn)?.into_iter();
                let of_tenants = tenants.map(|(id, pool)| of_tenant(&place, id, pool));
                Ok(of_tenants
                    .chain(domains.map(|domain| site(&place, domain)))
                    .collect())
            })
            .await?;
        let sites = self.keep(&self.sites, generation, ALL, sites);
        Ok(sites.get(host).cloned())
    }
}

fn site(place: &Place, domain: Domain) -> (String, Arc<Site>) {
    let site = Site {
        origin: place.origin_of(&domain.name),
        user_pool_id: domain.user_pool_id,
        tenant_id: None,
    };
    (place.host_of(&domain.name), Arc::new(site))
}

/// `auth.<tenant>.<base>`, which every tenant has.
fn of_tenant(place: &Place, id: String, user_pool_id: String) -> (String, Arc<Site>) {
    let name = Place::of_tenant(&id);
    let site = Site {
        origin: place.origin_below(&name),
        user_pool_id,
        tenant_id: Some(id),
    };
    (place.host_below(&name), Arc::new(site))
}

/// Where a pool's endpoints are published: its own domain where it has one, before a prefix; else the public URL.
pub fn published_at(place: &Place, public_url: &str, domains: &[Domain]) -> String {
    domains
        .iter()
        .max_by_key(|domain| domain.is_custom())
        .map_or_else(|| public_url.to_owned(), |domain| place.origin_of(&domain.name))
}
