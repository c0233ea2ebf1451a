//! What rules would make of a sign-in: the same [`apply()`] as at a login, told attribute by attribute with the values as
//! they are. Whoever shows them decides what may be seen.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Compiled, Memberships, Outcome, Refusal, apply};
use crate::model::mapping::MissingGroup;
use crate::model::pool::Pool;
use crate::model::tenant_domain::Vouching;
use crate::model::trace::MappingEffect;

/// A sign-in, real or made up.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    pub pool: &'a Pool,
    pub claims: &'a Map<String, Value>,
    /// The profile's attributes before; `None` at a first sign-in.
    pub existing: Option<&'a Map<String, Value>>,
    /// Groups that the provider had given before, without its automatic one.
    pub held: &'a [String],
    /// The names of the groups that the pool has.
    pub pool_groups: &'a BTreeSet<String>,
    /// The app client's list of attributes that its sign-ins may change; `None`: all.
    pub write_attributes: Option<&'a [String]>,
    /// For whose addresses the connection's word counts.
    pub vouching: &'a Vouching,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The profile's attributes afterwards; as before, when there is a refusal.
    pub attributes: Map<String, Value>,
    /// What each rule does, in the order in which they run.
    pub lines: Vec<Line>,
    /// The provider's groups; as before, when there is a refusal.
    pub groups: Memberships,
    /// Values of the groups rule that give no group, and why.
    pub left_out: Vec<MappingEffect>,
    pub refusal: Option<Refusal>,
}

/// What happens to one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub attribute: String,
    /// The place of the rule that did it, from nought.
    pub rule: Option<usize>,
    /// The claim or the expression.
    pub source: String,
    /// `written`, `unchanged`, `kept`, `cleared`, `skipped`, `refused`.
    pub action: String,
    pub old: Option<Value>,
    /// What the attribute has afterwards.
    pub new: Option<Value>,
    /// Why, where the action does not say it.
    pub reason: String,
}

pub fn preview(compiled: &Compiled, sign_in: &SignIn<'_>) -> Preview {
    let rules = &compiled.rules;
    let has = |name: &str| sign_in.pool_groups.contains(name);
    let (outcome, groups) = run(compiled, sign_in, &has, &[]);
    let (left_out, effects): (Vec<_>, Vec<_>) = outcome
        .effects
        .into_iter()
        .partition(|effect| effect.target.starts_with("group:"));
    let before = sign_in.existing;
    let lines = effects.into_iter().map(|effect| Line {
        rule: rules
            .attributes
            .iter()
            .position(|rule| rule.attribute == effect.target),
        source: effect.source,
        action: effect.action,
        old: before.and_then(|before| before.get(&effect.target)).cloned(),
        new: outcome.attributes.get(&effect.target).cloned(),
        reason: effect.reason,
        attribute: effect.target,
    });
    Preview {
        lines: lines.collect(),
        attributes: outcome.attributes,
        groups,
        left_out,
        refusal: outcome.refusal,
    }
}

/// The outcome, and the provider's groups after it. `has` says whether the pool has a group, `lacking` are those that it
/// could not get either.
pub(super) fn run(
    compiled: &Compiled,
    sign_in: &SignIn<'_>,
    has: &dyn Fn(&str) -> bool,
    lacking: &[String],
) -> (Outcome, Memberships) {
    let rules = &compiled.rules;
    let outcome = apply(
        compiled,
        sign_in.claims,
        sign_in.existing,
        sign_in.pool,
        sign_in.write_attributes,
        sign_in.vouching,
    );
    if outcome.refusal.is_some() {
        let unchanged = Memberships {
            held: sign_in.held.to_vec(),
            ..Memberships::default()
        };
        return (outcome, unchanged);
    }
    let wanted = outcome.groups.as_deref().unwrap_or_default();
    let mut lacking: BTreeSet<String> = lacking.iter().cloned().collect();
    if rules
        .groups
        .as_ref()
        .is_some_and(|rule| rule.missing == MissingGroup::Ignore)
    {
        let missing = wanted.iter().filter(|name| !has(name));
        lacking.extend(missing.cloned());
    }
    let groups = Memberships::after(rules.groups.as_ref(), wanted, sign_in.held, &lacking);
    (outcome, groups)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::db::Json;
    use crate::model::mapping::{Absent, GroupsRule, Rule, Rules, Source};
    use crate::model::pool::Settings;
    use crate::rules::mapping::parse;
    use crate::world::UnixTime;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn each_attribute_has_its_line_with_rule_old_and_new() {
        let pool = Pool {
            id: "us-local-1_Forebay01".into(),
            name: "p".into(),
            settings: Json(Settings::default()),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        };
        let texts = [
            "email=email",
            "name:=claims.given + ' L.'",
            "nickname=nick,write=first",
            "locale=locale",
        ];
        let mut rules = Rules {
            attributes: texts.iter().map(|text| parse::rule(text).unwrap()).collect(),
            groups: Some(GroupsRule {
                missing: MissingGroup::Ignore,
                ..GroupsRule::new(Source::claim("groups"))
            }),
        };
        let claims = object(json!({
            "email": "new@acme.test", "given": "Ada", "nick": "x", "groups": ["a", "b", "\u{200b}"],
        }));
        let existing = object(json!({"email": "old@acme.test", "email_verified": true, "nickname": "A"}));
        let held = ["z".to_owned()];
        let pool_groups = ["a".to_owned(), "z".to_owned()].into();
        let sign_in = SignIn {
            pool: &pool,
            claims: &claims,
            existing: Some(&existing),
            held: &held,
            pool_groups: &pool_groups,
            write_attributes: None,
            vouching: &Vouching::Everybody,
        };
        let found = preview(&Compiled::new(&rules), &sign_in);
        let told: Vec<_> = found
            .lines
            .iter()
            .map(|line| {
                (
                    line.attribute.as_str(),
                    line.rule,
                    line.action.as_str(),
                    line.old.clone(),
                    line.new.clone(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "email",
                    Some(0),
                    "written",
                    Some(json!("old@acme.test")),
                    Some(json!("new@acme.test"))
                ),
                ("name", Some(1), "written", None, Some(json!("Ada L."))),
                ("nickname", Some(2), "skipped", Some(json!("A")), Some(json!("A"))),
                ("locale", Some(3), "kept", None, None),
                (
                    "email_verified",
                    None,
                    "written",
                    Some(json!(true)),
                    Some(json!(false))
                ),
            ]
        );
        assert_eq!(found.groups.held, ["a"]);
        assert_eq!(
            (found.groups.joined, found.groups.left),
            (vec!["a".to_owned()], vec!["z".to_owned()])
        );
        assert_eq!(found.left_out.len(), 1);

        rules.attributes.push(Rule {
            absent: Absent::Refuse,
            ..Rule::new("website", Source::claim("site"))
        });
        let refused = preview(&Compiled::new(&rules), &sign_in);
        assert_eq!(refused.refusal.unwrap().cause, "claim_required");
        assert_eq!(
            (refused.attributes, refused.groups.held),
            (existing.clone(), held.to_vec())
        );
    }
}
