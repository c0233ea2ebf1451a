//! Mapping: what a provider's rules do to a user's profile. A rule sets one pool attribute from one upstream claim, as
//! Cognito's attribute mapping does, and adds what its users miss: values computed by an [`expression`], when it writes,
//! what an absent claim means, and that an equal value is no change. One more rule makes pool groups of a list.
//!
//! ```
//! use forebay::model::mapping::{Absent, Write};
//! use forebay::rules::mapping::parse;
//!
//! // Pool attribute = claim; written at every sign-in, kept when the claim does not come.
//! let email = parse::rule("email=email").unwrap();
//! assert_eq!((email.write, email.absent), (Write::Always, Absent::Keep));
//!
//! // Only at the first sign-in, refusing people who come without it.
//! let tenant = parse::rule("custom:tenant=org.id,write=first,absent=refuse").unwrap();
//! assert_eq!((tenant.source.to_string().as_str(), tenant.write), ("org.id", Write::FirstSignIn));
//! assert_eq!(parse::rule_text(&tenant), "custom:tenant=org.id,write=first,absent=refuse");
//!
//! // Computed, in CEL.
//! let name = parse::rule("name,write=empty:=claims.given_name + ' ' + claims.family_name").unwrap();
//! assert_eq!(name.source.to_string(), "claims.given_name + ' ' + claims.family_name");
//! ```
//!
//! The rules themselves are stored data (`model::mapping`). [`parse`] reads and writes their text form, [`check()`]
//! says what is wrong with them before they are saved, [`apply()`] runs them once they are [`Compiled`]: at a sign-in, in
//! a [`preview`], in a [`replay`]. [`difference`] tells two versions apart.
//! The reference is Cognito's behaviour under "Attribute mapping"; reserved claims are those of [`super::claims`].

mod apply;
mod check;
mod compiled;
pub mod difference;
pub mod expression;
mod groups;
pub mod parse;
pub mod preview;
pub mod replay;
mod steps;
mod usual;

pub use super::attribute::Mistake;
pub use apply::{Outcome, apply, shown};
pub use check::check;
pub use compiled::{Compiled, saved};
pub use groups::{MAX_GROUPS, Memberships, is_automatic, is_group_name};
pub use steps::{Steps, Work};
pub use usual::usual;

use serde_json::{Map, Value};

use crate::model::mapping::Source;

/// Why a sign-in cannot go on with this profile. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name, for the trace: `attributes_required`, `attribute_immutable`, `attribute_invalid`,
    /// `claim_required`, `user_disabled`, `subject_invalid`, `account_required`.
    pub cause: &'static str,
    /// What the app reads in `error_description`, in Cognito's words where it has some.
    pub description: String,
    /// What was seen, for the trace; without values.
    pub detail: String,
    /// What an administrator can do about it.
    pub remedy: String,
}

impl Refusal {
    /// Required pool attributes that the mapping left without a value, and where each should come from.
    pub(crate) fn required(missing: &[(String, Option<&Source>)]) -> Refusal {
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        let sources: Vec<String> = missing
            .iter()
            .map(|(name, source)| match source {
                Some(source) => format!("'{name}' gets no value from {}", words(source)),
                None => format!("'{name}' is not mapped"),
            })
            .collect();
        Refusal {
            cause: "attributes_required",
            description: format!("attributes required: [{}]", names.join(", ")),
            detail: format!("the pool requires attributes: {}", sources.join("; ")),
            remedy:
                "Make Okta send the claim (a scope that carries it, a value in the user's profile), map the \
                     attribute from a claim that always comes, or make it optional in the pool."
                    .into(),
        }
    }

    pub(crate) fn immutable(attribute: &str, source: &Source) -> Refusal {
        Refusal {
            cause: "attribute_immutable",
            description: format!("user.{attribute}: Attribute cannot be updated."),
            detail: format!(
                "'{attribute}' is immutable and has another value than {} brings now",
                words(source)
            ),
            remedy: format!(
                "Make '{attribute}' mutable in the pool, or write its rule at the first sign-in only (write=first)."
            ),
        }
    }

