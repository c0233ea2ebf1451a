//! "Only through Okta": refused or taken back wherever it would lock somebody out, and what it closes while it holds.

use forebay::actions::tenants;
use forebay::actions::webhooks::{self, NewWebhook};
use forebay::demo::{OPERATOR, POOL};
use forebay::jobs;
use forebay::model::client::Flow;
use forebay::model::enforcement::{self, Enforcement};
use forebay::model::provider::Canary;
use forebay::model::reach::Reach;
use forebay::model::user::{self, Identity};
use forebay::model::{provider, tenant_domain, webhook};

use super::rooms::{OTHER_ADMIN, VIEWER, are_not_found, want_the_token};
use super::sso::{come, engineers_administer_acme};
use crate::moves;
use crate::native::form::{enter, offer};
use crate::support::{Answer, Browser, Form, PASSWORD, Stage, assert_refused, claims, query_of};
use crate::token_in::{CONNECTION, WIDGET, connect};

const ADMIN: &str = "admin@acme.test";
const TEST: &str = "/console/connections/acme-okta/test-sign-in";

fn path() -> String {
    format!("/console/pools/{POOL}/tenants/acme/enforcement")
}

/// The tenants and administrators of the demo; `acme.test` is proven to be acme's.
async fn proven() -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let now = stage.broker.clock.now();
    stage.change_provider("acme-okta", |row| row.live_since = Some(now));
    stage
}

/// Makes a test sign-in from the console to its end.
async fn test(browser: &mut Browser<'_>) {
    let page = browser.open(TEST).await.expect(200);
    let onward = browser.submit(&Form::to(&page.body, TEST), &[]).await.expect(200);
    let href = crate::support::links(&onward.body)
        .into_iter()
        .find(|href| href.contains("/oauth2/v1/authorize"))
        .unwrap_or_else(|| panic!("no way to Okta: {onward:?}"));
    let page = browser.visit(&href).await;
    let back = if browser.at_organisation() {
        browser.enter(&page, "ada@acme.test").await
    } else {
        page
    };
    assert!(back.shows("Your test sign-in is back"), "{back:?}");
}

/// Sends the form as an administrator does who is shown the button, or who forged it away from the page.
async fn send(browser: &mut Browser<'_>, what: &str) -> Answer {
    let page = browser.open("/console").await.expect(200);
    let mut fields = Form::to(&page.body, "/console/sign-out").fields;
    fields.push(("do".into(), what.into()));
    fields.push(("connection".into(), "acme-okta".into()));
    browser.request("POST", &path(), &fields).await
}

fn stored(stage: &Stage) -> Option<Enforcement> {
    stage.act(|conn| enforcement::find(conn, "acme").unwrap())
}

#[track_caller]
fn refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.shows(why), "{why}: {answer:?}");
}

/// Switched on after a test, and not confirmed.
async fn enforced(stage: &Stage) -> Browser<'_> {
    let mut admin = stage.console(ADMIN);
    test(&mut admin).await;
    send(&mut admin, "enforce").await.expect(303);
    assert!(stored(stage).is_some());
    admin
}

#[actix_web::test]
async fn nothing_is_enforced_without_a_proven_domain() {
    let stage = proven().await;
    let mut admin = stage.console(ADMIN);
    test(&mut admin).await;
    stage.act(|conn| tenant_domain::delete(conn, "acme", "acme.test").unwrap());
    refused(&send(&mut admin, "enforce").await, "Prove an email domain first");
    assert_eq!(stored(&stage), None);
}

#[actix_web::test]
async fn nothing_is_enforced_without_a_fresh_test_of_one_s_own_on_this_configuration() {
    let stage = proven().await;
    let mut admin = stage.console(ADMIN);
    let untested = "Make a test sign-in yourself";
    refused(&send(&mut admin, "enforce").await, untested);
    // Somebody else's test is not one's own.
    let mut operator = stage.console(OPERATOR);
    test(&mut operator).await;
    refused(&send(&mut admin, "enforce").await, untested);
    test(&mut admin).await;
    // One that did not pass does not count, and does not undo the one that did.
    stage.change_provider("acme-okta", |row| {
        row.settings.scopes.push("offline_access".into())
    });
    refused(&send(&mut admin, "enforce").await, untested);
    stage.change_provider("acme-okta", |row| {
        row.settings.scopes.pop();
    });
    stage.clock.advance(30 * 60 + 1);
    let mut admin = stage.console(ADMIN);
    refused(&send(&mut admin, "enforce").await, untested);
    assert_eq!(stored(&stage), None);
    test(&mut admin).await;
    send(&mut admin, "enforce").await.expect(303);
    let again = send(&mut admin, "enforce").await;
    refused(&again, "switched on already");
}

