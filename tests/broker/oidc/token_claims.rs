//! The claims of a federated user's tokens: Cognito's names, every JSON type right, and what the standards ask for
//! beside them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::group::{self, Group, Membership};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{NOW, Stage, Tokens, claims};

/// Takes members out that are drawn at random, having looked at them.
fn drawn(claims: &mut Value, names: &[&str]) {
    for name in names {
        let value = claims.as_object_mut().unwrap().remove(*name).unwrap();
        let text = value.as_str().unwrap();
        assert_eq!(
            (text.len(), text.matches('-').count()),
            (36, 4),
            "{name} is a UUID"
        );
    }
}

#[actix_web::test]
async fn m060_the_id_token_of_a_federated_user_is_cognitos() {
    let stage = Stage::new().await;
    stage.clock.advance(7);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let mut id = stage.verified(tokens.id.as_deref().unwrap()).await;
    let dates = id["identities"][0]["dateCreated"].as_str().unwrap().to_owned();
    assert_eq!(dates, format!("{}", (NOW.0 + 7) * 1_000));
    drawn(&mut id, &["sub", "jti", "origin_jti", "event_id"]);
    let expected = json!({
        "iss": stage.issuer(), "aud": WEB_CLIENT, "token_use": "id", "nonce": "no",
        "auth_time": NOW.0 + 7, "iat": NOW.0 + 7, "exp": NOW.0 + 7 + 3_600,
        "at_hash": URL_SAFE_NO_PAD.encode(&Sha256::digest(tokens.access.as_bytes())[..16]),
        "cognito:username": "acme-okta_00u1ada000000000acme",
        "cognito:groups": ["Engineering", "Everyone", "us-local-1_Forebay01_acme-okta"],
        "identities": [{
            "userId": "00u1ada000000000acme", "providerName": "acme-okta", "providerType": "OIDC", "issuer": null,
            "primary": "true", "dateCreated": dates,
        }],
        "email": "ada@acme.test", "email_verified": id["email_verified"],
        "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
        "preferred_username": "ada@acme.test", "locale": "en-GB", "zoneinfo": "Europe/London",
        "custom:department": "Analytical Engines",
        "amr": id["amr"],
    });
    assert!(id["email_verified"].is_boolean());
    assert!(
        id["amr"]
            .as_array()
            .is_some_and(|amr| amr.iter().all(Value::is_string))
    );
    assert_eq!(id, expected);
}

#[actix_web::test]
async fn m065_the_access_token_is_cognitos_and_rfc_9068s() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = claims(tokens.id.as_deref().unwrap());
    let mut access = stage.verified(&tokens.access).await;
    for name in ["sub", "origin_jti", "event_id", "auth_time", "amr"] {
        assert_eq!(access[name], id[name], "{name}");
    }
    assert_ne!(access["jti"], id["jti"]);
    drawn(&mut access, &["sub", "jti", "origin_jti", "event_id"]);
    let expected = json!({
        "iss": stage.issuer(), "aud": stage.issuer(), "client_id": WEB_CLIENT, "token_use": "access",
        "scope": "openid email profile", "username": "acme-okta_00u1ada000000000acme", "version": 2,
        "auth_time": NOW.0, "iat": NOW.0, "exp": NOW.0 + 3_600,
        "cognito:groups": ["Engineering", "Everyone", "us-local-1_Forebay01_acme-okta"],
        "amr": id["amr"],
    });
    assert_eq!(access, expected);
}

#[actix_web::test]
async fn m061_a_sub_is_short_ascii_and_the_same_for_ever() {
    let stage = Stage::new().await;
    let sub = async |login: &str, spa: bool| {
        let tokens = if spa {
            stage.spa_tokens(login).await
        } else {
            stage.tokens_for(login, &[]).await
        };
        claims(&tokens.access)["sub"].as_str().unwrap().to_owned()
    };
    let ada = sub("ada@acme.test", false).await;
    assert!(ada.is_ascii() && ada.len() <= 255);
    stage.clock.advance(1_000_000);
    // Another browser, another client, another address: the same person upstream.
    stage.acme.change_person("ada@acme.test", |person| {
        person.email = "countess@acme.test".into()
    });
    assert_eq!(sub("ada@acme.test", true).await, ada);
    assert_ne!(sub("grace@acme.test", false).await, ada);
    assert_ne!(sub("hank@globex.test", false).await, ada);
}

