//! The Secure Remote Password protocol as Cognito speaks it (SRP-6a, RFC 5054; the 3072-bit group of RFC 3526 §4, `g` = 2,
//! SHA-256): the server's side. Whoever knows the password proves it without sending it; the server keeps a verifier from
//! which the password cannot be read.
//!
//! Numbers are hashed the way Cognito's clients do: big-endian without leading zeros, and with one zero byte in front where
//! the first bit is set. The key of the proof is HKDF of the shared number, with the words "Caldera Derived Key".

use std::sync::LazyLock;

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U256, U3072};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::rules::secret;

const LIMBS: usize = U3072::LIMBS;
const BYTES: usize = U3072::BYTES;

const PRIME: &str = "\
FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F\
83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7\
ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C\
BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";

/// The group, made ready for arithmetic once.
struct Group {
    params: FixedMontyParams<LIMBS>,
    generator: FixedMontyForm<LIMBS>,
    /// `k` of SRP-6a: the hash of prime and generator.
    multiplier: FixedMontyForm<LIMBS>,
}

static GROUP: LazyLock<Group> = LazyLock::new(|| {
    let prime = Odd::<U3072>::from_be_hex(PRIME);
    let params = FixedMontyParams::new_vartime(prime);
    let number = |value: &U3072| FixedMontyForm::new(value, &params);
    let multiplier = hash(&[&padded(&bytes_of(&prime.get())), &[2]]);
    Group {
        params,
        generator: number(&U3072::from_u8(2)),
        multiplier: number(&wide(&multiplier)),
    }
});

/// What stands of the pool's id in the proof: the part after the region.
pub fn pool_name(user_pool_id: &str) -> &str {
    user_pool_id
        .split_once('_')
        .map_or(user_pool_id, |(_, name)| name)
}

/// The verifier of a password. `user_id` is what clients are told as `USER_ID_FOR_SRP`.
pub fn verifier(pool_name: &str, user_id: &str, password: &str, salt: &[u8]) -> Vec<u8> {
    let identity = hash(&[
        pool_name.as_bytes(),
        user_id.as_bytes(),
        b":",
        password.as_bytes(),
    ]);
    of_exponent(&hash(&[&padded(salt), &identity]))
}

/// The verifier of that exponent: drawn, it is nobody's.
pub fn of_exponent(exponent: &[u8; 32]) -> Vec<u8> {
    let power = GROUP.generator.pow(&U256::from_be_slice(exponent));
    bytes_of(&power.retrieve())
}

/// `SRP_A` as the client sent it, if it is a number that the protocol allows: none that the prime divides, which would
/// make the shared number known to everybody.
pub fn client_public(hex: &str) -> Option<Vec<u8>> {
    let bytes = from_hex(hex)?;
    let bytes = stripped(&bytes);
    let number = wide_of(bytes)?;
    (!bytes.is_empty() && number < *GROUP.params.modulus().as_ref()).then(|| bytes.to_vec())
}

/// `SRP_B` for a challenge: `k·v + g^b`.
pub fn server_public(verifier: &[u8], secret: &[u8; 32]) -> Option<Vec<u8>> {
    let verifier = FixedMontyForm::new(&wide_of(verifier)?, &GROUP.params);
    let power = GROUP.generator.pow(&U256::from_be_slice(secret));
    Some(bytes_of(&(GROUP.multiplier * verifier + power).retrieve()))
}

/// What a client proves itself with, and the challenge that it answers.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    pub pool_name: &'a str,
    pub user_id: &'a str,
    /// `SRP_A`, by [`client_public`].
    pub client_public: &'a [u8],
    /// The server's own exponent, drawn for this challenge.
    pub secret: &'a [u8; 32],
    pub secret_block: &'a [u8],
    pub timestamp: &'a str,
    pub signature: &'a [u8],
}

/// Whether the signature shows that the client knows the password of this verifier.
pub fn proves(verifier: &[u8], proof: &Proof<'_>) -> bool {
    let shared = shared(verifier, proof);
    shared.is_some_and(|(shared, scrambler)| {
        let key = derived(&padded(&shared), &padded(&scrambler));
        let expected = mac(
            key.get(..16).unwrap_or_default(),
            &[
                proof.pool_name.as_bytes(),
                proof.user_id.as_bytes(),
                proof.secret_block,
                proof.timestamp.as_bytes(),
            ],
        );
        secret::equal(&expected, proof.signature)
    })
}

/// `S` = (A·v^u)^b, and `u`.
fn shared(verifier: &[u8], proof: &Proof<'_>) -> Option<(Vec<u8>, [u8; 32])> {
    let server_public = server_public(verifier, proof.secret)?;
    let scrambler = hash(&[&padded(proof.client_public), &padded(&server_public)]);
    let number = |bytes: &[u8]| Some(FixedMontyForm::new(&wide_of(bytes)?, &GROUP.params));
    let base = number(proof.client_public)? * number(verifier)?.pow(&U256::from_be_slice(&scrambler));
    let shared = base.pow(&U256::from_be_slice(proof.secret));
    Some((bytes_of(&shared.retrieve()), scrambler))
}

