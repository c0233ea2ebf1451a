#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::mapping::{Naming, Rules, TableRow, Unlisted};
use serde_json::json;

fn compiled(rule: &GroupsRule) -> Compiled {
    Compiled::new(&Rules {
        attributes: Vec::new(),
        groups: Some(rule.clone()),
    })
}

fn names(
    rule: &GroupsRule,
    claims: &Map<String, Value>,
    user_pool_id: &str,
) -> (Vec<String>, Vec<MappingEffect>) {
    super::names(&compiled(rule), rule, claims, user_pool_id, &mut Steps::default())
}

fn check(rule: &GroupsRule) -> Vec<String> {
    super::check(&compiled(rule), rule)
}

fn run(claim: Option<Value>) -> (Vec<String>, Vec<MappingEffect>) {
    let claims = claim
        .map(|value| ("groups".to_owned(), value))
        .into_iter()
        .collect();
    names(
        &GroupsRule::new(Source::claim("groups")),
        &claims,
        "us-local-1_Pool",
    )
}

fn named(naming: Naming, values: Value) -> Vec<String> {
    let rule = GroupsRule {
        naming,
        ..GroupsRule::new(Source::claim("groups"))
    };
    assert_eq!(check(&rule), Vec::<String>::new());
    let claims = [("groups".to_owned(), values)].into_iter().collect();
    names(&rule, &claims, "us-local-1_Pool").0
}

fn pattern(pattern: &str, replacement: &str) -> Naming {
    Naming::Pattern {
        pattern: pattern.into(),
        replacement: replacement.into(),
    }
}

fn prefix(strip: &str, add: &str) -> Naming {
    Naming::Prefix {
        strip: strip.into(),
        add: add.into(),
    }
}

fn table(rows: &[(&str, &[&str])], unlisted: Unlisted) -> Naming {
    Naming::Table {
        rows: rows
            .iter()
            .map(|(value, groups)| TableRow {
                value: (*value).into(),
                groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            })
            .collect(),
        unlisted,
    }
}

#[test]
fn values_are_named_as_the_rule_says() {
    let values = json!(["app-admins", "app-users", "Everyone", "app-"]);
    for (naming, expected) in [
        (
            Naming::AsTheyCome,
            vec!["Everyone", "app-", "app-admins", "app-users"],
        ),
        (prefix("app-", ""), vec!["admins", "users"]),
        (prefix("app-", "x/"), vec!["x/admins", "x/users"]),
        (
            prefix("", "okta:"),
            vec!["okta:Everyone", "okta:app-", "okta:app-admins", "okta:app-users"],
        ),
        (pattern("app-(.+)", "$1"), vec!["admins", "users"]),
        // The whole value has to match.
        (pattern("app", "x"), vec![]),
        (
            pattern("(?<kind>app)-(?<name>a.*)|Everyone", "${name}.${kind}"),
            vec![".", "admins.app"],
        ),
        (
            table(&[("app-admins", &["admins", "users"])], Unlisted::Drop),
            vec!["admins", "users"],
        ),
        (
            table(
                &[("app-admins", &["admins"]), ("app-", &["none"])],
                Unlisted::Keep,
            ),
            vec!["Everyone", "admins", "app-users", "none"],
        ),
    ] {
        assert_eq!(named(naming.clone(), values.clone()), expected, "{naming:?}");
    }
}

#[test]
fn no_naming_leads_into_an_automatic_group_or_past_the_bounds() {
    let automatic = json!(["x_globex-okta"]);
    assert_eq!(
        named(prefix("x", "us-local-1_Pool"), automatic.clone()),
        Vec::<String>::new()
    );
    assert_eq!(
        named(pattern("x(.*)", "us-local-1_Pool$1"), automatic),
        Vec::<String>::new()
    );
    assert_eq!(
        named(pattern("(.*)", "$1$1$1"), json!(["a".repeat(100)])),
        Vec::<String>::new()
    );
    // Beyond what a pattern may be tried on, values are left out and an effect says so.
    let rule = GroupsRule {
        naming: pattern("(.*)x", "$1"),
        ..GroupsRule::new(Source::claim("groups"))
    };
    let claims = [("groups".to_owned(), json!(vec!["y".repeat(1000); 400]))]
        .into_iter()
        .collect();
    let (given, effects) = names(&rule, &claims, "p");
    assert!(given.is_empty() && effects.iter().any(|effect| effect.reason.contains("too many")));
}

