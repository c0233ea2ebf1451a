//! Pools that move in and out, and whole databases, by the command as a shell runs it, on a database that a broker serves.

mod backup;
mod cognito;
mod export;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::database::TestDatabase;

/// `forebay` on this database, with the root key of the stage's broker, allowed to call this upstream.
pub fn forebay(database: &TestDatabase, upstream: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOREBAY_")) {
        command.env_remove(name);
    }
    let host = upstream.trim_start_matches("http://");
    command
        .args(arguments)
        .env("FOREBAY_DATABASE", database.url())
        .env("FOREBAY_ROOT_KEY", STANDARD.encode([42; 32]))
        .env("FOREBAY_ALLOW_UPSTREAM", host)
        .stdin(Stdio::null());
    command
}

/// Runs what must go well; its answer as JSON.
#[track_caller]
pub fn done(mut command: Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", text(&output.stdout)))
}

/// Runs what must end with this code; what it said.
#[track_caller]
pub fn refused(code: i32, mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
