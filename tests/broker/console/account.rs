//! One's own account.

use forebay::actions::admins;
use forebay::demo::{OPERATOR, OPERATOR_PASSWORD};
use forebay::model::{administrator, audit};

use crate::support::{Form, Stage};

const PATH: &str = "/console/account";

#[actix_web::test]
async fn a_new_password_wants_the_present_one_and_ends_all_other_sessions() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut other = stage.console(OPERATOR);
    let page = browser.open(PATH).await.expect(200);
    let form = Form::to(&page.body, "/console/account/password");
    let new = "another long password";
    for (present, password, why) in [
        ("wrong", new, "not your present password"),
        (OPERATOR_PASSWORD, "short", "at least 12"),
        (
            OPERATOR_PASSWORD,
            "operator@forebay.test",
            "the email address over again",
        ),
    ] {
        let answer = browser
            .submit(&form, &[("present", present), ("password", password)])
            .await
            .expect(422);
        assert!(answer.shows(why), "{why}: {answer:?}");
        assert!(!answer.body.contains(new));
    }
    let before = browser.cookies();
    let page = browser
        .submit(&form, &[("present", OPERATOR_PASSWORD), ("password", new)])
        .await
        .expect(200);
    assert!(page.shows("All other sessions have ended."), "{page:?}");
    assert_ne!(browser.cookies(), before);
    other.open("/console").await.expect(303);

    let mut again = stage.browser();
    let page = again.open("/console/sign-in").await;
    let form = Form::to(&page.body, "/console/sign-in");
    again
        .submit(&form, &[("email", OPERATOR), ("password", OPERATOR_PASSWORD)])
        .await
        .expect(422);
    again
        .submit(&form, &[("email", OPERATOR), ("password", new)])
        .await
        .expect(200);
    for event in stage.act(|conn| audit::recent(conn, None, 100).unwrap()) {
        assert!(!format!("{event:?}").contains(new), "{event:?}");
    }
}

#[actix_web::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut second = stage.console(OPERATOR);
    let mut stranger = stage.console("admin@acme.test");
    let ends = |html: &str| -> Vec<String> {
        html.split("action=\"")
            .filter_map(|rest| rest.split('"').next())
            .filter(|action| action.ends_with("/end"))
            .map(str::to_owned)
            .collect()
    };
    let page = browser.open(PATH).await.expect(200);
    assert_eq!(ends(&page.body).len(), 2);
    assert!(page.shows("this one"));
    let theirs = stranger.open(PATH).await.expect(200);
    let theirs = ends(&theirs.body);
    let mut form = Form::to(&page.body, "/console/sign-out");
    form.action = theirs[0].clone();
    browser.submit(&form, &[]).await.expect(404);
    stranger.open("/console").await.expect(200);

    // The list has the browser's own session marked; the other one is the second's.
    let own = page
        .body
        .split("<tr>")
        .find(|row| row.contains("this one"))
        .map(|row| ends(row)[0].clone())
        .unwrap();
    let mut form = Form::to(&second.open(PATH).await.expect(200).body, "/console/sign-out");
    form.action = own;
    second.submit(&form, &[]).await.expect(200);
    browser.open(PATH).await.expect(303);
    let page = second.open(PATH).await.expect(200);
    let all = Form::to(&page.body, "/console/account/sign-out-everywhere");
    second.submit(&all, &[]).await.expect(200);
    second.open("/console").await.expect(303);
}

#[actix_web::test]
async fn the_name_is_ones_own_and_every_form_wants_its_token() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let page = browser.open(PATH).await.expect(200);
    let form = Form::to(&page.body, "/console/account/name");
    browser.submit(&form, &[("name", " ")]).await.expect(422);
    let page = browser.submit(&form, &[("name", "<b>Op</b>")]).await.expect(200);
    assert!(page.body.contains("&#60;b&#62;Op"), "{page:?}");
    for action in [
        "/name",
        "/password",
        "/sessions/x/end",
        "/sign-out-everywhere",
        "/passkeys",
        "/passkeys/challenge",
        "/passkeys/x/delete",
    ] {
        let mut forged = form.clone();
        forged.action = format!("{PATH}{action}");
        browser.submit(&forged, &[("csrf", "guessed")]).await.expect(403);
    }
}

#[actix_web::test]
async fn a_new_name_brings_nothing_else_back_that_was_read_before() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    let find = || {
        stage.act(|conn| {
            administrator::find_by_email(conn, "admin@acme.test")
                .unwrap()
                .unwrap()
        })
    };
    let before = find();
    stage.act(|conn| {
        assert!(administrator::set_password(conn, &before.id, "another hash", ctx.now).unwrap());
        admins::rename(conn, &ctx, &before, "Somebody else").unwrap();
    });
    let now = find();
    assert_eq!(
        (now.name.as_str(), now.password_hash.as_deref()),
        ("Somebody else", Some("another hash"))
    );
    stage.act(|conn| {
        assert!(administrator::set_enabled(conn, &before.id, false, ctx.now).unwrap());
        assert!(admins::rename(conn, &ctx, &before, "In again").is_err());
    });
    let now = find();
    assert_eq!((now.name.as_str(), now.enabled), ("Somebody else", false));
}
