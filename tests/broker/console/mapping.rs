//! The mapping editor: what a draft would do, told before it is saved, and what a later sign-in then does.

use forebay::actions::mappings::{self, Save};
use forebay::actions::tenants;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::client::{ContractClaim, ContractKind};
use forebay::model::mapper_input;
use forebay::model::mapping::{self, Rule, Rules, Source};
use forebay::model::provider::Environment;
use forebay::model::user;
use serde_json::json;

use crate::support::{Answer, Browser, Form, Stage, claims, links, unescape};

const OPERATOR: &str = "operator@forebay.test";
pub(super) const ACME: &str = "admin@acme.test";
pub(super) const EDITOR: &str = "/console/connections/acme-okta/mapping";

/// The editor's form as it stands on the page.
pub(super) fn editor(page: &Answer) -> Form {
    Form::to(&page.body, EDITOR)
}

/// Sends the form with this button.
pub(super) async fn press(browser: &mut Browser<'_>, form: &Form, button: &str) -> Answer {
    browser.submit(form, &[("do", button)]).await
}

/// Fills in the fields of the rule for this attribute.
pub(super) fn set(form: &mut Form, attribute: &str, changes: &[(&str, &str)]) {
    let row = form
        .fields
        .iter()
        .filter(|(name, _)| name == "attribute")
        .position(|(_, value)| value == attribute)
        .unwrap_or_else(|| panic!("no rule for {attribute}: {form:?}"));
    for (field, value) in changes {
        nth(form, field, row).1 = (*value).to_owned();
    }
}

fn nth<'a>(form: &'a mut Form, field: &str, index: usize) -> &'a mut (String, String) {
    form.fields
        .iter_mut()
        .filter(|(name, _)| name == field)
        .nth(index)
        .unwrap()
}

fn version(stage: &Stage) -> i64 {
    stage.act(|conn| {
        mapping::current(conn, "acme-okta")
            .unwrap()
            .map_or(0, |current| current.version)
    })
}

fn rules(stage: &Stage) -> Rules {
    stage.act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap().rules.0)
}

/// What stands between the tags, without the tags.
pub(super) fn text(html: &str) -> String {
    let mut shown = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => shown.push(c),
            _ => {}
        }
    }
    unescape(&shown)
}

#[actix_web::test]
async fn the_mapping_of_another_environment_is_taken_over_as_a_draft() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, "globex-okta", Some("acme")))
        .unwrap();
    stage.change_provider("globex-okta", |row| {
        row.settings.environment = Some(Environment::Preview)
    });
    stage.act(|conn| {
        let seen = mapping::current(conn, "globex-okta").unwrap().unwrap();
        let mut save = Save {
            seen: seen.version,
            rules: seen.rules.0,
            ..Save::default()
        };
        save.rules
            .attributes
            .push(Rule::new("nickname", Source::claim("nick_of_preview")));
        mappings::save(conn, &ctx, "globex-okta", save).unwrap();
    });
    let mut admin = stage.console("admin@acme.test");
    let page = admin
        .open("/console/connections/acme-okta/mapping/history")
        .await
        .expect(200);
    assert!(page.shows("globex-okta (preview)"), "{page:?}");
    let draft = "/console/connections/acme-okta/mapping?from=globex-okta";
    let page = admin.open(draft).await.expect(200);
    assert!(page.shows("nick_of_preview"), "{page:?}");
    let live = stage.act(|conn| mapping::current(conn, "acme-okta").unwrap().unwrap());
    assert_eq!(live.version, 1, "nothing is saved by looking");
    // Another tenant's, an operator's own or none at all is as if it were not there.
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, "globex-okta", Some("globex")))
        .unwrap();
    for path in [draft, "/console/connections/acme-okta/mapping?from=nothing"] {
        admin.open(path).await.expect(404);
    }
}

