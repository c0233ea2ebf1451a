//! The ways in that one request is about: of the connections that an app offers those that the request names or that its
//! addresses lead to. An app may offer ten thousand; what a request does not speak of is not read for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::{App, Broker, storable};
use crate::actions::canaries;
use crate::actions::offers::{self, Offer};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::provider::{self, Provider};
use crate::model::tenant_domain;
use crate::rules::authorize::Authorization;
use crate::rules::canary::takes;
use crate::rules::email::Email;
use crate::rules::routing::Routes;
use crate::rules::tenant_domain::and_above;

/// What a request speaks of.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Slugs: what the request names, and what the browser's session came by.
    pub ids: Vec<String>,
    pub name: Option<String>,
    /// What may be an identifier of a connection.
    pub identifiers: Vec<String>,
    pub tenant: Option<String>,
    /// Domains of addresses (A-labels, lower case).
    pub domains: Vec<String>,
    /// Those among which a person chooses, too.
    pub choice: bool,
}

impl Wanted {
    pub fn id(id: &str) -> Wanted {
        Wanted {
            ids: vec![id.to_owned()],
            ..Wanted::default()
        }
    }

    pub fn choice() -> Wanted {
        Wanted {
            choice: true,
            ..Wanted::default()
        }
    }

    /// What an authorization request speaks of.
    pub fn of(request: &Authorization) -> Wanted {
        let mut wanted = Wanted {
            name: request.identity_provider.clone(),
            tenant: request.tenant.clone(),
            ..Wanted::default()
        };
        wanted.ids.extend(request.connection.clone());
        wanted.identifiers.extend(request.tenant.clone());
        if let Some(name) = &request.idp_identifier {
            wanted.identifiers.push(name.clone());
            wanted.domains.push(name.clone());
        }
        wanted.address(request.login_hint.as_deref());
        wanted
    }

    /// What may be an address: its domain.
    pub fn address(&mut self, text: Option<&str>) {
        let address = text.and_then(|text| Email::parse(text).ok());
        self.domains
            .extend(address.map(|address| address.domain().to_owned()));
    }

    /// What a database cannot hold leads nowhere, and cannot be asked for.
    fn storable(mut self) -> Wanted {
        for list in [&mut self.ids, &mut self.identifiers, &mut self.domains] {
            list.retain(|text| storable(text));
            list.sort();
            list.dedup();
        }
        for one in [&mut self.name, &mut self.tenant] {
            *one = one.take().filter(|text| storable(text));
        }
        // Nor is anything longer a domain (RFC 1035 §2.3.4): each label of it would be asked for.
        self.domains.retain(|name| name.len() <= 253);
        self
    }
}

/// Some of an app's connections, and what leads to them.
#[derive(Debug, Default)]
pub struct Ways {
    /// Those that people are sent to, by name.
    pub providers: Vec<Provider>,
    /// The place of each by its id.
    places: HashMap<String, usize>,
    /// Those that some of those connections' people are sent to instead.
    canaries: Vec<Provider>,
    /// Identifiers (lower case) that lead to one of them, with the provider's id.
    pub identifiers: HashMap<String, String>,
    /// Where addresses and tenants' codes lead.
    pub routes: Routes,
    /// Whether any address leads anywhere; known where it was asked for a choice.
    pub lead_anywhere: bool,
    /// They are too many for a person to choose from: addresses lead to them, and the app's own words.
    pub many: bool,
}

impl Ways {
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        match self.places.get(id) {
            Some(place) => self.providers.get(*place),
            None => self.canaries.iter().find(|canary| canary.id == id),
        }
    }

    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The connection by whose name the app offers this one: itself, or the one whose canary it is.
    pub fn offered_as<'a>(&'a self, provider: &'a Provider) -> &'a Provider {
        let main = self.providers.iter().find(|main| main.leads_to(&provider.id));
        match main {
            Some(main) if !self.places.contains_key(&provider.id) => main,
            _ => provider,
        }
    }
}

