//! Signing in with a password, proving it again, and how sessions end.

use forebay::actions::admins::{self, Place, Proof};
use forebay::broker::{BY_ACCOUNT, BY_ADDRESS, WINDOW_SECONDS};
use forebay::demo::{OPERATOR, OPERATOR_PASSWORD, TENANT_PASSWORD};
use forebay::model::{administrator, audit};
use forebay::web::console::door::COOKIE;

use crate::support::{Answer, Browser, Form, Stage};

const SIGN_IN: &str = "/console/sign-in";

/// A stage with the demo's administrators.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage
}

async fn try_password(browser: &mut Browser<'_>, email: &str, password: &str) -> Answer {
    let page = browser.open(SIGN_IN).await.expect(200);
    let form = Form::to(&page.body, SIGN_IN);
    browser
        .submit(&form, &[("email", email), ("password", password)])
        .await
}

/// The events of this action, newest first.
fn events(stage: &Stage, action: &str) -> Vec<audit::Event> {
    let mut events = stage.act(|conn| audit::recent(conn, None, 1_000).unwrap());
    events.retain(|event| event.action == action);
    events
}

#[actix_web::test]
async fn a_password_opens_the_console_and_leads_to_where_one_wanted_to_go() {
    let stage = stage().await;
    let mut browser = stage.browser();
    let page = browser.visit("/console/account").await.expect(200);
    assert_eq!(browser.url.path(), SIGN_IN);
    let form = Form::to(&page.body, SIGN_IN);
    let fields: Vec<(String, String)> = [
        (
            "csrf",
            form.fields
                .iter()
                .find(|(name, _)| name == "csrf")
                .unwrap()
                .1
                .as_str(),
        ),
        ("next", "/console/account"),
        ("email", "Operator@forebay.TEST"),
        ("password", OPERATOR_PASSWORD),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let answer = browser.request("POST", SIGN_IN, &fields).await.expect(303);
    assert_eq!(answer.location(), "/console/account");
    let cookie = answer
        .all("set-cookie")
        .into_iter()
        .find(|line| line.starts_with(&format!("{COOKIE}=")))
        .unwrap();
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Domain") && !cookie.contains("Max-Age"),
        "{cookie}"
    );
    let account = browser.open("/console/account").await.expect(200);
    assert!(account.body.contains(OPERATOR));

    let event = &events(&stage, "administrator.sign_in")[0];
    assert_eq!(event.actor, format!("admin:{OPERATOR}"));
    assert!(!event.difference.0.to_string().contains(OPERATOR_PASSWORD));
    // Whoever is signed in has no business on the sign-in page.
    assert_eq!(browser.open(SIGN_IN).await.expect(303).location(), "/console");
}

