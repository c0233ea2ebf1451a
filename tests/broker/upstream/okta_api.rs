//! Okta's own API at sign-in (Rapticore 11): what was not brought is filled from the person's profile, what was is left
//! alone, and nothing that goes wrong there keeps anybody out.

use std::time::Duration;

use forebay::actions::mappings::{self, Save};
use forebay::demo::okta::{AuthorizeFault, Endpoint, Transport, Trouble, UserinfoFault};
use forebay::model::mapping::{self, Rule, Source};
use forebay::model::provider::ApiScope;
use forebay::model::trace::{Step, Trace};
use forebay::model::upstream_grant;
use serde_json::{Value, json};

use super::{attempt, failing, refused, signed_in, signs_in};
use crate::support::Stage;

const APP: &str = "0oa1forebayacme00000";
pub const SELF: &[ApiScope] = &[ApiScope::UsersReadSelf];

pub fn switch_on(stage: &Stage, scopes: &[ApiScope]) {
    stage.change_provider("acme-okta", |row| row.settings.okta_api = scopes.to_vec());
}

/// Userinfo without these.
pub fn withhold(stage: &Stage, names: &[&str]) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    stage
        .acme
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::Remove(names)]);
}

fn calls(stage: &Stage) -> usize {
    let seen = stage.acme.requests();
    seen.iter()
        .filter(|seen| seen.path.starts_with("/api/v1/"))
        .count()
}

/// What each authorize request asked for.
fn asked_scopes(stage: &Stage) -> Vec<String> {
    let seen = stage.acme.requests();
    seen.iter()
        .filter(|seen| Endpoint::of(&seen.path) == Some(Endpoint::Authorize))
        .map(|seen| seen.query("scope").unwrap_or_default().to_owned())
        .collect()
}

fn step<'a>(trace: &'a Trace, name: &str) -> Option<&'a Step> {
    trace.story.steps.iter().find(|step| step.name == name)
}

/// A sign-in a second after the last one: the claims of the ID token, and the trace.
async fn comes(stage: &Stage) -> (Value, Trace) {
    stage.clock.advance(1);
    let id = signs_in(stage, "ada@acme.test").await;
    (id, stage.traces().into_iter().next().unwrap())
}

fn granted(stage: &Stage) -> Option<Vec<ApiScope>> {
    stage.act(|conn| {
        upstream_grant::find(conn, "acme-okta")
            .unwrap()
            .map(|grant| grant.scopes.0)
    })
}

#[actix_web::test]
async fn what_a_sign_in_did_not_bring_is_filled_from_the_profile() {
    let stage = Stage::new().await;
    withhold(
        &stage,
        &[
            "given_name",
            "family_name",
            "locale",
            "zoneinfo",
            "email_verified",
        ],
    );
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id.get("given_name"), None, "off, the API is left alone");
    assert_eq!((calls(&stage), granted(&stage)), (0, None));
    assert!(
        asked_scopes(&stage)
            .iter()
            .all(|scopes| !scopes.contains("okta."))
    );

    switch_on(&stage, SELF);
    stage.acme.forget_requests();
    let (id, trace) = comes(&stage).await;
    assert_eq!(id["given_name"], "Ada");
    assert_eq!(id["family_name"], "Lovelace");
    assert_eq!(id["locale"], "en-GB", "en_GB there");
    assert_eq!(id["zoneinfo"], "Europe/London");
    assert_ne!(id["email_verified"], true, "that is never made up");
    assert_eq!(calls(&stage), 1);
    assert!(
        asked_scopes(&stage)[0]
            .split(' ')
            .any(|scope| scope == "okta.users.read.self")
    );
    assert_eq!(granted(&stage).as_deref(), Some(SELF));
    let filled = step(&trace, "okta_api.profile").unwrap();
    assert!(
        filled.passed && filled.detail.contains("given_name, family_name"),
        "{filled:?}"
    );
    assert!(!filled.detail.contains("Lovelace"), "names, never values");
}

