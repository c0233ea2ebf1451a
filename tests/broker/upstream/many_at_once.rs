//! Many sign-ins at once: everybody gets their own, nobody leaves anything behind without signing in (A-99, A-125; F8,
//! F36).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use forebay::demo::SPA_CLIENT;
use forebay::demo::okta::Person;
use forebay::rules::pkce;
use futures_util::StreamExt;

use super::{explained, rows, signed_in};
use crate::support::{Stage, Tokens, VERIFIER, claims, query_of};

/// Adds `count` people to acme: their logins.
fn people(stage: &Stage, count: usize) -> Vec<String> {
    let logins: Vec<String> = (0..count)
        .map(|number| format!("person{number}@acme.test"))
        .collect();
    for (number, login) in logins.iter().enumerate() {
        stage.acme.add_person(Person {
            id: format!("00u1person{number:0>9}x"),
            login: login.clone(),
            email: login.clone(),
            given_name: format!("P{number}"),
            family_name: "Erson".into(),
            groups: vec!["Everyone".into(), format!("Team {}", number % 7)],
            ..Person::default()
        });
    }
    stage
        .acme
        .change_app("0oa1forebayacme00000", |app| app.assigned.extend(logins.clone()));
    logins
}

#[actix_web::test]
async fn a99_two_hundred_interleaved_logins_of_fifty_users_give_each_app_its_own_user() {
    // It is not about how long they take, which on a busy machine is long.
    let stage = Stage::with_patience(Duration::from_secs(120)).await;
    let logins = people(&stage, 50);
    let tries = (0..200).map(|number| {
        let (stage, login) = (&stage, &logins[number % 50]);
        async move {
            let state = format!("state-{number}");
            let url = stage.authorize(&[
                ("state", state.as_str()),
                ("nonce", &format!("nonce-{number}")),
                ("identity_provider", "acme-okta"),
            ]);
            let back = stage.browser().sign_in(login, &url).await.expect(302);
            assert_eq!(query_of(back.location(), "state"), Some(state));
            let code = query_of(back.location(), "code").unwrap();
            let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
            let id = claims(tokens.id.as_deref().unwrap());
            assert_eq!(id["email"], login.as_str());
            assert_eq!(id["nonce"], format!("nonce-{number}"));
            assert_eq!(claims(&tokens.access)["sub"], id["sub"]);
            (login.clone(), id["sub"].as_str().unwrap().to_owned())
        }
    });
    // As many at once as the waiting limits of a small machine allow.
    let done: Vec<_> = futures_util::stream::iter(tries)
        .buffer_unordered(32)
        .collect()
        .await;
    let mut subs: HashMap<String, HashSet<String>> = HashMap::new();
    for (login, sub) in done {
        subs.entry(login).or_default().insert(sub);
    }
    assert!(
        subs.values().all(|of| of.len() == 1),
        "each user has one sub: {subs:?}"
    );
    let all: HashSet<&String> = subs.values().flatten().collect();
    assert_eq!(all.len(), 50, "and no two share one");
    let count = |table: &str| {
        rows(&stage)
            .into_iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1
    };
    assert_eq!(
        (count("users"), count("identities"), count("sessions")),
        (50, 50, 200)
    );
}

#[actix_web::test]
async fn f8_the_first_sign_in_of_one_person_in_32_browsers_makes_one_profile() {
    let stage = Stage::new().await;
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let mut browser = stage.browser();
        let page = browser
            .visit(&stage.authorize(&[("identity_provider", "acme-okta")]))
            .await;
        let callback = browser
            .enter_only(&page, "ada@acme.test")
            .await
            .expect(302)
            .location()
            .to_owned();
        waiting.push((browser, callback));
    }
    let backs = waiting
        .iter_mut()
        .map(|(browser, callback)| async move { browser.open(callback).await });
    let backs = futures_util::future::join_all(backs).await;
    let mut subs = HashSet::new();
    for back in &backs {
        subs.insert(signed_in(&stage, back).await["sub"].to_string());
    }
    assert_eq!(subs.len(), 1);
    let count = |table: &str| {
        rows(&stage)
            .into_iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1
    };
    assert_eq!(
        (count("users"), count("identities"), count("sessions")),
        (1, 1, 32)
    );
}

#[actix_web::test]
async fn f36_of_sixty_open_tabs_the_newest_works_and_the_oldest_gets_a_friendly_page() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let challenge = pkce::challenge(VERIFIER);
    let mut states = Vec::new();
    for number in 0..60 {
        // Two apps, long values: tabs are not all alike.
        let state = format!("{number:0>100}");
        let mut changes = vec![("state", state.as_str()), ("identity_provider", "acme-okta")];
        if number % 2 == 1 {
            changes.extend([
                ("client_id", SPA_CLIENT),
                ("redirect_uri", "http://127.0.0.1:9999/callback"),
                ("code_challenge", challenge.as_str()),
            ]);
        }
        let away = browser.open(&stage.authorize(&changes)).await.expect(302);
        states.push(query_of(away.location(), "state").unwrap());
        let header: usize = browser
            .cookies()
            .iter()
            .map(|(name, value)| name.len() + value.len() + 3)
            .sum();
        assert!(
            header <= 8 * 1024,
            "after tab {number} the cookies have {header} bytes"
        );
        stage.clock.advance(1);
    }
    let url = stage.authorize(&[("state", "the-newest"), ("identity_provider", "acme-okta")]);
    let back = browser.sign_in("ada@acme.test", &url).await.expect(302);
    assert_eq!(query_of(back.location(), "state").as_deref(), Some("the-newest"));
    signed_in(&stage, &back).await;
    browser.forget_cookies("__Host-session-");
    let page = browser
        .open(&format!(
            "/oauth2/idpresponse/acme-okta?code=x&state={}",
            states[0]
        ))
        .await;
    explained(&stage, &page, "login_unknown");
    assert!(page.shows("Go back to the app and sign in again"), "{page:?}");
}

#[actix_web::test]
async fn a125_a_thousand_authorization_requests_leave_no_row() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    let url = stage.authorize(&[("identity_provider", "acme-okta")]);
    for number in 0..1_000 {
        let answer = stage.get(if number % 2 == 0 { &url } else { "/login?client_id=demowebapp0000000000000001&response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A8090%2Fcallback" }).await;
        assert!(matches!(answer.status, 200 | 302), "{answer:?}");
    }
    assert_eq!(rows(&stage), before);
    assert!(stage.traces().is_empty(), "{:?}", stage.traces());
}

#[actix_web::test]
async fn a_flood_of_forged_callbacks_keeps_a_bounded_number_of_traces() {
    let stage = Stage::new().await;
    let mut with_code = 0;
    for number in 0..300 {
        let page = stage
            .get(&format!(
                "/oauth2/idpresponse/acme-okta?code=x&state={number:A>22}"
            ))
            .await
            .expect(403);
        assert!(page.body.contains("<code>login_unknown</code>"));
        with_code += usize::from(page.trace_code().is_some());
    }
    assert!((1..=60).contains(&with_code), "{with_code}");
    assert_eq!(stage.traces().len(), with_code);
    stage.clock.advance(60);
    let page = stage
        .get("/oauth2/idpresponse/acme-okta?code=x&state=AAAAAAAAAAAAAAAAAAAAAA")
        .await;
    assert!(page.trace_code().is_some(), "the next minute has its own");
}
