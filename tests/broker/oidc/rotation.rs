//! Rotation of refresh tokens (RFC 9700 §4.14.2): one successor, a grace period for answers that were lost, and the end
//! of the family when a token turns up that should be gone.

use diesel::prelude::*;
use forebay::db::schema::refresh_tokens;
use forebay::model::client::Rotation;

use crate::support::{Stage, Tokens, assert_refused, claims};

fn rotate(stage: &Stage, grace_seconds: i64) {
    stage.change_web_client(|settings| {
        settings.rotation = Rotation {
            enabled: true,
            grace_seconds,
        };
    });
}

/// The refresh tokens of a family that have not been exchanged.
fn live_leaves(stage: &Stage, access_token: &str) -> i64 {
    let origin_jti = claims(access_token)["origin_jti"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        refresh_tokens::table
            .filter(refresh_tokens::origin_jti.eq(origin_jti))
            .filter(refresh_tokens::rotated_at.is_null())
            .count()
            .get_result(conn)
            .unwrap()
    })
}

#[actix_web::test]
async fn a_confidential_clients_tokens_rotate_where_it_says_so() {
    let stage = Stage::new().await;
    rotate(&stage, 0);
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    assert!(second.refresh.is_some() && second.refresh != first.refresh);
    assert_eq!(live_leaves(&stage, &first.access), 1);
    stage
        .refresh(second.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn m071_a_public_clients_tokens_rotate_whatever_its_record_says() {
    let stage = Stage::new().await;
    stage.change_spa_client(|settings| settings.rotation = Rotation::default());
    let first = stage.spa_tokens("ada@acme.test").await;
    let second = Tokens::of(
        &stage
            .spa_refresh(first.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert!(second.refresh.is_some() && second.refresh != first.refresh);
    // Nobody set a grace period, so a lost answer can be fetched again for a minute.
    stage.clock.advance(60);
    let again = Tokens::of(
        &stage
            .spa_refresh(first.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert_eq!(again.refresh, second.refresh);
    stage.clock.advance(1);
    for token in [first.refresh, second.refresh] {
        assert_refused(&stage.spa_refresh(&token.unwrap()).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn m072_reuse_after_the_grace_period_ends_the_family_at_once() {
    let stage = Stage::new().await;
    let bystander = stage.spa_tokens("ada@acme.test").await;
    let first = stage.spa_tokens("ada@acme.test").await;
    let second = Tokens::of(
        &stage
            .spa_refresh(first.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    let third = Tokens::of(
        &stage
            .spa_refresh(second.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    stage.clock.advance(11);
    assert_refused(
        &stage.spa_refresh(first.refresh.as_deref().unwrap()).await,
        400,
        "invalid_grant",
    );
    for tokens in [&first, &second, &third] {
        assert_refused(
            &stage.spa_refresh(tokens.refresh.as_deref().unwrap()).await,
            400,
            "invalid_grant",
        );
        stage.userinfo(&tokens.access).await.expect(401);
    }
    let other_node = stage.second_node().await;
    assert_eq!(other_node.userinfo(&third.access).await.status, 401);
    stage.userinfo(&bystander.access).await.expect(200);
    stage
        .spa_refresh(bystander.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn f5_a_lost_answer_can_be_fetched_again_within_the_grace_period() {
    let stage = Stage::new().await;
    let first = stage.spa_tokens("ada@acme.test").await;
    let old = first.refresh.as_deref().unwrap();
    let lost = Tokens::of(&stage.spa_refresh(old).await.expect(200));
    stage.clock.advance(10);
    let again = Tokens::of(&stage.spa_refresh(old).await.expect(200));
    assert_eq!(again.refresh, lost.refresh, "the same successor");
    assert_eq!(live_leaves(&stage, &first.access), 1);
    stage
        .spa_refresh(again.refresh.as_deref().unwrap())
        .await
        .expect(200);
    assert_eq!(live_leaves(&stage, &first.access), 1);
    stage.clock.advance(1);
    assert_refused(&stage.spa_refresh(old).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn m078_f4_fifty_refreshes_at_once_leave_one_live_token() {
    let stage = Stage::new().await;
    let first = stage.spa_tokens("ada@acme.test").await;
    let old = first.refresh.as_deref().unwrap();
    let answers = futures_util::future::join_all((0..50).map(|_| stage.spa_refresh(old))).await;
    let mut successors: Vec<String> = answers
        .into_iter()
        .map(|answer| Tokens::of(&answer.expect(200)).refresh.unwrap())
        .collect();
    successors.dedup();
    assert_eq!(successors.len(), 1, "all hold the same");
    assert_eq!(live_leaves(&stage, &first.access), 1);

    // All of them go on with it, at once: still one.
    let next = futures_util::future::join_all((0..50).map(|_| stage.spa_refresh(&successors[0]))).await;
    assert!(next.iter().all(|answer| answer.status == 200));
    assert_eq!(live_leaves(&stage, &first.access), 1);
    stage.clock.advance(11);
    assert_refused(&stage.spa_refresh(old).await, 400, "invalid_grant");
    let last = Tokens::of(&next[0]).refresh.unwrap();
    assert_refused(&stage.spa_refresh(&last).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn a18_without_grace_of_fifty_at_once_one_wins_and_the_family_ends() {
    let stage = Stage::new().await;
    rotate(&stage, 0);
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let old = first.refresh.as_deref().unwrap();
    let answers = futures_util::future::join_all((0..50).map(|_| stage.refresh(old))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in &lost {
        assert_refused(answer, 400, "invalid_grant");
    }
    let successor = Tokens::of(&won[0]).refresh.unwrap();
    assert_refused(&stage.refresh(&successor).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn a21_grace_neither_forks_the_family_nor_outlives_it() {
    let stage = Stage::new().await;
    rotate(&stage, 60);
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let old = first.refresh.as_deref().unwrap();
    let mut last = String::new();
    for _ in 0..10 {
        last = Tokens::of(&stage.refresh(old).await.expect(200)).refresh.unwrap();
    }
    assert_eq!(live_leaves(&stage, &first.access), 1);
    stage.revoke(&last).await.expect(200);
    for token in [old, &last] {
        assert_refused(&stage.refresh(token).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn a_refusal_for_another_reason_spends_nothing() {
    let stage = Stage::new().await;
    rotate(&stage, 0);
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("scope", "openid phone"),
    ];
    assert_refused(&stage.as_web(&fields).await, 400, "invalid_scope");
    stage.refresh(&refresh).await.expect(200);
}

#[actix_web::test]
async fn tokens_from_before_are_still_detected_when_rotation_was_switched_off() {
    let stage = Stage::new().await;
    rotate(&stage, 10);
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let old = first.refresh.as_deref().unwrap();
    let second = Tokens::of(&stage.refresh(old).await.expect(200));
    let leaf = second.refresh.as_deref().unwrap();
    stage.change_web_client(|settings| settings.rotation.enabled = false);
    // The lost answer, the leaf that now stays, and the thief.
    assert_eq!(
        Tokens::of(&stage.refresh(old).await.expect(200))
            .refresh
            .as_deref(),
        Some(leaf)
    );
    for _ in 0..2 {
        assert_eq!(Tokens::of(&stage.refresh(leaf).await.expect(200)).refresh, None);
        stage.clock.advance(60);
    }
    assert_refused(&stage.refresh(old).await, 400, "invalid_grant");
    assert_refused(&stage.refresh(leaf).await, 400, "invalid_grant");
}
