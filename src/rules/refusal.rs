//! Why a sign-in did not succeed, in the words of everyone who meets it: the user at the page, the app that gets an
//! OAuth error, the administrator who reads the trace.

use std::borrow::Cow;

use super::oauth_error::{Code, OAuthError};
use super::{mapping, upstream_error};

type Text = Cow<'static, str>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name, on the page, in the trace and in tests.
    pub cause: Text,
    pub title: Text,
    /// What happened, and what the user can do.
    pub what: Text,
    pub next: Text,
    /// What an administrator can do; only for the trace.
    pub remedy: Text,
    /// For the app.
    pub error: Code,
    pub description: Text,
    /// Signing in as someone else may help.
    pub other_account: bool,
    /// Trying again may help.
    pub retry: bool,
    /// Something is broken, as opposed to a decision about this user.
    pub failed: bool,
    /// The one way in that is open to this user.
    pub through: Option<Through>,
}

/// A connection that the page leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// What its button says.
    pub label: String,
    /// Its name, as requests choose it.
    pub connection: String,
}

impl Refusal {
    pub fn oauth(&self) -> OAuthError {
        OAuthError::because(self.error, self.description.clone(), self.cause.clone())
    }

    /// The app insisted on another user than the one who came (OIDC Core §3.1.2.2, §5.5.1).
    pub fn other_user() -> Refusal {
        Refusal {
            cause: "other_user".into(),
            title: "This is not the account the app asked for".into(),
            what: "You signed in, but as someone else than the app expects here.".into(),
            next: "Sign in with the account you used in the app before.".into(),
            remedy:
                "The app sent an id_token_hint or a claims parameter naming one user; another one signed in."
                    .into(),
            error: Code::LoginRequired,
            description: "another user signed in than the one asked for".into(),
            other_account: true,
            retry: false,
            failed: false,
            through: None,
        }
    }

    /// The organisation's people come by another connection now.
    pub fn moved(label: &str) -> Refusal {
        Refusal {
            cause: "connection_moved".into(),
            title: "Your organisation signs in another way now".into(),
            what: format!("You signed in, but your organisation has moved to {label}. Your account is the same there.").into(),
            next: format!("Go on with {label}. From the next time on choose it at once.").into(),
            remedy: "The person's tenant has moved its people from this connection to another one. If they cannot sign in \
                     there, assign them to the app in the new Okta, or undo the move within its 30 days."
                .into(),
            error: Code::AccessDenied,
            description: "the organisation signs in through another connection".into(),
            other_account: false,
            retry: true,
            failed: false,
            through: None,
        }
    }

    /// A provider that serves many organisations says that the person belongs to another one.
    pub fn other_organisation(claim: &str) -> Refusal {
        Refusal {
            cause: "other_organisation".into(),
            title: "This account belongs to somebody else's organisation".into(),
            what: "You signed in, but with an account that is not of the organisation whose sign-in this is.".into(),
            next: "Sign in with your work account of that organisation.".into(),
            remedy: format!(
                "The ID token's claim '{claim}' does not name this organisation: see the step. With Google it must be a \
                 proven domain of the tenant (prove the Workspace's domain, or its subdomains); with Entra ID the tenant \
                 id of the issuer. Personal accounts are of no organisation."
            )
            .into(),
            error: Code::AccessDenied,
            description: "the account belongs to another organisation".into(),
            other_account: true,
            retry: false,
            failed: false,
            through: None,
        }
    }

    /// An administrator has switched the account off.
    pub fn user_disabled() -> Refusal {
        Refusal {
            cause: "user_disabled".into(),
            title: "Your account here is switched off".into(),
            what: "You signed in, but your account was disabled by an administrator.".into(),
            next: "Ask your administrator to let you in again.".into(),
            remedy: "The user is disabled in this pool.".into(),
            error: Code::AccessDenied,
            description: "the user is disabled".into(),
            other_account: true,
            retry: false,
            failed: false,
            through: None,
        }
    }

    /// One of the app's own rules does not let this user in.
    pub fn access_rule(app: &str, rule: &str, contact: &str) -> Refusal {
        Refusal {
            cause: "access_rule".into(),
            title: format!("{app} does not let you in").into(),
            what: format!("You signed in, but the rule “{rule}” of {app} does not let you in.").into(),
            next: format!("If you should have access, ask {contact}.").into(),
            remedy: format!(
                "The access rule '{rule}' of the app client does not hold for this user. Change the user's groups or \
                 attributes where they come from, or the rule on the app client's Access page."
            )
            .into(),
            error: Code::AccessDenied,
            description: "the app's access rules refuse the user".into(),
            other_account: true,
            retry: false,
            failed: false,
            through: None,
        }
    }

