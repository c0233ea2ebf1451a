//! What spoils an authorization request, and the exact shape in which the app is told (RFC 6749 §4.1.2.1, OIDC Core
//! §3.1.2.6, Cognito's authorize endpoint).

use forebay::demo::{MACHINE_CLIENT, WEB_CLIENT};
use forebay::rules::authorize::LONGEST_NONCE;

use crate::support::{APP, Answer, Stage, basic, location_param};

/// Asserts that the app is told this error, with its state and our issuer, and gets nothing else.
#[track_caller]
pub fn told(stage: &Stage, answer: &Answer, error: &str, about: &str) {
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
