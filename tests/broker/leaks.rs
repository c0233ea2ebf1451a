//! What answers must not tell: nothing of the database, the files or the language behind them; no header that is not
//! meant; no secret in an address but the code.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};

use crate::support::{Answer, Stage, Tokens, VERIFIER, basic, database};

/// Text that only comes from inside.
const INSIDE: &[&str] = &[
    "diesel",
    "sqlite",
    "postgres",
    "libpq",
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM",
    "constraint",
    "no such table",
    "does not exist (os",
    "relation \"",
    "src/",
    ".rs:",
    ".rs\"",
    "panicked",
    "unwrap",
    "backtrace",
    "forebay::",
    "actix",
    "tokio",
    "serde",
    "alloc::",
    "core::",
    "std::",
    "Some(",
    "Ok(",
    "Err(",
    "None)",
    "StoreError",
    "OAuthError {",
    "/tmp/",
    "/root/",
    "/home/",
    "/usr/",
    ".db",
    "stack trace",
    "RUST_",
    "rustc",
    "expected value at line",
    "reqwest",
    "hyper",
];

/// Every header that an answer of ours may have.
const HEADERS: &[&str] = &[
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "etag",
    "location",
    "permissions-policy",
    "pragma",
    "ratelimit",
    "ratelimit-policy",
    "referrer-policy",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "vary",
    "www-authenticate",
    "x-amz-cognito-request-id",
    "x-amzn-errormessage",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-content-type-options",
    "x-frame-options",
];

#[track_caller]
fn assert_tight(what: &str, answer: &Answer) {
    let text: String = answer
        .headers
        .iter()
        .filter(|(name, _)| name != "location")
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    for inside in INSIDE {
        assert!(
            !answer.body.contains(inside),
            "{what}: the body says {inside:?}: {answer:?}"
        );
        assert!(
            !text.contains(inside),
            "{what}: a header says {inside:?}: {answer:?}"
        );
    }
    for (name, value) in &answer.headers {
        assert!(
            HEADERS.contains(&name.as_str()),
            "{what}: unexpected header {name}: {value}"
        );
    }
    for needed in [
        "cache-control",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
    ] {
        assert!(
            answer.header(needed).is_some(),
            "{what}: {needed} is missing: {answer:?}"
        );
    }
}

const PATHS: &[&str] = &[
    "/",
    "/oauth2/authorize",
    "/login",
    "/oauth2/token",
    "/oauth2/userInfo",
    "/oauth2/revoke",
    "/logout",
    "/logout/idpresponse",
    "/logout/idpresponse/acme-okta",
    "/oauth2/idpresponse",
    "/oauth2/idpresponse/acme-okta",
    "/oauth2/idpresponse/nobody",
    "/login/callback",
    "/authorization-code/callback",
    "/error",
    "/healthz",
    "/readyz",
    "/nowhere",
    "/..%2f..%2fetc/passwd",
    "/us-local-1_Forebay01/.well-known/openid-configuration",
    "/us-local-1_Forebay01/.well-known/jwks.json",
    "/us-local-1_Forebay01/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/us-local-1_Forebay01",
    "/nobody/.well-known/openid-configuration",
    "/favicon.ico",
    "/assets/nothing",
];

/// Every path by several methods, with nothing, with nonsense, and with half a request.
async fn walk(stage: &Stage) -> Vec<(String, Answer)> {
    let nonsense = "client_id=%27%3B--&redirect_uri=javascript:alert(1)&state=%00&code='&token='&id_token_hint=a.b.c&x=%ff";
    let half =
        format!("client_id={WEB_CLIENT}&response_type=code&grant_type=refresh_token&refresh_token='&token=x");
    let mut answers = Vec::new();
    for path in PATHS {
        for query in ["", nonsense, &half] {
            for method in [
                Method::GET,
                Method::POST,
                Method::HEAD,
                Method::PUT,
                Method::OPTIONS,
            ] {
                let uri = if method == Method::GET && !query.is_empty() {
                    format!("{path}?{query}")
                } else {
                    (*path).to_owned()
                };
                let mut request = TestRequest::default().method(method.clone()).uri(&uri);
                if method == Method::POST {
                    request = request
                        .insert_header(("content-type", "application/x-www-form-urlencoded"))
                        .insert_header(("authorization", basic(WEB_CLIENT, WEB_SECRET)))
                        .set_payload(query.to_owned());
                }
                answers.push((format!("{method} {uri}"), stage.send(request).await));
            }
        }
    }
    answers
}

