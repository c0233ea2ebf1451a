//! A new root key takes over: everything goes on working when the old one is gone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay::actions::root_key;
use forebay::demo;
use forebay::jobs;
use serde_json::Value;

use crate::moving::{done, forebay};
use crate::support::Stage;

fn keys(bytes: &[u8]) -> String {
    let keys: Vec<String> = bytes.iter().map(|byte| STANDARD.encode([*byte; 32])).collect();
    keys.join(",")
}

/// `forebay` with these root keys; the stage's own is 42.
fn with(stage: &Stage, bytes: &[u8], arguments: &[&str]) -> std::process::Command {
    let mut command = forebay(stage.database(), "localhost", arguments);
    command.env("FOREBAY_ROOT_KEY", keys(bytes));
    command
}

fn states(stage: &Stage, bytes: &[u8]) -> Vec<(String, u64)> {
    let told = done(with(stage, bytes, &["keys", "root"]));
    let told = told.as_array().unwrap().iter();
    told.map(|key: &Value| {
        (
            key["state"].as_str().unwrap().to_owned(),
            key["lasting"].as_u64().unwrap(),
        )
    })
    .collect()
}

#[actix_web::test]
async fn an_old_root_key_may_go_once_the_new_one_took_over() {
    let stage = Stage::new().await;
    stage.console(demo::OPERATOR);
    stage.native_user("nora", "Correct-horse-7").await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;

    let before = states(&stage, &[7, 42]);
    assert_eq!(before[0], ("seals".to_owned(), 0));
    assert!(before[1].0.starts_with("opens") && before[1].1 > 5, "{before:?}");
    // Alone, the new key opens nothing.
    let alone = states(&stage, &[7]);
    assert!(alone[1].0.contains("not here"), "{alone:?}");
    let nothing = done(with(&stage, &[7], &["keys", "take-over"]));
    assert_eq!(
        (&nothing["sealed_anew"], &nothing["closed"]),
        (&0.into(), &before[1].1.into())
    );

    let told = done(with(&stage, &[7, 42], &["keys", "take-over"]));
    assert_eq!(
        (&told["sealed_anew"], &told["closed"]),
        (&before[1].1.into(), &0.into())
    );
    let after = states(&stage, &[7, 42]);
    assert_eq!(after[0].1, before[1].1);
    assert!(after.len() == 1 || after[1].0.starts_with("may go"), "{after:?}");
    let again = done(with(&stage, &[7, 42], &["keys", "take-over"]));
    assert_eq!(again["sealed_anew"], 0);
    // Back again, so that the stage's broker, which knows the old key alone, shows that all of it still opens.
    done(with(&stage, &[42, 7], &["keys", "take-over"]));
    stage.broker.forget();
    stage.userinfo(&tokens.access).await.expect(200);
    stage.tokens_for("ada@acme.test", &[]).await;
}

#[actix_web::test]
async fn a_running_broker_takes_over_by_itself_and_needs_only_one_key_to_leave_it_alone() {
    let stage = Stage::new().await;
    assert_eq!(jobs::take_over(&stage.broker).await.unwrap(), 0);
    done(with(&stage, &[7, 42], &["keys", "take-over"]));
    let node = stage.with_root_keys(&[42, 7]);
    assert!(jobs::take_over(&node).await.unwrap() > 5);
    let shares = stage.act(|conn| root_key::shares(conn).unwrap());
    let ids = node.sealer.key_ids();
    assert!(shares.iter().all(|share| share.key_id == ids[0]), "{shares:?}");
    // It was done just now: not again within the hour, whatever comes.
    done(with(&stage, &[7, 42], &["keys", "take-over"]));
    assert_eq!(jobs::take_over(&node).await.unwrap(), 0);
    stage.clock.advance(3_600);
    assert!(jobs::take_over(&node).await.unwrap() > 5);
}
