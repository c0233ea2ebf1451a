//! ID token verification, rule by rule as OpenID Connect Core §3.1.3.7 numbers them, stricter where we can be: the
//! signature is checked although the token came straight from the token endpoint, the algorithm is pinned by the
//! connection's settings, `nonce`, `iat`, `nbf` and `azp` are always looked at.
//!
//! Every rule leaves a step in the trace, passed or failed, so that an administrator sees all of them at once; the first
//! that fails decides. `openidconnect`'s verifier is not used: it takes the algorithms from metadata, has no leeway,
//! never looks at `azp` and `nbf`, and says little of what it found.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::Failure;
use super::json;
use super::keys::KeySet;
use crate::model::trace::Step;
use crate::rules::secret;
use crate::rules::upstream_error::{Cause, plain};
use crate::world::UnixTime;

/// How far two clocks may be apart.
const SKEW: i64 = 60;
/// An ID token fresh from the token endpoint was issued this long ago at most.
const OLDEST: i64 = 600;
/// A date beyond the year 9999 is no date.
const LATEST: f64 = 253_402_300_800.0;
const LONGEST_TOKEN: usize = 256 * 1024;

/// What an ID token has to agree with.
#[derive(Clone, Debug)]
pub struct Demands<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// Names of the algorithms admitted.
    pub algorithms: &'a [String],
    pub nonce: &'a str,
    pub access_token: &'a str,
    /// The user must have proven credentials at or after this moment (`max_age`, `prompt=login`).
    pub authenticated_since: Option<UnixTime>,
    pub acr_values: Option<&'a str>,
    pub now: UnixTime,
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
        check_parties(claims, demands, &mut checks);
        check_times(claims, demands.now, &mut checks);
        check_login(claims, demands, self.algorithm, &mut checks);
        checks.finish()?;
        Ok(self.claims)
    }
}

/// Who issued it, for whom, about whom.
fn check_parties(claims: &Map<String, Value>, demands: &Demands<'_>, checks: &mut Checks<'_>) {
    // 2. `iss` equals the issuer to the letter.
    let iss = claims.get("iss");
    checks.check(
        "id_token.iss",
        iss.and_then(Value::as_str) == Some(demands.issuer),
        Cause::TokenIssuerMismatch,
        expected(demands.issuer, iss),
    );
    // 3. `aud` is our client id, and nobody that we do not trust is in it besides: we trust nobody.
    let aud = claims.get("aud");
    let ours = match aud {
        Some(Value::String(aud)) => aud == demands.client_id,
        Some(Value::Array(list)) => !list.is_empty() && list.iter().all(|aud| aud == demands.client_id),
        _ => false,
    };
    checks.check(
        "id_token.aud",
        ours,
        Cause::AudienceMismatch,
        expected(demands.client_id, aud),
    );
    // 4. and 5. `azp`, where it is, is us.
    let azp = claims.get("azp");
    checks.check(
        "id_token.azp",
        azp.is_none_or(|azp| azp == demands.client_id),
        Cause::AzpMismatch,
        azp.map_or_else(
            || "absent".to_owned(),
            |azp| expected(demands.client_id, Some(azp)),
        ),
    );
    // Core §2: `sub` is 1 to 255 ASCII characters.
    let sub = claims.get("sub");
    let sound = sub.and_then(Value::as_str).is_some_and(|sub| {
        (1..=255).contains(&sub.len()) && sub.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    });
    checks.check(
        "id_token.sub",
        sound,
        Cause::SubjectInvalid,
        if sound {
            "1 to 255 ASCII characters".to_owned()
        } else {
            format!("not a subject: {}", kind_of(sub))
        },
    );
}

/// 9. and 10. The token is of now, give or take the clocks.
fn check_times(claims: &Map<String, Value>, now: UnixTime, checks: &mut Checks<'_>) {
    let moment = |name: &str| claims.get(name).and_then(moment_of);
    let exp = moment("exp");
    checks.check(
        "id_token.exp",
        exp.is_some_and(|exp| exp.plus(SKEW) > now),
        Cause::TokenExpired,
        since("expires", exp, claims.get("exp"), now),
    );
    let iat = moment("iat");
    checks.check(
        "id_token.iat",
        iat.is_some_and(|iat| iat <= now.plus(SKEW) && iat.plus(OLDEST) >= now),
        Cause::IssuedAtInvalid,
        since("issued", iat, claims.get("iat"), now),
    );
    if claims.contains_key("nbf") {
        let nbf = moment("nbf");
        checks.check(
            "id_token.nbf",
            nbf.is_some_and(|nbf| nbf <= now.plus(SKEW)),
            Cause::NotYetValid,
            since("valid from", nbf, claims.get("nbf"), now),
        );
    }
}

