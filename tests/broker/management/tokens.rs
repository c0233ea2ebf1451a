//! Tokens through the API: what users do with their access token, refreshing, revoking, a client's own.

use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::user;
use forebay::rules::aws::auth_flow::secret_hash;
use serde_json::{Value, json};

use super::{allow_flows, attribute, call, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, Stage, claims};

/// The tokens of a native user, signed in through the API. They don't rotate.
async fn tokens(stage: &Stage) -> Value {
    stage.change_spa_client(|settings| settings.rotation.enabled = false);
    allow_flows(stage, &["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
    stage.native_user("grace", PASSWORD).await;
    sign_in(stage, "grace", PASSWORD).await.expect(200).json()["AuthenticationResult"].clone()
}

async fn with_token(stage: &Stage, operation: &str, token: &Value) -> Answer {
    unsigned(stage, operation, json!({ "AccessToken": token })).await
}

async fn refresh(stage: &Stage, client: &str, parameters: Value) -> Answer {
    let input = json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": client, "AuthParameters": parameters });
    unsigned(stage, "InitiateAuth", input).await
}

#[actix_web::test]
async fn a_user_sees_what_the_client_may_read() {
    let stage = Stage::new().await;
    let token = tokens(&stage).await["AccessToken"].clone();
    let shown = with_token(&stage, "GetUser", &token).await.expect(200).json();
    assert_eq!(shown["Username"], "grace");
    assert_eq!(
        attribute(&shown, "UserAttributes", "email").as_deref(),
        Some("grace@native.test")
    );
    assert_eq!(
        attribute(&shown, "UserAttributes", "sub").as_deref(),
        claims(token.as_str().unwrap())["sub"].as_str()
    );
    stage.change_spa_client(|settings| settings.read_attributes = Some(vec!["name".into()]));
    let shown = with_token(&stage, "GetUser", &token).await.expect(200).json();
    assert_eq!(attribute(&shown, "UserAttributes", "email"), None);
    let factors = with_token(&stage, "GetUserAuthFactors", &token)
        .await
        .expect(200)
        .json();
    assert_eq!(factors["ConfiguredUserAuthFactors"], json!(["PASSWORD"]));
}

#[actix_web::test]
async fn a_federated_user_sees_the_identities_where_the_token_has_the_scope() {
    let stage = Stage::new().await;
    let plain = stage.tokens_for("ada@acme.test", &[]).await;
    let answer = with_token(&stage, "GetUser", &json!(plain.access)).await;
    assert_eq!(
        refusal(&answer),
        (
            "NotAuthorizedException".into(),
            "Access Token does not have required scopes".into()
        )
    );
    let scope = "aws.cognito.signin.user.admin";
    stage.change_web_client(|settings| settings.scopes.push(scope.into()));
    let scopes = format!("openid {scope}");
    let full = stage.tokens_for("ada@acme.test", &[("scope", &scopes)]).await;
    let shown = with_token(&stage, "GetUser", &json!(full.access))
        .await
        .expect(200)
        .json();
    let identities: Value =
        serde_json::from_str(&attribute(&shown, "UserAttributes", "identities").unwrap()).unwrap();
    assert_eq!(identities[0]["providerName"], "acme-okta");
    assert_eq!(identities[0]["primary"], true);
    let factors = with_token(&stage, "GetUserAuthFactors", &json!(full.access))
        .await
        .expect(200)
        .json();
    assert_eq!(factors["ConfiguredUserAuthFactors"], json!([]));
}

#[actix_web::test]
async fn a_token_that_is_none_has_expired_or_was_revoked_is_refused_by_its_reason() {
    let stage = Stage::new().await;
    let result = tokens(&stage).await;
    let token = &result["AccessToken"];
    for (token, why) in [
        (&json!("a.b.c"), "Invalid Access Token"),
        (&result["IdToken"], "Invalid Access Token"),
    ] {
        let (name, message) = refusal(&with_token(&stage, "GetUser", token).await);
        assert_eq!((name.as_str(), message.as_str()), ("NotAuthorizedException", why));
    }
    with_token(&stage, "GlobalSignOut", token).await.expect(200);
    assert_eq!(
        refusal(&with_token(&stage, "GetUser", token).await).1,
        "Access Token has been revoked"
    );
    let gone = refresh(
        &stage,
        SPA_CLIENT,
        json!({ "REFRESH_TOKEN": result["RefreshToken"] }),
    )
    .await;
    assert_eq!(
        refusal(&gone),
        (
            "NotAuthorizedException".into(),
            "Refresh Token has been revoked".into()
        )
    );
    let fresh = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    stage.clock.advance(3_600);
    let late = with_token(&stage, "GetUser", &fresh["AuthenticationResult"]["AccessToken"]).await;
    assert_eq!(refusal(&late).1, "Access Token has expired");
}

#[actix_web::test]
async fn a_user_changes_what_the_client_may_write() {
    let stage = Stage::new().await;
    let token = tokens(&stage).await["AccessToken"].clone();
    let update = |name: &str, value: &str| json!({ "AccessToken": token, "UserAttributes": [{ "Name": name, "Value": value }] });
    unsigned(&stage, "UpdateUserAttributes", update("given_name", "Grace"))
        .await
        .expect(200);
    let shown = with_token(&stage, "GetUser", &token).await.expect(200).json();
    assert_eq!(
        attribute(&shown, "UserAttributes", "given_name").as_deref(),
        Some("Grace")
    );
    for name in ["email_verified", "sub", "identities"] {
        let answer = unsigned(&stage, "UpdateUserAttributes", update(name, "true")).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{name}");
    }
    // Without WriteAttributes it may write the standard ones.
    for name in ["custom:department", "custom:nothing"] {
        let answer = unsigned(&stage, "UpdateUserAttributes", update(name, "Admins")).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{name}");
    }
    stage.change_spa_client(|settings| {
        settings.write_attributes = Some(vec!["custom:department".into(), "custom:nothing".into()]);
    });
    unsigned(
        &stage,
        "UpdateUserAttributes",
        update("custom:department", "Finance"),
    )
    .await
    .expect(200);
    let unknown = unsigned(&stage, "UpdateUserAttributes", update("custom:nothing", "x")).await;
    assert_eq!(refusal(&unknown).0, "InvalidParameterException");
    stage.change_spa_client(|settings| settings.write_attributes = Some(vec!["name".into()]));
    let forbidden = unsigned(&stage, "UpdateUserAttributes", update("given_name", "Eve")).await;
    assert_eq!(refusal(&forbidden).0, "NotAuthorizedException");
    let delete = json!({ "AccessToken": token, "UserAttributeNames": ["given_name"] });
    let kept = unsigned(&stage, "DeleteUserAttributes", delete.clone()).await;
    assert_eq!(refusal(&kept).0, "NotAuthorizedException");
    stage.change_spa_client(|settings| settings.write_attributes = None);
    unsigned(&stage, "DeleteUserAttributes", delete).await.expect(200);
    let shown = with_token(&stage, "GetUser", &token).await.expect(200).json();
    assert_eq!(attribute(&shown, "UserAttributes", "given_name"), None);
}

#[actix_web::test]
async fn a_user_deletes_themselves() {
    let stage = Stage::new().await;
    let token = tokens(&stage).await["AccessToken"].clone();
    let sub = claims(token.as_str().unwrap())["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = with_token(&stage, "DeleteUser", &token).await.expect(200);
    assert_eq!(answer.body, "");
    assert_eq!(stage.act(|conn| user::find(conn, &sub).unwrap()), None);
    assert_eq!(
        refusal(&with_token(&stage, "GetUser", &token).await).0,
        "NotAuthorizedException"
    );
    assert_eq!(
        refusal(&sign_in(&stage, "grace", PASSWORD).await).0,
        "UserNotFoundException"
    );
}

#[actix_web::test]
async fn a_refresh_in_place_gives_no_refresh_token_and_stops_where_tokens_rotate() {
    let stage = Stage::new().await;
    let result = tokens(&stage).await;
    let parameters = json!({ "REFRESH_TOKEN": result["RefreshToken"] });
    for _ in 0..2 {
        let answer = refresh(&stage, SPA_CLIENT, parameters.clone())
            .await
            .expect(200)
            .json();
        let fresh = &answer["AuthenticationResult"];
        assert_eq!(fresh.get("RefreshToken"), None);
        let access = claims(fresh["AccessToken"].as_str().unwrap());
        assert_eq!(access["scope"], "aws.cognito.signin.user.admin");
        assert_eq!(access.get("version"), None);
        assert!(fresh["IdToken"].is_string());
        with_token(&stage, "GetUser", &fresh["AccessToken"])
            .await
            .expect(200);
    }
    let wrong = refresh(&stage, SPA_CLIENT, json!({ "REFRESH_TOKEN": "nobody-s" })).await;
    assert_eq!(refusal(&wrong).1, "Invalid Refresh Token");
    stage.change_spa_client(|settings| settings.rotation.enabled = true);
    let rotating = refresh(&stage, SPA_CLIENT, parameters).await;
    assert_eq!(refusal(&rotating).0, "UnsupportedOperationException");
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let without = refresh(&stage, SPA_CLIENT, json!({ "REFRESH_TOKEN": "x" })).await;
    assert_eq!(refusal(&without).0, "InvalidParameterException");
}

#[actix_web::test]
async fn a_refresh_token_of_the_web_is_refreshed_with_its_scopes_and_the_client_s_secret() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let username = claims(&tokens.access)["username"].as_str().unwrap().to_owned();
    let token = tokens.refresh.unwrap();
    let hash = secret_hash(WEB_SECRET, &username, WEB_CLIENT);
    let good = json!({ "REFRESH_TOKEN": token, "SECRET_HASH": hash });
    let answer = refresh(&stage, WEB_CLIENT, good).await.expect(200).json();
    let access = claims(answer["AuthenticationResult"]["AccessToken"].as_str().unwrap());
    assert_eq!(access["scope"], "openid email profile");
    assert_eq!(access["version"], 2);
    for bad in [
        json!({ "REFRESH_TOKEN": token }),
        json!({ "REFRESH_TOKEN": token, "SECRET_HASH": "x" }),
    ] {
        let answer = refresh(&stage, WEB_CLIENT, bad).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException");
    }
}

#[actix_web::test]
async fn rotation_ends_the_family_when_a_token_comes_again() {
    let stage = Stage::new().await;
    let result = tokens(&stage).await;
    let exchange = async |token: &Value| {
        let input = json!({ "ClientId": SPA_CLIENT, "RefreshToken": token });
        unsigned(&stage, "GetTokensFromRefreshToken", input).await
    };
    let first = &result["RefreshToken"];
    let second = exchange(first).await.expect(200).json()["AuthenticationResult"]["RefreshToken"].clone();
    assert!(
        second.is_string() && second != *first,
        "a public client's, whatever its record says"
    );
    stage.clock.advance(61);
    assert_eq!(
        refusal(&exchange(first).await),
        (
            "RefreshTokenReuseException".into(),
            "Refresh token has been invalidated by rotation".into()
        )
    );
    assert_eq!(
        refusal(&exchange(&second).await).1,
        "Refresh Token has been revoked"
    );
    let foreign = json!({ "ClientId": WEB_CLIENT, "ClientSecret": WEB_SECRET, "RefreshToken": second });
    let foreign = unsigned(&stage, "GetTokensFromRefreshToken", foreign).await;
    assert_eq!(refusal(&foreign).1, "Invalid Refresh Token");
    let unproved = json!({ "ClientId": WEB_CLIENT, "RefreshToken": second });
    let unproved = unsigned(&stage, "GetTokensFromRefreshToken", unproved).await;
    assert_eq!(refusal(&unproved).0, "NotAuthorizedException");
}

#[actix_web::test]
async fn a_refresh_token_expires_and_is_revoked_by_its_client() {
    let stage = Stage::new().await;
    let result = tokens(&stage).await;
    let revoke = |token: &Value| json!({ "Token": token, "ClientId": SPA_CLIENT });
    let access = unsigned(&stage, "RevokeToken", revoke(&result["AccessToken"])).await;
    assert_eq!(refusal(&access).0, "UnsupportedTokenTypeException");
    let unproved = json!({ "Token": result["RefreshToken"], "ClientId": WEB_CLIENT, "ClientSecret": "wrong_secret_of_somebody_else_01" });
    let unproved = unsigned(&stage, "RevokeToken", unproved).await;
    assert_eq!(refusal(&unproved).0, "UnauthorizedException");
    stage.change_spa_client(|settings| settings.revocation = false);
    let off = unsigned(&stage, "RevokeToken", revoke(&result["RefreshToken"])).await;
    assert_eq!(refusal(&off).0, "UnsupportedOperationException");
    stage.change_spa_client(|settings| settings.revocation = true);
    with_token(&stage, "GetUser", &result["AccessToken"])
        .await
        .expect(200);
    unsigned(&stage, "RevokeToken", revoke(&result["RefreshToken"]))
        .await
        .expect(200);
    let gone = with_token(&stage, "GetUser", &result["AccessToken"]).await;
    assert_eq!(refusal(&gone).1, "Access Token has been revoked");
    let fresh = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    stage.clock.advance(400 * 86_400);
    let parameters = json!({ "REFRESH_TOKEN": fresh["AuthenticationResult"]["RefreshToken"] });
    let late = refresh(&stage, SPA_CLIENT, parameters).await;
    assert_eq!(refusal(&late).1, "Refresh Token has expired");
}

#[actix_web::test]
async fn a_client_gets_a_token_for_itself() {
    let stage = Stage::new().await;
    let input = json!({ "ClientId": MACHINE_CLIENT, "Secret": MACHINE_SECRET });
    let answer = call(&stage, "GetClientToken", input.clone())
        .await
        .expect(200)
        .json();
    let result = &answer["ClientAuthenticationResult"];
    let token = claims(result["AccessToken"].as_str().unwrap());
    assert_eq!(token["sub"], MACHINE_CLIENT);
    assert_eq!(result["TokenType"], "Bearer");
    let refused = with_token(&stage, "GetUser", &result["AccessToken"]).await;
    assert_eq!(refusal(&refused).1, "Access Token does not have required scopes");
    let mut wrong = input.clone();
    wrong["Secret"] = json!("wrong_secret_of_somebody_else_01");
    assert_eq!(
        refusal(&call(&stage, "GetClientToken", wrong).await).0,
        "NotAuthorizedException"
    );
    let mut scope = input;
    scope["Scopes"] = json!(["no/such"]);
    assert_eq!(
        refusal(&call(&stage, "GetClientToken", scope).await).0,
        "InvalidParameterException"
    );
    let web = json!({ "ClientId": WEB_CLIENT, "Secret": WEB_SECRET });
    assert_eq!(
        refusal(&call(&stage, "GetClientToken", web).await).0,
        "UnsupportedOperationException"
    );
}

#[actix_web::test]
async fn users_see_their_sessions_and_end_one_of_them() {
    let stage = Stage::new().await;
    let here = tokens(&stage).await["AccessToken"].clone();
    let there = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    let there = there["AuthenticationResult"]["AccessToken"].clone();
    let listed = with_token(&stage, "ListUserSessions", &here)
        .await
        .expect(200)
        .json();
    let sessions = listed["Sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let of = |current: bool| {
        let found = sessions
            .iter()
            .find(|session| session["IsCurrentSession"] == current);
        found.unwrap()["SessionId"].clone()
    };
    let revoke = |id: &Value| json!({ "AccessToken": here, "SessionId": id });
    unsigned(&stage, "RevokeUserSession", revoke(&of(false)))
        .await
        .expect(200);
    let gone = with_token(&stage, "GetUser", &there).await;
    assert_eq!(refusal(&gone).1, "Access Token has been revoked");
    with_token(&stage, "GetUser", &here).await.expect(200);
    let again = unsigned(&stage, "RevokeUserSession", revoke(&of(false))).await;
    assert_eq!(refusal(&again).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn a_public_client_s_refresh_token_of_the_web_rotates_or_is_not_taken() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_REFRESH_TOKEN_AUTH"]);
    stage.change_spa_client(|settings| settings.rotation.enabled = false);
    let token = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let in_place = refresh(&stage, SPA_CLIENT, json!({ "REFRESH_TOKEN": token })).await;
    assert_eq!(refusal(&in_place).0, "UnsupportedOperationException");
    let input = json!({ "ClientId": SPA_CLIENT, "RefreshToken": token });
    let fresh = unsigned(&stage, "GetTokensFromRefreshToken", input)
        .await
        .expect(200)
        .json();
    let next = &fresh["AuthenticationResult"]["RefreshToken"];
    assert!(next.is_string() && *next != json!(token), "{fresh}");
}
