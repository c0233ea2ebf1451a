//! Set-up links: a customer connects their Okta alone, and whoever has the link gets no further than that.

use forebay::actions::setup_links;
use forebay::demo::{OPERATOR, POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::model::provider::State;
use forebay::model::reach::Reach;
use forebay::model::{audit, setup_link, webhook};
use serde_json::Value;

use super::connections::{
    ACME_ADMIN, NEW_SECRET, connection, draft, enter_credentials, fill as fill_page, offer_only, register,
    test_sign_in,
};
use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{Answer, Browser, Form, PUBLIC_URL, Stage, query_of};

const HOME: &str = "/console/connect";

fn at(path: &str) -> String {
    format!("/console/pools/{POOL}/tenants/acme/setup-links{path}")
}

/// Makes a link for acme as the command line does; gives its id and its path.
fn link(stage: &Stage) -> (String, String) {
    let ctx = stage.ctx();
    let (link, token) =
        stage.act(|conn| setup_links::create(conn, &ctx, &Reach::everything(), "acme", 7).unwrap());
    (link.id, format!("{HOME}/{token}"))
}

/// Begins with a link in a browser that was never here.
async fn begin<'a>(stage: &'a Stage, path: &str) -> (Browser<'a>, Answer) {
    let mut browser = stage.browser();
    let page = browser.open(path).await.expect(200);
    let home = browser.submit(&Form::to(&page.body, path), &[]).await;
    (browser, home)
}

/// What audit events of that kind say, and who did it.
fn events(stage: &Stage, target: &str) -> Vec<(String, String)> {
    let events = stage.act(|conn| audit::of_target(conn, target, 50).unwrap());
    events
        .into_iter()
        .rev()
        .map(|event| (event.action, event.actor))
        .collect()
}

#[actix_web::test]
async fn a_customer_gets_from_the_link_to_live_without_anybody_here() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let hook = stage.act(|conn| {
        let new = forebay::actions::webhooks::NewWebhook {
            user_pool_id: POOL.into(),
            tenant_id: None,
            url: "https://hooks.example.com/forebay".parse().unwrap(),
        };
        let ctx = stage.broker.ctx("test", "test");
        forebay::actions::webhooks::create(conn, &ctx, &Reach::everything(), new)
            .unwrap()
            .0
    });
    let made = fill(&mut operator, &at(""), &at(""), &[("days", "3")])
        .await
        .expect(200);
    let shown = crate::support::unescape(&made.body);
    let address = shown
        .split(&format!("{PUBLIC_URL}{HOME}/"))
        .nth(1)
        .unwrap_or_else(|| panic!("no link: {made:?}"));
    let token: String = address.chars().take_while(|c| *c != '<').collect();
    let path = format!("{HOME}/{token}");
    let again = operator.open(&at("")).await.expect(200);
    assert!(!again.body.contains(&token), "shown once: {again:?}");
    let id = stage.act(|conn| setup_link::of_tenant(conn, "acme", 1).unwrap()[0].id.clone());

    // A mail filter looks at it, twice: nothing comes of that.
    for _ in 0..2 {
        let page = stage.get(&path).await.expect(200);
        assert!(page.shows("Connect the Okta of Acme"), "{page:?}");
    }
    let (mut browser, home) = begin(&stage, &path).await;
    assert!(home.shows("No connection has been begun yet"), "{home:?}");
    assert!(
        !home.body.contains("/console/users"),
        "no other room is offered: {home:?}"
    );

    draft(&stage, &mut browser, "acme-new").await;
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET)
        .await
        .expect(200);

    // Taken up again elsewhere, by the same link.
    let (mut other, home) = begin(&stage, &path).await;
    assert!(home.shows("acme-new") && home.shows("Test it"), "{home:?}");
    let result = test_sign_in(&mut other, "acme-new", "ada@acme.test")
        .await
        .expect(200);
    assert!(result.shows("The test sign-in passed"), "{result:?}");
    let home = browser.open(HOME).await.expect(200);
    assert!(home.shows("Go live"), "{home:?}");
    let live = "/console/connections/acme-new/live";
    let gone = fill_page(&mut other, live, &[]).await.expect(200);
    assert!(
        gone.shows("is connected") && gone.shows("/start-login?connection=acme-new"),
        "{gone:?}"
    );
    assert_eq!(connection(&stage, "acme-new").state(), State::Live);
    assert_eq!(connection(&stage, "acme-new").tenant_id.as_deref(), Some("acme"));

    // Several apps offer it now, so each has an address for its tile, which leads there.
    for app in [WEB_CLIENT, SPA_CLIENT] {
        let start = format!("/start-login?connection=acme-new&client_id={app}");
        assert!(gone.shows(&start), "{gone:?}");
        stage.get(&start).await.expect(302);
    }

    offer_only(&stage, "acme-new");
    let mut person = stage.browser();
    let back = person
        .sign_in(
            "ada@acme.test",
            &stage.authorize(&[("identity_provider", "acme-new")]),
        )
        .await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");

    // The link has done its work, in every browser.
    stage.get(&path).await.is_page(404, "not good any more");
    for browser in [&mut browser, &mut other] {
        let page = browser.open(live).await;
        assert_eq!((page.status, page.location()), (303, HOME), "{page:?}");
        let page = browser.open("/console/connections/new").await;
        assert_eq!(page.location(), HOME);
        browser.open(HOME).await.expect(200);
    }

    // Whoever listens is told, and the console says it until somebody takes note.
    let told: Vec<Value> = stage.act(|conn| {
        webhook::deliveries(conn, &hook.id, 10)
            .unwrap()
            .into_iter()
            .map(|delivery| serde_json::from_str(&delivery.payload).unwrap())
            .collect()
    });
    let done = told
        .iter()
        .find(|told| told["type"] == "setup_link.completed")
        .unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(done["data"]["connection"]["id"], "acme-new");
    assert_eq!(done["data"]["setup_link"], id.as_str());
    let overview = operator.open("/console").await.expect(200);
    assert!(overview.shows("went live by a set-up link"), "{overview:?}");
    let noted = at(&format!("/{id}/noted"));
    let overview = operator
        .submit(&Form::to(&overview.body, &noted), &[])
        .await
        .expect(200);
    assert!(!overview.shows("went live by a set-up link"), "{overview:?}");

    let by = format!("set-up link:{id}");
    let steps = events(&stage, &id);
    let actions: Vec<&str> = steps.iter().map(|(action, _)| action.as_str()).collect();
    let all = [
        "setup_link.create",
        "setup_link.open",
        "setup_link.open",
        "setup_link.done",
        "setup_link.noted",
    ];
    assert_eq!(actions, all);
    assert_eq!(steps[0].1, format!("admin:{OPERATOR}"));
    assert!(steps[1..4].iter().all(|(_, actor)| *actor == by), "{steps:?}");
    let steps = events(&stage, "acme-new");
    for action in [
        "provider.draft",
        "provider.update",
        "provider.test",
        "provider.live",
    ] {
        assert!(
            steps.contains(&(action.into(), by.clone())),
            "{action}: {steps:?}"
        );
    }
    // Their own administrators read it, too.
    let mut admin = signed_in(&stage, ACME_ADMIN);
    let log = admin.open("/console/audit").await.expect(200);
    assert!(log.shows(&by), "{log:?}");
    assert!(!log.body.contains(&token) && !log.body.contains(NEW_SECRET));
}

