//! The login of a test sign-in: what an administrator's browser carries from the console through the upstream and back.
//! It is a cookie of its own kind, so that no test ever becomes a sign-in nor a sign-in a test.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::login::LIFETIME;
use crate::seal::{Label, Sealer};
use crate::world::UnixTime;

/// What the cookie's name begins with; the upstream `state` follows.
const COOKIE_PREFIX: &str = "__Host-test-login-";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLogin {
    pub provider_id: String,
    /// The configuration that is tested (`rules::connection::fingerprint`).
    pub fingerprint: String,
    pub administrator_id: String,
    /// The session of the console that may see the result.
    pub session_id: String,
    pub shared_callback: bool,
    pub nonce: String,
    pub verifier: String,
    pub started_at: UnixTime,
}

impl TestLogin {
    pub fn expired(&self, now: UnixTime) -> bool {
        !(0..=LIFETIME).contains(&now.since(self.started_at))
    }

    /// The cookie's value.
    pub fn seal(&self, sealer: &Sealer, host: &str, state: &str) -> Option<String> {
        let plain = serde_json::to_vec(self).ok()?;
        Some(URL_SAFE_NO_PAD.encode(sealer.seal(label(host, &cookie_name(state)), &plain)))
    }

    /// `None` when the value was altered, belongs to another cookie or host, or is no test.
    pub fn open(sealer: &Sealer, host: &str, state: &str, value: &str) -> Option<TestLogin> {
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let plain = sealer.open(label(host, &cookie_name(state)), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

pub fn cookie_name(state: &str) -> String {
    format!("{COOKIE_PREFIX}{state}")
}

fn label<'a>(host: &'a str, name: &'a str) -> Label<'a> {
    Label {
        purpose: "test-login",
        scope: host,
        name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::world::Entropy;

    #[test]
    fn it_opens_under_its_own_state_and_host_for_five_minutes() {
        let sealer = Sealer::new(vec![[7; 32]], Entropy::seeded(1));
        let test = TestLogin {
            provider_id: "acme-okta".into(),
            fingerprint: "f".repeat(43),
            administrator_id: "a".repeat(36),
            session_id: "s".repeat(36),
            shared_callback: false,
            nonce: "n".repeat(22),
            verifier: "v".repeat(43),
            started_at: UnixTime(1_000),
        };
        let value = test.seal(&sealer, "https://login.example", "state").unwrap();
        assert!(value.len() < 1_024, "{}", value.len());
        let open = |host, state| TestLogin::open(&sealer, host, state, &value);
        assert_eq!(open("https://login.example", "state"), Some(test.clone()));
        assert_eq!(open("https://login.example", "other"), None);
        assert_eq!(open("https://other.example", "state"), None);
        assert!(!test.expired(UnixTime(1_300)));
        assert!(test.expired(UnixTime(1_301)) && test.expired(UnixTime(999)));
    }
}
