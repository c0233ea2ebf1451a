//! The protocol itself: content type, target, errors, headers, bodies that are none.

use actix_web::test::TestRequest;
use forebay::demo::{ACCESS_KEY, POOL, SPA_CLIENT};
use forebay::rules::aws::shapes;
use serde_json::json;

use super::{Key, call, refusal, unsigned};
use crate::support::Stage;

#[actix_web::test]
async fn answers_look_as_sdks_expect() {
    let stage = Stage::new().await;
    let answer = call(&stage, "ListUserPools", json!({ "MaxResults": 10 }))
        .await
        .expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
    assert!(answer.header("x-amzn-requestid").is_some_and(|id| id.len() == 36));
    assert_eq!(answer.json()["UserPools"][0]["Name"], "Forebay demo");
    let made = super::pool(&stage).await;
    let gone = call(&stage, "DeleteUserPool", json!({ "UserPoolId": made }))
        .await
        .expect(200);
    assert_eq!(gone.body, "", "no output shape, no body");
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_under_awss_names() {
    let stage = Stage::new().await;
    let key = Key::default();
    for (operation, body, expected) in [
        ("DropTable", "{}", "UnknownOperationException"),
        ("ListUserPools", "{", "SerializationException"),
        ("ListUserPools", "[]", "SerializationException"),
        (
            "ListUserPools",
            "{\"MaxResults\":10,\"MaxResults\":11}",
            "SerializationException",
        ),
        (
            "ListUserPools",
            "{\"MaxResults\":\"ten\"}",
            "SerializationException",
        ),
        (
            "ListUserPools",
            "{\"MaxResults\":61}",
            "InvalidParameterException",
        ),
        ("ListUserPools", "{}", "InvalidParameterException"),
        ("SignUp", "{}", "UnsupportedOperationException"),
    ] {
        let answer = stage.send(key.sign(operation, body)).await;
        assert_eq!(answer.status, 400, "{operation} {body}");
        assert_eq!(refusal(&answer).0, expected, "{operation} {body}");
    }
    let request = key
        .sign("ListUserPools", "{}")
        .insert_header(("content-type", "text/plain"));
    assert_eq!(refusal(&stage.send(request).await).0, "UnknownOperationException");
}

#[actix_web::test]
async fn every_operation_of_the_api_is_answered() {
    let stage = Stage::new().await;
    for operation in shapes::operations() {
        let answer = stage.send(Key::default().sign(operation.name, "{}")).await;
        let (name, message) = refusal(&answer);
        assert_eq!(answer.status, 400, "{} {answer:?}", operation.name);
        let expected = if operation.offered {
            "InvalidParameterException"
        } else {
            "UnsupportedOperationException"
        };
        assert!(
            name == expected || name == "UnsupportedOperationException",
            "{}: {name} {message}",
            operation.name
        );
    }
}

#[actix_web::test]
async fn a_browser_may_call() {
    let stage = Stage::new().await;
    let request = TestRequest::default()
        .method(actix_web::http::Method::OPTIONS)
        .uri("/")
        .insert_header(("origin", "https://app.example.com"));
    let answer = stage.send(request).await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
    for name in [
        "content-type",
        "x-amz-target",
        "x-amz-user-agent",
        "cache-control",
    ] {
        assert!(allowed.contains(name), "{name} in {allowed}");
    }
}

#[actix_web::test]
async fn the_character_nul_is_taken_nowhere() {
    let stage = Stage::new().await;
    let nul = "a\0b";
    for (operation, input) in [
        ("AdminGetUser", json!({ "UserPoolId": POOL, "Username": nul })),
        (
            "CreateGroup",
            json!({ "UserPoolId": POOL, "GroupName": "team", "Description": nul }),
        ),
        (
            "AdminUpdateUserAttributes",
            json!({ "UserPoolId": POOL, "Username": "ada", "UserAttributes": [{ "Name": "name", "Value": nul }] }),
        ),
        (
            "TagResource",
            json!({ "ResourceArn": "arn:aws:cognito-idp:us-local-1:000000000000:userpool/x", "Tags": { nul: "x" } }),
        ),
    ] {
        let (name, message) = refusal(&call(&stage, operation, input).await);
        assert_eq!(name, "InvalidParameterException", "{operation}");
        assert!(message.contains("U+0000"), "{operation}: {message}");
    }
    let input = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": nul, "PASSWORD": "x" },
    });
    let (name, message) = refusal(&unsigned(&stage, "InitiateAuth", input).await);
    assert_eq!(name, "InvalidParameterException");
    assert!(message.contains("'authParameters'"), "{message}");
}

#[actix_web::test]
async fn an_access_key_id_that_can_be_none_is_not_looked_up() {
    let stage = Stage::new().await;
    let short = ACCESS_KEY.trim_end_matches('1');
    for key in [
        format!("{short}%00"),
        "SHORT".to_owned(),
        format!("{short}%C3%A9"),
    ] {
        let query = format!(
            "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F20261121%2Fus-local-1%2Fcognito-idp%2Faws4_request\
             &X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-target&X-Amz-Signature=00"
        );
        let request = TestRequest::post()
            .uri(&query)
            .insert_header(("content-type", "application/x-amz-json-1.1"))
            .insert_header(("x-amz-target", "AWSCognitoIdentityProviderService.ListUserPools"))
            .set_payload("{}");
        let answer = stage.send(request).await;
        assert_eq!(refusal(&answer).0, "UnrecognizedClientException", "{key}");
    }
}
