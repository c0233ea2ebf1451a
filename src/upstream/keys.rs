//! An issuer's signing keys, read from its JWKS (RFC 7517): what can verify an ID token is taken, the rest is skipped.
//!
//! Nothing in a JWK makes us fetch or trust anything: `x5u`, `x5c` and the like are not looked at. Symmetric keys are
//! never taken, so that no public document can hold a key for HS256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::{Map, Value};

/// Keys that are looked at; real sets have one to three.
const MOST_KEYS: usize = 64;

/// The usable keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    /// How many members of the set were skipped, for the examination.
    pub skipped: usize,
}

/// A public key that can verify an ID token.
#[derive(Clone)]
pub struct Key {
    pub kid: Option<String>,
    /// The one algorithm that the key is for, where the JWK says so.
    alg: Option<String>,
    /// The curve fixes the algorithm of an elliptic key.
    curve_alg: Option<Algorithm>,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.kid)
    }
}

impl KeySet {
    /// Reads a JWKS document; `None` when there is no array `keys`.
    pub fn read(document: &Map<String, Value>) -> Option<KeySet> {
        let members = document.get("keys")?.as_array()?;
        let keys: Vec<Key> = members.iter().take(MOST_KEYS).filter_map(Key::read).collect();
        Some(KeySet {
            skipped: members.len() - keys.len(),
            keys,
        })
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that may have made a signature: those with this `kid`, or all when the token names none.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        self.keys
            .iter()
            .filter(|key| kid.is_none() || key.kid.as_deref() == kid)
            .filter(|key| key.serves(algorithm))
            .collect()
    }

    /// The names of those that have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.kid.as_deref())
    }

    /// A key of this name is in the set, whatever it is for.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }
}

impl Key {
    fn read(jwk: &Value) -> Option<Key> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops") {
            let verifies = operations
                .as_array()?
                .iter()
                .any(|operation| operation == "verify");
            if !verifies {
                return None;
            }
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
        let (decoding, curve_alg) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                if !is_sound_rsa(&n, &e) {
                    return None;
                }
                (DecodingKey::from_rsa_raw_components(&n, &e), None)
            }
            ("EC", Some(curve @ ("P-256" | "P-384"))) => {
                let (length, algorithm) = match curve {
                    "P-256" => (32, Algorithm::ES256),
                    _ => (48, Algorithm::ES384),
                };
                if bytes("x")?.len() != length || bytes("y")?.len() != length {
                    return None;
                }
                let key = DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?;
                (key, Some(algorithm))
            }
            ("OKP", Some("Ed25519")) if bytes("x")?.len() == 32 => {
                let key = DecodingKey::from_ed_components(text("x")?).ok()?;
                (key, Some(Algorithm::EdDSA))
            }
            _ => return None,
        };
        Some(Key {
            kid: text("kid").map(str::to_owned),
            alg: match jwk.get("alg") {
                None => None,
                Some(alg) => Some(alg.as_str()?.to_owned()),
            },
            curve_alg,
            decoding,
        })
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        let family = algorithm.family() == self.decoding.family();
        let named = self.alg.as_deref().is_none_or(|alg| alg.parse() == Ok(algorithm));
        family && named && self.curve_alg.is_none_or(|alg| alg == algorithm)
    }

    /// The signature (base64url) over the message was made with this key.
    pub fn verifies(&self, signature: &str, message: &[u8], algorithm: Algorithm) -> bool {
        algorithm.family() != AlgorithmFamily::Hmac
            && self.serves(algorithm)
            && jsonwebtoken::crypto::verify(signature, message, &self.decoding, algorithm).unwrap_or(false)
    }
}

