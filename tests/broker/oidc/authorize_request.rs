//! The authorization request: every parameter with its rule, limit and error, and the exact shape of the answers
//! (RFC 6749 §4.1, OIDC Core §3.1.2, Cognito's authorize endpoint).

use forebay::demo::{API, MACHINE_CLIENT, SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::Flow;
use forebay::rules::authorize::{LONGEST_NONCE, LONGEST_STATE};
use serde_json::json;

use crate::support::{APP, Answer, Stage, Tokens, VERIFIER, basic, claims, location_param};

/// Asserts that the app is told this error, with its state and our issuer, and gets nothing else.
#[track_caller]
fn told(stage: &Stage, answer: &Answer, error: &str, about: &str) {
    assert_eq!(answer.status, 302, "{about}: {answer:?}");
    let callback = format!("{APP}/callback?");
    assert!(answer.location().starts_with(&callback), "{about}: {answer:?}");
    let param = |name| location_param(answer, name);
    assert_eq!(param("error").as_deref(), Some(error), "{about}: {answer:?}");
    assert_eq!(param("iss"), Some(stage.issuer()), "{about}");
    assert!(
        param("error_description").is_some_and(|text| !text.is_empty()),
        "{about}"
    );
    assert_eq!((param("code"), param("id_token")), (None, None), "{about}");
    assert_eq!(answer.all("set-cookie"), Vec::<&str>::new(), "{about}");
}

/// Each of these values alone spoils the request, and the app is told so with its state.
async fn spoils(values: &[(&str, &str, &str)]) {
    let stage = Stage::new().await;
    for (name, value, error) in values {
        let about = format!("{name}={value}");
        let answer = stage.get(&stage.authorize(&[(name, value)])).await;
        told(&stage, &answer, error, &about);
        assert_eq!(location_param(&answer, "state").as_deref(), Some("st"), "{about}");
    }
    assert!(stage.acme.requests().is_empty(), "no organisation was bothered");
}

#[actix_web::test]
async fn m010_m034_response_type_and_mode_must_be_offered() {
    spoils(&[
        ("response_type", "", "invalid_request"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_type", "none", "unsupported_response_type"),
        ("response_type", "CODE", "unsupported_response_type"),
        ("response_mode", "web_message", "invalid_request"),
        ("response_mode", "query.jwt", "invalid_request"),
        ("response_mode", "form_post.jwt", "invalid_request"),
    ])
    .await;
}

#[actix_web::test]
async fn m011_a_scope_that_is_unknown_malformed_or_not_the_clients_is_invalid() {
    spoils(&[
        ("scope", "openid nonsense", "invalid_scope"),
        ("scope", "openid aws.cognito.signin.user.admin", "invalid_scope"),
        ("scope", "openid demo-api/read", "invalid_scope"),
        ("scope", "OPENID", "invalid_scope"),
        ("scope", "open\"id", "invalid_scope"),
        ("scope", "öpenid", "invalid_scope"),
        ("scope", "openid\temail", "invalid_scope"),
        // As Cognito: these say nothing without openid.
        ("scope", "email", "invalid_scope"),
        ("scope", "profile phone", "invalid_scope"),
    ])
    .await;
}

#[actix_web::test]
async fn m017_m018_the_challenge_is_well_formed_and_made_by_s256() {
    let long = |length: usize| "x".repeat(length);
    spoils(&[
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "s256", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", &long(42), "invalid_request"),
        ("code_challenge", &long(129), "invalid_request"),
        ("code_challenge", &format!("{}!", long(43)), "invalid_request"),
        ("code_challenge", &format!("{}=", long(43)), "invalid_request"),
    ])
    .await;
}

#[actix_web::test]
async fn m024_m029_what_is_not_supported_or_out_of_bounds_has_its_error() {
    let long = |length: usize| "x".repeat(length);
    spoils(&[
        ("request", "e30.e30.", "request_not_supported"),
        (
            "request_uri",
            "https://app.example/r",
            "request_uri_not_supported",
        ),
        ("registration", "{}", "registration_not_supported"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "none consent", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "1e3", "invalid_request"),
        ("max_age", "99999999999999999999", "invalid_request"),
        ("nonce", &long(LONGEST_NONCE + 1), "invalid_request"),
        ("login_hint", &long(257), "invalid_request"),
        ("acr_values", &long(257), "invalid_request"),
        ("resource", "https://unknown.example", "invalid_target"),
        ("id_token_hint", "e30.e30.e30", "invalid_request"),
    ])
    .await;
}

#[actix_web::test]
async fn m143_claims_that_two_readers_would_read_differently_are_refused() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    spoils(&[
        (
            "claims",
            r#"{"id_token":{"sub":{"value":"a"}},"id_token":{}}"#,
            "invalid_request",
        ),
        (
            "claims",
            r#"{"id_token":{"sub":{"value":"a","value":"b"}}}"#,
            "invalid_request",
        ),
        (
            "claims",
            r#"{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}"#,
            "invalid_request",
        ),
        ("claims", &deep, "invalid_request"),
        ("claims", r#"{"a":1e999}"#, "invalid_request"),
        ("claims", r#"{"a":"\ud800"}"#, "invalid_request"),
        ("claims", "[]", "invalid_request"),
        ("claims", "{", "invalid_request"),
    ])
    .await;
}

#[actix_web::test]
async fn m014_an_error_has_cognitos_order_and_our_issuer() {
    let stage = Stage::new().await;
    let answer = stage.get(&stage.authorize(&[("scope", "nonsense")])).await;
    let issuer = "http%3A%2F%2Flocalhost%3A8080%2Fus-local-1_Forebay01";
    assert_eq!(
        answer.location(),
        format!(
            "{APP}/callback?error_description=a+scope+is+unknown+or+not+allowed+for+this+client&state=st\
             &error=invalid_scope&iss={issuer}"
        )
    );
}

#[actix_web::test]
async fn m006_a_repeated_parameter_is_an_invalid_request() {
    let stage = Stage::new().await;
    for repeated in [
        "state=st",
        "scope=openid",
        "nonce=other",
        "unknown=1&unknown=2",
        "nonce=",
    ] {
        let url = format!("{}&{repeated}", stage.authorize(&[]));
        told(&stage, &stage.get(&url).await, "invalid_request", repeated);
    }
    let two = format!("{}&resource=demo-api&resource=demo-api", stage.authorize(&[]));
    told(&stage, &stage.get(&two).await, "invalid_target", "two resources");
}

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
async fn a_client_without_the_flow_is_not_authorized() {
    let stage = Stage::new().await;
    stage.change_machine_client(|settings| settings.redirect_uris = vec![format!("{APP}/callback")]);
    for response_type in ["code", "token"] {
        let fields = [
            ("client_id", MACHINE_CLIENT),
            ("response_type", response_type),
            ("scope", ""),
        ];
        let answer = stage.get(&stage.authorize(&fields)).await.expect(302);
        assert_eq!(
            location_param(&answer, "error").as_deref(),
            Some("unauthorized_client")
        );
        let joint = if response_type == "token" { '#' } else { '?' };
        assert!(
            answer.location().starts_with(&format!("{APP}/callback{joint}")),
            "{answer:?}"
        );
    }
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

#[actix_web::test]
async fn an_unknown_provider_leads_to_the_login_page_which_says_so() {
    let stage = Stage::new().await;
    for (name, value) in [("identity_provider", "nobody"), ("idp_identifier", "nobody.test")] {
        let url = stage.authorize(&[(name, value)]);
        let query = url.split_once('?').unwrap().1;
        let answer = stage.get(&url).await.expect(302);
        let message = "Login+option+is+not+available.+Please+try+another+one";
        assert_eq!(
            answer.location(),
            format!("/login?{query}&errorMessage={message}")
        );
        let page = stage.get(answer.location()).await;
        page.is_page(401, "Login option is not available. Please try another one");
        let silent = stage
            .get(&stage.authorize(&[(name, value), ("prompt", "none")]))
            .await;
        told(&stage, &silent, "invalid_request", name);
    }
}

#[actix_web::test]
async fn a129_floods_of_parameters_and_long_values_are_refused() {
    let stage = Stage::new().await;
    let url = stage.authorize(&[]);
    let many: String = (0..101).map(|number| format!("&a{number}=1")).collect();
    stage
        .get(&format!("{url}{many}"))
        .await
        .is_page(400, "request_malformed");
    for long in ["state", "nonce", "scope", "claims", "ui_locales", "id_token_hint"] {
        let answer = stage.get(&format!("{url}&{long}x={}", "x".repeat(9_000))).await;
        assert_eq!(answer.status, 414, "{long}");
    }
    let scopes = vec!["openid"; 1_000].join(" ");
    let answer = stage
        .get(&stage.authorize(&[("scope", &scopes)]))
        .await
        .expect(302);
    assert!(
        answer.location().starts_with("/login?"),
        "a thousand times the same is once"
    );
    let unknown: Vec<String> = (0..900).map(|number| format!("s{number}")).collect();
    let answer = stage
        .get(&stage.authorize(&[("scope", &unknown.join(" "))]))
        .await;
    told(&stage, &answer, "invalid_scope", "many scopes");
    // The header of the client's credentials means nothing here.
    let request = actix_web::test::TestRequest::get()
        .uri(&stage.authorize(&[("client_id", "")]))
        .insert_header(("authorization", basic(WEB_CLIENT, "x")));
    stage.send(request).await.is_page(400, "client_id_missing");
}
