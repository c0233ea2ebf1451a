//! One callback sent twice: a double click, the back button (F7; A-17).

use super::{asked, rows, signed_in};
use crate::support::{Stage, links, query_of};
use forebay::demo::okta::Endpoint;

#[actix_web::test]
async fn f7_of_two_callbacks_at_once_one_signs_in_and_the_other_offers_to_go_on() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let page = browser
        .visit(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    let callback = browser
        .enter_only(&page, "ada@acme.test")
        .await
        .expect(302)
        .location()
        .to_owned();
    let mut second = stage.browser();
    for (name, value) in browser.cookies() {
        second.set_cookie(&name, &value);
    }
    stage.acme.forget_requests();
    let (one, two) = futures_util::future::join(browser.open(&callback), second.open(&callback)).await;
    let (back, page) = if one.status == 302 { (one, two) } else { (two, one) };
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.shows("ada@acme.test"), "it says who is signed in: {page:?}");
    assert_eq!(
        page.all("set-cookie")
            .iter()
            .filter(|line| line.contains("session-"))
            .count(),
        0
    );
    let tokens = asked(&stage.acme)
        .into_iter()
        .filter(|one| *one == Endpoint::Token)
        .count();
    assert_eq!(
        tokens, 1,
        "the code is sent once, or Okta would take back what it brought"
    );
    let id = signed_in(&stage, &back).await;
    let count = |table: &str| {
        rows(&stage)
            .into_iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1
    };
    assert_eq!((count("sessions"), count("users")), (1, 1));

    // Both tabs are one browser: going on is one click.
    for (name, value) in [browser.cookies(), second.cookies()].concat() {
        if name.starts_with("__Host-session-") {
            browser.set_cookie(&name, &value);
        }
    }
    let go_on = links(&page.body)
        .into_iter()
        .find(|href| href.starts_with("/oauth2/authorize") && !href.contains("prompt="))
        .unwrap();
    let back = browser.open(&go_on).await.expect(302);
    assert_eq!(query_of(back.location(), "state").as_deref(), Some("st"));
    assert_eq!(signed_in(&stage, &back).await["sub"], id["sub"]);
}

#[actix_web::test]
async fn the_back_button_leads_to_a_page_that_says_so() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let page = browser
        .visit(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    let callback = browser
        .enter_only(&page, "ada@acme.test")
        .await
        .expect(302)
        .location()
        .to_owned();
    browser.open(&callback).await.expect(302);
    let before = rows(&stage);
    stage.acme.forget_requests();
    let page = browser.open(&callback).await;
    assert_eq!((page.status, page.header("location")), (200, None), "{page:?}");
    assert!(page.shows("You are already signed in"), "{page:?}");
    assert_eq!(rows(&stage), before);
    assert!(stage.acme.requests().is_empty());
}

#[actix_web::test]
async fn a_login_comes_back_once_however_long_its_cookie_is_kept() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    browser
        .visit(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    let (name, value) = browser.cookie("__Host-login-").unwrap();
    let state = name.trim_start_matches("__Host-login-").to_owned();
    let callback = format!("/oauth2/idpresponse/acme-okta?state={state}&code=made-up");
    let first = browser.open(&callback).await;
    assert!(first.shows("CODE_REJECTED"), "{first:?}");
    stage.acme.forget_requests();
    let before = stage.traces().len();
    for _ in 0..3 {
        browser.set_cookie(&name, &value);
        let again = browser.open(&callback).await.expect(403);
        assert!(again.shows("login_unknown"), "{again:?}");
    }
    assert!(stage.acme.requests().is_empty(), "nobody is asked again");
    let reached = stage
        .traces()
        .iter()
        .filter(|trace| trace.reached_provider)
        .count();
    assert_eq!(reached, before, "what anybody can repeat is of the bounded kind");
}
