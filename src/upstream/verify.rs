//! ID token verification, rule by rule as OpenID Connect Core §3.1.3.7 numbers them, stricter where we can be: the
//! signature is checked although the token came straight from the token endpoint, the algorithm is pinned by the
//! connection's settings, `nonce`, `iat`, `nbf` and `azp` are always looked at.
//!
//! Every rule leaves a step in the trace, passed or failed, so that an administrator sees all of them at once; the first
//! that fails decides. `openidconnect`'s verifier is not used: it takes the algorithms from metadata, has no leeway,
//! never looks at `azp` and `nbf`, and says little of what it found.

mod claims;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde_json::{Map, Value};

use super::Failure;
use super::json;
use super::keys::KeySet;
use crate::model::trace::Step;
use crate::rules::upstream_error::{Cause, plain};
use crate::world::UnixTime;

pub use claims::{end_of_brought, moment_of};

const LONGEST_TOKEN: usize = 256 * 1024;

/// What an ID token has to agree with.
#[derive(Clone, Debug)]
pub struct Demands<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// Names of the algorithms admitted.
    pub algorithms: &'a [String],
    pub came: Came<'a>,
    /// The user must have proven credentials at or after this moment (`max_age`, `prompt=login`).
    pub authenticated_since: Option<UnixTime>,
    pub acr_values: Option<&'a str>,
    pub now: UnixTime,
}

/// How the token came to us, which decides what it can be compared with.
#[derive(Clone, Copy, Debug)]
pub enum Came<'a> {
    /// From the token endpoint, for a login that we began.
    ByCode { nonce: &'a str, access_token: &'a str },
    /// By an app, which had the user sign in itself. It may say which nonce it sent.
    ByApp { nonce: Option<&'a str> },
}

/// Notes each rule in the trace and remembers the first that failed.
pub struct Checks<'a> {
    steps: &'a mut Vec<Step>,
    failure: Option<Failure>,
}

impl<'a> Checks<'a> {
    pub fn new(steps: &'a mut Vec<Step>) -> Checks<'a> {
        Checks { steps, failure: None }
    }

    /// Notes one rule; `detail` says what was seen.
    pub fn check(&mut self, name: &str, passed: bool, cause: Cause, detail: impl Into<String>) -> bool {
        let detail = detail.into();
        if !passed && self.failure.is_none() {
            self.failure = Some(Failure::new(cause, format!("{name}: {detail}")));
        }
        self.steps.push(Step {
            name: name.to_owned(),
            passed,
            detail,
        });
        passed
    }

    /// The first failure, if any rule failed.
    pub fn finish(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// A token taken apart; nothing in it is to be believed yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    message: &'a str,
    signature: &'a str,
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    claims: Map<String, Value>,
}

/// Takes a token apart and checks its header.
pub fn read<'a>(
    token: &'a str,
    demands: &Demands<'_>,
    steps: &mut Vec<Step>,
) -> Result<Unverified<'a>, Failure> {
    let mut checks = Checks::new(steps);
    // 1. An encrypted token has five parts, an unsigned one an empty third; neither is what a connection registers for.
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    let compact = matches!(parts.as_slice(), [_, _, signature] if !signature.is_empty());
    let what = match parts.len() {
        3 if compact => "a signed JWT",
        3 => "a JWT without a signature",
        5 => "an encrypted JWT",
        _ => "not a JWT",
    };
    checks.check(
        "id_token.form",
        compact && token.len() <= LONGEST_TOKEN,
        Cause::IdTokenMalformed,
        what,
    );
    let header = parts.first().and_then(|part| part_of(part));
    let claims = parts.get(1).and_then(|part| part_of(part));
    let (Some(header), Some(claims)) = (header, claims) else {
        if compact {
            checks.check(
                "id_token.form",
                false,
                Cause::IdTokenMalformed,
                "header or payload is not a JSON object",
            );
        }
        return Err(checks.finish().err().unwrap_or_else(unreadable));
    };
    // RFC 7515 §4.1.11: what is marked critical must be understood, and we understand no extension (RFC 7797's `b64`
    // included). `jwk`, `jku`, `x5c` and `x5u` are passed over: keys come from the issuer's own set.
    let extended = ["crit", "b64", "zip", "enc"]
        .iter()
        .find(|name| header.contains_key(**name));
    checks.check(
        "id_token.header",
        extended.is_none(),
        Cause::IdTokenMalformed,
        extended.map_or_else(
            || "no critical extension".to_owned(),
            |name| format!("the header has '{name}'"),
        ),
    );
    let typ = header.get("typ");
    let is_jwt = typ.is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt")));
    checks.check(
        "id_token.typ",
        is_jwt,
        Cause::IdTokenMalformed,
        typ.map_or_else(|| "absent".to_owned(), shown),
    );
    // 7. The algorithm is the registered one, never `none`, never one that is keyed with a secret (RFC 8725 §3.1).
    let named = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = named
        .parse::<Algorithm>()
        .ok()
        .filter(|algorithm| algorithm.family() != AlgorithmFamily::Hmac)
        .filter(|_| demands.algorithms.iter().any(|admitted| admitted == named));
    checks.check(
        "id_token.alg",
        algorithm.is_some(),
        Cause::AlgorithmMismatch,
        format!(
            "{}, admitted: {}",
            shown_text(named),
            demands.algorithms.join(" ")
        ),
    );
    let kid = header.get("kid");
    checks.check(
        "id_token.kid",
        kid.is_none_or(|kid| kid.as_str().is_some_and(|kid| kid.len() <= 512)),
        Cause::IdTokenMalformed,
        kid.map_or_else(|| "absent: every suitable key is tried".to_owned(), shown),
    );
    let kid = kid.and_then(Value::as_str).map(str::to_owned);
    checks.finish()?;
    let (Some(algorithm), Some((message, signature))) = (algorithm, token.rsplit_once('.')) else {
        return Err(unreadable());
    };
    Ok(Unverified {
        message,
        signature,
        algorithm,
        kid,
        claims,
    })
}

