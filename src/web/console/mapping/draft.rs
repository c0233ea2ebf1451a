//! A mapping as somebody is typing it: every field as text, also what cannot be saved yet, so that no step of the page
//! loses anything. Rows travel as repeated fields, one of each name per row, in the order of the page.

use crate::model::mapping::{
    Absent, GroupsRule, MissingGroup, Naming, Rule, Rules, Source, TableRow, Unlisted, Write,
};
use crate::model::pool::{STANDARD, Settings};
use crate::rules::attribute::CUSTOM;
use crate::rules::mapping::{Compiled, check};
use crate::web::console::Problem;
use crate::web::console::door::Form;

/// Rows of one form; more than rules may have, so that the check can say so.
const MOST_ROWS: usize = 1_200;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    pub rules: Vec<RuleRow>,
    pub groups: Groups,
    /// The version that the author started from.
    pub seen: i64,
    pub note: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleRow {
    pub attribute: String,
    /// Which of the two that follow counts; the other is kept while somebody tries.
    pub computed: bool,
    pub claim: String,
    pub expression: String,
    pub write: Write,
    pub absent: Absent,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    pub from: GroupsFrom,
    pub claim: String,
    pub expression: String,
    pub naming: NamingKind,
    pub strip: String,
    pub add: String,
    pub pattern: String,
    pub replacement: String,
    /// A value and one group that it becomes; a value with several groups has several rows.
    pub rows: Vec<(String, String)>,
    pub unlisted: Unlisted,
    pub missing: MissingGroup,
    pub reconcile: bool,
}

crate::text_enum! {
    /// Where the groups come from.
    #[derive(Default)]
    pub enum GroupsFrom {
        #[default]
        Nowhere = "nowhere",
        Claim = "claim",
        Expression = "expression",
    }
}

crate::text_enum! {
    #[derive(Default)]
    pub enum NamingKind {
        #[default]
        AsTheyCome = "as_they_come",
        Prefix = "prefix",
        Pattern = "pattern",
        Table = "table",
    }
}

impl Default for Groups {
    fn default() -> Self {
        Groups {
            from: GroupsFrom::Nowhere,
            claim: "groups".into(),
            expression: String::new(),
            naming: NamingKind::AsTheyCome,
            strip: String::new(),
            add: String::new(),
            pattern: String::new(),
            replacement: "$1".into(),
            rows: vec![(String::new(), String::new())],
            unlisted: Unlisted::default(),
            missing: MissingGroup::default(),
            reconcile: true,
        }
    }
}

/// What is wrong, at the row or field that it is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mistakes {
    /// One list for each row of the draft.
    pub rules: Vec<Vec<String>>,
    pub groups: Vec<String>,
    pub whole: Vec<String>,
}

impl Mistakes {
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(Vec::is_empty) && self.groups.is_empty() && self.whole.is_empty()
    }
}

impl RuleRow {
    pub fn of(rule: &Rule) -> RuleRow {
        let (claim, expression) = match &rule.source {
            Source::Claim(name) => (name.clone(), String::new()),
            Source::Expression(text) => (String::new(), text.clone()),
        };
        RuleRow {
            attribute: rule.attribute.clone(),
            computed: matches!(rule.source, Source::Expression(_)),
            claim,
            expression,
            write: rule.write,
            absent: rule.absent,
        }
    }

    /// A row that nobody has filled in.
    fn is_blank(&self) -> bool {
        self.attribute.is_empty() && self.claim.is_empty() && self.expression.trim().is_empty()
    }

    pub fn source(&self) -> Source {
        if self.computed {
            Source::Expression(self.expression.clone())
        } else {
            Source::Claim(self.claim.clone())
        }
    }

    pub fn rule(&self) -> Rule {
        Rule {
            attribute: self.attribute.clone(),
            source: self.source(),
            write: self.write,
            absent: self.absent,
        }
    }
}

impl Draft {
    /// Stored rules, ready to be changed.
    pub fn of(rules: &Rules, seen: i64) -> Draft {
        Draft {
            rules: rules.attributes.iter().map(RuleRow::of).collect(),
            groups: rules.groups.as_ref().map_or_else(Groups::default, Groups::of),
            seen,
            note: String::new(),
        }
    }

    /// What the form holds.
    pub fn read(form: &Form) -> Result<Draft, Problem> {
        let attributes: Vec<&str> = form.0.all("attribute").collect();
        let others = ["source", "claim", "expression", "write", "absent"]
            .map(|name| form.0.all(name).collect::<Vec<_>>());
        if attributes.len() > MOST_ROWS || others.iter().any(|column| column.len() != attributes.len()) {
            return Err(Problem::Malformed("the rows of the form are not whole"));
        }
        let [sources, claims, expressions, writes, absents] = others;
        let rows = attributes
            .into_iter()
            .zip(sources)
            .zip(claims)
            .zip(expressions)
            .zip(writes)
            .zip(absents);
        let rules = rows
            .map(|(((((attribute, source), claim), expression), write), absent)| {
                Ok(RuleRow {
                    attribute: attribute.trim().to_owned(),
                    computed: source == "expression",
                    claim: claim.trim().to_owned(),
                    expression: newlines(expression),
                    write: chosen(write)?,
                    absent: chosen(absent)?,
                })
            })
            .collect::<Result<_, Problem>>()?;
        Ok(Draft {
            rules,
            groups: Groups::read(form)?,
            seen: form
                .text("seen")
                .parse()
                .map_err(|_| Problem::Malformed("the form does not say which version it began with"))?,
            note: form.text("note").to_owned(),
        })
    }

