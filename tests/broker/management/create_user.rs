//! Native users made and given passwords by administrators.

use forebay::demo::POOL;
use forebay::model::credential::Role;
use forebay::model::password;
use forebay::model::user::{self, Status};
use serde_json::{Value, json};

use super::authentication::credential;
use super::{allow_flows, call, call_as, pool, refusal, sign_in};
use crate::hooks::{ARN, Hook, name, stage};
use crate::support::{PASSWORD, Stage};

fn grace() -> Value {
    json!({
        "UserPoolId": POOL, "Username": "grace", "TemporaryPassword": PASSWORD,
        "UserAttributes": [
            { "Name": "email", "Value": "grace@native.test" }, { "Name": "email_verified", "Value": "true" },
        ],
    })
}

fn with(change: Value) -> Value {
    let mut input = grace();
    input
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    input
}

#[actix_web::test]
async fn a_user_is_made_with_a_temporary_password() {
    let stage = Stage::new().await;
    let made = call(&stage, "AdminCreateUser", grace()).await.expect(200).json()["User"].clone();
    assert_eq!(made["Username"], "grace");
    assert_eq!(made["UserStatus"], "FORCE_CHANGE_PASSWORD");
    assert_eq!(made["Enabled"], true);
    let shown = made["Attributes"].as_array().unwrap();
    assert_eq!(shown[0]["Name"], "sub");
    assert!(shown.contains(&json!({ "Name": "email_verified", "Value": "true" })));
    assert!(!made.to_string().contains(PASSWORD));
    let again = call(&stage, "AdminCreateUser", grace()).await;
    assert_eq!(refusal(&again).0, "UsernameExistsException");
}

#[actix_web::test]
async fn what_does_not_fit_the_pool_is_refused() {
    let stage = Stage::new().await;
    for (change, expected) in [
        (json!({ "TemporaryPassword": "short-A1" }), None),
        (
            json!({ "TemporaryPassword": "Sh-0rt" }),
            Some("InvalidPasswordException"),
        ),
        (
            json!({ "TemporaryPassword": "correct-horse-1" }),
            Some("InvalidPasswordException"),
        ),
        (
            json!({ "UserAttributes": [{ "Name": "custom:nothing", "Value": "x" }] }),
            Some("InvalidParameterException"),
        ),
        (
            json!({ "UserAttributes": [{ "Name": "sub", "Value": "x" }] }),
            Some("InvalidParameterException"),
        ),
        (
            json!({ "TemporaryPassword": null }),
            Some("InvalidParameterException"),
        ),
        (
            json!({ "MessageAction": "RESEND", "TemporaryPassword": null }),
            Some("InvalidParameterException"),
        ),
        (
            json!({ "MessageAction": "RESEND", "Username": "nobody" }),
            Some("UserNotFoundException"),
        ),
    ] {
        let name = if expected.is_none() { "first" } else { "other" };
        let mut input = with(json!({ "Username": name }));
        input
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = call(&stage, "AdminCreateUser", input).await;
        match expected {
            None => assert_eq!(answer.status, 200, "{change} {answer:?}"),
            Some(expected) => assert_eq!(refusal(&answer).0, expected, "{change} {}", answer.body),
        }
    }
}

#[actix_web::test]
async fn without_a_password_nobody_signs_in_before_one_is_set() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let input = with(json!({ "TemporaryPassword": null, "MessageAction": "SUPPRESS" }));
    call(&stage, "AdminCreateUser", input).await.expect(200);
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).0,
        "UserNotFoundException"
    );
    let set = json!({ "UserPoolId": POOL, "Username": "grace", "Password": PASSWORD, "Permanent": true });
    call(&stage, "AdminSetUserPassword", set).await.expect(200);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn a_temporary_password_ends_and_another_invitation_begins_anew() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    call(&stage, "AdminCreateUser", grace()).await.expect(200);
    stage.clock.advance(7 * 86_400);
    let (name, message) = refusal(&sign_in(&stage, "grace", PASSWORD).await);
    assert_eq!(name, "NotAuthorizedException");
    assert!(message.contains("expired"), "{message}");
    stage.clock.set(crate::support::NOW);
    call(
        &stage,
        "AdminCreateUser",
        with(json!({ "MessageAction": "RESEND", "TemporaryPassword": "Another-One-2" })),
    )
    .await
    .expect(200);
    let answer = sign_in(&stage, "grace", "Another-One-2").await.expect(200).json();
    assert_eq!(answer["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).0,
        "NotAuthorizedException"
    );
    let set = json!({ "UserPoolId": POOL, "Username": "grace", "Password": PASSWORD, "Permanent": true });
    call(&stage, "AdminSetUserPassword", set).await.expect(200);
    let late = call(
        &stage,
        "AdminCreateUser",
        with(json!({ "MessageAction": "RESEND" })),
    )
    .await;
    assert_eq!(refusal(&late).0, "UnsupportedUserStateException");
}

