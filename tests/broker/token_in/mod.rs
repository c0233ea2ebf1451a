//! Token-in (Char AI's page): a widget's host app has signed its user in to Okta, and the widget brings Okta's ID token
//! for tokens of ours (RFC 8693). Every refusal by its stable name, with what was expected and what came in the trace only.

mod honest;
mod refusals;
mod tenants;

use actix_web::test::TestRequest;
use forebay::actions::providers::{self, Credentials, NewProvider};
use forebay::demo::okta::Server;
use forebay::demo::{POOL, SPA_CLIENT};
use forebay::model::provider::{Settings, TokenIn};
use forebay::rules::mapping::usual;
use forebay::rules::token_in::{GRANT_TYPE, ID_TOKEN};
use serde_json::{Map, Value, json};

use crate::support::{Answer, NOW, Stage};

/// The widget's app at acme, and the connection that takes its tokens.
pub const WIDGET: &str = "0oa1widgetofacme0001";
pub const CONNECTION: &str = "acme-widget";
/// The page that the widget is embedded in.
pub const PAGE: &str = "https://host.acme.test";

/// A stage with the connection, and a public client that may use it.
pub async fn stage() -> Stage {
    let stage = Stage::new().await;
    connect(&stage, CONNECTION, WIDGET);
    stage
}

/// Makes a connection to acme that takes ID tokens of that app, for the public client.
pub fn connect(stage: &Stage, name: &str, client_id: &str) {
    let (ctx, allowed) = (stage.ctx(), stage.broker.upstream.allowed().to_vec());
    let new = NewProvider {
        user_pool_id: POOL.into(),
        name: name.into(),
        slug: None,
        issuer: stage.acme.issuer(),
        settings: Settings {
            client_id: client_id.into(),
            token_in: Some(TokenIn {
                origins: vec![PAGE.into()],
            }),
            ..Settings::default()
        },
        credentials: Credentials::default(),
        identifiers: Vec::new(),
        rules: usual(),
    };
    stage.act(|conn| providers::create(conn, &ctx, &allowed, new).unwrap());
    stage.change_spa_client(|settings| {
        settings.token_exchange = true;
        settings.providers.push(name.into());
    });
}

/// An ID token of acme's for the widget, properly signed, with these claims changed; `null` takes one out.
pub fn id_token(stage: &Stage, changes: &[(&str, Value)]) -> String {
    signed(stage, json!({}), changes)
}

/// The same with more in its header.
pub fn signed(stage: &Stage, header: Value, changes: &[(&str, Value)]) -> String {
    let now = NOW.0;
    let mut claims: Map<String, Value> = json!({
        "iss": stage.acme.issuer(), "aud": WIDGET, "sub": "00u1ada", "iat": now, "exp": now + 3600,
        "auth_time": now - 300, "amr": ["pwd", "mfa"], "jti": "ID.1", "nonce": "of-the-host-app",
        "email": "ada@acme.test", "email_verified": true, "name": "Ada Lovelace",
    })
    .as_object()
    .unwrap()
    .clone();
    for (name, value) in changes {
        match value {
            Value::Null => drop(claims.remove(*name)),
            value => drop(claims.insert((*name).to_owned(), value.clone())),
        }
    }
    let header = header.as_object().unwrap().clone();
    stage.acme.sign(Server::Org, &header, &claims).unwrap()
}

/// Brings a token as the public client, with further fields, from a server.
pub async fn bring(stage: &Stage, token: &str, more: &[(&str, &str)]) -> Answer {
    bring_from(stage, None, token, more).await
}

/// The same from a page of this origin.
pub async fn bring_from(stage: &Stage, origin: Option<&str>, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("grant_type", GRANT_TYPE),
        ("client_id", SPA_CLIENT),
        ("subject_token_type", ID_TOKEN),
        ("subject_token", token),
    ];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let mut request = TestRequest::post().uri("/oauth2/token").set_form(&fields);
    if let Some(origin) = origin {
        request = request.insert_header(("origin", origin));
    }
    stage.send(request).await
}

/// Asserts a refusal by its name, whole, and gives the trace that its code leads to.
#[track_caller]
pub fn refused(stage: &Stage, answer: &Answer, error: &str, code: &str) -> forebay::model::trace::Trace {
    let body = answer.json();
    let expected = if error == "temporarily_unavailable" {
        503
    } else {
        400
    };
    assert_eq!(answer.status, expected, "{answer:?}");
    assert_eq!(body["error"], error, "{answer:?}");
    assert_eq!(body["code"], code, "{answer:?}");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("{code}: ")), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    // Neither of what was expected nor of what came, but for the names.
    for canary in [stage.acme.issuer().as_str(), WIDGET, "00u1ada", "ada@acme.test"] {
        assert!(!answer.body.contains(canary), "{canary}: {answer:?}");
    }
    let trace = stage.trace(
        body["trace"]
            .as_str()
            .unwrap_or_else(|| panic!("no trace: {answer:?}")),
    );
    assert_eq!(trace.cause.to_uppercase(), code, "{trace:?}");
    assert!(!trace.story.remedy.is_empty(), "{trace:?}");
    trace
}
