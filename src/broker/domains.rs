//! Which pool, or which tenant, a host belongs to. The hosts of pools are read together: whoever names hosts that are
//! nobody's must not make us ask the database for each. Tenants may be thousands, and their hosts have the tenant's id in
//! them: only such a host is asked for, by that id.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Broker, storable};
use crate::error::StoreError;
use crate::model::domain::{self, Domain};
use crate::model::tenant;
use crate::rules::domain::Place;

/// The one entry of the cache of pools' hosts.
const ALL: &str = "all";

/// A host that is one pool's or one tenant's own.
#[derive(Debug)]
pub struct Site {
    pub user_pool_id: String,
    /// The tenant whose own it is.
    pub tenant_id: Option<String>,
    pub origin: String,
}

/// Those of pools' domains, by host.
pub type Sites = HashMap<String, Arc<Site>>;

impl Broker {
    /// The pool whose own this host is; none for the public URL's and for those that are nobody's.
    pub async fn site(&self, host: &str) -> Result<Option<Arc<Site>>, StoreError> {
        if host.is_empty() || host == self.place.host() {
            return Ok(None);
        }
        if let Some(site) = self.sites().await?.get(host) {
            return Ok(Some(site.clone()));
        }
        match self.place.tenant_at(host) {
            Some(tenant) => self.site_of_tenant(tenant).await,
            None => Ok(None),
        }
    }

    async fn sites(&self) -> Result<Arc<Sites>, StoreError> {
        let reading = match self.sites.look(ALL).await {
            Ok(known) => return Ok(known),
            Err(reading) => reading,
        };
        let place = self.place.clone();
        let sites = self
            .db
            .read(move |conn| -> Result<Sites, StoreError> {
                let domains = domain::list_all(conn)?.into_iter();
                Ok(domains.map(|domain| site(&place, domain)).collect())
            })
            .await?;
        Ok(reading.keep(sites))
    }

    /// `auth.<tenant>.<base>`, which every tenant has.
    async fn site_of_tenant(&self, tenant: &str) -> Result<Option<Arc<Site>>, StoreError> {
        if !storable(tenant) {
            return Ok(None);
        }
        let reading = match self.tenant_sites.look(tenant).await {
            Ok(known) => return Ok(Some(known)),
            Err(reading) => reading,
        };
        let wanted = tenant.to_owned();
        let found = self
            .db
            .read(move |conn| -> Result<_, StoreError> { Ok(tenant::pool_of(conn, &wanted)?) })
            .await?;
        Ok(found.map(|user_pool_id| {
            let site = Site {
                origin: self.place.origin_below(&Place::of_tenant(tenant)),
                user_pool_id,
                tenant_id: Some(tenant.to_owned()),
            };
            reading.keep(site)
        }))
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

/// Where a pool's endpoints are published: its own domain where it has one, before a prefix; else the public URL.
pub fn published_at(place: &Place, public_url: &str, domains: &[Domain]) -> String {
    domains
        .iter()
        .max_by_key(|domain| domain.is_custom())
        .map_or_else(|| public_url.to_owned(), |domain| place.origin_of(&domain.name))
}