#[actix_web::test]
async fn rows_come_and_go_without_a_script_and_nothing_typed_is_lost() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    let mut form = editor(&page);
    let before = rules(&stage);
    set(
        &mut form,
        "name",
        &[
            ("source", "expression"),
            ("expression", "claims.given_name +\r\n ' <b>'"),
        ],
    );
    set(
        &mut form,
        "locale",
        &[("claim", "a.b"), ("write", "empty"), ("absent", "refuse")],
    );
    form.fields.retain(|(name, _)| name != "note" && name != "sample");
    form.fields.push(("note".into(), "why \"not\"".into()));
    form.fields.push(("sample".into(), "{ half".into()));
    let count = before.attributes.len();
    let mut page = press(&mut admin, &form, "add").await.expect(200);
    for button in ["table-add", "up:2", "down:1", &format!("remove:{count}"), "check"] {
        let form = editor(&page);
        page = press(&mut admin, &form, button).await.expect(200);
    }
    let mut after = editor(&page);
    assert_eq!(nth(&mut after, "expression", 2).1, "claims.given_name +\n ' <b>'");
    for (field, value) in [("note", "why \"not\""), ("sample", "{ half")] {
        assert_eq!(nth(&mut after, field, 0).1, value);
    }
    let columns = |form: &Form, field: &str| -> Vec<String> {
        form.fields
            .iter()
            .filter(|(name, _)| name == field)
            .map(|(_, value)| value.clone())
            .collect()
    };
    for field in ["attribute", "claim", "write", "absent"] {
        assert_eq!(columns(&form, field), columns(&after, field), "{field}");
    }
    assert_eq!(columns(&after, "row_value").len(), 2);
    assert!(!page.body.contains("' <b>'"), "{page:?}");
    assert_eq!((version(&stage), rules(&stage)), (1, before));
}

#[actix_web::test]
async fn mistakes_stand_at_their_rule_on_the_page_and_in_the_check() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME);
    let mut form = editor(&admin.open(EDITOR).await.expect(200));
    set(
        &mut form,
        "locale",
        &[("source", "expression"), ("expression", "claims.a +")],
    );
    set(&mut form, "zoneinfo", &[("write", "first"), ("absent", "clear")]);
    nth(&mut form, "pattern", 0).1 = "(".into();
    form.fields.retain(|(name, _)| name != "naming");
    form.fields.push(("naming".into(), "pattern".into()));
    let page = press(&mut admin, &form, "save").await.expect(422);
    assert!(
        page.shows("Not saved: mend the rules that are marked."),
        "{page:?}"
    );
    assert!(page.shows("line 1, column"), "{page:?}");
    assert!(page.shows("absent=clear has nothing to clear"), "{page:?}");
    assert!(page.shows("has a mistake in its pattern"), "{page:?}");
    assert_eq!(version(&stage), 1);

    form.action = format!("{EDITOR}/check");
    let found = admin.submit(&form, &[]).await.expect(200).json();
    let marked: Vec<usize> = found["rules"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule["mistakes"].as_array().is_some_and(|all| !all.is_empty()))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(marked, [6, 7], "{found}");
    assert_eq!(
        found["groups"]["mistakes"].as_array().unwrap().len(),
        1,
        "{found}"
    );
    // Neither is previewed nor replayed what has mistakes.
    form.action = EDITOR.into();
    for button in ["preview", "replay"] {
        let page = press(&mut admin, &form, button).await.expect(200);
        assert!(page.shows("Mend the rules that are marked first."), "{page:?}");
    }
}

