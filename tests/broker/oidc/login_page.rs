//! The login page: what is on it, what it does without JavaScript, where its buttons and its email field lead.

use forebay::demo::SPA_CLIENT;
use forebay::model::provider;

use crate::support::{Answer, Form, Stage, links, location_param, query_of, unescape};

fn login_url(stage: &Stage, changes: &[(&str, &str)]) -> String {
    stage.authorize(changes).replace("/oauth2/authorize", "/login")
}

/// The links of the page's buttons.
fn buttons(page: &Answer) -> Vec<String> {
    links(&page.body)
        .into_iter()
        .filter(|href| href.contains("identity_provider="))
        .collect()
}

fn providers(page: &Answer) -> Vec<String> {
    buttons(page)
        .iter()
        .map(|href| query_of(href, "identity_provider").unwrap())
        .collect()
}

#[actix_web::test]
async fn it_has_one_button_for_each_allowed_connection_under_its_label() {
    let stage = Stage::new().await;
    let page = stage.get(&login_url(&stage, &[])).await.expect(200);
    assert_eq!(providers(&page), ["acme-okta", "globex-okta"]);
    assert_eq!(page.body.matches("Okta SSO").count(), 2);
    assert!(
        page.shows("acme-okta") && page.shows("globex-okta"),
        "two of one label are told apart"
    );
    assert!(
        page.shows("Sample web app") && page.shows("Forebay demo"),
        "{page:?}"
    );

    stage.change_provider("acme-okta", |provider| {
        provider.settings.label = "Acme <staff> & \"co\"".into()
    });
    stage.change_provider("globex-okta", |provider| provider.enabled = false);
    let page = stage.get(&login_url(&stage, &[])).await.expect(200);
    assert_eq!(providers(&page), ["acme-okta"]);
    assert!(
        page.shows("Acme <staff> & \"co\"") && !page.body.contains("<staff>"),
        "{page:?}"
    );

    stage.change_web_client(|settings| settings.providers.clear());
    let page = stage.get(&login_url(&stage, &[])).await.expect(200);
    assert_eq!(
        (buttons(&page).len(), Form::of(&page.body).is_none()),
        (0, true),
        "{page:?}"
    );
}

#[actix_web::test]
async fn the_email_field_is_there_only_when_a_connection_is_reached_by_domain() {
    let stage = Stage::new().await;
    let set = |identifiers: &[&str]| {
        let identifiers: Vec<String> = identifiers.iter().map(|name| (*name).to_owned()).collect();
        stage.act(|conn| {
            for (id, identifiers) in [("acme-okta", &identifiers[..]), ("globex-okta", &[])] {
                let row = provider::find(conn, id).unwrap().unwrap();
                provider::set_identifiers(conn, &row, identifiers)
                    .unwrap()
                    .unwrap();
            }
        });
    };
    set(&["acme.test"]);
    let page = stage.get(&login_url(&stage, &[])).await.expect(200);
    let form = Form::of(&page.body).expect("an email form");
    assert_eq!((form.method.as_str(), form.action.as_str()), ("get", "/login"));
    assert!(
        page.body
            .contains("<label class=\"label label-customizable\" for=\"email\">"),
        "{page:?}"
    );
    assert!(page.body.contains("autocomplete=\"username\""));
    for identifiers in [&["acme"][..], &[]] {
        set(identifiers);
        let page = stage.get(&login_url(&stage, &[])).await.expect(200);
        assert!(Form::of(&page.body).is_none(), "{identifiers:?}: {page:?}");
        assert_eq!(buttons(&page).len(), 2);
    }
}

#[actix_web::test]
async fn m021_m022_the_page_has_nothing_inline_nothing_foreign_and_cannot_be_framed() {
    let stage = Stage::new().await;
    let page = stage.get(&login_url(&stage, &[])).await.expect(200);
    let body = page.body.to_ascii_lowercase();
    for forbidden in [
        "<style",
        " style=",
        "javascript:",
        " onclick",
        " onload",
        " onerror",
        "<iframe",
        "http://",
        "https://",
    ] {
        // The app's own address stands only inside links back to us and hidden fields, escaped or encoded.
        let found = body
            .match_indices(forbidden)
            .any(|(at, _)| !body[..at].ends_with("value=\""));
        assert!(!found, "{forbidden}: {body}");
    }
    assert!(!body.contains("<script"), "it works without JavaScript");
    let policy = page.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("access-control-allow-origin"), None);
    for asset in body.split("href=\"/assets/").skip(1) {
        let name = asset.split('"').next().unwrap();
        stage.get(&format!("/assets/{name}")).await.expect(200);
    }
}

