//! Hooks, called by a broker as Cognito calls its triggers: the events, their effects, and what happens when a hook says
//! no, nonsense or nothing.

mod claims;
mod events;
mod native;
mod refusals;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use forebay::actions::hooks::{self, NewBinding};
use forebay::model::reach::Reach;
use forebay::rules::webhook::signature;
use forebay::world::UnixTime;
use serde_json::{Value, json};

use crate::support::Stage;

pub const ARN: &str = "arn:aws:lambda:local:000000000000:function:hook-1";

/// What a hook answers to an event: status and body.
type Say = Box<dyn FnMut(&Value) -> (u16, String) + Send>;

/// One call as it came.
#[derive(Clone, Debug)]
pub struct Called {
    pub id: String,
    pub timestamp: i64,
    pub signature: String,
    pub traceparent: String,
    pub body: String,
}

impl Called {
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn is_signed_with(&self, secret: &str) -> bool {
        self.signature == signature(secret, &self.id, UnixTime(self.timestamp), &self.body)
    }
}

/// A hook on loopback that answers as it is told; at first with the event as it came.
pub struct Hook {
    pub host: String,
    say: Arc<Mutex<Say>>,
    called: Arc<Mutex<Vec<Called>>>,
}

impl Hook {
    pub fn new() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let echo: Say = Box::new(|event| (200, event.to_string()));
        let (say, called) = (Arc::new(Mutex::new(echo)), Arc::new(Mutex::new(Vec::new())));
        let (saying, calls) = (say.clone(), called.clone());
        let server = HttpServer::new(move || {
            let (saying, calls) = (saying.clone(), calls.clone());
            App::new().default_service(web::to(move |request: HttpRequest, body: String| {
                let header = |name: &str| {
                    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
                    value.unwrap_or_default().to_owned()
                };
                calls.lock().unwrap().push(Called {
                    id: header("webhook-id"),
                    timestamp: header("webhook-timestamp").parse().unwrap_or_default(),
                    signature: header("webhook-signature"),
                    traceparent: header("traceparent"),
                    body: body.clone(),
                });
                let event: Value = serde_json::from_str(&body).unwrap_or_default();
                let (status, said) = (saying.lock().unwrap())(&event);
                let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
                answer.insert_header(("location", "/elsewhere"));
                async move { answer.body(said) }
            }))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)
        .unwrap()
        .run();
        actix_web::rt::spawn(server);
        Hook { host, say, called }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.host)
    }

    /// Says this to everything.
    pub fn says(&self, status: u16, body: &str) {
        let body = body.to_owned();
        *self.say.lock().unwrap() = Box::new(move |_| (status, body.clone()));
    }

    /// Answers the event with what this gives for its `triggerSource` as the response; as it came where that is null.
    pub fn responds(&self, respond: impl Fn(&str) -> Value + Send + 'static) {
        *self.say.lock().unwrap() = Box::new(move |event| {
            let mut event = event.clone();
            let response = respond(event["triggerSource"].as_str().unwrap_or_default());
            if !response.is_null() {
                event["response"] = response;
            }
            (200, event.to_string())
        });
    }

    /// Refuses what comes of this source with these words, and lets everything else pass.
    pub fn refuses(&self, source: &'static str, message: &'static str) {
        *self.say.lock().unwrap() = Box::new(move |event| {
            if event["triggerSource"] == source {
                (
                    200,
                    json!({ "errorMessage": message, "errorType": "Error" }).to_string(),
                )
            } else {
                (200, event.to_string())
            }
        });
    }

    pub fn calls(&self) -> Vec<Called> {
        self.called.lock().unwrap().clone()
    }

    pub fn forget_calls(&self) {
        self.called.lock().unwrap().clear();
    }

    /// `triggerSource` of every call, in order.
    pub fn sources(&self) -> Vec<String> {
        let source = |call: &Called| call.event()["triggerSource"].as_str().unwrap().to_owned();
        self.calls().iter().map(source).collect()
    }

    /// The event of that source, which came once.
    #[track_caller]
    pub fn event(&self, source: &str) -> Value {
        let mut events: Vec<Value> = self.calls().iter().map(Called::event).collect();
        events.retain(|event| event["triggerSource"] == source);
        assert_eq!(events.len(), 1, "{source}: {events:?}");
        events.remove(0)
    }
}

/// A stage that may call the hook, with [`ARN`] bound to it.
pub async fn stage(hook: &Hook) -> Stage {
    let stage = Stage::with_allowed(Duration::from_secs(10), &[&hook.host]).await;
    bind(&stage, ARN, &hook.url(), None);
    stage
}

/// Binds an ARN, for one pool or for all; gives the secret.
pub fn bind(stage: &Stage, arn: &str, url: &str, pool: Option<&str>) -> String {
    let ctx = stage.ctx();
    let new = NewBinding {
        arn: arn.into(),
        user_pool_id: pool.map(str::to_owned),
        url: url.parse().unwrap(),
    };
    stage.act(|conn| {
        let (_, secret) = hooks::bind(conn, &ctx, &Reach::everything(), new).unwrap();
        secret.to_string()
    })
}

/// The demo's pool names these hooks.
pub fn name(stage: &Stage, lambda: Value) {
    stage.change_pool(|settings| settings.lambda = serde_json::from_value(lambda).unwrap());
}

/// Every trigger there is, at [`ARN`].
pub fn everything() -> Value {
    json!({
        "PreSignUp": ARN, "PostConfirmation": ARN, "PreAuthentication": ARN, "PostAuthentication": ARN,
        "PreTokenGenerationConfig": { "LambdaVersion": "V2_0", "LambdaArn": ARN },
        "InboundFederation": { "LambdaVersion": "V1_0", "LambdaArn": ARN },
    })
}
