//! Connections as they may be registered: name, slug, identifiers, how we are registered upstream, endpoint URLs.

use url::Url;

use super::client::NATIVE;
use super::{is_visible, issuer, uri, within};
use crate::config::AllowedHost;
use crate::error::Error;
use crate::model::provider::{Endpoints, Settings};
use crate::rules::connection::{Kind, odd_client_id};
use crate::rules::scope;

const LONGEST_SLUG: usize = 63;
const MOST_IDENTIFIERS: usize = 50;
/// Longer than Cognito's 40: an identifier is mostly an email domain, and a domain name may have 253 characters.
const LONGEST_IDENTIFIER: usize = 253;
const MOST_SCOPES: usize = 50;
const MOST_ORIGINS: usize = 50;
/// What we verify ID tokens with: asymmetric only, for a shared secret would let us (or a leak) sign as the upstream.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// A provider's name: 3-32 visible characters, no underscore at the first or from the third on, for it stands before
/// the first underscore of its users' names.
pub fn name(text: &str) -> Result<(), Error> {
    let underscore = |(at, c): (usize, char)| at != 1 && c == '_';
    if !within(text, 3, 32) || !text.chars().all(is_visible) || text.chars().enumerate().any(underscore) {
        return Err(Error::invalid(
            "name",
            "must be 3-32 characters without blanks and underscores, such as acme-okta",
        ));
    }
    if text.eq_ignore_ascii_case(NATIVE) {
        return Err(Error::invalid(
            "name",
            format!("{NATIVE} stands for the pool's own users"),
        ));
    }
    Ok(())
}

/// A slug: a DNS label in lower case. It stands in the redirect URI that is registered upstream, so it never changes.
pub fn slug(text: &str) -> Result<(), Error> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !within(text, 1, LONGEST_SLUG)
        || !text.chars().all(inner)
        || text.starts_with('-')
        || text.ends_with('-')
    {
        return Err(Error::invalid(
            "slug",
            "must be 1-63 of a-z 0-9 and -, neither beginning nor ending with -",
        ));
    }
    Ok(())
}

/// The slug for a provider that names none: its name, made DNS-safe.
pub fn default_slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(LONGEST_SLUG);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "connection" } else { slug }.to_owned()
}

/// A slug with a suffix, still short enough.
pub fn suffixed_slug(slug: &str, suffix: &str) -> String {
    let room = LONGEST_SLUG.saturating_sub(suffix.len() + 1);
    let head: String = slug.chars().take(room).collect();
    format!("{}-{suffix}", head.trim_end_matches('-'))
}

/// Identifiers in the form that is stored and looked up: lower case, international domains in their ASCII form.
pub fn identifiers(typed: &[String]) -> Result<Vec<String>, Error> {
    if typed.len() > MOST_IDENTIFIERS {
        return Err(Error::invalid(
            "identifiers",
            format!("at most {MOST_IDENTIFIERS}"),
        ));
    }
    let mut identifiers = Vec::with_capacity(typed.len());
    for text in typed {
        let identifier = identifier(text).ok_or_else(|| {
            Error::invalid(
                "identifiers",
                format!("'{}' must be an email domain or an alias: 1-{LONGEST_IDENTIFIER} letters, digits, blanks inside, or any of + = . @ _ -", text.escape_debug()),
            )
        })?;
        if !identifiers.contains(&identifier) {
            identifiers.push(identifier);
        }
    }
    Ok(identifiers)
}

/// One identifier as it is stored and looked up; `None` when it cannot be one. The domain of an email address goes
/// through here before it is looked up.
pub fn identifier(typed: &str) -> Option<String> {
    let trimmed = typed.trim();
    // People write the domain as they see it in an address.
    let text = trimmed.strip_prefix('@').unwrap_or(trimmed);
    let text = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(text).ok()?
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '+' | '=' | '.' | '@' | '-');
    (within(&text, 1, LONGEST_IDENTIFIER) && text.chars().all(allowed)).then_some(text)
}

/// A client id of the upstream's making.
pub fn client_id(text: &str) -> Result<(), Error> {
    if within(text, 1, 256) && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid(
        "client_id",
        "must be the client id from the upstream's app page: 1-256 characters without blanks",
    ))
}

/// Whether a connection to this issuer may take ID tokens that apps bring, where it does. A client id is all that ties such
/// a token to the connection, so it is looked at more closely than where a secret goes with it.
pub fn token_in(issuer: &str, settings: &Settings) -> Result<(), Error> {
    let Some(kind) = &settings.token_in else {
        return Ok(());
    };
    if let Some(odd) = odd_client_id(issuer, &settings.client_id) {
        return Err(Error::invalid("client_id", odd));
    }
    if kind.origins.len() > MOST_ORIGINS {
        return Err(Error::invalid("origins", format!("at most {MOST_ORIGINS}")));
    }
    match kind.origins.iter().find(|text| !uri::is_origin(text)) {
        Some(wrong) => Err(Error::invalid(
            "origins",
            format!(
                "'{}' is not an origin as browsers write it: https://app.example.com, in lower case, without path and slash \
                 (http is for localhost, 127.0.0.1 and [::1] only)",
                wrong.escape_debug()
            ),
        )),
        None => Ok(()),
    }
}

