//! User pools and resource servers, as Terraform and the AWS CLI make them.

use forebay::demo::POOL;
use serde_json::json;

use super::{call, pool, refusal};
use crate::support::Stage;

#[actix_web::test]
async fn a_pool_is_made_and_shown_with_cognitos_defaults() {
    let stage = Stage::new().await;
    let input = json!({
        "PoolName": "customers", "DeletionProtection": "ACTIVE", "UserPoolTags": { "team": "id" },
        "Schema": [{ "Name": "department", "AttributeDataType": "String" }],
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
    });
    let made = call(&stage, "CreateUserPool", input).await.expect(200).json()["UserPool"].clone();
    let id = made["Id"].as_str().unwrap();
    let shown = call(&stage, "DescribeUserPool", json!({ "UserPoolId": id }))
        .await
        .expect(200);
    let shown = &shown.json()["UserPool"];
    assert_eq!(*shown, made, "what is made is what is shown");
    assert_eq!(
        shown["Arn"],
        format!("arn:aws:cognito-idp:us-local-1:000000000000:userpool/{id}")
    );
    assert_eq!(shown["DeletionProtection"], "ACTIVE");
    assert_eq!(shown["MfaConfiguration"], "OFF");
    assert_eq!(shown["Policies"]["PasswordPolicy"]["MinimumLength"], 8);
    assert_eq!(
        shown["AdminCreateUserConfig"],
        json!({ "AllowAdminCreateUserOnly": true })
    );
    let names: Vec<&str> = shown["SchemaAttributes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["Name"].as_str())
        .collect();
    for name in ["sub", "email", "updated_at", "custom:department", "identities"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    // It is a whole pool: apps find its documents.
    stage
        .get(&format!("/{id}/.well-known/openid-configuration"))
        .await
        .expect(200);
}

#[actix_web::test]
async fn an_update_resets_what_it_leaves_out_as_in_cognito() {
    let stage = Stage::new().await;
    let input = json!({
        "PoolName": "customers", "DeletionProtection": "ACTIVE", "UserPoolTier": "PLUS",
        "UsernameConfiguration": { "CaseSensitive": false },
    });
    let made = call(&stage, "CreateUserPool", input).await.expect(200).json()["UserPool"].clone();
    let id = made["Id"].clone();
    let delete = || json!({ "UserPoolId": id });
    let refused = refusal(&call(&stage, "DeleteUserPool", delete()).await);
    assert_eq!(refused.0, "InvalidParameterException");
    assert!(refused.1.contains("deletion protection"), "{}", refused.1);
    call(
        &stage,
        "UpdateUserPool",
        json!({ "UserPoolId": id, "PoolName": "clients" }),
    )
    .await
    .expect(200);
    let shown = call(&stage, "DescribeUserPool", delete())
        .await
        .expect(200)
        .json()["UserPool"]
        .clone();
    assert_eq!(shown["Name"], "clients");
    assert_eq!(shown["DeletionProtection"], "INACTIVE");
    assert_eq!(shown["UserPoolTier"], "ESSENTIALS");
    assert_eq!(
        shown["UsernameConfiguration"]["CaseSensitive"], false,
        "fixed when it was made"
    );
    call(&stage, "DeleteUserPool", delete()).await.expect(200);
    assert_eq!(
        refusal(&call(&stage, "DescribeUserPool", delete()).await).0,
        "ResourceNotFoundException"
    );
}

#[actix_web::test]
async fn what_would_promise_something_is_refused() {
    let stage = Stage::new().await;
    let input = json!({ "PoolName": "x", "MfaConfiguration": "ON" });
    assert_eq!(
        refusal(&call(&stage, "CreateUserPool", input).await).0,
        "InvalidParameterException"
    );
}

#[actix_web::test]
async fn attributes_are_added_once() {
    let stage = Stage::new().await;
    let id = pool(&stage).await;
    let add = || json!({ "UserPoolId": id, "CustomAttributes": [{ "Name": "team", "AttributeDataType": "Number" }] });
    call(&stage, "AddCustomAttributes", add()).await.expect(200);
    assert_eq!(
        refusal(&call(&stage, "AddCustomAttributes", add()).await).0,
        "InvalidParameterException"
    );
}

#[actix_web::test]
async fn pools_are_listed_in_pages() {
    let stage = Stage::new().await;
    for _ in 0..4 {
        pool(&stage).await;
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let mut input = json!({ "MaxResults": 2 });
        if let Some(token) = token {
            input["NextToken"] = token;
        }
        let answer = call(&stage, "ListUserPools", input).await.expect(200).json();
        let page = answer["UserPools"].as_array().unwrap().clone();
        assert!(page.len() <= 2);
        seen.extend(
            page.into_iter()
                .map(|pool| pool["Id"].as_str().unwrap().to_owned()),
        );
        token = answer.get("NextToken").cloned();
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5, "each once");
    let bad = call(
        &stage,
        "ListUserPools",
        json!({ "MaxResults": 2, "NextToken": "*" }),
    )
    .await;
    assert_eq!(refusal(&bad).0, "InvalidParameterException");
}

#[actix_web::test]
async fn tags_come_and_go() {
    let stage = Stage::new().await;
    let arn = format!("arn:aws:cognito-idp:us-local-1:000000000000:userpool/{POOL}");
    let tags = |answer: crate::support::Answer| answer.json()["Tags"].clone();
    let list = || json!({ "ResourceArn": arn });
    call(
        &stage,
        "TagResource",
        json!({ "ResourceArn": arn, "Tags": { "a": "1", "b": "2" } }),
    )
    .await
    .expect(200);
    call(
        &stage,
        "UntagResource",
        json!({ "ResourceArn": arn, "TagKeys": ["a"] }),
    )
    .await
    .expect(200);
    assert_eq!(
        tags(call(&stage, "ListTagsForResource", list()).await.expect(200)),
        json!({ "b": "2" })
    );
}

#[actix_web::test]
async fn resource_servers_are_made_changed_listed_and_deleted() {
    let stage = Stage::new().await;
    let id = pool(&stage).await;
    let server = |description: &str| {
        json!({
            "UserPoolId": id, "Identifier": "api", "Name": "API",
            "Scopes": [{ "ScopeName": "read", "ScopeDescription": description }],
        })
    };
    let made = call(&stage, "CreateResourceServer", server("Read"))
        .await
        .expect(200)
        .json();
    assert_eq!(made["ResourceServer"], server("Read"));
    call(&stage, "UpdateResourceServer", server("Read all"))
        .await
        .expect(200);
    let named = || json!({ "UserPoolId": id, "Identifier": "api" });
    let shown = call(&stage, "DescribeResourceServer", named())
        .await
        .expect(200)
        .json();
    assert_eq!(shown["ResourceServer"], server("Read all"));
    let list = json!({ "UserPoolId": id, "MaxResults": 50 });
    let listed = call(&stage, "ListResourceServers", list).await.expect(200).json();
    assert_eq!(listed["ResourceServers"], json!([server("Read all")]));
    call(&stage, "DeleteResourceServer", named()).await.expect(200);
    for operation in ["DescribeResourceServer", "DeleteResourceServer"] {
        assert_eq!(
            refusal(&call(&stage, operation, named()).await).0,
            "ResourceNotFoundException"
        );
    }
}
