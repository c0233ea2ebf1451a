//! SQLite in trouble: the file locked by another process (F23), the disk full (F24).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use forebay::demo::{POOL, WEB_CLIENT};

use super::Options;
use super::http::{self, Answer, answered, get};
use super::load::{ask, bytes};
use super::log::{Log, Outcome, Request};
use super::postgres::is_root;
use super::races::{sound, tokens};
use super::report::Verdict;
use super::stage::{Base, Stage};

/// SQLite's busy timeout, and what a busy machine adds.
const BUSY: Duration = Duration::from_millis(5_000 + 2_500);
/// Small enough to fill, large enough for the database and its log.
const DISK: &str = "size=24m";

/// What only reads goes on.
#[track_caller]
fn readers_go_on(node: SocketAddr, access_token: &str) {
    let bearer = format!("Authorization: Bearer {access_token}\r\n");
    for (path, headers) in [
        (format!("/{POOL}/.well-known/jwks.json"), ""),
        (format!("/{POOL}/.well-known/openid-configuration"), ""),
        ("/healthz".to_owned(), ""),
        ("/oauth2/userInfo".to_owned(), bearer.as_str()),
    ] {
        let begun = Instant::now();
        let answer = answered(node, &get(&path, headers));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{path} took {:?}",
            begun.elapsed()
        );
    }
}

/// An access token, for userInfo.
fn access_token(stage: &Stage, node: SocketAddr) -> String {
    let code = stage.codes(WEB_CLIENT, 1).remove(0).code;
    let answer = answered(node, &bytes(&Request::Exchange { code }, WEB_CLIENT));
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some(), "{}", answer.head);
}

pub fn f23_locked_by_another_process(_: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let (node, log) = (stage.node(), Log::new());
    let access = access_token(&stage, node.address);
    let mut other = stage.target.open().unwrap();

    // One second: who writes waits, and is served.
    let code = stage.codes(WEB_CLIENT, 1).remove(0);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            let request = Request::Exchange { code: code.code };
            let outcome = ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT);
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            begun.elapsed()
        });
        std::thread::sleep(Duration::from_secs(1));
        other.batch_execute("COMMIT").unwrap();
        waiting.join().unwrap()
    });
    assert!(waited > Duration::from_millis(700) && waited < BUSY, "{waited:?}");

    // Ten: nobody waits longer than the busy timeout, wherever in the queue.
    let codes = stage.codes(WEB_CLIENT, 3);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused: Vec<Duration> = std::thread::scope(|scope| {
        let waiting: Vec<_> = codes
            .iter()
            .enumerate()
            .map(|(number, code)| {
                let node = node.address;
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(1_500 * number as u64));
                    let begun = Instant::now();
                    let request = Request::Exchange {
                        code: code.code.clone(),
                    };
                    is_unavailable(&answered(node, &bytes(&request, WEB_CLIENT)));
                    begun.elapsed()
                })
            })
            .collect();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) && waiting.iter().any(|one| !one.is_finished()) {
            readers_go_on(node.address, &access);
            std::thread::sleep(Duration::from_millis(200));
        }
        other.batch_execute("COMMIT").unwrap();
        waiting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let longest = refused.iter().max().unwrap();
    assert!(*longest < BUSY, "{refused:?}");
    // Nothing was changed by half: the very same codes are good.
    for code in codes {
        let request = Request::Exchange { code: code.code };
        let outcome = ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT);
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    sound(&log, &stage);
    Verdict::passed([format!(
        "locked for 1 s: served after {} ms; for longer: 503 with Retry-After after {} ms at the latest, readers went on",
        waited.as_millis(),
        longest.as_millis()
    )])
}

/// A small file system in memory, gone when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Result<Disk, String> {
        if !is_root() {
            return Err("only root may mount a small file system".into());
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(directory.path())
            .output()
            .map_err(|error| format!("mount cannot be run: {error}"))?;
        if mounted.status.success() {
            Ok(Disk(directory))
        } else {
            Err(format!(
                "no file system can be mounted here: {}",
                String::from_utf8_lossy(&mounted.stderr).trim()
            ))
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let bytes = vec![0; 4_096];
        let mut file = std::fs::File::create(self.path().join("ballast")).unwrap();
        while std::io::Write::write_all(&mut file, &bytes).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

pub fn f24_disk_full(_: &Options) -> Verdict {
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::in_directory(disk.path());
    let (mut node, log) = (stage.node(), Log::new());
    let access = access_token(&stage, node.address);
    let codes = stage.codes(WEB_CLIENT, 600);
    let (sub, first) = tokens(&log, &stage, node.address, WEB_CLIENT);
    disk.fill();
    // The log of SQLite may have room of its own for a while.
    let mut refused = Vec::new();
    let mut done = 0;
    for code in &codes {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        match ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT) {
            Outcome::Done(_) => done += 1,
            Outcome::Unavailable(503) => refused.push(code),
            other => panic!("a full disk is answered with {other:?}"),
        }
        if refused.len() == 5 {
            break;
        }
    }
    assert_eq!(
        refused.len(),
        5,
        "the disk never was full: {done} exchanges went through"
    );
    let one = bytes(
        &Request::Exchange {
            code: refused[0].code.clone(),
        },
        WEB_CLIENT,
    );
    is_unavailable(&answered(node.address, &one));
    readers_go_on(node.address, &access);
    let until_ready = |status: u16| {
        let begun = Instant::now();
        while !http::ask(node.address, &get("/readyz", "")).is_ok_and(|answer| answer.status == status) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "/readyz never says {status}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        begun.elapsed()
    };
    // A row may find the little room that a whole exchange did not.
    until_ready(503);

    disk.make_room();
    let recovered = until_ready(200);
    for code in &refused {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        let outcome = ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT);
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    let request = Request::Refresh {
        token: first.refresh.unwrap(),
    };
    let outcome = ask(&log, (0, node.address), request, &sub, WEB_CLIENT);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert!(node.ended(Duration::ZERO).is_none(), "it is the same process");
    assert_eq!(stage.integrity(), "ok");
    sound(&log, &stage);
    Verdict::passed([format!(
        "{done} exchanges fitted in, then 503 with Retry-After; readers went on; {} ms after there was room again it was ready",
        recovered.as_millis()
    )])
}