#[actix_web::test]
async fn what_it_did_bring_is_left_alone() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    let members = json!({"given_name": "Augusta", "zoneinfo": "Asia/Tokyo"});
    let members = members.as_object().cloned().unwrap();
    stage
        .acme
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::Set(members)]);
    let (id, trace) = comes(&stage).await;
    assert_eq!(id["given_name"], "Augusta");
    assert_eq!(id["zoneinfo"], "Asia/Tokyo");
    // The phone is missing for want of its scope.
    assert_eq!(
        step(&trace, "okta_api.profile").unwrap().detail,
        "filled phone_number"
    );
}

/// A rule of the mapping that there is.
pub fn department_is_read_from_the_profile(stage: &Stage) {
    let ctx = stage.ctx();
    stage.act(|conn| {
        let seen = mapping::current(conn, "acme-okta").unwrap().unwrap();
        let mut rules = seen.rules.0;
        rules
            .attributes
            .retain(|rule| rule.attribute != "custom:department");
        let source = Source::claim("okta_profile.department");
        rules.attributes.push(Rule::new("custom:department", source));
        let save = Save {
            seen: seen.version,
            rules,
            ..Save::default()
        };
        mappings::save(conn, &ctx, "acme-okta", save).unwrap();
    });
}

#[actix_web::test]
async fn a_rule_reads_the_profile_by_oktas_own_names() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    withhold(&stage, &["department"]);
    department_is_read_from_the_profile(&stage);
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["custom:department"], "Analytical Engines");
}

#[actix_web::test]
async fn whatever_the_api_answers_people_sign_in() {
    let stage = Stage::with_patience(Duration::from_secs(3)).await;
    switch_on(&stage, SELF);
    withhold(&stage, &["given_name"]);
    let answer = |status, body: Value| Trouble::Status {
        status,
        content_type: "application/json".into(),
        body: body.to_string(),
    };
    let somebody_else = json!({"id": "00u1grace0000000acme", "profile": {"firstName": "Grace"}});
    for (trouble, said) in [
        (answer(200, somebody_else), "not that of the ID token's subject"),
        (
            answer(200, json!({"id": "00u1ada000000000acme", "profile": []})),
            "no profile",
        ),
        (
            answer(
                403,
                json!({"errorCode": "E0000006", "errorSummary": "You do not have permission"}),
            ),
            "403 E0000006",
        ),
        (Trouble::Html, "something else than application/json"),
        (
            Trouble::Redirect {
                location: "https://evil.test/".into(),
            },
            "302",
        ),
        (Trouble::Truncated, "JSON"),
        (Trouble::ServerError, "500"),
        (Trouble::Huge { bytes: 1 << 24 }, "more than"),
        (Trouble::Cut, "okta_api"),
        (Trouble::NeverAnswer, "within 0.9"),
    ] {
        let fault = Transport::trouble(trouble.clone());
        stage
            .acme
            .set_faults(|faults| faults.transport = [(Endpoint::Api, fault)].into());
        let (id, trace) = comes(&stage).await;
        assert_eq!(id.get("given_name"), None, "{trouble:?}");
        let told = step(&trace, "okta_api.profile").unwrap();
        assert!(
            !told.passed && told.detail.contains("signed in without it"),
            "{told:?}"
        );
        assert!(
            said == "okta_api" || told.detail.contains(said),
            "{trouble:?}: {told:?}"
        );
    }
}

#[actix_web::test]
async fn a_dead_api_is_left_alone_for_a_while_and_the_way_to_okta_stays_open() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    let fault = Transport::trouble(Trouble::ServerError);
    stage
        .acme
        .set_faults(|faults| faults.transport = [(Endpoint::Api, fault)].into());
    for _ in 0..7 {
        comes(&stage).await;
    }
    assert_eq!(calls(&stage), 5, "after five failures in a row");
    stage.acme.set_faults(|faults| faults.transport.clear());
    stage.clock.advance(6);
    let (_, trace) = comes(&stage).await;
    assert_eq!(
        step(&trace, "okta_api.profile").map(|step| step.passed),
        Some(true)
    );
}

