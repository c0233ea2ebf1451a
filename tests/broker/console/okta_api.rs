//! Okta's own API in the console (Rapticore 11-12): the switch, what was granted, the import of Okta's mapping as a draft,
//! and what becomes of the tokens that it needs.

use diesel::prelude::*;
use forebay::actions::admins::{self, Scope};
use forebay::actions::okta_api;
use forebay::db::schema::{audit_events, upstream_grants, upstream_tokens};
use forebay::demo::okta::Endpoint;
use forebay::jobs;
use forebay::model::administrator::{self, Rights, Role};
use forebay::model::mapping;
use forebay::model::provider::{self, ApiScope};
use forebay::model::upstream_token::{self, Tokens, UpstreamToken};
use futures_util::future::join_all;

use super::connections::{ACME_ADMIN, APP, GLOBEX_ADMIN, OPERATOR, connection, fill, test_sign_in};
use super::mapping::{EDITOR, editor, press};
use crate::support::{Answer, Browser, Form, Stage};

const SETTINGS: &str = "/console/connections/acme-okta/settings";
const OVERVIEW: &str = "/console/connections/acme-okta";
const ADA: &str = "ada@acme.test";

/// All four scopes, and a refresh token where `offline`.
fn switch_on(stage: &Stage, offline: bool) {
    stage.change_provider("acme-okta", |row| {
        row.settings.okta_api = ApiScope::ALL.to_vec();
        if offline {
            row.settings.scopes.push("offline_access".into());
        }
    });
}

/// Sends the settings with these scopes ticked.
async fn choose(browser: &mut Browser<'_>, scopes: &[ApiScope]) -> Answer {
    let page = browser.open(SETTINGS).await.expect(200);
    let mut form = Form::to(&page.body, SETTINGS);
    form.fields.retain(|(name, _)| name != "okta_api");
    let ticked = scopes
        .iter()
        .map(|scope| ("okta_api".to_owned(), scope.to_string()));
    form.fields.extend(ticked);
    browser.submit(&form, &[]).await
}

async fn import(browser: &mut Browser<'_>) -> Answer {
    let page = browser.open(EDITOR).await.expect(200);
    press(browser, &editor(&page), "import").await.expect(200)
}

/// The stored token of this administrator.
fn stored(stage: &Stage, email: &str) -> Option<UpstreamToken> {
    stage.act(|conn| {
        let found = administrator::find_by_email(conn, email).unwrap().unwrap();
        upstream_token::find(conn, "acme-okta", &found.id, stage.ctx().now).unwrap()
    })
}

fn opened(stage: &Stage, row: &UpstreamToken) -> Option<Tokens> {
    let provider = stage.act(|conn| provider::find(conn, "acme-okta").unwrap().unwrap());
    okta_api::open(&stage.ctx(), &provider, row).ok()
}

fn rows(stage: &Stage) -> (i64, i64) {
    stage.act(|conn| {
        (
            upstream_tokens::table.count().get_result(conn).unwrap(),
            upstream_grants::table.count().get_result(conn).unwrap(),
        )
    })
}

fn refreshes(stage: &Stage) -> usize {
    let seen = stage.acme.requests();
    seen.iter()
        .filter(|seen| Endpoint::of(&seen.path) == Some(Endpoint::Token))
        .filter(|seen| seen.form("grant_type") == Some("refresh_token"))
        .count()
}

#[actix_web::test]
async fn the_switch_is_for_the_org_authorization_server_only() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME_ADMIN);
    let page = choose(&mut admin, &[ApiScope::UsersReadSelf]).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(
        connection(&stage, "acme-okta").settings.okta_api,
        [ApiScope::UsersReadSelf]
    );
    assert!(
        page.shows("checked") && page.shows("okta.users.read.self"),
        "{page:?}"
    );
    choose(&mut admin, &[]).await.expect(200);
    assert!(connection(&stage, "acme-okta").settings.okta_api.is_empty());

    let issuer = stage.acme.default_issuer();
    stage.change_provider("acme-okta", |row| row.issuer = issuer.clone());
    let page = choose(&mut admin, &[ApiScope::UsersReadSelf]).await.expect(422);
    assert!(
        page.shows("org authorization server only") && page.shows("custom authorization server"),
        "{page:?}"
    );
    assert!(connection(&stage, "acme-okta").settings.okta_api.is_empty());
}

#[actix_web::test]
async fn the_connections_page_shows_what_is_granted_of_what_is_asked_for() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME_ADMIN);
    assert!(!admin.open(OVERVIEW).await.expect(200).shows("Okta's own API"));
    switch_on(&stage, false);
    let page = admin.open(OVERVIEW).await.expect(200);
    assert!(page.shows("the next sign-in tells what is granted"), "{page:?}");
    stage.acme.change_app(APP, |app| {
        app.narrows_api_scopes = true;
        app.api_scopes
            .retain(|scope| scope != "okta.profileMappings.read");
    });
    stage.signed_in(ADA).await;
    let page = admin.open(OVERVIEW).await.expect(200);
    let told = super::mapping::text(&page.body);
    assert!(told.contains("okta.users.read.self granted"), "{told}");
    assert!(told.contains("okta.profileMappings.read not granted"), "{told}");
}

