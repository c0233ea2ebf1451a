//! Signing native users in with a password through the API, and the challenge to set another.

use actix_web::test::TestRequest;
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client::AccessRule;
use forebay::model::credential::Role;
use forebay::model::user;
use forebay::rules::aws::auth_flow::secret_hash;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{Key, allow_flows, call, call_as, pool, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, Stage, claims};

const NEW: &str = "Another-One-2";

async fn admin_sign_in(stage: &Stage, key: &Key, pool: &str, username: &str, hash: Option<&str>) -> Answer {
    let mut input = json!({
        "UserPoolId": pool, "ClientId": WEB_CLIENT, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": username, "PASSWORD": PASSWORD },
    });
    if let Some(hash) = hash {
        input["AuthParameters"]["SECRET_HASH"] = json!(hash);
    }
    call_as(stage, key, "AdminInitiateAuth", input).await
}

async fn answer(stage: &Stage, session: &Value, responses: Value) -> Answer {
    let input = json!({
        "ClientId": SPA_CLIENT, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": session,
        "ChallengeResponses": responses,
    });
    unsigned(stage, "RespondToAuthChallenge", input).await
}

#[actix_web::test]
async fn a_right_password_gives_tokens_of_the_api_s_own_scope() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let user = stage.native_user("grace", PASSWORD).await;
    let result = sign_in(&stage, "grace", PASSWORD).await.expect(200).json()["AuthenticationResult"].clone();
    assert_eq!(result["TokenType"], "Bearer");
    assert_eq!(result["ExpiresIn"], 3600);
    let access = claims(result["AccessToken"].as_str().unwrap());
    assert_eq!(access["sub"], user.sub);
    assert_eq!(access["username"], "grace");
    assert_eq!(access["scope"], "aws.cognito.signin.user.admin");
    assert_eq!(access.get("version"), None);
    let id = claims(result["IdToken"].as_str().unwrap());
    assert_eq!(id["email"], "grace@native.test", "all that is readable");
    assert_eq!(id["amr"], json!(["pwd"]));
    assert_eq!(id["cognito:username"], "grace");
    assert_eq!((id.get("at_hash"), id.get("identities")), (None, None));
    assert!(result["RefreshToken"].is_string());
    let info = stage.userinfo(result["AccessToken"].as_str().unwrap()).await;
    assert_eq!(info.status, 403, "no openid: {info:?}");
}

#[actix_web::test]
async fn only_the_flows_that_the_client_names_are_taken() {
    let stage = Stage::new().await;
    stage.native_user("grace", PASSWORD).await;
    allow_flows(&stage, &["ALLOW_REFRESH_TOKEN_AUTH"]);
    let (name, message) = refusal(&sign_in(&stage, "grace", PASSWORD).await);
    assert_eq!(name, "InvalidParameterException");
    assert!(
        message.contains("USER_PASSWORD_AUTH flow not enabled"),
        "{message}"
    );
    allow_flows(
        &stage,
        &[
            "ALLOW_ADMIN_USER_PASSWORD_AUTH",
            "ALLOW_CUSTOM_AUTH",
            "ALLOW_USER_AUTH",
        ],
    );
    for flow in ["ADMIN_USER_PASSWORD_AUTH", "CUSTOM_AUTH", "USER_AUTH"] {
        let input = json!({
            "AuthFlow": flow, "ClientId": SPA_CLIENT,
            "AuthParameters": { "USERNAME": "grace", "PASSWORD": PASSWORD },
        });
        let answer = unsigned(&stage, "InitiateAuth", input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{flow}");
    }
    let unknown = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "nobody" });
    let answer = unsigned(&stage, "InitiateAuth", unknown).await;
    assert_eq!(refusal(&answer).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn a_temporary_password_must_give_way_once() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.temporary_user("grace", PASSWORD).await;
    let asked = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    assert_eq!(asked["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    assert_eq!(asked.get("AuthenticationResult"), None);
    let shown: Value =
        serde_json::from_str(asked["ChallengeParameters"]["userAttributes"].as_str().unwrap()).unwrap();
    assert_eq!(shown["email"], "grace@native.test");
    assert_eq!(asked["ChallengeParameters"]["requiredAttributes"], "[]");
    let session = &asked["Session"];
    let responses = |password: &str| json!({ "USERNAME": "grace", "NEW_PASSWORD": password });

    let weak = answer(&stage, session, responses("weak")).await;
    assert_eq!(refusal(&weak).0, "InvalidPasswordException");
    let other = json!({ "USERNAME": "alan", "NEW_PASSWORD": NEW });
    assert_eq!(
        refusal(&answer(&stage, session, other).await).0,
        "NotAuthorizedException"
    );
    for name in ["email_verified", "custom:department"] {
        let mut forbidden = responses(NEW);
        forbidden[format!("userAttributes.{name}")] = json!("true");
        assert_eq!(
            refusal(&answer(&stage, session, forbidden).await).0,
            "NotAuthorizedException",
            "{name}"
        );
    }

    let mut good = responses(NEW);
    good["userAttributes.given_name"] = json!("Grace");
    let result =
        answer(&stage, session, good.clone()).await.expect(200).json()["AuthenticationResult"].clone();
    let id = claims(result["IdToken"].as_str().unwrap());
    assert_eq!(id["given_name"], "Grace");
    assert_eq!(
        refusal(&answer(&stage, session, good).await).0,
        "NotAuthorizedException",
        "once"
    );
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).0,
        "NotAuthorizedException"
    );
    let again = sign_in(&stage, "grace", NEW).await.expect(200).json();
    assert!(again["AuthenticationResult"]["AccessToken"].is_string());
}

