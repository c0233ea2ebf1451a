#![allow(clippy::unwrap_used)]
use std::time::Instant;

use serde_json::json;

use super::*;

fn claims() -> Map<String, Value> {
    let Value::Object(claims) = json!({
        "sub": "00u1ada",
        "email": "Ada.Lovelace@ACME.test",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "nothing": null,
        "level": 7,
        "ratio": 0.5,
        "active": true,
        "groups": ["app-admins", "app-users", "Everyone"],
        "address": {"country": "GB", "lines": ["St James's Square", "London"]},
        "https://acme.example/org": {"id": "42"},
        "roles": [{"name": "owner"}, {"name": "reader"}],
    }) else {
        unreachable!()
    };
    claims
}

fn value(text: &str) -> Result<Option<Value>, Failure> {
    compile(text)
        .unwrap_or_else(|why| panic!("{text}: {why}"))
        .value(&claims())
}

#[test]
fn each_expression_has_its_value() {
    for (text, expected) in [
        (
            "claims.given_name + ' ' + claims.family_name",
            json!("Ada Lovelace"),
        ),
        ("claims.email.lowerAscii()", json!("ada.lovelace@acme.test")),
        ("claims.email.split('@')[1].lowerAscii()", json!("acme.test")),
        (
            "claims.address.country == 'GB' ? 'home' : 'abroad'",
            json!("home"),
        ),
        ("claims['https://acme.example/org'].id", json!("42")),
        ("claims.address.lines[0].substring(0, 2)", json!("St")),
        (
            "claims.address.lines.join(', ')",
            json!("St James's Square, London"),
        ),
        (
            "claims.groups.filter(g, g.startsWith('app-'))",
            json!(["app-admins", "app-users"]),
        ),
        (
            "claims.groups.map(g, g.startsWith('app-'), g.substring(4))",
            json!(["admins", "users"]),
        ),
        ("claims.groups.exists(g, g == 'Everyone')", json!(true)),
        ("claims.groups.all(g, g.size() > 3)", json!(true)),
        ("claims.groups.exists_one(g, g.matches('^E'))", json!(true)),
        ("'Everyone' in claims.groups", json!(true)),
        ("'title' in claims", json!(false)),
        ("'country' in claims.address", json!(true)),
        ("claims.roles.map(r, r.name)", json!(["owner", "reader"])),
        ("claims.address.map(name, name).size()", json!(2)),
        ("has(claims.email)", json!(true)),
        ("has(claims.title)", json!(false)),
        ("has(claims.nothing)", json!(true)),
        (
            "has(claims.address.country) && !has(claims.address.city)",
            json!(true),
        ),
        ("has(claims.nothing.deeper)", json!(false)),
        ("claims.level * 2 + 1", json!(15)),
        ("claims.level / 2", json!(3)),
        ("claims.level % 4", json!(3)),
        ("-claims.level", json!(-7)),
        ("claims.level > 5 && claims.ratio < 1", json!(true)),
        ("claims.level == 7.0", json!(true)),
        ("claims.ratio * 4.0", json!(2.0)),
        ("int('12') + int(3.9)", json!(15)),
        ("double('1.5')", json!(1.5)),
        ("string(claims.level) + '!'", json!("7!")),
        ("bool('true')", json!(true)),
        ("size(claims.given_name)", json!(3)),
        ("'a,b'.replace(',', ';')", json!("a;b")),
        ("' a '.trim().upperAscii()", json!("A")),
        ("[1, 2] + [3]", json!([1, 2, 3])),
        ("{'a': claims.level}", json!({"a": 7})),
        ("claims.email.matches('(?i)@acme[.]test$')", json!(true)),
        ("'Ä' + \"ö\"", json!("Äö")),
        // One side settles it, whatever the other is.
        ("claims.title == 'x' || true", json!(true)),
        ("true || claims.level + 'x' == 1", json!(true)),
        (
            "claims.roles.exists(r, r.title == 'x' || r.name == 'reader')",
            json!(true),
        ),
    ] {
        assert_eq!(value(text), Ok(Some(expected)), "{text}");
    }
}

#[test]
fn what_did_not_come_is_absent() {
    for text in [
        "claims.title",
        "claims.nothing",
        "claims.nothing.deeper",
        "claims.address.city",
        "claims.title + 'x'",
        "claims.title.lowerAscii()",
        "claims.groups[3]",
        "claims.groups[-1]",
        "claims['no such']",
        "'nobody'.split('@')[1]",
        "null",
        "has(claims.title) ? 'x' : null",
        "claims.title == 'x' || false",
        "claims.roles.exists(r, r.title == 'x')",
    ] {
        assert_eq!(value(text), Ok(None), "{text}");
    }
}

