//! Spans for OpenTelemetry: what a collector is told of a sign-in, what it is not told, and that nobody waits for it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use forebay::demo::{OPERATOR, WEB_SECRET};

use crate::command_line::Shell;
use crate::hooks::{self, ARN, Hook};
use crate::operations::{Connection, Node, soon};
use crate::support::{Collector, SILENCE, Stage, Tokens, Told, query_of};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> (&'static str, String) {
    ("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"))
}

#[track_caller]
fn named<'a>(spans: &'a [Told], name: &str) -> &'a Told {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:?}"));
    assert!(found.next().is_none(), "one {name} only: {spans:?}");
    span
}

#[actix_web::test]
async fn a_sign_in_is_told_with_the_trace_that_it_came_with_and_its_calls_as_okta_saw_them() {
    let (collector, hook) = (Collector::start(), Hook::new());
    let stage = Stage::exporting(&collector, Duration::from_secs(10), &[&hook.host]).await;
    hooks::bind(&stage, ARN, &hook.url(), None);
    hooks::name(&stage, hooks::everything());
    let mut browser = stage.browser();
    browser.headers.push(traceparent("01"));
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    let code = query_of(back.location(), "code").unwrap();
    let mut calls: Vec<String> = hook.calls().into_iter().map(|call| call.traceparent).collect();
    assert!(calls.len() > 2, "{calls:?}");
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    let refreshed = stage.refresh(&tokens.refresh.unwrap()).await.expect(200);
    stage.flush().await;

    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.service == "forebay"), "{spans:?}");
    let (ours, mut rest): (Vec<Told>, Vec<Told>) = spans.into_iter().partition(|span| span.trace == TRACE);
    let (served, called): (Vec<Told>, Vec<Told>) = ours.into_iter().partition(|span| span.is_server);
    assert!(served.iter().all(|span| span.parent == PARENT), "{served:?}");
    assert!(served.iter().any(|span| span.name == "GET /oauth2/authorize"));
    let arrival = named(&served, "GET /oauth2/idpresponse/{connection}");
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "302"),
        ("http.route", "/oauth2/idpresponse/{connection}"),
        ("url.path", "/oauth2/idpresponse/acme-okta"),
        ("url.scheme", "http"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(arrival.attributes, BTreeMap::from(expected));
    assert!(!arrival.is_error);
    let request_id = back.header("x-amz-cognito-request-id").unwrap();
    assert_eq!(arrival.id, request_id.replace('-', "")[16..]);

    // Each call is a child of the request that made it, by the id that went along with it.
    let okta = stage.acme.requests();
    calls.extend(
        okta.iter()
            .filter_map(|seen| seen.header("traceparent"))
            .map(str::to_owned),
    );
    let mut ids: Vec<String> = called
        .iter()
        .map(|span| format!("00-{TRACE}-{}-01", span.id))
        .collect();
    calls.sort();
    ids.sort();
    assert_eq!(calls, ids);
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "each has an id of its own");
    for call in &called {
        assert!(served.iter().any(|span| span.id == call.parent), "{call:?}");
        assert_eq!(call.get("server.address"), "127.0.0.1");
        assert_eq!(call.get("http.response.status_code"), "200");
        assert_eq!(call.name, call.get("http.request.method"));
        assert_eq!(call.attributes.len(), 4, "{call:?}");
    }
    let port = hook.host.rsplit(':').next().unwrap();
    assert!(called.iter().any(|call| call.get("server.port") == port));
    assert!(called.iter().filter(|call| call.parent == arrival.id).count() > 3);

    // What came without a trace begins one, of its request's id; the hook is called in it, too.
    let request_id = refreshed.header("x-amz-cognito-request-id").unwrap();
    rest.retain(|span| span.trace == request_id.replace('-', ""));
    assert_eq!(rest.len(), 2, "{rest:?}");
    let root = named(&rest, "POST /oauth2/token");
    assert_eq!(root.parent, "");
    let call = named(&rest, "POST");
    assert_eq!(call.parent, root.id);
    let last = hook.calls().pop().unwrap().traceparent;
    assert_eq!(last, format!("00-{}-{}-01", call.trace, call.id));
}

