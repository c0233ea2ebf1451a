//! The test sign-in: what it shows, that it writes nothing, that only the administrator who made it sees it, and that
//! each thing that is wrong at the organisation is told with its remedy.

use actix_web::test::TestRequest;
use diesel::prelude::*;
use forebay::db::schema;
use forebay::demo::okta::{AuthorizeFault, Faults, IdTokenFault, UserinfoFault};
use forebay::model::mapping::{self, Absent, Mapping};
use forebay::model::provider::State;
use forebay::rules::mapping::parse;

use super::{
    ACME_ADMIN, APP, GLOBEX_ADMIN, OPERATOR, connection, first_link, offer_only, press, test_sign_in,
};
use crate::support::{Answer, NOW, Stage, query_of};

macro_rules! rows {
    ($conn:expr, $($table:ident),*) => {
        vec![$((stringify!($table), schema::$table::table.count().get_result::<i64>($conn).unwrap())),*]
    };
}

/// What a real sign-in would add to.
fn rows(stage: &Stage) -> Vec<(&'static str, i64)> {
    stage.act(|conn| {
        rows!(
            conn,
            users,
            identities,
            memberships,
            user_groups,
            sessions,
            authorization_codes,
            token_families,
            refresh_tokens,
            mapper_inputs,
            login_traces
        )
    })
}

#[actix_web::test]
async fn it_shows_claims_user_and_tokens_and_writes_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let before = rows(&stage);
    let page = test_sign_in(&mut browser, "acme-okta", "ada@acme.test")
        .await
        .expect(200);
    assert!(page.shows("The test sign-in passed"), "{page:?}");
    for shown in [
        "A new user would be made",
        "ada@acme.test",
        "preferred_username",
        "custom:department",
        "cognito:username",
        "Sample web app",
        "token_use",
        "id_token.signature",
    ] {
        assert!(page.shows(shown), "{shown}: {page:?}");
    }
    assert!(!page.shows("Sample machine"));
    assert_eq!(rows(&stage), before);
    assert!(browser.cookie("__Host-session").is_none(), "nobody is signed in");
    assert!(
        browser.cookie("__Host-test").is_none(),
        "the test's cookie is gone"
    );
    assert_eq!(connection(&stage, "acme-okta").tested_at, Some(NOW));
}

#[actix_web::test]
async fn a_known_user_is_recognised_and_left_alone() {
    let stage = Stage::new().await;
    stage.signed_in("ada@acme.test").await;
    stage
        .acme
        .change_person("ada@acme.test", |person| person.family_name = "Byron".into());
    let before = rows(&stage);
    let mut browser = stage.console(ACME_ADMIN);
    let page = test_sign_in(&mut browser, "acme-okta", "ada@acme.test")
        .await
        .expect(200);
    assert!(page.shows("A known user would sign in"), "{page:?}");
    assert!(
        page.shows("Byron") && page.shows("Lovelace") && page.shows("written"),
        "{page:?}"
    );
    assert_eq!(rows(&stage), before);
}

#[actix_web::test]
async fn a_connection_that_is_switched_off_can_be_tested() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.enabled = false);
    let mut browser = stage.console(ACME_ADMIN);
    let page = test_sign_in(&mut browser, "acme-okta", "ada@acme.test")
        .await
        .expect(200);
    assert!(page.shows("The test sign-in passed"), "{page:?}");
    assert_eq!(connection(&stage, "acme-okta").state(), State::Disabled);
}

#[actix_web::test]
async fn the_result_is_the_administrators_own_for_ten_minutes() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    test_sign_in(&mut browser, "acme-okta", "ada@acme.test")
        .await
        .expect(200);
    let result = browser.url.path().to_owned();
    // Not another administrator's, not another session's of the same one, not under another connection's name.
    for email in [GLOBEX_ADMIN, OPERATOR, ACME_ADMIN] {
        stage.console(email).open(&result).await.expect(404);
    }
    let mut operator = stage.console(OPERATOR);
    test_sign_in(&mut operator, "acme-okta", "ada@acme.test")
        .await
        .expect(200);
    let moved = operator.url.path().replace("acme-okta", "globex-okta");
    operator.open(&moved).await.expect(404);
    stage.clock.advance(599);
    browser.open(&result).await.expect(200);
    stage.clock.advance(2);
    browser.open(&result).await.expect(404);
}

