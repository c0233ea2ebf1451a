//! The app's three pages as plain data, and how tokens become tables.
//!
//! A token is decoded here without being verified: it is only shown. What the app believes it has from
//! [`super::provider`].

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde_json::Value;

use super::problem::Problem;
use super::sessions::{Notice, SignedIn};

/// Nobody is signed in.
#[derive(Template)]
#[template(path = "demo/signed_out.html")]
pub struct SignedOutPage<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
}

/// Something failed.
#[derive(Template)]
#[template(path = "demo/problem.html")]
pub struct ProblemPage {
    pub title: &'static str,
    pub code: String,
    pub text: String,
    pub details: Vec<(String, String)>,
}

/// A user is signed in.
#[derive(Template)]
#[template(path = "demo/signed_in.html")]
pub struct SignedInPage<'a> {
    issuer: &'a str,
    greeting: String,
    email: Option<String>,
    can_refresh: bool,
    notice: Option<Notice>,
    user_info: Option<Vec<Claim>>,
    tokens: Vec<TokenView>,
}

/// A token, decoded.
struct TokenView {
    id: &'static str,
    title: &'static str,
    /// How long it lives, from `iat` to `exp`.
    lifetime: String,
    header: String,
    claims: Vec<Claim>,
    raw: String,
}

/// One claim as it is shown.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    name: String,
    value: String,
    note: Option<String>,
}

impl ProblemPage {
    pub fn new(title: &'static str, problem: Problem) -> ProblemPage {
        ProblemPage {
            title,
            code: problem.code,
            text: problem.text,
            details: problem.details,
        }
    }
}

impl<'a> SignedInPage<'a> {
    pub fn new(issuer: &'a str, user: SignedIn) -> SignedInPage<'a> {
        let claims = &user.tokens.claims;
        let email = claims.email().map(|email| email.to_string());
        let name = claims
            .name()
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let given = claims
            .given_name()
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let greeting = name
            .or(given)
            .or_else(|| email.clone())
            .unwrap_or_else(|| claims.subject().to_string());
        SignedInPage {
            issuer,
            greeting,
            email,
            can_refresh: user.tokens.refresh_token.is_some(),
            notice: user.notice,
            user_info: user.user_info.as_ref().map(claims_of),
            tokens: vec![
                TokenView::new("id-token", "ID token", user.tokens.id_token.to_string()),
                TokenView::new(
                    "access-token",
                    "Access token",
                    user.tokens.access_token.into_secret(),
                ),
            ],
        }
    }
}

impl TokenView {
    /// A token that is not a JWT is shown as it came, without claims.
    fn new(id: &'static str, title: &'static str, raw: String) -> TokenView {
        let mut parts = raw.split('.');
        let header = parts.next().and_then(decoded);
        let payload = parts.next().and_then(decoded).unwrap_or_default();
        let lifetime = payload
            .get("exp")
            .and_then(Value::as_i64)
            .zip(payload.get("iat").and_then(Value::as_i64))
            .map(|(end, start)| span(end.saturating_sub(start)));
        TokenView {
            id,
            title,
            lifetime: lifetime.unwrap_or_else(|| "no lifetime".to_owned()),
            header: header.map_or_else(|| "not a JWT".to_owned(), |header| header.to_string()),
            claims: claims_of(&payload),
            raw,
        }
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn claims_of(payload: &Value) -> Vec<Claim> {
    let Some(claims) = payload.as_object() else {
        return vec![];
    };
    claims
        .iter()
        .map(|(name, value)| Claim {
            name: name.clone(),
            value: serde_json::to_string_pretty(value).unwrap_or_default(),
            note: time(name, value),
        })
        .collect()
}

/// The claims that are times, for people.
fn time(name: &str, value: &Value) -> Option<String> {
    if !matches!(name, "exp" | "iat" | "nbf" | "auth_time" | "updated_at") {
        return None;
    }
    let time = DateTime::from_timestamp(value.as_i64()?, 0)?;
    Some(time.format("%-d %B %Y, %H:%M:%S UTC").to_string())
}

fn span(seconds: i64) -> String {
    match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => format!("lives {} d", s / 86_400),
        s if s >= 3600 && s % 3600 == 0 => format!("lives {} h", s / 3600),
        s if s >= 60 && s % 60 == 0 => format!("lives {} min", s / 60),
        s => format!("lives {s} s"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn token(header: &Value, payload: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.signature", part(header), part(payload))
    }

    #[test]
    fn a_token_becomes_a_table_with_readable_times() {
        let raw = token(
            &json!({"alg": "RS256", "kid": "k1"}),
            &json!({"sub": "ada", "iat": 1_763_717_400, "exp": 1_763_721_000, "cognito:groups": ["a", "b"]}),
        );
        let view = TokenView::new("id-token", "ID token", raw.clone());
        assert_eq!(view.lifetime, "lives 1 h");
        assert_eq!(view.header, r#"{"alg":"RS256","kid":"k1"}"#);
        assert_eq!(view.raw, raw);
        let claim = |name: &str| view.claims.iter().find(|claim| claim.name == name).unwrap();
        assert_eq!(claim("sub").value, "\"ada\"");
        assert_eq!(claim("sub").note, None);
        assert_eq!(
            claim("iat").note.as_deref(),
            Some("21 November 2025, 09:30:00 UTC")
        );
        assert_eq!(claim("cognito:groups").value, "[\n  \"a\",\n  \"b\"\n]");
    }

    #[test]
    fn what_is_not_a_token_is_shown_as_it_came() {
        for raw in ["", "opaque", "a.b.c", "....", "ey.\u{1F600}"] {
            let view = TokenView::new("access-token", "Access token", raw.to_owned());
            assert_eq!((view.raw.as_str(), view.claims.len()), (raw, 0));
            assert_eq!(view.header, "not a JWT");
        }
    }

    #[test]
    fn a_lifetime_is_told_in_its_largest_whole_unit() {
        for (seconds, text) in [
            (86_400, "lives 1 d"),
            (5400, "lives 90 min"),
            (90, "lives 90 s"),
            (-5, "lives -5 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_hostile_string_stays_text() {
        let marker = "\"><svg onload=alert(1)>";
        let page = ProblemPage {
            title: "Failed",
            code: marker.to_owned(),
            text: marker.to_owned(),
            details: vec![(marker.to_owned(), marker.to_owned())],
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<svg onload") && html.contains("&#60;svg onload"));
    }
}
