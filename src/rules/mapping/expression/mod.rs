//! Expressions of a mapping: CEL (the Common Expression Language) over the upstream's claims, for values that no single
//! claim holds as they are wanted.
//!
//! ```
//! use forebay::rules::mapping::expression;
//! use serde_json::json;
//!
//! let claims = json!({"email": "Ada@ACME.test", "groups": ["app-admins", "Everyone"]});
//! let value = |text: &str| {
//!     let expression = expression::compile(text).unwrap();
//!     expression.value(claims.as_object().unwrap()).unwrap()
//! };
//! assert_eq!(value("claims.email.lowerAscii().split('@')[1]"), Some(json!("acme.test")));
//! assert_eq!(value("claims.groups.filter(g, g.startsWith('app-'))"), Some(json!(["app-admins"])));
//! assert_eq!(value("has(claims.title) ? claims.title : 'none'"), Some(json!("none")));
//! // What did not come is absent, not an error.
//! assert_eq!(value("claims.department"), None);
//! ```
//!
//! Grammar and macros (`has`, `all`, `exists`, `exists_one`, `map`, `filter`) are CEL's, read by the `cel` crate. The
//! values are JSON's: no unsigned numbers, bytes, times or durations; a whole number of the claims is an `int`, any other
//! a `double`, and the two may be mixed. The functions are in [`functions`]. A mapping's expressions have one name, `claims`;
//! rules about something else bring their own ([`Names`]). No clock, and nothing to be fetched.
//!
//! An expression runs inside other people's logins, so its tree is evaluated here (in [`run`]) and not by the crate's
//! interpreter, which bounds neither time nor memory: `['a'].map(x, x + x).map(x, x + x)…` doubles with every word. Here
//! every step and every byte that is copied is paid out of an allowance; when that is spent, there is no value.

pub mod functions;
pub(super) mod parse;
pub mod run;
mod tree;

use std::fmt;

use serde_json::{Map, Value};

pub use run::Failure;
pub use tree::Kind;
use tree::Node;

use super::steps::Steps;

/// Longest expression, in characters.
pub const MAX_CHARACTERS: usize = 2_000;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: Node,
    weight: usize,
}

/// Where an expression is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Both from one on.
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl std::error::Error for Error {}

impl Expression {
    /// The value for these claims; `None` when it is null or asks for something that did not come.
    pub fn value(&self, claims: &Map<String, Value>) -> Result<Option<Value>, Failure> {
        self.value_within(claims, &mut Steps::default())
    }

    /// The same, paid out of what the sign-in's rules may spend together.
    pub fn value_within(
        &self,
        claims: &Map<String, Value>,
        steps: &mut Steps,
    ) -> Result<Option<Value>, Failure> {
        run::value(&self.root, claims, steps)
    }

    /// What its patterns take in memory, in bytes.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The type of the value, where the expression alone tells it.
    pub fn kind(&self) -> Option<Kind> {
        self.root.kind()
    }

    /// Whether the value is the same whatever the claims are.
    pub fn is_constant(&self) -> bool {
        self.root.is_constant()
    }

    /// The members of this name that the expression reads by theirs, each once, in order.
    pub fn members_of(&self, name: &str) -> Vec<&str> {
        let mut members = Vec::new();
        self.root.members_of(name, &mut members);
        members.sort_unstable();
        members.dedup();
        members
    }

    /// The claims that the expression reads by name, each once, in order.
    pub fn claims(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.claims(&mut names);
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What an expression speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Names {
    /// `claims`: everything that it is given.
    Claims,
    /// These, each a member of what it is given.
    Members(&'static [&'static str]),
}

pub fn compile(text: &str) -> Result<Expression, Error> {
    compile_with(text, Names::Claims)
}

pub fn compile_with(text: &str, names: Names) -> Result<Expression, Error> {
    parse::parse(text, names).map(|(root, weight)| Expression { root, weight })
}

#[cfg(test)]
mod tests;
