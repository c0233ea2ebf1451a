//! Answers that come to the wrong connection, browser, login or moment (A-17, A-24, A-59, A-65, A-101, A-102; M-111,
//! M-113).

use forebay::demo::okta::Endpoint;
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};

use super::{asked, explained, failing, refused, rows, signed_in};
use forebay::model::client::Flow;

use crate::support::{Answer, Browser, PUBLIC_URL, Stage, query_of};

/// Up to the organisation's redirect back to us, which is not followed: its address.
async fn callback_of(browser: &mut Browser<'_>, stage: &Stage, login: &str) -> String {
    let connection = if login.ends_with("globex.test") {
        "globex-okta"
    } else {
        "acme-okta"
    };
    let page = browser
        .visit(&stage.authorize(&[("identity_provider", connection)]))
        .await;
    let answer = browser.enter_only(&page, login).await.expect(302);
    answer.location().to_owned()
}

fn silent(stage: &Stage) {
    for okta in [&stage.acme, &stage.globex] {
        let calls = asked(okta);
        assert!(
            !calls.contains(&Endpoint::Token) && !calls.contains(&Endpoint::Userinfo),
            "{calls:?}"
        );
    }
}

#[actix_web::test]
async fn m111_a_callback_on_another_connections_path_is_refused_before_anybody_is_asked() {
    for (path, cause) in [
        ("/oauth2/idpresponse/globex-okta", "callback_mismatch"),
        ("/oauth2/idpresponse", "callback_mismatch"),
        ("/oauth2/idpresponse/nobody", "callback_mismatch"),
    ] {
        let stage = Stage::new().await;
        let mut browser = stage.browser();
        let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
        let moved = callback.replace("/oauth2/idpresponse/acme-okta", path);
        let before = rows(&stage);
        let page = browser.open(&moved).await;
        let trace = refused(&stage, &page, cause, "access_denied");
        assert_eq!(failing(&trace), Some("callback"));
        silent(&stage);
        assert_eq!(rows(&stage), before);
        // The login is over: the right path does not revive it.
        let page = browser.open(&callback).await;
        explained(&stage, &page, "login_unknown");
        silent(&stage);
    }
}

#[actix_web::test]
async fn a101_an_honest_code_never_leaves_to_a_hostile_token_endpoint() {
    let stage = Stage::new().await;
    // The victim begins a login at the hostile connection.
    let mut victim = stage.browser();
    let away = victim
        .open(&stage.authorize(&[("identity_provider", "globex-okta")]))
        .await
        .expect(302);
    let hostile = away.location().to_owned();
    let state = query_of(&hostile, "state").unwrap();
    // The attacker begins one at the honest connection, in a browser of their own.
    let mut attacker = stage.browser();
    let away = attacker
        .open(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await
        .expect(302);
    let honest = away.location().to_owned();
    let own_state = query_of(&honest, "state").unwrap();
    // The hostile endpoint bounces the victim on to the honest one, with the victim's state and the attacker's rest.
    let page = victim.visit(&honest.replace(&own_state, &state)).await;
    let page = victim.enter(&page, "ada@acme.test").await;
    refused(&stage, &page, "callback_mismatch", "access_denied");
    silent(&stage);
    assert!(
        rows(&stage).iter().all(|(_, count)| *count == 0),
        "{:?}",
        rows(&stage)
    );
}

#[actix_web::test]
async fn a102_a59_somebody_elses_callback_signs_nobody_in() {
    let stage = Stage::new().await;
    let mut attacker = stage.browser();
    let callback = callback_of(&mut attacker, &stage, "grace@acme.test").await;
    let mut victim = stage.browser();
    let page = victim.open(&callback).await;
    explained(&stage, &page, "login_unknown");
    // Also while the victim has a login of their own under way, at the same connection and at another.
    for own in ["ada@acme.test", "hank@globex.test"] {
        let mut victim = stage.browser();
        let own_callback = callback_of(&mut victim, &stage, own).await;
        let page = victim.open(&callback).await;
        explained(&stage, &page, "login_unknown");
        // The attacker's code under the victim's own state: PKCE and nonce bind it to the attacker's login.
        let code = query_of(&callback, "code").unwrap();
        let own_code = query_of(&own_callback, "code").unwrap();
        let page = victim.open(&own_callback.replace(&own_code, &code)).await;
        let cause = if own == "ada@acme.test" {
            "PKCE_FAILED"
        } else {
            "CODE_REJECTED"
        };
        let error = if own == "ada@acme.test" {
            "server_error"
        } else {
            "access_denied"
        };
        refused(&stage, &page, cause, error);
        assert_eq!(victim.cookie("__Host-session-"), None);
    }
    assert!(
        rows(&stage).iter().all(|(_, count)| *count == 0),
        "{:?}",
        rows(&stage)
    );
}

#[actix_web::test]
async fn a65_one_logins_cookie_does_not_serve_another_state() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let first = callback_of(&mut browser, &stage, "ada@acme.test").await;
    let state = query_of(&first, "state").unwrap();
    let (_, sealed) = browser.cookie(&format!("__Host-login-{state}")).unwrap();
    let second = callback_of(&mut browser, &stage, "hank@globex.test").await;
    let other = query_of(&second, "state").unwrap();
    browser.set_cookie(&format!("__Host-login-{other}"), &sealed);
    let page = browser.open(&second).await;
    let trace = explained(&stage, &page, "login_unknown");
    assert!(trace.story.steps[0].detail.contains("does not open"), "{trace:?}");
    silent(&stage);
}

