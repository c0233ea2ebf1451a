//! A token endpoint that misbehaves, and the wire to it and to userinfo, each through a whole sign-in (C-R17, C-R22; F10, F11,
//! F20; M-116).

use forebay::demo::okta::{Endpoint, TokenFault, Transport, Trouble};
use serde_json::{Map, Value, json};

use super::{asked, attempt, failing, refused, rows, signs_in};
use crate::support::Stage;

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn error(status: u16, error: &str, description: &str) -> TokenFault {
    TokenFault::Error {
        status,
        error: error.into(),
        description: description.into(),
    }
}

fn times(stage: &Stage, endpoint: Endpoint) -> usize {
    asked(&stage.acme)
        .into_iter()
        .filter(|one| *one == endpoint)
        .count()
}

#[actix_web::test]
async fn cr22_each_refusal_of_the_token_endpoint_has_its_page_and_the_code_is_sent_once() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    let down = "temporarily_unavailable";
    for (fault, cause, downstream) in [
        (
            error(
                400,
                "invalid_grant",
                "The authorization code is invalid or has expired.",
            ),
            "CODE_REJECTED",
            "access_denied",
        ),
        (
            error(400, "invalid_grant", "PKCE verification failed."),
            "PKCE_FAILED",
            "server_error",
        ),
        (
            error(
                400,
                "invalid_request",
                "PKCE code verifier is required by the application.",
            ),
            "PKCE_FAILED",
            "server_error",
        ),
        (
            error(
                400,
                "invalid_grant",
                "The 'redirect_uri' does not match the redirection URI used in the authorization request.",
            ),
            "REDIRECT_URI_MISMATCH",
            "server_error",
        ),
        (
            error(
                401,
                "invalid_client",
                "The client secret supplied for a confidential client is invalid.",
            ),
            "CLIENT_AUTH_FAILED",
            "server_error",
        ),
        (
            error(
                400,
                "unauthorized_client",
                "The client is not authorized to use the provided grant type.",
            ),
            "GRANT_NOT_ALLOWED",
            "server_error",
        ),
        (
            error(400, "unsupported_grant_type", "Nope."),
            "GRANT_NOT_ALLOWED",
            "server_error",
        ),
        (
            error(
                400,
                "use_dpop_nonce",
                "Authorization server requires nonce in DPoP proof.",
            ),
            "DPOP_REQUIRED",
            "server_error",
        ),
        (
            error(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
            "DPOP_REQUIRED",
            "server_error",
        ),
        (
            error(
                403,
                "access_denied",
                "The request is made from outside the client's permitted network zones.",
            ),
            "network_zone",
            "access_denied",
        ),
        (
            error(
                429,
                "invalid_grant",
                "API call exceeded rate limit due to too many requests.",
            ),
            "rate_limited",
            down,
        ),
        (
            error(503, "temporarily_unavailable", "Overload."),
            "provider_unavailable",
            down,
        ),
        (
            error(400, "never_heard_of", "<script>alert(1)</script>"),
            "TOKEN_REQUEST_REFUSED",
            "server_error",
        ),
        (TokenFault::NoIdToken, "ID_TOKEN_MISSING", "server_error"),
        (TokenFault::NoAccessToken, "RESPONSE_MALFORMED", "server_error"),
        (
            TokenFault::Type("mac".into()),
            "RESPONSE_MALFORMED",
            "server_error",
        ),
        (
            TokenFault::Set(members(json!({"id_token": 7}))),
            "RESPONSE_MALFORMED",
            "server_error",
        ),
        (
            TokenFault::Set(members(json!({"access_token": "with blank"}))),
            "RESPONSE_MALFORMED",
            "server_error",
        ),
        (
            TokenFault::Set(members(json!({"token_type": null}))),
            "RESPONSE_MALFORMED",
            "server_error",
        ),
    ] {
        stage.acme.set_faults(|faults| faults.token = vec![fault.clone()]);
        stage.acme.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, downstream);
        assert_eq!(failing(&trace), Some("token"), "{fault:?}: {trace:?}");
        assert_eq!(rows(&stage), before, "{fault:?} left something behind");
        // The secret is tried in the header, then once in the body.
        let tries = if cause == "CLIENT_AUTH_FAILED" { 2 } else { 1 };
        assert_eq!(times(&stage, Endpoint::Token), tries, "{fault:?}");
        assert_eq!(times(&stage, Endpoint::Userinfo), 0, "{fault:?}");
        assert!(!page.body.contains("<script>alert"), "{fault:?}");
        stage.clock.advance(150);
    }
    stage.acme.set_faults(|faults| faults.token.clear());
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn cr17_what_is_lawful_in_a_token_response_signs_in() {
    let stage = Stage::new().await;
    for fault in [
        TokenFault::TypeLowerCase,
        TokenFault::NoExpiresIn,
        TokenFault::Remove(vec!["scope".into()]),
        TokenFault::Set(members(
            json!({"expires_in": "3600", "scope": null, "device_secret": "x", "new": {"a": [1]}}),
        )),
    ] {
        stage.acme.set_faults(|faults| faults.token = vec![fault.clone()]);
        let back = attempt(&stage, "ada@acme.test").await;
        assert_eq!(back.status, 302, "{fault:?}: {back:?}");
    }
}

