//! What hooks are sent: which of them, in which order, and every member of every event.

use forebay::db::Json;
use forebay::demo::{MACHINE_CLIENT, POOL, WEB_CLIENT};
use forebay::model::user::link::{self, Link};
use forebay::model::user::{self, Status, User};
use serde_json::{Map, Value, json};

use super::{ARN, Hook, bind, everything, name, stage};
use crate::support::{NOW, Stage, claims, query_of};
use crate::upstream::okta_api;

const USERNAME: &str = "acme-okta_00u1ada000000000acme";

/// The envelope of an event of the sample web app.
fn envelope(version: &str, source: &str, request: Value, response: Value) -> Value {
    json!({
        "version": version, "triggerSource": source, "region": "us-local-1", "userPoolId": POOL, "userName": USERNAME,
        "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": WEB_CLIENT },
        "request": request, "response": response,
    })
}

/// Ada's attributes as strings.
fn attributes(stage: &Stage, sub: &str) -> Map<String, Value> {
    let stored = stage.act(|conn| user::find(conn, sub).unwrap().unwrap().attributes.0);
    stored
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), Value::String(text))
        })
        .collect()
}

fn of_profile(stage: &Stage, sub: &str) -> Value {
    let mut shown = attributes(stage, sub);
    shown.insert("sub".into(), json!(sub));
    shown.insert("cognito:user_status".into(), json!("EXTERNAL_PROVIDER"));
    let identities = json!([{
        "userId": "00u1ada000000000acme", "providerName": "acme-okta", "providerType": "OIDC", "issuer": null,
        "primary": true, "dateCreated": NOW.0 * 1000,
    }]);
    shown.insert("identities".into(), json!(identities.to_string()));
    Value::Object(shown)
}

#[actix_web::test]
async fn a_first_sign_in_calls_them_in_cognitos_order_with_cognitos_events() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, everything());
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(
        hook.sources(),
        [
            "InboundFederation_ExternalProvider",
            "PreSignUp_ExternalProvider",
            "PostConfirmation_ConfirmSignUp",
            "TokenGeneration_HostedAuth",
        ]
    );
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();

    let mut inbound = hook.event("InboundFederation_ExternalProvider");
    let attributes_said = inbound["request"]["attributes"].take();
    assert_eq!(
        inbound,
        envelope(
            "1",
            "InboundFederation_ExternalProvider",
            json!({ "providerName": "acme-okta", "providerType": "OIDC", "attributes": null }),
            json!({ "userAttributesToMap": {} })
        )
    );
    let said = attributes_said.as_object().unwrap();
    assert_eq!(
        said.keys().collect::<Vec<_>>(),
        ["idToken", "tokenResponse", "userInfo"]
    );
    assert_eq!(said["idToken"]["sub"], "00u1ada000000000acme");
    assert_eq!(
        said["idToken"]["iss"],
        claims(said["tokenResponse"]["id_token"].as_str().unwrap())["iss"]
    );
    assert_eq!(said["userInfo"]["given_name"], "Ada");
    assert_eq!(said["tokenResponse"]["token_type"], "Bearer");
    assert!(!said["tokenResponse"]["access_token"].as_str().unwrap().is_empty());

    let mut new = attributes(&stage, &sub);
    new.insert("cognito:email_alias".into(), json!(""));
    new.insert("cognito:phone_number_alias".into(), json!(""));
    assert_eq!(
        hook.event("PreSignUp_ExternalProvider"),
        envelope(
            "1",
            "PreSignUp_ExternalProvider",
            json!({ "userAttributes": new, "validationData": {}, "clientMetadata": {} }),
            json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false })
        )
    );
    assert_eq!(
        hook.event("PostConfirmation_ConfirmSignUp"),
        envelope(
            "1",
            "PostConfirmation_ConfirmSignUp",
            json!({ "userAttributes": of_profile(&stage, &sub), "clientMetadata": {} }),
            json!({})
        )
    );
    assert_eq!(
        hook.event("TokenGeneration_HostedAuth"),
        envelope(
            "2",
            "TokenGeneration_HostedAuth",
            json!({
                "userAttributes": of_profile(&stage, &sub), "clientMetadata": {},
                "scopes": ["openid", "email", "profile"],
                "groupConfiguration": {
                    "groupsToOverride": ["Engineering", "Everyone", format!("{POOL}_acme-okta")], "iamRolesToOverride": [], "preferredRole": null
                },
            }),
            json!({ "claimsAndScopeOverrideDetails": null })
        )
    );
    let steps = &stage.traces()[0].story.steps;
    let hooks: Vec<&str> = steps
        .iter()
        .map(|step| step.name.as_str())
        .filter(|name| name.starts_with("hook."))
        .collect();
    assert_eq!(
        hooks,
        [
            "hook.InboundFederation",
            "hook.PreSignUp",
            "hook.PostConfirmation",
            "hook.PreTokenGeneration"
        ]
    );
}

