//! The metadata documents (OIDC Discovery §3, RFC 8414): where they are, how they are cached, what they say. That every
//! value they list works is shown in `advertised`.

use actix_web::test::TestRequest;
use forebay::demo::{POOL, WEB_CLIENT, WEB_SECRET};
use serde_json::json;

use crate::support::{PUBLIC_URL, Stage, Tokens, VERIFIER, basic, claims, path_of};

#[actix_web::test]
async fn m096_m097_m098_the_issuer_is_what_the_address_is_built_from() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    assert_eq!(issuer, format!("{PUBLIC_URL}/{POOL}"));
    assert!(!issuer.contains(['?', '#']) && !issuer.ends_with('/'));
    let suffix = stage
        .get(&path_of(&format!("{issuer}/.well-known/openid-configuration")))
        .await
        .expect(200);
    assert_eq!(suffix.json()["issuer"], issuer);
    let inserted = format!("/.well-known/oauth-authorization-server/{POOL}");
    let appended = format!("/{POOL}/.well-known/oauth-authorization-server");
    let (inserted, appended) = (
        stage.get(&inserted).await.expect(200),
        stage.get(&appended).await.expect(200),
    );
    assert_eq!(inserted.body, appended.body);
    assert_eq!(inserted.json()["issuer"], issuer);
}

#[actix_web::test]
async fn m099_documents_are_json_without_empty_lists_that_can_be_kept_and_asked_for_again() {
    let stage = Stage::new().await;
    for path in [
        format!("/{POOL}/.well-known/openid-configuration"),
        format!("/{POOL}/.well-known/oauth-authorization-server"),
        format!("/.well-known/oauth-authorization-server/{POOL}"),
        format!("/{POOL}/.well-known/jwks.json"),
    ] {
        let answer = stage.get(&path).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=300, must-revalidate")
        );
        for (name, value) in answer.json().as_object().unwrap() {
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
            assert!(!value.is_null(), "{name}");
        }
        let etag = answer.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20);
        let again = async |tags: &str| {
            let request = TestRequest::get()
                .uri(&path)
                .insert_header(("if-none-match", tags));
            stage.send(request).await
        };
        for same in [
            etag.clone(),
            format!("W/{etag}"),
            "*".into(),
            format!("\"x\", {etag}"),
            format!("\"x\",W/{etag}"),
        ] {
            let answer = again(&same).await.expect(304);
            assert_eq!(answer.body, "");
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_eq!(
                answer.header("cache-control"),
                Some("public, max-age=300, must-revalidate")
            );
        }
        for other in ["\"x\"", "", etag.trim_matches('"'), "W/\"x\""] {
            assert_eq!(again(other).await.expect(200).body, answer.body, "{other}");
        }
        let posted = stage.post(&path, &[], &[("x", "y")]).await.expect(405);
        assert!(posted.header("allow").unwrap().starts_with("GET"));
    }
}