#[actix_web::test]
async fn unknown_address_wrong_password_and_disabled_account_get_the_same_answer() {
    let stage = stage().await;
    stage.act(|conn| {
        let row = administrator::find_by_email(conn, "admin@globex.test")
            .unwrap()
            .unwrap();
        assert!(administrator::set_enabled(conn, &row.id, false, row.updated_at).unwrap());
    });
    let mut answers = Vec::new();
    for (email, password) in [
        (OPERATOR, "not the password"),
        ("nobody@forebay.test", OPERATOR_PASSWORD),
        ("admin@globex.test", TENANT_PASSWORD),
    ] {
        let mut browser = stage.browser();
        let answer = try_password(&mut browser, email, password).await.expect(422);
        assert!(browser.cookie(COOKIE).is_none_or(|(name, _)| name != COOKIE));
        let csrf = Form::to(&answer.body, SIGN_IN).fields[0].1.clone();
        answers.push(answer.body.replace(email, "…").replace(&csrf, "…"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    // What was typed for nobody's account is not kept.
    let failed = events(&stage, "administrator.sign_in_failed");
    let targets: Vec<&str> = failed.iter().rev().map(|event| event.target.as_str()).collect();
    assert_eq!(targets, [OPERATOR, "unknown", "admin@globex.test"]);
}

#[actix_web::test]
async fn an_account_that_was_tried_too_often_waits_whether_it_exists_or_not() {
    let stage = stage().await;
    let mut browser = stage.browser();
    for email in [OPERATOR, "nobody@forebay.test"] {
        for _ in 0..BY_ACCOUNT {
            try_password(&mut browser, email, "wrong").await.expect(422);
        }
        let answer = try_password(&mut browser, email, OPERATOR_PASSWORD)
            .await
            .expect(429);
        assert_eq!(
            answer.header("retry-after"),
            Some(WINDOW_SECONDS.to_string().as_str())
        );
        assert!(answer.shows("Try again in 15 minutes"), "{answer:?}");
    }
    let kept = events(&stage, "administrator.sign_in_failed").len();
    assert!(kept < 10, "a flood of failures fills the audit log: {kept}");
    stage.clock.advance(WINDOW_SECONDS);
    try_password(&mut browser, OPERATOR, OPERATOR_PASSWORD)
        .await
        .expect(200);
    assert_eq!(browser.url.path(), "/console");
}

#[actix_web::test]
async fn an_address_that_tries_many_accounts_waits_too() {
    let stage = stage().await;
    let mut browser = stage.browser();
    for number in 0..BY_ADDRESS {
        let email = format!("nobody{number}@forebay.test");
        try_password(&mut browser, &email, "wrong").await.expect(422);
    }
    try_password(&mut browser, OPERATOR, OPERATOR_PASSWORD)
        .await
        .expect(429);
}

#[actix_web::test]
async fn the_way_on_never_leaves_the_console() {
    let stage = stage().await;
    for next in [
        "//evil.test",
        "https://evil.test/console",
        "/logout",
        "/console/../logout",
    ] {
        let mut browser = stage.browser();
        let asked = forebay::rules::params::encode([("next", next)]);
        let page = browser.open(&format!("{SIGN_IN}?{asked}")).await.expect(200);
        let form = Form::to(&page.body, SIGN_IN);
        assert!(
            form.fields.contains(&("next".into(), "/console".into())),
            "{next}"
        );
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| name == "csrf");
        for (name, value) in [
            ("next", next),
            ("email", OPERATOR),
            ("password", OPERATOR_PASSWORD),
        ] {
            fields.push((name.into(), value.into()));
        }
        let answer = browser.request("POST", SIGN_IN, &fields).await.expect(303);
        assert_eq!(answer.location(), "/console", "{next}");
    }
}

#[actix_web::test]
async fn nobody_is_signed_in_by_a_form_from_elsewhere() {
    let stage = stage().await;
    let right = [("email", OPERATOR), ("password", OPERATOR_PASSWORD)];
    // Another browser's form.
    let mut other = stage.browser();
    let page = other.open(SIGN_IN).await;
    let stolen = Form::to(&page.body, SIGN_IN);
    let mut browser = stage.browser();
    browser.submit(&stolen, &right).await.expect(403);
    browser.open(SIGN_IN).await;
    browser.submit(&stolen, &right).await.expect(403);
    // The right form, said to come from another site.
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        other.headers = vec![(name, value.to_owned())];
        other.submit(&stolen, &right).await.expect(403);
    }
    other.headers = vec![
        ("origin", "http://localhost:8080".to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
    ];
    other.submit(&stolen, &right).await.expect(200);
}

#[actix_web::test]
async fn signing_in_makes_a_new_session_and_ends_the_one_before() {
    let stage = stage().await;
    let mut browser = stage.console("admin@acme.test");
    let (_, before) = browser.cookie(COOKIE).unwrap();
    // As a page that was opened before the session began.
    browser.forget_cookies(COOKIE);
    let page = browser.open(SIGN_IN).await.expect(200);
    let form = Form::to(&page.body, SIGN_IN);
    browser.set_cookie(COOKIE, &before);
    browser
        .submit(&form, &[("email", OPERATOR), ("password", OPERATOR_PASSWORD)])
        .await
        .expect(200);
    let after = browser
        .cookies()
        .into_iter()
        .find(|(name, _)| name == COOKIE)
        .unwrap()
        .1;
    assert_ne!(before, after);
    let mut old = stage.browser();
    old.set_cookie(COOKIE, &before);
    old.open("/console").await.expect(303);
}

#[actix_web::test]
async fn a_session_ends_when_idle_and_after_half_a_day_at_the_latest() {
    let stage = stage().await;
    let mut browser = stage.console(OPERATOR);
    stage.clock.advance(29 * 60);
    browser.open("/console").await.expect(200);
    stage.clock.advance(29 * 60);
    browser.open("/console").await.expect(200);
    stage.clock.advance(30 * 60);
    browser.open("/console").await.expect(303);

    let mut busy = stage.console(OPERATOR);
    for _ in 0..(12 * 3 - 1) {
        stage.clock.advance(20 * 60);
        busy.open("/console").await.expect(200);
    }
    stage.clock.advance(20 * 60);
    busy.open("/console").await.expect(303);

    let gone = forebay::jobs::clean_up(&stage.broker).await.unwrap();
    assert!(gone >= 2, "ended sessions are deleted: {gone}");
}

#[actix_web::test]
async fn a_disabled_administrator_is_out_at_once() {
    let stage = stage().await;
    let mut browser = stage.console("admin@acme.test");
    browser.open("/console").await.expect(200);
    stage.act(|conn| {
        let row = administrator::find_by_email(conn, "admin@acme.test")
            .unwrap()
            .unwrap();
        assert!(administrator::set_enabled(conn, &row.id, false, row.updated_at).unwrap());
    });
    browser.open("/console").await.expect(303);
}

#[actix_web::test]
async fn secrets_and_deletions_want_a_proof_from_just_now() {
    let stage = stage().await;
    let mut browser = stage.console(OPERATOR);
    let invite = "/console/administrators/invite";
    browser.open(invite).await.expect(200);
    stage.clock.advance(10 * 60);
    let page = browser.visit(invite).await.expect(200);
    assert_eq!(browser.url.path(), "/console/prove");
    let form = Form::to(&page.body, "/console/prove");
    let before = browser.cookie(COOKIE).unwrap().1;
    browser.submit(&form, &[("password", "wrong")]).await.expect(422);
    browser
        .submit(&form, &[("password", OPERATOR_PASSWORD)])
        .await
        .expect(200);
    assert_eq!(browser.url.path(), invite);
    assert_ne!(
        browser.cookie(COOKIE).unwrap().1,
        before,
        "the session has a new cookie"
    );
    let mut old = stage.browser();
    old.set_cookie(COOKIE, &before);
    old.open("/console").await.expect(303);
    // The old page's form is another session's now.
    browser
        .submit(&form, &[("password", OPERATOR_PASSWORD)])
        .await
        .expect(403);
}

#[actix_web::test]
async fn proving_is_no_way_around_the_limit() {
    let stage = stage().await;
    let mut browser = stage.console(OPERATOR);
    let page = browser.open("/console/prove").await.expect(200);
    let form = Form::to(&page.body, "/console/prove");
    for _ in 0..BY_ACCOUNT {
        browser.submit(&form, &[("password", "wrong")]).await.expect(422);
    }
    browser
        .submit(&form, &[("password", OPERATOR_PASSWORD)])
        .await
        .expect(429);
}

#[actix_web::test]
async fn signing_out_ends_the_session_and_takes_a_form_of_its_own() {
    let stage = stage().await;
    let mut browser = stage.console(OPERATOR);
    let page = browser.open("/console").await.expect(200);
    let form = Form::to(&page.body, "/console/sign-out");
    let cookie = browser.cookie(COOKIE).unwrap().1;
    browser.submit(&form, &[("csrf", "guessed")]).await.expect(403);
    let page = browser.submit(&form, &[]).await.expect(200);
    assert!(page.shows("You are signed out."), "{page:?}");
    let mut old = stage.browser();
    old.set_cookie(COOKIE, &cookie);
    old.open("/console").await.expect(303);
}

#[actix_web::test]
async fn a_password_that_was_changed_while_it_was_verified_opens_nothing() {
    let stage = stage().await;
    let ctx = stage.ctx();
    stage.act(|conn| {
        let who = administrator::find_by_email(conn, OPERATOR).unwrap().unwrap();
        let verified = who.password_hash.clone().unwrap();
        let proof = Proof::Password { verified };
        let come = |conn: &mut _| admins::sign_in(conn, &ctx, &who.id, &proof, Place::default(), None);
        assert!(come(conn).unwrap().is_some());
        assert!(administrator::set_password(conn, &who.id, "another hash", ctx.now).unwrap());
        assert_eq!(come(conn).unwrap(), None);
    });
}

#[actix_web::test]
async fn what_is_no_address_is_refused_before_it_is_remembered() {
    let stage = stage().await;
    let mut browser = stage.browser();
    let endless = format!("{}@forebay.test", "a".repeat(300));
    for _ in 0..=BY_ADDRESS {
        try_password(&mut browser, &endless, "wrong").await.expect(422);
    }
    try_password(&mut browser, OPERATOR, OPERATOR_PASSWORD)
        .await
        .expect(200);
}

#[actix_web::test]
async fn strangers_at_the_sign_in_form_keep_nobody_from_proving() {
    let stage = stage().await;
    let mut browser = stage.console(OPERATOR);
    let mut stranger = stage.browser();
    for _ in 0..BY_ACCOUNT {
        try_password(&mut stranger, OPERATOR, "wrong").await.expect(422);
    }
    try_password(&mut stranger, OPERATOR, "wrong").await.expect(429);
    let page = browser.open("/console/prove").await.expect(200);
    browser
        .submit(
            &Form::to(&page.body, "/console/prove"),
            &[("password", OPERATOR_PASSWORD)],
        )
        .await
        .expect(200);
    let page = browser.open("/console/account").await.expect(200);
    let form = Form::to(&page.body, "/console/account/password");
    browser
        .submit(
            &form,
            &[
                ("present", OPERATOR_PASSWORD),
                ("password", "another long password"),
            ],
        )
        .await
        .expect(200);
}
