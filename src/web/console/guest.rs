//! Who is not signed in yet: a cookie without meaning, to which the forms before the sign-in are bound, so that nobody
//! can sign a browser in to another account from elsewhere (login CSRF). And where a guest goes after.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use url::Url;

use super::door;
use super::problem::Problem;
use crate::actions::admins::Place;
use crate::broker::Broker;
use crate::rules::params::Params;
use crate::rules::secret;
use crate::web::{cookies, peer};

const COOKIE: &str = "__Host-console-guest";
/// How long a form of ours may lie open in a browser before it is sent.
const SECONDS: i64 = 12 * 3_600;
/// The longest way back that is remembered, in bytes.
const LONGEST_NEXT: usize = 2_048;
/// What is kept of a browser's name, in characters.
const LONGEST_USER_AGENT: usize = 256;

/// A browser that asks for a page before the sign-in.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What its forms must bring back.
    pub csrf: String,
    /// To be set with the page.
    pub cookie: Cookie<'static>,
}

impl Guest {
    pub fn of(request: &HttpRequest, broker: &Broker) -> Guest {
        let known = cookies::token(request, COOKIE).unwrap_or_else(|| secret::token(&broker.entropy));
        Guest {
            csrf: csrf(broker, &known),
            // Lax: a page that is opened by a link from elsewhere must not make the other tabs' forms stale.
            cookie: cookies::set(COOKIE.into(), known, SECONDS),
        }
    }
}

fn csrf(broker: &Broker, token: &str) -> String {
    door::csrf(&broker.sealer, &format!("guest:{token}"))
}

/// The fields of a POST from a page that this browser was shown before the sign-in.
#[derive(Clone, Debug)]
pub struct GuestForm(pub Params);

impl GuestForm {
    /// The field's value without the blanks around it, '' when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default().trim()
    }
}

impl FromRequest for GuestForm {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = door::read(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let (broker, params) = form.await?;
            let token = cookies::token(&request, COOKIE).ok_or(Problem::Forged)?;
            if door::is_ours(&params, &csrf(&broker, &token)) {
                Ok(GuestForm(params))
            } else {
                Err(Problem::Forged)
            }
        })
    }
}

/// Where to after the sign-in: a page of the console, whatever the link says.
pub fn next(asked: Option<&str>, public_url: &str) -> String {
    asked
        .filter(|path| path.starts_with('/') && path.len() <= LONGEST_NEXT)
        .and_then(|path| local(path, public_url))
        .unwrap_or_else(|| "/console".into())
}

/// The path as a browser would understand it, with dots and backslashes resolved, if it stays within the console.
fn local(path: &str, public_url: &str) -> Option<String> {
    let base = Url::parse(public_url).ok()?;
    let url = base.join(path).ok()?;
    let inside = url.path() == "/console" || url.path().starts_with("/console/");
    (url.origin() == base.origin() && inside).then(|| {
        url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        )
    })
}

/// Where the request comes from, for the session's list and the audit log.
pub fn place(request: &HttpRequest, broker: &Broker) -> Place {
    let user_agent = request
        .headers()
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default();
    Place {
        address: address(request, broker).map_or_else(String::new, |address| address.to_string()),
        user_agent: user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_USER_AGENT)
            .collect(),
        provider_id: None,
    }
}

/// Whose share of a limit the request takes.
pub fn address(request: &HttpRequest, broker: &Broker) -> Option<IpAddr> {
    peer::address(request, &broker.trusted_proxies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_within_the_console() {
        let next = |asked: &str| next(Some(asked), "https://id.example.com");
        for inside in ["/console", "/console/users?after=x&q=%2F", "/console/a%20b"] {
            assert_eq!(next(inside), inside);
        }
        assert_eq!(next("/console/users#x"), "/console/users");
        for outside in [
            "",
            "/",
            "/consolex",
            "/logout",
            "//evil.test/console",
            "/\\evil.test/console",
            "/\t/evil.test/console",
            "https://evil.test/console",
            "https://id.example.com/console",
            "console",
            "/console/../logout?x",
            "/console/%2e%2e/logout",
            "/console/..\\logout",
            "/console\\..\\..\\logout",
            "javascript:alert(1)",
        ] {
            assert_eq!(next(outside), "/console", "{outside}");
        }
        assert_eq!(next(&format!("/console/{}", "a".repeat(3_000))), "/console");
    }
}
