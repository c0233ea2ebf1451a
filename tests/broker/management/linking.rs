//! Linking an upstream identity to a user: who comes with it is that user.

use forebay::demo::POOL;
use forebay::model::audit;
use forebay::model::user::{self, link};
use serde_json::{Value, json};

use super::{add, allow_flows, call, person, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, Stage, claims};

const ADA: &str = "00u1ada000000000acme";
const GRACE: &str = "00u1grace0000000acme";

fn account(provider: &str, attribute: &str, value: &str) -> Value {
    json!({ "ProviderName": provider, "ProviderAttributeName": attribute, "ProviderAttributeValue": value })
}

async fn try_link(stage: &Stage, source: Value, destination: Value) -> Answer {
    let input = json!({ "UserPoolId": POOL, "SourceUser": source, "DestinationUser": destination });
    call(stage, "AdminLinkProviderForUser", input).await
}

async fn link_to(stage: &Stage, source: Value, username: &str) {
    let destination = json!({ "ProviderName": "Cognito", "ProviderAttributeValue": username });
    let answer = try_link(stage, source, destination).await.expect(200);
    assert_eq!(answer.json(), json!({}));
}

async fn try_unlink(stage: &Stage, user: Value) -> Answer {
    call(
        stage,
        "AdminDisableProviderForUser",
        json!({ "UserPoolId": POOL, "User": user }),
    )
    .await
}

/// The ID token of that person's sign-in.
async fn signs_in(stage: &Stage, login: &str) -> Value {
    claims(stage.tokens_for(login, &[]).await.id.as_deref().unwrap())
}

#[actix_web::test]
async fn who_is_linked_by_subject_is_the_destination_from_the_first_sign_in_on() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    link_to(
        &stage,
        account("acme-okta", "Cognito_Subject", ADA),
        "person-0001",
    )
    .await;
    for _ in 0..2 {
        let id = signs_in(&stage, "ada@acme.test").await;
        assert_eq!(id["sub"], user.sub);
        assert_eq!(id["cognito:username"], "person-0001");
        assert_eq!(id["given_name"], "Ada", "the mapping runs on the destination");
        assert_eq!(id["identities"][0]["userId"], ADA);
        assert_eq!(id["identities"][0]["primary"], "false");
        // Those of the mapping; linked users are not in the automatic group.
        assert_eq!(id["cognito:groups"], json!(["Engineering", "Everyone"]));
    }
    // And goes by the upstream name, too.
    let input = json!({ "UserPoolId": POOL, "Username": format!("acme-okta_{ADA}") });
    let shown = call(&stage, "AdminGetUser", input).await.expect(200).json();
    assert_eq!(shown["Username"], "person-0001");
    assert_eq!(shown["UserStatus"], "CONFIRMED");
}

#[actix_web::test]
async fn who_comes_first_with_a_linked_address_is_the_destination_for_good() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    link_to(
        &stage,
        account("acme-okta", "email", "ADA@acme.test"),
        "person-0001",
    )
    .await;
    let grace = signs_in(&stage, "grace@acme.test").await;
    assert_ne!(grace["sub"], user.sub);
    assert_eq!(signs_in(&stage, "ada@acme.test").await["sub"], user.sub);
    stage
        .acme
        .change_person("ada@acme.test", |ada| ada.email = "lovelace@acme.test".into());
    let ada = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(ada["sub"], user.sub, "it is the subject that counts");
    // Somebody without a profile who has the address now.
    let input = json!({ "UserPoolId": POOL, "Username": grace["sub"] });
    call(&stage, "AdminDeleteUser", input).await.expect(200);
    stage
        .acme
        .change_person("grace@acme.test", |grace| grace.email = "ada@acme.test".into());
    let grace = signs_in(&stage, "grace@acme.test").await;
    assert_eq!(grace["email"], "ada@acme.test");
    assert_ne!(grace["sub"], user.sub, "the address has led to somebody");
}

#[actix_web::test]
async fn another_mapped_attribute_links_and_an_address_only_when_vouched_for() {
    let stage = Stage::new().await;
    let users = [person(1, json!({})), person(2, json!({}))];
    users.iter().for_each(|user| add(&stage, user));
    // By the claim's own name, which the connection maps to `custom:department`.
    link_to(
        &stage,
        account("acme-okta", "department", "Finance"),
        "person-0001",
    )
    .await;
    link_to(
        &stage,
        account("acme-okta", "email", "ada@acme.test"),
        "person-0002",
    )
    .await;
    assert_eq!(signs_in(&stage, "grace@acme.test").await["sub"], users[0].sub);
    stage.acme.change_person("ada@acme.test", |ada| {
        ada.profile.insert("email_verified".into(), json!(false));
    });
    assert_ne!(signs_in(&stage, "ada@acme.test").await["sub"], users[1].sub);
}

