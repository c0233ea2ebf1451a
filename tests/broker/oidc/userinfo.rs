//! userInfo (OIDC Core §5.3, RFC 6750): who is asked for, how the token comes, what is refused.

use actix_web::test::TestRequest;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::user;
use forebay::rules::jwt::{self, SignKey, Typ};
use serde_json::{Value, json};

use crate::support::{Answer, Stage, claims};

/// A refusal, whole: status, the challenge with its error, no body.
#[track_caller]
fn assert_challenged(answer: &Answer, status: u16, error: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer realm="), "{answer:?}");
    match error {
        Some(error) => assert!(challenge.contains(&format!("error=\"{error}\"")), "{answer:?}"),
        None => assert!(!challenge.contains("error"), "{answer:?}"),
    }
    assert_eq!(answer.body, "");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn with_header(stage: &Stage, value: &str) -> Answer {
    stage
        .send(
            TestRequest::get()
                .uri("/oauth2/userInfo")
                .insert_header(("authorization", value)),
        )
        .await
}

#[actix_web::test]
async fn m080_get_and_post_take_a_bearer_token_in_header_or_form() {
    let stage = Stage::new().await;
    let token = stage.tokens_for("ada@acme.test", &[]).await.access;
    let bearer = format!("Bearer {token}");
    let header = [("authorization", bearer.as_str())];
    let by_get = stage.userinfo(&token).await.expect(200);
    assert_eq!(by_get.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        by_get.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(by_get.header("cache-control"), Some("no-store"));
    let path = "/oauth2/userInfo";
    for answer in [
        stage.raw(path, &header, "").await,
        stage.post(path, &header, &[("x", "y")]).await,
        stage.post(path, &[], &[("access_token", &token)]).await,
        with_header(&stage, &format!("bearer {token}")).await,
        with_header(&stage, &format!("BEARER  {token} ")).await,
    ] {
        assert_eq!(answer.expect(200).json(), by_get.json());
    }
}

#[actix_web::test]
async fn m081_m087_the_scopes_and_the_clients_readable_attributes_decide() {
    let stage = Stage::new().await;
    let profile = [
        "custom:department",
        "family_name",
        "given_name",
        "locale",
        "name",
        "preferred_username",
        "zoneinfo",
    ];
    let email = ["email", "email_verified"];
    for (scope, expected) in [
        ("openid", [&profile[..], &email].concat()),
        ("openid email", email.to_vec()),
        ("openid profile", profile.to_vec()),
        ("openid phone", vec![]),
        ("openid email profile phone", [&profile[..], &email].concat()),
    ] {
        let tokens = stage.tokens_for("ada@acme.test", &[("scope", scope)]).await;
        let info = stage.userinfo(&tokens.access).await.expect(200).json();
        let mut expected: Vec<&str> = expected.into_iter().chain(["sub", "username"]).collect();
        expected.sort_unstable();
        assert_eq!(
            info.as_object().unwrap().keys().collect::<Vec<_>>(),
            expected,
            "{scope}"
        );
        assert_eq!(info["sub"], claims(&tokens.access)["sub"]);
        assert_eq!(info["username"], "acme-okta_00u1ada000000000acme");
    }
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    stage.change_web_client(|settings| settings.read_attributes = Some(vec!["email".into()]));
    let info = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(
        info.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["email", "sub", "username"]
    );
}

#[actix_web::test]
async fn values_have_their_json_types() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[("scope", "openid")]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        for (name, value) in [
            ("email_verified", json!(true)),
            ("phone_number", json!("+14155550100")),
            ("phone_number_verified", json!(false)),
            ("updated_at", json!(1_764_000_000)),
            ("custom:department", json!("R&D")),
        ] {
            row.attributes.0.insert(name.into(), value);
        }
        user::update(conn, &row).unwrap();
    });
    let info = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(info["email_verified"], json!(true));
    assert_eq!(info["phone_number_verified"], json!(false));
    assert_eq!(info["updated_at"], json!(1_764_000_000));
    assert_eq!(info["custom:department"], json!("R&D"));
}

