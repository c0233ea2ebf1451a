//! PKCE (RFC 7636), S256 only: challenge and verifier.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::secret;

/// 43 to 128 unreserved characters: the form of verifiers and challenges (§4.1, §4.2).
pub fn well_formed(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Whether the verifier is the one the challenge was made of (§4.6).
pub fn matches(verifier: &str, expected: &str) -> bool {
    well_formed(verifier) && secret::equal(challenge(verifier).as_bytes(), expected.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        let (verifier, challenge) = (
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        );
        assert_eq!(super::challenge(verifier), challenge);
        assert!(matches(verifier, challenge));
        assert!(!matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge));
        assert!(
            !matches(challenge, challenge),
            "a verifier equal to the challenge is the plain method"
        );
    }

    #[test]
    fn only_43_to_128_unreserved_characters_are_well_formed() {
        for (text, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("a".repeat(128), true),
            ("a".repeat(129), false),
            ("-._~".repeat(11), true),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{}é", "a".repeat(43)), false),
            (String::new(), false),
        ] {
            assert_eq!(well_formed(&text), good, "{text}");
        }
    }
}
