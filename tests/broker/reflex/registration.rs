//! Registration by API: RFC 7591 and 7592, with an end.

use actix_web::test::TestRequest;
use forebay::actions::credentials::{self, NewCredential};
use forebay::demo::{ACCESS_KEY, ACCESS_SECRET, POOL, WEB_CLIENT};
use forebay::jobs;
use forebay::model::client;
use forebay::model::credential::Role;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{Answer, NOW, OTHER_POOL, PUBLIC_URL, Stage, Tokens, basic, claims, path_of, query_of};

const SANDBOX: &str = "https://sandbox-7.example.com/authorization-code/callback";

fn initial() -> String {
    format!("Bearer {ACCESS_KEY}.{ACCESS_SECRET}")
}

async fn register(stage: &Stage, authorization: &str, metadata: &Value) -> Answer {
    let headers = [
        ("authorization", authorization),
        ("content-type", "application/json"),
    ];
    stage
        .raw("/oauth2/register", &headers, metadata.to_string())
        .await
}

fn sandbox() -> Value {
    json!({
        "redirect_uris": [SANDBOX], "client_name": "Sandbox 7", "user_pool_id": POOL, "expires_in": 3600,
        "scope": "openid email", "identity_providers": ["acme-okta"], "software_id": "passed over",
    })
}

async fn at(stage: &Stage, method: &str, uri: &str, token: &str) -> Answer {
    let request = match method {
        "DELETE" => TestRequest::delete(),
        _ => TestRequest::get(),
    };
    let header = ("authorization", format!("Bearer {token}"));
    stage.send(request.uri(&path_of(uri)).insert_header(header)).await
}

/// A sign-in of the sandbox, up to its tokens.
async fn signs_in(stage: &Stage, id: &str, secret: &str) -> Answer {
    let asked = [
        ("client_id", id),
        ("redirect_uri", SANDBOX),
        ("scope", "openid email"),
    ];
    let code = stage.code_for("ada@acme.test", &asked).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", SANDBOX),
        ("code_verifier", crate::support::VERIFIER),
    ];
    stage.token(Some(&basic(id, secret)), &fields).await
}

#[actix_web::test]
async fn reflex_1_a_sandbox_registers_signs_people_in_and_ends_by_itself() {
    let stage = Stage::new().await;
    let answer = register(&stage, &initial(), &sandbox()).await.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    assert_eq!(made["client_expires_at"], NOW.0 + 3600);
    assert_eq!(made["client_secret_expires_at"], NOW.0 + 3600);
    assert_eq!(
        made["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(
        text("registration_client_uri"),
        format!("{PUBLIC_URL}/oauth2/register/{id}")
    );

    let tokens = Tokens::of(&signs_in(&stage, &id, &secret).await.expect(200));
    stage.userinfo(&tokens.access).await.expect(200);

    let (uri, token) = (text("registration_client_uri"), text("registration_access_token"));
    let shown = at(&stage, "GET", &uri, &token).await.expect(200);
    assert_eq!(shown.json()["redirect_uris"], json!([SANDBOX]));
    assert!(
        !shown.body.contains(&secret) && !shown.body.contains(&token),
        "{shown:?}"
    );

    // To the second; and from then on it is as unknown as one that never was.
    stage.clock.advance(3599);
    at(&stage, "GET", &uri, &token).await.expect(200);
    stage.clock.advance(1);
    let unknown = |answer: &Answer, other: &Answer| {
        assert_eq!((answer.status, &answer.body), (other.status, &other.body))
    };
    unknown(
        &at(&stage, "GET", &uri, &token).await.expect(401),
        &at(&stage, "GET", "http://x/oauth2/register/never", &token)
            .await
            .expect(401),
    );
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    unknown(
        &stage.token(Some(&basic(&id, &secret)), &fields).await.expect(401),
        &stage.token(Some(&basic("never", "x")), &fields).await.expect(401),
    );
    stage.userinfo(&tokens.access).await.expect(401);
    stage
        .get(&stage.authorize(&[("client_id", &id), ("redirect_uri", SANDBOX)]))
        .await
        .is_page(400, "client_unknown");

    // A job removes it, and nothing else.
    assert!(stage.act(|conn| client::find(conn, &id).unwrap()).is_some());
    jobs::clean_up(&stage.broker).await.unwrap();
    assert!(stage.act(|conn| client::find(conn, &id).unwrap()).is_none());
    assert!(
        stage
            .act(|conn| client::find(conn, WEB_CLIENT).unwrap())
            .is_some()
    );
}

#[actix_web::test]
async fn no_token_outlives_its_client() {
    let stage = Stage::new().await;
    let made = register(&stage, &initial(), &sandbox()).await.expect(201).json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    // Whoever verifies offline asks nobody whether the client is still there.
    stage.clock.advance(1_200);
    let answer = signs_in(&stage, &id, &secret).await.expect(200);
    assert_eq!(answer.json()["expires_in"], 2_400);
    let first = Tokens::of(&answer);
    stage.clock.advance(1_200);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh.as_deref().unwrap()),
    ];
    let answer = stage.token(Some(&basic(&id, &secret)), &fields).await.expect(200);
    assert_eq!(answer.json()["expires_in"], 1_200);
    let second = Tokens::of(&answer);
    for token in [first.access, second.access]
        .into_iter()
        .chain(first.id)
        .chain(second.id)
    {
        assert_eq!(claims(&token)["exp"], NOW.0 + 3_600, "{token}");
    }
}

