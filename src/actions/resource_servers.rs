//! Resource servers: made, changed, and deleted; clients lose the scopes that go.

use serde_json::json;

use super::{Ctx, difference, pools, record};
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

/// Changes name and scopes. Clients lose the scopes that are there no more, so that later namesakes do not come back to
/// them.
pub fn update(conn: &mut Conn, ctx: &Ctx, server: ResourceServer) -> Result<ResourceServer, Error> {
    let old = find(conn, &server.user_pool_id, &server.identifier)?;
    registration::resource_server(&server)?;
    let kept: Vec<String> = scope::names(&server).collect();
    let gone: Vec<String> = scope::names(&old).filter(|name| !kept.contains(name)).collect();
    let narrowed = take_from_clients(conn, ctx, &server.user_pool_id, &gone)?;
    if !resource_server::update(conn, &server)? {
        return Err(missing(&server.identifier));
    }
    let shape = |server: &ResourceServer| json!({ "name": server.name, "scopes": server.scopes });
    let mut changes = difference(&shape(&old), &shape(&server));
    if !narrowed.is_empty() {
        changes["taken_from_clients"] = json!(narrowed);
    }
    record(
        conn,
        ctx,
        "resource_server.update",
        Some(&server.user_pool_id),
        &server.identifier,
        changes,
    )?;
    Ok(server)
}

/// Takes scopes away from the pool's clients; gives the ids of those that had one.
fn take_from_clients(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    gone: &[String],
) -> Result<Vec<String>, Error> {
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
    Ok(narrowed)
}

/// The resource server, or the error that says it is not there.
pub fn find(conn: &mut Conn, user_pool_id: &str, identifier: &str) -> Result<ResourceServer, Error> {
    resource_server::find(conn, user_pool_id, identifier)?.ok_or_else(|| missing(identifier))
}

fn missing(identifier: &str) -> Error {
    Error::not_found("resource server", identifier)
}

/// Deletes a resource server. Clients lose its scopes, so that a later namesake does not give them back.
pub fn delete(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    identifier: &str,
) -> Result<ResourceServer, Error> {
    let server = find(conn, user_pool_id, identifier)?;
    let gone: Vec<String> = scope::names(&server).collect();
    let narrowed = take_from_clients(conn, ctx, user_pool_id, &gone)?;
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
        let mut changed = server.clone();
        changed.name = "The API".into();
        changed.scopes.push(Scope {
            name: "write".into(),
            description: "Write things".into(),
        });
        fixture.act(|conn| update(conn, &ctx, changed.clone())).unwrap();
        assert_eq!(
            fixture
                .act(|conn| clients::find(conn, "machine"))
                .unwrap()
                .settings
                .scopes,
            ["demo-api/read"]
        );
        assert_eq!(
            fixture.last_event().difference.0["name"],
            json!({ "old": "Demo API", "new": "The API" })
        );
        changed.scopes.remove(0);
        fixture.act(|conn| update(conn, &ctx, changed)).unwrap();
        assert_eq!(
            fixture.last_event().difference.0["taken_from_clients"],
            json!(["machine"])
        );
        fixture.act(|conn| update(conn, &ctx, server.clone())).unwrap();
        let given = clients::ClientChange {
            settings: Some(Settings {
                flows: vec![Flow::ClientCredentials],
                scopes: vec!["demo-api/read".into()],
                ..Settings::default()
            }),
            ..clients::ClientChange::default()
        };
        fixture
            .act(|conn| clients::update(conn, &ctx, "machine", given))
            .unwrap();
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
