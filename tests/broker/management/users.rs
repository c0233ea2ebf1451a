//! Users through the API.

use forebay::demo::POOL;
use forebay::model::credential::Role;
use forebay::model::pool::{Attribute, AttributeType};
use forebay::model::user::Status;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{add, attribute, call, call_as, person, pool, refusal};
use crate::support::{Stage, claims};

const ADA: &str = "acme-okta_00u1ada000000000acme";

fn named(user: &str) -> Value {
    json!({ "UserPoolId": POOL, "Username": user })
}

fn with(user: &str, member: &str, value: Value) -> Value {
    let mut input = named(user);
    input[member] = value;
    input
}

async fn get(stage: &Stage, user: &str) -> Value {
    call(stage, "AdminGetUser", named(user)).await.expect(200).json()
}

async fn set(stage: &Stage, user: &str, name: &str, value: &str) -> crate::support::Answer {
    let attributes = json!([{ "Name": name, "Value": value }]);
    call(
        stage,
        "AdminUpdateUserAttributes",
        with(user, "UserAttributes", attributes),
    )
    .await
}

#[actix_web::test]
async fn a_user_is_shown_under_each_of_their_names() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let ada = get(&stage, ADA).await;
    assert_eq!(ada, get(&stage, &sub).await);
    assert_eq!(ada["Username"], ADA);
    assert_eq!(ada["Enabled"], true);
    assert_eq!(ada["UserStatus"], "EXTERNAL_PROVIDER");
    assert_eq!(ada["UserCreateDate"], 1_795_219_200);
    let shown = |name: &str| attribute(&ada, "UserAttributes", name);
    assert_eq!(shown("sub").as_deref(), Some(sub.as_str()));
    assert_eq!(shown("email").as_deref(), Some("ada@acme.test"));
    assert_eq!(
        shown("email_verified").as_deref(),
        Some("true"),
        "a string, as in Cognito"
    );
    let identities: Value = serde_json::from_str(&shown("identities").unwrap()).unwrap();
    assert_eq!(
        identities,
        json!([{ "userId": "00u1ada000000000acme", "providerName": "acme-okta", "providerType": "OIDC",
                 "issuer": null, "primary": true, "dateCreated": 1_795_219_200_000_i64 }])
    );
    for unknown in [
        "nobody",
        "acme-okta_nobody",
        "acme-okta_",
        "_",
        &ADA.to_uppercase(),
    ] {
        let answer = call(&stage, "AdminGetUser", named(unknown)).await;
        let expected = ("UserNotFoundException".into(), "User does not exist.".into());
        assert_eq!(refusal(&answer), expected, "{unknown}");
    }
}

#[actix_web::test]
async fn names_are_compared_in_the_case_of_the_pool() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.case_sensitive = false);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(get(&stage, &ADA.to_uppercase()).await["Username"], ADA);
}

#[actix_web::test]
async fn attributes_are_set_and_a_blank_value_deletes() {
    let stage = Stage::new().await;
    add(
        &stage,
        &person(
            1,
            json!({ "email": "p@x.test", "email_verified": true, "nickname": "P" }),
        ),
    );
    let attributes = json!([
        { "Name": "given_name", "Value": "Pat" },
        { "Name": "nickname", "Value": "" },
        { "Name": "updated_at", "Value": "1700000000" },
        { "Name": "custom:department", "Value": "Sales" },
    ]);
    let answer = call(
        &stage,
        "AdminUpdateUserAttributes",
        with("person-0001", "UserAttributes", attributes),
    )
    .await
    .expect(200);
    assert_eq!(answer.json(), json!({}));
    let user = get(&stage, "person-0001").await;
    let shown = |name: &str| attribute(&user, "UserAttributes", name);
    assert_eq!(shown("given_name").as_deref(), Some("Pat"));
    assert_eq!(shown("nickname"), None);
    assert_eq!(shown("updated_at").as_deref(), Some("1700000000"));
    assert_eq!(shown("custom:department").as_deref(), Some("Sales"));
    assert_eq!(shown("email_verified").as_deref(), Some("true"));
    // Nobody has vouched for another address.
    set(&stage, "person-0001", "email", "q@x.test").await.expect(200);
    let user = get(&stage, "person-0001").await;
    assert_eq!(
        attribute(&user, "UserAttributes", "email").as_deref(),
        Some("q@x.test")
    );
    assert_eq!(attribute(&user, "UserAttributes", "email_verified"), None);
    let names = json!(["given_name", "locale"]);
    call(
        &stage,
        "AdminDeleteUserAttributes",
        with("person-0001", "UserAttributeNames", names),
    )
    .await
    .expect(200);
    let user = get(&stage, "person-0001").await;
    assert_eq!(attribute(&user, "UserAttributes", "given_name"), None);
}

