//! The isolation sweep of the management API (attacks.md A-104): every signed operation, by a credential of another pool,
//! with the ids of this one's things and with ids of nothing; without a signature; and by a user with another user's
//! sessions. The answers are the same but for the ids themselves.

use forebay::actions::groups;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::credential::Role;
use forebay::rules::aws::shapes;
use serde_json::{Map, Value, json};

use super::authentication::credential;
use super::{allow_flows, call, call_as, person, pool, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, Stage};

/// Members that hold an id, with one of this pool's and one of nobody's.
const IDS: [(&str, &str, &str); 9] = [
    ("UserPoolId", POOL, "us-local-1_Nobodys01"),
    ("ClientId", WEB_CLIENT, "nobodyswebapp0000000000001"),
    ("ProviderName", "acme-okta", "nobodys-okta"),
    ("IdpIdentifier", "acme.test", "nobodys.test"),
    ("Username", "person-0001", "nobody-0001"),
    ("GroupName", "staff", "crowd"),
    ("Domain", "swept", "vague"),
    ("Identifier", "https://api.swept.test", "https://api.vague.test"),
    (
        "ResourceArn",
        "arn:aws:cognito-idp:us-local-1:000000000000:userpool/us-local-1_Forebay01",
        "arn:aws:cognito-idp:us-local-1:000000000000:userpool/us-local-1_Nobodys01",
    ),
];

/// The members that some operation cannot do without, besides those.
fn others() -> Map<String, Value> {
    let members = r#"{
        "PoolName": "swept", "ClientName": "swept", "ProviderType": "OIDC", "Name": "swept", "MaxResults": 10,
        "ProviderDetails": { "client_id": "x", "oidc_issuer": "https://swept.okta.com", "authorize_scopes": "openid",
            "attributes_request_method": "GET" },
        "UserAttributes": [{ "Name": "given_name", "Value": "Swept" }], "UserAttributeNames": ["given_name"],
        "CustomAttributes": [{ "Name": "swept", "AttributeDataType": "String" }],
        "Password": "Swept-and-long-1", "Permanent": true, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": "person-0001", "PASSWORD": "x" }, "ChallengeName": "NEW_PASSWORD_REQUIRED",
        "Session": "a-session-of-nobody-at-all", "SessionId": "tknaaaaaaaaaaaaaaaaaaaaaaaaa",
        "ClientSecretId": "x", "Secret": "asecretthatisnobodys00000001", "TagKeys": ["swept"], "Tags": { "swept": "yes" },
        "ManagedLoginBrandingId": "5e1b7f4a-0000-4000-8000-000000000001", "Enforcement": "NONE",
        "TermsId": "5e1b7f4a-0000-4000-8000-000000000001", "TermsName": "terms-of-use", "TermsSource": "LINK",
        "Links": { "cognito:default": "https://swept.test/terms" },
        "SubjectToken": "x", "SubjectTokenType": "ACCESS_TOKEN", "SSOSession": { "MaxValidityMinutes": 60 }, "UserSessionTracking": "ENABLED",
        "TokenSession": { "MaxPerUser": 5 }, "UserPoolTags": {},
        "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "person-0001" },
        "SourceUser": { "ProviderName": "acme-okta", "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": "00u1" },
        "User": { "ProviderName": "acme-okta", "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": "00u1" }
    }"#;
    serde_json::from_str(members).unwrap()
}

/// Code, message and status, with the ids made alike.
fn plain(answer: &Answer, ids: impl Iterator<Item = &'static str>) -> (u16, String) {
    let text = ids.fold(answer.body.clone(), |text, id| text.replace(id, "-"));
    (answer.status, text)
}

/// The stage on which this pool has one of everything.
async fn furnished() -> Stage {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    super::add(&stage, &person(1, json!({ "email": "person-1@acme.test" })));
    stage.act(|conn| {
        groups::create(conn, &ctx, POOL, "staff", Default::default()).unwrap();
    });
    let domain = json!({ "UserPoolId": POOL, "Domain": "swept" });
    call(&stage, "CreateUserPoolDomain", domain).await.expect(200);
    stage
}

/// What every operation is asked with: this pool's ids, or nobody's.
fn input(nobodys: bool) -> Map<String, Value> {
    let mut input = others();
    for (name, own, none) in IDS {
        input.insert(name.into(), json!(if nobodys { none } else { own }));
    }
    input
}

