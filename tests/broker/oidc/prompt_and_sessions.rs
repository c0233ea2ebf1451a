//! When a session answers and when somebody is asked: `prompt`, `max_age`, hints, sessions that must not serve any more,
//! and clients limited to a connection (OIDC Core §3.1.2.1-3.1.2.3).

use diesel::{ExpressionMethods, RunQueryDsl};
use forebay::actions::clients::{self, NewClient, NewSecret};
use forebay::actions::pools::{self, NewKeys, NewPool};
use forebay::db::Json;
use forebay::db::schema::sessions;
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::Settings;
use forebay::model::session::Facts;
use forebay::model::user;
use forebay::rules::jwks;
use forebay::world::Entropy;

use crate::support::{APP, Answer, Browser, NOW, Stage, Tokens, claims, links, location_param};

/// Where an authorization request led.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Led {
    Code,
    Error(String),
    LoginPage,
    Organisation(&'static str),
    Page(u16),
}

fn led(stage: &Stage, answer: &Answer) -> Led {
    if answer.status != 302 {
        return Led::Page(answer.status);
    }
    let location = answer.location();
    if location.starts_with("/login?") {
        Led::LoginPage
    } else if location.starts_with(&stage.acme.issuer()) {
        Led::Organisation("acme")
    } else if location.starts_with(&stage.globex.issuer()) {
        Led::Organisation("globex")
    } else if let Some(error) = location_param(answer, "error") {
        Led::Error(error)
    } else {
        assert!(location_param(answer, "code").is_some(), "{answer:?}");
        Led::Code
    }
}

async fn ask(stage: &Stage, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Led {
    let answer = browser.open(&stage.authorize(fields)).await;
    led(stage, &answer)
}

fn error(name: &str) -> Led {
    Led::Error(name.to_owned())
}

#[actix_web::test]
async fn m024_prompt_none_never_shows_a_page() {
    let stage = Stage::new().await;
    let mut stranger = stage.browser();
    let mut ada = stage.signed_in("ada@acme.test").await;
    for (fields, for_stranger, for_ada) in [
        (vec![], error("login_required"), Led::Code),
        (
            vec![("identity_provider", "COGNITO")],
            error("login_required"),
            Led::Code,
        ),
        (
            vec![("identity_provider", "acme-okta")],
            error("login_required"),
            Led::Code,
        ),
        (
            vec![("identity_provider", "globex-okta")],
            error("login_required"),
            error("login_required"),
        ),
        (
            vec![("identity_provider", "nobody")],
            error("invalid_request"),
            error("invalid_request"),
        ),
        (
            vec![("login_hint", "ada@acme.test")],
            error("login_required"),
            Led::Code,
        ),
        (
            vec![("login_hint", "hank@globex.test")],
            error("login_required"),
            error("login_required"),
        ),
        (
            vec![("max_age", "0")],
            error("login_required"),
            error("login_required"),
        ),
        (
            vec![("acr_values", "urn:none")],
            error("login_required"),
            error("login_required"),
        ),
    ] {
        let fields: Vec<_> = fields.into_iter().chain([("prompt", "none")]).collect();
        assert_eq!(
            ask(&stage, &mut stranger, &fields).await,
            for_stranger,
            "{fields:?}"
        );
        assert_eq!(ask(&stage, &mut ada, &fields).await, for_ada, "{fields:?}");
    }
    // The login page is no way around it.
    let silent = stage
        .authorize(&[("prompt", "none")])
        .replace("/oauth2/authorize", "/login");
    for more in ["", "&errorMessage=x", "&email=ada%40acme.test", "&email=nonsense"] {
        let answer = stranger.open(&format!("{silent}{more}")).await;
        assert_eq!(led(&stage, &answer), error("login_required"), "{more}");
    }
    let answer = stranger
        .open(&stage.authorize(&[("prompt", "none"), ("response_mode", "fragment")]))
        .await;
    assert!(
        answer.location().starts_with(&format!("{APP}/callback#")),
        "{answer:?}"
    );
}

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
async fn m025_prompt_login_authenticates_again_and_leaves_the_session_alone() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    for prompt in ["login", "LOGIN", "select_account", "login consent"] {
        let fields = [("prompt", prompt)];
        assert_eq!(ask(&stage, &mut ada, &fields).await, Led::LoginPage, "{prompt}");
    }
    for (prompt, sent) in [
        ("login", "login"),
        ("consent", "consent"),
        ("login consent", "login consent"),
    ] {
        let url = stage.authorize(&[("prompt", prompt), ("identity_provider", "acme-okta")]);
        let answer = ada.open(&url).await.expect(302);
        assert_eq!(location_param(&answer, "prompt").as_deref(), Some(sent));
    }
    assert_eq!(ask(&stage, &mut ada, &[("prompt", "none")]).await, Led::Code);

    stage.clock.advance(100);
    let before = ada.cookie("__Host-session-").unwrap();
    let page = ada
        .to_sign_in_page("ada@acme.test", &stage.authorize(&[("prompt", "login")]))
        .await;
    assert!(
        ada.at_organisation(),
        "Okta's own session does not answer either: {page:?}"
    );
    let back = ada.enter(&page, "ada@acme.test").await.expect(302);
    assert_ne!(
        ada.cookie("__Host-session-").unwrap(),
        before,
        "M-137: another session"
    );
    let code = location_param(&back, "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(claims(tokens.id.as_deref().unwrap())["auth_time"], NOW.0 + 100);
}

#[actix_web::test]
async fn m026_max_age_asks_again_when_the_sign_in_is_older() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    assert_eq!(
        ask(&stage, &mut ada, &[("max_age", "0")]).await,
        Led::LoginPage,
        "at once"
    );
    assert_eq!(ask(&stage, &mut ada, &[("max_age", "1")]).await, Led::Code);
    stage.clock.advance(100);
    assert_eq!(ask(&stage, &mut ada, &[("max_age", "100")]).await, Led::Code);
    assert_eq!(ask(&stage, &mut ada, &[("max_age", "99")]).await, Led::LoginPage);
    let fields = [("max_age", "99"), ("prompt", "none")];
    assert_eq!(ask(&stage, &mut ada, &fields).await, error("login_required"));
    let url = stage.authorize(&[("max_age", "99"), ("identity_provider", "acme-okta")]);
    let answer = ada.open(&url).await.expect(302);
    assert_eq!(
        location_param(&answer, "max_age").as_deref(),
        Some("99"),
        "Okta is held to it, too"
    );
}