#[actix_web::test]
async fn what_the_last_sign_ins_brought_stands_beside_the_rules_redacted() {
    let stage = Stage::new().await;
    let mut admin = stage.console(ACME);
    let empty = admin.open(EDITOR).await.expect(200);
    assert!(empty.shows("none has come yet"), "{empty:?}");
    stage.acme.change_person("ada@acme.test", |person| {
        person
            .profile
            .insert("cost_center".into(), json!("<i>R&D 42</i>"));
    });
    stage.tokens_for("ada@acme.test", &[]).await;
    stage.tokens_for("grace@acme.test", &[]).await;
    let page = admin.open(EDITOR).await.expect(200);
    let shown = text(&page.body);
    assert!(shown.contains("in 2 of 2: a text, as g***@acme.test"), "{shown}");
    assert!(shown.contains("cost_center"), "{shown}");
    assert!(shown.contains("text(13)"), "{shown}");
    assert!(
        !page.body.contains("R&amp;D 42") && !page.body.contains("R&D 42"),
        "{page:?}"
    );
    // One click makes a rule of it; there is no attribute of that name, which the rule says.
    let page = press(&mut admin, &editor(&page), "map:cost_center")
        .await
        .expect(200);
    assert!(page.shows("choose the attribute that the rule sets"), "{page:?}");
    let mut form = editor(&page);
    let last = form.fields.iter().filter(|(name, _)| name == "attribute").count() - 1;
    assert_eq!(nth(&mut form, "claim", last).1, "cost_center");
    // A claim that never comes, and one that does not fit, are told.
    nth(&mut form, "attribute", last).1 = "email_verified".into();
    set(&mut form, "locale", &[("claim", "lokale")]);
    set(&mut form, "email", &[("claim", "name")]);
    let page = press(&mut admin, &form, "check").await.expect(200);
    assert!(page.shows("in none of the last 2 sign-ins"), "{page:?}");
    assert!(
        page.shows("It would not fit 2 times: the value is not an email address"),
        "{page:?}"
    );
}

#[actix_web::test]
async fn a_preview_says_what_a_later_sign_in_then_writes() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    assert!(page.shows("ada@acme.test · "), "{page:?}");
    let code = page
        .body
        .split("<option value=\"")
        .filter_map(|part| part.split_once("\">"))
        .find(|(_, rest)| rest.starts_with("ada@acme.test"))
        .map(|(code, _)| code.to_owned())
        .unwrap();
    let mut form = editor(&page);
    set(
        &mut form,
        "name",
        &[
            ("source", "expression"),
            ("expression", "claims.family_name + ', ' + claims.given_name"),
        ],
    );
    set(
        &mut form,
        "locale",
        &[("source", "expression"), ("expression", "'en-GB'")],
    );
    form.fields
        .retain(|(name, _)| !["naming", "strip", "add", "trace"].contains(&name.as_str()));
    for (name, value) in [
        ("naming", "prefix"),
        ("strip", "Every"),
        ("add", "every-"),
        ("trace", code.as_str()),
    ] {
        form.fields.push((name.into(), value.into()));
    }
    let before = stage.act(|conn| user::find(conn, &ada).unwrap().unwrap());
    let preview = press(&mut admin, &form, "preview").await.expect(200);
    let shown = text(&preview.body);
    // What the profile has may be read; what claims would bring is redacted.
    assert!(
        shown.contains("Values that this sign-in would write are redacted"),
        "{shown}"
    );
    assert!(
        shown.contains("Ada Lovelace") && shown.contains("text(13)"),
        "{shown}"
    );
    assert!(!shown.contains("Lovelace, Ada"), "{shown}");
    assert!(
        // A group that the pool does not have might be made of anything that came.
        shown.contains("text(9)") && !shown.contains("every-one") && shown.contains("Sample web app"),
        "{shown}"
    );
    let stored = stage.act(|conn| user::find(conn, &ada).unwrap().unwrap());
    assert_eq!((stored, version(&stage)), (before, 1));

    let saved = press(&mut admin, &form, "save").await.expect(200);
    assert!(
        saved.shows("Saved.") && saved.shows("Version 2 is in force"),
        "{saved:?}"
    );
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id_token = claims(tokens.id.as_deref().unwrap());
    assert_eq!(id_token["name"], "Lovelace, Ada");
    assert_eq!(id_token["locale"], "en-GB");
    assert!(
        id_token["cognito:groups"].to_string().contains("every-one"),
        "{id_token}"
    );
    // Pasted claims are the administrator's own words, and shown as they are.
    let sample =
        json!({ "sub": "00u9", "given_name": "<b>Eve</b>", "family_name": "X", "groups": ["Everyone"] });
    form.fields
        .retain(|(name, _)| name != "trace" && name != "sample");
    form.fields.push(("trace".into(), String::new()));
    form.fields.push(("sample".into(), sample.to_string()));
    let pasted = press(&mut admin, &form, "preview").await.expect(200);
    assert!(
        pasted.shows("X, <b>Eve</b>") && !pasted.body.contains("<b>Eve"),
        "{pasted:?}"
    );
    form.fields.retain(|(name, _)| name != "sample");
    form.fields.push(("sample".into(), "[1]".into()));
    let wrong = press(&mut admin, &form, "preview").await.expect(200);
    assert!(wrong.shows("the claims must be one JSON object"), "{wrong:?}");
}

