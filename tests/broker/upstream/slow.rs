//! Organisations that are silent, slow or gone: a page within the deadline, and nobody else waits (F12, F13, F14, F22).

use std::time::{Duration, Instant};

use forebay::demo::okta::{Endpoint, Transport, Trouble};

use super::{attempt, failing, refused, rows, signs_in};
use crate::support::Stage;

/// Long enough for an honest answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// The organisation makes its keys when it first needs them, which takes longer than the patience below.
async fn keys_made() {
    signs_in(&Stage::new().await, "grace@acme.test").await;
}

/// One sign-in with this trouble at this endpoint, on a stage of its own so that all can wait at once.
async fn ends_in_time(endpoint: Endpoint, trouble: Transport) {
    let stage = Stage::with_patience(PATIENCE).await;
    signs_in(&stage, "grace@acme.test").await;
    let before = rows(&stage);
    stage
        .acme
        .set_faults(|faults| faults.transport = [(endpoint, trouble.clone())].into());
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "TIMEOUT", "temporarily_unavailable");
    let step = if endpoint == Endpoint::Token {
        "token"
    } else {
        "userinfo"
    };
    assert_eq!(failing(&trace), Some(step), "{trouble:?}");
    assert_eq!(rows(&stage), before, "{trouble:?}");
}

#[actix_web::test]
async fn f12_silence_single_bytes_and_half_an_answer_end_at_the_deadline() {
    keys_made().await;
    let cases = [
        (Endpoint::Token, Transport::trouble(Trouble::NeverAnswer)),
        (
            Endpoint::Token,
            Transport::trouble(Trouble::Drip { every_ms: 20 }),
        ),
        (Endpoint::Token, Transport::trouble(Trouble::Stall)),
        (Endpoint::Token, Transport::slow(60_000)),
        (Endpoint::Userinfo, Transport::trouble(Trouble::NeverAnswer)),
        (Endpoint::Userinfo, Transport::trouble(Trouble::Stall)),
    ];
    let all =
        futures_util::future::join_all(cases.map(|(endpoint, trouble)| ends_in_time(endpoint, trouble)));
    // One after the other they would take longer.
    tokio::time::timeout(PATIENCE * 6, all)
        .await
        .expect("each ends at its own deadline, and all of them at once");
}

#[actix_web::test]
async fn f12_the_deadline_of_the_whole_sign_in_is_named_too() {
    keys_made().await;
    let stage = Stage::with_patience(PATIENCE).await;
    signs_in(&stage, "grace@acme.test").await;
    // Each answer is in time, all together are not.
    let late = Transport::slow(u64::try_from(PATIENCE.as_millis()).unwrap() * 6 / 10);
    stage.acme.set_faults(|faults| {
        faults.transport = [(Endpoint::Token, late.clone()), (Endpoint::Userinfo, late)].into();
    });
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "TIMEOUT", "temporarily_unavailable");
    assert_eq!(failing(&trace), Some("upstream"), "{trace:?}");
}

#[actix_web::test]
async fn f12_metadata_that_never_comes_ends_at_the_deadline() {
    keys_made().await;
    for (endpoint, cause) in [
        (Endpoint::Discovery, "TIMEOUT"),
        (Endpoint::Keys, "JWKS_FETCH_FAILED"),
    ] {
        let stage = Stage::with_patience(PATIENCE).await;
        stage.acme.set_faults(|faults| {
            faults.transport = [(endpoint, Transport::trouble(Trouble::NeverAnswer))].into();
        });
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, cause, "temporarily_unavailable");
    }
}

#[actix_web::test]
async fn f13_slow_sign_ins_at_one_organisation_hold_up_nobody_at_another() {
    keys_made().await;
    signs_in(&Stage::new().await, "hank@globex.test").await;
    let stage = Stage::with_patience(PATIENCE).await;
    signs_in(&stage, "hank@globex.test").await;
    signs_in(&stage, "ada@acme.test").await;
    stage.acme.set_faults(|faults| {
        faults.transport = [(Endpoint::Token, Transport::trouble(Trouble::NeverAnswer))].into();
    });
    let slow = futures_util::future::join_all((0..60).map(|_| attempt(&stage, "ada@acme.test")));
    let other = async {
        tokio::task::yield_now().await;
        let begun = Instant::now();
        for _ in 0..3 {
            signs_in(&stage, "hank@globex.test").await;
        }
        begun.elapsed()
    };
    let begun = Instant::now();
    let (pages, other) = futures_util::future::join(slow, other).await;
    for page in &pages {
        assert_eq!(page.status, 502, "{page:?}");
        assert!(
            ["TIMEOUT", "TOO_MANY_AT_ONCE", "provider_unavailable"]
                .iter()
                .any(|cause| page.body.contains(&format!("<code>{cause}</code>"))),
            "{page:?}"
        );
    }
    assert!(
        other < begun.elapsed(),
        "globex was done while acme was awaited: {other:?}"
    );
}

#[actix_web::test]
async fn f14_an_organisation_that_is_not_there_has_its_page_and_the_broker_stays_ready() {
    for (issuer, causes) in [
        ("http://127.0.0.1:1", ["CONNECT_FAILED", "CONNECT_FAILED"]),
        ("https://acme.okta.invalid", ["DNS_FAILED", "ADDRESS_REFUSED"]),
        ("https://10.0.0.1", ["ADDRESS_REFUSED", "ADDRESS_REFUSED"]),
        ("https://169.254.169.254", ["ADDRESS_REFUSED", "ADDRESS_REFUSED"]),
    ] {
        let stage = Stage::with_allowed(Duration::from_secs(5), &["127.0.0.1:1"]).await;
        stage.change_provider("acme-okta", |row| row.issuer = issuer.into());
        let page = attempt(&stage, "ada@acme.test").await;
        let cause = causes
            .into_iter()
            .find(|cause| page.body.contains(&format!("<code>{cause}</code>")))
            .unwrap_or_else(|| panic!("{issuer}: {page:?}"));
        let error = if cause == "ADDRESS_REFUSED" {
            "server_error"
        } else {
            "temporarily_unavailable"
        };
        refused(&stage, &page, cause, error);
        stage.get("/readyz").await.expect(200);
        stage
            .get("/us-local-1_Forebay01/.well-known/jwks.json")
            .await
            .expect(200);
    }
}