#[actix_web::test]
async fn m027_an_id_token_hint_allows_its_user_only() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.id_token_seconds = 300);
    let grace = stage.tokens_for("grace@acme.test", &[]).await;
    let ada_tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let (of_grace, of_ada) = (grace.id.as_deref().unwrap(), ada_tokens.id.as_deref().unwrap());
    let mut ada = stage.signed_in("ada@acme.test").await;
    stage.clock.advance(600);
    let hint = |token| ("id_token_hint", token);
    assert_eq!(
        ask(&stage, &mut ada, &[hint(of_ada)]).await,
        Led::Code,
        "though expired"
    );
    assert_eq!(ask(&stage, &mut ada, &[hint(of_grace)]).await, Led::LoginPage);
    let silent = [hint(of_grace), ("prompt", "none")];
    assert_eq!(ask(&stage, &mut ada, &silent).await, error("login_required"));
    // Somebody else signs in after all: no success.
    let mut other = stage.browser();
    let page = other
        .sign_in("ada@acme.test", &stage.authorize(&[hint(of_grace)]))
        .await;
    page.is_page(403, "other_user");
    assert_eq!(other.cookie("__Host-session-"), None);
    let trace = stage.trace(&page.trace_code().unwrap());
    assert_eq!(trace.cause, "other_user");

    let forged = format!("{}A", &of_ada[..of_ada.len() - 1]);
    let none = format!("eyJhbGciOiJub25lIn0.{}.", of_ada.split('.').nth(1).unwrap());
    for bad in [
        &ada_tokens.access,
        &forged,
        &none,
        "nonsense",
        &of_ada.to_uppercase(),
    ] {
        assert_eq!(
            ask(&stage, &mut ada, &[hint(bad)]).await,
            error("invalid_request"),
            "{bad}"
        );
    }
}

#[actix_web::test]
async fn m028_claims_that_name_a_sub_allow_that_user_only() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    for place in ["id_token", "userinfo"] {
        let claims = |sub: &str| format!(r#"{{"{place}":{{"sub":{{"value":"{sub}"}},"email":null}}}}"#);
        let own = claims(&sub);
        assert_eq!(ask(&stage, &mut ada, &[("claims", &own)]).await, Led::Code);
        let other = claims("somebody-else");
        assert_eq!(ask(&stage, &mut ada, &[("claims", &other)]).await, Led::LoginPage);
        let silent = [("claims", other.as_str()), ("prompt", "none")];
        assert_eq!(ask(&stage, &mut ada, &silent).await, error("login_required"));
        let mut browser = stage.browser();
        let page = browser
            .sign_in("ada@acme.test", &stage.authorize(&[("claims", &other)]))
            .await;
        page.is_page(403, "other_user");
    }
}

#[actix_web::test]
async fn acr_values_are_met_by_the_session_or_asked_for() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let acr = "urn:okta:loa:2fa:any";
    assert_eq!(
        ask(&stage, &mut ada, &[("acr_values", acr)]).await,
        Led::LoginPage
    );
    stage.act(|conn| {
        let facts = Facts {
            auth_time: NOW,
            acr: Some(acr.into()),
            ..Facts::default()
        };
        diesel::update(sessions::table)
            .set(sessions::facts.eq(Json(facts)))
            .execute(conn)
            .unwrap()
    });
    let several = format!("urn:other {acr}");
    assert_eq!(
        ask(&stage, &mut ada, &[("acr_values", &several)]).await,
        Led::Code
    );
    assert_eq!(
        ask(&stage, &mut ada, &[("acr_values", "urn:okta")]).await,
        Led::LoginPage
    );
}

#[actix_web::test]
async fn a_login_hint_for_somebody_else_is_not_answered_by_the_session() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    for (hint, expected) in [
        ("ada@acme.test", Led::Code),
        ("ADA@Acme.test", Led::Code),
        ("grace@acme.test", Led::Organisation("acme")),
        ("hank@globex.test", Led::Organisation("globex")),
        ("someone@nowhere.test", Led::Code),
        ("ada", Led::Code),
    ] {
        assert_eq!(
            ask(&stage, &mut ada, &[("login_hint", hint)]).await,
            expected,
            "{hint}"
        );
    }
    let url = stage.authorize(&[("login_hint", "grace@acme.test")]);
    let answer = ada.open(&url).await;
    assert_eq!(
        location_param(&answer, "login_hint").as_deref(),
        Some("grace@acme.test")
    );
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
        let key = |seed| jwks::generate(&Entropy::seeded(seed)).unwrap();
        let keys = NewKeys {
            id_token: key(8),
            access_token: key(9),
        };
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
