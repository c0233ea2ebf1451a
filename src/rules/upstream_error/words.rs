//! What the user reads, and what the app is told.

use super::cause::{Cause, Kind};
use super::plain;

impl Cause {
    /// Title, what happened, what to do.
    pub(super) fn page(self, kind: Kind) -> (&'static str, &'static str, &'static str) {
        match self {
            Cause::UserNotAssigned => (
                "You do not have access to this app",
                "You are signed in to your organisation's Okta, but your account is not assigned to this app.",
                "Ask your administrator to assign you to this app, then try again. If you have another account, sign in with that one.",
            ),
            Cause::NetworkZone => (
                "Not allowed from this network",
                "Your organisation does not allow signing in to this app from the network that you are on.",
                "Connect to your organisation's network or VPN and try again, or ask your administrator.",
            ),
            Cause::PasswordExpired => (
                "Your password has expired",
                "Your organisation's Okta says that your password has expired.",
                "Change your password in Okta, then try again.",
            ),
            Cause::SignInCancelled => (
                "Sign-in was cancelled",
                "The sign-in was cancelled before it was finished.",
                "Try again, or sign in with another account.",
            ),
            Cause::GroupsOverflow => (
                "Sign-in is not set up correctly",
                "You are in more groups than your organisation's Okta can pass on to this app.",
                "This is not your mistake. Send the code on this page to your administrator.",
            ),
            Cause::RateLimited => (
                "Too many sign-ins at the moment",
                "Your organisation's sign-in service is limiting requests.",
                "Wait a minute, then try again.",
            ),
            Cause::AcrNotMet => (
                "A stronger sign-in is needed",
                "This app asks for a stronger way of signing in than the one that was used.",
                "Set up the second factor that your organisation offers and try again, or ask your administrator.",
            ),
            Cause::LoginRequired | Cause::ConsentRequired => (
                "Please sign in",
                "Your organisation's sign-in service wants you to sign in or to agree first.",
                "Start again from the app.",
            ),
            Cause::CodeRejected => (
                "This sign-in has expired",
                "The sign-in took too long or was already used.",
                "Start again from the app.",
            ),
            Cause::ClockSkew => (
                "The sign-in could not be checked",
                "The clocks of the two sign-in services differ too much.",
                "This is not your mistake. Send the code on this page to your administrator.",
            ),
            _ => match kind {
                Kind::NotAllowed => (
                    "Your organisation did not let you in",
                    "Your organisation's sign-in service refused access to this app.",
                    "Ask your administrator for access, or sign in with another account.",
                ),
                Kind::Again => (
                    "Please sign in again",
                    "Your organisation's sign-in service could not finish this sign-in.",
                    "Start again from the app.",
                ),
                Kind::Down => (
                    "Your organisation's sign-in service does not answer",
                    "We could not complete the sign-in because your organisation's sign-in service is not working or cannot be reached.",
                    "Wait a little, then try again. If it goes on, send the code on this page to your administrator.",
                ),
                Kind::Misconfigured => (
                    "Sign-in is not set up correctly",
                    "The connection between this app and your organisation's sign-in service has a configuration problem.",
                    "This is not your mistake, and trying again will not help. Send the code on this page to your administrator.",
                ),
                Kind::Untrusted => (
                    "The sign-in could not be verified",
                    "The answer of your organisation's sign-in service did not pass our checks, so nobody was signed in.",
                    "Start again from the app. If it happens again, send the code on this page to your administrator.",
                ),
            },
        }
    }

    /// RFC 6749 §4.1.2.1 and OIDC Core §3.1.2.6.
    pub(super) fn oauth_error(self, kind: Kind) -> &'static str {
        match self {
            Cause::LoginRequired => "login_required",
            Cause::ConsentRequired => "consent_required",
            Cause::AcrNotMet => "unmet_authentication_requirements",
            Cause::RateLimited => "temporarily_unavailable",
            _ => match kind {
                Kind::NotAllowed | Kind::Again => "access_denied",
                Kind::Down => "temporarily_unavailable",
                Kind::Misconfigured | Kind::Untrusted => "server_error",
            },
        }
    }

    /// Cognito's wording where it has one.
    pub(super) fn oauth_description(self, kind: Kind, provider: &str, status: Option<u16>) -> String {
        let provider = plain(provider, 64);
        match self {
            Cause::Timeout | Cause::ConnectTimeout => "Timeout occurred in calling IdP token endpoint".into(),
            Cause::JwksFetchFailed => "Timeout in calling jwks uri".into(),
            Cause::ConnectionLost | Cause::ConnectFailed => "Connection reset".into(),
            Cause::TokenIssuerMismatch => "Bad id_token issuer".into(),
            Cause::UserNotAssigned => "User is not assigned to the client application.".into(),
            Cause::LoginRequired => "Login required".into(),
            Cause::ConsentRequired => "Consent required".into(),
            _ => match (kind, status) {
                (_, Some(status)) => format!("{provider} Error - {status} error getting token"),
                (Kind::NotAllowed | Kind::Again, None) => {
                    format!("{provider} refused the sign-in: {}", self.name())
                }
                (Kind::Down, None) => format!("{provider} is unavailable: {}", self.name()),
                (Kind::Misconfigured, None) => {
                    format!("{provider} is not configured correctly: {}", self.name())
                }
                (Kind::Untrusted, None) => format!("{provider} answer refused: {}", self.name()),
            },
        }
    }
}
