//! The guards of a node: each refuses what is beyond it, says so in the right words, and leaves others alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::test::TestRequest;
use actix_web::web::Data;
use forebay::broker::Broker;
use forebay::config::Guards;
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, POOL, WEB_CLIENT, WEB_SECRET};

use crate::hooks::{self, Hook};
use crate::support::{Answer, Stage, basic};

const HERE: &str = "192.0.2.1:1000";
const ELSEWHERE: &str = "198.51.100.7:1000";

fn from(peer: &str, request: TestRequest) -> TestRequest {
    request.peer_addr(peer.parse().unwrap())
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

/// A client's tokens for itself.
fn tokens(id: &str, secret: &str) -> TestRequest {
    TestRequest::post()
        .uri("/oauth2/token")
        .insert_header(("authorization", basic(id, secret)))
        .set_form([("grant_type", "client_credentials")])
}

#[track_caller]
fn says(answer: &Answer, policy: &str, limit: &str, retry_after: Option<&str>) {
    assert_eq!(
        (
            answer.header("ratelimit-policy"),
            answer.header("ratelimit"),
            answer.header("retry-after")
        ),
        (Some(policy), Some(limit), retry_after),
        "{answer:?}"
    );
}

#[actix_web::test]
async fn an_address_has_its_requests_of_a_minute() {
    let stage = Stage::new().await;
    let guards = Guards {
        requests_per_address: 2,
        ..Guards::default()
    };
    let node = stage.guarded(guards, &[]).await;
    let policy = "\"address\";q=2;w=60";
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let answer = node.send(from(HERE, get(&login))).await.expect(200);
    says(&answer, policy, "\"address\";r=1;t=60", None);
    stage.clock.advance(10);
    let answer = node.send(from(HERE, get(&login))).await.expect(200);
    says(&answer, policy, "\"address\";r=0;t=50", None);

    // A page for people, JSON for programs, Cognito's words for AWS SDKs.
    let page = node.send(from(HERE, get(&login))).await.expect(429);
    says(&page, policy, "\"address\";r=0;t=50", Some("50"));
    assert!(page.shows("Wait for 50 seconds"), "{page:?}");
    let console = node.send(from(HERE, get("/console/sign-in"))).await.expect(429);
    assert!(console.shows("Too many requests"), "{console:?}");
    let wrong = node.send(from(HERE, tokens("nobody", "x"))).await.expect(429);
    assert_eq!(wrong.error(), "temporarily_unavailable");
    let call = TestRequest::post()
        .uri("/")
        .insert_header(("x-amz-target", "AWSCognitoIdentityProviderService.ListUserPools"));
    let call = node.send(from(HERE, call)).await.expect(400);
    assert_eq!(call.json()["__type"], "TooManyRequestsException");
    says(&call, policy, "\"address\";r=0;t=50", Some("50"));

    // What costs nothing, other addresses, and those that say nothing are not concerned.
    for path in ["/healthz", &format!("/{POOL}/.well-known/jwks.json")] {
        let answer = node.send(from(HERE, get(path))).await.expect(200);
        assert_eq!(answer.header("ratelimit"), None);
    }
    node.send(from(ELSEWHERE, get(&login))).await.expect(200);
    for peer in ["127.0.0.1:1000", "[::1]:1000", "[::ffff:127.0.0.1]:1000"] {
        for _ in 0..5 {
            node.send(from(peer, get(&login))).await.expect(200);
        }
    }
    // A whole /64 is one address.
    for (host, status) in [
        ("[2001:db8::1]", 200),
        ("[2001:db8::2]", 200),
        ("[2001:db8::3]", 429),
    ] {
        let answer = node.send(from(&format!("{host}:1000"), get(&login))).await;
        assert_eq!(answer.status, status, "{host}");
    }
    stage.clock.advance(50);
    node.send(from(HERE, get(&login))).await.expect(200);
}

#[actix_web::test]
async fn behind_a_trusted_proxy_each_of_its_visitors_is_counted() {
    let stage = Stage::new().await;
    let guards = Guards {
        requests_per_address: 1,
        ..Guards::default()
    };
    let node = stage.guarded(guards, &["127.0.0.1/32"]).await;
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let by = |visitor: &str| {
        let request = get(&login).insert_header(("x-forwarded-for", visitor));
        from("127.0.0.1:1000", request)
    };
    node.send(by("192.0.2.1")).await.expect(200);
    node.send(by("192.0.2.1")).await.expect(429);
    node.send(by("192.0.2.2")).await.expect(200);
}

#[actix_web::test]
async fn programs_that_prove_who_they_are_are_not_counted_by_address() {
    let stage = Stage::new().await;
    let guards = Guards {
        requests_per_address: 2,
        ..Guards::default()
    };
    let node = stage.guarded(guards, &[]).await;
    for _ in 0..5 {
        let right = tokens(MACHINE_CLIENT, MACHINE_SECRET);
        node.send(from(HERE, right)).await.expect(200);
    }
    for _ in 0..2 {
        let wrong = tokens(MACHINE_CLIENT, "wrong");
        node.send(from(HERE, wrong)).await.expect(401);
    }
    let right = tokens(MACHINE_CLIENT, MACHINE_SECRET);
    node.send(from(HERE, right)).await.expect(429);
}

#[actix_web::test]
async fn an_app_client_has_its_token_requests_of_a_minute() {
    let stage = Stage::new().await;
    let guards = Guards {
        requests_per_client: 2,
        ..Guards::default()
    };
    let node = stage.guarded(guards, &[]).await;
    let policy = "\"client\";q=2;w=60";
    for left in [1, 0] {
        let answer = node
            .send(tokens(MACHINE_CLIENT, MACHINE_SECRET))
            .await
            .expect(200);
        says(&answer, policy, &format!("\"client\";r={left};t=60"), None);
    }
    // Nobody takes a client's share who is not that client.
    for _ in 0..5 {
        node.send(tokens(WEB_CLIENT, "wrong")).await.expect(401);
    }
    let answer = node
        .send(tokens(MACHINE_CLIENT, MACHINE_SECRET))
        .await
        .expect(429);
    says(&answer, policy, "\"client\";r=0;t=60", Some("60"));
    assert_eq!(answer.error(), "temporarily_unavailable");
    let other = node.send(tokens(WEB_CLIENT, WEB_SECRET)).await;
    assert_ne!(other.status, 429, "others are not concerned: {other:?}");
    stage.clock.advance(60);
    node.send(tokens(MACHINE_CLIENT, MACHINE_SECRET))
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_node_has_limits_of_its_own_for_addresses_headers_and_bodies() {
    let stage = Stage::new().await;
    let guards = Guards {
        longest_url: 2_048,
        largest_headers: 8_192,
        largest_body: 4_096,
        ..Guards::default()
    };
    let node = stage.guarded(guards, &[]).await;
    node.send(get(&format!("/healthz?{}", "x".repeat(2_000))))
        .await
        .expect(200);
    node.send(get(&format!("/healthz?{}", "x".repeat(2_048))))
        .await
        .expect(414);
    let padded = |length: usize| get("/healthz").insert_header(("x-padding", "x".repeat(length)));
    node.send(padded(8_000)).await.expect(200);
    node.send(padded(8_192)).await.expect(431);
    for path in ["/oauth2/token", "/", "/console/sign-in"] {
        let form = |length: usize| {
            TestRequest::post()
                .uri(path)
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .insert_header(("content-length", length))
                .set_payload("x".repeat(length))
        };
        assert_ne!(node.send(form(4_096)).await.status, 413, "{path}");
        node.send(form(4_097)).await.expect(413);
    }
}

/// The node on a socket.
fn listening(broker: Data<Broker>) -> (SocketAddr, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = forebay::web::serve(broker, listener, 1).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

/// Runs what waits for sockets beside the server.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    actix_web::rt::task::spawn_blocking(work).await.unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Asks on a connection that stays open, and gives the first thing that comes.
fn ask(stream: &mut TcpStream) -> String {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = [0; 4_096];
    let count = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// All that comes until the other side closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_web::test]
async fn an_address_has_so_many_connections_and_a_proxy_any_number() {
    let stage = Stage::new().await;
    let guards = Guards {
        connections_per_address: 2,
        ..Guards::default()
    };
    let broker = stage.guarded(guards.clone(), &[]).await.broker;
    let (address, server) = listening(broker);
    beside(move || {
        let mut first = connect(address);
        let mut second = connect(address);
        assert!(ask(&mut first).starts_with("HTTP/1.1 200"));
        assert!(ask(&mut second).starts_with("HTTP/1.1 200"));
        let mut third = connect(address);
        let said = ask(&mut third).to_lowercase();
        assert!(said.starts_with("http/1.1 429"), "{said}");
        assert!(
            said.contains("retry-after: 1\r\n") && said.contains("connection: close\r\n"),
            "{said}"
        );
        assert_eq!(rest(&mut third), "", "it is closed");
        assert!(
            ask(&mut first).starts_with("HTTP/1.1 200"),
            "those that were there go on"
        );
        drop(second);
        let begun = Instant::now();
        while !ask(&mut connect(address)).starts_with("HTTP/1.1 200") {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "its place is free again"
            );
        }
    })
    .await;
    server.stop(false).await;

    let broker = stage.guarded(guards, &["127.0.0.1/32"]).await.broker;
    let (address, server) = listening(broker);
    beside(move || {
        let mut open: Vec<TcpStream> = (0..5).map(|_| connect(address)).collect();
        for stream in &mut open {
            assert!(ask(stream).starts_with("HTTP/1.1 200"));
        }
    })
    .await;
    server.stop(false).await;
}

/// The head of a token request.
fn head(length: &str) -> String {
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
    )
}

#[actix_web::test]
async fn a_body_has_its_time_and_its_connection_ends() {
    let stage = Stage::new().await;
    let guards = Guards {
        body_within: Duration::from_millis(300),
        ..Guards::default()
    };
    let broker = stage.guarded(guards, &[]).await.broker;
    let (address, server) = listening(broker);
    beside(move || {
        for beginning in [
            format!("{}grant", head("Content-Length: 40")),
            format!("{}5\r\ngrant\r\n", head("Transfer-Encoding: chunked")),
        ] {
            let mut stream = connect(address);
            stream.write_all(beginning.as_bytes()).unwrap();
            let said = rest(&mut stream).to_lowercase();
            assert!(said.starts_with("http/1.1 408"), "{said}");
            assert!(said.contains("connection: close\r\n"), "{said}");
            assert!(said.contains("x-content-type-options: nosniff\r\n"), "{said}");
        }
        // One that comes in time is read.
        let mut stream = connect(address);
        let whole = format!("{}grant=nothing", head("Content-Length: 13"));
        stream.write_all(whole.as_bytes()).unwrap();
        let mut answer = [0; 4_096];
        let count = stream.read(&mut answer).unwrap();
        let said = String::from_utf8_lossy(&answer[..count]);
        assert!(
            said.starts_with("HTTP/1.1 401") || said.starts_with("HTTP/1.1 400"),
            "{said}"
        );
    })
    .await;
    server.stop(false).await;
}

#[actix_web::test]
async fn a_request_has_its_time_whatever_it_waits_for() {
    let stage = Stage::new().await;
    let guards = Guards {
        request_within: Duration::from_millis(300),
        ..Guards::default()
    };
    let broker = stage.guarded(guards, &[]).await.broker;
    let (address, server) = listening(broker);
    beside(move || {
        for length in ["Content-Length: 40", "Transfer-Encoding: chunked"] {
            let mut stream = connect(address);
            stream.write_all(head(length).as_bytes()).unwrap();
            let said = rest(&mut stream).to_lowercase();
            assert!(said.starts_with("http/1.1 503"), "{said}");
            for header in [
                "connection: close\r\n",
                "retry-after: 1\r\n",
                "x-amz-cognito-request-id: ",
                "x-content-type-options: nosniff\r\n",
            ] {
                assert!(said.contains(header), "{header}: {said}");
            }
        }
    })
    .await;
    server.stop(false).await;
}

#[actix_web::test]
async fn f31_an_endless_body_is_refused_and_not_read_on() {
    let stage = Stage::new().await;
    let broker = stage.guarded(Guards::default(), &[]).await.broker;
    let (address, server) = listening(broker);
    beside(move || {
        for path in ["/oauth2/token", "/healthz", "/nowhere", "/", "/console/sign-in"] {
            let mut stream = connect(address);
            let mut reading = stream.try_clone().unwrap();
            let head = head("Transfer-Encoding: chunked").replace("/oauth2/token", path);
            stream.write_all(head.as_bytes()).unwrap();
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            let begun = Instant::now();
            while stream.write_all(chunk.as_bytes()).is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(20), "{path} reads on");
            }
            // What it said is lost where the reset overtakes it.
            let said = rest(&mut reading);
            assert!(
                said.is_empty() || said.starts_with("HTTP/1.1 4"),
                "{path}: {said}"
            );
        }
    })
    .await;
    server.stop(false).await;
}

#[actix_web::test]
async fn a_call_for_a_request_belongs_to_its_trace() {
    let hook = Hook::new();
    let stage = hooks::stage(&hook).await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    hooks::name(&stage, hooks::everything());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let authorization = basic(WEB_CLIENT, WEB_SECRET);
    let came = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [
        ("authorization", authorization.as_str()),
        ("traceparent", came.as_str()),
    ];
    let refresh = tokens.refresh.unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let answer = stage.post("/oauth2/token", &headers, &fields).await.expect(200);
    let id = answer
        .header("x-amz-cognito-request-id")
        .unwrap()
        .replace('-', "");
    let called = hook.calls().pop().unwrap();
    assert_eq!(called.traceparent, format!("00-{trace}-{}-01", &id[16..]));
}
