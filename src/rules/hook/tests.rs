#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn the_event_is_cognitos() {
    let event = Event {
        source: Source::SignUpExternalProvider,
        version: "1",
        user_pool_id: "eu-west-1_Ab3dE6gHi",
        client_id: "client",
        username: "okta-acme_00u1",
        request: json!({ "userAttributes": {} }),
        response: json!({ "autoConfirmUser": false }),
    };
    let body: Value = serde_json::from_str(&event.body()).unwrap();
    assert_eq!(
        body,
        json!({
            "version": "1", "triggerSource": "PreSignUp_ExternalProvider", "region": "eu-west-1",
            "userPoolId": "eu-west-1_Ab3dE6gHi", "userName": "okta-acme_00u1",
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client" },
            "request": { "userAttributes": {} }, "response": { "autoConfirmUser": false }
        })
    );
}

#[test]
fn an_answer_is_the_event_an_error_or_none_at_all() {
    let read = |status, body: &str| response(Trigger::PreSignUp, status, body.as_bytes());
    assert_eq!(
        read(200, r#"{"version":"1","response":{"a":1}}"#).unwrap().len(),
        1
    );
    for (status, body, exception, message) in [
        (
            200,
            r#"{"errorMessage":"not you","errorType":"Error"}"#,
            "UserLambdaValidationException",
            "PreSignUp failed with error not you.",
        ),
        (
            500,
            r#"{"errorMessage":"not\nyou"}"#,
            "UserLambdaValidationException",
            "PreSignUp failed with error not you.",
        ),
        (
            403,
            "go away",
            "UserLambdaValidationException",
            "PreSignUp failed with error the hook answered 403.",
        ),
        (
            200,
            "",
            "InvalidLambdaResponseException",
            "PreSignUp: Unrecognizable lambda output",
        ),
        (
            200,
            "[]",
            "InvalidLambdaResponseException",
            "PreSignUp: Unrecognizable lambda output",
        ),
        (
            200,
            r#"{"response":[]}"#,
            "InvalidLambdaResponseException",
            "PreSignUp: Unrecognizable lambda output",
        ),
        (
            200,
            r#"{"response":{},"response":{}}"#,
            "InvalidLambdaResponseException",
            "PreSignUp: Unrecognizable lambda output",
        ),
        (
            502,
            "<html>",
            "UnexpectedLambdaException",
            "PreSignUp invocation failed due to configuration.",
        ),
        (
            302,
            "",
            "UnexpectedLambdaException",
            "PreSignUp invocation failed due to configuration.",
        ),
    ] {
        let fault = read(status, body).unwrap_err();
        assert_eq!(
            (fault.exception(), fault.message().as_str()),
            (exception, message),
            "{body}"
        );
    }
}

#[test]
fn a_hooks_message_breaks_nothing() {
    let long = "é\u{7}\"".repeat(500);
    let body = json!({ "errorMessage": long }).to_string();
    let fault = response(Trigger::PreSignUp, 200, body.as_bytes()).unwrap_err();
    assert!(fault.message().chars().count() < 400 && !fault.message().contains('\u{7}'));
    let description = fault.refusal().description;
    assert!(
        description.is_ascii() && !description.contains('"'),
        "{description}"
    );
}

#[test]
fn a_replacement_replaces_and_nothing_leaves_all_as_it_was() {
    let read = |value: Value| attributes_to_map(value.as_object().unwrap());
    for nothing in [
        json!({}),
        json!({ "userAttributesToMap": null }),
        json!({ "userAttributesToMap": {} }),
    ] {
        assert_eq!(read(nothing), Ok(None));
    }
    assert!(
        read(json!({ "userAttributesToMap": { "email": "a@b.c" } }))
            .unwrap()
            .is_some()
    );
    assert!(read(json!({ "userAttributesToMap": "email" })).is_err());
}
