//! What a webhook may be, how its deliveries are signed (Standard Webhooks, standardwebhooks.com) and when they are tried
//! again. Calls of hooks are signed in the same way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::header::HeaderName;
use sha2::Sha256;
use url::Url;

use crate::world::{Entropy, UnixTime};

/// Seconds between one attempt and the next; after the last the delivery is given up, a day after the first.
const PAUSES: &[i64] = &[10, 60, 300, 1_800, 7_200, 18_000, 28_800, 28_800];
/// A webhook all of whose deliveries fail for so long is switched off.
pub const GIVE_UP: i64 = 3 * 86_400;
/// Deliveries of a webhook that may wait.
pub const LONGEST_QUEUE: i64 = 1_000;
/// Webhooks that a pool, or a tenant, may have.
pub const MOST: i64 = 10;
const LONGEST_URL: usize = 1_024;
const SECRET_PREFIX: &str = "whsec_";

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// None, and why, for people.
    Nothing(String),
}

/// Reads the address as typed. Whether it may be called is for the outbound fence to say.
pub fn url(typed: &str) -> Result<Url, String> {
    let url =
        Url::parse(typed).map_err(|_| "is not a URL such as https://hooks.example.com/forebay".to_owned())?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("must begin with https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; deliveries are signed instead".into());
    }
    if url.fragment().is_some() {
        return Err("holds a fragment (#…), which is never sent".into());
    }
    if url.as_str().len() > LONGEST_URL {
        return Err(format!("is longer than {LONGEST_URL} characters"));
    }
    Ok(url)
}

/// A new secret as receivers are given it.
pub fn new_secret(entropy: &Entropy) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(entropy.bytes::<32>()))
}

/// `webhook-signature`: over id, timestamp and body, by the bytes that the secret's base64 stands for.
pub fn signature(secret: &str, id: &str, at: UnixTime, body: &str) -> String {
    let key = STANDARD
        .decode(secret.trim_start_matches(SECRET_PREFIX))
        .unwrap_or_default();
    // HMAC takes keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(&key).map(|mac| {
        mac.chain_update(format!("{id}.{}.{body}", at.0))
            .finalize()
            .into_bytes()
    });
    format!("v1,{}", mac.map(|mac| STANDARD.encode(mac)).unwrap_or_default())
}

/// The headers of a signed message: its id, the same at every attempt, its time and its signature.
pub fn headers(secret: &str, id: &str, at: UnixTime, body: &str) -> [(HeaderName, String); 3] {
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.0.to_string()),
        ("webhook-signature", signature(secret, id, at, body)),
    ]
    .map(|(name, value)| (HeaderName::from_static(name), value))
}

/// When to try again after so many attempts; `None` when enough was tried.
pub fn next_attempt(attempts: i64, now: UnixTime) -> Option<UnixTime> {
    let index = usize::try_from(attempts - 1).ok()?;
    PAUSES.get(index).map(|pause| now.plus(*pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of the Standard Webhooks libraries.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            UnixTime(1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn attempts_spread_over_a_day() {
        let mut at = UnixTime(0);
        let mut attempts = 1;
        while let Some(next) = next_attempt(attempts, at) {
            assert!(next > at);
            (at, attempts) = (next, attempts + 1);
        }
        assert_eq!(attempts, 9);
        assert!((80_000..=90_000).contains(&at.0), "{at:?}");
        assert_eq!(next_attempt(0, at), None);
    }

    #[test]
    fn addresses_are_plain_urls() {
        for good in ["https://hooks.example.com/a?b=c", "http://127.0.0.1:9000/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        let long = format!("https://hooks.example.com/{}", "a".repeat(LONGEST_URL));
        for wrong in [
            "",
            "hooks.example.com",
            "ftp://hooks.example.com/",
            "javascript:alert(1)",
            "https://ada@hooks.example.com/",
            "https://hooks.example.com/#a",
            &long,
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
