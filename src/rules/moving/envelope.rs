//! The envelope that a pool's secrets, or a backup's key, travel in: HPKE (RFC 9180) in its base mode with X25519,
//! HKDF-SHA256 and ChaCha20-Poly1305, sealed to a key that only the receiving side has. What it is for and the pool's or the
//! backup's id are bound into it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_CHACHA20_POLY1305 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What an envelope is for, so that it opens as nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    PoolSecrets,
    BackupKey,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Purpose::PoolSecrets => b"forebay pool secrets 1",
            Purpose::BackupKey => b"forebay backup key 1",
        }
    }
}

/// X25519 keys, public or private, in bytes.
const KEY: usize = 32;

/// A sealed envelope, each part in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The recipient's public key: which private one opens it.
    pub recipient: String,
    pub encapsulated: String,
    pub sealed: String,
}

/// A new pair: the public key to be given to whoever exports, the private one to be kept.
pub fn key_pair() -> Result<(String, Zeroizing<String>), String> {
    let (public, private) = SUITE
        .generate_key_pair()
        .map_err(|why| format!("no key pair: {why}"))?;
    let private = Zeroizing::new(URL_SAFE_NO_PAD.encode(private.secret_bytes()));
    Ok((URL_SAFE_NO_PAD.encode(public.0), private))
}

/// Whether this can be a public key.
pub fn check(recipient: &str) -> Result<(), String> {
    key_bytes(recipient).map(|_| ())
}

/// Seals to the recipient.
pub fn seal(purpose: Purpose, recipient: &str, id: &str, secrets: &[u8]) -> Result<Envelope, String> {
    let key = HpkePublicKey(key_bytes(recipient)?.to_vec());
    let (encapsulated, sealed) = SUITE
        .seal(purpose.info(), id.as_bytes(), secrets, &key)
        .map_err(|why| format!("nothing can be sealed to that key: {why}"))?;
    Ok(Envelope {
        recipient: recipient.to_owned(),
        encapsulated: URL_SAFE_NO_PAD.encode(encapsulated.0),
        sealed: URL_SAFE_NO_PAD.encode(sealed),
    })
}

/// Opens what was sealed to the public key of this private one.
pub fn open(
    purpose: Purpose,
    envelope: &Envelope,
    id: &str,
    private: &str,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let key = HpkePrivateKey::from(key_bytes(private)?.to_vec());
    let part = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| "the sealed secrets are damaged".to_owned())
    };
    let encapsulated = EncapsulatedSecret(part(&envelope.encapsulated)?);
    SUITE
        .open(
            &encapsulated,
            purpose.info(),
            id.as_bytes(),
            &part(&envelope.sealed)?,
            &key,
        )
        .map(Zeroizing::new)
        .map_err(|_| {
            format!(
                "the secrets do not open with this key: they were sealed to {}",
                envelope.recipient
            )
        })
}

fn key_bytes(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    URL_SAFE_NO_PAD
        .decode(text.trim())
        .ok()
        .filter(|bytes| bytes.len() == KEY)
        .map(Zeroizing::new)
        .ok_or_else(|| "a key is 32 bytes in base64url, as `forebay export keygen` prints it".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Purpose::{BackupKey, PoolSecrets};

    #[test]
    fn only_the_recipients_key_opens_it_and_only_for_its_pool() {
        let (public, private) = key_pair().unwrap();
        let (_, other) = key_pair().unwrap();
        let envelope = seal(PoolSecrets, &public, "us-local-1_A", b"hush").unwrap();
        assert_eq!(
            open(PoolSecrets, &envelope, "us-local-1_A", &private)
                .unwrap()
                .as_slice(),
            b"hush"
        );
        assert!(
            open(PoolSecrets, &envelope, "us-local-1_A", &other)
                .unwrap_err()
                .contains(&public)
        );
        assert!(open(PoolSecrets, &envelope, "us-local-1_B", &private).is_err());
        assert!(open(BackupKey, &envelope, "us-local-1_A", &private).is_err());
        assert!(seal(PoolSecrets, "short", "us-local-1_A", b"hush").is_err());
        assert_ne!(
            seal(PoolSecrets, &public, "us-local-1_A", b"hush").unwrap(),
            envelope
        );
    }
}
