//! Administrators who come through a pool, by rules on its groups.

use forebay::actions::admins::{self, NewAdministrator, Scope, single_sign_on};
use forebay::actions::users;
use forebay::demo::{OPERATOR, POOL, WEB_CLIENT};
use forebay::model::administrator::Role;
use forebay::model::administrator_rule::{self, AdministratorRule};
use forebay::model::group::{self, BY_ADMIN, Membership};
use forebay::model::reach::Reach;
use forebay::model::{admin_session, administrator, client, user};
use forebay::web::console::door::COOKIE;

use super::connections::{first_link, press, test_sign_in};
use crate::support::{Answer, Browser, Form, NOW, OTHER_POOL, Stage};

const RULES: &str = "/console/administrators/rules";
const ADA: &str = "ada@acme.test";

async fn rule(browser: &mut Browser<'_>, group: &str, connection: &str, role: &str, scope: &str) -> Answer {
    let page = browser.open(RULES).await.expect(200);
    let form = Form::to(&page.body, RULES);
    let fill = [
        ("pool", POOL),
        ("group", group),
        ("connection", connection),
        ("role", role),
        ("scope", scope),
    ];
    browser.submit(&form, &fill).await
}

/// Through the pool's sign-in to the page after the callback.
pub(super) async fn come<'a>(stage: &'a Stage, login: &str) -> (Browser<'a>, Answer) {
    let mut browser = stage.browser();
    let answer = browser.sign_in(login, &format!("/console/sso?pool={POOL}")).await;
    (browser, answer)
}

fn groups(stage: &Stage, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    stage.acme.change_person(ADA, |person| person.groups = names);
}

/// The user's sub, once there is a user.
fn sub(stage: &Stage) -> String {
    stage.act(|conn| {
        let issuer = stage.acme.issuer();
        user::find_by_identity(conn, "acme-okta", &issuer, "00u1ada000000000acme")
            .unwrap()
            .expect("has signed in before")
            .sub
    })
}

fn give(stage: &Stage, name: &str) {
    let sub = sub(stage);
    stage.act(|conn| {
        let membership = Membership {
            user_sub: sub,
            user_pool_id: POOL.into(),
            group_name: name.into(),
            source: BY_ADMIN.into(),
            created_at: NOW,
        };
        assert!(group::join(conn, &membership).unwrap());
    });
}

/// Acme's engineers are its tenant's administrators; the operator who said so.
pub(super) async fn engineers_administer_acme(stage: &Stage) -> Browser<'_> {
    let mut operator = stage.console(OPERATOR);
    rule(
        &mut operator,
        "Engineering",
        "acme-okta",
        "tenant_admin",
        "tenant:acme",
    )
    .await
    .expect(200);
    operator
}

#[actix_web::test]
async fn a_group_of_the_tenants_okta_makes_that_tenants_administrators() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    stage.get("/console/sso?pool=none").await.expect(404);
    stage.get(&format!("/console/sso?pool={POOL}")).await.expect(404);
    rule(
        &mut operator,
        "Engineering",
        "acme-okta",
        "tenant_admin",
        "tenant:acme",
    )
    .await
    .expect(200);
    let sign_in = stage.get("/console/sign-in").await.expect(200);
    assert!(sign_in.shows("Sign in with Forebay demo"), "{sign_in:?}");

    let (mut browser, page) = come(&stage, ADA).await;
    let page = page.expect(200);
    assert!(
        page.shows("You are signed in") && page.body.contains("data-onward"),
        "{page:?}"
    );
    let cookie = page
        .all("set-cookie")
        .into_iter()
        .find(|line| line.starts_with(&format!("{COOKIE}=")))
        .unwrap();
    assert!(cookie.contains("SameSite=Strict"), "{cookie}");
    let account = browser.open("/console/account").await.expect(200);
    assert!(account.shows("Tenant administrator of Acme"), "{account:?}");
    assert!(
        !account.body.contains("/console/account/password"),
        "has no password here"
    );
    browser.open(RULES).await.expect(404);
    let others = browser.open("/console/administrators").await.expect(200);
    assert!(!others.shows("admin@globex.test") && !others.shows(OPERATOR));
    // No passkey past the pool.
    let form = Form::to(&account.body, "/console/sign-out");
    let mut forged = form.clone();
    forged.action = "/console/account/password".into();
    browser
        .submit(
            &forged,
            &[("present", ""), ("password", "a long enough password")],
        )
        .await
        .expect(404);

    // Who has the group no more is out with the next request, and so is who is disabled.
    let sub = sub(&stage);
    let source = group::by_provider("acme-okta");
    stage.act(|conn| assert!(group::leave(conn, &sub, "Engineering", &source).unwrap()));
    browser.open("/console").await.expect(303);
    groups(&stage, &["Everyone"]);
    let (_, page) = come(&stage, ADA).await;
    page.is_page(403, "none of your groups");
    groups(&stage, &["Engineering"]);
    let (mut browser, _) = come(&stage, ADA).await;
    browser.open("/console").await.expect(200);
    stage.act(|conn| {
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        row.enabled = false;
        user::update(conn, &row).unwrap();
    });
    browser.open("/console").await.expect(303);
}