/// 2048 to 8192 bits, and an odd exponent from 3 up to 32 bits: what any library signs with, and what costs us little.
fn is_sound_rsa(n: &[u8], e: &[u8]) -> bool {
    let bits = |bytes: &[u8]| -> usize {
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        bytes
            .first()
            .map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
    };
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last & 1 == 1);
    (2048..=8192).contains(&bits(n)) && odd(n) && (2..=32).contains(&bits(e)) && odd(e)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rules::jwks;
    use serde_json::json;

    fn read(keys: Value) -> KeySet {
        let document = json!({ "keys": keys, "more": 1 });
        KeySet::read(document.as_object().unwrap()).unwrap()
    }

    #[test]
    fn odd_keys_are_skipped_and_good_ones_stay() {
        let pair = jwks::generate().unwrap();
        let good = serde_json::to_value(&pair.public_jwk).unwrap();
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        let long = URL_SAFE_NO_PAD.encode([0xff; 2048]);
        let set = read(json!([
            good,
            with("use", json!("enc")),
            with("use", json!(7)),
            with("key_ops", json!(["encrypt"])),
            with("kty", json!("EC")),
            with("kty", json!("oct")),
            with("kty", json!("PQC")),
            with("n", json!("")),
            with("n", json!("AQAB")),
            with("n", json!(0)),
            with("n", json!("not base64!")),
            with("n", json!(long)),
            with("e", json!("AQ")),
            with("e", json!("AA")),
            with("e", json!("AAAA")),
            with("e", json!("__________8")),
            with("alg", json!(["RS256"])),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "h"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            json!({}),
            json!(null),
            json!("key"),
            with("x5c", json!([])),
        ]));
        assert_eq!((set.len(), set.skipped), (2, 23));
        assert!(KeySet::read(json!({"keys": {}}).as_object().unwrap()).is_none());
        assert!(read(json!([])).is_empty());
    }

    #[test]
    fn elliptic_keys_verify_what_they_signed_and_nothing_else() {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let point = p256.public_key().as_ref();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let set = read(json!([
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": encode(&point[1..33]), "y": encode(&point[33..65])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": encode(ed25519.public_key().as_ref())},
        ]));
        let by_p256 = encode(p256.sign(&SystemRandom::new(), b"text").unwrap().as_ref());
        let by_ed25519 = encode(ed25519.sign(b"text").as_ref());
        for (kid, algorithm, signature) in [
            ("e", Algorithm::ES256, &by_p256),
            ("d", Algorithm::EdDSA, &by_ed25519),
        ] {
            let keys = set.candidates(Some(kid), algorithm);
            assert_eq!(keys.len(), 1);
            assert!(keys[0].verifies(signature, b"text", algorithm));
            assert!(!keys[0].verifies(signature, b"other", algorithm));
            assert!(!keys[0].verifies("", b"text", algorithm));
            assert!(!keys[0].verifies("not base64!", b"text", algorithm));
            assert!(!keys[0].verifies(signature, b"text", Algorithm::ES384));
            assert!(!keys[0].verifies(signature, b"text", Algorithm::RS256));
        }
    }

    #[test]
    fn a_key_serves_its_own_algorithm_only() {
        let pair = jwks::generate().unwrap();
        let mut jwk = serde_json::to_value(&pair.public_jwk).unwrap();
        let kid = Some(pair.kid.as_str());
        assert_eq!(read(json!([jwk])).candidates(kid, Algorithm::RS256).len(), 1);
        assert_eq!(read(json!([jwk])).candidates(None, Algorithm::RS256).len(), 1);
        assert_eq!(
            read(json!([jwk]))
                .candidates(Some("other"), Algorithm::RS256)
                .len(),
            0
        );
        for wrong in [
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::HS256,
        ] {
            assert!(read(json!([jwk])).candidates(kid, wrong).is_empty(), "{wrong:?}");
        }
        jwk.as_object_mut().unwrap().remove("alg");
        assert_eq!(read(json!([jwk])).candidates(kid, Algorithm::PS256).len(), 1);
        assert!(read(json!([jwk])).candidates(kid, Algorithm::HS256).is_empty());
        jwk["alg"] = json!("RSA-OAEP");
        assert!(read(json!([jwk])).candidates(kid, Algorithm::RS256).is_empty());
    }
}
