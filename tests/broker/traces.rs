//! The story of every login: kept for successes and refusals, redacted, for as long as the pool says.

use forebay::demo::okta::{AuthorizeFault, IdTokenFault};
use forebay::jobs;
use forebay::model::trace::{self, Outcome, Trace};

use crate::support::Stage;
use crate::upstream::{attempt, explained, rows, signed_in};

const DAY: i64 = 86_400;

#[actix_web::test]
async fn a_successful_sign_in_leaves_its_story() {
    let stage = Stage::new().await;
    let back = attempt(&stage, "ada@acme.test").await;
    let id = signed_in(&stage, &back).await;
    let traces = stage.traces();
    assert_eq!(traces.len(), 1);
    let trace = &traces[0];
    assert_eq!(trace.outcome, Outcome::SignedIn);
    assert_eq!(trace.cause, "signed_in");
    assert!(trace.reached_provider);
    assert_eq!(trace.provider_id.as_deref(), Some("acme-okta"));
    assert_eq!(trace.client_id.as_deref(), Some("demowebapp0000000000000001"));
    assert_eq!(trace.user_sub.as_deref(), id["sub"].as_str());
    assert_eq!(trace.story.remedy, "");
    assert!(trace.story.steps.iter().all(|step| step.passed), "{trace:?}");
    let names: Vec<&str> = trace.story.steps.iter().map(|step| step.name.as_str()).collect();
    for name in [
        "authorize",
        "callback",
        "token",
        "id_token.signature",
        "id_token.nonce",
        "userinfo",
        "userinfo.sub",
        "mapping",
        "user",
        "response",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let email = trace
        .story
        .effects
        .iter()
        .find(|effect| effect.target == "email")
        .unwrap();
    assert_eq!(
        (email.action.as_str(), email.new.as_deref()),
        ("written", Some("a***@acme.test"))
    );
    assert!(
        trace
            .story
            .effects
            .iter()
            .any(|effect| effect.target == "group:Engineering" && effect.action == "joined")
    );
    // A second sign-in changes nothing, and says so.
    attempt(&stage, "ada@acme.test").await.expect(302);
    let traces = stage.traces();
    let unchanged = traces.iter().filter(|trace| {
        trace
            .story
            .effects
            .iter()
            .any(|effect| effect.target == "email" && effect.action == "unchanged")
    });
    assert_eq!((traces.len(), unchanged.count()), (2, 1));
}

/// Everything that a trace shows, as text.
fn told(trace: &Trace) -> String {
    format!(
        "{} {} {}",
        trace.code,
        trace.cause,
        serde_json::to_string(&trace.story.0).unwrap()
    )
}

#[actix_web::test]
async fn no_trace_holds_a_code_a_token_a_secret_or_a_persons_data() {
    let stage = Stage::new().await;
    let mut secrets: Vec<String> = [
        "ada@",
        "grace@",
        "linus@",
        "Ada",
        "Lovelace",
        "Grace",
        "Hopper",
        "555 01",
        "Analytical",
        "eyJ",
        "demo-secret",
        "demo_secret",
        "Bearer",
        "00u1ada",
        "00u1grace",
        "00u1linus",
        "the-nonce",
    ]
    .map(String::from)
    .to_vec();
    for (login, fault) in [
        ("ada@acme.test", None),
        ("grace@acme.test", None),
        ("linus@acme.test", None),
        ("ada@acme.test", Some(IdTokenFault::NonceWrong)),
        ("ada@acme.test", Some(IdTokenFault::SubOther)),
        ("ada@acme.test", Some(IdTokenFault::SignatureAltered)),
        ("ada@acme.test", Some(IdTokenFault::KidUnknown)),
        ("ada@acme.test", Some(IdTokenFault::NotAJwt)),
    ] {
        stage
            .acme
            .set_faults(|faults| faults.id_token = fault.clone().into_iter().collect());
        stage.acme.forget_requests();
        attempt(&stage, login).await;
        for seen in stage.acme.requests() {
            for (name, value) in seen.query.iter().chain(&seen.form) {
                let secret = matches!(
                    name.as_str(),
                    "state" | "nonce" | "code" | "code_verifier" | "code_challenge"
                );
                if secret && value.len() > 8 {
                    secrets.push(value.clone());
                }
            }
        }
    }
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![AuthorizeFault::Code("a-code-that-somebody-made-up".into())];
    });
    attempt(&stage, "ada@acme.test").await;
    secrets.push("a-code-that-somebody-made-up".into());
    let traces = stage.traces();
    assert_eq!(traces.len(), 9, "one of each attempt");
    assert!(secrets.len() > 40, "what was sent is looked for, too");
    for trace in &traces {
        let told = told(trace);
        for secret in &secrets {
            assert!(!told.contains(secret.as_str()), "{secret} in {told}");
        }
    }
}

