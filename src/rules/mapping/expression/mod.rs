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
//! a `double`, and the two may be mixed. The functions are in [`functions`]. There is one name, `claims`; no clock, and nothing to be fetched.
//!
//! An expression runs inside other people's logins, so its tree is evaluated here (in [`run`]) and not by the crate's
//! interpreter, which bounds neither time nor memory: `['a'].map(x, x + x).map(x, x + x)…` doubles with every word. Here
//! every step and every byte that is copied is paid out of an allowance; when that is spent, there is no value.

pub mod functions;
pub(super) mod parse;
pub mod run;
mod tree;

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

pub use run::Failure;
pub use tree::Kind;
use tree::Node;

use super::remembered::Remembered;

/// Longest expression, in characters.
pub const MAX_CHARACTERS: usize = 2_000;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: Node,
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
        run::value(&self.root, claims)
    }

    /// The type of the value, where the expression alone tells it.
    pub fn kind(&self) -> Option<Kind> {
        self.root.kind()
    }

    /// Whether the value is the same whatever the claims are.
    pub fn is_constant(&self) -> bool {
        self.root.is_constant()
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

/// Compiles an expression, or remembers that it was compiled before.
pub fn compile(text: &str) -> Result<Arc<Expression>, Error> {
    static COMPILED: LazyLock<Remembered<Expression>> = LazyLock::new(Remembered::default);
    COMPILED.get(text, |text| parse::parse(text).map(|root| Expression { root }))
}

#[cfg(test)]
mod tests;
