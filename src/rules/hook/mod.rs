//! Hooks, as Cognito's triggers: what one is sent, what it may answer, and what comes of its refusal. Calling it is
//! `broker::hooks`.
//!
//! The event is Cognito's, member by member, so that a function written for it serves here behind an HTTPS address. The
//! answer is the whole event with its `response` filled in. A function that throws answers `{"errorMessage": "…"}`, as
//! Lambda itself puts it, with whatever status.

pub mod tokens;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::upstream_error::plain;
use super::{identities, json};
use crate::model::lambda_config::Trigger;
use crate::model::user::{Identity, User};
use crate::rules::attribute::outside;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::text_enum;

/// The longest message of a hook that is handed on, in characters.
const LONGEST_MESSAGE: usize = 300;

text_enum! {
    /// Cognito's `triggerSource`: on what occasion the hook is called.
    pub enum Source {
        InboundFederation = "InboundFederation_ExternalProvider",
        SignUpExternalProvider = "PreSignUp_ExternalProvider",
        SignUpAdminCreateUser = "PreSignUp_AdminCreateUser",
        ConfirmSignUp = "PostConfirmation_ConfirmSignUp",
        PreAuthentication = "PreAuthentication_Authentication",
        PostAuthentication = "PostAuthentication_Authentication",
        TokensHostedAuth = "TokenGeneration_HostedAuth",
        TokensAuthentication = "TokenGeneration_Authentication",
        TokensNewPassword = "TokenGeneration_NewPasswordChallenge",
        TokensRefresh = "TokenGeneration_RefreshTokens",
        TokensClientCredentials = "TokenGeneration_ClientCredentials",
    }
}

impl Source {
    pub fn trigger(self) -> Trigger {
        match self {
            Source::InboundFederation => Trigger::InboundFederation,
            Source::SignUpExternalProvider | Source::SignUpAdminCreateUser => Trigger::PreSignUp,
            Source::ConfirmSignUp => Trigger::PostConfirmation,
            Source::PreAuthentication => Trigger::PreAuthentication,
            Source::PostAuthentication => Trigger::PostAuthentication,
            Source::TokensHostedAuth
            | Source::TokensAuthentication
            | Source::TokensNewPassword
            | Source::TokensRefresh
            | Source::TokensClientCredentials => Trigger::PreTokenGeneration,
        }
    }
}

/// One call of a hook.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub source: Source,
    /// `1`, but for the later versions of the token event.
    pub version: &'static str,
    pub user_pool_id: &'a str,
    pub client_id: &'a str,
    pub username: &'a str,
    pub request: Value,
    /// The members that the hook may fill in, with what holds if it does not.
    pub response: Value,
}

impl Event<'_> {
    /// The event as it is sent.
    pub fn body(&self) -> String {
        json!({
            "version": self.version,
            "triggerSource": self.source,
            "region": self.user_pool_id.split('_').next().unwrap_or_default(),
            "userPoolId": self.user_pool_id,
            "userName": self.username,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client_id },
            "request": self.request,
            "response": self.response,
        })
        .to_string()
    }
}

/// Why things do not go on because of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub trigger: Trigger,
    pub kind: FaultKind,
}

/// Each with what was seen; for the trace and, of the first, for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The hook says no, in these words.
    Refused(String),
    /// Its answer is none that can be understood.
    Malformed(String),
    /// It gave none.
    Unreachable(String),
}