#[actix_web::test]
async fn a_changed_document_has_another_tag() {
    let stage = Stage::new().await;
    let path = format!("/{POOL}/.well-known/openid-configuration");
    let before = stage.get(&path).await;
    stage.change_pool(|settings| {
        let mut attribute = settings.attributes[0].clone();
        attribute.name = "custom:floor".into();
        settings.attributes.push(attribute);
    });
    let after = stage.get(&path).await.expect(200);
    assert_ne!(after.header("etag"), before.header("etag"));
    assert!(
        after.json()["claims_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("custom:floor"))
    );
}

#[actix_web::test]
async fn a106_no_other_spelling_of_a_pools_id_leads_to_it() {
    let stage = Stage::new().await;
    for id in [
        "us-local-1_forebay01",
        "US-LOCAL-1_FOREBAY01",
        "us-local-1_Forebay0",
        "us-local-1_Forebay011",
        "us-local-1_Forebay01%2F",
        "us-local-1_Forebay01%00",
        "us-local-1_Forebay01%20",
        "us-local-1_Forebay0%31%00",
        "x%2F..%2Fus-local-1_Forebay01",
        "%",
        "*",
        "",
    ] {
        for path in [
            format!("/{id}/.well-known/openid-configuration"),
            format!("/{id}/.well-known/jwks.json"),
            format!("/.well-known/oauth-authorization-server/{id}"),
        ] {
            let request = std::panic::AssertUnwindSafe(TestRequest::get());
            if path.parse::<actix_web::http::Uri>().is_err() {
                continue;
            }
            let answer = stage.send(request.0.uri(&path)).await;
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        }
    }
    let doubled = stage
        .get(&format!("//{POOL}/.well-known/openid-configuration"))
        .await;
    assert_eq!(doubled.status, 404);
}

#[actix_web::test]
async fn m105_no_header_of_a_request_decides_the_issuer() {
    let stage = Stage::new().await;
    let path = format!("/{POOL}/.well-known/openid-configuration");
    let plain = stage.get(&path).await.body;
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-host", "evil.example"),
    ] {
        let request = TestRequest::get().uri(&path).insert_header((name, value));
        assert_eq!(stage.send(request).await.expect(200).body, plain, "{name}");
    }
    let code = stage.code_for("ada@acme.test", &[]).await;
    let header = basic(WEB_CLIENT, WEB_SECRET);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:8090/callback"),
        ("code_verifier", VERIFIER),
    ];
    let headers = [
        ("authorization", header.as_str()),
        ("x-forwarded-host", "evil.example"),
        ("host", "evil.example"),
    ];
    let tokens = Tokens::of(&stage.post("/oauth2/token", &headers, &fields).await.expect(200));
    for token in [&tokens.access, tokens.id.as_ref().unwrap()] {
        assert_eq!(claims(token)["iss"], stage.issuer());
    }
}

#[actix_web::test]
async fn m100_m101_the_document_lists_what_is_done_and_nothing_more() {
    let stage = Stage::new().await;
    let path = format!("/{POOL}/.well-known/openid-configuration");
    let document = stage.get(&path).await.expect(200).json();
    let endpoint = |path: &str| json!(format!("{PUBLIC_URL}{path}"));
    for (name, expected) in [
        ("issuer", json!(stage.issuer())),
        ("authorization_endpoint", endpoint("/oauth2/authorize")),
        ("token_endpoint", endpoint("/oauth2/token")),
        ("userinfo_endpoint", endpoint("/oauth2/userInfo")),
        ("revocation_endpoint", endpoint("/oauth2/revoke")),
        ("end_session_endpoint", endpoint("/logout")),
        ("registration_endpoint", endpoint("/oauth2/register")),
        (
            "jwks_uri",
            json!(format!("{}/.well-known/jwks.json", stage.issuer())),
        ),
        ("response_types_supported", json!(["code", "token"])),
        (
            "response_modes_supported",
            json!(["query", "fragment", "form_post"]),
        ),
        (
            "grant_types_supported",
            json!([
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:token-exchange",
                "implicit"
            ]),
        ),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256"])),
        (
            "token_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post", "none"]),
        ),
        (
            "revocation_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post", "none"]),
        ),
        ("scopes_supported", json!(["openid", "email", "phone", "profile"])),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("claims_parameter_supported", json!(false)),
    ] {
        assert_eq!(document[name], expected, "{name}");
    }
    for absent in [
        "introspection_endpoint",
        "pushed_authorization_request_endpoint",
        "check_session_iframe",
    ] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    let oauth = stage
        .get(&format!("/.well-known/oauth-authorization-server/{POOL}"))
        .await
        .json();
    for (name, value) in oauth.as_object().unwrap() {
        assert_eq!(*value, document[name], "{name}");
    }
    for needed in [
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "code_challenge_methods_supported",
        "grant_types_supported",
    ] {
        assert!(oauth.get(needed).is_some(), "{needed}");
    }
}
