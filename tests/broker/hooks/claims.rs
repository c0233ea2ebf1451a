//! What a token hook changes in tokens, by version, and what it cannot.

use forebay::model::client::{ContractClaim, ContractKind, Flow};
use forebay::model::token;
use serde_json::{Value, json};

use super::{ARN, Hook, name, stage};
use crate::support::{Stage, claims, query_of};

async fn with(version: &str) -> (Hook, Stage) {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(
        &stage,
        json!({ "PreTokenGenerationConfig": { "LambdaVersion": version, "LambdaArn": ARN } }),
    );
    (hook, stage)
}

/// ID token and access token of a new sign-in of Ada's, with the answer that brought them.
async fn tokens(stage: &Stage) -> (Value, Value, Value) {
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    (claims(&tokens.id.unwrap()), claims(&tokens.access), tokens.answer)
}

#[actix_web::test]
async fn the_first_version_changes_the_id_token() {
    let (hook, stage) = with("V1_0").await;
    hook.responds(|_| {
        json!({ "claimsOverrideDetails": {
            "claimsToAddOrOverride": { "tenant": "acme", "given_name": "Augusta", "sub": "me", "email": "x" },
            "claimsToSuppress": ["family_name", "email", "iss"],
            "groupOverrideDetails": {
                "groupsToOverride": ["admins"], "iamRolesToOverride": ["role-a"], "preferredRole": "role-a"
            }
        } })
    });
    let (id, access, _) = tokens(&stage).await;
    assert_eq!(
        (&id["tenant"], &id["given_name"]),
        (&json!("acme"), &json!("Augusta"))
    );
    assert_eq!(
        (id.get("family_name"), id.get("email")),
        (None, None),
        "suppressing wins"
    );
    assert_ne!(id["sub"], "me");
    assert_eq!(id["iss"], stage.issuer());
    assert_eq!(id["cognito:groups"], json!(["admins"]));
    assert_eq!(id["cognito:roles"], json!(["role-a"]));
    assert_eq!(id["cognito:preferred_role"], "role-a");
    assert_eq!(access.get("tenant"), None);
    assert_ne!(access["cognito:groups"], json!(["admins"]));
    let trace = &stage.traces()[0];
    let told =
        trace.story.steps.iter().any(|step| {
            step.name == "hook.PreTokenGeneration" && step.detail.contains("ours alone: sub, iss")
        });
    assert!(told, "{trace:?}");
}

#[actix_web::test]
async fn the_second_version_changes_both_and_the_scopes() {
    let (hook, stage) = with("V2_0").await;
    hook.responds(|_| {
        json!({ "claimsAndScopeOverrideDetails": {
            "idTokenGeneration": { "claimsToAddOrOverride": { "tenant": { "id": "acme" } }, "claimsToSuppress": ["email"] },
            "accessTokenGeneration": {
                "claimsToAddOrOverride": { "tenant": "acme", "levels": [1, 2], "exp": 1, "client_id": "x" },
                "claimsToSuppress": ["version"], "scopesToAdd": ["api/admin"], "scopesToSuppress": ["email"]
            },
            "groupOverrideDetails": { "groupsToOverride": ["admins"], "iamRolesToOverride": [], "preferredRole": "" }
        } })
    });
    let (id, access, answer) = tokens(&stage).await;
    assert_eq!(id["tenant"], json!({ "id": "acme" }));
    assert_eq!(id.get("email"), None);
    assert_eq!(
        (&access["tenant"], &access["levels"]),
        (&json!("acme"), &json!([1, 2]))
    );
    assert_eq!(access["scope"], "openid profile api/admin");
    assert_eq!(answer["scope"], "openid profile api/admin");
    assert_eq!(access["version"], 2);
    assert_ne!(access["exp"], 1);
    assert_eq!(id["cognito:groups"], json!(["admins"]));
    assert_eq!(access["cognito:groups"], json!(["admins"]));
    // A token that is made from what it says is still one of ours.
    stage
        .userinfo(&stage.tokens_for("ada@acme.test", &[]).await.access)
        .await
        .expect(200);
}

