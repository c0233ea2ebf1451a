//! A trace's names in words: checks, causes, what a mapping did.

use crate::model::trace::delivery::Delivery;
use crate::model::trace::{MappingEffect, Step};
use crate::web::console::time::Moment;

/// A step with its name in words.
pub struct Check {
    pub label: &'static str,
    pub name: String,
    pub passed: bool,
    pub detail: String,
}

impl Check {
    pub fn of(step: Step) -> Check {
        Check {
            label: label(&step.name),
            name: step.name,
            passed: step.passed,
            detail: step.detail,
        }
    }
}

/// What a check is about, for somebody who has not read the specifications.
fn label(name: &str) -> &'static str {
    match name {
        "authorize" => "The app sends the user to sign in",
        "logout" => "The app sends the user to sign out",
        "callback" => "The user comes back from the organisation",
        "callback.iss" => "The answer is from the connection's issuer",
        "metadata" => "The organisation's metadata can be read",
        "token" => "The organisation gives its tokens for the code",
        "clock" => "The clocks agree",
        "jwks" => "The organisation's signing keys can be read",
        "upstream" => "The organisation answers in time",
        "id_token.form" => "The ID token is a signed JWT",
        "id_token.header" => "The ID token's header asks for nothing unknown",
        "id_token.typ" => "The ID token says that it is one",
        "id_token.alg" => "The ID token is signed as agreed",
        "id_token.kid" => "The ID token names its key",
        "id_token.signature" => "The signature is the organisation's",
        "id_token.iss" => "The ID token is from the connection's issuer",
        "id_token.aud" => "The ID token is meant for us",
        "id_token.azp" => "The ID token was issued to us",
        "id_token.sub" => "The ID token names a person",
        "id_token.exp" => "The ID token has not expired",
        "id_token.iat" => "The ID token was made just now",
        "id_token.nbf" => "The ID token is valid already",
        "id_token.nonce" => "The ID token belongs to this very sign-in",
        "id_token.at_hash" => "ID token and access token belong together",
        "id_token.auth_time" => "The person signed in recently enough",
        "id_token.acr" => "The person signed in strongly enough",
        "userinfo" => "Userinfo gives the person's claims",
        "userinfo.sub" => "Userinfo speaks of the same person",
        "mapping" => "The mapping makes a profile of the claims",
        "user" => "The profile may sign in here",
        "access" => "The app's access rules let the person in",
        "session" => "Nobody else is signed in in this browser",
        "acr" => "How strongly the app wanted the person to sign in",
        "hook.InboundFederation" => "The pool's hook looks at what the organisation said",
        "hook.PreSignUp" => "The pool's hook lets a new profile be made",
        "hook.PostConfirmation" => "The pool's hook is told of the new profile",
        "hook.PreAuthentication" => "The pool's hook lets the person in",
        "hook.PostAuthentication" => "The pool's hook is told of the sign-in",
        "hook.PreTokenGeneration" => "The pool's hook has a say in the tokens",
        "response" => "The answer goes to the app",
        _ => "A further check",
    }
}

/// `user_not_assigned` and `NONCE_MISMATCH` as words.
pub fn cause_in_words(cause: &str) -> String {
    cause.to_lowercase().replace('_', " ")
}

/// A mapping rule's effect with the state it is shown in.
pub struct Effect {
    pub effect: MappingEffect,
    pub pill: &'static str,
}

impl Effect {
    pub fn of(effect: MappingEffect) -> Effect {
        Effect {
            pill: match effect.action.as_str() {
                "written" | "joined" => "pill--good",
                "refused" => "pill--bad",
                "cleared" | "left" => "pill--warn",
                _ => "pill--quiet",
            },
            effect,
        }
    }
}

/// The last step of a sign-in that succeeded: whether the app came for its tokens.
pub struct Arrival {
    pub state: &'static str,
    pub what: &'static str,
    pub moment: Option<Moment>,
    /// When the tokens were taken back.
    pub revoked: Option<Moment>,
}

impl Arrival {
    pub fn of(delivery: Delivery) -> Arrival {
        let arrival = |state, what, at: Option<_>| Arrival {
            state,
            what,
            moment: at.map(Moment),
            revoked: None,
        };
        match delivery {
            Delivery::Delivered { at, revoked_at } => Arrival {
                revoked: revoked_at.map(Moment),
                ..arrival("step--good", "The app has had its tokens since", Some(at))
            },
            Delivery::Refused { at } => arrival(
                "step--bad",
                "The app came with its code, but its request was refused (wrong redirect URI, PKCE verifier or user \
                 switched off meanwhile); this was at",
                Some(at),
            ),
            Delivery::Awaited { until } => arrival(
                "",
                "The app has not exchanged its code for tokens yet; it can until",
                Some(until),
            ),
            Delivery::NeverCame => arrival(
                "step--warn",
                "The app never exchanged its code for tokens, and the code has expired: look at the app's own log. A page in \
                 a browser whose app client has a secret ends like this, mostly with an error of CORS or invalid_client in \
                 the browser's console: it needs an app client without one.",
                None,
            ),
            Delivery::Forgotten => arrival(
                "",
                "Whether the app fetched its tokens is not known any more: that is forgotten once they have expired.",
                None,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_words() {
        assert_eq!(cause_in_words("NONCE_MISMATCH"), "nonce mismatch");
        assert_eq!(cause_in_words("user_not_assigned"), "user not assigned");
    }
}
