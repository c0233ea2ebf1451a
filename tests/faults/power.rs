//! The power cut: whatever is acknowledged was forced to the disk before. A kill -9 does not show that, since the kernel keeps
//! what was written; so strace watches a broker, and no answer may leave before its sync has finished (F3).

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forebay::demo::WEB_CLIENT;

use super::Options;
use super::http::answered;
use super::load::bytes;
use super::log::Request;
use super::postgres::have;
use super::report::Verdict;
use super::stage::{Base, Stage};

const EXCHANGES: usize = 20;

pub fn f3_synced_before_it_is_answered(_: &Options) -> Verdict {
    if !have("strace") {
        return Verdict::NotRun("strace is not installed".into());
    }
    let stage = Stage::new(&Base::Sqlite);
    let node = stage.node();
    let codes = stage.codes(WEB_CLIENT, EXCHANGES + 1);
    let path = stage.directory.path().join("strace");
    let mut watching = Command::new("strace");
    watching
        .args(["-f", "-y", "-s", "32", "-e"])
        .arg("trace=fsync,fdatasync,write,writev,sendto,sendmsg")
        .arg("-o")
        .arg(&path);
    let mut strace = match attach(&mut watching, node.pid()) {
        Ok(strace) => strace,
        Err(reason) => return Verdict::NotRun(reason),
    };
    for code in codes {
        let answer = answered(
            node.address,
            &bytes(&Request::Exchange { code: code.code }, WEB_CLIENT),
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // It lets go of the broker, and ends.
    drop(node);
    strace.wait().unwrap();
    let trace = std::fs::read_to_string(path).unwrap();
    let (answers, unsynced) = answers(&trace);
    assert!(answers >= EXCHANGES, "only {answers} answers in the trace");
    assert_eq!(unsynced, 0, "answers left before they were on the disk");
    Verdict::passed([format!(
        "{answers} exchanges, each on the disk before its answer left"
    )])
}

/// Has strace watch the process; why not, where it may not.
pub fn attach(strace: &mut Command, pid: u32) -> Result<Child, String> {
    let mut strace = strace
        .args(["-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if attached(&mut strace, pid) {
        return Ok(strace);
    }
    let _ = strace.wait();
    Err("strace may not look at another process here".into())
}

/// Waits until every thread of the process is watched; false when strace gave up.
fn attached(strace: &mut Child, pid: u32) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let watched = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("status"))
                .is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
        };
        if tasks.into_iter().all(watched) {
            return true;
        }
        if strace.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = strace.kill();
    false
}

/// How many answers with 200 a trace has, and how many of them left with no sync of the database finished since the one before.
fn answers(trace: &str) -> (usize, usize) {
    let (mut answers, mut unsynced) = (0, 0);
    let mut is_synced = false;
    // Threads in the middle of a sync of the database.
    let mut syncing = HashSet::new();
    for line in trace.lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let is_sync = line.contains(" fsync(") || line.contains(" fdatasync(");
        if is_sync && line.contains("faults.db") {
            if line.contains("<unfinished") {
                syncing.insert(thread);
            } else {
                is_synced |= line.trim_end().ends_with("= 0");
            }
        } else if line.contains("sync resumed>") && syncing.remove(thread) {
            is_synced |= line.trim_end().ends_with("= 0");
        } else if line.contains("\"HTTP/1.1 200") && !line.contains("resumed>") {
            answers += 1;
            unsynced += usize::from(!is_synced);
            is_synced = false;
        }
    }
    (answers, unsynced)
}

pub fn an_answer_before_its_sync_is_found() {
    let sync = "11 fdatasync(7</tmp/x/faults.db-wal>) = 0\n";
    let answer =
        "12 sendto(9<socket:[1]>, \"HTTP/1.1 200 OK\\r\\ncontent-length: \"..., 99, 0, NULL, 0) = 99\n";
    let begun = "11 fdatasync(7</tmp/x/faults.db-wal> <unfinished ...>\n";
    let ended = "11 <... fdatasync resumed>) = 0\n";
    let failed = "11 fdatasync(7</tmp/x/faults.db-wal>) = -1 EIO (Input/output error)\n";
    let of_another = "11 fdatasync(7</tmp/x/node.log>) = 0\n";
    for (trace, expected) in [
        ([sync, answer, sync, answer].concat(), (2, 0)),
        ([begun, ended, answer].concat(), (1, 0)),
        ([sync, answer, answer].concat(), (2, 1)),
        ([begun, answer, ended].concat(), (1, 1)),
        ([failed, answer].concat(), (1, 1)),
        ([of_another, answer].concat(), (1, 1)),
    ] {
        assert_eq!(answers(&trace), expected, "{trace}");
    }
}