#[actix_web::test]
async fn whoever_registered_a_client_deletes_it_and_nobody_else_does() {
    let stage = Stage::new().await;
    let public = json!({
        "redirect_uris": [SANDBOX], "user_pool_id": POOL, "token_endpoint_auth_method": "none",
    });
    let first = register(&stage, &initial(), &public).await.expect(201).json();
    let second = register(&stage, &initial(), &public).await.expect(201).json();
    assert_eq!(first.get("client_secret"), None);
    assert_eq!(first["identity_providers"], json!(["acme-okta", "globex-okta"]));
    let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
    let uri = text(&first, "registration_client_uri");
    let (own, others) = (
        text(&first, "registration_access_token"),
        text(&second, "registration_access_token"),
    );
    for wrong in [others.as_str(), "", "x", &initial()[7..]] {
        at(&stage, "GET", &uri, wrong).await.expect(401);
        at(&stage, "DELETE", &uri, wrong).await.expect(401);
    }
    // Clients that were not registered here have no such token.
    at(
        &stage,
        "GET",
        &format!("http://x/oauth2/register/{WEB_CLIENT}"),
        &own,
    )
    .await
    .expect(401);
    at(&stage, "DELETE", &uri, &own).await.expect(204);
    at(&stage, "DELETE", &uri, &own).await.expect(401);
    at(&stage, "GET", &text(&second, "registration_client_uri"), &others)
        .await
        .expect(200);
}

#[actix_web::test]
async fn registration_is_for_credentials_that_may_change_the_pool() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    for (id, role, pool) in [
        ("AKIAREADER0000000001", Role::ReadOnly, Some(POOL)),
        ("AKIAOFTHEPOOL0000001", Role::Admin, Some(POOL)),
    ] {
        let new = NewCredential {
            id: Some(id.into()),
            secret: Some(Zeroizing::new("a-secret-of-the-tests-that-is-long-enough".into())),
            role,
            user_pool_id: pool.map(str::to_owned),
            description: "Test".into(),
        };
        stage.act(|conn| credentials::create(conn, &ctx, new).unwrap());
    }
    let of = |id: &str| format!("Bearer {id}.a-secret-of-the-tests-that-is-long-enough");
    for wrong in [
        String::new(),
        "Bearer".into(),
        "Bearer x".into(),
        format!("Bearer {ACCESS_KEY}"),
        format!("Bearer {ACCESS_KEY}."),
        format!("Bearer {ACCESS_KEY}.{ACCESS_SECRET}x"),
        format!("Bearer nobody.{ACCESS_SECRET}"),
        format!("Basic {ACCESS_KEY}.{ACCESS_SECRET}"),
        of("AKIAREADER0000000001"),
    ] {
        let answer = register(&stage, &wrong, &sandbox()).await.expect(401);
        assert!(
            answer.header("www-authenticate").unwrap().starts_with("Bearer "),
            "{wrong}"
        );
    }
    // One pool within reach needs no name; another one is as unknown as none.
    let pools = of("AKIAOFTHEPOOL0000001");
    let mut unnamed = sandbox();
    unnamed.as_object_mut().unwrap().remove("user_pool_id");
    register(&stage, &pools, &unnamed).await.expect(201);
    register(&stage, &initial(), &unnamed).await.expect(400);
    let elsewhere = |id: &str| {
        let mut metadata = sandbox();
        metadata["user_pool_id"] = json!(id);
        metadata
    };
    stage.add_other_pool();
    let known = register(&stage, &pools, &elsewhere(OTHER_POOL)).await.expect(400);
    let unknown = register(&stage, &pools, &elsewhere("us-local-1_Nothing"))
        .await
        .expect(400);
    assert_eq!(known.body, unknown.body);
}

#[actix_web::test]
async fn metadata_that_cannot_be_registered_is_refused_in_the_standards_words() {
    let stage = Stage::new().await;
    for (member, value, error) in [
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        (
            "redirect_uris",
            json!(["http://app.example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["https://*.example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!("https://app.example.com/cb"),
            "invalid_client_metadata",
        ),
        ("grant_types", json!(["implicit"]), "invalid_client_metadata"),
        ("scope", json!("openid nonsense"), "invalid_client_metadata"),
        (
            "identity_providers",
            json!(["nobodys"]),
            "invalid_client_metadata",
        ),
        ("expires_in", json!(0), "invalid_client_metadata"),
        ("client_name", json!("<script>"), "invalid_client_metadata"),
    ] {
        let mut metadata = sandbox();
        metadata[member] = value;
        let answer = register(&stage, &initial(), &metadata).await.expect(400);
        assert_eq!(answer.error(), error, "{metadata}");
    }
    let headers = [("authorization", initial())];
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let doubled =
        r#"{"redirect_uris": ["https://a.example.com"], "redirect_uris": ["https://b.example.com"]}"#;
    for body in ["", "[]", "{", doubled] {
        let answer = stage.raw("/oauth2/register", &headers, body).await.expect(400);
        assert_eq!(answer.error(), "invalid_client_metadata", "{body}");
    }
}

#[actix_web::test]
async fn a_code_that_was_under_way_ends_with_its_client() {
    let stage = Stage::new().await;
    let made = register(&stage, &initial(), &sandbox()).await.expect(201).json();
    let id = made["client_id"].as_str().unwrap();
    stage.clock.advance(3500);
    let mut browser = stage.browser();
    let page = browser
        .to_sign_in_page(
            "ada@acme.test",
            &stage.authorize(&[("client_id", id), ("redirect_uri", SANDBOX), ("scope", "openid")]),
        )
        .await;
    stage.clock.advance(100);
    let back = browser.enter(&page, "ada@acme.test").await;
    assert!(
        back.header("location")
            .is_none_or(|to| query_of(to, "code").is_none()),
        "{back:?}"
    );
}
