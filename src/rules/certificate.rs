//! A pool's signing key as a certificate that it signs itself (X.509 v3, RFC 5280 §4.1; DER, X.690): for software that takes
//! a certificate where a key would do. Nobody vouches for it but the pool.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike};
use sha2::{Digest, Sha256};

use crate::model::key::PublicJwk;
use crate::rules::jwt::{self, Refused, SignKey};
use crate::world::UnixTime;

const YEARS: i64 = 10;
const YEAR: i64 = 365 * 86_400;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The explicit `[0]` before the version.
const VERSION: u8 = 0xa0;

/// `AlgorithmIdentifier`s, whole: sha256WithRSAEncryption and rsaEncryption, both with NULL parameters.
const SHA256_WITH_RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];
const RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// 2.5.4.3, `commonName`.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// The certificate of a key under that name, in base64. It is the same whenever it is asked for.
pub fn self_signed(
    key: &SignKey,
    public: &PublicJwk,
    name: &str,
    made_at: UnixTime,
) -> Result<String, Refused> {
    let unreadable = |_| Refused("the public key cannot be read");
    let modulus = URL_SAFE_NO_PAD.decode(&public.n).map_err(unreadable)?;
    let exponent = URL_SAFE_NO_PAD.decode(&public.e).map_err(unreadable)?;
    let serial: Vec<u8> = Sha256::digest(&public.kid).iter().take(16).copied().collect();
    let name = tlv(
        SEQUENCE,
        &tlv(
            SET,
            &tlv(
                SEQUENCE,
                &[&COMMON_NAME[..], &tlv(UTF8_STRING, name.as_bytes())].concat(),
            ),
        ),
    );
    let rsa_key = tlv(SEQUENCE, &[integer(&modulus), integer(&exponent)].concat());
    let public_key = tlv(SEQUENCE, &[&RSA[..], &bits(&rsa_key)].concat());
    let validity = tlv(
        SEQUENCE,
        &[time(made_at), time(made_at.plus(YEARS * YEAR))].concat(),
    );
    let version = tlv(VERSION, &integer(&[2]));
    let body = tlv(
        SEQUENCE,
        &[
            &version[..],
            &integer(&serial),
            &SHA256_WITH_RSA,
            &name,
            &validity,
            &name,
            &public_key,
        ]
        .concat(),
    );
    let signature = jwt::sign_bytes(key, &body)?;
    let certificate = tlv(
        SEQUENCE,
        &[&body[..], &SHA256_WITH_RSA, &bits(&signature)].concat(),
    );
    Ok(STANDARD.encode(certificate))
}

/// Tag, length, content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ 0..0x80) => out.push(length),
        _ => {
            let bytes = content.len().to_be_bytes();
            let length: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
            out.extend(length);
        }
    }
    out.extend(content);
    out
}

/// A number that is not negative, in as few bytes as it takes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tlv(INTEGER, &content)
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0_u8][..], bytes].concat())
}

/// Two digits of a year until 2049, four from then on (RFC 5280 §4.1.2.5).
fn time(at: UnixTime) -> Vec<u8> {
    let at = DateTime::from_timestamp(at.0, 0).unwrap_or_default();
    match at.year() {
        1950..=2049 => tlv(UTC_TIME, at.format("%y%m%d%H%M%SZ").to_string().as_bytes()),
        _ => tlv(
            GENERALIZED_TIME,
            at.format("%Y%m%d%H%M%SZ").to_string().as_bytes(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jsonwebtoken::{Algorithm, DecodingKey, crypto};
    use x509_parser::prelude::*;

    use super::*;
    use crate::actions::fixture::keys;

    #[test]
    fn others_read_it_and_its_signature_holds() {
        jwt::install();
        let pair = keys().id_token.clone();
        let key = SignKey::new(&pair.kid, &pair.private_der).unwrap();
        let made_at = UnixTime(1_795_219_200);
        let text = self_signed(&key, &pair.public_jwk, "us-local-1_One", made_at).unwrap();
        let der = STANDARD.decode(text).unwrap();
        let (rest, certificate) = X509Certificate::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(certificate.version(), X509Version::V3);
        assert_eq!(certificate.subject().to_string(), "CN=us-local-1_One");
        assert_eq!(certificate.issuer(), certificate.subject());
        assert_eq!(certificate.validity().not_before.timestamp(), made_at.0);
        assert_eq!(
            certificate.validity().not_after.timestamp(),
            made_at.0 + YEARS * YEAR
        );
        let public = DecodingKey::from_rsa_components(&pair.public_jwk.n, &pair.public_jwk.e).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(&certificate.signature_value.data);
        let signed = certificate.tbs_certificate.as_ref();
        assert!(crypto::verify(&signature, signed, &public, Algorithm::RS256).unwrap());
    }

    #[test]
    fn times_have_the_form_of_their_century() {
        assert_eq!(time(UnixTime(0)), tlv(UTC_TIME, b"700101000000Z"));
        assert_eq!(
            time(UnixTime(2_524_608_000)),
            tlv(GENERALIZED_TIME, b"20500101000000Z")
        );
    }
}
