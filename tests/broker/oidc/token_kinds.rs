//! One kind of token given where another is taken, forged tokens, cut tokens, another pool's tokens: only the diagonal
//! passes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forebay::demo::okta::Server;
use forebay::demo::{POOL, WEB_CLIENT, WEB_SECRET};
use forebay::rules::params;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use crate::support::{
    OTHER_CLIENT, OTHER_POOL, OTHER_SECRET, Stage, VERIFIER, assert_refused, basic, claims, header,
};

/// Everything opaque or signed that leaves the broker in one sign-in, by name.
async fn every_kind(stage: &Stage) -> Vec<(&'static str, String)> {
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let mut browser = stage.browser();
    let page = browser
        .to_sign_in_page("ada@acme.test", &stage.authorize(&[]))
        .await;
    let (login_name, sealed_login) = browser.cookie("__Host-").unwrap();
    let upstream_state = crate::support::query_of(browser.url.as_str(), "state").unwrap();
    let back = browser.enter(&page, "ada@acme.test").await;
    let code = crate::support::query_of(back.location(), "code").unwrap();
    let session = browser
        .cookies()
        .into_iter()
        .find(|(name, _)| name.starts_with("__Host-") && *name != login_name)
        .unwrap()
        .1;
    let upstream = json!({ "iss": stage.acme.issuer(), "sub": "00u1ada000000000acme", "aud": "x", "exp": 9_999_999_999_u64 });
    let upstream_id_token = stage
        .acme
        .sign(Server::Org, &Map::new(), upstream.as_object().unwrap())
        .unwrap();
    let refused = stage
        .browser()
        .sign_in("linus@acme.test", &stage.authorize(&[]))
        .await;
    vec![
        ("access", tokens.access),
        ("id", tokens.id.unwrap()),
        ("refresh", tokens.refresh.unwrap()),
        ("code", code),
        ("session", session),
        ("sealed login", sealed_login),
        ("upstream state", upstream_state),
        ("upstream ID token", upstream_id_token),
        ("trace code", refused.trace_code().unwrap()),
        (
            "machine",
            stage.as_machine(&[]).await.json()["access_token"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
        ("client secret", WEB_SECRET.to_owned()),
        ("client id", WEB_CLIENT.to_owned()),
        ("verifier", VERIFIER.to_owned()),
    ]
}

#[actix_web::test]
async fn m066_a70_a2_every_value_is_refused_wherever_another_kind_is_taken() {
    let stage = Stage::new().await;
    let kinds = every_kind(&stage).await;
    // The diagonal comes last: a code is good once.
    for (kind, value) in &kinds {
        if *kind != "refresh" {
            assert_refused(&stage.refresh(value).await, 400, "invalid_grant");
        }
        if *kind != "code" {
            assert_refused(&stage.exchange(value, &[]).await, 400, "invalid_grant");
        }
        if *kind != "access" {
            let expected = if *kind == "machine" { 403 } else { 401 };
            assert_eq!(stage.userinfo(value).await.status, expected, "{kind} at userInfo");
        }
        if *kind != "client secret" {
            let answer = stage
                .token(
                    Some(&basic(WEB_CLIENT, value)),
                    &[("grant_type", "refresh_token")],
                )
                .await;
            assert_refused(&answer, 401, "invalid_client");
        }
        if *kind != "id" {
            // At authorize as a hint, in a browser that is signed in to nothing: never a success.
            let url = stage.authorize(&[("prompt", "none"), ("id_token_hint", value)]);
            if url.len() < 8_000 {
                let answer = stage.get(&url).await;
                assert!(
                    !answer.header("location").is_some_and(|to| to.contains("code=")),
                    "{kind}: {answer:?}"
                );
            }
        }
        if *kind != "session" {
            let mut browser = stage.browser();
            let names: Vec<String> = {
                let mut signed_in = stage.browser();
                signed_in.sign_in("grace@acme.test", &stage.authorize(&[])).await;
                signed_in.cookies().into_iter().map(|(name, _)| name).collect()
            };
            // A71: as the value of each cookie that a signed-in browser has for us
            for name in names.iter().filter(|name| name.starts_with("__Host-")) {
                if value.len() + name.len() <= 4_096 {
                    browser.set_cookie(name, value);
                }
            }
            let answer = browser.open(&stage.authorize(&[("prompt", "none")])).await;
            assert!(
                !answer.header("location").is_some_and(|to| to.contains("code=")),
                "{kind}: {answer:?}"
            );
        }
    }
    let find = |name: &str| kinds.iter().find(|(kind, _)| *kind == name).unwrap().1.clone();
    stage.userinfo(&find("access")).await.expect(200);
    stage.refresh(&find("refresh")).await.expect(200);
    stage.exchange(&find("code"), &[]).await.expect(200);
}

#[actix_web::test]
async fn a70_only_refresh_tokens_are_revoked() {
    let stage = Stage::new().await;
    for (kind, value) in every_kind(&stage).await {
        let answer = stage.revoke(&value).await;
        match kind {
            "access" | "id" | "machine" => assert_refused(&answer, 400, "unsupported_token_type"),
            _ => assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{kind}"),
        }
    }
}

#[actix_web::test]
async fn a23_a_value_that_was_cut_padded_or_changed_is_another_value() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.unwrap();
    let code = stage.code_for("ada@acme.test", &[]).await;
    let flip = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at].is_ascii_alphabetic() {
            bytes[at] ^ 0x20
        } else {
            b'A'
        };
        String::from_utf8(bytes).unwrap()
    };
    for value in [&refresh, &code] {
        let mut changed = vec![
            format!("{value}A"),
            format!("{value}="),
            format!("{value} "),
            format!(" {value}"),
            format!("{value}\n"),
            format!("{value}%"),
            value.to_lowercase(),
            value.to_uppercase(),
            value.repeat(2),
            "%".into(),
            "_".repeat(43),
        ];
        for at in 0..value.len() {
            changed.push(value[..at].to_owned());
            changed.push(flip(value, at));
        }
        for other in changed.iter().filter(|other| !other.is_empty()) {
            let answer = if value == &refresh {
                stage.refresh(other).await
            } else {
                stage.exchange(other, &[]).await
            };
            assert_refused(&answer, 400, "invalid_grant");
        }
    }
    stage.refresh(&refresh).await.expect(200);
    stage.exchange(&code, &[]).await.expect(200);
}

