//! Wrong ID tokens: takes the honest claims and the honest key and makes of them what the faults say.
//! RFC 7515 and OpenID Connect Core §2 say what would have been right. Without faults the result is honest.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Map, Value, json};

use super::faults::IdTokenFault as Fault;
use super::keys::{Broken, KeyRing, unsigned};
use crate::world::UnixTime;

/// What a forger knows beside the claims.
pub struct Knowledge<'a> {
    pub now: UnixTime,
    pub client_id: &'a str,
    pub client_secret: &'a str,
    /// Issuer of the organisation's other authorization server.
    pub other_issuer: &'a str,
    /// Someone else's `sub`.
    pub other_sub: &'a str,
    /// The organisation's address, where [`Fault::ClaimSources`] points.
    pub origin: &'a str,
}

/// An ID token over `claims`, with all that `faults` say wrong about it.
pub fn id_token(
    mut claims: Map<String, Value>,
    faults: &[Fault],
    keys: &mut KeyRing,
    knowledge: &Knowledge<'_>,
) -> Result<String, Broken> {
    for fault in faults {
        twist_claims(&mut claims, fault, knowledge);
    }
    sign(&claims, faults, keys, knowledge)
}

/// Claims that claim to be kept elsewhere (OpenID Connect Core §5.6.2), at addresses of this organisation.
pub fn claim_sources(claims: &mut Map<String, Value>, origin: &str) {
    claims.insert(
        "_claim_names".into(),
        json!({"department": "far", "cost_center": "near"}),
    );
    claims.insert(
        "_claim_sources".into(),
        json!({"far": {"endpoint": format!("{origin}/claim-source"), "access_token": "bait"},
               "near": {"JWT": "eyJhbGciOiJub25lIn0.eyJjb3N0X2NlbnRlciI6IjQyIn0."}}),
    );
}

