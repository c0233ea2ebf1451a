//! States: what ends a test, switching off and on, deleting.

use diesel::prelude::*;
use forebay::db::schema;
use forebay::model::client;
use forebay::model::provider::State;

use super::{
    ACME_ADMIN, NEW_APP, NEW_SECRET, OPERATOR, connection, enter_credentials, fill, offer_only, press,
    register, test_sign_in,
};
use crate::support::{NOW, Stage, query_of};

#[actix_web::test]
async fn a_changed_configuration_is_an_untested_one() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let credentials = "/console/connections/acme-new/credentials";
    let settings = "/console/connections/acme-new/settings";
    for (path, fields, ends_it) in [
        (settings, vec![("label", "Acme")], false),
        (credentials, vec![("expires", "2027-01-31")], false),
        (credentials, vec![("scopes", "openid email")], true),
        (credentials, vec![("method", "client_secret_post")], true),
        (credentials, vec![("client_secret", NEW_SECRET)], true),
    ] {
        test_sign_in(&mut browser, "acme-new", "ada@acme.test")
            .await
            .expect(200);
        assert_eq!(connection(&stage, "acme-new").tested_at, Some(NOW));
        fill(&mut browser, path, &fields).await.expect(200);
        let tested = connection(&stage, "acme-new").tested_at;
        assert_eq!(tested.is_none(), ends_it, "{fields:?}");
    }
    let issuer = "/console/connections/acme-new/issuer";
    test_sign_in(&mut browser, "acme-new", "ada@acme.test")
        .await
        .expect(200);
    let custom = stage.acme.default_issuer();
    let choice = fill(&mut browser, issuer, &[("domain", &custom)])
        .await
        .expect(200);
    let form = crate::support::Form::to(&choice.body, issuer);
    let said = browser.submit(&form, &[("issuer", &custom)]).await.expect(200);
    assert!(said.shows("is forgotten"), "{said:?}");
    let row = connection(&stage, "acme-new");
    assert_eq!(
        (row.issuer, row.tested_at, row.client_secret_sealed),
        (custom, None, None)
    );
}

#[actix_web::test]
async fn a_test_of_an_older_configuration_does_not_count() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let path = "/console/connections/acme-new/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    // Meanwhile, in another tab.
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let page = browser.visit(&super::first_link(&onward)).await;
    let back = browser.enter(&page, "ada@acme.test").await.expect(200);
    let result = browser.open(&super::first_link(&back)).await.expect(200);
    assert!(result.shows("changed since"), "{result:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Draft);
}

#[actix_web::test]
async fn a_live_connection_is_switched_off_and_on() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta";
    offer_only(&stage, "acme-okta");
    let page = press(&mut browser, path, &format!("{path}/disable"))
        .await
        .expect(200);
    assert!(page.shows("disabled"), "{page:?}");
    assert_eq!(connection(&stage, "acme-okta").state(), State::Disabled);
    let refused = stage.browser().visit(&stage.authorize(&[])).await;
    assert!(
        !refused
            .headers
            .iter()
            .any(|(_, value)| value.contains(&stage.acme.issuer()))
    );
    press(&mut browser, path, &format!("{path}/enable"))
        .await
        .expect(200);
    let back = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

#[actix_web::test]
async fn a_draft_is_not_switched_on_past_the_wizard() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    let page = browser
        .open("/console/connections/acme-new/check")
        .await
        .expect(200);
    let mut form = crate::support::Form::to(&page.body, "/console/connections/acme-new/check");
    form.action = "/console/connections/acme-new/enable".into();
    browser.submit(&form, &[]).await.expect(409);
    assert_eq!(connection(&stage, "acme-new").state(), State::Draft);
}

#[actix_web::test]
async fn deleting_wants_the_name_and_a_fresh_proof() {
    let stage = Stage::new().await;
    stage.signed_in("ada@acme.test").await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/delete";
    let page = browser.open(path).await.expect(200);
    assert!(page.shows("1 person has signed in"), "{page:?}");
    let form = crate::support::Form::to(&page.body, path);
    browser
        .submit(&form, &[("name", "globex-okta")])
        .await
        .expect(422);
    stage.clock.advance(601);
    let answer = browser
        .request("POST", path, &with(&form, "name", "acme-okta"))
        .await;
    assert_eq!(
        (answer.status, answer.location().split('?').next()),
        (303, Some("/console/prove"))
    );
    assert_eq!(connection(&stage, "acme-okta").state(), State::Live);

    let mut browser = stage.console(ACME_ADMIN);
    let page = browser.open(path).await.expect(200);
    let form = crate::support::Form::to(&page.body, path);
    browser.submit(&form, &[("name", "acme-okta")]).await.expect(200);
    let left: i64 = stage.act(|conn| {
        schema::identity_providers::table
            .filter(schema::identity_providers::id.eq("acme-okta"))
            .count()
            .get_result(conn)
            .unwrap()
    });
    assert_eq!(left, 0);
}

#[actix_web::test]
async fn an_odd_client_id_is_a_warning_and_no_wall() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    super::draft(&stage, &mut browser, "acme-new").await;
    let path = "/console/connections/acme-new/credentials";
    // The stand-in is no host of Okta's; with one the word appears.
    stage.change_provider("acme-new", |row| row.issuer = "https://acme.okta.com".into());
    let wrong = [
        ("client_id", "00o1b2c3d4e5f6g7h8i9"),
        ("client_secret", NEW_SECRET),
    ];
    fill(&mut browser, path, &wrong).await.expect(200);
    let page = browser.open(path).await.expect(200);
    assert!(page.shows("id of the Okta organisation"), "{page:?}");
    assert_eq!(
        connection(&stage, "acme-new").settings.client_id,
        "00o1b2c3d4e5f6g7h8i9"
    );
    fill(&mut browser, path, &[("client_id", NEW_APP)])
        .await
        .expect(200);
    let page = browser.open(path).await.expect(200);
    assert!(!page.shows("Okta organisation, not"), "{page:?}");
}

#[actix_web::test]
async fn going_live_touches_only_the_clients_that_were_chosen() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    test_sign_in(&mut browser, "acme-new", "ada@acme.test").await;
    let path = "/console/connections/acme-new/live";
    let page = browser.open(path).await.expect(200);
    let mut form = crate::support::Form::to(&page.body, path);
    form.fields.retain(|(name, _)| name != "app");
    // One that is not offered to a tenant's administrator is not there.
    let machine = forebay::demo::MACHINE_CLIENT;
    assert_eq!(browser.submit(&form, &[("app", machine)]).await.status, 404);
    browser
        .submit(&form, &[("app", forebay::demo::SPA_CLIENT)])
        .await
        .expect(200);
    for (id, offers) in [
        (forebay::demo::SPA_CLIENT, true),
        (forebay::demo::WEB_CLIENT, false),
    ] {
        let client = stage.act(|conn| client::find(conn, id).unwrap().unwrap());
        assert_eq!(
            client.settings.providers.contains(&"acme-new".to_owned()),
            offers,
            "{id}"
        );
    }
}

fn with(form: &crate::support::Form, name: &str, value: &str) -> Vec<(String, String)> {
    let mut fields = form.fields.clone();
    fields.retain(|(known, _)| known != name);
    fields.push((name.into(), value.into()));
    fields
}
