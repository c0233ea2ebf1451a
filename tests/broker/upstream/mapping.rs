//! What a sign-in makes of a profile, by the connection's mapping: write policies, absent claims, immutable and required
//! attributes, types (the rules themselves have their tables in `rules::mapping`).

use forebay::actions::mappings::{self, Save};
use forebay::demo::okta::UserinfoFault;
use forebay::model::mapping::{self, Rule, Rules, Source};
use forebay::model::pool::{Attribute, AttributeType};
use forebay::model::user;
use forebay::rules::mapping::parse;
use serde_json::{Map, Value, json};

use super::{attempt, failing, refused, rows, signed_in, signs_in};
use crate::support::Stage;

/// Saves these rules as acme's mapping, in their text form; the groups rule stays away.
pub fn map(stage: &Stage, rules: &[&str]) {
    save(
        stage,
        Rules {
            attributes: rules.iter().map(|text| parse::rule(text).unwrap()).collect(),
            groups: None,
        },
    );
}

pub fn save(stage: &Stage, rules: Rules) {
    let ctx = stage.ctx();
    stage.act(|conn| {
        let seen = mapping::current(conn, "acme-okta")
            .unwrap()
            .map_or(0, |current| current.version);
        let save = Save {
            seen,
            rules,
            ..Save::default()
        };
        mappings::save(conn, &ctx, "acme-okta", save).unwrap();
    });
}

/// What userinfo says of Ada besides, from now on; `null` takes a claim away.
fn says(stage: &Stage, claims: Value) {
    let claims = claims.as_object().cloned().unwrap();
    let (gone, set): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(_, value)| value.is_null());
    stage.acme.set_faults(|faults| {
        faults.userinfo = vec![
            UserinfoFault::Set(set.into_iter().collect()),
            UserinfoFault::Remove(gone.into_iter().map(|(name, _)| name).collect()),
        ];
    });
}

fn attributes(stage: &Stage, sub: &Value) -> Map<String, Value> {
    let sub = sub.as_str().unwrap();
    stage.act(|conn| user::find(conn, sub).unwrap().unwrap().attributes.0)
}

/// Ada signs in; her attributes afterwards.
async fn after(stage: &Stage) -> Map<String, Value> {
    let id = signs_in(stage, "ada@acme.test").await;
    attributes(stage, &id["sub"])
}

fn attribute(name: &str, mutable: bool, required: bool) -> Attribute {
    Attribute {
        name: name.into(),
        kind: AttributeType::String,
        mutable,
        required,
    }
}

#[actix_web::test]
async fn each_write_policy_does_what_its_name_says() {
    let stage = Stage::new().await;
    map(
        &stage,
        &[
            "email=email",
            "name=title",
            "nickname=title,write=first",
            "given_name=title,write=empty",
            "family_name=later,write=empty",
        ],
    );
    says(&stage, json!({"title": "one"}));
    let first = after(&stage).await;
    assert_eq!(
        (&first["name"], &first["nickname"], &first["given_name"]),
        (&json!("one"), &json!("one"), &json!("one"))
    );
    assert_eq!(first.get("family_name"), None);
    says(&stage, json!({"title": "two", "later": "now"}));
    let second = after(&stage).await;
    assert_eq!(second["name"], "two");
    assert_eq!(second["nickname"], "one");
    assert_eq!(second["given_name"], "one");
    assert_eq!(second["family_name"], "now", "it was empty");
}

#[actix_web::test]
async fn an_absent_claim_keeps_clears_or_refuses_and_a_blank_one_clears() {
    let stage = Stage::new().await;
    map(
        &stage,
        &[
            "email=email",
            "name=one",
            "nickname=two,absent=clear",
            "given_name=three",
        ],
    );
    says(&stage, json!({"one": "1", "two": "2", "three": "3"}));
    after(&stage).await;
    says(&stage, json!({"three": ""}));
    let left = after(&stage).await;
    assert_eq!(left["name"], "1");
    assert_eq!(left.get("nickname"), None);
    assert_eq!(left.get("given_name"), None);

    map(&stage, &["email=email", "name=one,absent=refuse"]);
    let before = rows(&stage);
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "claim_required", "invalid_request");
    assert_eq!(failing(&trace), Some("mapping"));
    let step = trace.story.steps.iter().find(|step| !step.passed).unwrap();
    assert!(
        step.detail.contains("'one'"),
        "the trace names the claim: {step:?}"
    );
    assert!(trace.user_sub.is_some());
    assert_eq!(rows(&stage), before);
}

#[actix_web::test]
async fn a_required_attribute_without_a_value_is_named_to_the_app() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.attributes.push(attribute("email", true, true)));
    map(&stage, &["name=name", "email=work_email"]);
    let before = rows(&stage);
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "attributes_required", "invalid_request");
    let back = super::back_to_app(&page).unwrap();
    assert_eq!(
        crate::support::query_of(&back, "error_description").as_deref(),
        Some("attributes required: [email]")
    );
    assert_eq!(failing(&trace), Some("mapping"));
    assert_eq!(rows(&stage), before, "no profile is made");
    assert!(page.shows("attributes required: [email]"));
    let step = trace.story.steps.iter().find(|step| !step.passed).unwrap();
    assert!(
        step.detail.contains("'work_email'"),
        "the trace says where it should have come from: {step:?}"
    );

    map(&stage, &["name=name", "email=email"]);
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn an_immutable_attribute_takes_its_first_value_and_an_equal_one_and_no_other() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.attributes.push(attribute("custom:staff", false, false)));
    map(&stage, &["email=email", "custom:staff=staff"]);
    says(&stage, json!({"staff": "E-7"}));
    assert_eq!(after(&stage).await["custom:staff"], "E-7");
    assert_eq!(
        after(&stage).await["custom:staff"],
        "E-7",
        "an equal value is no write"
    );
    says(&stage, json!({}));
    assert_eq!(
        after(&stage).await["custom:staff"],
        "E-7",
        "an absent one neither"
    );

    says(&stage, json!({"staff": "E-8"}));
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "attribute_immutable", "invalid_request");
    assert!(
        trace
            .story
            .effects
            .iter()
            .any(|effect| effect.target == "custom:staff" && effect.action == "refused")
    );
    assert!(trace.story.remedy.contains("write=first"), "{trace:?}");
    assert!(
        !serde_json::to_string(&trace.story.0).unwrap().contains("E-8"),
        "values are redacted"
    );
}

