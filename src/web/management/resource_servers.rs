//! Resource servers: APIs with scopes of their own.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, page};
use crate::actions::resource_servers;
use crate::db::Json;
use crate::model::pool;
use crate::model::resource_server::{self, ResourceServer, Scope};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    identifier: String,
    name: String,
    scopes: Vec<ScopeInput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScopeInput {
    scope_name: String,
    scope_description: String,
}

impl Input {
    fn server(self) -> ResourceServer {
        let scopes = self.scopes.into_iter().map(|scope| Scope {
            name: scope.scope_name,
            description: scope.scope_description,
        });
        ResourceServer {
            user_pool_id: self.user_pool_id,
            identifier: self.identifier,
            name: self.name,
            scopes: Json(scopes.collect()),
        }
    }
}

pub async fn create(call: Call) -> Answer {
    let server = call.read::<Input>()?.server();
    call.act(move |conn, ctx, reach| {
        let id = server.user_pool_id.clone();
        pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let made = resource_servers::create(conn, ctx, server)?;
        Ok(json!({ "ResourceServer": shape(&made) }))
    })
    .await
}

pub async fn describe(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let Input {
            user_pool_id,
            identifier,
            ..
        } = input;
        pool::find_within(conn, &sees, &user_pool_id)?.ok_or_else(|| Failure::no_pool(&user_pool_id))?;
        let server = resource_server::find(conn, &user_pool_id, &identifier)?;
        let server = server.ok_or_else(|| missing(&identifier))?;
        Ok(json!({ "ResourceServer": shape(&server) }))
    })
    .await
}

pub async fn update(call: Call) -> Answer {
    let server = call.read::<Input>()?.server();
    call.act(move |conn, ctx, reach| {
        let id = server.user_pool_id.clone();
        pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let updated = resource_servers::update(conn, ctx, server)?;
        Ok(json!({ "ResourceServer": shape(&updated) }))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let Input {
            user_pool_id,
            identifier,
            ..
        } = input;
        pool::find_within(conn, reach, &user_pool_id)?.ok_or_else(|| Failure::no_pool(&user_pool_id))?;
        resource_server::find(conn, &user_pool_id, &identifier)?.ok_or_else(|| missing(&identifier))?;
        resource_servers::delete(conn, ctx, &user_pool_id, &identifier)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let id = call.pool_id();
    let sees = call.caller.sees.clone();
    let wanted = page::Wanted::of(&call, "ListResourceServers", "MaxResults", 50)?;
    call.look(move |conn| {
        pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let all = resource_server::list(conn, &id)?;
        let (servers, next) = wanted.cut(all, |server| server.identifier.clone());
        let shown = servers.iter().map(shape).collect();
        Ok(page::answer("ResourceServers", shown, "NextToken", next))
    })
    .await
}

fn missing(identifier: &str) -> Failure {
    Failure::missing(format!("Resource server {identifier} does not exist."))
}

fn shape(server: &ResourceServer) -> Value {
    let scopes: Vec<Value> = server
        .scopes
        .iter()
        .map(|scope| json!({ "ScopeName": scope.name, "ScopeDescription": scope.description }))
        .collect();
    json!({
        "UserPoolId": server.user_pool_id, "Identifier": server.identifier, "Name": server.name, "Scopes": scopes,
    })
}
