#![allow(clippy::unwrap_used)]
use super::*;

fn attribute(name: &str, kind: AttributeType) -> Attribute {
    Attribute {
        name: name.into(),
        kind,
        mutable: true,
        required: false,
    }
}

fn standard(name: &str) -> Attribute {
    Settings::default().attribute(name).unwrap()
}

fn converted(name: &str, claim: Value) -> Result<Option<Value>, String> {
    from_claim(&standard(name), &claim)
}

#[test]
fn a_48_only_true_and_the_string_true_verify() {
    for claim in [json!(true), json!("true")] {
        assert_eq!(converted("email_verified", claim), Ok(Some(json!(true))));
    }
    for claim in [
        json!(false),
        json!("false"),
        json!("TRUE"),
        json!("True"),
        json!(" true"),
        json!("yes"),
        json!(1),
        json!("1"),
        json!([true]),
        json!(["true"]),
        json!({}),
        json!({"true": true}),
        json!(null),
        json!(""),
    ] {
        for name in ["email_verified", "phone_number_verified"] {
            assert_eq!(converted(name, claim.clone()), Ok(Some(json!(false))), "{claim}");
        }
    }
}

#[test]
fn claims_become_values_of_the_attributes_type() {
    let text = |claim| from_claim(&attribute("custom:a", AttributeType::String), &claim);
    assert_eq!(text(json!("R&D")), Ok(Some(json!("R&D"))));
    assert_eq!(text(json!(42)), Ok(Some(json!("42"))));
    assert_eq!(text(json!(true)), Ok(Some(json!("true"))));
    assert_eq!(text(json!(["a", 1])), Ok(Some(json!(["a", 1]))));
    assert_eq!(text(json!({"a": [1]})), Ok(Some(json!({"a": [1]}))));
    assert_eq!(text(json!([])), Ok(Some(json!([]))));
    for blank in [json!(""), json!("  \t"), json!(null)] {
        assert_eq!(text(blank), Ok(None));
    }

    let number = |claim| from_claim(&attribute("custom:n", AttributeType::Number), &claim);
    assert_eq!(number(json!(7)), Ok(Some(json!(7))));
    assert_eq!(number(json!("7")), Ok(Some(json!(7))));
    assert_eq!(number(json!("-7.50")), Ok(Some(json!(-7.5))));
    assert_eq!(number(json!(7.0)), Ok(Some(json!(7))));
    assert_eq!(number(json!(0.1 + 0.2)), Ok(Some(json!(0.3))));
    assert_eq!(number(json!(u64::MAX)), Ok(Some(json!(u64::MAX))));
    for wrong in [
        json!("seven"),
        json!("1e5"),
        json!("inf"),
        json!("NaN"),
        json!("0x7"),
        json!(1e300),
        json!(1e-300),
        json!(true),
        json!([7]),
        json!({}),
    ] {
        assert!(number(wrong.clone()).is_err(), "{wrong}");
    }

    let truth = |claim| from_claim(&attribute("custom:b", AttributeType::Boolean), &claim);
    assert_eq!(truth(json!(false)), Ok(Some(json!(false))));
    assert_eq!(truth(json!("true")), Ok(Some(json!(true))));
    for wrong in [json!("TRUE"), json!(1), json!([true])] {
        assert!(truth(wrong.clone()).is_err(), "{wrong}");
    }

    let date = |claim| from_claim(&attribute("custom:d", AttributeType::DateTime), &claim);
    assert_eq!(date(json!("2026-01-31")), Ok(Some(json!("2026-01-31"))));
    assert_eq!(
        date(json!("2026-01-31T12:00:00+01:00")),
        Ok(Some(json!("2026-01-31T12:00:00+01:00")))
    );
    assert_eq!(date(json!(0)), Ok(Some(json!("1970-01-01T00:00:00Z"))));
    for wrong in [
        json!("31.1.2026"),
        json!("2026-02-30"),
        json!(1.5),
        json!(i64::MAX),
        json!(true),
    ] {
        assert!(date(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn standard_attributes_have_their_own_limits() {
    assert_eq!(
        converted("email", json!("Ada@ACME.test")),
        Ok(Some(json!("Ada@acme.test")))
    );
    for wrong in [
        json!("a@evil.test@acme.test"),
        json!(["ada@acme.test"]),
        json!(7),
        json!({}),
    ] {
        assert!(converted("email", wrong.clone()).is_err(), "{wrong}");
    }
    assert_eq!(
        converted("phone_number", json!("+14155550100")),
        Ok(Some(json!("+14155550100")))
    );
    for wrong in [
        "4155550100",
        "+1 415 555 0100",
        "+0155550100",
        "+1",
        "+",
        "+1234567890123456",
        "+1415555010x",
        "+１４１５５５５０１００",
    ] {
        assert!(converted("phone_number", json!(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(
        converted("birthdate", json!("1815-12-10")),
        Ok(Some(json!("1815-12-10")))
    );
    for wrong in [json!("1815"), json!("1815-12-100"), json!(1_815_121_000)] {
        assert!(converted("birthdate", wrong.clone()).is_err(), "{wrong}");
    }
    assert_eq!(
        converted("updated_at", json!(1_754_000_000)),
        Ok(Some(json!(1_754_000_000)))
    );
    assert_eq!(
        converted("updated_at", json!("1970-01-01T00:01:00Z")),
        Ok(Some(json!(60)))
    );
}

#[test]
fn a_value_has_2048_characters_at_the_most_counted_as_it_looks_outside() {
    let name = |claim| converted("name", claim);
    assert!(name(json!("ä".repeat(2048))).is_ok());
    let why = name(json!("ä".repeat(2049))).unwrap_err();
    assert!(why.contains("2048") && why.contains("2049"), "{why}");
    assert!(name(json!(["a".repeat(2046)])).is_ok());
    assert!(name(json!(["a".repeat(2047)])).is_err());
    // Each of these costs nine characters once it is encoded.
    assert!(name(json!(["€".repeat(228)])).is_err());
}

#[test]
fn outside_everything_is_a_string_as_in_cognito() {
    for (value, text) in [
        (json!("R&D"), "R&D"),
        (json!(true), "true"),
        (json!(42), "42"),
        (
            json!(["Engineering", "R&D team", "a.b-c*d_e"]),
            "[Engineering,R%26D+team,a.b-c*d_e]",
        ),
        (json!([]), "[]"),
        (json!([1, {"a": "b"}]), "[1,%7B%22a%22%3A%22b%22%7D]"),
        (json!({"country": "GB"}), r#"{"country":"GB"}"#),
    ] {
        assert_eq!(outside(&value), text);
    }
}

#[test]
fn tokens_have_the_standards_types_and_strings_for_custom_attributes() {
    let token = |name: &str, value: Value| in_token(&standard(name), &value);
    assert_eq!(token("email_verified", json!(true)), json!(true));
    assert_eq!(token("email_verified", json!("true")), json!(true));
    assert_eq!(token("email_verified", json!("no")), json!(false));
    assert_eq!(token("updated_at", json!(5)), json!(5));
    assert_eq!(token("updated_at", json!("5")), json!(5));
    assert_eq!(token("nickname", json!(["a", "b"])), json!("[a,b]"));
    assert_eq!(
        token("address", json!({"country": "GB"})),
        json!({"country": "GB"})
    );
    assert_eq!(
        token("address", json!(r#"{"country":"GB"}"#)),
        json!({"country": "GB"})
    );
    assert_eq!(
        token("address", json!("1 Main St")),
        json!({"formatted": "1 Main St"})
    );
    for kind in AttributeType::ALL {
        let custom = attribute("custom:x", *kind);
        for (value, text) in [(json!(true), "true"), (json!(4), "4"), (json!(["a"]), "[a]")] {
            assert_eq!(in_token(&custom, &value), json!(text));
        }
    }
}

#[test]
fn definitions_are_checked() {
    for (name, kind) in [
        ("custom:department", AttributeType::String),
        ("custom:größe", AttributeType::Number),
        ("custom:a.b-c_d/e", AttributeType::Boolean),
        ("email", AttributeType::String),
    ] {
        assert_eq!(check_definition(&attribute(name, kind)), Ok(()), "{name}");
    }
    for (name, kind) in [
        ("custom:", AttributeType::String),
        ("custom:abcdefghijklmnopqrstu", AttributeType::String),
        ("custom:a b", AttributeType::String),
        ("custom:a=b", AttributeType::String),
        ("custom:cognito:groups", AttributeType::String),
        ("custom:a\u{200b}", AttributeType::String),
        ("Custom:a", AttributeType::String),
        ("email", AttributeType::Number),
        ("Email", AttributeType::String),
        ("sub", AttributeType::String),
        ("iss", AttributeType::String),
        ("department", AttributeType::String),
        ("", AttributeType::String),
    ] {
        assert!(check_definition(&attribute(name, kind)).is_err(), "{name}");
    }
    let mut required = attribute("custom:a", AttributeType::String);
    required.required = true;
    assert!(
        check_definition(&required)
            .unwrap_err()
            .ends_with("Required custom attributes are not supported currently.")
    );
    let twice = [
        attribute("custom:a", AttributeType::String),
        attribute("custom:a", AttributeType::Number),
    ];
    assert_eq!(
        check_schema(&twice),
        [Mistake::new("custom:a", "is defined twice")]
    );
    let many: Vec<_> = (0..=MAX_CUSTOM)
        .map(|n| attribute(&format!("custom:a{n}"), AttributeType::String))
        .collect();
    assert_eq!(check_schema(&many).len(), 1);
    assert!(check_schema(&many[..MAX_CUSTOM]).is_empty());
}

#[test]
fn a_clients_attribute_lists_name_what_the_schema_has() {
    let settings = Settings {
        attributes: vec![attribute("custom:a", AttributeType::String)],
        ..Settings::default()
    };
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(
        check_names(
            &settings,
            &names(&["email", "email_verified", "custom:a", "sub"]),
            false
        )
        .is_empty()
    );
    assert!(check_names(&settings, &names(&["email", "custom:a"]), true).is_empty());
    let mistakes = check_names(&settings, &names(&["custom:b", "email_verified", "sub"]), true);
    assert_eq!(mistakes.len(), 3);
    assert_eq!(
        mistakes[0].to_string(),
        "user.custom:b: Attribute does not exist in the schema."
    );
}
