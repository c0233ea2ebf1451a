//! Hooks where somebody has a password of ours: through the API, on the login page, and when an administrator makes them.

use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::model::user::User;
use serde_json::{Value, json};

use super::{ARN, Hook, everything, name, stage};
use crate::management::{allow_flows, call, refusal, sign_in, unsigned};
use crate::native::form::{enter, offer};
use crate::support::{Answer, Form, PASSWORD, SrpClient, Stage, Tokens, claims, query_of};
use crate::upstream::{back_to_app, failing};

const WRONG: &str = "Wrong-Horse-1";
const NEW: &str = "Another-One-2";

const ON_THE_WAY_IN: [&str; 2] = [
    "PreAuthentication_Authentication",
    "PostAuthentication_Authentication",
];

/// A stage whose pool has every hook, and Grace.
async fn with_grace(hook: &Hook) -> (Stage, User) {
    let stage = stage(hook).await;
    let grace = stage.native_user("grace", PASSWORD).await;
    allow_flows(
        &stage,
        &[
            "ALLOW_USER_PASSWORD_AUTH",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_REFRESH_TOKEN_AUTH",
        ],
    );
    name(&stage, everything());
    (stage, grace)
}

/// What the second version of the token event answers to add this claim.
fn adding(tenant: &str) -> Value {
    json!({ "claimsAndScopeOverrideDetails": {
        "accessTokenGeneration": { "claimsToAddOrOverride": { "tenant": tenant } }
    } })
}

/// The hook lets everybody pass, and tokens say on which occasion they were made.
fn mark_tokens(hook: &Hook) {
    hook.responds(|source| match source.strip_prefix("TokenGeneration_") {
        Some(occasion) => adding(occasion),
        None => Value::Null,
    });
}

fn access(answer: &Answer) -> Value {
    claims(
        answer.json()["AuthenticationResult"]["AccessToken"]
            .as_str()
            .unwrap(),
    )
}

fn after(tail: &'static str) -> Vec<&'static str> {
    ON_THE_WAY_IN.into_iter().chain([tail]).collect()
}

async fn respond(stage: &Stage, challenge: &str, session: &Value, responses: Value) -> Answer {
    let mut input = json!({
        "ClientId": SPA_CLIENT, "ChallengeName": challenge, "ChallengeResponses": responses,
        "ClientMetadata": { "shop": "berlin" },
    });
    if !session.is_null() {
        input["Session"] = session.clone();
    }
    unsigned(stage, "RespondToAuthChallenge", input).await
}

#[actix_web::test]
async fn a_password_shown_to_the_api_calls_them_in_cognitos_order() {
    let hook = Hook::new();
    let (stage, grace) = with_grace(&hook).await;
    mark_tokens(&hook);
    let input = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": SPA_CLIENT, "ClientMetadata": { "shop": "berlin" },
        "AuthParameters": { "USERNAME": "grace", "PASSWORD": PASSWORD },
    });
    let answer = unsigned(&stage, "InitiateAuth", input).await.expect(200);
    assert_eq!(access(&answer)["tenant"], "Authentication");
    assert_eq!(hook.sources(), after("TokenGeneration_Authentication"));
    let metadata = json!({ "shop": "berlin" });
    let attributes = json!({
        "sub": grace.sub, "email": "grace@native.test", "cognito:user_status": "CONFIRMED",
    });
    let before = hook.event("PreAuthentication_Authentication");
    assert_eq!(before["userName"], "grace");
    assert_eq!(before["callerContext"]["clientId"], SPA_CLIENT);
    assert_eq!(
        before["request"],
        json!({ "userAttributes": attributes, "validationData": metadata, "userNotFound": false })
    );
    assert_eq!(
        hook.event("PostAuthentication_Authentication")["request"],
        json!({ "userAttributes": attributes, "newDeviceUsed": false, "clientMetadata": metadata })
    );
    let tokens = &hook.event("TokenGeneration_Authentication")["request"];
    assert_eq!(tokens["scopes"], json!(["aws.cognito.signin.user.admin"]));
    assert_eq!(tokens["clientMetadata"], metadata);
}

