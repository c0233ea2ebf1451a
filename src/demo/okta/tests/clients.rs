//! The honest organisation towards its clients: refresh, introspection, client authentication, logout.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::*;
use crate::demo::okta::ClientAuth;
use crate::demo::okta::keys::{KeyRing, Maker, unsigned};

#[actix_web::test]
async fn refresh_tokens_come_with_offline_access_and_stay_or_rotate() {
    let mut stage = Stage::new();
    let scope = [("scope", "openid email offline_access")];
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &scope).await;
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let refresh = |token: &str| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
        ]
    };
    let fields = |pairs: &[(&'static str, String)]| -> Vec<(&'static str, String)> { pairs.to_vec() };
    async fn send(stage: &mut Stage, pairs: Vec<(&'static str, String)>) -> Page {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        stage.token(Server::Org, &pairs).await
    }
    stage.clock.advance(100);
    let again = send(&mut stage, fields(&refresh(&first))).await.json();
    assert_eq!(again["refresh_token"], first.as_str());
    let claims = claims(&again["id_token"]);
    assert_eq!(
        (claims["auth_time"].clone(), claims.get("nonce")),
        (json!(NOW.0), None)
    );

    stage
        .okta
        .change_app(CLIENT, |app| app.rotate_refresh_tokens = true);
    let second = send(&mut stage, refresh(&first)).await.json()["refresh_token"].clone();
    assert_ne!(second, first.as_str());
    stage.clock.advance(30);
    assert_eq!(
        send(&mut stage, refresh(&first)).await.status,
        200,
        "within the leeway"
    );
    stage.clock.advance(1);
    assert_eq!(
        send(&mut stage, refresh(&first)).await.json()["error"],
        "invalid_grant"
    );
    let second = second.as_str().unwrap();
    assert_eq!(
        send(&mut stage, refresh(second)).await.json()["error"],
        "invalid_grant",
        "the family ended"
    );
}

#[actix_web::test]
async fn introspection_and_revocation_know_what_lives() {
    let mut stage = Stage::new();
    let tokens = stage
        .tokens(
            Server::Org,
            "ada@acme.test",
            &[("scope", "openid email offline_access")],
        )
        .await;
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let with = |token| [("token", token), ("client_id", CLIENT), ("client_secret", SECRET)];
    let introspect = path(Server::Org, "introspect");
    assert_eq!(
        stage.post(&introspect, &with(access)).await.json()["username"],
        "ada@acme.test"
    );
    let page = stage.post(&path(Server::Org, "revoke"), &with(refresh)).await;
    assert_eq!((page.status.as_u16(), page.body.len()), (200, 0));
    assert_eq!(
        stage.post(&introspect, &with(access)).await.json(),
        json!({"active": false})
    );
    assert_eq!(
        stage
            .post(&path(Server::Org, "revoke"), &with("unknown"))
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn an_assertion_proves_the_client_once() {
    let mut ring = KeyRing::new(Maker::Shared, "a client's key".into());
    let key = ring.current().unwrap();
    let assertion = |aud: &str, jti: &str, exp: i64| {
        let claims = json!({"iss": CLIENT, "sub": CLIENT, "aud": aud, "exp": exp, "jti": jti});
        let message = unsigned(
            &json!({"alg": "RS256", "kid": key.kid}),
            claims.as_object().unwrap(),
        );
        format!("{message}.{}", key.sign(&message, Algorithm::RS256).unwrap())
    };
    let endpoint = Server::Org.endpoint(ORIGIN, "token");
    let soon = NOW.0 + 60;
    let mut stage = Stage::new();
    stage.okta.change_app(CLIENT, |app| {
        app.auth = ClientAuth::PrivateKeyJwt;
        app.public_keys = vec![key.jwk()];
    });
    for (assertion, mistake) in [
        (assertion(&endpoint, "one", soon), None),
        (assertion(&endpoint, "one", soon), Some("already been used")),
        (assertion(ORIGIN, "two", soon), None),
        (
            assertion("http://127.0.0.1:8092", "three", soon),
            Some("audience"),
        ),
        (assertion(&endpoint, "four", NOW.0), Some("expired")),
        (assertion(&endpoint, "five", NOW.0 + 3601), Some("too far")),
        (assertion(&endpoint, "six", soon) + "AAAA", Some("signature")),
    ] {
        let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
        let page = stage
            .token(
                Server::Org,
                &[
                    ("code", &code),
                    ("client_secret", ""),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                    ("client_assertion", &assertion),
                ],
            )
            .await;
        match mistake {
            None => assert_eq!(page.status, 200, "{}", page.text()),
            Some(text) => {
                assert_eq!(
                    (page.status.as_u16(), page.json()["error"].clone()),
                    (401, json!("invalid_client"))
                );
                assert!(page.text().contains(text), "{}", page.text());
            }
        }
    }
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    assert_eq!(
        stage.redeem(Server::Org, &code).await.status,
        401,
        "a secret is not taken any more"
    );
}

#[actix_web::test]
async fn two_secrets_are_live_and_header_and_body_are_taken_unless_strict() {
    let mut stage = Stage::new();
    stage
        .okta
        .change_app(CLIENT, |app| app.secrets.push("another secret: with +%".into()));
    let basic = |secret: &str| {
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:{encoded}"))
        )
    };
    let form = |code: &str| {
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
            ("code", code.to_owned()),
        ]
    };
    for (secret, status) in [(SECRET, 200), ("another secret: with +%", 200), ("wrong", 401)] {
        let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
        let request = TestRequest::post().uri("/oauth2/v1/token").set_form(form(&code));
        let page = stage
            .send(request.insert_header(("authorization", basic(secret))))
            .await;
        assert_eq!(page.status.as_u16(), status, "{}", page.text());
    }
    stage.okta.change_app(CLIENT, |app| app.strict_auth = true);
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    assert_eq!(
        stage.redeem(Server::Org, &code).await.status,
        401,
        "configured for the header"
    );
}

#[actix_web::test]
async fn logout_ends_the_session_of_the_hinted_person() {
    let mut stage = Stage::new();
    let tokens = stage.tokens(Server::Default, "ada@acme.test", &[]).await;
    let hint = tokens["id_token"].as_str().unwrap().to_owned();
    let uri = |hint: &str, to: &str| {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", to),
                ("state", "s"),
            ])
            .finish();
        format!("{}?{query}", path(Server::Default, "logout"))
    };
    let home = "http://localhost:8080/signed-out";
    assert_eq!(
        stage
            .get(&uri(&hint, "http://localhost:8080/signed-out/"))
            .await
            .status,
        400
    );
    assert_eq!(stage.get(&uri("", home)).await.status, 400);
    assert_eq!(stage.get(&uri(&format!("{hint}AAAA"), home)).await.status, 400);

    let other = stage.tokens(Server::Default, "grace@acme.test", &[]).await;
    let back = stage.get(&uri(&hint, home)).await;
    assert_eq!(back.header("location"), format!("{home}?state=s"));
    assert_eq!(
        stage.authorize(Server::Org, &[]).await.status,
        302,
        "Grace's session is not Ada's to end"
    );

    stage.clock.advance(4000);
    stage.okta.rotate_keys(false);
    let hint = other["id_token"].as_str().unwrap();
    assert_eq!(
        stage.get(&uri(hint, home)).await.status,
        302,
        "an old hint is good when it is genuine"
    );
    assert_eq!(
        stage.authorize(Server::Org, &[]).await.status,
        200,
        "the session has ended"
    );
}
