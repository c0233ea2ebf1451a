//! Two client secrets: the next one takes over in the middle of the traffic, once, and neither ever comes out.

use forebay::actions::providers;
use forebay::model::provider::{self, Provider};
use futures_util::future::join_all;

use super::{ACME_ADMIN, APP, OPERATOR, SECRET, connection, fill, press};
use crate::support::{Form, Stage, query_of};

const NEXT: &str = "canary-of-the-next-secret-at-acme-00000002";
const PATH: &str = "/console/connections/acme-okta/secrets";

async fn signs_in(stage: &Stage, person: &str) {
    let back = stage.browser().sign_in(person, &stage.authorize(&[])).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

fn promotions(stage: &Stage) -> Vec<String> {
    use diesel::prelude::*;
    use forebay::db::schema::audit_events;
    stage.act(|conn| {
        audit_events::table
            .filter(audit_events::action.eq("provider.secret.promote"))
            .select(audit_events::actor)
            .load(conn)
            .unwrap()
    })
}

#[actix_web::test]
async fn a_secret_swapped_at_the_organisation_fails_no_sign_in() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    stage.acme.change_app(APP, |app| app.secrets.push(NEXT.into()));
    let fields = [("next_secret", NEXT), ("next_expires", "2027-11-21")];
    fill(&mut browser, PATH, &fields).await.expect(200);
    signs_in(&stage, "ada@acme.test").await;
    assert!(
        connection(&stage, "acme-okta").next_secret_sealed.is_some(),
        "the present one still works"
    );

    // In the middle of the traffic.
    let people = ["ada@acme.test", "grace@acme.test"];
    let traffic = (0..12).map(|at| {
        let stage = &stage;
        async move {
            if at == 4 {
                stage
                    .acme
                    .change_app(APP, |app| app.secrets.retain(|secret| secret == NEXT));
            }
            signs_in(stage, people[at % 2]).await;
        }
    });
    join_all(traffic).await;
    let row = connection(&stage, "acme-okta");
    assert!(row.next_secret_sealed.is_none(), "it is the present one now");
    assert_eq!(
        row.secret_expires_at.map(|at| at.day()).as_deref(),
        Some("2027-11-21")
    );
    assert_eq!(row.next_secret_expires_at, None);
    assert_eq!(promotions(&stage), ["system"], "once, by nobody");
    stage.acme.forget_requests();
    signs_in(&stage, "ada@acme.test").await;
    let tokens = stage.acme.requests();
    let tokens = tokens.iter().filter(|seen| seen.path.ends_with("/token")).count();
    assert_eq!(tokens, 1, "and the first that is tried");
}

#[actix_web::test]
async fn a_next_secret_that_is_wrong_as_well_takes_over_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    fill(&mut browser, PATH, &[("next_secret", NEXT)])
        .await
        .expect(200);
    let before = connection(&stage, "acme-okta");
    stage
        .acme
        .change_app(APP, |app| app.secrets = vec!["a-third-one-0000000000001".into()]);
    let page = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    assert!(page.shows("CLIENT_AUTH_FAILED"), "{page:?}");
    assert_eq!(connection(&stage, "acme-okta"), before);
    assert_eq!(promotions(&stage), Vec::<String>::new());
}

#[actix_web::test]
async fn only_what_was_seen_to_work_is_promoted() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    fill(&mut browser, PATH, &[("next_secret", NEXT)])
        .await
        .expect(200);
    let seen: Provider = connection(&stage, "acme-okta");
    // Another administrator was faster, or another node.
    fill(
        &mut browser,
        PATH,
        &[("next_secret", "yet-another-next-secret-0001")],
    )
    .await
    .expect(200);
    let ctx = stage.ctx();
    let promoted = stage.act(|conn| providers::promote_next_secret(conn, &ctx, &seen).unwrap());
    assert!(!promoted);
    let now = connection(&stage, "acme-okta");
    assert_eq!(now.client_secret_sealed, seen.client_secret_sealed);
    assert!(stage.act(|conn| providers::promote_next_secret(conn, &ctx, &now).unwrap()));
    assert!(
        !stage.act(|conn| providers::promote_next_secret(conn, &ctx, &now).unwrap()),
        "once"
    );
}

#[actix_web::test]
async fn the_check_and_the_test_take_the_next_secret_as_well() {
    for way in ["check", "test-sign-in"] {
        let stage = Stage::new().await;
        let mut browser = stage.console(ACME_ADMIN);
        fill(&mut browser, PATH, &[("next_secret", NEXT)])
            .await
            .expect(200);
        stage.acme.change_app(APP, |app| app.secrets = vec![NEXT.into()]);
        if way == "check" {
            let path = "/console/connections/acme-okta/check";
            press(&mut browser, path, path).await.expect(200);
        } else {
            let page = super::test_sign_in(&mut browser, "acme-okta", "ada@acme.test").await;
            assert!(page.shows("The test sign-in passed"), "{page:?}");
        }
        let row = connection(&stage, "acme-okta");
        assert!(row.next_secret_sealed.is_none(), "{way}");
        assert_eq!(row.tested_at.is_some(), way == "test-sign-in");
    }
}

