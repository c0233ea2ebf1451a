//! Who may enter an app, as its administrator says it: saved, tried on recent sign-ins, refused where it makes no sense.

use forebay::demo::{OPERATOR, WEB_CLIENT};
use forebay::model::client::{self, Settings};

use super::rooms::{OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_the_token};
use crate::support::{Answer, Browser, Stage};

fn path() -> String {
    format!("/console/clients/{WEB_CLIENT}/access")
}

fn stored(stage: &Stage) -> Settings {
    stage.act(|conn| client::find(conn, WEB_CLIENT).unwrap().unwrap().settings.0)
}

async fn enter(browser: &mut Browser<'_>, how: &str, expression: &str) -> Answer {
    let with = [
        ("do", how),
        ("name", "Finance only"),
        ("expression", expression),
        ("contact", "it@acme.test"),
    ];
    fill(browser, &path(), &path(), &with).await
}

const FINANCE: &str = "user['custom:department'] == 'Finance'";

#[actix_web::test]
async fn a_rule_is_saved_shown_and_taken_away() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let before = stored(&stage);
    let page = enter(&mut operator, "save", FINANCE).await.expect(200);
    assert!(page.shows("Finance only") && page.shows(FINANCE), "{page:?}");
    let saved = stored(&stage);
    assert_eq!(saved.access.len(), 1);
    assert_eq!(saved.access[0].contact, "it@acme.test");
    let acr = [("do", "save"), ("requires_acr", "phr  phrh")];
    let page = fill_all(&mut operator, &acr, ("Finance only", FINANCE, "it@acme.test")).await;
    assert!(page.shows("phr phrh"), "{page:?}");
    assert_eq!(stored(&stage).requires_acr, ["phr", "phrh"]);
    let gone = [("do", "save"), ("requires_acr", "")];
    fill_all(&mut operator, &gone, ("", "", "")).await.expect(200);
    assert_eq!(stored(&stage), before, "nothing else has changed");
}

/// Sends the form with one rule in place of all that it shows.
async fn fill_all(browser: &mut Browser<'_>, with: &[(&str, &str)], rule: (&str, &str, &str)) -> Answer {
    let rule = [("name", rule.0), ("expression", rule.1), ("contact", rule.2)];
    let with: Vec<_> = with.iter().copied().chain(rule).collect();
    fill(browser, &path(), &path(), &with).await
}

#[actix_web::test]
async fn a_draft_is_tried_on_those_who_signed_in_lately() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let page = enter(&mut operator, "try", FINANCE).await.expect(200);
    assert!(page.shows("No sign-in is kept"), "{page:?}");
    for login in [
        "ada@acme.test",
        "grace@acme.test",
        "ada@acme.test",
        "hank@globex.test",
    ] {
        stage.signed_in(login).await;
    }
    let page = enter(&mut operator, "try", FINANCE).await.expect(200);
    assert!(page.shows("1 of 3 would enter"), "{page:?}");
    assert!(page.shows("stays outside"));
    assert!(
        !page.body.contains("ada@acme.test"),
        "people are told apart, not named"
    );
    let page = enter(&mut operator, "try", "'pwd' in amr && connection == 'acme-okta'").await;
    assert!(page.shows("2 of 3 would enter"), "{page:?}");
    assert!(stored(&stage).access.is_empty(), "nothing was saved");
}

#[actix_web::test]
async fn what_is_no_rule_is_refused_at_its_field_and_can_be_mended() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    for (expression, said) in [
        ("user.email", "yes or no"),
        ("claims.x == 1", "there is no 'claims'"),
        ("user.shoes == 'red'", "no such attribute"),
        ("true", "the same of everybody"),
    ] {
        for how in ["save", "try"] {
            let page = enter(&mut operator, how, expression).await.expect(422);
            assert!(page.shows(said), "{expression}: {page:?}");
            assert!(page.shows(expression), "what was typed is still there");
        }
    }
    let nobody = ("Finance only", FINANCE, "");
    let page = fill_all(&mut operator, &[("do", "save")], nobody)
        .await
        .expect(422);
    assert!(page.shows("somebody whom people can ask"), "{page:?}");
    assert!(stored(&stage).access.is_empty());
}

#[actix_web::test]
async fn it_is_the_pool_s_administrators_alone() {
    let stage = stage().await;
    let (path, own) = (path(), "admin@acme.test");
    are_not_found(&stage, &[OTHER_ADMIN, own], &[&path], &[&path]).await;
    are_not_found(&stage, &[VIEWER], &[], &[&path]).await;
    let page = signed_in(&stage, VIEWER).open(&path).await.expect(200);
    assert!(!page.body.contains("Try on recent sign-ins"));
    want_the_token(&stage, &[&path]).await;
}
