//! Making signing keys and their public side: RSA-2048 by aws-lc, which takes half the time of `rsa`; PEM and JWK
//! members (RFC 7517) through `rsa`, which never signs (RUSTSEC-2023-0071); thumbprints (RFC 7638).
//!
//! Making a key takes tenths of a second: do it off the async threads and outside a transaction.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, LineEnding};
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::key::PublicJwk;

/// A private RSA key as PKCS#1 DER, with its public side.
#[derive(Clone)]
pub struct KeyPair {
    pub kid: String,
    pub private_der: Zeroizing<Vec<u8>>,
    pub public_jwk: PublicJwk,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({})", self.kid)
    }
}

impl KeyPair {
    /// The private key in PEM, as [`from_pem`] reads it.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, rsa::Error> {
        RsaPrivateKey::from_pkcs1_der(&self.private_der)?
            .to_pkcs1_pem(LineEnding::LF)
            .map_err(rsa::Error::Pkcs1)
    }
}

/// A new RSA-2048 key with `e` = 65537, of aws-lc's own randomness. Its `kid` is base64 with padding, as Cognito's look.
pub fn generate() -> Result<KeyPair, rsa::Error> {
    let made = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| rsa::Error::Internal)?;
    let der: Pkcs8V1Der<'static> = made.as_der().map_err(|_| rsa::Error::Internal)?;
    let key = RsaPrivateKey::from_pkcs8_der(der.as_ref()).map_err(rsa::Error::Pkcs8)?;
    describe(&key, &STANDARD)
}

/// Reads a PEM key, PKCS#1 or PKCS#8, as an operator pastes it for `private_key_jwt`. Its `kid` is the thumbprint in
/// base64url, as RFC 7638 §3.1 writes it and other software computes it. The error says what is wrong.
pub fn from_pem(pem: &str) -> Result<KeyPair, String> {
    let key = RsaPrivateKey::from_pkcs8_pem(pem)
        .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
        .map_err(|_| {
            "is not an RSA private key in PEM (PKCS#1 or PKCS#8, without a passphrase)".to_owned()
        })?;
    if key.size() < 256 {
        return Err("is an RSA key of less than 2048 bits".into());
    }
    describe(&key, &URL_SAFE_NO_PAD).map_err(|error| error.to_string())
}

fn describe(key: &RsaPrivateKey, encoding: &impl Engine) -> Result<KeyPair, rsa::Error> {
    let der = key.to_pkcs1_der().map_err(rsa::Error::Pkcs1)?;
    let public = RsaPublicKey::from(key);
    let (n, e) = (
        URL_SAFE_NO_PAD.encode(public.n().to_bytes_be()),
        URL_SAFE_NO_PAD.encode(public.e().to_bytes_be()),
    );
    let kid = encoding.encode(thumbprint(&n, &e));
    Ok(KeyPair {
        private_der: Zeroizing::new(der.as_bytes().to_vec()),
        public_jwk: PublicJwk {
            alg: "RS256".into(),
            e,
            kid: kid.clone(),
            kty: "RSA".into(),
            n,
            key_use: "sig".into(),
        },
        kid,
    })
}

/// RFC 7638 §3: SHA-256 over the required members in lexical order.
fn thumbprint(n: &str, e: &str) -> [u8; 32] {
    Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(
            URL_SAFE_NO_PAD.encode(thumbprint(n, "AQAB")),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn a_pasted_key_is_named_as_other_software_names_it() {
        let made = generate().unwrap();
        let key = RsaPrivateKey::from_pkcs1_der(&made.private_der).unwrap();
        let pasted = from_pem(&key.to_pkcs1_pem(rsa::pkcs1::LineEnding::LF).unwrap()).unwrap();
        assert_eq!(pasted.public_jwk.n, made.public_jwk.n);
        assert_eq!(
            pasted.kid,
            URL_SAFE_NO_PAD.encode(STANDARD.decode(&made.kid).unwrap())
        );
    }

    #[test]
    fn each_key_is_its_own_and_has_2048_bits() {
        let pair = generate().unwrap();
        assert_ne!(pair.kid, generate().unwrap().kid);
        assert_eq!(URL_SAFE_NO_PAD.decode(&pair.public_jwk.n).unwrap().len(), 256);
        assert_eq!(pair.public_jwk.e, "AQAB");
        assert_eq!(pair.kid.len(), 44);
    }
}