#[actix_web::test]
async fn everything_that_is_wrong_is_told_with_its_remedy() {
    type Break = fn(&Stage);
    let wrong: [(&str, &str, &str, Break); 8] = [
        ("CLIENT_AUTH_FAILED", "secret", "ada@acme.test", |stage| {
            stage
                .acme
                .change_app(APP, |app| app.secrets = vec!["another-secret-000000001".into()]);
        }),
        ("user_not_assigned", "ssign", "linus@acme.test", |_| {}),
        ("policy_denied", "policy", "ada@acme.test", |stage| {
            stage
                .acme
                .set_faults(|faults| faults.authorize = vec![AuthorizeFault::PolicyFailed]);
        }),
        ("AUDIENCE_MISMATCH", "lient", "ada@acme.test", |stage| {
            stage.acme.set_faults(|faults| {
                faults.id_token = vec![IdTokenFault::Set(claims(r#"{"aud": "someone-else"}"#))]
            });
        }),
        ("NONCE_MISMATCH", "", "ada@acme.test", |stage| {
            stage.acme.set_faults(|faults| {
                faults.id_token = vec![IdTokenFault::Set(claims(r#"{"nonce": "another"}"#))]
            });
        }),
        ("USERINFO_SUBJECT_MISMATCH", "", "ada@acme.test", |stage| {
            stage
                .acme
                .set_faults(|faults| faults.userinfo = vec![UserinfoFault::SomeoneElse]);
        }),
        ("RESPONSE_MALFORMED", "", "ada@acme.test", |stage| {
            stage
                .acme
                .set_faults(|faults| faults.authorize = vec![AuthorizeFault::CodeMissing]);
        }),
        ("claim_required", "ake Okta send", "ada@acme.test", |stage| {
            let mut rules = stage
                .act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap())
                .rules
                .0;
            let mut rule = parse::rule("custom:department=no_such_claim").unwrap();
            rule.absent = Absent::Refuse;
            rules
                .attributes
                .retain(|rule| rule.attribute != "custom:department");
            rules.attributes.push(rule);
            stage.act(|conn| {
                let version = Mapping {
                    provider_id: "acme-okta".into(),
                    version: 2,
                    rules: forebay::db::Json(rules),
                    author: "test".into(),
                    note: String::new(),
                    created_at: NOW,
                };
                assert!(mapping::insert(conn, &version).unwrap());
            });
        }),
    ];
    for (cause, remedy, person, breaks) in wrong {
        let stage = Stage::new().await;
        breaks(&stage);
        let before = rows(&stage);
        let mut browser = stage.console(ACME_ADMIN);
        let page = test_sign_in(&mut browser, "acme-okta", person).await.expect(200);
        assert!(page.shows("did not pass"), "{cause}: {page:?}");
        assert!(page.shows(cause) && page.shows(remedy), "{cause}: {page:?}");
        assert_eq!(rows(&stage), before, "{cause}");
        assert_eq!(connection(&stage, "acme-okta").tested_at, None, "{cause}");
    }
}

#[actix_web::test]
async fn an_unregistered_redirect_uri_ends_at_the_organisation() {
    let stage = Stage::new().await;
    stage.acme.change_app(APP, |app| app.redirect_uris.clear());
    let mut browser = stage.console(ACME_ADMIN);
    let page = test_sign_in(&mut browser, "acme-okta", "ada@acme.test").await;
    // There is no way back from there; the check names it.
    assert!(browser.at_organisation() && page.status == 400, "{page:?}");
    let path = "/console/connections/acme-okta/check";
    let checked = press(&mut browser, path, path).await.expect(200);
    assert!(checked.shows("REDIRECT_URI_NOT_ALLOWED"), "{checked:?}");
}

#[actix_web::test]
async fn an_upstream_that_does_not_answer_is_told_before_anybody_leaves() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.discovery = vec![forebay::demo::okta::MetadataFault::IssuerTrailingSlash];
    });
    let mut browser = stage.console(ACME_ADMIN);
    let page = test_sign_in(&mut browser, "acme-okta", "ada@acme.test")
        .await
        .expect(422);
    assert!(page.shows("ISSUER_MISMATCH"), "{page:?}");
}

#[actix_web::test]
async fn a_test_is_no_sign_in_and_a_sign_in_no_test() {
    let stage = Stage::new().await;
    offer_only(&stage, "acme-okta");
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    let url = first_link(&onward);
    let state = query_of(&url, "state").unwrap();
    let (name, value) = browser.cookie("__Host-test-login-").unwrap();
    assert_eq!(name, format!("__Host-test-login-{state}"));
    // Under the name of a login it is none: no app hears of it.
    let mut other = stage.browser();
    other.set_cookie(&format!("__Host-login-{state}"), &value);
    let callback = format!("/oauth2/idpresponse/acme-okta?code=c&state={state}");
    let page = other.open(&callback).await;
    page.is_page(403, "login_unknown");
    // A login's under the name of a test is no test.
    let mut person = stage.browser();
    person
        .to_sign_in_page("ada@acme.test", &stage.authorize(&[]))
        .await;
    let (login, value) = person.cookie("__Host-login-").unwrap();
    let state = login.trim_start_matches("__Host-login-").to_owned();
    let mut other = stage.browser();
    other.set_cookie(&format!("__Host-test-login-{state}"), &value);
    let callback = format!("/oauth2/idpresponse/acme-okta?code=c&state={state}");
    other.open(&callback).await.is_page(403, "login_unknown");
}

#[actix_web::test]
async fn the_callback_of_another_connection_is_refused_before_the_code_goes_anywhere() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    let state = query_of(&first_link(&onward), "state").unwrap();
    stage.acme.forget_requests();
    let callback = format!("/oauth2/idpresponse/globex-okta?code=stolen&state={state}");
    let back = browser.open(&callback).await.expect(200);
    let result = browser.open(&first_link(&back)).await.expect(200);
    assert!(result.shows("did not pass"), "{result:?}");
    let asked: Vec<_> = stage
        .acme
        .requests()
        .into_iter()
        .chain(stage.globex.requests())
        .collect();
    assert!(
        asked.iter().all(|seen| !seen.path.ends_with("/token")),
        "{asked:?}"
    );
}

#[actix_web::test]
async fn a_callback_that_comes_twice_spends_nothing_twice() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    let cookie = browser.cookie("__Host-test-login-").unwrap();
    let page = browser.visit(&first_link(&onward)).await;
    let callback = browser.enter_only(&page, "ada@acme.test").await;
    let callback = callback.location().to_owned();
    browser.open(&callback).await.expect(200);
    browser.set_cookie(&cookie.0, &cookie.1);
    let again: Answer = browser.open(&callback).await.expect(200);
    let exchanges = stage.acme.requests();
    let exchanges = exchanges.iter().filter(|seen| seen.path.ends_with("/token"));
    assert_eq!(exchanges.count(), 1);
    let result = browser.open(&first_link(&again)).await.expect(200);
    assert!(result.shows("The test sign-in passed"), "{result:?}");
}

