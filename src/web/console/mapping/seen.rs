//! What the last sign-ins brought, beside the rules that use it: for each row how often it has a value, of which type, an
//! example redacted, and whether the attribute could hold it; and the claims that no rule reads.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::draft::{Draft, GroupsFrom};
use crate::actions::mappings::past::{self, ObservedClaim, Past};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::mapping::Source;
use crate::model::pool::{Attribute, Settings};
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::user::search;
use crate::rules::attribute::from_claim;
use crate::rules::mapping::expression::Kind;
use crate::rules::mapping::{Compiled, Steps, Work};
use crate::rules::okta_profile;
use crate::rules::redact;
use crate::seal::Sealer;
use crate::world::UnixTime;

/// Sign-ins that are looked at for a page.
const LOOKED_AT: usize = 100;
/// Sign-ins that are offered for a preview.
const OFFERED: usize = 20;
/// Claims of the protocol itself: nobody misses a rule for them.
const PROTOCOL: &[&str] = &[
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "exp",
    "iat",
    "idp",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "s_hash",
    "sid",
    "sub",
    "ver",
];

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub sign_ins: usize,
    /// The rules cost so much that older ones were not looked at.
    pub cut: bool,
    /// One for each row of the draft.
    pub rules: Vec<RowSeen>,
    pub groups: RowSeen,
    pub unmapped: Vec<ObservedClaim>,
    /// The names of all claims that came, and those that Okta's profile can bring, for suggestions.
    pub claims: Vec<String>,
    pub recent: Vec<Recent>,
}

/// What one row's source had in the last sign-ins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSeen {
    /// There is a source to look for.
    pub asked: bool,
    pub present: usize,
    pub kinds: Vec<Kind>,
    /// The latest value, redacted.
    pub example: Option<String>,
    /// How often the attribute could not have held it, and why at the latest.
    pub unfit: usize,
    pub why: String,
}

/// A sign-in that a preview can be made of.
#[derive(Clone, Debug)]
pub struct Recent {
    pub trace_code: String,
    pub at: UnixTime,
    pub label: String,
}

impl RowSeen {
    fn add(&mut self, name: &str, value: &Value, computed: bool) {
        self.present += 1;
        let kind = Kind::of(value);
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        if self.example.is_none() {
            self.example = Some(redact::attribute(name, value, computed));
        }
    }

    fn unfit(&mut self, why: String) {
        self.unfit += 1;
        if self.why.is_empty() {
            self.why = why;
        }
    }

    /// In a sentence, of so many sign-ins.
    pub fn words(&self, of: usize) -> String {
        if !self.asked || of == 0 {
            return String::new();
        }
        let mut words = if self.present == 0 {
            format!("in none of the last {of} sign-ins")
        } else {
            let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.words()).collect();
            let example = self.example.as_deref().unwrap_or_default();
            format!(
                "in {} of {of}: {}, as {example}",
                self.present,
                kinds.join(" or ")
            )
        };
        if self.unfit > 0 {
            words.push_str(&format!(
                ". It would not fit {} times: the value {}",
                self.unfit, self.why
            ));
        }
        words
    }

    /// The rule would do nothing, or harm.
    pub fn warns(&self, of: usize) -> bool {
        self.asked && of > 0 && (self.present == 0 || self.unfit > 0)
    }
}

pub struct Asking<'a> {
    pub sealer: &'a Sealer,
    pub now: UnixTime,
    pub provider: &'a Provider,
    pub settings: &'a Settings,
    pub sees: &'a Reach,
    /// The draft's rules.
    pub compiled: &'a Compiled,
}

impl Seen {
    /// Why it is less than one might expect.
    pub fn note(&self) -> Option<String> {
        self.cut.then(|| {
            format!(
                "Only the last {} sign-ins were looked at: the rules take too many steps to try them on more.",
                self.sign_ins
            )
        })
    }
}