#[actix_web::test]
async fn a_later_sign_in_is_told_of_as_an_authentication() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(hook.calls().len(), 0, "a pool without hooks calls none");
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    name(&stage, everything());
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(
        hook.sources(),
        [
            "InboundFederation_ExternalProvider",
            "PreAuthentication_Authentication",
            "PostAuthentication_Authentication",
            "TokenGeneration_HostedAuth",
        ]
    );
    let profile = of_profile(&stage, &sub);
    assert_eq!(
        hook.event("PreAuthentication_Authentication"),
        envelope(
            "1",
            "PreAuthentication_Authentication",
            json!({ "userAttributes": profile, "validationData": {}, "userNotFound": false }),
            json!({})
        )
    );
    assert_eq!(
        hook.event("PostAuthentication_Authentication"),
        envelope(
            "1",
            "PostAuthentication_Authentication",
            json!({ "userAttributes": profile, "newDeviceUsed": false, "clientMetadata": {} }),
            json!({})
        )
    );
}

#[actix_web::test]
async fn a_session_that_goes_on_and_a_refresh_are_told_of_as_tokens() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, everything());
    let mut browser = stage.signed_in("ada@acme.test").await;
    hook.forget_calls();
    let back = browser.visit(&stage.authorize(&[])).await;
    let code = query_of(back.location(), "code").unwrap();
    assert_eq!(hook.sources(), ["TokenGeneration_HostedAuth"]);
    let tokens = stage.exchange(&code, &[]).await.expect(200).json();
    assert_eq!(hook.calls().len(), 1, "the exchange asks nobody");
    hook.forget_calls();
    stage
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .await
        .expect(200);
    assert_eq!(hook.sources(), ["TokenGeneration_RefreshTokens"]);
    let event = hook.event("TokenGeneration_RefreshTokens");
    assert_eq!(event["userName"], USERNAME);
    assert_eq!(event["request"]["scopes"], json!(["openid", "email", "profile"]));
}

#[actix_web::test]
async fn a_client_of_its_own_is_told_of_in_the_third_version_only() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    for version in ["V1_0", "V2_0"] {
        name(
            &stage,
            json!({ "PreTokenGenerationConfig": { "LambdaVersion": version, "LambdaArn": ARN } }),
        );
        stage.as_machine(&[]).await.expect(200);
    }
    assert_eq!(hook.calls().len(), 0);
    name(
        &stage,
        json!({ "PreTokenGenerationConfig": { "LambdaVersion": "V3_0", "LambdaArn": ARN } }),
    );
    stage.as_machine(&[]).await.expect(200);
    assert_eq!(
        hook.event("TokenGeneration_ClientCredentials"),
        json!({
            "version": "3", "triggerSource": "TokenGeneration_ClientCredentials", "region": "us-local-1",
            "userPoolId": POOL, "userName": "ClientCredentials",
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": MACHINE_CLIENT },
            "request": {
                "userAttributes": {}, "groupConfiguration": null, "scopes": ["demo-api/read"], "clientMetadata": {}
            },
            "response": { "claimsAndScopeOverrideDetails": null },
        })
    );
}

#[actix_web::test]
async fn calls_are_signed_with_the_secret_of_the_pools_own_binding_first() {
    let (all, own) = (Hook::new(), Hook::new());
    let stage = Stage::with_allowed(std::time::Duration::from_secs(10), &[&all.host, &own.host]).await;
    let secret = bind(&stage, ARN, &all.url(), None);
    name(&stage, json!({ "PreTokenGeneration": ARN }));
    stage.tokens_for("ada@acme.test", &[]).await;
    let calls = all.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].is_signed_with(&secret), "{calls:?}");
    assert_eq!(calls[0].timestamp, NOW.0);
    assert!(calls[0].id.starts_with("msg_"));

    let secret = bind(&stage, ARN, &own.url(), Some(POOL));
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!((all.calls().len(), own.calls().len()), (1, 1));
    assert!(own.calls()[0].is_signed_with(&secret));
    let event = own.event("TokenGeneration_HostedAuth");
    assert_eq!(event["version"], "1");
    assert_eq!(event["request"].get("scopes"), None, "the first version has none");
}

