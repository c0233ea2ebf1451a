//! "Only through Okta" at the API: no password gives tokens, and nobody gets round it by what they may change themselves.

use forebay::demo::{POOL, SPA_CLIENT};
use forebay::model::user::{self, Identity};
use serde_json::{Value, json};

use super::{allow_flows, call, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, SrpClient, Stage, claims};

const FLOWS: [&str; 3] = [
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
];
/// What whoever comes by another way is told.
const CLOSED: &str = "the user's organisation allows another way of signing in only";

/// Gives a native user an address at acme, which is not what they sign in by.
async fn joins_acme(stage: &Stage, username: &str) {
    let attributes = json!([{ "Name": "email", "Value": format!("{username}@acme.test") }]);
    let input = json!({ "UserPoolId": POOL, "Username": username, "UserAttributes": attributes });
    call(stage, "AdminUpdateUserAttributes", input).await.expect(200);
}

async fn set_address(stage: &Stage, access_token: &Value, address: &str) -> Answer {
    let attributes = json!([{ "Name": "email", "Value": address }]);
    let input = json!({ "AccessToken": access_token, "UserAttributes": attributes });
    unsigned(stage, "UpdateUserAttributes", input).await
}

#[actix_web::test]
async fn no_flow_of_the_api_signs_in_by_a_password() {
    let stage = Stage::new().await;
    allow_flows(&stage, &FLOWS);
    stage.native_user("ann@acme.test", PASSWORD).await;
    stage.native_user("bob@elsewhere.test", PASSWORD).await;
    stage.enforce("acme", "acme-okta");
    let closed = ("NotAuthorizedException".to_owned(), CLOSED.to_owned());
    assert_eq!(refusal(&sign_in(&stage, "ann@acme.test", PASSWORD).await), closed);

    let client = SrpClient::new();
    let begin = json!({
        "AuthFlow": "USER_SRP_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": "ann@acme.test", "SRP_A": client.public() },
    });
    let asked = unsigned(&stage, "InitiateAuth", begin).await.expect(200).json();
    let proof = json!({
        "ClientId": SPA_CLIENT, "ChallengeName": "PASSWORD_VERIFIER",
        "ChallengeResponses": client.answer(&asked["ChallengeParameters"], PASSWORD),
    });
    assert_eq!(
        refusal(&unsigned(&stage, "RespondToAuthChallenge", proof).await),
        closed
    );

    let by_admin = json!({
        "UserPoolId": POOL, "ClientId": SPA_CLIENT, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": "ann@acme.test", "PASSWORD": PASSWORD },
    });
    assert_eq!(
        refusal(&call(&stage, "AdminInitiateAuth", by_admin).await),
        closed
    );
    sign_in(&stage, "bob@elsewhere.test", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn nobody_gives_up_the_address_that_their_organisation_knows_them_by() {
    let stage = Stage::new().await;
    allow_flows(&stage, &FLOWS);
    stage.native_user("ann", PASSWORD).await;
    joins_acme(&stage, "ann").await;
    let tokens = sign_in(&stage, "ann", PASSWORD).await.expect(200).json();
    let access = &tokens["AuthenticationResult"]["AccessToken"];
    set_address(&stage, access, "ann@acme.test").await.expect(200);
    stage.enforce("acme", "acme-okta");
    let kept = set_address(&stage, access, "ann@elsewhere.test").await;
    assert_eq!(refusal(&kept).0, "NotAuthorizedException");
    let names = json!({ "AccessToken": access, "UserAttributeNames": ["email"] });
    let kept = unsigned(&stage, "DeleteUserAttributes", names).await;
    assert_eq!(refusal(&kept).0, "NotAuthorizedException");
    // Neither by an app that has no way to acme's Okta, where the password still signs in.
    stage.change_spa_client(|settings| settings.providers = vec!["COGNITO".into()]);
    let tokens = sign_in(&stage, "ann", PASSWORD).await.expect(200).json();
    let there = &tokens["AuthenticationResult"]["AccessToken"];
    let kept = set_address(&stage, there, "ann@elsewhere.test").await;
    assert_eq!(refusal(&kept).0, "NotAuthorizedException");
    stage.change_spa_client(|settings| settings.providers.push("acme-okta".into()));
    assert_eq!(refusal(&sign_in(&stage, "ann", PASSWORD).await).1, CLOSED);
}

#[actix_web::test]
async fn nobody_gives_it_up_together_with_a_temporary_password() {
    let stage = Stage::new().await;
    allow_flows(&stage, &FLOWS);
    stage.temporary_user("ann", PASSWORD).await;
    joins_acme(&stage, "ann").await;
    stage.enforce("acme", "acme-okta");
    let asked = sign_in(&stage, "ann", PASSWORD).await.expect(200).json();
    let answer = async |more: Value| {
        let mut responses = json!({ "USERNAME": "ann", "NEW_PASSWORD": "Another-One-2" });
        responses
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let input = json!({
            "ClientId": SPA_CLIENT, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": asked["Session"],
            "ChallengeResponses": responses,
        });
        refusal(&unsigned(&stage, "RespondToAuthChallenge", input).await)
    };
    let (name, why) = answer(json!({ "userAttributes.email": "ann@elsewhere.test" })).await;
    assert_eq!(name, "NotAuthorizedException");
    assert!(why.contains("closed the sign-in by password"), "{why}");
    assert_eq!(answer(json!({})).await.1, CLOSED);
}

#[actix_web::test]
async fn whoever_has_come_by_the_tenants_own_connection_is_its_own_whatever_the_address() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        person.email = "ada@elsewhere.test".into()
    });
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let identity = Identity {
        provider_id: "globex-okta".into(),
        issuer: stage.globex.issuer(),
        subject: "00u1hank00000000glbx".into(),
        user_sub: sub.clone(),
        provider_name: "globex-okta".into(),
        is_primary: false,
        created_ms: 0,
    };
    stage.act(|conn| assert!(user::insert_identity(conn, &identity).unwrap()));
    stage.signed_in("hank@globex.test").await;
    stage.enforce("acme", "acme-okta");
    let by_globex = async || {
        stage
            .browser()
            .sign_in("hank@globex.test", &stage.authorize(&[]))
            .await
    };
    let page = by_globex().await;
    page.is_page(403, "only_through_sso");
    assert!(page.shows("everybody at Acme signs in"), "{page:?}");
    stage.signed_in("ada@acme.test").await;
    // Of two that want the same person to themselves neither shuts the other one out.
    stage.enforce("globex", "globex-okta");
    stage.signed_in("hank@globex.test").await;
    stage.signed_in("ada@acme.test").await;
}

#[actix_web::test]
async fn no_token_is_derived_from_one_whose_way_is_closed() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"]);
    stage.globex.change_person("hank@globex.test", |person| {
        person.email = "hank@acme.test".into()
    });
    let tokens = stage.tokens_for("hank@globex.test", &[]).await;
    let input =
        json!({ "ClientId": SPA_CLIENT, "SubjectToken": tokens.access, "SubjectTokenType": "ACCESS_TOKEN" });
    call(&stage, "GetDerivedToken", input.clone()).await.expect(200);
    stage.enforce("acme", "acme-okta");
    let answer = call(&stage, "GetDerivedToken", input.clone()).await;
    assert_eq!(refusal(&answer), ("NotAuthorizedException".into(), CLOSED.into()));
    // What counts is whether the app that it would be for has the other way.
    stage.change_spa_client(|settings| settings.providers.retain(|name| name != "acme-okta"));
    call(&stage, "GetDerivedToken", input).await.expect(200);
}
