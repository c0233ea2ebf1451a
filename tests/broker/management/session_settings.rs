//! Session and second-factor settings through the API, and what they do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay::demo::{POOL, WEB_CLIENT};
use serde_json::json;

use super::{call, refusal};
use crate::support::{Stage, query_of};

#[actix_web::test]
async fn the_oldest_of_too_many_sign_ins_ends() {
    let stage = Stage::new().await;
    let set = json!({
        "UserPoolId": POOL, "UserSessionTracking": "ENABLED", "TokenSession": { "MaxPerUser": 2 },
    });
    call(&stage, "SetUserPoolSessionConfiguration", set.clone())
        .await
        .expect(200);
    let shown = call(
        &stage,
        "GetUserPoolSessionConfiguration",
        json!({ "UserPoolId": POOL }),
    )
    .await;
    assert_eq!(shown.expect(200).json(), set);

    let first = stage.tokens_for("ada@acme.test", &[]).await;
    stage.clock.advance(1);
    let second = stage.tokens_for("ada@acme.test", &[]).await;
    stage.clock.advance(1);
    let third = stage.tokens_for("ada@acme.test", &[]).await;
    let mut alive = Vec::new();
    for tokens in [&first, &second, &third] {
        alive.push(stage.refresh(tokens.refresh.as_deref().unwrap()).await.status);
    }
    assert_eq!(alive, [400, 200, 200]);
}

#[actix_web::test]
async fn an_app_takes_an_earlier_sign_in_only_for_so_long() {
    let stage = Stage::new().await;
    let set = json!({
        "UserPoolId": POOL, "ClientId": WEB_CLIENT, "SSOSession": { "MaxValidityMinutes": 5 },
    });
    let answer = call(&stage, "SetUserPoolClientSessionConfiguration", set.clone()).await;
    assert_eq!(answer.expect(200).json(), set);
    let shown = call(
        &stage,
        "GetUserPoolClientSessionConfiguration",
        json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT }),
    )
    .await;
    assert_eq!(shown.expect(200).json(), set);

    let mut browser = stage.signed_in("ada@acme.test").await;
    stage.clock.advance(299);
    let back = browser.open(&stage.authorize(&[])).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    stage.clock.advance(1);
    let back = browser.open(&stage.authorize(&[])).await;
    assert!(back.location().starts_with("/login"), "{back:?}");
}

#[actix_web::test]
async fn that_there_is_no_second_factor_can_be_said_and_nothing_else() {
    let stage = Stage::new().await;
    let off = json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" });
    let answer = call(&stage, "SetUserPoolMfaConfig", off).await.expect(200);
    assert_eq!(answer.json(), json!({ "MfaConfiguration": "OFF" }));
    for promise in [
        json!({ "UserPoolId": POOL, "MfaConfiguration": "ON" }),
        json!({ "UserPoolId": POOL, "SoftwareTokenMfaConfiguration": { "Enabled": true } }),
        json!({ "UserPoolId": POOL, "WebAuthnConfiguration": { "UserVerification": "required" } }),
    ] {
        let answer = call(&stage, "SetUserPoolMfaConfig", promise.clone()).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{promise}");
    }
    let nowhere = json!({ "UserPoolId": "us-local-1_Nothing00", "MfaConfiguration": "OFF" });
    let answer = call(&stage, "SetUserPoolMfaConfig", nowhere).await;
    assert_eq!(refusal(&answer).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn the_signing_key_is_there_as_a_certificate_always_the_same() {
    let stage = Stage::new().await;
    let wanted = json!({ "UserPoolId": POOL });
    let first = call(&stage, "GetSigningCertificate", wanted.clone())
        .await
        .expect(200);
    let text = first.json()["Certificate"].as_str().unwrap().to_owned();
    let der = STANDARD.decode(&text).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert_eq!(certificate.subject().to_string(), format!("CN={POOL}"));
    let again = call(&stage, "GetSigningCertificate", wanted).await.expect(200);
    assert_eq!(again.json()["Certificate"], text);
    let nowhere = json!({ "UserPoolId": "us-local-1_Nothing00" });
    let answer = call(&stage, "GetSigningCertificate", nowhere).await;
    assert_eq!(refusal(&answer).0, "ResourceNotFoundException");
}
