//! Every token that is not taken, by its stable name.

use std::time::Duration;

use forebay::demo::okta::{Endpoint, Server, Transport, Trouble};
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT};
use forebay::model::client::{AccessRule, Flow};
use forebay::model::user;
use serde_json::{Map, Value, json};

use super::{CONNECTION, PAGE, WIDGET, bring, bring_from, id_token, refused, signed, stage};
use crate::support::{NOW, Stage, Tokens, claims};

/// The step of a trace that failed, with what was seen.
fn failed(trace: &forebay::model::trace::Trace) -> (&str, &str) {
    let step = trace.story.steps.iter().find(|step| !step.passed).unwrap();
    (&step.name, &step.detail)
}

/// What the organisation was asked at all.
fn asked(stage: &Stage) -> usize {
    stage.acme.requests().len() + stage.globex.requests().len()
}

#[actix_web::test]
async fn a97_an_issuer_that_no_connection_has_is_refused_before_anything_is_sent() {
    let stage = stage().await;
    for iss in [
        json!("http://127.0.0.1:1/evil"),
        json!(stage.globex.issuer()),
        json!(stage.acme.default_issuer()),
        json!(format!("{}/", stage.acme.issuer())),
        json!(7),
        json!(null),
    ] {
        let answer = bring(&stage, &id_token(&stage, &[("iss", iss.clone())]), &[]).await;
        let trace = refused(&stage, &answer, "invalid_request", "INVALID_ISSUER");
        let (step, seen) = failed(&trace);
        assert_eq!(step, "id_token.iss");
        assert!(
            seen.contains(&format!("expected {}", stage.acme.issuer())),
            "{seen}"
        );
        if let Some(iss) = iss.as_str() {
            assert!(seen.contains(&format!("received {iss}")), "{seen}");
        }
        assert!(!trace.reached_provider);
    }
    assert_eq!(asked(&stage), 0);
}

#[actix_web::test]
async fn char_5_and_6_each_wrong_token_is_refused_by_its_name() {
    let stage = stage().await;
    let (now, issuer) = (NOW.0, stage.acme.issuer());
    // The name, the step of the trace, and what is wrong in the token.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, Value)]);
    let cases: &[Case<'_>] = &[
        (
            "INVALID_AUDIENCE",
            "id_token.aud",
            &[("aud", json!("0oaofanotherapp00001"))],
        ),
        // The app that people are sent to, whose secret is here: its tokens come by its own callback only.
        (
            "INVALID_AUDIENCE",
            "id_token.aud",
            &[("aud", json!("0oa1forebayacme00000"))],
        ),
        ("INVALID_AUDIENCE", "id_token.aud", &[("aud", json!(null))]),
        ("INVALID_AUDIENCE", "id_token.aud", &[("aud", json!([]))]),
        (
            "INVALID_AUDIENCE",
            "id_token.aud",
            &[("aud", json!([WIDGET, "other"]))],
        ),
        (
            "INVALID_AUDIENCE",
            "id_token.azp",
            &[("aud", json!([WIDGET, "other"])), ("azp", json!("other"))],
        ),
        ("INVALID_AUDIENCE", "id_token.azp", &[("azp", json!("other"))]),
        ("MISSING_SUB", "id_token.sub", &[("sub", json!(null))]),
        ("MISSING_SUB", "id_token.sub", &[("sub", json!(""))]),
        ("MISSING_SUB", "id_token.sub", &[("sub", json!(42))]),
        ("TOKEN_EXPIRED", "id_token.exp", &[("exp", json!(now - 60))]),
        ("TOKEN_EXPIRED", "id_token.exp", &[("exp", json!(null))]),
        ("ISSUED_AT_INVALID", "id_token.iat", &[("iat", json!(now + 61))]),
        (
            "ISSUED_AT_INVALID",
            "id_token.iat",
            &[("iat", json!(now - 86_401))],
        ),
        ("ISSUED_AT_INVALID", "id_token.iat", &[("iat", json!(null))]),
        ("NOT_YET_VALID", "id_token.nbf", &[("nbf", json!(now + 61))]),
        // Okta's access token: of the org server, and of a custom one.
        (
            "WRONG_TOKEN_TYPE",
            "id_token.typ",
            &[
                ("aud", json!(issuer)),
                ("cid", json!(WIDGET)),
                ("scp", json!(["openid"])),
            ],
        ),
        (
            "WRONG_TOKEN_TYPE",
            "id_token.typ",
            &[
                ("aud", json!("api://default")),
                ("cid", json!(WIDGET)),
                ("scp", json!([])),
            ],
        ),
        ("WRONG_TOKEN_TYPE", "id_token.typ", &[("events", json!({}))]),
    ];
    for (code, step, changes) in cases {
        let answer = bring(&stage, &id_token(&stage, changes), &[]).await;
        let trace = refused(&stage, &answer, "invalid_request", code);
        assert_eq!(failed(&trace).0, *step, "{changes:?}: {trace:?}");
        assert_eq!(trace.provider_id.as_deref(), Some(CONNECTION));
    }
    assert_eq!(
        stage.act(|conn| user::find_by_identity(conn, CONNECTION, &issuer, "00u1ada").unwrap()),
        None
    );
}