#[actix_web::test]
async fn a72_a_token_signed_in_another_way_is_no_token() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let (good, kid) = (claims(&tokens.access), header(&tokens.access)["kid"].clone());
    let keys = stage.get(&format!("/{POOL}/.well-known/jwks.json")).await.json();
    let jwk = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid)
        .unwrap()
        .clone();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = tokens.access.rsplit('.').next().unwrap();
    let mut forged = Vec::new();
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "RS512", "PS256", "ES256", "rs256",
    ] {
        let head = encode(&json!({ "alg": alg, "kid": kid, "typ": "at+jwt" }));
        for end in ["", signature, "AAAA"] {
            forged.push(format!("{head}.{}.{end}", encode(&good)));
        }
    }
    // HS256 with what everybody can read as the key
    for secret in [
        jwk.to_string(),
        jwk["n"].as_str().unwrap().to_owned(),
        keys.to_string(),
        String::new(),
    ] {
        let mut head = Header::new(Algorithm::HS256);
        head.kid = Some(kid.as_str().unwrap().to_owned());
        forged
            .push(jsonwebtoken::encode(&head, &good, &EncodingKey::from_secret(secret.as_bytes())).unwrap());
    }
    // The right signature under a header or claims that say more
    for head in [
        json!({ "alg": "RS256", "kid": kid, "typ": "at+jwt", "b64": false, "crit": ["b64"] }),
        json!({ "alg": "RS256", "kid": kid, "typ": "at+jwt", "jwk": jwk }),
        json!({ "alg": "RS256", "typ": "at+jwt" }),
        json!({ "alg": "RS256", "kid": "../../../dev/null" }),
        json!({ "alg": "RS256", "kid": [kid] }),
        json!({ "alg": "RS256", "kid": kid, "typ": "logout+jwt" }),
    ] {
        forged.push(format!("{}.{}.{signature}", encode(&head), encode(&good)));
    }
    let mut admin = good.clone();
    admin["sub"] = json!("somebody-else");
    let (head, rest) = tokens.access.split_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().0;
    forged.extend([
        format!("{head}.{}.{signature}", encode(&admin)),
        format!(
            "{head}.{payload}.{}",
            signature.trim_end_matches(char::is_alphanumeric)
        ),
        format!("{head}.{payload}.{signature}.{signature}"),
        format!("{head}.{payload}..{signature}.x"),
        format!("{{\"payload\":\"{payload}\",\"signatures\":[]}}"),
    ]);
    for token in &forged {
        let answer = stage.userinfo(token).await;
        assert_eq!(answer.status, 401, "{token}");
        assert!(stage.revoke(token).await.status != 500);
    }
    stage.userinfo(&tokens.access).await.expect(200);
}

#[actix_web::test]
async fn a105_nothing_of_one_pool_is_good_in_another_on_the_same_host() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    let (ours, others) = (
        stage.tokens_for("ada@acme.test", &[]).await,
        stage.other_tokens("ada@acme.test").await,
    );
    let (mine, theirs) = (claims(&ours.access), claims(&others.access));
    assert_eq!(theirs["iss"], format!("http://localhost:8080/{OTHER_POOL}"));
    assert_ne!(mine["sub"], theirs["sub"], "one person upstream, two users");
    assert_ne!(header(&ours.access)["kid"], header(&others.access)["kid"]);

    // Each token tells about its own pool's user only.
    assert_eq!(
        stage.userinfo(&ours.access).await.expect(200).json()["sub"],
        mine["sub"]
    );
    assert_eq!(
        stage.userinfo(&others.access).await.expect(200).json()["sub"],
        theirs["sub"]
    );

    let other = basic(OTHER_CLIENT, OTHER_SECRET);
    let refresh = |token: &str| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
        ]
    };
    let as_fields =
        |fields: &[(&'static str, String)]| params::encode(fields.iter().map(|(n, v)| (*n, v.as_str())));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let headers = [("authorization", other.as_str()), form];
    let body = as_fields(&refresh(ours.refresh.as_deref().unwrap()));
    assert_refused(
        &stage.raw("/oauth2/token", &headers, body).await,
        400,
        "invalid_grant",
    );
    assert_refused(
        &stage.refresh(others.refresh.as_deref().unwrap()).await,
        400,
        "invalid_grant",
    );

    let code = stage.other_code("ada@acme.test").await;
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");

    // Revocation elsewhere is of nothing.
    stage.revoke(others.refresh.as_deref().unwrap()).await.expect(200);
    stage.revoke(&others.access).await.expect(200);
    stage.userinfo(&others.access).await.expect(200);
    // An ID token of the other pool is no hint here.
    let hint = stage.authorize(&[
        ("prompt", "none"),
        ("id_token_hint", others.id.as_deref().unwrap()),
    ]);
    let answer = stage.get(&hint).await;
    assert!(
        !answer.header("location").is_some_and(|to| to.contains("code=")),
        "{answer:?}"
    );
}
