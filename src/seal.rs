//! Sealing of secrets at rest and of what travels in cookies: XChaCha20-Poly1305 under the root key.
//!
//! What a sealed thing is for, where it belongs and how it is called are additional data, so that no sealed thing can
//! serve as another. The layout is `version (1) | key id (4) | nonce (24) | ciphertext and tag`; the key id lets a new
//! root key take over while what the old one sealed still opens.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::world::Entropy;

const VERSION: u8 = 1;
const HEADER: usize = 5;
const NONCE: usize = 24;

/// What a sealed thing is, so that it opens as nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// `login`, `client-secret`, `signing-key`…
    pub purpose: &'a str,
    /// The pool or host it belongs to.
    pub scope: &'a str,
    /// Its own name: a provider's id, a kid, a cookie's name.
    pub name: &'a str,
}

/// A root key: 32 bytes that never leave the process, and the id that sealed things carry.
#[derive(Clone)]
struct RootKey {
    id: [u8; 4],
    cipher: XChaCha20Poly1305,
    bytes: Zeroizing<[u8; 32]>,
}

/// Seals and opens. The first key seals; all of them open.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Vec<RootKey>>,
    entropy: Entropy,
}

/// The sealed thing was altered, belongs elsewhere, or was made under a root key that is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot be unsealed")]
pub struct Unsealable;

/// Why there is no root key to start with; each says what to do.
#[derive(Debug, Error)]
pub enum RootKeyError {
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error(
        "{0} can be read by others (mode {1:o}); it opens every secret in the database. Run: chmod 600 {0}"
    )]
    Exposed(String, u32),
    #[error(
        "{0} does not hold 32 bytes in base64. Restore it from your backup: what it sealed opens with no other key"
    )]
    Malformed(String),
}

impl Sealer {
    /// From keys in order: the first seals, the others still open. `keys` must not be empty.
    pub fn new(keys: Vec<[u8; 32]>, entropy: Entropy) -> Sealer {
        let keys = keys
            .into_iter()
            .map(|bytes| {
                let digest = Sha256::new()
                    .chain_update(b"forebay root key id")
                    .chain_update(bytes)
                    .finalize();
                let mut id = [0; 4];
                id.copy_from_slice(&digest[..4]);
                RootKey {
                    id,
                    cipher: XChaCha20Poly1305::new(&bytes.into()),
                    bytes: Zeroizing::new(bytes),
                }
            })
            .collect();
        Sealer {
            keys: Arc::new(keys),
            entropy,
        }
    }

    /// From text, as settings hold it: base64 keys, separated by commas.
    pub fn from_text(text: &str, entropy: Entropy) -> Result<Sealer, RootKeyError> {
        let keys: Option<Vec<_>> = text.split(',').map(|key| parse(key.trim())).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(Sealer::new(keys, entropy)),
            _ => Err(RootKeyError::Malformed("the root key setting".into())),
        }
    }

    /// From `root.key` in a directory, which is made, with the directory, when it is not there; `true` when it was made.
    pub fn from_directory(directory: &Path, entropy: Entropy) -> Result<(Sealer, bool), RootKeyError> {
        let path = directory.join("root.key");
        let shown = path.display().to_string();
        let failed = |error| RootKeyError::File(shown.clone(), error);
        fs::create_dir_all(directory).map_err(failed)?;
        let made = !path.exists() && {
            let key = Zeroizing::new(entropy.bytes::<32>());
            let text = Zeroizing::new(STANDARD.encode(*key));
            make(directory, &path, &text).map_err(failed)?
        };
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(RootKeyError::Exposed(shown, mode));
        }
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
        let keys: Option<Vec<_>> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(parse)
            .collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok((Sealer::new(keys, entropy), made)),
            _ => Err(RootKeyError::Malformed(shown)),
        }
    }

    /// The ids of the keys, in their order: they say which keys these are, and give nothing away.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| shown_id(&key.id)).collect()
    }

    /// The id of the key that seals, as sealed values carry it.
    pub fn key_id(&self) -> [u8; 4] {
        self.keys[0].id
    }

    /// The keys themselves, as [`Sealer::from_text`] takes them.
    pub fn to_text(&self) -> Zeroizing<String> {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| Zeroizing::new(STANDARD.encode(*key.bytes)))
            .collect();
        let mut text = Zeroizing::new(String::with_capacity(keys.len() * 45));
        for key in &keys {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
        }
        text
    }

    pub fn seal(&self, label: Label<'_>, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let nonce = self.entropy.bytes::<NONCE>();
        let data = additional_data(&key.id, label);
        let payload = Payload {
            msg: plain,
            aad: &data,
        };
        let mut sealed = Vec::with_capacity(HEADER + NONCE + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        // The cipher fails only beyond 256 GiB of plaintext; nothing sealed then, nothing opens.
        sealed.extend(
            key.cipher
                .encrypt(XNonce::from_slice(&nonce), payload)
                .unwrap_or_default(),
        );
        sealed
    }

    pub fn open(&self, label: Label<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or(Unsealable)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or(Unsealable)?;
        let (version, id) = header.split_first().ok_or(Unsealable)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Unsealable)?;
        if *version != VERSION {
            return Err(Unsealable);
        }
        let payload = Payload {
            msg: ciphertext,
            aad: &additional_data(&key.id, label),
        };
        key.cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| Unsealable)
    }

    /// Opens text that was sealed.
    pub fn open_text(&self, label: Label<'_>, sealed: &[u8]) -> Result<Zeroizing<String>, Unsealable> {
        let plain = self.open(label, sealed)?;
        String::from_utf8(plain.to_vec())
            .map(Zeroizing::new)
            .map_err(|_| Unsealable)
    }

    /// HMAC-SHA-256 of `message` under a key derived from the root key for this purpose, for values that only we can
    /// compute, such as the one successor of a refresh token: under the first root key, then under each older one.
    pub fn derive<'a>(&'a self, purpose: &'a str, message: &'a [u8]) -> impl Iterator<Item = [u8; 32]> + 'a {
        self.keys
            .iter()
            .map(move |key| mac(&mac(&key.bytes[..], purpose.as_bytes()), message))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

