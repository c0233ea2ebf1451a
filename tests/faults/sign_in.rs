//! Races at the callback: one upstream code that comes twice (F7), and the first sign-in of somebody new in many browsers at
//! once (F8). The browsers walk by hand, so that all of them can wait before the last step.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Barrier;

use forebay::demo::WEB_CLIENT;
use forebay::rules::{params, pkce};

use super::Options;
use super::http::{self, Answer, answered, get, path_of, post};
use super::load::{ask, bytes};
use super::log::{Log, Outcome, Request};
use super::races::{at_once, on_each, sound};
use super::report::Verdict;
use super::stage::{CALLBACK, Stage, VERIFIER};

const BROWSERS: usize = 32;

/// A browser that has been at Okta and is about to come back.
pub struct Back {
    pub callback: String,
    pub cookies: String,
}

/// The request that a sign-in begins with.
pub fn authorize() -> Vec<u8> {
    let challenge = pkce::challenge(VERIFIER);
    let query = params::encode([
        ("client_id", WEB_CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "state"),
        ("nonce", "nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("identity_provider", "acme-okta"),
    ]);
    get(&format!("/oauth2/authorize?{query}"), "")
}

/// From the app to Okta's answer; at Okta the person signs in.
pub fn until_the_callback(stage: &Stage, node: SocketAddr, login: &str) -> Back {
    towards_the_callback(stage, node, login).unwrap_or_else(|page| panic!("{}", page.text()))
}

/// The same; or the page of a broker that sends nobody to Okta.
pub fn towards_the_callback(stage: &Stage, node: SocketAddr, login: &str) -> Result<Back, Answer> {
    let away = answered(node, &authorize());
    let there = match away.header("location") {
        Some(location) if away.status == 302 => path_of(location),
        _ => return Err(away),
    };
    let form = params::encode([("username", login), ("password", "demo")]);
    let at_okta = answered(stage.okta_address, &post("/signin", "", &form));
    let cookie = format!("Cookie: {}\r\n", jar(&at_okta));
    let back = answered(stage.okta_address, &get(&there, &cookie));
    Ok(Back {
        callback: path_of(
            back.header("location")
                .unwrap_or_else(|| panic!("{}", back.text())),
        ),
        cookies: format!("Cookie: {}\r\n", jar(&away)),
    })
}

fn jar(answer: &Answer) -> String {
    answer.cookies().collect::<Vec<_>>().join("; ")
}

/// The code that an app is sent back with.
pub fn code_of(answer: &Answer) -> Option<String> {
    let query = answer.header("location")?.split_once('?')?.1;
    let fields = params::Params::parse(query.as_bytes()).ok()?;
    fields.get("code").map(str::to_owned)
}

pub fn f7_one_callback_twice(options: &Options) -> Verdict {
    let rounds = options.count(4, 50);
    on_each(options, |stage, nodes| {
        for round in 0..rounds {
            let login = format!("twice{round}@acme.test");
            stage.newcomer(&login);
            let sessions = stage.rows().sessions;
            let back = until_the_callback(stage, nodes[0], &login);
            let request = get(&back.callback, &back.cookies);
            let answers = at_once(nodes, 2, &request);
            let codes: Vec<String> = answers
                .iter()
                .filter_map(|(_, _, answer)| code_of(answer.as_ref().unwrap()))
                .collect();
            assert_eq!(codes.len(), 1, "one of the two signs in: {answers:?}");
            let other = answers
                .iter()
                .filter_map(|(_, _, answer)| answer.as_ref().ok())
                .find(|answer| code_of(answer).is_none())
                .unwrap();
            assert_eq!(other.status, 200, "{}", other.text());
            assert!(
                other.text().contains("/oauth2/authorize"),
                "the other page offers to go on: {}",
                other.text()
            );
            assert_eq!(stage.rows().sessions, sessions + 1);
        }
        vec![format!(
            "{rounds} callbacks sent twice: one session each, the other may go on"
        )]
    })
}

pub fn f8_a_newcomer_in_many_browsers(options: &Options) -> Verdict {
    on_each(options, |stage, nodes| {
        let log = Log::new();
        let before = stage.rows().users.len();
        stage.newcomer("newcomer@acme.test");
        let backs: Vec<Back> = (0..BROWSERS)
            .map(|number| until_the_callback(stage, nodes[number % nodes.len()], "newcomer@acme.test"))
            .collect();
        let barrier = Barrier::new(BROWSERS);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let browsers: Vec<_> = backs
                .iter()
                .enumerate()
                .map(|(number, back)| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        answered(nodes[number % nodes.len()], &get(&back.callback, &back.cookies))
                    })
                })
                .collect();
            browsers
                .into_iter()
                .map(|browser| browser.join().unwrap())
                .collect()
        });
        let mut subs = HashSet::new();
        for answer in &answers {
            let code = code_of(answer).unwrap_or_else(|| panic!("{}", answer.text()));
            let request = bytes(&Request::Exchange { code }, WEB_CLIENT);
            let Outcome::Done(Some(issued)) = Outcome::of(&http::ask(nodes[0], &request)) else {
                panic!("a code was not exchanged")
            };
            let sub = issued.id["sub"].as_str().unwrap().to_owned();
            // Now that it is known whose the tokens are: on another node, and for the log.
            let request = Request::Refresh {
                token: issued.refresh.unwrap(),
            };
            let last = nodes.len() - 1;
            let outcome = ask(&log, (last, nodes[last]), request, &sub, WEB_CLIENT);
            assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
            subs.insert(sub);
        }
        assert_eq!(subs.len(), 1, "one user: {subs:?}");
        assert_eq!(stage.rows().users.len(), before + 1);
        sound(&log, stage);
        vec![format!(
            "{BROWSERS} browsers at once: 1 user, {BROWSERS} sign-ins"
        )]
    })
}