    /// The organisation of this domain or name has switched to one way in.
    pub fn only_through(whose: &str, through: &Through) -> Refusal {
        let way = &through.label;
        Refusal {
            cause: "only_through_sso".into(),
            title: format!("Sign in through {way}").into(),
            what: format!("You proved who you are, but everybody at {whose} signs in through {way} only.").into(),
            next: format!("Go on through {way}. From the next time on choose it at once, or enter your work address.").into(),
            remedy: format!(
                "The tenant of {whose} has closed every other way in. It is lifted on the tenant's page in the \
                 console, or by `forebay tenant lift-enforcement`."
            )
            .into(),
            error: Code::AccessDenied,
            description: "the user's organisation allows another way of signing in only".into(),
            other_account: false,
            retry: true,
            failed: false,
            through: Some(through.clone()),
        }
    }

    /// The temporary password came too late.
    pub fn password_expired() -> Refusal {
        Refusal {
            cause: "password_expired".into(),
            title: "Your temporary password has expired".into(),
            remedy: "Set another temporary password (AdminSetUserPassword).".into(),
            ..Refusal::password_reset()
        }
    }

    /// Nobody has said yes to an account that was signed up for.
    pub fn user_unconfirmed() -> Refusal {
        Refusal {
            cause: "user_unconfirmed".into(),
            title: "Your account is not confirmed yet".into(),
            remedy: "The user is UNCONFIRMED: confirm it (AdminConfirmSignUp).".into(),
            ..Refusal::password_reset()
        }
    }

    /// An administrator has taken the password out of use.
    pub fn password_reset() -> Refusal {
        Refusal {
            cause: "password_reset_required".into(),
            title: "Your password has to be set anew".into(),
            what: "The password is right, but it cannot be used any more.".into(),
            next: "Ask your administrator for another one.".into(),
            remedy: "The user is RESET_REQUIRED: set a password (AdminSetUserPassword).".into(),
            error: Code::AccessDenied,
            description: "the account's password cannot be used".into(),
            ..Refusal::user_disabled()
        }
    }

    /// The callback belongs to no login of this browser.
    pub fn login_unknown() -> Refusal {
        Refusal {
            cause: "login_unknown".into(),
            title: "This sign-in has expired or began elsewhere".into(),
            what: "We cannot find the sign-in that this answer belongs to: it took longer than five minutes, was \
                   finished before, or began in another browser."
                .into(),
            next: "Go back to the app and sign in again. If it keeps happening, allow cookies for this site.".into(),
            remedy: "The callback's state matched no login cookie of the browser: cookies blocked, a bookmarked \
                     callback, the back button, or a forged callback."
                .into(),
            error: Code::AccessDenied,
            description: "the login has expired".into(),
            other_account: false,
            retry: true,
            failed: false,
            through: None,
        }
    }

    /// The callback came to another address than this login was to come back to.
    pub fn wrong_callback() -> Refusal {
        Refusal {
            cause: "callback_mismatch".into(),
            title: "This answer came to the wrong address".into(),
            what: "The answer from your organisation's sign-in reached an address that belongs to another connection. \
                   We stopped before using it."
                .into(),
            next: "Go back to the app and sign in again. If it happens again, tell your administrator the code below."
                .into(),
            remedy: "The redirect URI that the identity provider used is not the one of the connection this login went \
                     to. Register exactly the redirect URI shown with the connection. If it is, somebody may be mixing \
                     up connections on purpose."
                .into(),
            error: Code::AccessDenied,
            description: "the answer came from another connection".into(),
            other_account: false,
            retry: true,
            failed: true,
            through: None,
        }
    }

    /// The app or the connection was disabled or changed while the user was away.
    pub fn no_longer_offered() -> Refusal {
        Refusal {
            cause: "connection_not_available".into(),
            title: "This way to sign in is not available".into(),
            what: "The connection to your organisation is switched off, or this app no longer offers it.".into(),
            next: "Go back to the app and choose another way to sign in, or ask your administrator.".into(),
            remedy: "The connection is disabled, deleted, or not among the app client's identity providers any more."
                .into(),
            error: Code::AccessDenied,
            description: "Login option is not available. Please try another one".into(),
            other_account: false,
            retry: false,
            failed: false,
            through: None,
        }
    }