#[actix_web::test]
async fn a17_a_state_that_was_never_begun_or_is_finished_or_expired_creates_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
    let cookies = browser.cookies();
    let back = browser.open(&callback).await;
    signed_in(&stage, &back).await;
    let before = rows(&stage);
    stage.acme.forget_requests();

    // Finished: the cookie is gone. Played by somebody who kept the cookie: the session of that login exists.
    browser.forget_cookies("__Host-session-");
    let page = browser.open(&callback).await;
    explained(&stage, &page, "login_unknown");
    let mut thief = stage.browser();
    for (name, value) in &cookies {
        thief.set_cookie(name, value);
    }
    let page = thief.open(&callback).await;
    assert_eq!(
        (page.status, thief.cookie("__Host-session-")),
        (200, None),
        "{page:?}"
    );
    assert_eq!(rows(&stage), before);

    let mut browser = stage.browser();
    let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
    stage.clock.advance(301);
    stage.acme.forget_requests();
    let page = browser.open(&callback).await;
    let trace = explained(&stage, &page, "login_unknown");
    assert!(trace.story.steps[0].detail.contains("five minutes"), "{trace:?}");
    silent(&stage);
    assert_eq!(rows(&stage), before);
}

#[actix_web::test]
async fn a24_what_was_switched_off_while_the_user_was_away_refuses_the_callback() {
    type Change = fn(&Stage);
    let changes: [(Change, &str); 3] = [
        (
            |stage| stage.change_provider("acme-okta", |row| row.enabled = false),
            "disabled",
        ),
        (
            |stage| stage.change_web_client(|settings| settings.providers.retain(|name| name != "acme-okta")),
            "not offered",
        ),
        (
            |stage| {
                let ctx = stage.ctx();
                stage.act(|conn| forebay::actions::providers::delete(conn, &ctx, "acme-okta").unwrap());
            },
            "deleted",
        ),
    ];
    for (change, what) in changes {
        let stage = Stage::new().await;
        let mut browser = stage.browser();
        let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
        change(&stage);
        let page = browser.open(&callback).await;
        let trace = refused(&stage, &page, "connection_not_available", "access_denied");
        assert_eq!(failing(&trace), Some("callback"), "{what}");
        silent(&stage);
        assert!(rows(&stage).iter().all(|(_, count)| *count == 0), "{what}");
    }
}

