//! A running node as those who operate it see it: its log, its metrics, its end. The binary itself, on sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command_line::{Running, Shell};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// For what happens soon, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Node {
    pub process: Running,
    address: String,
    pub metrics: String,
    /// The log, which nobody reads unless a test does.
    log: ChildStderr,
    _shell: Shell,
}

impl Node {
    pub fn start(more: &[&str]) -> Node {
        Node::start_in(more, &[])
    }

    /// With these variables in its environment.
    pub fn start_in(more: &[&str], variables: &[(&str, &str)]) -> Node {
        let shell = Shell::new();
        let [address, metrics] = [free(), free()];
        let mut arguments = vec!["serve", "--listen", &address, "--metrics-listen", &metrics];
        arguments.extend(more);
        let mut child = shell
            .command(&arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        let node = Node {
            process: Running(child),
            address,
            metrics,
            log,
            _shell: shell,
        };
        soon("it listens", || TcpStream::connect(&node.address).is_ok());
        node
    }

    pub fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    pub fn terminate(&self) {
        let told = Command::new("kill")
            .args(["-TERM", &self.process.0.id().to_string()])
            .status()
            .unwrap();
        assert!(told.success());
    }
}

/// An address that nobody listens on.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[track_caller]
pub fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A connection that is kept open from one request to the next.
pub struct Connection(BufReader<TcpStream>);

pub struct Said {
    head: String,
    pub body: String,
}

impl Said {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Said {
        let line = self.head.lines().next().unwrap_or_default();
        assert!(
            line.contains(&format!(" {status} ")),
            "{}\n{}",
            self.head,
            self.body
        );
        self
    }
}

impl Connection {
    pub fn to(address: &str) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub fn get(&mut self, path: &str) -> Said {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.answer()
    }

    /// A token request of nobody, which the log tells of.
    fn refused(&mut self, headers: &str) -> Said {
        self.send(&format!("{}{headers}\r\n{BODY}", refused_head()));
        self.answer()
    }

    fn answer(&mut self) -> Said {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.0.read_line(&mut head).unwrap(),
                0,
                "the connection ended: {head}"
            );
        }
        let mut said = Said {
            head,
            body: String::new(),
        };
        let length: usize = said
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        said.body = String::from_utf8(body).unwrap();
        said
    }

    /// Whether the other side has closed it, or does within the read's time.
    fn has_ended(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]), Ok(0))
    }
}

const BODY: &str = "grant_type=refresh_token&client_id=nobody";

fn refused_head() -> String {
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n",
        BODY.len()
    )
}

#[test]
fn every_line_of_a_request_names_it_and_its_trace() {
    for format in ["json", "human"] {
        let node = Node::start(&["--log-format", format]);
        let mut connection = node.connect();
        let mut seen = Vec::new();
        for headers in [
            format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n"),
            format!("traceparent: 00-{TRACE}-0000000000000000-01\r\n"),
            format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n").repeat(2),
            String::new(),
        ] {
            let said = connection.refused(&headers).expect(400);
            let id = said.header("x-amz-cognito-request-id").unwrap().to_owned();
            let trace = if seen.is_empty() {
                TRACE.to_owned()
            } else {
                id.replace('-', "")
            };
            seen.push((id, trace));
        }
        let mut lines = BufReader::new(node.log).lines().map(Result::unwrap);
        for (id, trace) in seen {
            let line = lines.find(|line| line.contains("invalid_client")).unwrap();
            if format == "json" {
                let line: Value = serde_json::from_str(&line).unwrap();
                assert_eq!(
                    (&line["request_id"], &line["trace_id"]),
                    (&id.into(), &trace.into())
                );
            } else {
                assert!(
                    line.ends_with(&format!(" request_id={id} trace_id={trace}")),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nobody_and_its_lost_lines_are_counted() {
    let node = Node::start(&["--log", "debug"]);
    let mut connection = node.connect();
    let mut metrics = Connection::to(&node.metrics);
    let name = "forebay_log_lines_lost_total ";
    let mut lost = || {
        let text = metrics.get("/metrics").expect(200).body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.parse::<u64>().unwrap()
    };
    assert_eq!(lost(), 0);
    let mut asked = 0;
    while lost() == 0 {
        assert!(asked < 40_000, "a pipe and the waiting lines hold less");
        for _ in 0..500 {
            connection.refused("").expect(400);
        }
        asked += 500;
    }
    connection.get("/readyz").expect(200);
}

#[test]
fn a_node_that_is_told_to_stop_finishes_what_is_under_way() {
    let mut node = Node::start(&[]);
    let mut idle = node.connect();
    idle.get("/healthz").expect(200);
    let mut under_way = node.connect();
    under_way.get("/healthz").expect(200);
    // Its head has arrived when the server asks for the rest.
    under_way.send(&format!("{}Expect: 100-continue\r\n\r\n", refused_head()));
    let mut line = String::new();
    under_way.0.read_line(&mut line).unwrap();
    assert!(line.contains(" 100 "), "{line}");
    under_way.0.read_line(&mut line).unwrap();

    node.terminate();
    soon("nobody new is let in", || {
        TcpStream::connect(&node.address).is_err()
    });
    assert!(idle.has_ended(), "who asks nothing is not waited for");
    assert!(node.process.0.try_wait().unwrap().is_none(), "it has work to do");
    under_way.send(BODY);
    let said = under_way.answer().expect(400);
    assert_eq!(said.header("connection"), Some("close"));
    assert!(under_way.has_ended());
    assert!(node.process.0.wait().unwrap().success());
}

#[test]
fn a_node_about_to_stop_says_so_while_it_still_serves() {
    let node = Node::start(&["--drain-delay", "300"]);
    let mut kept = node.connect();
    kept.get("/readyz").expect(200);
    node.terminate();
    let mut ready = None;
    soon("it is not ready", || {
        let said = node.connect().get("/readyz");
        let is_over = said.head.contains(" 503 ");
        ready = Some(said);
        is_over
    });
    let said = ready.unwrap();
    assert_eq!(
        (said.body.as_str(), said.header("connection")),
        ("stopping\n", Some("close"))
    );
    assert_eq!(said.header("retry-after"), Some("1"));
    let said = kept.get("/healthz").expect(200);
    assert_eq!(
        said.header("connection"),
        Some("close"),
        "whoever comes back goes elsewhere"
    );
    assert!(kept.has_ended());
}
