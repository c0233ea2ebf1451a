//! `/logout` in both dialects: Cognito's, which asks nothing, and RP-Initiated Logout 1.0, which asks unless a trusted
//! hint says who wants it. Where a browser may be sent afterwards is also in `redirect_targets`.

use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::rules::params::encode;

use crate::support::{APP, Answer, Browser, Form, Stage, location_param};

fn logout(fields: &[(&str, &str)]) -> String {
    format!("/logout?{}", encode(fields.iter().copied()))
}

/// Whether the browser still has a session that answers.
async fn is_signed_in(stage: &Stage, browser: &mut Browser<'_>) -> bool {
    let answer = browser
        .open(&stage.authorize(&[("prompt", "none")]))
        .await
        .expect(302);
    location_param(&answer, "code").is_some()
}

#[track_caller]
fn is_question(answer: &Answer) {
    answer.is_page(200, "Sign out");
    let form = Form::of(&answer.body).expect("a question");
    assert_eq!((form.method.as_str(), form.action.as_str()), ("post", "/logout"));
    assert_eq!(
        answer.all("set-cookie"),
        Vec::<&str>::new(),
        "nothing has happened yet"
    );
}

#[actix_web::test]
async fn a064_cognitos_form_signs_out_ends_the_cookie_and_goes_to_the_logout_uri() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let (name, token) = ada.cookie("__Host-session-").unwrap();
    // Other parameters are ignored, the other form among them.
    let url = logout(&[
        ("client_id", WEB_CLIENT),
        ("logout_uri", APP),
        ("redirect_uri", "https://evil.example"),
        ("response_type", "code"),
        ("state", "st"),
    ]);
    let answer = ada.open(&url).await.expect(302);
    assert_eq!(answer.location(), APP);
    assert_eq!(
        answer.all("set-cookie"),
        [format!(
            "{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
        )]
    );
    assert_eq!(ada.cookie("__Host-session-"), None);
    ada.set_cookie(&name, &token);
    assert!(
        !is_signed_in(&stage, &mut ada).await,
        "the session is over, not only its cookie"
    );
    // Twice is no error.
    assert_eq!(ada.open(&url).await.expect(302).location(), APP);
    let events = stage.act(|conn| forebay::model::audit::recent(conn, None, 100).unwrap());
    assert_eq!(
        events
            .iter()
            .filter(|event| event.action == "session.end")
            .count(),
        1
    );
}

#[actix_web::test]
async fn cognitos_other_form_signs_out_and_leads_to_the_login_page() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let request = stage.authorize(&[]);
    let query = request.split_once('?').unwrap().1;
    let answer = ada.open(&format!("/logout?{query}")).await.expect(302);
    assert_eq!(answer.location(), format!("/login?{query}"));
    ada.visit(answer.location()).await.is_page(200, "Okta SSO");
    assert!(!is_signed_in(&stage, &mut ada).await);
}

#[actix_web::test]
async fn m133_a_trusted_hint_signs_out_unasked_by_get_and_by_post() {
    let stage = Stage::new().await;
    for post in [false, true] {
        let tokens = stage.tokens_for("ada@acme.test", &[]).await;
        let hint = tokens.id.unwrap();
        let mut ada = stage.signed_in("ada@acme.test").await;
        stage.clock.advance(3_590);
        let fields = [
            ("id_token_hint", hint.as_str()),
            ("post_logout_redirect_uri", APP),
            ("state", "a b&c"),
        ];
        let answer = if post {
            let fields: Vec<_> = fields
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            let bounced = ada.request("POST", "/logout", &fields).await.expect(303);
            ada.open(bounced.location()).await
        } else {
            ada.open(&logout(&fields)).await
        };
        assert_eq!(answer.expect(302).location(), format!("{APP}?state=a+b%26c"));
        assert!(!is_signed_in(&stage, &mut ada).await, "post: {post}");
        let answer = ada.open(&logout(&fields[..2])).await.expect(302);
        assert_eq!(answer.location(), APP, "state only when sent");
    }
}

