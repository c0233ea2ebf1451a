//! The form for users with a password of ours: where it is, what comes of it, what is told to whom.

use forebay::demo::WEB_CLIENT;
use forebay::model::trace::Outcome;
use forebay::model::user;
use serde_json::json;

use crate::support::{Answer, Browser, Form, PASSWORD, Stage, Tokens, claims, links, query_of};

pub const FORM: &str = "/login/password";

/// The sample web app takes native users, too.
pub fn offer(stage: &Stage) {
    stage.change_web_client(|settings| settings.providers.push("COGNITO".into()));
}

/// Opens the login page and sends the form.
pub async fn enter(browser: &mut Browser<'_>, authorize: &str, username: &str, password: &str) -> Answer {
    let page = browser.visit(authorize).await.expect(200);
    let form = Form::to(&page.body, FORM);
    browser
        .submit(&form, &[("username", username), ("password", password)])
        .await
}

#[actix_web::test]
async fn it_is_shown_where_the_client_lists_cognito_and_nowhere_else() {
    let stage = Stage::new().await;
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let page = stage.get(&login).await.expect(200);
    assert!(!page.body.contains("type=\"password\""));
    assert_eq!(page.header("set-cookie"), None);
    offer(&stage);
    let page = stage.get(&login).await.expect(200);
    assert_eq!(
        links(&page.body)
            .iter()
            .filter(|href| href.contains("identity_provider"))
            .count(),
        2
    );
    let form = Form::to(&page.body, FORM);
    assert_eq!(form.method, "post");
    assert!(page.body.contains("autocomplete=\"current-password\""));
    stage.change_web_client(|settings| settings.providers = vec!["COGNITO".into()]);
    let page = stage.get(&login).await.expect(200);
    assert!(
        !page.body.contains("identity_provider"),
        "the form alone: {page:?}"
    );
    assert!(page.body.contains("button--primary"));
    let mut browser = stage.browser();
    let named = browser
        .visit(&stage.authorize(&[("identity_provider", "COGNITO")]))
        .await;
    Form::to(&named.expect(200).body, FORM);
}

#[actix_web::test]
async fn a_right_password_leads_back_to_the_app_with_a_session() {
    let stage = Stage::new().await;
    offer(&stage);
    let person = stage.native_user("grace", PASSWORD).await;
    let mut browser = stage.browser();
    let back = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(303);
    assert_eq!(query_of(back.location(), "state").as_deref(), Some("st"));
    let code = query_of(back.location(), "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    let id = claims(tokens.id.as_deref().unwrap());
    assert_eq!(id["sub"], person.sub);
    assert_eq!(id["amr"], json!(["pwd"]));
    assert_eq!(id["auth_time"], json!(stage.broker.clock.now().0));
    assert_eq!(id["nonce"], "no");
    assert_eq!(claims(&tokens.access)["version"], 2);
    stage.userinfo(&tokens.access).await.expect(200);
    stage.refresh(&tokens.refresh.unwrap()).await.expect(200);

    let silent = browser.open(&stage.authorize(&[("prompt", "none")])).await;
    assert!(query_of(silent.location(), "code").is_some(), "{silent:?}");
    stage.clock.advance(120);
    let old = browser
        .open(&stage.authorize(&[("prompt", "none"), ("max_age", "60")]))
        .await;
    assert_eq!(
        query_of(old.location(), "error").as_deref(),
        Some("login_required")
    );
    let again = browser.visit(&stage.authorize(&[("prompt", "login")])).await;
    Form::to(&again.expect(200).body, FORM);

    let trace = stage.traces().into_iter().next().unwrap();
    assert_eq!(
        (trace.outcome, trace.cause.as_str()),
        (Outcome::SignedIn, "signed_in")
    );
    assert_eq!(trace.user_sub, Some(person.sub));
    assert_eq!(trace.provider_id, None);
    assert!(!format!("{trace:?}").contains(PASSWORD));
}

#[actix_web::test]
async fn a_session_ends_with_the_sign_out_and_with_the_client_s_list() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    let mut browser = stage.browser();
    enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(303);
    let silent = stage.authorize(&[("prompt", "none")]);
    stage.change_web_client(|settings| settings.providers.retain(|name| name != "COGNITO"));
    let unlisted = browser.open(&silent).await;
    assert_eq!(
        query_of(unlisted.location(), "error").as_deref(),
        Some("login_required")
    );
    offer(&stage);
    let kept = browser.open(&silent).await;
    assert!(query_of(kept.location(), "code").is_some(), "{kept:?}");
    let out = format!("/logout?client_id={WEB_CLIENT}&logout_uri=http%3A%2F%2F127.0.0.1%3A8090");
    browser.open(&out).await;
    let gone = browser.open(&silent).await;
    assert_eq!(
        query_of(gone.location(), "error").as_deref(),
        Some("login_required")
    );
}

