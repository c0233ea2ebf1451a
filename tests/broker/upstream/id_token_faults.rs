//! Wrong ID tokens, each through a whole sign-in (OIDC Core §3.1.3.7; C-R2 to C-R10, C-R15, M-106, M-107, M-118 to M-120).

use forebay::demo::okta::IdTokenFault::{self, *};
use forebay::demo::okta::{Endpoint, KeysFault, Server, TokenFault, UserinfoFault};
use serde_json::{Map, Value, json};

use super::{asked, attempt, failing, refused, rows, signed_in, signs_in};
use crate::support::Stage;

/// Cause on the page and the check that the trace shows as failed.
fn expected(fault: &IdTokenFault) -> (&'static str, &'static str) {
    match fault {
        NonceMissing | NonceWrong | Nonce(_) => ("NONCE_MISMATCH", "id_token.nonce"),
        Iss(_) | IssTrailingSlash | IssOtherServer | IssMissing => ("BAD_ID_TOKEN_ISSUER", "id_token.iss"),
        AudOther | AudMissing | AudEmptyList | AudTwo | AudTwoAzpUs | AudTwoAzpOther => {
            ("AUDIENCE_MISMATCH", "id_token.aud")
        }
        AzpOther => ("AZP_MISMATCH", "id_token.azp"),
        SubMissing | SubEmpty | SubNull | SubNumber | SubLong => ("SUBJECT_INVALID", "id_token.sub"),
        IatMissing | IatAhead(_) | IatAgo(_) => ("ISSUED_AT_INVALID", "id_token.iat"),
        ExpMissing | ExpAgo(_) | ExpString | ExpNegative | ExpHuge => ("TOKEN_EXPIRED", "id_token.exp"),
        NbfAhead(_) => ("NOT_YET_VALID", "id_token.nbf"),
        AtHashWrong => ("AT_HASH_MISMATCH", "id_token.at_hash"),
        SignatureAltered | PayloadAltered | SignedByStranger | BringsItsKey => {
            ("SIGNATURE_INVALID", "id_token.signature")
        }
        KidUnknown | KeyForEncryption => ("UNKNOWN_KID", "id_token.signature"),
        AlgNone | SignatureEmpty | Encrypted | NotAJwt => ("ID_TOKEN_MALFORMED", "id_token.form"),
        Crit => ("ID_TOKEN_MALFORMED", "id_token.header"),
        Typ(_) => ("ID_TOKEN_MALFORMED", "id_token.typ"),
        Hs256ClientSecret | Hs256PublicKey | Es256Garbage | Alg(_) => ("ALGORITHM_MISMATCH", "id_token.alg"),
        SubOther => ("USERINFO_SUBJECT_MISMATCH", "userinfo.sub"),
        other => panic!("{other:?} has no expected cause"),
    }
}

#[actix_web::test]
async fn m106_m107_m119_m120_each_wrong_id_token_ends_in_a_page_that_names_it_and_never_in_a_token() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    let more = [SubOther, Typ("at+jwt".into())];
    for fault in IdTokenFault::unlawful().into_iter().chain(more) {
        let (cause, check) = expected(&fault);
        stage
            .acme
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        stage.acme.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, "server_error");
        assert_eq!(failing(&trace), Some(check), "{fault:?}: {trace:?}");
        assert_eq!(trace.provider_id.as_deref(), Some("acme-okta"));
        assert_eq!(trace.user_sub, None, "{fault:?}");
        assert!(trace.reached_provider);
        assert_eq!(rows(&stage), before, "{fault:?} left something behind");
        let tokens = asked(&stage.acme)
            .into_iter()
            .filter(|endpoint| *endpoint == Endpoint::Token)
            .count();
        assert_eq!(tokens, 1, "{fault:?}: the code is sent once");
        if fault != SubOther {
            assert!(
                !asked(&stage.acme).contains(&Endpoint::Userinfo),
                "{fault:?}: silence after the refusal"
            );
        }
    }
    stage.acme.set_faults(|faults| faults.id_token.clear());
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn cr3_each_unusual_but_lawful_id_token_signs_in() {
    let stage = Stage::new().await;
    for fault in IdTokenFault::lawful().into_iter().chain([Padded(20_000)]) {
        stage
            .acme
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        let back = attempt(&stage, "ada@acme.test").await;
        assert_eq!(back.status, 302, "{fault:?}: {back:?}");
        let id = signed_in(&stage, &back).await;
        assert_eq!(id["email"], "ada@acme.test", "{fault:?}");
    }
    assert!(
        stage
            .acme
            .requests()
            .iter()
            .all(|seen| !seen.path.contains("claim")),
        "C-R19: claims that are said to be elsewhere are not fetched"
    );
}

