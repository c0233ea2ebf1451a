//! Clients that are slow on purpose (F30), many of each kind at once: heads that never end, bodies that come a byte at a time,
//! answers that nobody reads. The broker ends each of them within 15 seconds, and those who sign in meanwhile notice little.
//!
//! Not here: the second head on one connection. actix-web 4.18 lets it take for ever, for its first byte stops the keep-alive
//! timer and starts no other; what bounds it is how many connections an address may have.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::Options;
use super::http::{answered, get, next_get};
use super::report::{Verdict, middle_p99, spread};
use super::routes;
use super::sign_in::{code_of, until_the_callback};
use super::stage::{Base, Node, Stage, free_address};

/// No slow client keeps its connection for longer.
const ENDED: Duration = Duration::from_secs(15);
/// Between two bytes of those who send slowly.
const DRIP: Duration = Duration::from_secs(1);

/// Connections of one kind.
struct Kind {
    name: &'static str,
    lines: Vec<TcpStream>,
    /// What each sends of its own accord, again and again.
    drip: &'static [u8],
    ports: HashSet<u16>,
}

impl Kind {
    /// Opens so many; each says its beginning at once.
    fn open(name: &'static str, node: SocketAddr, drip: &'static [u8], beginnings: Vec<Vec<u8>>) -> Kind {
        let lines: Vec<TcpStream> = beginnings
            .into_iter()
            .map(|beginning| {
                let mut line = narrow(node);
                line.set_nonblocking(true).unwrap();
                // As much as the systems on both sides keep; who reads nothing can send only so much.
                match line.write(&beginning) {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                line
            })
            .collect();
        let ports = lines
            .iter()
            .map(|line| line.local_addr().unwrap().port())
            .collect();
        Kind {
            name,
            lines,
            drip,
            ports,
        }
    }

    fn drips(&mut self) {
        for line in &mut self.lines {
            // Those that are ended already answer with an error.
            let _ = line.write(self.drip);
        }
    }
}

/// A connection of a client that says that it has little room.
fn narrow(node: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&node.into()).unwrap();
    socket.into()
}

/// The other ends' ports of the connections that a process still has, as the kernel lists them.
fn held(node: SocketAddr) -> HashSet<u16> {
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    fs::read_to_string("/proc/net/tcp")
        .unwrap()
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_its = port(fields[1]) == Some(node.port()) && fields[9] != "0";
            is_its.then(|| port(fields[2]))?
        })
        .collect()
}

/// A whole sign-in, from the app to its code; how long what the broker did in it took.
fn sign_in(stage: &Stage, node: SocketAddr, login: &str) -> Duration {
    let begun = Instant::now();
    let back = until_the_callback(stage, node, login);
    let answer = answered(node, &get(&back.callback, &back.cookies));
    assert!(code_of(&answer).is_some(), "{}", answer.text());
    begun.elapsed()
}

/// How long sign-ins take at a broker that slow clients are at, and meanwhile at another one.
#[derive(Default)]
struct Took {
    attacked: Vec<Duration>,
    calm: Vec<Duration>,
}

pub fn f30_slow_clients(options: &Options) -> Verdict {
    let (many, readers) = (options.count(64, 1_500), options.count(16, 50));
    // Two brokers, so that whatever else the machine does is felt by both.
    let stages = [Stage::new(&Base::Sqlite), Stage::new(&Base::Sqlite)];
    let nodes = stages.each_ref().map(|stage| {
        stage.newcomer("patient@acme.test");
        let mut command = stage.command(free_address());
        command.env("FOREBAY_CONNECTIONS_PER_ADDRESS", "20000");
        Node::start(command)
    });
    let signs_in = |number: usize| sign_in(&stages[number], nodes[number].address, "patient@acme.test");
    for number in [0, 1].repeat(5) {
        signs_in(number);
    }
    let node = &nodes[0];
    let paths = routes::all();
    let path = |number: usize| &paths[number % paths.len()];
    let mut kinds = open_all(node.address, many, readers, &path);
    let (begun, stop) = (Instant::now(), AtomicBool::new(false));
    let (beside, lasted) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut took = Took::default();
            while !stop.load(Ordering::Relaxed) {
                took.attacked.push(signs_in(0));
                took.calm.push(signs_in(1));
            }
            took
        });
        let mut lasted = vec![None; kinds.len()];
        let mut due = Instant::now() + DRIP;
        while begun.elapsed() < ENDED + Duration::from_secs(3) && lasted.contains(&None) {
            std::thread::sleep(Duration::from_millis(100));
            if Instant::now() >= due {
                kinds.iter_mut().for_each(Kind::drips);
                due += DRIP;
            }
            let held = held(node.address);
            for (kind, lasted) in kinds.iter().zip(&mut lasted) {
                if lasted.is_none() && kind.ports.is_disjoint(&held) {
                    *lasted = Some(begun.elapsed());
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        (beside.join().unwrap(), lasted)
    });
    let mut lines = Vec::new();
    let mut late = Vec::new();
    for (kind, lasted) in kinds.iter().zip(lasted) {
        match lasted {
            Some(lasted) if lasted <= ENDED => lines.push(format!(
                "{} {}: the last was ended after {:.1} s",
                kind.lines.len(),
                kind.name,
                lasted.as_secs_f64()
            )),
            lasted => late.push(format!("{}: {lasted:?}", kind.name)),
        }
    }
    assert!(late.is_empty(), "not ended in time: {late:?}; {lines:?}");
    let rounds = |all: &[Duration]| -> Vec<Vec<Duration>> {
        all.chunks(all.len().div_ceil(5))
            .map(<[Duration]>::to_vec)
            .collect()
    };
    let (base, with) = (
        middle_p99(&rounds(&beside.calm)),
        middle_p99(&rounds(&beside.attacked)),
    );
    assert!(
        with < base * 2,
        "a sign-in's p99: {base:?} at a calm broker, {with:?} beside them"
    );
    lines.push(format!(
        "{} sign-ins beside them: {}; at a calm broker: {}",
        beside.attacked.len(),
        spread(&beside.attacked),
        spread(&beside.calm)
    ));
    Verdict::Passed(lines)
}

fn open_all<'a>(
    node: SocketAddr,
    many: usize,
    readers: usize,
    path: &impl Fn(usize) -> &'a String,
) -> Vec<Kind> {
    let head = |number: usize| format!("GET {} HTTP/1.1\r\nHost: localhost:8080\r\nX-", path(number));
    let body = |number: usize| {
        format!(
            "POST {} HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 4000\r\n\r\na",
            path(number)
        )
    };
    // A page of the console's style sheet, again and again: far more than anybody keeps for a client that does not read.
    let sheet = style_sheet(node);
    let greedy = next_get(&sheet, "").repeat(2_000);
    let many_of = |count: usize, beginning: &dyn Fn(usize) -> Vec<u8>| (0..count).map(beginning).collect();
    let open = |name, drip, beginnings| Kind::open(name, node, drip, beginnings);
    vec![
        open(
            "heads that never end",
            b"a",
            many_of(many, &|number| head(number).into()),
        ),
        open(
            "bodies that never end",
            b"a",
            many_of(many, &|number| body(number).into()),
        ),
        open("that read nothing", b"", vec![greedy; readers]),
    ]
}

/// The largest file that pages load.
fn style_sheet(node: SocketAddr) -> String {
    let page = answered(node, &get("/console/sign-in", "")).text();
    let at = page.find("/assets/forebay.").unwrap();
    page[at..].split('"').next().unwrap().to_owned()
}
