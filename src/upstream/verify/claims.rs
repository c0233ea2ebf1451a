//! The rules about the claims of an ID token whose signature is right, numbered as in OpenID Connect Core §3.1.3.7.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Came, Checks, Demands, shown};
use crate::rules::secret;
use crate::rules::upstream_error::{Cause, plain};
use crate::world::UnixTime;

/// How far two clocks may be apart.
const SKEW: i64 = 60;
/// An ID token fresh from the token endpoint was issued this long ago at most.
const OLDEST: i64 = 600;
/// One that an app brings may have waited there, but not for longer than this, whatever its own end is.
const OLDEST_BROUGHT: i64 = 86_400;
/// A date beyond the year 9999 is no date.
const LATEST: f64 = 253_402_300_800.0;

/// Who issued it, for whom, about whom.
pub(super) fn check_parties(claims: &Map<String, Value>, demands: &Demands<'_>, checks: &mut Checks<'_>) {
    // 2. `iss` equals the issuer to the letter.
    let iss = claims.get("iss");
    checks.check(
        "id_token.iss",
        iss.and_then(Value::as_str) == Some(demands.issuer),
        Cause::TokenIssuerMismatch,
        expected(demands.issuer, iss),
    );
    // 3. `aud` is our client id, and nobody that we do not trust is in it besides: we trust nobody. The app of a token that
    // was brought may have audiences of its own, as long as `azp` says that the token was issued to it.
    let (aud, azp) = (claims.get("aud"), claims.get("azp"));
    let shared = matches!(demands.came, Came::ByApp { .. }) && azp.is_some();
    let ours = match aud {
        Some(Value::String(aud)) => aud == demands.client_id,
        Some(Value::Array(list)) if shared => list.iter().any(|aud| aud == demands.client_id),
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
pub(super) fn check_times(claims: &Map<String, Value>, demands: &Demands<'_>, checks: &mut Checks<'_>) {
    let now = demands.now;
    let oldest = match demands.came {
        Came::ByCode { .. } => OLDEST,
        Came::ByApp { .. } => OLDEST_BROUGHT,
    };
    let moment = |name: &str| claims.get(name).and_then(moment_of);
    let exp = moment("exp");
    checks.check(
        "id_token.exp",
        exp.is_some_and(|exp| exp.plus(SKEW) > now),
        Cause::TokenExpired,
        match (exp, moment("iat")) {
            // So that a lifetime of a minute is not taken for a clock that is wrong.
            (Some(exp), Some(iat)) => format!(
                "{}, {} s after it was issued",
                since("expires", Some(exp), claims.get("exp"), now),
                exp.since(iat)
            ),
            (exp, _) => since("expires", exp, claims.get("exp"), now),
        },
    );
    let iat = moment("iat");
    checks.check(
        "id_token.iat",
        iat.is_some_and(|iat| iat <= now.plus(SKEW) && iat.plus(oldest) >= now),
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

/// When a token that was brought stops passing [`check_times`].
pub fn end_of_brought(claims: &Map<String, Value>, now: UnixTime) -> UnixTime {
    let moment = |name: &str| claims.get(name).and_then(moment_of);
    let too_old = moment("iat").map_or(now.plus(OLDEST_BROUGHT), |iat| iat.plus(OLDEST_BROUGHT));
    moment("exp")
        .map_or(too_old, |exp| exp.min(too_old))
        .plus(SKEW + 1)
}

/// It belongs to this login, this access token, and the kind of sign-in that was asked for.
pub(super) fn check_login(
    claims: &Map<String, Value>,
    demands: &Demands<'_>,
    algorithm: Algorithm,
    checks: &mut Checks<'_>,
) {
    // 11. The nonce is this login's; an app that brings the token says which it is, or has compared it itself.
    let wanted = match demands.came {
        Came::ByCode { nonce, .. } => Some(nonce),
        Came::ByApp { nonce } => nonce,
    };
    if let Some(wanted) = wanted {
        let nonce = claims.get("nonce").and_then(Value::as_str);
        checks.check(
            "id_token.nonce",
            nonce.is_some_and(|nonce| secret::equal(nonce.as_bytes(), wanted.as_bytes())),
            Cause::NonceMismatch,
            match (nonce, claims.get("nonce")) {
                (None, None) => "absent",
                (None, Some(_)) => "not a string",
                (Some(nonce), _) if nonce == wanted => "that of this login",
                _ => "that of another login",
            },
        );
    }
    // §3.1.3.8: `at_hash`, where it is, is of the access token that came along; its absence is lawful in the code flow.
    // An app keeps the access token to itself.
    if let (Some(at_hash), Came::ByCode { access_token, .. }) = (claims.get("at_hash"), demands.came) {
        let ours = half_hash(algorithm, access_token);
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

/// A NumericDate (RFC 7519 §2): a number, fractions allowed, of a year that exists.
pub fn moment_of(value: &Value) -> Option<UnixTime> {
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
