//! Groups and memberships through the API.

use forebay::demo::POOL;
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{add, call, call_as, person, pool, refusal};
use crate::support::{Stage, claims};

const AUTOMATIC: &str = "us-local-1_Forebay01_acme-okta";
/// What Ada's connection gives her.
const GIVEN: [&str; 2] = ["Engineering", "Everyone"];
const ROLE: &str = "arn:aws:iam::123456789012:role/admins";

fn named(group: &str) -> Value {
    json!({ "UserPoolId": POOL, "GroupName": group })
}

fn of(user: &str, group: &str) -> Value {
    json!({ "UserPoolId": POOL, "Username": user, "GroupName": group })
}

async fn make(stage: &Stage, name: &str) {
    call(stage, "CreateGroup", named(name)).await.expect(200);
}

/// The groups in Ada's next token, without the automatic one.
async fn in_token(stage: &Stage) -> Vec<String> {
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    claims(tokens.id.as_deref().unwrap())["cognito:groups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| *name != AUTOMATIC)
        .map(str::to_owned)
        .collect()
}

#[actix_web::test]
async fn a_group_lives_from_create_to_delete() {
    let stage = Stage::new().await;
    let create = json!({
        "UserPoolId": POOL, "GroupName": "admins", "Description": "Who may all", "Precedence": 0, "RoleArn": ROLE,
    });
    let made = call(&stage, "CreateGroup", create.clone())
        .await
        .expect(200)
        .json();
    for (name, value) in create.as_object().unwrap() {
        assert_eq!(made["Group"][name], *value, "{name}");
    }
    assert_eq!(made["Group"]["CreationDate"], 1_795_219_200);
    let shown = call(&stage, "GetGroup", named("admins")).await.expect(200).json();
    assert_eq!(shown, made);
    let again = call(&stage, "CreateGroup", create).await;
    assert_eq!(
        refusal(&again),
        (
            "GroupExistsException".into(),
            "A group with the name already exists".into()
        )
    );
    // What an update leaves out stays.
    stage.clock.advance(60);
    let update = json!({ "UserPoolId": POOL, "GroupName": "admins", "Precedence": 7 });
    let updated = call(&stage, "UpdateGroup", update).await.expect(200).json()["Group"].clone();
    assert_eq!(updated["Precedence"], 7);
    assert_eq!(updated["Description"], "Who may all");
    assert_eq!(updated["RoleArn"], ROLE);
    assert_eq!(updated["LastModifiedDate"], 1_795_219_260);
    let update = json!({ "UserPoolId": POOL, "GroupName": "admins", "Description": "" });
    let updated = call(&stage, "UpdateGroup", update).await.expect(200).json();
    assert_eq!(updated["Group"].get("Description"), None);
    let gone = call(&stage, "DeleteGroup", named("admins")).await.expect(200);
    assert_eq!(gone.body, "");
    for operation in ["GetGroup", "UpdateGroup", "DeleteGroup", "ListUsersInGroup"] {
        let answer = call(&stage, operation, named("admins")).await;
        let expected = ("ResourceNotFoundException".into(), "Group not found.".into());
        assert_eq!(refusal(&answer), expected, "{operation}");
    }
}

#[actix_web::test]
async fn groups_are_listed_page_by_page() {
    let stage = Stage::new().await;
    for number in 0..5 {
        make(&stage, &format!("team-{number}")).await;
    }
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let mut input = json!({ "UserPoolId": POOL, "Limit": 2 });
        if token.is_string() {
            input["NextToken"] = token;
        }
        let page = call(&stage, "ListGroups", input).await.expect(200).json();
        seen.extend(
            page["Groups"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| group["GroupName"].clone()),
        );
        // One that comes meanwhile, before the place, moves nothing.
        make(&stage, &format!("a-{}", seen.len())).await;
        token = page["NextToken"].clone();
    }
    assert_eq!(
        seen,
        ["team-0", "team-1", "team-2", "team-3", "team-4"].map(Value::from)
    );
    assert_eq!(token, Value::Null);
    let forged = json!({ "UserPoolId": POOL, "NextToken": "dGVhbS0x" });
    assert_eq!(
        refusal(&call(&stage, "ListGroups", forged).await).0,
        "InvalidParameterException"
    );
}

