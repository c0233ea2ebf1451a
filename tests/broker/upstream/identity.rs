//! Who somebody is: provider, issuer and subject, nothing else (A-47, A-51, A-52; M-117; OIDC Core §5.7).

use forebay::actions::providers::{self, Credentials, NewProvider};
use forebay::config::AllowedHost;
use forebay::demo::okta::{IdTokenFault, Person, UserinfoFault};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::{provider, user};
use serde_json::json;
use zeroize::Zeroizing;

use super::{attempt, refused, rows, signed_in, signs_in};
use crate::support::{Stage, claims};

#[actix_web::test]
async fn a_first_sign_in_makes_the_profile_just_in_time() {
    let stage = Stage::new().await;
    let id = signs_in(&stage, "ada@acme.test").await;
    let sub = id["sub"].as_str().unwrap();
    let (user, identities) = stage.act(|conn| {
        (
            user::find(conn, sub).unwrap().unwrap(),
            user::identities(conn, sub).unwrap(),
        )
    });
    assert_eq!(user.status, user::Status::ExternalProvider);
    assert_eq!(user.username, "acme-okta_00u1ada000000000acme");
    assert_eq!(id["cognito:username"], user.username.as_str());
    assert_eq!(identities.len(), 1);
    assert_eq!(identities[0].issuer, stage.acme.issuer());
    assert_eq!(identities[0].subject, "00u1ada000000000acme");
    assert!(identities[0].is_primary);
    assert_eq!(
        id["identities"][0],
        json!({"dateCreated": "1795219200000", "issuer": null, "primary": "true", "providerName": "acme-okta",
               "providerType": "OIDC", "userId": "00u1ada000000000acme"})
    );
    assert!(
        id["cognito:groups"]
            .as_array()
            .unwrap()
            .contains(&json!("us-local-1_Forebay01_acme-okta"))
    );
    // And the second finds it.
    let again = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(again["sub"], id["sub"]);
}

#[actix_web::test]
async fn a47_m117_the_same_address_at_another_organisation_is_another_person() {
    let stage = Stage::new().await;
    let ada = signs_in(&stage, "ada@acme.test").await;
    for (number, (address, verified)) in [
        ("ada@acme.test", Some(true)),
        ("ada@acme.test", Some(false)),
        ("ADA@ACME.TEST", None),
        ("Ada@acme.test", Some(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let login = format!("mallory{number}@globex.test");
        let mut profile = json!({"name": "Ada Lovelace"}).as_object().cloned().unwrap();
        if let Some(verified) = verified {
            profile.insert("email_verified".into(), json!(verified));
        }
        stage.globex.add_person(Person {
            id: format!("00u1mallory{number}000glbx"),
            login: login.clone(),
            email: address.into(),
            given_name: "Ada".into(),
            family_name: "Lovelace".into(),
            groups: vec!["Everyone".into()],
            profile,
        });
        stage
            .globex
            .change_app("0oa1forebayglobex000", |app| app.assigned.push(login.clone()));
        for round in 0..2 {
            let id = signs_in(&stage, &login).await;
            assert_ne!(id["sub"], ada["sub"], "{address} {verified:?}, round {round}");
        }
    }
    let again = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(again["sub"], ada["sub"]);
    assert_eq!(again["email"], ada["email"]);
}

#[actix_web::test]
async fn a51_a_subject_that_names_nobody_signs_nobody_in() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    for (subject, cause, error) in [
        (json!(""), "SUBJECT_INVALID", "server_error"),
        (json!(null), "SUBJECT_INVALID", "server_error"),
        (json!(0), "SUBJECT_INVALID", "server_error"),
        (json!(true), "SUBJECT_INVALID", "server_error"),
        (json!(["00u1ada000000000acme"]), "SUBJECT_INVALID", "server_error"),
        (json!("00u1\u{0}ada"), "SUBJECT_INVALID", "server_error"),
        (json!("null"), "subject_invalid", "invalid_request"),
        (json!("NULL"), "subject_invalid", "invalid_request"),
        (json!("undefined"), "subject_invalid", "invalid_request"),
        (json!("   "), "subject_invalid", "invalid_request"),
    ] {
        let claims = json!({ "sub": subject }).as_object().cloned().unwrap();
        stage.acme.set_faults(|faults| {
            faults.id_token = vec![IdTokenFault::Set(claims.clone())];
            faults.userinfo = vec![UserinfoFault::Set(claims)];
        });
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, cause, error);
        assert_eq!(rows(&stage), before, "{subject}");
    }
}

