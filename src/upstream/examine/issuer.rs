//! Whether an issuer discovers at all: for the choice between Okta's authorization servers, before there is a connection.

use serde_json::Value;

use crate::rules::upstream_error::plain;
use crate::upstream::metadata::{discovery_document, discovery_url, get, read_discovery};
use crate::upstream::{Failure, Upstream};

/// What the discovery document of an issuer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub scopes: Vec<String>,
}

impl Upstream {
    /// Fetches the discovery document of that very issuer, afresh.
    pub async fn answers(&self, issuer: &str) -> Result<Answers, Failure> {
        let http = &self.0.http;
        let url = discovery_url(issuer)?;
        let answer = http.send_now(get(&url)?).await?;
        let document = discovery_document(&answer, &url, http.limited_until(answer.headers()))?;
        read_discovery(&document, issuer, http)?;
        let scopes = document.get("scopes_supported").and_then(Value::as_array);
        Ok(Answers {
            scopes: scopes
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .take(50)
                .map(|scope| plain(scope, 60))
                .collect(),
        })
    }
}