fn twist_claims(claims: &mut Map<String, Value>, fault: &Fault, know: &Knowledge<'_>) {
    let now = know.now.0;
    let stranger = "0oastranger000000000";
    let both = json!([know.client_id, stranger]);
    let mut set = |name: &str, value: Value| {
        claims.insert(name.into(), value);
    };
    match fault {
        Fault::NonceMissing => drop(claims.remove("nonce")),
        Fault::NonceWrong => set("nonce", json!("a-nonce-that-nobody-sent")),
        Fault::Nonce(nonce) => set("nonce", json!(nonce)),
        Fault::Iss(issuer) => set("iss", json!(issuer)),
        Fault::IssTrailingSlash => {
            let issuer = format!(
                "{}/",
                claims.get("iss").and_then(Value::as_str).unwrap_or_default()
            );
            claims.insert("iss".into(), json!(issuer));
        }
        Fault::IssOtherServer => set("iss", json!(know.other_issuer)),
        Fault::IssMissing => drop(claims.remove("iss")),
        Fault::AudOther => set("aud", json!(stranger)),
        Fault::AudMissing => drop(claims.remove("aud")),
        Fault::AudEmptyList => set("aud", json!([])),
        Fault::AudList => set("aud", json!([know.client_id])),
        Fault::AudTwo => set("aud", both),
        Fault::AudTwoAzpUs => {
            set("aud", both);
            set("azp", json!(know.client_id));
        }
        Fault::AudTwoAzpOther => {
            set("aud", both);
            set("azp", json!(stranger));
        }
        Fault::AzpOther => set("azp", json!(stranger)),
        Fault::SubMissing => drop(claims.remove("sub")),
        Fault::SubEmpty => set("sub", json!("")),
        Fault::SubNull => set("sub", Value::Null),
        Fault::SubNumber => set("sub", json!(1_234_567)),
        Fault::SubLong => set("sub", json!("u".repeat(256))),
        Fault::SubOther => set("sub", json!(know.other_sub)),
        Fault::IatMissing => drop(claims.remove("iat")),
        Fault::IatAhead(seconds) => set("iat", json!(now.saturating_add(*seconds))),
        Fault::IatAgo(seconds) => set("iat", json!(now.saturating_sub(*seconds))),
        Fault::ExpMissing => drop(claims.remove("exp")),
        Fault::ExpAgo(seconds) => set("exp", json!(now.saturating_sub(*seconds))),
        Fault::ExpString => set("exp", json!(now.saturating_add(3600).to_string())),
        Fault::ExpNegative => set("exp", json!(-1)),
        Fault::ExpHuge => set("exp", json!(1e300)),
        Fault::NbfAhead(seconds) => set("nbf", json!(now.saturating_add(*seconds))),
        Fault::AuthTimeAgo(seconds) => set("auth_time", json!(now.saturating_sub(*seconds))),
        Fault::AtHashWrong => set("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        Fault::AtHashMissing => drop(claims.remove("at_hash")),
        Fault::EmailVerified(value) => set("email_verified", value.clone()),
        Fault::ClaimSources => claim_sources(claims, know.origin),
        Fault::Set(members) => claims.extend(members.clone()),
        Fault::Remove(names) => names.iter().for_each(|name| drop(claims.remove(name))),
        Fault::Padded(bytes) => set("padding", json!("p".repeat(*bytes))),
        // The rest is about signature and shape.
        Fault::SignatureAltered
        | Fault::PayloadAltered
        | Fault::SignatureEmpty
        | Fault::AlgNone
        | Fault::Hs256ClientSecret
        | Fault::Hs256PublicKey
        | Fault::Es256Garbage
        | Fault::Alg(_)
        | Fault::KeyForEncryption
        | Fault::SignedByStranger
        | Fault::BringsItsKey
        | Fault::KidUnknown
        | Fault::KidAbsent
        | Fault::Crit
        | Fault::Typ(_)
        | Fault::Encrypted
        | Fault::NotAJwt => {}
    }
}

/// How the signature part comes about.
enum Method {
    Rsa(Algorithm),
    Hmac(Vec<u8>),
    /// These very characters.
    Fixed(String),
}

fn sign(
    claims: &Map<String, Value>,
    faults: &[Fault],
    keys: &mut KeyRing,
    know: &Knowledge<'_>,
) -> Result<String, Broken> {
    let current = keys.current()?;
    let mut header = json!({"kid": current.kid, "alg": "RS256"});
    let mut key = current.clone();
    let mut method = Method::Rsa(Algorithm::RS256);
    for fault in faults {
        match fault {
            Fault::AlgNone => {
                header["alg"] = json!("none");
                method = Method::Fixed(String::new());
            }
            Fault::SignatureEmpty => method = Method::Fixed(String::new()),
            Fault::Hs256ClientSecret => {
                header = json!({"alg": "HS256"});
                method = Method::Hmac(know.client_secret.as_bytes().to_vec());
            }
            Fault::Hs256PublicKey => {
                header["alg"] = json!("HS256");
                method = Method::Hmac(current.public_pem.clone().into_bytes());
            }
            Fault::Es256Garbage => {
                header["alg"] = json!("ES256");
                method = Method::Fixed(URL_SAFE_NO_PAD.encode([0x5a; 64]));
            }
            Fault::Alg(name) => {
                header["alg"] = json!(name);
                method = Method::Rsa(name.parse().unwrap_or(Algorithm::RS256));
            }
            Fault::KeyForEncryption => {
                key = keys.encryption()?;
                header["kid"] = json!(key.kid);
            }
            Fault::SignedByStranger => key = keys.stranger()?,
            Fault::BringsItsKey => {
                key = keys.stranger()?;
                header["jwk"] = key.jwk();
                header["jku"] = json!("https://keys.stranger.example/jwks.json");
            }
            Fault::KidUnknown => {
                key = keys.stranger()?;
                header["kid"] = json!(key.kid);
            }
            Fault::KidAbsent => {
                header.as_object_mut().map(|members| members.remove("kid"));
            }
            Fault::Crit => {
                header["crit"] = json!(["urn:example:must-understand"]);
                header["urn:example:must-understand"] = json!(true);
            }
            Fault::Typ(typ) => header["typ"] = json!(typ),
            Fault::NotAJwt => return Ok("this is not a token".into()),
            Fault::Encrypted => return Ok(encrypted()),
            _ => {}
        }
    }
    let message = unsigned(&header, claims);
    let mut signature = match method {
        Method::Rsa(algorithm) => key.sign(&message, algorithm)?,
        Method::Hmac(secret) => {
            let key = EncodingKey::from_secret(&secret);
            crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap_or_default()
        }
        Method::Fixed(text) => text,
    };
    let mut message = message;
    if faults.contains(&Fault::PayloadAltered) {
        let mut altered = claims.clone();
        altered.insert("sub".into(), json!(know.other_sub));
        message = unsigned(&header, &altered);
    }
    if faults.contains(&Fault::SignatureAltered) {
        signature = flipped(&signature);
    }
    Ok(format!("{message}.{signature}"))
}

/// The signature with one bit of its first byte turned.
fn flipped(signature: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The five parts of a JWE in compact form (RFC 7516), filled with nothing.
fn encrypted() -> String {
    let header = json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}).to_string();
    let part = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0x42; bytes]);
    format!(
        "{}.{}.{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        part(256),
        part(12),
        part(600),
        part(16)
    )
}
