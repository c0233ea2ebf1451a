//! How a broker starts and ends: told to stop under load (F33), given another root key than the database was sealed with (F40),
//! its log read by nobody (F42).

use std::io::Read;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::rules::secret;

use super::Options;
use super::http::{answered, get};
use super::load::{Load, bytes};
use super::log::{Log, Outcome, Request};
use super::races::sound;
use super::report::{self, Verdict};
use super::stage::{Base, Node, Stage, free_address};

const WORKERS: u64 = 16;
/// What a broker may take to finish what is under way.
const FINISHED: Duration = Duration::from_secs(30);

pub fn f33_sigterm_under_load(options: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let log = Log::new();
    let mut node = stage.node();
    let address = node.address;
    let load = Load {
        log: &log,
        nodes: vec![address],
        codes: Mutex::new(stage.codes(WEB_CLIENT, 2_000)),
        stop: AtomicBool::new(false),
        pace: Duration::from_millis(50),
        seed: options.seed,
    };
    let rounds = options.count(3, 20);
    let (took, unanswered) = std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(number));
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (mut took, mut unanswered) = (Vec::new(), 0);
            for _ in 0..rounds {
                std::thread::sleep(Duration::from_millis(500));
                let begun = Instant::now();
                node.signal("TERM");
                let status = node.ended(FINISHED).expect("it ends within 30 s");
                took.push(begun.elapsed());
                assert!(status.success(), "{status}: {}", stage.log_of(address));
                unanswered += done_without_an_answer(&stage, &log);
                node = Node::start(stage.command(address));
            }
            (took, unanswered)
        }));
        load.stop.store(true, Ordering::Relaxed);
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert_eq!(unanswered, 0, "exchanges were done whose answer was lost");
    sound(&log, &stage);
    Verdict::passed([
        report::operations(&log.operations(), &[]),
        format!(
            "{rounds} times SIGTERM: exit 0, {}; no request that was under way lost its answer",
            report::spread(&took)
        ),
    ])
}

/// Exchanges whose code is spent although nobody got an answer.
fn done_without_an_answer(stage: &Stage, log: &Log) -> usize {
    let rows = stage.rows();
    let operations = log.operations();
    let mut answered = std::collections::HashSet::new();
    for one in &operations {
        if let (Request::Exchange { code }, Outcome::Done(_)) = (&one.request, &one.outcome) {
            answered.insert(code);
        }
    }
    operations
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Unknown | Outcome::Unavailable(_)))
        .filter(|one| match &one.request {
            Request::Exchange { code } => {
                rows.codes[&secret::hash(code)].is_spent && !answered.contains(code)
            }
            _ => false,
        })
        .count()
}

pub fn f40_another_root_key(_: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let other = base64::engine::general_purpose::STANDARD.encode([8; 32]);
    let own = super::stage::root_key_text();
    // Another key, and a directory without one.
    for (name, value) in [("FOREBAY_ROOT_KEY", other.as_str()), ("FOREBAY_KEYS", "nowhere")] {
        let mut command = stage.command(free_address());
        let mut refused = command
            .env_remove("FOREBAY_ROOT_KEY")
            .env(name, value)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = wait(&mut refused, Duration::from_secs(20));
        let mut said = String::new();
        refused.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.is_some_and(|code| code != 0), "{name}: it serves: {said}");
        let line = said.lines().last().unwrap_or_default();
        assert!(line.contains("root key"), "{name}: {said}");
    }
    // A new key before the old one: what the old one sealed still opens.
    let mut command = stage.command(free_address());
    command.env("FOREBAY_ROOT_KEY", format!("{other},{own}"));
    let node = Node::start(command);
    let code = stage.codes(WEB_CLIENT, 1).remove(0).code;
    let answer = answered(node.address, &bytes(&Request::Exchange { code }, WEB_CLIENT));
    assert_eq!(answer.status, 200, "{}", answer.text());
    Verdict::passed(["another key, or none: refused with one line; a new one before the old: served".into()])
}

/// The exit code; none when it still runs then and had to be killed.
fn wait(child: &mut std::process::Child, within: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

pub fn f42_a_log_that_nobody_reads(_: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = stage.command(free_address());
    // A line for each refusal.
    let metrics = free_address();
    command
        .env("FOREBAY_LOG", "info")
        .env("FOREBAY_METRICS_LISTEN", metrics.to_string())
        .stderr(writer);
    let node = Node::start(command);
    let keys = get(&format!("/{POOL}/.well-known/jwks.json"), "");
    let refused = bytes(
        &Request::Refresh {
            token: "nobody's".into(),
        },
        WEB_CLIENT,
    );
    let mut latencies = Vec::new();
    // Far more lines than a pipe holds.
    for _ in 0..6_000 {
        let begun = Instant::now();
        assert_eq!(answered(node.address, &refused).status, 400);
        latencies.push(begun.elapsed());
    }
    assert_eq!(answered(node.address, &keys).status, 200);
    let told = answered(metrics, &get("/metrics", ""));
    let lost = told
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("forebay_log_lines_lost_total "))
        .map_or(0, |count| count.parse::<u64>().unwrap());
    assert!(lost > 0, "nothing says that lines are missing");
    drop((node, reader));
    Verdict::passed([format!(
        "6,000 requests beside a full pipe: {}; {lost} lines lost, and counted",
        report::spread(&latencies)
    )])
}