impl Unverified<'_> {
    /// A key of the set could have made the signature.
    pub fn has_candidate(&self, keys: &KeySet) -> bool {
        match &self.kid {
            Some(kid) => keys.has(kid),
            None => self.is_signed_by(keys),
        }
    }

    fn is_signed_by(&self, keys: &KeySet) -> bool {
        keys.candidates(self.kid.as_deref(), self.algorithm)
            .iter()
            .any(|key| key.verifies(self.signature, self.message.as_bytes(), self.algorithm))
    }

    /// 6. and 8. The signature was made with a key of this issuer's set.
    pub fn check_signature(&self, keys: &KeySet, steps: &mut Vec<Step>) -> Result<(), Failure> {
        let mut checks = Checks::new(steps);
        let (passed, cause, detail) = if self.is_signed_by(keys) {
            (
                true,
                Cause::SignatureInvalid,
                "made with a published key of the issuer",
            )
        } else if self.has_candidate(keys) {
            (
                false,
                Cause::SignatureInvalid,
                "not made with the key that it names",
            )
        } else if self.kid.is_some() {
            (
                false,
                Cause::UnknownKid,
                "the key that it names is not among the issuer's keys",
            )
        } else {
            (
                false,
                Cause::SignatureInvalid,
                "made with none of the issuer's keys",
            )
        };
        checks.check("id_token.signature", passed, cause, detail);
        checks.finish()
    }

    /// All rules about claims; hands the claims over when every one passed. Only for a token whose signature is right.
    pub fn check_claims(
        self,
        demands: &Demands<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<Map<String, Value>, Failure> {
        let mut checks = Checks::new(steps);
        let claims = &self.claims;
        claims::check_parties(claims, demands, &mut checks);
        claims::check_times(claims, demands, &mut checks);
        claims::check_login(claims, demands, self.algorithm, &mut checks);
        checks.finish()?;
        Ok(self.claims)
    }
}

/// The address in a token's payload, whoever made it. For searching only.
pub fn claimed_email(token: &str) -> Option<String> {
    let (_, claims) = claimed(token)?;
    claims.get("email")?.as_str().map(str::to_owned)
}

/// Header and payload of something like a JWT, whoever made it.
pub fn claimed(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    let mut parts = token.split('.');
    Some((part_of(parts.next()?)?, part_of(parts.next()?)?))
}

fn part_of(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn unreadable() -> Failure {
    Failure::new(Cause::IdTokenMalformed, "the ID token cannot be read")
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => shown_text(text),
        other => plain(&other.to_string(), 200),
    }
}

fn shown_text(text: &str) -> String {
    if text.is_empty() {
        "empty".to_owned()
    } else {
        plain(text, 200)
    }
}
