//! The link that makes the first operator, and those by which a password is chosen.

use forebay::actions::admins::links;
use forebay::demo::OPERATOR;
use forebay::model::administrator::{self, Rights};
use forebay::model::audit;

use crate::support::{Form, Stage};

const PASSWORD: &str = "many words of the first operator";

fn link(stage: &Stage) -> String {
    let ctx = stage.ctx();
    let token = stage.act(|conn| {
        links::set_up_link(conn, &ctx)
            .unwrap()
            .expect("nobody is there yet")
    });
    format!("/console/setup/{token}")
}

#[actix_web::test]
async fn the_first_start_to_the_first_operator() {
    let stage = Stage::new().await;
    let void = link(&stage);
    let link = link(&stage);
    let mut browser = stage.browser();
    browser
        .open(&void)
        .await
        .is_page(404, "This link is not good any more");
    let page = browser.open(&link).await.expect(200);
    let form = Form::to(&page.body, &link);
    for (fill, why) in [
        (
            [("email", "somebody"), ("name", "First"), ("password", PASSWORD)],
            "has no @",
        ),
        (
            [
                ("email", "first@forebay.test"),
                ("name", "First"),
                ("password", "short"),
            ],
            "at least 12",
        ),
        (
            [
                ("email", "first@forebay.test"),
                ("name", ""),
                ("password", PASSWORD),
            ],
            "Give a name",
        ),
    ] {
        let answer = browser.submit(&form, &fill).await.expect(422);
        assert!(answer.shows(why), "{why}: {answer:?}");
        assert!(!answer.body.contains(PASSWORD));
    }
    let first = [
        ("email", "First@forebay.test"),
        ("name", "First"),
        ("password", PASSWORD),
    ];
    let page = browser.submit(&form, &first).await.expect(200);
    assert_eq!(browser.url.path(), "/console/account");
    assert!(
        page.shows("first@forebay.test") && page.shows("Operator"),
        "{page:?}"
    );

    // Once and never again, for whomever.
    let mut late = stage.browser();
    late.open(&link).await.expect(404);
    browser.submit(&form, &first).await.expect(404);
    let ctx = stage.ctx();
    assert_eq!(stage.act(|conn| links::set_up_link(conn, &ctx).unwrap()), None);
    // Nothing of the link is in the audit log.
    let token = link.rsplit('/').next().unwrap().to_owned();
    for event in stage.act(|conn| audit::recent(conn, None, 100).unwrap()) {
        assert!(!format!("{event:?}").contains(&token), "{event:?}");
        assert!(!format!("{event:?}").contains(PASSWORD), "{event:?}");
    }
}

#[actix_web::test]
async fn a_set_up_link_is_good_for_a_day_and_a_form_of_its_own_browser() {
    let stage = Stage::new().await;
    let link = link(&stage);
    let mut browser = stage.browser();
    let page = browser.open(&link).await.expect(200);
    let form = Form::to(&page.body, &link);
    let first = [
        ("email", "first@forebay.test"),
        ("name", "First"),
        ("password", PASSWORD),
    ];
    let mut other = stage.browser();
    other.submit(&form, &first).await.expect(403);
    stage.clock.advance(links::LINK_SECONDS);
    browser.open(&link).await.expect(404);
    browser.submit(&form, &first).await.expect(404);
    forebay::jobs::clean_up(&stage.broker).await.unwrap();
}

#[actix_web::test]
async fn a_password_link_ends_every_session_and_is_good_once() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let ctx = stage.ctx();
    let token = stage.act(|conn| {
        let who = administrator::find_by_email(conn, OPERATOR).unwrap().unwrap();
        links::password_link(conn, &ctx, &Rights::everything(), &who.id)
            .unwrap()
            .1
    });
    let link = format!("/console/password/{token}");
    let mut browser = stage.browser();
    let page = browser.open(&link).await.expect(200);
    let form = Form::to(&page.body, &link);
    browser
        .submit(&form, &[("password", "operator@forebay.test")])
        .await
        .expect(422);
    browser.submit(&form, &[("password", PASSWORD)]).await.expect(200);
    assert_eq!(browser.url.path(), "/console/account");
    operator.open("/console").await.expect(303);
    browser.submit(&form, &[("password", PASSWORD)]).await.expect(404);
    // A link of one purpose is none of another.
    let mut other = stage.browser();
    other.open(&format!("/console/setup/{token}")).await.expect(404);
}
