//! How the release binary is linked, so that little of it has to be in memory. The kernel brings code in by 64 kB, and in the
//! linker's own order some of nearly every 64 kB runs: most of the binary would stay for the sake of a tenth of it.
//!
//! `.cargo/symbol-order` names the functions that run from the start to the first sign-ins (`tests/bench/symbol-order`
//! records it): they are put together. One that is not there any more, or that another compiler names differently, is passed
//! over. And the addresses that a start has to fix are packed, where the C library reads them so (glibc 2.36). Both are for
//! lld, Rust's own linker on this target; where somebody names another one, all stays as it is.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_target = is("TARGET", "x86_64-unknown-linux-gnu") && is("HOST", "x86_64-unknown-linux-gnu");
    let has_own_linker = env::var("RUSTC_LINKER").is_ok()
        || env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if !is_target || !is("PROFILE", "release") || has_own_linker {
        return;
    }
    if c_library().is_some_and(|version| version >= (2, 36)) {
        link("-zpack-relative-relocs");
    }
    let Ok(root) = env::var("CARGO_MANIFEST_DIR") else {
        return;
    };
    let order = Path::new(&root).join(".cargo/symbol-order");
    println!("cargo::rerun-if-changed={}", order.display());
    if order.exists() {
        link(&format!("--symbol-ordering-file={}", order.display()));
        link("--no-warn-symbol-ordering");
    }
}

fn link(argument: &str) {
    // By itself, since a path may have a comma in it, which `-Wl,` would take for the next argument.
    println!("cargo::rustc-link-arg-bins=-Xlinker");
    println!("cargo::rustc-link-arg-bins={argument}");
}

/// The version of this machine's glibc.
fn c_library() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
