//! The OpenID Connect surface: Cognito's endpoints at the root of the host, metadata under the issuer.

pub mod authorize;
mod barred;
mod choice;
mod chooser;
mod confirm;
pub mod cors;
pub mod error;
pub mod idpresponse;
pub mod login_page;
pub mod login_style;
pub mod logout;
pub mod mint;
pub mod password_form;
pub mod register;
mod respond;
pub mod revoke;
mod somebody_else;
pub mod start_login;
pub mod token;
pub mod token_in;
mod upstream_leg;
pub mod userinfo;
mod visitor;
pub mod well_known;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Bytes;

use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{Malformed, Params};

/// The parameters of a request's query.
fn query(request: &HttpRequest) -> Result<Params, Malformed> {
    Params::parse(request.query_string().as_bytes())
}

/// The parameters of a form body (RFC 6749 Appendix B); every other content type is refused.
fn form(request: &HttpRequest, body: &Bytes) -> Result<Params, OAuthError> {
    if !is_form(request) {
        return Err(OAuthError::new(
            Code::InvalidRequest,
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    Params::parse(body)
        .map_err(|Malformed(why)| OAuthError::because(Code::InvalidRequest, "the form cannot be read", why))
}

fn is_form(request: &HttpRequest) -> bool {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
