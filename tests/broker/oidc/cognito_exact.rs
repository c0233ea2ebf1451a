//! The pool switch `cognito_exact`: the shapes that the standards made us leave are Cognito's again, and nothing else
//! changes.

use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, WEB_CLIENT};
use forebay::model::user;
use serde_json::json;

use crate::support::{Stage, Tokens, basic, claims, header};

async fn exact() -> Stage {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.cognito_exact = true);
    stage
}

#[actix_web::test]
async fn access_tokens_have_no_typ_and_an_audience_only_with_a_resource() {
    let stage = exact().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let machine = Tokens::of(&stage.as_machine(&[]).await.expect(200));
    for token in [&tokens.access, &machine.access, tokens.id.as_ref().unwrap()] {
        assert_eq!(
            header(token).as_object().unwrap().keys().collect::<Vec<_>>(),
            ["alg", "kid"]
        );
        stage.verified(token).await;
    }
    let access = claims(&tokens.access);
    let members: Vec<_> = access.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "auth_time",
            "client_id",
            "cognito:groups",
            "event_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "origin_jti",
            "scope",
            "sub",
            "token_use",
            "username",
            "version",
        ]
    );
    assert!(claims(&machine.access).get("aud").is_none());
    let bound = Tokens::of(&stage.as_machine(&[("resource", "demo-api")]).await.expect(200));
    assert_eq!(claims(&bound.access)["aud"], "demo-api");
    assert_eq!(claims(tokens.id.as_deref().unwrap())["aud"], WEB_CLIENT);
    stage.userinfo(&tokens.access).await.expect(200);
}

#[actix_web::test]
async fn token_answers_have_no_scope_and_errors_no_description() {
    let stage = exact().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let members: Vec<_> = tokens.answer.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "access_token",
            "expires_in",
            "id_token",
            "refresh_token",
            "token_type"
        ]
    );
    let machine = stage.as_machine(&[]).await.expect(200).json();
    let members: Vec<_> = machine.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type"]);
    for (answer, error) in [
        (stage.exchange("no-such-code", &[]).await, "invalid_grant"),
        (
            stage.as_web(&[("grant_type", "x")]).await,
            "unsupported_grant_type",
        ),
        (stage.as_web(&[("x", "y")]).await, "invalid_request"),
    ] {
        assert_eq!(answer.expect(400).json(), json!({ "error": error }));
    }
}

#[actix_web::test]
async fn a_failed_authentication_is_400_at_the_token_endpoint_and_401_at_revocation() {
    let stage = exact().await;
    let header = basic(MACHINE_CLIENT, "wrong");
    let headers = [("authorization", header.as_str())];
    let fields = [("grant_type", "client_credentials"), ("token", "x")];
    let answer = stage.post("/oauth2/token", &headers, &fields).await.expect(400);
    assert_eq!(answer.json(), json!({ "error": "invalid_client" }));
    assert_eq!(answer.header("www-authenticate"), None);
    let answer = stage.post("/oauth2/revoke", &headers, &fields).await.expect(401);
    assert_eq!(answer.json(), json!({ "error": "invalid_client" }));
    let fields = [
        ("token", "x"),
        ("client_id", MACHINE_CLIENT),
        ("client_secret", MACHINE_SECRET),
    ];
    stage.post("/oauth2/revoke", &[], &fields).await.expect(200);
}

#[actix_web::test]
async fn userinfo_gives_everything_as_text_and_tokens_do_not() {
    let stage = exact().await;
    let first = stage.tokens_for("ada@acme.test", &[("scope", "openid")]).await;
    let sub = claims(&first.access)["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        row.attributes.0.insert("email_verified".into(), json!(true));
        row.attributes.0.insert("updated_at".into(), json!(1_764_000_000));
        user::update(conn, &row).unwrap();
    });
    let info = stage.userinfo(&first.access).await.expect(200).json();
    assert_eq!(info["email_verified"], json!("true"));
    assert_eq!(info["updated_at"], json!("1764000000"));
    assert!(
        info.as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_string),
        "{info}"
    );
    let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    assert_eq!(
        claims(second.id.as_deref().unwrap())["email_verified"],
        json!(true)
    );
}
