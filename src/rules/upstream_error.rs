//! Why a sign-in at the upstream did not succeed, and what that means to each of the people concerned: the user at the
//! page, the downstream app, the administrator who reads the trace.
//!
//! A cause comes from the provider's own error on the callback (OIDC Core §3.1.2.6 and Okta's extensions) or from what
//! `upstream` found when it asked. `error` decides; Okta's description only refines, since its wording changes. Nothing
//! that an upstream wrote reaches a page or an app: they get our sentences, the trace gets bounded plain text.

mod cause;
mod remedy;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::world::UnixTime;

pub use cause::Cause;
use cause::Kind;

/// A refusal in the words of everyone who meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name: for the trace, the log and tests.
    pub cause: &'static str,
    pub title: &'static str,
    /// What happened, for the user.
    pub what: &'static str,
    /// What the user can do, with a time where the provider named one.
    pub next: Cow<'static, str>,
    /// What an administrator of the provider or of this connection can do; only for the trace.
    pub remedy: &'static str,
    /// For the app: RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6.
    pub oauth_error: &'static str,
    pub oauth_description: String,
    /// Signing in as someone else may help: offer it (with `prompt=login`, or Okta's session answers again).
    pub other_account: bool,
    /// Trying again as the same person may help.
    pub retry: bool,
    /// When trying again makes sense, where the provider said so.
    pub retry_at: Option<UnixTime>,
    /// Something is broken or misconfigured, as opposed to a decision about this user.
    pub failed: bool,
}

/// The cause that the provider's callback error stands for.
pub fn of_callback(error: &str, description: Option<&str>) -> Cause {
    let said = description.unwrap_or_default().to_ascii_lowercase();
    let says = |words: &str| said.contains(words);
    match error {
        "access_denied" if says("not assigned") => Cause::UserNotAssigned,
        "access_denied" if says("policy evaluation failed") => Cause::PolicyDenied,
        "access_denied" if says("requested scopes") => Cause::ScopesDenied,
        "access_denied" if says("canceled") || says("cancelled") => Cause::SignInCancelled,
        "access_denied" if says("network zone") => Cause::NetworkZone,
        "access_denied" if says("invalid session") => Cause::SessionInvalid,
        "access_denied" if says("password is expired") => Cause::PasswordExpired,
        "access_denied" => Cause::AccessDenied,
        "login_required" | "interaction_required" | "account_selection_required" => Cause::LoginRequired,
        "consent_required" if says("not allowed any") => Cause::InvalidScope,
        "consent_required" => Cause::ConsentRequired,
        "unmet_authentication_requirements" => Cause::AcrNotMet,
        "invalid_scope" => Cause::InvalidScope,
        "invalid_request" if says("pkce") || says("code_challenge") => Cause::PkceRequired,
        "invalid_request"
        | "unsupported_response_type"
        | "unsupported_response_mode"
        | "invalid_request_object"
        | "request_not_supported"
        | "request_uri_not_supported" => Cause::AuthorizeRequestRefused,
        "unauthorized_client" | "invalid_client" => Cause::ClientNotAllowed,
        "server_error" if says("groups claim") => Cause::GroupsOverflow,
        "server_error" if says("claim could not be evaluated") => Cause::ClaimFailed,
        "server_error" => Cause::ProviderError,
        "temporarily_unavailable" => Cause::ProviderUnavailable,
        _ => Cause::UnknownError,
    }
}

impl Cause {
    /// The refusal as everyone meets it. `provider` is the connection's name; `detail` may hold a status for the app.
    pub fn refusal(self, provider: &str, status: Option<u16>, retry_at: Option<UnixTime>) -> Refusal {
        let kind = self.kind();
        let (title, what, next) = self.page(kind);
        Refusal {
            cause: self.name(),
            title,
            what,
            next: match retry_at {
                Some(at) => Cow::Owned(format!("Wait until {}, then try again.", clock_time(at))),
                None => Cow::Borrowed(next),
            },
            remedy: remedy::of(self),
            oauth_error: self.oauth_error(kind),
            oauth_description: self.oauth_description(kind, provider, status),
            other_account: matches!(kind, Kind::NotAllowed) || self == Cause::UserinfoSubjectMismatch,
            retry: !matches!(kind, Kind::NotAllowed | Kind::Misconfigured) || self == Cause::SignInCancelled,
            retry_at,
            failed: !matches!(kind, Kind::NotAllowed | Kind::Again),
        }
    }
}

/// The time of day, for a moment within the next minutes.
fn clock_time(at: UnixTime) -> String {
    let text = at.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    format!("{} UTC", time.trim_end_matches('Z'))
}

/// Upstream text made harmless: at most `limit` characters of printable ASCII without quotes, backslashes and angle
/// brackets, blanks collapsed (RFC 6749 §4.1.2.1 admits no more in a description).
pub fn plain(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let c = match c {
            ' '..='~' if !matches!(c, '"' | '\\' | '<' | '>') => c,
            '"' => '\'',
            _ if c.is_whitespace() || c.is_control() => ' ',
            _ => '?',
        };
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if length == limit {
            out.push_str("...");
            break;
        }
        out.push(c);
        length += 1;
    }
    out.trim_end().to_owned()
}
