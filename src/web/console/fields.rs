//! What is wrong with a form, at the field where it is wrong.

use super::problem::Problem;
use crate::error::Error;

/// The fields that were refused, with the sentence that stands at each; the field '' is the form as a whole.
#[derive(Clone, Debug, Default)]
pub struct Refused(Vec<(String, String)>);

impl Refused {
    pub fn field(field: impl Into<String>, why: impl Into<String>) -> Refused {
        Refused(vec![(field.into(), why.into())])
    }

    /// What an action says against the form; what no form can mend stays a problem. `key` is the field whose value must
    /// be unique.
    pub fn by(error: Error, key: &str) -> Result<Refused, Problem> {
        match error {
            Error::Invalid { field, why } => Ok(Refused::field(field, why)),
            Error::Conflict(why) | Error::Denied(why) => Ok(Refused::field("", why)),
            Error::Exists(subject) => Ok(Refused::field(key, format!("There is already the {subject}."))),
            other => Err(other.into()),
        }
    }

    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn at(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == field)
            .map(|(_, why)| why.as_str())
    }
}
