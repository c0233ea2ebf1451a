//! ID tokens: every wrong one of the stand-in is refused by name, every unusual one accepted (musts C-R2 to C-R10, C-R15).

use serde_json::json;

use super::*;
use crate::demo::okta::IdTokenFault::{self, *};
use crate::demo::okta::KeysFault;

#[actix_web::test]
async fn each_wrong_id_token_is_refused_by_its_name() {
    let stage = Stage::new().await;
    for fault in IdTokenFault::unlawful() {
        stage
            .okta
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        let expected = match &fault {
            NonceMissing | NonceWrong | Nonce(_) => "NONCE_MISMATCH",
            Iss(_) | IssTrailingSlash | IssOtherServer | IssMissing => "BAD_ID_TOKEN_ISSUER",
            AudOther | AudMissing | AudEmptyList | AudTwo | AudTwoAzpUs | AudTwoAzpOther => {
                "AUDIENCE_MISMATCH"
            }
            AzpOther => "AZP_MISMATCH",
            SubMissing | SubEmpty | SubNull | SubNumber | SubLong => "SUBJECT_INVALID",
            IatMissing | IatAhead(_) | IatAgo(_) => "ISSUED_AT_INVALID",
            ExpMissing | ExpAgo(_) | ExpString | ExpNegative | ExpHuge => "TOKEN_EXPIRED",
            NbfAhead(_) => "NOT_YET_VALID",
            AtHashWrong => "AT_HASH_MISMATCH",
            SignatureAltered | PayloadAltered | SignedByStranger | BringsItsKey => "SIGNATURE_INVALID",
            KidUnknown => "UNKNOWN_KID",
            AlgNone | SignatureEmpty | Crit | Encrypted | NotAJwt => "ID_TOKEN_MALFORMED",
            Hs256ClientSecret | Hs256PublicKey | Es256Garbage | Alg(_) => "ALGORITHM_MISMATCH",
            KeyForEncryption => "UNKNOWN_KID",
            other => panic!("{other:?} has no expected cause"),
        };
        stage.okta.forget_requests();
        let (result, steps) = stage.sign_in().await;
        let failure = result.expect_err(&format!("{fault:?} was accepted"));
        assert_eq!(failure.cause.name(), expected, "{fault:?}: {steps:?}");
        assert!(
            failed(&steps).iter().all(|name| name.starts_with("id_token.")),
            "{fault:?}: {steps:?}"
        );
        assert!(
            stage.requests_to("/userinfo").is_empty(),
            "{fault:?}: silence after a refusal"
        );
    }
}

#[actix_web::test]
async fn each_unusual_id_token_is_accepted() {
    let stage = Stage::new().await;
    for fault in IdTokenFault::lawful() {
        stage
            .okta
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        let (result, steps) = stage.sign_in().await;
        let identity = result.unwrap_or_else(|failure| panic!("{fault:?}: {failure}"));
        assert!(failed(&steps).is_empty(), "{fault:?}: {steps:?}");
        assert!(!identity.claims.contains_key("_claim_sources"));
    }
    assert!(
        stage
            .okta
            .requests()
            .iter()
            .all(|seen| !seen.path.contains("claims")),
        "C-R19: nothing is fetched"
    );
}

#[actix_web::test]
async fn the_trace_shows_every_rule_also_beside_one_that_fails() {
    let stage = Stage::new().await;
    stage
        .okta
        .set_faults(|faults| faults.id_token = vec![NonceWrong, IssTrailingSlash]);
    let (result, steps) = stage.sign_in().await;
    assert_eq!(result.unwrap_err().cause.name(), "BAD_ID_TOKEN_ISSUER");
    assert_eq!(failed(&steps), ["id_token.iss", "id_token.nonce"]);
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "callback.iss",
            "token",
            "clock",
            "id_token.form",
            "id_token.header",
            "id_token.typ",
            "id_token.alg",
            "id_token.kid",
            "id_token.signature",
            "id_token.iss",
            "id_token.aud",
            "id_token.azp",
            "id_token.sub",
            "id_token.exp",
            "id_token.iat",
            "id_token.nonce",
            "id_token.at_hash",
        ]
    );
    assert!(
        steps
            .iter()
            .all(|step| !step.detail.contains("the-nonce") && !step.detail.contains("eyJ"))
    );
}

#[actix_web::test]
async fn a_token_of_another_type_or_with_a_date_that_is_none_is_refused() {
    let stage = Stage::new().await;
    for (claims, expected) in [
        (json!({"iat": "1790000000"}), "ISSUED_AT_INVALID"),
        (json!({"exp": true}), "TOKEN_EXPIRED"),
        (json!({"exp": [1_790_003_600]}), "TOKEN_EXPIRED"),
        (json!({"nbf": "0"}), "NOT_YET_VALID"),
        (json!({"nonce": ["the-nonce"]}), "NONCE_MISMATCH"),
        (json!({"at_hash": 7}), "AT_HASH_MISMATCH"),
        (json!({"azp": null}), "AZP_MISMATCH"),
        (json!({"aud": {"a": CLIENT}}), "AUDIENCE_MISMATCH"),
        (json!({"aud": [CLIENT, 7]}), "AUDIENCE_MISMATCH"),
        (json!({"sub": "caf\u{e9}"}), "SUBJECT_INVALID"),
        (json!({"exp": 1_790_003_600.5, "iat": 1_789_999_999.25}), ""),
    ] {
        let set = Set(claims.as_object().unwrap().clone());
        stage.okta.set_faults(|faults| faults.id_token = vec![set]);
        assert_eq!(stage.cause().await, expected, "{claims}");
    }
    stage
        .okta
        .set_faults(|faults| faults.id_token = vec![Typ("at+jwt".into())]);
    assert_eq!(stage.cause().await, "ID_TOKEN_MALFORMED");
}

