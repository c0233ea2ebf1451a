//! The three lines that apps made for Okta are set up by (`OKTA_CLIENT_ID`, `OKTA_CLIENT_SECRET`, `OKTA_ISSUER_URI`): read
//! from such a file to make a connection, and written for an app that is to come here instead.

use zeroize::Zeroizing;

const CLIENT_ID: &str = "OKTA_CLIENT_ID";
const CLIENT_SECRET: &str = "OKTA_CLIENT_SECRET";
const ISSUER: &str = "OKTA_ISSUER_URI";

/// What a file says of an Okta app.
#[derive(Clone, Default)]
pub struct OktaApp {
    pub client_id: Option<String>,
    pub client_secret: Option<Zeroizing<String>>,
    /// As it is written: nothing is stripped.
    pub issuer: Option<String>,
}

/// Reads it. Other names are passed over; the last line of a name counts, as it does for the apps.
pub fn read(text: &str) -> Result<OktaApp, String> {
    let mut app = OktaApp::default();
    for line in text.lines().map(str::trim) {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = Some(unquoted(value.trim())).filter(|value| !value.is_empty());
        match name.trim() {
            CLIENT_ID => app.client_id = value.map(str::to_owned),
            CLIENT_SECRET => app.client_secret = value.map(|value| Zeroizing::new(value.to_owned())),
            ISSUER => app.issuer = value.map(str::to_owned),
            _ => {}
        }
    }
    if app.client_id.is_none() && app.client_secret.is_none() && app.issuer.is_none() {
        return Err(format!("has none of {CLIENT_ID}, {CLIENT_SECRET} and {ISSUER}"));
    }
    Ok(app)
}

/// The value between its quotes; without quotes a comment may follow it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    value
        .split_once(" #")
        .map_or(value, |(value, _)| value)
        .trim_end()
}

/// The lines for an app that signs its users in here. A public client has no secret; one that is not known is left for
/// whoever has it.
pub fn block(issuer: &str, client_id: &str, public: bool, secret: Option<&str>) -> String {
    let mut text = format!("{ISSUER}={issuer}\n{CLIENT_ID}={client_id}\n");
    if !public {
        text.push_str(&format!("{CLIENT_SECRET}={}\n", secret.unwrap_or_default()));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_three_lines_are_read_however_they_are_quoted() {
        let app = read(
            "# Okta\nPORT=3000\r\nexport OKTA_CLIENT_ID=\"0oa1\"  # the app\r\nOKTA_CLIENT_SECRET='a#b = \"c\"'\n\
             OKTA_ISSUER_URI = https://acme.okta.com/oauth2/default # server\n",
        )
        .unwrap();
        assert_eq!(app.client_id.as_deref(), Some("0oa1"));
        assert_eq!(app.client_secret.unwrap().as_str(), "a#b = \"c\"");
        assert_eq!(
            app.issuer.as_deref(),
            Some("https://acme.okta.com/oauth2/default")
        );
        for nothing in [
            "",
            "PORT=1",
            "#OKTA_CLIENT_ID=0oa1",
            "OKTA_CLIENT_ID=",
            "OKTA_CLIENT_ID",
        ] {
            assert!(read(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let app = read(&block("https://b/pool", "client", false, Some("s"))).unwrap();
        assert_eq!(
            (app.client_id.as_deref(), app.issuer.as_deref()),
            (Some("client"), Some("https://b/pool"))
        );
        assert_eq!(app.client_secret.unwrap().as_str(), "s");
        assert!(!block("i", "c", true, None).contains(CLIENT_SECRET));
    }
}
