//! Jobs on several nodes at once, and cut short: nothing is done twice, nothing is left behind.

use std::time::Duration;

use diesel::prelude::*;
use forebay::demo::{OPERATOR, POOL};
use forebay::jobs;
use forebay::model::trace::{self, Trace};
use forebay::model::{audit, code, enforcement};
use futures_util::future::join_all;

use crate::support::Stage;

const DAY: i64 = 86_400;

/// Traces beside the one that there is.
fn fill(stage: &Stage, one: &Trace, count: usize) {
    stage.act(|conn| {
        let filled = conn.transaction(|conn| {
            for number in 0..count {
                let code = format!("Y{number:0>5}");
                assert!(trace::insert(conn, &Trace { code, ..one.clone() })?);
            }
            QueryResult::Ok(())
        });
        filled.unwrap();
    });
}

#[actix_web::test]
async fn f38_a_clean_up_that_was_cut_short_goes_on_and_two_nodes_share_what_is_left() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    let one = stage.traces().remove(0);
    fill(&stage, &one, 900);
    stage.clock.advance(400 * DAY);
    let living = stage.tokens_for("ada@acme.test", &[]).await;
    let (one, two) = (stage.second_node().await, stage.second_node().await);
    // Wherever it is by then.
    let a_moment = Duration::from_millis(3);
    let _ = actix_web::rt::time::timeout(a_moment, jobs::clean_up(&one.broker)).await;
    for gone in join_all([jobs::clean_up(&one.broker), jobs::clean_up(&two.broker)]).await {
        gone.unwrap();
    }
    assert_eq!(jobs::clean_up(&stage.broker).await.unwrap(), 0, "nothing is left");
    assert_eq!(stage.traces().len(), 1, "what lives stays");
    stage
        .refresh(living.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn f38_the_clean_up_takes_small_batches() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    let one = stage.traces().remove(0);
    fill(&stage, &one, 300);
    stage.clock.advance(400 * DAY);
    let now = stage.broker.clock.now();
    stage.act(|conn| {
        assert_eq!(trace::delete_expired(conn, now, 200).unwrap(), 200);
        assert_eq!(trace::delete_expired(conn, now, 200).unwrap(), 101);
        assert_eq!(code::delete_expired(conn, now, 0).unwrap(), 0);
    });
}

#[actix_web::test]
async fn enforcement_that_nobody_confirmed_is_taken_back_once_however_many_nodes_look() {
    let stage = Stage::new().await;
    stage.enforce("acme", "acme-okta");
    stage.act(|conn| {
        let mut row = enforcement::find(conn, "acme").unwrap().unwrap();
        row.confirmed_at = None;
        enforcement::delete(conn, "acme").unwrap();
        assert!(enforcement::insert(conn, &row).unwrap());
    });
    stage.clock.advance(1);
    let nodes = [stage.second_node().await, stage.second_node().await];
    let looks = nodes.iter().map(|node| jobs::revert_enforcement(&node.broker));
    let taken: usize = join_all(looks).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(taken, 1);
    let events = stage.act(|conn| audit::recent(conn, Some(POOL), 100).unwrap());
    let reverts = events
        .iter()
        .filter(|event| event.action == "tenant.enforce_revert");
    assert_eq!(reverts.count(), 1);
}

#[actix_web::test]
async fn a_key_gets_one_successor_however_many_nodes_look() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage.clock.advance(90 * DAY);
    let nodes = [stage.second_node().await, stage.second_node().await];
    let steps = join_all(nodes.iter().map(|node| jobs::turn_keys_over(&node.broker))).await;
    let steps: usize = steps.into_iter().map(Result::unwrap).sum();
    assert_eq!(steps, 2, "one for each use");
    let events = stage.act(|conn| audit::recent(conn, Some(POOL), 100).unwrap());
    assert_eq!(
        events.iter().filter(|event| event.action == "key.rotate").count(),
        2
    );
}

/// What acme is asked while so many nodes look at the connections at the same time.
async fn asked(nodes: usize) -> usize {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage.acme.forget_requests();
    for outcome in join_all((0..nodes).map(|_| jobs::watch::probe_due(&stage.broker))).await {
        outcome.unwrap();
    }
    stage.acme.requests().len()
}

#[actix_web::test]
async fn a_round_over_the_connections_is_one_node_s_at_a_time() {
    let alone = asked(1).await;
    assert!(alone > 0);
    assert_eq!(asked(3).await, alone);
}