#[actix_web::test]
async fn a_tenants_okta_makes_no_administrator_of_the_pool_by_naming_a_group() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    // The rule cannot be made on the tenant's word…
    let pool = format!("pool:{POOL}");
    for (role, scope) in [
        ("pool_admin", pool.as_str()),
        ("viewer", pool.as_str()),
        ("tenant_admin", "tenant:globex"),
    ] {
        let answer = rule(&mut operator, "operators", "acme-okta", role, scope)
            .await
            .expect(422);
        assert!(answer.shows("A tenant's own connection"), "{answer:?}");
    }
    // …and made on ours it does not count what the tenant says.
    rule(&mut operator, "operators", "", "pool_admin", &pool)
        .await
        .expect(200);
    groups(&stage, &["operators"]);
    let (mut browser, page) = come(&stage, ADA).await;
    page.is_page(403, "none of your groups");
    browser.open("/console").await.expect(303);
    assert_eq!(
        stage.act(|conn| administrator::find_by_user(conn, &sub(&stage)).unwrap()),
        None
    );
    // Nor when the person is in the group by us but vouched for by the tenant.
    give(&stage, "operators");
    let (_, page) = come(&stage, ADA).await;
    page.is_page(403, "none of your groups");
    // By the pool's own connection they are.
    stage.change_provider("acme-okta", |provider| provider.tenant_id = None);
    let (mut browser, page) = come(&stage, ADA).await;
    page.expect(200);
    browser.open(RULES).await.expect(200);
    // Which bites the moment the connection becomes the tenant's again.
    stage.change_provider("acme-okta", |provider| provider.tenant_id = Some("acme".into()));
    browser.open(RULES).await.expect(303);
}

#[actix_web::test]
async fn an_address_that_an_upstream_asserts_makes_nobody_an_administrator() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    stage
        .acme
        .change_person(ADA, |person| person.email = OPERATOR.into());
    let (mut browser, page) = come(&stage, ADA).await;
    page.expect(200);
    browser.open(RULES).await.expect(404);
    let who = stage.act(|conn| administrator::find_by_user(conn, &sub(&stage)).unwrap().unwrap());
    assert_ne!(who.email, OPERATOR);
    assert!(who.email.ends_with(&format!("@{POOL}")), "{}", who.email);
}

#[actix_web::test]
async fn the_callback_takes_only_the_answer_that_this_browser_waits_for() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    let start = format!("/console/sso?pool={POOL}");
    // The victim follows a link to the attacker's answer.
    let mut attacker = stage.browser();
    attacker.sign_in(ADA, &start).await.expect(200);
    let answer = attacker.url.to_string();
    let mut victim = stage.browser();
    victim
        .open(&answer)
        .await
        .is_page(403, "begun in another browser");
    victim.open(&start).await.expect(303);
    victim
        .open(&answer)
        .await
        .is_page(403, "belongs to another sign-in");
    // Nor twice, nor without a code.
    attacker.open(&answer).await.expect(403);
    let mut browser = stage.browser();
    let to = browser.open(&start).await.expect(303);
    let state = crate::support::query_of(to.location(), "state").unwrap();
    let issuer = stage.issuer();
    let answer =
        forebay::rules::params::encode([("error", "access_denied"), ("state", &state), ("iss", &issuer)]);
    browser
        .open(&format!("/console/sso/callback?{answer}"))
        .await
        .is_page(403, "refused or given up");
    // Too late.
    let mut slow = stage.browser();
    slow.open(&start).await.expect(303);
    stage.clock.advance(600);
    slow.open("/console/sso/callback?code=x&state=x")
        .await
        .is_page(403, "took too long");
}

