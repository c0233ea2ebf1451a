//! Refusals under AWS's exception names: the one place where they are spelled.

use actix_web::http::StatusCode;

use crate::error::{Error, StoreError};
use crate::rules::aws::sigv4::Refusal;
use crate::rules::hook::Fault;

#[derive(Clone, Debug)]
pub struct Failure {
    pub name: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(name: &'static str, message: impl Into<String>) -> Failure {
        Failure {
            name,
            message: message.into(),
        }
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new("InvalidParameterException", message)
    }

    pub fn serialization(why: &str) -> Failure {
        Failure::new("SerializationException", why)
    }

    pub fn missing(message: impl Into<String>) -> Failure {
        Failure::new("ResourceNotFoundException", message)
    }

    pub fn no_pool(id: &str) -> Failure {
        Failure::missing(format!("User pool {id} does not exist."))
    }

    pub fn no_client(id: &str) -> Failure {
        Failure::missing(format!("User pool client {id} does not exist."))
    }

    pub fn no_user() -> Failure {
        Failure::new("UserNotFoundException", "User does not exist.")
    }

    pub fn no_group() -> Failure {
        Failure::missing("Group not found.")
    }

    pub fn status(&self) -> StatusCode {
        match self.name {
            "InternalErrorException" => StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceUnavailableException" => StatusCode::SERVICE_UNAVAILABLE,
            "RequestEntityTooLargeException" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// What Cognito has and we do not.
pub fn not_offered(operation: &str) -> Failure {
    Failure::new(
        "UnsupportedOperationException",
        format!("{operation} is not offered here; the README lists what is"),
    )
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NotFound(what) if what.kind == "user" => Failure::no_user(),
            Error::NotFound(what) if what.kind == "group" => Failure::no_group(),
            Error::NotFound(what) => Failure::missing(format!("{what} does not exist.")),
            Error::Exists(what) if what.kind == "group" => {
                Failure::new("GroupExistsException", "A group with the name already exists")
            }
            Error::Exists(what) if what.kind == "user" => {
                Failure::new("UsernameExistsException", "User account already exists")
            }
            Error::Exists(what) if what.kind == "alias" => Failure::new(
                "AliasExistsException",
                "An account with the given email already exists.",
            ),
            Error::Exists(what) if what.kind == "identity provider" => {
                Failure::new("DuplicateProviderException", format!("{what} already exists."))
            }
            Error::Exists(what) => Failure::invalid(format!("{what} already exists.")),
            Error::Invalid { field, why } if field == "scopes" => {
                Failure::new("ScopeDoesNotExistException", why)
            }
            Error::Invalid { field, why } if field == "flows" => {
                Failure::new("InvalidOAuthFlowException", why)
            }
            Error::Invalid { field, why } => Failure::invalid(format!("{field}: {why}")),
            Error::Denied(why) => Failure::invalid(why),
            Error::Conflict(why) => Failure::new("ConcurrentModificationException", why),
            Error::Internal(cause) => cause.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::new(fault.exception(), fault.message())
    }
}

impl From<StoreError> for Failure {
    fn from(cause: StoreError) -> Failure {
        tracing::error!(%cause, "a management call failed");
        match cause {
            // SDKs try this again by themselves, after a pause.
            StoreError::Busy(_) => {
                Failure::new("ServiceUnavailableException", "The database is busy; try again")
            }
            _ => Failure::new(
                "InternalErrorException",
                "Something went wrong here; the log says more",
            ),
        }
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(cause: diesel::result::Error) -> Failure {
        StoreError::Database(cause).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::MissingAuthenticationToken => Failure::new(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token: sign the request with AWS Signature Version 4",
            ),
            Refusal::IncompleteSignature(why) => Failure::new("IncompleteSignatureException", why),
            Refusal::Expired(why) => Failure::new("InvalidSignatureException", why),
            Refusal::UnknownKey => Failure::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Refusal::SessionToken => Failure::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid: no temporary credentials are issued here",
            ),
        }
    }
}