#[actix_web::test]
async fn nothing_is_enforced_that_nobody_could_undo_without_okta() {
    let stage = proven().await;
    let mut admin = stage.console(ADMIN);
    test(&mut admin).await;
    stage.act(|conn| {
        use diesel::{ExpressionMethods, RunQueryDsl};
        use forebay::db::schema::administrators;
        diesel::update(administrators::table)
            .set(administrators::password_hash.eq(None::<String>))
            .execute(conn)
            .unwrap();
    });
    refused(&send(&mut admin, "enforce").await, "Give an administrator");
    assert_eq!(stored(&stage), None);
}

#[actix_web::test]
async fn nothing_is_enforced_on_a_secret_that_is_about_to_end_or_a_connection_that_nobody_is_offered() {
    let stage = proven().await;
    let mut admin = stage.console(ADMIN);
    test(&mut admin).await;
    let now = stage.broker.clock.now();
    stage.change_provider("acme-okta", |row| {
        row.secret_expires_at = Some(now.plus(13 * 86_400))
    });
    refused(&send(&mut admin, "enforce").await, "ends within 14 days");
    stage.change_provider("acme-okta", |row| {
        row.secret_expires_at = Some(now.plus(14 * 86_400))
    });
    let offered = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        stage.change_web_client(|settings| settings.providers.clone_from(&names));
        stage.change_spa_client(|settings| settings.providers = names);
    };
    offered(&["globex-okta"]);
    refused(&send(&mut admin, "enforce").await, "go live");
    offered(&["acme-okta", "globex-okta"]);
    stage.change_provider("acme-okta", |row| row.enabled = false);
    refused(&send(&mut admin, "enforce").await, "go live");
    stage.change_provider("acme-okta", |row| row.enabled = true);
    assert_eq!(stored(&stage), None);
    send(&mut admin, "enforce").await.expect(303);
}

/// A native user with an address at acme, at the web app's form.
async fn at_the_form(stage: &Stage) -> Answer {
    let mut browser = stage.browser();
    enter(&mut browser, &stage.authorize(&[]), "ann@acme.test", PASSWORD).await
}

#[actix_web::test]
async fn what_nobody_confirms_in_time_is_over() {
    let stage = proven().await;
    offer(&stage);
    stage.native_user("ann@acme.test", PASSWORD).await;
    let mut admin = enforced(&stage).await;
    at_the_form(&stage).await.is_page(403, "only_through_sso");
    // The session from before proves nothing, and neither does one by another way.
    refused(
        &send(&mut admin, "confirm").await,
        "Nobody has signed in through Okta",
    );
    stage.clock.advance(15 * 60 - 1);
    assert_eq!(jobs::revert_enforcement(&stage.broker).await.unwrap(), 0);
    at_the_form(&stage).await.is_page(403, "only_through_sso");
    stage.clock.advance(1);
    // Over at once, whether the job has been there or not.
    let back = at_the_form(&stage).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    let mut admin = stage.console(ADMIN);
    assert!(
        admin
            .open(&path())
            .await
            .shows("Every way in that an app offers is open")
    );
    assert_eq!(jobs::revert_enforcement(&stage.broker).await.unwrap(), 1);
    assert_eq!(jobs::revert_enforcement(&stage.broker).await.unwrap(), 0);
    assert_eq!(stored(&stage), None);
    refused(&send(&mut admin, "confirm").await, "There is nothing to confirm");
    let events = admin.open("/console/audit").await.expect(200);
    assert!(events.shows("tenant.enforce_revert"), "{events:?}");
}

