//! Redirect and logout URIs as they may be registered (RFC 6749 §3.1.2, RFC 8252 §7.1, RFC 9700 §2.6). What is
//! registered is later compared byte by byte, so nothing is normalised here: a URI is right as written or refused.

use url::{Host, Url};

use crate::error::Error;

/// Cognito's limits: entries in a list, and characters of one.
const MOST: usize = 100;
const LONGEST: usize = 1024;

/// Schemes that run or read something in the browser instead of going somewhere.
const DANGEROUS: &[&str] = &[
    "javascript",
    "data",
    "vbscript",
    "file",
    "about",
    "blob",
    "filesystem",
    "view-source",
];

/// A client's callback or logout URIs.
pub fn list(field: &str, uris: &[String]) -> Result<(), Error> {
    if uris.len() > MOST {
        return Err(Error::invalid(field, format!("at most {MOST} entries")));
    }
    for uri in uris {
        check(uri).map_err(|why| Error::invalid(field, format!("'{}' {why}", shown(uri))))?;
    }
    Ok(())
}

/// Whether one URI may be registered; the error completes the sentence "'…' ".
pub fn check(uri: &str) -> Result<(), String> {
    if uri.is_empty() {
        return Err("is empty".into());
    }
    if uri.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    if let Some(stray) = uri.chars().find(|c| !is_uri_character(*c)) {
        return Err(match stray {
            '*' => "has a wildcard: every redirect URI is compared exactly, so register each one".into(),
            c if c.is_control() => "has a control character".into(),
            c => format!("has the character {c:?}, which a URI cannot have: write it percent-encoded"),
        });
    }
    if has_stray_percent(uri) {
        return Err("has a % that is not followed by two hexadecimal digits".into());
    }
    if uri.contains('#') {
        return Err("has a fragment (#…), which redirect URIs must not have (RFC 6749 §3.1.2)".into());
    }
    let Some((scheme, rest)) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err("is relative: write it with its scheme, such as https://app.example.com/callback".into());
    };
    let scheme = scheme.to_ascii_lowercase();
    if DANGEROUS.contains(&scheme.as_str()) {
        return Err(format!("has the scheme {scheme}:, which is never redirected to"));
    }
    let parsed = Url::parse(uri).map_err(|error| format!("is not a URI: {error}"))?;
    if has_userinfo(rest) {
        return Err("has a user name or password before the host".into());
    }
    match scheme.as_str() {
        "https" | "http" => {
            if !rest.starts_with("//") || rest.starts_with("///") {
                return Err(format!("must begin with {scheme}:// and a host"));
            }
            if scheme == "http" && !is_loopback(&parsed) {
                return Err(
                    "is plain http: use https (http is for localhost, 127.0.0.1 and [::1] only)".into(),
                );
            }
            Ok(())
        }
        private if !private.contains('.') => Err(format!(
            "has the private scheme {private}:, which any app could claim: use a reversed domain name, such as \
             com.example.app:/callback (RFC 8252 §7.1)"
        )),
        _ if rest.trim_start_matches('/').is_empty() => Err("says nothing after its scheme".into()),
        _ => Ok(()),
    }
}

