//! The metadata documents (OIDC Discovery §3, RFC 8414): where they are, how they are cached, and that every value they
//! list is one that works.

use actix_web::test::TestRequest;
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client::Flow;
use forebay::model::{group, user};
use serde_json::{Value, json};

use crate::support::{Answer, NOW, PUBLIC_URL, Stage, Tokens, VERIFIER, basic, claims, path_of, query_of};

async fn configuration(stage: &Stage) -> Value {
    let path = format!("/{POOL}/.well-known/openid-configuration");
    stage.get(&path).await.expect(200).json()
}

fn strings(document: &Value, name: &str) -> Vec<String> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("{name}"));
    list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn m096_m097_m098_the_issuer_is_what_the_address_is_built_from() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    assert_eq!(issuer, format!("{PUBLIC_URL}/{POOL}"));
    assert!(!issuer.contains(['?', '#']) && !issuer.ends_with('/'));
    let suffix = stage.get(&path_of(&format!("{issuer}/.well-known/openid-configuration"))).await.expect(200);
    assert_eq!(suffix.json()["issuer"], issuer);
    let inserted = format!("/.well-known/oauth-authorization-server/{POOL}");
    let appended = format!("/{POOL}/.well-known/oauth-authorization-server");
    let (inserted, appended) = (stage.get(&inserted).await.expect(200), stage.get(&appended).await.expect(200));
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
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300, must-revalidate"));
        for (name, value) in answer.json().as_object().unwrap() {
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
            assert!(!value.is_null(), "{name}");
        }
        let etag = answer.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20);
        let again = async |tags: &str| {
            let request = TestRequest::get().uri(&path).insert_header(("if-none-match", tags));
            stage.send(request).await
        };
        for same in [etag.clone(), format!("W/{etag}"), "*".into(), format!("\"x\", {etag}"), format!("\"x\",W/{etag}")] {
            let answer = again(&same).await.expect(304);
            assert_eq!(answer.body, "");
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=300, must-revalidate"));
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
    assert!(strings(&after.json(), "claims_supported").contains(&"custom:floor".to_owned()));
}

#[actix_web::test]
async fn a106_no_other_spelling_of_a_pools_id_leads_to_it() {
    let stage = Stage::new().await;
    for id in [
        "us-local-1_forebay01", "US-LOCAL-1_FOREBAY01", "us-local-1_Forebay0", "us-local-1_Forebay011", "us-local-1_Forebay01%2F",
        "us-local-1_Forebay01%00", "us-local-1_Forebay01%20", "us-local-1_Forebay0%31%00", "x%2F..%2Fus-local-1_Forebay01", "%", "*", "",
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
    let doubled = stage.get(&format!("//{POOL}/.well-known/openid-configuration")).await;
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
    let headers = [("authorization", header.as_str()), ("x-forwarded-host", "evil.example"), ("host", "evil.example")];
    let tokens = Tokens::of(&stage.post("/oauth2/token", &headers, &fields).await.expect(200));
    for token in [&tokens.access, tokens.id.as_ref().unwrap()] {
        assert_eq!(claims(token)["iss"], stage.issuer());
    }
}

#[actix_web::test]
async fn m100_m101_the_document_lists_what_is_done_and_nothing_more() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    let endpoint = |path: &str| json!(format!("{PUBLIC_URL}{path}"));
    for (name, expected) in [
        ("issuer", json!(stage.issuer())),
        ("authorization_endpoint", endpoint("/oauth2/authorize")),
        ("token_endpoint", endpoint("/oauth2/token")),
        ("userinfo_endpoint", endpoint("/oauth2/userInfo")),
        ("revocation_endpoint", endpoint("/oauth2/revoke")),
        ("end_session_endpoint", endpoint("/logout")),
        ("jwks_uri", json!(format!("{}/.well-known/jwks.json", stage.issuer()))),
        ("response_types_supported", json!(["code", "token"])),
        ("response_modes_supported", json!(["query", "fragment", "form_post"])),
        (
            "grant_types_supported",
            json!(["authorization_code", "refresh_token", "client_credentials", "implicit"]),
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
    for absent in ["introspection_endpoint", "registration_endpoint", "pushed_authorization_request_endpoint", "check_session_iframe"] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    let oauth = stage.get(&format!("/.well-known/oauth-authorization-server/{POOL}")).await.json();
    for (name, value) in oauth.as_object().unwrap() {
        assert_eq!(*value, document[name], "{name}");
    }
    for needed in ["issuer", "token_endpoint", "jwks_uri", "code_challenge_methods_supported", "grant_types_supported"] {
        assert!(oauth.get(needed).is_some(), "{needed}");
    }
}

#[actix_web::test]
async fn every_endpoint_of_the_document_is_there() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let path = path_of(value.as_str().unwrap());
            let (got, posted) = (stage.get(&path).await, stage.post(&path, &[], &[("x", "y")]).await);
            assert!(got.status != 404 && posted.status != 404, "{name}");
            assert!(got.status != 405 || posted.status != 405, "{name}");
        }
    }
}

/// The fields of an authorization response, wherever they travel.
fn field(answer: &Answer, name: &str) -> Option<String> {
    match answer.header("location") {
        Some(location) => query_of(location, name),
        None => crate::support::Form::of(&answer.body)?
            .fields
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value),
    }
}

