//! What a draft of a mapping may cost, and what it may show: anybody who sees a connection can try one.

use forebay::demo::POOL;
use forebay::model::group::{self, BY_ADMIN, Group, Membership};
use forebay::model::mapper_input::{self, NewMapperInput};
use forebay::model::user;
use serde_json::json;

use super::mapping::{ACME, EDITOR, editor, press, set, text};
use crate::support::{Form, NOW, Stage, claims};

/// Replaces a field that stands once in the form.
fn fill(form: &mut Form, name: &str, value: &str) {
    form.fields.retain(|(field, _)| field != name);
    form.fields.push((name.into(), value.into()));
}

/// A further row, with an expression.
fn add_rule(form: &mut Form, attribute: &str, expression: &str) {
    for (field, value) in [
        ("attribute", attribute),
        ("source", "expression"),
        ("claim", ""),
        ("expression", expression),
        ("write", "always"),
        ("absent", "keep"),
    ] {
        form.fields.push((field.into(), value.into()));
    }
}

fn compute(form: &mut Form, attribute: &str, expression: &str) {
    set(
        form,
        attribute,
        &[("source", "expression"), ("expression", expression)],
    );
}

fn groups_by(form: &mut Form, expression: &str) {
    fill(form, "groups_from", "expression");
    fill(form, "groups_expression", expression);
}

/// Keeps the newest sign-in so many times more.
fn repeat_sign_in(stage: &Stage, times: usize) {
    stage.act(|conn| {
        let kept = mapper_input::newest(conn, "acme-okta", NOW, None, 1)
            .unwrap()
            .remove(0);
        for n in 0..times {
            let copy = NewMapperInput {
                provider_id: kept.provider_id.clone(),
                client_id: kept.client_id.clone(),
                user_sub: kept.user_sub.clone(),
                trace_code: format!("COPY-{n}"),
                mapping_version: kept.mapping_version,
                sealed: kept.sealed.clone(),
                at: kept.at,
                expires_at: kept.expires_at,
            };
            mapper_input::insert(conn, &copy).unwrap();
        }
    });
}

#[actix_web::test]
async fn patterns_are_few_and_small_and_more_rules_than_may_be_are_not_looked_at() {
    let stage = Stage::new().await;
    let mut viewer = stage.console(ACME);
    let page = viewer.open(EDITOR).await.expect(200);
    let check = format!("{EDITOR}/check");
    let mut form = editor(&page);
    form.action = check.clone();
    compute(
        &mut form,
        "name",
        &["claims.name.matches('a')"; 5].join(" || "),
    );
    compute(&mut form, "locale", "claims.name.matches('(a{100}){100}')");
    let found = viewer.submit(&form, &[]).await.expect(200).json().to_string();
    assert!(found.contains("an expression may have 4 patterns"), "{found}");
    assert!(found.contains("the pattern is too large"), "{found}");

    let mut form = editor(&page);
    form.action = check;
    for n in 0..150 {
        add_rule(&mut form, "nickname", &format!("claims.name.matches('{n}('"));
    }
    let found = viewer.submit(&form, &[]).await.expect(200).json();
    assert_eq!(
        found["whole"],
        json!(["there are more than 100 rules"]),
        "{found}"
    );
    let marked = found["rules"].as_array().unwrap().iter();
    assert!(marked.clone().count() > 150);
    assert!(
        marked.clone().all(|rule| rule["mistakes"] == json!([])),
        "{found}"
    );
}

#[actix_web::test]
async fn what_rules_cost_is_bounded_over_all_sign_ins_and_the_page_says_how_far_it_came() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        let teams: Vec<String> = (0..400).map(|n| format!("Team {n}")).collect();
        person.profile.insert("teams".into(), json!(teams));
    });
    stage.tokens_for("ada@acme.test", &[]).await;
    repeat_sign_in(&stage, 200);
    let mut admin = stage.console(ACME);
    let mut form = editor(&admin.open(EDITOR).await.expect(200));
    for attribute in ["name", "nickname", "locale", "zoneinfo"] {
        let dear = "string(claims.teams.map(a, claims.teams).size())";
        if form.fields.contains(&("attribute".into(), attribute.into())) {
            compute(&mut form, attribute, dear);
        } else {
            add_rule(&mut form, attribute, dear);
        }
    }
    let replayed = press(&mut admin, &form, "replay").await.expect(200);
    let shown = text(&replayed.body);
    assert!(shown.contains("Older sign-ins were not looked at"), "{shown}");
    assert!(!shown.contains("Replay of the last 200 sign-ins"), "{shown}");
    assert!(shown.contains("sign-ins were looked at in"), "{shown}");
    form.action = format!("{EDITOR}/check");
    let found = admin.submit(&form, &[]).await.expect(200).json();
    let whole = found["whole"].to_string();
    assert!(
        whole.contains("Only the last") && whole.contains("sign-ins were looked at"),
        "{found}"
    );
}