/// An access token of a native user's own.
async fn access_of(stage: &Stage, name: &str) -> Value {
    allow_flows(stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.native_user(name, PASSWORD).await;
    let answer = sign_in(stage, name, PASSWORD).await.expect(200);
    answer.json()["AuthenticationResult"]["AccessToken"].clone()
}

#[actix_web::test]
async fn a_104_another_pools_things_are_as_unknown_as_none() {
    let stage = furnished().await;
    let other = pool(&stage).await;
    let key = credential(&stage, Role::Admin, Some(&other));
    let mut swept = 0;
    for operation in shapes::operations() {
        // These two speak of no pool that there is.
        let is_general = ["CreateUserPool", "ListUserPools"].contains(&operation.name);
        if !operation.signed || !operation.offered || is_general {
            continue;
        }
        let got = call_as(&stage, &key, operation.name, input(false).into()).await;
        let expected = call_as(&stage, &key, operation.name, input(true).into()).await;
        assert_eq!(
            plain(&got, IDS.iter().map(|(_, own, _)| *own)),
            plain(&expected, IDS.iter().map(|(_, _, none)| *none)),
            "{}",
            operation.name
        );
        // A domain that is nobody's has an empty description (as Cognito's).
        let is_empty = got.json() == json!({ "DomainDescription": {} });
        assert!(got.status != 200 || is_empty, "{}: {got:?}", operation.name);
        assert!(
            !got.body.contains("validation error"),
            "give the sweep what {} wants: {got:?}",
            operation.name
        );
        swept += 1;
    }
    assert!(swept > 50, "{swept}");
}

#[actix_web::test]
async fn a_104_without_a_signature_nothing_is_told_apart() {
    let stage = furnished().await;
    let grace = access_of(&stage, "grace").await;
    let mut swept = 0;
    for operation in shapes::operations() {
        if !operation.signed || !operation.offered {
            continue;
        }
        // As nobody, and as a user who has nothing but an access token.
        for token in [None, Some(&grace)] {
            let ask = |nobodys: bool| {
                let mut input = input(nobodys);
                input.extend(token.map(|token| ("AccessToken".to_owned(), token.clone())));
                unsigned(&stage, operation.name, input.into())
            };
            let (got, expected) = (ask(false).await, ask(true).await);
            assert_eq!(
                (got.status, &got.body),
                (expected.status, &expected.body),
                "{}",
                operation.name
            );
            let name = refusal(&got).0;
            assert_eq!(name, "MissingAuthenticationTokenException", "{}", operation.name);
        }
        swept += 1;
    }
    assert!(swept > 50, "{swept}");
}

#[actix_web::test]
async fn a_104_to_a_user_another_users_sessions_are_as_unknown_as_none() {
    let stage = Stage::new().await;
    let (grace, linus) = (access_of(&stage, "grace").await, access_of(&stage, "linus").await);
    let listed = async |token: &Value| -> Vec<String> {
        let input = json!({ "AccessToken": token });
        let answer = unsigned(&stage, "ListUserSessions", input).await.expect(200);
        let sessions = answer.json()["Sessions"].as_array().unwrap().clone();
        let ids = sessions
            .iter()
            .map(|session| session["SessionId"].as_str().unwrap().to_owned());
        ids.collect()
    };
    let theirs = listed(&grace).await;
    assert!(!theirs.is_empty());
    assert!(listed(&linus).await.iter().all(|id| !theirs.contains(id)));
    for id in &theirs {
        let unknown = format!("{}{}", &id[..3], "a".repeat(25));
        for associated in ["NONE", "LINKED"] {
            let revoke = |id: &str| {
                let input = json!({
                    "AccessToken": linus, "SessionId": id, "RevokeAssociatedSessions": associated,
                });
                unsigned(&stage, "RevokeUserSession", input)
            };
            let (got, expected) = (revoke(id).await, revoke(&unknown).await);
            assert_eq!(
                (got.status, got.body.replace(id, "-")),
                (expected.status, expected.body.replace(&unknown, "-"))
            );
            assert_eq!(refusal(&got).0, "ResourceNotFoundException");
        }
    }
    assert_eq!(listed(&grace).await, theirs);
}
