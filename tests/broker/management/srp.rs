//! Signing in by SRP, as Amplify and the JavaScript SDK do unless told otherwise.

use forebay::demo::{POOL, SPA_CLIENT};
use serde_json::{Value, json};

use super::{allow_flows, call, refusal, unsigned};
use crate::support::{Answer, PASSWORD, SrpClient, Stage, claims};

async fn begin(stage: &Stage, client: &SrpClient, username: &str) -> Answer {
    let input = json!({
        "AuthFlow": "USER_SRP_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": username, "SRP_A": client.public() },
    });
    unsigned(stage, "InitiateAuth", input).await
}

async fn prove(stage: &Stage, responses: Value) -> Answer {
    let input = json!({
        "ClientId": SPA_CLIENT, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": responses,
    });
    unsigned(stage, "RespondToAuthChallenge", input).await
}

fn hide_existence(stage: &Stage) {
    stage.change_spa_client(|settings| {
        settings
            .cognito
            .insert("PreventUserExistenceErrors".into(), json!("ENABLED"));
    });
}

#[actix_web::test]
async fn the_password_is_proved_without_being_sent() {
    let stage = Stage::new().await;
    let user = stage.native_user("grace", PASSWORD).await;
    let client = SrpClient::new();
    let asked = begin(&stage, &client, "grace").await.expect(200).json();
    assert_eq!(asked["ChallengeName"], "PASSWORD_VERIFIER");
    assert_eq!(asked["ChallengeParameters"]["USER_ID_FOR_SRP"], "grace");
    let responses = client.answer(&asked["ChallengeParameters"], PASSWORD);
    let result = prove(&stage, responses.clone()).await.expect(200).json()["AuthenticationResult"].clone();
    assert_eq!(claims(result["AccessToken"].as_str().unwrap())["sub"], user.sub);
    // The same proof again is none.
    assert_eq!(
        refusal(&prove(&stage, responses).await).0,
        "NotAuthorizedException"
    );
}

#[actix_web::test]
async fn a_wrong_password_is_refused_and_counted() {
    let stage = Stage::new().await;
    hide_existence(&stage);
    stage.native_user("grace", PASSWORD).await;
    let client = SrpClient::new();
    for name in ["grace", "nobody"] {
        for _ in 0..6 {
            let asked = begin(&stage, &client, name).await.expect(200).json();
            let responses = client.answer(&asked["ChallengeParameters"], "Wrong-Horse-1");
            let (exception, message) = refusal(&prove(&stage, responses).await);
            assert_eq!(exception, "NotAuthorizedException");
            assert_eq!(message, "Incorrect username or password.", "{name}");
        }
        let asked = begin(&stage, &client, name).await.expect(200).json();
        let responses = client.answer(&asked["ChallengeParameters"], PASSWORD);
        assert_eq!(
            refusal(&prove(&stage, responses).await).1,
            "Password attempts exceeded",
            "{name}"
        );
    }
}

#[actix_web::test]
async fn an_unknown_user_is_led_through_the_same_steps() {
    let stage = Stage::new().await;
    let client = SrpClient::new();
    assert_eq!(
        refusal(&begin(&stage, &client, "nobody").await).0,
        "UserNotFoundException"
    );
    hide_existence(&stage);
    stage.native_user("grace", PASSWORD).await;
    let members = |answer: &Value| {
        let parameters = answer["ChallengeParameters"].as_object().unwrap();
        parameters.keys().cloned().collect::<Vec<_>>()
    };
    let known = begin(&stage, &client, "grace").await.expect(200).json();
    let first = begin(&stage, &client, "nobody").await.expect(200).json();
    let second = begin(&stage, &client, "nobody").await.expect(200).json();
    assert_eq!(members(&first), members(&known));
    let salt = |answer: &Value| answer["ChallengeParameters"]["SALT"].clone();
    assert_eq!(salt(&first), salt(&second), "as stable as a stored one");
    assert_ne!(
        first["ChallengeParameters"]["SRP_B"],
        second["ChallengeParameters"]["SRP_B"]
    );
}

