//! A crowd of connections (F29): thousands that do nothing do not slow down those that do something; at the limit of open
//! files the broker waits and does not spin; and where memory is limited it takes as many as there is room for and lets the others
//! wait (F44). A connection costs about 19 KB, most of it actix-web's two buffers, so that 128 MB are for some thousands.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use forebay::demo::WEB_CLIENT;

use super::Options;
use super::http::{Line, answered, next_get};
use super::load::bytes;
use super::log::Request;
use super::postgres::have;
use super::process::{MEGABYTE, Use, megabytes, wrapped};
use super::report::{Verdict, middle_p99, spread};
use super::stage::{Base, Node, Stage, free_address};

/// What a small machine gives a broker.
const MEMORY: u64 = 128 * MEGABYTE;
/// How many connections it takes there, told nothing but the limit.
const ROOM: usize = 2_477;
/// The most memory that one connection may cost, in bytes.
const EACH: u64 = 32_000;
/// Requests under way at once; the active connections take turns.
const AT_ONCE: usize = 16;

/// Connections that were asked once and stay open; as many as were let in.
fn idle(address: SocketAddr, count: usize) -> Vec<Line> {
    let request = next_get("/healthz", "");
    let open = |count| {
        (0..count)
            .filter_map(|_| {
                let mut line = Line::open(address).ok()?;
                // Refused in words is refused cleanly, too; but then it is not one of the crowd.
                let answer = line
                    .ask(&request)
                    .unwrap_or_else(|why| panic!("cut off: {why:?}"));
                (answer.status == 200).then_some(line)
            })
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(count / 8))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Asks on so many kept connections, each as often as that; how long each answer took.
fn active(address: SocketAddr, count: usize, each: usize, request: &[u8]) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut lines: Vec<Line> = (0..count / AT_ONCE)
                        .map(|_| Line::open(address).unwrap())
                        .collect();
                    let mut latencies = Vec::new();
                    for _ in 0..each {
                        for line in &mut lines {
                            let begun = Instant::now();
                            let answer = line.ask(request).unwrap();
                            assert_eq!(answer.status, 200, "{}", answer.text());
                            latencies.push(begun.elapsed());
                        }
                    }
                    latencies
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// What the active ones ask: a token is verified and its user read.
fn who_am_i(stage: &Stage, node: SocketAddr) -> Vec<u8> {
    let code = stage.codes(WEB_CLIENT, 1).remove(0).code;
    let answer = answered(node, &bytes(&Request::Exchange { code }, WEB_CLIENT));
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    next_get("/oauth2/userInfo", &format!("Authorization: Bearer {token}\r\n"))
}

/// A broker that takes them all from one address.
fn command(stage: &Stage) -> Command {
    let mut command = stage.command(free_address());
    command.env("FOREBAY_CONNECTIONS_PER_ADDRESS", "20000");
    command
}

/// Lets this process, and those that it starts, have as many open files as it may; how many that is.
fn as_many_files_as_allowed() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    let hard: usize = line.split_whitespace().nth(4)?.parse().ok()?;
    let set = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--nofile={hard}:{hard}"))
        .status();
    set.is_ok_and(|set| set.success()).then_some(hard)
}

pub fn f29_a_crowd_does_not_slow_the_active(options: &Options) -> Verdict {
    let (idling, asking) = (options.count(1_000, 10_000), options.count(96, 992));
    match as_many_files_as_allowed() {
        Some(files) if files > idling + asking + 500 => {}
        files => return Verdict::NotRun(format!("open files: {files:?} are allowed, by prlimit")),
    }
    let stage = Stage::new(&Base::Sqlite);
    let node = Node::start(command(&stage));
    let request = who_am_i(&stage, node.address);
    let each = options.count(6, 4);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    active(node.address, AT_ONCE, 20, &request);
    let before = Use::of(&node).resident;
    for _ in 0..options.count(3, 5) {
        alone.push(active(node.address, asking, each, &request));
        let mut crowd = idle(node.address, idling);
        assert_eq!(crowd.len(), idling, "not all were let in");
        beside.push(active(node.address, asking, each, &request));
        // They are still there.
        for line in crowd.iter_mut().step_by(97) {
            assert_eq!(line.ask(&next_get("/healthz", "")).unwrap().status, 200);
        }
    }
    let (base, with) = (middle_p99(&alone), middle_p99(&beside));
    assert!(
        with < base * 2,
        "p99 {base:?} alone, {with:?} beside {idling} idle"
    );
    let most = Use::of(&node).most_resident;
    let each = most.saturating_sub(before) / (idling + asking) as u64;
    assert!(each < EACH, "{each} bytes for each connection");
    within_128_mb(options, most);
    Verdict::passed([
        format!("{asking} active alone: {}", spread(&alone.concat())),
        format!(
            "{asking} active beside {idling} idle: {}",
            spread(&beside.concat())
        ),
        format!(
            "at most {} resident, {each} bytes for each connection",
            megabytes(most)
        ),
    ])
}

/// Counted with what is mapped of the program, which in a debug build is most of it: there, only of the smaller crowd.
#[track_caller]
fn within_128_mb(options: &Options, most: u64) {
    assert!(options.full || most < MEMORY, "{} resident", megabytes(most));
}

