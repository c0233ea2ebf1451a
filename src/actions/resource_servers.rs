//! Resource servers: made, and deleted together with the scopes that clients had of them.

use serde_json::json;

use super::{Ctx, pools, record};
use crate::db::Conn;
use crate::error::Error;
use crate::model::client;
use crate::model::resource_server::{self, ResourceServer};
use crate::rules::{registration, scope};

/// Makes a resource server with its scopes.
pub fn create(conn: &mut Conn, ctx: &Ctx, server: ResourceServer) -> Result<ResourceServer, Error> {
    pools::find(conn, &server.user_pool_id)?;
    registration::resource_server(&server)?;
    if !resource_server::insert(conn, &server)? {
        return Err(Error::exists("resource server", server.identifier));
    }
    record(
        conn,
        ctx,
        "resource_server.create",
        Some(&server.user_pool_id),
        &server.identifier,
        json!({ "name": server.name, "scopes": server.scopes }),
    )?;
    Ok(server)
}

/// Deletes a resource server. Clients lose its scopes, so that a later namesake does not give them back.
pub fn delete(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    identifier: &str,
) -> Result<ResourceServer, Error> {
    let missing = || Error::not_found("resource server", identifier);
    let server = resource_server::find(conn, user_pool_id, identifier)?.ok_or_else(missing)?;
    let gone: Vec<String> = scope::names(&server).collect();
    let mut narrowed = Vec::new();
    for mut client in client::list(conn, user_pool_id)? {
        let before = client.settings.scopes.len();
        client.settings.scopes.retain(|scope| !gone.contains(scope));
        if client.settings.scopes.len() != before {
            client.updated_at = ctx.now;
            client::update(conn, &client)?;
            narrowed.push(client.id);
        }
    }
    resource_server::delete(conn, user_pool_id, identifier)?;
    record(
        conn,
        ctx,
        "resource_server.delete",
        Some(user_pool_id),
        identifier,
        json!({ "scopes": gone, "taken_from_clients": narrowed }),
    )?;
    Ok(server)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::clients::{self, NewClient, NewSecret};
    use super::super::fixture::Fixture;
    use super::*;
    use crate::db::Json;
    use crate::model::client::{Flow, Settings};
    use crate::model::resource_server::Scope;

    #[test]
    fn a_resource_server_is_made_once_and_takes_its_scopes_with_it() {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let pool_id = fixture.pool_id();
        let server = ResourceServer {
            user_pool_id: pool_id.clone(),
            identifier: "demo-api".into(),
            name: "Demo API".into(),
            scopes: Json(vec![Scope {
                name: "read".into(),
                description: "Read things".into(),
            }]),
        };
        fixture.act(|conn| create(conn, &ctx, server.clone())).unwrap();
        assert!(matches!(
            fixture.act(|conn| create(conn, &ctx, server.clone())),
            Err(Error::Exists(_))
        ));
        let elsewhere = ResourceServer {
            user_pool_id: "us-local-1_Other".into(),
            ..server.clone()
        };
        assert!(matches!(
            fixture.act(|conn| create(conn, &ctx, elsewhere)),
            Err(Error::NotFound(_))
        ));

        let new = NewClient {
            id: Some("machine".into()),
            user_pool_id: pool_id.clone(),
            name: "Machine".into(),
            secret: NewSecret::Generate,
            settings: Settings {
                flows: vec![Flow::ClientCredentials],
                scopes: vec!["demo-api/read".into()],
                ..Settings::default()
            },
        };
        fixture.act(|conn| clients::create(conn, &ctx, new)).unwrap();
        fixture
            .act(|conn| delete(conn, &ctx, &pool_id, "demo-api"))
            .unwrap();
        let client = fixture.act(|conn| clients::find(conn, "machine")).unwrap();
        assert!(client.settings.scopes.is_empty());
        assert_eq!(
            fixture.last_event().difference.0["taken_from_clients"],
            json!(["machine"])
        );
        assert!(matches!(
            fixture.act(|conn| delete(conn, &ctx, &pool_id, "demo-api")),
            Err(Error::NotFound(_))
        ));
    }
}
