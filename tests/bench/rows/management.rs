//! The management API: one operation that reads and one that writes, signed as an AWS SDK signs them.

use forebay::db::Target;
use forebay::demo::POOL;
use serde_json::json;

use super::super::drive::{Beside, Load, drive};
use super::super::plan::Plan;
use super::super::process::Process;
use super::super::seed::USERNAME;
use super::super::sigv4::signed;
use super::{AT_ONCE, Report, is_ok};

pub async fn rows(plan: &Plan, report: &mut Report, server: &Process, database: &Target) {
    let load = |name, total, beside| Load {
        name,
        at_once: AT_ONCE,
        total: plan.of(total),
        beside,
    };
    let whom = json!({ "UserPoolId": POOL, "Username": USERNAME }).to_string();
    let read = |_: usize| signed("AdminGetUser", &whom);
    let row = drive(
        &[server],
        &load("management read (AdminGetUser)", 8_000, Beside::Nothing),
        read,
        is_ok,
    )
    .await;
    report.row(row, None);
    let write = |number: usize| {
        let attributes = json!([{ "Name": "given_name", "Value": format!("Ben {number}") }]);
        let input = json!({ "UserPoolId": POOL, "Username": USERNAME, "UserAttributes": attributes });
        signed("AdminUpdateUserAttributes", &input.to_string())
    };
    let row = drive(
        &[server],
        &load(
            "management write (AdminUpdateUserAttributes)",
            4_000,
            Beside::Commits(database),
        ),
        write,
        is_ok,
    )
    .await;
    report.row(row, None);
}
