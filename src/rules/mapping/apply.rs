//! Runs rules over the claims of one sign-in. Total and bounded: whatever the claims hold, there is an outcome, and
//! the same claims a second time change nothing. An expression that fails is as bad as a claim that does not fit.
//!
//! Cognito's rules: a claim that came overwrites, a blank one clears, an absent one keeps; an immutable attribute never
//! changes (but an equal value is no change); required attributes must have a value in the end; a mapped address is
//! unverified unless its `…_verified` is mapped, too. Ours beside them: `email_verified` is the word of the connection,
//! which counts only for the addresses that it vouches for.

use serde_json::{Map, Value};

use super::{Compiled, Refusal, Steps, check, groups};
use crate::model::mapping::{Absent, Rule, Source, Write};
use crate::model::pool::{Attribute, Pool, Settings};
use crate::model::tenant_domain::Vouching;
use crate::model::trace::MappingEffect;
use crate::rules::attribute::{from_claim, is_verified_flag, outside};
use crate::rules::redact;
use crate::rules::tenant_domain::vouches;

/// What a sign-in makes of the profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// All attributes of the profile afterwards; as they were when there is a refusal.
    pub attributes: Map<String, Value>,
    /// What each rule did, values redacted.
    pub effects: Vec<MappingEffect>,
    /// The groups that the claim names, sorted; `None` when no rule speaks of groups.
    pub groups: Option<Vec<String>>,
    pub refusal: Option<Refusal>,
    /// What all this cost.
    pub steps: usize,
}

/// Steps of a rule beside those of its expression.
const RULE: usize = 10;
/// An address and the attribute that says whether somebody vouched for it.
const ADDRESSES: [(&str, &str); 2] = [
    ("email", "email_verified"),
    ("phone_number", "phone_number_verified"),
];

/// Applies the rules. `existing` is the profile's attributes, `None` at the first sign-in; `write_attributes` is the
/// client's list of attributes that its sign-ins may change, `None` when it may change all; `vouching` says for whose
/// addresses the connection's word counts.
pub fn apply(
    compiled: &Compiled,
    claims: &Map<String, Value>,
    existing: Option<&Map<String, Value>>,
    pool: &Pool,
    write_attributes: Option<&[String]>,
    vouching: &Vouching,
) -> Outcome {
    let rules = &compiled.rules;
    let mut run = Run {
        compiled,
        claims,
        existing,
        settings: &pool.settings,
        write_attributes,
        vouching,
        attributes: existing.cloned().unwrap_or_default(),
        effects: Vec::with_capacity(rules.attributes.len()),
        refusal: None,
        steps: Steps::default(),
    };
    // What vouches for an address can be judged only once it is known which address the profile has.
    let (flags, plain): (Vec<&Rule>, Vec<&Rule>) = rules
        .attributes
        .iter()
        .partition(|rule| is_verified_flag(&rule.attribute));
    for rule in plain {
        run.rule(rule);
    }
    let distrusted = ADDRESSES.map(|(address, flag)| run.distrust(address, flag));
    for rule in flags {
        run.rule(rule);
    }
    // Worth telling only where no rule has said something newer.
    let told = distrusted
        .into_iter()
        .flatten()
        .filter(|effect| !run.is_decided(&effect.target));
    let told: Vec<MappingEffect> = told.collect();
    run.effects.extend(told);
    run.require();
    let groups = rules.groups.as_ref().map(|rule| {
        let (names, effects) = groups::names(compiled, rule, claims, &pool.id, &mut run.steps);
        run.effects.extend(effects);
        names
    });
    Outcome {
        attributes: match run.refusal {
            None => run.attributes,
            Some(_) => existing.cloned().unwrap_or_default(),
        },
        effects: run.effects,
        groups,
        refusal: run.refusal,
        steps: run.steps.spent(),
    }
}

struct Run<'a> {
    compiled: &'a Compiled,
    claims: &'a Map<String, Value>,
    existing: Option<&'a Map<String, Value>>,
    settings: &'a Settings,
    write_attributes: Option<&'a [String]>,
    vouching: &'a Vouching,
    attributes: Map<String, Value>,
    effects: Vec<MappingEffect>,
    refusal: Option<Refusal>,
    /// What the rules may still spend together.
    steps: Steps,
}