#[actix_web::test]
async fn an_empty_group_override_takes_the_groups_away() {
    let (hook, stage) = with("V2_0").await;
    hook.responds(|_| json!({ "claimsAndScopeOverrideDetails": { "groupOverrideDetails": {} } }));
    let (id, access, _) = tokens(&stage).await;
    assert_eq!(
        (id.get("cognito:groups"), access.get("cognito:groups")),
        (None, None)
    );
}

#[actix_web::test]
async fn a_refresh_is_as_the_hook_says_then() {
    let (hook, stage) = with("V2_0").await;
    let plan = |plan: &'static str| {
        move |_: &str| {
            json!({ "claimsAndScopeOverrideDetails": {
                "accessTokenGeneration": { "claimsToAddOrOverride": { "plan": plan } }
            } })
        }
    };
    hook.responds(plan("silver"));
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(claims(&first.access)["plan"], "silver");
    let refresh = first.refresh.unwrap();
    hook.responds(plan("gold"));
    let again = stage.refresh(&refresh).await.expect(200).json();
    assert_eq!(claims(again["access_token"].as_str().unwrap())["plan"], "gold");
    name(&stage, json!({}));
    let without = stage.refresh(&refresh).await.expect(200).json();
    assert_eq!(
        claims(without["access_token"].as_str().unwrap()).get("plan"),
        None
    );
}

#[actix_web::test]
async fn implicit_tokens_are_changed_and_nothing_of_it_is_kept() {
    let (hook, stage) = with("V2_0").await;
    stage.change_web_client(|settings| settings.flows.push(Flow::Implicit));
    hook.responds(|_| {
        json!({ "claimsAndScopeOverrideDetails": {
            "accessTokenGeneration": { "claimsToAddOrOverride": { "plan": "gold" } }
        } })
    });
    let implicit = [
        ("response_type", "token"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let back = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&implicit))
        .await;
    let access = claims(&query_of(back.location(), "access_token").unwrap());
    assert_eq!(access["plan"], "gold");
    let origin_jti = access["origin_jti"].as_str().unwrap();
    let (family, _) = stage.act(|conn| token::find_family(conn, origin_jti).unwrap().unwrap());
    assert_eq!(family.granted.overrides, None);
}

#[actix_web::test]
async fn a_clients_own_token_is_changed_by_the_third_version() {
    let (hook, stage) = with("V3_0").await;
    hook.responds(|_| {
        json!({ "claimsAndScopeOverrideDetails": { "accessTokenGeneration": {
            "claimsToAddOrOverride": { "tenant": "acme", "sub": "x" }, "scopesToAdd": ["api/admin"]
        } } })
    });
    let answer = stage.as_machine(&[]).await.expect(200).json();
    let access = claims(answer["access_token"].as_str().unwrap());
    assert_eq!(access["tenant"], "acme");
    assert_eq!(access["sub"], forebay::demo::MACHINE_CLIENT);
    assert_eq!(access["scope"], "demo-api/read api/admin");
    assert_eq!(answer["scope"], "demo-api/read api/admin");
}

#[actix_web::test]
async fn the_contract_of_an_app_counts_what_the_hook_adds_and_takes_away() {
    let (hook, stage) = with("V2_0").await;
    let needs = |claim: &str| ContractClaim {
        claim: claim.into(),
        kind: ContractKind::String,
        required: true,
        one_of: Vec::new(),
    };
    stage.change_web_client(|settings| settings.contract = vec![needs("tenant"), needs("email")]);
    let contract = |stage: &Stage| {
        let trace = stage.traces().remove(0);
        trace
            .story
            .steps
            .iter()
            .find(|step| step.name == "contract")
            .unwrap()
            .clone()
    };
    hook.responds(|_| Value::Null);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert!(
        contract(&stage).detail.contains("tenant"),
        "{:?}",
        contract(&stage)
    );
    stage.clock.advance(1);
    hook.responds(|_| {
        json!({ "claimsAndScopeOverrideDetails": { "idTokenGeneration": {
            "claimsToAddOrOverride": { "tenant": "acme" }
        } } })
    });
    stage.tokens_for("ada@acme.test", &[]).await;
    assert!(contract(&stage).passed, "{:?}", contract(&stage));
}
