//! Rules with their expressions and patterns compiled, each text once. Who tries rules on many sign-ins compiles them
//! before. A draft's are gone with the request that brought them; only those of a saved mapping are remembered for the
//! next sign-in, and no more of them than a set number of bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::check::MAX_RULES;
use super::expression::parse::Pattern;
use super::expression::{self, Expression};
use super::groups::compiled_pattern;
use super::steps::Steps;
use super::{UNCOMPUTED, claim};
use crate::model::mapping::{Naming, Rules, Source};

/// The most that the patterns of one mapping take.
const MAX_WEIGHT: usize = 8 * 1024 * 1024;
/// The most that remembered mappings take together; when there are more, all are forgotten.
const REMEMBERED: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub struct Compiled {
    pub rules: Rules,
    expressions: HashMap<String, Result<Expression, expression::Error>>,
    /// Of the groups rule, if it names groups by one.
    pattern: Option<Result<Pattern, String>>,
    weight: usize,
}

impl Compiled {
    /// Compiles what can be compiled; the mistakes are kept beside it. More rules than a mapping may have are not even
    /// looked at.
    pub fn new(rules: &Rules) -> Compiled {
        let mut compiled = Compiled {
            rules: rules.clone(),
            expressions: HashMap::new(),
            pattern: None,
            weight: 0,
        };
        if rules.attributes.len() > MAX_RULES {
            return compiled;
        }
        let attributes = rules.attributes.iter().map(|rule| &rule.source);
        for source in attributes.chain(rules.groups.iter().map(|rule| &rule.source)) {
            if let Source::Expression(text) = source
                && !compiled.expressions.contains_key(text)
            {
                let made = expression::compile(text).and_then(|made| compiled.weigh(made));
                compiled.expressions.insert(text.clone(), made);
            }
        }
        if let Some(Naming::Pattern { pattern, .. }) = rules.groups.as_ref().map(|rule| &rule.naming) {
            let made = compiled_pattern(pattern);
            compiled.weight += made.as_ref().map_or(0, Pattern::weight);
            compiled.pattern = Some(made);
        }
        compiled
    }

    fn weigh(&mut self, made: Expression) -> Result<Expression, expression::Error> {
        if self.weight + made.weight() > MAX_WEIGHT {
            return Err(expression::Error {
                line: 1,
                column: 1,
                reason: "the patterns of all rules together are too large".into(),
            });
        }
        self.weight += made.weight();
        Ok(made)
    }

    /// The expression of that text, which must be one of the rules'.
    pub fn expression(&self, text: &str) -> Result<&Expression, String> {
        match self.expressions.get(text) {
            Some(Ok(made)) => Ok(made),
            Some(Err(why)) => Err(why.to_string()),
            None => Err("it was not compiled".into()),
        }
    }

    pub(super) fn pattern(&self) -> Result<&Pattern, &str> {
        match &self.pattern {
            Some(made) => made.as_ref().map_err(String::as_str),
            None => Err("it was not compiled"),
        }
    }

    /// What a source has for these claims, `None` when it is absent. The error completes the sentence "the value …".
    pub fn sourced<'a>(
        &self,
        source: &Source,
        claims: &'a Map<String, Value>,
        steps: &mut Steps,
    ) -> Result<Option<Cow<'a, Value>>, String> {
        match source {
            Source::Claim(name) => Ok(claim(claims, name).map(Cow::Borrowed)),
            Source::Expression(text) => {
                let expression = self
                    .expression(text)
                    .map_err(|why| format!("{UNCOMPUTED}: {why}"))?;
                let value = expression.value_within(claims, steps);
                Ok(value
                    .map_err(|why| format!("{UNCOMPUTED}: {why}"))?
                    .map(Cow::Owned))
            }
        }
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        let texts: usize = self.expressions.keys().map(String::len).sum();
        // A node of the tree is larger than the characters that it was written in.
        16 * 1024 + 32 * texts + self.weight
    }
}

/// The rules that are in force for a connection, compiled at its first sign-in since they were saved.
pub fn saved(provider_id: &str, rules: &Rules) -> Arc<Compiled> {
    static SAVED: LazyLock<RwLock<Saved>> = LazyLock::new(RwLock::default);
    let known = SAVED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = known.by_provider.get(provider_id)
        && compiled.rules == *rules
    {
        return compiled.clone();
    }
    drop(known);
    let compiled = Arc::new(Compiled::new(rules));
    let mut known = SAVED.write().unwrap_or_else(PoisonError::into_inner);
    known.keep(provider_id, compiled.clone());
    compiled
}

#[derive(Default)]
struct Saved {
    by_provider: HashMap<String, Arc<Compiled>>,
    bytes: usize,
}

impl Saved {
    fn keep(&mut self, provider_id: &str, compiled: Arc<Compiled>) {
        if let Some(old) = self.by_provider.remove(provider_id) {
            self.bytes -= old.bytes();
        }
        if self.bytes + compiled.bytes() > REMEMBERED {
            *self = Saved::default();
        }
        self.bytes += compiled.bytes();
        self.by_provider.insert(provider_id.to_owned(), compiled);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::mapping::{GroupsRule, Rule};

    fn rules(expressions: &[String]) -> Rules {
        Rules {
            attributes: expressions
                .iter()
                .map(|text| Rule::new("name", Source::expression(text.as_str())))
                .collect(),
            groups: None,
        }
    }

    #[test]
    fn what_is_in_force_is_compiled_once_and_again_when_it_is_another() {
        let (one, other) = (rules(&["'a'".into()]), rules(&["'b'".into()]));
        let first = saved("a-provider-of-this-test", &one);
        assert!(Arc::ptr_eq(&first, &saved("a-provider-of-this-test", &one)));
        let second = saved("a-provider-of-this-test", &other);
        assert_eq!(second.rules, other);
    }

    #[test]
    fn remembered_mappings_are_weighed() {
        let large = |n: usize| {
            let text = format!("claims.a.matches('(a|b|c{n})[0-9a-f]{{400}}')");
            Arc::new(Compiled::new(&rules(&[text])))
        };
        let one = large(0);
        assert!(one.weight > 0, "{:?}", one.expressions);
        let mut known = Saved::default();
        for n in 0..2 * REMEMBERED / one.bytes() {
            known.keep(&format!("p{n}"), one.clone());
            assert!(known.bytes <= REMEMBERED);
        }
        assert!(known.by_provider.len() <= REMEMBERED / one.bytes());
        known.keep("p", one.clone());
        let before = known.bytes;
        known.keep("p", one);
        assert_eq!(known.bytes, before);
    }

    #[test]
    fn patterns_are_bounded_together_and_too_many_rules_are_not_compiled() {
        let texts = |count: usize| -> Vec<String> {
            (0..count)
                .map(|n| format!("claims.a.matches('(a|b|c{n})[0-9a-f]{{400}}')"))
                .collect()
        };
        let compiled = Compiled::new(&rules(&texts(MAX_RULES)));
        assert!(compiled.weight <= MAX_WEIGHT);
        let refused = texts(MAX_RULES)
            .iter()
            .filter(|text| compiled.expression(text).is_err())
            .count();
        assert!((1..MAX_RULES).contains(&refused), "{refused}");
        let too_many = Compiled::new(&rules(&texts(MAX_RULES + 1)));
        assert!(too_many.expressions.is_empty());
        let groups = Rules {
            attributes: Vec::new(),
            groups: Some(GroupsRule::new(Source::expression("claims.groups"))),
        };
        assert!(Compiled::new(&groups).expression("claims.groups").is_ok());
    }
}