#[test]
fn a_value_that_does_not_suit_is_a_failure_without_the_value() {
    for (text, said) in [
        ("claims.level + 'x'", "a number and a text"),
        ("claims.email > 3", "a text and a number"),
        ("claims.email.country", "a member of a text"),
        (
            "claims.level.lowerAscii()",
            "'lowerAscii' cannot be used on a number",
        ),
        ("claims.level.map(x, x)", "a macro"),
        ("claims.groups.map(g, g + 1)", "a text and a number"),
        ("!claims.email", "a truth value"),
        ("claims.level / 0", "by zero"),
        ("claims.ratio / 0.0", "by zero"),
        ("9223372036854775807 + claims.level", "too large"),
        ("int('seven')", "no whole number"),
        ("int(1e300)", "no whole number"),
        ("claims.groups.join(1)", "'join' cannot be used on a number"),
        ("claims.roles.join(',')", "list of texts"),
        ("string(claims.groups)", "'string' cannot"),
        ("'a'.replace('', 'b')", "something to replace"),
        ("'a'.split('')", "separator"),
        ("claims.address[0]", "an element of an object"),
        ("claims.groups[1.5]", "whole number"),
    ] {
        let failure = value(text).unwrap_err();
        assert!(failure.0.contains(said), "{text}: {failure}");
        assert!(!failure.0.contains("Lovelace"), "{text}: {failure}");
    }
}

