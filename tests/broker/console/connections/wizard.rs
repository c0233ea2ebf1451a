//! The wizard, from a typed domain to the first sign-in of a person.

use forebay::model::provider::State;

use super::{
    ACME_ADMIN, NEW_APP, NEW_SECRET, OPERATOR, connection, enter_credentials, fill, offer_only, press,
    register, test_sign_in,
};
use crate::support::{Form, PUBLIC_URL, Stage, query_of};

#[actix_web::test]
async fn a_tenants_administrator_gets_from_the_domain_to_a_sign_in_alone() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    // What was typed is a link into Okta; it is corrected, and both servers are tried.
    let typed = format!("{}/oauth2/v1/authorize?client_id=x", stage.acme.issuer());
    let choice = fill(&mut browser, "/console/connections/new", &[("domain", &typed)])
        .await
        .expect(200);
    assert!(choice.shows("its issuer is the bare domain"), "{choice:?}");
    assert!(choice.shows("org authorization server") && choice.shows("custom authorization server"));
    let form = Form::to(&choice.body, "/console/connections/new");
    let chosen = form.fields.iter().find(|(name, _)| name == "issuer").unwrap();
    assert_eq!(chosen.1, stage.acme.issuer(), "the best guess is chosen");
    let paste = browser.submit(&form, &[("name", "acme-new")]).await.expect(200);
    let redirect_uri = format!("{PUBLIC_URL}/oauth2/idpresponse/acme-new");
    assert!(paste.body.contains(&redirect_uri), "{paste:?}");
    assert!(paste.body.contains("/logout/idpresponse/acme-new"));
    assert!(paste.shows("/start-login?connection=acme-new"), "{paste:?}");
    assert!(paste.shows("Either Okta or App"), "{paste:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Draft);
    assert_eq!(connection(&stage, "acme-new").tenant_id.as_deref(), Some("acme"));

    register(&stage, "acme-new");
    let saved = enter_credentials(&mut browser, "acme-new", NEW_SECRET)
        .await
        .expect(200);
    assert!(browser.url.path().ends_with("/check"), "{saved:?}");
    let checked = press(
        &mut browser,
        "/console/connections/acme-new/check",
        "/console/connections/acme-new/check",
    )
    .await
    .expect(200);
    assert!(checked.shows("Every stage passed"), "{checked:?}");

    // Not before a test.
    let live = "/console/connections/acme-new/live";
    let early = browser.open(live).await.expect(200);
    assert!(!early.body.contains("name=\"app\""), "{early:?}");
    let result = test_sign_in(&mut browser, "acme-new", "ada@acme.test")
        .await
        .expect(200);
    assert!(result.shows("The test sign-in passed"), "{result:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Tested);

    // The sample apps offer connections already, so they are chosen; the machine is none of people's business.
    let page = browser.open(live).await.expect(200);
    assert!(
        page.shows("Sample web app") && !page.shows("Sample machine"),
        "{page:?}"
    );
    let gone = browser.submit(&Form::to(&page.body, live), &[]).await.expect(200);
    assert!(gone.shows("The connection is live"), "{gone:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Live);

    offer_only(&stage, "acme-new");
    let mut person = stage.browser();
    let back = person
        .sign_in(
            "ada@acme.test",
            &stage.authorize(&[("identity_provider", "acme-new")]),
        )
        .await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    let used = stage.acme.requests();
    assert!(
        used.iter()
            .any(|seen| seen.path.contains("/authorize")
                && seen.query.iter().any(|(_, value)| value == NEW_APP))
    );
}

#[actix_web::test]
async fn a_draft_waits_and_says_what_is_next() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    let overview = browser.open("/console/connections/acme-new").await.expect(200);
    assert!(overview.shows("Next: The app in Okta"), "{overview:?}");
    let list = browser.open("/console/connections").await.expect(200);
    assert!(list.shows("acme-new") && list.shows("draft"), "{list:?}");
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let overview = browser.open("/console/connections/acme-new").await.expect(200);
    assert!(overview.shows("Next: Check the connection"), "{overview:?}");
}

#[actix_web::test]
async fn a_typed_address_that_cannot_be_one_is_explained_where_it_stands() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    for (typed, says) in [
        ("", "an issuer is needed"),
        ("https://{yourOktaDomain}", "placeholder"),
        ("acme-admin.okta.com", "https://acme.okta.com"),
        // Not Okta's, and not for a tenant's administrator to have called.
        ("https://login.initech.test", "which Okta does not operate"),
        ("http://169.254.169.254", "begins with https://"),
        ("http://localhost:1", "which Okta does not operate"),
    ] {
        let page = fill(&mut browser, "/console/connections/new", &[("domain", typed)])
            .await
            .expect(422);
        let says = says.to_owned();
        assert!(
            page.body.to_lowercase().contains(&says.to_lowercase()),
            "{typed}: {page:?}"
        );
        assert!(page.body.contains("aria-invalid=\"true\""), "{typed}");
        assert!(
            page.body
                .contains("aria-describedby=\"domain-hint domain-error\""),
            "{typed}"
        );
    }
    assert_eq!(stage.acme.requests().len(), 0, "nobody was called");
}