#[actix_web::test]
async fn a_replay_counts_what_would_have_been_another() {
    let stage = Stage::new().await;
    stage.acme.change_person("grace@acme.test", |person| {
        person.profile.insert("department".into(), json!(""));
    });
    for login in ["ada@acme.test", "grace@acme.test", "ada@acme.test"] {
        stage.tokens_for(login, &[]).await;
    }
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    // The version in force changes nothing.
    let same = press(&mut admin, &editor(&page), "replay").await.expect(200);
    assert!(
        same.shows("Replay of the last 3 sign-ins") && same.shows("3 unchanged"),
        "{same:?}"
    );
    let mut form = editor(&page);
    // Nobody has it: everybody would be refused.
    set(
        &mut form,
        "locale",
        &[("claim", "nobody_has_it"), ("absent", "refuse")],
    );
    let refused = press(&mut admin, &form, "replay").await.expect(200);
    assert!(
        refused.shows("3 would be refused: the rule for 'locale'"),
        "{refused:?}"
    );
    assert!(refused.shows("0 unchanged"), "{refused:?}");
    // Ada loses her groups, Grace too, and each sign-in is one link away.
    let mut form = editor(&page);
    form.fields.retain(|(name, _)| name != "groups_from");
    form.fields.push(("groups_from".into(), "nowhere".into()));
    let left = press(&mut admin, &form, "replay").await.expect(200);
    let shown = text(&left.body);
    assert!(shown.contains("3 lose group Everyone"), "{shown}");
    assert!(shown.contains("leaves group Everyone"), "{shown}");
    let traces = links(&left.body)
        .into_iter()
        .filter(|href| href.starts_with("/console/traces/"))
        .count();
    assert!(traces >= 3, "{left:?}");
    assert_eq!((version(&stage), stage.traces().len()), (1, 3));
}

