//! Bodies that are too large, endless, or of another length than they say, to every route (F31): refused by the head alone
//! where it tells, cut off where it does not, the connection closed, and memory as it was.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Options;
use super::http::Line;
use super::process::{MEGABYTE, Use, megabytes};
use super::report::Verdict;
use super::routes;
use super::stage::{Base, Node, Stage, free_address, is_ready};

/// What a body has to arrive in here; a broker's default is 10 seconds.
const BODY_WITHIN: Duration = Duration::from_secs(3);
/// Nobody waits longer for a connection to be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// Sent at once.
const AT_ONCE: usize = 8;
/// Endless bodies at once.
const ENDLESS: usize = 64;
/// What of an endless body is sent without a pause.
const AT_FIRST: usize = 2 << 20;

/// How a body is wrong, by its head.
const HEADS: [(&str, &[u16]); 9] = [
    ("Content-Length: 10485760", &[413]),
    ("Content-Length: 1073741824", &[413]),
    // More than any number holds.
    ("Content-Length: 99999999999999999999999", &[400, 413]),
    ("Content-Length: -1", &[400]),
    ("Content-Length: 1e3", &[400]),
    ("Content-Length: +5", &[400]),
    ("Content-Length: 5\r\nContent-Length: 6", &[400]),
    ("Content-Length: 5\r\nTransfer-Encoding: chunked", &[400]),
    ("Transfer-Encoding: gzip", &[400, 501]),
];

fn head(path: &str, length: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
    )
    .into_bytes()
}

pub fn f31_bodies_of_the_wrong_size(options: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let mut command = stage.command(free_address());
    command.env("FOREBAY_BODY_DEADLINE", BODY_WITHIN.as_secs().to_string());
    let node = Node::start(command);
    let paths = routes::all();
    // What is used again and again is there after these.
    let passes = options.count(2, 6);
    (0..passes).for_each(|_| everything(node.address, &paths));
    let before = Use::of(&node);
    forget_the_most(&node);
    (0..passes / 2).for_each(|_| everything(node.address, &paths));
    let after = Use::of(&node);
    let peak = after.most_resident.saturating_sub(before.resident);
    // Half a megabyte of each endless body, of which two megabytes come at first: the allocator's own ups and downs are less, and
    // bodies that were kept would be many times more.
    assert!(
        peak < ENDLESS as u64 / 2 * MEGABYTE,
        "{} more at the most",
        megabytes(peak)
    );
    assert!(is_ready(node.address));
    Verdict::passed([format!(
        "{} routes, {} wrong heads each, endless, short and long ones: refused and closed; {} resident before, {} after, at most {} \
         more in between",
        paths.len(),
        HEADS.len(),
        megabytes(before.resident),
        megabytes(after.resident),
        megabytes(peak)
    )])
}

/// The kernel counts the most resident memory anew.
fn forget_the_most(node: &Node) {
    std::fs::write(format!("/proc/{}/clear_refs", node.pid()), "5").unwrap();
}

/// All kinds to all routes, some at once.
fn everything(node: SocketAddr, paths: &[String]) {
    std::thread::scope(|scope| {
        for part in 0..AT_ONCE {
            scope.spawn(move || {
                let some = || paths.iter().skip(part).step_by(AT_ONCE);
                let mut open: Vec<Open> = some().flat_map(|path| refused_by_its_head(node, path)).collect();
                some().for_each(|path| longer_than_it_says(node, path));
                // The broker waits a moment for those who still send.
                open.iter_mut().for_each(closed);
            });
        }
        for part in 0..ENDLESS {
            scope.spawn(move || {
                for path in paths.iter().skip(part).step_by(ENDLESS) {
                    endless(node, path);
                }
            });
        }
        // They wait for the deadline: all of them at once.
        for path in paths {
            scope.spawn(move || shorter_than_it_says(node, path));
        }
    });
}

/// A connection on which a request was refused.
struct Open {
    line: Line,
    /// How.
    what: String,
}

fn refused_by_its_head(node: SocketAddr, path: &str) -> Vec<Open> {
    let refused = |(length, expected): (&str, &[u16])| {
        let mut line = Line::open(node).unwrap();
        // Not one byte of the body is sent: the answer comes all the same.
        let answer = line
            .ask(&head(path, length))
            .unwrap_or_else(|why| panic!("{path} with {length}: {why:?}"));
        assert!(
            expected.contains(&answer.status),
            "{path} with {length}: {}",
            answer.head
        );
        let what = format!("{path} with {length}: {}", answer.head);
        Open { line, what }
    };
    HEADS.map(refused).into()
}

#[track_caller]
fn closed(open: &mut Open) {
    assert!(open.line.is_closed(CLOSED_WITHIN), "it stays open: {}", open.what);
}

/// What comes behind the body that was announced is no request.
fn longer_than_it_says(node: SocketAddr, path: &str) {
    let rest = b"grant_type=refresh_token&refresh_token=nobody%27s\r\n\r\n";
    of_another_length(node, path, "Content-Length: 5", rest);
}

fn shorter_than_it_says(node: SocketAddr, path: &str) {
    let begun = Instant::now();
    of_another_length(node, path, "Content-Length: 40", b"grant");
    let took = begun.elapsed();
    assert!(took < CLOSED_WITHIN, "{path}: {took:?}");
}

/// Answered, whatever it is, and closed.
fn of_another_length(node: SocketAddr, path: &str, length: &str, body: &[u8]) {
    let mut line = Line::open(node).unwrap();
    let mut request = head(path, length);
    request.extend(body);
    let what = format!("{path} with {length} and {} bytes", body.len());
    let answer = line.ask(&request).unwrap_or_else(|why| panic!("{what}: {why:?}"));
    assert!(answer.status < 500, "{what}: {}", answer.head);
    closed(&mut Open { line, what });
}

/// What is sent at once is more than anything here may have; then it goes on slowly until nobody takes it any more.
fn endless(node: SocketAddr, path: &str) {
    let mut line = Line::open(node).unwrap();
    assert!(line.say(&head(path, "Transfer-Encoding: chunked")));
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000)).into_bytes();
    let (begun, mut sent) = (Instant::now(), 0);
    while line.say(&chunk) {
        sent += chunk.len();
        assert!(begun.elapsed() < CLOSED_WITHIN, "{path} reads on");
        if sent > AT_FIRST {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