#[actix_web::test]
async fn a_draft_shows_nothing_of_a_claim_by_group_names_addresses_or_failures() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        person.profile.insert("cost_center".into(), json!("secret42"));
    });
    stage.tokens_for("ada@acme.test", &[]).await;
    let code = stage.traces().remove(0).code;
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    let mut form = editor(&page);
    groups_by(
        &mut form,
        &format!("[claims.cost_center, '{POOL}_' + claims.cost_center, 'Everyone']"),
    );
    compute(&mut form, "email", "'x@' + claims.cost_center + '.example'");
    compute(&mut form, "locale", "claims.given_name[claims.cost_center]");
    fill(&mut form, "trace", &code);
    for button in ["check", "preview", "replay"] {
        let page = press(&mut admin, &form, button).await.expect(200);
        let shown = text(&page.body);
        assert!(!shown.contains("secret42"), "{button}: {shown}");
    }
    // What the pool has is named; of anything else the length is told.
    set(&mut form, "locale", &[("source", "claim")]);
    let preview = text(&press(&mut admin, &form, "preview").await.expect(200).body);
    assert!(
        preview.contains("text(8)") && preview.contains("Everyone"),
        "{preview}"
    );
    assert!(
        preview.contains("text(18)") && !preview.contains(".example\""),
        "{preview}"
    );
    let replay = text(&press(&mut admin, &form, "replay").await.expect(200).body);
    assert!(replay.contains("1 gains group text(8)"), "{replay}");
    assert!(!preview.contains("secret42") && !replay.contains("secret42"));
    form.action = format!("{EDITOR}/check");
    let found = admin.submit(&form, &[]).await.expect(200).json().to_string();
    assert!(!found.contains("secret42"), "{found}");
}

#[actix_web::test]
async fn a_preview_is_what_a_sign_in_would_be_with_all_groups_and_for_a_disabled_user_none() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let code = stage.traces().remove(0).code;
    stage.act(|conn| {
        let crew = Group {
            user_pool_id: POOL.into(),
            name: "crew".into(),
            description: None,
            precedence: Some(1),
            role_arn: None,
            created_at: NOW,
            updated_at: NOW,
        };
        group::insert(conn, &crew).unwrap();
        let membership = Membership {
            user_sub: ada.clone(),
            user_pool_id: POOL.into(),
            group_name: "crew".into(),
            source: BY_ADMIN.into(),
            created_at: NOW,
        };
        group::join(conn, &membership).unwrap();
    });
    let mut admin = stage.console(ACME);
    let mut form = editor(&admin.open(EDITOR).await.expect(200));
    fill(&mut form, "trace", &code);
    let preview = press(&mut admin, &form, "preview").await.expect(200);
    let shown = text(&preview.body);
    assert!(
        shown.contains("\"crew\"") && shown.contains("Sample web app"),
        "{shown}"
    );

    stage.act(|conn| user::set_enabled(conn, &ada, false, NOW).unwrap());
    let refused = press(&mut admin, &form, "preview").await.expect(200);
    assert!(
        refused.shows("The sign-in would be refused") && refused.shows("user_disabled"),
        "{refused:?}"
    );
    assert!(!refused.shows("Sample web app"), "{refused:?}");
}

#[actix_web::test]
async fn a_replay_of_hundreds_of_groups_stays_readable() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        let teams: Vec<String> = (0..300).map(|n| format!("Team {n:03}")).collect();
        person.profile.insert("teams".into(), json!(teams));
    });
    let mut admin = stage.console(ACME);
    let mut form = editor(&admin.open(EDITOR).await.expect(200));
    fill(&mut form, "groups_claim", "teams");
    let saved = press(&mut admin, &form, "save").await.expect(200);
    stage.tokens_for("ada@acme.test", &[]).await;
    let mut form = editor(&saved);
    fill(&mut form, "groups_from", "nowhere");
    let replayed = press(&mut admin, &form, "replay").await.expect(200);
    let shown = text(&replayed.body);
    assert!(shown.contains("and 270 more groups are lost"), "{shown}");
    assert_eq!(shown.matches("1 loses group").count(), 30, "{shown}");
    assert!(shown.contains("and 290 more"), "{shown}");
    assert_eq!(shown.matches("leaves group").count(), 300, "{shown}");
}

#[actix_web::test]
async fn the_page_has_a_place_to_say_that_work_is_under_way() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    assert!(
        page.body
            .contains("role=\"status\" aria-live=\"polite\" data-work")
    );
    let script = page
        .body
        .split('"')
        .find(|part| part.contains("mapping") && part.ends_with(".js"))
        .unwrap()
        .to_owned();
    let script = admin.open(&script).await.expect(200);
    assert!(script.body.contains("[data-work]"), "{script:?}");
}

#[actix_web::test]
async fn a_tenant_that_keeps_no_sign_ins_keeps_none_of_any_connection() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME);
    stage.tokens_for("ada@acme.test", &[]).await;
    let kept = || stage.act(|conn| mapper_input::count(conn, "acme-okta").unwrap());
    assert_eq!(kept(), 1);
    let tenant = stage.act(|conn| {
        let provider = forebay::model::provider::find(conn, "acme-okta")
            .unwrap()
            .unwrap();
        provider.tenant_id.unwrap()
    });
    let path = format!("/console/pools/{POOL}/tenants/{tenant}");
    let page = admin.open(&path).await.expect(200);
    let mut form = Form::to(&page.body, &format!("{path}/keep"));
    // Not somebody else's to switch.
    let mut globex = stage.console("admin@globex.test");
    let own = "/console/connections/globex-okta/mapping";
    let mut theirs = Form::to(&globex.open(own).await.expect(200).body, own);
    theirs.action = form.action.clone();
    globex.submit(&theirs, &[]).await.expect(404);
    assert_eq!(kept(), 1);
    form.fields.retain(|(name, _)| name != "keep");
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(page.shows("No sign-ins are kept of any connection"), "{page:?}");
    assert_eq!(kept(), 0);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(kept(), 0);
    let page = admin.open(EDITOR).await.expect(200);
    assert!(page.shows("tenant keeps none of any connection"), "{page:?}");

    form.fields.push(("keep".into(), "on".into()));
    admin.submit(&form, &[]).await.expect(200);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(kept(), 1);
}
