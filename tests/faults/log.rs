//! The operation log: every request that may change something, when it began and ended, and what came of it, "unknown"
//! included. The checker reads it when all is over.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forebay::rules::secret;
use serde_json::Value;

use super::http::{Answer, Failed};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Exchange { code: String },
    Refresh { token: String },
    Revoke { token: String },
}

/// Tokens, as far as the checker looks at them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Issued {
    /// A new refresh token; none where the old one stays good.
    pub refresh: Option<String>,
    /// The claims of both tokens.
    pub id: Value,
    pub access: Value,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// 200: acknowledged, and so to be kept.
    Done(Option<Issued>),
    /// Refused for good, by that error code.
    Refused(String),
    /// 5xx: it may have been done all the same.
    Unavailable(u16),
    /// The connection died after the request was sent.
    Unknown,
    /// There was no connection.
    NotSent,
}

impl Outcome {
    /// Whether the server may have done it.
    pub fn may_be_done(&self) -> bool {
        matches!(
            self,
            Outcome::Done(_) | Outcome::Unavailable(_) | Outcome::Unknown
        )
    }

    /// Reads an answer of the token or revocation endpoint.
    pub fn of(answer: &Result<Answer, Failed>) -> Outcome {
        match answer {
            Err(Failed::NotSent) => Outcome::NotSent,
            Err(Failed::Unknown) => Outcome::Unknown,
            Ok(answer) if answer.status == 200 && answer.body.is_empty() => Outcome::Done(None),
            Ok(answer) if answer.status == 200 => {
                let body = answer.json();
                let text = |name: &str| body[name].as_str().map(str::to_owned);
                Outcome::Done(Some(Issued {
                    refresh: text("refresh_token"),
                    id: claims(&text("id_token").unwrap_or_default()),
                    access: claims(&text("access_token").unwrap_or_default()),
                }))
            }
            Ok(answer) if answer.status >= 500 => Outcome::Unavailable(answer.status),
            Ok(answer) => Outcome::Refused(answer.json()["error"].as_str().unwrap_or("none").to_owned()),
        }
    }
}

/// One request, from before it was sent until after its answer was read.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Which node was asked.
    pub node: usize,
    pub began: Duration,
    pub ended: Duration,
    pub request: Request,
    /// The user and the client that the driver asks for.
    pub sub: String,
    pub client: &'static str,
    pub outcome: Outcome,
    /// SHA-256 of the answer's body; empty where there was none.
    pub answer_hash: Vec<u8>,
}

pub struct Log {
    begun: Instant,
    operations: Mutex<Vec<Operation>>,
}

impl Log {
    pub fn new() -> Log {
        Log {
            begun: Instant::now(),
            operations: Mutex::default(),
        }
    }

    /// The time on the log's clock.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn write(&self, operation: Operation) {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operation);
    }

    /// All of it, in the order in which the requests ended.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// SHA-256 of an answer.
pub fn hash_of(answer: &Result<Answer, Failed>) -> Vec<u8> {
    answer
        .as_ref()
        .map(|answer| secret::hash(&answer.text()))
        .unwrap_or_default()
}

/// The claims of a JWT. That its signature verifies is tested elsewhere.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(payload)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
