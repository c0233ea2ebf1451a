//! The authorization request: its parameters, their defaults and limits, and where it leads (RFC 6749 §4.1, OIDC Core
//! §3.1.2, Cognito's authorize endpoint). What spoils it is in `authorize_refusals`.

use forebay::demo::{API, SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::Flow;
use forebay::rules::authorize::{LONGEST_NONCE, LONGEST_STATE};
use serde_json::json;

use super::authorize_refusals::told;
use crate::support::{Stage, Tokens, VERIFIER, claims, location_param};

#[actix_web::test]
async fn m007_m008_empty_parameters_count_as_absent_and_unknown_ones_are_ignored() {
    let stage = Stage::new().await;
    let mut browser = stage.signed_in("ada@acme.test").await;
    let url = format!(
        "{}&prompt=&max_age=&request=&response_mode=&resource=&login_hint=&utm_source=x&display=page&ui_locales=de",
        stage.authorize(&[("state", "")])
    );
    let answer = browser.open(&url).await.expect(302);
    assert!(location_param(&answer, "code").is_some(), "{answer:?}");
    assert_eq!(
        location_param(&answer, "state"),
        None,
        "an empty state was not sent"
    );
    let answer = browser
        .open(&format!(
            "{}&response_type=",
            stage.authorize(&[("response_type", "")])
        ))
        .await;
    told(&stage, &answer, "invalid_request", "an empty response_type");
}

#[actix_web::test]
async fn m009_post_is_the_same_request_and_comes_again_as_get_with_the_cookies() {
    let stage = Stage::new().await;
    let url = stage.authorize(&[("state", "a b&c=ü")]);
    let query = url.split_once('?').unwrap().1;
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for path in ["/oauth2/authorize", "/login"] {
        let mut browser = stage.browser();
        let bounced = browser.request("POST", path, &pairs).await.expect(303);
        assert_eq!(bounced.location(), format!("{path}?{query}"));
        assert_eq!(bounced.all("set-cookie"), Vec::<&str>::new());
        let back = browser
            .sign_in("ada@acme.test", bounced.location())
            .await
            .expect(302);
        assert_eq!(location_param(&back, "state").as_deref(), Some("a b&c=ü"));
        assert!(location_param(&back, "code").is_some());

        let page = stage.get(&format!("{path}?client_id=%ff")).await;
        page.is_page(400, "request_malformed");
        let json = actix_web::test::TestRequest::post()
            .uri(path)
            .set_json(json!({ "client_id": WEB_CLIENT }));
        stage.send(json).await.is_page(400, "request_malformed");
        let huge = vec![("client_id".to_owned(), "x".repeat(9_000))];
        let answer = browser.request("POST", path, &huge).await;
        assert_eq!((answer.status, answer.header("location")), (414, None));
    }
}

#[actix_web::test]
async fn m011_no_scope_means_all_of_the_clients() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[("scope", "")]).await;
    assert_eq!(claims(&tokens.access)["scope"], "openid email phone profile");
    let tokens = stage
        .tokens_for("ada@acme.test", &[("scope", "openid offline_access openid")])
        .await;
    assert_eq!(claims(&tokens.access)["scope"], "openid");
}

#[actix_web::test]
async fn m012_without_openid_there_is_no_id_token() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.scopes.push(format!("{API}/read")));
    let tokens = stage
        .tokens_for("ada@acme.test", &[("scope", "demo-api/read")])
        .await;
    assert_eq!(tokens.id, None);
    assert_eq!(claims(&tokens.access)["scope"], "demo-api/read");
    stage.change_web_client(|settings| settings.flows.push(Flow::Implicit));
    let mut browser = stage.signed_in("ada@acme.test").await;
    let fields = [("scope", "demo-api/read"), ("response_type", "token")];
    let answer = browser.open(&stage.authorize(&fields)).await.expect(302);
    assert!(location_param(&answer, "access_token").is_some(), "{answer:?}");
    assert_eq!(location_param(&answer, "id_token"), None);
}

