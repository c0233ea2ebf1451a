//! A hook that says no, nonsense or nothing: the person gets a page, the app Cognito's words, the administrator a trace,
//! and nobody a token.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay::actions::users;
use forebay::model::reach::Reach;
use forebay::model::trace::Trace;
use serde_json::{Value, json};

use super::{ARN, Hook, bind, everything, name, stage};
use crate::support::{Answer, Stage, query_of};
use crate::upstream::{attempt, back_to_app, failing, refused, rows};

fn description(page: &Answer) -> String {
    query_of(&back_to_app(page).unwrap(), "error_description").unwrap()
}

/// Ada's sign-in is refused for that cause; what the app is told, and the trace.
async fn stopped(stage: &Stage, cause: &str) -> (String, Trace) {
    let page = attempt(stage, "ada@acme.test").await;
    let trace = refused(stage, &page, cause, "invalid_request");
    (description(&page), trace)
}

#[actix_web::test]
async fn each_trigger_can_refuse_a_sign_in_in_its_own_words() {
    for (source, trigger, known) in [
        ("InboundFederation_ExternalProvider", "InboundFederation", false),
        ("PreSignUp_ExternalProvider", "PreSignUp", false),
        ("PostConfirmation_ConfirmSignUp", "PostConfirmation", false),
        ("TokenGeneration_HostedAuth", "PreTokenGeneration", false),
        ("PreAuthentication_Authentication", "PreAuthentication", true),
        ("PostAuthentication_Authentication", "PostAuthentication", true),
    ] {
        let hook = Hook::new();
        let stage = stage(&hook).await;
        if known {
            stage.tokens_for("ada@acme.test", &[]).await;
        }
        let before = rows(&stage);
        name(&stage, everything());
        hook.refuses(source, "not on a Sunday");
        let (told, trace) = stopped(&stage, "hook_refused").await;
        assert_eq!(told, format!("{trigger} failed with error not on a Sunday."));
        assert_eq!(failing(&trace), Some(format!("hook.{trigger}").as_str()));
        let text = serde_json::to_string(&trace.story.0).unwrap();
        assert!(
            !text.contains("whsec_") && !text.contains("ada@acme.test"),
            "{text}"
        );
        let made = |table: &str, rows: &[(&str, i64)]| rows.iter().find(|row| row.0 == table).unwrap().1;
        let after = rows(&stage);
        for table in ["sessions", "authorization_codes", "token_families"] {
            assert_eq!(made(table, &before), made(table, &after), "{source}: {table}");
        }
        // As in Cognito, a profile that was made stays.
        let stays = matches!(trigger, "PostConfirmation" | "PreTokenGeneration");
        assert_eq!(
            made("users", &after) - made("users", &before),
            i64::from(stays),
            "{source}"
        );

        name(&stage, json!({}));
        stage.tokens_for("ada@acme.test", &[]).await;
    }
}

#[actix_web::test]
async fn nonsense_and_silence_are_told_apart() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(&stage, json!({ "PreSignUp": ARN }));
    for nonsense in [
        "",
        "[]",
        "{}",
        r#"{"response":"x"}"#,
        r#"{"response":{"autoConfirmUser":"yes"}}"#,
    ] {
        hook.says(200, nonsense);
        let (told, _) = stopped(&stage, "hook_malformed").await;
        assert_eq!(told, "PreSignUp: Unrecognizable lambda output", "{nonsense}");
    }
    // A redirect is not followed.
    for status in [302, 502] {
        hook.forget_calls();
        hook.says(status, "<html>");
        let (told, _) = stopped(&stage, "hook_unreachable").await;
        assert_eq!(
            told, "PreSignUp invocation failed due to configuration.",
            "{status}"
        );
        assert_eq!(
            hook.calls().len(),
            1,
            "{status} is an answer: it is not asked for again"
        );
    }
    hook.says(403, "no");
    let (told, _) = stopped(&stage, "hook_refused").await;
    assert_eq!(told, "PreSignUp failed with error the hook answered 403.");
    hook.says(
        200,
        &json!({ "response": { "x": "y".repeat(2 << 20) } }).to_string(),
    );
    stopped(&stage, "hook_unreachable").await;
}

#[actix_web::test]
async fn a_hook_that_nothing_is_bound_to_and_one_behind_the_fence_stop_sign_ins() {
    let hook = Hook::new();
    // The hook's host is none that may be called.
    let stage = Stage::new().await;
    name(&stage, json!({ "PreSignUp": ARN }));
    let (_, trace) = stopped(&stage, "hook_unreachable").await;
    let step = trace.story.steps.last().unwrap();
    assert!(step.detail.contains("no address is bound"), "{step:?}");
    bind(&stage, ARN, &hook.url(), None);
    let (_, trace) = stopped(&stage, "hook_unreachable").await;
    let step = trace.story.steps.last().unwrap();
    assert!(step.detail.contains("is refused"), "{step:?}");
    assert_eq!(hook.calls().len(), 0);
}

/// A hook whose first connections break before an answer, which then answers with the event.
fn breaking(times: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if seen.fetch_add(1, Ordering::SeqCst) < times {
                continue;
            }
            let mut head = [0; 65_536];
            let read = stream.read(&mut head).unwrap_or(0);
            assert!(read > 0);
            let body = r#"{"response":{}}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (host, count)
}

