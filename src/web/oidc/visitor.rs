//! Whom the login page shows a form with a password field: a cookie without meaning, to which the form is bound, so that
//! nobody can sign a browser in to another account from elsewhere (login CSRF).

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::Broker;
use crate::rules::params::Params;
use crate::rules::secret;
use crate::web::cookies;

const COOKIE: &str = "__Host-visitor";
/// The hidden field of the forms.
pub const FIELD: &str = "csrf";
/// How long a form may lie open before it is sent.
const SECONDS: i64 = 3_600;

pub struct Visitor {
    /// What the form must bring back.
    pub csrf: String,
    /// To be set with the page.
    pub cookie: Cookie<'static>,
}

impl Visitor {
    pub fn of(request: &HttpRequest, broker: &Broker) -> Visitor {
        let known = cookies::token(request, COOKIE).unwrap_or_else(|| secret::token(&broker.entropy));
        Visitor {
            csrf: csrf(broker, &known),
            cookie: cookies::set(COOKIE.into(), known, SECONDS),
        }
    }
}

/// Whether the form was shown to this very browser.
pub fn is_theirs(request: &HttpRequest, broker: &Broker, form: &Params) -> bool {
    let came = form.get(FIELD).unwrap_or_default();
    cookies::token(request, COOKIE)
        .is_some_and(|token| secret::equal(csrf(broker, &token).as_bytes(), came.as_bytes()))
}

fn csrf(broker: &Broker, token: &str) -> String {
    let mac = broker.sealer.derive("login-form", token.as_bytes()).next();
    mac.map(|mac| URL_SAFE_NO_PAD.encode(mac)).unwrap_or_default()
}