#[actix_web::test]
async fn a_scope_that_is_not_granted_is_told_and_not_used() {
    let stage = Stage::new().await;
    switch_on(&stage, ApiScope::ALL);
    stage.acme.change_app(APP, |app| {
        app.narrows_api_scopes = true;
        app.api_scopes = vec!["okta.userTypes.read".into()];
    });
    let (_, trace) = comes(&stage).await;
    assert_eq!(granted(&stage), Some(vec![ApiScope::UserTypesRead]));
    assert_eq!(
        calls(&stage),
        0,
        "a profile that may not be read is not asked for"
    );
    let told = step(&trace, "okta_api.scopes").unwrap();
    assert_eq!(
        (told.passed, told.detail.as_str()),
        (
            false,
            "granted: okta.userTypes.read; not granted: okta.users.read.self, okta.users.read, \
             okta.profileMappings.read"
        )
    );
    // Granted later, the next sign-in says so.
    stage.acme.change_app(APP, |app| app.narrows_api_scopes = false);
    let all = ApiScope::ALL.iter().map(ToString::to_string).collect();
    stage.acme.change_app(APP, |app| app.api_scopes = all);
    signs_in(&stage, "ada@acme.test").await;
    assert_eq!(granted(&stage).as_deref(), Some(ApiScope::ALL));
}

#[actix_web::test]
async fn where_okta_refuses_the_whole_request_it_is_asked_again_without() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    stage.acme.change_app(APP, |app| app.api_scopes.clear());
    let back = attempt(&stage, "ada@acme.test").await;
    let asked = asked_scopes(&stage);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked[0].contains("okta.users.read.self") && !asked[1].contains("okta."),
        "{asked:?}"
    );
    assert_eq!(signed_in(&stage, &back).await["email"], "ada@acme.test");
    assert_eq!(granted(&stage), Some(Vec::new()));
    let trace = stage.traces().into_iter().next().unwrap();
    let told = step(&trace, "okta_api.scopes").unwrap();
    assert!(
        !told.passed && told.detail.contains("Okta API Scopes tab"),
        "{told:?}"
    );
}

#[actix_web::test]
async fn asked_again_without_them_it_is_the_same_request_otherwise() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    stage.acme.change_app(APP, |app| app.api_scopes.clear());
    let authorize = stage.authorize(&[
        ("identity_provider", "acme-okta"),
        ("prompt", "select_account"),
        ("login_hint", "ada@acme.test"),
        ("max_age", "60"),
    ]);
    // Ada is signed in at Okta, and would come back without a word.
    let mut ada = stage.signed_in("ada@acme.test").await;
    stage.acme.forget_requests();
    let page = ada.visit(&authorize).await;
    assert!(ada.at_organisation(), "{page:?}");
    let seen = stage.acme.requests();
    let asked: Vec<_> = seen
        .iter()
        .filter(|seen| Endpoint::of(&seen.path) == Some(Endpoint::Authorize))
        .map(|seen| ["prompt", "login_hint", "max_age"].map(|name| seen.query(name)))
        .collect();
    let same = [Some("login"), Some("ada@acme.test"), Some("60")];
    assert_eq!(asked, [same, same]);
    let back = ada.enter(&page, "ada@acme.test").await;
    assert_eq!(signed_in(&stage, &back).await["email"], "ada@acme.test");
}

#[actix_web::test]
async fn a_request_that_is_refused_without_them_too_ends_on_the_page() {
    let stage = Stage::new().await;
    switch_on(&stage, SELF);
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![AuthorizeFault::Error {
            error: "invalid_scope".into(),
            description: Some(
                "One or more scopes are not configured for the authorization server resource.".into(),
            ),
        }];
    });
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "invalid_scope", "server_error");
    assert_eq!(failing(&trace), Some("callback"));
    assert_eq!(asked_scopes(&stage).len(), 2, "once with them, once without");
    assert_eq!(
        granted(&stage),
        None,
        "a browser's word about what Okta said is not written down"
    );
}