#[actix_web::test]
async fn a_challenge_ends_with_its_time_and_with_the_password_it_was_for() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.temporary_user("grace", PASSWORD).await;
    let responses = json!({ "USERNAME": "grace", "NEW_PASSWORD": NEW });
    let session = sign_in(&stage, "grace", PASSWORD).await.expect(200).json()["Session"].clone();
    stage.clock.advance(180);
    assert_eq!(
        refusal(&answer(&stage, &session, responses.clone()).await).0,
        "NotAuthorizedException"
    );
    let session = sign_in(&stage, "grace", PASSWORD).await.expect(200).json()["Session"].clone();
    stage.clock.advance(1);
    let set = json!({ "UserPoolId": POOL, "Username": "grace", "Password": PASSWORD });
    call(&stage, "AdminSetUserPassword", set).await.expect(200);
    assert_eq!(
        refusal(&answer(&stage, &session, responses).await).0,
        "NotAuthorizedException"
    );
}

#[actix_web::test]
async fn an_unknown_user_looks_like_a_wrong_password_where_the_client_says_so() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    assert_eq!(
        refusal(&sign_in(&stage, "somebody", PASSWORD).await).0,
        "UserNotFoundException"
    );
    stage.change_spa_client(|settings| {
        settings
            .cognito
            .insert("PreventUserExistenceErrors".into(), json!("ENABLED"));
    });
    let wrong = refusal(&sign_in(&stage, "grace", "Wrong-Horse-1").await);
    assert_eq!(
        wrong,
        (
            "NotAuthorizedException".into(),
            "Incorrect username or password.".into()
        )
    );
    assert_eq!(refusal(&sign_in(&stage, "nobody", PASSWORD).await), wrong);
    // Also after so many tries that the account is not looked at for a while.
    for name in ["grace", "nobody"] {
        for _ in 0..5 {
            assert_eq!(
                refusal(&sign_in(&stage, name, "Wrong-Horse-1").await),
                wrong,
                "{name}"
            );
        }
        let locked = refusal(&sign_in(&stage, name, PASSWORD).await);
        assert_eq!(locked.1, "Password attempts exceeded", "{name}");
    }
}

#[actix_web::test]
async fn wrong_passwords_lock_the_account_for_longer_and_longer() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    for _ in 0..6 {
        sign_in(&stage, "grace", "Wrong-Horse-1").await.expect(400);
    }
    for delay in [1, 2, 4] {
        let locked = refusal(&sign_in(&stage, "grace", PASSWORD).await);
        assert_eq!(
            locked,
            (
                "NotAuthorizedException".into(),
                "Password attempts exceeded".into()
            )
        );
        stage.clock.advance(delay);
        let wrong = refusal(&sign_in(&stage, "grace", "Wrong-Horse-1").await);
        assert_eq!(
            wrong.1, "Incorrect username or password.",
            "after {delay} seconds"
        );
    }
    stage.clock.advance(8);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
    sign_in(&stage, "grace", "Wrong-Horse-1").await.expect(400);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn who_is_disabled_is_told_so_only_with_the_right_password() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let user = stage.native_user("grace", PASSWORD).await;
    let now = stage.broker.clock.now();
    stage.act(|conn| user::set_enabled(conn, &user.sub, false, now).unwrap());
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).1,
        "User is disabled."
    );
    assert_eq!(
        refusal(&sign_in(&stage, "grace", "Wrong-Horse-1").await).1,
        "Incorrect username or password."
    );
}

