//! What holds for every address: headers, methods, limits, CORS, and what a broken database looks like.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use forebay::demo::POOL;

use crate::support::{Answer, PUBLIC_URL, Stage};

/// Every address that answers GET, without what it needs to succeed.
fn addresses() -> Vec<String> {
    let mut all: Vec<String> = [
        "/oauth2/authorize",
        "/login",
        "/oauth2/userInfo",
        "/logout",
        "/logout/idpresponse",
        "/logout/idpresponse/acme-okta",
        "/oauth2/idpresponse",
        "/oauth2/idpresponse/acme-okta",
        "/login/callback",
        "/authorization-code/callback",
        "/error",
        "/healthz",
        "/readyz",
        "/nowhere",
    ]
    .map(String::from)
    .to_vec();
    all.extend(documents());
    all
}

pub fn documents() -> Vec<String> {
    vec![
        format!("/{POOL}/.well-known/openid-configuration"),
        format!("/{POOL}/.well-known/oauth-authorization-server"),
        format!("/.well-known/oauth-authorization-server/{POOL}"),
        format!("/{POOL}/.well-known/jwks.json"),
    ]
}

async fn send(stage: &Stage, method: &str, path: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    stage.send(TestRequest::default().method(method).uri(path)).await
}

#[actix_web::test]
async fn m021_m022_m139_a069_every_answer_carries_the_security_headers_and_is_not_kept() {
    let stage = Stage::new().await;
    let mut answers = Vec::new();
    for path in addresses() {
        for method in ["GET", "POST", "DELETE", "TRACE", "OPTIONS"] {
            answers.push((format!("{method} {path}"), send(&stage, method, &path).await));
        }
    }
    let page = stage
        .get(&stage.authorize(&[]).replace("/oauth2/authorize", "/login"))
        .await;
    let asset = page
        .body
        .split("href=\"")
        .find(|part| part.starts_with("/assets/"))
        .unwrap();
    let asset = asset.split('"').next().unwrap();
    answers.push(("an asset".into(), stage.get(asset).await.expect(200)));
    answers.push(("the login page".into(), page));
    answers.push((
        "a long address".into(),
        stage.get(&format!("/?{}", "x".repeat(9_000))).await,
    ));
    for (about, answer) in answers {
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{about}"
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{about}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{about}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{about}: {policy}"
        );
        assert!(
            answer
                .header("x-amz-cognito-request-id")
                .is_some_and(|id| id.len() == 36),
            "{about}"
        );
        assert_eq!(
            answer.header("strict-transport-security"),
            None,
            "{about}: our address is http"
        );
        assert_eq!(answer.header("server"), None, "{about}");
        let kept = answer.header("cache-control").unwrap();
        let public = answer.status == 200
            && (about.contains("asset") || (about.starts_with("GET") && about.contains(".well-known")));
        assert_eq!(kept.contains("no-store"), !public, "{about}: {kept}");
        assert!(answer.status < 500, "{about}: {answer:?}");
    }
}

#[actix_web::test]
async fn m139_hsts_is_sent_where_our_address_is_https() {
    let stage = Stage::at("https://login.example").await;
    for path in addresses() {
        let answer = stage.get(&path).await;
        let hsts = answer.header("strict-transport-security").unwrap_or_default();
        assert!(hsts.starts_with("max-age=31536000"), "{path}: {hsts}");
    }
}

#[actix_web::test]
async fn m140_other_methods_are_refused_with_those_that_work() {
    let stage = Stage::new().await;
    for (path, allow, refused) in [
        (
            "/oauth2/authorize",
            "GET, POST",
            &["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "NONSENSE"][..],
        ),
        ("/login", "GET, POST", &["HEAD", "PUT", "OPTIONS"]),
        ("/logout", "GET, POST", &["HEAD", "PUT", "OPTIONS"]),
        (
            "/oauth2/idpresponse/acme-okta",
            "GET, POST",
            &["HEAD", "TRACE", "OPTIONS"],
        ),
        ("/oauth2/token", "POST, OPTIONS", &["GET", "HEAD", "TRACE"]),
        ("/oauth2/revoke", "POST, OPTIONS", &["GET", "HEAD", "TRACE"]),
        ("/oauth2/userInfo", "GET, POST, OPTIONS", &["PUT", "TRACE"]),
        ("/error", "GET, HEAD", &["POST", "TRACE"]),
        ("/healthz", "GET, HEAD", &["POST", "TRACE"]),
        ("/assets/forebay.css", "GET, HEAD", &["POST", "TRACE"]),
        (
            "/us-local-1_Forebay01/.well-known/jwks.json",
            "GET, HEAD, OPTIONS",
            &["POST", "TRACE"],
        ),
    ] {
        for method in refused {
            let answer = send(&stage, method, path).await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow)),
                "{method} {path}"
            );
            assert_eq!(answer.body, "", "{method} {path}: nothing is echoed");
        }
    }
}