#[actix_web::test]
async fn the_choice_itself_is_held_against_the_same_rule() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let issuer = stage.acme.issuer();
    let choice = fill(&mut browser, "/console/connections/new", &[("domain", &issuer)]).await;
    let form = Form::to(&choice.body, "/console/connections/new");
    for (issuer, name, says) in [
        ("https://login.evil.test", "evil", "which Okta does not operate"),
        (issuer.as_str(), "a b", "without blanks"),
        (issuer.as_str(), "acme-okta", "already exists"),
    ] {
        let page = browser
            .submit(&form, &[("issuer", issuer), ("name", name)])
            .await
            .expect(422);
        assert!(page.shows(says), "{issuer} {name}: {page:?}");
    }
    // Another tenant's place is none of this administrator's.
    let page = browser
        .submit(
            &form,
            &[
                ("issuer", &issuer),
                ("place", "tenant:globex"),
                ("name", "x-okta"),
            ],
        )
        .await
        .expect(422);
    assert!(!page.body.contains("globex"), "{page:?}");
    // A host in the domain that is proven to be the tenant's is the tenant's to name.
    let page = browser
        .submit(
            &form,
            &[("issuer", "https://login.acme.test"), ("name", "acme-own")],
        )
        .await
        .expect(200);
    assert_eq!(
        browser.url.path(),
        "/console/connections/acme-own/okta",
        "{page:?}"
    );
}

#[actix_web::test]
async fn another_address_is_looked_up_before_anything_is_made_of_it() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let issuer = stage.acme.issuer();
    let choice = fill(&mut browser, "/console/connections/new", &[("domain", &issuer)]).await;
    let form = Form::to(&choice.body, "/console/connections/new");
    let custom = stage.acme.default_issuer();
    // The radio button is still on what was typed before.
    let again = browser
        .submit(&form, &[("domain", &custom), ("name", "acme-new")])
        .await
        .expect(200);
    let form = Form::to(&again.body, "/console/connections/new");
    let chosen = form.fields.iter().find(|(name, _)| name == "issuer").unwrap();
    assert_eq!(chosen.1, custom, "{again:?}");
    browser.submit(&form, &[]).await.expect(200);
    assert_eq!(connection(&stage, "acme-new").issuer, custom);
}

#[actix_web::test]
async fn an_operator_may_go_live_untested_and_with_another_provider() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    super::draft(&stage, &mut browser, "acme-new").await;
    let live = "/console/connections/acme-new/live";
    // Not without credentials, whoever says so.
    let page = fill(&mut browser, live, &[("untested", "on")]).await.expect(422);
    assert!(page.shows("client id"), "{page:?}");
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let page = fill(&mut browser, live, &[]).await.expect(422);
    assert!(page.shows("no test sign-in has passed"), "{page:?}");
    fill(&mut browser, live, &[("untested", "on")]).await.expect(200);
    assert_eq!(connection(&stage, "acme-new").state(), State::Live);
    // Once is enough.
    let page = browser.open(live).await.expect(200);
    assert!(page.shows("gone live already"), "{page:?}");
}

#[actix_web::test]
async fn a_tenants_administrator_may_not_override_the_test() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    super::draft(&stage, &mut operator, "acme-new").await;
    register(&stage, "acme-new");
    let mut browser = stage.console(ACME_ADMIN);
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let overview = browser
        .open("/console/connections/acme-new/check")
        .await
        .expect(200);
    let mut form = Form::to(&overview.body, "/console/connections/acme-new/check");
    form.action = "/console/connections/acme-new/live".into();
    let page = browser.submit(&form, &[("untested", "on")]).await.expect(422);
    assert!(page.shows("no test sign-in has passed"), "{page:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Draft);
}

#[actix_web::test]
async fn a_key_of_our_own_needs_no_secret() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    super::draft(&stage, &mut browser, "acme-new").await;
    register(&stage, "acme-new");
    let path = "/console/connections/acme-new/credentials";
    let fields = [("client_id", NEW_APP), ("method", "private_key_jwt")];
    let page = fill(&mut browser, path, &fields).await.expect(200);
    let shown = crate::support::unescape(&page.body);
    let jwk = shown.split("aria-label=\"Our public key\">").nth(1).unwrap();
    let jwk: serde_json::Value = serde_json::from_str(jwk.split("</pre>").next().unwrap()).unwrap();
    assert!(
        jwk.get("d").is_none() && jwk.get("p").is_none(),
        "the public side alone"
    );
    stage.acme.change_app(NEW_APP, |app| {
        app.auth = forebay::demo::okta::ClientAuth::PrivateKeyJwt;
        app.secrets.clear();
        app.public_keys = vec![jwk.clone()];
    });
    let result = test_sign_in(&mut browser, "acme-new", "ada@acme.test")
        .await
        .expect(200);
    assert!(result.shows("The test sign-in passed"), "{result:?}");
}