#[actix_web::test]
async fn two_who_edit_at_once_get_a_conflict_and_lose_nothing() {
    let stage = Stage::new().await;
    let (mut mine, mut theirs) = (stage.console(ACME), stage.console(OPERATOR));
    let mut form = editor(&mine.open(EDITOR).await.expect(200));
    let mut other = editor(&theirs.open(EDITOR).await.expect(200));
    set(&mut other, "name", &[("claim", "display_name")]);
    other.fields.retain(|(name, _)| name != "note");
    other.fields.push(("note".into(), "<u>new</u> claim".into()));
    press(&mut theirs, &other, "save").await.expect(200);
    set(&mut form, "locale", &[("claim", "language")]);
    let conflict = press(&mut mine, &form, "save").await.expect(422);
    let shown = text(&conflict.body);
    for said in [
        "somebody else saved in between",
        "operator@forebay.test saved version 2",
        "<u>new</u> claim",
        "claim display_name",
        "claim language",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(!conflict.body.contains("<u>"), "{conflict:?}");
    assert_eq!(version(&stage), 2);
    // Mine is still in the form; saved knowingly it becomes the third.
    let saved = press(&mut mine, &editor(&conflict), "save-over:2")
        .await
        .expect(200);
    assert!(saved.shows("Version 3 is in force"), "{saved:?}");
    let claim = |attribute: &str| {
        rules(&stage)
            .attributes
            .iter()
            .find(|rule| rule.attribute == attribute)
            .map(|rule| rule.source.to_string())
    };
    assert_eq!(claim("locale").as_deref(), Some("language"));
    assert_eq!(claim("name").as_deref(), Some("name"));

    // The history knows all three; the second comes back as the fourth.
    let history = mine.open(&format!("{EDITOR}/history")).await.expect(200);
    let shown = text(&history.body);
    for said in [
        "Version 3",
        "Version 2",
        "Version 1",
        "<u>new</u> claim",
        "admin:operator@forebay.test",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let compare = mine
        .open(&format!("{EDITOR}/compare?from=2&to=3"))
        .await
        .expect(200);
    assert!(
        compare.shows("claim language") && compare.shows("claim display_name"),
        "{compare:?}"
    );
    let roll = Form::to(&history.body, &format!("{EDITOR}/rollback"));
    let rolled = mine.submit(&roll, &[("version", "2")]).await.expect(200);
    assert!(rolled.shows("Rolled back, as a new version."), "{rolled:?}");
    assert_eq!(
        (version(&stage), claim("name").as_deref()),
        (4, Some("display_name"))
    );
    // A rollback that somebody else was faster than does nothing.
    let late = mine.submit(&roll, &[("version", "1")]).await.expect(422);
    assert!(late.shows("is at version 4 by now"), "{late:?}");
    assert_eq!(version(&stage), 4);
    mine.open(&format!("{EDITOR}/compare?from=2&to=99"))
        .await
        .expect(404);
}

#[actix_web::test]
async fn a_save_that_would_break_an_app_names_it_and_is_the_pools_to_decide() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.contract = vec![ContractClaim {
            claim: "email".into(),
            kind: ContractKind::String,
            required: true,
            one_of: Vec::new(),
        }];
    });
    stage.tokens_for("ada@acme.test", &[]).await;
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    let mut form = editor(&page);
    let row = form
        .fields
        .iter()
        .filter(|(name, _)| name == "attribute")
        .position(|(_, value)| value == "email")
        .unwrap();
    let without = press(&mut admin, &form, &format!("remove:{row}"))
        .await
        .expect(200);
    form = editor(&without);
    let refused = press(&mut admin, &form, "save").await.expect(422);
    assert!(
        refused.shows("apps would break") && refused.shows("app 'Sample web app': 'email'"),
        "{refused:?}"
    );
    assert!(!refused.body.contains("save-anyway"), "{refused:?}");
    press(&mut admin, &form, "save-anyway").await.expect(403);
    assert_eq!(version(&stage), 1);
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(EDITOR).await.expect(200);
    let without = press(&mut operator, &editor(&page), &format!("remove:{row}")).await;
    let refused = press(&mut operator, &editor(&without), "save").await.expect(422);
    assert!(refused.body.contains("save-anyway"), "{refused:?}");
    press(&mut operator, &editor(&refused), "save-anyway")
        .await
        .expect(200);
    assert_eq!(version(&stage), 2);
}

#[actix_web::test]
async fn keeping_sign_ins_is_switched_off_and_what_was_kept_goes() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    let kept = || stage.act(|conn| mapper_input::count(conn, "acme-okta").unwrap());
    assert_eq!(kept(), 1);
    let mut admin = stage.console(ACME);
    let page = admin.open(EDITOR).await.expect(200);
    let mut form = Form::to(&page.body, &format!("{EDITOR}/keep"));
    admin.submit(&form, &[("days", "31")]).await.expect(422);
    form.fields.retain(|(name, _)| name != "keep");
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(page.shows("No sign-ins are kept"), "{page:?}");
    assert_eq!(kept(), 0);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(kept(), 0);
    form.fields.push(("keep".into(), "on".into()));
    admin.submit(&form, &[("days", "3")]).await.expect(200);
    stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(kept(), 1);
}

