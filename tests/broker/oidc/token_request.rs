//! The token request itself (RFC 6749 §3.2, §5): how it must look, and how answers and refusals look.

use actix_web::test::TestRequest;
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};

use crate::support::{Stage, assert_refused, basic};

const FORM: &str = "application/x-www-form-urlencoded";

#[actix_web::test]
async fn m037_only_post_is_served_and_405_names_the_methods() {
    let stage = Stage::new().await;
    for (path, allow) in [
        ("/oauth2/token", "POST, OPTIONS"),
        ("/oauth2/revoke", "POST, OPTIONS"),
        ("/oauth2/userInfo", "GET, POST, OPTIONS"),
    ] {
        let methods = [
            TestRequest::get(),
            TestRequest::put(),
            TestRequest::delete(),
            TestRequest::patch(),
        ];
        let skip = usize::from(allow.starts_with("GET"));
        for request in methods.into_iter().skip(skip) {
            let answer = stage.send(request.uri(path)).await.expect(405);
            assert_eq!(answer.header("allow"), Some(allow), "{path}");
            assert_eq!(answer.body, "");
        }
    }
}

#[actix_web::test]
async fn m038_the_body_must_be_a_form_in_utf_8() {
    let stage = Stage::new().await;
    let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
    let send = async |content_type: Option<&str>, body: &[u8]| {
        let mut headers = vec![("authorization", header.as_str())];
        headers.extend(content_type.map(|value| ("content-type", value)));
        stage.raw("/oauth2/token", &headers, body).await
    };
    let good: &[u8] = b"grant_type=client_credentials";
    for right in [
        FORM,
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded;charset=utf-8",
    ] {
        send(Some(right), good).await.expect(200);
    }
    for (content_type, body) in [
        (
            Some("application/json"),
            &br#"{"grant_type":"client_credentials"}"#[..],
        ),
        (Some("application/json"), good),
        (Some("text/plain"), good),
        (Some("multipart/form-data; boundary=x"), good),
        (Some(""), good),
        (None, good),
        (Some(FORM), b"grant_type=client_credentials&x=%ff"),
        (Some(FORM), b"grant_type=client_credentials&x=\xff"),
        (Some(FORM), b"grant_type=client_credentials&x=%00"),
        (Some(FORM), b""),
    ] {
        assert_refused(&send(content_type, body).await, 400, "invalid_request");
    }
    let many = format!("grant_type=client_credentials{}", "&a".repeat(100));
    assert_refused(&send(Some(FORM), many.as_bytes()).await, 400, "invalid_request");
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_answered_413_whether_or_not_it_says_its_length() {
    let stage = Stage::new().await;
    let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
    let huge = vec![b'a'; 65_537];
    let announced = huge.len().to_string();
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"] {
        let mut headers = vec![("authorization", header.as_str()), ("content-type", FORM)];
        let answer = stage.raw(path, &headers, huge.clone()).await.expect(413);
        assert!(!answer.body.contains("token"), "{answer:?}");
        headers.push(("content-length", &announced));
        stage.raw(path, &headers, huge.clone()).await.expect(413);
    }
}

#[actix_web::test]
async fn m039_parameters_in_the_query_count_for_nothing() {
    let stage = Stage::new().await;
    let form = [("grant_type", "client_credentials")];
    let in_query = format!(
        "/oauth2/token?grant_type=client_credentials&client_id={MACHINE_CLIENT}&client_secret={MACHINE_SECRET}"
    );
    assert_refused(&stage.post(&in_query, &[], &form).await, 400, "invalid_client");
    assert_refused(
        &stage.post(&in_query, &[], &[("client_id", MACHINE_CLIENT)]).await,
        400,
        "invalid_client",
    );
    let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
    let headers = [("authorization", header.as_str())];
    let uri = "/oauth2/token?grant_type=client_credentials";
    assert_refused(
        &stage.post(uri, &headers, &[("x", "y")]).await,
        400,
        "invalid_request",
    );
    // Nor do they disturb: a query is not the request.
    let uri = "/oauth2/token?grant_type=password&grant_type=nonsense&scope=openid&client_id=x";
    stage.post(uri, &headers, &form).await.expect(200);
}

#[actix_web::test]
async fn m040_a_repeated_parameter_is_refused_even_with_the_same_value() {
    let stage = Stage::new().await;
    let header = basic(WEB_CLIENT, WEB_SECRET);
    for body in [
        "grant_type=refresh_token&grant_type=refresh_token&refresh_token=t",
        "grant_type=refresh_token&refresh_token=t&refresh_token=t",
        "grant_type=refresh_token&refresh_token=t&scope=openid&scope=openid",
        "grant_type=authorization_code&code=a&code=b",
        "grant_type=authorization_code&code=a&code_verifier=&code_verifier=",
        "grant_type=refresh_token&refresh_token=t&unknown=1&unknown=1",
        "grant_type=refresh_token&refresh_token=t&client_id=a&client_id=a",
    ] {
        let headers = [("authorization", header.as_str()), ("content-type", FORM)];
        let answer = stage.raw("/oauth2/token", &headers, body).await;
        assert_refused(&answer, 400, "invalid_request");
    }
}