impl Fault {
    /// The API's name for it.
    pub fn exception(&self) -> &'static str {
        match self.kind {
            FaultKind::Refused(_) => "UserLambdaValidationException",
            FaultKind::Malformed(_) => "InvalidLambdaResponseException",
            FaultKind::Unreachable(_) => "UnexpectedLambdaException",
        }
    }

    /// What the caller is told, in Cognito's words. What stands behind an answer that is missing or none at all is for the
    /// trace.
    pub fn message(&self) -> String {
        match &self.kind {
            FaultKind::Refused(message) => format!("{} failed with error {message}.", self.trigger),
            FaultKind::Malformed(_) => format!("{}: Unrecognizable lambda output", self.trigger),
            FaultKind::Unreachable(_) => format!("{} invocation failed due to configuration.", self.trigger),
        }
    }

    /// What was seen.
    pub fn detail(&self) -> &str {
        match &self.kind {
            FaultKind::Refused(seen) | FaultKind::Malformed(seen) | FaultKind::Unreachable(seen) => seen,
        }
    }

    /// At the token endpoint: a refusal ends the grant; a hook that does not work may work in a while.
    pub fn oauth(&self) -> OAuthError {
        let code = match self.kind {
            FaultKind::Refused(_) => Code::InvalidGrant,
            FaultKind::Malformed(_) | FaultKind::Unreachable(_) => Code::TemporarilyUnavailable,
        };
        OAuthError::because(
            code,
            plain(&self.message(), LONGEST_MESSAGE),
            self.detail().to_owned(),
        )
    }

    /// In the hosted flow: the page for the person, and the same text in the app's `error_description`.
    pub fn refusal(&self) -> Refusal {
        let description = plain(&self.message(), LONGEST_MESSAGE);
        let trigger = self.trigger;
        match &self.kind {
            FaultKind::Refused(message) => Refusal {
                cause: "hook_refused".into(),
                title: "This sign-in was not allowed".into(),
                what: format!(
                    "The people who run the app have a check of their own, and it said: {}",
                    plain(message, LONGEST_MESSAGE)
                )
                .into(),
                next: "If you think that you should get in, tell your administrator the code below.".into(),
                remedy: format!(
                    "The pool's {trigger} hook refused this sign-in. Its own log says more; so does the step above."
                )
                .into(),
                error: Code::InvalidRequest,
                description: description.into(),
                other_account: true,
                retry: false,
                failed: false,
                through: None,
            },
            FaultKind::Malformed(_) | FaultKind::Unreachable(_) => Refusal {
                cause: match &self.kind {
                    FaultKind::Malformed(_) => "hook_malformed",
                    _ => "hook_unreachable",
                }
                .into(),
                title: "We cannot sign you in right now".into(),
                what: "A check that belongs to every sign-in here gave no usable answer.".into(),
                next: "Please try again in a moment; if it keeps happening, tell your administrator the code below."
                    .into(),
                remedy: format!(
                    "The pool's {trigger} hook did not answer as it should; the step above says how. Try it with \
                     'forebay hook test' or on its page in the console."
                )
                .into(),
                error: Code::InvalidRequest,
                description: description.into(),
                other_account: false,
                retry: true,
                failed: true,
                through: None,
            },
        }
    }
}

/// The `response` of what a hook answered.
pub fn response(trigger: Trigger, status: u16, body: &[u8]) -> Result<Map<String, Value>, Fault> {
    let fault = |kind| Fault { trigger, kind };
    let mut event = match json::object(body) {
        Ok(event) => event,
        Err(why) if (200..300).contains(&status) => {
            return Err(fault(FaultKind::Malformed(format!("answered {status}: {why}"))));
        }
        Err(_) => Map::new(),
    };
    if let (Some(Value::String(message)), None) = (event.get("errorMessage"), event.get("response")) {
        return Err(fault(FaultKind::Refused(said(message))));
    }
    match status {
        200..=299 => match event.remove("response") {
            Some(Value::Object(response)) => Ok(response),
            _ => Err(fault(FaultKind::Malformed(
                "the answer is not the event: it has no object 'response'".into(),
            ))),
        },
        400..=499 => Err(fault(FaultKind::Refused(format!("the hook answered {status}")))),
        // The address does not work, as opposed to its function; redirects are not followed.
        _ => Err(fault(FaultKind::Unreachable(format!("answered {status}")))),
    }
}

/// A hook's message without what could break a line, a header or a page's width.
fn said(message: &str) -> String {
    let kept = message.chars().map(|c| if c.is_control() { ' ' } else { c });
    let kept: String = kept.take(LONGEST_MESSAGE).collect();
    kept.trim().to_owned()
}

/// `userAttributes` of somebody who has no profile yet: what the mapping makes of the claims.
pub fn new_user_attributes(attributes: &Map<String, Value>) -> Map<String, Value> {
    let mut shown = as_text(attributes);
    for alias in ["cognito:email_alias", "cognito:phone_number_alias"] {
        shown.insert(alias.into(), json!(""));
    }
    shown
}

/// `userAttributes` of a profile.
pub fn user_attributes(user: &User, identities: &[Identity]) -> Map<String, Value> {
    let mut shown = as_text(&user.attributes);
    shown.insert("sub".into(), json!(user.sub));
    shown.insert("cognito:user_status".into(), json!(user.status));
    if !identities.is_empty() {
        shown.insert("identities".into(), json!(identities::attribute(identities)));
    }
    shown
}

/// Cognito's attributes are strings, all of them.
fn as_text(attributes: &Map<String, Value>) -> Map<String, Value> {
    let text = attributes
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), Value::String(outside(value))));
    text.collect()
}

/// `userAttributesToMap`, with which an inbound federation hook replaces what the provider said; `None`: as it was.
pub fn attributes_to_map(response: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Fault> {
    match response.get("userAttributesToMap") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(replaced)) if replaced.is_empty() => Ok(None),
        Some(Value::Object(replaced)) => Ok(Some(replaced.clone())),
        Some(_) => Err(Fault {
            trigger: Trigger::InboundFederation,
            kind: FaultKind::Malformed("userAttributesToMap is not an object".into()),
        }),
    }
}

#[cfg(test)]
mod tests;