pub fn look(conn: &mut Conn, asking: &Asking<'_>, draft: &Draft) -> Result<Seen, StoreError> {
    let Asking {
        sealer,
        now,
        provider,
        settings,
        compiled,
        ..
    } = *asking;
    let mut seen = Seen {
        rules: vec![RowSeen::default(); draft.rules.len()],
        ..Seen::default()
    };
    let mut recent: Vec<(Past, String)> = Vec::new();
    let rows: Vec<Watched> = draft
        .rules
        .iter()
        .map(|row| Watched::new(compiled, settings, Some(row.source()), &row.attribute))
        .collect();
    let groups = match draft.groups.from {
        GroupsFrom::Nowhere => None,
        GroupsFrom::Claim => Some(Source::Claim(draft.groups.claim.clone())),
        GroupsFrom::Expression => Some(Source::Expression(draft.groups.expression.clone())),
    };
    let groups = Watched::new(compiled, settings, groups, "groups");
    let mut work = Work::of_a_look();
    past::visit(conn, sealer, now, provider, LOOKED_AT, |past| {
        if work.is_used_up() {
            seen.cut = true;
            return ControlFlow::Break(());
        }
        seen.sign_ins += 1;
        let mut steps = Steps::default();
        let claims = &past.contents.claims;
        for (row, seen) in rows.iter().zip(&mut seen.rules) {
            row.look(compiled, claims, seen, &mut steps);
        }
        groups.look(compiled, claims, &mut seen.groups, &mut steps);
        work.pay(steps.spent());
        if recent.len() < OFFERED {
            let label = past.label(false);
            recent.push((past, label));
        }
        ControlFlow::Continue(())
    })?;
    let mut people = People::new(asking.sees);
    for (past, redacted) in recent {
        seen.recent.push(Recent {
            label: people.label(conn, past.user_sub.as_deref(), redacted)?,
            trace_code: past.trace_code,
            at: past.at,
        });
    }
    let (_, observed) = past::observed(conn, sealer, now, provider, LOOKED_AT)?;
    let mut names: BTreeSet<String> = observed.iter().map(|claim| claim.name.clone()).collect();
    if provider
        .settings
        .okta_api
        .iter()
        .any(|scope| scope.reads_own_profile())
    {
        names.extend(okta_profile::names());
    }
    seen.claims = names.into_iter().collect();
    let read = read_by(compiled);
    seen.unmapped = observed
        .into_iter()
        .filter(|claim| !read.contains(&claim.name) && !PROTOCOL.contains(&claim.name.as_str()))
        .filter(|claim| {
            // An object whose members are read is read.
            let inside = format!("{}.", claim.name);
            !read.iter().any(|name| name.starts_with(&inside))
        })
        .collect();
    Ok(seen)
}

/// A row whose source is looked for.
struct Watched {
    /// `None` where there is nothing to look for; what is wrong with an expression stands beside it as a mistake.
    source: Option<Source>,
    /// The claim, or what the expression is for.
    name: String,
    attribute: Option<Attribute>,
}

impl Watched {
    fn new(compiled: &Compiled, settings: &Settings, source: Option<Source>, attribute: &str) -> Watched {
        let source = source.filter(|source| match source {
            Source::Claim(name) => !name.is_empty(),
            Source::Expression(text) => compiled.expression(text).is_ok(),
        });
        Watched {
            name: match &source {
                Some(Source::Claim(name)) => name.clone(),
                _ => attribute.to_owned(),
            },
            attribute: settings.attribute(attribute),
            source,
        }
    }

    fn look(&self, compiled: &Compiled, claims: &Map<String, Value>, seen: &mut RowSeen, steps: &mut Steps) {
        let Some(source) = &self.source else { return };
        seen.asked = true;
        match compiled.sourced(source, claims, steps) {
            Ok(Some(value)) if !value.is_null() => {
                seen.add(&self.name, &value, matches!(source, Source::Expression(_)));
                if let Some(definition) = &self.attribute
                    && let Err(why) = from_claim(definition, &value)
                {
                    seen.unfit(why);
                }
            }
            Ok(_) => {}
            Err(why) => seen.unfit(why),
        }
    }
}

/// The claims that the draft's rules read.
fn read_by(compiled: &Compiled) -> BTreeSet<String> {
    let rules = &compiled.rules;
    let sources = rules
        .attributes
        .iter()
        .map(|rule| &rule.source)
        .chain(rules.groups.iter().map(|rule| &rule.source));
    let mut names = BTreeSet::new();
    for source in sources {
        match source {
            Source::Claim(name) => {
                names.insert(name.clone());
            }
            Source::Expression(text) => {
                if let Ok(expression) = compiled.expression(text) {
                    names.extend(expression.claims().into_iter().map(str::to_owned));
                }
            }
        }
    }
    names
}

/// Who past sign-ins were of: by the directory's name, where the account is the administrator's to see.
pub struct People<'a> {
    sees: &'a Reach,
    known: HashMap<String, Option<String>>,
}

impl<'a> People<'a> {
    pub fn new(sees: &'a Reach) -> People<'a> {
        People {
            sees,
            known: HashMap::new(),
        }
    }

    /// The account's label, else what is given instead.
    pub fn label(
        &mut self,
        conn: &mut Conn,
        user_sub: Option<&str>,
        instead: String,
    ) -> Result<String, StoreError> {
        let Some(sub) = user_sub else {
            return Ok(instead);
        };
        if let Some(known) = self.known.get(sub) {
            return Ok(known.clone().unwrap_or(instead));
        }
        let label = search::find_own(conn, self.sees, sub)?.map(|user| user.label());
        self.known.insert(sub.to_owned(), label.clone());
        Ok(label.unwrap_or(instead))
    }
}