#[actix_web::test]
async fn a_client_that_went_or_lost_its_redirect_uri_gets_nothing() {
    for gone in ["client", "redirect_uri"] {
        let stage = Stage::new().await;
        let mut browser = stage.browser();
        let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
        match gone {
            "client" => stage.change_client(WEB_CLIENT, |client| client.enabled = false),
            _ => stage
                .change_web_client(|settings| settings.redirect_uris = vec!["https://new.example/cb".into()]),
        }
        let page = browser.open(&callback).await;
        assert_eq!(page.header("location"), None, "{gone}: {page:?}");
        assert!(matches!(page.status, 400 | 403), "{gone}: {page:?}");
        assert!(page.trace_code().is_some(), "{gone}");
        silent(&stage);
        assert!(rows(&stage).iter().all(|(_, count)| *count == 0), "{gone}");
    }
}

#[actix_web::test]
async fn the_bare_callback_serves_only_connections_that_share_it() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.settings.shared_callback = true);
    stage.acme.change_app("0oa1forebayacme00000", |app| {
        app.redirect_uris.push(format!("{PUBLIC_URL}/oauth2/idpresponse"));
    });
    let mut browser = stage.browser();
    let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
    assert!(
        callback.starts_with(&format!("{PUBLIC_URL}/oauth2/idpresponse?")),
        "{callback}"
    );
    let mut other = stage.browser();
    let back = browser.open(&callback).await;
    assert_eq!(signed_in(&stage, &back).await["email"], "ada@acme.test");

    // Its named path is another address than the login was sent to.
    let callback = callback_of(&mut other, &stage, "ada@acme.test").await;
    stage.acme.forget_requests();
    let page = other
        .open(&callback.replace("/idpresponse?", "/idpresponse/acme-okta?"))
        .await;
    refused(&stage, &page, "callback_mismatch", "access_denied");
    silent(&stage);
}

#[actix_web::test]
async fn m113_a_posted_callback_comes_again_as_a_get_with_the_browsers_cookie() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let callback = callback_of(&mut browser, &stage, "ada@acme.test").await;
    let field = |name: &str| query_of(&callback, name).unwrap();
    let (code, state) = (field("code"), field("state"));
    let posted: Answer = stage
        .post(
            "/oauth2/idpresponse/acme-okta",
            &[],
            &[("code", &code), ("state", &state)],
        )
        .await
        .expect(303);
    silent(&stage);
    let back = browser.open(posted.location()).await;
    assert_eq!(signed_in(&stage, &back).await["email"], "ada@acme.test");
}

#[actix_web::test]
async fn each_app_gets_its_own_answer_in_one_browser() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let spa = stage.authorize(&[
        ("client_id", SPA_CLIENT),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
        ("state", "of-the-spa"),
        ("identity_provider", "globex-okta"),
    ]);
    let page = browser.visit(&spa).await;
    let to_spa = browser
        .enter_only(&page, "hank@globex.test")
        .await
        .expect(302)
        .location()
        .to_owned();
    let to_web = callback_of(&mut browser, &stage, "ada@acme.test").await;
    let web = browser.open(&to_web).await.expect(302);
    let spa = browser.open(&to_spa).await.expect(302);
    assert_eq!(query_of(web.location(), "state").as_deref(), Some("st"));
    assert_eq!(query_of(spa.location(), "state").as_deref(), Some("of-the-spa"));
    assert!(spa.location().starts_with("http://127.0.0.1:9999/callback?"));
    assert_eq!(signed_in(&stage, &web).await["email"], "ada@acme.test");
}

#[actix_web::test]
async fn a5_a_flow_that_was_switched_off_while_the_user_was_away_gives_no_tokens() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.flows = vec![Flow::Code, Flow::Implicit]);
    let mut browser = stage.browser();
    let url = stage.authorize(&[
        ("response_type", "token"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
        ("identity_provider", "acme-okta"),
    ]);
    let page = browser.visit(&url).await;
    stage.change_web_client(|settings| settings.flows = vec![Flow::Code]);
    let end = browser.enter(&page, "ada@acme.test").await.expect(403);
    assert!(end.shows("connection_not_available"), "{end:?}");
    assert_eq!(browser.cookie("__Host-session-"), None);
}
