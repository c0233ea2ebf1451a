//! The text form of rules, as the command line takes and shows it: `ATTRIBUTE=CLAIM[,write=…][,absent=…]`. Whether the
//! pool has such an attribute is [`super::check()`]'s question.

use super::Mistake;
use crate::model::mapping::{Absent, Rule, Write};

/// Longest claim name a rule may have.
pub(super) const MAX_CLAIM: usize = 256;

/// Reads `ATTRIBUTE=CLAIM[,write=always|first|empty][,absent=keep|clear|refuse]`.
pub fn rule(text: &str) -> Result<Rule, Mistake> {
    let wrong = |reason: String| Mistake::new(format!("'{text}'"), reason);
    let (attribute, rest) = text
        .split_once('=')
        .ok_or_else(|| wrong("is not of the form ATTRIBUTE=CLAIM".into()))?;
    let (claim, options) = claim_and_options(rest);
    if attribute.trim().is_empty() {
        return Err(wrong("names no pool attribute before the '='".into()));
    }
    check_claim(claim).map_err(wrong)?;
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
        claim: claim.to_owned(),
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
    let mut text = format!("{}={}", rule.attribute, rule.claim);
    if rule.write != Write::default() {
        text.push_str(&format!(",write={}", rule.write));
    }
    if rule.absent != Absent::default() {
        text.push_str(&format!(",absent={}", rule.absent));
    }
    text
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

fn claim_and_options(text: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let mut parts = text.split(',');
    let claim = parts.next().unwrap_or_default().trim();
    (
        claim,
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
                    rule.claim.as_str(),
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
