//! Identity providers through the API: made live, echoed as they were set, changed without losing what Cognito cannot say.

use forebay::demo::{self, POOL};
use forebay::model::credential::Role;
use forebay::model::mapping::{self, GroupsRule, Rule, Rules, Source};
use forebay::model::{audit, provider};
use serde_json::{Value, json};

use super::authentication::credential;
use super::{call, call_as, pool, refusal};
use crate::support::{APP, PUBLIC_URL, Stage, query_of};

/// The stand-in organisation as a provider of that name.
fn okta(stage: &Stage, pool: &str, name: &str) -> Value {
    let registration = demo::registration(0, &stage.acme.issuer());
    json!({
        "UserPoolId": pool, "ProviderName": name, "ProviderType": "OIDC",
        "IdpIdentifiers": ["Second.example", "alias"],
        "ProviderDetails": {
            "client_id": registration.client_id, "client_secret": registration.client_secret,
            "attributes_request_method": "GET", "oidc_issuer": registration.issuer,
            "authorize_scopes": "openid profile  email",
        },
        "AttributeMapping": { "email": "email", "given_name": "given_name" },
    })
}

async fn made(stage: &Stage, input: Value) -> Value {
    let answer = call(stage, "CreateIdentityProvider", input).await.expect(200);
    answer.json()["IdentityProvider"].clone()
}

fn named(pool: &str, name: &str) -> Value {
    json!({ "UserPoolId": pool, "ProviderName": name })
}

fn with(mut input: Value, changes: Value) -> Value {
    let changes = changes.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(changes);
    input
}

#[actix_web::test]
async fn a_provider_comes_back_exactly_as_it_was_set_and_signs_people_in_at_once() {
    let stage = Stage::new().await;
    let input = okta(&stage, POOL, "second-okta");
    let made = made(&stage, input.clone()).await;
    for member in [
        "ProviderName",
        "ProviderType",
        "ProviderDetails",
        "IdpIdentifiers",
    ] {
        assert_eq!(made[member], input[member], "{member}");
    }
    assert_eq!(
        made["AttributeMapping"],
        json!({ "email": "email", "given_name": "given_name", "username": "sub" })
    );
    let shown = call(&stage, "DescribeIdentityProvider", named(POOL, "second-okta"))
        .await
        .expect(200);
    assert_eq!(shown.json()["IdentityProvider"], made);

    stage.change_web_client(|settings| settings.providers.push("second-okta".into()));
    let registration = demo::registration(0, &stage.acme.issuer());
    stage.acme.change_app(&registration.client_id, |app| {
        app.redirect_uris.push(format!("{PUBLIC_URL}/oauth2/idpresponse"));
    });
    let authorize = stage.authorize(&[("identity_provider", "second-okta")]);
    let back = stage.browser().sign_in("ada@acme.test", &authorize).await;
    assert!(
        back.location().starts_with(APP) && query_of(back.location(), "code").is_some(),
        "{back:?}"
    );
}

#[actix_web::test]
async fn the_secret_is_for_those_who_may_change_the_pool_and_in_no_record() {
    let stage = Stage::new().await;
    let input = okta(&stage, POOL, "second-okta");
    made(&stage, input.clone()).await;
    let secret = input["ProviderDetails"]["client_secret"].as_str().unwrap();
    let reader = credential(&stage, Role::ReadOnly, None);
    for (operation, wanted) in [
        ("DescribeIdentityProvider", named(POOL, "second-okta")),
        (
            "GetIdentityProviderByIdentifier",
            json!({ "UserPoolId": POOL, "IdpIdentifier": "second.EXAMPLE" }),
        ),
    ] {
        let full = call(&stage, operation, wanted.clone()).await.expect(200);
        assert!(full.body.contains(secret), "{operation}");
        let seen = call_as(&stage, &reader, operation, wanted).await.expect(200);
        assert!(
            seen.body.contains("oidc_issuer") && !seen.body.contains(secret),
            "{operation}"
        );
    }
    let records = stage.act(|conn| audit::recent(conn, Some(POOL), 50).unwrap());
    assert!(records.iter().any(|event| event.action == "provider.create"));
    assert!(
        records
            .iter()
            .all(|event| !event.difference.0.to_string().contains(secret))
    );
}

