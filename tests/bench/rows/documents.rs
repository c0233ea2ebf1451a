//! What is answered without the database: documents, the way to the upstream, the login page.

use forebay::demo::POOL;

use super::super::drive::{Beside, Load, drive};
use super::super::http::{Connection, get};
use super::super::plan::Plan;
use super::super::process::{Process, discovery};
use super::login::authorize_path;
use super::{AT_ONCE, Report, is_ok};

pub async fn rows(plan: &Plan, report: &mut Report, server: &Process) {
    for (name, path) in [
        ("discovery", discovery()),
        ("JWKS", format!("/{POOL}/.well-known/jwks.json")),
    ] {
        let size = Connection::open(server.address)
            .await
            .send(&get(&path, ""))
            .await
            .body
            .len();
        let bare = Process::bare(size);
        let load = Load {
            name,
            at_once: AT_ONCE,
            total: plan.of(160_000),
            beside: Beside::Bare(&bare),
        };
        report.row(
            drive(&[server], &load, |_| get(&path, ""), is_ok).await,
            Some(0.7),
        );
    }
    let direct = authorize_path("acme-okta");
    // The first fetches the upstream's metadata.
    Connection::open(server.address)
        .await
        .send(&get(&direct, ""))
        .await;
    // 20,000 and 10,000 per CPU-second where a core makes 5,000 signatures.
    let load = |name, times, what| Load {
        name,
        at_once: AT_ONCE,
        total: plan.of(30_000),
        beside: Beside::Signatures(times, what),
    };
    let away = |_, answer: super::Answer| assert_eq!(answer.status, 302);
    let redirect = load("authorize redirect", 4.0, "4 S");
    report.row(
        drive(&[server], &redirect, |_| get(&direct, ""), away).await,
        Some(1.0),
    );
    let page = authorize_path("").replace("/oauth2/authorize", "/login");
    let login = load("login page", 2.0, "2 S");
    report.row(
        drive(&[server], &login, |_| get(&page, ""), is_ok).await,
        Some(1.0),
    );
}
