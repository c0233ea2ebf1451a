//! The text form of rules, as the command line takes and shows it: `ATTRIBUTE=CLAIM[,write=…][,absent=…]`, or
//! `ATTRIBUTE[,write=…][,absent=…]:=EXPRESSION`, where the expression is everything after the first `:=`. Whether the pool
//! has such an attribute is [`super::check()`]'s question.

use super::{Mistake, expression};
use crate::model::mapping::{Absent, Rule, Source, Write};

/// Longest claim name a rule may have.
pub(super) const MAX_CLAIM: usize = 256;

/// Reads one rule.
pub fn rule(text: &str) -> Result<Rule, Mistake> {
    let wrong = |reason: String| Mistake::new(format!("'{text}'"), reason);
    let (attribute, source, options) = match computed(text) {
        Some((head, expression)) => {
            let (attribute, options) = first_and_options(head);
            (attribute, Source::expression(expression.trim()), options)
        }
        None => {
            let (attribute, rest) = text
                .split_once('=')
                .ok_or_else(|| wrong("is not of the form ATTRIBUTE=CLAIM or ATTRIBUTE:=EXPRESSION".into()))?;
            let (claim, options) = first_and_options(rest);
            (attribute, Source::claim(claim), options)
        }
    };
    if attribute.trim().is_empty() {
        return Err(wrong("names no pool attribute before the '='".into()));
    }
    check_source(&source).map_err(wrong)?;
    let (mut write, mut absent) = (None, None);
    for option in options {
        match option {
            ("write", value) if write.is_none() => write = Some(value.parse::<Write>().map_err(wrong)?),
            ("absent", value) if absent.is_none() => absent = Some(value.parse::<Absent>().map_err(wrong)?),
            ("write" | "absent", _) => return Err(wrong(format!("says '{}' twice", option.0))),
            (other, _) => {
                return Err(wrong(format!(
                    "has an option '{other}': write=always|first|empty and absent=keep|clear|refuse are known"
                )));
            }
        }
    }
    Ok(Rule {
        attribute: attribute.trim().to_owned(),
        source,
        write: write.unwrap_or_default(),
        absent: absent.unwrap_or_default(),
    })
}

