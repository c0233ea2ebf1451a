//! Webhooks: made and tried in the console, delivered signed and again, fenced, and each tenant's own.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use forebay::actions::providers::{Delivery, go_live};
use forebay::actions::webhooks::{self, Event};
use forebay::demo::POOL;
use forebay::jobs;
use forebay::model::reach::Reach;
use forebay::model::webhook::{self, Webhook};
use forebay::rules::webhook::{Answer, signature};
use serde_json::{Value, json};

use crate::support::{Browser, Form, Stage};

/// What came to the receiver: headers and body.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    timestamp: i64,
    signature: String,
    body: String,
}

/// A receiver on loopback that answers as it is told.
struct Receiver {
    host: String,
    status: Arc<AtomicU16>,
    came: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    fn new() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (status, came) = (Arc::new(AtomicU16::new(200)), Arc::new(Mutex::new(Vec::new())));
        let (answer, messages) = (status.clone(), came.clone());
        let server = HttpServer::new(move || {
            let (answer, messages) = (answer.clone(), messages.clone());
            App::new().default_service(web::to(move |request: HttpRequest, body: String| {
                let header = |name: &str| {
                    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
                    value.unwrap_or_default().to_owned()
                };
                messages.lock().unwrap().push(Message {
                    id: header("webhook-id"),
                    timestamp: header("webhook-timestamp").parse().unwrap_or_default(),
                    signature: header("webhook-signature"),
                    body,
                });
                let status = answer.load(Ordering::SeqCst);
                let answer = HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap())
                    .insert_header(("location", "/elsewhere"))
                    .finish();
                async move { answer }
            }))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)
        .unwrap()
        .run();
        actix_web::rt::spawn(server);
        Receiver { host, status, came }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.host)
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn messages(&self) -> Vec<Message> {
        self.came.lock().unwrap().clone()
    }
}

async fn stage(receiver: &Receiver) -> Stage {
    Stage::with_allowed(Duration::from_secs(5), &[&receiver.host]).await
}

/// Makes a webhook through the form; gives its id and secret.
async fn make(browser: &mut Browser<'_>, url: &str, place: &str) -> (String, String) {
    let page = browser.open("/console/webhooks/new").await.expect(200);
    let form = Form::to(&page.body, "/console/webhooks");
    let page = browser
        .submit(&form, &[("url", url), ("place", place)])
        .await
        .expect(200);
    let after = |text: &str| page.body.split(text).nth(1).unwrap().to_owned();
    let secret = after("id=\"secret-text\">").split('<').next().unwrap().to_owned();
    let id = after("action=\"/console/webhooks/")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    assert!(secret.starts_with("whsec_"), "{page:?}");
    (id, secret)
}

async fn deliver(stage: &Stage) -> usize {
    jobs::webhooks::run(&stage.broker).await.unwrap()
}

fn row(stage: &Stage, id: &str) -> Webhook {
    stage.act(|conn| webhook::find(conn, &Reach::everything(), id).unwrap().unwrap())
}

fn emit(stage: &Stage, tenant: Option<&str>, what: &str) {
    let ctx = stage.ctx();
    stage.act(|conn| {
        webhooks::emit(
            conn,
            &ctx,
            POOL,
            tenant,
            Event::ConnectionLive,
            &json!({ "what": what }),
        )
        .unwrap();
    });
}

#[actix_web::test]
async fn a_test_arrives_signed_and_the_secret_is_shown_once() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("admin@acme.test");
    let empty = admin.open("/console/webhooks").await.expect(200);
    assert!(empty.shows("There is none yet"), "{empty:?}");
    let (id, secret) = make(&mut admin, &receiver.url(), "tenant:acme").await;
    let path = format!("/console/webhooks/{id}");
    let page = admin.open(&path).await.expect(200);
    assert!(!page.body.contains(&secret), "never again");

    let page = admin
        .submit(&Form::to(&page.body, &format!("{path}/test")), &[])
        .await
        .expect(200);
    assert!(page.shows("waiting"), "{page:?}");
    assert_eq!(deliver(&stage).await, 1);
    let messages = receiver.messages();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    let now = stage.broker.clock.now();
    assert_eq!(message.timestamp, now.0);
    assert_eq!(
        message.signature,
        signature(&secret, &message.id, now, &message.body)
    );
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        body,
        json!({ "type": "webhook.test", "timestamp": now.to_string(), "data": { "webhook": id } })
    );
    let page = admin.open(&path).await.expect(200);
    assert!(page.shows("arrived") && page.shows("answered 200"), "{page:?}");
    assert_eq!(deliver(&stage).await, 0, "once");

    let form = Form::to(&page.body, &format!("{path}/secret"));
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(
        page.shows("whsec_") && !page.body.contains(&secret),
        "another one: {page:?}"
    );
}

