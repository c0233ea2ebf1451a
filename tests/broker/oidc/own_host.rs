//! A pool's own host: everything that its users and apps need is there, and nothing that is another's.

use actix_web::test::TestRequest;
use forebay::actions::domains;
use forebay::demo::{self, POOL, WEB_CLIENT, WEB_SECRET};
use forebay::model::domain::Settings;

use crate::support::{APP, Answer, OTHER_CLIENT, Stage, VERIFIER, basic, query_of};

const HOST: &str = "acme.localhost:8080";

fn own_host(stage: &Stage, name: &str, pool: &str) {
    let (ctx, place) = (stage.ctx(), stage.broker.place.clone());
    stage
        .act(|conn| domains::create(conn, &ctx, &place, pool, name, Settings::default()))
        .unwrap();
}

async fn at(stage: &Stage, host: &str, uri: &str) -> Answer {
    stage
        .send(TestRequest::get().uri(uri).insert_header(("host", host)))
        .await
}

#[actix_web::test]
async fn a_sign_in_runs_on_the_pools_own_host_from_beginning_to_end() {
    let stage = Stage::new().await;
    own_host(&stage, "acme", POOL);
    let registration = demo::registration(0, &stage.acme.issuer());
    stage.acme.change_app(&registration.client_id, |app| {
        app.redirect_uris
            .push(format!("http://{HOST}/oauth2/idpresponse/acme-okta"));
    });
    let mut browser = stage.browser();
    let authorize = format!("http://{HOST}{}", stage.authorize(&[]));
    let page = browser.visit(&authorize).await.expect(200);
    assert_eq!(browser.url.host_str(), Some("acme.localhost"), "{page:?}");
    let back = browser.sign_in("ada@acme.test", &authorize).await;
    assert!(back.location().starts_with(APP), "{back:?}");
    assert_eq!(
        browser.url.host_str(),
        Some("acme.localhost"),
        "it came back there"
    );
    let code = query_of(back.location(), "code").unwrap();

    let (callback, header) = (format!("{APP}/callback"), basic(WEB_CLIENT, WEB_SECRET));
    let request = TestRequest::post()
        .uri("/oauth2/token")
        .insert_header(("host", HOST))
        .insert_header(("authorization", header))
        .set_form([
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", VERIFIER),
        ]);
    let tokens = stage.send(request).await.expect(200).json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let request = TestRequest::get()
        .uri("/oauth2/userInfo")
        .insert_header(("host", HOST))
        .insert_header(("authorization", bearer));
    let claims = stage.send(request).await.expect(200).json();
    assert_eq!(claims["email"], "ada@acme.test");
    let out = at(
        &stage,
        HOST,
        &format!("/logout?client_id={WEB_CLIENT}&logout_uri=https%3A%2F%2Felsewhere.test"),
    )
    .await;
    assert_eq!(out.status, 400, "only a registered URI");
}

#[actix_web::test]
async fn the_documents_name_the_pools_own_host_and_the_issuer_that_never_changes() {
    let stage = Stage::new().await;
    let path = format!("/{POOL}/.well-known/openid-configuration");
    let before = stage.get(&path).await.expect(200).json();
    own_host(&stage, "acme", POOL);
    let after = stage.get(&path).await.expect(200).json();
    for member in ["issuer", "jwks_uri"] {
        assert_eq!(after[member], before[member]);
    }
    for (member, path) in [
        ("authorization_endpoint", "/oauth2/authorize"),
        ("token_endpoint", "/oauth2/token"),
        ("userinfo_endpoint", "/oauth2/userInfo"),
        ("end_session_endpoint", "/logout"),
    ] {
        assert_eq!(after[member], format!("http://{HOST}{path}"));
    }
    for path in [path.as_str(), "/.well-known/openid-configuration"] {
        assert_eq!(at(&stage, HOST, path).await.expect(200).json(), after);
    }
    let keys = at(&stage, HOST, "/.well-known/jwks.json").await.expect(200);
    assert!(keys.json()["keys"].is_array());
    stage.get("/.well-known/openid-configuration").await.expect(404);

    // A domain of their own goes before a prefix.
    own_host(&stage, "login.acme.test", POOL);
    let path = format!("/{POOL}/.well-known/openid-configuration");
    let after = stage.get(&path).await.expect(200).json();
    assert_eq!(
        after["token_endpoint"],
        "http://login.acme.test:8080/oauth2/token"
    );
}

#[actix_web::test]
async fn another_pool_is_unknown_there_and_the_console_is_not_there() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    own_host(&stage, "other", crate::support::OTHER_POOL);
    let host = "OTHER.localhost";
    // The demo's client is unknown, as one that does not exist is.
    let unknown = |answer: Answer| (answer.status, answer.shows("client"));
    let wrong = at(&stage, host, &stage.authorize(&[])).await;
    let nobody = at(&stage, host, &stage.authorize(&[("client_id", "nobody")])).await;
    assert_eq!(unknown(wrong), unknown(nobody));
    let header = basic(WEB_CLIENT, WEB_SECRET);
    let request = TestRequest::post()
        .uri("/oauth2/token")
        .insert_header(("host", host))
        .insert_header(("authorization", header))
        .set_form([("grant_type", "client_credentials")]);
    assert_eq!(stage.send(request).await.error(), "invalid_client");
    let own = stage.authorize(&[
        ("client_id", OTHER_CLIENT),
        ("redirect_uri", "https://other.example/callback"),
    ]);
    at(&stage, host, &own).await.expect(302);

    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let request = TestRequest::get()
        .uri("/oauth2/userInfo")
        .insert_header(("host", host))
        .insert_header(("authorization", format!("Bearer {}", tokens.access)));
    stage.send(request).await.expect(401);
    at(&stage, host, &format!("/{POOL}/.well-known/jwks.json"))
        .await
        .expect(404);
    for path in ["/console", "/console/sign-in", "/%63onsole", "/nothing"] {
        assert_eq!(at(&stage, host, path).await.status, 404, "{path}");
    }
    let management = TestRequest::post().uri("/").insert_header(("host", host));
    stage.send(management).await.expect(404);
    at(&stage, host, "/healthz").await.expect(200);
}

#[actix_web::test]
async fn a_host_that_is_nobodys_any_more_is_the_public_one_again() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    own_host(&stage, "other", crate::support::OTHER_POOL);
    let path = format!("/{POOL}/.well-known/jwks.json");
    at(&stage, "other.localhost", &path).await.expect(404);
    let ctx = stage.ctx();
    stage
        .act(|conn| domains::delete(conn, &ctx, &forebay::model::reach::Reach::everything(), "other"))
        .unwrap();
    at(&stage, "other.localhost", &path).await.expect(200);
}