#[actix_web::test]
async fn a44_no_answer_tells_what_is_behind_it() {
    let stage = Stage::new().await;
    for (what, answer) in walk(&stage).await {
        assert!(answer.status < 500, "{what}: {answer:?}");
        assert_tight(&what, &answer);
    }
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    for (what, answer) in [
        ("userInfo", stage.userinfo(&tokens.access).await),
        ("refresh", stage.refresh(tokens.refresh.as_deref().unwrap()).await),
        ("revoke", stage.revoke(tokens.refresh.as_deref().unwrap()).await),
        (
            "too long",
            stage.get(&format!("/login?{}", "a".repeat(9_000))).await,
        ),
        (
            "too large",
            stage.raw("/oauth2/token", &[], vec![b'a'; 70_000]).await,
        ),
        ("sign-in page", stage.browser().visit(&stage.authorize(&[])).await),
        (
            "unassigned",
            stage
                .browser()
                .sign_in("linus@acme.test", &stage.authorize(&[]))
                .await,
        ),
    ] {
        assert_tight(what, &answer);
    }
}

#[actix_web::test]
async fn a44_a_broken_database_is_an_apology_and_nothing_more() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    for table in [
        "refresh_tokens",
        "token_families",
        "authorization_codes",
        "app_clients",
        "user_pools",
        "sessions",
    ] {
        stage.act(|conn| database::batch(conn, &format!("ALTER TABLE {table} RENAME TO away")));
        let mut broken = 0;
        let mut answers = walk(&stage).await;
        answers.push(("code".into(), stage.exchange(&code, &[]).await));
        answers.push((
            "refresh".into(),
            stage.refresh(tokens.refresh.as_deref().unwrap()).await,
        ));
        answers.push(("userInfo".into(), stage.userinfo(&tokens.access).await));
        for (what, answer) in answers {
            assert_tight(&format!("{what} without {table}"), &answer);
            if answer.status >= 500 {
                assert!([500, 503].contains(&answer.status), "{what}: {answer:?}");
                broken += 1;
            }
        }
        assert!(
            table == "sessions" || broken > 0,
            "nothing noticed that {table} is away"
        );
        stage.act(|conn| database::batch(conn, &format!("ALTER TABLE away RENAME TO {table}")));
    }
    // It was all an interruption.
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(200);
}

#[actix_web::test]
async fn a39_no_secret_but_the_code_stands_in_an_address() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let mut addresses = Vec::new();
    let mut answer = browser
        .open(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    let mut code = None;
    for _ in 0..10 {
        let Some(next) = answer.header("location").map(str::to_owned) else {
            answer = browser.enter_only(&answer, "ada@acme.test").await;
            continue;
        };
        addresses.push(next.clone());
        if next.starts_with("http://127.0.0.1:8090/") {
            code = crate::support::query_of(&next, "code");
            break;
        }
        answer = browser.open(&next).await;
    }
    let tokens = Tokens::of(&stage.exchange(&code.unwrap(), &[]).await.expect(200));
    let id_token = tokens.id.clone().unwrap();
    let out = format!("/logout?client_id={WEB_CLIENT}&logout_uri=http%3A%2F%2F127.0.0.1%3A8090");
    let out = browser.open(&out).await;
    addresses.extend(out.header("location").map(str::to_owned));

    let mut secrets = vec![
        tokens.access.clone(),
        tokens.refresh.unwrap(),
        id_token,
        WEB_SECRET.to_owned(),
        VERIFIER.to_owned(),
        forebay::demo::registration(0, "").client_secret,
    ];
    secrets.extend(
        browser
            .cookies()
            .into_iter()
            .map(|(_, value)| value)
            .filter(|value| value.len() > 8),
    );
    assert!(addresses.len() >= 3, "{addresses:?}");
    for address in &addresses {
        for secret in &secrets {
            assert!(!address.contains(secret.as_str()), "{address} holds {secret}");
        }
    }
    assert!(
        !addresses
            .iter()
            .any(|address| address.contains(SPA_CLIENT) || address.contains(&format!("{POOL}%00")))
    );
}
