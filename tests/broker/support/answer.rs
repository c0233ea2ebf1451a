//! An HTTP answer, read whole.

use serde_json::Value;
use url::Url;

/// Status, headers in order, body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Asserts the status and gives itself back.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// `error` of a JSON body.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {self:?}"))
            .to_owned()
    }

    /// The error name that a page of ours shows.
    pub fn shows(&self, text: &str) -> bool {
        super::unescape(&self.body).contains(text)
    }

    /// Asserts a page of ours that refuses: the status, the name it shows, and that nobody is sent anywhere.
    #[track_caller]
    pub fn is_page(&self, status: u16, name: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("location"), None, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{self:?}"
        );
        assert!(self.shows(name), "{name}: {self:?}");
    }

    /// The trace code on an error page: `XXX-XXX`.
    pub fn trace_code(&self) -> Option<String> {
        let bytes = self.body.as_bytes();
        let readable = |byte: &u8| b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789".contains(byte);
        bytes.windows(9).find_map(|w| {
            let inner = &w[1..8];
            let edges = !w[0].is_ascii_alphanumeric()
                && !w[8].is_ascii_alphanumeric()
                && w[0] != b'-'
                && w[8] != b'-';
            let shape =
                inner[3] == b'-' && inner[..3].iter().all(readable) && inner[4..].iter().all(readable);
            (edges && shape).then(|| String::from_utf8_lossy(inner).into_owned())
        })
    }
}

/// A parameter of the redirect's query.
#[track_caller]
pub fn location_param(answer: &Answer, name: &str) -> Option<String> {
    query_of(answer.location(), name)
}

/// A parameter of a URL's query, or of its fragment.
pub fn query_of(url: &str, name: &str) -> Option<String> {
    let base = Url::parse("http://localhost:8080").expect("a URL");
    let url = base.join(url).expect("a URL");
    let find = |text: &str| {
        form_urlencoded::parse(text.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    url.query()
        .and_then(find)
        .or_else(|| url.fragment().and_then(find))
}
