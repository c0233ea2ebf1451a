//! Who gets in, and what is asked before.

use actix_web::test::TestRequest;
use forebay::web::console::door::COOKIE;

use crate::support::Stage;

#[actix_web::test]
async fn nobody_gets_in_without_a_session_and_is_led_to_the_sign_in_page() {
    let stage = Stage::new().await;
    let answer = stage.get("/console").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.location(), "/console/sign-in?next=%2Fconsole");
}

#[actix_web::test]
async fn a_session_opens_the_overview() {
    let stage = Stage::new().await;
    for email in ["operator@forebay.test", "admin@acme.test"] {
        let mut browser = stage.console(email);
        let page = browser.open("/console").await.expect(200);
        assert!(page.body.contains(email), "{page:?}");
    }
}

#[actix_web::test]
async fn a_session_cookie_that_comes_twice_is_none() {
    let stage = Stage::new().await;
    let browser = stage.console("operator@forebay.test");
    let (name, token) = browser.cookie(COOKIE).unwrap();
    let twice = format!("{name}={token}; {name}={token}");
    let request = TestRequest::get()
        .uri("/console")
        .insert_header(("cookie", twice));
    stage.send(request).await.expect(303);
}