#[actix_web::test]
async fn a_proof_by_srp_is_a_password_like_any_other() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    mark_tokens(&hook);
    let client = SrpClient::new();
    let input = json!({
        "AuthFlow": "USER_SRP_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": "grace", "SRP_A": client.public() },
    });
    let asked = unsigned(&stage, "InitiateAuth", input).await.expect(200).json();
    assert_eq!(hook.calls().len(), 0, "nothing has been shown yet");
    let responses = client.answer(&asked["ChallengeParameters"], PASSWORD);
    let answer = respond(&stage, "PASSWORD_VERIFIER", &Value::Null, responses)
        .await
        .expect(200);
    assert_eq!(access(&answer)["tenant"], "Authentication");
    assert_eq!(hook.sources(), after("TokenGeneration_Authentication"));
    let before = hook.event("PreAuthentication_Authentication");
    assert_eq!(before["request"]["validationData"], json!({ "shop": "berlin" }));
}

#[actix_web::test]
async fn who_has_to_set_another_password_is_let_in_after_that() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    mark_tokens(&hook);
    stage.temporary_user("edith", PASSWORD).await;
    let asked = sign_in(&stage, "edith", PASSWORD).await.expect(200).json();
    assert_eq!(asked["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    assert_eq!(hook.sources(), ["PreAuthentication_Authentication"]);
    hook.forget_calls();
    let responses = json!({ "USERNAME": "edith", "NEW_PASSWORD": NEW });
    let answer = respond(&stage, "NEW_PASSWORD_REQUIRED", &asked["Session"], responses)
        .await
        .expect(200);
    assert_eq!(access(&answer)["tenant"], "NewPasswordChallenge");
    assert_eq!(
        hook.sources(),
        [
            "PostAuthentication_Authentication",
            "TokenGeneration_NewPasswordChallenge"
        ]
    );
    let told = hook.event("PostAuthentication_Authentication");
    assert_eq!(
        told["request"]["userAttributes"]["cognito:user_status"],
        "CONFIRMED"
    );
    assert_eq!(told["request"]["clientMetadata"], json!({ "shop": "berlin" }));
}

#[actix_web::test]
async fn each_trigger_can_refuse_the_api_a_sign_in() {
    let hook = Hook::new();
    let (stage, grace) = with_grace(&hook).await;
    for (source, trigger) in [
        ("PreAuthentication_Authentication", "PreAuthentication"),
        ("PostAuthentication_Authentication", "PostAuthentication"),
        ("TokenGeneration_Authentication", "PreTokenGeneration"),
    ] {
        hook.refuses(source, "not on a Sunday");
        assert_eq!(
            refusal(&sign_in(&stage, "grace", PASSWORD).await),
            (
                "UserLambdaValidationException".into(),
                format!("{trigger} failed with error not on a Sunday.")
            )
        );
    }
    let now = stage.broker.clock.now();
    let families = |stage: &Stage| {
        stage.act(|conn| {
            forebay::model::token::of_user(conn, &grace.sub, now, 10)
                .unwrap()
                .len()
        })
    };
    assert_eq!(families(&stage), 0, "nothing was made that nobody got");
    for (status, body, exception) in [
        (200, "nonsense", "InvalidLambdaResponseException"),
        (502, "", "UnexpectedLambdaException"),
    ] {
        hook.says(status, body);
        assert_eq!(refusal(&sign_in(&stage, "grace", PASSWORD).await).0, exception);
    }
    hook.responds(|_| Value::Null);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
    assert_eq!(families(&stage), 1);
}

#[actix_web::test]
async fn the_hook_is_asked_of_nobody_as_of_somebody_and_before_the_password_is_looked_at() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    stage.change_spa_client(|settings| {
        settings
            .cognito
            .insert("PreventUserExistenceErrors".into(), json!("ENABLED"));
    });
    for (person, unknown) in [("grace", false), ("nobody", true)] {
        hook.forget_calls();
        hook.responds(|_| Value::Null);
        assert_eq!(
            refusal(&sign_in(&stage, person, WRONG).await),
            (
                "NotAuthorizedException".into(),
                "Incorrect username or password.".into()
            )
        );
        assert_eq!(hook.sources(), ["PreAuthentication_Authentication"], "{person}");
        let event = hook.event("PreAuthentication_Authentication");
        assert_eq!(
            (&event["userName"], &event["request"]["userNotFound"]),
            (&json!(person), &json!(unknown))
        );
        if unknown {
            assert_eq!(event["request"]["userAttributes"], json!({}));
        }
        hook.refuses("PreAuthentication_Authentication", "no");
        // As often as they like: no password was looked at, so none was wrong.
        for _ in 0..8 {
            assert_eq!(
                refusal(&sign_in(&stage, person, WRONG).await),
                (
                    "UserLambdaValidationException".into(),
                    "PreAuthentication failed with error no.".into()
                ),
                "{person}"
            );
        }
    }
    hook.responds(|_| Value::Null);
    sign_in(&stage, "grace", PASSWORD).await.expect(200);
    // Whose password was wrong too often just now is not asked about.
    for _ in 0..6 {
        sign_in(&stage, "grace", WRONG).await;
    }
    hook.forget_calls();
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).1,
        "Password attempts exceeded"
    );
    assert_eq!(hook.calls().len(), 0);
}