#[actix_web::test]
async fn subjects_that_differ_in_case_alone_are_different_people() {
    let stage = Stage::new().await;
    let mut seen = Vec::new();
    for subject in ["00u1abc", "00U1ABC", "00u1abc"] {
        let claims = json!({ "sub": subject }).as_object().cloned().unwrap();
        stage.acme.set_faults(|faults| {
            faults.id_token = vec![IdTokenFault::Set(claims.clone())];
            faults.userinfo = vec![UserinfoFault::Set(claims)];
        });
        seen.push(signs_in(&stage, "ada@acme.test").await["sub"].clone());
    }
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[actix_web::test]
async fn a52_a_connection_made_again_under_the_same_name_inherits_nobody() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let old = claims(&tokens.access)["sub"].clone();
    let mut browser = stage.browser();
    browser
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await
        .expect(302);

    let ctx = stage.ctx();
    let issuer = stage.acme.issuer();
    let allowed = [AllowedHost::parse(&issuer.replace("http://", "")).unwrap()];
    stage.act(|conn| {
        let settings = provider::find(conn, "acme-okta").unwrap().unwrap().settings.0;
        providers::delete(conn, &ctx, "acme-okta").unwrap();
        let new = NewProvider {
            user_pool_id: POOL.into(),
            name: "acme-okta".into(),
            slug: Some("acme-okta".into()),
            issuer,
            settings,
            credentials: Credentials {
                client_secret: Some(Zeroizing::new(
                    "demo-secret-of-forebay-at-acme-000000000001".into(),
                )),
                private_key: None,
                ..Credentials::default()
            },
            identifiers: vec!["acme.test".into()],
            rules: Default::default(),
        };
        providers::create(conn, &ctx, &allowed, new).unwrap();
    });
    // Not offered to the app until somebody says so again.
    let page = stage
        .get(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await
        .expect(302);
    assert!(page.location().starts_with("/login?"), "{page:?}");
    stage.change_client(WEB_CLIENT, |client| {
        client.settings.providers.push("acme-okta".into())
    });

    let id = signs_in(&stage, "ada@acme.test").await;
    assert_ne!(id["sub"], old, "the old profile is not found again by its name");
    assert_ne!(id["cognito:username"], "acme-okta_00u1ada000000000acme");
}

#[actix_web::test]
async fn a_user_who_is_disabled_here_is_told_so_and_gets_nothing() {
    let stage = Stage::new().await;
    let id = signs_in(&stage, "ada@acme.test").await;
    let sub = id["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        let mut user = user::find(conn, &sub).unwrap().unwrap();
        user.enabled = false;
        user::update(conn, &user).unwrap();
    });
    let before = rows(&stage);
    stage
        .acme
        .change_person("ada@acme.test", |person| person.given_name = "Augusta".into());
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "user_disabled", "access_denied");
    assert_eq!(
        trace.user_sub.as_deref(),
        Some(sub.as_str()),
        "the trace is the user's"
    );
    assert_eq!(rows(&stage), before);
    let user = stage.act(|conn| user::find(conn, &sub).unwrap().unwrap());
    assert_eq!(
        user.attributes["given_name"], "Ada",
        "a refused sign-in changes nothing"
    );
}

#[actix_web::test]
async fn an_app_that_insists_on_one_user_gets_no_other_and_no_profile_is_made() {
    let stage = Stage::new().await;
    let ada = stage.tokens_for("ada@acme.test", &[]).await;
    let hint = ada.id.clone().unwrap();
    let before = rows(&stage);
    let url = stage.authorize(&[
        ("id_token_hint", hint.as_str()),
        ("identity_provider", "acme-okta"),
    ]);
    let mut browser = stage.browser();
    let page = browser.sign_in("grace@acme.test", &url).await;
    let trace = refused(&stage, &page, "other_user", "login_required");
    assert_eq!(super::failing(&trace), Some("user"));
    assert_eq!(rows(&stage), before, "grace has no profile, no session, no code");
    // The page's way on insists on the same user, too.
    let again = super::link_with(&page, "/oauth2/authorize", "prompt=login");
    let page = browser.visit(&again).await;
    let page = browser.enter(&page, "grace@acme.test").await;
    refused(&stage, &page, "other_user", "login_required");
    let again = super::link_with(&page, "/oauth2/authorize", "prompt=login");
    let page = browser.visit(&again).await;
    let back = browser.enter(&page, "ada@acme.test").await;
    assert_eq!(signed_in(&stage, &back).await["sub"], claims(&hint)["sub"]);
}
