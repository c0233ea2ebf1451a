//! Discovery and keys that are wrong, missing, late or changing (C-R11, C-R12, C-R14; F16 to F18; A-85; M-110, M-119).

use forebay::demo::okta::IdTokenFault;
use forebay::demo::okta::{
    AuthorizeFault, Endpoint, KeysFault, MetadataFault, OddKey, TokenFault, Transport, Trouble,
};
use serde_json::json;

use super::{asked, attempt, failing, refused, rows, signs_in};
use crate::support::Stage;

const DAY: i64 = 86_400;

fn times(stage: &Stage, endpoint: Endpoint) -> usize {
    asked(&stage.acme)
        .into_iter()
        .filter(|one| *one == endpoint)
        .count()
}

/// Asserts that the browser did not even leave, and that nothing else was asked for.
#[track_caller]
fn never_left(stage: &Stage) {
    assert!(
        stage
            .acme
            .requests()
            .iter()
            .all(|seen| Endpoint::of(&seen.path) == Some(Endpoint::Discovery)),
        "{:?}",
        asked(&stage.acme)
    );
}

#[actix_web::test]
async fn cr14_metadata_that_is_wrong_stops_the_sign_in_before_the_browser_leaves() {
    let set = |value: serde_json::Value| MetadataFault::Set(value.as_object().cloned().unwrap());
    for (fault, cause, downstream) in [
        (
            MetadataFault::Issuer("https://evil.okta.example".into()),
            "ISSUER_MISMATCH",
            "server_error",
        ),
        (
            MetadataFault::IssuerTrailingSlash,
            "ISSUER_MISMATCH",
            "server_error",
        ),
        (
            MetadataFault::IssuerOtherServer,
            "ISSUER_MISMATCH",
            "server_error",
        ),
        (
            MetadataFault::Remove(vec!["issuer".into()]),
            "ISSUER_MISMATCH",
            "server_error",
        ),
        (MetadataFault::HttpEndpoints, "ENDPOINT_REFUSED", "server_error"),
        (
            MetadataFault::TokenEndpoint("http://169.254.169.254/latest".into()),
            "ENDPOINT_REFUSED",
            "server_error",
        ),
        (
            MetadataFault::TokenEndpoint("file:///etc/passwd".into()),
            "ENDPOINT_REFUSED",
            "server_error",
        ),
        (
            MetadataFault::JwksUri("http://10.0.0.1/keys".into()),
            "ENDPOINT_REFUSED",
            "server_error",
        ),
        (
            set(json!({"authorization_endpoint": "javascript:alert(1)"})),
            "ENDPOINT_REFUSED",
            "server_error",
        ),
        (
            MetadataFault::Remove(vec!["token_endpoint".into()]),
            "DISCOVERY_FAILED",
            "temporarily_unavailable",
        ),
        (
            set(json!({"jwks_uri": 7})),
            "DISCOVERY_FAILED",
            "temporarily_unavailable",
        ),
    ] {
        let stage = Stage::new().await;
        stage
            .acme
            .set_faults(|faults| faults.discovery = vec![fault.clone()]);
        let before = rows(&stage);
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, downstream);
        assert_eq!(failing(&trace), Some("authorize"), "{fault:?}");
        assert!(!trace.reached_provider);
        assert!(
            trace.story.steps.iter().any(|step| step.detail.contains(cause)),
            "{trace:?}"
        );
        assert_eq!(rows(&stage), before);
        never_left(&stage);
        signs_in(&stage, "hank@globex.test").await;
    }
}

#[actix_web::test]
async fn f10_metadata_that_cannot_be_fetched_has_its_page() {
    let status = |status: u16| Trouble::Status {
        status,
        content_type: "application/json".into(),
        body: "{}".into(),
    };
    let elsewhere = Trouble::Redirect {
        location: "https://acme.okta.example/.well-known/openid-configuration".into(),
    };
    let down = "temporarily_unavailable";
    for (trouble, cause, downstream) in [
        (status(404), "DISCOVERY_404", "server_error"),
        (Trouble::ServerError, "provider_unavailable", down),
        (Trouble::RateLimited { reset_in: 30 }, "rate_limited", down),
        (Trouble::Html, "DISCOVERY_FAILED", down),
        (elsewhere, "REDIRECT_REFUSED", "server_error"),
        (Trouble::DeepNesting { depth: 50_000 }, "DISCOVERY_FAILED", down),
        (
            Trouble::Huge { bytes: 1 << 30 },
            "RESPONSE_TOO_LARGE",
            "server_error",
        ),
        (Trouble::Cut, "CONNECTION_LOST", down),
    ] {
        let stage = Stage::new().await;
        stage.acme.set_faults(|faults| {
            faults.transport = [(Endpoint::Discovery, Transport::trouble(trouble.clone()))].into();
        });
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, downstream);
        assert_eq!(failing(&trace), Some("authorize"), "{trouble:?}");
        never_left(&stage);
    }
}

