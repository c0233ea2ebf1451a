//! Cookies as a defence: session ids that cannot be fixed, logins bound to the browser that began them, names that nobody
//! else can set, and a jar that never overflows.

use std::collections::HashSet;

use diesel::{QueryDsl, RunQueryDsl};
use forebay::db::schema::{
    audit_events, authorization_codes, identities, login_traces, sessions, token_families, users,
};
use forebay::rules::login::{LARGEST, LARGEST_ALL};

use crate::support::{Browser, Stage, location_param, query_of};

/// Rows that a visitor could make grow.
fn rows(stage: &Stage) -> Vec<i64> {
    stage.act(|conn| {
        vec![
            sessions::table.count().get_result(conn).unwrap(),
            authorization_codes::table.count().get_result(conn).unwrap(),
            token_families::table.count().get_result(conn).unwrap(),
            login_traces::table.count().get_result(conn).unwrap(),
            audit_events::table.count().get_result(conn).unwrap(),
            users::table.count().get_result(conn).unwrap(),
            identities::table.count().get_result(conn).unwrap(),
        ]
    })
}

/// The callback that the organisation would send this browser to.
async fn callback(stage: &Stage, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> String {
    let page = browser
        .to_sign_in_page("ada@acme.test", &stage.authorize(fields))
        .await;
    let form = crate::support::Form::of(&page.body).expect("the sign-in page");
    let action = browser.url.join(&form.action).unwrap();
    let mut fields = form.fields.clone();
    fields.retain(|(name, _)| name != "username" && name != "password");
    fields.extend(
        [("username", "ada@acme.test"), ("password", "demo")].map(|(n, v)| (n.to_owned(), v.to_owned())),
    );
    let mut answer = browser.request("POST", action.as_str(), &fields).await;
    while !answer.location().contains("/oauth2/idpresponse/") {
        let next = browser.url.join(answer.location()).unwrap();
        answer = browser.open(next.as_str()).await;
    }
    answer.location().to_owned()
}

#[actix_web::test]
async fn m137_session_cookies_are_host_bound_and_fresh_after_every_sign_in() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let url = callback(&stage, &mut browser, &[]).await;
    let answer = browser.open(&url).await.expect(302);
    let lines = answer.all("set-cookie");
    assert_eq!(lines.len(), 2, "the session comes, the login goes: {lines:?}");
    let session = lines
        .iter()
        .find(|line| line.starts_with("__Host-session-"))
        .unwrap();
    assert!(
        session.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600"),
        "{session}"
    );
    let login = lines
        .iter()
        .find(|line| line.starts_with("__Host-login-"))
        .unwrap();
    assert!(
        login.contains("=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"),
        "{login}"
    );

    let mut ids = HashSet::from([browser.cookie("__Host-session-").unwrap().1]);
    for _ in 0..2 {
        let url = stage.authorize(&[("prompt", "login")]);
        browser.sign_in("ada@acme.test", &url).await.expect(302);
        let id = browser.cookie("__Host-session-").unwrap().1;
        assert!(id.len() >= 43, "256 bits");
        assert!(ids.insert(id), "another id each time");
    }
}

#[actix_web::test]
async fn a057_a_session_id_set_before_the_sign_in_never_becomes_one() {
    let stage = Stage::new().await;
    let mut victim = stage.browser();
    let name = format!("__Host-session-{}", forebay::demo::POOL);
    let planted = "A".repeat(43);
    victim.set_cookie(&name, &planted);
    let back = victim
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await
        .expect(302);
    let (_, id) = victim.cookie("__Host-session-").unwrap();
    assert_ne!(id, planted);
    assert!(!back.location().contains(&id), "no session id in a URL");
    let mut attacker = stage.browser();
    attacker.set_cookie(&name, &planted);
    let answer = attacker.open(&stage.authorize(&[("prompt", "none")])).await;
    assert_eq!(
        location_param(&answer, "error").as_deref(),
        Some("login_required")
    );
}

#[actix_web::test]
async fn a059_m030_a_callback_counts_only_in_the_browser_that_began() {
    let stage = Stage::new().await;
    let mut attacker = stage.browser();
    let url = callback(&stage, &mut attacker, &[]).await;
    let before = rows(&stage);
    stage.acme.forget_requests();
    let mut victim = stage.browser();
    let mut busy = stage.browser();
    callback(&stage, &mut busy, &[]).await;
    stage.acme.forget_requests();
    for browser in [&mut victim, &mut busy] {
        let page = browser.open(&url).await;
        page.is_page(403, "login_unknown");
        assert_eq!(browser.cookie("__Host-session-"), None);
    }
    assert!(stage.acme.requests().is_empty(), "the code was not even tried");
    let mut after = rows(&stage);
    after[3] -= 2;
    assert_eq!(after, before, "nothing but two traces");
    // Where it began it works, and once.
    let good = attacker.open(&url).await.expect(302);
    assert!(location_param(&good, "code").is_some());
}