pub fn f29_no_file_is_left(_: &Options) -> Verdict {
    if !have("prlimit") {
        return Verdict::NotRun("prlimit is not installed".into());
    }
    let stage = Stage::new(&Base::Sqlite);
    let node = Node::start(command(&stage));
    let limit = Use::of(&node).files + 64;
    let set = Command::new("prlimit")
        .args([
            "--pid",
            &node.pid().to_string(),
            &format!("--nofile={limit}:{limit}"),
        ])
        .status();
    assert!(set.unwrap().success());
    // All of them get a connection from the system; the broker takes as many as it can.
    let waiting: Vec<Line> = (0..256)
        .map(|_| {
            let mut line = Line::open(node.address).unwrap();
            line.say(&next_get("/healthz", ""));
            line
        })
        .collect();
    let begun = Instant::now();
    while Use::of(&node).files < limit {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the limit is not reached"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = Use::of(&node).cpu;
    let watched = Duration::from_secs(3);
    std::thread::sleep(watched);
    let spent = Use::of(&node).cpu - before;
    assert!(
        spent < watched / 10,
        "{spent:?} of CPU time in {watched:?} at the limit"
    );
    let lines = stage.log_of(node.address).lines().count();
    assert!(lines < 100, "{lines} lines in the log");
    drop(waiting);
    let begun = Instant::now();
    while !super::stage::is_ready(node.address) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not recover");
        std::thread::sleep(Duration::from_millis(10));
    }
    Verdict::passed([format!(
        "{limit} files open and connections waiting: {} ms of CPU time in {} s, {lines} lines logged; ready {} ms after",
        spent.as_millis(),
        watched.as_secs(),
        begun.elapsed().as_millis()
    )])
}

/// A memory cgroup (version 1) with a limit; removed when dropped.
struct Cage(PathBuf);

impl Cage {
    fn new(limit: u64) -> Result<Cage, String> {
        let path = PathBuf::from(format!(
            "/sys/fs/cgroup/memory/forebay-faults-{}",
            std::process::id()
        ));
        fs::create_dir(&path).map_err(|error| format!("no memory cgroup can be made: {error}"))?;
        let cage = Cage(path);
        fs::write(cage.0.join("memory.limit_in_bytes"), limit.to_string())
            .map_err(|error| format!("the memory cgroup takes no limit: {error}"))?;
        Ok(cage)
    }

    /// The same program, started inside.
    fn around(&self, command: &Command) -> Command {
        let procs = self.0.join("cgroup.procs").display().to_string();
        wrapped(command, &["sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", &procs])
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // The kernel takes a moment to see that nobody is in it any more.
        let begun = Instant::now();
        while fs::remove_dir(&self.0).is_err() && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn f44_a_crowd_within_128_mb(options: &Options) -> Verdict {
    let (idling, asking) = (options.count(1_000, 2_200), options.count(96, 496));
    // Together far more than there is room for: the system keeps them until there is.
    let waiting = options.count(2_000, 4_000);
    match as_many_files_as_allowed() {
        Some(files) if files > idling + asking + waiting + 500 => {}
        files => return Verdict::NotRun(format!("open files: {files:?} are allowed, by prlimit")),
    }
    let cage = match Cage::new(MEMORY) {
        Ok(cage) => cage,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::new(&Base::Sqlite);
    let mut node = Node::start(cage.around(&command(&stage)));
    assert!(cage.read("cgroup.procs").contains(&node.pid().to_string()));
    let request = who_am_i(&stage, node.address);
    let files = Use::of(&node).files;
    let crowd = idle(node.address, idling);
    assert_eq!(crowd.len(), idling, "not all were let in");
    let took = active(node.address, asking / 2, options.count(6, 4), &request);
    let late: Vec<Line> = (0..waiting)
        .map(|_| {
            let mut line = Line::open(node.address).unwrap();
            line.say(&next_get("/healthz", ""));
            line
        })
        .collect();
    let begun = Instant::now();
    let open = loop {
        let open = Use::of(&node).files.saturating_sub(files);
        if open >= ROOM || begun.elapsed() > Duration::from_secs(10) {
            break open;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(
        (ROOM..=ROOM + AT_ONCE).contains(&open),
        "{open} connections, and room for {ROOM}"
    );
    drop(crowd);
    // Each goes when it is served, and makes room for another.
    for mut line in late {
        assert_eq!(
            line.status(Duration::from_secs(20)),
            Some(200),
            "who waited is served"
        );
    }
    assert!(node.ended(Duration::ZERO).is_none(), "it was ended");
    let control = cage.read("memory.oom_control");
    let killed = control.lines().find_map(|line| line.strip_prefix("oom_kill "));
    assert_eq!(killed.unwrap_or("0"), "0", "{control}");
    let charged: u64 = cage.read("memory.max_usage_in_bytes").trim().parse().unwrap();
    let most = Use::of(&node).most_resident;
    within_128_mb(options, most);
    drop(node);
    Verdict::passed([format!(
        "{idling} idle, {} active and {waiting} more, of which {open} were let in at once, in a cgroup of {}: {} charged at the most, {} resident; {}",
        asking / 2,
        megabytes(MEMORY),
        megabytes(charged),
        megabytes(most),
        spread(&took)
    )])
}
