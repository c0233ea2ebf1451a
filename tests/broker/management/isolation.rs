//! The isolation sweep of the management API (attacks.md A-104): every signed operation, by a credential of another pool,
//! with the ids of this one's things and with ids of nothing. The answers are the same but for the ids themselves.

use forebay::actions::groups;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::credential::Role;
use forebay::rules::aws::shapes;
use serde_json::{Map, Value, json};

use super::authentication::credential;
use super::{call, call_as, person, pool};
use crate::support::{Answer, Stage};

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

#[actix_web::test]
async fn a_104_another_pools_things_are_as_unknown_as_none() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    let ctx = stage.ctx();
    super::add(&stage, &person(1, json!({ "email": "person-1@acme.test" })));
    stage.act(|conn| {
        groups::create(conn, &ctx, POOL, "staff", Default::default()).unwrap();
    });
    let domain = json!({ "UserPoolId": POOL, "Domain": "swept" });
    call(&stage, "CreateUserPoolDomain", domain).await.expect(200);
    let key = credential(&stage, Role::Admin, Some(&other));
    let mut swept = 0;
    for operation in shapes::operations() {
        // These two speak of no pool that there is.
        let is_general = ["CreateUserPool", "ListUserPools"].contains(&operation.name);
        if !operation.signed || !operation.offered || is_general {
            continue;
        }
        let input = |nobodys: bool| {
            let mut input = others();
            for (name, own, none) in IDS {
                input.insert(name.into(), json!(if nobodys { none } else { own }));
            }
            Value::Object(input)
        };
        let got = call_as(&stage, &key, operation.name, input(false)).await;
        let expected = call_as(&stage, &key, operation.name, input(true)).await;
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
