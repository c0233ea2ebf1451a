//! How clients prove themselves at the token endpoint (RFC 6749 §2.3): one way at a time, and one answer for every
//! failure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay::actions::clients;
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client;
use zeroize::Zeroizing;

use crate::support::{SPA_CALLBACK, Stage, assert_refused, basic};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[actix_web::test]
async fn m041_m115_a_client_proves_itself_in_one_way() {
    let stage = Stage::new().await;
    let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
    let (id, secret) = (("client_id", MACHINE_CLIENT), ("client_secret", MACHINE_SECRET));
    stage.token(Some(&header), &[GRANT]).await.expect(200);
    stage.token(Some(&header), &[GRANT, id]).await.expect(200);
    stage.token(None, &[GRANT, id, secret]).await.expect(200);
    for fields in [
        vec![GRANT, secret],
        vec![GRANT, id, secret],
        vec![GRANT, ("client_id", WEB_CLIENT)],
    ] {
        assert_refused(&stage.token(Some(&header), &fields).await, 400, "invalid_request");
    }
    for assertion in ["client_assertion", "client_assertion_type"] {
        let answer = stage.token(None, &[GRANT, id, secret, (assertion, "x")]).await;
        assert_refused(&answer, 400, "invalid_client");
    }
    // Two headers are two ways, too.
    let twice = actix_web::test::TestRequest::post()
        .uri("/oauth2/token")
        .append_header(("authorization", header.as_str()))
        .append_header(("authorization", header.as_str()))
        .set_form([GRANT]);
    assert_refused(&stage.send(twice).await, 401, "invalid_client");
}

#[actix_web::test]
async fn m042_m047_a_client_with_a_secret_never_acts_without_it() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.unwrap();
    let id = ("client_id", WEB_CLIENT);
    for fields in [
        vec![("grant_type", "authorization_code"), ("code", &code), id],
        vec![("grant_type", "refresh_token"), ("refresh_token", &refresh), id],
        vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            id,
            ("client_secret", ""),
        ],
        vec![("grant_type", "refresh_token"), ("refresh_token", &refresh)],
    ] {
        assert_refused(&stage.token(None, &fields).await, 400, "invalid_client");
    }
    let answer = stage
        .token(Some(&basic(WEB_CLIENT, "")), &[("grant_type", "refresh_token")])
        .await;
    assert_refused(&answer, 401, "invalid_client");
    // Nothing of that spent anything.
    stage.exchange(&code, &[]).await.expect(200);
    stage.refresh(&refresh).await.expect(200);
}

#[actix_web::test]
async fn a_public_client_has_no_secret_to_send() {
    let stage = Stage::new().await;
    let code = stage.spa_code("ada@acme.test").await;
    let with_secret = [
        ("client_id", SPA_CLIENT),
        ("redirect_uri", SPA_CALLBACK),
        ("client_secret", "anything"),
    ];
    assert_refused(&stage.exchange(&code, &with_secret).await, 400, "invalid_client");
    stage.exchange(&code, &with_secret[..2]).await.expect(200);
}

#[actix_web::test]
async fn m043_basic_credentials_are_form_decoded_after_base64() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    for secret in [
        "with:colon:and%25percent+plus-0123456789",
        "with spaces and & ampersand=equals 0123",
        "mit Umläuten äöü und 日本語 0123456789",
        "plain_0123456789_0123456789_0123456789",
    ] {
        let id = stage.act(|conn| {
            // Any secret that a client may have elsewhere, straight into the store.
            let held = client::secrets(conn, MACHINE_CLIENT).unwrap();
            let row = client::Secret {
                id: format!("{MACHINE_CLIENT}--9"),
                hash: forebay::rules::secret::hash(secret),
                created_at: ctx.now,
                ..held[0].clone()
            };
            client::insert_secret(conn, &row).unwrap();
            row.id
        });
        stage
            .token(Some(&basic(MACHINE_CLIENT, secret)), &[GRANT])
            .await
            .expect(200);
        let fields = [GRANT, ("client_id", MACHINE_CLIENT), ("client_secret", secret)];
        stage.token(None, &fields).await.expect(200);
        stage.act(|conn| client::delete_secret(conn, MACHINE_CLIENT, &id).unwrap());
    }
}

#[actix_web::test]
async fn m044_a_failure_by_header_is_answered_401_with_its_scheme() {
    let stage = Stage::new().await;
    let answer = stage.token(Some(&basic(MACHINE_CLIENT, "wrong")), &[GRANT]).await;
    assert_refused(&answer, 401, "invalid_client");
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Basic realm=\"forebay\", charset=\"UTF-8\"")
    );
    let fields = [GRANT, ("client_id", MACHINE_CLIENT), ("client_secret", "wrong")];
    assert_refused(&stage.token(None, &fields).await, 400, "invalid_client");
}