#[actix_web::test]
async fn an_update_leaves_out_what_stays() {
    let stage = Stage::new().await;
    let input = okta(&stage, POOL, "second-okta");
    let before = made(&stage, input.clone()).await;
    let updated = call(
        &stage,
        "UpdateIdentityProvider",
        with(
            named(POOL, "second-okta"),
            json!({ "IdpIdentifiers": ["third.example"] }),
        ),
    )
    .await
    .expect(200)
    .json()["IdentityProvider"]
        .clone();
    assert_eq!(updated["IdpIdentifiers"], json!(["third.example"]));
    for member in ["ProviderDetails", "AttributeMapping", "CreationDate"] {
        assert_eq!(updated[member], before[member], "{member}");
    }
    let mut details = input["ProviderDetails"].clone();
    details["authorize_scopes"] = json!("openid email");
    details["client_secret"] = json!("another-secret-of-the-app");
    let updated = call(
        &stage,
        "UpdateIdentityProvider",
        with(named(POOL, "second-okta"), json!({ "ProviderDetails": details })),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(updated["IdentityProvider"]["ProviderDetails"], details);
}

#[actix_web::test]
async fn a_mapping_survives_an_update_where_cognito_has_no_words_for_it() {
    let stage = Stage::new().await;
    made(&stage, okta(&stage, POOL, "second-okta")).await;
    let id = stage.act(|conn| {
        provider::find_by_name(conn, POOL, "second-okta")
            .unwrap()
            .unwrap()
            .id
    });
    let groups = Some(GroupsRule::new(Source::claim("groups")));
    stage.act(|conn| {
        let rules = Rules {
            attributes: vec![
                Rule::new("email", Source::claim("email")),
                Rule::new("name", Source::expression("claims.given_name")),
            ],
            groups: groups.clone(),
        };
        let row = mapping::Mapping {
            provider_id: id.clone(),
            version: 2,
            rules: forebay::db::Json(rules),
            author: "test".into(),
            note: String::new(),
            created_at: crate::support::NOW,
        };
        assert!(mapping::insert(conn, &row).unwrap());
    });
    let update = with(
        named(POOL, "second-okta"),
        json!({ "AttributeMapping": { "email": "mail" } }),
    );
    for _ in 0..2 {
        let shown = call(&stage, "UpdateIdentityProvider", update.clone())
            .await
            .expect(200);
        assert_eq!(
            shown.json()["IdentityProvider"]["AttributeMapping"],
            json!({ "email": "mail", "username": "sub" })
        );
    }
    let current = stage.act(|conn| mapping::current(conn, &id).unwrap().unwrap());
    assert_eq!(current.version, 3, "the same again makes no version");
    assert_eq!(current.rules.groups, groups);
    assert_eq!(
        current.rules.attributes,
        [
            Rule::new("email", Source::claim("mail")),
            Rule::new("name", Source::expression("claims.given_name")),
        ]
    );
}

#[actix_web::test]
async fn what_cannot_be_is_refused_with_what_is_wrong() {
    let stage = Stage::new().await;
    let good = okta(&stage, POOL, "second-okta");
    let details =
        |changes: Value| json!({ "ProviderDetails": with(good["ProviderDetails"].clone(), changes) });
    for (changes, name, says) in [
        (
            json!({ "ProviderType": "SAML" }),
            "InvalidParameterException",
            "SAML",
        ),
        (
            json!({ "ProviderType": "Google" }),
            "InvalidParameterException",
            "Google",
        ),
        (
            json!({ "ProviderName": "acme-okta" }),
            "DuplicateProviderException",
            "acme-okta",
        ),
        (
            json!({ "IdpIdentifiers": ["acme.test"] }),
            "DuplicateProviderException",
            "acme.test",
        ),
        (
            json!({ "AttributeMapping": { "custom:nothing": "x" } }),
            "InvalidParameterException",
            "custom:nothing",
        ),
        (
            json!({ "AttributeMapping": { "username": "email" } }),
            "InvalidParameterException",
            "username",
        ),
        (
            details(json!({ "client_id": "" })),
            "InvalidParameterException",
            "client_id",
        ),
        (
            details(json!({ "authorize_scopes": "email" })),
            "InvalidParameterException",
            "openid",
        ),
        (
            details(json!({ "oidc_issuer": "http://169.254.169.254" })),
            "InvalidParameterException",
            "oidc_issuer",
        ),
        (
            details(json!({ "oidc_issuer": format!("{}/nowhere", stage.acme.issuer()) })),
            "InvalidParameterException",
            "authorize_url, token_url, jwks_uri",
        ),
    ] {
        let answer = call(&stage, "CreateIdentityProvider", with(good.clone(), changes)).await;
        let (refused, message) = refusal(&answer);
        assert_eq!(refused, name, "{message}");
        assert!(message.contains(says), "{says}: {message}");
    }
    let listed = call(&stage, "ListIdentityProviders", json!({ "UserPoolId": POOL })).await;
    assert!(
        !listed.expect(200).body.contains("second-okta"),
        "nothing was made"
    );
}

#[actix_web::test]
async fn an_issuer_that_publishes_nothing_takes_addresses_by_hand() {
    let stage = Stage::new().await;
    let issuer = format!("{}/nowhere", stage.acme.issuer());
    let mut input = okta(&stage, POOL, "by-hand");
    for (key, path) in [("authorize_url", "a"), ("token_url", "t"), ("jwks_uri", "k")] {
        input["ProviderDetails"][key] = json!(format!("{issuer}/{path}"));
    }
    input["ProviderDetails"]["oidc_issuer"] = json!(issuer);
    let made = made(&stage, input.clone()).await;
    assert_eq!(made["ProviderDetails"], input["ProviderDetails"]);
    let row = stage.act(|conn| provider::find_by_name(conn, POOL, "by-hand").unwrap().unwrap());
    let endpoints = row.settings.endpoints.clone().unwrap();
    assert_eq!(endpoints.token, format!("{issuer}/t"));

    // The secret does not follow to another address by itself.
    let mut details = input["ProviderDetails"].clone();
    details["token_url"] = json!(format!("{issuer}/elsewhere"));
    details.as_object_mut().unwrap().remove("client_secret");
    let answer = call(
        &stage,
        "UpdateIdentityProvider",
        with(named(POOL, "by-hand"), json!({ "ProviderDetails": details })),
    )
    .await;
    let (name, message) = refusal(&answer);
    assert_eq!(name, "InvalidParameterException");
    assert!(message.contains("client_secret"), "{message}");
    let after = stage.act(|conn| provider::find_by_name(conn, POOL, "by-hand").unwrap().unwrap());
    assert_eq!(after, row, "a refused change leaves everything");
}

#[actix_web::test]
async fn providers_are_listed_in_pages_and_deleted_for_good() {
    let stage = Stage::new().await;
    let first = call(
        &stage,
        "ListIdentityProviders",
        json!({ "UserPoolId": POOL, "MaxResults": 1 }),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(first["Providers"][0]["ProviderName"], "acme-okta");
    assert_eq!(first["Providers"][0]["ProviderType"], "OIDC");
    let rest = call(
        &stage,
        "ListIdentityProviders",
        json!({ "UserPoolId": POOL, "NextToken": first["NextToken"] }),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(rest["Providers"][0]["ProviderName"], "globex-okta");
    assert!(rest.get("NextToken").is_none());

    let gone = call(&stage, "DeleteIdentityProvider", named(POOL, "globex-okta")).await;
    assert_eq!((gone.status, gone.body.as_str()), (200, ""));
    for operation in [
        "DescribeIdentityProvider",
        "UpdateIdentityProvider",
        "DeleteIdentityProvider",
    ] {
        let answer = call(&stage, operation, named(POOL, "globex-okta")).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "{operation}");
    }
}

#[actix_web::test]
async fn a_credential_of_another_pool_finds_nothing_and_calls_nobody() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    let stranger = credential(&stage, Role::Admin, Some(&other));
    let reader = credential(&stage, Role::ReadOnly, None);
    for operation in [
        "CreateIdentityProvider",
        "DescribeIdentityProvider",
        "UpdateIdentityProvider",
        "DeleteIdentityProvider",
    ] {
        let mut input = okta(&stage, POOL, "acme-okta");
        input["ProviderDetails"]["oidc_issuer"] = json!("https://internal.invalid");
        let answer = call_as(&stage, &stranger, operation, input.clone()).await;
        let (name, message) = refusal(&answer);
        assert_eq!(name, "ResourceNotFoundException", "{operation}");
        assert!(!message.contains("internal.invalid"), "{message}");
        if operation != "DescribeIdentityProvider" {
            let answer = call_as(&stage, &reader, operation, input).await;
            assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
        }
    }
}

#[actix_web::test]
async fn a_client_that_names_a_provider_too_early_is_told_which_one_lacks() {
    let stage = Stage::new().await;
    let answer = call(
        &stage,
        "CreateUserPoolClient",
        json!({
            "UserPoolId": POOL, "ClientName": "early", "SupportedIdentityProviders": ["acme-okta", "not-there-yet"],
        }),
    )
    .await;
    let (name, message) = refusal(&answer);
    assert_eq!(name, "InvalidParameterException");
    assert!(message.contains("not-there-yet"), "{message}");
}
