//! What is told of a mapping's work, and how much work it may be.

use super::*;

#[test]
fn effects_show_no_values() {
    let outcome = run(
        &["email=email", "name=name", "custom:contractor=c"],
        json!({"email": "lovelace@acme.test", "name": "Ada Lovelace", "c": true}),
        Some(json!({"email": "byron@acme.test", "name": "Ada Byron"})),
    );
    let effect = &outcome.effects[0];
    assert_eq!(effect.old.as_deref(), Some("b***@acme.test"));
    assert_eq!(effect.new.as_deref(), Some("l***@acme.test"));
    assert_eq!(outcome.effects[1].new.as_deref(), Some("text(12)"));
    assert_eq!(outcome.effects[2].new.as_deref(), Some("true"));
    let refused = run(&["custom:level=name"], json!({"name": "Ada Lovelace"}), None);
    assert!(!format!("{refused:?}").contains("Lovelace"));
}

#[test]
fn effects_show_nothing_of_what_an_expression_made_of_a_value() {
    let outcome = run(
        &["email:='x@' + claims.secret.lowerAscii() + '.example'"],
        json!({"secret": "Lovelace"}),
        None,
    );
    assert_eq!(outcome.effects[0].new.as_deref(), Some("text(18)"));
    assert!(
        !format!("{:?}", outcome.effects)
            .to_lowercase()
            .contains("lovelace.example")
    );
}

#[test]
fn the_rules_of_a_sign_in_spend_one_allowance_together() {
    let dear: Vec<String> = (0..20)
        .map(|n| format!("custom:a{n}:=string(claims.groups.map(g, claims.groups).size())"))
        .collect();
    let mut pool = pool();
    for n in 0..20 {
        pool.settings.attributes.push(Attribute {
            name: format!("custom:a{n}"),
            kind: AttributeType::String,
            mutable: true,
            required: false,
        });
    }
    let texts: Vec<&str> = dear.iter().map(String::as_str).collect();
    let rules = rules(&texts);
    let claims = map(json!({"groups": vec!["group"; 2_000]}));
    let outcome = apply(&rules, &claims, None, &pool, None);
    assert_eq!(outcome.steps, Steps::default().left());
    assert_eq!(outcome.refusal.unwrap().cause, "attribute_invalid");
}