#[actix_web::test]
async fn an_unknown_name_and_a_wrong_password_look_the_same() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    let mut pages = Vec::new();
    for (name, password) in [("grace", "Wrong-Horse-1"), ("nobody", PASSWORD)] {
        let mut browser = stage.browser();
        let page = enter(&mut browser, &stage.authorize(&[]), name, password)
            .await
            .expect(422);
        assert!(
            page.shows("The username or the password is not right."),
            "{page:?}"
        );
        assert!(!page.body.contains(password), "the password is never shown again");
        let form = Form::to(&page.body, FORM);
        assert!(form.fields.contains(&("username".into(), name.into())));
        let csrf = form
            .fields
            .iter()
            .find(|(name, _)| name == "csrf")
            .unwrap()
            .1
            .clone();
        pages.push(page.body.replace(name, "NAME").replace(&csrf, "CSRF"));
    }
    assert_eq!(pages[0], pages[1]);
    let causes: Vec<String> = stage.traces().into_iter().map(|trace| trace.cause).collect();
    assert_eq!(causes, ["password_wrong", "password_wrong"]);
}

#[actix_web::test]
async fn too_many_wrong_passwords_are_not_looked_at() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    for _ in 0..6 {
        let mut browser = stage.browser();
        enter(&mut browser, &stage.authorize(&[]), "grace", "Wrong-Horse-1")
            .await
            .expect(422);
    }
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(429);
    assert!(page.shows("wrong too often"), "{page:?}");
    assert_eq!(page.header("retry-after"), Some("1"));
    stage.clock.advance(1);
    enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD)
        .await
        .expect(303);
}

#[actix_web::test]
async fn a_form_from_elsewhere_is_not_taken() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    let mut theirs = stage.browser();
    let page = theirs.visit(&stage.authorize(&[])).await.expect(200);
    let form = Form::to(&page.body, FORM);
    let fill = [("username", "grace"), ("password", PASSWORD)];
    let mut other = stage.browser();
    let refused = other.submit(&form, &fill).await.expect(422);
    assert!(refused.shows("open for too long"), "{refused:?}");
    assert_eq!(other.cookie("__Host-session"), None);
    let mut stale = form.clone();
    stale.fields.retain(|(name, _)| name != "csrf");
    theirs.submit(&stale, &fill).await.expect(422);
    // The page that refuses holds a form that is good.
    let again = Form::to(&refused.body, FORM);
    other.submit(&again, &fill).await.expect(303);
}

#[actix_web::test]
async fn a_client_that_does_not_list_cognito_takes_no_password() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    let mut browser = stage.browser();
    let page = browser.visit(&stage.authorize(&[])).await.expect(200);
    let form = Form::to(&page.body, FORM);
    stage.change_web_client(|settings| settings.providers.retain(|name| name != "COGNITO"));
    let fill = [("username", "grace"), ("password", PASSWORD)];
    let refused = browser.submit(&form, &fill).await;
    assert_eq!(browser.cookie("__Host-session"), None);
    assert!(refused.shows("Login option is not available"), "{refused:?}");
}

#[actix_web::test]
async fn who_may_not_come_in_is_told_why_and_the_trace_says_it() {
    let stage = Stage::new().await;
    offer(&stage);
    let person = stage.native_user("grace", PASSWORD).await;
    let now = stage.broker.clock.now();
    stage.act(|conn| user::set_enabled(conn, &person.sub, false, now).unwrap());
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    assert!(page.shows("user_disabled"), "{page:?}");
    assert_eq!(stage.trace(&page.trace_code().unwrap()).cause, "user_disabled");
    stage.act(|conn| {
        user::set_enabled(conn, &person.sub, true, now).unwrap();
        user::set_status(conn, &person.sub, user::Status::ResetRequired, now).unwrap();
    });
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    assert!(page.shows("password_reset_required"), "{page:?}");
    assert_eq!(browser.cookie("__Host-session"), None);
}
