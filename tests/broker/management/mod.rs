//! The management API, called as an AWS SDK calls it.

mod addresses;
mod authentication;
mod branding;
mod client_secrets;
mod clients;
mod create_user;
mod derived;
mod domains;
mod groups;
mod isolation;
mod lambda_config;
mod linking;
mod list_users;
mod only_through_okta;
mod passwords;
mod pools;
mod providers;
mod session_settings;
mod sessions;
mod setup_links;
mod srp;
mod tokens;
mod users;
mod wire;

use actix_web::test::TestRequest;
use forebay::db::Json;
use forebay::demo::{ACCESS_KEY, ACCESS_SECRET, POOL, SPA_CLIENT};
use forebay::model::user::{Status, User};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Answer, NOW, Stage};

/// An operation of Cognito's, or one of ours by its whole name.
fn target(operation: &str) -> String {
    match operation.contains('.') {
        true => operation.to_owned(),
        false => format!("AWSCognitoIdentityProviderService.{operation}"),
    }
}

/// An access key and how its calls are signed.
#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
    region: &'static str,
    /// As a caller whose clock says so would write it.
    timestamp: &'static str,
}

impl Default for Key {
    fn default() -> Key {
        Key {
            id: ACCESS_KEY.into(),
            secret: ACCESS_SECRET.into(),
            region: "us-local-1",
            timestamp: "20261121T000000Z",
        }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key)
        .unwrap()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Key {
    /// The signed call.
    fn sign(&self, operation: &str, body: &str) -> TestRequest {
        let target = target(operation);
        let kind = "application/x-amz-json-1.1";
        let names = "content-type;host;x-amz-date;x-amz-target";
        let canonical = format!(
            "POST\n/\n\ncontent-type:{kind}\nhost:localhost:8080\nx-amz-date:{}\nx-amz-target:{target}\n\n{names}\n{}",
            self.timestamp,
            hex(&Sha256::digest(body))
        );
        let date = &self.timestamp[..8];
        let scope = format!("{date}/{}/cognito-idp/aws4_request", self.region);
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.timestamp,
            hex(&Sha256::digest(canonical))
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = mac(&key, part);
        }
        let signature = hex(&mac(&key, &text));
        TestRequest::post()
            .uri("/")
            .insert_header(("content-type", kind))
            .insert_header(("host", "localhost:8080"))
            .insert_header(("x-amz-date", self.timestamp))
            .insert_header(("x-amz-target", target))
            .insert_header((
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                    self.id
                ),
            ))
            .set_payload(body.to_owned())
    }
}

/// Calls as the demo's credential.
pub async fn call(stage: &Stage, operation: &str, input: Value) -> Answer {
    call_as(stage, &Key::default(), operation, input).await
}

async fn call_as(stage: &Stage, key: &Key, operation: &str, input: Value) -> Answer {
    stage.send(key.sign(operation, &input.to_string())).await
}

/// Calls without a signature, as apps do for their users.
pub async fn unsigned(stage: &Stage, operation: &str, input: Value) -> Answer {
    let request = TestRequest::post()
        .uri("/")
        .insert_header(("content-type", "application/x-amz-json-1.1"))
        .insert_header(("x-amz-target", target(operation)))
        .set_payload(input.to_string());
    stage.send(request).await
}

/// The public client of the demo, with these flows of Cognito's API.
pub fn allow_flows(stage: &Stage, flows: &[&str]) {
    stage.change_spa_client(|settings| {
        settings.cognito.insert("ExplicitAuthFlows".into(), json!(flows));
    });
}

/// Signs a native user in with a password, at the public client.
pub async fn sign_in(stage: &Stage, username: &str, password: &str) -> Answer {
    let input = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": SPA_CLIENT,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password },
    });
    unsigned(stage, "InitiateAuth", input).await
}

/// The name of the exception and its message.
#[track_caller]
pub fn refusal(answer: &Answer) -> (String, String) {
    assert!(answer.status >= 400, "{answer:?}");
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some(format!("{}:", text("__type")).as_str())
    );
    (text("__type"), text("message"))
}

/// A user of the demo's pool whom nobody signs in as.
fn person(number: usize, attributes: Value) -> User {
    User {
        sub: format!("00000000-0000-4000-8000-{number:012}"),
        user_pool_id: POOL.into(),
        username: format!("person-{number:04}"),
        status: Status::Confirmed,
        enabled: true,
        attributes: Json(attributes.as_object().cloned().unwrap_or_default()),
        created_at: NOW,
        updated_at: NOW,
    }
}

#[track_caller]
fn add(stage: &Stage, user: &User) {
    stage.act(|conn| assert!(forebay::model::user::insert(conn, user).unwrap()));
}

/// The value of a user's attribute, in what an operation answered under that name.
fn attribute(user: &Value, list: &str, name: &str) -> Option<String> {
    let attributes = user[list].as_array()?;
    let found = attributes.iter().find(|attribute| attribute["Name"] == name)?;
    found["Value"].as_str().map(str::to_owned)
}

/// A pool made through the API.
async fn pool(stage: &Stage) -> String {
    let answer = call(stage, "CreateUserPool", json!({ "PoolName": "customers" }))
        .await
        .expect(200);
    answer.json()["UserPool"]["Id"].as_str().unwrap().to_owned()
}
