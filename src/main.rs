//! The `forebay` command; everything is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    forebay::cli::main()
}
