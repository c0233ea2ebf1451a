//! Requests and answers as the stand-in Okta sees them: plain values, so that every handler is an ordinary
//! function. Also the record of what was asked, with secrets masked.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::world::UnixTime;

/// Names and values in the order they came.
pub type Pairs = Vec<(String, String)>;

/// A request, taken apart.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query_string: String,
    pub query: Pairs,
    pub form: Pairs,
    /// Names in lower case.
    pub headers: Pairs,
    pub body: Vec<u8>,
}

impl Request {
    pub fn read(request: &HttpRequest, body: &[u8]) -> Request {
        let headers: Pairs = request
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_ascii_lowercase(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let is_form = headers.iter().any(|(name, value)| {
            name == "content-type"
                && value
                    .to_ascii_lowercase()
                    .starts_with("application/x-www-form-urlencoded")
        });
        Request {
            method: request.method().as_str().to_owned(),
            path: request.path().to_owned(),
            query_string: request.query_string().to_owned(),
            query: pairs(request.query_string().as_bytes()),
            form: if is_form { pairs(body) } else { Vec::new() },
            headers,
            body: body.to_vec(),
        }
    }

    /// A query parameter; an empty one counts as absent (RFC 6749 §3.1).
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// A form field; an empty one counts as absent.
    pub fn form(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(header, _)| header == "cookie")
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(cookie, _)| *cookie == name)
            .map(|(_, value)| value)
    }
}

/// The first non-empty value of that name.
pub fn find<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

fn pairs(encoded: &[u8]) -> Pairs {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// `uri` with further parameters, behind a query that it may already have.
pub fn with_query(uri: &str, parameters: &[(String, String)]) -> String {
    with(uri, if uri.contains('?') { '&' } else { '?' }, parameters)
}

/// `uri` with parameters in its fragment.
pub fn with_fragment(uri: &str, parameters: &[(String, String)]) -> String {
    with(uri, '#', parameters)
}

fn with(uri: &str, separator: char, parameters: &[(String, String)]) -> String {
    if parameters.is_empty() {
        return uri.to_owned();
    }
    let encoded = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{uri}{separator}{encoded}")
}

/// An answer that may still be tampered with on its way out.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn empty(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn json(status: StatusCode, value: &Value) -> Reply {
        Reply::text(status, "application/json", value.to_string())
    }

    pub fn text(status: StatusCode, content_type: &str, body: String) -> Reply {
        let headers = vec![("content-type", content_type.to_owned())];
        Reply {
            status,
            headers,
            body: body.into_bytes(),
        }
    }

    /// 302, as Okta sends it.
    pub fn redirect(location: &str) -> Reply {
        Reply::empty(StatusCode::FOUND)
            .header("location", location)
            .header("referrer-policy", "no-referrer")
            .no_store()
    }

    /// This answer with the header set, in place of one of that name.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.retain(|(existing, _)| *existing != name);
        self.headers.push((name, value.into()));
        self
    }

    /// This answer with one more header, beside any of that name.
    pub fn and_header(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub fn no_store(self) -> Reply {
        self.header("cache-control", "no-cache, no-store")
            .header("pragma", "no-cache")
            .header("expires", "0")
    }

    /// RFC 6749's error object.
    pub fn oauth_error(status: StatusCode, error: &str, description: &str) -> Reply {
        Reply::json(status, &json!({"error": error, "error_description": description})).no_store()
    }

    /// Okta's own error object.
    pub fn okta_error(status: StatusCode, code: &str, summary: &str, error_id: &str) -> Reply {
        Reply::json(
            status,
            &json!({"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": error_id,
                    "errorCauses": []}),
        )
        .no_store()
    }
}

/// A request that the organisation has seen, for tests that judge by what was asked or by silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub at: UnixTime,
    pub method: String,
    pub path: String,
    pub query: Pairs,
    /// Form fields; secrets read `***`.
    pub form: Pairs,
    /// Lower-case names; `authorization` keeps its scheme only, `cookie` the cookies' names.
    pub headers: Pairs,
}

impl Seen {
    pub fn of(request: &Request, at: UnixTime) -> Seen {
        Seen {
            at,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.iter().map(masked).collect(),
            form: request.form.iter().map(masked).collect(),
            headers: request.headers.iter().map(masked_header).collect(),
        }
    }

    /// A form field's first value.
    pub fn form(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    /// A query parameter's first value.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

const SECRET_FIELDS: [&str; 6] = [
    "password",
    "client_secret",
    "client_assertion",
    "refresh_token",
    "id_token_hint",
    "token",
];

fn masked((name, value): &(String, String)) -> (String, String) {
    let value = if SECRET_FIELDS.contains(&name.as_str()) {
        "***"
    } else {
        value
    };
    (name.clone(), value.to_owned())
}

fn masked_header((name, value): &(String, String)) -> (String, String) {
    let value = match name.as_str() {
        "authorization" => format!("{} ***", value.split(' ').next().unwrap_or_default()),
        "cookie" => value
            .split(';')
            .map(|cookie| cookie.trim().split('=').next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("; "),
        _ => value.clone(),
    };
    (name.clone(), value)
}
