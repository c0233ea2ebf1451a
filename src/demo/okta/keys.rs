//! Signing keys of the stand-in Okta: made with `rsa`, used through `jsonwebtoken`, published as a JWK set,
//! rotated, and (by fault) published wrongly. RFC 7517 rules the set.
//!
//! An RSA key costs a noticeable part of a second, so keys are made when first needed, and an organisation
//! built for tests takes them from a store that the whole process shares: the same name gets the same key, so
//! a thousand organisations cost no more than one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::faults::{KeysFault, OddKey};
use crate::world::Entropy;

/// Something that only a broken machine does: a key could not be made or used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the stand-in Okta cannot sign: {0}")]
pub struct Broken(String);

impl Broken {
    fn because(error: impl std::fmt::Display) -> Broken {
        Broken(error.to_string())
    }
}

/// An RSA-2048 key pair.
#[derive(Debug)]
pub struct SigningKey {
    /// 43 base64url characters, as Okta's.
    pub kid: String,
    private: EncodingKey,
    n: String,
    e: String,
    /// The public key as PEM, which a confused verifier would take for an HMAC secret.
    pub public_pem: String,
}

impl SigningKey {
    fn make(entropy: &Entropy) -> Result<SigningKey, Broken> {
        let private = RsaPrivateKey::new(&mut entropy.clone(), 2048).map_err(Broken::because)?;
        let public = RsaPublicKey::from(&private);
        let modulus = public.n().to_bytes_be();
        let der = private.to_pkcs1_der().map_err(Broken::because)?;
        Ok(SigningKey {
            kid: URL_SAFE_NO_PAD.encode(Sha256::digest(&modulus)),
            private: EncodingKey::from_rsa_der(der.as_bytes()),
            n: URL_SAFE_NO_PAD.encode(&modulus),
            e: URL_SAFE_NO_PAD.encode(public.e().to_bytes_be()),
            public_pem: public
                .to_public_key_pem(LineEnding::LF)
                .map_err(Broken::because)?,
        })
    }

    /// The signature part of a JWS over `message`.
    pub fn sign(&self, message: &str, algorithm: Algorithm) -> Result<String, Broken> {
        crypto::sign(message.as_bytes(), &self.private, algorithm).map_err(Broken::because)
    }

    /// A whole JWS with Okta's header (`kid` and `alg`, no `typ`).
    pub fn jwt(&self, claims: &Map<String, Value>) -> Result<String, Broken> {
        let message = unsigned(&json!({"kid": self.kid, "alg": "RS256"}), claims);
        let signature = self.sign(&message, Algorithm::RS256)?;
        Ok(format!("{message}.{signature}"))
    }

    fn verifies(&self, message: &str, signature: &str) -> bool {
        DecodingKey::from_rsa_components(&self.n, &self.e)
            .and_then(|key| crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256))
            .unwrap_or(false)
    }

    /// The published half.
    pub fn jwk(&self) -> Value {
        json!({"kty": "RSA", "alg": "RS256", "kid": self.kid, "use": "sig", "e": self.e, "n": self.n})
    }
}

/// A published key that nobody signs with: its modulus is of the right size and has no known factors, and costs nothing
/// to make.
fn bystander(kid: &str) -> Value {
    let mut modulus: Vec<u8> = (0..8)
        .flat_map(|part| Sha256::digest(format!("{kid} {part}")))
        .collect();
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    json!({"kty": "RSA", "alg": "RS256", "kid": kid, "use": "sig", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(modulus)})
}

