//! Signing and verifying our own tokens: JWS with RS256 through `jsonwebtoken` on aws-lc.
//!
//! `jsonwebtoken`'s own backend parses the private key for every token, which costs more than signing with it. The
//! [`install`]ed provider keeps each parsed key; everything else is left to the library.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::key::PublicJwk;
use crate::world::UnixTime;

/// Parsed private keys that are kept at the most; beyond it all are forgotten and parsed again as needed.
const KEPT: usize = 4096;

static PARSED: LazyLock<RwLock<HashMap<Vec<u8>, Arc<RsaKeyPair>>>> = LazyLock::new(RwLock::default);

static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(|| CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => Ok(Box::new(KeptSigner(parsed(key.as_bytes())?))),
        _ => (DEFAULT_PROVIDER.signer_factory)(algorithm, key),
    },
    ..DEFAULT_PROVIDER.clone()
});

/// Makes `jsonwebtoken` sign with kept keys. Called once at start; calling it again does nothing.
pub fn install() {
    let _ = PROVIDER.install_default();
}

struct KeptSigner(Arc<RsaKeyPair>);

impl Signer<Vec<u8>> for KeptSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut bytes = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes)
            .map_err(signature::Error::from_source)?;
        Ok(bytes)
    }
}

impl JwtSigner for KeptSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

fn parsed(der: &[u8]) -> jsonwebtoken::errors::Result<Arc<RsaKeyPair>> {
    if let Some(key) = PARSED.read().unwrap_or_else(PoisonError::into_inner).get(der) {
        return Ok(key.clone());
    }
    let key = RsaKeyPair::from_der(der)
        .map(Arc::new)
        .map_err(|cause| ErrorKind::InvalidRsaKey(cause.to_string()))?;
    let mut kept = PARSED.write().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(der.to_vec(), key.clone());
    Ok(key)
}

/// A private key, ready to sign.
#[derive(Clone)]
pub struct SignKey {
    pub kid: String,
    key: EncodingKey,
}

impl SignKey {
    /// From PKCS#1 DER; the error case is a damaged key.
    pub fn new(kid: &str, private_der: &[u8]) -> Result<SignKey, Refused> {
        parsed(private_der).map_err(|_| Refused("the signing key cannot be read"))?;
        Ok(SignKey {
            kid: kid.to_owned(),
            key: EncodingKey::from_rsa_der(private_der),
        })
    }
}

impl std::fmt::Debug for SignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignKey({})", self.kid)
    }
}

/// What a token is, as its `typ` header says (RFC 9068 §2.1); ID tokens carry none, as Cognito's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    None,
    AccessToken,
}

/// Signs claims as a compact JWS with RS256.
pub fn sign<T: Serialize>(key: &SignKey, typ: Typ, claims: &T) -> Result<String, Refused> {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(key.kid.clone());
    header.typ = match typ {
        Typ::None => None,
        Typ::AccessToken => Some("at+jwt".into()),
    };
    jsonwebtoken::encode(&header, claims, &key.key).map_err(|_| Refused("signing failed"))
}

/// Signs bytes that are no token (RS256).
pub fn sign_bytes(key: &SignKey, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
    let signature = jsonwebtoken::crypto::sign(bytes, &key.key, Algorithm::RS256)
        .map_err(|_| Refused("signing failed"))?;
    URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| Refused("signing failed"))
}

/// A public key, ready to verify.
#[derive(Clone)]
pub struct VerifyKey {
    pub kid: String,
    key: DecodingKey,
}

impl VerifyKey {
    pub fn new(jwk: &PublicJwk) -> Result<VerifyKey, Refused> {
        let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e)
            .map_err(|_| Refused("the key cannot be read"))?;
        Ok(VerifyKey {
            kid: jwk.kid.clone(),
            key,
        })
    }
}

impl std::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyKey({})", self.kid)
    }
}

/// A token of ours that is not acceptable; why, for the log only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refused(pub &'static str);

/// Good, but too old.
pub const EXPIRED: Refused = Refused("expired");

/// Verifies one of our own tokens: RS256 by the named key, our issuer, the kind in `token_use`, not expired. Nothing in
/// the header but `kid` chooses anything (RFC 8725 §3.1).
pub fn verify(
    keys: &[VerifyKey],
    token: &str,
    issuer: &str,
    token_use: &str,
    now: UnixTime,
) -> Result<Map<String, Value>, Refused> {
    let claims = verify_expired(keys, token, issuer, token_use)?;
    match claims.get("exp").and_then(Value::as_i64) {
        Some(exp) if exp > now.0 => Ok(claims),
        Some(_) => Err(EXPIRED),
        None => Err(Refused("exp is missing")),
    }
}