    pub(crate) fn invalid(attribute: &str, source: &Source, why: &str) -> Refusal {
        // What an expression stumbled over speaks of its text, and that is the administrator's.
        let told = match why.split_once(": ") {
            Some((UNCOMPUTED, _)) => UNCOMPUTED,
            _ => why,
        };
        Refusal {
            cause: "attribute_invalid",
            description: format!("user.{attribute}: the value {told}"),
            detail: format!("{} does not fit '{attribute}': the value {why}", words(source)),
            remedy: match source {
                Source::Claim(claim) => {
                    format!("Correct what Okta sends in '{claim}', or map '{attribute}' from another claim.")
                }
                Source::Expression(_) => format!(
                    "Correct the expression of '{attribute}', or what Okta sends in the claims that it reads."
                ),
            },
        }
    }

    pub(crate) fn claim_required(attribute: &str, source: &Source) -> Refusal {
        let (detail, claims) = match source {
            Source::Claim(claim) => (
                format!(
                    "the rule for '{attribute}' refuses sign-ins without the claim '{claim}', and it did not come"
                ),
                format!("'{claim}'"),
            ),
            Source::Expression(_) => (
                format!(
                    "the rule for '{attribute}' refuses sign-ins without a value, and its expression has none"
                ),
                "the claims that the expression reads".into(),
            ),
        };
        Refusal {
            cause: "claim_required",
            description: format!("attributes required: [{attribute}]"),
            detail,
            remedy: format!(
                "Make Okta send {claims} (a scope that carries it, a value in the user's profile), or let the rule \
                 keep the old value (absent=keep)."
            ),
        }
    }

    /// Whether it holds whatever the mapping says.
    pub fn is_about_the_person(&self) -> bool {
        matches!(
            self.cause,
            "user_disabled" | "subject_invalid" | "account_required"
        )
    }

    pub(crate) fn user_disabled() -> Refusal {
        Refusal {
            cause: "user_disabled",
            description: "User is disabled.".into(),
            detail: "the profile in the pool is disabled".into(),
            remedy: "Enable the user in the pool if they may sign in again; Okta has nothing to do with it."
                .into(),
        }
    }

    pub(crate) fn account_required() -> Refusal {
        Refusal {
            cause: "account_required",
            description: "there is no account for the user".into(),
            detail: "nobody came by this identity before, and the connection makes no accounts".into(),
            remedy: "The connection's page 'Who gets an account' says that a first sign-in makes none. Switch that on, link \
                     the person to a user that there is, or let the tenant's people be recognised by address or number."
                .into(),
        }
    }

    pub(crate) fn subject_invalid(why: &str) -> Refusal {
        Refusal {
            cause: "subject_invalid",
            description: "the identity provider did not identify the user".into(),
            detail: format!("the subject {why}"),
            remedy: "The provider must send a 'sub' of 1 to 255 visible characters that is the user's own."
                .into(),
        }
    }
}

fn words(source: &Source) -> String {
    match source {
        Source::Claim(claim) => format!("the claim '{claim}'"),
        Source::Expression(_) => "the expression".into(),
    }
}

/// How the reason begins when an expression failed.
const UNCOMPUTED: &str = "cannot be computed";

/// The claim of that name; else what a dotted path leads to, where each dot may also be part of a member's own name
/// (`https://acme.example/org.id`). The longest name wins.
pub fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(name) {
        return Some(found);
    }
    name.rmatch_indices('.').find_map(|(dot, _)| {
        let (head, tail) = (name.get(..dot)?, name.get(dot + 1..)?);
        match claims.get(head)? {
            // Every step goes down into another object of the same document, so the work is bounded by its size.
            Value::Object(members) => claim(members, tail),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_found_by_name_then_by_path() {
        let Value::Object(claims) = json!({
            "email": "ada@acme.test",
            "address": {"country": "GB", "geo": {"lat": 51}},
            "address.country": "exact wins",
            "https://acme.example/org": {"id": "7", "unit.name": "R&D"},
            "list": [1],
        }) else {
            unreachable!()
        };
        for (name, expected) in [
            ("email", Some(json!("ada@acme.test"))),
            ("address.country", Some(json!("exact wins"))),
            ("address.geo.lat", Some(json!(51))),
            ("https://acme.example/org.id", Some(json!("7"))),
            ("https://acme.example/org.unit.name", Some(json!("R&D"))),
            ("Email", None),
            ("address.", None),
            (".", None),
            ("", None),
            ("list.0", None),
            ("email.x", None),
        ] {
            assert_eq!(claim(&claims, name).cloned(), expected, "{name}");
        }
    }
}
