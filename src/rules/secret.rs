//! Bytes into codes, secrets and identifiers; hashes; comparison in constant time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::world::Entropy;

const LOWER: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz0123456";
/// No letter or digit that another can be taken for.
const READABLE: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// 256 random bits in base64url, 43 characters: session ids, refresh tokens, `state`, nonces, PKCE verifiers.
pub fn token(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<32>())
}

/// 128 random bits in base64url, 22 characters, where a short value matters (`state` is part of a cookie's name).
pub fn short_token(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<16>())
}

/// A version 4 UUID (RFC 9562): `sub`, `jti`, `event_id`, request ids.
pub fn uuid(entropy: &Entropy) -> String {
    uuid_of(entropy.bytes::<16>())
}

/// The version 4 UUID that these bytes make.
pub fn uuid_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    // One is made for every request: digit by digit rather than by formatting.
    let mut text = [b'-'; 36];
    let mut places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for byte in bytes {
        for digit in [byte >> 4, byte & 0x0f] {
            if let Some(place) = places.next() {
                text[place] = b"0123456789abcdef"[usize::from(digit)];
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Lower-case letters and digits, five bits each: client ids (26 characters) and client secrets (52), as Cognito's.
pub fn lower(entropy: &Entropy, length: usize) -> String {
    draw(entropy, length, LOWER)
}

/// A trace's code, `K7Q-2FM`: thirty bits that a person can read out over the telephone.
pub fn trace_code(entropy: &Entropy) -> String {
    let text = draw(entropy, 6, READABLE);
    format!("{}-{}", &text[..3], &text[3..])
}

/// A trace code as typed (any case, with or without the dash) in its stored form.
pub fn normalize_trace_code(typed: &str) -> Option<String> {
    let text: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let readable = text.len() == 6 && text.bytes().all(|byte| READABLE.contains(&byte));
    readable.then(|| format!("{}-{}", &text[..3], &text[3..]))
}

/// SHA-256: how random secrets are stored.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Compares in time that depends on the lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn draw(entropy: &Entropy, length: usize, alphabet: &[u8; 32]) -> String {
    let mut bytes = vec![0; length];
    entropy.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(alphabet[usize::from(byte & 31)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_version_4() {
        let id = uuid(&Entropy::seeded(1));
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
    }

    #[test]
    fn trace_codes_are_read_as_people_type_them() {
        let code = trace_code(&Entropy::seeded(1));
        assert_eq!(code.len(), 7);
        assert_eq!(normalize_trace_code(&code), Some(code.clone()));
        assert_eq!(
            normalize_trace_code(&format!(" {} ", code.to_lowercase().replace('-', ""))),
            Some(code)
        );
        for wrong in ["", "K7Q", "K7Q-2F", "K7Q-2FM8", "K7Q-2F0", "K7Q-2Fé", "K7Q/2FM"] {
            assert_eq!(normalize_trace_code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_hundred_thousand_tokens_are_all_different() {
        let entropy = Entropy::system();
        let tokens: std::collections::HashSet<_> = (0..100_000).map(|_| short_token(&entropy)).collect();
        assert_eq!(tokens.len(), 100_000);
    }
}
