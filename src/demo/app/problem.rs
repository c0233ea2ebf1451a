//! What can go wrong between the app and its provider, in words for the person at the browser.

use std::error::Error;

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{RequestTokenError, StandardErrorResponse, UserInfoError};

/// One failure: a short code, a sentence, and facts with their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: String,
    pub text: String,
    pub details: Vec<(String, String)>,
}

impl Problem {
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Problem {
        Problem {
            code: code.into(),
            text: text.into(),
            details: vec![],
        }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Problem {
        self.details.push((name.to_owned(), value.into()));
        self
    }

    /// The provider's answer to the authorization request is an error (RFC 6749 §4.1.2.1).
    pub fn authorization(error: &str, description: Option<&str>, uri: Option<&str>) -> Problem {
        let text = description.unwrap_or("The provider gave no further description.");
        let problem = Problem::new(error, text);
        match uri {
            Some(uri) => problem.with("More", uri),
            None => problem,
        }
    }

    /// The provider could not be found or understood.
    pub fn discovery(issuer: &str, error: &(dyn Error + 'static)) -> Problem {
        Problem::new(
            "discovery_failed",
            "The provider does not answer as this app expects. Is it running?",
        )
        .with("Issuer", issuer)
        .with("Cause", chain(error))
    }

    /// The token endpoint refused (RFC 6749 §5.2) or could not be reached.
    pub fn token_endpoint<E: Error + 'static>(
        error: &RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> Problem {
        match error {
            RequestTokenError::ServerResponse(answer) => Problem::new(
                answer.error().to_string(),
                answer
                    .error_description()
                    .map_or("The token endpoint refused.", String::as_str),
            )
            .with("Endpoint", "token"),
            other => Problem::provider("token", other),
        }
    }

    /// The userInfo endpoint refused (RFC 6750 §3.1) or could not be reached.
    pub fn user_info<E: Error + 'static>(error: &UserInfoError<E>) -> Problem {
        match error {
            UserInfoError::Response(status, body, _) => {
                let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                let field = |name: &str| {
                    answer
                        .get(name)
                        .and_then(|value| value.as_str())
                        .map(str::to_owned)
                };
                Problem::new(
                    field("error").unwrap_or_else(|| "user_info_refused".to_owned()),
                    field("error_description")
                        .unwrap_or_else(|| "userInfo refused the access token.".to_owned()),
                )
                .with("Status", status.to_string())
            }
            other => Problem::provider("userinfo", other),
        }
    }

    /// Something of the provider's did not hold: the step where it showed, and why.
    pub fn provider(step: &str, error: &(dyn Error + 'static)) -> Problem {
        Problem::new(format!("{step}_failed"), chain(error))
    }
}

/// An error with its causes, which openidconnect keeps out of the first sentence.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
