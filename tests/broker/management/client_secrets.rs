//! The two secrets of a client, through the API.

use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{call, call_as, pool, refusal};
use crate::support::{Stage, basic};

fn of(client: &str) -> Value {
    json!({ "UserPoolId": POOL, "ClientId": client })
}

async fn ids(stage: &Stage) -> Vec<String> {
    let listed = call(stage, "ListUserPoolClientSecrets", of(WEB_CLIENT))
        .await
        .expect(200);
    assert!(!listed.body.contains("ClientSecretValue") && !listed.body.contains(WEB_SECRET));
    let listed = listed.json();
    let secrets = listed["ClientSecrets"].as_array().unwrap();
    secrets
        .iter()
        .map(|secret| secret["ClientSecretId"].as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn an_app_changes_from_one_secret_to_the_next_without_a_break() {
    let stage = Stage::new().await;
    let first = ids(&stage).await;
    let made = call(&stage, "AddUserPoolClientSecret", of(WEB_CLIENT))
        .await
        .expect(200)
        .json()["ClientSecretDescriptor"]
        .clone();
    assert_eq!(ids(&stage).await.len(), 2);
    let revoke = async |secret: &str| {
        let header = basic(WEB_CLIENT, secret);
        stage
            .post("/oauth2/revoke", &[("authorization", &header)], &[("token", "x")])
            .await
            .status
    };
    let second = made["ClientSecretValue"].as_str().unwrap();
    assert_eq!((revoke(WEB_SECRET).await, revoke(second).await), (200, 200));

    let third = call(&stage, "AddUserPoolClientSecret", of(WEB_CLIENT)).await;
    assert_eq!(refusal(&third).0, "LimitExceededException");
    let delete = |id: &Value| json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT, "ClientSecretId": id });
    call(&stage, "DeleteUserPoolClientSecret", delete(&json!(first[0])))
        .await
        .expect(200);
    assert_eq!((revoke(WEB_SECRET).await, revoke(second).await), (401, 200));
    let last = call(
        &stage,
        "DeleteUserPoolClientSecret",
        delete(&made["ClientSecretId"]),
    )
    .await;
    assert_eq!(refusal(&last).0, "InvalidParameterException");
    let unknown = call(&stage, "DeleteUserPoolClientSecret", delete(&json!(first[0]))).await;
    assert_eq!(refusal(&unknown).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn a_given_secret_is_not_said_again_and_a_public_client_gets_none() {
    let stage = Stage::new().await;
    let mut input = of(WEB_CLIENT);
    input["ClientSecret"] = json!("a_secret_of_our_own_1234567890");
    let made = call(&stage, "AddUserPoolClientSecret", input).await.expect(200);
    assert!(!made.body.contains("a_secret_of_our_own"), "{}", made.body);
    let public = call(&stage, "AddUserPoolClientSecret", of(SPA_CLIENT)).await;
    assert_eq!(refusal(&public).0, "InvalidParameterException");
}

#[actix_web::test]
async fn secrets_are_out_of_reach_from_another_pool_and_for_readers() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    let stranger = credential(&stage, Role::Admin, Some(&other));
    let reader = credential(&stage, Role::ReadOnly, None);
    for operation in [
        "AddUserPoolClientSecret",
        "DeleteUserPoolClientSecret",
        "ListUserPoolClientSecrets",
    ] {
        let mut input = of(WEB_CLIENT);
        input["ClientSecretId"] = json!("x");
        let answer = call_as(&stage, &stranger, operation, input.clone()).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "{operation}");
        if !operation.starts_with("List") {
            let answer = call_as(&stage, &reader, operation, input).await;
            assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
        }
    }
}