#[actix_web::test]
async fn m048_the_grant_type_decides_the_error() {
    let stage = Stage::new().await;
    let (web, machine) = (
        basic(WEB_CLIENT, WEB_SECRET),
        basic(MACHINE_CLIENT, MACHINE_SECRET),
    );
    let code = ("code", "c");
    for (who, fields, error) in [
        (&web, vec![("x", "y")], "invalid_request"),
        (&web, vec![("grant_type", "")], "invalid_request"),
        (
            &web,
            vec![("grant_type", "authorization_code")],
            "invalid_request",
        ),
        (&web, vec![("grant_type", "refresh_token")], "invalid_request"),
        (&web, vec![("grant_type", "nonsense")], "unsupported_grant_type"),
        (
            &web,
            vec![("grant_type", "AUTHORIZATION_CODE"), code],
            "unsupported_grant_type",
        ),
        (
            &web,
            vec![("grant_type", "client_credentials")],
            "unauthorized_client",
        ),
        (
            &machine,
            vec![("grant_type", "authorization_code"), code],
            "unauthorized_client",
        ),
        (
            &machine,
            vec![("grant_type", "refresh_token"), ("refresh_token", "t")],
            "unauthorized_client",
        ),
    ] {
        assert_refused(&stage.token(Some(who), &fields).await, 400, error);
    }
}

#[actix_web::test]
async fn m049_there_is_no_password_grant_and_no_other_way_in() {
    let stage = Stage::new().await;
    let login = [("username", "ada@acme.test"), ("password", "demo")];
    for grant in [
        "password",
        "implicit",
        "token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
    ] {
        let fields = [("grant_type", grant), login[0], login[1], ("assertion", "a.b.c")];
        assert_refused(&stage.as_web(&fields).await, 400, "unsupported_grant_type");
    }
}

#[actix_web::test]
async fn m057_answers_are_json_that_nobody_stores() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    let answer = stage.exchange(&code, &[]).await.expect(200);
    for answer in [&answer, &stage.exchange(&code, &[]).await.expect(400)] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        assert_eq!(
            answer.header("content-type"),
            Some("application/json;charset=UTF-8")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(
            answer
                .header("x-amz-cognito-request-id")
                .is_some_and(|id| id.len() == 36)
        );
    }
    let json = answer.json();
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    let all = [
        "access_token",
        "expires_in",
        "id_token",
        "refresh_token",
        "scope",
        "token_type",
    ];
    assert_eq!(members, all);
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 3600);
}

#[actix_web::test]
async fn m057_the_scope_is_told_where_it_is_not_what_was_asked_for() {
    let stage = Stage::new().await;
    for (asked, granted) in [
        ("openid email", "openid email"),
        ("openid offline_access email openid", "openid email"),
        // none asked for: all that the client may have
        ("", "openid email phone profile"),
    ] {
        let code = stage.code_for("ada@acme.test", &[("scope", asked)]).await;
        let json = stage.exchange(&code, &[]).await.expect(200).json();
        assert_eq!(json["scope"], granted);
    }
}

#[actix_web::test]
async fn m058_a_refusal_is_an_error_code_and_a_sentence() {
    let stage = Stage::new().await;
    // `assert_refused` looks at all of it; here: every code, and that no refusal echoes what was sent.
    let marker = "marker-a8f3";
    let spa = ("client_id", SPA_CLIENT);
    for (who, fields, status, error) in [
        (
            None,
            vec![("grant_type", marker), spa],
            400,
            "unsupported_grant_type",
        ),
        (
            None,
            vec![("grant_type", "authorization_code"), ("code", marker), spa],
            400,
            "invalid_grant",
        ),
        (
            None,
            vec![("grant_type", "refresh_token"), ("refresh_token", marker), spa],
            400,
            "invalid_grant",
        ),
        (
            Some((MACHINE_CLIENT, MACHINE_SECRET)),
            vec![("grant_type", "client_credentials"), ("scope", marker)],
            400,
            "invalid_scope",
        ),
        (
            Some((MACHINE_CLIENT, MACHINE_SECRET)),
            vec![("grant_type", "client_credentials"), ("resource", marker)],
            400,
            "invalid_target",
        ),
        (
            Some((marker, marker)),
            vec![("grant_type", "refresh_token")],
            401,
            "invalid_client",
        ),
        (None, vec![("client_id", marker)], 400, "invalid_client"),
    ] {
        let header = who.map(|(id, secret)| basic(id, secret));
        let answer = stage.token(header.as_deref(), &fields).await;
        assert_refused(&answer, status, error);
        assert!(!answer.body.contains(marker), "{answer:?}");
    }
}

#[actix_web::test]
async fn scripts_of_any_origin_may_call_and_the_preflight_says_so() {
    let stage = Stage::new().await;
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"] {
        let preflight = TestRequest::default()
            .method(actix_web::http::Method::OPTIONS)
            .uri(path)
            .insert_header(("origin", "https://app.example"))
            .insert_header(("access-control-request-method", "POST"))
            .insert_header(("access-control-request-headers", "x-amz-user-agent"));
        let answer = stage.send(preflight).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(
            answer
                .header("access-control-allow-methods")
                .unwrap()
                .contains("POST")
        );
        let headers = answer.header("access-control-allow-headers").unwrap();
        for needed in ["authorization", "content-type", "x-amz-user-agent"] {
            assert!(headers.contains(needed), "{headers}");
        }
        let refused = stage
            .post(path, &[("origin", "https://app.example")], &[("x", "y")])
            .await;
        assert!(refused.status >= 400);
        for answer in [&answer, &refused] {
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some("*"),
                "{answer:?}"
            );
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
}
