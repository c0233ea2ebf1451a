//! What a form holds between its two ends: what is chosen, and what is wrong at which field. The macros of
//! `templates/console/filled.html` show it.

use std::str::FromStr;

use super::Problem;
use super::door::Form;
use crate::error::Error;

/// What is wrong, by the names of the fields.
#[derive(Clone, Debug, Default)]
pub struct Mistakes(Vec<(String, String)>);

impl Mistakes {
    pub fn one(field: &str, why: impl Into<String>) -> Mistakes {
        Mistakes(vec![(field.to_owned(), why.into())])
    }

    pub fn add(&mut self, field: &str, why: impl Into<String>) {
        self.0.push((field.to_owned(), why.into()));
    }

    /// What is wrong at a field.
    pub fn at(&self, field: &str) -> Option<&str> {
        self.all().find(|(name, _)| *name == field).map(|(_, why)| why)
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, why)| (field.as_str(), why.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An action's refusal at its field; one that names none stands at `main`. What is no fault of the form's goes on as
    /// the problem it is.
    pub fn of(error: Error, main: &str) -> Result<Mistakes, Problem> {
        let (field, why) = match error {
            Error::Invalid { field, why } => (field, why),
            error @ (Error::Exists(_) | Error::Conflict(_) | Error::Denied(_)) => {
                (main.to_owned(), error.to_string())
            }
            error => return Err(error.into()),
        };
        Ok(Mistakes(vec![(field, why)]))
    }
}

/// One of several that can be ticked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub hint: String,
    pub checked: bool,
}

impl Choice {
    pub fn new(value: impl Into<String>, hint: impl Into<String>, checked: bool) -> Choice {
        let value = value.into();
        Choice {
            label: value.clone(),
            value,
            hint: hint.into(),
            checked,
        }
    }
}

/// The field's text as a number; what is none becomes a mistake, and nothing is lost by it.
pub fn number<N: FromStr + Default>(form: &Form, field: &str, mistakes: &mut Mistakes) -> N {
    form.text(field).parse().unwrap_or_else(|_| {
        mistakes.add(field, "must be a whole number");
        N::default()
    })
}
