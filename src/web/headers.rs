//! What every answer carries: a request id, the security headers, and `no-store` unless the handler said otherwise. Also
//! the outer limits of a request.

use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};

use crate::broker::Broker;
use crate::rules::params;
use crate::web::{console, management};

/// Longest path and query, in bytes: a longer one is answered 414.
pub const LONGEST_URI: usize = 8_192;
/// Names and values of all headers, in bytes: more is answered 431. Our own cookies are at most half of it.
pub const LARGEST_HEADERS: usize = 16_384;
/// Largest body that any endpoint reads, in bytes: a larger one is answered 413.
pub const LARGEST_BODY: usize = params::LONGEST;

/// From the end of a request's head to its answer, the body's arrival and every call upstream included.
const DEADLINE: Duration = Duration::from_secs(30);

/// The id under which a request stands in the log; also the answer's `x-amz-cognito-request-id`.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    pub fn of(request: &HttpRequest) -> String {
        request
            .extensions()
            .get::<RequestId>()
            .map(|id| id.0.clone())
            .unwrap_or_default()
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-cognito-request-id");
/// Pages bring their own; this is for everything else.
const CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The outermost middleware.
pub async fn apply<B: MessageBody>(
    broker: web::Data<Broker>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let begun = Instant::now();
    let method = request.method().clone();
    let id = broker.request_id();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match refusal(request.request()) {
        Some(status) => request
            .into_response(HttpResponse::new(status))
            .map_into_right_body(),
        // actix-web itself waits for a slow body for ever.
        None => tokio::time::timeout(DEADLINE, next.call(request))
            .await
            .map_err(|_| InternalError::new("the request took too long", StatusCode::REQUEST_TIMEOUT))??
            .map_into_left_body(),
    };
    let (route, status) = (response.request().match_pattern(), response.status().as_u16());
    broker
        .metrics
        .request(method.as_str(), route, status, begun.elapsed());
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        default(REQUEST_ID, value);
    }
    default(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    default(header::CONTENT_SECURITY_POLICY, CSP);
    default(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    default(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    default(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if broker.public_url.starts_with("https:") {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        default(header::STRICT_TRANSPORT_SECURITY, year);
    }
    Ok(response)
}

/// What is refused before any handler sees it.
fn refusal(request: &HttpRequest) -> Option<StatusCode> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_URI {
        return Some(StatusCode::URI_TOO_LONG);
    }
    // No name of the console's has a NUL, and PostgreSQL cannot even be asked for one.
    let has_nul = |text: &str| text.contains("%00");
    if uri.path().starts_with("/console") && (has_nul(uri.path()) || uri.query().is_some_and(has_nul)) {
        return Some(StatusCode::NOT_FOUND);
    }
    let headers = request.headers();
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > LARGEST_HEADERS {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    // Exactly one, though nothing here is decided by it (RFC 9112 §3.2).
    let hosts = headers.get_all(header::HOST).count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some(StatusCode::BAD_REQUEST);
    }
    let length = headers.get(header::CONTENT_LENGTH);
    if length.is_some() && headers.contains_key(header::TRANSFER_ENCODING) {
        // Two lengths: what request smuggling is made of (RFC 9112 §6.1).
        return Some(StatusCode::BAD_REQUEST);
    }
    let announced = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // The console's forms hold whole mappings; nothing else is as long.
    // So do some calls of the management API.
    let largest = match uri.path() {
        "/" => management::LONGEST_BODY,
        path if path.starts_with("/console/") => console::door::LONGEST_FORM,
        _ => LARGEST_BODY,
    };
    announced
        .is_some_and(|length| length > largest)
        .then_some(StatusCode::PAYLOAD_TOO_LARGE)
}