#[actix_web::test]
async fn attributes_that_cannot_be_written_are_refused_by_name() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| {
        let attribute = |name: &str, mutable, required| Attribute {
            name: name.into(),
            kind: AttributeType::String,
            mutable,
            required,
        };
        settings.attributes.push(attribute("custom:badge", false, false));
        settings.attributes.push(attribute("family_name", true, true));
    });
    add(&stage, &person(1, json!({ "family_name": "Ives" })));
    set(&stage, "person-0001", "custom:badge", "7").await.expect(200);
    for (name, value, expected) in [
        ("sub", "x", "user.sub: Attribute cannot be updated."),
        (
            "identities",
            "[]",
            "user.identities: Attribute cannot be updated.",
        ),
        (
            "custom:badge",
            "8",
            "user.custom:badge: Attribute cannot be updated.",
        ),
        (
            "custom:badge",
            "",
            "user.custom:badge: Attribute cannot be updated.",
        ),
        (
            "custom:none",
            "x",
            "user.custom:none: Attribute does not exist in the schema.",
        ),
        ("family_name", "", "user.family_name: is required by the pool"),
        ("email", "no address", "user.email: "),
        ("phone_number", "123", "user.phone_number: "),
        ("updated_at", "soon", "user.updated_at: "),
        ("birthdate", "1815", "user.birthdate: "),
    ] {
        let (exception, message) = refusal(&set(&stage, "person-0001", name, value).await);
        assert_eq!(exception, "InvalidParameterException", "{name}");
        assert!(message.starts_with(expected), "{name}: {message}");
    }
    for name in ["sub", "identities", "family_name", "custom:badge", "custom:none"] {
        let input = with("person-0001", "UserAttributeNames", json!([name]));
        let answer = call(&stage, "AdminDeleteUserAttributes", input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{name}");
    }
    let user = get(&stage, "person-0001").await;
    assert_eq!(
        attribute(&user, "UserAttributes", "custom:badge").as_deref(),
        Some("7")
    );
}

#[actix_web::test]
async fn a_mapped_attribute_is_the_providers_again_with_the_next_sign_in() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    set(&stage, ADA, "given_name", "Augusta").await.expect(200);
    set(&stage, ADA, "nickname", "Countess").await.expect(200);
    let user = get(&stage, ADA).await;
    assert_eq!(
        attribute(&user, "UserAttributes", "given_name").as_deref(),
        Some("Augusta")
    );
    stage.tokens_for("ada@acme.test", &[]).await;
    let user = get(&stage, ADA).await;
    assert_eq!(
        attribute(&user, "UserAttributes", "given_name").as_deref(),
        Some("Ada")
    );
    assert_eq!(
        attribute(&user, "UserAttributes", "nickname").as_deref(),
        Some("Countess"),
        "the mapping has no rule for it"
    );
}

#[actix_web::test]
async fn who_is_disabled_is_out_at_once_until_enabled_again() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.unwrap();
    stage.refresh(&refresh).await.expect(200);
    assert_eq!(
        call(&stage, "AdminDisableUser", named(ADA))
            .await
            .expect(200)
            .json(),
        json!({})
    );
    assert_eq!(get(&stage, ADA).await["Enabled"], false);
    stage.refresh(&refresh).await.expect(400);
    stage.userinfo(&tokens.access).await.expect(401);
    call(&stage, "AdminEnableUser", named(ADA)).await.expect(200);
    stage.refresh(&refresh).await.expect(400);
    let again = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(claims(&again.access)["sub"], claims(&tokens.access)["sub"]);
}

#[actix_web::test]
async fn a_global_sign_out_ends_tokens_and_browsers() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let mut browser = stage.signed_in("ada@acme.test").await;
    let silent = stage.authorize(&[("prompt", "none")]);
    assert!(browser.open(&silent).await.location().contains("code="));
    call(&stage, "AdminUserGlobalSignOut", named(ADA))
        .await
        .expect(200);
    stage.refresh(&tokens.refresh.unwrap()).await.expect(400);
    let back = browser.open(&silent).await;
    assert!(back.location().contains("error=login_required"), "{back:?}");
}

#[actix_web::test]
async fn who_is_deleted_and_comes_back_is_somebody_new() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(
        call(&stage, "AdminDeleteUser", named(ADA)).await.expect(200).body,
        ""
    );
    let answer = call(&stage, "AdminDeleteUser", named(ADA)).await;
    assert_eq!(refusal(&answer).0, "UserNotFoundException");
    stage.refresh(&tokens.refresh.unwrap()).await.expect(400);
    let again = stage.tokens_for("ada@acme.test", &[]).await;
    assert_ne!(claims(&again.access)["sub"], claims(&tokens.access)["sub"]);
}