#[actix_web::test]
async fn headers_and_signatures_that_are_wrong_are_refused_by_their_names() {
    let stage = stage().await;
    let good = id_token(&stage, &[]);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other: Map<String, Value> = claims(&good).as_object().unwrap().clone();
    let strangers = stage.globex.sign(Server::Org, &Map::new(), &other).unwrap();
    let named_like_ours = {
        let kid = crate::support::header(&good)["kid"].clone();
        let header = json!({ "kid": kid });
        stage
            .globex
            .sign(Server::Org, header.as_object().unwrap(), &other)
            .unwrap()
    };
    for (token, code) in [
        ("opaque".to_owned(), "MALFORMED_TOKEN"),
        (format!("{message}."), "MALFORMED_TOKEN"),
        (
            format!("{message}.{}", &signature[..signature.len() - 4]),
            "INVALID_SIGNATURE",
        ),
        (named_like_ours, "INVALID_SIGNATURE"),
        (strangers, "UNKNOWN_KID"),
        (
            signed(&stage, json!({ "typ": "at+jwt" }), &[]),
            "WRONG_TOKEN_TYPE",
        ),
        (
            signed(&stage, json!({ "alg": "HS256" }), &[]),
            "ALGORITHM_NOT_ALLOWED",
        ),
        (
            signed(&stage, json!({ "alg": "none" }), &[]),
            "ALGORITHM_NOT_ALLOWED",
        ),
        (signed(&stage, json!({ "crit": ["exp"] }), &[]), "MALFORMED_TOKEN"),
    ] {
        let answer = bring(&stage, &token, &[]).await;
        refused(&stage, &answer, "invalid_request", code);
    }
    // None of them has spent the good one.
    bring(&stage, &good, &[]).await.expect(200);
}

#[actix_web::test]
async fn a_made_up_key_costs_the_organisation_one_fetch_in_half_a_minute() {
    let stage = stage().await;
    bring(&stage, &id_token(&stage, &[]), &[]).await.expect(200);
    stage.acme.forget_requests();
    for n in 0..5 {
        let token = signed(&stage, json!({ "kid": format!("made-up-{n}") }), &[]);
        let answer = bring(&stage, &token, &[]).await;
        refused(&stage, &answer, "invalid_request", "UNKNOWN_KID");
    }
    let fetched = |stage: &Stage| {
        let keys = |path: &str| Endpoint::of(path) == Some(Endpoint::Keys);
        stage
            .acme
            .requests()
            .iter()
            .filter(|seen| keys(&seen.path))
            .count()
    };
    assert_eq!(fetched(&stage), 1);
    // A rotation is noticed by the same fetch, once it is due again.
    stage.clock.advance(30);
    stage.acme.rotate_keys(true);
    bring(&stage, &id_token(&stage, &[("jti", json!("ID.9"))]), &[])
        .await
        .expect(200);
    assert_eq!(fetched(&stage), 2);
}

