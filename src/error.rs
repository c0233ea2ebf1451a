//! How things end badly below the surfaces: [`StoreError`] when the database could not do its part, [`enum@Error`] when a
//! management operation is refused. Neither knows HTTP; each surface spells them in its own dialect.

use std::fmt;

use thiserror::Error;

/// The database could not do its part. Never the caller's fault; often worth trying again.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Too many requests wait for the database already, or none of its connections came free in time.
    #[error("the database is busy: {0}")]
    Busy(&'static str),
    #[error("the database failed: {0}")]
    Database(#[from] diesel::result::Error),
    /// The database thread ended or a job in it panicked.
    #[error("the database job was lost: {0}")]
    Lost(String),
    /// A stored value could not be unsealed or read back: a wrong root key or a damaged row.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
}

/// The six ways a management operation ends badly.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{0} does not exist")]
    NotFound(Subject),
    #[error("{0} already exists")]
    Exists(Subject),
    /// A field's value is not acceptable: which field, and why, for the caller to read.
    #[error("{field}: {why}")]
    Invalid { field: String, why: String },
    #[error("not allowed: {0}")]
    Denied(String),
    /// The thing changed in between, or something else stands in the way.
    #[error("{0}")]
    Conflict(String),
    #[error("internal error: {0}")]
    Internal(#[from] StoreError),
}

impl Error {
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Invalid {
            field: field.into(),
            why: why.into(),
        }
    }

    pub fn not_found(kind: &'static str, name: impl Into<String>) -> Error {
        Error::NotFound(Subject {
            kind,
            name: name.into(),
        })
    }

    pub fn exists(kind: &'static str, name: impl Into<String>) -> Error {
        Error::Exists(Subject {
            kind,
            name: name.into(),
        })
    }
}

impl From<diesel::result::Error> for Error {
    fn from(cause: diesel::result::Error) -> Self {
        Error::Internal(StoreError::Database(cause))
    }
}

/// What an error is about: "user pool us-local-1_Abc".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub kind: &'static str,
    pub name: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.kind, self.name)
    }
}