/// It belongs to this login, this access token, and the kind of sign-in that was asked for.
fn check_login(
    claims: &Map<String, Value>,
    demands: &Demands<'_>,
    algorithm: Algorithm,
    checks: &mut Checks<'_>,
) {
    // 11. The nonce is this login's.
    let nonce = claims.get("nonce").and_then(Value::as_str);
    checks.check(
        "id_token.nonce",
        nonce.is_some_and(|nonce| secret::equal(nonce.as_bytes(), demands.nonce.as_bytes())),
        Cause::NonceMismatch,
        match (nonce, claims.get("nonce")) {
            (None, None) => "absent",
            (None, Some(_)) => "not a string",
            (Some(nonce), _) if nonce == demands.nonce => "that of this login",
            _ => "that of another login",
        },
    );
    // §3.1.3.8: `at_hash`, where it is, is of the access token that came along; its absence is lawful in the code flow.
    if let Some(at_hash) = claims.get("at_hash") {
        let ours = half_hash(algorithm, demands.access_token);
        checks.check(
            "id_token.at_hash",
            at_hash
                .as_str()
                .is_some_and(|theirs| secret::equal(theirs.as_bytes(), ours.as_bytes())),
            Cause::AtHashMismatch,
            if at_hash == ours.as_str() {
                "of this access token"
            } else {
                "not of this access token"
            },
        );
    }
    // 12. `acr` is one of those asked for: a provider may ignore the wish.
    if let Some(wanted) = demands.acr_values.filter(|wanted| !wanted.trim().is_empty()) {
        let acr = claims.get("acr").and_then(Value::as_str);
        checks.check(
            "id_token.acr",
            acr.is_some_and(|acr| wanted.split_ascii_whitespace().any(|value| value == acr)),
            Cause::AcrNotMet,
            expected(wanted, claims.get("acr")),
        );
    }
    // 13. The user proved credentials as lately as asked for.
    if let Some(oldest) = demands.authenticated_since {
        let auth_time = claims.get("auth_time").and_then(moment_of);
        checks.check(
            "id_token.auth_time",
            auth_time.is_some_and(|at| at.plus(SKEW) >= oldest && at <= demands.now.plus(SKEW)),
            Cause::AuthTimeTooOld,
            since("authenticated", auth_time, claims.get("auth_time"), demands.now),
        );
    }
}

fn part_of(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// A NumericDate (RFC 7519 §2): a number, fractions allowed, of a year that exists.
pub(super) fn moment_of(value: &Value) -> Option<UnixTime> {
    let seconds = value.as_f64()?;
    (0.0..LATEST)
        .contains(&seconds)
        .then_some(UnixTime(seconds as i64))
}

/// Core §3.1.3.6: the left half of the hash that the algorithm's name ends in.
fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let text = access_token.as_bytes();
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(text).to_vec(),
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => Sha512::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

fn unreadable() -> Failure {
    Failure::new(Cause::IdTokenMalformed, "the ID token cannot be read")
}

fn expected(ours: &str, theirs: Option<&Value>) -> String {
    match theirs {
        Some(Value::String(theirs)) if theirs == ours => plain(ours, 200),
        Some(theirs) => format!("{}, expected {}", shown(theirs), plain(ours, 200)),
        None => format!("absent, expected {}", plain(ours, 200)),
    }
}

fn since(what: &str, moment: Option<UnixTime>, value: Option<&Value>, now: UnixTime) -> String {
    match moment {
        Some(moment) => format!("{what} {moment}, {} s from now", moment.since(now)),
        None => format!("{what}: {}", kind_of(value)),
    }
}

fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number out of range",
        Some(Value::String(text)) if text.is_empty() => "an empty string",
        Some(Value::String(_)) => "a string of the wrong form",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
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

#[cfg(test)]
mod tests;