/// As [`verify`], for an `id_token_hint`, which may have expired (RP-Initiated Logout §2).
pub fn verify_expired(
    keys: &[VerifyKey],
    token: &str,
    issuer: &str,
    token_use: &str,
) -> Result<Map<String, Value>, Refused> {
    if token.len() > 65_536 {
        return Err(Refused("too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refused("not a JWT"))?;
    if header.alg != Algorithm::RS256 {
        return Err(Refused("signed with another algorithm"));
    }
    let expected_typ = |typ: &str| match token_use {
        "access" => typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("jwt"),
        _ => typ.eq_ignore_ascii_case("jwt"),
    };
    if header.typ.as_deref().is_some_and(|typ| !expected_typ(typ)) {
        return Err(Refused("another type of token"));
    }
    let kid = header.kid.as_deref().ok_or(Refused("kid is missing"))?;
    let key = keys
        .iter()
        .find(|key| key.kid == kid)
        .ok_or(Refused("signed with an unknown key"))?;
    let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation())
        .map_err(|_| Refused("the signature does not verify"))?
        .claims;
    let is = |name: &str, expected: &str| claims.get(name).and_then(Value::as_str) == Some(expected);
    if !is("iss", issuer) {
        return Err(Refused("issued by another issuer"));
    }
    if !is("token_use", token_use) {
        return Err(Refused("another kind of token"));
    }
    Ok(claims)
}

/// The library checks the signature; time is checked by us, against our own clock.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::rules::jwks;

    const NOW: UnixTime = UnixTime(1_000);

    fn keys() -> (SignKey, Vec<VerifyKey>, PublicJwk) {
        install();
        let pair = jwks::generate().unwrap();
        let sign = SignKey::new(&pair.kid, &pair.private_der).unwrap();
        (
            sign,
            vec![VerifyKey::new(&pair.public_jwk).unwrap()],
            pair.public_jwk,
        )
    }

    fn check(keys: &[VerifyKey], token: &str) -> Result<Map<String, Value>, Refused> {
        verify(keys, token, "https://us", "access", NOW)
    }

    #[test]
    fn a_signed_token_verifies_and_nothing_else_does() {
        let (key, keys, jwk) = keys();
        let good = json!({"iss": "https://us", "token_use": "access", "exp": 1_001});
        let token = sign(&key, Typ::AccessToken, &good).unwrap();
        assert_eq!(check(&keys, &token).unwrap()["exp"], 1_001);

        for (claims, why) in [
            (
                json!({"iss": "https://us", "token_use": "access", "exp": 1_000}),
                "expired",
            ),
            (
                json!({"iss": "https://us", "token_use": "access"}),
                "exp is missing",
            ),
            (
                json!({"iss": "https://us", "token_use": "access", "exp": "9999"}),
                "exp is missing",
            ),
            (
                json!({"iss": "https://us", "token_use": "access", "exp": 1e300}),
                "exp is missing",
            ),
            (
                json!({"iss": "https://us/", "token_use": "access", "exp": 1_001}),
                "issued by another issuer",
            ),
            (
                json!({"iss": "https://us", "token_use": "id", "exp": 1_001}),
                "another kind of token",
            ),
            (json!({}), "issued by another issuer"),
        ] {
            let token = sign(&key, Typ::AccessToken, &claims).unwrap();
            assert_eq!(check(&keys, &token), Err(Refused(why)), "{claims}");
        }

        // alg none, and HS256 keyed with what everybody can read
        let payload = URL_SAFE_NO_PAD.encode(good.to_string());
        for alg in ["none", "None", "nOnE", "HS256", "RS512", "ES256"] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": key.kid}).to_string());
            assert!(check(&keys, &format!("{header}.{payload}.")).is_err(), "{alg}");
        }
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.kid.clone());
        for secret in [jwk.n.as_bytes(), jwk.kid.as_bytes()] {
            let forged = jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap();
            assert!(check(&keys, &forged).is_err());
        }
        // a header that carries its own key changes nothing
        let other = jwks::generate().unwrap();
        let forged = sign(
            &SignKey {
                kid: key.kid.clone(),
                key: EncodingKey::from_rsa_der(&other.private_der),
            },
            Typ::AccessToken,
            &good,
        )
        .unwrap();
        assert_eq!(
            check(&keys, &forged),
            Err(Refused("the signature does not verify"))
        );
    }

    #[test]
    fn no_prefix_and_no_altered_character_of_a_token_verifies() {
        let (key, keys, _) = keys();
        let token = sign(
            &key,
            Typ::AccessToken,
            &json!({"iss": "https://us", "token_use": "access", "exp": 1_001}),
        )
        .unwrap();
        for at in 0..token.len() {
            assert!(check(&keys, &token[..at]).is_err(), "cut at {at}");
        }
        assert!(check(&keys, &format!("{token}A")).is_err());
        assert!(check(&keys, &format!("{token}.")).is_err());
    }
}
