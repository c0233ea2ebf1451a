//! Revocation (RFC 7009): a refresh token and all that descends from its login.

use forebay::demo::{SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client::Rotation;

use crate::support::{Answer, Stage, Tokens, assert_refused, basic, claims, database};

const OTHER: &str = "anotherwebapp0000000000001";
const OTHER_SECRET: &str = "secret_of_another_web_app_of_the_pool_01";

async fn revoke_as(stage: &Stage, id: &str, secret: &str, fields: &[(&str, &str)]) -> Answer {
    let header = basic(id, secret);
    stage
        .post("/oauth2/revoke", &[("authorization", &header)], fields)
        .await
}

/// 200 and nothing else.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn m090_the_client_must_prove_itself_and_revokes_only_its_own() {
    let stage = Stage::new().await;
    stage.another_client(OTHER, OTHER_SECRET);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.as_deref().unwrap();
    for (headers, fields) in [
        (vec![], vec![("token", refresh)]),
        (vec![], vec![("token", refresh), ("client_id", WEB_CLIENT)]),
        (
            vec![],
            vec![
                ("token", refresh),
                ("client_id", WEB_CLIENT),
                ("client_secret", "wrong"),
            ],
        ),
        (vec![], vec![("token", refresh), ("client_id", "no-such-client")]),
        (
            vec![("authorization", basic(WEB_CLIENT, "wrong"))],
            vec![("token", refresh)],
        ),
        (
            vec![("authorization", "Bearer x".into())],
            vec![("token", refresh)],
        ),
    ] {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_refused(
            &stage.post("/oauth2/revoke", &headers, &fields).await,
            401,
            "invalid_client",
        );
    }
    let both = [("token", refresh), ("client_secret", WEB_SECRET)];
    assert_refused(
        &revoke_as(&stage, WEB_CLIENT, WEB_SECRET, &both).await,
        400,
        "invalid_request",
    );

    // Another client learns nothing and changes nothing.
    let foreign = revoke_as(&stage, OTHER, OTHER_SECRET, &[("token", refresh)]).await;
    let unknown = revoke_as(&stage, OTHER, OTHER_SECRET, &[("token", "no-such-token")]).await;
    assert_done(&foreign);
    assert_done(&unknown);
    let names = |answer: &Answer| {
        answer
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&foreign), names(&unknown));
    assert_done(
        &stage
            .post(
                "/oauth2/revoke",
                &[],
                &[("token", refresh), ("client_id", SPA_CLIENT)],
            )
            .await,
    );
    stage.refresh(refresh).await.expect(200);
    stage.userinfo(&tokens.access).await.expect(200);
}