    /// Neither a code nor an error came back.
    pub fn empty_callback() -> Refusal {
        Refusal {
            cause: "callback_empty".into(),
            title: "Your organisation's sign-in gave no answer".into(),
            what: "The answer contained neither a result nor an error.".into(),
            next: "Go back to the app and sign in again.".into(),
            remedy: "The identity provider redirected back without code and without error; a proxy may strip the query."
                .into(),
            error: Code::ServerError,
            description: "the identity provider's answer is empty".into(),
            other_account: false,
            retry: true,
            failed: true,
            through: None,
        }
    }

    /// Too many sign-ins from one place ended badly within the same minute.
    pub fn too_many() -> Refusal {
        Refusal {
            cause: "too_many_attempts".into(),
            title: "Too many sign-ins have failed".into(),
            what: "Many sign-ins from your network ended badly within a minute, so we stopped asking.".into(),
            next: "Please wait a minute, then sign in again.".into(),
            remedy: "More than 60 callbacks of one address failed in a minute.".into(),
            error: Code::TemporarilyUnavailable,
            description: "too many attempts, try again later".into(),
            ..Refusal::unavailable()
        }
    }

    /// Our database could not do its part.
    pub fn unavailable() -> Refusal {
        Refusal {
            cause: "temporarily_unavailable".into(),
            title: "We cannot sign you in right now".into(),
            what: "Something on our side did not answer in time.".into(),
            next: "Please try again in a moment.".into(),
            remedy: "The broker's database did not answer; see the log at this request id.".into(),
            error: Code::TemporarilyUnavailable,
            description: "try again later".into(),
            other_account: false,
            retry: true,
            failed: true,
            through: None,
        }
    }
}

impl From<upstream_error::Refusal> for Refusal {
    fn from(refusal: upstream_error::Refusal) -> Refusal {
        let error = match refusal.oauth_error {
            "access_denied" => Code::AccessDenied,
            "login_required" => Code::LoginRequired,
            "consent_required" => Code::ConsentRequired,
            "unmet_authentication_requirements" => Code::UnmetAuthenticationRequirements,
            "temporarily_unavailable" => Code::TemporarilyUnavailable,
            "invalid_request" => Code::InvalidRequest,
            "invalid_scope" => Code::InvalidScope,
            "unauthorized_client" => Code::UnauthorizedClient,
            _ => Code::ServerError,
        };
        Refusal {
            cause: refusal.cause.into(),
            title: refusal.title.into(),
            what: refusal.what.into(),
            next: refusal.next,
            remedy: refusal.remedy.into(),
            error,
            description: refusal.oauth_description.into(),
            other_account: refusal.other_account,
            retry: refusal.retry,
            failed: refusal.failed,
            through: None,
        }
    }
}

impl From<mapping::Refusal> for Refusal {
    fn from(refusal: mapping::Refusal) -> Refusal {
        let (title, what): (&str, String) = match refusal.cause {
            "user_disabled" => (
                "Your account here is switched off",
                "You signed in, but your account was disabled by an administrator.".into(),
            ),
            "account_required" => (
                "There is no account for you here yet",
                "You signed in, but accounts here are given by an administrator, and you have none.".into(),
            ),
            "attributes_required" | "claim_required" => (
                "Something is missing from your profile",
                format!(
                    "Your organisation did not send everything the app needs: {}.",
                    refusal.description.trim()
                ),
            ),
            _ => (
                "Your profile could not be taken over",
                format!(
                    "What your organisation sent does not fit: {}.",
                    refusal.description.trim().trim_end_matches('.')
                ),
            ),
        };
        // As opposed to what is wrong with the profile.
        let is_decided = matches!(refusal.cause, "user_disabled" | "account_required");
        Refusal {
            cause: refusal.cause.into(),
            title: title.into(),
            what: what.into(),
            next: "Tell your administrator the code below; they can see what is missing and mend it.".into(),
            remedy: refusal.remedy.into(),
            error: match is_decided {
                true => Code::AccessDenied,
                false => Code::InvalidRequest,
            },
            description: refusal.description.into(),
            other_account: is_decided,
            retry: false,
            failed: false,
            through: None,
        }
    }
}
