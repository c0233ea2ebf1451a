//! Which session answers for whom, and for how long: its end with user, connection and client; clients limited to a
//! connection; apps that cannot be told from an impostor.

use forebay::actions::clients::{self, NewClient, NewSecret};
use forebay::actions::pools::{self, NewKeys, NewPool};
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::Settings;
use forebay::model::user;

use super::led::{Led, ask, error, led};
use crate::support::{APP, NOW, Stage, Tokens, claims, links, location_param};

#[actix_web::test]
async fn a_session_answers_at_once_for_an_hour_and_does_not_slide() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    for _ in 0..3 {
        stage.clock.advance(1_199);
        assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Code);
    }
    stage.clock.advance(10);
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::LoginPage);
    assert_eq!(
        ask(&stage, &mut ada, &[("prompt", "none")]).await,
        error("login_required")
    );
}

#[actix_web::test]
async fn a_code_out_of_a_session_is_as_good_as_a_fresh_one() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    stage.clock.advance(600);
    let answer = ada.open(&stage.authorize(&[("nonce", "another")])).await;
    let code = location_param(&answer, "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    let id = claims(tokens.id.as_deref().unwrap());
    assert_eq!(id["nonce"], "another");
    assert_eq!(id["auth_time"], NOW.0, "when she signed in, not now");
    assert_eq!(id["iat"], NOW.0 + 600);
    // The single-page app of the same pool shares the session.
    let fields = [
        ("client_id", SPA_CLIENT),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
    ];
    assert_eq!(ask(&stage, &mut ada, &fields).await, Led::Code);
}

#[actix_web::test]
async fn a025_a_session_ends_with_its_user_its_connection_and_its_client() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let enable = |enabled| {
        stage.act(|conn| {
            let mut row = user::find(conn, &sub).unwrap().unwrap();
            row.enabled = enabled;
            user::update(conn, &row).unwrap();
        });
    };
    let silent = [("prompt", "none")];
    enable(false);
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::LoginPage);
    assert_eq!(ask(&stage, &mut ada, &silent).await, error("login_required"));
    enable(true);
    assert_eq!(ask(&stage, &mut ada, &silent).await, Led::Code);

    stage.change_provider("acme-okta", |provider| provider.enabled = false);
    assert_eq!(ask(&stage, &mut ada, &silent).await, error("login_required"));
    let named = [("identity_provider", "acme-okta")];
    assert_eq!(ask(&stage, &mut ada, &named).await, Led::LoginPage);
    stage.change_provider("acme-okta", |provider| provider.enabled = true);

    stage.change_client(WEB_CLIENT, |client| client.enabled = false);
    assert_eq!(ask(&stage, &mut ada, &silent).await, Led::Page(400));
    stage.change_client(WEB_CLIENT, |client| client.enabled = true);
    assert_eq!(ask(&stage, &mut ada, &silent).await, Led::Code);

    stage.act(|conn| forebay::model::session::delete_of_user(conn, &sub).unwrap());
    assert_eq!(ask(&stage, &mut ada, &silent).await, error("login_required"));
}

#[actix_web::test]
async fn a142_a_client_limited_to_a_connection_gets_nobody_from_another_by_any_door() {
    let stage = Stage::new().await;
    let hank = stage.tokens_for("hank@globex.test", &[]).await;
    let mut browser = stage.browser();
    browser
        .sign_in("hank@globex.test", &stage.authorize(&[]))
        .await
        .expect(302);
    stage.globex.forget_requests();
    stage.change_web_client(|settings| settings.providers = vec!["acme-okta".into()]);

    let globex = stage.globex.issuer();
    for door in [
        ("identity_provider", "globex-okta"),
        ("idp_identifier", "globex.test"),
        ("login_hint", "hank@globex.test"),
        ("prompt", "none"),
        ("prompt", "select_account"),
        ("nonce", "an existing session"),
    ] {
        let answer = browser.open(&stage.authorize(&[door])).await.expect(302);
        let expected = match door {
            ("prompt", "none") => error("login_required"),
            _ => Led::LoginPage,
        };
        assert_eq!(led(&stage, &answer), expected, "{door:?}");
        if expected == Led::LoginPage {
            let page = browser.open(answer.location()).await;
            assert!([200, 401].contains(&page.status), "{door:?}: {page:?}");
            assert!(
                links(&page.body).iter().all(|link| !link.contains("globex")),
                "{page:?}"
            );
        }
    }
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let typed = browser
        .open(&format!("{login}&email=hank%40globex.test"))
        .await
        .expect(200);
    assert!(typed.shows("We found no sign-in for this address"), "{typed:?}");
    assert!(!typed.body.contains(&globex));
    assert!(stage.globex.requests().is_empty(), "globex was never asked");

    let refreshed = stage.refresh(hank.refresh.as_deref().unwrap()).await.expect(400);
    assert_eq!(refreshed.error(), "invalid_grant");
    // Other clients of the pool are as they were.
    let fields = [
        ("client_id", SPA_CLIENT),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
    ];
    assert_eq!(ask(&stage, &mut browser, &fields).await, Led::Code);
}

