//! Tokens of one app for a user who is signed in to another.

use forebay::demo::{API, MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT};
use forebay::model::client::AccessRule;
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{allow_flows, call, call_as, pool, refusal, unsigned};
use crate::support::{Answer, Stage, claims};

const BOTH: [&str; 2] = [
    "ALLOW_TOKEN_EXCHANGE_DELEGATION",
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
];

fn subject(token: &str) -> Value {
    json!({ "ClientId": SPA_CLIENT, "SubjectToken": token, "SubjectTokenType": "ACCESS_TOKEN" })
}

async fn derive(stage: &Stage, input: &Value, change: Value) -> Answer {
    let mut input = input.clone();
    input
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    call(stage, "GetDerivedToken", input).await
}

#[actix_web::test]
async fn a_token_of_another_app_is_derived_and_ends_with_its_subject() {
    let stage = Stage::new().await;
    allow_flows(&stage, &BOTH);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    stage.clock.advance(120);
    let input = subject(&tokens.access);
    let derived = derive(&stage, &input, json!({ "Scopes": ["openid"] }))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&derived["IssuedTokenType"], &derived["TokenType"]),
        (&json!("ACCESS_TOKEN"), &json!("Bearer"))
    );
    assert_eq!(derived["ExpiresIn"], 3_480);
    assert_eq!(derived["Scopes"], json!(["openid"]));
    let (before, after) = (
        claims(&tokens.access),
        claims(derived["IssuedToken"].as_str().unwrap()),
    );
    for same in ["sub", "exp", "auth_time", "iss"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["client_id"], SPA_CLIENT);
    assert_eq!(after.get("act"), None);
    stage
        .userinfo(derived["IssuedToken"].as_str().unwrap())
        .await
        .expect(200);
    let id = json!({ "RequestedTokenType": "ID_TOKEN", "SubjectToken": tokens.id, "SubjectTokenType": "ID_TOKEN" });
    let id = derive(&stage, &input, id).await.expect(200).json();
    assert_eq!(id["TokenType"], "N_A");
    assert_eq!(claims(id["IssuedToken"].as_str().unwrap())["aud"], SPA_CLIENT);
}

#[actix_web::test]
async fn who_acts_for_the_user_is_named() {
    let stage = Stage::new().await;
    allow_flows(&stage, &BOTH);
    let user = stage.tokens_for("ada@acme.test", &[]).await;
    let machine = json!({ "ClientId": MACHINE_CLIENT, "Secret": MACHINE_SECRET });
    let machine = call(&stage, "GetClientToken", machine).await.expect(200).json();
    let actor = json!({ "ActorToken": machine["ClientAuthenticationResult"]["AccessToken"], "ActorTokenType": "ACCESS_TOKEN" });
    let derived = derive(&stage, &subject(&user.access), actor)
        .await
        .expect(200)
        .json();
    let token = claims(derived["IssuedToken"].as_str().unwrap());
    assert_eq!(
        token["act"],
        json!({ "sub": MACHINE_CLIENT, "client_id": MACHINE_CLIENT })
    );
    assert_eq!(token["sub"], claims(&user.access)["sub"]);
}

#[actix_web::test]
async fn what_is_no_live_token_of_the_pool_or_not_allowed_is_refused() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let input = subject(&tokens.access);
    assert_eq!(
        refusal(&derive(&stage, &input, json!({})).await).0,
        "NotAuthorizedException",
        "no such flow"
    );
    allow_flows(&stage, &["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"]);
    for (change, expected) in [
        (
            json!({ "ActorToken": tokens.access, "ActorTokenType": "ACCESS_TOKEN" }),
            "NotAuthorizedException",
        ),
        (json!({ "SubjectToken": "a.b.c" }), "NotAuthorizedException"),
        (
            json!({ "SubjectTokenType": "ID_TOKEN" }),
            "NotAuthorizedException",
        ),
        (
            json!({ "SubjectTokenType": "SAML2" }),
            "InvalidParameterException",
        ),
        (
            json!({ "SubjectTokenProviderName": "acme-okta" }),
            "InvalidParameterException",
        ),
        (json!({ "Audiences": ["someone"] }), "InvalidParameterException"),
        (
            json!({ "Resources": ["no-such-api"] }),
            "InvalidParameterException",
        ),
        (json!({ "Scopes": ["no/such"] }), "InvalidParameterException"),
        (
            json!({ "ClientSecret": "wrong_secret_of_somebody_else_01" }),
            "NotAuthorizedException",
        ),
    ] {
        let answer = derive(&stage, &input, change.clone()).await;
        assert_eq!(refusal(&answer).0, expected, "{change} {}", answer.body);
    }
    let other = pool(&stage).await;
    for (role, of) in [(Role::Admin, Some(other.as_str())), (Role::ReadOnly, None)] {
        let key = credential(&stage, role, of);
        let answer = call_as(&stage, &key, "GetDerivedToken", input.clone()).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException");
    }
    let out = json!({ "Token": tokens.refresh, "ClientId": forebay::demo::WEB_CLIENT, "ClientSecret": forebay::demo::WEB_SECRET });
    unsigned(&stage, "RevokeToken", out).await.expect(200);
    let gone = derive(&stage, &input, json!({})).await;
    assert_eq!(refusal(&gone).0, "NotAuthorizedException");
}

#[actix_web::test]
async fn a_derived_token_has_no_scope_that_its_subject_has_not() {
    let stage = Stage::new().await;
    allow_flows(&stage, &BOTH);
    let read = format!("{API}/read");
    stage.change_spa_client(|settings| settings.scopes.push(read.clone()));
    let tokens = stage.tokens_for("ada@acme.test", &[("scope", "openid")]).await;
    let input = subject(&tokens.access);
    for asked in [json!({}), json!({ "Scopes": ["openid", "email", read] })] {
        let derived = derive(&stage, &input, asked).await.expect(200).json();
        assert_eq!(derived["Scopes"], json!(["openid"]));
        let token = claims(derived["IssuedToken"].as_str().unwrap());
        assert_eq!(token["scope"], "openid");
    }
    let other = derive(&stage, &input, json!({ "Scopes": [read] })).await;
    assert_eq!(refusal(&other).0, "InvalidParameterException");
}

#[actix_web::test]
async fn nothing_is_derived_for_an_app_that_the_user_may_not_enter() {
    let stage = Stage::new().await;
    allow_flows(&stage, &BOTH);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    stage.change_spa_client(|settings| {
        settings.access = vec![AccessRule {
            name: "grace".into(),
            expression: "user.email == 'grace@acme.test'".into(),
            contact: "it@acme.test".into(),
        }];
    });
    let answer = derive(&stage, &subject(&tokens.access), json!({})).await;
    assert_eq!(refusal(&answer).0, "NotAuthorizedException");
}