/// Whether a pattern of preview hosts may be registered (`https://*.preview.example.com/callback`): a wildcard for the
/// left-most label, and nothing else, below a suffix that the pool admits. The error completes the sentence "'…' ".
pub fn preview(pattern: &str, suffixes: &[String]) -> Result<(), String> {
    let Some(rest) = pattern.strip_prefix(PREVIEW) else {
        return Err(format!(
            "must begin with {PREVIEW} and the suffix of the preview hosts"
        ));
    };
    let example = format!("https://x.{rest}");
    check(&example)?;
    let url = Url::parse(&example).map_err(|error| format!("is not a URI: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let suffix = host.strip_prefix("x.").unwrap_or_default();
    if !rest.starts_with(suffix) {
        return Err("must have its host in lower case".into());
    }
    let below = |own: &String| {
        suffix == own
            || suffix
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
    };
    match suffixes.iter().any(below) {
        true => Ok(()),
        false => Err(format!(
            "is below none of the pool's preview suffixes ({}): its operator names those that are their own",
            match suffixes {
                [] => "there are none".to_owned(),
                some => some.join(", "),
            }
        )),
    }
}

/// What a pattern of preview hosts begins with.
pub const PREVIEW: &str = "https://*.";

/// Whether this can be a domain of somebody's own: a name in lower case with two labels at least.
pub fn is_own_domain(text: &str) -> bool {
    let url = Url::parse(&format!("https://{text}/"));
    text.split('.').count() >= 2
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        && url.is_ok_and(|url| matches!(url.host(), Some(Host::Domain(name)) if name == text))
}

/// Whether this is an origin in the very form in which browsers send it (RFC 6454 §6.2), and one whose pages nobody on the
/// way can change.
pub fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
        safe && url.origin().ascii_serialization() == text
    })
}

/// The names of this machine that need no https: the loopback addresses, and `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// RFC 3986 §2: unreserved, reserved and `%`, except `*`, which nobody means literally in a redirect URI.
fn is_uri_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()+,;=%".contains(c)
}

