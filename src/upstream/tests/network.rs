//! What happens on the wire: silence, drips, refused and private addresses, circuits, rate limits (faults F10 to F14, F20).

use std::time::Instant;

use super::*;
use crate::demo::okta::{Endpoint, Transport, Trouble};

/// The stage with little patience, so that a test of silence is short.
async fn impatient() -> Stage {
    let mut stage = Stage::new().await;
    let address = stage.okta.issuer().replace("http://", "");
    stage.upstream = upstream(&stage.upstream.0.clock, &address, Duration::from_millis(600));
    stage
}

fn befall(stage: &Stage, endpoint: Endpoint, trouble: Trouble) {
    stage.okta.set_faults(|faults| {
        faults.transport = [(endpoint, Transport::trouble(trouble))].into_iter().collect();
    });
}

#[actix_web::test]
async fn silence_ends_in_time_and_by_name() {
    let stage = impatient().await;
    for endpoint in [Endpoint::Token, Endpoint::Userinfo] {
        for trouble in [
            Trouble::NeverAnswer,
            Trouble::Stall,
            Trouble::Drip { every_ms: 50 },
        ] {
            befall(&stage, endpoint, trouble.clone());
            let code = stage.code().await;
            let begun = Instant::now();
            let mut steps = Vec::new();
            let result = stage
                .upstream
                .identity(&stage.connection, &expectation(), &code, None, &mut steps)
                .await;
            assert_eq!(
                result.unwrap_err().cause.name(),
                "TIMEOUT",
                "{endpoint:?} {trouble:?}"
            );
            assert!(begun.elapsed() < Duration::from_secs(3));
            stage.okta.set_faults(|faults| faults.transport.clear());
            assert_eq!(stage.cause().await, "");
        }
    }
    befall(&stage, Endpoint::Keys, Trouble::NeverAnswer);
    stage.clock.advance(50 * 3600);
    assert_eq!(stage.cause_at(NOW.plus(50 * 3600)).await, "JWKS_FETCH_FAILED");
}

#[actix_web::test]
async fn a_provider_that_fails_repeatedly_is_left_alone_for_a_while() {
    let stage = Stage::new().await;
    befall(&stage, Endpoint::Token, Trouble::ServerError);
    for _ in 0..5 {
        assert_eq!(stage.cause().await, "provider_unavailable");
    }
    assert_eq!(
        stage.requests_to("/token").len(),
        5,
        "the code is never sent twice"
    );
    let (result, _) = stage.sign_in().await;
    let failure = result.unwrap_err();
    assert_eq!(failure.cause.name(), "provider_unavailable");
    assert_eq!(failure.retry_at, Some(NOW.plus(5)));
    assert_eq!(stage.requests_to("/token").len(), 5, "nothing goes out");
    stage.okta.set_faults(|faults| faults.transport.clear());
    stage.clock.advance(5);
    assert_eq!(stage.cause_at(NOW.plus(5)).await, "");
    assert_eq!(stage.cause_at(NOW.plus(5)).await, "");
}

#[actix_web::test]
async fn a_rate_limit_is_honoured_and_its_end_told_for_this_connection_only() {
    let stage = Stage::new().await;
    befall(&stage, Endpoint::Token, Trouble::RateLimited { reset_in: 30 });
    let (result, _) = stage.sign_in().await;
    let failure = result.unwrap_err();
    assert_eq!(
        (failure.cause.name(), failure.retry_at),
        ("rate_limited", Some(NOW.plus(30)))
    );
    assert_eq!(failure.refusal("acme-okta").retry_at, Some(NOW.plus(30)));
    stage.okta.set_faults(|faults| faults.transport.clear());
    let (result, _) = stage.sign_in().await;
    assert_eq!(result.unwrap_err().cause.name(), "rate_limited");
    assert_eq!(stage.requests_to("/token").len(), 1);

    let mut neighbour = stage.connection.clone();
    neighbour.provider.id = "acme-okta-2".into();
    let code = stage.code().await;
    let result = stage
        .upstream
        .identity(&neighbour, &expectation(), &code, None, &mut Vec::new())
        .await;
    assert!(result.is_ok());

    stage.clock.advance(30);
    assert_eq!(stage.cause_at(NOW.plus(30)).await, "");
}

#[actix_web::test]
async fn addresses_that_are_not_public_see_no_packet() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let port = canary.local_addr().unwrap().port();
    let clock = Clock::frozen(NOW).0;
    let fenced = upstream(&clock, "allowed.test", Duration::from_secs(2));
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
    ] {
        for scheme in ["https", "http"] {
            let connection = connection(&format!("{scheme}://{host}:{port}"));
            let failure = fenced.authorize_url(&connection, &request()).await.unwrap_err();
            assert_eq!(failure.cause.name(), "ADDRESS_REFUSED", "{scheme} {host}");
        }
    }
    assert!(canary.accept().is_err(), "nobody called");
}

#[actix_web::test]
async fn trouble_before_any_answer_is_told_apart() {
    let clock = Clock::frozen(NOW).0;
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (silent, address.port()))
        .unwrap();
    let plain = Stage::new().await;
    let plain_port = Url::parse(&plain.okta.issuer()).unwrap().port().unwrap();
    let upstream = upstream(&clock, "127.0.0.1", Duration::from_millis(800));
    for (issuer, expected) in [
        ("https://no-such-host.invalid".to_owned(), "DNS_FAILED"),
        (format!("http://127.0.0.1:{free}"), "CONNECT_FAILED"),
        (format!("https://127.0.0.1:{}", silent.1), "CONNECT_TIMEOUT"),
        (format!("http://127.0.0.1:{}", silent.1), "TIMEOUT"),
        (format!("https://127.0.0.1:{plain_port}"), "TLS_HANDSHAKE_FAILED"),
        ("https://user:secret@acme.okta.com".to_owned(), "ADDRESS_REFUSED"),
        ("not a url".to_owned(), "CONNECTION_MISCONFIGURED"),
    ] {
        let failure = upstream
            .authorize_url(&connection(&issuer), &request())
            .await
            .unwrap_err();
        assert_eq!(failure.cause.name(), expected, "{issuer}: {failure}");
        assert!(!failure.detail.contains("secret"));
    }
}

#[actix_web::test]
async fn nothing_of_ours_but_what_is_needed_goes_out() {
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    let token = &stage.requests_to("/token")[0];
    let header = |name: &str| {
        token
            .headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        header("user-agent"),
        Some(concat!("Forebay/", env!("CARGO_PKG_VERSION")))
    );
    for absent in ["cookie", "origin", "referer", "accept-encoding"] {
        assert_eq!(header(absent), None, "{absent}");
    }
    assert!(token.query.is_empty());
    let fields: Vec<&str> = token.form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(fields, ["grant_type", "code", "code_verifier", "redirect_uri"]);
}

#[test]
fn options_that_cannot_be_used_are_refused_at_the_start() {
    let build = |options: Options| Upstream::new(options, Clock::system(), Entropy::seeded(1)).err();
    assert_eq!(build(Options::default()), None);
    for (options, says) in [
        (
            Options {
                allow: vec!["http://x".into()],
                ..Options::default()
            },
            "http://x",
        ),
        (
            Options {
                ca_pem: Some(b"no pem".to_vec()),
                ..Options::default()
            },
            "CA bundle",
        ),
    ] {
        assert!(build(options).unwrap().contains(says));
    }
}
