//! When somebody is asked although there is a session, and when nobody may be: `prompt`, `max_age`, hints and claims
//! (OIDC Core §3.1.2.1-3.1.2.3, §5.5.1).

use diesel::{ExpressionMethods, RunQueryDsl};
use forebay::db::Json;
use forebay::db::schema::sessions;
use forebay::model::session::Facts;

use super::led::{Led, ask, error, led};
use crate::support::{APP, NOW, Stage, Tokens, claims, location_param};

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

    let other_end = if of_ada.ends_with('A') { 'Q' } else { 'A' };
    let forged = format!("{}{other_end}", &of_ada[..of_ada.len() - 1]);
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
