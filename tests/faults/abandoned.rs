//! Logins that begin and never end (F35): refused ones and ones that nobody comes back from, very many of them, by strangers.
//! They leave nothing in the database but a few traces a minute, and nothing in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use forebay::db::tables;
use forebay::demo::WEB_CLIENT;
use forebay::rules::{params, pkce};

use super::Options;
use super::http::{Line, next_get};
use super::process::{Use, megabytes};
use super::report::Verdict;
use super::stage::{Base, CALLBACK, Stage, VERIFIER};

const AT_ONCE: usize = 8;
/// Requests on one connection.
const ON_ONE: usize = 200;

/// Traces of attempts that reach no upstream which one address makes in a minute; a thousand are kept.
const TRACES: u64 = 20;

/// Rows of every table.
fn database(stage: &Stage) -> BTreeMap<String, u64> {
    let mut conn = stage.target.open().unwrap();
    tables::all(&mut conn)
        .unwrap()
        .into_iter()
        .map(|table| (table.name.clone(), tables::count(&mut conn, &table).unwrap()))
        .collect()
}

/// The kinds of logins that lead to nothing, and how each is answered.
fn kinds() -> Vec<(String, u16)> {
    let challenge = pkce::challenge(VERIFIER);
    let query = |changed: &[(&str, &str)]| {
        let mut fields = BTreeMap::from([
            ("client_id", WEB_CLIENT),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "state"),
            ("nonce", "nonce"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        fields.extend(changed.iter().copied());
        format!("/oauth2/authorize?{}", params::encode(fields))
    };
    vec![
        // Sent to the upstream, from where nobody comes back.
        (query(&[("identity_provider", "acme-okta")]), 302),
        (
            query(&[("identity_provider", "acme-okta"), ("prompt", "login")]),
            302,
        ),
        // Shown where to sign in, which nobody does.
        (query(&[]), 302),
        (query(&[]).replace("/oauth2/authorize", "/login"), 200),
        // Refused.
        (query(&[("client_id", "nobody")]), 400),
        (query(&[("redirect_uri", "https://evil.test/callback")]), 400),
        (query(&[("scope", "everything")]), 302),
        (query(&[("prompt", "none")]), 302),
        (query(&[("identity_provider", "nobody")]), 302),
        (
            "/oauth2/idpresponse/acme-okta?code=stolen&state=made-up".into(),
            403,
        ),
    ]
}

/// Begins so many logins that lead to nothing.
fn begin(node: SocketAddr, count: usize) {
    let kinds = kinds();
    std::thread::scope(|scope| {
        for thread in 0..AT_ONCE {
            let kinds = &kinds;
            scope.spawn(move || {
                let numbers: Vec<usize> = (thread..count).step_by(AT_ONCE).collect();
                for some in numbers.chunks(ON_ONE) {
                    let mut line = Line::open(node).unwrap();
                    for number in some {
                        // Not the thread's number again: each thread sends all kinds.
                        let (path, status) = &kinds[(number / AT_ONCE) % kinds.len()];
                        let answer = line.ask(&next_get(path, "")).unwrap();
                        assert_eq!(answer.status, *status, "{path}: {}", answer.text());
                    }
                }
            });
        }
    });
}

pub fn f35_logins_that_nobody_ends(options: &Options) -> Verdict {
    let count = options.count(20_000, 1_000_000);
    let stage = Stage::new(&Base::Sqlite);
    let node = stage.node();
    // The warm-up fills what is bounded: traces of attempts that reach nothing, and what memory is used again for.
    begin(node.address, count / 4);
    let (rows, before, begun) = (database(&stage), Use::of(&node), Instant::now());
    begin(node.address, count);
    let minutes = begun.elapsed().as_secs() / 60 + 2;
    let (after_rows, after) = (database(&stage), Use::of(&node));
    let grown: Vec<String> = after_rows
        .iter()
        .filter(|(table, count)| {
            let may = if *table == "login_traces" {
                TRACES * minutes
            } else {
                0
            };
            rows[*table] + may < **count
        })
        .map(|(table, count)| format!("{table}: {} rows, then {count}", rows[table]))
        .collect();
    assert!(grown.is_empty(), "{grown:?}");
    let most = before.resident + before.resident / 20;
    assert!(
        after.resident <= most,
        "{} resident before, {} after",
        megabytes(before.resident),
        megabytes(after.resident)
    );
    assert!(after.files <= before.files + AT_ONCE, "{before:?}, {after:?}");
    let traces = after_rows.get("login_traces").copied().unwrap_or_default();
    Verdict::passed([format!(
        "{count} logins of {} kinds: no table has more rows, login_traces {traces}; {} resident before, {} after",
        kinds().len(),
        megabytes(before.resident),
        megabytes(after.resident)
    )])
}
