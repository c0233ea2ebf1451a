//! Addresses by which native users sign in: whose they are when others have the same.

use forebay::demo::POOL;
use serde_json::{Value, json};

use super::{allow_flows, call, refusal, sign_in, unsigned};
use crate::support::{Answer, PASSWORD, Stage};

const ADA: &str = "ada@acme.test";

/// Users go by their addresses, as their names or beside them.
fn by_address(stage: &Stage, member: &str) {
    allow_flows(stage, &["ALLOW_USER_PASSWORD_AUTH"]);
    stage.change_pool(|settings| {
        settings.cognito.insert(member.into(), json!(["email"]));
    });
}

async fn make(stage: &Stage, username: &str) -> String {
    let input = json!({
        "UserPoolId": POOL, "Username": username, "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS",
    });
    let made = call(stage, "AdminCreateUser", input).await.expect(200).json();
    let set = json!({ "UserPoolId": POOL, "Username": username, "Password": PASSWORD, "Permanent": true });
    call(stage, "AdminSetUserPassword", set).await.expect(200);
    made["User"]["Username"].as_str().unwrap().to_owned()
}

async fn set(stage: &Stage, username: &str, attributes: &[(&str, &str)]) -> Answer {
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    let input = json!({ "UserPoolId": POOL, "Username": username, "UserAttributes": attributes });
    call(stage, "AdminUpdateUserAttributes", input).await
}

#[actix_web::test]
async fn who_comes_through_a_connection_takes_no_address_away() {
    let stage = Stage::new().await;
    by_address(&stage, "UsernameAttributes");
    stage.tokens_for(ADA, &[]).await;
    make(&stage, ADA).await;
    sign_in(&stage, ADA, PASSWORD).await.expect(200);
    // Nor does one who comes to it later.
    make(&stage, "grace@acme.test").await;
    stage.tokens_for("grace@acme.test", &[]).await;
    sign_in(&stage, "grace@acme.test", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn an_address_that_is_another_user_s_name_cannot_be_taken() {
    let stage = Stage::new().await;
    by_address(&stage, "UsernameAttributes");
    make(&stage, ADA).await;
    let other = make(&stage, "bob@native.test").await;
    let expected = (
        "AliasExistsException".to_owned(),
        "An account with the given email already exists.".to_owned(),
    );
    assert_eq!(
        refusal(&set(&stage, &other, &[("email", "Ada@acme.test")]).await),
        expected
    );
    let tokens = sign_in(&stage, "bob@native.test", PASSWORD)
        .await
        .expect(200)
        .json();
    let own = json!({
        "AccessToken": tokens["AuthenticationResult"]["AccessToken"],
        "UserAttributes": [{ "Name": "email", "Value": ADA }],
    });
    assert_eq!(
        refusal(&unsigned(&stage, "UpdateUserAttributes", own).await),
        expected
    );
    sign_in(&stage, ADA, PASSWORD).await.expect(200);
    set(&stage, &other, &[("email", "robert@native.test")])
        .await
        .expect(200);
    sign_in(&stage, "robert@native.test", PASSWORD).await.expect(200);
    let again = json!({ "UserPoolId": POOL, "Username": ADA, "TemporaryPassword": PASSWORD });
    assert_eq!(
        refusal(&call(&stage, "AdminCreateUser", again).await).0,
        "UsernameExistsException"
    );
}

#[actix_web::test]
async fn an_alias_is_one_user_s_once_it_is_verified() {
    let stage = Stage::new().await;
    by_address(&stage, "AliasAttributes");
    let verified = [("email", ADA), ("email_verified", "true")];
    for name in ["alan", "bob"] {
        make(&stage, name).await;
    }
    set(&stage, "alan", &verified).await.expect(200);
    set(&stage, "bob", &[("email", ADA)]).await.expect(200);
    let taken = set(&stage, "bob", &verified).await;
    assert_eq!(refusal(&taken).0, "AliasExistsException");
    sign_in(&stage, ADA, PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn an_alias_moves_to_a_new_user_only_when_it_is_forced() {
    let stage = Stage::new().await;
    by_address(&stage, "AliasAttributes");
    make(&stage, "alan").await;
    set(&stage, "alan", &[("email", ADA), ("email_verified", "true")])
        .await
        .expect(200);
    let mut input = json!({
        "UserPoolId": POOL, "Username": "bob", "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS",
        "UserAttributes": [{ "Name": "email", "Value": ADA }, { "Name": "email_verified", "Value": "true" }],
    });
    let taken = call(&stage, "AdminCreateUser", input.clone()).await;
    assert_eq!(refusal(&taken).0, "AliasExistsException");
    let nobody = json!({ "UserPoolId": POOL, "Username": "bob" });
    assert_eq!(
        refusal(&call(&stage, "AdminGetUser", nobody).await).0,
        "UserNotFoundException"
    );

    input["ForceAliasCreation"] = json!(true);
    call(&stage, "AdminCreateUser", input).await.expect(200);
    let challenge = sign_in(&stage, ADA, PASSWORD).await.expect(200).json();
    assert_eq!(
        challenge["ChallengeParameters"]["USER_ID_FOR_SRP"], "bob",
        "{challenge}"
    );
    sign_in(&stage, "alan", PASSWORD).await.expect(200);
    let alan = json!({ "UserPoolId": POOL, "Username": "alan" });
    let alan = call(&stage, "AdminGetUser", alan).await.expect(200).body;
    assert!(alan.contains(ADA) && !alan.contains("email_verified"), "{alan}");
}