#[actix_web::test]
async fn the_forms_may_end_where_the_app_lives() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings
            .redirect_uris
            .extend(["com.example.app:/cb".into(), "http://[::1]:1/cb".into()]);
    });
    for (uri, source) in [
        ("com.example.app:/cb", " com.example.app:;"),
        ("http://[::1]:1/cb", " http:;"),
    ] {
        let page = stage
            .get(&login_url(&stage, &[("redirect_uri", uri)]))
            .await
            .expect(200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains(source), "{policy}");
    }
}

#[actix_web::test]
async fn a_button_and_a_typed_address_lead_to_the_app_without_javascript() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let page = browser
        .visit(&stage.authorize(&[("state", "a+b c&d")]))
        .await
        .expect(200);
    assert_eq!(browser.url.path(), "/login");
    let form = Form::of(&page.body).unwrap();
    let at_okta = browser
        .submit(&form, &[("email", " Ada@ACME.test ")])
        .await
        .expect(200);
    assert!(
        browser.url.as_str().starts_with(&stage.acme.issuer()),
        "{}",
        browser.url
    );
    assert_eq!(
        query_of(browser.url.as_str(), "login_hint").as_deref(),
        Some("Ada@acme.test")
    );
    let back = browser.enter(&at_okta, "ada@acme.test").await.expect(302);
    assert!(location_param(&back, "code").is_some(), "{back:?}");
    assert_eq!(location_param(&back, "state").as_deref(), Some("a+b c&d"));

    let mut browser = stage.browser();
    let page = browser.visit(&login_url(&stage, &[])).await.expect(200);
    browser.visit(&buttons(&page)[1]).await.expect(200);
    assert!(
        browser.url.as_str().starts_with(&stage.globex.issuer()),
        "{}",
        browser.url
    );
}

#[actix_web::test]
async fn an_address_that_leads_nowhere_is_explained_at_the_field() {
    let stage = Stage::new().await;
    for (typed, says) in [
        ("ada@nowhere.test", "We found no sign-in for this address."),
        ("ada@sub.acme.test", "We found no sign-in for this address."),
        ("ada", "Enter your whole work address"),
        ("ada@acme.test@evil.test", "Enter your whole work address"),
        ("ada@acme.test, x@globex.test", "Enter your whole work address"),
        (
            "\"><svg onload=alert(1)>@acme.test",
            "Enter your whole work address",
        ),
        ("ada＠acme.test", "Enter your whole work address"),
    ] {
        let page = stage
            .get(&login_url(&stage, &[("email", typed)]))
            .await
            .expect(200);
        assert!(page.shows(says), "{typed}: {page:?}");
        assert!(page.body.contains("aria-invalid=\"true\""), "{typed}");
        assert!(page.body.contains("role=\"alert\""), "{typed}");
        assert!(
            page.shows(&format!("value=\"{typed}\"")),
            "what was typed is still there: {page:?}"
        );
        assert!(!page.body.contains("<svg onload"), "{page:?}");
        assert_eq!(providers(&page).len(), 2, "the other ways in remain");
        assert!(
            !buttons(&page).iter().any(|href| href.contains("email=")),
            "{page:?}"
        );
    }
    let repeated = stage
        .get(&format!("{}&email=a%40b.c", login_url(&stage, &[("email", "x")])))
        .await;
    assert_eq!(
        location_param(&repeated, "error").as_deref(),
        Some("invalid_request")
    );
}

#[actix_web::test]
async fn an_apps_login_hint_is_filled_in_and_not_found_fault_with() {
    let stage = Stage::new().await;
    for hint in ["ada", "someone@nowhere.test"] {
        let mut browser = stage.browser();
        let page = browser
            .visit(&stage.authorize(&[("login_hint", hint)]))
            .await
            .expect(200);
        assert!(page.shows(&format!("value=\"{hint}\"")), "{page:?}");
        assert!(!page.body.contains("aria-invalid"), "{page:?}");
    }
}

#[actix_web::test]
async fn what_the_app_asked_for_goes_on_with_every_way_in() {
    let stage = Stage::new().await;
    for (asked, sent) in [
        ("login", Some("login")),
        ("select_account", Some("login")),
        ("consent", Some("consent")),
        ("login consent", Some("login consent")),
        ("", None),
    ] {
        let page = stage
            .get(&login_url(
                &stage,
                &[("prompt", asked), ("max_age", "60"), ("lang", "de")],
            ))
            .await
            .expect(200);
        for href in buttons(&page) {
            assert_eq!(query_of(&href, "prompt").as_deref(), sent, "{asked}: {href}");
            for (name, value) in [
                ("state", "st"),
                ("nonce", "no"),
                ("max_age", "60"),
                ("response_type", "code"),
            ] {
                assert_eq!(query_of(&href, name).as_deref(), Some(value), "{href}");
            }
        }
        // The email form is no dead end either: choosing an account ends at the organisation.
        let mut browser = stage.browser();
        browser.open(&login_url(&stage, &[("prompt", asked)])).await;
        let form = Form::of(&page.body).unwrap();
        browser
            .submit(&form, &[("email", "ada@acme.test")])
            .await
            .expect(200);
        assert!(browser.at_organisation(), "{asked}: {}", browser.url);
        assert_eq!(
            query_of(browser.url.as_str(), "prompt").as_deref(),
            sent,
            "{asked}"
        );
    }
}

