//! How we prove ourselves at an organisation, and where its endpoints are: every setting of a connection signs in, and
//! each one that does not fit the organisation is named (okta.md "Client authentication"; M-112, M-114).

use forebay::actions::providers::{self, Credentials, ProviderChange};
use forebay::config::AllowedHost;
use forebay::demo::okta;
use forebay::model::provider::{ClientAuth, Endpoints, UserinfoMethod};
use forebay::rules::jwks;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, LineEnding};
use serde_json::json;
use zeroize::Zeroizing;

use super::{attempt, refused, signs_in};
use crate::support::{NOW, Stage, claims, keys};

const APP: &str = "0oa1forebayacme00000";

/// Enters new credentials as an administrator does.
fn enter(stage: &Stage, credentials: Credentials) {
    let ctx = stage.ctx();
    let host = stage.acme.issuer().replace("http://", "");
    let allowed = [AllowedHost::parse(&host).unwrap()];
    let change = ProviderChange {
        credentials,
        ..ProviderChange::default()
    };
    stage.act(|conn| providers::update(conn, &ctx, &allowed, "acme-okta", change).unwrap());
}

fn secret(text: &str) -> Credentials {
    Credentials {
        client_secret: Some(Zeroizing::new(text.into())),
        private_key: None,
        ..Credentials::default()
    }
}

#[actix_web::test]
async fn a_secret_goes_in_the_header_or_in_the_body_as_the_organisation_wants_it() {
    for (ours, theirs, calls) in [
        (ClientAuth::SecretBasic, okta::ClientAuth::ClientSecretBasic, 1),
        (ClientAuth::SecretPost, okta::ClientAuth::ClientSecretPost, 1),
        // Nobody can tell from Okta's console which one it is: the other is tried once.
        (ClientAuth::SecretBasic, okta::ClientAuth::ClientSecretPost, 2),
    ] {
        let stage = Stage::new().await;
        stage.change_provider("acme-okta", |row| row.settings.client_auth = ours);
        stage.acme.change_app(APP, |app| {
            app.auth = theirs;
            app.strict_auth = true;
        });
        signs_in(&stage, "ada@acme.test").await;
        let tokens: Vec<_> = stage
            .acme
            .requests()
            .into_iter()
            .filter(|seen| seen.path.ends_with("/token"))
            .collect();
        assert_eq!(tokens.len(), calls, "{ours:?} at {theirs:?}");
        let last = tokens.last().unwrap();
        let in_header = last.headers.iter().any(|(name, _)| name == "authorization");
        assert_eq!(
            in_header,
            theirs == okta::ClientAuth::ClientSecretBasic,
            "{last:?}"
        );
        assert_eq!(
            last.form("client_secret").is_some(),
            !in_header,
            "never both: {last:?}"
        );
        // The second sign-in knows.
        stage.acme.forget_requests();
        signs_in(&stage, "grace@acme.test").await;
        let again = stage.acme.requests();
        assert_eq!(
            again.iter().filter(|seen| seen.path.ends_with("/token")).count(),
            1
        );
    }
}

#[actix_web::test]
async fn m114_an_assertion_signed_with_our_key_signs_in() {
    let stage = Stage::new().await;
    let pair = &keys().id_token;
    let pem = rsa::RsaPrivateKey::from_pkcs1_der(&pair.private_der)
        .unwrap()
        .to_pkcs1_pem(LineEnding::LF)
        .unwrap()
        .to_string();
    let public = jwks::from_pem(&pem).unwrap().public_jwk;
    enter(
        &stage,
        Credentials {
            client_secret: None,
            private_key: Some(Zeroizing::new(pem)),
            ..Credentials::default()
        },
    );
    stage.change_provider("acme-okta", |row| {
        row.settings.client_auth = ClientAuth::PrivateKeyJwt;
        row.client_secret_sealed = None;
    });
    stage.acme.change_app(APP, |app| {
        app.auth = okta::ClientAuth::PrivateKeyJwt;
        app.secrets.clear();
        app.public_keys = vec![serde_json::to_value(&public).unwrap()];
    });
    signs_in(&stage, "ada@acme.test").await;
    // Each assertion is used once, so a second sign-in makes its own.
    signs_in(&stage, "grace@acme.test").await;

    stage.acme.change_app(APP, |app| app.public_keys.clear());
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "CLIENT_AUTH_FAILED", "server_error");
}

#[actix_web::test]
async fn a_secret_is_rotated_without_an_outage() {
    let stage = Stage::new().await;
    let app = |change: fn(&mut Vec<String>)| stage.acme.change_app(APP, |app| change(&mut app.secrets));
    signs_in(&stage, "ada@acme.test").await;
    app(|secrets| secrets.push("the-new-secret-of-forebay-at-acme-0001".into()));
    signs_in(&stage, "ada@acme.test").await;
    enter(&stage, secret("the-new-secret-of-forebay-at-acme-0001"));
    signs_in(&stage, "ada@acme.test").await;
    app(|secrets| drop(secrets.remove(0)));
    signs_in(&stage, "ada@acme.test").await;

    app(|secrets| secrets.clear());
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "CLIENT_AUTH_FAILED", "server_error");
    let told = serde_json::to_string(&trace.story.0).unwrap();
    assert!(!told.contains("the-new-secret"), "{told}");
}

