//! The way back to the app: an authorization response or error in one of the three response modes.

use super::params;

/// How the response travels (OAuth 2.0 Multiple Response Types §2.1, Form Post §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ResponseMode {
    #[serde(rename = "q")]
    Query,
    #[serde(rename = "f")]
    Fragment,
    #[serde(rename = "p")]
    FormPost,
}

impl ResponseMode {
    pub const ALL: &'static [(&'static str, ResponseMode)] = &[
        ("query", ResponseMode::Query),
        ("fragment", ResponseMode::Fragment),
        ("form_post", ResponseMode::FormPost),
    ];

    pub fn parse(name: &str) -> Option<ResponseMode> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, mode)| *mode)
    }
}

/// A response on its way: where to, how, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub redirect_uri: String,
    pub mode: ResponseMode,
    pub fields: Vec<(&'static str, String)>,
}

impl Response {
    /// The URL of a redirect; for `form_post`, where the form goes.
    pub fn location(&self) -> String {
        let (uri, encoded) = (&self.redirect_uri, || {
            params::encode(self.fields.iter().map(|(n, v)| (n, v)))
        });
        match self.mode {
            ResponseMode::FormPost => uri.clone(),
            ResponseMode::Fragment => format!("{uri}#{}", encoded()),
            ResponseMode::Query if uri.ends_with(['?', '&']) => format!("{uri}{}", encoded()),
            ResponseMode::Query if uri.contains('?') => format!("{uri}&{}", encoded()),
            ResponseMode::Query => format!("{uri}?{}", encoded()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_appended_and_escaped_in_each_mode() {
        let at = |uri: &str, mode| {
            Response {
                redirect_uri: uri.into(),
                mode,
                fields: vec![("code", "a b".into()), ("state", "x&y=\r\nz".into())],
            }
            .location()
        };
        let tail = "code=a+b&state=x%26y%3D%0D%0Az";
        assert_eq!(
            at("https://app/cb", ResponseMode::Query),
            format!("https://app/cb?{tail}")
        );
        assert_eq!(
            at("https://app/cb?a=1", ResponseMode::Query),
            format!("https://app/cb?a=1&{tail}")
        );
        assert_eq!(
            at("https://app/cb", ResponseMode::Fragment),
            format!("https://app/cb#{tail}")
        );
        assert_eq!(at("https://app/cb", ResponseMode::FormPost), "https://app/cb");
    }
}
