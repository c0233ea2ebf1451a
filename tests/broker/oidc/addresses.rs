//! Neither `Host` nor a forwarding header says who we are, and a path is ours only as it is written.

use actix_web::test::TestRequest;

use super::http_layer::documents;
use crate::support::{PUBLIC_URL, Stage, location_param};

#[actix_web::test]
async fn a117_m105_the_requests_host_decides_nothing() {
    let stage = Stage::new().await;
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("x-forwarded-uri", "/evil"),
        ("x_forwarded_host", "evil.example"),
    ];
    let mut paths = documents();
    paths.extend([
        stage.authorize(&[]),
        stage.authorize(&[("scope", "nonsense")]),
        stage.authorize(&[("client_id", "nobody")]),
        stage.authorize(&[]).replace("/oauth2/authorize", "/login"),
    ]);
    for path in paths {
        let plain = stage.get(&path).await;
        let mut request = TestRequest::get().uri(&path);
        for header in forged {
            request = request.insert_header(header);
        }
        let answer = stage.send(request).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (plain.status, plain.header("location")),
            "{path}"
        );
        assert!(!format!("{answer:?}").contains("evil"), "{path}: {answer:?}");
        if path.contains(".well-known") {
            assert_eq!(answer.body, plain.body);
        }
    }
    let request = TestRequest::get()
        .uri(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .insert_header(forged[0])
        .insert_header(forged[1]);
    let answer = stage.send(request).await.expect(302);
    let callback = location_param(&answer, "redirect_uri").unwrap();
    assert_eq!(callback, format!("{PUBLIC_URL}/oauth2/idpresponse/acme-okta"));
    assert!(
        !answer
            .header("set-cookie")
            .unwrap()
            .to_lowercase()
            .contains("domain")
    );
}

#[actix_web::test]
async fn a119_a121_relatives_of_a_path_are_no_path_of_ours() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    for path in [
        "/oauth2/userInfo/x.css",
        "/oauth2/userInfo/",
        "/oauth2/userInfo;x.css",
        "/oauth2/userInfo%2fx.css",
        "/oauth2/userInfo%00",
        "/oauth2//userInfo",
        "//oauth2/userInfo",
        "/oauth2/./userInfo",
        "/x/../oauth2/userInfo",
        "/oauth2%2fuserInfo",
        "/OAuth2/userInfo",
        "/oauth2/userinfo",
        "/oauth2/authorize/",
        "/oauth2/authorize.json",
        "/login/x.js",
        "/us-local-1_forebay01/.well-known/jwks.json",
        "/us-local-1_Forebay01/.well-known/jwks.json/",
        "/us-local-1_Forebay0/.well-known/jwks.json",
        "/nobody/.well-known/openid-configuration",
    ] {
        let request = TestRequest::get()
            .uri(path)
            .insert_header(("authorization", format!("Bearer {}", tokens.access)));
        let answer = stage.send(request).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(!answer.shows("ada@acme.test"), "{path}");
    }
}