#[actix_web::test]
async fn a_connection_that_breaks_is_tried_three_times() {
    for (times, answered) in [(2, true), (3, false)] {
        let (host, count) = breaking(times);
        let stage = Stage::with_allowed(Duration::from_secs(6), &[&host]).await;
        bind(&stage, ARN, &format!("http://{host}/"), None);
        name(&stage, json!({ "PreSignUp": ARN }));
        let page = attempt(&stage, "ada@acme.test").await;
        assert_eq!(page.status == 303 || page.status == 302, answered, "{page:?}");
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}

#[actix_web::test]
async fn a_hook_that_does_not_answer_in_time_is_not_asked_again() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let stage = Stage::with_allowed(Duration::from_secs(3), &[&host]).await;
    bind(&stage, ARN, &format!("http://{host}/"), None);
    stage.tokens_for("ada@acme.test", &[]).await;
    name(&stage, json!({ "PreAuthentication": ARN }));
    let (told, trace) = stopped(&stage, "hook_unreachable").await;
    assert_eq!(told, "PreAuthentication invocation failed due to configuration.");
    let step = trace.story.steps.last().unwrap();
    assert!(step.detail.ends_with("nothing came within 1.5 s"), "{step:?}");
    drop(listener);
}

#[actix_web::test]
async fn a_hook_that_keeps_failing_is_left_alone_for_a_while_and_then_tried_once() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    name(
        &stage,
        json!({ "PreTokenGenerationConfig": { "LambdaVersion": "V3_0", "LambdaArn": ARN } }),
    );
    hook.says(500, "broken");
    for _ in 0..5 {
        let answer = stage.as_machine(&[]).await.expect(400);
        assert_eq!(answer.error(), "temporarily_unavailable");
    }
    assert_eq!(hook.calls().len(), 5);
    stage.as_machine(&[]).await.expect(400);
    assert_eq!(hook.calls().len(), 5, "it is left alone");
    stage.clock.advance(5);
    stage.as_machine(&[]).await.expect(400);
    assert_eq!(hook.calls().len(), 6, "one trial");
    stage.as_machine(&[]).await.expect(400);
    assert_eq!(hook.calls().len(), 6);
    stage.clock.advance(10);
    hook.responds(|_| Value::Null);
    stage.as_machine(&[]).await.expect(200);
    stage.as_machine(&[]).await.expect(200);
    assert_eq!(hook.calls().len(), 8, "and all is well again");

    // A hook that says no works: nothing is held against it.
    hook.refuses("TokenGeneration_ClientCredentials", "no");
    for _ in 0..7 {
        let answer = stage.as_machine(&[]).await.expect(400);
        assert_eq!(answer.error(), "invalid_grant");
        assert_eq!(
            answer.json()["error_description"],
            "PreTokenGeneration failed with error no."
        );
    }
    assert_eq!(hook.calls().len(), 15);
}

#[actix_web::test]
async fn a_refresh_that_a_hook_stops_costs_the_client_nothing() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    // The grace period over which a spent token yields its successor is none.
    stage.change_spa_client(|settings| settings.rotation.grace_seconds = 0);
    let refresh = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    name(&stage, json!({ "PreTokenGeneration": ARN }));
    hook.says(502, "");
    assert_eq!(
        stage.spa_refresh(&refresh).await.expect(400).error(),
        "temporarily_unavailable"
    );
    hook.refuses("TokenGeneration_RefreshTokens", "not now");
    let answer = stage.spa_refresh(&refresh).await.expect(400);
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(
        answer.json()["error_description"],
        "PreTokenGeneration failed with error not now."
    );
    hook.responds(|_| Value::Null);
    stage.spa_refresh(&refresh).await.expect(200);
    // Spent, it is as dead as without a hook.
    assert_eq!(
        stage.spa_refresh(&refresh).await.expect(400).error(),
        "invalid_grant"
    );
}

#[actix_web::test]
async fn a_refused_session_goes_back_to_the_app_with_the_reason() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    let mut browser = stage.signed_in("ada@acme.test").await;
    name(&stage, json!({ "PreTokenGeneration": ARN }));
    hook.refuses("TokenGeneration_HostedAuth", "not now");
    let back = browser.visit(&stage.authorize(&[])).await;
    assert_eq!(
        query_of(back.location(), "error").as_deref(),
        Some("invalid_request")
    );
    assert_eq!(
        query_of(back.location(), "error_description").as_deref(),
        Some("PreTokenGeneration failed with error not now.")
    );
    assert_eq!(query_of(back.location(), "code"), None);
}

#[actix_web::test]
async fn nobody_is_asked_about_a_sign_in_that_is_refused_anyway() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = crate::support::claims(&tokens.access)["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let ctx = stage.ctx();
    stage.act(|conn| users::disable(conn, &ctx, &Reach::everything(), &sub).unwrap());
    name(
        &stage,
        json!({ "PreSignUp": ARN, "PreAuthentication": ARN, "PostAuthentication": ARN, "PreTokenGeneration": ARN }),
    );
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "user_disabled", "access_denied");
    assert_eq!(hook.calls().len(), 0);
}