#[actix_web::test]
async fn a142_asking_for_another_connection_is_not_answered_by_the_session_of_an_allowed_one() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    stage.change_web_client(|settings| settings.providers = vec!["acme-okta".into()]);
    let page = ada
        .visit(&stage.authorize(&[("identity_provider", "globex-okta")]))
        .await;
    page.is_page(401, "Login option is not available");
}

#[actix_web::test]
async fn m035_an_apps_own_scheme_gets_nothing_out_of_a_session_unasked() {
    let stage = Stage::new().await;
    let uri = "com.example.app:/cb";
    stage.change_web_client(|settings| {
        settings
            .redirect_uris
            .extend([uri.into(), "com.example.b:/cb".into()])
    });
    let mut ada = stage.signed_in("ada@acme.test").await;
    let request = [("redirect_uri", uri)];
    let silent = ada
        .open(&stage.authorize(&[request[0], ("prompt", "none")]))
        .await;
    assert!(silent.location().starts_with(&format!("{uri}?")), "{silent:?}");
    assert_eq!(led(&stage, &silent), error("interaction_required"));

    let page = ada.open(&stage.authorize(&request)).await;
    page.is_page(200, "ada@acme.test");
    let continues = links(&page.body)
        .into_iter()
        .find(|link| link.contains("proceed="))
        .expect("a way to go on");
    let ticket = continues.split("proceed=").nth(1).unwrap();
    let mut grace = stage.signed_in("grace@acme.test").await;
    let answer = grace.open(&continues).await;
    assert_eq!(led(&stage, &answer), Led::Page(200), "another session's ticket");
    let other = stage.authorize(&[("redirect_uri", "com.example.b:/cb")]);
    for url in [
        format!("{other}&proceed={ticket}"),
        continues.replace(ticket, "x"),
    ] {
        assert_eq!(led(&stage, &ada.open(&url).await), Led::Page(200), "{url}");
    }
    let answer = ada.open(&continues).await.expect(302);
    assert!(
        answer.location().starts_with(&format!("{uri}?code=")),
        "{answer:?}"
    );
    stage.clock.advance(301);
    assert_eq!(
        led(&stage, &ada.open(&continues).await),
        Led::Page(200),
        "an old page"
    );
}

#[actix_web::test]
async fn a_session_of_one_pool_is_none_in_another() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let other = "us-local-1_Other0001";
    stage.act(|conn| {
        let keys = NewKeys::make().unwrap();
        let pool = NewPool {
            id: Some(other.into()),
            name: "Other".into(),
            settings: Default::default(),
        };
        pools::create(conn, &stage.ctx(), pool, &keys).unwrap();
        let new = NewClient {
            id: Some("otherclient000000000000001".into()),
            user_pool_id: other.into(),
            name: "Other app".into(),
            secret: NewSecret::Public,
            settings: Settings {
                redirect_uris: vec![format!("{APP}/callback")],
                scopes: vec!["openid".into()],
                ..Default::default()
            },
        };
        clients::create(conn, &stage.ctx(), new).unwrap();
    });
    let fields = [
        ("client_id", "otherclient000000000000001"),
        ("scope", "openid"),
        ("prompt", "none"),
    ];
    let (_, token) = ada.cookie(&format!("__Host-session-{POOL}")).unwrap();
    assert_eq!(ask(&stage, &mut ada, &fields).await, error("login_required"));
    ada.set_cookie(&format!("__Host-session-{other}"), &token);
    assert_eq!(
        ask(&stage, &mut ada, &fields).await,
        error("login_required"),
        "nor under its name"
    );
}