#[actix_web::test]
async fn a_refresh_through_the_api_has_a_hook_as_at_the_token_endpoint() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    mark_tokens(&hook);
    stage.change_spa_client(|settings| settings.rotation.enabled = false);
    let result = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    let token = result["AuthenticationResult"]["RefreshToken"].clone();
    let by_flow = json!({
        "AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": SPA_CLIENT, "AuthParameters": { "REFRESH_TOKEN": token },
        "ClientMetadata": { "shop": "berlin" },
    });
    let by_name = json!({
        "ClientId": SPA_CLIENT, "RefreshToken": token, "ClientMetadata": { "shop": "berlin" },
    });
    // In place at first; the second one spends the token, as always for a public client.
    for (operation, input, rotates) in [
        ("InitiateAuth", &by_flow, false),
        ("GetTokensFromRefreshToken", &by_name, true),
    ] {
        stage.change_spa_client(|settings| {
            settings.rotation.enabled = rotates;
            settings.rotation.grace_seconds = 0;
        });
        hook.refuses("TokenGeneration_RefreshTokens", "not now");
        assert_eq!(
            refusal(&unsigned(&stage, operation, input.clone()).await),
            (
                "UserLambdaValidationException".into(),
                "PreTokenGeneration failed with error not now.".into()
            )
        );
        hook.forget_calls();
        mark_tokens(&hook);
        let answer = unsigned(&stage, operation, input.clone()).await.expect(200);
        assert_eq!(
            access(&answer)["tenant"],
            "RefreshTokens",
            "{operation}: the token was not spent"
        );
        assert_eq!(hook.sources(), ["TokenGeneration_RefreshTokens"]);
        let event = hook.event("TokenGeneration_RefreshTokens");
        assert_eq!(event["request"]["clientMetadata"], json!({ "shop": "berlin" }));
    }
    assert_eq!(
        refusal(&unsigned(&stage, "GetTokensFromRefreshToken", by_name).await).0,
        "RefreshTokenReuseException"
    );
}