/// HKDF (RFC 5869) with the first block only.
fn derived(shared: &[u8], salt: &[u8]) -> [u8; 32] {
    let extracted = mac(salt, &[shared]);
    mac(&extracted, &[b"Caldera Derived Key\x01"])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length (RFC 2104 §2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

fn stripped(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let bytes = stripped(bytes);
    let mut padded = Vec::with_capacity(bytes.len() + 1);
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        padded.push(0);
    }
    padded.extend_from_slice(bytes);
    padded
}

fn wide(bytes: &[u8; 32]) -> U3072 {
    wide_of(bytes).unwrap_or(U3072::ZERO)
}

/// The number of at most so many bytes.
fn wide_of(bytes: &[u8]) -> Option<U3072> {
    let bytes = stripped(bytes);
    let mut whole = [0; BYTES];
    let start = BYTES.checked_sub(bytes.len())?;
    whole.get_mut(start..)?.copy_from_slice(bytes);
    Some(U3072::from_be_slice(&whole))
}

fn bytes_of(number: &U3072) -> Vec<u8> {
    number.to_be_bytes().as_ref().to_vec()
}

/// Lower-case hexadecimal, as numbers go to clients.
pub fn to_hex(bytes: &[u8]) -> String {
    padded(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * BYTES + 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let even = if text.len() % 2 == 1 {
        format!("0{text}")
    } else {
        text.to_owned()
    };
    (0..even.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(even.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// Computed by a client written in Python with its own big numbers: a = SHA-256("client"), b = SHA-256("server").
    const CLIENT_PUBLIC: &str = "\
9d59be6f422234ba9a7d9bf3831b6f9f22168c6cbcf317f6f13a9d7311274b909329c7ffbfa91fe53910eb55092ec111\
2c2c02bef759085f52ca2aaff463b21c73d7fb0920e6a74714ae9acdaae6d4d7db89ebe4d594e6b3381b8dd9d716554a\
7e16e881d04862a978a2e9da59c392a02a5f38c232f69783b5110011c4a9e1394a036a3ca2ccc295ce644da4dd3ffd25\
f0aeb2f49c865b315b55dc5e074fe23f686e64af2daaf75928fa22c9987827b7d967c1b2a455dc1ef87e2fefc25bd990\
fe57a51c6a0e5c659d90cf47ddd86e5f0f443e528c73218bbad9bfa0199478033cbe6599e2bb73c68d2ff14398eedb22\
b31477fe466e34d7d85ed99620a551df0c66164e31de4f1890e0c41347496947a41b2a8e01d8763da5d2cf5a1357b5ac\
d468127c02c007e650bdf9b73243b550740db2c1f5b2f8fe68f4a70f269a2e0692907e22cc92073b6d1915f578048931\
4787ea6c7e6e2ee6946d68f4bdcebe859d46a231040a08d81fba031272a269c7d8c1f91dc809f3810cc20615993f1557";
    const SIGNATURE: &str = "EFpmoDCb0c86xI2jbiD9fZoqUdMfSR1obpzuVbl1DE8=";
    const SALT: &str = "00f1e2d3c4b5a69788796a5b4c3d2e1f";

    fn digest_of(bytes: &[u8]) -> String {
        hash(&[&padded(bytes)])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn the_server_s_side_agrees_with_an_independent_client() {
        let salt = from_hex(SALT).unwrap();
        let verifier = verifier("Forebay01", "grace", "Correct-Horse-1", &salt);
        assert_eq!(
            digest_of(&verifier),
            "05e4c13ccf533a19f04410846c03eee132620384b0944fc9186017c98275672d"
        );
        let secret = hash(&[b"server"]);
        let public = server_public(&verifier, &secret).unwrap();
        assert_eq!(
            digest_of(&public),
            "3ab242b1aec21f330bfc52978e9cb4271e6aaf471a56dd676133f563e59bf7d4"
        );
        let client_public = client_public(CLIENT_PUBLIC).unwrap();
        let signature = STANDARD.decode(SIGNATURE).unwrap();
        let proof = Proof {
            pool_name: "Forebay01",
            user_id: "grace",
            client_public: &client_public,
            secret: &secret,
            secret_block: b"the secret block",
            timestamp: "Sat Nov 21 00:00:00 UTC 2026",
            signature: &signature,
        };
        assert!(proves(&verifier, &proof));
        let wrong = super::verifier("Forebay01", "grace", "correct-Horse-1", &salt);
        assert!(!proves(&wrong, &proof));
        for other in [
            Proof {
                user_id: "ada",
                ..proof
            },
            Proof {
                timestamp: "Sat Nov 21 00:00:01 UTC 2026",
                ..proof
            },
            Proof {
                secret_block: b"another block",
                ..proof
            },
            Proof {
                signature: b"",
                ..proof
            },
        ] {
            assert!(!proves(&verifier, &other), "{other:?}");
        }
    }

    #[test]
    fn numbers_that_would_give_the_secret_away_are_refused() {
        let beyond = format!("{PRIME}00");
        for wrong in ["", "0", "0000", "xyz", PRIME, &beyond] {
            assert_eq!(client_public(wrong), None, "{wrong}");
        }
        assert_eq!(client_public("1"), Some(vec![1]));
        assert_eq!(client_public("00fF"), Some(vec![0xff]));
    }
}