/// Whether a connection to this issuer may ask for scopes of Okta's own API, where it does.
pub fn okta_api(issuer: &str, settings: &Settings) -> Result<(), Error> {
    if settings.okta_api.is_empty() {
        return Ok(());
    }
    if settings.token_in.is_some() {
        return Err(Error::invalid(
            "okta_api",
            "needs a sign-in that we begin: with an ID token that an app brings comes no token for Okta's API",
        ));
    }
    match Kind::of(issuer) {
        Kind::Org => Ok(()),
        kind => Err(Error::invalid(
            "okta_api",
            format!(
                "Okta grants the scopes of its API on the org authorization server only, whose issuer is the bare address, \
                 such as https://acme.okta.com; {issuer} is that of a {}",
                kind.name()
            ),
        )),
    }
}

/// Whether a connection with these settings may be registered.
pub fn settings(settings: &Settings, allowed: &[AllowedHost]) -> Result<(), Error> {
    let refuse = |field: &str, why: String| Err(Error::invalid(field, why));
    client_id(&settings.client_id)?;
    if let Some(kid) = &settings.private_key_id
        && (!within(kid, 1, 256) || !kid.chars().all(|c| c.is_ascii_graphic()))
    {
        return refuse("private_key_id", "must be 1-256 characters without blanks".into());
    }
    if !(1..=30).contains(&settings.replay.days) {
        return refuse("replay", "sign-ins are kept for 1 to 30 days".into());
    }
    if !settings.scopes.iter().any(|scope| scope == "openid") {
        return refuse(
            "scopes",
            "must hold openid: without it the upstream sends no ID token".into(),
        );
    }
    if settings.scopes.len() > MOST_SCOPES {
        return refuse("scopes", format!("at most {MOST_SCOPES}"));
    }
    if let Some(wrong) = settings.scopes.iter().find(|scope| !scope::is_scope(scope)) {
        return refuse(
            "scopes",
            format!("'{}' cannot be a scope (RFC 6749 §3.3)", wrong.escape_debug()),
        );
    }
    let label = &settings.label;
    if !within(label, 1, 64) || label.trim() != label || !label.chars().all(|c| c == ' ' || is_visible(c)) {
        return refuse(
            "label",
            "must be 1-64 visible characters, with blanks inside only".into(),
        );
    }
    if settings.id_token_algorithms.is_empty() {
        return refuse("id_token_algorithms", "must name at least one".into());
    }
    if let Some(wrong) = settings
        .id_token_algorithms
        .iter()
        .find(|name| !ALGORITHMS.contains(&name.as_str()))
    {
        return refuse(
            "id_token_algorithms",
            format!("'{}' is none of: {}", wrong.escape_debug(), ALGORITHMS.join(", ")),
        );
    }
    match &settings.endpoints {
        Some(own) => endpoints(own, allowed),
        None => Ok(()),
    }
}

fn endpoints(endpoints: &Endpoints, allowed: &[AllowedHost]) -> Result<(), Error> {
    let given = [
        ("authorization_endpoint", Some(&endpoints.authorization)),
        ("token_endpoint", Some(&endpoints.token)),
        ("userinfo_endpoint", endpoints.userinfo.as_ref()),
        ("jwks_uri", Some(&endpoints.jwks)),
        ("end_session_endpoint", endpoints.end_session.as_ref()),
    ];
    for (field, text) in given {
        let Some(text) = text else { continue };
        endpoint(text, allowed).map_err(|why| Error::invalid(field, why))?;
    }
    Ok(())
}

