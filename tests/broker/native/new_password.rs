//! The page that asks for another password after a temporary one.

use super::form::{enter, offer};
use crate::support::{Form, PASSWORD, Stage, query_of};

const PAGE: &str = "/login/new-password";
const NEW: &str = "Another-One-2";

#[actix_web::test]
async fn a_temporary_password_is_replaced_on_the_way_in() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.temporary_user("grace", PASSWORD).await;
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(200);
    assert_eq!(browser.cookie("__Host-session"), None, "not yet");
    let form = Form::to(&page.body, PAGE);
    assert!(page.body.contains("autocomplete=\"new-password\""));

    let weak = browser
        .submit(&form, &[("new_password", "weak")])
        .await
        .expect(422);
    assert!(weak.shows("Password did not conform with policy"), "{weak:?}");
    let form = Form::to(&weak.body, PAGE);
    let back = browser.submit(&form, &[("new_password", NEW)]).await.expect(303);
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");

    let mut later = stage.browser();
    enter(&mut later, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(422);
    enter(&mut later, &stage.authorize(&[]), "grace", NEW)
        .await
        .expect(303);
    let twice = browser
        .submit(&form, &[("new_password", "Third-Word-3")])
        .await
        .expect(422);
    assert!(twice.shows("sign in again"), "{twice:?}");
}

#[actix_web::test]
async fn a_temporary_password_that_came_too_late_signs_nobody_in() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.temporary_user("grace", PASSWORD).await;
    stage.clock.advance(7 * 86_400);
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    assert!(page.shows("password_expired"), "{page:?}");
}