#[actix_web::test]
async fn m060_the_nonce_comes_back_where_it_was_sent_and_only_there() {
    let stage = Stage::new().await;
    for (sent, expected) in [("n-0S6_WzA2Mj", json!("n-0S6_WzA2Mj")), ("", Value::Null)] {
        let tokens = stage.tokens_for("ada@acme.test", &[("nonce", sent)]).await;
        assert_eq!(claims(tokens.id.as_deref().unwrap())["nonce"], expected);
    }
}

#[actix_web::test]
async fn the_scopes_and_the_readable_attributes_decide_what_is_in_it() {
    let stage = Stage::new().await;
    for (scope, email, name) in [
        ("openid", true, true),
        ("openid email", true, false),
        ("openid profile", false, true),
        ("openid phone", false, false),
    ] {
        let tokens = stage.tokens_for("ada@acme.test", &[("scope", scope)]).await;
        let id = claims(tokens.id.as_deref().unwrap());
        let has = |claim: &str| id.get(claim).is_some();
        assert_eq!((has("email"), has("email_verified")), (email, email), "{scope}");
        assert_eq!((has("name"), has("custom:department")), (name, name), "{scope}");
        assert!(has("cognito:groups") && has("identities"), "{scope}");
        // An access token names nobody.
        let access = claims(&tokens.access);
        assert!(access.get("email").is_none() && access.get("name").is_none());
    }
    stage.change_web_client(|settings| settings.read_attributes = Some(vec!["given_name".into()]));
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = claims(tokens.id.as_deref().unwrap());
    assert_eq!(
        (id.get("given_name"), id.get("email")),
        (Some(&json!("Ada")), None)
    );
}

#[actix_web::test]
async fn lifetimes_are_the_clients() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.access_token_seconds = 300;
        settings.id_token_seconds = 86_400;
    });
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(tokens.answer["expires_in"], 300);
    assert_eq!(claims(&tokens.access)["exp"], NOW.0 + 300);
    assert_eq!(claims(tokens.id.as_deref().unwrap())["exp"], NOW.0 + 86_400);
    stage.clock.advance(300);
    stage.userinfo(&tokens.access).await.expect(401);
}

#[actix_web::test]
async fn m063_at_hash_is_of_the_access_token_beside_it() {
    let stage = Stage::new().await;
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    for tokens in [&first, &second] {
        let half = &Sha256::digest(tokens.access.as_bytes())[..16];
        let id = claims(tokens.id.as_deref().unwrap());
        assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(half));
    }
}

#[actix_web::test]
async fn a133_a_person_in_far_too_many_groups_is_refused_by_name_and_nobody_else() {
    let stage = Stage::new().await;
    let ada = claims(&stage.tokens_for("ada@acme.test", &[]).await.access)["sub"].clone();
    let now = stage.ctx().now;
    stage.act(|conn| {
        for number in 0..300 {
            let name = format!("{number:03}-{}", "g".repeat(110));
            let group = Group {
                user_pool_id: POOL.into(),
                name: name.clone(),
                description: None,
                precedence: None,
                role_arn: None,
                created_at: now,
                updated_at: now,
            };
            assert!(group::insert(conn, &group).unwrap());
            let membership = Membership {
                user_sub: ada.as_str().unwrap().into(),
                user_pool_id: POOL.into(),
                group_name: name,
                source: group::BY_ADMIN.into(),
                created_at: now,
            };
            assert!(group::join(conn, &membership).unwrap());
        }
    });
    let code = stage.code_for("ada@acme.test", &[]).await;
    let answer = stage.exchange(&code, &[]).await.expect(500);
    assert_eq!(answer.error(), "server_error");
    let description = answer.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.contains("'cognito:groups'"), "{description}");
    assert!(!answer.body.contains("ggggg") && answer.json().get("access_token").is_none());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    stage.tokens_for("grace@acme.test", &[]).await;
    stage.act(|conn| {
        for number in 50..300 {
            let name = format!("{number:03}-{}", "g".repeat(110));
            assert!(group::leave(conn, ada.as_str().unwrap(), &name, group::BY_ADMIN).unwrap());
        }
    });
    stage.tokens_for("ada@acme.test", &[]).await;
}