#[actix_web::test]
async fn m013_m031_state_and_nonce_come_back_whole_up_to_the_limit_and_never_cut() {
    let stage = Stage::new().await;
    let state = format!("{}ü/+ %&=#\"<>\\", "s".repeat(LONGEST_STATE - 13));
    assert_eq!(state.len(), LONGEST_STATE);
    let nonce = "n".repeat(LONGEST_NONCE);
    let mut browser = stage.browser();
    let url = stage.authorize(&[("state", &state), ("nonce", &nonce)]);
    let back = browser.sign_in("ada@acme.test", &url).await.expect(302);
    assert_eq!(location_param(&back, "state"), Some(state.clone()));
    let code = location_param(&back, "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(claims(tokens.id.as_deref().unwrap())["nonce"], nonce);

    let error = browser
        .open(&stage.authorize(&[("state", &state), ("scope", "nonsense")]))
        .await;
    told(&stage, &error, "invalid_scope", "a long state");
    assert_eq!(location_param(&error, "state"), Some(state.clone()));

    let answer = browser
        .open(&stage.authorize(&[("state", &format!("{state}x"))]))
        .await;
    told(&stage, &answer, "invalid_request", "too long a state");
    assert_eq!(location_param(&answer, "state"), None, "rather none than another");
}

#[actix_web::test]
async fn m015_m016_pkce_is_for_public_clients_and_for_those_whose_record_says_so() {
    let stage = Stage::new().await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let spa = [
        without[0],
        without[1],
        ("client_id", SPA_CLIENT),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
    ];
    let answer = stage.get(&stage.authorize(&spa)).await.expect(302);
    assert_eq!(
        location_param(&answer, "error").as_deref(),
        Some("invalid_request")
    );

    let code = stage.code_for("ada@acme.test", &without).await;
    stage.exchange(&code, &[("code_verifier", "")]).await.expect(200);
    stage.change_web_client(|settings| settings.require_pkce = true);
    let answer = stage.get(&stage.authorize(&without)).await;
    told(&stage, &answer, "invalid_request", "the record says so");
    stage.code_for("ada@acme.test", &[]).await;
}

#[actix_web::test]
async fn m032_a_code_lives_five_minutes() {
    let stage = Stage::new().await;
    for (age, status) in [(299, 200), (301, 400)] {
        let code = stage.code_for("ada@acme.test", &[]).await;
        stage.clock.advance(age);
        let answer = stage.exchange(&code, &[]).await.expect(status);
        if status == 400 {
            assert_eq!(answer.error(), "invalid_grant");
        }
    }
}

#[actix_web::test]
async fn m033_a_code_is_good_for_its_client_its_redirect_uri_and_its_verifier_only() {
    let stage = Stage::new().await;
    let other_verifier = VERIFIER.replace("0123", "3210");
    for change in [
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
        ("redirect_uri", ""),
        ("code_verifier", other_verifier.as_str()),
        ("code_verifier", ""),
    ] {
        let code = stage.code_for("ada@acme.test", &[]).await;
        let answer = stage.exchange(&code, &[change]).await.expect(400);
        assert!(
            ["invalid_grant", "invalid_request"].contains(&answer.error().as_str()),
            "{change:?}: {answer:?}"
        );
        assert_eq!(answer.json()["access_token"], json!(null), "{change:?}");
    }
    let code = stage.code_for("ada@acme.test", &[]).await;
    let other_client = [("client_id", SPA_CLIENT)];
    let answer = stage.exchange(&code, &other_client).await.expect(400);
    assert_eq!(answer.error(), "invalid_grant");
    // The nonce, user and scope are the code's.
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(claims(tokens.id.as_deref().unwrap())["nonce"], "no");
}

#[actix_web::test]
async fn the_way_in_is_the_login_page_or_straight_to_the_named_organisation() {
    let stage = Stage::new().await;
    let url = stage.authorize(&[]);
    let query = url.split_once('?').unwrap().1;
    let answer = stage.get(&url).await.expect(302);
    assert_eq!(
        answer.location(),
        format!("/login?{query}"),
        "the very same request"
    );
    assert_eq!(
        answer.all("set-cookie"),
        Vec::<&str>::new(),
        "nothing is remembered yet"
    );

    for (name, value) in [
        ("identity_provider", "acme-okta"),
        ("idp_identifier", "acme.test"),
        ("idp_identifier", "ACME.TEST"),
        ("login_hint", "someone@acme.test"),
    ] {
        let answer = stage.get(&stage.authorize(&[(name, value)])).await.expect(302);
        let authorize = format!("{}/oauth2/v1/authorize?", stage.acme.issuer());
        assert!(
            answer.location().starts_with(&authorize),
            "{name}={value}: {answer:?}"
        );
        assert!(answer.header("set-cookie").unwrap().starts_with("__Host-login-"));
    }
    // COGNITO, which Amplify sends by default, stands for any.
    let url = stage.authorize(&[("identity_provider", "COGNITO")]);
    assert!(
        stage
            .get(&url)
            .await
            .expect(302)
            .location()
            .starts_with("/login?")
    );
}
