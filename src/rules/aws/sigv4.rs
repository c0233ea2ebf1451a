//! AWS Signature Version 4 as a server reads it: which key signed, when, over what; and whether the signature is that
//! key's. Both forms, in the `Authorization` header and in the query (presigned).
//!
//! What a request is signed over must be what is acted on: the host, every `x-amz-` header and the body as it came. The
//! region is whatever the caller's SDK is set to: there is one here, and every name for it is taken, as long as it is the
//! one that was signed. A presigned request is good for a quarter of an hour at the most; AWS's week is too long for a
//! request that changes things and works as often as it is sent.

use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::rules::secret;
use crate::world::UnixTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub const SERVICE: &str = "cognito-idp";
/// How far the caller's clock may be from ours.
const SKEW_SECONDS: i64 = 300;
/// How long a presigned request may be good, in seconds.
const LONGEST_EXPIRY: i64 = 900;
/// RFC 3986's unreserved characters stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    /// Lower-case names, in the order they came.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// What the caller says of the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub access_key_id: String,
    /// `20261121T000000Z`, as signed.
    timestamp: String,
    region: String,
    signed_headers: Vec<String>,
    signature: String,
    presigned: bool,
}

/// Why a request is not signed well; the names are AWS's exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    MissingAuthenticationToken,
    IncompleteSignature(String),
    /// Signed at another time than now.
    Expired(String),
    /// No access key goes by that id.
    UnknownKey,
    /// Temporary credentials are not issued here, so that nobody can hold any.
    SessionToken,
}

impl Claim {
    /// Reads what the request says and checks all of it that needs no secret.
    pub fn read(request: Request<'_>, now: UnixTime) -> Result<Claim, Refusal> {
        let query = pairs(request.query);
        let asked = |name: &str| {
            query
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let header = |name: &str| {
            let mut values = request.headers.iter().filter(|(known, _)| known == name);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Some(value.trim()),
                _ => None,
            }
        };
        let (claim, expires) = if let Some(value) = header("authorization") {
            let timestamp = header("x-amz-date").unwrap_or_default().to_owned();
            (Claim::of_header(value, timestamp)?, None)
        } else if asked("X-Amz-Algorithm").is_some() {
            let expires = asked("X-Amz-Expires").and_then(|text| text.parse::<i64>().ok());
            let expires = expires
                .filter(|seconds| (1..=LONGEST_EXPIRY).contains(seconds))
                .ok_or_else(|| incomplete("X-Amz-Expires must be a number of seconds between 1 and 900"))?;
            (Claim::of_query(asked)?, Some(expires))
        } else {
            return Err(Refusal::MissingAuthenticationToken);
        };
        if header("x-amz-security-token").is_some() || asked("X-Amz-Security-Token").is_some() {
            return Err(Refusal::SessionToken);
        }
        claim.covers(request)?;
        claim.check_time(now, expires)?;
        Ok(claim)
    }

    fn of_header(value: &str, timestamp: String) -> Result<Claim, Refusal> {
        let rest = value
            .strip_prefix(ALGORITHM)
            .ok_or(Refusal::MissingAuthenticationToken)?;
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        Claim::of(
            part("Credential")?,
            part("SignedHeaders")?,
            part("Signature")?,
            timestamp,
            false,
        )
    }