/// Header and payload, dotted, not yet signed.
pub fn unsigned(header: &Value, claims: &Map<String, Value>) -> String {
    let claims = Value::Object(claims.clone());
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

/// Where an organisation's keys come from.
#[derive(Clone, Debug)]
pub enum Maker {
    /// Its own entropy.
    Own(Entropy),
    /// The process-wide store, by name.
    Shared,
}

type Made = Arc<OnceLock<Result<Arc<SigningKey>, Broken>>>;

impl Maker {
    fn key(&self, name: &str) -> Result<Arc<SigningKey>, Broken> {
        static STORE: Mutex<BTreeMap<String, Made>> = Mutex::new(BTreeMap::new());
        match self {
            Maker::Own(entropy) => SigningKey::make(entropy).map(Arc::new),
            Maker::Shared => {
                // The store is locked only to find the place, so that different keys are made side by side.
                let place = {
                    let mut store = STORE.lock().unwrap_or_else(PoisonError::into_inner);
                    store.entry(name.to_owned()).or_default().clone()
                };
                let digest = Sha256::digest(name.as_bytes());
                let seed = digest
                    .iter()
                    .take(8)
                    .fold(0, |seed: u64, byte| seed << 8 | u64::from(*byte));
                place
                    .get_or_init(|| SigningKey::make(&Entropy::seeded(seed)).map(Arc::new))
                    .clone()
            }
        }
    }
}

/// The keys of one authorization server.
#[derive(Debug)]
pub struct KeyRing {
    maker: Maker,
    name: String,
    generation: u32,
    made: BTreeMap<String, Arc<SigningKey>>,
    /// Earlier generations that are still published.
    kept: Vec<Arc<SigningKey>>,
    /// Earlier generations that are not; they still prove that a logout hint was genuine.
    gone: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    /// Keys of the server `name`, which tells shared keys apart.
    pub fn new(maker: Maker, name: String) -> KeyRing {
        KeyRing {
            maker,
            name,
            generation: 0,
            made: BTreeMap::new(),
            kept: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// The key that signs.
    pub fn current(&mut self) -> Result<Arc<SigningKey>, Broken> {
        self.named(format!("signing-{}", self.generation))
    }

    /// A key that is not this server's: another party's.
    pub fn stranger(&mut self) -> Result<Arc<SigningKey>, Broken> {
        self.named("stranger".into())
    }

    /// A key that is published for encryption when a fault asks for it.
    pub fn encryption(&mut self) -> Result<Arc<SigningKey>, Broken> {
        self.named("encryption".into())
    }

    fn named(&mut self, purpose: String) -> Result<Arc<SigningKey>, Broken> {
        if let Some(key) = self.made.get(&purpose) {
            return Ok(key.clone());
        }
        let key = self.maker.key(&format!("{}/{purpose}", self.name))?;
        self.made.insert(purpose, key.clone());
        Ok(key)
    }

    /// From now on a new key signs; the old one stays published, or is gone at once.
    pub fn rotate(&mut self, keep_old: bool) -> Result<(), Broken> {
        let old = self.current()?;
        if keep_old {
            self.kept.push(old);
        } else {
            self.gone.append(&mut self.kept);
            self.gone.push(old);
        }
        self.generation += 1;
        Ok(())
    }

    /// The claims of a JWT that this server signed with any key it ever had, however old.
    pub fn genuine(&mut self, jwt: &str) -> Option<Map<String, Value>> {
        let current = self.current().ok()?;
        let (message, signature) = jwt.rsplit_once('.')?;
        let keys = self.kept.iter().chain(&self.gone).chain([&current]);
        if !keys.into_iter().any(|key| key.verifies(message, signature)) {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(message.split_once('.')?.1).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// The JWK set as the faults have it.
    pub fn published(&mut self, faults: &[KeysFault], with_encryption: bool) -> Result<Value, Broken> {
        let current = self.current()?;
        let mut keys: Vec<Value> = [&current]
            .into_iter()
            .chain(&self.kept)
            .map(|key| key.jwk())
            .collect();
        if with_encryption {
            let mut jwk = self.encryption()?.jwk();
            set(&mut jwk, "use", json!("enc"));
            keys.push(jwk);
        }
        for fault in faults {
            match fault {
                KeysFault::Empty => keys.clear(),
                KeysFault::Withhold => {
                    let stranger = self.stranger()?.jwk();
                    replace(&mut keys, &current.kid, vec![stranger]);
                }
                KeysFault::Stranger => {
                    let mut stranger = self.stranger()?.jwk();
                    set(&mut stranger, "kid", json!(current.kid));
                    replace(&mut keys, &current.kid, vec![stranger]);
                }
                KeysFault::Duplicate => {
                    replace(&mut keys, &current.kid, vec![current.jwk(), current.jwk()]);
                }
                KeysFault::NoKid => keys.iter_mut().for_each(|key| {
                    key.as_object_mut().map(|members| members.remove("kid"));
                }),
                KeysFault::OtherAlg => change(&mut keys, &current.kid, "alg", json!("PS256")),
                KeysFault::UseEncryption => change(&mut keys, &current.kid, "use", json!("enc")),
                KeysFault::Crowd(others) => {
                    for number in 0..*others {
                        keys.insert(0, bystander(&format!("crowd-{number}")));
                    }
                }
                KeysFault::Odd => {
                    let odd = OddKey::ALL.iter().enumerate();
                    let odd = odd.map(|(number, kind)| odd_key(*kind, &format!("odd-{number}"), &current));
                    keys.splice(0..0, odd);
                }
                KeysFault::Replaced(kind) => {
                    replace(
                        &mut keys,
                        &current.kid,
                        vec![odd_key(*kind, &current.kid, &current)],
                    );
                }
            }
        }
        Ok(json!({"keys": keys}))
    }
}

fn set(jwk: &mut Value, member: &str, value: Value) {
    if let Some(members) = jwk.as_object_mut() {
        members.insert(member.into(), value);
    }
}

fn change(keys: &mut [Value], kid: &str, member: &str, value: Value) {
    for key in keys.iter_mut().filter(|key| key["kid"] == kid) {
        set(key, member, value.clone());
    }
}

fn replace(keys: &mut Vec<Value>, kid: &str, with: Vec<Value>) {
    keys.retain(|key| key["kid"] != kid);
    keys.extend(with);
}

fn odd_key(kind: OddKey, kid: &str, model: &SigningKey) -> Value {
    let mut jwk = model.jwk();
    set(&mut jwk, "kid", json!(kid));
    let number = |bytes: usize| json!(URL_SAFE_NO_PAD.encode(vec![0xc1; bytes]));
    match kind {
        OddKey::EllipticCurve => {
            return json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "use": "sig",
                          "x": number(32), "y": number(32)});
        }
        OddKey::CurveInRsa => {
            return json!({"kty": "RSA", "alg": "RS256", "kid": kid, "use": "sig", "crv": "P-256",
                          "x": number(32), "y": number(32)});
        }
        OddKey::ModulusZero => set(&mut jwk, "n", json!("AA")),
        OddKey::ExponentOne => set(&mut jwk, "e", json!("AQ")),
        OddKey::Bits512 => set(&mut jwk, "n", number(64)),
        OddKey::Bits16384 => set(&mut jwk, "n", number(2048)),
        OddKey::UnknownKty => set(&mut jwk, "kty", json!("AKP")),
        OddKey::EmptyX5c => set(&mut jwk, "x5c", json!([])),
        OddKey::NoModulus => {
            jwk.as_object_mut().map(|members| members.remove("n"));
        }
        OddKey::BadBase64 => set(&mut jwk, "n", json!("not base64url!")),
    }
    jwk
}
