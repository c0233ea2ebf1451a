//! The domains of user pools through the API: made, described, changed, deleted. What they serve is tested at the endpoints.

use forebay::demo::POOL;
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{call, call_as, pool, refusal};
use crate::support::Stage;

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:000000000000:certificate/1";

fn prefix(pool: &str, domain: &str) -> Value {
    json!({ "UserPoolId": pool, "Domain": domain })
}

async fn described(stage: &Stage, domain: &str) -> Value {
    let answer = call(stage, "DescribeUserPoolDomain", json!({ "Domain": domain }))
        .await
        .expect(200);
    answer.json()["DomainDescription"].clone()
}

#[actix_web::test]
async fn a_prefix_and_a_domain_of_their_own_are_described_until_they_are_deleted() {
    let stage = Stage::new().await;
    assert_eq!(described(&stage, "acme").await, json!({}));
    let made = call(&stage, "CreateUserPoolDomain", prefix(POOL, "acme"))
        .await
        .expect(200);
    assert_eq!(made.json(), json!({ "ManagedLoginVersion": 1 }));
    let shown = described(&stage, "acme").await;
    assert_eq!(
        (
            &shown["Status"],
            &shown["UserPoolId"],
            &shown["CustomDomainConfig"]
        ),
        (&json!("ACTIVE"), &json!(POOL), &json!(null))
    );

    let custom = json!({
        "UserPoolId": POOL, "Domain": "login.acme.test", "ManagedLoginVersion": 2,
        "CustomDomainConfig": { "CertificateArn": CERTIFICATE },
    });
    let made = call(&stage, "CreateUserPoolDomain", custom).await.expect(200);
    assert_eq!(
        made.json(),
        json!({ "ManagedLoginVersion": 2, "CloudFrontDomain": "localhost" })
    );
    let update = json!({
        "UserPoolId": POOL, "Domain": "login.acme.test",
        "CustomDomainConfig": { "CertificateArn": format!("{CERTIFICATE}2") },
    });
    call(&stage, "UpdateUserPoolDomain", update).await.expect(200);
    let shown = described(&stage, "login.acme.test").await;
    assert_eq!(
        shown["CustomDomainConfig"]["CertificateArn"],
        format!("{CERTIFICATE}2")
    );
    assert_eq!(shown["ManagedLoginVersion"], 2, "what was left out stays");

    for domain in ["acme", "login.acme.test"] {
        let gone = call(&stage, "DeleteUserPoolDomain", prefix(POOL, domain)).await;
        assert_eq!(gone.expect(200).json(), json!({}));
        assert_eq!(described(&stage, domain).await, json!({}));
        let again = call(&stage, "DeleteUserPoolDomain", prefix(POOL, domain)).await;
        assert_eq!(refusal(&again).0, "ResourceNotFoundException");
    }
}

#[actix_web::test]
async fn a_domain_that_cannot_be_is_refused_by_what_is_wrong() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    call(&stage, "CreateUserPoolDomain", prefix(POOL, "acme"))
        .await
        .expect(200);
    let arn = json!({ "CertificateArn": CERTIFICATE });
    for (input, says) in [
        (prefix(POOL, "second"), "acme already"),
        (prefix(&other, "acme"), "already exists"),
        (prefix(&other, "my-aws-login"), "'aws'"),
        (prefix(&other, "-x"), "pattern"),
        (prefix(&other, "login.acme.test"), "CustomDomainConfig"),
        (
            json!({ "UserPoolId": other, "Domain": "prefix", "CustomDomainConfig": arn }),
            "CustomDomainConfig",
        ),
        (
            json!({ "UserPoolId": other, "Domain": "x.localhost", "CustomDomainConfig": arn }),
            "this service",
        ),
        (
            json!({ "UserPoolId": other, "Domain": "ok", "ManagedLoginVersion": 3 }),
            "ManagedLoginVersion",
        ),
    ] {
        let (name, message) = refusal(&call(&stage, "CreateUserPoolDomain", input).await);
        assert_eq!(name, "InvalidParameterException", "{message}");
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[actix_web::test]
async fn a_pool_with_a_domain_stays_until_the_domain_is_gone() {
    let stage = Stage::new().await;
    let id = pool(&stage).await;
    call(&stage, "CreateUserPoolDomain", prefix(&id, "leaving"))
        .await
        .expect(200);
    let (name, message) = refusal(&call(&stage, "DeleteUserPool", json!({ "UserPoolId": id })).await);
    assert_eq!(name, "InvalidParameterException");
    assert!(
        message.contains("domain configured that should be deleted first") && message.contains("leaving"),
        "{message}"
    );
    call(&stage, "DeleteUserPoolDomain", prefix(&id, "leaving"))
        .await
        .expect(200);
    call(&stage, "DeleteUserPool", json!({ "UserPoolId": id }))
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_domain_out_of_reach_is_described_as_nothing() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    call(&stage, "CreateUserPoolDomain", prefix(POOL, "acme"))
        .await
        .expect(200);
    let stranger = credential(&stage, Role::Admin, Some(&other));
    let reader = credential(&stage, Role::ReadOnly, None);
    let describe = json!({ "Domain": "acme" });
    let seen = call_as(&stage, &stranger, "DescribeUserPoolDomain", describe.clone()).await;
    assert_eq!(seen.expect(200).json(), json!({ "DomainDescription": {} }));
    let seen = call_as(&stage, &reader, "DescribeUserPoolDomain", describe).await;
    assert_eq!(seen.expect(200).json()["DomainDescription"]["Domain"], "acme");
    for operation in [
        "UpdateUserPoolDomain",
        "DeleteUserPoolDomain",
        "CreateUserPoolDomain",
    ] {
        for pool in [POOL, &other] {
            if pool == other && operation == "CreateUserPoolDomain" {
                continue;
            }
            let answer = call_as(&stage, &stranger, operation, prefix(pool, "acme")).await;
            assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "{operation}");
        }
        let answer = call_as(&stage, &reader, operation, prefix(POOL, "acme")).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
    }
}

#[actix_web::test]
async fn a_credential_of_one_pool_takes_prefixes_only() {
    let stage = Stage::new().await;
    let key = credential(&stage, Role::Admin, Some(POOL));
    let custom = json!({
        "UserPoolId": POOL, "Domain": "login.globex.test", "CustomDomainConfig": { "CertificateArn": CERTIFICATE },
    });
    let refused = call_as(&stage, &key, "CreateUserPoolDomain", custom).await;
    let (name, message) = refusal(&refused);
    assert_eq!(name, "NotAuthorizedException");
    assert!(message.contains("reaches every pool"), "{message}");
    assert_eq!(described(&stage, "login.globex.test").await, json!({}));
    call_as(&stage, &key, "CreateUserPoolDomain", prefix(POOL, "acme"))
        .await
        .expect(200);
}