#[actix_web::test]
async fn the_editor_offers_oktas_names_before_and_after_they_came() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME_ADMIN);
    assert!(!admin.open(EDITOR).await.expect(200).shows("okta_profile."));
    stage.change_provider("acme-okta", |row| {
        row.settings.okta_api = vec![ApiScope::UsersReadSelf];
    });
    let page = admin.open(EDITOR).await.expect(200);
    assert!(page.shows("okta_profile.employeeNumber"), "{page:?}");
    stage.acme.change_person(ADA, |person| {
        drop(person.profile.insert("shoeSize".into(), "38".into()))
    });
    stage.signed_in(ADA).await;
    let page = admin.open(EDITOR).await.expect(200);
    assert!(
        page.shows("map:okta_profile.shoeSize"),
        "an attribute of their own: {page:?}"
    );
}

#[actix_web::test]
async fn oktas_own_mapping_becomes_a_draft_that_somebody_saves() {
    let stage = Stage::new().await;
    switch_on(&stage, false);
    let mut admin = stage.console(ACME_ADMIN);
    let before = stage.act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap());
    test_sign_in(&mut admin, "acme-okta", ADA).await.expect(200);
    let page = import(&mut admin).await;
    let told = super::mapping::text(&page.body);
    for line in [
        "custom:department from okta_profile.department",
        "given_name from okta_profile.firstName",
        "name from claims.okta_profile.firstName + \" \" + claims.okta_profile.lastName",
        "String.substringBefore(user.email, \"@\")",
        "not taken over this expression is not translated: write a rule for it",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let after = stage.act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap());
    assert_eq!(after, before, "nothing is saved by it");
    // By type of user and app, as those scopes allow.
    let asked = stage.acme.requests();
    let list = asked.iter().find(|seen| seen.path == "/api/v1/mappings").unwrap();
    assert_eq!(list.query("targetId"), Some(APP));
    assert!(list.query("sourceId").unwrap().starts_with("oty"));

    let saved = press(&mut admin, &editor(&page), "save").await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let after = stage.act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap());
    assert_eq!(after.version, before.version + 1);
    let source = |name: &str| {
        let rule = after.rules.attributes.iter().find(|rule| rule.attribute == name);
        rule.map(|rule| rule.source.to_string()).unwrap_or_default()
    };
    assert_eq!(source("given_name"), "okta_profile.firstName");
    assert_eq!(source("custom:department"), "okta_profile.department");
    let id = crate::upstream::signs_in(&stage, ADA).await;
    assert_eq!(id["name"], "Ada Lovelace");
}

#[actix_web::test]
async fn whoever_imports_comes_as_themselves() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME_ADMIN);
    let page = admin.open(EDITOR).await.expect(200);
    assert!(!page.shows("Import Okta's own mapping"), "{page:?}");
    let refused = press(&mut admin, &editor(&page), "import").await.expect(200);
    assert!(
        refused.shows("does not ask Okta for okta.profileMappings.read"),
        "{refused:?}"
    );

    switch_on(&stage, false);
    let mut operator = stage.console(OPERATOR);
    test_sign_in(&mut operator, "acme-okta", ADA).await.expect(200);
    let page = import(&mut admin).await;
    assert!(
        page.shows("make a test sign-in as an administrator of Okta"),
        "another's token: {page:?}"
    );
    test_sign_in(&mut admin, "acme-okta", "grace@acme.test")
        .await
        .expect(200);
    let page = import(&mut admin).await;
    assert!(page.shows("somebody who is an administrator in Okta"), "{page:?}");
    assert!(page.shows("403 E0000006"), "{page:?}");
    let page = import(&mut operator).await;
    assert!(page.shows("given_name from okta_profile.firstName"), "{page:?}");

    let mut form = editor(&page);
    let mut stranger = stage.console(GLOBEX_ADMIN);
    let own = stranger
        .open("/console/connections/globex-okta/mapping")
        .await
        .expect(200);
    let token = Form::to(&own.body, "/console/connections/globex-okta/mapping");
    let csrf = token.fields.into_iter().find(|(name, _)| name == "csrf").unwrap();
    form.fields.retain(|(name, _)| name != "csrf");
    form.fields.push(csrf);
    press(&mut stranger, &form, "import").await.expect(404);
}

