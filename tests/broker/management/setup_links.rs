//! Set-up links by API: made, listed and revoked with the credential's reach, and as good as those of the console.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::audit;
use forebay::model::credential::Role;
use serde_json::json;

use super::authentication::credential;
use super::{call, call_as, refusal, unsigned};
use crate::support::{OTHER_POOL, PUBLIC_URL, Stage};

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.add_other_pool();
    stage.console(OPERATOR);
    stage
}

#[actix_web::test]
async fn a_program_makes_a_link_that_opens_the_wizard_until_it_is_revoked() {
    let stage = stage().await;
    let made = call(
        &stage,
        "Forebay.CreateSetUpLink",
        json!({ "TenantId": "acme", "Days": 3 }),
    )
    .await
    .expect(200)
    .json();
    let link = &made["SetUpLink"];
    assert_eq!(
        (&link["TenantId"], &link["State"]),
        (&json!("acme"), &json!("open"))
    );
    assert_eq!(link["UserPoolId"], POOL);
    let seconds = link["ExpirationDate"].as_i64().unwrap() - link["CreationDate"].as_i64().unwrap();
    assert_eq!(seconds, 3 * 86_400);
    let address = link["Link"].as_str().unwrap();
    let path = address.strip_prefix(PUBLIC_URL).unwrap();
    let page = stage.get(path).await.expect(200);
    assert!(page.shows("Connect the Okta of Acme"), "{page:?}");

    let id = link["Id"].as_str().unwrap();
    let event = stage.act(|conn| audit::of_target(conn, id, 1).unwrap().remove(0));
    assert_eq!(event.action, "setup_link.create");
    assert!(event.actor.starts_with("credential:"), "{event:?}");

    let listed = call(&stage, "Forebay.ListSetUpLinks", json!({ "TenantId": "acme" }))
        .await
        .expect(200);
    let token = path.rsplit('/').next().unwrap();
    assert!(!listed.body.contains(token), "shown once: {listed:?}");
    assert_eq!(listed.json()["SetUpLinks"][0]["Id"], id);

    let revoked = call(&stage, "Forebay.RevokeSetUpLink", json!({ "Id": id }))
        .await
        .expect(200);
    assert_eq!(revoked.json()["SetUpLink"]["State"], "revoked");
    stage.get(path).await.is_page(404, "not good any more");
    let again = call(&stage, "Forebay.RevokeSetUpLink", json!({ "Id": id })).await;
    assert_eq!(refusal(&again).0, "InvalidParameterException");
}

#[actix_web::test]
async fn a_credential_makes_links_for_tenants_within_its_reach() {
    let stage = stage().await;
    let other = credential(&stage, Role::Admin, Some(OTHER_POOL));
    let reader = credential(&stage, Role::ReadOnly, None);
    let made = call(&stage, "Forebay.CreateSetUpLink", json!({ "TenantId": "acme" }))
        .await
        .expect(200)
        .json();
    let id = made["SetUpLink"]["Id"].as_str().unwrap().to_owned();
    // What is out of reach answers as what is not there.
    for (operation, theirs, nobodys) in [
        (
            "Forebay.CreateSetUpLink",
            json!({"TenantId": "acme"}),
            json!({"TenantId": "none"}),
        ),
        (
            "Forebay.ListSetUpLinks",
            json!({"TenantId": "acme"}),
            json!({"TenantId": "none"}),
        ),
        (
            "Forebay.RevokeSetUpLink",
            json!({ "Id": id }),
            json!({"Id": "none"}),
        ),
    ] {
        let there = call_as(&stage, &other, operation, theirs.clone()).await;
        let unknown = call_as(&stage, &other, operation, nobodys).await;
        assert_eq!(refusal(&there).0, "ResourceNotFoundException", "{operation}");
        assert_eq!(refusal(&unknown).0, "ResourceNotFoundException", "{operation}");
        let named = theirs
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap();
        assert_eq!(
            refusal(&there).1.replace(named, "none"),
            refusal(&unknown).1,
            "{operation}"
        );
    }
    call_as(
        &stage,
        &reader,
        "Forebay.ListSetUpLinks",
        json!({"TenantId": "acme"}),
    )
    .await
    .expect(200);
    for (operation, input) in [
        ("Forebay.CreateSetUpLink", json!({"TenantId": "acme"})),
        ("Forebay.RevokeSetUpLink", json!({ "Id": id })),
    ] {
        let answer = call_as(&stage, &reader, operation, input).await;
        assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
    }
    let nobody = unsigned(&stage, "Forebay.CreateSetUpLink", json!({"TenantId": "acme"})).await;
    assert_eq!(refusal(&nobody).0, "MissingAuthenticationTokenException");
}

#[actix_web::test]
async fn what_is_wrong_with_a_call_is_said() {
    let stage = stage().await;
    for (operation, input, name) in [
        ("Forebay.CreateSetUpLink", json!({}), "InvalidParameterException"),
        (
            "Forebay.CreateSetUpLink",
            json!({"TenantId": "acme", "Days": 0}),
            "InvalidParameterException",
        ),
        (
            "Forebay.CreateSetUpLink",
            json!({"TenantId": "acme", "Days": 31}),
            "InvalidParameterException",
        ),
        (
            "Forebay.CreateSetUpLink",
            json!({"TenantId": "acme", "days": 3}),
            "InvalidParameterException",
        ),
        (
            "Forebay.CreateSetUpLink",
            json!({"TenantId": "a\u{0}b"}),
            "InvalidParameterException",
        ),
        (
            "Forebay.RevokeSetUpLink",
            json!({"Id": "su_none"}),
            "ResourceNotFoundException",
        ),
        ("Forebay.DeleteEverything", json!({}), "UnknownOperationException"),
    ] {
        let answer = call(&stage, operation, input.clone()).await;
        assert_eq!(refusal(&answer).0, name, "{operation} {input}");
    }
    for number in 0..11 {
        let answer = call(&stage, "Forebay.CreateSetUpLink", json!({"TenantId": "globex"})).await;
        match number {
            10 => assert_eq!(refusal(&answer).0, "LimitExceededException"),
            _ => assert_eq!(answer.status, 200, "{answer:?}"),
        }
    }
}