#[actix_web::test]
async fn keys_that_cannot_be_had_are_no_fault_of_the_token() {
    let stage = stage().await;
    stage.acme.set_faults(|faults| {
        let broken = Transport::trouble(Trouble::ServerError);
        faults.transport.insert(Endpoint::Keys, broken);
    });
    let token = id_token(&stage, &[]);
    let answer = bring(&stage, &token, &[]).await;
    refused(&stage, &answer, "temporarily_unavailable", "JWKS_FETCH_FAILED");
    stage.acme.set_faults(|faults| faults.transport.clear());
    stage.clock.advance(60);
    bring(&stage, &token, &[]).await.expect(200);
}

#[actix_web::test]
async fn char_11_a_token_is_exchanged_once_and_a_nonce_is_compared_when_one_is_said() {
    let stage = stage().await;
    let token = id_token(&stage, &[]);
    let answer = bring(&stage, &token, &[("nonce", "another")]).await;
    refused(&stage, &answer, "invalid_request", "NONCE_MISMATCH");
    let answer = bring(
        &stage,
        &id_token(&stage, &[("nonce", json!(null))]),
        &[("nonce", "any")],
    )
    .await;
    refused(&stage, &answer, "invalid_request", "NONCE_MISMATCH");
    let answer = bring(&stage, &token, &[("max_age", "239")]).await;
    let trace = refused(&stage, &answer, "invalid_request", "AUTH_TIME_TOO_OLD");
    assert_eq!(failed(&trace).0, "id_token.auth_time");
    // What was refused was not used: it is good, once.
    let more = [("nonce", "of-the-host-app"), ("max_age", "240")];
    let first = Tokens::of(&bring(&stage, &token, &more).await.expect(200));
    for more in [&more[..], &[]] {
        let trace = refused(
            &stage,
            &bring(&stage, &token, more).await,
            "invalid_request",
            "TOKEN_REPLAYED",
        );
        assert_eq!(failed(&trace).0, "replay");
    }
    stage.userinfo(&first.access).await.expect(200);
}

#[actix_web::test]
async fn of_many_who_bring_one_token_at_once_one_gets_tokens() {
    let stage = stage().await;
    let token = id_token(&stage, &[]);
    bring(&stage, &id_token(&stage, &[("jti", json!("ID.0"))]), &[])
        .await
        .expect(200);
    let all = futures_util::future::join_all((0..8).map(|_| bring(&stage, &token, &[]))).await;
    let given = all.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(given, 1, "{all:?}");
    for answer in all.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.json()["code"], "TOKEN_REPLAYED", "{answer:?}");
    }
}

#[actix_web::test]
async fn char_1_only_pages_of_the_connections_origins_may_come_and_read() {
    let stage = stage().await;
    let token = id_token(&stage, &[]);
    for origin in [
        "https://evil.test",
        "null",
        "https://host.acme.test.evil.test",
        "http://host.acme.test",
    ] {
        let answer = bring_from(&stage, Some(origin), &token, &[]).await;
        let trace = refused(&stage, &answer, "invalid_request", "ORIGIN_NOT_ALLOWED");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert!(failed(&trace).1.contains(PAGE), "{trace:?}");
    }
    assert_eq!(asked(&stage), 0);
    // A refusal can be read by the page, even where no connection was found.
    let answer = bring_from(&stage, Some(PAGE), "opaque", &[]).await;
    refused(&stage, &answer, "invalid_request", "MALFORMED_TOKEN");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    bring_from(&stage, Some(PAGE), &token, &[]).await.expect(200);
}

#[actix_web::test]
async fn the_grant_is_for_clients_that_may_use_it() {
    let stage = stage().await;
    let token = id_token(&stage, &[]);
    stage.change_spa_client(|settings| settings.token_exchange = false);
    let answer = bring(&stage, &token, &[]).await.expect(400);
    assert_eq!(answer.error(), "unauthorized_client");
    assert_eq!(asked(&stage), 0);
    // A client whose only way this is needs no other flow; one without the connection gets nothing.
    stage.change_spa_client(|settings| {
        settings.token_exchange = true;
        settings.flows = Vec::<Flow>::new();
    });
    bring(&stage, &token, &[]).await.expect(200);
    stage.change_spa_client(|settings| settings.providers.retain(|name| name != CONNECTION));
    let answer = bring(&stage, &id_token(&stage, &[("jti", json!("2"))]), &[]).await;
    refused(&stage, &answer, "invalid_request", "INVALID_ISSUER");
}