#[actix_web::test]
async fn every_response_type_and_mode_works() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.flows = vec![Flow::Code, Flow::Implicit]);
    let document = configuration(&stage).await;
    for response_type in strings(&document, "response_types_supported") {
        for mode in strings(&document, "response_modes_supported") {
            let mut changes = vec![("response_type", response_type.as_str()), ("response_mode", mode.as_str())];
            if response_type == "token" {
                changes.extend([("code_challenge", ""), ("code_challenge_method", "")]);
                if mode == "query" {
                    // Tokens never travel in a query; the pair is no value of the document.
                    continue;
                }
            }
            let mut browser = stage.browser();
            let back = browser.sign_in("ada@acme.test", &stage.authorize(&changes)).await;
            assert_eq!(field(&back, "iss"), Some(stage.issuer()), "{response_type} {mode}: {back:?}");
            assert_eq!(field(&back, "state").as_deref(), Some("st"));
            match mode.as_str() {
                "form_post" => assert_eq!(back.status, 200),
                "fragment" => assert!(back.location().contains('#')),
                _ => assert!(back.location().contains('?')),
            }
            if response_type == "code" {
                stage.exchange(&field(&back, "code").unwrap(), &[]).await.expect(200);
            } else {
                let token = field(&back, "access_token").unwrap();
                stage.userinfo(&token).await.expect(200);
            }
        }
    }
}

#[actix_web::test]
async fn every_grant_type_and_client_authentication_method_works() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    let web = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = web.refresh.unwrap();
    for grant in strings(&document, "grant_types_supported") {
        match grant.as_str() {
            // Shown above: the code was exchanged, and `response_type=token` is the implicit grant.
            "authorization_code" | "implicit" => {}
            "refresh_token" => drop(stage.refresh(&refresh).await.expect(200)),
            "client_credentials" => drop(stage.as_machine(&[]).await.expect(200)),
            other => panic!("{other} is advertised and not driven"),
        }
    }
    let spa = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    for (path, list) in [
        ("/oauth2/token", "token_endpoint_auth_methods_supported"),
        ("/oauth2/revoke", "revocation_endpoint_auth_methods_supported"),
    ] {
        for method in strings(&document, list) {
            let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
            let mut fields = vec![("grant_type", "client_credentials"), ("token", "x")];
            let headers = [("authorization", header.as_str())];
            let answer = match method.as_str() {
                "client_secret_basic" => stage.post(path, &headers, &fields).await,
                "client_secret_post" => {
                    fields.extend([("client_id", MACHINE_CLIENT), ("client_secret", MACHINE_SECRET)]);
                    stage.post(path, &[], &fields).await
                }
                "none" => {
                    let fields = [
                        ("grant_type", "refresh_token"),
                        ("refresh_token", spa.as_str()),
                        ("token", spa.as_str()),
                        ("client_id", SPA_CLIENT),
                    ];
                    stage.post(path, &[], &fields).await
                }
                other => panic!("{other} is advertised and not driven"),
            };
            assert_eq!(answer.status, 200, "{path} {method}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn every_prompt_value_and_locale_works() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    for prompt in strings(&document, "prompt_values_supported") {
        let mut browser = stage.browser();
        let first = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
        assert!(field(&first, "code").is_some());
        stage.clock.advance(10);
        let url = stage.authorize(&[("prompt", &prompt)]);
        let back = match prompt.as_str() {
            "none" => browser.visit(&url).await,
            _ => {
                let page = browser.visit(&url).await;
                assert_eq!(page.status, 200, "{prompt} shows something: {page:?}");
                browser.sign_in("ada@acme.test", &url).await
            }
        };
        assert!(field(&back, "code").is_some(), "{prompt}: {back:?}");
    }
    let mut texts = std::collections::HashSet::new();
    let locales = strings(&document, "ui_locales_supported");
    for locale in &locales {
        let page = stage.browser().visit(&stage.authorize(&[("lang", locale)])).await.expect(200);
        assert!(page.body.contains(&format!("lang=\"{locale}\"")), "{locale}: {page:?}");
        texts.insert(page.body);
    }
    assert_eq!(texts.len(), locales.len());
}

#[actix_web::test]
async fn every_scope_and_claim_can_be_had() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    let all = strings(&document, "scopes_supported").join(" ");
    let first = stage.tokens_for("ada@acme.test", &[("scope", &all)]).await;
    assert_eq!(first.answer["scope"], all);
    let sub = claims(&first.access)["sub"].as_str().unwrap().to_owned();
    // A profile that has everything, in a group with a role, from a sign-in that says how it was done.
    stage.act(|conn| {
        use diesel::prelude::*;
        use forebay::db::schema::{token_families, user_groups};
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        for (name, kind) in forebay::model::pool::STANDARD {
            let value = match kind {
                forebay::model::pool::AttributeType::Boolean => json!(true),
                forebay::model::pool::AttributeType::Number => json!(NOW.0),
                _ => json!("text"),
            };
            row.attributes.0.entry(*name).or_insert(value);
        }
        user::update(conn, &row).unwrap();
        let engineering = user_groups::table.filter(user_groups::name.eq("Engineering"));
        diesel::update(engineering)
            .set(user_groups::role_arn.eq("arn:aws:iam::111122223333:role/engineer"))
            .execute(conn)
            .unwrap();
        assert!(group::find(conn, POOL, "Engineering").unwrap().unwrap().role_arn.is_some());
        let origin_jti = claims(&first.access)["origin_jti"].as_str().unwrap().to_owned();
        let mut granted = forebay::model::token::find_family(conn, &origin_jti).unwrap().unwrap().granted;
        granted.0.scopes = vec!["openid".into()];
        granted.0.amr = vec!["pwd".into(), "mfa".into()];
        granted.0.acr = Some("urn:okta:loa:2fa:any".into());
        diesel::update(token_families::table.find(&origin_jti))
            .set(token_families::granted.eq(granted))
            .execute(conn)
            .unwrap();
    });
    let tokens = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    let id = stage.verified(tokens.id.as_deref().unwrap()).await;
    for claim in strings(&document, "claims_supported") {
        assert!(!id[claim.as_str()].is_null(), "{claim} is advertised and not given");
    }
}