fn endpoint(text: &str, allowed: &[AllowedHost]) -> Result<(), String> {
    if text.is_empty() {
        return Err(
            "is missing: authorization, token and jwks URLs are given together, or none of them for discovery"
                .into(),
        );
    }
    if text.len() > 2048 || !text.chars().all(|c| c.is_ascii_graphic()) || text.contains('\\') {
        return Err("is not a URL of at most 2048 visible ASCII characters".into());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    issuer::check_transport(&url, allowed)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or password in it".into());
    }
    if url.fragment().is_some() {
        return Err("has a fragment".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_stand_before_the_first_underscore_of_usernames() {
        for right in ["acme-okta", "Okta", "a_b", "Ökta", "x.y", &"x".repeat(32)] {
            assert!(name(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "ab",
            "_abc",
            "ab_",
            "acme_okta",
            "acme okta",
            "acme\u{a0}okta",
            "acme\u{202e}okta",
            "acme\nokta",
            "COGNITO",
            "Cognito",
            &"x".repeat(33),
        ] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn slugs_are_dns_labels_and_made_of_names() {
        for right in ["a", "acme-okta", "0", &"x".repeat(63)] {
            assert!(slug(right).is_ok(), "{right}");
        }
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", "ä", "a/b", &"x".repeat(64)] {
            assert!(slug(wrong).is_err(), "{wrong}");
        }
        for (name, expected) in [
            ("acme-okta", "acme-okta"),
            ("Acme.Okta!", "acme-okta"),
            ("..Ökta..", "kta"),
            ("日本語", "connection"),
            ("a--b", "a-b"),
        ] {
            assert_eq!(default_slug(name), expected);
            assert!(slug(&default_slug(name)).is_ok());
        }
        let long = suffixed_slug(&"x".repeat(63), "12");
        assert_eq!(long.len(), 63);
        assert!(slug(&long).is_ok());
        assert_eq!(suffixed_slug("acme", "2"), "acme-2");
    }

    #[test]
    fn identifiers_are_stored_as_they_are_looked_up() {
        for (typed, stored) in [
            ("acme.test", "acme.test"),
            (" Acme.Test ", "acme.test"),
            ("@acme.test", "acme.test"),
            ("müller.example", "xn--mller-kva.example"),
            ("MÜLLER.example", "xn--mller-kva.example"),
            ("my alias+1", "my alias+1"),
        ] {
            assert_eq!(identifier(typed).as_deref(), Some(stored), "{typed}");
        }
        for wrong in ["", "@", " ", "a/b", "a,b", "a\nb", "<b>", &"x".repeat(254)] {
            assert_eq!(identifier(wrong), None, "{wrong:?}");
        }
        let typed = ["acme.test", "ACME.TEST"].map(String::from);
        assert_eq!(identifiers(&typed).unwrap(), ["acme.test"]);
        let many: Vec<String> = (0..51).map(|n| format!("{n}.test")).collect();
        assert!(identifiers(&many).is_err());
    }

    fn good() -> Settings {
        Settings {
            client_id: "0oa1acme".into(),
            endpoints: Some(Endpoints {
                authorization: "https://login.acme.example/authorize".into(),
                token: "https://login.acme.example/token?tenant=1".into(),
                userinfo: None,
                jwks: "https://login.acme.example/keys".into(),
                end_session: None,
            }),
            ..Settings::default()
        }
    }

    #[test]
    fn each_refusal_names_its_field() {
        assert!(settings(&good(), &[]).is_ok());
        type Change = fn(&mut Settings, &mut Endpoints);
        let cases: &[(&str, Change)] = &[
            ("client_id: ", |s, _| s.client_id.clear()),
            ("client_id: ", |s, _| s.client_id = "a b".into()),
            ("private_key_id: ", |s, _| s.private_key_id = Some(String::new())),
            ("scopes: ", |s, _| s.scopes = vec!["profile".into()]),
            ("scopes: ", |s, _| s.scopes.push("a b".into())),
            ("label: ", |s, _| s.label.clear()),
            ("label: ", |s, _| s.label = " Okta".into()),
            ("label: ", |s, _| s.label = "Okta\u{202e}".into()),
            ("id_token_algorithms: ", |s, _| s.id_token_algorithms.clear()),
            ("id_token_algorithms: ", |s, _| {
                s.id_token_algorithms = vec!["none".into()]
            }),
            ("id_token_algorithms: ", |s, _| {
                s.id_token_algorithms = vec!["HS256".into()]
            }),
            ("authorization_endpoint: ", |_, e| e.authorization.clear()),
            ("token_endpoint: ", |_, e| {
                e.token = "http://login.acme.example/token".into()
            }),
            ("token_endpoint: ", |_, e| e.token = "/token".into()),
            ("jwks_uri: ", |_, e| {
                e.jwks = "https://login.acme.example/keys#x".into()
            }),
            ("jwks_uri: ", |_, e| e.jwks = "file:///keys".into()),
            ("userinfo_endpoint: ", |_, e| {
                e.userinfo = Some("https://a@login.acme.example/userinfo".into());
            }),
            ("end_session_endpoint: ", |_, e| {
                e.end_session = Some(String::new())
            }),
        ];
        for (at, (field, change)) in cases.iter().enumerate() {
            let mut wrong = good();
            let mut endpoints = wrong.endpoints.take().unwrap();
            change(&mut wrong, &mut endpoints);
            wrong.endpoints = Some(endpoints);
            let error = settings(&wrong, &[]).unwrap_err().to_string();
            assert!(error.starts_with(field), "case {at}: {error}");
        }
    }

    #[test]
    fn plain_http_needs_a_host_that_the_configuration_admits() {
        let mut local = good();
        if let Some(endpoints) = &mut local.endpoints {
            endpoints.token = "http://127.0.0.1:8091/token".into();
        }
        let admits = |text: &str| settings(&local, &[AllowedHost::parse(text).unwrap()]).is_ok();
        assert!(admits("127.0.0.1:8091"));
        assert!(admits("127.0.0.1"));
        assert!(!admits("127.0.0.1:8092"));
        assert!(!admits("localhost:8091"));
    }
}
