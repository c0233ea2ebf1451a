//! The honest organisation: metadata, sign-in on both servers, sessions, pages, tiles.

use serde_json::{Value, json};

use super::*;
use crate::demo::okta::PASSWORD;

#[actix_web::test]
async fn both_servers_describe_themselves() {
    let mut stage = Stage::new();
    for (server, document) in [
        (Server::Org, "/.well-known/openid-configuration"),
        (
            Server::Default,
            "/oauth2/default/.well-known/openid-configuration",
        ),
    ] {
        let page = stage.get(document).await;
        assert_eq!(page.header("cache-control"), "max-age=86400, must-revalidate");
        let metadata = page.json();
        assert_eq!(metadata["issuer"], server.issuer(ORIGIN));
        assert_eq!(metadata["token_endpoint"], server.endpoint(ORIGIN, "token"));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert!(
            metadata
                .get("authorization_response_iss_parameter_supported")
                .is_none()
        );
        let keys = stage.get(metadata["jwks_uri"].as_str().unwrap()).await.json();
        let key = &keys["keys"][0];
        assert_eq!(
            (
                key["kid"].as_str().unwrap().len(),
                key["n"].as_str().unwrap().len()
            ),
            (43, 342)
        );
    }
    let forms = [
        "/.well-known/oauth-authorization-server/oauth2/default",
        "/oauth2/default/.well-known/oauth-authorization-server",
    ];
    for form in forms {
        let metadata = stage.get(form).await.json();
        assert_eq!(metadata["issuer"], stage.okta.default_issuer());
        assert!(metadata.get("userinfo_endpoint").is_none());
    }
    let organisation = stage.get("/.well-known/okta-organization").await.json();
    assert_eq!(
        organisation["_links"]["organization"]["href"],
        stage.okta.issuer()
    );
    assert_eq!(organisation["id"].as_str().unwrap().len(), 20);
}

#[actix_web::test]
async fn the_servers_have_keys_of_their_own() {
    let mut stage = Stage::new();
    let org = stage.get(&path(Server::Org, "keys")).await.json();
    let default = stage.get(&path(Server::Default, "keys")).await.json();
    assert_ne!(org["keys"][0]["n"], default["keys"][0]["n"]);
}

#[actix_web::test]
async fn discovery_narrows_to_a_client_and_names_what_is_missing() {
    let mut stage = Stage::new();
    let metadata = stage
        .get(&format!("/.well-known/openid-configuration?client_id={CLIENT}"))
        .await
        .json();
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert!(
        metadata["jwks_uri"]
            .as_str()
            .unwrap()
            .ends_with(&format!("?client_id={CLIENT}"))
    );
    let page = stage
        .get("/.well-known/openid-configuration?client_id=nobody")
        .await;
    assert_eq!(
        (page.status.as_u16(), page.json()["errorCode"].clone()),
        (400, json!("invalid_client"))
    );
    let page = stage.get("/oauth2/nope/.well-known/openid-configuration").await;
    assert_eq!(page.status, 404);
    assert_eq!(
        page.json()["errorSummary"],
        "Not found: Resource not found: nope (AuthorizationServer)"
    );
}

#[actix_web::test]
async fn signing_in_gives_thin_tokens_and_full_userinfo() {
    for (server, scope) in [
        (Server::Org, "openid profile email phone groups"),
        (Server::Default, "openid profile email phone"),
    ] {
        let mut stage = Stage::new();
        let page = stage.authorize(server, &[("scope", scope)]).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text()
                .contains("<title>Sign in · acme (stand-in Okta)</title>")
        );
        stage.clock.advance(10);
        let back = stage.sign_in(&page, "ADA@acme.test").await;
        assert_eq!(back.status, 302);
        assert!(back.header("location").starts_with(CALLBACK));
        assert_eq!(back.sent("state").as_deref(), Some("the-state"));
        let code = back.sent("code").unwrap();
        assert_eq!(code.len(), 43);
        stage.clock.advance(5);

        let page = stage.redeem(server, &code).await;
        assert_eq!(page.header("cache-control"), "no-cache, no-store");
        let tokens = page.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert!(tokens.get("refresh_token").is_none());
        let claims = super::claims(&tokens["id_token"]);
        let mut expected = vec![
            "amr",
            "at_hash",
            "aud",
            "auth_time",
            "email",
            "exp",
            "iat",
            "idp",
            "iss",
            "jti",
            "name",
            "nonce",
            "preferred_username",
            "sub",
            "ver",
        ];
        if server == Server::Default {
            expected.insert(6, "groups");
        }
        assert_eq!(names(&claims), expected);
        assert_eq!(claims["iss"], server.issuer(ORIGIN));
        assert_eq!(claims["aud"], CLIENT);
        assert_eq!(claims["nonce"], "the-nonce");
        assert_eq!(claims["auth_time"], NOW.0 + 10);
        assert_eq!(claims["iat"], NOW.0 + 15);
        assert_eq!(claims["exp"], NOW.0 + 15 + 3600);

        let page = stage.userinfo(server, &tokens["access_token"]).await;
        let userinfo = page.json();
        assert_eq!(userinfo["sub"], claims["sub"]);
        assert_eq!(userinfo["given_name"], "Ada");
        assert_eq!(userinfo["email_verified"], true);
        assert_eq!(userinfo["phone_number"], "+1 415 555 0100");
        assert_eq!(userinfo["department"], "Analytical Engines");
        assert_eq!(userinfo["groups"], json!(["Everyone", "Engineering"]));
        assert!(userinfo.get("address").is_none(), "its scope was not asked for");
        let elsewhere = stage.userinfo(server.other(), &tokens["access_token"]).await;
        assert_eq!((elsewhere.status.as_u16(), elsewhere.body.len()), (401, 0));
        assert!(elsewhere.header("www-authenticate").contains("invalid_token"));
    }
}

