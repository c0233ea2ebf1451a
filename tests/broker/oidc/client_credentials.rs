//! A client's token for itself (RFC 6749 §4.4): resource-server scopes, no user, nothing to refresh.

use forebay::actions::resource_servers;
use forebay::db::Json;
use forebay::demo::{API, MACHINE_CLIENT, POOL};
use forebay::model::resource_server::{ResourceServer, Scope};
use serde_json::json;

use crate::support::{NOW, Stage, assert_refused, header};

#[actix_web::test]
async fn the_answer_is_an_access_token_and_nothing_else() {
    let stage = Stage::new().await;
    let json = stage.as_machine(&[]).await.expect(200).json();
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 3600);
    assert_eq!(json["scope"], "demo-api/read");

    let token = json["access_token"].as_str().unwrap();
    assert_eq!(header(token)["typ"], "at+jwt");
    let claims = stage.verified(token).await;
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 36);
    assert_eq!(
        claims,
        json!({
            "sub": MACHINE_CLIENT, "client_id": MACHINE_CLIENT, "token_use": "access", "scope": "demo-api/read",
            "auth_time": NOW.0, "iat": NOW.0, "exp": NOW.0 + 3600, "iss": stage.issuer(), "aud": stage.issuer(),
            "version": 2, "jti": jti,
        })
    );
}

#[actix_web::test]
async fn scopes_are_those_of_the_client_or_fewer() {
    let stage = Stage::new().await;
    add_server(&stage, "https://api.example.com", &["read", "write"]);
    stage.change_machine_client(|settings| settings.scopes.push("https://api.example.com/write".into()));
    for (asked, granted) in [
        ("", "demo-api/read https://api.example.com/write"),
        ("demo-api/read", "demo-api/read"),
        (
            "https://api.example.com/write demo-api/read",
            "https://api.example.com/write demo-api/read",
        ),
    ] {
        let json = stage.as_machine(&[("scope", asked)]).await.expect(200).json();
        assert_eq!(json["scope"], granted);
    }
    for asked in [
        "openid",
        "https://api.example.com/read",
        "demo-api/write",
        "demo-api/",
        "demo-api/read openid",
        "\"x\"",
    ] {
        assert_refused(&stage.as_machine(&[("scope", asked)]).await, 400, "invalid_scope");
    }
}

#[actix_web::test]
async fn m067_the_resource_is_the_audience_and_keeps_only_its_scopes() {
    let stage = Stage::new().await;
    add_server(&stage, "https://api.example.com", &["read"]);
    add_server(&stage, "https://no.scopes.of.it", &["read"]);
    stage.change_machine_client(|settings| settings.scopes.push("https://api.example.com/read".into()));
    for (resource, scope) in [
        (API, "demo-api/read"),
        ("https://api.example.com", "https://api.example.com/read"),
    ] {
        let json = stage
            .as_machine(&[("resource", resource)])
            .await
            .expect(200)
            .json();
        let claims = stage.verified(json["access_token"].as_str().unwrap()).await;
        assert_eq!(
            (&claims["aud"], &claims["scope"]),
            (&json!(resource), &json!(scope))
        );
    }
    for unknown in [
        "https://elsewhere.example",
        "https://api.example.com/",
        "DEMO-API",
        "https://api.example.com/read",
    ] {
        assert_refused(
            &stage.as_machine(&[("resource", unknown)]).await,
            400,
            "invalid_target",
        );
    }
    // A resource of which nothing may be done is no token without scopes.
    let none = [("resource", "https://no.scopes.of.it")];
    assert_refused(&stage.as_machine(&none).await, 400, "invalid_scope");
    let other = [("resource", API), ("scope", "https://api.example.com/read")];
    assert_refused(&stage.as_machine(&other).await, 400, "invalid_scope");
}

#[actix_web::test]
async fn m068_a_clients_own_token_is_no_users() {
    let stage = Stage::new().await;
    let token = stage.as_machine(&[]).await.expect(200).json()["access_token"].clone();
    let claims = stage.verified(token.as_str().unwrap()).await;
    // A user's sub is a UUID with hyphens, a client's id never: neither can be taken for the other.
    assert_eq!(claims["sub"], MACHINE_CLIENT);
    assert!(!claims["sub"].as_str().unwrap().contains('-'));
    assert!(forebay::rules::registration::client_id("6c8e2f0a-91d4-4a9c-8a37-0f5d3c1b7e44").is_err());
    for name in ["username", "cognito:groups", "origin_jti", "event_id"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
    let answer = stage.userinfo(token.as_str().unwrap()).await.expect(403);
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .contains("error=\"insufficient_scope\"")
    );
}

#[actix_web::test]
async fn scopes_of_a_deleted_resource_server_are_gone() {
    let stage = Stage::new().await;
    stage.as_machine(&[]).await.expect(200);
    let ctx = stage.ctx();
    stage.act(|conn| resource_servers::delete(conn, &ctx, POOL, API).unwrap());
    assert_refused(&stage.as_machine(&[]).await, 400, "invalid_scope");
    assert_refused(
        &stage.as_machine(&[("scope", "demo-api/read")]).await,
        400,
        "invalid_scope",
    );
    assert_refused(
        &stage.as_machine(&[("resource", API)]).await,
        400,
        "invalid_target",
    );
}

fn add_server(stage: &Stage, identifier: &str, scopes: &[&str]) {
    let ctx = stage.ctx();
    let scope = |name: &&str| Scope {
        name: (*name).to_owned(),
        description: "A scope".into(),
    };
    stage.act(|conn| {
        let server = ResourceServer {
            user_pool_id: POOL.into(),
            identifier: identifier.into(),
            name: "An API".into(),
            scopes: Json(scopes.iter().map(scope).collect()),
        };
        resource_servers::create(conn, &ctx, server).unwrap();
    });
}