#[actix_web::test]
async fn a_client_s_token_for_itself_has_the_third_version_s_hook() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    mark_tokens(&hook);
    let input = json!({
        "ClientId": MACHINE_CLIENT, "Secret": MACHINE_SECRET, "ClientMetadata": { "shop": "berlin" },
    });
    for (version, calls) in [("V2_0", 0), ("V3_0", 1)] {
        name(
            &stage,
            json!({ "PreTokenGenerationConfig": { "LambdaVersion": version, "LambdaArn": ARN } }),
        );
        let answer = call(&stage, "GetClientToken", input.clone())
            .await
            .expect(200)
            .json();
        let token = claims(
            answer["ClientAuthenticationResult"]["AccessToken"]
                .as_str()
                .unwrap(),
        );
        assert_eq!(hook.calls().len(), calls, "{version}");
        assert_eq!(token.get("tenant").is_some(), calls == 1, "{version}");
    }
    let event = hook.event("TokenGeneration_ClientCredentials");
    assert_eq!(event["request"]["clientMetadata"], json!({ "shop": "berlin" }));
    hook.refuses("TokenGeneration_ClientCredentials", "no");
    let answer = call(&stage, "GetClientToken", input).await;
    assert_eq!(refusal(&answer).0, "UserLambdaValidationException");
}

#[actix_web::test]
async fn the_login_page_calls_them_and_the_trace_says_so() {
    let hook = Hook::new();
    let (stage, grace) = with_grace(&hook).await;
    offer(&stage);
    mark_tokens(&hook);
    let mut browser = stage.browser();
    let back = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(303);
    assert_eq!(hook.sources(), after("TokenGeneration_HostedAuth"));
    let event = hook.event("TokenGeneration_HostedAuth");
    assert_eq!(event["callerContext"]["clientId"], WEB_CLIENT);
    assert_eq!(event["request"]["scopes"], json!(["openid", "email", "profile"]));
    let code = query_of(back.location(), "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(claims(&tokens.access)["tenant"], "HostedAuth");
    let trace = stage.traces().into_iter().next().unwrap();
    let steps: Vec<&str> = trace.story.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        steps,
        [
            "authorize",
            "hook.PreAuthentication",
            "password",
            "hook.PostAuthentication",
            "hook.PreTokenGeneration",
            "user",
            "response"
        ]
    );

    // Whom the app did not ask for is refused anyway.
    let other = stage.native_user("edith", PASSWORD).await;
    assert_ne!(other.sub, grace.sub);
    hook.forget_calls();
    let again = stage.authorize(&[
        ("prompt", "login"),
        ("id_token_hint", tokens.id.as_deref().unwrap()),
    ]);
    let page = enter(&mut browser, &again, "edith", PASSWORD).await;
    assert_eq!(
        stage.trace(&page.trace_code().unwrap()).cause,
        "other_user",
        "{page:?}"
    );
    assert_eq!(hook.sources(), ["PreAuthentication_Authentication"]);
}

#[actix_web::test]
async fn a_temporary_password_on_the_login_page_is_told_of_when_it_is_replaced() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    offer(&stage);
    stage.temporary_user("edith", PASSWORD).await;
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "edith", PASSWORD)
        .await
        .expect(200);
    assert_eq!(hook.sources(), ["PreAuthentication_Authentication"]);
    hook.forget_calls();
    let form = Form::to(&page.body, "/login/new-password");
    browser.submit(&form, &[("new_password", NEW)]).await.expect(303);
    assert_eq!(
        hook.sources(),
        ["PostAuthentication_Authentication", "TokenGeneration_HostedAuth"]
    );
}

