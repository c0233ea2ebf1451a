//! `LambdaConfig`: kept and shown exactly as it was set, and honest about what has nothing to take part in here.

use serde_json::{Value, json};

use super::{call, pool, refusal};
use crate::support::Stage;

const ARN: &str = "arn:aws:lambda:local:000000000000:function:hook-1";
const OTHER: &str = "arn:aws:lambda:local:000000000000:function:hook-2";

async fn shown(stage: &Stage, id: &Value) -> Value {
    let answer = call(stage, "DescribeUserPool", json!({ "UserPoolId": id })).await;
    answer.expect(200).json()["UserPool"]["LambdaConfig"].clone()
}

#[actix_web::test]
async fn what_is_set_is_what_is_shown_and_an_update_without_it_takes_it_away() {
    let stage = Stage::new().await;
    let lambda = json!({
        "PreSignUp": ARN, "PostConfirmation": OTHER, "PreAuthentication": ARN, "PostAuthentication": ARN,
        "PreTokenGeneration": ARN,
        "PreTokenGenerationConfig": { "LambdaVersion": "V2_0", "LambdaArn": ARN },
        "InboundFederation": { "LambdaVersion": "V1_0", "LambdaArn": OTHER },
    });
    let input = json!({ "PoolName": "customers", "LambdaConfig": lambda });
    let made = call(&stage, "CreateUserPool", input).await.expect(200).json()["UserPool"].clone();
    assert_eq!(made["LambdaConfig"], lambda);
    let id = &made["Id"];
    assert_eq!(shown(&stage, id).await, lambda);
    let listed = call(&stage, "ListUserPools", json!({ "MaxResults": 60 }))
        .await
        .expect(200)
        .json();
    let of_list = listed["UserPools"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pool| pool["Id"] == *id);
    assert_eq!(of_list.unwrap()["LambdaConfig"], lambda);

    let less = json!({ "PreTokenGenerationConfig": { "LambdaVersion": "V3_0", "LambdaArn": OTHER } });
    let update = json!({ "UserPoolId": id, "LambdaConfig": less });
    call(&stage, "UpdateUserPool", update).await.expect(200);
    assert_eq!(shown(&stage, id).await, less);
    call(&stage, "UpdateUserPool", json!({ "UserPoolId": id }))
        .await
        .expect(200);
    assert_eq!(shown(&stage, id).await, json!({}));
}

#[actix_web::test]
async fn what_takes_part_in_nothing_here_is_refused_by_its_name() {
    let stage = Stage::new().await;
    let id = pool(&stage).await;
    let sender = json!({ "LambdaVersion": "V1_0", "LambdaArn": ARN });
    let kms = "arn:aws:kms:local:000000000000:key/1";
    for (name, value) in [
        ("CustomMessage", json!(ARN)),
        ("DefineAuthChallenge", json!(ARN)),
        ("CreateAuthChallenge", json!(ARN)),
        ("VerifyAuthChallengeResponse", json!(ARN)),
        ("UserMigration", json!(ARN)),
        ("CustomSMSSender", sender.clone()),
        ("CustomEmailSender", sender),
        ("KMSKeyID", json!(kms)),
    ] {
        for (operation, mut input) in [
            ("CreateUserPool", json!({ "PoolName": "x" })),
            ("UpdateUserPool", json!({ "UserPoolId": id })),
        ] {
            input["LambdaConfig"] = json!({ "PreSignUp": ARN, name: value });
            let (exception, message) = refusal(&call(&stage, operation, input).await);
            assert_eq!(exception, "InvalidParameterException", "{name}");
            assert!(
                message.contains(name) && message.contains("not offered here"),
                "{message}"
            );
        }
    }
    assert_eq!(shown(&stage, &json!(id)).await, json!({}));
}

#[actix_web::test]
async fn both_members_of_the_token_hook_name_the_same_one() {
    let stage = Stage::new().await;
    let lambda = json!({
        "PreTokenGeneration": ARN, "PreTokenGenerationConfig": { "LambdaVersion": "V2_0", "LambdaArn": OTHER }
    });
    let refused = refusal(
        &call(
            &stage,
            "CreateUserPool",
            json!({ "PoolName": "x", "LambdaConfig": lambda }),
        )
        .await,
    );
    assert_eq!(refused.0, "InvalidParameterException");
    assert!(refused.1.contains("same ARN"), "{}", refused.1);
    for wrong in [
        json!({ "PreSignUp": "not-an-arn-of-anything" }),
        json!({ "PreTokenGenerationConfig": { "LambdaVersion": "V9_0", "LambdaArn": ARN } }),
        json!({ "InboundFederation": { "LambdaVersion": "V1_0" } }),
    ] {
        let input = json!({ "PoolName": "x", "LambdaConfig": wrong });
        assert_eq!(
            refusal(&call(&stage, "CreateUserPool", input).await).0,
            "InvalidParameterException",
            "{wrong}"
        );
    }
}
