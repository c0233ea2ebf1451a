#![allow(clippy::unwrap_used)]

mod addresses;
mod effects;

use serde_json::json;

use super::*;
use crate::db::Json;
use crate::model::mapping::{GroupsRule, MissingGroup, Rules};
use crate::model::pool::AttributeType;
use crate::rules::mapping::parse;
use crate::world::UnixTime;

fn apply(
    rules: &Rules,
    claims: &Map<String, Value>,
    existing: Option<&Map<String, Value>>,
    pool: &Pool,
    write_attributes: Option<&[String]>,
) -> Outcome {
    super::apply(
        &Compiled::new(rules),
        claims,
        existing,
        pool,
        write_attributes,
        &Vouching::Everybody,
    )
}

fn pool() -> Pool {
    let attribute = |name: &str, kind, mutable, required| Attribute {
        name: name.into(),
        kind,
        mutable,
        required,
    };
    Pool {
        id: "us-local-1_Pool".into(),
        name: "pool".into(),
        settings: Json(Settings {
            attributes: vec![
                attribute("custom:tenant", AttributeType::String, false, false),
                attribute("custom:dept", AttributeType::String, true, false),
                attribute("custom:level", AttributeType::Number, true, false),
                attribute("custom:contractor", AttributeType::Boolean, true, false),
            ],
            ..Settings::default()
        }),
        created_at: UnixTime(0),
        updated_at: UnixTime(0),
    }
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn rules(texts: &[&str]) -> Rules {
    let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
    Rules {
        attributes: parse::rules(&texts).unwrap(),
        groups: None,
    }
}

/// Applies twice, as every sign-in is followed by another with the same claims, and checks that the second one has
/// nothing to change.
fn run(texts: &[&str], claims: Value, existing: Option<Value>) -> Outcome {
    let (rules, claims, existing) = (rules(texts), map(claims), existing.map(map));
    let first = apply(&rules, &claims, existing.as_ref(), &pool(), None);
    if first.refusal.is_none() {
        let second = apply(&rules, &claims, Some(&first.attributes), &pool(), None);
        assert_eq!(second.attributes, first.attributes, "{texts:?} {claims:?}");
        assert_eq!(second.refusal, None);
        for effect in &second.effects {
            assert!(
                !["written", "cleared", "refused"].contains(&effect.action.as_str()),
                "{effect:?}"
            );
        }
    }
    first
}

fn action(outcome: &Outcome, target: &str) -> String {
    let effect = outcome.effects.iter().find(|effect| effect.target == target);
    effect.map_or_else(String::new, |effect| effect.action.clone())
}

#[test]
fn what_came_is_written_blank_clears_absent_keeps() {
    let old = json!({"name": "Ada", "nickname": "a", "custom:dept": "R&D"});
    for (claims, after, act) in [
        (json!({"n": "Ada L."}), json!("Ada L."), "written"),
        (json!({"n": "Ada"}), json!("Ada"), "unchanged"),
        (json!({"n": ""}), json!(null), "cleared"),
        (json!({"n": "  "}), json!(null), "cleared"),
        (json!({"n": null}), json!(null), "cleared"),
        (json!({}), json!("Ada"), "kept"),
        (json!({"n": 5}), json!("5"), "written"),
        (json!({"n": ["a", "b"]}), json!(["a", "b"]), "written"),
        (json!({"n": {"a": 1}}), json!({"a": 1}), "written"),
    ] {
        let outcome = run(&["name=n"], claims, Some(old.clone()));
        assert_eq!(outcome.attributes.get("name").cloned().unwrap_or_default(), after);
        assert_eq!(action(&outcome, "name"), act);
        assert_eq!(outcome.attributes["nickname"], "a", "unmapped attributes stay");
    }
}

#[test]
fn absent_claims_clear_or_refuse_where_the_rule_says_so() {
    let old = || Some(json!({"name": "Ada"}));
    let outcome = run(&["name=n,absent=clear"], json!({}), old());
    assert_eq!(
        (outcome.attributes.len(), action(&outcome, "name").as_str()),
        (0, "cleared")
    );
    let outcome = run(&["name=n,absent=clear"], json!({}), None);
    assert_eq!(action(&outcome, "name"), "unchanged");
    let outcome = run(
        &["nickname=x", "name=n,absent=refuse"],
        json!({"x": "new"}),
        old(),
    );
    let refusal = outcome.refusal.as_ref().unwrap();
    assert_eq!(refusal.cause, "claim_required");
    assert_eq!(refusal.description, "attributes required: [name]");
    assert!(refusal.detail.contains("'n'"));
    assert_eq!(
        outcome.attributes,
        map(json!({"name": "Ada"})),
        "a refusal changes nothing"
    );
    assert_eq!(action(&outcome, "name"), "refused");
}

#[test]
fn write_policies() {
    let old = |value: &str| Some(json!({"name": value}));
    for (policy, existing, after, act) in [
        ("always", None, "new", "written"),
        ("always", old("old"), "new", "written"),
        ("first", None, "new", "written"),
        ("first", old("old"), "old", "skipped"),
        ("empty", None, "new", "written"),
        ("empty", old("old"), "old", "skipped"),
        ("empty", Some(json!({})), "new", "written"),
    ] {
        let outcome = run(
            &[&format!("name=n,write={policy}")],
            json!({"n": "new"}),
            existing,
        );
        assert_eq!(outcome.attributes["name"], after, "{policy}");
        assert_eq!(action(&outcome, "name"), act, "{policy}");
    }
    // A rule that runs at the first sign-in only asks for its claim then only.
    assert!(
        run(&["name=n,write=first,absent=refuse"], json!({}), None)
            .refusal
            .is_some()
    );
    assert!(
        run(&["name=n,write=first,absent=refuse"], json!({}), old("old"))
            .refusal
            .is_none()
    );
    assert!(
        run(&["name=n,write=empty,absent=refuse"], json!({}), old("old"))
            .refusal
            .is_none()
    );
    assert!(
        run(&["name=n,write=empty,absent=refuse"], json!({}), Some(json!({})))
            .refusal
            .is_some()
    );
}

#[test]
fn an_immutable_attribute_takes_its_first_value_and_then_only_equal_ones() {
    let rule = ["custom:tenant=t"];
    let old = || Some(json!({"custom:tenant": "acme"}));
    assert_eq!(
        run(&rule, json!({"t": "acme"}), None).attributes["custom:tenant"],
        "acme"
    );
    assert_eq!(
        run(&rule, json!({"t": "acme"}), Some(json!({}))).attributes["custom:tenant"],
        "acme"
    );
    assert_eq!(
        action(&run(&rule, json!({"t": "acme"}), old()), "custom:tenant"),
        "unchanged"
    );
    assert!(run(&rule, json!({}), old()).refusal.is_none());
    for changed in [json!({"t": "globex"}), json!({"t": ""}), json!({"t": ["acme"]})] {
        let outcome = run(&rule, changed, old());
        let refusal = outcome.refusal.as_ref().unwrap();
        assert_eq!(refusal.cause, "attribute_immutable");
        assert_eq!(
            refusal.description,
            "user.custom:tenant: Attribute cannot be updated."
        );
        assert!(refusal.remedy.contains("write=first"));
        assert_eq!(outcome.attributes["custom:tenant"], "acme");
    }
    assert!(
        run(&["custom:tenant=t,write=first"], json!({"t": "globex"}), old())
            .refusal
            .is_none()
    );
}

#[test]
fn required_attributes_must_have_a_value_in_the_end() {
    let mut pool = pool();
    for name in ["email", "name"] {
        pool.settings.attributes.push(Attribute {
            name: name.into(),
            kind: AttributeType::String,
            mutable: true,
            required: true,
        });
    }
    let go = |texts: &[&str], claims: Value, existing: Option<Value>| {
        apply(
            &rules(texts),
            &map(claims),
            existing.map(map).as_ref(),
            &pool,
            None,
        )
        .refusal
    };
    let both = ["email=email", "name=name"];
    assert_eq!(
        go(&both, json!({"email": "ada@acme.test", "name": "Ada"}), None),
        None
    );
    let refusal = go(&both, json!({"name": "Ada"}), None).unwrap();
    assert_eq!(refusal.cause, "attributes_required");
    assert_eq!(refusal.description, "attributes required: [email]");
    let refusal = go(&["email=mail"], json!({}), None).unwrap();
    assert_eq!(refusal.description, "attributes required: [email, name]");
    assert!(refusal.detail.contains("'mail'") && refusal.detail.contains("'name' is not mapped"));
    let old = || Some(json!({"email": "ada@acme.test", "name": "Ada"}));
    assert_eq!(go(&both, json!({}), old()), None, "an absent claim keeps");
    let cleared = go(&both, json!({"email": ""}), old()).unwrap();
    assert_eq!(cleared.description, "attributes required: [email]");
    let skipped = apply(
        &rules(&both),
        &map(json!({"email": "ada@acme.test", "name": "Ada"})),
        None,
        &pool,
        Some(&["name".to_owned()]),
    );
    assert_eq!(
        skipped.refusal.unwrap().description,
        "attributes required: [email]"
    );
}

#[test]
fn values_that_do_not_fit_refuse_by_name() {
    for (texts, claims, attribute) in [
        (["name=n"], json!({"n": "x".repeat(2049)}), "name"),
        (["email=e"], json!({"e": "a@evil.test@acme.test"}), "email"),
        (["custom:level=l"], json!({"l": "high"}), "custom:level"),
        (["custom:contractor=c"], json!({"c": 1}), "custom:contractor"),
        (["birthdate=b"], json!({"b": "1815"}), "birthdate"),
        (["custom:level=l"], json!({"l": [1]}), "custom:level"),
        (
            ["phone_number=p,absent=refuse"],
            json!({"p": "555"}),
            "phone_number",
        ),
    ] {
        let outcome = run(&texts, claims.clone(), Some(json!({})));
        let refusal = outcome.refusal.unwrap();
        assert_eq!(refusal.cause, "attribute_invalid", "{claims}");
        assert!(
            refusal.description.starts_with(&format!("user.{attribute}: ")),
            "{}",
            refusal.description
        );
        assert!(!refusal.detail.contains("evil"), "no value in the detail");
    }
    let twice = run(
        &["custom:level=l", "birthdate=b"],
        json!({"l": "x", "b": "y"}),
        None,
    );
    assert!(
        twice.refusal.unwrap().description.contains("custom:level"),
        "the first refusal is told"
    );
}

#[test]
fn a_telephone_number_in_another_form_is_dropped_and_said() {
    let outcome = run(
        &["phone_number=p"],
        json!({"p": "(415) 555-0100"}),
        Some(json!({"phone_number": "+14155550100"})),
    );
    assert_eq!(outcome.attributes["phone_number"], "+14155550100");
    let effect = &outcome.effects[0];
    assert_eq!(effect.action, "skipped");
    assert!(effect.reason.starts_with("dropped: ") && effect.reason.contains("E.164"));
    assert!(outcome.refusal.is_none());
    // What is said of the dropped number is not said of the old one.
    let outcome = run(
        &["phone_number=p", "phone_number_verified=v"],
        json!({"p": "(415) 555-0199", "v": true}),
        Some(json!({"phone_number": "+14155550100", "phone_number_verified": false})),
    );
    assert_eq!(outcome.attributes["phone_number_verified"], false);
}

#[test]
fn a_client_changes_only_what_it_may_write() {
    let texts = rules(&["name=name", "email=email", "email_verified=email_verified"]);
    let claims = map(json!({"name": "Ada", "email": "ada@acme.test", "email_verified": true}));
    let may = ["email".to_owned()];
    let outcome = apply(&texts, &claims, None, &pool(), Some(&may));
    assert_eq!(
        outcome.attributes,
        map(json!({"email": "ada@acme.test", "email_verified": true}))
    );
    assert_eq!(action(&outcome, "name"), "skipped");
    // Nothing vouches for an address that could not be written.
    let old = map(json!({"email": "old@acme.test", "email_verified": false}));
    let outcome = apply(&texts, &claims, Some(&old), &pool(), Some(&[]));
    assert_eq!(outcome.attributes, old);
}

#[test]
fn a_53_stored_rules_cannot_set_what_is_reserved_or_unknown() {
    let names = [
        "sub",
        "iss",
        "cognito:groups",
        "identities",
        "username",
        "SUB",
        "custom:nope",
        "Email",
        "",
    ];
    let rules = Rules {
        attributes: names
            .iter()
            .map(|name| Rule {
                attribute: (*name).into(),
                source: Source::claim("x"),
                write: Write::Always,
                absent: Absent::Refuse,
            })
            .collect(),
        groups: None,
    };
    let outcome = apply(&rules, &map(json!({"x": "evil"})), None, &pool(), None);
    assert!(outcome.attributes.is_empty() && outcome.refusal.is_none());
    assert_eq!(outcome.effects.len(), names.len());
    assert!(outcome.effects.iter().all(|effect| effect.action == "skipped"));
}

#[test]
fn groups_come_only_from_a_groups_rule() {
    let claims = map(json!({"groups": ["b", "a"]}));
    let mut rules = rules(&[]);
    assert_eq!(apply(&rules, &claims, None, &pool(), None).groups, None);
    rules.groups = Some(GroupsRule {
        missing: MissingGroup::Create,
        ..GroupsRule::new(Source::claim("groups"))
    });
    let outcome = apply(&rules, &claims, None, &pool(), None);
    assert_eq!(outcome.groups, Some(vec!["a".into(), "b".into()]));
    assert_eq!(
        apply(&rules, &Map::new(), None, &pool(), None).groups,
        Some(vec![])
    );
}

/// Every kind of claim into every kind of attribute under every policy: there is an outcome, and `run` finds that a
/// second sign-in changes nothing.
#[test]
fn applying_the_same_claims_twice_changes_nothing_the_second_time() {
    let values = [
        json!(null),
        json!(""),
        json!(" "),
        json!("text"),
        json!("ada@ACME.test"),
        json!("+14155550100"),
        json!("1815-12-10"),
        json!("true"),
        json!("TRUE"),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(0.1 + 0.2),
        json!(1e300),
        json!(u64::MAX),
        json!("0.30000000000000004"),
        json!([]),
        json!(["a", 1, null, {"b": []}]),
        json!({}),
        json!({"a": {"b": "c"}}),
        json!("x".repeat(3000)),
        json!("\u{0}\u{202e}€"),
    ];
    let attributes = [
        "name",
        "email",
        "email_verified",
        "phone_number",
        "phone_number_verified",
        "birthdate",
        "updated_at",
        "address",
        "custom:tenant",
        "custom:dept",
        "custom:level",
        "custom:contractor",
    ];
    let starts = [
        None,
        Some(json!({})),
        Some(
            json!({"name": "old", "email": "old@acme.test", "email_verified": true, "custom:tenant": "acme",
                    "phone_number": "+442071838750", "phone_number_verified": true, "custom:level": 3}),
        ),
    ];
    let mut settled = 0;
    for attribute in attributes {
        for value in &values {
            for write in Write::ALL {
                for absent in Absent::ALL {
                    let one = format!("{attribute}=c.x,write={write},absent={absent}");
                    // Beside rules for both addresses, unless the attribute is one of them.
                    let mut texts = vec![one.as_str()];
                    texts.extend(
                        ["email=c.x", "phone_number=p", "email_verified=v"]
                            .iter()
                            .filter(|text| !text.starts_with(&format!("{attribute}="))),
                    );
                    for start in &starts {
                        for claims in [
                            json!({"c": {"x": value}, "p": "+14155550100", "v": value}),
                            json!({"v": value, "p": value}),
                        ] {
                            settled +=
                                usize::from(run(&texts, claims.clone(), start.clone()).refusal.is_none());
                            settled += usize::from(run(&texts[..1], claims, start.clone()).refusal.is_none());
                        }
                    }
                }
            }
        }
    }
    assert!(settled > 10_000, "most of these sign-ins end well: {settled}");
}

/// What is stored comes back from the database equal, numbers included.
#[test]
fn stored_values_survive_their_text_form() {
    for level in [
        json!(0.1 + 0.2),
        json!(1.0 / 3.0),
        json!("123456.789012345678"),
        json!(1e-7),
        json!(987_654_321.123_456_7),
    ] {
        let outcome = run(&["custom:level=l"], json!({"l": level}), None);
        let text = serde_json::to_string(&outcome.attributes).unwrap();
        let back: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, outcome.attributes, "{level}");
    }
}