    fn of_query<'a>(asked: impl Fn(&str) -> Option<&'a str>) -> Result<Claim, Refusal> {
        if asked("X-Amz-Algorithm") != Some(ALGORITHM) {
            return Err(incomplete(&format!("X-Amz-Algorithm must be {ALGORITHM}")));
        }
        let part = |name: &str| {
            asked(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| incomplete(&format!("AWS query-string parameters must include '{name}'")))
        };
        let timestamp = part("X-Amz-Date")?.to_owned();
        Claim::of(
            part("X-Amz-Credential")?,
            part("X-Amz-SignedHeaders")?,
            part("X-Amz-Signature")?,
            timestamp,
            true,
        )
    }

    fn of(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        timestamp: String,
        presigned: bool,
    ) -> Result<Claim, Refusal> {
        let scope: Vec<&str> = credential.split('/').collect();
        let [key, date, region, service, end] = scope[..] else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements",
            ));
        };
        if service != SERVICE {
            return Err(incomplete(&format!(
                "Credential should be scoped to correct service: '{SERVICE}'."
            )));
        }
        if end != "aws4_request" {
            return Err(incomplete(
                "Credential should be scoped with a valid terminator: 'aws4_request'",
            ));
        }
        if !is_access_key_id(key) {
            return Err(Refusal::UnknownKey);
        }
        if timestamp.split('T').next() != Some(date) {
            return Err(incomplete(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date",
            ));
        }
        Ok(Claim {
            access_key_id: key.to_owned(),
            region: region.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            timestamp,
            presigned,
        })
    }

    /// What is acted on must be signed.
    fn covers(&self, request: Request<'_>) -> Result<(), Refusal> {
        let signed = |name: &str| self.signed_headers.iter().any(|known| known == name);
        if !signed("host") {
            return Err(incomplete(
                "'Host' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        for (name, _) in request.headers {
            // A proxy on the way may add some of its own; those that begin like AWS's are acted on.
            if name.starts_with("x-amz-") && !signed(name) {
                return Err(incomplete(&format!(
                    "'{name}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        Ok(())
    }

    fn check_time(&self, now: UnixTime, expires: Option<i64>) -> Result<(), Refusal> {
        let read = chrono::NaiveDateTime::parse_from_str(&self.timestamp, "%Y%m%dT%H%M%SZ");
        let signed = read
            .map_err(|_| incomplete("Date must be in ISO-8601 'basic format'"))?
            .and_utc()
            .timestamp();
        let late = match expires {
            None => now.0 - signed > SKEW_SECONDS,
            Some(seconds) => now.0 - signed > seconds,
        };
        if late {
            return Err(Refusal::Expired(format!(
                "Signature expired: {} is too long ago",
                self.timestamp
            )));
        }
        if signed - now.0 > SKEW_SECONDS {
            return Err(Refusal::Expired(format!(
                "Signature not yet current: {} is still to come",
                self.timestamp
            )));
        }
        Ok(())
    }

    /// Whether the signature is the one that this secret makes over this request; compared in constant time.
    pub fn is_of(&self, request: Request<'_>, secret_key: &str) -> bool {
        let scope = format!(
            "{}/{}/{SERVICE}/aws4_request",
            self.timestamp.split('T').next().unwrap_or_default(),
            self.region
        );
        let canonical = self.canonical(request);
        let text = format!(
            "{ALGORITHM}\n{}\n{scope}\n{}",
            self.timestamp,
            hex(&Sha256::digest(canonical))
        );
        let mut key = Zeroizing::new(format!("AWS4{secret_key}").into_bytes());
        for part in scope.split('/') {
            key = Zeroizing::new(mac(&key, part.as_bytes()));
        }
        secret::equal(
            hex(&mac(&key, text.as_bytes())).as_bytes(),
            self.signature.as_bytes(),
        )
    }

    fn canonical(&self, request: Request<'_>) -> String {
        let mut query: Vec<(String, String)> = pairs(request.query)
            .into_iter()
            .filter(|(name, _)| !(self.presigned && name == "X-Amz-Signature"))
            .map(|(name, value)| (encode(&name), encode(&value)))
            .collect();
        query.sort();
        let query: Vec<String> = query
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = request
                .headers
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let path: Vec<String> = request.path.split('/').map(encode).collect();
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            path.join("/"),
            query.join("&"),
            self.signed_headers.join(";"),
            hex(&Sha256::digest(request.body))
        )
    }
}

/// Whether an access key can go by that id: 16 to 128 letters and digits (IAM's `accessKeyIdType`).
pub fn is_access_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn incomplete(why: &str) -> Refusal {
    Refusal::IncompleteSignature(why.to_owned())
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The query's pairs, decoded; a plus sign is a plus sign here.
fn pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    match <Hmac<Sha256> as Mac>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        // HMAC takes keys of every length; nothing matches an empty signature.
        Err(_) => Vec::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2026-11-21T00:00:00Z.
    const NOW: UnixTime = UnixTime(1_795_219_200);
    const SECRET: &str = "demo/management/secret/key/0000000000001";
    const TARGET: (&str, &str) = ("x-amz-target", "AWSCognitoIdentityProviderService.ListUserPools");

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// As botocore 1.x signs it.
    fn signed() -> Vec<(String, String)> {
        headers(&[
            ("host", "localhost:8080"),
            ("content-type", "application/x-amz-json-1.1"),
            TARGET,
            ("x-amz-date", "20261121T000000Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=FOREBAYDEMOKEY000001/20261121/us-local-1/cognito-idp/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
                 Signature=888238039ccb0c400064119fdf5db57ec37cc27bb859b8e31c2f093b46874c29",
            ),
        ])
    }

    const PRESIGNED: &str = "x=a%20b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=FOREBAYDEMOKEY000001%2F20261121%2F\
        us-local-1%2Fcognito-idp%2Faws4_request&X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&\
        X-Amz-SignedHeaders=host%3Bx-amz-target&\
        X-Amz-Signature=53142ffe545b2ae78cfb02cd2e3d6962be5dc33dfa02f9fe84497195e7ef53bf";

    fn request<'a>(headers: &'a [(String, String)], query: &'a str, body: &'a [u8]) -> Request<'a> {
        Request {
            method: "POST",
            path: "/",
            query,
            headers,
            body,
        }
    }

    const BODY: &[u8] = b"{\"MaxResults\":10}";

    #[test]
    fn what_an_sdk_signed_is_its_keys() {
        let headers = signed();
        let request = request(&headers, "", BODY);
        let claim = Claim::read(request, NOW).unwrap();
        assert_eq!(claim.access_key_id, "FOREBAYDEMOKEY000001");
        assert!(claim.is_of(request, SECRET));
        assert!(!claim.is_of(request, "another"));
    }

    #[test]
    fn a_presigned_request_is_its_keys_until_it_expires() {
        let headers = headers(&[("host", "localhost:8080"), TARGET]);
        let request = request(&headers, PRESIGNED, b"");
        let claim = Claim::read(request, NOW.plus(60)).unwrap();
        assert!(claim.is_of(request, SECRET));
        assert!(matches!(
            Claim::read(request, NOW.plus(61)),
            Err(Refusal::Expired(_))
        ));
        let other = PRESIGNED.replace("x=a%20b", "x=a");
        let other = self::request(&headers, &other, b"");
        assert!(!Claim::read(other, NOW).unwrap().is_of(other, SECRET));
    }

    #[test]
    fn whatever_is_acted_on_is_signed() {
        let good = signed();
        let changed = |name: &str, value: &str| {
            let mut headers = good.clone();
            headers.retain(|(known, _)| known != name);
            headers.push((name.into(), value.into()));
            headers
        };
        let body = request(&good, "", b"{\"MaxResults\":60}");
        assert!(
            !Claim::read(body, NOW).unwrap().is_of(body, SECRET),
            "another body"
        );
        let query = request(&good, "a=b", BODY);
        assert!(
            !Claim::read(query, NOW).unwrap().is_of(query, SECRET),
            "another query"
        );
        for (name, value) in [("host", "evil.example"), ("x-amz-target", "X.DeleteUserPool")] {
            let headers = changed(name, value);
            let request = request(&headers, "", BODY);
            assert!(
                !Claim::read(request, NOW).unwrap().is_of(request, SECRET),
                "{name}"
            );
        }
        let more = changed("x-amz-user-agent", "x");
        assert!(matches!(
            Claim::read(request(&more, "", BODY), NOW),
            Err(Refusal::IncompleteSignature(_))
        ));
    }

    #[test]
    fn each_refusal_has_its_name() {
        let good = signed();
        let with = |from: &str, to: &str| {
            let headers: Vec<_> = good
                .iter()
                .map(|(name, value)| (name.clone(), value.replace(from, to)))
                .collect();
            Claim::read(request(&headers, "", BODY), NOW).unwrap_err()
        };
        let none = headers(&[("host", "localhost:8080")]);
        assert_eq!(
            Claim::read(request(&none, "", BODY), NOW),
            Err(Refusal::MissingAuthenticationToken)
        );
        assert_eq!(
            with("AWS4-HMAC-SHA256", "Bearer"),
            Refusal::MissingAuthenticationToken
        );
        for (from, to) in [
            ("/cognito-idp/", "/s3/"),
            ("aws4_request", "aws5_request"),
            ("/20261121/", "/20261122/"),
            ("Signature=", "Sign="),
            ("content-type;host;", "content-type;"),
            ("20261121T000000Z", "20261121 000000"),
        ] {
            assert!(
                matches!(with(from, to), Refusal::IncompleteSignature(_)),
                "{from} → {to}"
            );
        }
        for (seconds, fine) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let outcome = Claim::read(request(&good, "", BODY), NOW.plus(seconds));
            assert_eq!(outcome.is_ok(), fine, "{seconds}: {outcome:?}");
        }
        for key in ["SHORT", "FOREBAYDEMOKEY00000\0", "FOREBAYDEMOKEY-00001"] {
            assert_eq!(with("FOREBAYDEMOKEY000001", key), Refusal::UnknownKey, "{key:?}");
        }
        let plain = headers(&[("host", "localhost:8080"), TARGET]);
        for (seconds, fine) in [("0", false), ("1", true), ("900", true), ("901", false)] {
            let query = PRESIGNED.replace("Expires=60", &format!("Expires={seconds}"));
            let outcome = Claim::read(request(&plain, &query, b""), NOW);
            assert_eq!(outcome.is_ok(), fine, "{seconds}: {outcome:?}");
        }
        let mut session = good.clone();
        session.push(("x-amz-security-token".into(), "t".into()));
        assert_eq!(
            Claim::read(request(&session, "", BODY), NOW),
            Err(Refusal::SessionToken)
        );
    }
}
