//! App clients with what every request of theirs needs, whatever it asks for.

use std::sync::Arc;

use super::{Broker, Dress, Look, PoolFacts, looks, storable};
use crate::actions::offers::Offer;
use crate::error::StoreError;
use crate::model::client::{self, Client, Secret};
use crate::model::registered_client;
use crate::rules::registration::client::NATIVE;
use crate::world::UnixTime;

/// An enabled app client.
#[derive(Clone)]
pub struct App {
    pub client: Arc<Client>,
    pub secrets: Arc<[Secret]>,
    pub pool: Arc<PoolFacts>,
    /// The connections that people may come to it by.
    pub offer: Offer,
    /// How its login page looks.
    pub look: Arc<Look>,
    /// At a tenant's own host: how that tenant has its pages look.
    pub dress: Option<Arc<Dress>>,
    /// When it ends, where it was registered until then.
    pub expires_at: Option<UnixTime>,
}

impl App {
    /// Whether the client offers native users the form on the login page; at a tenant's own host there is none.
    pub fn has_native_users(&self) -> bool {
        self.offer.tenant_id.is_none() && self.offer.lists(NATIVE)
    }

    /// Whose sign-in a page says it is: that tenant's, else the pool's.
    pub fn shown_name(&self) -> &str {
        match &self.dress {
            Some(dress) => &dress.name,
            None => &self.pool.pool.name,
        }
    }

    /// Whether it has not come to the end until which it was registered.
    fn lives(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

impl Broker {
    /// An enabled app client by its id.
    pub async fn app(&self, client_id: &str) -> Result<Option<Arc<App>>, StoreError> {
        if !storable(client_id) {
            return Ok(None);
        }
        let now = self.clock.now();
        let lives = |app: &Arc<App>| app.lives(now);
        let reading = match self.apps.look(client_id).await {
            Ok(known) => return Ok(Some(known).filter(lives)),
            Err(reading) => reading,
        };
        let wanted = client_id.to_owned();
        let found = self
            .db
            .read(move |conn| -> Result<_, StoreError> {
                let Some(client) = client::find(conn, &wanted)?.filter(|client| client.enabled) else {
                    return Ok(None);
                };
                let secrets = client::secrets(conn, &client.id)?;
                let look = looks::of(conn, &client)?;
                let expires_at = registered_client::find(conn, &client.id)?.map(|row| row.expires_at);
                Ok(Some((client, secrets, look, expires_at)))
            })
            .await?;
        let Some((client, secrets, look, expires_at)) = found else {
            return Ok(None);
        };
        let Some(pool) = self.pool(&client.user_pool_id).await? else {
            return Ok(None);
        };
        let app = App {
            offer: Offer::of(&client),
            client: Arc::new(client),
            secrets: secrets.into(),
            pool,
            look: Arc::new(look),
            dress: None,
            expires_at,
        };
        Ok(Some(reading.keep(app)).filter(lives))
    }

    /// An enabled app client as it is at a tenant's own host: with that tenant's connections alone, under its name. None
    /// where the client's pool has no such tenant.
    pub async fn app_of_tenant(
        &self,
        client_id: &str,
        tenant_id: &str,
    ) -> Result<Option<Arc<App>>, StoreError> {
        let Some(app) = self.app(client_id).await? else {
            return Ok(None);
        };
        let dress = self.dress(&app.pool.pool.id, tenant_id).await?;
        Ok(dress.map(|dress| {
            Arc::new(App {
                offer: app.offer.at_host_of(tenant_id),
                dress: Some(dress),
                ..App::clone(&app)
            })
        }))
    }

    /// How the pages of this tenant look; none where the pool has no such tenant.
    async fn dress(&self, pool_id: &str, tenant_id: &str) -> Result<Option<Arc<Dress>>, StoreError> {
        if !storable(tenant_id) {
            return Ok(None);
        }
        let key = format!("{pool_id} {tenant_id}");
        let reading = match self.dresses.look(&key).await {
            Ok(known) => return Ok(Some(known)),
            Err(reading) => reading,
        };
        let (pool_id, wanted) = (pool_id.to_owned(), tenant_id.to_owned());
        let found = self
            .db
            .read(move |conn| Ok::<_, StoreError>(looks::of_tenant(conn, &pool_id, &wanted)?))
            .await?;
        Ok(found.map(|dress| reading.keep(dress)))
    }
}