#[test]
fn an_expression_gives_groups_or_none() {
    let claims: Map<String, Value> = [("roles".to_owned(), json!([{"n": "a"}, {"n": "b"}]))]
        .into_iter()
        .collect();
    let run = |text: &str| names(&GroupsRule::new(Source::expression(text)), &claims, "p");
    assert_eq!(run("claims.roles.map(r, r.n)").0, ["a", "b"]);
    assert_eq!(run("has(claims.roles) ? 'staff' : 'none'").0, ["staff"]);
    for text in [
        "claims.groups",
        "claims.roles.map(r, r.n + 1)",
        "claims.roles.size()",
    ] {
        let (given, effects) = run(text);
        assert!(
            given.is_empty() && effects[0].reason.contains("no groups"),
            "{effects:?}"
        );
    }
}

#[test]
fn each_mistake_of_a_groups_rule_is_told() {
    for (naming, said) in [
        (prefix("", "\t"), "cannot have"),
        (prefix(&"x".repeat(129), ""), "128"),
        (pattern("(", "$1"), "pattern"),
        (pattern("a)(b", "$1"), "pattern"),
        (pattern(&"x".repeat(301), "$1"), "300"),
        (pattern("a", " "), "$0"),
        (table(&[], Unlisted::Drop), "without rows"),
        (table(&[("", &["a"])], Unlisted::Drop), "empty"),
        (table(&[("a", &["a"]), ("a ", &["b"])], Unlisted::Drop), "twice"),
        (table(&[("a", &[])], Unlisted::Drop), "no group"),
        (table(&[("a", &["\u{200b}"])], Unlisted::Drop), "no group's name"),
    ] {
        let rule = GroupsRule {
            naming: naming.clone(),
            ..GroupsRule::new(Source::claim("groups"))
        };
        let mistakes = check(&rule);
        assert!(
            mistakes.len() == 1 && mistakes[0].contains(said),
            "{naming:?}: {mistakes:?}"
        );
    }
    let rule = GroupsRule::new(Source::expression("has(claims.x)"));
    assert!(check(&rule)[0].contains("a truth value"));
}

#[test]
fn memberships_are_reconciled_or_only_added() {
    let texts = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<String>>()
    };
    let lacking: BTreeSet<String> = ["gone".to_owned()].into();
    let rule = GroupsRule::new(Source::claim("g"));
    let adding = GroupsRule {
        reconcile: false,
        ..rule.clone()
    };
    let (wanted, held) = (texts(&["b", "c", "gone"]), texts(&["a", "b"]));
    for (rule, after, joined, left) in [
        (Some(&rule), &["b", "c"][..], &["c"][..], &["a"][..]),
        (Some(&adding), &["a", "b", "c"], &["c"], &[]),
    ] {
        let found = Memberships::after(rule, &wanted, &held, &lacking);
        assert_eq!(
            (found.held, found.joined, found.left),
            (texts(after), texts(joined), texts(left))
        );
    }
    let none = Memberships::after(None, &[], &held, &BTreeSet::new());
    assert_eq!(none.left, held);
}

#[test]
fn lists_and_single_texts_give_names() {
    let (names, effects) = run(Some(json!([
        " Engineering",
        "Everyone",
        "Engineering ",
        "",
        "R&D (Köln)"
    ])));
    assert_eq!(names, ["Engineering", "Everyone", "R&D (Köln)"]);
    assert!(effects.is_empty());
    assert_eq!(run(Some(json!("Finance Team"))).0, ["Finance Team"]);
    assert_eq!(run(Some(json!(null))), (vec![], vec![]));
    assert_eq!(run(Some(json!([]))), (vec![], vec![]));
}

#[test]
fn whatever_is_no_group_name_is_left_out_and_said() {
    for wrong in [
        json!(["a\tb"]),
        json!(["a\u{202e}b"]),
        json!(["a\u{200b}"]),
        json!(["a\u{0}"]),
        json!(["a".repeat(129)]),
        json!(["us-local-1_Pool_globex-okta"]),
        json!([7]),
        json!([["admins"]]),
        json!({"admins": true}),
        json!(true),
    ] {
        let (names, effects) = run(Some(wrong.clone()));
        assert_eq!((names.len(), effects.len()), (0, 1), "{wrong}");
        assert_eq!(effects[0].action, "skipped");
    }
    let (names, effects) = run(None);
    assert_eq!((names.len(), effects.len()), (0, 1));
    assert_eq!(run(Some(json!(["a".repeat(128)]))).0.len(), 1);
}

#[test]
fn a_133_ten_thousand_groups_are_cut_and_the_effects_stay_few() {
    let many: Vec<String> = (0..10_000).map(|n| format!("group-{n:05}")).collect();
    let (names, effects) = run(Some(json!(many)));
    assert_eq!((names.len(), effects.len()), (MAX_GROUPS, 1));
    assert!(effects[0].reason.contains("9500"));
    let (names, effects) = run(Some(json!(vec![7; 10_000])));
    assert_eq!((names.len(), effects.len()), (0, MAX_NAMED + 1));
}