#[test]
fn a_mistake_has_its_place_and_a_sentence() {
    let mut wrong = Vec::new();
    for (text, line, column, said) in [
        ("", 1, 1, "empty"),
        ("claims.", 1, 8, "missing at the end"),
        ("claims.a +", 1, 11, "missing at the end"),
        ("claims.a b", 1, 10, "'b' is not expected"),
        ("(claims.a", 1, 10, ""),
        ("claims.a)", 1, 9, "')' is not expected"),
        ("'open", 1, 1, "not expected"),
        ("claims.a ==\n  department", 2, 3, "claims.department"),
        ("'ä' + department", 1, 7, "claims.department"),
        ("claims.a.lower()", 1, 15, "no function 'lower'"),
        ("now()", 1, 4, "no function 'now'"),
        ("claims.a.split()", 1, 15, "text.split(',')"),
        ("lowerAscii(claims.a)", 1, 11, "text.lowerAscii()"),
        ("claims.a.int()", 1, 13, "int(x)"),
        ("has(claims)", 1, 4, "has(claims.name)"),
        ("claims.a.matches(claims.b)", 1, 24, "as it stands"),
        ("claims.a.matches('(')", 1, 18, "no pattern"),
        ("claims.a.matches('\\\\w{1000}{1000}')", 1, 18, "pattern"),
        ("claims.a.map(1, 2)", 1, 13, "simple name"),
        ("claims.a.map(claims, 2)", 1, 13, "taken"),
        ("1u", 1, 1, "unsigned"),
        ("b'x'", 1, 1, "bytes"),
        ("a.B{c: 1}", 1, 4, "messages"),
        ("claims.?a", 1, 7, ""),
        ("[1].map(a, [2].map(b, [3].map(c, c)))", 1, 30, "2 deep"),
    ] {
        let error = compile(text).unwrap_err();
        // The parser's own lists of tokens would be of no help.
        let readable = !error.reason.contains("{'") || error.reason.contains("write an object");
        if (error.line, error.column) != (line, column) || !error.reason.contains(said) || !readable {
            wrong.push(format!("{text}: expected {line}:{column} {said}, got {error}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// On a stack as small as a worker's.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn no_text_is_too_deep_or_too_long_to_be_refused() {
    on_a_small_stack(|| {
        for text in [
            "(".repeat(10_000),
            "(".repeat(1_999),
            format!("{}1{}", "(".repeat(999), ")".repeat(999)),
            format!("{}1{}", "[".repeat(999), "]".repeat(999)),
            "{'a':".repeat(399),
            format!("{}true", "!".repeat(1_990)),
            format!("{}1", "-".repeat(1_990)),
            format!("1{}", "+1".repeat(999)),
            format!("claims{}", ".a".repeat(990)),
            format!("claims{}", "[0]".repeat(660)),
            format!("{}1", "true?1:".repeat(280)),
            format!("{}1", "1?".repeat(900)),
            format!("[1]{}", ".map(x,[x])".repeat(180)),
            format!("claims.a{}", ".trim()".repeat(280)),
        ] {
            let begun = Instant::now();
            let error = compile(&text).unwrap_err();
            assert!(
                !error.reason.is_empty() && error.reason != "the expression cannot be read",
                "{error}"
            );
            assert!(
                begun.elapsed().as_secs() < 5,
                "{:.30}…: {:?}",
                text,
                begun.elapsed()
            );
        }
        // Long, but flat: nothing wrong with these.
        for text in [
            format!("true{}", " && true".repeat(200)),
            format!("[1{}]", ",1".repeat(900)),
            format!("{}1{}", "(".repeat(30), ")".repeat(30)),
            format!("'a'{}", " + 'a'".repeat(60)),
            format!("\"{}\"", "x".repeat(1_990)),
        ] {
            assert!(value(&text).unwrap().is_some(), "{text}");
        }
    });
}

#[test]
fn an_expression_that_grows_or_never_ends_is_cut() {
    let many: Vec<String> = (0..5_000).map(|n| format!("group-{n:04}")).collect();
    let mut claims = claims();
    claims.insert("groups".into(), json!(many));
    claims.insert("long".into(), json!("a".repeat(100_000)));
    for text in [
        "['aaaaaaaa'].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)\
         .map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)\
         .map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)",
        "claims.groups.map(a, claims.groups.map(b, a + b))",
        "claims.groups.all(a, claims.groups.all(b, a + b != ''))",
        "claims.groups.map(a, claims)",
        "claims.long.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa')",
        "claims.groups.all(a, claims.groups == claims.groups)",
        "claims.groups.map(a, claims.long.split('a'))",
    ] {
        let begun = Instant::now();
        let failure = compile(text).unwrap().value(&claims).unwrap_err();
        assert!(failure.0.contains("too many steps"), "{text}: {failure}");
        assert!(begun.elapsed().as_secs() < 2, "{text}: {:?}", begun.elapsed());
    }
    let long = compile("claims.long.matches('a*b')").unwrap().value(&claims);
    assert!(long.unwrap_err().0.contains("too long"));
    // What a directory with thousands of groups needs still fits.
    let kept = compile("claims.groups.filter(g, g.startsWith('group-00')).map(g, g.upperAscii())").unwrap();
    assert_eq!(
        kept.value(&claims).unwrap().unwrap().as_array().unwrap().len(),
        100
    );
}

#[test]
fn patterns_are_few_and_small_and_cost_what_they_weigh() {
    let matches = |count: usize| vec!["claims.email.matches('a')"; count].join(" || ");
    assert!(compile(&matches(4)).is_ok());
    let error = compile(&matches(5)).unwrap_err();
    assert!(error.reason.contains("4 patterns"), "{error}");
    // What people write fits; a text of a few characters that makes megabytes does not.
    for usual in [
        "^app-(\\\\w+)$",
        "(?i)^[^@ ]+@acme[.](com|test)$",
        "\\\\d{3}-\\\\d{4}",
        "^[A-Za-z0-9._-]{1,64}$",
    ] {
        let text = format!("claims.email.matches('{usual}')");
        assert!(compile(&text).is_ok(), "{text}: {:?}", compile(&text));
    }
    for bomb in ["\\\\w{200}", "(a{100}){100}", "\\\\pL{50}"] {
        let error = compile(&format!("claims.email.matches('{bomb}')")).unwrap_err();
        assert!(error.reason.contains("too large"), "{bomb}: {error}");
    }
    let spent = |pattern: &str| {
        let mut steps = Steps::default();
        let text = format!("claims.email.matches('{pattern}')");
        compile(&text)
            .unwrap()
            .value_within(&claims(), &mut steps)
            .unwrap();
        steps.spent()
    };
    // Short to write, large when compiled.
    assert!(spent("[a-z]{500}") > 4 * spent("[a-z]{9}"));
}

#[test]
fn the_rules_of_a_sign_in_share_one_allowance() {
    let mut claims = claims();
    claims.insert("groups".into(), json!(vec!["group"; 2_000]));
    let dear = compile("claims.groups.map(g, claims.groups).size()").unwrap();
    let cheap = compile("claims.given_name").unwrap();
    let mut steps = Steps::default();
    assert!(cheap.value_within(&claims, &mut steps).is_ok());
    assert!(steps.spent() < 10);
    let begun = steps.left();
    assert!(dear.value_within(&claims, &mut steps).is_err());
    assert_eq!(begun - steps.left(), 100_000);
    assert!(cheap.value_within(&claims, &mut steps).is_ok());
    for _ in 0..3 {
        dear.value_within(&claims, &mut steps).unwrap_err();
    }
    let failure = cheap.value_within(&claims, &mut steps).unwrap_err();
    assert!(failure.0.contains("too many steps"), "{failure}");
}

#[test]
fn a_failure_tells_no_name_and_no_place_that_was_computed() {
    for (text, said) in [
        ("claims.given_name['a']", "'.a' asks for a member of a text"),
        (
            "claims.given_name[claims.family_name]",
            "[ ] asks for a member of a text",
        ),
        ("claims.address[3]", "[3] asks for an element of an object"),
        (
            "claims.address[claims.level]",
            "[ ] asks for an element of an object",
        ),
    ] {
        assert_eq!(value(text).unwrap_err().0, said, "{text}");
    }
}

#[test]
fn what_it_reads_and_gives_can_be_told() {
    for (text, kind, constant, reads) in [
        ("claims.b + claims['a'] + claims.b", None, false, vec!["a", "b"]),
        ("'x'", Some(Kind::Text), true, vec![]),
        ("has(claims.x)", Some(Kind::Truth), false, vec!["x"]),
        ("claims.g.map(x, x.y)", Some(Kind::List), false, vec!["g"]),
        ("has(claims.x) ? 'a' : null", Some(Kind::Text), false, vec!["x"]),
        ("has(claims.x) ? 'a' : 1", None, false, vec!["x"]),
        ("1 + 2", Some(Kind::Number), true, vec![]),
    ] {
        let expression = compile(text).unwrap();
        assert_eq!(expression.kind(), kind, "{text}");
        assert_eq!(expression.is_constant(), constant, "{text}");
        assert_eq!(expression.claims(), reads, "{text}");
    }
}