#[actix_web::test]
async fn a_trace_code_opens_nothing_to_somebody_without_rights_to_it() {
    let stage = Stage::new().await;
    let page = attempt(&stage, "linus@acme.test").await;
    let code = page.trace_code().unwrap();
    for path in ["/error", "/login", "/oauth2/authorize", "/oauth2/idpresponse"] {
        let answer = stage.get(&format!("{path}?trace={code}&code={code}")).await;
        assert!(
            !answer.shows("Assignments"),
            "{path}: the remedy is the administrator's"
        );
    }
    assert!(!page.shows("Assignments"));
}

#[actix_web::test]
async fn f38_the_clean_up_takes_what_has_expired_and_leaves_what_lives() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.trace_days = 30);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let page = attempt(&stage, "linus@acme.test").await;
    let refused = explained(&stage, &page, "user_not_assigned");
    let forged = stage.get("/oauth2/idpresponse/acme-okta?state=x").await;
    let unreached = stage.trace(&forged.trace_code().unwrap());
    assert_eq!(refused.expires_at.since(refused.started_at), 30 * DAY);
    assert_eq!(unreached.expires_at.since(unreached.started_at), 7 * DAY);

    assert_eq!(jobs::clean_up(&stage.broker).await.unwrap(), 0, "all of it lives");
    let before = rows(&stage);
    let find = |code: &str| stage.act(|conn| trace::find(conn, code).unwrap());

    stage.clock.advance(8 * DAY);
    assert!(jobs::clean_up(&stage.broker).await.unwrap() > 0);
    assert!(find(&unreached.code).is_none(), "a week is over");
    assert!(find(&refused.code).is_some());
    let after = rows(&stage);
    let count = |rows: &[(&str, i64)], table: &str| rows.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!((count(&before, "sessions"), count(&after, "sessions")), (1, 0));
    assert_eq!(count(&after, "authorization_codes"), 0);
    assert_eq!(count(&after, "users"), 1, "people stay");
    assert_eq!(count(&after, "refresh_tokens"), 1, "it lives for thirty days");
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(200);

    stage.clock.advance(23 * DAY);
    jobs::clean_up(&stage.broker).await.unwrap();
    assert!(find(&refused.code).is_none());
    assert!(stage.traces().is_empty());
    assert_eq!(
        jobs::clean_up(&stage.broker).await.unwrap(),
        0,
        "a second run finds nothing"
    );
}

#[actix_web::test]
async fn f38_two_clean_ups_at_once_do_no_harm_and_many_rows_go_in_batches() {
    let stage = Stage::new().await;
    let page = attempt(&stage, "linus@acme.test").await;
    let one = explained(&stage, &page, "user_not_assigned");
    stage.act(|conn| {
        for number in 0..450 {
            let row = Trace {
                code: format!("Z{number:0>5}"),
                ..one.clone()
            };
            assert!(trace::insert(conn, &row).unwrap());
        }
    });
    stage.clock.advance(400 * DAY);
    let (a, b) =
        futures_util::future::join(jobs::clean_up(&stage.broker), jobs::clean_up(&stage.broker)).await;
    assert_eq!(a.unwrap() + b.unwrap(), 451);
    assert!(stage.traces().is_empty());
}