#[actix_web::test]
async fn m045_unknown_disabled_and_wrong_are_one_answer() {
    let stage = Stage::new().await;
    stage.another_client("disabledclient000000000001", MACHINE_SECRET);
    stage.change_client("disabledclient000000000001", |client| client.enabled = false);
    let shape = |answer: crate::support::Answer| {
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "x-amz-cognito-request-id");
        (answer.status, headers, answer.body)
    };
    let mut by_header = Vec::new();
    let mut by_form = Vec::new();
    for (id, secret) in [
        ("nosuchclient00000000000001", "wrong"),
        ("nosuchclient00000000000001", ""),
        (MACHINE_CLIENT, "wrong"),
        (MACHINE_CLIENT, ""),
        (MACHINE_CLIENT, WEB_SECRET),
        (WEB_CLIENT, MACHINE_SECRET),
        ("disabledclient000000000001", MACHINE_SECRET),
        ("disabledclient000000000001", "wrong"),
        ("DEMOMACHINE000000000000001", MACHINE_SECRET),
        ("' OR 1=1 --", MACHINE_SECRET),
    ] {
        by_header.push(shape(stage.token(Some(&basic(id, secret)), &[GRANT]).await));
        let fields = [GRANT, ("client_id", id), ("client_secret", secret)];
        by_form.push(shape(stage.token(None, &fields).await));
    }
    for answers in [by_header, by_form] {
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        assert!(answers[0].2.contains("\"invalid_client\""));
    }
}

#[actix_web::test]
async fn m046_a_generated_secret_has_far_more_than_128_bits_and_only_its_hash_is_compared() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let made = stage.act(|conn| clients::add_secret(conn, &ctx, MACHINE_CLIENT, None).unwrap());
    // 32 letters: five bits each.
    assert!(made.text.len() * 5 >= 256);
    let rows = stage.act(|conn| client::secrets(conn, MACHINE_CLIENT).unwrap());
    let row = rows.iter().find(|row| row.id == made.id).unwrap();
    assert_eq!(row.hash.len(), 32);
    let stored = [&row.hash[..], &row.sealed[..]].concat();
    assert!(
        !stored
            .windows(8)
            .any(|window| made.text.as_bytes().starts_with(window))
    );
    stage
        .token(Some(&basic(MACHINE_CLIENT, &made.text)), &[GRANT])
        .await
        .expect(200);
}

#[actix_web::test]
async fn two_secrets_live_while_apps_change_over() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let new = "the_new_secret_of_the_machine_client_0002";
    let works = async |secret: &str| {
        stage
            .token(Some(&basic(MACHINE_CLIENT, secret)), &[GRANT])
            .await
            .status
    };
    assert_eq!((works(MACHINE_SECRET).await, works(new).await), (200, 401));

    let text = Zeroizing::new(new.to_owned());
    stage.act(|conn| clients::add_secret(conn, &ctx, MACHINE_CLIENT, Some(text)).unwrap());
    assert_eq!((works(MACHINE_SECRET).await, works(new).await), (200, 200));

    stage.act(|conn| {
        let hash = forebay::rules::secret::hash(MACHINE_SECRET);
        let held = client::secrets(conn, MACHINE_CLIENT).unwrap();
        let old = held.iter().find(|secret| secret.hash == hash).unwrap();
        clients::delete_secret(conn, &ctx, MACHINE_CLIENT, &old.id).unwrap();
    });
    assert_eq!((works(MACHINE_SECRET).await, works(new).await), (401, 200));
}

#[actix_web::test]
async fn a126_malformed_authorization_headers_are_refused_and_nothing_breaks() {
    let stage = Stage::new().await;
    let encoded = |bytes: &[u8]| format!("Basic {}", STANDARD.encode(bytes));
    let mut corpus: Vec<String> = [
        "",
        " ",
        "Basic",
        "Basic ",
        "basic",
        "Basic  ",
        "Basic =",
        "Basic ====",
        "Basic !!!!",
        "Basic a",
        "Basic YQ",
        "Basic Og==",
        "Bearer x",
        "Digest username=\"a\"",
        "Negotiate",
        "Basic\tYTpi",
        "BasicYTpi",
        "Basic YTpi YTpi",
        "Basic YTpi,Basic YTpi",
        ":",
        "=",
    ]
    .map(String::from)
    .to_vec();
    corpus.extend([
        encoded(b""),
        encoded(b":"),
        encoded(b"id"),
        encoded(b":secret"),
        encoded(b"\xff\xfe:\xff"),
        encoded(b"%:%"),
        encoded(b"%f:%zz"),
        encoded(b"%ff:%00"),
        encoded("é:ü".as_bytes()),
        encoded(&[0; 64]),
        encoded(&vec![b'a'; 4000]),
        encoded(format!("{MACHINE_CLIENT}:{}", "x".repeat(1500)).as_bytes()),
        format!("Basic {}", "A".repeat(8000)),
    ]);
    for header in corpus {
        let answer = stage.token(Some(&header), &[GRANT]).await;
        assert_refused(&answer, 401, "invalid_client");
    }
    // Bytes that are no text at all
    let bytes = actix_web::http::header::HeaderValue::from_bytes(b"Basic \xff\xfe\x80").unwrap();
    let request = actix_web::test::TestRequest::post()
        .uri("/oauth2/token")
        .insert_header((actix_web::http::header::AUTHORIZATION, bytes))
        .set_form([GRANT]);
    assert_refused(&stage.send(request).await, 401, "invalid_client");
    stage.as_machine(&[]).await.expect(200);
}