#[actix_web::test]
async fn arrays_and_objects_keep_their_types_inside() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| {
        settings.attributes.push(attribute("custom:roles", true, false));
        settings.attributes.push(Attribute {
            kind: AttributeType::Number,
            ..attribute("custom:level", true, false)
        });
    });
    map(
        &stage,
        &[
            "email=email",
            "custom:roles=roles",
            "custom:level=level",
            "address=address",
        ],
    );
    says(
        &stage,
        json!({"roles": ["a", "b"], "level": 7, "address": {"country": "GB"}}),
    );
    let inside = after(&stage).await;
    assert_eq!(inside["custom:roles"], json!(["a", "b"]));
    assert_eq!(inside["custom:level"], json!(7));
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["custom:roles"], "[a,b]", "Cognito's flattened form outside");
    assert_eq!(id["custom:level"], "7");
    assert_eq!(inside["address"], json!({"country": "GB"}));
}

#[actix_web::test]
async fn a_client_that_may_not_write_an_attribute_changes_none() {
    let stage = Stage::new().await;
    map(&stage, &["email=email", "name=title"]);
    says(&stage, json!({"title": "one"}));
    after(&stage).await;
    stage.change_web_client(|settings| settings.write_attributes = Some(vec!["email".into()]));
    says(&stage, json!({"title": "two"}));
    assert_eq!(after(&stage).await["name"], "one");
}

#[actix_web::test]
async fn a_new_version_of_the_mapping_serves_the_next_sign_in_and_tokens_say_which_one_it_was() {
    let stage = Stage::new().await;
    let first = attempt(&stage, "ada@acme.test").await;
    signed_in(&stage, &first).await;
    map(&stage, &["email=email", "nickname=nickname"]);
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["nickname"], "Ada");
    let step = |number: usize| {
        let traces = stage.traces();
        let of: Vec<String> = traces
            .iter()
            .flat_map(|trace| &trace.story.steps)
            .filter(|step| step.name == "mapping")
            .map(|step| step.detail.clone())
            .collect();
        of.iter().any(|detail| *detail == format!("version {number}"))
    };
    assert!(step(1) && step(2));
}

#[actix_web::test]
async fn a53_reserved_claims_cannot_be_mapped() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    for target in [
        "sub",
        "iss",
        "aud",
        "cognito:groups",
        "cognito:username",
        "token_use",
        "identities",
        "SUB",
        "username",
        "custom:",
        "custom:cognito:groups",
        "dev:custom:x",
    ] {
        let rule = Rule::new(target, Source::claim("x"));
        let rules = Rules {
            attributes: vec![rule],
            groups: None,
        };
        let saved = stage.act(|conn| {
            let seen = mapping::current(conn, "acme-okta").unwrap().unwrap().version;
            let save = Save {
                seen,
                rules,
                ..Save::default()
            };
            mappings::save(conn, &ctx, "acme-okta", save)
        });
        assert!(saved.is_err(), "{target} was saved");
    }
    // And one that got into the database all the same is passed over.
    stage.act(|conn| {
        let mut forced = mapping::current(conn, "acme-okta").unwrap().unwrap();
        forced.version += 1;
        for target in ["sub", "cognito:groups", "token_use"] {
            let rule = Rule::new(target, Source::claim("nickname"));
            forced.rules.attributes.push(rule);
        }
        assert!(mapping::insert(conn, &forced).unwrap());
    });
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_ne!(id["sub"], "Ada");
    assert_eq!(id["token_use"], "id");
    assert!(!id["cognito:groups"].to_string().contains("Ada"));
}

#[actix_web::test]
async fn an_expression_computes_what_no_claim_holds() {
    let stage = Stage::new().await;
    map(
        &stage,
        &[
            "email:=claims.email.lowerAscii()",
            "name,absent=clear:=claims.first + ' ' + claims.last",
            "nickname:=has(claims.first) ? claims.first.substring(0, 1) : 'none'",
            "locale:=claims.no.such.thing",
        ],
    );
    says(&stage, json!({"first": "Ada", "last": "Lovelace"}));
    let first = after(&stage).await;
    assert_eq!(
        (&first["email"], &first["name"], &first["nickname"]),
        (&json!("ada@acme.test"), &json!("Ada Lovelace"), &json!("A"))
    );
    assert_eq!(first.get("locale"), None);
    says(&stage, json!({"first": null, "last": "Lovelace"}));
    let second = after(&stage).await;
    assert_eq!((second.get("name"), &second["nickname"]), (None, &json!("none")));

    // One that cannot be computed refuses like a claim that does not fit; the page and the trace show no value.
    map(&stage, &["email=email", "name:=claims.last + 1"]);
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "attribute_invalid", "invalid_request");
    let step = trace.story.steps.iter().find(|step| !step.passed).unwrap();
    assert!(step.detail.contains("a text and a number"), "{step:?}");
    assert!(page.shows("user.name: the value cannot be computed."));
    assert!(
        !serde_json::to_string(&trace.story.0)
            .unwrap()
            .contains("Lovelace")
    );
}