#[actix_web::test]
async fn m082_no_token_is_asked_for_and_a_wrong_one_is_named() {
    let stage = Stage::new().await;
    let path = "/oauth2/userInfo";
    for answer in [
        stage.get(path).await,
        stage.raw(path, &[], "").await,
        stage.post(path, &[], &[("x", "y")]).await,
        // Another scheme is no token of ours (RFC 6750 §3.1).
        with_header(&stage, "Basic YTpi").await,
        with_header(&stage, "DPoP a.b.c").await,
        with_header(&stage, "a.b.c").await,
    ] {
        assert_challenged(&answer, 401, None);
    }
    for token in ["x", "a.b.c", "", "....", "eyJhbGciOiJub25lIn0.e30."] {
        assert_challenged(&stage.userinfo(token).await, 401, Some("invalid_token"));
    }
    let answer = stage.userinfo("x").await;
    assert_eq!(
        answer.header("www-authenticate").unwrap(),
        "Bearer realm=\"forebay\", error=\"invalid_token\", error_description=\"Access token is expired, disabled, or \
         deleted, or the user has globally signed out.\""
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("WWW-Authenticate")
    );
}

#[actix_web::test]
async fn m083_m084_a_token_in_the_query_or_in_two_places_is_refused() {
    let stage = Stage::new().await;
    let token = stage.tokens_for("ada@acme.test", &[]).await.access;
    let bearer = format!("Bearer {token}");
    let header = [("authorization", bearer.as_str())];
    let query = format!("/oauth2/userInfo?access_token={token}");
    let path = "/oauth2/userInfo";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let twice = format!("access_token={token}&access_token={token}");
    let two_headers = TestRequest::get()
        .uri(path)
        .append_header(("authorization", bearer.as_str()))
        .append_header(("authorization", bearer.as_str()));
    for answer in [
        stage.get(&query).await,
        stage.post(&query, &header, &[("x", "y")]).await,
        stage.post(path, &header, &[("access_token", &token)]).await,
        stage.raw(path, &form, twice).await,
        stage.raw(path, &form, "access_token=%ff").await,
        stage.send(two_headers).await,
        with_header(&stage, "Bearer").await,
    ] {
        assert_challenged(&answer, 400, Some("invalid_request"));
    }
}

#[actix_web::test]
async fn m085_only_a_live_access_token_of_ours_is_good() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    for other in [tokens.id.as_deref().unwrap(), tokens.refresh.as_deref().unwrap()] {
        assert_challenged(&stage.userinfo(other).await, 401, Some("invalid_token"));
    }
    stage.clock.advance(3_599);
    stage.userinfo(&tokens.access).await.expect(200);
    stage.clock.advance(1);
    assert_challenged(&stage.userinfo(&tokens.access).await, 401, Some("invalid_token"));

    let revoked = stage.tokens_for("ada@acme.test", &[]).await;
    stage
        .revoke(revoked.refresh.as_deref().unwrap())
        .await
        .expect(200);
    assert_challenged(&stage.userinfo(&revoked.access).await, 401, Some("invalid_token"));
}