#[actix_web::test]
async fn each_trigger_can_refuse_the_login_page_a_sign_in() {
    let hook = Hook::new();
    let (stage, _) = with_grace(&hook).await;
    offer(&stage);
    for (source, trigger) in [
        ("PreAuthentication_Authentication", "PreAuthentication"),
        ("PostAuthentication_Authentication", "PostAuthentication"),
        ("TokenGeneration_HostedAuth", "PreTokenGeneration"),
    ] {
        hook.refuses(source, "not on a Sunday");
        let mut browser = stage.browser();
        let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
        assert!(page.shows("not on a Sunday"), "{page:?}");
        let to_app = back_to_app(&page).unwrap();
        assert_eq!(query_of(&to_app, "error").as_deref(), Some("invalid_request"));
        assert_eq!(
            query_of(&to_app, "error_description"),
            Some(format!("{trigger} failed with error not on a Sunday."))
        );
        assert_eq!(browser.cookie("__Host-session"), None, "{source}");
        let trace = stage.trace(&page.trace_code().unwrap());
        assert_eq!(trace.cause, "hook_refused");
        assert_eq!(failing(&trace), Some(format!("hook.{trigger}").as_str()));
        assert!(trace.story.remedy.contains(trigger), "{trace:?}");
        assert!(!format!("{trace:?}").contains(PASSWORD));
    }
    // Of nobody it says the same.
    hook.refuses("PreAuthentication_Authentication", "not on a Sunday");
    let mut pages = Vec::new();
    for (person, password) in [("grace", WRONG), ("nobody", PASSWORD)] {
        let mut browser = stage.browser();
        let page = enter(&mut browser, &stage.authorize(&[]), person, password).await;
        let body = page.body.replace(&page.trace_code().unwrap(), "CODE");
        let lines = body.lines().filter(|line| !line.contains("<dt>Request</dt>"));
        pages.push((page.status, lines.map(str::to_owned).collect::<Vec<_>>()));
    }
    assert_eq!(pages[0], pages[1]);
}

#[actix_web::test]
async fn whom_an_administrator_makes_is_asked_about_first() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, everything());
    let input = |username: &str| {
        json!({
            "UserPoolId": POOL, "Username": username, "TemporaryPassword": PASSWORD,
            "UserAttributes": [{ "Name": "email", "Value": "edith@native.test" }],
            "ValidationData": [{ "Name": "badge", "Value": "42" }], "ClientMetadata": { "shop": "berlin" },
        })
    };
    hook.responds(|_| json!({ "autoConfirmUser": true, "autoVerifyEmail": true, "autoVerifyPhone": false }));
    let made = call(&stage, "AdminCreateUser", input("edith"))
        .await
        .expect(200)
        .json();
    // As in Cognito, neither is heeded here.
    assert_eq!(made["User"]["UserStatus"], "FORCE_CHANGE_PASSWORD");
    assert!(!made.to_string().contains("email_verified"), "{made}");
    assert_eq!(hook.sources(), ["PreSignUp_AdminCreateUser"]);
    let event = hook.event("PreSignUp_AdminCreateUser");
    assert_eq!(event["userName"], "edith");
    assert_eq!(event["callerContext"]["clientId"], "CLIENT_ID_NOT_APPLICABLE");
    assert_eq!(
        event["request"],
        json!({
            "userAttributes": {
                "email": "edith@native.test", "cognito:email_alias": "", "cognito:phone_number_alias": ""
            },
            "validationData": { "badge": "42" }, "clientMetadata": { "shop": "berlin" },
        })
    );

    hook.refuses("PreSignUp_AdminCreateUser", "no such badge");
    assert_eq!(
        refusal(&call(&stage, "AdminCreateUser", input("joan")).await),
        (
            "UserLambdaValidationException".into(),
            "PreSignUp failed with error no such badge.".into()
        )
    );
    let joan = json!({ "UserPoolId": POOL, "Username": "joan" });
    assert_eq!(
        refusal(&call(&stage, "AdminGetUser", joan).await).0,
        "UserNotFoundException"
    );

    hook.forget_calls();
    let mut again = input("edith");
    again["MessageAction"] = json!("RESEND");
    call(&stage, "AdminCreateUser", again).await.expect(200);
    assert_eq!(hook.calls().len(), 0, "nobody is made");
}
