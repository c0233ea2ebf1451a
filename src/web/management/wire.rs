//! AWS JSON 1.1 as bytes: where a call says its operation, and how answers and errors look to an SDK.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use super::error::Failure;
use crate::world::UnixTime;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The call's `X-Amz-Target`; nothing when it came twice or the body is said to be something else.
pub fn target(request: &HttpRequest) -> Option<&str> {
    let kind = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(
        kind,
        "application/x-amz-json-1.1" | "application/x-amz-json-1.0" | "application/json"
    ) {
        return None;
    }
    let mut targets = request.headers().get_all("x-amz-target");
    match (targets.next(), targets.next()) {
        (Some(target), None) => target.to_str().ok(),
        _ => None,
    }
}

/// For calls from a browser (Amplify): any origin, without credentials.
pub async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, x-amz-target, x-amz-user-agent, x-amz-date, x-amz-content-sha256, \
             x-amz-security-token, amz-sdk-invocation-id, amz-sdk-request, cache-control",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

pub fn object(request_id: &str, value: &Value) -> HttpResponse {
    frame(&mut HttpResponse::Ok(), request_id).body(value.to_string())
}

/// What an operation without an output answers.
pub fn empty(request_id: &str) -> HttpResponse {
    frame(&mut HttpResponse::Ok(), request_id).finish()
}

pub fn failed(request_id: &str, failure: &Failure) -> HttpResponse {
    tracing::info!(error = failure.name, "a management call was refused");
    let mut answer = HttpResponse::build(failure.status());
    answer.insert_header(("x-amzn-ErrorType", format!("{}:", failure.name)));
    let shown: String = failure
        .message
        .chars()
        .filter(|letter| matches!(letter, ' '..='~'))
        .collect();
    if let Ok(message) = HeaderValue::from_str(&shown) {
        answer.insert_header(("x-amzn-ErrorMessage", message));
    }
    frame(&mut answer, request_id)
        .body(json!({ "__type": failure.name, "message": failure.message }).to_string())
}

fn frame<'a>(answer: &'a mut HttpResponseBuilder, request_id: &str) -> &'a mut HttpResponseBuilder {
    answer
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .insert_header(("x-amzn-RequestId", request_id))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "x-amzn-RequestId, x-amzn-ErrorType, x-amzn-ErrorMessage, Date",
        ))
}

/// A time as SDKs read it: seconds since 1970 as a number.
pub fn time(at: UnixTime) -> Value {
    json!(at.0)
}
