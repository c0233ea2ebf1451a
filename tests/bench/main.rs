//! The benchmark: the release binary and a stand-in Okta as processes of their own, whole flows driven from this one, one
//! table at the end. In the same run, on the same cores, it measures what bounds a token service: RSA-2048 signatures of
//! one core through the same library, and a bare actix-web answer. `cargo bench` runs it; `cargo bench -- list-users` looks
//! at lists of a million users instead.
//!
//! Every rate is given per second of the server's own CPU time, so that the driver beside it does not count, and as a
//! share of its bound, so that machines compare.
#![allow(clippy::unwrap_used)]

mod http;
mod list_users;
mod process;
mod rows;
mod seed;
mod table;

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use forebay::rules::jwks;
use forebay::world::Entropy;

fn main() {
    // The driver runs itself again for what must be a process of its own.
    let role = std::env::args()
        .skip_while(|argument| argument != "--role")
        .nth(1);
    match role.as_deref() {
        Some("okta") => process::run_okta(),
        Some("bare") => process::run_bare(),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            if std::env::args().any(|argument| argument == "list-users") {
                runtime.block_on(list_users::run());
            } else {
                runtime.block_on(rows::all());
            }
        }
    }
}

/// RSA-2048 signatures per second of one core, with the key parsed once.
pub fn signatures_per_second() -> f64 {
    let pair = jwks::generate(&Entropy::seeded(1)).unwrap();
    let key = RsaKeyPair::from_der(&pair.private_der).unwrap();
    let (random, mut signature) = (SystemRandom::new(), vec![0; key.public_modulus_len()]);
    let message = [7; 800];
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_millis(700) {
        key.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
            .unwrap();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