/// Trouble on the wire, and the causes that it has at the token endpoint and at userinfo.
fn troubles() -> Vec<(Trouble, &'static str, &'static str)> {
    let (malformed, failed) = ("RESPONSE_MALFORMED", "USERINFO_FAILED");
    let status = |status: u16| Trouble::Status {
        status,
        content_type: "application/json".into(),
        body: "{}".into(),
    };
    let elsewhere = Trouble::Redirect {
        location: "http://127.0.0.1:1/token".into(),
    };
    vec![
        (
            Trouble::ServerError,
            "provider_unavailable",
            "provider_unavailable",
        ),
        (status(502), "provider_unavailable", "provider_unavailable"),
        (status(404), malformed, failed),
        (Trouble::Html, malformed, failed),
        (elsewhere, "REDIRECT_REFUSED", "REDIRECT_REFUSED"),
        (Trouble::Empty, malformed, failed),
        (Trouble::Truncated, malformed, failed),
        (Trouble::Cut, "CONNECTION_LOST", "CONNECTION_LOST"),
        (Trouble::DuplicateKeys, malformed, failed),
        (Trouble::DeepNesting { depth: 50_000 }, malformed, failed),
        (Trouble::LoneSurrogate, malformed, failed),
        (Trouble::WrongContentType, malformed, failed),
        (
            Trouble::Huge { bytes: 1 << 30 },
            "RESPONSE_TOO_LARGE",
            "RESPONSE_TOO_LARGE",
        ),
        (
            Trouble::GzipBomb { bytes: 1 << 30 },
            "RESPONSE_TOO_LARGE",
            "RESPONSE_TOO_LARGE",
        ),
        (Trouble::GzipBomb { bytes: 1 << 20 }, malformed, failed),
    ]
}

#[actix_web::test]
async fn m116_cr22_f10_f20_whatever_happens_on_the_wire_ends_in_a_page_that_names_it() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    for (trouble, at_token, at_userinfo) in troubles() {
        for (endpoint, cause) in [(Endpoint::Token, at_token), (Endpoint::Userinfo, at_userinfo)] {
            stage.acme.set_faults(|faults| {
                faults.transport = [(endpoint, Transport::trouble(trouble.clone()))].into();
            });
            stage.acme.forget_requests();
            let page = attempt(&stage, "ada@acme.test").await;
            let downstream = match cause {
                "provider_unavailable" | "CONNECTION_LOST" | "USERINFO_FAILED" => "temporarily_unavailable",
                _ => "server_error",
            };
            let trace = refused(&stage, &page, cause, downstream);
            let step = if endpoint == Endpoint::Token {
                "token"
            } else {
                "userinfo"
            };
            assert_eq!(failing(&trace), Some(step), "{trouble:?}: {trace:?}");
            assert_eq!(rows(&stage), before, "{trouble:?} left something behind");
            assert_eq!(times(&stage, endpoint), 1, "{trouble:?}: no second try");
            assert!(page.body.len() < 20_000, "{trouble:?}");
            // A circuit that opened closes again.
            stage.clock.advance(150);
        }
    }
    stage.acme.set_faults(|faults| faults.transport.clear());
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn f11_a_rate_limit_is_honoured_and_the_page_names_the_time() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        let limit = Transport {
            times: Some(1),
            ..Transport::trouble(Trouble::RateLimited { reset_in: 30 })
        };
        faults.transport = [(Endpoint::Token, limit)].into();
    });
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "rate_limited", "temporarily_unavailable");
    assert!(page.shows("00:00:30"), "the page names the time: {page:?}");

    stage.acme.forget_requests();
    stage.clock.advance(20);
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "rate_limited", "temporarily_unavailable");
    assert_eq!(times(&stage, Endpoint::Token), 0, "the limit is honoured");
    signs_in(&stage, "hank@globex.test").await;
    stage.clock.advance(11);
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn f22_a_connection_that_keeps_failing_is_left_alone_and_nobody_else_notices() {
    let stage = Stage::new().await;
    let before = stage.tokens_for("grace@acme.test", &[]).await;
    stage.acme.set_faults(|faults| {
        faults.transport = [(Endpoint::Token, Transport::trouble(Trouble::ServerError))].into();
    });
    for _ in 0..5 {
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, "provider_unavailable", "temporarily_unavailable");
    }
    stage.acme.forget_requests();
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "provider_unavailable", "temporarily_unavailable");
    assert_eq!(times(&stage, Endpoint::Token), 0, "the circuit is open");

    signs_in(&stage, "hank@globex.test").await;
    stage.get("/readyz").await.expect(200);
    stage.userinfo(&before.access).await.expect(200);
    stage
        .refresh(before.refresh.as_deref().unwrap())
        .await
        .expect(200);

    stage.acme.set_faults(|faults| faults.transport.clear());
    stage.clock.advance(6);
    signs_in(&stage, "ada@acme.test").await;
}