#[actix_web::test]
async fn m110_an_announced_iss_parameter_must_come_and_a_wrong_one_is_refused_before_the_code_goes_anywhere()
{
    for (announced, answer, cause) in [
        (true, None, Some("CALLBACK_ISSUER_MISSING")),
        (true, Some(AuthorizeFault::IssRight), None),
        (false, Some(AuthorizeFault::IssRight), None),
        (
            true,
            Some(AuthorizeFault::Iss("https://evil.test".into())),
            Some("CALLBACK_ISSUER_MISMATCH"),
        ),
        (
            false,
            Some(AuthorizeFault::Iss("https://evil.test".into())),
            Some("CALLBACK_ISSUER_MISMATCH"),
        ),
    ] {
        let stage = Stage::new().await;
        stage.acme.set_faults(|faults| {
            faults.discovery = announced
                .then_some(MetadataFault::AnnounceIss)
                .into_iter()
                .collect();
            faults.authorize = answer.clone().into_iter().collect();
        });
        let page = attempt(&stage, "ada@acme.test").await;
        match cause {
            None => assert_eq!(page.status, 302, "{announced} {answer:?}: {page:?}"),
            Some(cause) => {
                let trace = refused(&stage, &page, cause, "server_error");
                assert_eq!(failing(&trace), Some("callback.iss"));
                assert_eq!(times(&stage, Endpoint::Token), 0, "{announced} {answer:?}");
            }
        }
    }
}

#[actix_web::test]
async fn m118_algorithms_that_metadata_offers_as_bait_are_not_taken() {
    let stage = Stage::new().await;
    for fault in [
        IdTokenFault::AlgNone,
        IdTokenFault::Hs256ClientSecret,
        IdTokenFault::Hs256PublicKey,
    ] {
        stage.acme.set_faults(|faults| {
            faults.discovery = vec![MetadataFault::WeakAlgorithms];
            faults.id_token = vec![fault.clone()];
        });
        let page = attempt(&stage, "ada@acme.test").await;
        let cause = if fault == IdTokenFault::AlgNone {
            "ID_TOKEN_MALFORMED"
        } else {
            "ALGORITHM_MISMATCH"
        };
        refused(&stage, &page, cause, "server_error");
    }
}

#[actix_web::test]
async fn cr8_only_a_published_key_of_the_right_kind_verifies() {
    for (fault, cause) in [
        (KeysFault::Empty, Some("UNKNOWN_KID")),
        (KeysFault::Withhold, Some("UNKNOWN_KID")),
        (KeysFault::Stranger, Some("SIGNATURE_INVALID")),
        (KeysFault::NoKid, Some("UNKNOWN_KID")),
        (KeysFault::OtherAlg, Some("SIGNATURE_INVALID")),
        (KeysFault::UseEncryption, Some("UNKNOWN_KID")),
        (
            KeysFault::Replaced(OddKey::EllipticCurve),
            Some("SIGNATURE_INVALID"),
        ),
        (KeysFault::Replaced(OddKey::ModulusZero), Some("UNKNOWN_KID")),
        (KeysFault::Replaced(OddKey::Bits16384), Some("UNKNOWN_KID")),
        (KeysFault::Replaced(OddKey::EmptyX5c), None),
        (KeysFault::Duplicate, None),
        (KeysFault::Crowd(20), None),
        (KeysFault::Odd, None),
    ] {
        let stage = Stage::new().await;
        stage.acme.set_faults(|faults| faults.keys = vec![fault.clone()]);
        let before = rows(&stage);
        let page = attempt(&stage, "ada@acme.test").await;
        let Some(cause) = cause else {
            assert_eq!(page.status, 302, "{fault:?}: {page:?}");
            continue;
        };
        let trace = refused(&stage, &page, cause, "server_error");
        assert_eq!(failing(&trace), Some("id_token.signature"), "{fault:?}");
        assert_eq!(rows(&stage), before);
        assert!(times(&stage, Endpoint::Keys) <= 2, "{fault:?}: one forced fetch");
    }
}

