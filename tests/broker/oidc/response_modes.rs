//! How the answer travels: query, fragment or a form that posts itself, each with `state` and `iss`; implicit answers
//! never in a query (Multiple Response Types §2.1, Form Post §2, RFC 9207 §2).

use forebay::model::client::Flow;

use crate::support::{APP, Answer, Form, Stage, claims, query_of, unescape};

/// What the app receives: the parameters in the order they came.
fn received(answer: &Answer, mode: &str) -> Vec<(String, String)> {
    let parse = |text: &str| form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let callback = format!("{APP}/callback");
    if mode == "form_post" {
        assert_eq!(
            (answer.status, answer.header("location")),
            (200, None),
            "{answer:?}"
        );
        let form = Form::of(&answer.body).expect("a form");
        assert_eq!((form.method.as_str(), form.action), ("post", callback));
        return form.fields;
    }
    assert_eq!(answer.status, 302, "{answer:?}");
    let rest = answer.location().strip_prefix(&callback).unwrap();
    match mode {
        "fragment" => parse(rest.strip_prefix('#').expect("a fragment")),
        _ => parse(rest.strip_prefix('?').expect("a query")),
    }
}

fn names(fields: &[(String, String)]) -> Vec<&str> {
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

#[actix_web::test]
async fn m013_m014_state_and_issuer_come_with_success_and_error_in_every_mode() {
    let stage = Stage::new().await;
    let discovery = stage
        .get(&format!(
            "{}/.well-known/openid-configuration",
            stage.issuer().replace(crate::support::PUBLIC_URL, "")
        ))
        .await
        .expect(200)
        .json();
    let state = "\"><script>alert('x')</script>&amp;=+%20 ü\u{1F9ED}\\";
    let mut ada = stage.signed_in("ada@acme.test").await;
    for mode in ["query", "fragment", "form_post"] {
        for (more, expected) in [
            (("nonce", "n"), &["code", "state", "iss"][..]),
            (
                ("scope", "nonsense"),
                &["error_description", "state", "error", "iss"],
            ),
            (("max_age", "x"), &["error_description", "state", "error", "iss"]),
        ] {
            let url = stage.authorize(&[("response_mode", mode), ("state", state), more]);
            let answer = ada.open(&url).await;
            let fields = received(&answer, mode);
            assert_eq!(names(&fields), expected, "{mode}");
            let value = |name: &str| fields.iter().find(|(known, _)| known == name).unwrap().1.clone();
            assert_eq!(value("state"), state, "{mode}");
            assert_eq!(value("iss"), discovery["issuer"].as_str().unwrap(), "{mode}");
            let unsent = ada
                .open(&stage.authorize(&[("response_mode", mode), ("state", ""), more]))
                .await;
            assert!(!names(&received(&unsent, mode)).contains(&"state"), "{mode}");
        }
    }
    assert_eq!(
        discovery["response_modes_supported"],
        serde_json::json!(["query", "fragment", "form_post"])
    );
}

#[actix_web::test]
async fn m034_the_form_escapes_its_values_and_posts_itself_without_inline_script() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    let marker = "'\"><img src=x onerror=alert(1)></form><form action=https://evil.example>";
    let url = stage.authorize(&[("response_mode", "form_post"), ("state", marker)]);
    let page = ada.open(&url).await.expect(200);
    assert!(
        !page.body.contains("<img src=x") && !page.body.contains("<form action=https"),
        "{page:?}"
    );
    assert_eq!(page.body.matches("<form").count(), 1);
    assert!(unescape(&page.body).contains(marker));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    // One script, from a file of ours; without it the button does the same.
    let scripts: Vec<&str> = page.body.split("<script").skip(1).collect();
    assert_eq!(scripts.len(), 1);
    let source = scripts[0]
        .split("src=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(scripts[0].contains("></script>"), "nothing inline: {page:?}");
    let script = stage.get(source).await.expect(200);
    assert!(
        script
            .header("content-type")
            .unwrap()
            .starts_with("text/javascript"),
        "{script:?}"
    );
    assert!(page.body.contains("<button"), "{page:?}");
}

#[actix_web::test]
async fn form_post_carries_the_whole_story_and_its_code_works() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let url = stage.authorize(&[("response_mode", "form_post")]);
    let page = browser.sign_in("ada@acme.test", &url).await;
    let fields = received(&page, "form_post");
    assert_eq!(names(&fields), ["code", "state", "iss"]);
    assert!(browser.cookie("__Host-session-").is_some());
    assert_eq!(browser.cookie("__Host-login-"), None);
    stage.exchange(&fields[0].1, &[]).await.expect(200);
}

#[actix_web::test]
async fn m034_tokens_travel_by_fragment_or_form_and_never_by_query() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.flows.push(Flow::Implicit));
    let mut ada = stage.signed_in("ada@acme.test").await;
    let implicit = |mode| {
        stage.authorize(&[
            ("response_type", "token"),
            ("response_mode", mode),
            ("code_challenge", ""),
            ("code_challenge_method", ""),
        ])
    };
    for (mode, travels) in [
        ("", "fragment"),
        ("fragment", "fragment"),
        ("form_post", "form_post"),
    ] {
        let fields = received(&ada.open(&implicit(mode)).await, travels);
        assert_eq!(
            names(&fields),
            [
                "id_token",
                "access_token",
                "expires_in",
                "token_type",
                "state",
                "iss"
            ],
            "{mode}"
        );
        assert_eq!((fields[2].1.as_str(), fields[3].1.as_str()), ("3600", "Bearer"));
        let id = claims(&fields[0].1);
        assert_eq!(
            (id["nonce"].as_str(), id["token_use"].as_str()),
            (Some("no"), Some("id"))
        );
        stage.userinfo(&fields[1].1).await.expect(200);
    }
    let refused = ada.open(&implicit("query")).await;
    let fields = received(&refused, "fragment");
    assert_eq!(names(&fields), ["error_description", "state", "error", "iss"]);
    assert_eq!(fields[2].1, "invalid_request");
    // Errors of an implicit request stay out of the query, too.
    let url = format!("{}&max_age=x", implicit(""));
    let fields = received(&ada.open(&url).await, "fragment");
    assert_eq!(fields[2].1, "invalid_request");
}

#[actix_web::test]
async fn a_registered_query_is_kept_and_added_to() {
    let stage = Stage::new().await;
    let uri = "https://app.example/cb?tenant=a%20b&x";
    stage.change_web_client(|settings| settings.redirect_uris.push(uri.into()));
    let mut ada = stage.signed_in("ada@acme.test").await;
    let answer = ada
        .open(&stage.authorize(&[("redirect_uri", uri)]))
        .await
        .expect(302);
    assert!(
        answer.location().starts_with(&format!("{uri}&code=")),
        "{answer:?}"
    );
    assert_eq!(query_of(answer.location(), "tenant").as_deref(), Some("a b"));
    let url = stage.authorize(&[("redirect_uri", uri), ("response_mode", "fragment")]);
    let answer = ada.open(&url).await.expect(302);
    assert!(
        answer.location().starts_with(&format!("{uri}#code=")),
        "{answer:?}"
    );
}