#[actix_web::test]
async fn no_span_holds_a_code_a_token_a_secret_or_a_persons_data() {
    let collector = Collector::start();
    let stage = Stage::exporting(&collector, Duration::from_secs(10), &[]).await;
    let mut secrets: Vec<String> = [
        "ada@",
        "linus@",
        "acme.test",
        "Lovelace",
        "eyJ",
        "Bearer",
        "state=",
        WEB_SECRET,
    ]
    .map(String::from)
    .to_vec();
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    secrets.extend([tokens.access.clone(), tokens.refresh.clone().unwrap()]);
    stage.userinfo(&tokens.access).await.expect(200);
    let refreshed = Tokens::of(&stage.refresh(&tokens.refresh.unwrap()).await.expect(200));
    secrets.push(refreshed.access);
    let mut browser = stage.browser();
    let page = browser.sign_in("linus@acme.test", &stage.authorize(&[])).await;
    secrets.push(page.trace_code().unwrap());
    for seen in stage.acme.requests() {
        let sent = seen.query.into_iter().chain(seen.form);
        let is_secret = |name: &str| {
            matches!(
                name,
                "state" | "nonce" | "code" | "code_verifier" | "code_challenge"
            )
        };
        secrets.extend(
            sent.filter(|(name, value)| is_secret(name) && value.len() > 8)
                .map(|(_, value)| value),
        );
    }
    // Paths that open something, paths of people, and paths that somebody made up.
    for (path, secret) in [
        ("/console/setup/canary-of-a-link", "canary-of-a-link"),
        ("/console/password/canary-of-a-password", "canary-of-a-password"),
        (
            "/console/connect/canary-of-an-invitation",
            "canary-of-an-invitation",
        ),
        ("/console/traces/CAN-ARY", "CAN-ARY"),
        ("/console/users/canary-of-a-user", "canary-of-a-user"),
        ("/grace@acme.test/.well-known/jwks.json", "grace"),
        ("/oauth2/idpresponse/hank@globex.test?code=canary-code", "hank"),
        (
            "/canary-of-a-path/that/is/none?access_token=canary-token",
            "canary",
        ),
    ] {
        stage.get(path).await;
        secrets.push(secret.into());
    }
    let made_up = TestRequest::with_uri("/").method("CANARY".parse().unwrap());
    stage.send(made_up).await;
    secrets.push("CANARY".into());
    stage.console(OPERATOR).open("/console").await.expect(200);
    stage.flush().await;

    let spans = collector.spans();
    assert!(
        spans.len() > 20 && secrets.len() > 25,
        "{} {}",
        spans.len(),
        secrets.len()
    );
    for secret in &secrets {
        for export in collector.exports() {
            let text = String::from_utf8_lossy(&export.body).into_owned();
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
    let link = named(&spans, "GET /console/setup/{token}");
    assert_eq!(link.get("url.path"), "/console/setup/{token}");
    let nowhere = spans.iter().find(|span| span.name == "GET").unwrap();
    assert_eq!((nowhere.get("url.path"), nowhere.get("http.route")), ("", ""));
    assert!(
        spans
            .iter()
            .any(|span| span.get("http.request.method") == "_OTHER")
    );
}

#[actix_web::test]
async fn a_trace_that_nobody_keeps_is_not_told_and_goes_on_so() {
    let collector = Collector::start();
    let stage = Stage::exporting(&collector, Duration::from_secs(10), &[]).await;
    let mut browser = stage.browser();
    browser.headers.push(traceparent("00"));
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    assert!(query_of(back.location(), "code").is_some());
    let okta = stage.acme.requests();
    let sent: Vec<&str> = okta
        .iter()
        .filter_map(|seen| seen.header("traceparent"))
        .collect();
    assert!(!sent.is_empty());
    assert!(
        sent.iter()
            .all(|text| text.starts_with(&format!("00-{TRACE}-")) && text.ends_with("-00")),
        "{sent:?}"
    );
    stage.get("/healthz").await.expect(200);
    stage.flush().await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0].name, "GET /healthz");
}

