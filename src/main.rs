//! The `forebay` command; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    forebay::cli::main()
}