#[actix_web::test]
async fn of_two_nodes_that_look_at_the_same_time_one_delivers() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("operator@forebay.test");
    make(&mut admin, &receiver.url(), &format!("pool:{POOL}")).await;
    for number in 0..12 {
        emit(&stage, None, &format!("number {number}"));
    }
    let (one, other) = futures_util::future::join(deliver(&stage), deliver(&stage)).await;
    assert_eq!(one + other, 12);
    let mut ids: Vec<String> = receiver
        .messages()
        .into_iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(ids.len(), 12);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12, "each once");
}

#[actix_web::test]
async fn what_fails_is_tried_again_under_the_same_id_for_a_day() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("operator@forebay.test");
    let (id, _) = make(&mut admin, &receiver.url(), &format!("pool:{POOL}")).await;
    receiver.answers(500);
    emit(&stage, None, "first");
    assert_eq!(deliver(&stage).await, 1);
    assert_eq!(deliver(&stage).await, 0, "not at once");
    let page = admin.open(&format!("/console/webhooks/{id}")).await.expect(200);
    assert!(page.shows("answered 500") && page.shows("failing"), "{page:?}");
    stage.clock.advance(10);
    // A redirect is no answer, and nobody goes there.
    receiver.answers(302);
    assert_eq!(deliver(&stage).await, 1);
    stage.clock.advance(60);
    receiver.answers(200);
    assert_eq!(deliver(&stage).await, 1);
    let messages = receiver.messages();
    assert_eq!(messages.len(), 3);
    assert!(
        messages.iter().all(|message| message.id == messages[0].id),
        "{messages:?}"
    );
    assert_ne!(
        messages[0].signature, messages[2].signature,
        "signed anew at its own time"
    );
    assert_eq!(row(&stage, &id).failing_since, None);

    receiver.answers(503);
    emit(&stage, None, "second");
    let mut attempts = 0;
    for _ in 0..200 {
        attempts += deliver(&stage).await;
        stage.clock.advance(600);
    }
    assert_eq!(attempts, 9);
    let last = stage
        .act(|conn| webhook::deliveries(conn, &id, 1).unwrap())
        .remove(0);
    assert!(last.done_at.is_some(), "given up: {last:?}");
}

#[actix_web::test]
async fn a_receiver_that_fails_for_days_or_is_gone_is_switched_off_with_the_reason() {
    for (status, days, reason) in [
        (500, 4, "every delivery has failed since"),
        (410, 0, "gone for good"),
    ] {
        let receiver = Receiver::new();
        let stage = stage(&receiver).await;
        let mut admin = stage.console("operator@forebay.test");
        let (id, _) = make(&mut admin, &receiver.url(), &format!("pool:{POOL}")).await;
        receiver.answers(status);
        for _ in 0..=days {
            emit(&stage, None, "daily");
            deliver(&stage).await;
            stage.clock.advance(86_400);
        }
        let stopped = row(&stage, &id);
        assert!(
            !stopped.enabled && stopped.stopped.contains(reason),
            "{stopped:?}"
        );
        let sent = receiver.messages().len();
        emit(&stage, None, "unheard");
        assert_eq!(deliver(&stage).await, 0);
        assert_eq!(receiver.messages().len(), sent);

        let mut admin = stage.console("operator@forebay.test");
        let path = format!("/console/webhooks/{id}");
        let page = admin.open(&path).await.expect(200);
        assert!(page.shows("Forebay has switched it off"), "{page:?}");
        let page = admin
            .submit(&Form::to(&page.body, &format!("{path}/enabled")), &[])
            .await
            .expect(200);
        assert!(
            page.shows("Enabled.") && !page.shows("switched it off"),
            "{page:?}"
        );
        let again = row(&stage, &id);
        assert_eq!(
            (again.enabled, again.failing_since, again.stopped.as_str()),
            (true, None, "")
        );
    }
}

#[actix_web::test]
async fn addresses_that_the_fence_refuses_are_refused_at_the_field() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open("/console/webhooks/new").await.expect(200);
    let form = Form::to(&page.body, "/console/webhooks");
    for wrong in [
        "",
        "http://hooks.example.com/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://localhost/",
        "http://127.0.0.1:1/",
        "https://ada@hooks.example.com/",
        "javascript:alert(1)",
    ] {
        let page = admin
            .submit(&form, &[("url", wrong), ("place", "tenant:acme")])
            .await;
        assert_eq!(page.status, 422, "{wrong}: {page:?}");
        assert!(page.shows("aria-invalid=\"true\""), "{wrong}");
        assert!(page.body.contains("id=\"url-error\""), "{wrong}");
    }
    let made = stage.act(|conn| webhook::list(conn, &Reach::everything(), None).unwrap());
    assert_eq!(made, []);
    // A name is judged by its addresses when it is called, whatever it was before.
    let url = url::Url::parse("https://localhost:1/").unwrap();
    let answer = stage.broker.upstream.post(&url, &[], "{}".into()).await;
    assert!(matches!(answer, Answer::Nothing(_)), "{answer:?}");
}