#[actix_web::test]
async fn a_secret_with_every_sort_of_character_arrives_as_it_is() {
    let stage = Stage::new().await;
    let odd = "a+b%20c:e/f=g&h?i\"j\\k~l-0123456789";
    stage.acme.change_app(APP, |app| app.secrets = vec![odd.into()]);
    enter(&stage, secret(odd));
    for method in [ClientAuth::SecretBasic, ClientAuth::SecretPost] {
        stage.change_provider("acme-okta", |row| row.settings.client_auth = method);
        signs_in(&stage, "ada@acme.test").await;
    }
}

#[actix_web::test]
async fn a_connection_without_its_secret_says_so() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.client_secret_sealed = None);
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "CONNECTION_MISCONFIGURED", "server_error");
    assert!(
        serde_json::to_string(&trace.story.0)
            .unwrap()
            .contains("no client secret")
    );
}

#[actix_web::test]
async fn endpoints_given_by_hand_replace_discovery() {
    let stage = Stage::new().await;
    let at = |name: &str| format!("{}/oauth2/v1/{name}", stage.acme.issuer());
    let endpoints = Endpoints {
        authorization: at("authorize"),
        token: at("token"),
        userinfo: Some(at("userinfo")),
        jwks: at("keys"),
        end_session: Some(at("logout")),
    };
    stage.change_provider("acme-okta", |row| {
        row.settings.endpoints = Some(endpoints.clone())
    });
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["given_name"], "Ada", "userinfo was asked");
    assert!(
        stage
            .acme
            .requests()
            .iter()
            .all(|seen| !seen.path.contains("/.well-known/"))
    );

    // Without userinfo the ID token has to do.
    stage.change_provider("acme-okta", |row| {
        row.settings.endpoints = Some(Endpoints {
            userinfo: None,
            ..endpoints
        });
    });
    stage.acme.forget_requests();
    let id = signs_in(&stage, "grace@acme.test").await;
    assert_eq!(
        (id["email"].as_str(), id.get("given_name")),
        (Some("grace@acme.test"), None)
    );
    assert!(
        stage
            .acme
            .requests()
            .iter()
            .all(|seen| !seen.path.ends_with("/userinfo"))
    );
}

#[actix_web::test]
async fn a_custom_authorization_server_is_an_issuer_of_its_own() {
    let stage = Stage::new().await;
    let issuer = stage.acme.default_issuer();
    stage.change_provider("acme-okta", |row| {
        row.issuer = issuer.clone();
        row.settings.scopes = ["openid", "profile", "email"].map(String::from).to_vec();
    });
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["identities"][0]["userId"], "00u1ada000000000acme");
    assert_eq!(id["custom:department"], "Analytical Engines");
    assert!(
        stage
            .acme
            .requests()
            .iter()
            .filter(|seen| seen.path.contains("/v1/"))
            .all(|seen| seen.path.starts_with("/oauth2/default/v1/"))
    );
    // That server knows no scope 'groups': the connection asks for too much.
    stage.change_provider("acme-okta", |row| row.settings.scopes.push("groups".into()));
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "invalid_scope", "server_error");
    assert!(trace.story.remedy.contains("'groups'"), "{trace:?}");
}

#[actix_web::test]
async fn userinfo_is_asked_by_post_where_the_connection_says_so() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| {
        row.settings.userinfo_method = UserinfoMethod::Post
    });
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["given_name"], "Ada");
    let requests = stage.acme.requests();
    let userinfo = requests
        .iter()
        .find(|seen| seen.path.ends_with("/userinfo"))
        .unwrap();
    assert_eq!(userinfo.method, "POST");
    assert!(
        userinfo.query.is_empty() && userinfo.form.is_empty(),
        "the token goes in the header"
    );
}

#[actix_web::test]
async fn m112_one_connections_credentials_are_never_shown_to_another() {
    let stage = Stage::new().await;
    for login in ["ada@acme.test", "hank@globex.test"] {
        signs_in(&stage, login).await;
    }
    for (okta, own) in [
        (&stage.acme, "0oa1forebayacme00000"),
        (&stage.globex, "0oa1forebayglobex000"),
    ] {
        let requests = okta.requests();
        let named: Vec<&str> = requests
            .iter()
            .flat_map(|seen| seen.query.iter().chain(&seen.form))
            .filter(|(name, _)| name == "client_id")
            .map(|(_, value)| value.as_str())
            .collect();
        assert!(
            !named.is_empty() && named.iter().all(|id| *id == own),
            "{named:?}"
        );
        assert!(requests.iter().all(|seen| {
            let back_channel = seen.path.ends_with("/token") || seen.path.ends_with("/userinfo");
            !back_channel
                || seen
                    .headers
                    .iter()
                    .all(|(name, _)| name != "cookie" && name != "origin" && name != "referer")
        }));
    }
}

#[actix_web::test]
async fn fat_id_tokens_and_late_clocks_of_apps_make_no_difference_to_the_claims() {
    let stage = Stage::new().await;
    let thin = signs_in(&stage, "ada@acme.test").await;
    stage.acme.change_app(APP, |app| app.fat_id_token = true);
    let fat = signs_in(&stage, "ada@acme.test").await;
    for name in [
        "sub",
        "email",
        "name",
        "given_name",
        "family_name",
        "cognito:groups",
        "custom:department",
        "zoneinfo",
    ] {
        assert_eq!(thin[name], fat[name], "{name}");
    }
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(claims(&tokens.access)["auth_time"], json!(NOW.0));
}