#[actix_web::test]
async fn what_was_not_asked_for_is_not_told() {
    let mut stage = Stage::new();
    let tokens = stage
        .tokens(Server::Org, "ada@acme.test", &[("scope", "openid email")])
        .await;
    let userinfo = stage.userinfo(Server::Org, &tokens["access_token"]).await.json();
    assert_eq!(
        names(userinfo.as_object().unwrap()),
        ["email", "email_verified", "sub"]
    );
    let tokens = stage
        .tokens(Server::Org, "ada@acme.test", &[("scope", "openid")])
        .await;
    let page = stage.userinfo(Server::Org, &tokens["access_token"]).await;
    assert_eq!(page.status, 403);
    assert!(page.header("www-authenticate").contains("insufficient_scope"));
}

#[actix_web::test]
async fn a_session_makes_the_next_sign_in_silent() {
    let mut stage = Stage::new();
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    let first = stage.redeem(Server::Org, &code).await.json();
    stage.clock.advance(600);
    let back = stage.authorize(Server::Default, &[("prompt", "none")]).await;
    let second = stage
        .redeem(Server::Default, &back.sent("code").unwrap())
        .await
        .json();
    let (first, second) = (claims(&first["id_token"]), claims(&second["id_token"]));
    assert_eq!(first["auth_time"], second["auth_time"]);
    assert_eq!(second["iat"], NOW.0 + 600);

    assert!(
        stage
            .authorize(Server::Org, &[("prompt", "login")])
            .await
            .text()
            .contains("name=\"password\"")
    );
    assert_eq!(
        stage.authorize(Server::Org, &[("max_age", "600")]).await.status,
        302
    );
    assert_eq!(
        stage.authorize(Server::Org, &[("max_age", "599")]).await.status,
        200
    );
    assert_eq!(
        stage.authorize(Server::Org, &[("max_age", "0")]).await.status,
        200
    );
    let back = stage
        .authorize(Server::Org, &[("max_age", "599"), ("prompt", "none")])
        .await;
    assert_eq!(back.sent("error").as_deref(), Some("login_required"));
    stage.clock.advance(2 * 3600);
    let back = stage.authorize(Server::Org, &[("prompt", "none")]).await;
    assert_eq!(back.sent("error").as_deref(), Some("login_required"));
}

#[actix_web::test]
async fn a_wrong_password_says_so_and_opens_nothing() {
    let mut stage = Stage::new();
    let page = stage
        .authorize(Server::Org, &[("login_hint", "ada@acme.test")])
        .await;
    assert!(page.text().contains("value=\"ada@acme.test\""));
    for (login, password) in [("ada@acme.test", "wrong"), ("nobody@acme.test", PASSWORD)] {
        let again = stage
            .post(&page.action(), &[("username", login), ("password", password)])
            .await;
        assert_eq!(again.status, 200);
        assert!(again.text().contains("Unable to sign in"));
        assert_eq!(stage.cookie, None);
    }
    assert_eq!(
        stage.sign_in(&page, "ada@acme.test").await.status,
        302,
        "the form is still good"
    );
    assert_eq!(
        stage.sign_in(&page, "ada@acme.test").await.status,
        400,
        "and good for one sign-in"
    );
}

#[actix_web::test]
async fn consent_is_asked_for_and_may_be_refused() {
    let mut stage = Stage::new();
    let page = stage.authorize(Server::Org, &[("prompt", "login consent")]).await;
    let question = stage.sign_in(&page, "ada@acme.test").await;
    assert!(question.text().contains("Allow access"));
    let back = stage.post(&question.action(), &[("decision", "deny")]).await;
    assert_eq!(back.sent("error").as_deref(), Some("access_denied"));
    let question = stage.authorize(Server::Org, &[("prompt", "consent")]).await;
    let back = stage.post(&question.action(), &[("decision", "allow")]).await;
    assert!(back.sent("code").is_some());
}

