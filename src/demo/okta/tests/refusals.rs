//! Each refusal of the honest organisation, in Okta's words and on Okta's way: page, redirect, or JSON.

use serde_json::json;

use super::*;
use crate::demo::okta::{AuthorizeFault, ClientAuth};

#[actix_web::test]
async fn a_stranger_or_a_strange_address_stays_on_the_page() {
    let mut stage = Stage::new();
    let wrong_uri = "The &#39;redirect_uri&#39; parameter must be a Login redirect URI";
    for (change, text) in [
        (
            ("client_id", "0oanobody"),
            "Invalid value for &#39;client_id&#39; parameter.",
        ),
        (
            ("client_id", ""),
            "Invalid value for &#39;client_id&#39; parameter.",
        ),
        (
            (
                "redirect_uri",
                "http://localhost:8080/oauth2/idpresponse/acme-okta/",
            ),
            wrong_uri,
        ),
        (
            (
                "redirect_uri",
                "http://LOCALHOST:8080/oauth2/idpresponse/acme-okta",
            ),
            wrong_uri,
        ),
        (("redirect_uri", ""), wrong_uri),
    ] {
        let page = stage.authorize(Server::Org, &[change]).await;
        assert_eq!(
            (page.status.as_u16(), page.header("location")),
            (400, ""),
            "{change:?}"
        );
        assert!(page.text().contains(text), "{change:?}: {}", page.text());
    }
    let page = stage.get("/oauth2/v1/authorize?state=a&state=b").await;
    assert!(page.text().contains("must not be repeated"));
}

#[actix_web::test]
async fn other_mistakes_of_the_request_travel_back() {
    let mut stage = Stage::new();
    let scopes = "One or more scopes are not configured for the authorization server resource.";
    for (server, change, error, description) in [
        (
            Server::Org,
            ("response_type", "id_token"),
            "unauthorized_client",
            "grant type",
        ),
        (
            Server::Org,
            ("response_type", "token code"),
            "unsupported_response_type",
            "response type",
        ),
        (
            Server::Org,
            ("response_mode", "web_message"),
            "unsupported_response_mode",
            "response mode",
        ),
        (
            Server::Org,
            ("scope", ""),
            "invalid_scope",
            "No scopes were requested.",
        ),
        (
            Server::Org,
            ("scope", "profile"),
            "invalid_scope",
            "require the 'openid' scope.",
        ),
        (
            Server::Org,
            ("scope", "openid okta.users.read"),
            "invalid_scope",
            scopes,
        ),
        (
            Server::Default,
            ("scope", "openid groups"),
            "invalid_scope",
            scopes,
        ),
        (
            Server::Org,
            ("code_challenge_method", "plain"),
            "invalid_request",
            "Valid values: [S256]",
        ),
        (
            Server::Org,
            ("code_challenge_method", ""),
            "invalid_request",
            "Valid values: [S256]",
        ),
        (
            Server::Org,
            ("code_challenge", "short"),
            "invalid_request",
            "code_challenge",
        ),
        (
            Server::Org,
            ("prompt", "select_account"),
            "invalid_request",
            "Invalid value for 'prompt'",
        ),
        (
            Server::Org,
            ("prompt", "none login"),
            "invalid_request",
            "Invalid value for 'prompt'",
        ),
        (Server::Org, ("max_age", "soon"), "invalid_request", "max_age"),
        (
            Server::Org,
            ("idp", "0oasomething"),
            "invalid_request",
            "Identity provider is not valid.",
        ),
        (
            Server::Org,
            ("prompt", "none"),
            "login_required",
            "The client specified not to prompt, but the user is not logged in.",
        ),
    ] {
        let back = stage.authorize(server, &[change]).await;
        assert_eq!(back.status, 302, "{change:?}: {}", back.text());
        assert!(
            back.header("location")
                .starts_with(&format!("{CALLBACK}?state=the-state&error=")),
            "{change:?}"
        );
        assert_eq!(back.sent("error").as_deref(), Some(error), "{change:?}");
        assert!(
            back.sent("error_description").unwrap().contains(description),
            "{change:?}"
        );
    }
    let back = stage.authorize(Server::Org, &[("state", "")]).await;
    assert_eq!(back.sent("state"), None);
    let why = "The authentication request has an invalid 'state' parameter.";
    assert_eq!(back.sent("error_description").as_deref(), Some(why));
}