    /// The rules that the draft says, without rows that nobody has filled in.
    pub fn rules(&self) -> Rules {
        Rules {
            attributes: self
                .rules
                .iter()
                .filter(|row| !row.is_blank())
                .map(RuleRow::rule)
                .collect(),
            groups: self.groups.rule(),
        }
    }

    /// What keeps the draft from being saved; `compiled` are its [`Draft::rules`].
    pub fn mistakes(&self, compiled: &Compiled, settings: &Settings) -> Mistakes {
        let filled: Vec<usize> = (0..self.rules.len())
            .filter(|&index| !self.rules[index].is_blank())
            .collect();
        let mut mistakes = Mistakes {
            rules: vec![Vec::new(); self.rules.len()],
            ..Mistakes::default()
        };
        for mistake in check(compiled, settings) {
            // "rule 3 (email)": the third of those that are filled in.
            let row = mistake
                .place
                .strip_prefix("rule ")
                .and_then(|rest| rest.split(' ').next())
                .and_then(|number| number.parse::<usize>().ok())
                .and_then(|number| filled.get(number.checked_sub(1)?));
            match row {
                Some(&row) if self.rules[row].attribute.is_empty() => {
                    let list = &mut mistakes.rules[row];
                    if list.is_empty() {
                        list.push("choose the attribute that the rule sets".into());
                    }
                }
                Some(&row) => mistakes.rules[row].push(mistake.reason),
                None if mistake.place == "groups" => mistakes.groups.push(mistake.reason),
                None => mistakes.whole.push(mistake.reason),
            }
        }
        mistakes
    }

    /// Another rule, for a claim that came: onto the attribute of the same name if there is one without a rule.
    pub fn add_rule(&mut self, claim: &str, settings: &Settings) {
        let free = |name: &str| {
            settings.attribute(name).is_some() && self.rules.iter().all(|row| row.attribute != name)
        };
        let own = format!("{CUSTOM}{claim}");
        let attribute = [claim, own.as_str()]
            .into_iter()
            .find(|name| !claim.is_empty() && free(name))
            .unwrap_or_default()
            .to_owned();
        self.rules.push(RuleRow {
            attribute,
            claim: claim.to_owned(),
            ..RuleRow::default()
        });
    }
}

impl Groups {
    fn of(rule: &GroupsRule) -> Groups {
        let mut groups = Groups {
            missing: rule.missing,
            reconcile: rule.reconcile,
            ..Groups::default()
        };
        match &rule.source {
            Source::Claim(name) => {
                groups.from = GroupsFrom::Claim;
                groups.claim = name.clone();
            }
            Source::Expression(text) => {
                groups.from = GroupsFrom::Expression;
                groups.expression = text.clone();
            }
        }
        match &rule.naming {
            Naming::AsTheyCome => {}
            Naming::Prefix { strip, add } => {
                groups.naming = NamingKind::Prefix;
                groups.strip = strip.clone();
                groups.add = add.clone();
            }
            Naming::Pattern { pattern, replacement } => {
                groups.naming = NamingKind::Pattern;
                groups.pattern = pattern.clone();
                groups.replacement = replacement.clone();
            }
            Naming::Table { rows, unlisted } => {
                groups.naming = NamingKind::Table;
                groups.unlisted = *unlisted;
                groups.rows = rows
                    .iter()
                    .flat_map(|row| row.groups.iter().map(|group| (row.value.clone(), group.clone())))
                    .collect();
            }
        }
        groups
    }

    fn read(form: &Form) -> Result<Groups, Problem> {
        let values: Vec<&str> = form.0.all("row_value").collect();
        let names: Vec<&str> = form.0.all("row_group").collect();
        if values.len() != names.len() || values.len() > MOST_ROWS {
            return Err(Problem::Malformed("the rows of the table are not whole"));
        }
        Ok(Groups {
            from: chosen(form.text("groups_from"))?,
            claim: form.text("groups_claim").to_owned(),
            expression: newlines(form.0.get("groups_expression").unwrap_or_default()),
            naming: chosen(form.text("naming"))?,
            // A blank may be part of a prefix or a pattern.
            strip: form.0.get("strip").unwrap_or_default().to_owned(),
            add: form.0.get("add").unwrap_or_default().to_owned(),
            pattern: form.0.get("pattern").unwrap_or_default().to_owned(),
            replacement: form.0.get("replacement").unwrap_or_default().to_owned(),
            rows: values
                .into_iter()
                .zip(names)
                .map(|(value, name)| (value.trim().to_owned(), name.trim().to_owned()))
                .collect(),
            unlisted: chosen(form.text("unlisted"))?,
            missing: chosen(form.text("missing"))?,
            reconcile: form.text("reconcile") != "no",
        })
    }