#[actix_web::test]
async fn head_is_answered_where_get_only_shows_something() {
    let stage = Stage::new().await;
    let quiet = ["/healthz", "/readyz"].map(String::from);
    for path in documents().into_iter().chain(quiet) {
        let (get, head) = (stage.get(&path).await, send(&stage, "HEAD", &path).await);
        assert_eq!((head.status, get.status), (200, 200), "{path}");
        for name in ["content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
    // Where GET acts, a link checker must not act for the user.
    let ada = stage.signed_in("ada@acme.test").await;
    let (name, value) = ada.cookie("__Host-session-").unwrap();
    for path in [stage.authorize(&[]), "/logout".into()] {
        let request = TestRequest::default()
            .method(Method::HEAD)
            .uri(&path)
            .insert_header(("cookie", format!("{name}={value}")));
        let answer = stage.send(request).await;
        assert_eq!((answer.status, answer.header("location")), (405, None), "{path}");
    }
}

#[actix_web::test]
async fn m020_m136_other_origins_read_tokens_and_documents_but_no_page() {
    let stage = Stage::new().await;
    let asks = |method: &str, path: &str| {
        TestRequest::default()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .insert_header(("origin", "https://evil.example"))
            .insert_header(("access-control-request-method", "POST"))
            .insert_header(("access-control-request-headers", "x-amz-user-agent"))
    };
    let readable = ["/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"].map(String::from);
    for path in documents().into_iter().chain(readable) {
        let preflight = stage.send(asks("OPTIONS", &path)).await.expect(204);
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
        let headers = preflight.header("access-control-allow-headers").unwrap();
        assert!(
            headers.contains("x-amz-user-agent") && headers.contains("authorization"),
            "{path}"
        );
        let method = if path.ends_with("token") || path.ends_with("revoke") {
            "POST"
        } else {
            "GET"
        };
        let answer = stage.send(asks(method, &path)).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("*"),
            "{path}: {answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
    }
    let good = stage.authorize(&[]);
    let login = good.replace("/oauth2/authorize", "/login");
    for path in [
        good.as_str(),
        login.as_str(),
        "/oauth2/authorize",
        "/oauth2/authorize?x=%ff",
        "/logout",
        "/error",
        "/oauth2/idpresponse",
        "/oauth2/idpresponse/acme-okta",
        "/healthz",
        "/nowhere",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = stage.send(asks(method, path)).await;
            let cors: Vec<_> = answer
                .headers
                .iter()
                .filter(|(name, _)| name.starts_with("access-control-"))
                .collect();
            assert!(cors.is_empty(), "{method} {path}: {cors:?}");
        }
    }
}

#[actix_web::test]
async fn m019_no_redirect_repeats_a_post() {
    let stage = Stage::new().await;
    for path in [
        "/oauth2/authorize",
        "/login",
        "/logout",
        "/oauth2/idpresponse/acme-okta",
    ] {
        let answer = stage.post(path, &[], &[("client_id", "x")]).await.expect(303);
        assert!(answer.location().starts_with(&format!("{path}?")), "{answer:?}");
    }
    // From the first step to the app.
    let mut browser = stage.browser();
    let mut answer = browser
        .open(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    while answer.status == 302 && browser.url.as_str().starts_with(PUBLIC_URL) {
        let next = answer.location().to_owned();
        answer = browser.open(&next).await;
    }
    let back = browser.enter(&answer, "ada@acme.test").await;
    assert_eq!(back.status, 302, "{back:?}");
}

#[actix_web::test]
async fn m141_long_addresses_headers_and_bodies_are_refused() {
    let stage = Stage::new().await;
    let at = |length: usize| format!("/oauth2/authorize?{}", "x".repeat(length));
    assert_eq!(
        stage.get(&at(8_192 - 17)).await.status,
        400,
        "the longest is read"
    );
    assert_eq!(stage.get(&at(8_192 - 16)).await.status, 414);
    let with = |size: usize| {
        TestRequest::get()
            .uri("/healthz")
            .insert_header(("x-padding", "x".repeat(size)))
    };
    assert_eq!(stage.send(with(16_000)).await.status, 200);
    assert_eq!(stage.send(with(16_384)).await.status, 431);
    let many = (0..90).fold(TestRequest::get().uri("/healthz"), |request, number| {
        request.append_header((format!("x-{number}"), "x".repeat(200)))
    });
    assert_eq!(stage.send(many).await.status, 431);
    for path in [
        "/oauth2/authorize",
        "/login",
        "/logout",
        "/oauth2/token",
        "/oauth2/revoke",
        "/oauth2/userInfo",
    ] {
        let body = TestRequest::post()
            .uri(path)
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload("x".repeat(16_385));
        let answer = stage.send(body).await;
        assert_eq!((answer.status, answer.header("location")), (413, None), "{path}");
    }
}

#[actix_web::test]
async fn a_broken_database_is_a_page_for_people_and_json_for_programs() {
    let stage = Stage::new().await;
    stage.act(|conn| crate::support::database::batch(conn, "ALTER TABLE app_clients RENAME TO gone"));
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    for path in [stage.authorize(&[]), login, "/logout?client_id=x".into()] {
        let answer = stage.get(&path).await;
        assert!([500, 503].contains(&answer.status), "{path}: {answer:?}");
        assert!(
            answer.shows("This does not work at the moment"),
            "{path}: {answer:?}"
        );
        assert!(
            !answer.body.contains("app_clients") && !answer.body.contains("no such"),
            "{answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "x"),
        ("code", "x"),
    ];
    let answer = stage.post("/oauth2/token", &[], &fields).await;
    assert!([500, 503].contains(&answer.status), "{answer:?}");
    assert!(["server_error", "temporarily_unavailable"].contains(&answer.error().as_str()));
    assert!(!answer.body.contains("app_clients"), "{answer:?}");
}
