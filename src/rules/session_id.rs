//! The names under which the management API knows sessions: `sso…` for a browser's session, `tkn…` for a token family.
//! Made of what is stored by a hash, so that they lead to nothing by themselves, and the same every time.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters after the kind: five bits each.
const LENGTH: usize = 25;

/// The browser session of this hash.
pub fn of_session(hash: &[u8]) -> String {
    named("sso", hash)
}

/// The token family of this `origin_jti`.
pub fn of_family(origin_jti: &str) -> String {
    named("tkn", origin_jti.as_bytes())
}

fn named(kind: &str, of: &[u8]) -> String {
    let digest = Sha256::new().chain_update(kind).chain_update(of).finalize();
    let letters = digest
        .iter()
        .take(LENGTH)
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
    kind.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_cognitos_form_and_tell_the_kinds_apart() {
        let (session, family) = (of_session(b"x"), of_family("x"));
        for (name, kind) in [(&session, "sso"), (&family, "tkn")] {
            assert_eq!(name.len(), 28, "{name}");
            assert!(name.starts_with(kind), "{name}");
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                "{name}"
            );
        }
        assert_ne!(session.get(3..), family.get(3..));
        assert_eq!(session, of_session(b"x"));
        assert_ne!(session, of_session(b"y"));
    }
}
