//! Sign-ins that a tile or a link starts (OIDC Core §4): they lead to the app, whose own request then goes to the connection
//! that was named.

use forebay::demo::{MACHINE_CLIENT, POOL, SPA_CLIENT, WEB_CLIENT, registration};
use forebay::model::tile_start;
use forebay::rules::params;

use super::led::{Led, ask, led};
use crate::support::{APP, Answer, SPA_CALLBACK, Stage, Tokens, claims, links, query_of};

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
async fn it_asks_afresh_though_the_app_passes_on_the_address_of_who_is_signed_in() {
    let stage = Stage::new().await;
    // Addresses of its domain lead to acme.
    stage.console("admin@acme.test");
    let mut ada = stage.signed_in("ada@acme.test").await;
    let hinted = [("login_hint", "ada@acme.test")];
    assert_eq!(ask(&stage, &mut ada, &hinted).await, Led::Code);
    ada.open(&start(&hinted)).await.expect(302);
    assert_eq!(ask(&stage, &mut ada, &hinted).await, Led::Organisation("acme"));
    assert_eq!(ada.cookie("__Host-start-"), None, "it was used");
    assert_eq!(ask(&stage, &mut ada, &hinted).await, Led::Code);
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

/// The two ways on of the page that asks: as who is signed in, and through the tile's connection.
#[track_caller]
fn choices(page: &Answer) -> (String, String) {
    page.is_page(200, "Signed in as");
    let hrefs: Vec<String> = links(&page.body)
        .into_iter()
        .filter(|href| href.starts_with("/oauth2/authorize?"))
        .collect();
    assert_eq!(hrefs.len(), 2, "{page:?}");
    (hrefs[0].clone(), hrefs[1].clone())
}

#[actix_web::test]
async fn a_session_of_another_connection_is_asked_about_and_not_switched() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let before = ada.cookie("__Host-session-").unwrap();
    for named in [vec![], vec![("identity_provider", "globex-okta")]] {
        ada.open(&start(&[("connection", "globex-okta")]))
            .await
            .expect(302);
        let page = ada.open(&stage.authorize(&named)).await;
        let (stay, change) = choices(&page);
        assert!(page.shows("ada@acme.test"), "{page:?}");
        assert!(page.shows("globex-okta"), "{page:?}");
        assert_eq!(ada.cookie("__Host-session-").unwrap(), before);
        assert_eq!(ada.cookie("__Host-start-"), None, "the tile has had its say");
        let answer = ada.open(&stay).await;
        assert_eq!(led(&stage, &answer), Led::Code);
        let answer = ada.open(&change).await;
        assert_eq!(led(&stage, &answer), Led::Organisation("globex"));
    }
    // Choosing the other way ends in another session, never in the old one with another person.
    ada.open(&start(&[("connection", "globex-okta")]))
        .await
        .expect(302);
    let (_, change) = choices(&ada.open(&stage.authorize(&[])).await);
    let page = ada.visit(&change).await;
    let back = ada.enter(&page, "hank@globex.test").await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    assert_ne!(ada.cookie("__Host-session-").unwrap(), before);
}

#[actix_web::test]
async fn a_tile_that_names_somebody_else_asks_as_well() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    ada.open(&start(&[])).await.expect(302);
    let page = ada
        .open(&stage.authorize(&[("login_hint", "grace@acme.test")]))
        .await;
    let (stay, change) = choices(&page);
    assert_eq!(query_of(&stay, "login_hint"), None);
    assert_eq!(
        query_of(&change, "login_hint").as_deref(),
        Some("grace@acme.test")
    );
    let answer = ada.open(&stay).await;
    assert_eq!(led(&stage, &answer), Led::Code);
    // A request that the session cannot answer renews it where it came from.
    ada.open(&start(&[("connection", "globex-okta")]))
        .await
        .expect(302);
    let (stay, _) = choices(&ada.open(&stage.authorize(&[("prompt", "login")])).await);
    let answer = ada.open(&stay).await;
    assert_eq!(led(&stage, &answer), Led::Organisation("acme"));
}

#[actix_web::test]
async fn when_the_organisation_sends_somebody_else_the_page_asks_before_anything_happens() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let before = ada.cookie("__Host-session-").unwrap();
    stage.clock.advance(60);
    // At Okta it is Grace who is signed in at this desk meanwhile.
    stage.acme.end_sessions();
    ada.open(&start(&[])).await.expect(302);
    let page = ada.visit(&stage.authorize(&[])).await;
    let rows = crate::upstream::rows(&stage);
    let asked = ada.enter(&page, "grace@acme.test").await;
    let (stay, change) = choices(&asked);
    assert!(
        asked.shows("ada@acme.test") && !asked.shows("grace@acme.test"),
        "{asked:?}"
    );
    assert_eq!(ada.cookie("__Host-session-").unwrap(), before);
    assert_eq!(crate::upstream::rows(&stage), rows, "nothing has happened");
    assert_eq!(stage.traces()[0].cause, "asked_first");
    let answer = ada.open(&stay).await;
    assert_eq!(led(&stage, &answer), Led::Code);
    let back = ada.visit(&change).await;
    let code = query_of(back.location(), "code").expect("a code");
    assert_ne!(ada.cookie("__Host-session-").unwrap(), before);
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(claims(tokens.id.as_deref().unwrap())["email"], "grace@acme.test");
    // The same person is not asked anything.
    ada.open(&start(&[])).await.expect(302);
    let back = ada.visit(&stage.authorize(&[])).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