#[actix_web::test]
async fn whoever_has_a_link_gets_no_further() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    stage.act(|conn| {
        let ctx = stage.broker.ctx("test", "test");
        forebay::actions::tenants::give_connection(conn, &ctx, "acme-okta", Some("acme")).unwrap();
    });
    let issuer = stage.globex.issuer();
    let fields = [("domain", issuer.as_str()), ("place", "tenant:globex")];
    let first = fill_page(&mut operator, "/console/connections/new", &fields).await;
    let form = Form::to(&first.body, "/console/connections/new");
    operator
        .submit(&form, &[("issuer", &issuer), ("name", "globex-new")])
        .await
        .expect(200);
    let (id, path) = link(&stage);
    let (mut browser, home) = begin(&stage, &path).await;
    let csrf = Form::to(&home.body, "/console/connect/leave").fields;
    draft(&stage, &mut browser, "acme-new").await;
    let pool = format!("/console/pools/{POOL}");
    for path in [
        "/console/users",
        "/console/traces",
        "/console/audit",
        "/console/account",
        "/console/administrators",
        "/console/webhooks",
        "/console/prove",
        "/console/clients",
        pool.as_str(),
        &format!("{pool}/tenants/acme"),
        &format!("{pool}/tenants/globex/domains"),
        &at(""),
        // What is live is changed by those who have an account, even where it is their own.
        "/console/connections/acme-okta",
        "/console/connections/acme-okta/credentials",
        "/console/connections/acme-okta/mapping",
        "/console/connections/globex-new",
        "/console/connections/globex-new/credentials",
        "/console/connections/acme-new/delete",
        "/console/connections/acme-new/secrets",
        "/console/connections/acme%00",
    ] {
        let answer = browser.open(path).await;
        assert_eq!(answer.status, 404, "GET {path}: {answer:?}");
    }
    for path in [
        "/console/connections/acme-okta/disable",
        "/console/connections/acme-okta/live",
        "/console/connections/acme-okta/credentials",
        "/console/connections/globex-new/issuer",
        "/console/connections/acme-new/delete",
        "/console/sign-out",
        &at(""),
        &at(&format!("/{id}/revoke")),
        "/console/webhooks",
    ] {
        let answer = browser.request("POST", path, &csrf).await;
        assert_eq!(answer.status, 404, "POST {path}: {answer:?}");
    }
    // The beginning of the console is theirs in another shape.
    for path in ["/console", "/console/connections"] {
        assert_eq!(browser.open(path).await.location(), HOME, "{path}");
    }
    // Domains are claimed by a link, and neither given up nor taken for proven.
    let domains = format!("{pool}/tenants/acme/domains");
    let page = browser.open(&domains).await.expect(200);
    let form = Form::to(&page.body, &domains);
    let page = browser
        .submit(&form, &[("domain", "acme-two.test")])
        .await
        .expect(200);
    assert!(
        page.shows("acme-two.test") && page.shows("not proven"),
        "{page:?}"
    );
    for action in ["assert", "remove", "subdomains"] {
        let path = format!("{domains}/acme-two.test/{action}");
        assert!(!page.body.contains(&path), "{page:?}");
        assert_eq!(browser.request("POST", &path, &csrf).await.status, 404, "{path}");
    }
    // A test is no override for them, and nobody else's address is called.
    register(&stage, "acme-new");
    enter_credentials(&mut browser, "acme-new", NEW_SECRET).await;
    let live = "/console/connections/acme-new/live";
    let mut form = Form::to(&browser.open(HOME).await.body, "/console/connect/leave");
    form.action = live.into();
    let page = browser.submit(&form, &[("untested", "on")]).await.expect(422);
    assert!(page.shows("no test sign-in has passed"), "{page:?}");
    let typed = [("domain", "https://login.evil.test")];
    let page = fill_page(&mut browser, "/console/connections/new", &typed)
        .await
        .expect(422);
    assert!(page.shows("which Okta does not operate"), "{page:?}");
    assert_eq!(connection(&stage, "acme-new").state(), State::Draft);
    // Without the form's token nothing is taken.
    let answer = browser.request("POST", live, &[]).await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[actix_web::test]