#[actix_web::test]
async fn proving_goes_through_the_pool_again() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    let (mut browser, page) = come(&stage, ADA).await;
    page.expect(200);
    let before = browser
        .cookies()
        .into_iter()
        .find(|(name, _)| name == COOKIE)
        .unwrap()
        .1;
    stage.clock.advance(10 * 60);
    let invite = "/console/administrators/invite";
    let page = browser.visit(invite).await.expect(200);
    let again = crate::support::links(&page.body)
        .into_iter()
        .find(|href| href.starts_with("/console/sso"))
        .unwrap();
    let page = browser.sign_in(ADA, &again).await.expect(200);
    assert!(
        crate::support::links(&page.body).contains(&invite.to_owned()),
        "{page:?}"
    );
    browser.open(invite).await.expect(200);
    let mut old = stage.browser();
    old.set_cookie(COOKIE, &before);
    old.open("/console").await.expect(303);
}

#[actix_web::test]
async fn the_pools_app_client_of_the_console_is_nobodys_else_to_use() {
    let stage = Stage::new().await;
    let mut operator = engineers_administer_acme(&stage).await;
    rule(&mut operator, "Finance", "acme-okta", "viewer", "tenant:acme")
        .await
        .expect(200);
    let id = single_sign_on::client_id(POOL);
    let made = stage.act(|conn| client::find(conn, &id).unwrap().unwrap());
    assert_eq!(
        made.settings.redirect_uris,
        ["http://localhost:8080/console/sso/callback"]
    );
    assert!(!made.settings.public && made.settings.require_pkce);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("client_id", id.as_str()),
    ];
    let refused = stage.post("/oauth2/token", &[], &fields).await.expect(400);
    assert_eq!(refused.error(), "invalid_client");

    // A rule that goes takes its people with it.
    let (mut browser, _) = come(&stage, ADA).await;
    browser.open("/console").await.expect(200);
    let page = operator.open(RULES).await.expect(200);
    let delete = crate::support::links(&page.body)
        .into_iter()
        .find(|href| href.ends_with("/delete"))
        .unwrap();
    let page = operator.open(&delete).await.expect(200);
    operator
        .submit(&Form::to(&page.body, &delete), &[])
        .await
        .expect(200);
    browser.open("/console").await.expect(303);
}

#[actix_web::test]
async fn a_rule_gives_nothing_beyond_its_own_pool() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    let mut operator = engineers_administer_acme(&stage).await;
    let other = format!("pool:{OTHER_POOL}");
    for (role, scope) in [
        ("operator", "everything"),
        ("viewer", "everything"),
        ("pool_admin", other.as_str()),
        ("viewer", other.as_str()),
    ] {
        let answer = rule(&mut operator, "Engineering", "", role, scope)
            .await
            .expect(422);
        assert!(
            answer.shows("only give a role for that pool"),
            "{role} {scope}: {answer:?}"
        );
    }
    // One that was stored before that was asked counts for nothing.
    stage.change_provider("acme-okta", |provider| provider.tenant_id = None);
    for (id, role, pool) in [
        ("everything", Role::Operator, None),
        ("other", Role::PoolAdmin, Some(OTHER_POOL.to_owned())),
    ] {
        let stored = AdministratorRule {
            id: id.into(),
            user_pool_id: POOL.into(),
            group_name: "Engineering".into(),
            provider_id: Some("acme-okta".into()),
            role,
            scope_pool_id: pool,
            scope_tenant_id: None,
            created_at: NOW,
        };
        stage.act(|conn| administrator_rule::insert(conn, &stored).unwrap());
    }
    let (mut browser, page) = come(&stage, ADA).await;
    page.expect(200);
    let account = browser.open("/console/account").await.expect(200);
    assert!(account.shows("Tenant administrator of Acme"), "{account:?}");
    browser.open(RULES).await.expect(404);
    browser
        .open(&format!("/console/pools/{OTHER_POOL}"))
        .await
        .expect(404);
}

#[actix_web::test]
async fn a_sign_in_of_an_hour_ago_is_no_proof_from_just_now() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    let mut browser = stage.signed_in(ADA).await;
    stage.clock.advance(11 * 60);
    // Nobody is asked anything on the way: the pool knows the browser.
    browser
        .visit(&format!("/console/sso?pool={POOL}"))
        .await
        .expect(200);
    browser.open("/console").await.expect(200);
    let answer = browser.open("/console/administrators/invite").await.expect(303);
    assert!(answer.location().starts_with("/console/prove"), "{answer:?}");
}

