//! App clients through the API.

use forebay::actions::admins::single_sign_on;
use forebay::actions::clients::{self, NewClient, NewSecret};
use forebay::demo::{POOL, WEB_CLIENT, WEB_SECRET};
use forebay::model::client::Settings;
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{Key, call, call_as, pool, refusal};
use crate::support::{PUBLIC_URL, Stage};

fn web(pool: &str) -> Value {
    json!({
        "UserPoolId": pool, "ClientName": "web", "GenerateSecret": true,
        "SupportedIdentityProviders": ["acme-okta"], "CallbackURLs": ["https://app.example.com/cb"],
        "LogoutURLs": ["https://app.example.com/"], "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email"], "AllowedOAuthFlowsUserPoolClient": true,
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"], "PreventUserExistenceErrors": "ENABLED",
        "AccessTokenValidity": 30, "IdTokenValidity": 1, "RefreshTokenValidity": 5,
        "TokenValidityUnits": { "AccessToken": "minutes", "IdToken": "hours", "RefreshToken": "days" },
    })
}

#[actix_web::test]
async fn a_client_comes_back_as_it_was_set_and_signs_people_in() {
    let stage = Stage::new().await;
    let made = call(&stage, "CreateUserPoolClient", web(POOL))
        .await
        .expect(200)
        .json()["UserPoolClient"]
        .clone();
    let named = json!({ "UserPoolId": POOL, "ClientId": made["ClientId"] });
    let shown = call(&stage, "DescribeUserPoolClient", named.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(shown["UserPoolClient"], made);
    for (name, value) in web(POOL).as_object().unwrap() {
        if name != "GenerateSecret" {
            assert_eq!(made[name], *value, "{name}");
        }
    }
    assert_eq!(made["ClientSecret"].as_str().unwrap().len(), 52);
    assert_eq!(made["EnableTokenRevocation"], true);
    assert_eq!(made["AuthSessionValidity"], 3);
    let authorize = stage.authorize(&[
        ("client_id", made["ClientId"].as_str().unwrap()),
        ("redirect_uri", "https://app.example.com/cb"),
        ("scope", "openid email"),
    ]);
    let back = stage.browser().sign_in("ada@acme.test", &authorize).await;
    assert!(
        back.location().starts_with("https://app.example.com/cb?"),
        "{back:?}"
    );
}

#[actix_web::test]
async fn an_update_resets_what_it_leaves_out() {
    let stage = Stage::new().await;
    let made = call(&stage, "CreateUserPoolClient", web(POOL))
        .await
        .expect(200)
        .json()["UserPoolClient"]
        .clone();
    let id = made["ClientId"].clone();
    let update = json!({ "UserPoolId": POOL, "ClientId": id, "ClientName": "renamed" });
    let updated = call(&stage, "UpdateUserPoolClient", update)
        .await
        .expect(200)
        .json()["UserPoolClient"]
        .clone();
    assert_eq!(updated["ClientName"], "renamed");
    assert_eq!(updated["ClientSecret"], made["ClientSecret"], "the secret stays");
    for member in [
        "CallbackURLs",
        "AllowedOAuthFlows",
        "SupportedIdentityProviders",
        "TokenValidityUnits",
    ] {
        assert!(updated.get(member).is_none(), "{member} in {updated}");
    }
    assert_eq!(updated["RefreshTokenValidity"], 30);
    assert_eq!(updated["AllowedOAuthFlowsUserPoolClient"], false);
}

#[actix_web::test]
async fn a_client_whose_parts_do_not_fit_is_refused_by_the_fitting_name() {
    let stage = Stage::new().await;
    for (change, expected) in [
        (
            json!({ "AllowedOAuthFlowsUserPoolClient": false }),
            "InvalidParameterException",
        ),
        (json!({ "AllowedOAuthFlows": [] }), "InvalidOAuthFlowException"),
        (
            json!({ "AllowedOAuthFlows": ["code", "client_credentials"] }),
            "InvalidOAuthFlowException",
        ),
        (
            json!({ "AllowedOAuthScopes": ["openid", "no/such"] }),
            "ScopeDoesNotExistException",
        ),
        (
            json!({ "SupportedIdentityProviders": ["nobody"] }),
            "InvalidParameterException",
        ),
        (
            json!({ "ClientSecret": "a-secret-of-our-own-1234567890" }),
            "InvalidParameterException",
        ),
        (
            json!({ "ReadAttributes": ["custom:nothing"] }),
            "InvalidParameterException",
        ),
        (
            json!({ "CallbackURLs": ["https://app.example.com/cb#x"] }),
            "InvalidParameterException",
        ),
    ] {
        let mut input = web(POOL);
        input
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = call(&stage, "CreateUserPoolClient", input).await;
        assert_eq!(refusal(&answer).0, expected, "{change} {}", answer.body);
    }
}

#[actix_web::test]
async fn a_client_is_found_in_its_own_pool_only() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    for operation in [
        "DescribeUserPoolClient",
        "UpdateUserPoolClient",
        "DeleteUserPoolClient",
    ] {
        let answer = call(
            &stage,
            operation,
            json!({ "UserPoolId": other, "ClientId": WEB_CLIENT }),
        )
        .await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "{operation}");
    }
    let shown = call(
        &stage,
        "DescribeUserPoolClient",
        json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT }),
    )
    .await;
    assert_eq!(
        shown.expect(200).json()["UserPoolClient"]["ClientSecret"],
        WEB_SECRET
    );
    let listed = call(
        &stage,
        "ListUserPoolClients",
        json!({ "UserPoolId": POOL, "MaxResults": 2 }),
    )
    .await
    .expect(200);
    assert_eq!(listed.json()["UserPoolClients"].as_array().unwrap().len(), 2);
    let next = listed.json()["NextToken"].clone();
    let page = |token: &Value| json!({ "UserPoolId": POOL, "MaxResults": 2, "NextToken": token });
    call(&stage, "ListUserPoolClients", page(&next)).await.expect(200);
    for (operation, token) in [
        ("ListIdentityProviders", &next),
        ("ListUserPoolClients", &json!("U2FtcGxlIHdlYiBhcHAKeA")),
    ] {
        let answer = call(&stage, operation, page(token)).await;
        assert_eq!(
            refusal(&answer).1,
            "Invalid pagination token given.",
            "{operation}"
        );
    }
    stage.clock.advance(3_600);
    let key = Key {
        timestamp: "20261121T010000Z",
        ..Key::default()
    };
    let late = call_as(&stage, &key, "ListUserPoolClients", page(&next)).await;
    assert_eq!(refusal(&late).1, "The pagination token has expired.");
}