#[actix_web::test]
async fn the_token_is_sealed_for_its_row_and_gone_with_the_switch() {
    let stage = Stage::new().await;
    switch_on(&stage, true);
    let mut admin = stage.console(ACME_ADMIN);
    stage.signed_in("grace@acme.test").await;
    assert_eq!(rows(&stage), (0, 1), "nobody's token is kept but a tester's");
    test_sign_in(&mut admin, "acme-okta", ADA).await.expect(200);
    let row = stored(&stage, ACME_ADMIN).unwrap();
    let tokens = opened(&stage, &row).unwrap();
    let refresh_token = tokens.refresh_token.unwrap();
    for secret in [&tokens.access_token, &refresh_token] {
        let held = row
            .sealed
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!held, "in clear");
    }
    let elsewhere = UpstreamToken {
        administrator_id: "somebody-else".into(),
        ..row
    };
    assert!(opened(&stage, &elsewhere).is_none(), "sealed for another row");

    choose(&mut admin, &[ApiScope::UsersReadSelf]).await.expect(200);
    assert_eq!(rows(&stage), (0, 0), "given for more than is asked for now");
    let told: String = stage.act(|conn| {
        audit_events::table
            .filter(audit_events::action.eq("provider.update"))
            .order(audit_events::id.desc())
            .select(audit_events::difference)
            .first(conn)
            .unwrap()
    });
    assert!(told.contains(r#""upstream_tokens":"forgotten""#), "{told}");
    assert!(!told.contains(&tokens.access_token) && !told.contains(&refresh_token));
}

#[actix_web::test]
async fn one_flight_refreshes_for_all_who_wait() {
    let stage = Stage::new().await;
    switch_on(&stage, true);
    stage.acme.change_app(APP, |app| app.rotate_refresh_tokens = true);
    test_sign_in(&mut stage.console(ACME_ADMIN), "acme-okta", ADA)
        .await
        .expect(200);
    import(&mut stage.console(ACME_ADMIN)).await;
    assert_eq!(refreshes(&stage), 0, "as long as it is good");
    for round in 1..=2 {
        stage.clock.advance(3_601);
        let mut browsers: Vec<_> = (0..8).map(|_| stage.console(ACME_ADMIN)).collect();
        let pages = join_all(browsers.iter_mut().map(import)).await;
        for page in pages {
            assert!(page.shows("given_name from okta_profile.firstName"), "{page:?}");
        }
        assert_eq!(
            refreshes(&stage),
            round,
            "one for eight, each time with the newest"
        );
    }
}

#[actix_web::test]
async fn what_okta_takes_back_is_forgotten_and_said() {
    let stage = Stage::new().await;
    switch_on(&stage, true);
    let mut admin = stage.console(ACME_ADMIN);
    test_sign_in(&mut admin, "acme-okta", ADA).await.expect(200);
    stage
        .acme
        .change_app(APP, |app| app.assigned.retain(|login| login != ADA));
    stage.clock.advance(3_601);
    let page = import(&mut stage.console(ACME_ADMIN)).await;
    assert!(page.shows("make another one, and import again"), "{page:?}");
    assert_eq!(rows(&stage).0, 0);
}

#[actix_web::test]
async fn tokens_end_by_themselves_and_with_their_administrator() {
    let stage = Stage::new().await;
    switch_on(&stage, false);
    test_sign_in(&mut stage.console(ACME_ADMIN), "acme-okta", ADA)
        .await
        .expect(200);
    assert_eq!(rows(&stage).0, 1);
    stage.clock.advance(3_601);
    let page = import(&mut stage.console(ACME_ADMIN)).await;
    assert!(
        page.shows("there is none any more"),
        "without offline_access an hour is all: {page:?}"
    );
    jobs::clean_up(&stage.broker).await.unwrap();
    assert_eq!(rows(&stage).0, 0);

    for what in ["other roles", "switched off", "deleted"] {
        test_sign_in(&mut stage.console(ACME_ADMIN), "acme-okta", ADA)
            .await
            .expect(200);
        assert_eq!(rows(&stage).0, 1);
        let ctx = stage.ctx();
        stage.act(|conn| {
            let id = administrator::find_by_email(conn, ACME_ADMIN)
                .unwrap()
                .unwrap()
                .id;
            let all = Rights::everything();
            match what {
                "other roles" => {
                    let roles = [(Role::TenantAdmin, Scope::Tenant("acme".into()))];
                    admins::set_roles(conn, &ctx, &all, &id, &roles).unwrap();
                }
                "switched off" => {
                    admins::set_enabled(conn, &ctx, &all, &id, false).unwrap();
                    admins::set_enabled(conn, &ctx, &all, &id, true).unwrap();
                }
                _ => admins::delete(conn, &ctx, &all, &id).unwrap(),
            }
        });
        assert_eq!(rows(&stage).0, 0, "{what}");
    }
}

#[actix_web::test]
async fn a_test_says_what_is_missing_where_sign_ins_do_without() {
    let stage = Stage::new().await;
    switch_on(&stage, false);
    stage.acme.change_app(APP, |app| app.api_scopes.clear());
    let mut admin = stage.console(ACME_ADMIN);
    let page = test_sign_in(&mut admin, "acme-okta", ADA).await.expect(200);
    assert!(
        page.shows("must be granted on the app's Okta API Scopes tab"),
        "{page:?}"
    );
    stage.signed_in(ADA).await;
    let saved = fill(&mut admin, SETTINGS, &[("label", "Okta")]).await;
    assert_eq!(saved.status, 200, "other settings are saved as ever: {saved:?}");
}
