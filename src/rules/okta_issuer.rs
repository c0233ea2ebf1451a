//! What administrators type where an Okta issuer is wanted, turned into issuers worth trying or into a sentence that
//! says what to type instead.
//!
//! Okta's issuer is a bare origin (the org server) or `https://{org}/oauth2/{server}` (a custom server); it never ends
//! in a slash and is compared as a string, so a near miss fails later and far less clearly. Nothing is stripped in
//! silence: each change has a note. Whether a candidate discovers is for `upstream::examine` to find out.

use url::{Host, Url};

/// An issuer worth trying, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub issuer: String,
    /// What was understood or changed; empty when the text was an issuer already.
    pub note: String,
}

/// The text cannot be an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub why: String,
    /// What was probably meant, where that can be told.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.suggestion {
            Some(suggestion) => write!(f, "{}; did you mean {suggestion}?", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// Domains that Okta operates; a customer's own domain in front of Okta is not among them.
const OKTA_DOMAINS: [&str; 6] = [
    "okta.com",
    "oktapreview.com",
    "okta-emea.com",
    "okta-gov.com",
    "okta.mil",
    "trexcloud.com",
];

/// The host belongs to Okta.
pub fn is_okta_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    OKTA_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain)
            .is_some_and(|organisation| organisation.len() > 1 && organisation.ends_with('.'))
    })
}

/// Issuers to try for what was typed, best first.
pub fn normalize(typed: &str) -> Result<Vec<Candidate>, Mistake> {
    let text: String = typed
        .chars()
        .filter(|c| {
            !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')
        })
        .collect();
    let mut notes = Vec::new();
    if text != typed.trim() {
        notes.push("blanks inside were removed".to_owned());
    }
    let text = text.trim_matches(['"', '\'', '`']);
    let (scheme, rest) = text
        .split_once("://")
        .map_or((None, text), |(s, rest)| (Some(s), rest));
    if rest.is_empty() {
        return mistake("an issuer is needed, such as https://acme.okta.com", None);
    }
    if is_placeholder(rest) {
        return mistake(
            "this is a placeholder from a guide: put your own Okta domain in its place, such as acme.okta.com",
            None,
        );
    }
    let url = match scheme.map(str::to_ascii_lowercase).as_deref() {
        None => {
            notes.push("https:// was added".to_owned());
            parse(&format!("https://{rest}"))?
        }
        Some("https") => parse(&format!("https://{rest}"))?,
        Some("http") => {
            let url = parse(&format!("http://{rest}"))?;
            if !is_loopback(&url) {
                return mistake(
                    "an issuer begins with https://, not http://",
                    Some(format!("https://{rest}")),
                );
            }
            url
        }
        Some(other) => {
            return mistake(
                &format!("an issuer begins with https://, not {}://", plain(other)),
                None,
            );
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return mistake("an issuer holds no user name or password", None);
    }
    let host = check_host(&url)?;
    if url.query().is_some() || url.fragment().is_some() {
        notes.push("what follows ? or # was dropped".to_owned());
    }
    Ok(from_path(&url, &host, rest.ends_with('/'), notes))
}

/// The candidates that the path stands for.
fn from_path(url: &Url, host: &str, slash: bool, mut notes: Vec<String>) -> Vec<Candidate> {
    let origin = origin(url, host);
    let path = without_well_known(url.path(), &mut notes);
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let candidate = |issuer: String, notes: &[String]| Candidate {
        issuer,
        note: notes.join("; "),
    };
    match segments.as_slice() {
        [] => {
            let mut candidates = vec![candidate(origin.clone(), &notes)];
            // Okta never has it, other providers do, and a string comparison tells them apart.
            if !is_okta_host(host) && !is_loopback(url) && slash {
                notes.push("with the slash at the end, as some providers other than Okta have it".to_owned());
                candidates.push(candidate(format!("{origin}/"), &notes));
            }
            candidates
        }
        ["oauth2"] | ["oauth2", "v1", ..] => {
            notes.push(
                "/oauth2/v1 is where the org server's endpoints are; its issuer is the bare domain"
                    .to_owned(),
            );
            vec![candidate(origin, &notes)]
        }
        ["oauth2", server, rest @ ..] => {
            if !rest.is_empty() {
                notes.push(format!(
                    "the issuer of this server ends at /oauth2/{}",
                    plain(server)
                ));
            }
            let custom = candidate(format!("{origin}/oauth2/{server}"), &notes);
            notes.push(
                "the org server, for an Okta without API Access Management or an app registered there"
                    .to_owned(),
            );
            vec![custom, candidate(origin, &notes)]
        }
        [..] if is_okta_host(host) || segments.first() == Some(&"home") => {
            notes.push("this is a link into Okta; its issuer is the bare domain".to_owned());
            vec![candidate(origin, &notes)]
        }
        [..] => {
            let trimmed = path.trim_end_matches('/');
            let mut candidates = vec![candidate(format!("{origin}{trimmed}"), &notes)];
            if trimmed.len() != path.len() {
                notes.push("with the slash at the end, as some providers other than Okta have it".to_owned());
                candidates.push(candidate(format!("{origin}{path}"), &notes));
            }
            candidates
        }
    }
}

/// Cuts a pasted discovery URL down to the issuer's path, in both forms (OIDC Discovery §4 appends, RFC 8414 §3.1 inserts).
fn without_well_known(path: &str, notes: &mut Vec<String>) -> String {
    let Some((before, after)) = path.split_once("/.well-known/") else {
        return path.to_owned();
    };
    notes.push("this is a discovery address; the issuer is the part before /.well-known/".to_owned());
    let inserted = after.split_once('/').map(|(_, path)| path).unwrap_or_default();
    if before.is_empty() && !inserted.is_empty() {
        format!("/{inserted}")
    } else {
        before.to_owned()
    }
}

fn check_host(url: &Url) -> Result<String, Mistake> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
        Some(Host::Ipv4(address)) => return Ok(address.to_string()),
        Some(Host::Ipv6(address)) => return Ok(format!("[{address}]")),
        None => return mistake("there is no host in it", None),
    };
    if is_loopback(url) {
        return Ok(host);
    }
    if !host.contains('.') {
        let suggestion = format!("https://{host}.okta.com");
        return mistake("this is a name without a domain", Some(suggestion));
    }
    if let Some(single) = host.strip_suffix(".com.com") {
        return mistake(".com stands there twice", Some(format!("https://{single}.com")));
    }
    if OKTA_DOMAINS.contains(&host.as_str()) || host == "www.okta.com" || host == "login.okta.com" {
        return mistake(
            "your organisation's part is missing, as in https://acme.okta.com",
            None,
        );
    }
    if is_okta_host(&host)
        && let Some((organisation, domain)) = host.split_once('.')
        && let Some(organisation) = organisation.strip_suffix("-admin")
    {
        return mistake(
            "this is the address of Okta's admin console, which is never an issuer",
            Some(format!("https://{organisation}.{domain}")),
        );
    }
    Ok(host)
}

