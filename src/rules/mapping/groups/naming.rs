//! From one value of a list to the names it stands for: as it comes, by prefix, by pattern, by table. What can be wrong
//! with such a rule is told here, too.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::{MAX_NAME, is_group_name};
use crate::model::mapping::{GroupsRule, Naming, Source, TableRow, Unlisted};
use crate::rules::mapping::expression::Kind;
use crate::rules::mapping::expression::parse::{Pattern, pattern};
use crate::rules::mapping::{Compiled, Steps};

/// Longest pattern, and longest replacement.
const MAX_PATTERN: usize = 300;
const MAX_ROWS: usize = 1_000;
/// Groups of one row of a table.
const MAX_ROW_GROUPS: usize = 20;
/// Longest value in a table.
const MAX_VALUE: usize = 256;

/// What is wrong with a groups rule; each completes the sentence "the rule …".
pub(in crate::rules::mapping) fn check(compiled: &Compiled, rule: &GroupsRule) -> Vec<String> {
    let mut mistakes = Vec::new();
    if let Source::Expression(text) = &rule.source
        && let Ok(expression) = compiled.expression(text)
        && let Some(kind) = expression.kind()
        && !matches!(kind, Kind::List | Kind::Text | Kind::Null)
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
            } else if let Err(why) = compiled.pattern() {
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

/// Makes names of values, as the rule says.
pub(super) struct Namer<'a> {
    naming: &'a Naming,
    pattern: Option<&'a Pattern>,
    table: HashMap<&'a str, &'a [String]>,
    steps: &'a mut Steps,
    pub trouble: Option<&'static str>,
}

impl<'a> Namer<'a> {
    pub fn new(compiled: &'a Compiled, naming: &'a Naming, steps: &'a mut Steps) -> Namer<'a> {
        let mut namer = Namer {
            naming,
            pattern: None,
            table: HashMap::new(),
            steps,
            trouble: None,
        };
        match naming {
            Naming::Pattern { .. } => {
                namer.pattern = compiled.pattern().ok();
                if namer.pattern.is_none() {
                    namer.trouble = Some("the pattern cannot be used: no groups");
                }
            }
            Naming::Table { rows, .. } => {
                namer.steps.take(rows.len());
                for row in rows {
                    namer.table.insert(row.value.trim(), &row.groups);
                }
            }
            Naming::AsTheyCome | Naming::Prefix { .. } => {}
        }
        namer
    }

    pub fn names<'v>(&mut self, value: &'v str) -> Vec<Cow<'v, str>>
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
                let Some(pattern) = self.pattern else {
                    return Vec::new();
                };
                if !self.steps.take(1 + pattern.cost(value.len()) / 32) {
                    self.trouble =
                        Some("the values are too many or too long for the pattern: the last are left out");
                    return Vec::new();
                }
                let Some(captures) = pattern.regex.captures(value) else {
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
pub(in crate::rules::mapping) fn compiled(text: &str) -> Result<Pattern, String> {
    if text.chars().count() > MAX_PATTERN {
        return Err(format!("it has more than {MAX_PATTERN} characters"));
    }
    // On its own first: the mistakes of something put in brackets would be told of the brackets.
    pattern(text)?;
    pattern(&format!("^(?:{text})$"))
}
