//! From what the upstream says to the names of pool groups, and from these to what changes for one person. Which groups
//! the pool has is the caller's to find out.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::{Map, Value};

use super::apply::shown;
use super::remembered::Remembered;
use super::{expression, sourced};
use crate::model::mapping::{GroupsRule, Naming, Source, TableRow, Unlisted};
use crate::model::trace::MappingEffect;

/// Groups that one sign-in may give; more are cut, and an effect says so.
pub const MAX_GROUPS: usize = 500;
const MAX_NAME: usize = 128;
/// Refused values that are named one by one; the rest is only counted.
const MAX_NAMED: usize = 20;
/// Longest pattern, and longest replacement.
const MAX_PATTERN: usize = 300;
/// Bytes of values that a pattern is tried on at one sign-in.
const MAX_MATCHED: usize = 100_000;
const MAX_ROWS: usize = 1_000;
/// Groups of one row of a table.
const MAX_ROW_GROUPS: usize = 20;
/// Longest value in a table.
const MAX_VALUE: usize = 256;

/// What is wrong with a groups rule; each completes the sentence "the rule …".
pub(super) fn check(rule: &GroupsRule) -> Vec<String> {
    let mut mistakes = Vec::new();
    if let Source::Expression(text) = &rule.source
        && let Ok(compiled) = expression::compile(text)
        && let Some(kind) = compiled.kind()
        && !matches!(
            kind,
            expression::Kind::List | expression::Kind::Text | expression::Kind::Null
        )
    {
        mistakes.push(format!(
            "makes groups of {}: it takes a list of texts, or one text",
            kind.words()
        ));
    }
    match &rule.naming {
        Naming::AsTheyCome => {}
        Naming::Prefix { strip, add } => {
            if [strip, add].iter().any(|text| text.chars().count() > MAX_NAME) {
                mistakes.push(format!("has a prefix of more than {MAX_NAME} characters"));
            }
            if !add.is_empty() && !is_group_name(&format!("{add}x")) {
                mistakes.push("adds a prefix with characters that a group's name cannot have".into());
            }
        }
        Naming::Pattern { pattern, replacement } => {
            if pattern.chars().count() > MAX_PATTERN || replacement.chars().count() > MAX_PATTERN {
                mistakes.push(format!(
                    "has a pattern or replacement of more than {MAX_PATTERN} characters"
                ));
            } else if let Err(why) = compiled(pattern) {
                mistakes.push(format!("has a mistake in its pattern: {why}"));
            }
            if replacement.trim().is_empty() {
                mistakes.push("replaces every value by nothing: $0 stands for the whole value".into());
            }
        }
        Naming::Table { rows, .. } => check_table(rows, &mut mistakes),
    }
    mistakes
}

fn check_table(rows: &[TableRow], mistakes: &mut Vec<String>) {
    if rows.is_empty() {
        mistakes.push("has a table without rows".into());
    }
    if rows.len() > MAX_ROWS {
        mistakes.push(format!("has a table of more than {MAX_ROWS} rows"));
    }
    let mut seen = BTreeSet::new();
    for row in rows.iter().take(MAX_ROWS) {
        let value = &row.value;
        if value.trim().is_empty() || value.chars().count() > MAX_VALUE {
            mistakes.push(format!(
                "has a row whose value is empty or longer than {MAX_VALUE} characters"
            ));
        } else if !seen.insert(value.trim()) {
            mistakes.push(format!("lists the value '{value}' twice"));
        }
        if row.groups.is_empty() || row.groups.len() > MAX_ROW_GROUPS {
            mistakes.push(format!("gives '{value}' no group, or more than {MAX_ROW_GROUPS}"));
        }
        for group in row.groups.iter().filter(|group| !is_group_name(group)) {
            mistakes.push(format!(
                "gives '{value}' the group '{group}', which is no group's name"
            ));
        }
    }
}

