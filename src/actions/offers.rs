//! Which connections an app offers: what decides whether another way in may be closed there. Nobody is led to a door that
//! the app does not have.

use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::provider::{self, Provider};
use crate::model::tenant;

/// The enabled connections that the client lists, of tenants that admit it.
pub fn of_client(conn: &mut Conn, client: &Client) -> Result<Vec<Provider>, StoreError> {
    let mut listed = provider::list_named(conn, &client.user_pool_id, &client.settings.providers)?;
    let choosy = tenant::choosy(conn, &client.user_pool_id)?;
    listed.retain(|provider| {
        let tenant = provider.tenant_id.as_ref().and_then(|id| choosy.get(id));
        tenant.is_none_or(|clients| clients.contains(&client.id))
    });
    Ok(listed)
}

/// Whether people can be sent there; the others take tokens that apps bring.
pub fn is_for_browsers(provider: &Provider) -> bool {
    provider.settings.token_in.is_none()
}

/// Whether somebody who comes to the app by `from` could as well come by `to`: it is a way of the same kind, and offered, or
/// what an offered one leads everybody to.
pub fn is_open_instead(offered: &[Provider], from: &Provider, to: &Provider) -> bool {
    let leads_there = |one: &Provider| {
        let canary = one.settings.canary.as_ref();
        one.id == to.id || canary.is_some_and(|canary| canary.promoted && canary.to == to.id)
    };
    to.enabled && is_for_browsers(from) == is_for_browsers(to) && offered.iter().any(leads_there)
}