#[actix_web::test]
async fn a_refused_sign_in_leaves_the_link_as_it_was() {
    let stage = Stage::new().await;
    let mut user = person(1, json!({}));
    user.enabled = false;
    add(&stage, &user);
    link_to(
        &stage,
        account("acme-okta", "email", "ada@acme.test"),
        "person-0001",
    )
    .await;
    let page = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    assert_eq!(page.status, 403, "{page:?}");
    let (waiting, identities) = stage.act(|conn| {
        (
            link::waiting_of_user(conn, &user.sub).unwrap(),
            user::identities(conn, &user.sub).unwrap(),
        )
    });
    assert_eq!((waiting, identities.len()), (1, 0));
    let input = json!({ "UserPoolId": POOL, "Username": "person-0001" });
    call(&stage, "AdminEnableUser", input).await.expect(200);
    assert_eq!(signs_in(&stage, "ada@acme.test").await["sub"], user.sub);
}

#[actix_web::test]
async fn somebody_of_another_connection_may_be_the_destination() {
    let stage = Stage::new().await;
    let grace = signs_in(&stage, "grace@acme.test").await;
    let destination = json!({ "ProviderName": "acme-okta", "ProviderAttributeValue": GRACE });
    let source = account("globex-okta", "Cognito_Subject", "00u1hank00000000glbx");
    try_link(&stage, source, destination).await.expect(200);
    let changes = [("identity_provider", "globex-okta")];
    let hank = stage.tokens_for("hank@globex.test", &changes).await;
    let hank = claims(hank.id.as_deref().unwrap());
    assert_eq!(hank["sub"], grace["sub"]);
    let primary: Vec<_> = hank["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["primary"])
        .collect();
    assert_eq!(primary, ["true", "false"]);
}

#[actix_web::test]
async fn who_has_signed_in_before_is_the_destination_from_the_link_on() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    let own = stage.tokens_for("ada@acme.test", &[]).await;
    let made = claims(own.id.as_deref().unwrap())["sub"].clone();
    assert_ne!(made, user.sub);
    // By a value the link would never count: who has it is known by the subject.
    let to = json!({ "ProviderName": "Cognito", "ProviderAttributeValue": "person-0001" });
    let by_address = account("acme-okta", "email", "Ada@acme.test");
    let (name, message) = refusal(&try_link(&stage, by_address, to).await);
    assert_eq!(name, "InvalidParameterException");
    assert!(
        message.contains(&format!("Cognito_Subject, which is {ADA}")),
        "{message}"
    );

    link_to(
        &stage,
        account("acme-okta", "Cognito_Subject", ADA),
        "person-0001",
    )
    .await;
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["sub"], user.sub);
    assert_eq!(id["identities"].as_array().unwrap().len(), 1);
    // Nothing is left of what the first sign-in made.
    assert!(
        stage
            .act(|conn| user::find(conn, made.as_str().unwrap()).unwrap())
            .is_none()
    );
    stage.refresh(&own.refresh.unwrap()).await.expect(400);
    stage.userinfo(&own.access).await.expect(401);
    let log = stage.act(|conn| audit::of_target(conn, &user.sub, 20).unwrap());
    let linked = log.iter().find(|event| event.action == "user.link").unwrap();
    assert_eq!(linked.difference["instead_of"], made);
    let log = stage.act(|conn| audit::of_target(conn, made.as_str().unwrap(), 20).unwrap());
    assert!(log.iter().any(|event| event.action == "user.delete"));
}

