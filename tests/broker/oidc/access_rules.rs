//! Who may enter an app: the app client's own rules, at every door that leads to a session, a code or a token.

use actix_web::http::StatusCode;
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::AccessRule;
use forebay::model::user;
use serde_json::json;

use super::led::{Led, ask, error, led};
use crate::native::form::{enter, offer};
use crate::support::{APP, Answer, PASSWORD, SPA_CALLBACK, Stage, assert_refused, links, query_of};

/// The web app lets in whom this holds for.
fn only(stage: &Stage, expression: &str) {
    stage.change_web_client(|settings| {
        settings.access = vec![AccessRule {
            name: "Staff of Acme".into(),
            expression: expression.into(),
            contact: "the service desk, it@acme.test".into(),
        }];
    });
}

/// The page says which rule it was and whom to ask; the app hears of it by the link back, the administrator by the trace.
#[track_caller]
fn is_refused(stage: &Stage, page: &Answer) {
    page.is_page(StatusCode::FORBIDDEN.as_u16(), "access_rule");
    assert!(page.shows("the rule “Staff of Acme”"), "{page:?}");
    assert!(page.shows("ask the service desk, it@acme.test"), "{page:?}");
    let back = links(&page.body)
        .into_iter()
        .find(|href| href.starts_with(&format!("{APP}/callback?")))
        .expect("a way back to the app");
    assert_eq!(query_of(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(query_of(&back, "state").as_deref(), Some("st"));
    assert_eq!(query_of(&back, "code"), None);
    let trace = stage.trace(&page.trace_code().expect("a trace"));
    let last = trace.story.steps.last().expect("steps");
    assert_eq!((last.name.as_str(), last.passed), ("access", false));
    assert!(last.detail.contains("'Staff of Acme'"), "{}", last.detail);
    assert!(trace.story.remedy.contains("'Staff of Acme'"));
}

#[actix_web::test]
async fn at_the_callback_those_enter_for_whom_the_rules_hold() {
    let stage = Stage::new().await;
    only(
        &stage,
        "user['custom:department'] == 'Finance' && connection == 'acme-okta'",
    );
    stage.signed_in("grace@acme.test").await;
    let mut ada = stage.browser();
    let page = ada.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    is_refused(&stage, &page);
    assert_eq!(ada.cookie("__Host-session-"), None, "no session");
    let hank = stage
        .browser()
        .sign_in("hank@globex.test", &stage.authorize(&[]))
        .await;
    is_refused(&stage, &hank);
    // `amr` is what the organisation said of this very sign-in.
    only(&stage, "'pwd' in amr && tenant == ''");
    stage.signed_in("ada@acme.test").await;
    only(&stage, "'hwk' in amr");
    let page = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    is_refused(&stage, &page);
}

#[actix_web::test]
async fn a_rule_about_groups_and_tenant_sees_them_as_they_are() {
    let stage = Stage::new().await;
    stage.console(forebay::demo::OPERATOR);
    let mut ada = stage.signed_in("ada@acme.test").await;
    only(
        &stage,
        "tenant == 'acme' && groups.exists(g, g.endsWith('_acme-okta'))",
    );
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Code);
    only(&stage, "tenant == 'globex'");
    is_refused(&stage, &ada.open(&stage.authorize(&[])).await);
    only(&stage, "'board' in groups");
    is_refused(&stage, &ada.open(&stage.authorize(&[])).await);
}

#[actix_web::test]
async fn a_session_does_not_open_an_app_that_its_user_may_not_enter() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    only(&stage, "user.email == 'grace@acme.test'");
    is_refused(&stage, &ada.open(&stage.authorize(&[])).await);
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    is_refused(&stage, &ada.open(&login).await);
    // Where nobody may be shown anything the app is told at once.
    assert_eq!(
        ask(&stage, &mut ada, &[("prompt", "none")]).await,
        error("access_denied")
    );
    // Another app of the pool has rules of its own.
    let spa = [("client_id", SPA_CLIENT), ("redirect_uri", SPA_CALLBACK)];
    assert_eq!(ask(&stage, &mut ada, &spa).await, Led::Code);
    // "Sign in as someone else" leads to the page where one can.
    let page = ada.open(&stage.authorize(&[])).await;
    let other = links(&page.body)
        .into_iter()
        .find(|href| href.contains("select_account"))
        .expect("another account");
    let answer = ada.open(&other).await;
    assert_eq!(led(&stage, &answer), Led::LoginPage);
}

#[actix_web::test]
async fn a_code_and_a_refresh_token_end_with_the_access() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.unwrap();
    only(&stage, "user.email == 'grace@acme.test'");
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");
    assert_refused(&stage.refresh(&refresh).await, 400, "invalid_grant");
    // Whoever may enter again goes on with what they have: a refusal spends nothing, also where tokens rotate.
    stage.change_web_client(|settings| settings.rotation.enabled = true);
    assert_refused(&stage.refresh(&refresh).await, 400, "invalid_grant");
    only(&stage, "user.email == 'ada@acme.test'");
    let next = stage.refresh(&refresh).await.expect(200).json()["refresh_token"].clone();
    // It is the profile that counts, not what it was at the sign-in.
    stage.act(|conn| {
        let sub =
            forebay::model::token::find_refresh(conn, &forebay::rules::secret::hash(next.as_str().unwrap()))
                .unwrap()
                .unwrap()
                .1
                .user_sub;
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        row.attributes
            .0
            .insert("email".into(), json!("ada@elsewhere.test"));
        user::update(conn, &row).unwrap();
    });
    assert_refused(&stage.refresh(next.as_str().unwrap()).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn implicit_tokens_are_for_those_who_may_enter() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.flows = vec![forebay::model::client::Flow::Implicit]);
    only(&stage, "user.email == 'grace@acme.test'");
    let fields = [
        ("response_type", "token"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let page = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&fields))
        .await;
    page.is_page(403, "access_rule");
    let back = stage
        .browser()
        .sign_in("grace@acme.test", &stage.authorize(&fields))
        .await;
    assert!(query_of(back.location(), "access_token").is_some(), "{back:?}");
}

#[actix_web::test]
async fn a_password_of_ours_opens_no_app_that_its_user_may_not_enter() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    only(&stage, "connection != 'COGNITO'");
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    is_refused(&stage, &page);
    assert_eq!(browser.cookie("__Host-session-"), None);
    only(
        &stage,
        "connection == 'COGNITO' && amr == ['pwd'] && user.username == 'grace'",
    );
    let back = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

#[actix_web::test]
async fn what_cannot_be_computed_lets_nobody_in() {
    let stage = Stage::new().await;
    for expression in [
        "user.email > 3",
        "user.nickname.size() > 100",
        "'a' in user.email",
        "no such thing",
    ] {
        only(&stage, expression);
        let page = stage
            .browser()
            .sign_in("ada@acme.test", &stage.authorize(&[]))
            .await;
        is_refused(&stage, &page);
    }
    assert_eq!(stage.traces()[0].client_id.as_deref(), Some(WEB_CLIENT));
}