#[actix_web::test]
async fn a_key_is_used_only_for_what_it_is_published_for() {
    for (fault, expected) in [
        (KeysFault::Empty, "UNKNOWN_KID"),
        (KeysFault::Withhold, "UNKNOWN_KID"),
        (KeysFault::Stranger, "SIGNATURE_INVALID"),
        (KeysFault::OtherAlg, "SIGNATURE_INVALID"),
        (KeysFault::UseEncryption, "UNKNOWN_KID"),
        (KeysFault::NoKid, "UNKNOWN_KID"),
        (KeysFault::Duplicate, ""),
        (KeysFault::Crowd(20), ""),
        (KeysFault::Odd, ""),
    ] {
        let stage = Stage::new().await;
        stage.okta.set_faults(|faults| faults.keys = vec![fault.clone()]);
        assert_eq!(stage.cause().await, expected, "{fault:?}");
    }
    for odd in okta::OddKey::ALL {
        let stage = Stage::new().await;
        stage
            .okta
            .set_faults(|faults| faults.keys = vec![KeysFault::Replaced(odd)]);
        let cause = stage.cause().await;
        let expected = match odd {
            okta::OddKey::EmptyX5c => "",
            // A good key, only not one that could have made this signature.
            okta::OddKey::EllipticCurve => "SIGNATURE_INVALID",
            _ => "UNKNOWN_KID",
        };
        assert_eq!(cause, expected, "{odd:?}");
    }
}

#[actix_web::test]
async fn an_algorithm_that_is_admitted_still_has_to_be_the_keys() {
    let mut stage = Stage::new().await;
    stage.settings(|settings| settings.id_token_algorithms.push("PS256".into()));
    assert_eq!(stage.cause().await, "");
    stage
        .okta
        .set_faults(|faults| faults.id_token = vec![Alg("PS256".into())]);
    assert_eq!(
        stage.cause().await,
        "SIGNATURE_INVALID",
        "the key is published for RS256"
    );
    stage.settings(|settings| settings.id_token_algorithms = vec!["HS256".into(), "none".into()]);
    stage
        .okta
        .set_faults(|faults| faults.id_token = vec![Hs256ClientSecret]);
    assert_eq!(
        stage.cause().await,
        "ALGORITHM_MISMATCH",
        "a secret is never a verifying key"
    );
}

#[actix_web::test]
async fn a_token_without_a_kid_is_tried_with_every_suitable_key() {
    let stage = Stage::new().await;
    stage.okta.set_faults(|faults| {
        faults.id_token = vec![KidAbsent];
        faults.keys = vec![KeysFault::Crowd(3), KeysFault::NoKid];
    });
    assert_eq!(stage.cause().await, "");
    stage.okta.set_faults(|faults| {
        faults.id_token = vec![KidAbsent];
        faults.keys = vec![KeysFault::Withhold];
    });
    stage.clock.advance(25 * 3600);
    assert_eq!(stage.cause_at(NOW.plus(25 * 3600)).await, "SIGNATURE_INVALID");
}

#[actix_web::test]
async fn a_fresh_sign_in_that_was_asked_for_is_demanded() {
    let stage = Stage::new().await;
    for (fault, max_age, since, expected) in [
        (None, Some(0), None, ""),
        (None, None, Some(NOW), ""),
        (Some(AuthTimeAgo(3600)), None, None, ""),
        (Some(AuthTimeAgo(3600)), Some(7200), None, ""),
        (Some(AuthTimeAgo(3600)), Some(600), None, "AUTH_TIME_TOO_OLD"),
        (Some(AuthTimeAgo(3600)), None, Some(NOW), "AUTH_TIME_TOO_OLD"),
        (Some(AuthTimeAgo(-3600)), Some(600), None, "AUTH_TIME_TOO_OLD"),
        (
            Some(Remove(vec!["auth_time".into()])),
            Some(600),
            None,
            "AUTH_TIME_TOO_OLD",
        ),
        (Some(Remove(vec!["auth_time".into()])), None, None, ""),
    ] {
        stage
            .okta
            .set_faults(|faults| faults.id_token = fault.clone().into_iter().collect());
        let (result, _) = stage
            .sign_in_expecting(|e| {
                e.max_age = max_age;
                e.reauthenticate_since = since;
            })
            .await;
        let cause = result.err().map_or("", |failure| failure.cause.name());
        assert_eq!(cause, expected, "{fault:?} {max_age:?} {since:?}");
    }
}

#[actix_web::test]
async fn the_assurance_that_was_asked_for_is_demanded() {
    let stage = Stage::new().await;
    for (acr, expected) in [
        (json!("phr"), ""),
        (json!("other"), "acr_not_met"),
        (json!(null), "acr_not_met"),
    ] {
        let set = Set([("acr".to_owned(), acr)].into_iter().collect());
        stage.okta.set_faults(|faults| faults.id_token = vec![set]);
        let (result, _) = stage
            .sign_in_expecting(|e| e.acr_values = Some("urn:okta:loa:2fa:any phr".into()))
            .await;
        assert_eq!(result.err().map_or("", |failure| failure.cause.name()), expected);
    }
}

#[actix_web::test]
async fn clocks_that_differ_are_named_as_the_cause() {
    for (ahead, expected) in [
        (0, ""),
        (30, ""),
        (-30, ""),
        (240, "CLOCK_SKEW"),
        (3600, "CLOCK_SKEW"),
        (-7200, "CLOCK_SKEW"),
    ] {
        let stage = Stage::at(Server::Org, ahead).await;
        assert_eq!(stage.cause().await, expected, "{ahead}");
    }
}