/// The group names that the source holds, trimmed, each once, in order; and an effect for every one left out.
///
/// A claim that does not come means "no groups": a user's last group may vanish together with the claim, and a
/// privilege must not survive that. The same holds for an expression without a value.
pub(super) fn names(
    rule: &GroupsRule,
    claims: &Map<String, Value>,
    user_pool_id: &str,
) -> (Vec<String>, Vec<MappingEffect>) {
    let mut left_out = LeftOut {
        source: shown(&rule.source),
        effects: Vec::new(),
        unnamed: 0,
    };
    let came = sourced(&rule.source, claims);
    let values: &[Value] = match came.as_ref().map(Option::as_deref) {
        Ok(Some(Value::Array(items))) => items,
        Ok(Some(one @ Value::String(_))) => std::slice::from_ref(one),
        Ok(Some(Value::Null)) => &[],
        Ok(Some(_)) => {
            left_out.note(
                "group:*",
                &format!("{} is neither a list nor a text: no groups", what(rule)),
            );
            &[]
        }
        Ok(None) => {
            let reason = match rule.source {
                Source::Claim(_) => "the claim did not come: no groups",
                Source::Expression(_) => "the expression has no value: no groups",
            };
            left_out.note("group:*", reason);
            &[]
        }
        Err(why) => {
            left_out.note("group:*", &format!("no groups: the value {why}"));
            &[]
        }
    };
    let automatic = format!("{user_pool_id}_");
    let mut namer = Namer::new(&rule.naming);
    let mut names = BTreeSet::new();
    let mut cut = 0_usize;
    for value in values {
        let Some(value) = value.as_str().map(str::trim) else {
            left_out.note("group:?", "the value is not a text");
            continue;
        };
        if value.is_empty() {
            continue;
        }
        for name in namer.names(value) {
            let name = name.trim();
            if name.is_empty() || names.contains(name) {
                continue;
            }
            if name.chars().count() > MAX_NAME {
                left_out.note("group:?", "the name has more than 128 characters");
            } else if !is_group_name(name) {
                left_out.note(
                    "group:?",
                    "the name has characters that a group's name cannot have",
                );
            } else if name.starts_with(&automatic) {
                // Only signing in through a provider may put anyone into that provider's automatic group.
                left_out.note(
                    &format!("group:{name}"),
                    "names of that form belong to the automatic groups",
                );
            } else if names.len() == MAX_GROUPS {
                cut += 1;
            } else {
                names.insert(name.to_owned());
            }
        }
    }
    if let Some(reason) = namer.trouble {
        left_out.note("group:*", reason);
    }
    if cut > 0 {
        let reason = format!(
            "{} lists {cut} groups more than the {MAX_GROUPS} that one sign-in may give",
            what(rule)
        );
        left_out.note("group:*", &reason);
    }
    (names.into_iter().collect(), left_out.finish())
}

fn what(rule: &GroupsRule) -> &'static str {
    match rule.source {
        Source::Claim(_) => "the claim",
        Source::Expression(_) => "the expression",
    }
}

/// Makes names of values, as the rule says.
struct Namer<'a> {
    naming: &'a Naming,
    pattern: Option<Arc<Regex>>,
    table: HashMap<&'a str, &'a [String]>,
    /// Bytes that the pattern may still be tried on.
    left: usize,
    trouble: Option<&'static str>,
}

impl<'a> Namer<'a> {
    fn new(naming: &'a Naming) -> Namer<'a> {
        let mut namer = Namer {
            naming,
            pattern: None,
            table: HashMap::new(),
            left: MAX_MATCHED,
            trouble: None,
        };
        match naming {
            Naming::Pattern { pattern, .. } => {
                namer.pattern = compiled(pattern).ok();
                if namer.pattern.is_none() {
                    namer.trouble = Some("the pattern cannot be used: no groups");
                }
            }
            Naming::Table { rows, .. } => {
                for row in rows {
                    namer.table.insert(row.value.trim(), &row.groups);
                }
            }
            Naming::AsTheyCome | Naming::Prefix { .. } => {}
        }
        namer
    }

    fn names<'v>(&mut self, value: &'v str) -> Vec<Cow<'v, str>>
    where
        'a: 'v,
    {
        match self.naming {
            Naming::AsTheyCome => vec![Cow::Borrowed(value)],
            Naming::Prefix { strip, add } => match value.strip_prefix(strip.as_str()) {
                Some("") | None => Vec::new(),
                Some(rest) if add.is_empty() => vec![Cow::Borrowed(rest)],
                Some(rest) => vec![Cow::Owned(format!("{add}{rest}"))],
            },
            Naming::Pattern { replacement, .. } => {
                let Some(pattern) = &self.pattern else {
                    return Vec::new();
                };
                let Some(left) = self.left.checked_sub(value.len()) else {
                    self.trouble =
                        Some("the values are too many or too long for a pattern: the last are left out");
                    return Vec::new();
                };
                self.left = left;
                let Some(captures) = pattern.captures(value) else {
                    return Vec::new();
                };
                let mut name = String::new();
                captures.expand(replacement, &mut name);
                vec![Cow::Owned(name)]
            }
            Naming::Table { unlisted, .. } => match (self.table.get(value), unlisted) {
                (Some(groups), _) => groups.iter().map(|name| Cow::Borrowed(name.as_str())).collect(),
                (None, Unlisted::Keep) => vec![Cow::Borrowed(value)],
                (None, Unlisted::Drop) => Vec::new(),
            },
        }
    }
}

