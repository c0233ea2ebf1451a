//! What comes of a good token.

use forebay::actions::tenants;
use forebay::demo::okta::{App, ClientAuth};
use forebay::demo::{OPERATOR, SPA_CLIENT};
use forebay::model::client::AccessRule;
use forebay::model::trace::Outcome;
use forebay::rules::pkce;
use serde_json::json;

use super::{CONNECTION, PAGE, WIDGET, bring, bring_from, connect, id_token, refused, stage};
use crate::support::{Tokens, VERIFIER, claims, query_of};

#[actix_web::test]
async fn char_1_an_okta_id_token_of_a_single_page_app_becomes_our_tokens() {
    let stage = stage().await;
    let host = "http://127.0.0.1:7000/callback";
    stage.acme.add_app(App {
        client_id: WIDGET.into(),
        auth: ClientAuth::None,
        redirect_uris: vec![host.into()],
        label: "Host app".into(),
        assigned: vec!["ada@acme.test".into()],
        ..App::default()
    });
    // The host app's own sign-in, of which we know nothing: authorization code and PKCE at Okta.
    let mut browser = stage.browser();
    let asked = forebay::rules::params::encode([
        ("client_id", WIDGET),
        ("redirect_uri", host),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "s"),
        ("nonce", "n-of-the-host"),
        ("code_challenge", &pkce::challenge(VERIFIER)),
        ("code_challenge_method", "S256"),
    ]);
    let okta = stage.acme.issuer();
    let page = browser
        .visit(&format!("{okta}/oauth2/v1/authorize?{asked}"))
        .await;
    let back = browser.enter(&page, "ada@acme.test").await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", WIDGET),
        ("redirect_uri", host),
        ("code", &query_of(back.location(), "code").unwrap()),
        ("code_verifier", VERIFIER),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let theirs = browser
        .request("POST", &format!("{okta}/oauth2/v1/token"), &fields)
        .await
        .expect(200)
        .json();
    let theirs = theirs["id_token"].as_str().unwrap();

    // The widget brings it.
    let more = [("nonce", "n-of-the-host"), ("scope", "openid email profile")];
    let answer = bring_from(&stage, Some(PAGE), theirs, &more).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let tokens = Tokens::of(&answer);
    assert_eq!(tokens.refresh, None, "the widget renews by a fresh ID token");
    assert_eq!(
        tokens.answer["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    assert_eq!(tokens.answer["token_type"], "Bearer");
    assert_eq!(tokens.answer["scope"], "openid email profile");
    let id = stage.verified(tokens.id.as_deref().unwrap()).await;
    assert_eq!(id["aud"], SPA_CLIENT);
    assert_eq!(id["nonce"], "n-of-the-host");
    assert_eq!(id["email"], "ada@acme.test");
    assert_eq!(id["identities"][0]["providerName"], CONNECTION);
    assert_eq!(id["auth_time"], claims(theirs)["auth_time"]);
    let userinfo = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(userinfo["sub"], id["sub"]);
    let trace = stage.traces().remove(0);
    assert_eq!(
        (trace.outcome, trace.cause.as_str()),
        (Outcome::SignedIn, "signed_in")
    );
    assert_eq!(trace.provider_id.as_deref(), Some(CONNECTION));
    assert!(trace.reached_provider);
}

#[actix_web::test]
async fn the_same_person_is_the_same_user_each_time() {
    let stage = stage().await;
    let first = Tokens::of(&bring(&stage, &id_token(&stage, &[]), &[]).await.expect(200));
    let fresh = id_token(&stage, &[("jti", json!("ID.2")), ("name", json!("Ada King"))]);
    let second = Tokens::of(&bring(&stage, &fresh, &[]).await.expect(200));
    let (first, second) = (claims(&first.id.unwrap()), claims(&second.id.unwrap()));
    assert_eq!(first["sub"], second["sub"]);
    assert_eq!(second["name"], "Ada King", "the mapping is applied each time");
}

#[actix_web::test]
async fn a_connection_that_takes_tokens_is_no_way_to_sign_in() {
    let stage = stage().await;
    stage.change_web_client(|settings| settings.providers.push(CONNECTION.into()));
    let page = stage.browser().open(&stage.authorize(&[])).await;
    let page = match page.header("location") {
        Some(next) => stage.get(next).await,
        None => page,
    };
    assert!(
        page.body.contains("acme-okta") && !page.body.contains(CONNECTION),
        "{page:?}"
    );
    let named = stage
        .get(&stage.authorize(&[("identity_provider", CONNECTION)]))
        .await;
    assert!(
        !named
            .header("location")
            .unwrap_or_default()
            .contains("/oauth2/v1/authorize"),
        "{named:?}"
    );
}

#[actix_web::test]
async fn char_5_and_14_audiences_and_two_organisations_of_one_tenant() {
    let stage = stage().await;
    connect(&stage, "acme-second", "0oa2widgetofacme0002");
    for (jti, aud, azp, came_by) in [
        ("a", json!([WIDGET]), json!(null), CONNECTION),
        ("b", json!([WIDGET, "api://host"]), json!(WIDGET), CONNECTION),
        ("c", json!("0oa2widgetofacme0002"), json!(null), "acme-second"),
    ] {
        let token = id_token(&stage, &[("jti", json!(jti)), ("aud", aud), ("azp", azp)]);
        let tokens = Tokens::of(&bring(&stage, &token, &[]).await.expect(200));
        let id = claims(&tokens.id.unwrap());
        assert_eq!(id["identities"][0]["providerName"], came_by, "{jti}");
    }
}

#[actix_web::test]
async fn clocks_may_differ_by_a_minute_and_a_token_may_have_waited_in_the_host_app() {
    let stage = stage().await;
    let now = crate::support::NOW.0;
    for (jti, changes) in [
        ("expired", [("exp", json!(now - 59)), ("iat", json!(now - 3659))]),
        ("ahead", [("iat", json!(now + 60)), ("nbf", json!(now + 60))]),
        ("waited", [("iat", json!(now - 3000)), ("exp", json!(now + 600))]),
    ] {
        let [a, b] = changes;
        let token = id_token(&stage, &[("jti", json!(jti)), a, b]);
        bring(&stage, &token, &[]).await.expect(200);
    }
}

#[actix_web::test]
async fn the_access_token_ends_with_the_connection_and_with_the_user() {
    let stage = stage().await;
    let tokens = Tokens::of(&bring(&stage, &id_token(&stage, &[]), &[]).await.expect(200));
    stage.userinfo(&tokens.access).await.expect(200);
    stage.change_provider(CONNECTION, |row| row.enabled = false);
    stage.userinfo(&tokens.access).await.expect(401);
    let fresh = id_token(&stage, &[("jti", json!("ID.2"))]);
    let answer = bring(&stage, &fresh, &[]).await;
    refused(&stage, &answer, "invalid_request", "INVALID_ISSUER");
}

#[actix_web::test]
async fn whose_connection_it_is_stands_in_the_tokens_and_is_known_to_the_apps_rules() {
    let stage = stage().await;
    stage.console(OPERATOR);
    stage.change_spa_client(|settings| {
        settings.access = vec![AccessRule {
            name: "Acme's people".into(),
            expression: "tenant == 'acme'".into(),
            contact: "it@acme.test".into(),
        }];
    });
    let nobodys = bring(&stage, &id_token(&stage, &[]), &[]).await;
    refused(&stage, &nobodys, "access_denied", "ACCESS_RULE");
    let ctx = stage.ctx();
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, CONNECTION, Some("acme")))
        .unwrap();
    let fresh = id_token(&stage, &[("jti", json!("ID.2"))]);
    let tokens = Tokens::of(&bring(&stage, &fresh, &[]).await.expect(200));
    for token in [tokens.id.unwrap(), tokens.access] {
        assert_eq!(claims(&token)["custom:tenant_id"], "acme");
    }
}