#[actix_web::test]
async fn an_inbound_hook_replaces_what_is_mapped_and_not_who_it_is() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(
        &stage,
        json!({ "InboundFederation": { "LambdaVersion": "V1_0", "LambdaArn": ARN } }),
    );
    hook.responds(
        |_| json!({ "userAttributesToMap": { "sub": "somebody-else", "email": "countess@acme.test" } }),
    );
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = claims(&tokens.id.unwrap());
    assert_eq!(id["email"], "countess@acme.test");
    assert_eq!(id.get("given_name"), None, "what is left out is dropped");
    assert_eq!(id["cognito:username"], USERNAME);
    assert_eq!(id["identities"][0]["userId"], "00u1ada000000000acme");

    hook.responds(|_| json!({ "userAttributesToMap": {} }));
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = claims(&tokens.id.unwrap());
    assert_eq!(
        (&id["email"], &id["given_name"]),
        (&json!("ada@acme.test"), &json!("Ada"))
    );
}

#[actix_web::test]
async fn who_was_linked_beforehand_is_known_at_the_first_sign_in() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, everything());
    let linked = User {
        sub: "00000000-0000-4000-8000-000000000001".into(),
        user_pool_id: POOL.into(),
        username: "lovelace".into(),
        status: Status::Confirmed,
        enabled: true,
        attributes: Json(Map::new()),
        created_at: NOW,
        updated_at: NOW,
    };
    stage.act(|conn| {
        assert!(user::insert(conn, &linked).unwrap());
        let link = Link {
            provider_id: "acme-okta".into(),
            attribute: "email".into(),
            value: "ada@acme.test".into(),
            user_sub: linked.sub.clone(),
            subject: None,
            created_at: NOW,
            move_id: None,
        };
        assert!(link::insert(conn, &link).unwrap());
    });
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(claims(&tokens.access)["sub"], linked.sub);
    assert_eq!(
        hook.sources(),
        [
            "InboundFederation_ExternalProvider",
            "PreAuthentication_Authentication",
            "PostAuthentication_Authentication",
            "TokenGeneration_HostedAuth",
        ]
    );
    assert_eq!(
        hook.event("PreAuthentication_Authentication")["userName"],
        "lovelace"
    );
}

#[actix_web::test]
async fn a_hook_gets_no_token_of_oktas_api_and_what_was_read_there_is_not_lost_by_it() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(
        &stage,
        json!({ "InboundFederation": { "LambdaVersion": "V1_0", "LambdaArn": ARN } }),
    );
    okta_api::switch_on(&stage, okta_api::SELF);
    okta_api::withhold(&stage, &["given_name", "department"]);
    okta_api::department_is_read_from_the_profile(&stage);
    // As one does that knows nothing of Okta's API.
    *hook.say.lock().unwrap() = Box::new(|event| {
        let mut event = event.clone();
        let said = event["request"]["attributes"]["userInfo"].clone();
        event["response"]["userAttributesToMap"] = said;
        (200, event.to_string())
    });
    let id = claims(&stage.tokens_for("ada@acme.test", &[]).await.id.unwrap());
    let said = &hook.event("InboundFederation_ExternalProvider")["request"]["attributes"];
    assert_eq!(said["tokenResponse"]["access_token"], Value::Null);
    assert_eq!(said["userInfo"]["given_name"], "Ada");
    assert_eq!(said["oktaProfile"]["department"], "Analytical Engines");
    assert_eq!(id["given_name"], "Ada");
    assert_eq!(id["custom:department"], "Analytical Engines");

    // What it leaves out of the claims stays out, and the profile is its own to replace.
    hook.responds(
        |_| json!({ "userAttributesToMap": { "email": "grace@acme.test", "okta_profile": { "department": "Poetry" } } }),
    );
    let id = claims(&stage.tokens_for("grace@acme.test", &[]).await.id.unwrap());
    assert_eq!(id.get("given_name"), None);
    assert_eq!(id["custom:department"], "Poetry");

    // A token that opens nothing there is given on as ever.
    hook.forget_calls();
    okta_api::switch_on(&stage, &[]);
    stage.tokens_for("ada@acme.test", &[]).await;
    let said = &hook.event("InboundFederation_ExternalProvider")["request"]["attributes"];
    assert!(said["tokenResponse"]["access_token"].is_string());
    assert_eq!(said.get("oktaProfile"), None);
}