#[actix_web::test]
async fn an_administrator_who_lost_the_reach_meanwhile_tests_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/test-sign-in";
    let onward = press(&mut browser, path, path).await.expect(200);
    let page = browser.visit(&first_link(&onward)).await;
    stage.act(|conn| {
        diesel::delete(schema::administrator_roles::table)
            .filter(schema::administrator_roles::tenant_id.eq("acme"))
            .execute(conn)
            .unwrap()
    });
    browser.enter(&page, "ada@acme.test").await.expect(404);
    assert_eq!(connection(&stage, "acme-okta").tested_at, None);
}

#[actix_web::test]
async fn a_form_without_its_token_tests_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    for path in [
        "test-sign-in",
        "check",
        "live",
        "disable",
        "enable",
        "secrets",
        "settings",
        "delete",
    ] {
        let path = format!("/console/connections/acme-okta/{path}");
        let answer = browser
            .request("POST", &path, &[("csrf".into(), "wrong".into())])
            .await;
        assert_eq!(answer.status, 403, "{path}");
        let answer = stage
            .send(TestRequest::post().uri(&path).set_form([("a", "b")]))
            .await;
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
    }
    assert_eq!(stage.acme.requests().len(), 0);
    assert_eq!(stage.acme.faults(), Faults::default());
}

fn claims(json: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(json).unwrap()
}