    fn rule(&self) -> Option<GroupsRule> {
        let source = match self.from {
            GroupsFrom::Nowhere => return None,
            GroupsFrom::Claim => Source::Claim(self.claim.clone()),
            GroupsFrom::Expression => Source::Expression(self.expression.clone()),
        };
        let naming = match self.naming {
            NamingKind::AsTheyCome => Naming::AsTheyCome,
            NamingKind::Prefix => Naming::Prefix {
                strip: self.strip.clone(),
                add: self.add.clone(),
            },
            NamingKind::Pattern => Naming::Pattern {
                pattern: self.pattern.clone(),
                replacement: self.replacement.clone(),
            },
            NamingKind::Table => Naming::Table {
                rows: self.table(),
                unlisted: self.unlisted,
            },
        };
        Some(GroupsRule {
            source,
            naming,
            missing: self.missing,
            reconcile: self.reconcile,
        })
    }

    /// The rows with the groups of each value together, in the order in which the values first stand.
    fn table(&self) -> Vec<TableRow> {
        let mut table: Vec<TableRow> = Vec::new();
        for (value, name) in &self.rows {
            if value.is_empty() && name.is_empty() {
                continue;
            }
            let groups = Some(name).filter(|name| !name.is_empty()).cloned();
            match table.iter_mut().find(|row| row.value == *value) {
                Some(row) => row.groups.extend(groups),
                None => table.push(TableRow {
                    value: value.clone(),
                    groups: groups.into_iter().collect(),
                }),
            }
        }
        table
    }
}

/// The attributes that rules may set: the standard ones, then the pool's own.
pub fn attributes(settings: &Settings) -> Vec<String> {
    let own = settings
        .attributes
        .iter()
        .map(|attribute| attribute.name.clone())
        .filter(|name| name.starts_with(CUSTOM));
    STANDARD
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(own)
        .collect()
}

/// Browsers send every line's end as CR LF.
fn newlines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn chosen<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|_| Problem::Malformed("a choice of the form is none that it offers"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rules::params::Params;

    fn whole() -> Rules {
        let rule = |attribute: &str, source| Rule {
            write: Write::WhenEmpty,
            absent: Absent::Refuse,
            ..Rule::new(attribute, source)
        };
        Rules {
            attributes: vec![
                rule("email", Source::claim("mail")),
                rule("name", Source::expression("claims.a +\n ' ' + claims.b")),
            ],
            groups: Some(GroupsRule {
                naming: Naming::Table {
                    rows: vec![TableRow {
                        value: "a => b".into(),
                        groups: vec!["x,y".into(), "z".into()],
                    }],
                    unlisted: Unlisted::Keep,
                },
                missing: MissingGroup::Ignore,
                reconcile: false,
                source: Source::expression("claims.groups"),
            }),
        }
    }

    #[test]
    fn rules_come_back_from_the_draft_as_they_went_in() {
        let mut rules = whole();
        assert_eq!(Draft::of(&rules, 3).rules(), rules);
        for naming in [
            Naming::AsTheyCome,
            Naming::Prefix {
                strip: "app ".into(),
                add: String::new(),
            },
            Naming::Pattern {
                pattern: "(.*) $".into(),
                replacement: "$1".into(),
            },
        ] {
            rules.groups = Some(GroupsRule {
                naming,
                ..GroupsRule::new(Source::claim("groups"))
            });
            assert_eq!(Draft::of(&rules, 0).rules(), rules);
        }
        assert_eq!(Draft::of(&Rules::default(), 0).rules(), Rules::default());
    }

    #[test]
    fn mistakes_stand_at_their_rows_and_blank_rows_have_none() {
        let mut draft = Draft::of(&whole(), 0);
        draft.rules.insert(0, RuleRow::default());
        draft.add_rule("nickname", &Settings::default());
        draft.add_rule("shoe_size", &Settings::default());
        draft.rules[2].expression = "claims.".into();
        let mistakes = draft.mistakes(&Compiled::new(&draft.rules()), &Settings::default());
        let counts: Vec<usize> = mistakes.rules.iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 0, 1, 0, 1], "{mistakes:?}");
        assert_eq!(mistakes.rules[4], ["choose the attribute that the rule sets"]);
        assert_eq!(draft.rules[3].attribute, "nickname");
        assert_eq!(draft.rules().attributes.len(), 4);
    }

    #[test]
    fn a_form_with_half_a_row_is_refused() {
        let pairs = [("attribute", "email"), ("source", "claim"), ("claim", "mail")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert!(Draft::read(&Form(Params::from_pairs(pairs))).is_err());
    }
}
