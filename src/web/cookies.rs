//! Our cookies: `__Host-` names only, so that no sibling host and no plain-http page can set them (RFC 6265bis §4.1.3).

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header::COOKIE;

const OURS: &str = "__Host-";
/// Cookies of ours that are looked at: a browser of ours never has as many.
const MOST: usize = 64;

/// The same name came twice: somebody tossed one in, and nobody can tell which is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

/// The `__Host-` cookies of a request, by name.
#[derive(Clone, Debug, Default)]
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    pub fn of(request: &HttpRequest) -> Result<Cookies, Duplicate> {
        let mut found: Vec<(String, String)> = Vec::new();
        // Bytes, not text: another app's cookie that is no ASCII must not blind us to ours.
        for pair in request
            .headers()
            .get_all(COOKIE)
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        {
            let Some((name, value)) = std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if !name.starts_with(OURS) {
                continue;
            }
            if found.iter().any(|(known, _)| known == name) {
                return Err(Duplicate);
            }
            if found.len() >= MOST {
                break;
            }
            found.push((name.to_owned(), value.to_owned()));
        }
        Ok(Cookies(found))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Those whose names begin with `prefix`: what follows it, and the value.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect()
    }
}

/// A cookie that lives `seconds`; `SameSite=Lax`, since an upstream's redirect must bring it back.
pub fn set(name: String, value: String, seconds: i64) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}

/// The same cookie, ended.
pub fn clear(name: String) -> Cookie<'static> {
    set(name, String::new(), 0)
}

/// The drawn token (43 characters of base64url) that a cookie of this name holds, if the browser has one.
pub fn token(request: &HttpRequest, name: &str) -> Option<String> {
    let cookies = Cookies::of(request).ok()?;
    let token = cookies.get(name)?;
    (token.len() == 43).then(|| token.to_owned())
}

/// The name of the session cookie of a pool.
pub fn session_name(user_pool_id: &str) -> String {
    format!("{OURS}session-{user_pool_id}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_refused_wherever_it_stands() {
        let of = |lines: &[&str]| {
            let mut request = TestRequest::default();
            for line in lines {
                request = request.append_header((COOKIE, *line));
            }
            Cookies::of(&request.to_http_request())
        };
        let cookies = of(&["a=1; __Host-x=2; a=3", "__Host-login-s=4"]).unwrap();
        assert_eq!(cookies.get("__Host-x"), Some("2"));
        assert_eq!(cookies.get("a"), None);
        assert_eq!(
            cookies.with_prefix("__Host-login-"),
            [("s".to_owned(), "4".to_owned())]
        );
        assert_eq!(
            of(&["x=\u{e9}; __Host-x=2"]).unwrap().get("__Host-x"),
            Some("2"),
            "others' bytes do not matter"
        );
        assert_eq!(of(&["__Host-x=1; __Host-x=1"]).unwrap_err(), Duplicate);
        assert_eq!(of(&["__Host-x=1", "__Host-x=2"]).unwrap_err(), Duplicate);
    }
}
