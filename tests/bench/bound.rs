//! What no token service exceeds: the signatures of one core, and the commits of the database.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use diesel::connection::SimpleConnection;
use forebay::db::{Conn, Target};
use forebay::rules::jwks;

/// RSA-2048 signatures per second of one core, with the key parsed once: per second of this thread's own CPU time, as the
/// server's work is.
pub fn signatures_per_second() -> f64 {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let pair = jwks::generate().unwrap();
        RsaKeyPair::from_der(&pair.private_der).unwrap()
    });
    let (random, mut signature) = (SystemRandom::new(), vec![0; key.public_modulus_len()]);
    let message = [7; 800];
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_millis(250) {
        key.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
            .unwrap();
        count += 1;
    }
    f64::from(count) / (cpu_seconds() - cpu)
}

/// CPU time of this thread.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

/// Durable commits of one row each per second, one after the other, in the database that the server has, through the same
/// library with the same settings.
pub fn commits_per_second(target: &Target) -> f64 {
    let mut conn = target.open().unwrap();
    conn.batch_execute("CREATE TABLE IF NOT EXISTS bench_commits (number BIGINT NOT NULL)")
        .unwrap();
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_millis(500) {
        conn.batch_execute(&format!("INSERT INTO bench_commits (number) VALUES ({count})"))
            .unwrap();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// What the commits are of, in words.
pub fn durability(target: &Target) -> &'static str {
    match target.open().unwrap() {
        Conn::Sqlite(_) => "SQLite, synchronous=FULL",
        Conn::Postgres(_) => "PostgreSQL, as it is set up",
    }
}
