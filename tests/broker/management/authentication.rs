//! Who may call, and what is within reach.

use forebay::actions::credentials::{self, NewCredential};
use forebay::demo::{ACCESS_KEY, POOL};
use forebay::model::credential::Role;
use serde_json::json;

use super::{Key, call, call_as, pool, refusal};
use crate::support::Stage;

pub(super) fn credential(stage: &Stage, role: Role, pool: Option<&str>) -> Key {
    let ctx = stage.ctx();
    let new = NewCredential {
        id: None,
        secret: None,
        role,
        user_pool_id: pool.map(str::to_owned),
        description: "test".into(),
    };
    let (made, secret) = stage.act(|conn| credentials::create(conn, &ctx, new).unwrap());
    Key {
        id: made.id,
        secret: secret.to_string(),
        ..Key::default()
    }
}

#[actix_web::test]
async fn a_signature_must_be_there_right_and_recent() {
    let stage = Stage::new().await;
    let good = Key::default();
    let list = json!({ "MaxResults": 10 });
    for (key, expected) in [
        (
            Key {
                secret: "wrong".into(),
                ..good.clone()
            },
            "InvalidSignatureException",
        ),
        (
            Key {
                id: "NOBODYNOBODYNOBODY00".into(),
                ..good.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            Key {
                timestamp: "20261120T235459Z",
                ..good.clone()
            },
            "InvalidSignatureException",
        ),
        (
            Key {
                timestamp: "20261121T000501Z",
                ..good.clone()
            },
            "InvalidSignatureException",
        ),
    ] {
        let answer = call_as(&stage, &key, "ListUserPools", list.clone()).await;
        assert_eq!(refusal(&answer).0, expected);
    }
    let altered = good
        .sign("ListUserPools", "{\"MaxResults\":10}")
        .set_payload("{\"MaxResults\":60}");
    assert_eq!(refusal(&stage.send(altered).await).0, "InvalidSignatureException");
    let another = Key {
        region: "eu-west-1",
        ..good
    };
    call_as(&stage, &another, "ListUserPools", list).await.expect(200);
}

#[actix_web::test]
async fn a_disabled_credential_and_an_old_secret_are_refused_at_once() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let key = credential(&stage, Role::Admin, None);
    let list = || json!({ "MaxResults": 10 });
    call_as(&stage, &key, "ListUserPools", list()).await.expect(200);
    let fresh = stage.act(|conn| credentials::rotate(conn, &ctx, &key.id).unwrap());
    assert_eq!(
        refusal(&call_as(&stage, &key, "ListUserPools", list()).await).0,
        "InvalidSignatureException"
    );
    let key = Key {
        secret: fresh.to_string(),
        ..key
    };
    call_as(&stage, &key, "ListUserPools", list()).await.expect(200);
    stage.act(|conn| credentials::set_enabled(conn, &ctx, &key.id, false).unwrap());
    assert_eq!(
        refusal(&call_as(&stage, &key, "ListUserPools", list()).await).0,
        "UnrecognizedClientException"
    );
}

#[actix_web::test]
async fn another_pool_is_as_unknown_as_one_that_does_not_exist() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    let key = credential(&stage, Role::Admin, Some(POOL));
    let describe = |id: &str| json!({ "UserPoolId": id });
    call_as(&stage, &key, "DescribeUserPool", describe(POOL))
        .await
        .expect(200);
    for id in [other.as_str(), "us-local-1_Nothing00"] {
        let answer = call_as(&stage, &key, "DescribeUserPool", describe(id)).await;
        let expected = (
            "ResourceNotFoundException".to_owned(),
            format!("User pool {id} does not exist."),
        );
        assert_eq!(refusal(&answer), expected);
    }
    let answer = call_as(&stage, &key, "ListUserPools", json!({ "MaxResults": 60 }))
        .await
        .expect(200);
    assert_eq!(answer.json()["UserPools"].as_array().unwrap().len(), 1);
    let make = call_as(&stage, &key, "CreateUserPool", json!({ "PoolName": "x" })).await;
    assert_eq!(refusal(&make).0, "NotAuthorizedException");
}

#[actix_web::test]
async fn a_reader_changes_nothing() {
    let stage = Stage::new().await;
    let key = credential(&stage, Role::ReadOnly, None);
    call_as(&stage, &key, "ListUserPools", json!({ "MaxResults": 10 }))
        .await
        .expect(200);
    for (operation, input) in [
        ("CreateUserPool", json!({ "PoolName": "x" })),
        ("DeleteUserPool", json!({ "UserPoolId": POOL })),
        ("UpdateUserPool", json!({ "UserPoolId": POOL })),
    ] {
        let answer = call_as(&stage, &key, operation, input).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
    }
}

#[actix_web::test]
async fn changes_are_audited_under_the_access_key_and_its_use_is_remembered() {
    let stage = Stage::new().await;
    let made = pool(&stage).await;
    let (events, row) = stage.act(|conn| {
        (
            forebay::model::audit::recent(conn, Some(&made), 10).unwrap(),
            forebay::model::credential::find(conn, ACCESS_KEY)
                .unwrap()
                .unwrap(),
        )
    });
    assert_eq!(events[0].actor, format!("credential:{ACCESS_KEY}"));
    assert_eq!(row.last_used_at, Some(crate::support::NOW));
    call(&stage, "DeleteUserPool", json!({ "UserPoolId": made }))
        .await
        .expect(200);
}