#[actix_web::test]
async fn a_pool_of_addresses_names_its_users_by_their_sub() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.change_pool(|settings| {
        settings
            .cognito
            .insert("UsernameAttributes".into(), json!(["email"]));
    });
    let named = call(&stage, "AdminCreateUser", grace()).await;
    assert_eq!(refusal(&named).1, "Username should be an email.");
    let input = with(json!({ "Username": "Grace@native.test", "UserAttributes": null }));
    let made = call(&stage, "AdminCreateUser", input.clone())
        .await
        .expect(200)
        .json()["User"]
        .clone();
    assert_eq!(made["Username"], made["Attributes"][0]["Value"], "the sub");
    assert_eq!(
        refusal(&call(&stage, "AdminCreateUser", input).await).0,
        "UsernameExistsException"
    );
    let answer = sign_in(&stage, "grace@native.test", PASSWORD)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["ChallengeParameters"]["USER_ID_FOR_SRP"], made["Username"]);
}

#[actix_web::test]
async fn a_federated_user_with_a_password_is_confirmed() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = crate::support::claims(&tokens.access)["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let username = stage.act(|conn| user::find(conn, &sub).unwrap().unwrap().username);
    assert_eq!(
        refusal(&sign_in(&stage, &username, PASSWORD).await).0,
        "UserNotFoundException"
    );
    let set = json!({ "UserPoolId": POOL, "Username": username, "Password": PASSWORD, "Permanent": true });
    call(&stage, "AdminSetUserPassword", set).await.expect(200);
    let status = stage.act(|conn| user::find(conn, &sub).unwrap().unwrap().status);
    assert_eq!(status, Status::Confirmed);
    sign_in(&stage, &username, PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn a_password_that_was_reset_is_told_to_who_knows_it_and_to_nobody_else() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    let named = json!({ "UserPoolId": POOL, "Username": "grace" });
    call(&stage, "AdminResetUserPassword", named.clone())
        .await
        .expect(200);
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).0,
        "PasswordResetRequiredException"
    );
    assert_eq!(
        refusal(&sign_in(&stage, "grace", "Wrong-Horse-1").await).0,
        "NotAuthorizedException"
    );
    stage.temporary_user("alan", PASSWORD).await;
    let alan = json!({ "UserPoolId": POOL, "Username": "alan" });
    let (_, message) = refusal(&call(&stage, "AdminResetUserPassword", alan).await);
    assert_eq!(message, "User password cannot be reset in the current state.");
}

#[actix_web::test]
async fn what_is_stored_is_no_password_and_who_may_only_look_sets_none() {
    let stage = Stage::new().await;
    let user = stage.native_user("grace", PASSWORD).await;
    let row = stage.act(|conn| password::find(conn, &user.sub).unwrap().unwrap());
    assert!(row.hash.starts_with("$argon2id$"), "{}", row.hash);
    let other = pool(&stage).await;
    let set = json!({ "UserPoolId": POOL, "Username": "grace", "Password": "Another-One-2" });
    for (role, of, expected) in [
        (Role::ReadOnly, None, "NotAuthorizedException"),
        (Role::Admin, Some(other.as_str()), "ResourceNotFoundException"),
    ] {
        let key = credential(&stage, role, of);
        for operation in [
            "AdminSetUserPassword",
            "AdminCreateUser",
            "AdminResetUserPassword",
        ] {
            let mut input = set.clone();
            input["TemporaryPassword"] = json!(PASSWORD);
            let answer = call_as(&stage, &key, operation, input).await;
            assert_eq!(refusal(&answer).0, expected, "{operation}");
        }
    }
    let after = stage.act(|conn| password::find(conn, &user.sub).unwrap().unwrap());
    assert_eq!(after.hash, row.hash);
}

#[actix_web::test]
async fn who_may_not_make_users_has_no_hook_called() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, json!({ "PreSignUp": ARN }));
    let other = pool(&stage).await;
    for (role, of, expected) in [
        (Role::ReadOnly, None, "NotAuthorizedException"),
        (Role::Admin, Some(other.as_str()), "ResourceNotFoundException"),
    ] {
        let key = credential(&stage, role, of);
        let answer = call_as(&stage, &key, "AdminCreateUser", grace()).await;
        assert_eq!(refusal(&answer).0, expected);
    }
    assert_eq!(hook.calls().len(), 0);
    call(&stage, "AdminCreateUser", grace()).await.expect(200);
    assert_eq!(hook.calls().len(), 1);
}

#[actix_web::test]
async fn who_may_only_look_has_no_password_looked_at() {
    let stage = Stage::new().await;
    let reader = credential(&stage, Role::ReadOnly, None);
    // Weak, which would be said next.
    let input = with(json!({ "TemporaryPassword": "weak-1" }));
    let answer = call_as(&stage, &reader, "AdminCreateUser", input).await;
    assert_eq!(refusal(&answer).0, "NotAuthorizedException");
}