#[actix_web::test]
async fn a_profile_to_which_more_belongs_does_not_give_way() {
    for what in ["kept out", "another identity", "a group by hand", "as Cognito"] {
        let stage = Stage::new().await;
        add(&stage, &person(1, json!({})));
        let ada = signs_in(&stage, "ada@acme.test").await;
        let username = ada["cognito:username"].as_str().unwrap();
        match what {
            "kept out" => {
                let input = json!({ "UserPoolId": POOL, "Username": username });
                call(&stage, "AdminDisableUser", input).await.expect(200);
            }
            "another identity" => {
                link_to(
                    &stage,
                    account("globex-okta", "Cognito_Subject", "00u1other"),
                    username,
                )
                .await;
            }
            "a group by hand" => {
                let input = json!({ "UserPoolId": POOL, "Username": username, "GroupName": "Everyone" });
                call(&stage, "AdminAddUserToGroup", input).await.expect(200);
            }
            _ => stage.change_pool(|settings| settings.cognito_exact = true),
        }
        let to = json!({ "ProviderName": "Cognito", "ProviderAttributeValue": "person-0001" });
        let answer = try_link(&stage, account("acme-okta", "Cognito_Subject", ADA), to).await;
        let (name, message) = refusal(&answer);
        assert_eq!(name, "InvalidParameterException", "{what}");
        assert!(message.contains("only as a DestinationUser"), "{what}: {message}");
        let still = stage.act(|conn| user::find(conn, ada["sub"].as_str().unwrap()).unwrap());
        assert!(still.is_some(), "{what}");
    }
}

#[actix_web::test]
async fn links_that_cannot_be_are_refused() {
    let stage = Stage::new().await;
    for number in 1..3 {
        add(&stage, &person(number, json!({})));
    }
    let grace = signs_in(&stage, "grace@acme.test").await;
    link_to(
        &stage,
        account("acme-okta", "Cognito_Subject", ADA),
        "person-0001",
    )
    .await;
    link_to(
        &stage,
        account("acme-okta", "email", "new@acme.test"),
        "person-0001",
    )
    .await;
    let to = |username: &str| json!({ "ProviderName": "Cognito", "ProviderAttributeValue": username });
    let subject = |value: &str| account("acme-okta", "Cognito_Subject", value);
    let invalid = "InvalidParameterException";
    for (source, destination, expected, words) in [
        (
            account("Cognito", "Cognito_Subject", "person-0002"),
            to("person-0001"),
            invalid,
            "only as a DestinationUser",
        ),
        (subject(ADA), to("person-0002"), invalid, "person-0001"),
        (
            subject(ADA),
            to("person-0001"),
            invalid,
            "SourceUser is already linked to DestinationUser",
        ),
        (
            account("acme-okta", "email", "NEW@acme.test"),
            to("person-0002"),
            invalid,
            "person-0001",
        ),
        (
            account("acme-okta", "email", "new@acme.test"),
            to("person-0001"),
            invalid,
            "already linked",
        ),
        (
            account("acme-okta", "email", "no address"),
            to("person-0001"),
            invalid,
            "email",
        ),
        (
            account("acme-okta", "nickname", "x"),
            to("person-0001"),
            invalid,
            "nickname",
        ),
        (subject(""), to("person-0001"), invalid, "ProviderAttributeValue"),
        (
            json!({ "ProviderName": "acme-okta", "ProviderAttributeValue": "x" }),
            to("person-0001"),
            invalid,
            "ProviderAttributeName",
        ),
        (
            json!({ "ProviderAttributeName": "sub", "ProviderAttributeValue": "x" }),
            to("person-0001"),
            invalid,
            "ProviderName",
        ),
        (
            subject("x"),
            json!({ "ProviderAttributeValue": "person-0001" }),
            invalid,
            "DestinationUser",
        ),
        (
            subject("x"),
            to("nobody"),
            "UserNotFoundException",
            "User does not exist.",
        ),
        (
            subject("x"),
            json!({ "ProviderName": "acme-okta", "ProviderAttributeValue": "y" }),
            "UserNotFoundException",
            "User does not exist.",
        ),
        (
            account("nowhere", "Cognito_Subject", "x"),
            to("person-0001"),
            "ResourceNotFoundException",
            "nowhere",
        ),
    ] {
        let answer = try_link(&stage, source.clone(), destination).await;
        let (name, message) = refusal(&answer);
        assert_eq!(name, expected, "{source}: {message}");
        assert!(message.contains(words), "{source}: {message}");
    }
    assert_eq!(
        signs_in(&stage, "grace@acme.test").await["sub"],
        grace["sub"],
        "nothing has changed"
    );
}

