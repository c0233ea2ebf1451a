//! App clients with what a request of theirs needs: their connections, where addresses lead, how their login page looks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Broker, Look, PoolFacts, looks, storable};
use crate::actions::canaries;
use crate::actions::tokens::Live;
use crate::error::StoreError;
use crate::model::client::{self, Client, Secret};
use crate::model::provider::{self, Provider};
use crate::model::{registered_client, tenant, tenant_domain};
use crate::rules::canary::takes;
use crate::rules::registration::client::NATIVE;
use crate::rules::routing::Routes;
use crate::world::UnixTime;

/// An enabled app client with what a request of it needs.
pub struct App {
    pub client: Client,
    pub secrets: Vec<Secret>,
    pub pool: Arc<PoolFacts>,
    /// The enabled connections that the client lists, by name: those that people are sent to.
    pub providers: Vec<Provider>,
    /// The place of each by its id.
    places: HashMap<String, usize>,
    /// The enabled connections that some of those connections' people are sent to instead.
    pub canaries: Vec<Provider>,
    /// And those whose ID tokens it may bring.
    pub token_in: Vec<Provider>,
    /// Identifiers (lower case) that lead to one of them, with the provider's id.
    pub identifiers: HashMap<String, String>,
    /// Where addresses and tenants' codes lead.
    pub routes: Routes,
    /// The one tenant whose connections these are: the request came to that tenant's own host.
    pub tenant_id: Option<String>,
    /// How its login page looks.
    pub look: Look,
    /// When it ends, where it was registered until then.
    pub expires_at: Option<UnixTime>,
}

impl App {
    /// The connections as actions take them. Cognito's API signs native users in whatever the client lists, so they are
    /// always among them; whether the web does is [`App::has_native_users`].
    pub fn live_providers(&self) -> Vec<Live> {
        let native = Live {
            id: NATIVE.to_owned(),
            created_at: UnixTime(0),
        };
        self.providers
            .iter()
            .chain(&self.canaries)
            .chain(&self.token_in)
            .map(|provider| Live {
                id: provider.id.clone(),
                created_at: provider.created_at,
            })
            .chain([native])
            .collect()
    }

    /// Whether the client offers native users the form on the login page.
    pub fn has_native_users(&self) -> bool {
        self.client.settings.providers.iter().any(|name| name == NATIVE)
    }

    pub fn provider(&self, id: &str) -> Option<&Provider> {
        match self.places.get(id) {
            Some(place) => self.providers.get(*place),
            None => self.canaries.iter().find(|canary| canary.id == id),
        }
    }

    /// The same, also among those whose ID tokens the app may bring: by whatever way somebody came here.
    pub fn any_provider(&self, id: &str) -> Option<&Provider> {
        let brought = || self.token_in.iter().find(|provider| provider.id == id);
        self.provider(id).or_else(brought)
    }

    /// The connection by whose name the app offers this one: itself, or the one whose canary it is.
    pub fn offered_as<'a>(&'a self, provider: &'a Provider) -> &'a Provider {
        let leads_to = |one: &&Provider| {
            let canary = one.settings.canary.as_ref();
            canary.is_some_and(|canary| canary.to == provider.id)
        };
        match self.providers.iter().find(leads_to) {
            Some(main) if !self.places.contains_key(&provider.id) => main,
            _ => provider,
        }
    }