#[actix_web::test]
async fn a_reader_sees_a_client_without_its_secret() {
    let stage = Stage::new().await;
    let reader = credential(&stage, Role::ReadOnly, Some(POOL));
    let named = json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT });
    let shown = call_as(&stage, &reader, "DescribeUserPoolClient", named)
        .await
        .expect(200);
    assert_eq!(shown.json()["UserPoolClient"]["ClientId"], WEB_CLIENT);
    assert!(!shown.body.contains("ClientSecret") && !shown.body.contains(WEB_SECRET));
}

#[actix_web::test]
async fn the_client_that_the_console_is_stays_the_console_s() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let id = single_sign_on::client_id(POOL);
    let new = NewClient {
        id: Some(id.clone()),
        user_pool_id: POOL.into(),
        name: "Forebay console".into(),
        secret: NewSecret::Generate,
        settings: Settings {
            redirect_uris: vec![format!("{PUBLIC_URL}/console/sso/callback")],
            scopes: vec!["openid".into()],
            ..Settings::default()
        },
    };
    stage.act(|conn| clients::create(conn, &ctx, new).unwrap());
    let named = json!({ "UserPoolId": POOL, "ClientId": id, "SSOSession": { "MaxValidityMinutes": 5 } });
    let shown = call(&stage, "DescribeUserPoolClient", named.clone())
        .await
        .expect(200);
    assert!(!shown.body.contains("ClientSecret"), "{}", shown.body);
    for operation in [
        "UpdateUserPoolClient",
        "DeleteUserPoolClient",
        "AddUserPoolClientSecret",
        "SetUserPoolClientSessionConfiguration",
    ] {
        let answer = call(&stage, operation, named.clone()).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
    }
    call(&stage, "DescribeUserPoolClient", named).await.expect(200);
}
