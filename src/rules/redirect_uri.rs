//! Is this redirect URI the client's? Exact string comparison, with two exceptions: the port of a loopback literal for
//! native apps, which are public clients (RFC 8252 §7.3), and the left-most label of a preview host, for clients that are
//! no production app. Nothing is parsed and put together again, which is where others went wrong.

use super::registration::uri::PREVIEW;
use crate::model::client::Settings;

/// The client's redirect URI that the asked one stands for, if any.
pub fn registered<'a>(client: &'a Settings, asked: &str) -> Option<&'a str> {
    client
        .redirect_uris
        .iter()
        .find(|known| known.as_str() == asked || (client.public && same_but_loopback_port(known, asked)))
        .or_else(|| {
            let mut patterns = client.preview_redirect_uris.iter();
            patterns.find(|pattern| client.non_production && is_preview(pattern, asked))
        })
        .map(String::as_str)
}

/// Whether it is the pattern with one label of a host name in the wildcard's place.
fn is_preview(pattern: &str, asked: &str) -> bool {
    let (Some(known), Some(asked)) = (pattern.strip_prefix(PREVIEW), asked.strip_prefix("https://")) else {
        return false;
    };
    let Some((label, rest)) = asked.split_once('.') else {
        return false;
    };
    let of_a_label = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    rest == known
        && (1..=63).contains(&label.len())
        && label.bytes().all(of_a_label)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether the client may be returned to there after signing out: no exceptions (RP-Initiated Logout §3).
pub fn is_logout_uri(client: &Settings, asked: &str) -> bool {
    client.logout_uris.iter().any(|known| known == asked)
}

/// Whether this is an app's own scheme, which any other app on the device could claim, too (RFC 8252 §8.6).
pub fn is_private_scheme(uri: &str) -> bool {
    !["https://", "http://"].iter().any(|web| {
        uri.get(..web.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(web))
    })
}

/// Both are `http://127.0.0.1` or `http://[::1]` with the same path and query, whatever their ports.
fn same_but_loopback_port(registered: &str, asked: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].into_iter().any(|host| {
        match (registered.strip_prefix(host), asked.strip_prefix(host)) {
            (Some(registered), Some(asked)) => match (path(registered), path(asked)) {
                (Some(registered), Some(asked)) => registered == asked,
                _ => false,
            },
            _ => false,
        }
    })
}

/// What follows the optional port; `None` when what follows the host is no port and no path.
fn path(rest: &str) -> Option<&str> {
    let Some(after) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest);
    };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (port, path) = after.split_at_checked(digits)?;
    let good = port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('0');
    (good && (path.is_empty() || path.starts_with(['/', '?']))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(public: bool, uris: &[&str]) -> Settings {
        let uris: Vec<String> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        Settings {
            redirect_uris: uris.clone(),
            logout_uris: uris,
            public,
            ..Settings::default()
        }
    }

    #[test]
    fn a_preview_host_is_one_label_in_the_patterns_place() {
        let pattern = "https://*.preview.example.com/cb";
        let mut known = Settings {
            preview_redirect_uris: vec![pattern.into()],
            non_production: true,
            ..Settings::default()
        };
        for (asked, is_one) in [
            ("https://pr-42.preview.example.com/cb", true),
            ("https://7.preview.example.com/cb", true),
            ("https://*.preview.example.com/cb", false),
            ("https://.preview.example.com/cb", false),
            ("https://preview.example.com/cb", false),
            ("https://a.b.preview.example.com/cb", false),
            ("https://-a.preview.example.com/cb", false),
            ("https://PR.preview.example.com/cb", false),
            ("https://a.preview.example.com/cb/", false),
            ("https://a.preview.example.com/cb?x", false),
            ("https://a.preview.example.com:444/cb", false),
            ("http://a.preview.example.com/cb", false),
            ("https://evil.test/a.preview.example.com/cb", false),
            ("https://evil@a.preview.example.com/cb", false),
            ("https://evil%2e.preview.example.com/cb", false),
            ("https://evil.test#.preview.example.com/cb", false),
            ("https://ａ.preview.example.com/cb", false),
        ] {
            assert_eq!(registered(&known, asked), is_one.then_some(pattern), "{asked}");
        }
        known.non_production = false;
        assert_eq!(registered(&known, "https://pr-42.preview.example.com/cb"), None);
    }

    #[test]
    fn only_the_exact_string_is_registered() {
        let known = client(true, &["https://ok", "https://ok/cb?x=1", "com.example.app:/cb"]);
        for exact in &known.redirect_uris {
            assert_eq!(registered(&known, exact), Some(exact.as_str()));
            assert!(is_logout_uri(&known, exact));
        }
        for other in [
            "",
            "//evil",
            "/\\evil",
            "/\t/evil",
            "\\\\evil",
            "https:evil",
            "https:/evil",
            "https://ok@evil",
            "https://ok@@evil",
            "https://ok:80@evil",
            "https://ok%40evil",
            "https://ok.evil",
            "https://okevil",
            "https://evil#ok",
            "https://evil?ok",
            "https://ok/..;/x",
            "https://ok/%2e%2e/",
            "https://ok%00",
            "https://ok%0d%0a",
            "https://ok.",
            "HTTPS://ok",
            "https://OK",
            "https://ok/",
            "https://ok#",
            "https://ok:443",
            "https://ok:0443",
            "https://оk",
            "https://ok⁄cb",
            "https://ｏｋ",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "https://ok/cb?x=1&y=2",
            "https://ok/cb",
            " https://ok",
            "https://ok ",
        ] {
            assert_eq!(registered(&known, other), None, "{other}");
            assert!(!is_logout_uri(&known, other), "{other}");
        }
    }

    #[test]
    fn loopback_literals_match_on_any_port_for_native_apps_and_nothing_else_does() {
        let uris = [
            "http://127.0.0.1/cb",
            "http://[::1]:9999/cb",
            "http://localhost:1/cb",
        ];
        let (known, web) = (client(true, &uris), client(false, &uris));
        for good in [
            "http://127.0.0.1:51004/cb",
            "http://127.0.0.1/cb",
            "http://[::1]/cb",
            "http://[::1]:1/cb",
        ] {
            assert!(registered(&known, good).is_some(), "{good}");
            let exact = uris.contains(&good);
            assert_eq!(
                registered(&web, good).is_some(),
                exact,
                "a confidential client: {good}"
            );
            assert_eq!(is_logout_uri(&known, good), exact, "after signing out: {good}");
        }
        for bad in [
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:08/cb",
            "http://127.0.0.1:80@evil/cb",
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.1@evil/cb",
            "http://127.0.0.2/cb",
            "http://2130706433/cb",
            "http://0177.0.0.1/cb",
            "https://127.0.0.1/cb",
            "http://localhost:2/cb",
            "http://[::1%25eth0]/cb",
            "http://127.0.0.1:51004/cb#x",
            "http://127.0.0.1\\@evil/cb",
        ] {
            assert_eq!(registered(&known, bad), None, "{bad}");
        }
    }

    #[test]
    fn an_apps_own_scheme_is_told_from_the_webs() {
        for (uri, private) in [
            ("https://app/cb", false),
            ("HTTP://127.0.0.1/cb", false),
            ("com.example.app:/cb", true),
            ("https.example:/cb", true),
            ("a", true),
        ] {
            assert_eq!(is_private_scheme(uri), private, "{uri}");
        }
    }
}