/// Reads several rules; all mistakes at once.
pub fn rules(texts: &[String]) -> Result<Vec<Rule>, Vec<Mistake>> {
    let (mut parsed, mut mistakes) = (Vec::new(), Vec::new());
    for text in texts {
        match rule(text) {
            Ok(rule) => parsed.push(rule),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        Ok(parsed)
    } else {
        Err(mistakes)
    }
}

/// The rule in the form that [`rule`] reads; defaults are left out.
pub fn rule_text(rule: &Rule) -> String {
    let mut options = String::new();
    if rule.write != Write::default() {
        options.push_str(&format!(",write={}", rule.write));
    }
    if rule.absent != Absent::default() {
        options.push_str(&format!(",absent={}", rule.absent));
    }
    match &rule.source {
        Source::Claim(claim) => format!("{}={claim}{options}", rule.attribute),
        Source::Expression(text) => format!("{}{options}:={text}", rule.attribute),
    }
}

/// A source as a rule may have it; the error completes the sentence "the rule …".
fn check_source(source: &Source) -> Result<(), String> {
    match source {
        Source::Claim(claim) => check_claim(claim),
        Source::Expression(text) => expression::compile(text)
            .map(|_| ())
            .map_err(|why| format!("has a mistake in its expression: {why}")),
    }
}

/// A claim's name as a rule may have it; the error completes the sentence "the rule …".
pub(super) fn check_claim(claim: &str) -> Result<(), String> {
    if claim.is_empty() {
        return Err("names no claim".into());
    }
    if claim.chars().count() > MAX_CLAIM {
        return Err(format!("names a claim of more than {MAX_CLAIM} characters"));
    }
    if claim != claim.trim() || claim.chars().any(char::is_control) {
        return Err("names a claim with blanks around it or control characters in it".into());
    }
    Ok(())
}

/// Attribute with options, and expression; `None` when the text before the first `:=` is a claim's rule already.
fn computed(text: &str) -> Option<(&str, &str)> {
    text.split_once(":=")
        .filter(|(head, _)| !head.split(',').next().unwrap_or_default().contains('='))
}

fn first_and_options(text: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default().trim();
    (
        first,
        parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim(), value.trim())
        }),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_are_read_and_written_alike() {
        for (text, attribute, claim, write, absent) in [
            ("email=email", "email", "email", Write::Always, Absent::Keep),
            (
                "custom:dept=department,write=first",
                "custom:dept",
                "department",
                Write::FirstSignIn,
                Absent::Keep,
            ),
            (
                "name=name,write=empty,absent=refuse",
                "name",
                "name",
                Write::WhenEmpty,
                Absent::Refuse,
            ),
            (
                "nickname=https://a.example/x?y=1",
                "nickname",
                "https://a.example/x?y=1",
                Write::Always,
                Absent::Keep,
            ),
            (
                "locale=locale,absent=clear",
                "locale",
                "locale",
                Write::Always,
                Absent::Clear,
            ),
        ] {
            let rule = rule(text).unwrap();
            assert_eq!(
                (
                    rule.attribute.as_str(),
                    rule.source.to_string().as_str(),
                    rule.write,
                    rule.absent
                ),
                (attribute, claim, write, absent)
            );
            assert_eq!(rule_text(&rule), text);
        }
        assert_eq!(
            rule_text(&rule(" email = mail , absent = clear , write=always").unwrap()),
            "email=mail,absent=clear"
        );
    }

    #[test]
    fn expressions_are_read_and_written_alike() {
        for (text, attribute, expression) in [
            (
                "name:=claims.a + ', ' + claims.b",
                "name",
                "claims.a + ', ' + claims.b",
            ),
            ("custom:vip:=claims.level == 3", "custom:vip", "claims.level == 3"),
            (
                "custom:vip,write=empty,absent=refuse:=has(claims.x) ? 'a:=b' : null",
                "custom:vip",
                "has(claims.x) ? 'a:=b' : null",
            ),
        ] {
            let rule = rule(text).unwrap();
            assert_eq!(
                (rule.attribute.as_str(), &rule.source),
                (attribute, &Source::expression(expression))
            );
            assert_eq!(rule_text(&rule), text);
        }
        // Not every := begins an expression.
        let claim = rule("nickname=https://a.example/x:=1").unwrap();
        assert_eq!(claim.source, Source::claim("https://a.example/x:=1"));
    }

    #[test]
    fn each_mistake_says_what_is_wrong() {
        for (text, reason) in [
            ("email", "ATTRIBUTE=CLAIM"),
            ("", "ATTRIBUTE=CLAIM"),
            ("=email", "no pool attribute"),
            ("email=", "names no claim"),
            ("email=,write=first", "names no claim"),
            ("email=email,wirte=first", "'wirte'"),
            ("email=email,first", "'first'"),
            ("email=email,write=once", "'once'"),
            ("email=email,absent=", "''"),
            ("email=email,write=first,write=first", "twice"),
            ("email=e\u{7}mail", "control"),
            (":=claims.x", "no pool attribute"),
            ("email:=", "empty"),
            (
                "email:=claims.x +",
                "line 1, column 11: something is missing at the end",
            ),
            ("email,wirte=first:=claims.x", "'wirte'"),
        ] {
            let mistake = rule(text).unwrap_err();
            assert!(mistake.reason.contains(reason), "{text}: {mistake}");
            assert_eq!(mistake.place, format!("'{text}'"));
        }
        let long = format!("email={}", "c".repeat(MAX_CLAIM + 1));
        assert!(rule(&long).unwrap_err().reason.contains("256"));
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let texts = ["email".to_owned(), "name=name".to_owned(), "x=y,z".to_owned()];
        assert_eq!(rules(&texts).unwrap_err().len(), 2);
        assert_eq!(rules(&texts[1..2]).unwrap().len(), 1);
    }
}