#[actix_web::test]
async fn cr6_a_clock_that_is_off_by_less_than_a_minute_is_forgiven_and_one_further_off_is_named() {
    for (ahead, cause) in [
        (30, None),
        (-30, None),
        (240, Some("CLOCK_SKEW")),
        (-7200, Some("CLOCK_SKEW")),
    ] {
        let stage = Stage::new().await;
        stage.acme.set_faults(|faults| faults.clock_ahead = ahead);
        let page = attempt(&stage, "ada@acme.test").await;
        match cause {
            None => {
                let id = signed_in(&stage, &page).await;
                assert!(id["exp"].as_i64() > id["iat"].as_i64());
                assert!(id["auth_time"].as_i64() <= id["iat"].as_i64(), "{ahead}: {id}");
            }
            Some(cause) => {
                let trace = refused(&stage, &page, cause, "server_error");
                assert!(
                    trace
                        .story
                        .steps
                        .iter()
                        .any(|step| step.name == "clock" && !step.passed)
                );
                assert!(trace.story.remedy.contains("NTP"));
            }
        }
    }
}

#[actix_web::test]
async fn f19_a_clock_that_steps_back_an_hour_makes_no_token_that_ends_before_it_begins() {
    let stage = Stage::new().await;
    stage.clock.advance(86_400);
    signs_in(&stage, "ada@acme.test").await;
    // Both sides follow the same time server.
    stage.clock.advance(-3600);
    for login in ["ada@acme.test", "grace@acme.test"] {
        let id = signs_in(&stage, login).await;
        let at = |name: &str| id[name].as_i64().unwrap();
        assert_eq!(at("exp") - at("iat"), 3600, "{id}");
        assert!(at("auth_time") <= at("iat"), "{id}");
    }
    stage
        .acme
        .set_faults(|faults| faults.id_token = vec![ExpAgo(360)]);
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "TOKEN_EXPIRED", "server_error");
}

#[actix_web::test]
async fn a86_a89_a_token_signed_by_another_organisation_is_refused_even_under_our_organisations_kid() {
    let stage = Stage::new().await;
    let keys = stage
        .browser()
        .open(&format!("{}/oauth2/v1/keys", stage.acme.issuer()))
        .await;
    let kid = keys.json()["keys"][0]["kid"].clone();
    let claims = json!({"iss": stage.acme.issuer(), "sub": "00u1ada000000000acme", "nonce": "n"});
    for (header, cause) in [
        (json!({}), "UNKNOWN_KID"),
        (json!({ "kid": kid }), "SIGNATURE_INVALID"),
        (
            json!({ "kid": kid, "jku": format!("{}/oauth2/v1/keys", stage.globex.issuer()) }),
            "SIGNATURE_INVALID",
        ),
    ] {
        let object = |value: &Value| value.as_object().cloned().unwrap_or_else(Map::new);
        let token = stage
            .globex
            .sign(Server::Org, &object(&header), &object(&claims))
            .unwrap();
        let members = object(&json!({ "id_token": token }));
        stage
            .acme
            .set_faults(|faults| faults.token = vec![TokenFault::Set(members)]);
        stage.globex.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, cause, "server_error");
        assert!(
            stage.globex.requests().is_empty(),
            "M-119: no header leads to other keys"
        );
    }
}

#[actix_web::test]
async fn cr9_cr10_without_a_kid_every_suitable_key_is_tried() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.id_token = vec![KidAbsent];
        faults.keys = vec![KeysFault::Crowd(3)];
    });
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn a48_only_true_and_the_word_true_mean_that_an_address_is_verified() {
    let stage = Stage::new().await;
    for (said, verified) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
        (json!("TRUE"), false),
        (json!("yes"), false),
        (json!([true]), false),
        (json!({"value": true}), false),
    ] {
        stage.acme.set_faults(|faults| {
            faults.id_token = vec![EmailVerified(said.clone())];
            faults.userinfo = vec![UserinfoFault::EmailVerified(said.clone())];
        });
        let back = attempt(&stage, "grace@acme.test").await;
        let id = signed_in(&stage, &back).await;
        assert_eq!(id["email_verified"] == json!(true), verified, "{said}: {id}");
    }
}

#[actix_web::test]
async fn m106_a_fresh_sign_in_that_the_app_asked_for_is_demanded() {
    let stage = Stage::new().await;
    for (asked_for, cause) in [
        (("prompt", "login"), Some("AUTH_TIME_TOO_OLD")),
        (("max_age", "600"), Some("AUTH_TIME_TOO_OLD")),
        (("max_age", "7200"), None),
    ] {
        stage
            .acme
            .set_faults(|faults| faults.id_token = vec![AuthTimeAgo(3600)]);
        let url = stage.authorize(&[asked_for, ("identity_provider", "acme-okta")]);
        let page = stage.browser().sign_in("ada@acme.test", &url).await;
        match cause {
            Some(cause) => {
                let trace = refused(&stage, &page, cause, "server_error");
                assert_eq!(failing(&trace), Some("id_token.auth_time"));
            }
            None => drop(signed_in(&stage, &page).await),
        }
    }
}