#[actix_web::test]
async fn a_temporary_password_leads_to_the_challenge_to_set_another() {
    let stage = Stage::new().await;
    stage.temporary_user("grace", PASSWORD).await;
    let client = SrpClient::new();
    let asked = begin(&stage, &client, "grace").await.expect(200).json();
    let responses = client.answer(&asked["ChallengeParameters"], PASSWORD);
    let next = prove(&stage, responses).await.expect(200).json();
    assert_eq!(next["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    let input = json!({
        "ClientId": SPA_CLIENT, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": next["Session"],
        "ChallengeResponses": { "USERNAME": "grace", "NEW_PASSWORD": "Another-One-2" },
    });
    unsigned(&stage, "RespondToAuthChallenge", input)
        .await
        .expect(200);
    let asked = begin(&stage, &client, "grace").await.expect(200).json();
    let responses = client.answer(&asked["ChallengeParameters"], "Another-One-2");
    prove(&stage, responses).await.expect(200);
}

#[actix_web::test]
async fn numbers_that_would_give_the_secret_away_and_strange_answers_are_refused() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_SRP_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    for public in ["0", "xyz", ""] {
        let input = json!({
            "AuthFlow": "USER_SRP_AUTH", "ClientId": SPA_CLIENT,
            "AuthParameters": { "USERNAME": "grace", "SRP_A": public },
        });
        let answer = unsigned(&stage, "InitiateAuth", input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{public}");
    }
    let client = SrpClient::new();
    let asked = begin(&stage, &client, "grace").await.expect(200).json();
    let good = client.answer(&asked["ChallengeParameters"], PASSWORD);
    for (name, value, expected) in [
        ("PASSWORD_CLAIM_SIGNATURE", "", "InvalidParameterException"),
        ("PASSWORD_CLAIM_SIGNATURE", "!", "InvalidParameterException"),
        ("PASSWORD_CLAIM_SECRET_BLOCK", "AAAA", "NotAuthorizedException"),
        ("TIMESTAMP", "", "InvalidParameterException"),
    ] {
        let mut responses = good.clone();
        responses[name] = json!(value);
        assert_eq!(
            refusal(&prove(&stage, responses).await).0,
            expected,
            "{name} {value}"
        );
    }
    prove(&stage, good).await.expect(200);
    stage.clock.advance(180);
    let asked = begin(&stage, &client, "grace").await.expect(200).json();
    let late = client.answer(&asked["ChallengeParameters"], PASSWORD);
    stage.clock.advance(180);
    assert_eq!(refusal(&prove(&stage, late).await).0, "NotAuthorizedException");
}

#[actix_web::test]
async fn where_users_go_by_addresses_an_unknown_one_has_an_id_as_well() {
    let stage = Stage::new().await;
    hide_existence(&stage);
    stage.change_pool(|settings| {
        settings
            .cognito
            .insert("UsernameAttributes".into(), json!(["email"]));
    });
    let input = json!({
        "UserPoolId": POOL, "Username": "grace@native.test", "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS",
    });
    call(&stage, "AdminCreateUser", input).await.expect(200);
    let client = SrpClient::new();
    let told = async |name: &str| {
        let asked = begin(&stage, &client, name).await.expect(200).json();
        let parameters = asked["ChallengeParameters"].clone();
        (
            parameters["USER_ID_FOR_SRP"].as_str().unwrap().to_owned(),
            parameters["SALT"].clone(),
        )
    };
    let shape = |id: &str| {
        let letter = |c: char| if c.is_ascii_hexdigit() { 'x' } else { c };
        id.chars().map(letter).collect::<String>()
    };
    let known = told("grace@native.test").await;
    let unknown = told("nobody@native.test").await;
    assert_eq!(shape(&unknown.0), shape(&known.0), "{unknown:?} {known:?}");
    for (name, expected) in [
        ("Grace@native.test", &known),
        ("Nobody@native.test", &unknown),
        ("nobody@native.test", &unknown),
    ] {
        assert_eq!(told(name).await, *expected, "{name}");
    }
    assert_ne!(told("somebody@native.test").await, unknown);
}
