//! A connection that takes ID tokens, made in the wizard (Char AI's Integrations page): provider type, client ID and domain,
//! no secret; “Test connection” without a sign-in, with the time of the last one.

use forebay::demo::SPA_CLIENT;
use forebay::demo::okta::{self, Endpoint, Transport, Trouble};
use forebay::model::client;
use forebay::model::provider::State;

use super::{ACME_ADMIN, OPERATOR, connection, fill, press};
use crate::support::{Form, Stage};
use crate::token_in::{PAGE, WIDGET, bring_from, id_token};

#[actix_web::test]
async fn char_2_to_4_a_connection_without_a_secret_goes_live_after_its_check() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let issuer = stage.acme.issuer();
    // The domain as it is written on the page, without a scheme.
    let domain = issuer.trim_start_matches("http://");
    let new = "/console/connections/new";
    let fields = [("domain", domain), ("place", "tenant:acme"), ("kind", "token-in")];
    let choice = fill(&mut browser, new, &fields).await.expect(200);
    let form = Form::to(&choice.body, new);
    let named = [
        ("issuer", issuer.as_str()),
        ("name", "acme-widget"),
        ("kind", "token-in"),
    ];
    let paste = browser.submit(&form, &named).await.expect(200);
    assert!(paste.shows("Single-Page Application"), "{paste:?}");
    assert!(
        !paste.shows("/oauth2/idpresponse/") && !paste.shows("Client secret"),
        "{paste:?}"
    );

    let path = "/console/connections/acme-widget";
    let credentials = format!("{path}/credentials");
    let page = browser.open(&credentials).await.expect(200);
    assert!(!page.body.contains("name=\"client_secret\""), "{page:?}");
    let wrong = [("client_id", WIDGET), ("origins", "host.acme.test")];
    let refused = fill(&mut browser, &credentials, &wrong).await.expect(422);
    assert!(refused.shows("is not an origin"), "{refused:?}");
    let right = [("client_id", WIDGET), ("origins", PAGE)];
    fill(&mut browser, &credentials, &right).await.expect(200);

    // Not live before its test, which a tenant's administrator cannot leave out.
    stage.acme.add_app(okta::App {
        client_id: WIDGET.into(),
        auth: okta::ClientAuth::None,
        label: "Host app".into(),
        ..okta::App::default()
    });
    let check = format!("{path}/check");
    let faulty = Transport::trouble(Trouble::ServerError);
    stage
        .acme
        .set_faults(|faults| drop(faults.transport.insert(Endpoint::Keys, faulty)));
    let failed = press(&mut browser, &check, &check).await.expect(200);
    assert!(failed.shows("JWKS_FETCH_FAILED"), "{failed:?}");
    assert_eq!(connection(&stage, "acme-widget").state(), State::Draft);
    stage.acme.set_faults(|faults| faults.transport.clear());
    let passed = press(&mut browser, &check, &check).await.expect(200);
    assert!(
        passed.shows("Every stage passed") && passed.shows("go live"),
        "{passed:?}"
    );
    assert_eq!(
        connection(&stage, "acme-widget").tested_at,
        Some(crate::support::NOW)
    );
    assert!(passed.shows("redeems codes without a secret"), "{passed:?}");
    let shown = browser.open(path).await.expect(200);
    assert!(shown.shows("token-in") && shown.shows(PAGE), "{shown:?}");

    // An app of the wrong kind is recognised, and told without being in the way: a server may have the tokens.
    stage
        .acme
        .change_app(WIDGET, |app| app.auth = okta::ClientAuth::ClientSecretBasic);
    let told = press(&mut browser, &check, &check).await.expect(200);
    assert!(
        told.shows("APP_IS_WEB") && told.shows("is Web and not Single-Page Application"),
        "{told:?}"
    );
    assert!(told.shows("Every stage passed"), "{told:?}");
    stage
        .acme
        .change_app(WIDGET, |app| app.auth = okta::ClientAuth::None);

    // Only apps that may exchange tokens are offered it.
    stage.change_spa_client(|settings| settings.token_exchange = true);
    let live = format!("{path}/live");
    let page = browser.open(&live).await.expect(200);
    assert!(
        page.body.contains(SPA_CLIENT) && !page.shows("Sample web app"),
        "{page:?}"
    );
    browser
        .submit(&Form::to(&page.body, &live), &[("app", SPA_CLIENT)])
        .await
        .expect(200);
    assert_eq!(connection(&stage, "acme-widget").state(), State::Live);
    let offers = stage.act(|conn| client::find(conn, SPA_CLIENT).unwrap().unwrap());
    assert!(offers.settings.providers.contains(&"acme-widget".to_owned()));
    bring_from(&stage, Some(PAGE), &id_token(&stage, &[]), &[])
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_tenant_prepares_such_a_connection_and_the_operator_lets_it_go_live() {
    let stage = Stage::new().await;
    crate::token_in::connect(&stage, "acme-widget", WIDGET);
    stage.change_provider("acme-widget", |row| row.live_since = None);
    let mut browser = stage.console(ACME_ADMIN);
    stage.change_provider("acme-widget", |row| {
        row.tenant_id = Some("acme".into());
        row.enabled = false;
        row.tested_at = Some(crate::support::NOW);
    });
    // Nothing shows that the Okta behind it is theirs: with another's client ID they would get the other's people.
    let live = "/console/connections/acme-widget/live";
    let refused = press(&mut browser, live, live).await.expect(422);
    assert!(refused.shows("an operator of this server"), "{refused:?}");
    assert_eq!(connection(&stage, "acme-widget").state(), State::Tested);
    stage.change_provider("acme-widget", |row| {
        row.enabled = true;
        row.live_since = Some(crate::support::NOW);
    });
    let credentials = "/console/connections/acme-widget/credentials";
    let others = [("client_id", "0oaofsomebodyelses01"), ("origins", PAGE)];
    let refused = fill(&mut browser, credentials, &others).await.expect(422);
    assert!(refused.shows("the operator's to change"), "{refused:?}");
    // Which pages may come is theirs to say.
    let pages = [("client_id", WIDGET), ("origins", "https://other.acme.test")];
    fill(&mut browser, credentials, &pages).await.expect(200);
}