    /// Whether it has not come to the end until which it was registered.
    fn lives(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// The same with nothing but the tenant's connections, for the tenant's own host.
    fn of_tenant(&self, tenant_id: &str) -> App {
        let ids = self.routes.of_tenant(tenant_id).iter();
        let providers: Vec<Provider> = ids.filter_map(|id| self.provider(id)).cloned().collect();
        let places = places(&providers);
        let mut client = self.client.clone();
        client.settings.providers = providers.iter().map(|provider| provider.name.clone()).collect();
        let leads_there = |(_, id): &(&String, &String)| places.contains_key(*id);
        let its_own = |provider: &&Provider| provider.tenant_id.as_deref() == Some(tenant_id);
        App {
            client,
            secrets: self.secrets.clone(),
            pool: self.pool.clone(),
            canaries: self.canaries.iter().filter(its_own).cloned().collect(),
            token_in: self.token_in.iter().filter(its_own).cloned().collect(),
            identifiers: self
                .identifiers
                .iter()
                .filter(leads_there)
                .map(|(name, id)| (name.clone(), id.clone()))
                .collect(),
            providers,
            places,
            routes: self.routes.within(tenant_id),
            tenant_id: Some(tenant_id.to_owned()),
            look: self.look.clone(),
            expires_at: self.expires_at,
        }
    }
}

impl Broker {
    /// An enabled app client by its id.
    pub async fn app(&self, client_id: &str) -> Result<Option<Arc<App>>, StoreError> {
        if !storable(client_id) {
            return Ok(None);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let now = self.clock.now();
        let lives = |app: &Arc<App>| app.lives(now);
        if let Some(known) = self.apps.get(client_id) {
            return Ok(Some(known).filter(lives));
        }
        let wanted = client_id.to_owned();
        let found = self
            .db
            .read(move |conn| -> Result<_, StoreError> {
                let Some(client) = client::find(conn, &wanted)?.filter(|client| client.enabled) else {
                    return Ok(None);
                };
                let secrets = client::secrets(conn, &client.id)?;
                let pool_id = &client.user_pool_id;
                let mut listed = provider::list_named(conn, pool_id, &client.settings.providers)?;
                let choosy = tenant::choosy(conn, pool_id)?;
                let takes_them = |provider: &Provider| {
                    let tenant = provider.tenant_id.as_ref().and_then(|id| choosy.get(id));
                    tenant.is_none_or(|clients| clients.contains(&client.id))
                };
                listed.retain(takes_them);
                let (token_in, providers): (Vec<_>, Vec<_>) = listed
                    .into_iter()
                    .partition(|provider| provider.settings.token_in.is_some());
                let places = places(&providers);
                let mut canaries = Vec::new();
                for canary in providers.iter().filter_map(|one| one.settings.canary.as_ref()) {
                    let to = provider::find(conn, &canary.to)?
                        .filter(|to| to.enabled && !places.contains_key(&to.id) && takes_them(to));
                    canaries.extend(to);
                }
                let mut identifiers: HashMap<String, String> = provider::identifiers_of_pool(conn, pool_id)?
                    .into_iter()
                    .collect();
                identifiers.retain(|_, id| places.contains_key(id));
                let proven = tenant_domain::proven_of_pool(conn, pool_id)?;
                let routes = Routes::new(&providers, &identifiers, proven);
                let look = looks::of(conn, &client)?;
                let expires_at = registered_client::find(conn, &client.id)?.map(|row| row.expires_at);
                Ok(Some((
                    client,
                    secrets,
                    (providers, places, canaries, token_in),
                    identifiers,
                    routes,
                    look,
                    expires_at,
                )))
            })
            .await?;
        let Some((client, secrets, ways, identifiers, routes, look, expires_at)) = found else {
            return Ok(None);
        };
        let Some(pool) = self.pool(&client.user_pool_id).await? else {
            return Ok(None);
        };
        let (providers, places, canaries, token_in) = ways;
        let app = App {
            client,
            secrets,
            pool,
            providers,
            places,
            canaries,
            token_in,
            identifiers,
            routes,
            tenant_id: None,
            look,
            expires_at,
        };
        Ok(Some(self.keep(&self.apps, generation, client_id, app)).filter(lives))
    }

    /// An enabled app client as it is at a tenant's own host: with that tenant's connections alone.
    pub async fn app_of_tenant(
        &self,
        client_id: &str,
        tenant_id: &str,
    ) -> Result<Option<Arc<App>>, StoreError> {
        let generation = self.generation.load(Ordering::SeqCst);
        let key = format!("{tenant_id} {client_id}");
        let now = self.clock.now();
        if let Some(known) = self.tenant_apps.get(&key) {
            return Ok(Some(known).filter(|app| app.lives(now)));
        }
        let app = self.app(client_id).await?;
        Ok(app.map(|app| self.keep(&self.tenant_apps, generation, &key, app.of_tenant(tenant_id))))
    }

    /// The connection that this person is sent to where a connection has a canary; none where it stays.
    pub async fn canary(
        &self,
        app: &App,
        provider: &Provider,
        address: Option<&str>,
    ) -> Result<Option<Provider>, StoreError> {
        let Some(canary) = &provider.settings.canary else {
            return Ok(None);
        };
        let Some(to) = app.provider(&canary.to) else {
            return Ok(None);
        };
        let is_member = match (&canary.group, address) {
            (Some(group), Some(address)) if !address.contains('\0') => {
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

/// Where each connection stands in the list.
fn places(providers: &[Provider]) -> HashMap<String, usize> {
    let ids = providers.iter().map(|provider| provider.id.clone());
    ids.zip(0..).collect()
}
