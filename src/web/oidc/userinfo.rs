//! `GET` and `POST /oauth2/userInfo` (OIDC Core §5.3): the claims that the access token's scopes release.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use super::{cors, error, form, is_form, query};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::rules::claims;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::web::bearer::{Refused, bearer};
use crate::web::domains;

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    serve(&request, None, &broker).await
}

pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    match in_form(&request, &body) {
        Ok(posted) => serve(&request, posted, &broker).await,
        Err(refusal) => error::bearer(Some(&refusal)),
    }
}

/// The token of a form body (RFC 6750 §2.2). A POST without a form is fine: the token is in the header (Core §5.3.1).
fn in_form(request: &HttpRequest, body: &Bytes) -> Result<Option<String>, OAuthError> {
    if !is_form(request) {
        return Ok(None);
    }
    let form = form(request, body)?;
    if form.is_repeated("access_token") {
        return Err(OAuthError::new(
            Code::InvalidRequest,
            "the access token came twice",
        ));
    }
    Ok(form.get("access_token").map(str::to_owned))
}

async fn serve(request: &HttpRequest, posted: Option<String>, broker: &Data<Broker>) -> HttpResponse {
    let token = match presented(request, posted) {
        Ok(Some(token)) => token,
        Ok(None) => return error::bearer(None),
        Err(refusal) => return error::bearer(Some(&refusal)),
    };
    match claims_of(request, &token, broker).await {
        Ok(Ok(claims)) => HttpResponse::Ok()
            .insert_header(cors::ANY_ORIGIN)
            .insert_header((header::CONTENT_TYPE, "application/json;charset=UTF-8"))
            .body(Value::Object(claims).to_string()),
        Ok(Err(refusal)) => error::bearer(Some(&refusal)),
        Err(cause) => error::store(request, &cause),
    }
}

/// The one token of the request: by header or form, never by query, never twice (RFC 6750 §2).
fn presented(request: &HttpRequest, posted: Option<String>) -> Result<Option<String>, OAuthError> {
    let invalid = |text: &'static str| OAuthError::new(Code::InvalidRequest, text);
    if query(request).is_ok_and(|params| params.get("access_token").is_some()) {
        return Err(invalid("the access token must not be in the query"));
    }
    let headers: Vec<_> = request.headers().get_all(header::AUTHORIZATION).collect();
    let by_header = match headers.as_slice() {
        [] => None,
        [one] => {
            let text = one
                .to_str()
                .map_err(|_| invalid("the Authorization header is malformed"))?;
            match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Some(token.trim().to_owned())
                }
                None if text.eq_ignore_ascii_case("bearer") => {
                    return Err(invalid("the Authorization header holds no token"));
                }
                // A scheme that is not ours is no token: the answer tells which one is (RFC 6750 §3.1).
                _ => None,
            }
        }
        _ => return Err(invalid("the Authorization header came twice")),
    };
    match (by_header, posted) {
        (Some(_), Some(_)) => Err(invalid("the access token came in two places")),
        (by_header, posted) => Ok(by_header.or(posted)),
    }
}

async fn claims_of(
    request: &HttpRequest,
    token: &str,
    broker: &Data<Broker>,
) -> Result<Result<Map<String, Value>, OAuthError>, StoreError> {
    let no_openid = || {
        OAuthError::new(
            Code::InsufficientScope,
            "Access token does not contain openid scope",
        )
    };
    let invalid = |cause: &'static str| {
        OAuthError::because(
            Code::InvalidToken,
            "Access token is expired, disabled, or deleted, or the user has globally signed out.",
            cause,
        )
    };
    let bearer = match bearer(broker, token).await? {
        Ok(bearer) => bearer,
        Err(Refused::OfNobody) => return Ok(Err(no_openid())),
        Err(refused) => return Ok(Err(invalid(refused.cause()))),
    };
    if !domains::serves(request, &bearer.app.pool.pool.id) {
        return Ok(Err(invalid("another pool's host was asked")));
    }
    if !bearer.has("openid") {
        return Ok(Err(no_openid()));
    }
    let app = &bearer.app;
    Ok(Ok(claims::userinfo(
        &app.pool.pool,
        &app.client,
        &bearer.user,
        &bearer.scopes,
    )))
}
