//! The benchmark: the release binary and a stand-in Okta as processes of their own, whole flows driven from this one. In the
//! same run, on the same cores, turn and turn about with what it measures, it measures the bounds: RSA-2048 signatures of one
//! core through the same library, a bare actix-web answer of the same bytes, and the database's own commits.
//!
//! ```text
//! cargo bench                                 all rows, as the Markdown that the README has; some ten minutes
//! cargo bench -- --short                      the gate: fewer requests, PASS or FAIL for each ratio, in two minutes
//! cargo bench -- tokens login                 these parts of the table alone; the others are start, documents, management,
//!                                             growth and nodes
//! cargo bench -- --database postgres://…      on that server, in a database made for the run
//! cargo bench -- list-users                   lists of a million users instead
//! ```
//!
//! `POSTGRES_URL` adds the rows of two nodes; `FOREBAY_BIN` is another binary to test than the one that Cargo built.
//!
//! Every rate is given per second of the server's own CPU time, so that the driver beside it does not count, and as a
//! share of its bound, so that machines compare.
#![allow(clippy::unwrap_used)]

mod bound;
mod crowd;
mod drive;
mod http;
mod list_users;
mod plan;
mod process;
mod rows;
mod seed;
mod sigv4;
mod table;

use std::process::ExitCode;

use plan::Plan;

fn main() -> ExitCode {
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
            } else if !runtime.block_on(rows::all(&Plan::of_this_run())) {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