/// The pattern, to match a whole value.
fn compiled(pattern: &str) -> Result<Arc<Regex>, String> {
    static COMPILED: LazyLock<Remembered<Regex>> = LazyLock::new(Remembered::default);
    COMPILED.get(pattern, |pattern| {
        // On its own first: the mistakes of something put in brackets would be told of the brackets.
        expression::parse::pattern(pattern)?;
        expression::parse::pattern(&format!("^(?:{pattern})$"))
    })
}

/// One person's groups of one provider, before and after a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Those that the provider has given afterwards, sorted.
    pub held: Vec<String>,
    pub joined: Vec<String>,
    pub left: Vec<String>,
}

impl Memberships {
    /// `wanted` are the names of [`apply`](super::apply())'s outcome, `held` what this provider gave before, `lacking` the
    /// wanted groups that there are not and will not be. Without a groups rule the provider gives none, and takes back
    /// what an earlier mapping gave.
    pub fn after(
        rule: Option<&GroupsRule>,
        wanted: &[String],
        held: &[String],
        lacking: &BTreeSet<String>,
    ) -> Memberships {
        let wanted: BTreeSet<&String> = wanted.iter().filter(|name| !lacking.contains(*name)).collect();
        let before: BTreeSet<&String> = held.iter().collect();
        let reconcile = rule.is_none_or(|rule| rule.reconcile);
        let kept: BTreeSet<&String> = if reconcile {
            BTreeSet::new()
        } else {
            before.clone()
        };
        let after: BTreeSet<&String> = wanted.union(&kept).copied().collect();
        let names = |names: Vec<&&String>| names.into_iter().map(|name| (*name).clone()).collect();
        Memberships {
            joined: names(after.difference(&before).collect()),
            left: names(before.difference(&after).collect()),
            held: names(after.iter().collect()),
        }
    }
}

/// Cognito's class for group names (letters, marks, symbols, digits, punctuation), and blanks inside, which directory
/// groups have so often that refusing them would leave half of them out.
pub fn is_group_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_NAME).contains(&length) && name.trim() == name && name.chars().all(|c| c == ' ' || is_visible(c))
}

/// Neither separator nor control, format, private-use or unassigned character, as far as these hide or reorder text.
fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}')
}

struct LeftOut {
    source: String,
    effects: Vec<MappingEffect>,
    unnamed: usize,
}

impl LeftOut {
    fn note(&mut self, target: &str, reason: &str) {
        // What concerns the whole claim is never lost among single values.
        if target != "group:*" && self.effects.len() >= MAX_NAMED {
            self.unnamed += 1;
            return;
        }
        self.effects.push(MappingEffect {
            target: target.to_owned(),
            source: self.source.clone(),
            action: "skipped".into(),
            old: None,
            new: None,
            reason: reason.to_owned(),
        });
    }

    fn finish(mut self) -> Vec<MappingEffect> {
        if self.unnamed > 0 {
            let reason = format!("{} more values are no usable group names", self.unnamed);
            self.note("group:*", &reason);
        }
        self.effects
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

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
        let claims = [("groups".to_owned(), json!(vec!["y".repeat(1000); 200]))]
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
}