async fn a_link_ends_when_it_is_revoked_when_its_time_is_over_and_when_one_leaves() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let (id, path) = link(&stage);
    let (mut browser, home) = begin(&stage, &path).await;
    // Leaving ends the session and not the link.
    let leave = "/console/connect/leave";
    let page = browser
        .submit(&Form::to(&home.body, leave), &[])
        .await
        .expect(200);
    assert!(page.shows("You have left the set-up"), "{page:?}");
    let (mut browser, _) = begin(&stage, &path).await;
    browser.open(HOME).await.expect(200);

    let revoke = at(&format!("/{id}/revoke"));
    let page = fill(&mut operator, &at(""), &revoke, &[]).await;
    assert!(page.shows("Revoked.") && page.shows("revoked"), "{page:?}");
    let answer = browser.open(HOME).await;
    assert_eq!(answer.status, 303);
    assert!(answer.location().starts_with("/console/sign-in"), "{answer:?}");
    stage.get(&path).await.is_page(404, "not good any more");
    let csrf = Form::to(&operator.open(&at("")).await.body, &at("")).fields;
    let answer = operator.request("POST", &revoke, &csrf).await;
    assert_eq!(answer.status, 409, "once is enough: {answer:?}");

    let (_, path) = link(&stage);
    let mut late = stage.browser();
    let page = late.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    stage.clock.advance(7 * 86_400);
    let page = late.submit(&form, &[]).await;
    page.is_page(404, "not good any more");
    stage.get(&path).await.is_page(404, "not good any more");
    stage
        .get("/console/connect/never-was")
        .await
        .is_page(404, "not good any more");
}

#[actix_web::test]
async fn a_session_of_a_link_ends_when_nobody_works_in_it() {
    let stage = stage().await;
    let (_, path) = link(&stage);
    let (mut browser, _) = begin(&stage, &path).await;
    for _ in 0..3 {
        stage.clock.advance(29 * 60);
        browser.open(HOME).await.expect(200);
    }
    stage.clock.advance(31 * 60);
    assert_eq!(browser.open(HOME).await.status, 303);
    // The link is still good.
    begin(&stage, &path).await.1.expect(200);
}

#[actix_web::test]
async fn links_are_made_by_those_who_have_the_pool() {
    let stage = stage().await;
    let (id, _) = link(&stage);
    let revoke = at(&format!("/{id}/revoke"));
    let gets = [at("")];
    let posts = [at(""), revoke.clone(), at(&format!("/{id}/noted"))];
    let gets: Vec<&str> = gets.iter().map(String::as_str).collect();
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    are_not_found(&stage, &[ACME_ADMIN, OTHER_ADMIN, VIEWER], &gets, &posts).await;
    want_the_token(&stage, &posts).await;
    let mut operator = signed_in(&stage, OPERATOR);
    // A link is found under its own tenant alone.
    let elsewhere = revoke.replace("/acme/", "/globex/");
    let csrf = Form::to(&operator.open(&at("")).await.body, &at("")).fields;
    assert_eq!(operator.request("POST", &elsewhere, &csrf).await.status, 404);
    for days in ["0", "31", "", "a week"] {
        let page = fill(&mut operator, &at(""), &at(""), &[("days", days)]).await;
        assert_eq!(page.status, 422, "{days}: {page:?}");
        assert!(page.body.contains("days-error"), "{page:?}");
    }
    for _ in 1..setup_links::MOST_OPEN {
        link(&stage);
    }
    let page = fill(&mut operator, &at(""), &at(""), &[("days", "7")])
        .await
        .expect(422);
    assert!(page.shows("revoke one first"), "{page:?}");
    want_a_proof(&stage, &[], &[(&at(""), "days=7")]).await;
}