#[actix_web::test]
async fn what_an_administrator_gives_is_in_tokens_and_no_sign_in_takes_it_away() {
    let stage = Stage::new().await;
    assert_eq!(in_token(&stage).await, GIVEN);
    make(&stage, "admins").await;
    let ada = "acme-okta_00u1ada000000000acme";
    for _ in 0..2 {
        let added = call(&stage, "AdminAddUserToGroup", of(ada, "admins"))
            .await
            .expect(200);
        assert_eq!(added.body, "");
    }
    let all = [GIVEN[0], GIVEN[1], "admins"];
    assert_eq!(in_token(&stage).await, all);
    assert_eq!(in_token(&stage).await, all, "the mapping leaves it alone");
    let (mut seen, mut input) = (
        Vec::new(),
        json!({ "UserPoolId": POOL, "Username": ada, "Limit": 3 }),
    );
    loop {
        let page = call(&stage, "AdminListGroupsForUser", input.clone())
            .await
            .expect(200)
            .json();
        let groups = page["Groups"].as_array().unwrap();
        seen.extend(groups.iter().map(|group| group["GroupName"].clone()));
        if page.get("NextToken").is_none() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(seen, [GIVEN[0], GIVEN[1], "admins", AUTOMATIC].map(Value::from));
    // Who is not in the group stays out of it, however often.
    for _ in 0..2 {
        call(&stage, "AdminRemoveUserFromGroup", of(ada, "admins"))
            .await
            .expect(200);
    }
    assert_eq!(in_token(&stage).await, GIVEN);
}

#[actix_web::test]
async fn what_a_connection_gives_is_not_taken_away_here() {
    let stage = Stage::new().await;
    in_token(&stage).await;
    let answer = call(
        &stage,
        "AdminRemoveUserFromGroup",
        of("acme-okta_00u1ada000000000acme", AUTOMATIC),
    )
    .await;
    let (name, message) = refusal(&answer);
    assert_eq!(name, "InvalidParameterException");
    assert!(message.contains("identity provider"), "{message}");
}

#[actix_web::test]
async fn members_are_listed_page_by_page() {
    let stage = Stage::new().await;
    make(&stage, "staff").await;
    for number in 0..5 {
        let user = person(number, json!({ "email": format!("p{number}@x.test") }));
        add(&stage, &user);
        call(&stage, "AdminAddUserToGroup", of(&user.username, "staff"))
            .await
            .expect(200);
    }
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let mut input = named("staff");
        input["Limit"] = json!(2);
        if token.is_string() {
            input["NextToken"] = token;
        }
        let page = call(&stage, "ListUsersInGroup", input).await.expect(200).json();
        seen.extend(page["Users"].as_array().unwrap().iter().cloned());
        token = page["NextToken"].clone();
    }
    let names: Vec<_> = seen
        .iter()
        .map(|user| user["Username"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "person-0000",
            "person-0001",
            "person-0002",
            "person-0003",
            "person-0004"
        ]
    );
    assert_eq!(token, Value::Null);
    let first = super::attribute(&seen[0], "Attributes", "email");
    assert_eq!(first.as_deref(), Some("p0@x.test"));
}

#[actix_web::test]
async fn who_and_what_is_unknown_is_told_by_its_own_name() {
    let stage = Stage::new().await;
    make(&stage, "admins").await;
    add(&stage, &person(1, json!({})));
    for operation in ["AdminAddUserToGroup", "AdminRemoveUserFromGroup"] {
        let answer = call(&stage, operation, of("nobody", "admins")).await;
        let expected = ("UserNotFoundException".into(), "User does not exist.".into());
        assert_eq!(refusal(&answer), expected, "{operation}");
        let answer = call(&stage, operation, of("person-0001", "nothing")).await;
        let expected = ("ResourceNotFoundException".into(), "Group not found.".into());
        assert_eq!(refusal(&answer), expected, "{operation}");
    }
}

#[actix_web::test]
async fn another_pools_credential_finds_nothing_and_a_reader_changes_nothing() {
    let stage = Stage::new().await;
    make(&stage, "admins").await;
    add(&stage, &person(1, json!({})));
    let other = pool(&stage).await;
    let (stranger, reader) = (
        credential(&stage, Role::Admin, Some(&other)),
        credential(&stage, Role::ReadOnly, Some(POOL)),
    );
    for (operation, input, writes) in [
        ("CreateGroup", named("more"), true),
        ("GetGroup", named("admins"), false),
        ("UpdateGroup", named("admins"), true),
        ("ListGroups", json!({ "UserPoolId": POOL }), false),
        ("ListUsersInGroup", named("admins"), false),
        ("AdminAddUserToGroup", of("person-0001", "admins"), true),
        (
            "AdminListGroupsForUser",
            json!({ "UserPoolId": POOL, "Username": "person-0001" }),
            false,
        ),
        ("AdminRemoveUserFromGroup", of("person-0001", "admins"), true),
        ("DeleteGroup", named("admins"), true),
    ] {
        let answer = call_as(&stage, &stranger, operation, input.clone()).await;
        let expected = format!("User pool {POOL} does not exist.");
        assert_eq!(
            refusal(&answer),
            ("ResourceNotFoundException".into(), expected),
            "{operation}"
        );
        let answer = call_as(&stage, &reader, operation, input).await;
        if writes {
            assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
        } else {
            answer.expect(200);
        }
    }
}
