//! A machine that gives no randomness (F41): the system call fails, and the device that libraries fall back to holds nothing.
//! Then no code, token, session or key is made: the broker ends, or says that it cannot.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use forebay::db::schema::signing_keys;
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT};

use super::Options;
use super::http::{self, get};
use super::load::bytes;
use super::log::{Log, Request};
use super::postgres::{have, is_root};
use super::power::attach;
use super::process::wrapped;
use super::races::tokens;
use super::report::Verdict;
use super::sign_in::{authorize, until_the_callback};
use super::stage::{Base, Node, Stage, free_address, is_ready};

/// What the system call says: that there is none of it, or that it failed.
const ERRORS: [&str; 2] = ["ENOSYS", "EIO"];
/// What is started here sees devices of randomness that are empty; nothing else on the machine does.
const EMPTY: [&str; 6] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount --bind /dev/null /dev/urandom && mount --bind /dev/null /dev/random && exec \"$@\"",
    "sh",
];

/// What there is after all that needs randomness.
#[derive(Debug, PartialEq)]
struct Made {
    sessions: usize,
    codes: usize,
    families: usize,
    tokens: usize,
    keys: i64,
}

fn made(stage: &Stage) -> Made {
    let rows = stage.rows();
    Made {
        sessions: rows.sessions,
        codes: rows.codes.len(),
        families: rows.families.len(),
        tokens: rows.tokens.len(),
        keys: signing_keys::table
            .count()
            .get_result(&mut stage.target.open().unwrap())
            .unwrap(),
    }
}

/// What makes something, at a node that has randomness no more; the bytes to send to it.
type Asks = fn(&Stage, &Node) -> Vec<u8>;

const ASKS: [(&str, Asks); 4] = [
    ("a login that begins", |_, _| authorize()),
    ("a login that ends", |stage, node| {
        stage.newcomer("unlucky@acme.test");
        let back = until_the_callback(stage, node.address, "unlucky@acme.test");
        get(&back.callback, &back.cookies)
    }),
    ("a code", |stage, _| {
        let code = stage.codes(WEB_CLIENT, 1).remove(0).code;
        bytes(&Request::Exchange { code }, WEB_CLIENT)
    }),
    ("a refresh token", |stage, node| {
        let issued = tokens(&Log::new(), stage, node.address, SPA_CLIENT).1;
        let token = issued.refresh.unwrap();
        bytes(&Request::Refresh { token }, SPA_CLIENT)
    }),
];

pub fn f41_no_entropy(_: &Options) -> Verdict {
    if !have("strace") || !have("unshare") || !is_root() {
        return Verdict::NotRun("it takes strace, unshare and root".into());
    }
    let mut lines = Vec::new();
    for error in ERRORS {
        for (what, asks) in ASKS {
            match while_it_runs(error, what, asks) {
                Ok(end) => lines.push(format!("{error}, {what}: {end}")),
                Err(reason) => return Verdict::NotRun(reason),
            }
        }
        lines.push(format!("{error} from the start: {}", from_the_start(error)));
        lines.push(format!(
            "{error}, a new key by the command: {}",
            by_the_command(error)
        ));
    }
    Verdict::Passed(lines)
}

/// Takes randomness from a broker that runs, and asks it.
fn while_it_runs(error: &str, what: &str, asks: Asks) -> Result<String, String> {
    let stage = Stage::new(&Base::Sqlite);
    let mut node = Node::start(wrapped(&stage.command(free_address()), &EMPTY));
    let request = asks(&stage, &node);
    let before = made(&stage);
    let trace = stage.directory.path().join("strace");
    let mut strace = attach(Command::new("strace").args(injecting(error, &trace)), node.pid())?;
    let answer = http::ask(node.address, &request);
    let end = node.ended(Duration::from_secs(5));
    drop(node);
    strace.wait().unwrap();
    assert!(
        fs::read_to_string(&trace).unwrap().contains("INJECTED"),
        "{error}, {what}: no randomness was asked for"
    );
    let said = match (&answer, end) {
        (Err(_), Some(status)) => format!("no answer, {status}"),
        (Ok(answer), _) if answer.status >= 500 => format!("answered {}", answer.status),
        (answer, end) => panic!("{error}, {what}: {answer:?}, {end:?}"),
    };
    assert_eq!(made(&stage), before, "{error}, {what}: something was made");
    Ok(said)
}

fn injecting(error: &str, trace: &Path) -> Vec<String> {
    [
        "-f",
        "-e",
        "trace=getrandom",
        "-e",
        &format!("inject=getrandom:error={error}"),
        "-o",
        &trace.display().to_string(),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Starts one that never has any, without a root key: it would have to make one.
fn from_the_start(error: &str) -> String {
    let stage = Stage::new(&Base::Sqlite);
    let (address, keys) = (free_address(), stage.directory.path().join("keys"));
    let database = format!("sqlite://{}", stage.directory.path().join("new.db").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command
        .args(["serve", "--database", &database, "--listen", &address.to_string()])
        .args(["--public-url", super::stage::PUBLIC_URL])
        .env("FOREBAY_KEYS", &keys);
    let mut child = without(&command, error, &stage).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        assert!(!is_ready(address), "{error}: it serves");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{error}: it neither serves nor ends"
        );
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(!status.success(), "{error}: {status}");
    let written = fs::read_dir(&keys).map_or(0, |files| files.count());
    assert_eq!(written, 0, "{error}: a root key was made");
    status.to_string()
}

/// `forebay keys rotate` has nothing to make keys of.
fn by_the_command(error: &str) -> String {
    let stage = Stage::new(&Base::Sqlite);
    let before = made(&stage);
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command
        .args(["keys", "rotate", POOL, "--database", &stage.url])
        .env("FOREBAY_ROOT_KEY", super::stage::root_key_text());
    let status = without(&command, error, &stage).status().unwrap();
    assert!(!status.success(), "{error}: {status}");
    assert_eq!(made(&stage), before, "{error}: a key was made");
    status.to_string()
}

/// The command on a machine without randomness, from its first instruction.
fn without(command: &Command, error: &str, stage: &Stage) -> Command {
    let traced = injecting(error, &stage.directory.path().join("strace"));
    let mut by = EMPTY.to_vec();
    // As the command's grandchild: what is waited for is the command itself.
    by.extend(["strace", "-D"]);
    by.extend(traced.iter().map(String::as_str));
    wrapped(command, &by)
}