#[actix_web::test]
async fn answers_travel_as_asked() {
    let mut stage = Stage::new();
    stage.code(Server::Org, "ada@acme.test", &[]).await;
    let back = stage
        .authorize(Server::Org, &[("response_mode", "fragment")])
        .await;
    assert!(back.header("location").starts_with(&format!("{CALLBACK}#code=")));
    let back = stage
        .authorize(
            Server::Org,
            &[("response_mode", "form_post"), ("state", "\"><b>")],
        )
        .await;
    assert_eq!((back.status.as_u16(), back.action()), (200, CALLBACK.to_owned()));
    assert!(!back.text().contains("<b>"), "escaped");
}

#[actix_web::test]
async fn requested_acr_is_reflected() {
    let mut stage = Stage::new();
    let acr = "urn:nobody:knows urn:okta:loa:2fa:any";
    let tokens = stage
        .tokens(Server::Org, "ada@acme.test", &[("acr_values", acr)])
        .await;
    let claims = claims(&tokens["id_token"]);
    assert_eq!(claims["acr"], "urn:okta:loa:2fa:any");
    assert_eq!(claims["amr"], json!(["mfa", "otp", "pwd"]));
}

#[actix_web::test]
async fn a_fat_id_token_is_a_setting() {
    let mut stage = Stage::new();
    stage.okta.change_app(CLIENT, |app| app.fat_id_token = true);
    let tokens = stage
        .tokens(
            Server::Org,
            "grace@acme.test",
            &[("scope", "openid profile groups")],
        )
        .await;
    let claims = claims(&tokens["id_token"]);
    assert_eq!(claims["family_name"], "Hopper");
    assert_eq!(claims["groups"], json!(["Everyone", "Finance"]));
}

#[actix_web::test]
async fn a_tile_leads_to_the_initiate_login_uri_with_the_organisation_as_iss() {
    let mut stage = Stage::new();
    let page = stage.get("/").await;
    let home = stage.sign_in(&page, "ada@acme.test").await;
    assert_eq!(home.header("location"), "/");
    let address = "http://localhost:8080/start-login?connection=acme-okta&iss=http%3A%2F%2F127.0.0.1%3A8091";
    let page = stage.get("/").await;
    assert!(
        page.text()
            .replace("&#38;", "&")
            .contains(&format!("href=\"{address}\"")),
        "{}",
        page.text()
    );
    let tile = stage.get(&format!("/home/oidc_client/{CLIENT}/aln1")).await;
    assert_eq!(tile.header("location"), address);
    stage.okta.change_app(CLIENT, |app| app.assigned.clear());
    assert!(stage.get("/").await.text().contains("No app is assigned"));
    stage.get("/login/signout").await;
    assert!(stage.get("/").await.text().contains("name=\"username\""));
}

#[actix_web::test]
async fn what_was_asked_is_remembered_without_secrets() {
    let mut stage = Stage::new();
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    stage.okta.forget_requests();
    stage.redeem(Server::Org, &code).await;
    let seen = stage.okta.requests();
    assert_eq!(
        (seen.len(), seen[0].path.as_str(), seen[0].form("code")),
        (1, "/oauth2/v1/token", Some(&*code))
    );
    assert_eq!(seen[0].form("client_secret"), Some("***"));
    assert_eq!(seen[0].header("cookie"), None);
    assert!(!format!("{seen:?}").contains(SECRET));
}

#[test]
fn the_people_of_the_demo_have_okta_ids() {
    let people: Vec<_> = ["acme", "globex"].into_iter().flat_map(demo_people).collect();
    let logins: Vec<_> = people.iter().map(|person| person.login.as_str()).collect();
    assert_eq!(
        logins,
        [
            "ada@acme.test",
            "grace@acme.test",
            "linus@acme.test",
            "hank@globex.test"
        ]
    );
    assert!(
        people
            .iter()
            .all(|person| person.id.len() == 20 && person.id.starts_with("00u"))
    );
    assert!(
        people
            .iter()
            .all(|person| person.profile.get("department").is_some_and(Value::is_string))
    );
}

#[actix_web::test]
async fn it_serves_until_it_is_dropped() {
    let stage = Stage::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = actix_web::rt::spawn({
        let okta = stage.okta.clone();
        async move { okta.serve(listener).await }
    });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /.well-known/okta-organization HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    serving.abort();
    // The listener closes as soon as the accepting thread has heard of it.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