#[actix_web::test]
async fn an_administrator_swaps_forgets_and_dates_them() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    fill(&mut browser, PATH, &[("expires", "tomorrow")])
        .await
        .expect(422);
    fill(&mut browser, PATH, &[("next_secret", "••••••••")])
        .await
        .expect(422);
    fill(
        &mut browser,
        PATH,
        &[("expires", "2027-01-31"), ("next_secret", NEXT)],
    )
    .await
    .expect(200);
    let shown = browser.open("/console/connections/acme-okta").await.expect(200);
    assert!(
        shown.shows("2027-01-31") && shown.shows("takes over"),
        "{shown:?}"
    );
    // What is left empty stays.
    fill(&mut browser, PATH, &[]).await.expect(200);
    assert!(connection(&stage, "acme-okta").next_secret_sealed.is_some());
    let old = connection(&stage, "acme-okta").client_secret_sealed;
    press(&mut browser, PATH, &format!("{PATH}/promote"))
        .await
        .expect(200);
    let row = connection(&stage, "acme-okta");
    assert!(row.client_secret_sealed != old && row.next_secret_sealed.is_none());
    assert_eq!(promotions(&stage), [format!("admin:{ACME_ADMIN}")]);
    fill(&mut browser, PATH, &[("next_secret", NEXT)])
        .await
        .expect(200);
    fill(&mut browser, PATH, &[("forget", "on")]).await.expect(200);
    assert!(connection(&stage, "acme-okta").next_secret_sealed.is_none());
}

#[actix_web::test]
async fn secrets_want_a_fresh_proof() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let credentials = "/console/connections/acme-okta/credentials";
    let mut forms = Vec::new();
    for path in [PATH, credentials] {
        let page = browser.open(path).await.expect(200);
        forms.push(Form::to(&page.body, path));
    }
    let before = connection(&stage, "acme-okta");
    stage.clock.advance(601);
    for (form, field) in forms.iter().zip(["next_secret", "client_secret"]) {
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| name != field);
        fields.push((field.into(), NEXT.into()));
        let answer = browser.request("POST", &form.action, &fields).await;
        assert_eq!(answer.status, 303);
        let expected = format!(
            "/console/prove?{}",
            forebay::rules::params::encode([("next", &form.action)])
        );
        assert_eq!(answer.location(), expected);
        assert_eq!(browser.open(&form.action).await.location(), expected);
    }
    assert_eq!(connection(&stage, "acme-okta"), before);
}

#[actix_web::test]
async fn no_secret_ever_comes_out() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    fill(&mut browser, PATH, &[("next_secret", NEXT)])
        .await
        .expect(200);
    let mut pages = vec![super::test_sign_in(&mut browser, "acme-okta", "ada@acme.test").await];
    let check = "/console/connections/acme-okta/check";
    pages.push(press(&mut browser, check, check).await);
    for path in [
        "",
        "/okta",
        "/issuer",
        "/credentials",
        "/check",
        "/test-sign-in",
        "/live",
        "/settings",
        "/secrets",
        "/delete",
    ] {
        let path = format!("/console/connections/acme-okta{path}");
        pages.push(browser.open(&path).await.expect(200));
    }
    // Typed back at a refusal it does not come either.
    let credentials = "/console/connections/acme-okta/credentials";
    let refused = [("client_id", ""), ("client_secret", NEXT)];
    pages.push(fill(&mut browser, credentials, &refused).await.expect(422));
    pages.push(
        fill(&mut browser, PATH, &[("next_secret", NEXT), ("expires", "x")])
            .await
            .expect(422),
    );
    for page in &pages {
        for secret in [SECRET, NEXT] {
            assert!(!page.body.contains(secret), "{page:?}");
        }
    }
    use diesel::prelude::*;
    use forebay::db::schema::audit_events;
    let told: Vec<String> = stage.act(|conn| {
        audit_events::table
            .select(audit_events::difference)
            .load(conn)
            .unwrap()
    });
    assert!(
        told.iter()
            .all(|text| !text.contains(NEXT) && !text.contains(SECRET)),
        "{told:?}"
    );
    let row = stage.act(|conn| provider::find(conn, "acme-okta").unwrap().unwrap());
    assert!(
        row.next_secret_sealed
            .is_some_and(|sealed| !String::from_utf8_lossy(&sealed).contains("canary"))
    );
}