#[actix_web::test]
async fn a_client_with_a_secret_shows_that_it_has_it() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.cognito.insert(
            "ExplicitAuthFlows".into(),
            json!(["ALLOW_ADMIN_USER_PASSWORD_AUTH"]),
        );
    });
    stage.native_user("grace", PASSWORD).await;
    let key = Key::default();
    let right = secret_hash(WEB_SECRET, "grace", WEB_CLIENT);
    let answer = admin_sign_in(&stage, &key, POOL, "grace", Some(&right))
        .await
        .expect(200);
    assert!(answer.json()["AuthenticationResult"]["AccessToken"].is_string());
    for hash in [
        None,
        Some("wrong"),
        Some(secret_hash(WEB_SECRET, "alan", WEB_CLIENT).as_str()),
    ] {
        let (name, message) = refusal(&admin_sign_in(&stage, &key, POOL, "grace", hash).await);
        assert_eq!(name, "NotAuthorizedException");
        assert!(
            message.contains(WEB_CLIENT) && message.contains("ecret"),
            "{message}"
        );
    }
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let public = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": "grace", "PASSWORD": PASSWORD, "SECRET_HASH": right },
    });
    let answer = unsigned(&stage, "InitiateAuth", public).await;
    assert_eq!(refusal(&answer).0, "NotAuthorizedException");
}

#[actix_web::test]
async fn an_administrator_signs_in_users_of_their_own_pool_only() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.cognito.insert(
            "ExplicitAuthFlows".into(),
            json!(["ALLOW_ADMIN_USER_PASSWORD_AUTH"]),
        );
    });
    stage.native_user("grace", PASSWORD).await;
    let other = pool(&stage).await;
    let hash = secret_hash(WEB_SECRET, "grace", WEB_CLIENT);
    for (key, pool, expected) in [
        (
            credential(&stage, Role::ReadOnly, None),
            POOL,
            "NotAuthorizedException",
        ),
        (
            credential(&stage, Role::Admin, Some(&other)),
            POOL,
            "ResourceNotFoundException",
        ),
        (Key::default(), other.as_str(), "ResourceNotFoundException"),
    ] {
        let answer = admin_sign_in(&stage, &key, pool, "grace", Some(&hash)).await;
        assert_eq!(refusal(&answer).0, expected, "{pool}");
    }
}

async fn sign_in_from(stage: &Stage, address: &str, username: &str, password: &str) -> Answer {
    let input = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password },
    });
    let request = TestRequest::post()
        .uri("/")
        .insert_header(("content-type", "application/x-amz-json-1.1"))
        .insert_header(("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth"))
        .peer_addr(format!("[{address}]:1234").parse().unwrap())
        .set_payload(input.to_string());
    stage.send(request).await
}

#[actix_web::test]
async fn a_network_has_so_many_wrong_passwords_a_minute_and_takes_nobody_else_s() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    let wrong = async |number: usize| {
        let address = format!("2001:db8::{number:x}");
        let answer = sign_in_from(&stage, &address, &format!("nobody-{number}"), PASSWORD).await;
        assert_eq!(refusal(&answer).0, "UserNotFoundException", "{number}");
    };
    for number in 1..30 {
        wrong(number).await;
    }
    for _ in 0..2 {
        // A right one takes none.
        sign_in_from(&stage, "2001:db8::ffff", "grace", PASSWORD)
            .await
            .expect(200);
    }
    wrong(30).await;
    let refused = sign_in_from(&stage, "2001:db8::ffff", "grace", PASSWORD).await;
    assert_eq!(refusal(&refused).1, "Password attempts exceeded");
    sign_in_from(&stage, "2001:db8:0:1::1", "grace", PASSWORD)
        .await
        .expect(200);
    stage.clock.advance(60);
    sign_in_from(&stage, "2001:db8::ffff", "grace", PASSWORD)
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_day_without_a_wrong_password_forgets_those_before() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    for _ in 0..6 {
        sign_in(&stage, "grace", "Wrong-Horse-1").await.expect(400);
    }
    stage.clock.advance(1 + 86_400);
    for _ in 0..5 {
        sign_in(&stage, "grace", "Wrong-Horse-1").await.expect(400);
    }
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn the_app_s_access_rules_hold_for_the_api_too() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    let tokens = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    let rule = |expression: &str| AccessRule {
        name: "federated".into(),
        expression: expression.into(),
        contact: "it@acme.test".into(),
    };
    stage.change_spa_client(|settings| settings.access = vec![rule("connection != 'COGNITO'")]);
    let families = crate::upstream::rows(&stage);
    let answer = sign_in(&stage, "grace", PASSWORD).await;
    assert_eq!(refusal(&answer).0, "NotAuthorizedException");
    assert!(refusal(&answer).1.contains("access rules"), "{answer:?}");
    let refresh = json!({
        "ClientId": SPA_CLIENT, "RefreshToken": tokens["AuthenticationResult"]["RefreshToken"],
    });
    let answer = unsigned(&stage, "GetTokensFromRefreshToken", refresh).await;
    assert_eq!(refusal(&answer).0, "NotAuthorizedException");
    assert_eq!(crate::upstream::rows(&stage), families, "nothing was founded");
    stage.change_spa_client(|settings| settings.access = vec![rule("amr == ['pwd']")]);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
}