#[actix_web::test]
async fn tenants_have_their_own_and_hear_of_their_own() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut operator = stage.console("operator@forebay.test");
    let mut acme = stage.console("admin@acme.test");
    let mut globex = stage.console("admin@globex.test");
    let (of_pool, _) = make(
        &mut operator,
        &format!("{}/pool", receiver.url()),
        &format!("pool:{POOL}"),
    )
    .await;
    let (of_acme, _) = make(&mut acme, &format!("{}/acme", receiver.url()), "tenant:acme").await;

    let list = acme.open("/console/webhooks").await.expect(200);
    assert!(
        list.body.contains(&of_acme) && !list.body.contains(&of_pool),
        "{list:?}"
    );
    let list = globex.open("/console/webhooks").await.expect(200);
    assert!(
        !list.body.contains(&of_acme) && !list.body.contains(&of_pool),
        "{list:?}"
    );
    let list = operator
        .open(&format!("/console/pools/{POOL}/webhooks"))
        .await
        .expect(200);
    assert!(
        list.body.contains(&of_acme) && list.body.contains(&of_pool),
        "{list:?}"
    );
    assert_eq!(
        acme.open(&format!("/console/pools/{POOL}/webhooks")).await.status,
        404
    );

    let page = globex.open("/console/webhooks/new").await.expect(200);
    let form = Form::to(&page.body, "/console/webhooks");
    let csrf: Vec<_> = form
        .fields
        .iter()
        .filter(|(name, _)| name == "csrf")
        .cloned()
        .collect();
    for id in [&of_acme, &of_pool] {
        let path = format!("/console/webhooks/{id}");
        assert_eq!(globex.open(&path).await.status, 404);
        assert_eq!(globex.open(&format!("{path}/delete")).await.status, 404);
        for end in ["test", "enabled", "secret", "delete"] {
            let answer = globex.request("POST", &format!("{path}/{end}"), &csrf).await;
            assert_eq!(answer.status, 404, "{end}: {answer:?}");
        }
    }
    for place in ["tenant:acme".to_owned(), format!("pool:{POOL}")] {
        let answer = globex
            .submit(&form, &[("url", &receiver.url()), ("place", &place)])
            .await;
        assert_eq!(answer.status, 404, "{place}: {answer:?}");
    }

    emit(&stage, Some("acme"), "of acme");
    emit(&stage, Some("globex"), "of globex");
    emit(&stage, None, "of the pool");
    deliver(&stage).await;
    let heard = |id: &str| -> Vec<String> {
        let mut told: Vec<String> = stage
            .act(|conn| webhook::deliveries(conn, id, 10).unwrap())
            .iter()
            .map(|delivery| {
                serde_json::from_str::<Value>(&delivery.payload).unwrap()["data"]["what"].to_string()
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(heard(&of_acme), ["\"of acme\""]);
    assert_eq!(
        heard(&of_pool),
        ["\"of acme\"", "\"of globex\"", "\"of the pool\""]
    );
}

#[actix_web::test]
async fn attention_and_recovery_of_a_connection_are_told_in_the_same_breath() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut acme = stage.console("admin@acme.test");
    make(&mut acme, &receiver.url(), "tenant:acme").await;
    let client_id = forebay::demo::registration(0, "").client_id;
    let mut secrets = Vec::new();
    stage.acme.change_app(&client_id, |app| {
        secrets = std::mem::replace(&mut app.secrets, vec!["another".into()])
    });
    jobs::watch::run(&stage.broker).await.unwrap();
    stage
        .acme
        .change_app(&client_id, |app| app.secrets = secrets.clone());
    stage.clock.advance(900);
    jobs::watch::run(&stage.broker).await.unwrap();
    deliver(&stage).await;
    let mut told: Vec<Value> = receiver
        .messages()
        .iter()
        .map(|message| serde_json::from_str(&message.body).unwrap())
        .collect();
    told.sort_by_key(|body| body["timestamp"].to_string());
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["type"], "connection.attention");
    assert_eq!(told[0]["data"]["connection"]["id"], "acme-okta");
    assert_eq!(told[0]["data"]["notices"][0]["subject"], "client_auth");
    assert_eq!(told[1]["type"], "connection.recovered");
}