#[actix_web::test]
async fn only_who_waits_for_it_is_confirmed() {
    let stage = Stage::new().await;
    let mut waiting = person(1, json!({}));
    waiting.status = Status::Unconfirmed;
    add(&stage, &waiting);
    call(&stage, "AdminConfirmSignUp", named("person-0001"))
        .await
        .expect(200);
    assert_eq!(get(&stage, "person-0001").await["UserStatus"], "CONFIRMED");
    let again = call(&stage, "AdminConfirmSignUp", named("person-0001")).await;
    assert_eq!(
        refusal(&again),
        (
            "NotAuthorizedException".into(),
            "User cannot be confirmed. Current status is CONFIRMED".into()
        )
    );
    let listed = call(
        &stage,
        "ListUsers",
        json!({ "UserPoolId": POOL, "Filter": "cognito:user_status = \"confirmed\"" }),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(listed["Users"][0]["Username"], "person-0001");
}

#[actix_web::test]
async fn who_comes_through_a_connection_proves_nothing_here() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    add(&stage, &person(1, json!({})));
    add(&stage, &person(2, json!({})));
    let password = json!({ "UserPoolId": POOL, "Username": "person-0001", "Password": "Xy7!long-enough", "Permanent": true });
    call(&stage, "AdminSetUserPassword", password).await.expect(200);
    for (user, factors) in [
        ("person-0002", json!([])),
        (ADA, json!([])),
        ("person-0001", json!(["PASSWORD"])),
    ] {
        let answer = call(&stage, "AdminGetUserAuthFactors", named(user))
            .await
            .expect(200);
        assert_eq!(
            answer.json(),
            json!({ "Username": user, "ConfiguredUserAuthFactors": factors })
        );
    }
}

#[actix_web::test]
async fn another_pools_credential_finds_nobody_and_a_reader_changes_nobody() {
    let stage = Stage::new().await;
    add(&stage, &person(1, json!({})));
    let other = pool(&stage).await;
    let (stranger, reader) = (
        credential(&stage, Role::Admin, Some(&other)),
        credential(&stage, Role::ReadOnly, Some(POOL)),
    );
    let session = "sso0000000000000000000000000";
    let user = "person-0001";
    let source = |of: &str| json!({ "ProviderName": of, "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "x" });
    for (operation, input, writes) in [
        ("AdminGetUser", named(user), false),
        ("ListUsers", json!({ "UserPoolId": POOL }), false),
        ("AdminGetUserAuthFactors", named(user), false),
        ("AdminListUserSessions", named(user), false),
        ("AdminListUserAuthEvents", named(user), false),
        (
            "AdminUpdateUserAttributes",
            with(user, "UserAttributes", json!([])),
            true,
        ),
        (
            "AdminDeleteUserAttributes",
            with(user, "UserAttributeNames", json!([])),
            true,
        ),
        ("AdminEnableUser", named(user), true),
        ("AdminDisableUser", named(user), true),
        ("AdminUserGlobalSignOut", named(user), true),
        ("AdminConfirmSignUp", named(user), true),
        (
            "AdminRevokeUserSession",
            with(user, "SessionId", json!(session)),
            true,
        ),
        (
            "AdminLinkProviderForUser",
            json!({ "UserPoolId": POOL, "SourceUser": source("acme-okta"),
                    "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": user } }),
            true,
        ),
        (
            "AdminDisableProviderForUser",
            json!({ "UserPoolId": POOL, "User": source("acme-okta") }),
            true,
        ),
        ("AdminDeleteUser", named(user), true),
    ] {
        let answer = call_as(&stage, &stranger, operation, input.clone()).await;
        let expected = format!("User pool {POOL} does not exist.");
        assert_eq!(
            refusal(&answer),
            ("ResourceNotFoundException".into(), expected),
            "{operation}"
        );
        // In their own pool the user is nobody, by whatever name.
        if input.get("Username").is_some() {
            for name in [user, "00000000-0000-4000-8000-000000000001"] {
                let mut input = input.clone();
                input["UserPoolId"] = json!(other);
                input["Username"] = json!(name);
                let answer = call_as(&stage, &stranger, operation, input).await;
                assert_eq!(refusal(&answer).0, "UserNotFoundException", "{operation}");
            }
        }
        let answer = call_as(&stage, &reader, operation, input).await;
        if writes {
            assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
        } else {
            answer.expect(200);
        }
    }
    assert_eq!(get(&stage, user).await["Enabled"], true);
}