#[actix_web::test]
async fn what_the_exchange_does_not_do_is_refused_as_the_standard_says() {
    let stage = stage().await;
    let token = id_token(&stage, &[]);
    for (more, error) in [
        (&[("subject_token_type", "")][..], "invalid_request"),
        (
            &[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")],
            "invalid_request",
        ),
        (&[("subject_token", "")], "invalid_request"),
        (
            &[("actor_token", "x"), ("actor_token_type", "y")],
            "invalid_request",
        ),
        (
            &[(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:refresh_token",
            )],
            "invalid_request",
        ),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("audience", "https://api.example.com")], "invalid_target"),
        (&[("resource", "https://api.example.com")], "invalid_target"),
        (&[("scope", "openid demo-api/read")], "invalid_scope"),
        (
            &[("client_id", MACHINE_CLIENT), ("client_secret", MACHINE_SECRET)],
            "unauthorized_client",
        ),
        (&[("client_secret", "x")], "invalid_client"),
    ] {
        let answer = bring(&stage, &token, more).await.expect(400);
        assert_eq!(answer.error(), error, "{more:?}: {answer:?}");
    }
    let said = [(
        "subject_token_type",
        "urn:ietf:params:oauth:token-type:access_token",
    )];
    refused(
        &stage,
        &bring(&stage, &token, &said).await,
        "invalid_request",
        "WRONG_TOKEN_TYPE",
    );
    assert_eq!(asked(&stage), 0);
    let kinds = [
        ("audience", SPA_CLIENT),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
    ];
    bring(&stage, &token, &kinds).await.expect(200);
}

#[actix_web::test]
async fn a_user_who_is_switched_off_gets_nothing() {
    let stage = stage().await;
    let tokens = Tokens::of(&bring(&stage, &id_token(&stage, &[]), &[]).await.expect(200));
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| user::set_enabled(conn, &sub, false, NOW).unwrap());
    let answer = bring(&stage, &id_token(&stage, &[("jti", json!("ID.2"))]), &[]).await;
    let trace = refused(&stage, &answer, "access_denied", "USER_DISABLED");
    assert_eq!(failed(&trace).0, "user");
}

#[actix_web::test]
async fn char_13_a_slow_organisation_is_given_up_in_time() {
    let stage = Stage::with_patience(Duration::from_millis(500)).await;
    super::connect(&stage, CONNECTION, WIDGET);
    stage.acme.set_faults(|faults| {
        faults
            .transport
            .insert(Endpoint::Discovery, Transport::slow(30_000));
    });
    let answer = bring(&stage, &id_token(&stage, &[]), &[]).await;
    refused(&stage, &answer, "temporarily_unavailable", "JWKS_FETCH_FAILED");
}

#[actix_web::test]
async fn an_apps_access_rules_hold_for_whoever_comes_by_a_token_too() {
    let stage = stage().await;
    let lets_in = |expression: &str| {
        stage.change_spa_client(|settings| {
            settings.access = vec![AccessRule {
                name: "Staff".into(),
                expression: expression.into(),
                contact: "it@acme.test".into(),
            }];
        });
    };
    for (number, expression) in [
        "'staff' in groups",
        "connection == 'acme-okta'",
        "tenant == 'acme'",
    ]
    .into_iter()
    .enumerate()
    {
        lets_in(expression);
        let token = id_token(&stage, &[("jti", json!(format!("ID.rule{number}")))]);
        let answer = bring(&stage, &token, &[]).await;
        let trace = refused(&stage, &answer, "access_denied", "ACCESS_RULE");
        let last = trace.story.steps.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.passed),
            ("access", false),
            "{expression}"
        );
        assert!(last.detail.contains("'Staff'"), "{trace:?}");
    }
    lets_in("connection == 'acme-widget' && 'mfa' in amr");
    let token = id_token(&stage, &[("jti", json!("ID.let-in"))]);
    bring(&stage, &token, &[]).await.expect(200);
}