#[actix_web::test]
async fn a_new_sign_in_through_okta_confirms_it_and_anybody_with_the_tenant_lifts_it() {
    let stage = proven().await;
    offer(&stage);
    stage.native_user("ann@acme.test", PASSWORD).await;
    let mut admin = stage.console(ADMIN);
    admin.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    test(&mut admin).await;
    send(&mut admin, "enforce").await.expect(303);
    let page = admin.open(&path()).await.expect(200);
    assert!(page.shows("1 of the 1 people"), "{page:?}");
    refused(
        &send(&mut admin, "confirm").await,
        "Nobody has signed in through Okta",
    );
    stage.clock.advance(60);
    // Somebody who comes by another organisation is no proof.
    let mut stray = stage.console(ADMIN);
    stray.sign_in("hank@globex.test", &stage.authorize(&[])).await;
    refused(
        &send(&mut stray, "confirm").await,
        "Nobody has signed in through Okta",
    );
    let renewed = stage.authorize(&[("prompt", "login"), ("identity_provider", "acme-okta")]);
    admin.sign_in("ada@acme.test", &renewed).await;
    send(&mut admin, "confirm").await.expect(303);
    stage.clock.advance(3_600);
    at_the_form(&stage).await.is_page(403, "only_through_sso");
    let mut admin = stage.console(ADMIN);
    send(&mut admin, "lift").await.expect(303);
    let back = at_the_form(&stage).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    refused(&send(&mut admin, "lift").await, "nothing is enforced");
}

#[actix_web::test]
async fn a_session_by_another_connection_of_the_tenant_confirms_nothing_unless_people_are_sent_there() {
    let stage = proven().await;
    let ctx = stage.ctx();
    stage.act(|conn| tenants::give_connection(conn, &ctx, "globex-okta", Some("acme")).unwrap());
    enforced(&stage).await;
    stage.clock.advance(60);
    let mut admin = stage.console(ADMIN);
    let authorize = stage.authorize(&[("identity_provider", "globex-okta")]);
    let back = admin.sign_in("hank@globex.test", &authorize).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    refused(
        &send(&mut admin, "confirm").await,
        "Nobody has signed in through Okta",
    );
    stage.change_provider("acme-okta", |row| {
        row.settings.canary = Some(provider::Canary {
            to: "globex-okta".into(),
            ..provider::Canary::default()
        })
    });
    send(&mut admin, "confirm").await.expect(303);
}

#[actix_web::test]
async fn what_has_been_changed_since_its_test_is_not_confirmed() {
    let stage = proven().await;
    let mut admin = enforced(&stage).await;
    stage.clock.advance(60);
    let renewed = stage.authorize(&[("prompt", "login"), ("identity_provider", "acme-okta")]);
    admin.sign_in("ada@acme.test", &renewed).await;
    stage.change_provider("acme-okta", |row| {
        row.settings.scopes.push("offline_access".into())
    });
    refused(&send(&mut admin, "confirm").await, "changed since it was tested");
    stage.change_provider("acme-okta", |row| {
        row.settings.scopes.pop();
    });
    // A later test wants a later sign-in.
    stage.clock.advance(60);
    test(&mut admin).await;
    refused(
        &send(&mut admin, "confirm").await,
        "Nobody has signed in through Okta",
    );
    stage.clock.advance(60);
    admin.sign_in("ada@acme.test", &renewed).await;
    send(&mut admin, "confirm").await.expect(303);
}

#[actix_web::test]
async fn a_session_of_the_console_through_the_connection_confirms_it() {
    let stage = proven().await;
    engineers_administer_acme(&stage).await;
    enforced(&stage).await;
    stage.clock.advance(60);
    let (mut admin, page) = come(&stage, "ada@acme.test").await;
    page.expect(200);
    // Without the session of the pool's apps that it went through.
    admin.forget_cookies("__Host-session-");
    send(&mut admin, "confirm").await.expect(303);
    assert!(stored(&stage).unwrap().confirmed_at.is_some());
}

