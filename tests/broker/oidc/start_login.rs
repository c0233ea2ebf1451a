//! Sign-ins that a tile or a link starts (OIDC Core §4): they lead to the app, whose own request then goes to the connection
//! that was named.

use forebay::demo::{MACHINE_CLIENT, POOL, SPA_CLIENT, WEB_CLIENT, registration};
use forebay::rules::params;

use super::led::{Led, ask, led};
use crate::support::{APP, SPA_CALLBACK, Stage, query_of};

fn start(fields: &[(&str, &str)]) -> String {
    let fields = [("connection", "acme-okta"), ("client_id", WEB_CLIENT)]
        .into_iter()
        .filter(|(name, _)| !fields.iter().any(|(other, _)| other == name))
        .chain(fields.iter().copied().filter(|(_, value)| !value.is_empty()));
    format!("/start-login?{}", params::encode(fields))
}

#[actix_web::test]
async fn a_click_on_a_tile_ends_signed_in_at_the_app_through_the_tiles_own_organisation() {
    let stage = Stage::new().await;
    let mut ada = stage.browser();
    // She is at her dashboard in Okta.
    let app = registration(0, &stage.acme.issuer()).client_id;
    let page = ada.visit(&stage.acme.issuer()).await;
    ada.enter(&page, "ada@acme.test").await;
    let to_app = ada
        .visit(&format!("{}/home/oidc_client/{app}/aln1", stage.acme.issuer()))
        .await
        .expect(302);
    let location = to_app.location();
    assert!(location.starts_with(&format!("{APP}/sign-in?")), "{location}");
    assert_eq!(query_of(location, "iss"), Some(stage.issuer()));
    // The app asks in its own words, names no connection, and nobody has to choose or type anything.
    let answer = ada.visit(&stage.authorize(&[])).await;
    assert_eq!(led(&stage, &answer), Led::Code);
    let traced = stage.traces();
    assert_eq!(traced[0].provider_id.as_deref(), Some("acme-okta"));
}

#[actix_web::test]
async fn a_start_is_for_one_sign_in_of_one_app_in_one_browser() {
    let stage = Stage::new().await;
    let mut ada = stage.browser();
    ada.open(&start(&[])).await.expect(302);
    let spa = [("client_id", SPA_CLIENT), ("redirect_uri", SPA_CALLBACK)];
    assert_eq!(ask(&stage, &mut ada, &spa).await, Led::LoginPage, "another app");
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Organisation("acme"));
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::LoginPage, "it was used");
    assert_eq!(ask(&stage, &mut stage.browser(), &[]).await, Led::LoginPage);
    // What the app itself says goes first.
    ada.open(&start(&[])).await.expect(302);
    let named = [("identity_provider", "globex-okta")];
    assert_eq!(ask(&stage, &mut ada, &named).await, Led::Organisation("globex"));
    // Amplify's default names nobody.
    ada.open(&start(&[])).await.expect(302);
    let any = [("identity_provider", "COGNITO")];
    assert_eq!(ask(&stage, &mut ada, &any).await, Led::Organisation("acme"));
}

#[actix_web::test]
async fn with_a_session_it_asks_the_organisation_afresh_and_never_against_prompt_none() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Code);
    ada.open(&start(&[])).await.expect(302);
    assert_eq!(ask(&stage, &mut ada, &[("prompt", "none")]).await, Led::Code);
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Organisation("acme"));
}

#[actix_web::test]
async fn hint_and_target_go_on_to_the_app() {
    let stage = Stage::new().await;
    let fields = [
        ("login_hint", "ada@acme.test"),
        ("target_link_uri", APP),
        ("iss", &stage.acme.issuer()),
    ];
    let answer = stage.get(&start(&fields)).await.expect(302);
    let location = answer.location();
    assert_eq!(query_of(location, "login_hint").as_deref(), Some("ada@acme.test"));
    assert_eq!(query_of(location, "target_link_uri").as_deref(), Some(APP));
    // As a form, which OIDC Core §4 wants, too.
    let posted = stage
        .post(
            "/start-login",
            &[],
            &[("connection", "acme-okta"), ("client_id", WEB_CLIENT)],
        )
        .await;
    assert_eq!(posted.status, 302);
    // An app without a login start URL is opened at its target, or at its root.
    stage.change_web_client(|settings| settings.initiate_login_uri = None);
    assert_eq!(
        stage.get(&start(&[("target_link_uri", APP)])).await.location(),
        APP
    );
    assert_eq!(stage.get(&start(&[])).await.location(), format!("{APP}/"));
}

#[actix_web::test]
async fn the_only_app_of_a_connection_need_not_be_named() {
    let stage = Stage::new().await;
    stage
        .get(&start(&[("client_id", "")]))
        .await
        .is_page(400, "app_ambiguous");
    stage.change_spa_client(|settings| settings.providers = vec!["globex-okta".into()]);
    let answer = stage.get(&start(&[("client_id", "")])).await.expect(302);
    assert!(answer.location().starts_with(APP));
    stage.change_web_client(|settings| settings.providers = vec!["globex-okta".into()]);
    stage
        .get(&start(&[("client_id", "")]))
        .await
        .is_page(400, "app_unknown");
}

#[actix_web::test]
async fn what_leads_nowhere_is_a_page_that_says_why_and_sets_no_cookie() {
    let stage = Stage::new().await;
    let globex = stage.globex.issuer();
    for (fields, name) in [
        (vec![("connection", "")], "connection_unknown"),
        (vec![("connection", "nobody")], "connection_unknown"),
        (vec![("connection", POOL)], "connection_unknown"),
        (vec![("client_id", "nobody")], "app_unknown"),
        (vec![("client_id", MACHINE_CLIENT)], "app_unknown"),
        (vec![("iss", globex.as_str())], "tile_issuer_mismatch"),
        (vec![("iss", "acme")], "tile_issuer_mismatch"),
        (
            vec![("target_link_uri", "https://evil.test/")],
            "target_link_uri_mismatch",
        ),
        (vec![("id_token", "e30.e30.")], "tile_sends_id_token"),
    ] {
        let answer = stage.get(&start(&fields)).await;
        answer.is_page(400, name);
        assert!(answer.all("set-cookie").is_empty(), "{fields:?}");
        let code = answer.trace_code().unwrap();
        assert_eq!(stage.trace(&code).cause, name);
    }
    let twice = format!("{}&connection=globex-okta", start(&[]));
    stage.get(&twice).await.is_page(400, "parameter_repeated");
    stage.change_web_client(|settings| {
        settings.initiate_login_uri = None;
        settings.redirect_uris = vec!["com.example.app:/callback".into()];
    });
    stage.get(&start(&[])).await.is_page(400, "app_without_start");
    stage.change_provider("acme-okta", |provider| provider.enabled = false);
    stage.get(&start(&[])).await.is_page(400, "connection_unknown");
}

#[actix_web::test]
async fn a_connection_taken_from_the_app_meanwhile_is_not_gone_to() {
    let stage = Stage::new().await;
    let mut ada = stage.browser();
    ada.open(&start(&[])).await.expect(302);
    stage.change_web_client(|settings| settings.providers = vec!["globex-okta".into()]);
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::LoginPage);
}