#[actix_web::test]
async fn a_connection_that_goes_live_is_told() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut acme = stage.console("admin@acme.test");
    make(&mut acme, &receiver.url(), "tenant:acme").await;
    let tested = stage.broker.clock.now();
    stage.change_provider("acme-okta", |row| {
        row.enabled = false;
        row.live_since = None;
        row.tested_at = Some(tested);
    });
    let ctx = stage.ctx();
    let delivery = Delivery {
        clients: Vec::new(),
        untested: false,
        by_tenant: false,
    };
    stage.act(|conn| go_live(conn, &ctx, "acme-okta", &delivery).unwrap());
    deliver(&stage).await;
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let body: Value = serde_json::from_str(&messages[0].body).unwrap();
    assert_eq!(body["type"], "connection.live");
    assert_eq!(body["data"]["connection"]["id"], "acme-okta");
}

#[actix_web::test]
async fn secrets_and_deletions_want_a_fresh_proof_and_every_form_its_token() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("admin@acme.test");
    let (id, _) = make(&mut admin, &receiver.url(), "tenant:acme").await;
    let path = format!("/console/webhooks/{id}");
    let page = admin.open(&path).await.expect(200);
    let secret = Form::to(&page.body, &format!("{path}/secret"));
    let page = admin.open(&format!("{path}/delete")).await.expect(200);
    let delete = Form::to(&page.body, &format!("{path}/delete"));
    for end in ["", "/x/test", "/x/enabled", "/x/secret", "/x/delete"] {
        let uri = format!("/console/webhooks{}", end.replace('x', &id));
        let answer = admin.request("POST", &uri, &[]).await;
        assert_eq!(answer.status, 403, "{uri}: {answer:?}");
    }
    let sealed = row(&stage, &id).secret_sealed;
    stage.clock.advance(11 * 60);
    for (form, next) in [(&secret, path.clone()), (&delete, format!("{path}/delete"))] {
        let answer = admin.request("POST", &form.action, &form.fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        assert_eq!(answer.location(), format!("/console/prove?next={next}"));
    }
    let answer = admin.open("/console/webhooks/new").await;
    assert_eq!(
        answer.location(),
        "/console/prove?next=%2Fconsole%2Fwebhooks%2Fnew"
    );
    assert_eq!(row(&stage, &id).secret_sealed, sealed);

    let mut admin = stage.console("admin@acme.test");
    let page = admin.open(&format!("{path}/delete")).await.expect(200);
    let form = Form::to(&page.body, &format!("{path}/delete"));
    let page = admin.submit(&form, &[("host", "elsewhere")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    let page = admin.submit(&form, &[("host", "127.0.0.1")]).await.expect(200);
    assert!(
        page.shows("Deleted.") && page.shows("There is none yet"),
        "{page:?}"
    );
}

#[actix_web::test]
async fn a_webhooks_queue_is_bounded() {
    let receiver = Receiver::new();
    let stage = stage(&receiver).await;
    let mut admin = stage.console("admin@acme.test");
    let (id, _) = make(&mut admin, &receiver.url(), "tenant:acme").await;
    let ctx = stage.ctx();
    stage.act(|conn| {
        use diesel::Connection;
        conn.transaction(|conn| {
            for n in 0..1_003 {
                let data = json!({ "n": n });
                webhooks::emit(conn, &ctx, POOL, Some("acme"), Event::ConnectionLive, &data).unwrap();
            }
            diesel::QueryResult::Ok(())
        })
        .unwrap();
    });
    assert_eq!(stage.act(|conn| webhook::waiting(conn).unwrap()), 1_000);
    let all = stage.act(|conn| webhook::deliveries(conn, &id, 2_000).unwrap());
    let dropped = all.iter().filter(|delivery| delivery.done_at.is_some());
    assert_eq!(dropped.count(), 3);
}

#[actix_web::test]
async fn what_only_an_exception_admits_is_not_a_tenants_to_call() {
    let stage = Stage::with_allowed(Duration::from_secs(5), &["hooks.internal", "10.1.2.3:9000"]).await;
    let mut operator = stage.console("operator@forebay.test");
    let mut admin = stage.console("admin@acme.test");
    for url in ["http://hooks.internal/in", "http://10.1.2.3:9000/"] {
        for browser in [&mut operator, &mut admin] {
            let page = browser.open("/console/webhooks/new").await.expect(200);
            let form = Form::to(&page.body, "/console/webhooks");
            let page = browser
                .submit(&form, &[("url", url), ("place", "tenant:acme")])
                .await
                .expect(422);
            assert!(page.body.contains("id=\"url-error\""), "{url}: {page:?}");
        }
        make(&mut operator, url, &format!("pool:{POOL}")).await;
    }
}
