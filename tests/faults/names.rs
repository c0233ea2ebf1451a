//! A name server in trouble (F14): the organisation's name is unknown, its server fails, takes longer than a sign-in may, or says
//! another address than before. The broker asks through the system's resolver, so it runs in a mount namespace of its own
//! whose `resolv.conf` names the server that stands in for it here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forebay::demo::WEB_CLIENT;

use super::Options;
use super::http::{Answer, answered, get};
use super::load::bytes;
use super::log::Request;
use super::process::wrapped;
use super::proxy::Proxy;
use super::report::Verdict;
use super::sign_in::{code_of, until_the_callback};
use super::stage::{Node, Stage, free_address, is_ready};

const NAME: &str = "okta.faults.test";
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77)), 53);
const OLD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NEW: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Longer than the broker waits for an address.
const LATE: Duration = Duration::from_secs(5);
/// A page comes within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// People who sign in at once; of one more failure the broker would leave the organisation alone for a while.
const PEOPLE: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Mood {
    Says(Ipv4Addr),
    /// NXDOMAIN.
    KnowsNobody,
    /// SERVFAIL.
    Fails,
    /// Right, but late.
    Dawdles(Ipv4Addr),
}

/// The name server; it ends with this process.
struct Names(Arc<Mutex<Mood>>);

impl Names {
    fn new(mood: Mood) -> std::io::Result<Names> {
        let socket = Arc::new(UdpSocket::bind(SERVER)?);
        let mood = Arc::new(Mutex::new(mood));
        let its = mood.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let mood = *its.lock().unwrap();
                let answer = answer(&query[..length], mood);
                let socket = socket.clone();
                // Who waits for a late answer does not hold up the others.
                std::thread::spawn(move || {
                    if let Mood::Dawdles(_) = mood {
                        std::thread::sleep(LATE);
                    }
                    let _ = socket.send_to(&answer, from);
                });
            }
        });
        Ok(Names(mood))
    }

    fn turn(&self, mood: Mood) {
        *self.0.lock().unwrap() = mood;
    }
}

/// The answer to a query (RFC 1035 §4.1): the question again, and an address where one is asked for (a name has none of IPv6).
fn answer(query: &[u8], mood: Mood) -> Vec<u8> {
    let name = query[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[12..12 + name + 5];
    let asks_for_ipv4 = question[name + 1..] == [0, 1, 0, 1];
    let (code, address) = match mood {
        Mood::Says(address) | Mood::Dawdles(address) => (0, asks_for_ipv4.then_some(address)),
        Mood::Fails => (2, None),
        Mood::KnowsNobody => (3, None),
    };
    let mut answer = query[..2].to_vec();
    // Recursion was wanted and is there; one question, an answer or none.
    answer.extend([0x81, 0x80 | code, 0, 1]);
    answer.extend([0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(address) = address {
        // The question's name; an IPv4 address that nobody may keep; four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

/// The node in its namespace; or why there can be none.
fn node(stage: &Stage) -> Result<Node, String> {
    let is_allowed = Command::new("unshare")
        .args(["--mount", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_allowed {
        return Err("no mount namespace can be made".into());
    }
    let path = stage.directory.path().join("resolv.conf");
    std::fs::write(&path, format!("nameserver {}\noptions attempts:1\n", SERVER.ip())).unwrap();
    let file = path.display().to_string();
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    Ok(Node::start(wrapped(
        &stage.command(free_address()),
        &["unshare", "--mount", "sh", "-c", script, &file],
    )))
}

/// One sign-in that succeeds, and how long its last step took.
#[track_caller]
fn signs_in(stage: &Stage, node: SocketAddr) -> Duration {
    let back = until_the_callback(stage, node, "ada@acme.test");
    let begun = Instant::now();
    let answer = answered(node, &get(&back.callback, &back.cookies));
    assert!(code_of(&answer).is_some(), "{}", answer.text());
    begun.elapsed()
}

/// The page that somebody gets, in time; what it names as the cause is the name's.
#[track_caller]
fn refused(answer: &Answer, took: Duration) {
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(
        answer.text().contains("<code>DNS_FAILED</code>"),
        "{}",
        answer.text()
    );
    assert!(took < PATIENCE, "{took:?}");
}

pub fn f14_a_name_server_in_trouble(options: &Options) -> Verdict {
    let names = match Names::new(Mood::Says(OLD)) {
        Ok(names) => names,
        Err(cause) => return Verdict::NotRun(format!("no name server can be at {SERVER}: {cause}")),
    };
    let stage = Stage::named(NAME);
    let node = match node(&stage) {
        Ok(node) => node,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let port = stage.okta_address.port();
    // Where the organisation can be found, until it moves.
    let old = Proxy::at(SocketAddr::from((OLD, port)), stage.okta_address);
    signs_in(&stage, node.address);

    // It moves: from one sign-in to the next, and nobody notices.
    let door = Proxy::at(SocketAddr::from((NEW, port)), stage.okta_address);
    names.turn(Mood::Says(NEW));
    old.close();
    let moved = signs_in(&stage, node.address);

    let mut lines = vec![format!("another address: signed in, in {} ms", moved.as_millis())];
    for (mood, what) in [(Mood::KnowsNobody, "NXDOMAIN"), (Mood::Fails, "SERVFAIL")] {
        let back = until_the_callback(&stage, node.address, "ada@acme.test");
        names.turn(mood);
        door.cut();
        let begun = Instant::now();
        let answer = answered(node.address, &get(&back.callback, &back.cookies));
        refused(&answer, begun.elapsed());
        lines.push(format!("{what}: a page after {} ms", begun.elapsed().as_millis()));
        names.turn(Mood::Says(NEW));
        signs_in(&stage, node.address);
    }

    // Many wait for their address, and nobody else waits.
    let codes = stage.codes(WEB_CLIENT, options.count(20, 200));
    let backs: Vec<_> = (0..PEOPLE)
        .map(|_| until_the_callback(&stage, node.address, "ada@acme.test"))
        .collect();
    names.turn(Mood::Dawdles(NEW));
    door.cut();
    let begun = Instant::now();
    let waited: Vec<(Answer, Duration)> = std::thread::scope(|scope| {
        let people: Vec<_> = backs
            .iter()
            .map(|back| {
                scope.spawn(|| {
                    let answer = answered(node.address, &get(&back.callback, &back.cookies));
                    (answer, begun.elapsed())
                })
            })
            .collect();
        for code in codes {
            let request = Request::Exchange { code: code.code };
            let answer = answered(node.address, &bytes(&request, WEB_CLIENT));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert!(is_ready(node.address));
        let meanwhile = begun.elapsed();
        assert!(people.iter().all(|person| !person.is_finished()), "nobody waited");
        lines.push(format!(
            "{PEOPLE} wait for their address; {} exchanges meanwhile, in {} ms",
            options.count(20, 200),
            meanwhile.as_millis()
        ));
        people.into_iter().map(|person| person.join().unwrap()).collect()
    });
    for (answer, took) in &waited {
        refused(answer, *took);
    }
    let last = waited
        .iter()
        .map(|(_, took)| took.as_millis())
        .max()
        .unwrap_or_default();
    names.turn(Mood::Says(NEW));
    let again = signs_in(&stage, node.address);
    lines.push(format!(
        "{} s late: all have their page after {last} ms; afterwards signed in, in {} ms",
        LATE.as_secs(),
        again.as_millis()
    ));
    Verdict::passed(lines)
}
