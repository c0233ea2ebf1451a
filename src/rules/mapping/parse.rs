//! The text form of rules, as the command line takes and shows it: `ATTRIBUTE=CLAIM[,write=…][,absent=…]` for an
//! attribute, `CLAIM[,missing=…]` for groups. Whether the pool has such an attribute is [`super::check()`]'s question.

use super::Mistake;
use crate::model::mapping::{Absent, GroupsRule, MissingGroup, Rule, Rules, Write};

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

/// Reads `CLAIM[,missing=create|existing]`.
pub fn groups(text: &str) -> Result<GroupsRule, Mistake> {
    let wrong = |reason: String| Mistake::new(format!("'{text}'"), reason);
    let (claim, options) = claim_and_options(text);
    check_claim(claim).map_err(wrong)?;
    let mut missing = None;
    for option in options {
        match option {
            ("missing", value) if missing.is_none() => {
                missing = Some(value.parse::<MissingGroup>().map_err(wrong)?);
            }
            ("missing", _) => return Err(wrong("says 'missing' twice".into())),
            (other, _) => {
                return Err(wrong(format!(
                    "has an option '{other}': missing=create|existing is known"
                )));
            }
        }
    }
    Ok(GroupsRule {
        claim: claim.to_owned(),
        missing: missing.unwrap_or_default(),
    })
}

/// Reads the rules of one provider; all mistakes at once.
pub fn rules(attributes: &[String], groups_text: Option<&str>) -> Result<Rules, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut parsed = Rules::default();
    for text in attributes {
        match rule(text) {
            Ok(rule) => parsed.attributes.push(rule),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    match groups_text.map(groups) {
        Some(Ok(rule)) => parsed.groups = Some(rule),
        Some(Err(mistake)) => mistakes.push(mistake),
        None => {}
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

/// The rule in the form that [`groups`] reads; the default is left out.
pub fn groups_text(rule: &GroupsRule) -> String {
    match rule.missing {
        MissingGroup::Create => rule.claim.clone(),
        missing => format!("{},missing={missing}", rule.claim),
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
        for text in ["groups", "groups,missing=existing"] {
            assert_eq!(groups_text(&groups(text).unwrap()), text);
        }
        assert_eq!(groups_text(&groups("groups,missing=create").unwrap()), "groups");
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
        for (text, reason) in [
            ("", "names no claim"),
            ("groups,create", "'create'"),
            ("groups,missing=all", "'all'"),
        ] {
            assert!(groups(text).unwrap_err().reason.contains(reason), "{text}");
        }
        let long = format!("email={}", "c".repeat(MAX_CLAIM + 1));
        assert!(rule(&long).unwrap_err().reason.contains("256"));
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let texts = ["email".to_owned(), "name=name".to_owned(), "x=y,z".to_owned()];
        assert_eq!(rules(&texts, Some("")).unwrap_err().len(), 3);
        let good = rules(&texts[1..2], Some("groups")).unwrap();
        assert_eq!((good.attributes.len(), good.groups.is_some()), (1, true));
    }
}
