//! The way out and the way back: authorize URL, token endpoint, userinfo, logout URL (musts C-R1, C-R13, C-R16 to C-R22).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::demo::okta::{Endpoint, MetadataFault, TokenFault, Transport, Trouble, UserinfoFault};
use crate::model::provider::{Endpoints, UserinfoMethod};
use crate::rules::jwks;
use crate::upstream::Cause;

#[actix_web::test]
async fn the_authorize_url_has_all_that_okta_wants_and_nothing_that_it_refuses() {
    let mut stage = Stage::new().await;
    stage.settings(|settings| settings.scopes = ["profile", "openid", "groups"].map(String::from).to_vec());
    let request = AuthorizeRequest {
        login_hint: Some("ada@acme.test".into()),
        prompt: Some("select_account consent".into()),
        max_age: Some(60),
        acr_values: Some("phr phrh".into()),
        ..request()
    };
    let url = stage
        .upstream
        .authorize_url(&stage.connection, &request)
        .await
        .unwrap();
    assert!(
        url.as_str()
            .starts_with(&format!("{}/oauth2/v1/authorize?", stage.okta.issuer()))
    );
    let found: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(found.len(), url.query_pairs().count(), "nothing twice");
    let expected = [
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile groups"),
        ("state", "the-state"),
        ("nonce", "the-nonce"),
        ("code_challenge", ""),
        ("code_challenge_method", "S256"),
        ("login_hint", "ada@acme.test"),
        ("prompt", "login consent"),
        ("max_age", "60"),
        ("acr_values", "phr phrh"),
    ];
    let challenge = found["code_challenge"].clone();
    assert_eq!(challenge.len(), 43);
    for (name, value) in expected.into_iter().filter(|(name, _)| *name != "code_challenge") {
        assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(found.len(), expected.len());
    let short = AuthorizeRequest {
        code_verifier: "short".into(),
        ..request
    };
    assert!(
        stage
            .upstream
            .authorize_url(&stage.connection, &short)
            .await
            .is_err()
    );
}

#[actix_web::test]
async fn a_sign_in_on_either_server_brings_one_set_of_claims() {
    for server in [Server::Org, Server::Default] {
        let mut stage = Stage::at(server, 0).await;
        if server == Server::Org {
            stage.settings(|settings| settings.scopes.push("groups".into()));
        }
        let (result, steps) = stage.sign_in().await;
        let identity = result.unwrap();
        assert!(failed(&steps).is_empty());
        assert_eq!(identity.issuer, stage.connection.provider.issuer);
        assert_eq!(identity.subject, "00u1ada000000000acme");
        assert_eq!(identity.auth_time, Some(NOW.0));
        assert!(identity.amr.contains(&"pwd".to_owned()));
        assert_eq!(identity.id_token.split('.').count(), 3);
        for (name, value) in [
            ("sub", json!("00u1ada000000000acme")),
            ("iss", json!(identity.issuer)),
            ("aud", json!(CLIENT)),
            ("email", json!("ada@acme.test")),
            ("given_name", json!("Ada")),
            ("groups", json!(["Everyone", "Engineering"])),
        ] {
            assert_eq!(identity.claims.get(name), Some(&value), "{name}");
        }
        for name in ["nonce", "at_hash"] {
            assert!(!identity.claims.contains_key(name));
        }
        assert!(!format!("{identity:?}").contains("ey"));
    }
}

#[actix_web::test]
async fn every_client_authentication_method_works() {
    let pair = Arc::new(jwks::generate().unwrap());
    for (ours, theirs) in [
        (ClientAuth::SecretBasic, okta::ClientAuth::ClientSecretBasic),
        (ClientAuth::SecretPost, okta::ClientAuth::ClientSecretPost),
        (ClientAuth::PrivateKeyJwt, okta::ClientAuth::PrivateKeyJwt),
    ] {
        let mut stage = Stage::new().await;
        let public: KeyPair = (*pair).clone();
        stage.okta.change_app(CLIENT, |app| {
            app.auth = theirs;
            app.strict_auth = true;
            app.public_keys = vec![serde_json::to_value(&public.public_jwk).unwrap()];
        });
        stage.settings(|settings| settings.client_auth = ours);
        stage.connection.private_key = (ours == ClientAuth::PrivateKeyJwt).then(|| pair.clone());
        if ours == ClientAuth::PrivateKeyJwt {
            stage.connection.client_secret = None;
        }
        let (result, steps) = stage.sign_in().await;
        assert!(result.is_ok(), "{ours:?}: {steps:?}");
        assert_eq!(stage.requests_to("/token").len(), 1);
    }
}

#[actix_web::test]
async fn a_refused_header_is_tried_once_in_the_body_and_remembered() {
    let stage = Stage::new().await;
    stage.okta.change_app(CLIENT, |app| {
        app.auth = okta::ClientAuth::ClientSecretPost;
        app.strict_auth = true;
    });
    assert_eq!(stage.cause().await, "");
    assert_eq!(stage.requests_to("/token").len(), 2);
    assert_eq!(stage.cause().await, "");
    assert_eq!(stage.requests_to("/token").len(), 3, "the second sign-in knows");
}

#[actix_web::test]
async fn wrong_or_missing_credentials_are_named() {
    let mut stage = Stage::new().await;
    stage.connection.client_secret = Some(Zeroizing::new("another-secret-of-sufficient-length".into()));
    let (result, steps) = stage.sign_in().await;
    let failure = result.unwrap_err();
    assert_eq!(
        (failure.cause, failure.status),
        (Cause::ClientAuthFailed, Some(401))
    );
    assert_eq!(failed(&steps), ["token"]);
    assert!(!failure.detail.contains("another-secret"));
    assert_eq!(
        stage.requests_to("/token").len(),
        2,
        "header, then body, then no more"
    );
    let refusal = failure.refusal("acme-okta");
    assert_eq!(
        refusal.oauth_description,
        "acme-okta Error - 401 error getting token"
    );

    stage.connection.client_secret = None;
    assert_eq!(stage.cause().await, "CONNECTION_MISCONFIGURED");
    stage.settings(|settings| settings.client_auth = ClientAuth::PrivateKeyJwt);
    assert_eq!(stage.cause().await, "CONNECTION_MISCONFIGURED");
}

#[actix_web::test]
async fn the_callbacks_issuer_is_compared_before_the_code_goes_anywhere() {
    let stage = Stage::new().await;
    let ours = stage.connection.provider.issuer.clone();
    let slash = format!("{ours}/");
    for (announced, iss, expected) in [
        (false, None, ""),
        (false, Some(ours.as_str()), ""),
        (false, Some(slash.as_str()), "CALLBACK_ISSUER_MISMATCH"),
        (false, Some("https://evil.test"), "CALLBACK_ISSUER_MISMATCH"),
        (false, Some(""), "CALLBACK_ISSUER_MISMATCH"),
        (true, None, "CALLBACK_ISSUER_MISSING"),
        (true, Some(ours.as_str()), ""),
    ] {
        stage.okta.set_faults(|faults| {
            faults.discovery = if announced {
                vec![MetadataFault::AnnounceIss]
            } else {
                Vec::new()
            };
        });
        stage.clock.advance(25 * 3600);
        stage.upstream.refresh_due().await;
        let code = stage.code().await;
        stage.okta.forget_requests();
        let mut steps = Vec::new();
        let result = stage
            .upstream
            .identity(&stage.connection, &expectation(), &code, iss, &mut steps)
            .await;
        let cause = result.err().map_or("", |failure| failure.cause.name());
        assert_eq!(cause, expected, "{announced} {iss:?}");
        if !expected.is_empty() {
            assert!(stage.okta.requests().is_empty(), "nothing was sent");
        }
    }
}

#[actix_web::test]
async fn token_answers_are_taken_or_refused_by_name() {
    let set = |value: Value| TokenFault::Set(value.as_object().unwrap().clone());
    let error = |status, error: &str, description: &str| TokenFault::Error {
        status,
        error: error.into(),
        description: description.into(),
    };
    let stage = Stage::new().await;
    for (fault, expected) in [
        (TokenFault::TypeLowerCase, ""),
        (TokenFault::NoExpiresIn, ""),
        (set(json!({"expires_in": "3600", "scope": 7, "more": [1]})), ""),
        (TokenFault::Type("DPoP".into()), "RESPONSE_MALFORMED"),
        (TokenFault::NoIdToken, "ID_TOKEN_MISSING"),
        (TokenFault::NoAccessToken, "RESPONSE_MALFORMED"),
        (set(json!({"id_token": null})), "ID_TOKEN_MISSING"),
        (set(json!({"id_token": ["x"]})), "RESPONSE_MALFORMED"),
        (set(json!({"access_token": ""})), "RESPONSE_MALFORMED"),
        (set(json!({"access_token": "two words"})), "RESPONSE_MALFORMED"),
        (
            error(
                400,
                "invalid_grant",
                "The authorization code is invalid or has expired.",
            ),
            "CODE_REJECTED",
        ),
        (
            error(400, "invalid_grant", "PKCE verification failed."),
            "PKCE_FAILED",
        ),
        (
            error(
                400,
                "invalid_grant",
                "The 'redirect_uri' does not match the redirection URI used in the authorization request.",
            ),
            "REDIRECT_URI_MISMATCH",
        ),
        (error(400, "unauthorized_client", ""), "GRANT_NOT_ALLOWED"),
        (
            error(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
            "DPOP_REQUIRED",
        ),
        (
            error(
                400,
                "invalid_request",
                "The grant was issued for another authorization server.",
            ),
            "TOKEN_REQUEST_REFUSED",
        ),
        (
            error(
                400,
                "server_error",
                "The groups claim matched too many groups and must be configured to match fewer groups.",
            ),
            "groups_overflow",
        ),
        (
            error(
                403,
                "access_denied",
                "The request is made from outside the client's permitted network zones.",
            ),
            "network_zone",
        ),
        (
            error(
                429,
                "invalid_grant",
                "API call exceeded rate limit due to too many requests.",
            ),
            "rate_limited",
        ),
        (
            error(400, "<script>", &"<script>".repeat(1000)),
            "TOKEN_REQUEST_REFUSED",
        ),
    ] {
        // Past any pause that the last fault has caused.
        stage.clock.advance(130);
        stage.okta.set_faults(|faults| faults.token = vec![fault.clone()]);
        let (result, steps) = stage.sign_in().await;
        let cause = result.as_ref().err().map_or("", |failure| failure.cause.name());
        assert_eq!(cause, expected, "{fault:?}: {steps:?}");
        assert!(
            steps
                .iter()
                .all(|step| !step.detail.contains('<') && step.detail.len() < 400)
        );
    }
}

#[actix_web::test]
async fn answers_that_go_wrong_below_json_are_refused() {
    let stage = Stage::new().await;
    for (trouble, expected) in [
        (Trouble::ServerError, "provider_unavailable"),
        (Trouble::Html, "RESPONSE_MALFORMED"),
        (Trouble::Empty, "RESPONSE_MALFORMED"),
        (Trouble::Truncated, "RESPONSE_MALFORMED"),
        (Trouble::ByteOrderMark, "RESPONSE_MALFORMED"),
        (Trouble::DuplicateKeys, "RESPONSE_MALFORMED"),
        (Trouble::DeepNesting { depth: 100_000 }, "RESPONSE_MALFORMED"),
        (Trouble::LoneSurrogate, "RESPONSE_MALFORMED"),
        (Trouble::WrongContentType, "RESPONSE_MALFORMED"),
        (Trouble::Huge { bytes: 1 << 30 }, "RESPONSE_TOO_LARGE"),
        (Trouble::GzipBomb { bytes: 1 << 30 }, "RESPONSE_TOO_LARGE"),
        (Trouble::Cut, "CONNECTION_LOST"),
        (
            Trouble::Redirect {
                location: "https://evil.test/token".into(),
            },
            "REDIRECT_REFUSED",
        ),
    ] {
        for (endpoint, elsewhere) in [
            (Endpoint::Token, None),
            (Endpoint::Userinfo, Some("USERINFO_FAILED")),
        ] {
            stage.okta.set_faults(|faults| {
                faults.transport = [(endpoint, Transport::trouble(trouble.clone()))]
                    .into_iter()
                    .collect();
            });
            let malformed = expected == "RESPONSE_MALFORMED";
            let expected = elsewhere.filter(|_| malformed).unwrap_or(expected);
            assert_eq!(stage.cause().await, expected, "{endpoint:?} {trouble:?}");
            stage.okta.set_faults(|faults| faults.transport.clear());
            assert_eq!(stage.cause().await, "", "after {trouble:?} all is well again");
        }
    }
}

#[actix_web::test]
async fn userinfo_must_speak_of_the_same_person() {
    let set = |value: Value| UserinfoFault::Set(value.as_object().unwrap().clone());
    let stage = Stage::new().await;
    for (fault, expected) in [
        (UserinfoFault::SomeoneElse, "USERINFO_SUBJECT_MISMATCH"),
        (UserinfoFault::SubMissing, "USERINFO_SUBJECT_MISMATCH"),
        (UserinfoFault::Sub(json!(null)), "USERINFO_SUBJECT_MISMATCH"),
        (
            UserinfoFault::Sub(json!(["00u1ada000000000acme"])),
            "USERINFO_SUBJECT_MISMATCH",
        ),
        (UserinfoFault::Unauthorized, "USERINFO_FAILED"),
        (UserinfoFault::Signed, "USERINFO_FAILED"),
        (UserinfoFault::InsufficientScope, ""),
        (UserinfoFault::ClaimSources, ""),
        (
            set(
                json!({"iss": "https://evil.test", "aud": "other", "acr": "phr", "amr": ["mfa"], "sid": "s", "email": "eve@evil.test"}),
            ),
            "",
        ),
    ] {
        stage
            .okta
            .set_faults(|faults| faults.userinfo = vec![fault.clone()]);
        let (result, steps) = stage.sign_in().await;
        match result {
            Err(failure) => assert_eq!(failure.cause.name(), expected, "{fault:?}: {steps:?}"),
            Ok(identity) => {
                assert_eq!("", expected, "{fault:?} was accepted");
                assert_eq!(identity.claims["iss"], json!(identity.issuer));
                assert_eq!(identity.claims["aud"], json!(CLIENT));
                assert_eq!(
                    identity.claims["email"],
                    json!("ada@acme.test"),
                    "the ID token wins"
                );
                assert_eq!((identity.acr, identity.sid), (None, None));
                assert!(identity.claims.keys().all(|name| !name.starts_with("_claim")));
                assert!(!identity.claims.contains_key("sid") && !identity.claims.contains_key("acr"));
            }
        }
    }
}

#[actix_web::test]
async fn endpoints_given_by_hand_need_no_discovery() {
    let mut stage = Stage::new().await;
    let origin = stage.okta.issuer();
    stage.settings(|settings| {
        settings.userinfo_method = UserinfoMethod::Post;
        settings.endpoints = Some(Endpoints {
            authorization: format!("{origin}/oauth2/v1/authorize"),
            token: format!("{origin}/oauth2/v1/token"),
            userinfo: Some(format!("{origin}/oauth2/v1/userinfo")),
            jwks: format!("{origin}/oauth2/v1/keys"),
            end_session: None,
        });
    });
    assert_eq!(stage.cause().await, "");
    assert!(stage.requests_to("openid-configuration").is_empty());
    assert_eq!(stage.requests_to("/userinfo")[0].method, "POST");
    let logout = stage
        .upstream
        .logout_url(&stage.connection, "hint", None, None)
        .await;
    assert_eq!(logout.unwrap(), None);
    stage.settings(|settings| {
        settings.endpoints.as_mut().unwrap().token = "http://10.0.0.1/token".into();
    });
    let refused = stage.upstream.authorize_url(&stage.connection, &request()).await;
    assert_eq!(refused.unwrap_err().cause, Cause::EndpointRefused);
}

#[actix_web::test]
async fn the_logout_url_has_the_hint_and_what_is_registered() {
    let stage = Stage::new().await;
    let upstream = &stage.upstream;
    let url = upstream
        .logout_url(
            &stage.connection,
            "a.b.c",
            Some("http://localhost:8080/logout/done"),
            Some("s&t"),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        url.as_str(),
        format!(
            "{}/oauth2/v1/logout?id_token_hint=a.b.c&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Flogout%2Fdone&state=s%26t",
            stage.okta.issuer()
        )
    );
    let bare = upstream
        .logout_url(&stage.connection, "a.b.c", None, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bare.query(), Some("id_token_hint=a.b.c"));
}