#[actix_web::test]
async fn whoever_is_signed_out_everywhere_is_signed_out_of_the_console() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    let ctx = stage.ctx();
    let (mut browser, _) = come(&stage, ADA).await;
    browser.open("/console").await.expect(200);
    let sub = sub(&stage);
    let everything = Reach::everything();
    stage.act(|conn| users::sign_out_everywhere(conn, &ctx, &everything, &sub).unwrap());
    browser.open("/console").await.expect(303);
    // Nor does a session come back to life with the account.
    let (mut browser, _) = come(&stage, ADA).await;
    browser.open("/console").await.expect(200);
    stage.act(|conn| {
        users::disable(conn, &ctx, &everything, &sub).unwrap();
        users::enable(conn, &ctx, &everything, &sub).unwrap();
    });
    browser.open("/console").await.expect(303);
}

#[actix_web::test]
async fn a_pools_administrators_see_and_sign_out_those_who_come_through_it() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    engineers_administer_acme(&stage).await;
    let (mut browser, _) = come(&stage, ADA).await;
    let who = stage.act(|conn| administrator::find_by_user(conn, &sub(&stage)).unwrap().unwrap());
    let ctx = stage.ctx();
    for (email, pool) in [("own@forebay.test", POOL), ("other@forebay.test", OTHER_POOL)] {
        let new = NewAdministrator {
            email: email.into(),
            name: email.into(),
            password_hash: None,
            roles: vec![(Role::PoolAdmin, Scope::Pool(pool.into()))],
        };
        stage.act(|conn| admins::create(conn, &ctx, new).unwrap());
    }
    let path = format!("/console/administrators/{}", who.id);
    for stranger in ["other@forebay.test", "admin@acme.test"] {
        stage.console(stranger).open(&path).await.expect(404);
    }
    let mut own = stage.console("own@forebay.test");
    let list = own.open("/console/administrators").await.expect(200);
    assert!(list.shows(&who.email) && !list.shows(OPERATOR), "{list:?}");
    browser.open("/console").await.expect(200);
    let page = own.open(&path).await.expect(200);
    let form = Form::to(&page.body, &format!("{path}/sign-out"));
    own.submit(&form, &[]).await.expect(200);
    browser.open("/console").await.expect(303);
}

#[actix_web::test]
async fn who_comes_through_a_pool_tests_their_connections_for_as_long_as_the_session_lives() {
    let stage = Stage::new().await;
    engineers_administer_acme(&stage).await;
    let (mut browser, _) = come(&stage, ADA).await;
    let page = test_sign_in(&mut browser, "acme-okta", ADA).await.expect(200);
    assert!(page.shows("The test sign-in passed"), "{page:?}");

    let path = "/console/connections/acme-okta/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    stage.act(|conn| {
        let who = administrator::find_by_user(conn, &sub(&stage)).unwrap().unwrap();
        admin_session::delete_of(conn, &who.id, None).unwrap();
    });
    browser.visit(&first_link(&onward)).await.expect(404);
}

#[actix_web::test]
async fn the_console_is_none_of_the_apps_of_a_connection() {
    let stage = Stage::new().await;
    stage.change_spa_client(|settings| settings.providers.clear());
    let tile = "/start-login?connection=acme-okta";
    stage.get(tile).await.expect(302);
    let mut operator = engineers_administer_acme(&stage).await;
    // Its own client has all connections now, and the tile still leads to the app.
    let own = single_sign_on::client_id(POOL);
    let own = stage.act(|conn| client::find(conn, &own).unwrap().unwrap());
    assert!(own.settings.providers.contains(&"acme-okta".to_owned()));
    stage.get(tile).await.expect(302);
    let page = operator
        .open("/console/connections/acme-okta/okta")
        .await
        .expect(200);
    assert!(page.shows(tile) && !page.body.contains("client_id"), "{page:?}");
    // Nor is it one that a connection is given to when it goes live.
    stage.change_provider("globex-okta", |row| {
        row.enabled = false;
        row.live_since = None;
    });
    let live = "/console/connections/globex-okta/live";
    let page = operator.open(live).await.expect(200);
    let apps = Form::to(&page.body, live).fields;
    assert!(page.body.contains(WEB_CLIENT), "{page:?}");
    assert!(!page.body.contains(&own.id), "{apps:?}");
    stage.change_web_client(|settings| settings.providers.clear());
    stage.get(tile).await.is_page(400, "app_unknown");
}
