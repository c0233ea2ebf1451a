//! The main job, end to end: a user signs in through the company's Okta and the app gets our tokens.

use serde_json::json;

use crate::support::{NOW, Stage, Tokens, claims, header, location_param};

#[actix_web::test]
async fn a_user_signs_in_through_okta_and_the_app_gets_our_tokens() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let back = browser
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await
        .expect(302);
    assert!(
        back.location()
            .starts_with("http://127.0.0.1:8090/callback?code=")
    );
    assert_eq!(location_param(&back, "state").as_deref(), Some("st"));
    assert_eq!(location_param(&back, "iss"), Some(stage.issuer()));

    let tokens = Tokens::of(
        &stage
            .exchange(&location_param(&back, "code").unwrap(), &[])
            .await
            .expect(200),
    );
    assert_eq!(tokens.answer["token_type"], "Bearer");
    assert_eq!(tokens.answer["expires_in"], 3600);
    let id = claims(tokens.id.as_deref().unwrap());
    assert_eq!(id["iss"], stage.issuer());
    assert_eq!(id["aud"], "demowebapp0000000000000001");
    assert_eq!(id["email"], "ada@acme.test");
    assert_eq!(id["nonce"], "no");
    assert_eq!(id["token_use"], "id");
    assert_eq!(id["iat"], NOW.0);
    assert_eq!(id["exp"], NOW.0 + 3600);
    assert_eq!(
        id["cognito:groups"],
        json!(["Engineering", "Everyone", "us-local-1_Forebay01_acme-okta"])
    );
    assert_eq!(id["identities"][0]["providerName"], "acme-okta");
    let access = claims(&tokens.access);
    assert_eq!(access["sub"], id["sub"]);
    assert_eq!(access["scope"], "openid email profile");
    assert_eq!(access["client_id"], "demowebapp0000000000000001");
    assert_eq!(header(&tokens.access)["typ"], "at+jwt");

    let info = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(info["sub"], id["sub"]);
    assert_eq!(info["email"], "ada@acme.test");

    stage.clock.advance(60);
    let fresh = Tokens::of(
        &stage
            .refresh(tokens.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert_eq!(claims(&fresh.access)["origin_jti"], access["origin_jti"]);
    assert_eq!(claims(&fresh.access)["auth_time"], access["auth_time"]);
    assert_eq!(
        fresh.refresh, None,
        "the web client's refresh tokens do not rotate"
    );
}