#[actix_web::test]
async fn a_tile_that_was_pointed_at_the_callback_starts_a_sign_in() {
    let stage = Stage::new().await;
    stage.change_spa_client(|settings| settings.providers.clear());
    let (acme, globex) = (stage.acme.issuer(), stage.globex.issuer());
    let mut ada = stage.browser();
    let at = |path: &str, iss: &str| format!("{path}?{}", params::encode([("iss", iss)]));
    for path in [
        "/oauth2/idpresponse/acme-okta".to_owned(),
        at("/oauth2/idpresponse/acme-okta", &acme),
    ] {
        let answer = ada.open(&path).await.expect(302);
        assert!(
            answer.location().starts_with(&format!("{APP}/sign-in?")),
            "{answer:?}"
        );
        assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Organisation("acme"));
    }
    stage
        .get(&at("/oauth2/idpresponse/acme-okta", &globex))
        .await
        .is_page(400, "tile_issuer_mismatch");
    stage
        .get("/oauth2/idpresponse/nobody")
        .await
        .is_page(400, "connection_unknown");
    // The bare callback and its other names are of those connections that come back there, told apart by `iss`.
    for path in [
        "/oauth2/idpresponse",
        "/login/callback",
        "/authorization-code/callback",
    ] {
        stage.get(path).await.is_page(400, "tile_at_callback");
        stage.get(&at(path, &acme)).await.is_page(400, "tile_at_callback");
    }
    stage.change_provider("acme-okta", |provider| provider.settings.shared_callback = true);
    for path in [
        "/oauth2/idpresponse",
        "/login/callback",
        "/authorization-code/callback",
    ] {
        stage.get(path).await.expect(302);
        stage.get(&at(path, &acme)).await.expect(302);
        stage
            .get(&at(path, &globex))
            .await
            .is_page(400, "tile_at_callback");
        stage
            .get(&at(path, "nonsense"))
            .await
            .is_page(400, "tile_at_callback");
    }
    stage.change_provider("globex-okta", |provider| provider.settings.shared_callback = true);
    let page = stage.get("/login/callback").await;
    page.is_page(400, "tile_at_callback");
    let trace = stage.trace(&page.trace_code().unwrap());
    assert!(trace.story.remedy.contains("Initiate login URI"));
    stage.get(&at("/login/callback", &globex)).await.expect(302);
    // A token that Okta sends of its own is no start, and what answers a login is none either.
    stage
        .get("/oauth2/idpresponse/acme-okta?id_token=e30.e30.")
        .await
        .is_page(400, "tile_sends_id_token");
    for answer in ["code=c", "error=access_denied", "state=s", "code=c&state=s"] {
        let page = stage
            .get(&format!("/oauth2/idpresponse/acme-okta?{answer}"))
            .await;
        page.is_page(403, "login_unknown");
    }
}

#[actix_web::test]
async fn the_console_knows_when_a_tile_was_last_clicked() {
    let stage = Stage::new().await;
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open("/console/connections/acme-okta").await.expect(200);
    assert!(page.shows("no click on a tile has ever come here"), "{page:?}");
    assert!(page.shows("Either Okta or App"));
    let noted = || stage.act(|conn| tile_start::find(conn, "acme-okta").unwrap());
    // A link without `iss` is nobody's tile.
    stage.get(&start(&[])).await.expect(302);
    assert_eq!(noted(), None);
    let iss = stage.acme.issuer();
    let tile = start(&[("iss", iss.as_str())]);
    let first = stage.broker.clock.now();
    for (later, last) in [(0, 0), (60, 0), (3_539, 0), (1, 3_600), (10, 3_600)] {
        stage.clock.advance(later);
        stage.get(&tile).await.expect(302);
        let noted = noted().expect("it was seen");
        assert_eq!(
            (noted.first_at, noted.last_at),
            (first, first.plus(last)),
            "at most once an hour"
        );
    }
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open("/console/connections/acme-okta").await.expect(200);
    assert!(page.shows("last clicked"), "{page:?}");
    let other = stage
        .console("admin@globex.test")
        .open("/console/connections/globex-okta")
        .await;
    assert!(other.shows("no click on a tile has ever come here"));
}
