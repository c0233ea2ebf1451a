//! What the last sign-ins brought, beside the rules that use it: for each row how often it has a value, of which type, an
//! example redacted, and whether the attribute could hold it; and the claims that no rule reads.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::draft::{Draft, GroupsFrom};
use crate::actions::mappings::past::{self, ObservedClaim, Past};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::mapping::Source;
use crate::model::pool::Settings;
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::user::search;
use crate::rules::attribute::from_claim;
use crate::rules::mapping::expression::{self, Kind};
use crate::rules::mapping::sourced;
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
    /// One for each row of the draft.
    pub rules: Vec<RowSeen>,
    pub groups: RowSeen,
    pub unmapped: Vec<ObservedClaim>,
    /// The names of all claims that came, for suggestions.
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
    fn add(&mut self, name: &str, value: &Value) {
        self.present += 1;
        let kind = Kind::of(value);
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        if self.example.is_none() {
            self.example = Some(redact::value(name, value));
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
}

pub fn look(conn: &mut Conn, asking: &Asking<'_>, draft: &Draft) -> Result<Seen, StoreError> {
    let Asking {
        sealer,
        now,
        provider,
        settings,
        ..
    } = *asking;
    let mut seen = Seen {
        rules: vec![RowSeen::default(); draft.rules.len()],
        ..Seen::default()
    };
    let mut recent: Vec<(Past, String)> = Vec::new();
    past::visit(conn, sealer, now, provider, LOOKED_AT, |past| {
        seen.sign_ins += 1;
        let claims = &past.contents.claims;
        for (row, seen) in draft.rules.iter().zip(&mut seen.rules) {
            watch(seen, &row.source(), &row.attribute, settings, claims);
        }
        let source = match draft.groups.from {
            GroupsFrom::Nowhere => None,
            GroupsFrom::Claim => Some(Source::Claim(draft.groups.claim.clone())),
            GroupsFrom::Expression => Some(Source::Expression(draft.groups.expression.clone())),
        };
        if let Some(source) = source {
            watch(&mut seen.groups, &source, "groups", settings, claims);
        }
        if recent.len() < OFFERED {
            let label = past.label(false);
            recent.push((past, label));
        }
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
    seen.claims = observed.iter().map(|claim| claim.name.clone()).collect();
    let read = read_by(draft);
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

fn watch(
    seen: &mut RowSeen,
    source: &Source,
    attribute: &str,
    settings: &Settings,
    claims: &Map<String, Value>,
) {
    let is_readable = match source {
        Source::Claim(name) => !name.is_empty(),
        // What is wrong with it stands beside it as a mistake.
        Source::Expression(text) => expression::compile(text).is_ok(),
    };
    if !is_readable {
        return;
    }
    seen.asked = true;
    let name = match source {
        Source::Claim(name) => name.as_str(),
        Source::Expression(_) => attribute,
    };
    match sourced(source, claims) {
        Ok(Some(value)) if !value.is_null() => {
            seen.add(name, &value);
            if let Some(definition) = settings.attribute(attribute)
                && let Err(why) = from_claim(&definition, &value)
            {
                seen.unfit(why);
            }
        }
        Ok(_) => {}
        Err(why) => seen.unfit(why),
    }
}

/// The claims that the draft's rules read.
fn read_by(draft: &Draft) -> BTreeSet<String> {
    let rules = draft.rules();
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
                if let Ok(expression) = expression::compile(text) {
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