#[actix_web::test]
async fn a066_nobody_trusted_having_asked_the_person_is_asked() {
    let stage = Stage::new().await;
    let grace = stage.tokens_for("grace@acme.test", &[]).await.id.unwrap();
    let mut ada = stage.signed_in("ada@acme.test").await;
    let forged = format!("{grace}x");
    for fields in [
        vec![],
        vec![("client_id", WEB_CLIENT)],
        vec![("client_id", WEB_CLIENT), ("post_logout_redirect_uri", APP)],
        // Somebody else's hint does not speak for her, a forged one for nobody.
        vec![("id_token_hint", grace.as_str())],
        vec![("id_token_hint", forged.as_str())],
        vec![("id_token_hint", "nonsense"), ("client_id", WEB_CLIENT)],
    ] {
        is_question(&ada.open(&logout(&fields)).await);
        assert!(is_signed_in(&stage, &mut ada).await, "{fields:?}");
    }
    let url = logout(&[
        ("client_id", WEB_CLIENT),
        ("post_logout_redirect_uri", APP),
        ("state", "s"),
    ]);
    let form = Form::of(&ada.open(&url).await.body).unwrap();
    let stays = ada.submit(&form, &[("confirm", "no")]).await;
    stays.is_page(200, "You are still signed in");
    assert!(is_signed_in(&stage, &mut ada).await);
    let answer = ada.submit(&form, &[("confirm", "yes")]).await.expect(302);
    assert_eq!(answer.location(), format!("{APP}?state=s"));
    assert!(!is_signed_in(&stage, &mut ada).await);
    // With nobody signed in there is nothing to ask.
    assert_eq!(
        ada.open(&url).await.expect(302).location(),
        format!("{APP}?state=s")
    );
    ada.open("/logout").await.is_page(200, "You are signed out");
}

#[actix_web::test]
async fn a066_another_site_cannot_answer_the_question() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let session = ada.cookie("__Host-session-").unwrap();
    let fields = [
        ("client_id".to_owned(), WEB_CLIENT.to_owned()),
        ("confirm".to_owned(), "yes".to_owned()),
    ];
    for site in ["cross-site", "same-site", "none"] {
        ada.headers = vec![("sec-fetch-site", site.to_owned())];
        let answer = ada.request("POST", "/logout", &fields).await.expect(303);
        assert_eq!(
            answer.location(),
            format!("/logout?client_id={WEB_CLIENT}"),
            "{site}"
        );
        assert_eq!(answer.all("set-cookie"), Vec::<&str>::new(), "{site}");
    }
    ada.headers.clear();
    // Cross-site, an old browser leaves the cookie at home: then it must not be taken away either.
    ada.forget_cookies("__Host-session-");
    let answer = ada.request("POST", "/logout", &fields).await.expect(200);
    assert_eq!(answer.all("set-cookie"), Vec::<&str>::new(), "{answer:?}");
    ada.set_cookie(&session.0, &session.1);
    assert!(is_signed_in(&stage, &mut ada).await);

    ada.headers = vec![("sec-fetch-site", "same-origin".to_owned())];
    let answer = ada.request("POST", "/logout", &fields).await.expect(200);
    assert_eq!(answer.all("set-cookie").len(), 1);
    assert!(!is_signed_in(&stage, &mut ada).await);
}

#[actix_web::test]
async fn m134_hint_and_client_must_agree() {
    let stage = Stage::new().await;
    let hint = stage.tokens_for("ada@acme.test", &[]).await.id.unwrap();
    let mut ada = stage.signed_in("ada@acme.test").await;
    let fields = [("id_token_hint", hint.as_str()), ("client_id", SPA_CLIENT)];
    ada.open(&logout(&fields)).await.is_page(400, "client_unknown");
    assert!(is_signed_in(&stage, &mut ada).await);
    let fields = [("id_token_hint", hint.as_str()), ("client_id", WEB_CLIENT)];
    ada.open(&logout(&fields))
        .await
        .is_page(200, "You are signed out");
    assert!(!is_signed_in(&stage, &mut ada).await);
}