fn has_stray_percent(uri: &str) -> bool {
    uri.split('%').skip(1).any(|after| {
        let mut digits = after.chars();
        !(0..2).all(|_| digits.next().is_some_and(|c| c.is_ascii_hexdigit()))
    })
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Looks for `@` in the authority itself: parsers disagree about what stands before it.
fn has_userinfo(after_scheme: &str) -> bool {
    after_scheme.strip_prefix("//").is_some_and(|rest| {
        rest.split(['/', '?', '#'])
            .next()
            .is_some_and(|authority| authority.contains('@'))
    })
}

/// A URI as an error message can show it: without what would move the cursor, and not without end.
fn shown(uri: &str) -> String {
    let mut text: String = uri.chars().take(120).flat_map(char::escape_debug).collect();
    if uri.chars().count() > 120 {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_may_be_registered() {
        for right in [
            "https://app.example.com/callback",
            "https://app.example.com",
            "https://app.example.com:8443/callback?tenant=a%20b&x=(1)",
            "http://localhost:3000/callback",
            "http://127.0.0.1:9999/callback",
            "http://[::1]/callback",
            "com.example.app:/callback",
            "com.example.app://callback/path",
            "HTTPS://app.example.com/callback",
            "https://xn--mller-kva.example/callback",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        let long = format!("https://app.example.com/{}", "x".repeat(LONGEST));
        for (wrong, why) in [
            ("", "empty"),
            ("/callback", "relative"),
            ("app.example.com/callback", "relative"),
            ("//app.example.com/callback", "relative"),
            ("callback", "relative"),
            ("https://app.example.com/callback#", "fragment"),
            ("https://app.example.com/callback#x", "fragment"),
            ("http://app.example.com/callback", "plain http"),
            ("http://127.0.0.2/callback", "plain http"),
            ("http://localhost.example.com/", "plain http"),
            ("http://[::2]/callback", "plain http"),
            ("https://*.example.com/callback", "wildcard"),
            ("https://app.example.com/*", "wildcard"),
            ("https://ada@app.example.com/", "user name"),
            ("https://ada:pw@app.example.com/", "user name"),
            ("https://@app.example.com/", "user name"),
            ("com.example.app://ada@host/", "user name"),
            ("https://app.example.com/\n", "control"),
            ("java\tscript:alert(1)", "control"),
            ("\u{0}https://app.example.com/", "control"),
            (" https://app.example.com/", "character ' '"),
            ("https://app.example.com/a b", "character ' '"),
            ("https://app.example.com\\@evil.example/", "character '\\\\'"),
            ("https://müller.example/", "character 'ü'"),
            ("https://app.example.com/<script>", "character '<'"),
            ("https://app.example.com/%zz", "%"),
            ("https://app.example.com/%4", "%"),
            ("javascript:alert(1)", "never redirected"),
            ("JavaScript:alert(1)", "never redirected"),
            ("javascript://app.example.com/%0aalert(1)", "never redirected"),
            ("DATA:text/html,x", "never redirected"),
            ("vbscript:x", "never redirected"),
            ("file:///etc/passwd", "never redirected"),
            ("FILE:///etc/passwd", "never redirected"),
            ("myapp://callback", "private scheme"),
            ("myapp:/callback", "private scheme"),
            ("com.example.app:", "nothing after"),
            ("com.example.app://", "nothing after"),
            ("https:app.example.com/callback", "must begin"),
            ("https:/app.example.com/callback", "must begin"),
            ("https:///app.example.com/callback", "must begin"),
            ("https://", "not a URI"),
            ("https://app.example.com:99999/", "not a URI"),
            ("https://[::1/", "not a URI"),
            (&long, "longer than 1024"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong:?} was refused because it {error}");
        }
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        for (text, is_one) in [
            ("https://app.example.com", true),
            ("https://app.example.com:8443", true),
            ("http://localhost:3000", true),
            ("https://app.example.com/", false),
            ("https://app.example.com:443", false),
            ("https://App.example.com", false),
            ("http://app.example.com", false),
            ("https://ada@app.example.com", false),
            ("app.example.com", false),
            ("null", false),
            ("*", false),
        ] {
            assert_eq!(is_origin(text), is_one, "{text}");
        }
    }

    #[test]
    fn a_preview_pattern_stands_for_one_label_below_an_admitted_suffix() {
        let own = ["preview.example.com".to_owned()];
        for (pattern, is_one) in [
            ("https://*.preview.example.com/cb", true),
            ("https://*.preview.example.com:8443/cb?x=1", true),
            ("https://*.eu.preview.example.com/cb", true),
            ("https://*.example.com/cb", false),
            ("https://*.notpreview.example.com/cb", false),
            ("https://*.preview.example.com.evil.test/cb", false),
            ("https://*.PREVIEW.example.com/cb", false),
            ("https://*.*.preview.example.com/cb", false),
            ("https://a*.preview.example.com/cb", false),
            ("https://*preview.example.com/cb", false),
            ("http://*.preview.example.com/cb", false),
            ("https://*.preview.example.com/*", false),
            ("https://*.preview.example.com/cb#x", false),
            ("https://*.evil.test@preview.example.com/cb", false),
            ("https://*.evil.test/.preview.example.com", false),
            ("https://*", false),
        ] {
            assert_eq!(preview(pattern, &own).is_ok(), is_one, "{pattern}");
        }
        assert!(preview("https://*.preview.example.com/cb", &[]).is_err());
    }

    #[test]
    fn a_suffix_is_a_domain_of_two_labels_at_least() {
        for (text, is_one) in [
            ("preview.example.com", true),
            ("example.com", true),
            ("com", false),
            ("", false),
            (".com", false),
            ("example.com.", false),
            ("Example.com", false),
            ("127.0.0.1", false),
            ("example.com/x", false),
            ("example.com:80", false),
            ("*.example.com", false),
        ] {
            assert_eq!(is_own_domain(text), is_one, "{text}");
        }
    }

    #[test]
    fn a_list_has_at_most_a_hundred_entries_and_the_error_names_the_field() {
        let many = |count: usize| {
            (0..count)
                .map(|n| format!("https://app.example.com/{n}"))
                .collect::<Vec<_>>()
        };
        assert!(list("redirect_uris", &many(100)).is_ok());
        assert!(list("redirect_uris", &many(101)).is_err());
        let error = list("logout_uris", &["/\u{7}".into()]).unwrap_err().to_string();
        assert_eq!(error, "logout_uris: '/\\u{7}' has a control character");
    }
}
