//! Groups out of a claim: made or only joined, taken back when they are gone, an administrator's never touched.

use forebay::demo::POOL;
use forebay::demo::okta::GroupsFault;
use forebay::model::group::{self, BY_ADMIN, Group, Membership};
use forebay::model::mapping::{GroupsRule, MissingGroup, Naming, Rules, Source, TableRow, Unlisted};
use serde_json::{Value, json};

use super::mapping::save;
use super::signs_in;
use crate::support::{NOW, Stage};

const AUTOMATIC: &str = "us-local-1_Forebay01_acme-okta";

fn give(stage: &Stage, groups: &[&str]) {
    let groups = groups.iter().map(|name| (*name).to_owned()).collect();
    stage
        .acme
        .change_person("ada@acme.test", |person| person.groups = groups);
}

fn make(stage: &Stage, name: &str) {
    stage.act(|conn| {
        let group = Group {
            user_pool_id: POOL.into(),
            name: name.into(),
            description: None,
            precedence: None,
            role_arn: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert!(group::insert(conn, &group).unwrap());
    });
}

fn admin_gives(stage: &Stage, sub: &Value, name: &str) {
    stage.act(|conn| {
        let membership = Membership {
            user_sub: sub.as_str().unwrap().into(),
            user_pool_id: POOL.into(),
            group_name: name.into(),
            source: BY_ADMIN.into(),
            created_at: NOW,
        };
        assert!(group::join(conn, &membership).unwrap());
    });
}

fn rule(missing: MissingGroup) -> Rules {
    Rules {
        attributes: Vec::new(),
        groups: Some(GroupsRule {
            missing,
            ..GroupsRule::new(Source::claim("groups"))
        }),
    }
}

/// The groups in the token, sorted, without the automatic one, which must be there.
async fn groups_of(stage: &Stage) -> Vec<String> {
    let id = signs_in(stage, "ada@acme.test").await;
    let mut names: Vec<String> = serde_json::from_value(id["cognito:groups"].clone()).unwrap();
    assert!(names.iter().any(|name| name == AUTOMATIC), "{names:?}");
    names.retain(|name| name != AUTOMATIC);
    names.sort();
    names
}

#[actix_web::test]
async fn groups_are_made_joined_and_taken_back_as_the_claim_says() {
    let stage = Stage::new().await;
    assert_eq!(groups_of(&stage).await, ["Engineering", "Everyone"]);
    give(&stage, &["Everyone", "Research & Development", "Ops"]);
    assert_eq!(
        groups_of(&stage).await,
        ["Everyone", "Ops", "Research & Development"]
    );
    give(&stage, &[]);
    assert_eq!(groups_of(&stage).await, Vec::<String>::new());
    assert!(
        stage
            .act(|conn| group::find(conn, POOL, "Engineering").unwrap())
            .is_some(),
        "the group itself stays"
    );
}

#[actix_web::test]
async fn what_an_administrator_gave_stays_also_under_the_same_name() {
    let stage = Stage::new().await;
    let sub = signs_in(&stage, "ada@acme.test").await["sub"].clone();
    make(&stage, "auditors");
    admin_gives(&stage, &sub, "auditors");
    admin_gives(&stage, &sub, "Engineering");
    assert_eq!(groups_of(&stage).await, ["Engineering", "Everyone", "auditors"]);
    give(&stage, &["Everyone"]);
    assert_eq!(
        groups_of(&stage).await,
        ["Engineering", "Everyone", "auditors"],
        "the administrator's stay"
    );
}

#[actix_web::test]
async fn a_mapping_may_join_only_groups_that_the_pool_has() {
    let stage = Stage::new().await;
    save(&stage, rule(MissingGroup::Ignore));
    assert_eq!(groups_of(&stage).await, Vec::<String>::new());
    make(&stage, "Engineering");
    assert_eq!(groups_of(&stage).await, ["Engineering"]);
    assert!(
        stage
            .act(|conn| group::find(conn, POOL, "Everyone").unwrap())
            .is_none()
    );
    let trace = &stage.traces()[0];
    assert!(
        trace
            .story
            .effects
            .iter()
            .any(|effect| effect.target == "group:Everyone" && effect.action == "skipped"),
        "{trace:?}"
    );
}

#[actix_web::test]
async fn without_a_groups_rule_what_it_gave_is_taken_back() {
    let stage = Stage::new().await;
    groups_of(&stage).await;
    save(&stage, Rules::default());
    assert_eq!(groups_of(&stage).await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_single_group_may_come_as_a_text_and_many_are_taken_in() {
    let stage = Stage::new().await;
    stage
        .acme
        .set_faults(|faults| faults.groups = Some(GroupsFault::SingleString));
    assert_eq!(groups_of(&stage).await.len(), 1);
    stage
        .acme
        .set_faults(|faults| faults.groups = Some(GroupsFault::Many(150)));
    assert!(groups_of(&stage).await.len() >= 100);
}

#[actix_web::test]
async fn names_that_are_ours_or_none_at_all_are_not_joined() {
    let stage = Stage::new().await;
    let foreign = "us-local-1_Forebay01_globex-okta";
    give(&stage, &["Everyone", foreign, "", "   "]);
    let id = signs_in(&stage, "ada@acme.test").await;
    let names: Vec<String> = serde_json::from_value(id["cognito:groups"].clone()).unwrap();
    assert!(
        !names.iter().any(|name| name == foreign),
        "nobody claims into another connection's group: {names:?}"
    );
    assert!(names.iter().all(|name| !name.trim().is_empty()));
    assert_eq!(id["identities"][0]["providerName"], json!("acme-okta"));
}

fn named(naming: Naming) -> Rules {
    Rules {
        attributes: Vec::new(),
        groups: Some(GroupsRule {
            naming,
            ..GroupsRule::new(Source::claim("groups"))
        }),
    }
}

#[actix_web::test]
async fn values_become_groups_by_prefix_pattern_table_or_expression() {
    let stage = Stage::new().await;
    give(&stage, &["okta-app-Admins", "okta-app-Users", "Everyone"]);
    let row = |value: &str, groups: &[&str]| TableRow {
        value: value.into(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
    };
    for (rules, expected) in [
        (
            named(Naming::Prefix {
                strip: "okta-app-".into(),
                add: "portal:".into(),
            }),
            vec!["portal:Admins", "portal:Users"],
        ),
        (
            named(Naming::Pattern {
                pattern: "okta-(.+)-(.+)s".into(),
                replacement: "$2@$1".into(),
            }),
            vec!["Admin@app", "User@app"],
        ),
        (
            named(Naming::Table {
                rows: vec![
                    row("okta-app-Admins", &["owners", "staff"]),
                    row("Everyone", &["staff"]),
                ],
                unlisted: Unlisted::Drop,
            }),
            vec!["owners", "staff"],
        ),
        (
            Rules {
                attributes: Vec::new(),
                groups: Some(GroupsRule::new(Source::expression(
                    "claims.groups.filter(g, g.startsWith('okta-')).map(g, g.split('-')[2].lowerAscii())",
                ))),
            },
            vec!["admins", "users"],
        ),
    ] {
        save(&stage, rules);
        assert_eq!(
            groups_of(&stage).await,
            expected,
            "and those of the rule before are taken back"
        );
    }
}

#[actix_web::test]
async fn a_rule_that_only_adds_never_takes_away() {
    let stage = Stage::new().await;
    save(
        &stage,
        Rules {
            attributes: Vec::new(),
            groups: Some(GroupsRule {
                reconcile: false,
                ..GroupsRule::new(Source::claim("groups"))
            }),
        },
    );
    give(&stage, &["one"]);
    assert_eq!(groups_of(&stage).await, ["one"]);
    give(&stage, &["two"]);
    assert_eq!(groups_of(&stage).await, ["one", "two"]);
    save(&stage, rule(MissingGroup::Create));
    assert_eq!(groups_of(&stage).await, ["two"]);
}