/// What a rule wants done.
enum Wish {
    Set(Value),
    /// The address is said to be verified by somebody whose word does not count for it.
    Distrust,
    /// With the reason.
    Clear(&'static str),
    /// Nothing; with the action's name and the reason.
    Nothing(&'static str, String),
    Refuse(Refusal),
}

impl Run<'_> {
    fn rule(&mut self, rule: &Rule) {
        // Also what reads no expression is looked up and compared.
        self.steps.take(RULE);
        let attribute = match check::target(&rule.attribute, self.settings) {
            Ok(attribute) => attribute,
            // Rules are checked on save, but the pool's schema may have changed since.
            Err(reason) => return self.effect(rule, "skipped", None, None, &reason),
        };
        let wish = self.wish(rule, &attribute);
        let old = self.attributes.get(&rule.attribute).cloned();
        match wish {
            Wish::Nothing(action, reason) => self.effect(rule, action, old.as_ref(), None, &reason),
            Wish::Refuse(refusal) => self.refuse(rule, refusal),
            // Equal as everyone sees it: the API knows only strings, so "[a,b]" set there is the list that comes here.
            Wish::Set(new) if old.as_ref().is_some_and(|old| outside(old) == outside(&new)) => {
                self.effect(rule, "unchanged", old.as_ref(), Some(&new), "");
            }
            Wish::Distrust => {
                let no = Value::Bool(false);
                let action = if old.as_ref() == Some(&no) {
                    "unchanged"
                } else {
                    "written"
                };
                let why = "the address is in no proven domain of the connection's tenant";
                self.effect(rule, action, old.as_ref(), Some(&no), why);
                self.attributes.insert(rule.attribute.clone(), no);
            }
            Wish::Clear(reason) if old.is_none() => self.effect(rule, "unchanged", None, None, reason),
            Wish::Set(_) | Wish::Clear(_) if self.is_fixed(&attribute) => {
                self.refuse(rule, Refusal::immutable(&rule.attribute, &rule.source));
            }
            Wish::Set(new) => {
                self.effect(rule, "written", old.as_ref(), Some(&new), "");
                self.attributes.insert(rule.attribute.clone(), new);
            }
            Wish::Clear(reason) => {
                self.effect(rule, "cleared", old.as_ref(), None, reason);
                self.attributes.remove(&rule.attribute);
            }
        }
    }

    fn wish(&mut self, rule: &Rule, attribute: &Attribute) -> Wish {
        let skip = |reason: &str| Wish::Nothing("skipped", reason.to_owned());
        let flag = is_verified_flag(&rule.attribute);
        // Cognito never lists these two among a client's writable attributes, yet maps them.
        let writable = flag
            || self
                .write_attributes
                .is_none_or(|names| names.contains(&rule.attribute));
        if !writable {
            return skip("the app client may not write this attribute");
        }
        match rule.write {
            Write::FirstSignIn if self.existing.is_some() => {
                return skip("the rule runs at the first sign-in only");
            }
            Write::WhenEmpty if self.has_value(&rule.attribute) => {
                return skip("the attribute has a value already");
            }
            Write::Always | Write::FirstSignIn | Write::WhenEmpty => {}
        }
        if flag && !self.speaks_of_ours(&rule.attribute) {
            return skip("it is said of another address than the profile has");
        }
        let value = match self.compiled.sourced(&rule.source, self.claims, &mut self.steps) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => return absent(rule),
            Err(why) => Err(why),
        };
        match value.and_then(|value| from_claim(attribute, &value)) {
            Ok(Some(Value::Bool(true))) if rule.attribute == "email_verified" && !self.is_vouched_for() => {
                Wish::Distrust
            }
            Ok(Some(value)) => Wish::Set(value),
            Ok(None) => Wish::Clear("the claim is blank"),
            // Directories hold telephone numbers in every form; none is worth locking people out for.
            Err(why) if rule.attribute == "phone_number" && rule.absent != Absent::Refuse => {
                Wish::Nothing("skipped", format!("dropped: the value {why}"))
            }
            Err(why) => Wish::Refuse(Refusal::invalid(&rule.attribute, &rule.source, &why)),
        }
    }

    /// Whether the connection's word counts for the address that the profile has now.
    fn is_vouched_for(&self) -> bool {
        let address = self.attributes.get("email").and_then(Value::as_str);
        address.is_some_and(|address| vouches(self.vouching, address))
    }

    /// A flag that is false says "nobody vouched yet", which is as good as empty.
    fn has_value(&self, name: &str) -> bool {
        match self.attributes.get(name) {
            Some(Value::Bool(false)) => !is_verified_flag(name),
            Some(_) => true,
            None => false,
        }
    }

    /// Whether the attribute may no longer change. One that never had a value may still get its first.
    fn is_fixed(&self, attribute: &Attribute) -> bool {
        !attribute.mutable
            && !is_verified_flag(&attribute.name)
            && self
                .existing
                .is_some_and(|attributes| attributes.contains_key(&attribute.name))
    }