#[actix_web::test]
async fn other_doors_close_for_the_domain_and_for_nobody_else() {
    let stage = proven().await;
    offer(&stage);
    stage.native_user("ann@acme.test", PASSWORD).await;
    stage.native_user("bob@elsewhere.test", PASSWORD).await;
    // Before: a session and tokens by a password, and somebody of acme who comes by another organisation.
    let mut by_password = stage.browser();
    let authorize = stage.authorize(&[]);
    let back = enter(&mut by_password, &authorize, "ann@acme.test", PASSWORD).await;
    let code = query_of(back.location(), "code").unwrap();
    let tokens = stage.exchange(&code, &[]).await.expect(200).json();
    stage.globex.change_person("hank@globex.test", |person| {
        person.email = "hank@acme.test".into()
    });
    enforced(&stage).await;

    let page = at_the_form(&stage).await;
    page.is_page(403, "only_through_sso");
    assert!(page.shows("everybody at acme.test signs in through"), "{page:?}");
    leads_to_okta(&stage, &page).await;
    let trace = stage.trace(&page.trace_code().unwrap());
    assert!(trace.story.remedy.contains("lift-enforcement"));
    let page = by_password.open(&authorize).await;
    page.is_page(403, "only_through_sso");
    leads_to_okta(&stage, &page).await;
    let silent = by_password.open(&stage.authorize(&[("prompt", "none")])).await;
    assert_eq!(
        query_of(silent.location(), "error").as_deref(),
        Some("access_denied")
    );
    stage.change_web_client(|settings| settings.flows.push(Flow::Implicit));
    let implicit = stage.authorize(&[
        ("response_type", "token"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ]);
    by_password.open(&implicit).await.is_page(403, "only_through_sso");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_refused(&stage.refresh(refresh).await, 400, "invalid_grant");
    // A wrong password learns nothing of all this: what is enforced is told to those alone whom it concerns.
    let mut stranger = stage.browser();
    let wrong = enter(&mut stranger, &authorize, "ann@acme.test", "Wrong-Horse-1").await;
    assert!(
        !wrong.shows("only_through_sso") && !wrong.shows("acme.test signs in"),
        "{wrong:?}"
    );

    let page = stage.browser().sign_in("hank@globex.test", &authorize).await;
    page.is_page(403, "only_through_sso");
    leads_to_okta(&stage, &page).await;
    stage.signed_in("ada@acme.test").await;
    let mut bob = stage.browser();
    let back = enter(&mut bob, &authorize, "bob@elsewhere.test", PASSWORD).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

#[actix_web::test]
async fn who_comes_by_the_connection_that_brought_them_is_let_in_whatever_is_linked_to_them() {
    let stage = proven().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = claims(tokens.id.as_deref().unwrap());
    let now = stage.ctx().now;
    stage.act(|conn| {
        let linked = Identity {
            provider_id: "globex-okta".into(),
            issuer: stage.globex.issuer(),
            subject: "00u1ada00000000globex".into(),
            user_sub: id["sub"].as_str().unwrap().into(),
            provider_name: "globex-okta".into(),
            is_primary: false,
            created_ms: 0,
        };
        assert!(user::insert_identity(conn, &linked).unwrap());
        let row = Enforcement {
            tenant_id: "globex".into(),
            user_pool_id: POOL.into(),
            provider_id: "globex-okta".into(),
            actor: "test".into(),
            since: now,
            confirm_by: now,
            confirmed_at: Some(now),
        };
        assert!(forebay::model::enforcement::insert(conn, &row).unwrap());
    });
    stage.signed_in("ada@acme.test").await;
    stage.refresh(&tokens.refresh.unwrap()).await.expect(200);
}

#[actix_web::test]
async fn it_is_not_confirmed_once_nobody_could_lift_it() {
    let stage = proven().await;
    let mut admin = enforced(&stage).await;
    stage.clock.advance(60);
    admin.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    stage.act(|conn| {
        use diesel::{ExpressionMethods, RunQueryDsl};
        use forebay::db::schema::administrators;
        diesel::update(administrators::table)
            .set(administrators::password_hash.eq(None::<String>))
            .execute(conn)
            .unwrap();
    });
    refused(&send(&mut admin, "confirm").await, "Nobody could lift it");
    let row = stored(&stage).unwrap();
    assert_eq!(row.confirmed_at, None);
}

#[actix_web::test]
async fn a_new_root_key_is_no_change_of_what_was_tested() {
    let stage = proven().await;
    let mut admin = enforced(&stage).await;
    let sealed = |stage: &Stage| {
        let found = stage.act(|conn| provider::find(conn, "acme-okta").unwrap());
        found.unwrap().client_secret_sealed
    };
    let before = sealed(&stage);
    // There and back, so that the stage's broker can go on.
    for keys in [[7, 42], [42, 7]] {
        let node = stage.with_root_keys(&keys);
        assert!(jobs::take_over(&node).await.unwrap() > 0);
        stage.clock.advance(3_600);
    }
    assert_ne!(sealed(&stage), before);
    stage.clock.advance(-7_200 + 60);
    stage.broker.forget();
    admin.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    send(&mut admin, "confirm").await.expect(303);
}

#[actix_web::test]
async fn a_door_closes_only_where_the_other_one_is_open() {
    let stage = proven().await;
    offer(&stage);
    stage.native_user("ann@acme.test", PASSWORD).await;
    enforced(&stage).await;
    at_the_form(&stage).await.is_page(403, "only_through_sso");
    let gets_in = async || {
        let back = at_the_form(&stage).await;
        query_of(back.header("location").unwrap_or("/"), "code").is_some()
    };
    // Switched off, deleted, or not offered any more: nobody is left outside.
    stage.change_provider("acme-okta", |row| row.enabled = false);
    assert!(gets_in().await);
    // A connection that takes tokens is no way in for a browser.
    connect(&stage, CONNECTION, WIDGET);
    let ctx = stage.ctx();
    stage.act(|conn| tenants::give_connection(conn, &ctx, CONNECTION, Some("acme")).unwrap());
    stage.change_web_client(|settings| settings.providers.push(CONNECTION.into()));
    assert!(gets_in().await);
    stage.change_provider("acme-okta", |row| row.enabled = true);
    assert!(!gets_in().await);
    stage.change_web_client(|settings| settings.providers.retain(|name| name != "acme-okta"));
    assert!(gets_in().await);
    stage.change_web_client(|settings| settings.providers.push("acme-okta".into()));
    assert!(!gets_in().await);
    stage.act(|conn| provider::delete(conn, "acme-okta").unwrap());
    assert!(gets_in().await);
    assert_eq!(stored(&stage), None);
}

#[actix_web::test]
async fn of_several_connections_the_page_leads_to_the_one_that_was_confirmed() {
    let stage = moves::stage().await;
    offer(&stage);
    stage.native_user("ann@acme.test", PASSWORD).await;
    stage.enforce("acme", moves::OLD);
    let leads_to = async || {
        let page = at_the_form(&stage).await;
        page.is_page(403, "only_through_sso");
        let mut hrefs = crate::support::links(&page.body).into_iter();
        hrefs.find_map(|href| query_of(&href, "identity_provider"))
    };
    // The other one comes first by name.
    assert_eq!(leads_to().await.as_deref(), Some(moves::OLD));
    // Or the one whose canary that is, for the app that has it under that name.
    let ctx = stage.ctx();
    stage.act(|conn| {
        tenants::give_connection(conn, &ctx, "globex-okta", Some("acme")).unwrap();
        let row = enforcement::find(conn, "acme").unwrap().unwrap();
        enforcement::delete(conn, "acme").unwrap();
        let provider_id = "globex-okta".to_owned();
        enforcement::insert(conn, &Enforcement { provider_id, ..row }).unwrap();
    });
    stage.change_web_client(|settings| settings.providers.retain(|name| name != "globex-okta"));
    assert_eq!(
        leads_to().await.as_deref(),
        Some(moves::NEW),
        "none that leads there"
    );
    stage.change_provider(moves::OLD, |row| {
        row.settings.canary = Some(Canary {
            to: "globex-okta".into(),
            ..Canary::default()
        })
    });
    assert_eq!(leads_to().await.as_deref(), Some(moves::OLD));
}

#[actix_web::test]
async fn the_page_is_the_tenant_s_and_its_pool_s() {
    let stage = super::rooms::stage().await;
    let path = path();
    are_not_found(&stage, &[OTHER_ADMIN, "admin@globex.test"], &[&path], &[&path]).await;
    are_not_found(&stage, &[VIEWER], &[], &[&path]).await;
    want_the_token(&stage, &[&path]).await;
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&path).await.expect(200);
    assert!(
        page.shows("Make a test sign-in yourself") && page.shows("To the test sign-in"),
        "{page:?}"
    );
    refused(&send(&mut admin, "nothing").await, "nothing that can be done");
}

/// The page has a button that begins a sign-in through the tenant's own connection, at whose end the app has its code.
async fn leads_to_okta(stage: &Stage, page: &Answer) {
    assert!(page.shows("Sign in through Okta SSO"), "{page:?}");
    let href = crate::support::links(&page.body)
        .into_iter()
        .find(|href| href.contains("identity_provider=acme-okta"))
        .unwrap_or_else(|| panic!("no way through Okta: {page:?}"));
    let mut browser = stage.browser();
    let okta = browser.visit(&href).await.expect(200);
    assert!(browser.at_organisation(), "{okta:?}");
    let back = browser.enter(&okta, "ada@acme.test").await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    assert_eq!(query_of(back.location(), "state").as_deref(), Some("st"));
}

/// What a webhook of the pool has been told, in order: type and tenant.
fn told(stage: &Stage, id: &str) -> Vec<(String, String)> {
    let mut deliveries = stage.act(|conn| webhook::deliveries(conn, id, 20).unwrap());
    deliveries.sort_by_key(|one| one.created_at);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    deliveries
        .iter()
        .map(|one| serde_json::from_str::<serde_json::Value>(&one.payload).unwrap())
        .map(|payload| (text(&payload["type"]), text(&payload["data"]["tenant"])))
        .collect()
}

#[actix_web::test]
async fn every_turn_is_told_by_webhook_and_on_the_overview() {
    let stage = proven().await;
    let ctx = stage.ctx();
    let hook = stage.act(|conn| {
        let new = NewWebhook {
            user_pool_id: POOL.into(),
            tenant_id: None,
            url: "https://hooks.example.com/forebay".parse().unwrap(),
        };
        webhooks::create(conn, &ctx, &Reach::everything(), new).unwrap().0
    });
    let overview = async |whose: &str| stage.console(whose).open("/console").await.expect(200);
    assert!(!overview(ADMIN).await.shows("through Okta only"));

    enforced(&stage).await;
    for whose in [ADMIN, OPERATOR] {
        let page = overview(whose).await;
        assert!(page.shows("unless somebody confirms it"), "{page:?}");
        assert!(page.body.contains(&path()), "{page:?}");
    }
    let page = overview("admin@globex.test").await;
    assert!(!page.shows("through Okta only"), "{page:?}");

    stage.clock.advance(15 * 60);
    let page = overview(ADMIN).await;
    assert!(
        page.shows("by itself: nobody confirmed in time"),
        "before the job, too: {page:?}"
    );
    assert_eq!(jobs::revert_enforcement(&stage.broker).await.unwrap(), 1);
    let page = overview(ADMIN).await;
    assert!(page.shows("by itself: nobody confirmed in time"), "{page:?}");

    stage.clock.advance(60);
    let mut admin = enforced(&stage).await;
    stage.clock.advance(60);
    let renewed = stage.authorize(&[("prompt", "login"), ("identity_provider", "acme-okta")]);
    admin.sign_in("ada@acme.test", &renewed).await;
    send(&mut admin, "confirm").await.expect(303);
    assert!(overview(ADMIN).await.shows("it is confirmed"));
    stage.clock.advance(60);
    send(&mut admin, "lift").await.expect(303);
    assert!(overview(ADMIN).await.shows("has its other ways in open again ("));

    let turns = ["on", "reverted", "on", "confirmed", "lifted"];
    let expected = turns.map(|turn| (format!("tenant.enforcement_{turn}"), "acme".to_owned()));
    let heard: Vec<_> = told(&stage, &hook.id)
        .into_iter()
        .filter(|(kind, _)| kind.starts_with("tenant."))
        .collect();
    assert_eq!(heard, expected);
    // It is news for a week.
    stage.clock.advance(7 * 86_400 + 60);
    assert!(!overview(ADMIN).await.shows("other ways in"));
}
