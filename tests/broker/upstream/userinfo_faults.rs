//! Userinfo that speaks of somebody else, or not at all (C-R13; M-108; OIDC Core §5.3.2).

use forebay::demo::okta::{GroupsFault, UserinfoFault};
use serde_json::{Map, Value, json};

use super::{attempt, failing, refused, rows, signs_in};
use crate::support::Stage;

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[actix_web::test]
async fn cr13_m108_userinfo_of_somebody_else_is_never_used() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    for (fault, cause, downstream) in [
        (
            UserinfoFault::SomeoneElse,
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::SubMissing,
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::Sub(json!("")),
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::Sub(json!(null)),
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::Sub(json!(7)),
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::Sub(json!("00U1ADA000000000ACME")),
            "USERINFO_SUBJECT_MISMATCH",
            "server_error",
        ),
        (
            UserinfoFault::Unauthorized,
            "USERINFO_FAILED",
            "temporarily_unavailable",
        ),
        (
            UserinfoFault::Signed,
            "USERINFO_FAILED",
            "temporarily_unavailable",
        ),
    ] {
        stage
            .acme
            .set_faults(|faults| faults.userinfo = vec![fault.clone()]);
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, downstream);
        assert!(failing(&trace).unwrap().starts_with("userinfo"), "{fault:?}");
        assert_eq!(rows(&stage), before, "{fault:?} left something behind");
    }
}

#[actix_web::test]
async fn cr13_userinfo_that_opens_nothing_leaves_the_id_token_to_do() {
    let stage = Stage::new().await;
    stage
        .acme
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::InsufficientScope]);
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["email"], "ada@acme.test", "of the ID token");
    assert_eq!(id.get("given_name"), None, "only userinfo has it");
}

#[actix_web::test]
async fn userinfo_never_overrides_what_the_id_token_says() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.userinfo = vec![UserinfoFault::Set(members(
            json!({"email": "root@acme.test", "iss": "https://evil.test", "aud": "x", "nonce": "x", "auth_time": 1, "given_name": "Augusta"}),
        ))];
    });
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["email"], "ada@acme.test");
    assert_eq!(id["iss"], stage.issuer());
    assert_eq!(id["auth_time"], crate::support::NOW.0);
    assert_eq!(id["given_name"], "Augusta", "what the ID token lacks is filled");
}

#[actix_web::test]
async fn more_than_a_hundred_groups_are_named_as_the_cause() {
    let stage = Stage::new().await;
    stage
        .acme
        .set_faults(|faults| faults.groups = Some(GroupsFault::TooMany));
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "groups_overflow", "server_error");
    assert!(trace.story.remedy.contains("100 groups"), "{trace:?}");
}