#[actix_web::test]
async fn a061_a_cookie_that_comes_twice_is_refused() {
    let stage = Stage::new().await;
    let ada = stage.signed_in("ada@acme.test").await;
    let (name, value) = ada.cookie("__Host-session-").unwrap();
    for (path, twice) in [
        (stage.authorize(&[]), format!("{name}={value}; {name}=tossed")),
        (stage.authorize(&[]), format!("{name}=tossed; {name}={value}")),
    ] {
        let request = actix_web::test::TestRequest::get()
            .uri(&path)
            .insert_header(("cookie", twice.as_str()));
        let answer = stage.send(request).await.expect(302);
        assert_eq!(
            location_param(&answer, "error").as_deref(),
            Some("invalid_request")
        );
    }
    let request = actix_web::test::TestRequest::get()
        .uri("/logout")
        .append_header(("cookie", format!("{name}={value}")))
        .append_header(("cookie", format!("{name}={value}")));
    stage.send(request).await.is_page(400, "parameter_repeated");

    let mut browser = stage.browser();
    let url = callback(&stage, &mut browser, &[]).await;
    let (name, value) = browser.cookie("__Host-login-").unwrap();
    let path = url.strip_prefix(crate::support::PUBLIC_URL).unwrap();
    let request = actix_web::test::TestRequest::get()
        .uri(path)
        .insert_header(("cookie", format!("{name}={value}; {name}={value}")));
    stage.send(request).await.is_page(403, "login_unknown");
    // Names without the prefix are anybody's and mean nothing.
    let answer = browser.open(&url).await.expect(302);
    assert!(location_param(&answer, "code").is_some());
}

#[actix_web::test]
async fn a062_a065_without_its_own_cookie_a_login_ends() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let first = callback(&stage, &mut browser, &[]).await;
    let (name, value) = browser.cookie("__Host-login-").unwrap();
    let state = query_of(&first, "state").unwrap();
    assert_eq!(name, format!("__Host-login-{state}"));
    let mut other = stage.browser();
    callback(&stage, &mut other, &[("identity_provider", "acme-okta")]).await;
    let foreign = other.cookie("__Host-login-").unwrap().1;
    let flipped = value.replacen(&value[..1], if value.starts_with('A') { "B" } else { "A" }, 1);
    for (cookie, about) in [
        (None, "removed"),
        (Some(""), "emptied"),
        (Some(foreign.as_str()), "another login's"),
        (Some(flipped.as_str()), "altered"),
        (Some(&value[..value.len() - 4]), "cut"),
    ] {
        browser.forget_cookies("__Host-login-");
        if let Some(cookie) = cookie {
            browser.set_cookie(&name, cookie);
        }
        browser.open(&first).await.is_page(403, "login_unknown");
        assert_eq!(browser.cookie("__Host-session-"), None, "{about}");
    }
    // At the callback of another connection it is refused by name.
    browser.set_cookie(&name, &value);
    let crossed = first.replace("/idpresponse/acme-okta", "/idpresponse/globex-okta");
    let page = browser.open(&crossed).await;
    page.is_page(502, "callback_mismatch");
}

#[actix_web::test]
async fn a063_many_logins_in_one_browser_never_overflow_and_the_newest_works() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let before = rows(&stage);
    let state = "s".repeat(700);
    for _ in 0..200 {
        let url = stage.authorize(&[("identity_provider", "acme-okta"), ("state", &state)]);
        let answer = browser.open(&url).await.expect(302);
        assert!(answer.location().starts_with(&stage.acme.issuer()));
        let sizes: Vec<usize> = browser
            .cookies()
            .iter()
            .filter(|(name, _)| name.starts_with("__Host-login-"))
            .map(|(name, value)| name.len() + value.len())
            .collect();
        assert!(sizes.iter().all(|size| *size <= LARGEST), "{sizes:?}");
        assert!(sizes.iter().sum::<usize>() <= LARGEST_ALL, "{sizes:?}");
    }
    assert_eq!(rows(&stage), before, "M-142: and nothing was stored");
    let back = browser
        .sign_in(
            "ada@acme.test",
            &stage.authorize(&[("identity_provider", "acme-okta")]),
        )
        .await
        .expect(302);
    assert!(location_param(&back, "code").is_some());
}

#[actix_web::test]
async fn several_tabs_sign_in_side_by_side() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let one = callback(&stage, &mut browser, &[("state", "one")]).await;
    stage.acme.end_sessions();
    let two = callback(&stage, &mut browser, &[("state", "two")]).await;
    for (url, state) in [(two, "two"), (one, "one")] {
        let answer = browser.open(&url).await.expect(302);
        assert_eq!(location_param(&answer, "state").as_deref(), Some(state));
        assert!(location_param(&answer, "code").is_some());
    }
    assert_eq!(browser.cookie("__Host-login-"), None);
}

#[actix_web::test]
async fn m142_what_a_visitor_does_without_signing_in_is_not_stored() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    for number in 0..20 {
        let state = number.to_string();
        for path in [
            stage.authorize(&[("state", &state)]),
            stage.authorize(&[("state", &state), ("identity_provider", "acme-okta")]),
            stage.authorize(&[("state", &state), ("prompt", "none")]),
            stage.authorize(&[("state", &state), ("scope", "nonsense")]),
            format!("{login}&email=x{number}%40nowhere.test"),
            "/logout".to_owned(),
            format!("/nowhere/{number}"),
        ] {
            assert!(stage.get(&path).await.status < 500, "{path}");
        }
    }
    assert_eq!(rows(&stage), before);
}