#[actix_web::test]
async fn f17_keys_serve_from_the_cache_while_their_endpoint_is_down_and_without_any_there_is_a_page() {
    for trouble in [
        Trouble::ServerError,
        Trouble::Html,
        Trouble::Cut,
        Trouble::Huge { bytes: 1 << 30 },
        Trouble::DeepNesting { depth: 50_000 },
    ] {
        let down = Transport::trouble(trouble.clone());
        let stage = Stage::new().await;
        stage
            .acme
            .set_faults(|faults| faults.transport = [(Endpoint::Keys, down.clone())].into());
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, "JWKS_FETCH_FAILED", "temporarily_unavailable");
        assert_eq!(failing(&trace), Some("jwks"), "{trouble:?}");

        stage.acme.set_faults(|faults| faults.transport.clear());
        stage.clock.advance(40);
        signs_in(&stage, "ada@acme.test").await;
        stage
            .acme
            .set_faults(|faults| faults.transport = [(Endpoint::Keys, down.clone())].into());
        signs_in(&stage, "grace@acme.test").await;
    }
}

#[actix_web::test]
async fn cr11_f16_a_rotated_key_costs_one_fetch_between_logins_and_within_one() {
    let stage = Stage::new().await;
    signs_in(&stage, "ada@acme.test").await;
    stage.acme.rotate_keys(true);
    stage.acme.forget_requests();
    signs_in(&stage, "ada@acme.test").await;
    assert_eq!(times(&stage, Endpoint::Keys), 1, "between two logins");

    // Okta does not rotate twice within half a minute.
    for keep_old in [true, false] {
        stage.clock.advance(31);
        stage.acme.forget_requests();
        stage
            .acme
            .set_faults(|faults| faults.token = vec![TokenFault::RotateKeys { keep_old }]);
        let page = attempt(&stage, "ada@acme.test").await;
        assert_eq!(page.status, 302, "{page:?}");
        assert_eq!(times(&stage, Endpoint::Keys), 1, "between authorize and token");
        stage.acme.set_faults(|faults| faults.token.clear());
    }
}

#[actix_web::test]
async fn a85_cr12_a_flood_of_unknown_kids_costs_one_fetch_and_honest_logins_go_on() {
    let stage = Stage::new().await;
    signs_in(&stage, "ada@acme.test").await;
    stage.acme.forget_requests();
    let flood = |stage: &Stage, on: bool| {
        let faults = if on {
            vec![IdTokenFault::KidUnknown]
        } else {
            vec![]
        };
        stage.acme.set_faults(|all| all.id_token = faults);
    };
    for round in 0..20 {
        flood(&stage, true);
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, "UNKNOWN_KID", "server_error");
        if round % 7 == 0 {
            flood(&stage, false);
            signs_in(&stage, "grace@acme.test").await;
        }
    }
    assert_eq!(times(&stage, Endpoint::Keys), 1);
    // A set that came back empty does not open the gate again either.
    stage.clock.advance(31);
    stage.acme.set_faults(|faults| {
        faults.id_token = vec![IdTokenFault::KidUnknown];
        faults.keys = vec![KeysFault::Empty];
    });
    for _ in 0..5 {
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, "UNKNOWN_KID", "server_error");
    }
    assert_eq!(times(&stage, Endpoint::Keys), 2);
    signs_in(&stage, "hank@globex.test").await;
}

#[actix_web::test]
async fn f18_an_issuer_that_changes_halts_the_connection_and_changed_endpoints_take_effect() {
    let stage = Stage::new().await;
    signs_in(&stage, "ada@acme.test").await;
    stage
        .acme
        .set_faults(|faults| faults.discovery = vec![MetadataFault::Issuer("https://new.example".into())]);
    signs_in(&stage, "ada@acme.test").await;
    stage.clock.advance(2 * DAY);
    stage.broker.upstream.refresh_due().await;
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "ISSUER_MISMATCH", "server_error");

    stage.acme.set_faults(|faults| faults.discovery.clear());
    stage.clock.advance(60);
    signs_in(&stage, "ada@acme.test").await;

    // The token endpoint moves to the other organisation, which does not know our code.
    let moved = format!("{}/oauth2/v1/token", stage.globex.issuer());
    stage
        .acme
        .set_faults(|faults| faults.discovery = vec![MetadataFault::TokenEndpoint(moved.clone())]);
    signs_in(&stage, "ada@acme.test").await;
    stage.clock.advance(2 * DAY);
    stage.broker.upstream.refresh_due().await;
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "CLIENT_AUTH_FAILED", "server_error");
}

#[actix_web::test]
async fn f17_metadata_outlives_an_outage() {
    let stage = Stage::new().await;
    signs_in(&stage, "ada@acme.test").await;
    stage.acme.set_faults(|faults| {
        let down = Transport::trouble(Trouble::ServerError);
        faults.transport = [(Endpoint::Discovery, down)].into();
    });
    stage.clock.advance(2 * DAY);
    stage.broker.upstream.refresh_due().await;
    signs_in(&stage, "ada@acme.test").await;
}