impl Broker {
    /// What the app has of what a request speaks of.
    pub async fn ways(&self, app: &App, wanted: Wanted) -> Result<Arc<Ways>, StoreError> {
        let wanted = wanted.storable();
        let key = format!("{} {:?} {wanted:?}", app.client.id, app.offer.tenant_id);
        let reading = match self.ways.look(&key).await {
            Ok(known) => return Ok(known),
            Err(reading) => reading,
        };
        let offer = app.offer.clone();
        let found = self.db.read(move |conn| read(conn, &offer, &wanted)).await?;
        Ok(reading.keep(found))
    }

    /// The connection that this person is sent to where a connection has a canary; none where it stays.
    pub async fn canary(
        &self,
        ways: &Ways,
        provider: &Provider,
        address: Option<&str>,
    ) -> Result<Option<Provider>, StoreError> {
        let Some(canary) = &provider.settings.canary else {
            return Ok(None);
        };
        let Some(to) = ways.provider(&canary.to) else {
            return Ok(None);
        };
        let is_member = match (&canary.group, address) {
            (Some(group), Some(address)) if storable(address) => {
                let (pool, address, group) =
                    (provider.user_pool_id.clone(), address.to_owned(), group.clone());
                self.db
                    .read(move |conn| canaries::is_member(conn, &pool, &address, &group))
                    .await?
            }
            _ => false,
        };
        Ok(takes(canary, address, is_member).then(|| to.clone()))
    }
}

/// As many questions for a domain that leads somewhere as for one that does not.
fn read(conn: &mut Conn, offer: &Offer, wanted: &Wanted) -> Result<Ways, StoreError> {
    let pool = &offer.user_pool_id;
    let mut found = Vec::new();
    for id in &wanted.ids {
        found.extend(offers::find(conn, offer, id)?);
    }
    if let Some(name) = &wanted.name {
        found.extend(offers::by_name(conn, offer, name)?);
    }
    let names = [wanted.identifiers.as_slice(), wanted.domains.as_slice()].concat();
    let identified = provider::identified(conn, pool, &names)?;
    let ids: Vec<String> = identified.iter().map(|(_, id)| id.clone()).collect();
    found.extend(offers::by_ids(conn, offer, &ids)?);
    let proven = match &offer.tenant_id {
        Some(tenant) => tenant_domain::proven_of_tenant(conn, tenant)?,
        None => {
            let above: Vec<&str> = wanted.domains.iter().flat_map(|name| and_above(name)).collect();
            tenant_domain::proven_among(conn, pool, &above)?
        }
    };
    let tenants: Vec<String> = proven
        .iter()
        .map(|one| one.tenant_id.clone())
        .chain(wanted.tenant.clone())
        .collect();
    found.extend(offers::of_tenants(conn, offer, &tenants)?);
    if wanted.choice || offer.tenant_id.is_some() {
        found.extend(offers::choice(conn, offer)?);
    }
    found.retain(|provider| provider.settings.token_in.is_none());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.id == b.id);
    let lead_anywhere = match wanted.choice {
        true => offer.is_long() || lead_anywhere(conn, &found)?,
        false => false,
    };
    let places: HashMap<String, usize> = found.iter().map(|one| one.id.clone()).zip(0..).collect();
    let mut canaries = offers::canaries(conn, offer, &found)?;
    canaries.retain(|canary| !places.contains_key(&canary.id));
    let mut identifiers: HashMap<String, String> = identified.into_iter().collect();
    identifiers.retain(|_, id| places.contains_key(id));
    Ok(Ways {
        routes: Routes::new(&found, &identifiers, proven),
        providers: found,
        places,
        canaries,
        identifiers,
        lead_anywhere,
        many: offer.is_long(),
    })
}

/// Whether some address leads to one of these: an operator's word for the pool's own, a proven domain for a tenant's.
fn lead_anywhere(conn: &mut Conn, providers: &[Provider]) -> Result<bool, StoreError> {
    let own = providers.iter().filter(|one| one.tenant_id.is_none());
    let own: Vec<String> = own.map(|one| one.id.clone()).collect();
    let tenants: Vec<String> = providers.iter().filter_map(|one| one.tenant_id.clone()).collect();
    Ok(provider::any_domain_of(conn, &own)? || tenant_domain::any_proven(conn, &tenants)?)
}