/// A development address, the only kind that may go without TLS.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.contains(['{', '}', '<', '>', '$'])
        || ["yourokta", "your-okta", "youroktadomain", "your_okta"]
            .iter()
            .any(|word| lower.contains(word))
}

fn parse(text: &str) -> Result<Url, Mistake> {
    Url::parse(text).map_err(|error| Mistake {
        why: format!("this is not an address: {error}"),
        suggestion: None,
    })
}

fn origin(url: &Url, host: &str) -> String {
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn plain(text: &str) -> String {
    super::upstream_error::plain(text, 60)
}

fn mistake<T>(why: &str, suggestion: Option<String>) -> Result<T, Mistake> {
    Err(Mistake {
        why: why.to_owned(),
        suggestion,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_people_type_becomes_an_issuer() {
        for (typed, issuers) in [
            ("https://acme.okta.com", &["https://acme.okta.com"][..]),
            ("acme.okta.com", &["https://acme.okta.com"]),
            ("  https://acme.okta.com/ ", &["https://acme.okta.com"]),
            ("https:// acme.okta.com", &["https://acme.okta.com"]),
            ("HTTPS://ACME.Okta.com", &["https://acme.okta.com"]),
            ("\"https://acme.okta.com\"", &["https://acme.okta.com"]),
            ("https://acme.okta.com.", &["https://acme.okta.com"]),
            ("https://acme.okta.com:443", &["https://acme.okta.com"]),
            ("https://acme.okta.com/oauth2", &["https://acme.okta.com"]),
            ("https://acme.okta.com/oauth2/v1/", &["https://acme.okta.com"]),
            (
                "https://acme.okta.com/oauth2/v1/authorize",
                &["https://acme.okta.com"],
            ),
            (
                "https://acme.okta.com/oauth2/default",
                &["https://acme.okta.com/oauth2/default", "https://acme.okta.com"],
            ),
            (
                "acme.oktapreview.com/oauth2/aus9o8wzkhckw9TLa0h7/v1/token",
                &[
                    "https://acme.oktapreview.com/oauth2/aus9o8wzkhckw9TLa0h7",
                    "https://acme.oktapreview.com",
                ],
            ),
            (
                "https://acme.okta.com/.well-known/openid-configuration?client_id=0oa1",
                &["https://acme.okta.com"],
            ),
            (
                "https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
                &["https://acme.okta.com/oauth2/default", "https://acme.okta.com"],
            ),
            (
                "https://acme.okta.com/.well-known/oauth-authorization-server/oauth2/default",
                &["https://acme.okta.com/oauth2/default", "https://acme.okta.com"],
            ),
            (
                "https://acme.okta.com/home/oidc_client/0oa1b2c3/aln177a159h7Zf52X0g8",
                &["https://acme.okta.com"],
            ),
            (
                "https://acme.okta-emea.com/app/UserHome",
                &["https://acme.okta-emea.com"],
            ),
            ("login.acme.com", &["https://login.acme.com"]),
            (
                "https://login.acme.com/",
                &["https://login.acme.com", "https://login.acme.com/"],
            ),
            (
                "https://id.example.com/realms/acme/",
                &[
                    "https://id.example.com/realms/acme",
                    "https://id.example.com/realms/acme/",
                ],
            ),
            ("http://127.0.0.1:8091", &["http://127.0.0.1:8091"]),
            (
                "http://127.0.0.1:8091/oauth2/default",
                &["http://127.0.0.1:8091/oauth2/default", "http://127.0.0.1:8091"],
            ),
        ] {
            let found: Vec<String> = normalize(typed).unwrap().into_iter().map(|c| c.issuer).collect();
            assert_eq!(found, issuers, "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_an_issuer_is_refused_with_the_fix() {
        for (typed, suggestion) in [
            ("", None),
            ("https://", None),
            ("https://acme-admin.okta.com", Some("https://acme.okta.com")),
            ("acme-admin.oktapreview.com", Some("https://acme.oktapreview.com")),
            (
                "https://acme-admin.okta.mil/admin/apps",
                Some("https://acme.okta.mil"),
            ),
            ("acme.okta.com.com", Some("https://acme.okta.com")),
            ("http://acme.okta.com", Some("https://acme.okta.com")),
            ("https://{yourOktaDomain}", None),
            ("https://${yourOktaDomain}/oauth2/default", None),
            ("https://<your domain>.okta.com", None),
            ("https://your-okta-domain.okta.com", None),
            ("acme", Some("https://acme.okta.com")),
            ("okta.com", None),
            ("https://ada:secret@acme.okta.com", None),
            ("ftp://acme.okta.com", None),
            ("https://acme okta com:x", None),
        ] {
            let mistake = normalize(typed).unwrap_err();
            assert_eq!(mistake.suggestion.as_deref(), suggestion, "{typed}: {mistake}");
            assert!(!mistake.why.is_empty());
        }
    }

    #[test]
    fn a_change_has_a_note_and_an_issuer_has_none() {
        assert_eq!(normalize("https://acme.okta.com").unwrap()[0].note, "");
        assert_eq!(
            normalize("https://acme.okta.com/oauth2/default").unwrap()[0].note,
            ""
        );
        assert!(
            normalize("https://acme.okta.com/oauth2/v1").unwrap()[0]
                .note
                .contains("bare domain")
        );
    }

    #[test]
    fn okta_hosts_are_known_by_their_domain() {
        for (host, expected) in [
            ("acme.okta.com", true),
            ("Acme.OktaPreview.com", true),
            ("okta.com", false),
            (".okta.com", false),
            ("acmeokta.com", false),
            ("acme.okta.com.evil.test", false),
            ("login.acme.com", false),
        ] {
            assert_eq!(is_okta_host(host), expected, "{host}");
        }
    }
}