#[actix_web::test]
async fn the_groups_scope_exists_on_the_custom_server_once_it_is_added() {
    let mut stage = Stage::new();
    stage
        .okta
        .change_default_server(|server| server.scopes.push("groups".into()));
    assert_eq!(
        stage
            .authorize(Server::Default, &[("scope", "openid groups")])
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn the_unassigned_are_sent_back_and_keep_their_session() {
    let mut stage = Stage::new();
    let page = stage.authorize(Server::Org, &[]).await;
    let back = stage.sign_in(&page, "linus@acme.test").await;
    assert_eq!(back.sent("error").as_deref(), Some("access_denied"));
    let why = "User is not assigned to the client application.";
    assert_eq!(back.sent("error_description").as_deref(), Some(why));
    assert_eq!(
        stage
            .authorize(Server::Org, &[])
            .await
            .sent("error_description")
            .as_deref(),
        Some(why)
    );
    let page = stage.authorize(Server::Org, &[("prompt", "login")]).await;
    assert!(
        stage
            .sign_in(&page, "grace@acme.test")
            .await
            .sent("code")
            .is_some(),
        "a group assigns too"
    );
}

#[actix_web::test]
async fn more_than_a_hundred_groups_are_an_error() {
    let mut stage = Stage::new();
    stage.okta.change_person("ada@acme.test", |ada| {
        ada.groups = (0..101).map(|n| n.to_string()).collect()
    });
    let page = stage.authorize(Server::Org, &[("scope", "openid groups")]).await;
    assert_eq!(
        stage
            .sign_in(&page, "ada@acme.test")
            .await
            .sent("error")
            .as_deref(),
        Some("server_error")
    );
    assert!(
        stage.authorize(Server::Org, &[]).await.sent("code").is_some(),
        "only when groups are asked for"
    );
}

#[actix_web::test]
async fn pkce_can_be_required() {
    let mut stage = Stage::new();
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(stage.authorize(Server::Org, &none).await.status, 200);
    let code = stage.code(Server::Org, "ada@acme.test", &none).await;
    assert_eq!(
        stage.redeem(Server::Org, &code).await.json()["error"],
        "invalid_request"
    );
    for require in [
        |app: &mut App| app.pkce_required = true,
        |app: &mut App| app.auth = ClientAuth::None,
    ] {
        stage.okta.add_app(app());
        stage.okta.change_app(CLIENT, require);
        let back = stage.authorize(Server::Org, &none).await;
        let why = "PKCE code challenge is required by the application.";
        assert_eq!(back.sent("error_description").as_deref(), Some(why));
    }
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    let page = stage
        .token(Server::Org, &[("code", &code), ("client_secret", "")])
        .await;
    assert_eq!(page.status, 200, "a public client proves itself by PKCE alone");
}

#[actix_web::test]
async fn a_code_is_good_once_for_its_client_address_verifier_server_and_time() {
    let mut stage = Stage::new();
    stage.okta.add_app(App {
        client_id: "0oa2other".into(),
        secrets: vec!["other".into()],
        ..app()
    });
    let invalid = "The authorization code is invalid or has expired.";
    for (changes, wait, error, description) in [
        (
            vec![("code_verifier", "another-verifier-of-forty-three-characters-00")],
            0,
            "invalid_grant",
            "PKCE verification failed.",
        ),
        (
            vec![("code_verifier", "")],
            0,
            "invalid_request",
            "PKCE code verifier is required by the application.",
        ),
        (
            vec![("redirect_uri", "http://localhost:8080/other")],
            0,
            "invalid_grant",
            "The 'redirect_uri' does not match the redirection URI used in the authorization request.",
        ),
        (
            vec![("client_id", "0oa2other"), ("client_secret", "other")],
            0,
            "invalid_grant",
            "The grant was issued to another client. Please make sure the 'client_id' matches the one used at the \
          authorize request.",
        ),
        (vec![], 300, "invalid_grant", invalid),
        (
            vec![("grant_type", "")],
            0,
            "invalid_request",
            "The token request must specify a 'grant_type'. Valid values: [authorization_code, refresh_token].",
        ),
    ] {
        let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
        stage.clock.advance(wait);
        let page = stage
            .token(Server::Org, &[&[("code", code.as_str())], &changes[..]].concat())
            .await;
        assert_eq!(page.status, 400, "{changes:?}");
        let expected = json!({"error": error, "error_description": description});
        assert_eq!(page.json(), expected, "{changes:?}");
    }
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    let page = stage.redeem(Server::Default, &code).await;
    assert_eq!(
        page.json()["error_description"],
        "The grant was issued for another authorization server."
    );
    stage.clock.advance(299);
    let page = stage.redeem(Server::Org, &code).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        stage.redeem(Server::Org, &code).await.json()["error_description"],
        invalid
    );
    let access_token = &page.json()["access_token"];
    assert_eq!(
        stage.userinfo(Server::Org, access_token).await.status,
        401,
        "a second use ends the first"
    );
}

#[actix_web::test]
async fn clients_fail_to_prove_themselves() {
    let mut stage = Stage::new();
    for (changes, authorization, status, error, description) in [
        (
            vec![("client_secret", "wrong")],
            None,
            401,
            "invalid_client",
            "The client secret supplied for a confidential client is invalid.",
        ),
        (
            vec![("client_id", "0oanobody")],
            None,
            401,
            "invalid_client",
            "Invalid value for 'client_id' parameter.",
        ),
        (
            vec![("client_secret", "")],
            None,
            401,
            "invalid_client",
            "Client authentication failed.",
        ),
        (
            vec![("client_secret", ""), ("client_id", "")],
            None,
            401,
            "invalid_client",
            "No client credentials found.",
        ),
        (
            vec![("client_secret", "")],
            Some("Basic nonsense"),
            401,
            "invalid_client",
            "Found Authentication header but was not valid client credentials.",
        ),
        (
            vec![],
            Some("Basic eDp5"),
            401,
            "invalid_request",
            "Cannot supply multiple client credentials.",
        ),
        (
            vec![("grant_type", "client_credentials")],
            None,
            401,
            "invalid_client",
            "must use the private_key_jwt",
        ),
        (
            vec![("grant_type", "urn:x")],
            None,
            400,
            "unsupported_grant_type",
            "not supported",
        ),
    ] {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", "x"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ];
        for (name, value) in &changes {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        let mut request = TestRequest::post().uri("/oauth2/v1/token").set_form(&form);
        if let Some(authorization) = authorization {
            request = request.insert_header(("authorization", authorization));
        }
        let page = stage.send(request).await;
        assert_eq!(
            (page.status.as_u16(), page.json()["error"].clone()),
            (status, json!(error)),
            "{changes:?}"
        );
        assert!(
            page.json()["error_description"]
                .as_str()
                .unwrap()
                .contains(description),
            "{}",
            page.text()
        );
    }
    let form = [("grant_type", "authorization_code"), ("code", "x")];
    let request = TestRequest::post()
        .uri("/oauth2/v1/token")
        .set_form(form)
        .insert_header(("origin", "http://x"));
    assert!(stage.send(request).await.text().contains("Browser requests"));
    assert_eq!(
        stage.post("/oauth2/v1/token?client_secret=x", &form).await.status,
        400
    );
    assert_eq!(stage.get("/oauth2/v1/token").await.status, 405);
}

#[actix_web::test]
async fn an_error_can_be_prescribed() {
    let mut stage = Stage::new();
    let description = "<script>alert(1)</script>".repeat(200);
    stage.okta.set_faults(|faults| {
        let error = "temporarily_unavailable".into();
        faults.authorize = vec![AuthorizeFault::Error {
            error,
            description: Some(description.clone()),
        }];
    });
    let back = stage.authorize(Server::Org, &[]).await;
    assert_eq!(back.sent("error").as_deref(), Some("temporarily_unavailable"));
    assert_eq!(back.sent("error_description"), Some(description));
    assert_eq!(back.sent("state").as_deref(), Some("the-state"));
}