#[actix_web::test]
async fn a_message_from_the_link_is_never_shown() {
    let stage = Stage::new().await;
    let page = stage
        .get(&login_url(
            &stage,
            &[("errorMessage", "Call 555-0100 <b>now</b>")],
        ))
        .await;
    page.is_page(401, "Login option is not available. Please try another one");
    assert!(!page.shows("555-0100"), "{page:?}");
    assert!(page.body.contains("role=\"alert\""));
    assert_eq!(providers(&page).len(), 2);
}

#[actix_web::test]
async fn the_page_speaks_the_users_language() {
    let stage = Stage::new().await;
    for lang in [
        "de", "en", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW",
    ] {
        let page = stage.get(&login_url(&stage, &[("lang", lang)])).await.expect(200);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")), "{lang}");
        assert!(
            buttons(&page)[0].contains(&format!("lang={lang}")),
            "it is kept on the way"
        );
    }
    let page = stage
        .get(&login_url(&stage, &[("lang", "xx\"><script>")]))
        .await
        .expect(200);
    assert!(page.body.contains("<html lang=\"en\">"));
    let request = actix_web::test::TestRequest::get()
        .uri(&login_url(&stage, &[]))
        .insert_header(("accept-language", "xx, fr-CH;q=0.9, en;q=0.5"));
    assert!(stage.send(request).await.body.contains("<html lang=\"fr\">"));
}

#[actix_web::test]
async fn a_language_asked_for_is_kept_for_what_comes_after() {
    let stage = Stage::new().await;
    let after = "/oauth2/idpresponse/acme-okta?state=x";
    let straight = stage.authorize(&[("lang", "fr"), ("identity_provider", "acme-okta")]);
    for (first, lang) in [(login_url(&stage, &[("lang", "de")]), "de"), (straight, "fr")] {
        let mut browser = stage.browser();
        assert!(browser.open(after).await.body.contains("<html lang=\"en\">"));
        browser.open(&first).await;
        let page = browser.open(after).await;
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")), "{page:?}");
    }
}

#[actix_web::test]
async fn a_deep_link_to_the_page_is_a_request_like_any_other() {
    let stage = Stage::new().await;
    let bad = stage
        .get(&login_url(&stage, &[("scope", "nonsense")]))
        .await
        .expect(302);
    assert_eq!(location_param(&bad, "error").as_deref(), Some("invalid_scope"));
    stage
        .get(&login_url(&stage, &[("redirect_uri", "https://evil.example")]))
        .await
        .is_page(400, "redirect_mismatch");
    let mut ada = stage.signed_in("ada@acme.test").await;
    let answer = ada.open(&login_url(&stage, &[])).await.expect(302);
    assert!(
        location_param(&answer, "code").is_some(),
        "the session answers here, too"
    );
    let minimal = format!("/login?client_id={SPA_CLIENT}&response_type=code");
    let answer = stage.get(&minimal).await.expect(302);
    assert_eq!(
        location_param(&answer, "error").as_deref(),
        Some("invalid_request"),
        "no PKCE: {answer:?}"
    );
}

#[actix_web::test]
async fn a078_markers_in_every_parameter_stay_text() {
    let stage = Stage::new().await;
    let marker = "\"><svg onload=alert(1)>'{{7*7}}";
    for name in [
        "state",
        "nonce",
        "login_hint",
        "lang",
        "ui_locales",
        "unknown",
        "errorMessage",
        "email",
    ] {
        let page = stage.get(&login_url(&stage, &[(name, marker)])).await;
        assert!([200, 401].contains(&page.status), "{name}: {page:?}");
        assert!(!page.body.contains("<svg onload"), "{name}: {page:?}");
        assert!(!page.shows("'49"), "{name}");
    }
    let page = stage.get(&login_url(&stage, &[("state", marker)])).await;
    let form = Form::of(&page.body).unwrap();
    let kept = form.fields.iter().find(|(name, _)| name == "state").unwrap();
    assert_eq!(unescape(&kept.1), marker, "and is not changed on the way");
}