/// Puts keys, in the form of [`Sealer::to_text`], into a directory that has none; one that has some keeps them.
pub fn put_keys(directory: &Path, keys: &str) -> Result<(), RootKeyError> {
    let path = directory.join("root.key");
    let failed = |error| RootKeyError::File(path.display().to_string(), error);
    fs::create_dir_all(directory).map_err(failed)?;
    let lines = Zeroizing::new(keys.replace(',', "\n"));
    if !path.exists() {
        make(directory, &path, &lines).map_err(failed)?;
    }
    Ok(())
}

/// Makes the key file; false when another process was faster. It is written whole under another name and then linked, so
/// that nobody ever reads half a key, whatever happens in between.
fn make(directory: &Path, path: &Path, lines: &str) -> std::io::Result<bool> {
    let draft = directory.join(format!("root.key.{}", std::process::id()));
    let text = Zeroizing::new(format!("{lines}\n"));
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {
            fs::File::open(directory)?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so the error case cannot arise; an empty key would only weaken, never panic.
    match <Hmac<Sha256> as Mac>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => Sha256::digest(message).into(),
    }
}

/// Every part with its length before it: no two labels give the same bytes.
fn additional_data(key_id: &[u8; 4], label: Label<'_>) -> Vec<u8> {
    let mut data = vec![VERSION];
    data.extend_from_slice(key_id);
    for part in [label.purpose, label.scope, label.name] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

/// The id of a root key, as people and audit events have it.
pub fn shown_id(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LABEL: Label<'_> = Label {
        purpose: "login",
        scope: "pool",
        name: "cookie",
    };

    fn sealer(first: u8) -> Sealer {
        Sealer::new(vec![[first; 32]], Entropy::seeded(1))
    }

    #[test]
    fn what_was_sealed_opens_under_its_own_label_only() {
        let sealer = sealer(1);
        let sealed = sealer.seal(LABEL, b"secret");
        assert_eq!(sealer.open(LABEL, &sealed).unwrap().as_slice(), b"secret");
        for other in [
            Label {
                purpose: "logout",
                ..LABEL
            },
            Label {
                scope: "pool2",
                ..LABEL
            },
            Label {
                name: "cookie2",
                ..LABEL
            },
            Label {
                purpose: "loginpool",
                scope: "",
                name: "cookie",
            },
        ] {
            assert_eq!(sealer.open(other, &sealed), Err(Unsealable), "{other:?}");
        }
    }

    #[test]
    fn every_altered_or_shortened_byte_is_refused() {
        let sealer = sealer(1);
        let sealed = sealer.seal(LABEL, b"secret");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(
                sealer.open(LABEL, &altered),
                Err(Unsealable),
                "bit flipped at {at}"
            );
            assert_eq!(sealer.open(LABEL, &sealed[..at]), Err(Unsealable), "cut at {at}");
        }
    }

    #[test]
    fn an_older_root_key_still_opens_what_it_sealed() {
        let old = sealer(1).seal(LABEL, b"secret");
        let both = Sealer::new(vec![[2; 32], [1; 32]], Entropy::seeded(2));
        assert_eq!(both.open(LABEL, &old).unwrap().as_slice(), b"secret");
        let new = both.seal(LABEL, b"secret");
        assert_eq!(sealer(1).open(LABEL, &new), Err(Unsealable));
    }

    #[test]
    fn the_key_file_is_made_private_once_and_refused_when_others_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let (first, made) = Sealer::from_directory(&keys, Entropy::seeded(1)).unwrap();
        assert!(made);
        let path = keys.join("root.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = first.seal(LABEL, b"secret");
        let (again, made) = Sealer::from_directory(&keys, Entropy::seeded(2)).unwrap();
        assert!(!made);
        assert_eq!(again.open(LABEL, &sealed).unwrap().as_slice(), b"secret");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refusal = Sealer::from_directory(&keys, Entropy::seeded(3))
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("chmod 600"), "{refusal}");
    }
}