    /// Whether what the upstream says about its address concerns the address that the profile has now.
    fn speaks_of_ours(&mut self, flag: &str) -> bool {
        let Some((address, _)) = ADDRESSES.iter().find(|(_, of)| *of == flag) else {
            return false;
        };
        let compiled = self.compiled;
        let theirs = compiled
            .rules
            .attributes
            .iter()
            .find(|rule| rule.attribute == *address)
            .and_then(|rule| {
                compiled
                    .sourced(&rule.source, self.claims, &mut self.steps)
                    .ok()?
            })
            .and_then(|value| from_claim(&self.settings.attribute(address)?, &value).ok()?);
        theirs.is_some() && theirs.as_ref() == self.attributes.get(*address)
    }

    /// An address that changed is no longer verified by what was said about the one before. Happens before the flags'
    /// own rules run; the effect, if there is one, is for the case that none of them says more.
    fn distrust(&mut self, address: &str, flag: &str) -> Option<MappingEffect> {
        let before = self.existing.and_then(|attributes| attributes.get(address));
        let now = self.attributes.get(address);
        if before == now {
            return None;
        }
        let new = now.is_some().then_some(Value::Bool(false));
        let old = match &new {
            Some(value) => self.attributes.insert(flag.to_owned(), value.clone()),
            None => self.attributes.remove(flag),
        };
        if old == new {
            return None;
        }
        let rule = self
            .compiled
            .rules
            .attributes
            .iter()
            .find(|rule| rule.attribute == address);
        Some(MappingEffect {
            target: flag.to_owned(),
            source: rule.map_or_else(String::new, |rule| shown(&rule.source)),
            action: if new.is_some() { "written" } else { "cleared" }.into(),
            old: old.as_ref().map(|value| redact::value(flag, value)),
            new: new.as_ref().map(|value| redact::value(flag, value)),
            reason: format!("{address} changed, and nothing vouches for it now"),
        })
    }

    /// Whether a rule of this run decided the attribute's value.
    fn is_decided(&self, name: &str) -> bool {
        self.effects.iter().any(|effect| {
            effect.target == name && matches!(effect.action.as_str(), "written" | "unchanged" | "cleared")
        })
    }

    fn require(&mut self) {
        let missing: Vec<(String, Option<&Source>)> = check::required(self.settings)
            .filter(|name| self.attributes.get(*name).is_none_or(|value| *value == ""))
            .map(|name| {
                let rule = self
                    .compiled
                    .rules
                    .attributes
                    .iter()
                    .find(|rule| rule.attribute == **name);
                (name.clone(), rule.map(|rule| &rule.source))
            })
            .collect();
        if !missing.is_empty() && self.refusal.is_none() {
            self.refusal = Some(Refusal::required(&missing));
        }
    }

    /// The first refusal is the one that is told.
    fn refuse(&mut self, rule: &Rule, refusal: Refusal) {
        let old = self.attributes.get(&rule.attribute).cloned();
        let new = self.compiled.sourced(&rule.source, self.claims, &mut self.steps);
        let new = new.ok().flatten();
        self.effect(rule, "refused", old.as_ref(), new.as_deref(), &refusal.detail);
        self.refusal.get_or_insert(refusal);
    }

    fn effect(&mut self, rule: &Rule, action: &str, old: Option<&Value>, new: Option<&Value>, reason: &str) {
        let computed = matches!(rule.source, Source::Expression(_));
        let redacted = |value: &Value| redact::attribute(&rule.attribute, value, computed);
        self.effects.push(MappingEffect {
            target: rule.attribute.clone(),
            source: shown(&rule.source),
            action: action.to_owned(),
            old: old.map(redacted),
            new: new.map(redacted),
            reason: reason.to_owned(),
        });
    }
}

/// What a rule does whose source has nothing.
fn absent(rule: &Rule) -> Wish {
    let reason = match rule.source {
        Source::Claim(_) => "the claim did not come",
        Source::Expression(_) => "the expression has no value",
    };
    match rule.absent {
        Absent::Keep => Wish::Nothing("kept", reason.into()),
        Absent::Clear if rule.write == Write::Always => Wish::Clear(reason),
        // Beside the other policies clearing has no meaning, and `check` does not let it be saved.
        Absent::Clear => Wish::Nothing("kept", reason.into()),
        Absent::Refuse => Wish::Refuse(Refusal::claim_required(&rule.attribute, &rule.source)),
    }
}

/// The source as an effect names it: expressions may be long, and every trace has them.
pub fn shown(source: &Source) -> String {
    const LONGEST: usize = 120;
    let text = source.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