#[actix_web::test]
async fn a_user_has_five_linked_identities_and_a_connection_five_attributes_at_the_most() {
    let stage = Stage::new().await;
    for number in 1..3 {
        add(&stage, &person(number, json!({})));
    }
    for number in 0..3 {
        link_to(
            &stage,
            account("acme-okta", "sub", &format!("00u{number}")),
            "person-0001",
        )
        .await;
    }
    link_to(
        &stage,
        account("acme-okta", "email", "a@acme.test"),
        "person-0001",
    )
    .await;
    link_to(&stage, account("acme-okta", "name", "A"), "person-0001").await;
    let one_more = account("acme-okta", "email", "b@acme.test");
    let to = |username: &str| json!({ "ProviderName": "Cognito", "ProviderAttributeValue": username });
    let answer = try_link(&stage, one_more.clone(), to("person-0001")).await;
    assert_eq!(refusal(&answer).0, "LimitExceededException");
    link_to(&stage, one_more, "person-0002").await;
    for name in ["given_name", "family_name", "locale"] {
        link_to(&stage, account("acme-okta", name, "x"), "person-0002").await;
    }
    let sixth = account("acme-okta", "zoneinfo", "x");
    let answer = try_link(&stage, sixth, to("person-0002")).await;
    let (name, message) = refusal(&answer);
    assert_eq!(name, "LimitExceededException");
    assert!(message.contains("attributes"), "{message}");
}

#[actix_web::test]
async fn who_is_unlinked_is_signed_out_and_comes_back_as_somebody_new() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    for source in [
        account("acme-okta", "Cognito_Subject", ADA),
        account("acme-okta", "email", "ada@acme.test"),
    ] {
        link_to(&stage, source.clone(), "person-0001").await;
        let tokens = stage.tokens_for("ada@acme.test", &[]).await;
        assert_eq!(claims(&tokens.access)["sub"], user.sub, "{source}");
        let answer = try_unlink(&stage, source.clone()).await.expect(200);
        assert_eq!(answer.json(), json!({}));
        stage.refresh(&tokens.refresh.unwrap()).await.expect(400);
        let answer = try_unlink(&stage, source.clone()).await;
        assert_eq!(refusal(&answer).0, "UserNotFoundException");
        let again = signs_in(&stage, "ada@acme.test").await;
        assert_ne!(again["sub"], user.sub, "{source}");
        let input = json!({ "UserPoolId": POOL, "Username": again["sub"] });
        call(&stage, "AdminDeleteUser", input).await.expect(200);
    }
}

#[actix_web::test]
async fn a_link_that_nobody_has_come_by_is_taken_back() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    let source = account("acme-okta", "email", "ada@acme.test");
    link_to(&stage, source.clone(), "person-0001").await;
    try_unlink(&stage, source).await.expect(200);
    assert_ne!(signs_in(&stage, "ada@acme.test").await["sub"], user.sub);
}

#[actix_web::test]
async fn the_identity_that_a_profile_was_made_from_stays_with_it() {
    let stage = Stage::new().await;
    let ada = signs_in(&stage, "ada@acme.test").await;
    let own = account("acme-okta", "Cognito_Subject", ADA);
    let answer = try_unlink(&stage, own).await;
    assert_eq!(refusal(&answer).0, "InvalidParameterException");
    assert_eq!(signs_in(&stage, "ada@acme.test").await["sub"], ada["sub"]);
}

#[actix_web::test]
async fn a_user_whose_password_is_taken_away_signs_in_by_what_is_linked() {
    let stage = Stage::new().await;
    allow_flows(&stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    let user = stage.native_user("grace", PASSWORD).await;
    link_to(&stage, account("acme-okta", "Cognito_Subject", ADA), "grace").await;
    let tokens = sign_in(&stage, "grace", PASSWORD).await.expect(200).json();
    let own = account("Cognito", "Cognito_Subject", "grace");
    for (wrong, name) in [
        (account("Cognito", "email", "grace"), "InvalidParameterException"),
        (
            account("Cognito", "Cognito_Subject", "nobody"),
            "UserNotFoundException",
        ),
    ] {
        assert_eq!(refusal(&try_unlink(&stage, wrong).await).0, name);
    }

    assert_eq!(
        try_unlink(&stage, own.clone()).await.expect(200).json(),
        json!({})
    );
    sign_in(&stage, "grace", PASSWORD).await.expect(400);
    let ended = json!({ "AccessToken": tokens["AuthenticationResult"]["AccessToken"] });
    assert_eq!(
        refusal(&unsigned(&stage, "GetUser", ended).await).0,
        "NotAuthorizedException"
    );
    assert_eq!(
        refusal(&try_unlink(&stage, own).await).0,
        "InvalidParameterException"
    );
    assert_eq!(signs_in(&stage, "ada@acme.test").await["sub"], user.sub);
}
