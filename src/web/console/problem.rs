//! How a request to the console ends when it cannot be answered as asked: the one place where errors become pages.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;

use super::page;
use crate::error::{Error, StoreError};
use crate::rules::params;

#[derive(Debug)]
pub enum Problem {
    /// Nobody is signed in: to the sign-in page, and back to `next` after.
    SignIn {
        next: Option<String>,
    },
    /// Secrets and deletions want a proof from just now: to the page that asks for it, and back.
    ProveYourself {
        next: String,
    },
    /// Not what a set-up link is for: to its own page.
    SetUp,
    /// It is not there, or not within reach: nobody can tell which.
    NotFound,
    /// The form did not come from a page of this session.
    Forged,
    Malformed(&'static str),
    /// An action refused; what a handler does not show at a field ends here.
    Refused(Error),
    Store(StoreError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Problem::NotFound,
            Error::Internal(cause) => Problem::Store(cause),
            other => Problem::Refused(other),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(cause: StoreError) -> Self {
        Problem::Store(cause)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::SignIn { .. } => f.write_str("nobody is signed in"),
            Problem::ProveYourself { .. } => f.write_str("the sign-in is too long ago"),
            Problem::SetUp => f.write_str("the set-up link is not for this"),
            Problem::NotFound => f.write_str("there is nothing"),
            Problem::Forged => f.write_str("the form did not come from this session"),
            Problem::Malformed(why) => f.write_str(why),
            Problem::Refused(error) => error.fmt(f),
            Problem::Store(cause) => cause.fmt(f),
        }
    }
}

/// Says what went wrong and what to do.
#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    what: String,
    next: &'a str,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Problem::SignIn { .. } | Problem::ProveYourself { .. } | Problem::SetUp => StatusCode::SEE_OTHER,
            Problem::NotFound => StatusCode::NOT_FOUND,
            Problem::Forged => StatusCode::FORBIDDEN,
            Problem::Malformed(_) => StatusCode::BAD_REQUEST,
            Problem::Refused(Error::Denied(_)) => StatusCode::FORBIDDEN,
            Problem::Refused(Error::Conflict(_) | Error::Exists(_)) => StatusCode::CONFLICT,
            Problem::Refused(Error::Invalid { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::Refused(Error::NotFound(_)) => StatusCode::NOT_FOUND,
            Problem::Refused(Error::Internal(_)) | Problem::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let to = |path: &str, next: Option<&str>| {
            let location = match next {
                Some(next) => format!("{path}?{}", params::encode([("next", next)])),
                None => path.to_owned(),
            };
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, location))
                .finish()
        };
        let (title, next) = match self {
            Problem::SignIn { next } => return to("/console/sign-in", next.as_deref()),
            Problem::ProveYourself { next } => return to("/console/prove", Some(next)),
            Problem::SetUp => return to("/console/connect", None),
            Problem::NotFound => (
                "This page does not exist",
                "It may have been deleted, or it belongs to somebody else. Go back to the overview.",
            ),
            Problem::Forged => (
                "This form is from another session",
                "You may have signed in again meanwhile. Open the page anew and send the form once more.",
            ),
            Problem::Malformed(_) => ("This form cannot be read", "Go back and send it again."),
            Problem::Refused(_) => (
                "That was refused",
                "Go back, change what the message names and send it again.",
            ),
            Problem::Store(cause) => {
                tracing::error!(%cause, "a page of the console could not be made");
                (
                    "The database does not answer",
                    "Nothing was changed. Try again in a moment; the log of the server says more.",
                )
            }
        };
        let what = match self {
            Problem::Store(_) | Problem::NotFound => String::new(),
            other => other.to_string(),
        };
        page::html(self.status_code(), &ProblemPage { title, what, next })
    }
}
