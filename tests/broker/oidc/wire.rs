//! HTTP through a real socket: what the server library answers before any handler, and messages that two servers in a
//! row could read differently (RFC 9112).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use forebay::demo::POOL;

use crate::support::Stage;

/// A server on a socket; ends with the test.
async fn listening(stage: &Stage) -> (SocketAddr, actix_web::dev::ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = forebay::web::serve(stage.broker.clone(), listener, 1).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

/// Sends these bytes and reads until the server closes or has nothing more to say; the first line and everything.
async fn exchange(address: SocketAddr, bytes: Vec<u8>) -> (String, String) {
    let work = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count) = stream.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..count]);
            if count == 0 {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = actix_web::rt::task::spawn_blocking(work).await.unwrap();
    (answer.lines().next().unwrap_or_default().to_owned(), answer)
}

#[actix_web::test]
async fn m140_m141_what_two_servers_could_read_differently_is_refused_on_the_wire() {
    let stage = Stage::new().await;
    let (address, server) = listening(&stage).await;
    let head = "Host: localhost:8080\r\nConnection: close\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (about, request, status) in [
        (
            "a good one",
            format!("GET /healthz HTTP/1.1\r\n{head}\r\n"),
            "200",
        ),
        (
            "HTTP/1.0 has no host",
            "GET /healthz HTTP/1.0\r\n\r\n".into(),
            "200",
        ),
        (
            "no host",
            "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
            "400",
        ),
        (
            "two hosts",
            format!("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n{head}\r\n"),
            "400",
        ),
        (
            "two lengths of two kinds",
            format!(
                "POST /oauth2/token HTTP/1.1\r\n{head}{form}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            "400",
        ),
        (
            "two lengths",
            format!(
                "POST /oauth2/token HTTP/1.1\r\n{head}{form}Content-Length: 5\r\nContent-Length: 6\r\n\r\naaaaaa"
            ),
            "400",
        ),
        (
            "an odd length",
            format!("POST /oauth2/token HTTP/1.1\r\n{head}{form}Content-Length: +5\r\n\r\naaaaa"),
            "400",
        ),
        (
            "an odd encoding",
            format!(
                "POST /oauth2/token HTTP/1.1\r\n{head}{form}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
            ),
            "400",
        ),
        (
            "a folded header",
            format!("GET /healthz HTTP/1.1\r\nX-Folded: a\r\n b\r\n{head}\r\n"),
            "400",
        ),
        (
            "a space before the colon",
            format!("GET /healthz HTTP/1.1\r\nX-Odd : a\r\n{head}\r\n"),
            "400",
        ),
        (
            "a huge announced body",
            format!("POST /oauth2/token HTTP/1.1\r\n{head}{form}Content-Length: 1073741824\r\n\r\nx"),
            "413",
        ),
        (
            "a huge chunked body",
            format!(
                "POST /oauth2/token HTTP/1.1\r\n{head}{form}Transfer-Encoding: chunked\r\n\r\n{}",
                format!("4000\r\n{}\r\n", "x".repeat(0x4000)).repeat(8)
            ),
            "413",
        ),
        (
            "large headers",
            format!(
                "GET /healthz HTTP/1.1\r\n{head}X-Padding: {}\r\n\r\n",
                "x".repeat(20_000)
            ),
            "431",
        ),
        (
            "a long address",
            format!("GET /healthz?{} HTTP/1.1\r\n{head}\r\n", "x".repeat(10_000)),
            "414",
        ),
        (
            "TRACE",
            format!("TRACE /oauth2/authorize HTTP/1.1\r\n{head}\r\n"),
            "405",
        ),
    ] {
        let (line, whole) = exchange(address, request.into_bytes()).await;
        assert!(
            line.starts_with("HTTP/1.") && line.contains(&format!(" {status} ")),
            "{about}: {whole}"
        );
    }
    // An absolute address is only a path with more words.
    let path = stage.authorize(&[("scope", "nonsense")]);
    let request = format!("GET http://evil.example{path} HTTP/1.1\r\n{head}\r\n");
    let (line, whole) = exchange(address, request.into_bytes()).await;
    assert!(line.contains(" 302 ") && !whole.contains("evil"), "{whole}");
    assert!(whole.contains("iss=http%3A%2F%2Flocalhost%3A8080%2F"), "{whole}");
    // HEAD has no body, but the same headers.
    let request = format!("HEAD /{POOL}/.well-known/jwks.json HTTP/1.1\r\n{head}\r\n");
    let (line, whole) = exchange(address, request.into_bytes()).await;
    assert!(line.contains(" 200 ") && whole.ends_with("\r\n\r\n"), "{whole}");
    assert!(whole.to_lowercase().contains("etag:"), "{whole}");
    server.stop(false).await;
}