#[actix_web::test]
async fn what_cannot_be_trusted_gets_a_page_and_changes_nothing() {
    let stage = Stage::new().await;
    let access = stage.tokens_for("ada@acme.test", &[]).await.access;
    let mut ada = stage.signed_in("ada@acme.test").await;
    for (fields, name) in [
        (
            vec![("client_id", "nobody"), ("logout_uri", APP)],
            "client_unknown",
        ),
        (vec![("logout_uri", APP)], "client_id_missing"),
        (vec![("post_logout_redirect_uri", APP)], "client_id_missing"),
        (
            vec![
                ("id_token_hint", access.as_str()),
                ("post_logout_redirect_uri", APP),
            ],
            "client_id_missing",
        ),
        (
            vec![
                ("redirect_uri", "http://127.0.0.1:8090/callback"),
                ("response_type", "code"),
            ],
            "client_id_missing",
        ),
        (
            vec![("client_id", SPA_CLIENT), ("logout_uri", APP)],
            "logout_uri_mismatch",
        ),
        (
            vec![
                ("client_id", WEB_CLIENT),
                ("logout_uri", APP),
                ("logout_uri", APP),
            ],
            "parameter_repeated",
        ),
    ] {
        let page = ada.open(&logout(&fields)).await;
        page.is_page(400, name);
        let trace = stage.trace(&page.trace_code().unwrap());
        assert_eq!(
            (trace.cause.as_str(), trace.story.steps[0].name.as_str()),
            (name, "logout")
        );
    }
    ada.open("/logout?x=%ff").await.is_page(400, "request_malformed");
    assert!(is_signed_in(&stage, &mut ada).await);
}

#[actix_web::test]
async fn the_organisations_session_ends_too_where_the_connection_asks_for_it() {
    let stage = Stage::new().await;
    let url = logout(&[("client_id", WEB_CLIENT), ("logout_uri", APP)]);
    for (asks, again_asked) in [(false, false), (true, true)] {
        stage.change_provider("acme-okta", |provider| provider.settings.upstream_logout = asks);
        let mut ada = stage.signed_in("ada@acme.test").await;
        let answer = ada.visit(&url).await.expect(302);
        assert_eq!(answer.location(), APP, "asks: {asks}");
        assert_eq!(
            ada.cookie("__Host-"),
            None,
            "nothing of ours is left: {:?}",
            ada.cookies()
        );
        let page = ada.to_sign_in_page("ada@acme.test", &stage.authorize(&[])).await;
        assert_eq!(ada.at_organisation(), again_asked, "asks: {asks}: {page:?}");
    }
}

#[actix_web::test]
async fn the_way_back_from_the_organisation_is_sealed() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |provider| provider.settings.upstream_logout = true);
    let mut ada = stage.signed_in("ada@acme.test").await;
    let answer = ada
        .open(&logout(&[("client_id", WEB_CLIENT), ("logout_uri", APP)]))
        .await
        .expect(302);
    let at = answer.location().to_owned();
    assert!(
        at.starts_with(&format!("{}/oauth2/v1/logout?", stage.acme.issuer())),
        "{at}"
    );
    assert!(location_param(&answer, "id_token_hint").is_some());
    let state = location_param(&answer, "state").unwrap();
    let (name, sealed) = ada.cookie("__Host-logout-").unwrap();
    assert_eq!(name, format!("__Host-logout-{state}"));
    assert!(!sealed.contains("127.0.0.1"));
    for (query, cookie) in [
        ("", Some(sealed.as_str())),
        ("?state=other", Some(sealed.as_str())),
        (&format!("?state={state}"), None),
        (&format!("?state={state}"), Some("x")),
    ] {
        let mut browser = stage.browser();
        if let Some(value) = cookie {
            browser.set_cookie(&name, value);
        }
        let page = browser
            .open(&format!("/logout/idpresponse/acme-okta{query}"))
            .await;
        page.is_page(200, "You are signed out");
    }
    let back = ada
        .open(&format!("/logout/idpresponse/acme-okta?state={state}"))
        .await
        .expect(302);
    assert_eq!(back.location(), APP);
    assert_eq!(ada.cookie("__Host-logout-"), None);
}