#[actix_web::test]
async fn every_client_authentication_method_works_here_too() {
    let stage = Stage::new().await;
    let by_header = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    assert_done(&stage.revoke(&by_header).await);
    let by_form = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let fields = [
        ("token", by_form.as_str()),
        ("client_id", WEB_CLIENT),
        ("client_secret", WEB_SECRET),
    ];
    assert_done(&stage.post("/oauth2/revoke", &[], &fields).await);
    let public = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let fields = [("token", public.as_str()), ("client_id", SPA_CLIENT)];
    assert_done(&stage.post("/oauth2/revoke", &[], &fields).await);
    assert_refused(&stage.refresh(&by_header).await, 400, "invalid_grant");
    assert_refused(&stage.refresh(&by_form).await, 400, "invalid_grant");
    assert_refused(&stage.spa_refresh(&public).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn m091_unknown_garbage_and_revoked_tokens_are_done_already() {
    let stage = Stage::new().await;
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    assert_done(&stage.revoke(&refresh).await);
    for token in [
        refresh.as_str(),
        "x",
        "a.b.c",
        "%",
        "\u{1f600}",
        "' OR 1=1 --",
        &"x".repeat(5_000),
    ] {
        assert_done(&stage.revoke(token).await);
    }
}

#[actix_web::test]
async fn m092_m095_all_of_the_family_ends_at_once_on_every_node_and_nothing_else() {
    let stage = Stage::new().await;
    let other_node = stage.second_node().await;
    let bystander = stage.tokens_for("ada@acme.test", &[]).await;
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = first.refresh.as_deref().unwrap();
    let second = Tokens::of(&stage.refresh(refresh).await.expect(200));
    assert_eq!(other_node.userinfo(&second.access).await.status, 200);
    assert_done(&stage.revoke(refresh).await);
    for access in [&first.access, &second.access] {
        stage.userinfo(access).await.expect(401);
        assert_eq!(other_node.userinfo(access).await.status, 401);
    }
    assert_refused(&stage.refresh(refresh).await, 400, "invalid_grant");
    assert_eq!(other_node.refresh(refresh).await.status, 400);
    // A19: a node that starts afterwards knows, too.
    assert_eq!(stage.second_node().await.refresh(refresh).await.status, 400);
    stage.userinfo(&bystander.access).await.expect(200);
    stage
        .refresh(bystander.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn any_token_of_a_rotated_line_ends_the_family() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.rotation = Rotation {
            enabled: true,
            grace_seconds: 60,
        };
    });
    for revoked in 0..2 {
        let first = stage.tokens_for("ada@acme.test", &[]).await;
        let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
        let line = [first.refresh.unwrap(), second.refresh.unwrap()];
        assert_done(&stage.revoke(&line[revoked]).await);
        for token in &line {
            assert_refused(&stage.refresh(token).await, 400, "invalid_grant");
        }
        stage.userinfo(&second.access).await.expect(401);
    }
}

#[actix_web::test]
async fn m093_a_hint_is_only_a_hint() {
    let stage = Stage::new().await;
    for hint in ["refresh_token", "access_token", "id_token", "nonsense", ""] {
        let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
        let fields = [("token", refresh.as_str()), ("token_type_hint", hint)];
        assert_done(&revoke_as(&stage, WEB_CLIENT, WEB_SECRET, &fields).await);
        assert_refused(&stage.refresh(&refresh).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn m094_other_kinds_of_token_and_bad_requests_have_their_error() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    for advance in [0, 100_000] {
        stage.clock.advance(advance);
        for token in [tokens.id.as_deref().unwrap(), &tokens.access] {
            assert_refused(&stage.revoke(token).await, 400, "unsupported_token_type");
        }
    }
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(200);
    for fields in [
        vec![("x", "y")],
        vec![("token", "")],
        vec![("token", "a"), ("token", "a")],
    ] {
        let answer = revoke_as(&stage, WEB_CLIENT, WEB_SECRET, &fields).await;
        assert_refused(&answer, 400, "invalid_request");
    }
    let header = basic(WEB_CLIENT, WEB_SECRET);
    let headers = [
        ("authorization", header.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = stage.raw("/oauth2/revoke", &headers, r#"{"token":"x"}"#).await;
    assert_refused(&answer, 400, "invalid_request");
    // The query is not the request.
    let uri = format!("/oauth2/revoke?token={}", tokens.refresh.as_deref().unwrap());
    assert_refused(
        &stage.post(&uri, &headers[..1], &[("x", "y")]).await,
        400,
        "invalid_request",
    );
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_client_without_revocation_is_told() {
    let stage = Stage::new().await;
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    stage.change_web_client(|settings| settings.revocation = false);
    assert_refused(&stage.revoke(&refresh).await, 400, "invalid_request");
    stage.refresh(&refresh).await.expect(200);
}

#[actix_web::test]
async fn a20_a_revocation_that_could_not_be_stored_is_no_success() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.as_deref().unwrap();
    stage.act(|conn| database::batch(conn, "ALTER TABLE refresh_tokens RENAME TO refresh_tokens_away"));
    let answer = stage.revoke(refresh).await.expect(503);
    assert_eq!(answer.error(), "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    stage.act(|conn| database::batch(conn, "ALTER TABLE refresh_tokens_away RENAME TO refresh_tokens"));
    stage.refresh(refresh).await.expect(200);
    assert!(claims(&tokens.access)["origin_jti"].is_string());
    assert_done(&stage.revoke(refresh).await);
    assert_refused(&stage.refresh(refresh).await, 400, "invalid_grant");
}
