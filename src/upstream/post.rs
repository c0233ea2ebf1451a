//! Deliveries to webhooks: POSTs to addresses that administrators typed, through the same fence as calls to providers.
//! No redirect is followed, no private address is reached, and nothing of the answer is kept but its status.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request};
use url::Url;

use super::Upstream;
use crate::rules::webhook::Answer;

impl Upstream {
    /// Whether the outbound fence lets the address be called; the error completes a sentence. A name is resolved, and
    /// judged by its addresses, each time it is called.
    pub fn admits(&self, url: &Url) -> Result<(), String> {
        self.0
            .http
            .admits(url)
            .map(|_| ())
            .map_err(|trouble| trouble.detail)
    }

    /// Sends a JSON body with these headers.
    pub async fn post(&self, url: &Url, headers: &[(HeaderName, String)], body: String) -> Answer {
        let Some(request) = request(url, headers, body) else {
            return Answer::Nothing("the address cannot be called".into());
        };
        match self.0.http.send_now(request).await {
            Ok(answer) => Answer::Status(answer.status().as_u16()),
            Err(trouble) => Answer::Nothing(trouble.detail),
        }
    }
}

/// The POST of a JSON body; `None` for an address or a header that HTTP has no room for.
pub(super) fn request(url: &Url, headers: &[(HeaderName, String)], body: String) -> Option<Request<Vec<u8>>> {
    let mut request = Request::new(body.into_bytes());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.as_str().parse().ok()?;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).ok()?;
        request.headers_mut().insert(name, value);
    }
    Some(request)
}
