//! Addresses, and whose word makes one verified.

use super::*;

#[test]
fn a_48_an_address_is_verified_only_by_what_is_said_of_it_now() {
    let mapped = ["email=email", "email_verified=email_verified"];
    let alone = ["email=email"];
    let old = |email: &str, verified: bool| Some(json!({"email": email, "email_verified": verified}));
    for (texts, claims, existing, expected) in [
        // Unmapped: unverified, and unverified again when the address changes; kept when it does not.
        (
            &alone[..],
            json!({"email": "a@acme.test", "email_verified": true}),
            None,
            json!(false),
        ),
        (
            &alone,
            json!({"email": "b@acme.test"}),
            old("a@acme.test", true),
            json!(false),
        ),
        (
            &alone,
            json!({"email": "a@acme.test"}),
            old("a@acme.test", true),
            json!(true),
        ),
        (&alone, json!({}), old("a@acme.test", true), json!(true)),
        (
            &alone,
            json!({"email": ""}),
            old("a@acme.test", true),
            json!(null),
        ),
        (&alone, json!({}), None, json!(null)),
        // Mapped: only true and "true".
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": true}),
            None,
            json!(true),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": "true"}),
            None,
            json!(true),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": "TRUE"}),
            None,
            json!(false),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": 1}),
            None,
            json!(false),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": [true]}),
            None,
            json!(false),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": {}}),
            None,
            json!(false),
        ),
        (&mapped, json!({"email": "a@acme.test"}), None, json!(false)),
        (
            &mapped,
            json!({"email": "b@acme.test"}),
            old("a@acme.test", true),
            json!(false),
        ),
        (
            &mapped,
            json!({"email": "b@acme.test", "email_verified": true}),
            old("a@acme.test", false),
            json!(true),
        ),
        (
            &mapped,
            json!({"email": "a@acme.test", "email_verified": false}),
            old("a@acme.test", true),
            json!(false),
        ),
        // Said of an address that did not come, or of none.
        (
            &mapped,
            json!({"email_verified": true}),
            old("a@acme.test", false),
            json!(false),
        ),
        (
            &mapped,
            json!({"email": "", "email_verified": true}),
            old("a@acme.test", true),
            json!(null),
        ),
        (
            &["email_verified=email_verified"],
            json!({"email_verified": true}),
            old("a@acme.test", false),
            json!(false),
        ),
        // The address is kept by its policy: the word is about the other one.
        (
            &["email=email,write=first", "email_verified=email_verified"],
            json!({"email": "b@acme.test", "email_verified": true}),
            old("a@acme.test", false),
            json!(false),
        ),
        (
            &["email=email", "email_verified=email_verified,write=first"],
            json!({"email": "b@acme.test", "email_verified": true}),
            old("a@acme.test", true),
            json!(false),
        ),
        (
            &["email=email", "email_verified=email_verified,write=empty"],
            json!({"email": "a@acme.test", "email_verified": true}),
            old("a@acme.test", false),
            json!(true),
        ),
        // The order of the rules does not matter.
        (
            &["email_verified=email_verified", "email=email"],
            json!({"email": "b@acme.test", "email_verified": true}),
            old("a@acme.test", false),
            json!(true),
        ),
    ] {
        let outcome = run(texts, claims.clone(), existing.clone());
        assert_eq!(
            outcome
                .attributes
                .get("email_verified")
                .cloned()
                .unwrap_or_default(),
            expected,
            "{texts:?} {claims} {existing:?}"
        );
    }
}

#[test]
fn an_address_outside_the_tenants_domains_is_not_verified() {
    use crate::model::tenant_domain::Proven;
    let rules = Rules {
        attributes: vec![
            Rule::new("email", Source::claim("email")),
            Rule::new("email_verified", Source::claim("email_verified")),
        ],
        groups: None,
    };
    let within = Vouching::Within(vec![Proven {
        tenant_id: "acme".into(),
        domain: "acme.test".into(),
        subdomains: false,
    }]);
    let settle = |address: &str, flag: Value, existing: Option<&Map<String, Value>>| {
        let claims = json!({ "email": address, "email_verified": flag });
        let claims = claims.as_object().cloned().unwrap();
        super::super::apply(&Compiled::new(&rules), &claims, existing, &pool(), None, &within)
    };
    for (address, flag, verified) in [
        ("ann@acme.test", json!(true), true),
        ("ann@acme.test", json!("true"), true),
        ("ann@acme.test", json!(false), false),
        ("ann@globex.test", json!(true), false),
        ("ann@globex.test", json!("true"), false),
        ("ann@globex.test", json!(1), false),
    ] {
        let outcome = settle(address, flag.clone(), None);
        assert_ne!(
            outcome.attributes.get("email_verified"),
            Some(&json!(!verified)),
            "{address} {flag}"
        );
        assert_eq!(outcome.attributes["email"], address);
    }
    // The domain was taken back since: what was verified by it is so no more.
    let before = json!({ "email": "ann@globex.test", "email_verified": true });
    let outcome = settle("ann@globex.test", json!(true), before.as_object());
    assert_eq!(outcome.attributes["email_verified"], json!(false));
    let told = outcome
        .effects
        .iter()
        .find(|effect| effect.target == "email_verified");
    assert!(told.unwrap().reason.contains("no proven domain"));
}