#[actix_web::test]
async fn m085_a_well_signed_token_must_still_fit_its_family() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let grace = stage.tokens_for("grace@acme.test", &[]).await;
    stage.add_other_pool();
    let good = claims(&tokens.access);
    let key = |pool: &str| {
        let id = pool.to_owned();
        let broker = stage.broker.clone();
        async move { broker.pool(&id).await.unwrap().unwrap().access_token_key.clone() }
    };
    let (ours, others): (SignKey, SignKey) = (key(POOL).await, key(crate::support::OTHER_POOL).await);
    let forge = |key: &SignKey, name: &str, value: Value| {
        let mut changed = good.clone();
        match value {
            Value::Null => changed.as_object_mut().unwrap().remove(name),
            value => changed.as_object_mut().unwrap().insert(name.into(), value),
        };
        jwt::sign(key, Typ::AccessToken, &changed).unwrap()
    };
    stage
        .userinfo(&forge(&ours, "jti", json!("another")))
        .await
        .expect(200);
    for (key, name, value) in [
        (&others, "jti", json!("another")),
        (
            &others,
            "iss",
            json!(format!(
                "{}/{}",
                crate::support::PUBLIC_URL,
                crate::support::OTHER_POOL
            )),
        ),
        (&ours, "iss", json!(format!("{}/", stage.issuer()))),
        (&ours, "iss", json!([stage.issuer()])),
        (&ours, "iss", Value::Null),
        (&ours, "token_use", json!("id")),
        (&ours, "token_use", Value::Null),
        (&ours, "sub", claims(&grace.access)["sub"].clone()),
        (&ours, "origin_jti", claims(&grace.access)["origin_jti"].clone()),
        (&ours, "origin_jti", json!("no-such-family")),
        (&ours, "client_id", json!(forebay::demo::SPA_CLIENT)),
        (&ours, "client_id", json!(crate::support::OTHER_CLIENT)),
        (&ours, "client_id", json!("no-such-client")),
        // A76: times that are none
        (&ours, "exp", json!("9999999999")),
        (&ours, "exp", json!(1e300)),
        (&ours, "exp", json!(-1)),
        (&ours, "exp", json!([9_999_999_999_u64])),
        (&ours, "exp", Value::Null),
    ] {
        let token = forge(key, name, value.clone());
        let answer = stage.userinfo(&token).await;
        assert_eq!(answer.status, 401, "{name} = {value}: {answer:?}");
    }
    assert_eq!(good["client_id"], WEB_CLIENT);
}

#[actix_web::test]
async fn m086_a_token_without_openid_gets_nothing() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_deref().unwrap()),
        ("scope", "email profile"),
    ];
    let narrowed = stage.as_web(&fields).await.expect(200).json();
    let answer = stage.userinfo(narrowed["access_token"].as_str().unwrap()).await;
    assert_challenged(&answer, 403, Some("insufficient_scope"));
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .contains("scope=\"openid\"")
    );
}

#[actix_web::test]
async fn a126_malformed_bearer_headers_are_refused_and_nothing_breaks() {
    let stage = Stage::new().await;
    let token = stage.tokens_for("ada@acme.test", &[]).await.access;
    let (head, rest) = token.split_once('.').unwrap();
    for value in [
        "Bearer ".to_owned(),
        "Bearer .".to_owned(),
        "Bearer ..".to_owned(),
        format!("Bearer {}", ".".repeat(5_000)),
        format!("Bearer {}", "A".repeat(12_000)),
        format!("Bearer {head}"),
        format!("Bearer {head}."),
        format!("Bearer {head}.{rest}."),
        format!("Bearer {head}.{rest}.x.y"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},{token}"),
        format!("Bearer \"{token}\""),
        "Bearer eyJhbGciOiJSUzI1NiJ9.W10.".to_owned(),
        "Bearer eyJhbGciOiJSUzI1NiJ9.bnVsbA.".to_owned(),
        "Bearer bnVsbA.bnVsbA.bnVsbA".to_owned(),
        "Bearer !!!.***.###".to_owned(),
    ] {
        let answer = with_header(&stage, &value).await;
        assert_challenged(&answer, 401, Some("invalid_token"));
    }
    let bytes = actix_web::http::header::HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    let request = TestRequest::get()
        .uri("/oauth2/userInfo")
        .insert_header((actix_web::http::header::AUTHORIZATION, bytes));
    assert_challenged(&stage.send(request).await, 400, Some("invalid_request"));
    stage.userinfo(&token).await.expect(200);
}