#[actix_web::test]
async fn what_goes_wrong_is_told_as_an_error_and_so_is_what_was_given_up() {
    let collector = Collector::start();
    // It takes connections and says nothing.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = dead.local_addr().unwrap().to_string();
    let stage = Stage::exporting(&collector, Duration::from_secs(2), &[&host]).await;
    hooks::bind(&stage, ARN, &format!("http://{host}/hook"), None);
    hooks::name(&stage, serde_json::json!({ "PreSignUp": ARN }));
    let mut browser = stage.browser();
    let page = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    assert!(page.status >= 400, "{page:?}");
    stage.get("/no/such/path").await.expect(404);
    stage.flush().await;
    let spans = collector.spans();
    let port = host.rsplit(':').next().unwrap();
    let call = spans.iter().find(|span| span.get("server.port") == port).unwrap();
    assert_eq!((call.is_error, call.get("error.type")), (true, "cancelled"));
    assert_eq!(call.get("http.response.status_code"), "");
    let nobodys = spans
        .iter()
        .find(|span| span.get("http.response.status_code") == "404")
        .unwrap();
    assert_eq!(
        (nobodys.is_error, nobodys.get("error.type")),
        (false, ""),
        "who asks wrongly"
    );
}

fn lost(node: &Node) -> u64 {
    let text = Connection::to(&node.metrics).get("/metrics").expect(200).body;
    let name = "forebay_spans_lost_total ";
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_collector_that_says_nothing_delays_nobody_and_lost_spans_are_counted() {
    let collector = Collector::start();
    collector.says(SILENCE);
    let mut node = Node::start(&["--otlp-endpoint", collector.url.as_str()]);
    let mut connection = node.connect();
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    while lost(&node) == 0 {
        assert!(asked < 20_000, "what waits is less");
        for _ in 0..500 {
            let begun = Instant::now();
            connection.get("/healthz").expect(200);
            slowest = slowest.max(begun.elapsed());
        }
        asked += 500;
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(asked > 4_000, "{asked}");
    // Nor does it keep a node from its end.
    node.terminate();
    assert!(node.process.0.wait().unwrap().success());
}

#[test]
fn a_collector_that_refuses_loses_what_it_refused_and_gets_what_comes_later() {
    let collector = Collector::start();
    collector.says(503);
    let node = Node::start(&["--otlp-endpoint", collector.url.as_str()]);
    let mut connection = node.connect();
    connection.get("/healthz").expect(200);
    soon("it is lost", || lost(&node) == 1);
    assert!(collector.exports().len() > 1, "it was asked again");
    collector.says(200);
    connection.get("/readyz").expect(200);
    soon("the collector has it", || {
        collector.spans().iter().any(|span| span.name == "GET /readyz")
    });
    assert_eq!(lost(&node), 1);
}

#[test]
fn opentelemetrys_own_variables_count_and_a_node_that_stops_hands_over_what_waits() {
    let collector = Collector::start();
    let mut node = Node::start_in(
        &[],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20canary,x-scope=acme",
            ),
            ("OTEL_SERVICE_NAME", "sign-in"),
        ],
    );
    node.connect().get("/healthz").expect(200);
    node.terminate();
    assert!(node.process.0.wait().unwrap().success());
    let spans = collector.spans();
    assert_eq!(named(&spans, "GET /healthz").service, "sign-in");
    let head = collector.exports().pop().unwrap().head;
    for line in [
        "post /v1/traces http/1.1",
        "authorization: bearer canary",
        "x-scope: acme",
        "content-type: application/x-protobuf",
    ] {
        assert!(head.lines().any(|known| known == line), "{line}: {head}");
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused_at_the_start() {
    let shell = Shell::new();
    for variable in ["FOREBAY_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let mut command = shell.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command.env(variable, "collector:4317").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(
            lines[1].starts_with("  --otlp-endpoint (FOREBAY_OTLP_ENDPOINT): is not an http or https URL")
                && lines[1].contains("Right: http://localhost:4318"),
            "{said}"
        );
    }
}