#[actix_web::test]
async fn another_tenants_mapping_is_not_there() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    let mut globex = stage.console("admin@globex.test");
    for what in ["", "/history", "/compare?from=0&to=1", "?version=1"] {
        globex.open(&format!("{EDITOR}{what}")).await.expect(404);
    }
    let own = "/console/connections/globex-okta/mapping";
    let page = globex.open(own).await.expect(200);
    let mut form = Form::to(&page.body, own);
    for (what, button) in [
        ("", "save"),
        ("", "preview"),
        ("", "replay"),
        ("/check", ""),
        ("/rollback", ""),
        ("/keep", ""),
    ] {
        form.action = format!("{EDITOR}{what}");
        let fill = [("do", button), ("version", "0"), ("days", "1")];
        globex.submit(&form, &fill).await.expect(404);
    }
    // Nor are acme's sign-ins to be tried on from next door.
    let code = stage.traces().remove(0).code;
    form.action = own.into();
    let page = globex
        .submit(&form, &[("do", "preview"), ("trace", &code)])
        .await
        .expect(200);
    assert!(page.shows("this sign-in is not kept any more"), "{page:?}");
    globex
        .submit(&form, &[("do", "save"), ("csrf", "forged")])
        .await
        .expect(403);
    assert_eq!(version(&stage), 1);
}

#[actix_web::test]
async fn a_contract_is_written_checked_and_taken_away_as_a_schema() {
    let stage = Stage::new().await;
    let path = format!("/console/clients/{WEB_CLIENT}/contract");
    stage.console(ACME).open(&path).await.expect(404);
    stage
        .console(ACME)
        .open(&format!("{path}.json"))
        .await
        .expect(404);
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    let page = operator
        .submit(&form, &[("do", "add"), ("claim", "email")])
        .await
        .expect(200);
    let mut form = Form::to(&page.body, &path);
    nth(&mut form, "claim", 1).1 = "cognito:groups".into();
    nth(&mut form, "kind", 1).1 = "number".into();
    nth(&mut form, "one_of", 1).1 = "admins\r\n\r\nusers <b>".into();
    let refused = press(&mut operator, &form, "save").await.expect(422);
    assert!(
        refused.shows("It lists values, but is of type number"),
        "{refused:?}"
    );
    let mut form = Form::to(&refused.body, &path);
    nth(&mut form, "kind", 1).1 = "array".into();
    nth(&mut form, "required", 1).1 = "no".into();
    let saved = press(&mut operator, &form, "save").await.expect(200);
    assert!(
        saved.shows("Saved.") && !saved.body.contains("users <b>"),
        "{saved:?}"
    );
    let schema = operator.open(&format!("{path}.json")).await.expect(200);
    assert_eq!(schema.header("content-type"), Some("application/schema+json"));
    let schema = schema.json();
    assert_eq!(schema["required"], json!(["email"]));
    assert_eq!(
        schema["properties"]["cognito:groups"]["items"]["enum"],
        json!(["admins", "users <b>"])
    );
    operator
        .submit(&form, &[("do", "save"), ("csrf", "forged")])
        .await
        .expect(403);
    // The app's other settings are saved without touching it.
    let edit = format!("/console/clients/{WEB_CLIENT}/edit");
    let page = operator.open(&edit).await.expect(200);
    operator
        .submit(&Form::to(&page.body, &edit), &[])
        .await
        .expect(200);
    let kept = stage.act(|conn| {
        let client = forebay::model::client::find(conn, WEB_CLIENT).unwrap().unwrap();
        (client.user_pool_id, client.settings.contract.len())
    });
    assert_eq!(kept, (POOL.to_owned(), 2));
}
