//! Passwords: Argon2id (RFC 9106) in PHC form. Hashing takes tens of milliseconds and 19 MiB: never on an async thread.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::world::Entropy;

/// OWASP's first recommendation: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash to store; '', which no password matches, should hashing itself fail.
pub fn hash(entropy: &Entropy, password: &str) -> String {
    SaltString::encode_b64(&entropy.bytes::<16>())
        .and_then(|salt| Ok(hasher().hash_password(password.as_bytes(), &salt)?.to_string()))
        .unwrap_or_default()
}

/// Whether it is the password of that hash. `None`: there is no such account; takes as long as if there were.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    /// Of no password.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY));
    parsed.is_ok_and(|parsed| hasher().verify_password(password.as_bytes(), &parsed).is_ok())
        && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash(&Entropy::seeded(1), "correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(&hash)));
        assert!(!verify("correct horse ", Some(&hash)));
        assert!(!verify("", Some("")));
        assert!(!verify("x", None));
    }
}
