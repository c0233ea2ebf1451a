//! The metrics: what they count, that they tell no secret, and that the public address does not serve them.

use actix_web::test::{TestRequest, call_and_read_body, init_service};
use forebay::demo::{WEB_CLIENT, WEB_SECRET};
use forebay::jobs;

use crate::support::Stage;

async fn scrape(stage: &Stage) -> String {
    let app = actix_web::App::new()
        .app_data(stage.broker.clone())
        .configure(forebay::web::metrics::routes);
    let service = init_service(app).await;
    let body = call_and_read_body(&service, TestRequest::get().uri("/metrics").to_request()).await;
    String::from_utf8(body.to_vec()).unwrap()
}

/// The value of the one line that begins with the name and has all of these in its labels.
#[track_caller]
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let mut found = text.lines().filter(|line| {
        line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
    });
    let line = found
        .next()
        .unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"));
    assert_eq!(found.next(), None, "one line only");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn what_happens_is_counted() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    let mut browser = stage.browser();
    browser.sign_in("linus@acme.test", &stage.authorize(&[])).await;
    stage.get("/no/such/path").await.expect(404);
    let long = format!("/oauth2/authorize?{}", "x".repeat(10_000));
    stage.get(&long).await.expect(414);
    let text = scrape(&stage).await;
    let requests = "forebay_http_requests_total";
    assert_eq!(
        value(&text, requests, &["route=\"/oauth2/token\"", "POST", "2xx"]),
        1.0
    );
    assert_eq!(
        value(
            &text,
            requests,
            &["route=\"/oauth2/idpresponse/{connection}\"", "3xx"]
        ),
        1.0
    );
    assert!(value(&text, requests, &["route=\"unmatched\"", "4xx"]) >= 1.0);
    let sign_ins = "forebay_sign_ins_total";
    assert_eq!(
        value(&text, sign_ins, &["outcome=\"signed_in\"", "cause=\"signed_in\""]),
        1.0
    );
    assert_eq!(
        value(
            &text,
            sign_ins,
            &["outcome=\"refused\"", "cause=\"user_not_assigned\""]
        ),
        1.0
    );
    let refused = "forebay_refused_requests_total";
    assert_eq!(value(&text, refused, &["guard=\"shape\""]), 1.0);
    let calls = value(
        &text,
        "forebay_upstream_seconds_count",
        &["connection=\"acme-okta\"", "answer=\"ok\""],
    );
    assert!(calls >= 2.0, "token and userinfo");
    assert!(value(&text, "forebay_cache_lookups_total", &["cache=\"apps\"", "miss"]) >= 1.0);
    assert!(value(&text, "forebay_database_connections", &["idle"]) >= 0.0);
    assert!(value(&text, "forebay_database_connections", &["busy"]) >= 0.0);
    if matches!(stage.broker.db.target(), forebay::db::Target::Sqlite(_)) {
        assert_eq!(value(&text, "forebay_database_waiting_writes", &[]), 0.0);
    }
    assert_eq!(value(&text, "forebay_database_up", &[]), 1.0);
    assert_eq!(value(&text, "forebay_open_connections", &[]), 0.0);
    assert_eq!(value(&text, "forebay_log_lines_lost_total", &[]), 0.0);
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[actix_web::test]
async fn keys_and_notices_are_told_as_they_are_now() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| {
        row.secret_expires_at = Some(crate::support::NOW.plus(86_400));
    });
    jobs::watch::run(&stage.broker).await.unwrap();
    stage.clock.advance(3_600);
    let text = scrape(&stage).await;
    let notices = "forebay_connection_notices";
    assert_eq!(
        value(
            &text,
            notices,
            &["connection=\"acme-okta\"", "kind=\"secret_expiry\""]
        ),
        1.0
    );
    assert_eq!(
        value(
            &text,
            "forebay_signing_key_age_seconds",
            &["usage=\"id\"", "state=\"active\""]
        ),
        3_600.0
    );
    assert_eq!(value(&text, "forebay_webhook_deliveries_waiting", &[]), 0.0);
}

#[actix_web::test]
async fn names_that_others_choose_are_no_labels() {
    let stage = Stage::new().await;
    for n in 0..300 {
        stage.get(&format!("/secret-{n}/nobody?code=abc{n}")).await;
        stage.get(&format!("/oauth2/idpresponse/made-up-{n}")).await;
    }
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let text = scrape(&stage).await;
    for told in [
        "secret-",
        "made-up-",
        "abc",
        "ada@",
        "acme.test",
        WEB_SECRET,
        WEB_CLIENT,
        tokens.access.as_str(),
        forebay::demo::registration(0, "").client_secret.as_str(),
    ] {
        assert!(!text.contains(told), "{told}: {text}");
    }
}

#[actix_web::test]
async fn the_public_address_has_no_metrics() {
    let stage = Stage::new().await;
    stage.get("/metrics").await.expect(404);
}
