//! The outermost layer of every request: its id and trace, its deadlines, and what every answer carries: the request id,
//! the security headers, and `no-store` unless the handler said otherwise.

use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};

use super::body::{self, Arriving};
use super::{guards, route_of};
use crate::broker::Broker;
use crate::trace_context::{self, TRACEPARENT, TraceContext};

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
pub async fn apply<B: MessageBody + 'static>(
    broker: web::Data<Broker>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let begun = Instant::now();
    let method = request.method().clone();
    let id = broker.request_id();
    request.extensions_mut().insert(RequestId(id.clone()));
    let context = TraceContext::of(&id, traceparent(request.headers())).told_to(broker.spans.as_ref());
    let mut span = context.span(method.as_str());
    if let Some(span) = &mut span {
        let is_https = broker.public_url.starts_with("https:");
        span.reached_over(if is_https { "https" } else { "http" });
    }
    let arriving = body::watch(
        &mut request,
        broker.guards.body_within,
        broker.guards.largest_body,
    );
    let work = serve(&broker, request, arriving.clone(), next);
    let answered = trace_context::within(context, work).await;
    let Some(answered) = answered else {
        // The request is gone with the work on it, and with it the name of its route.
        broker.metrics.refused("request_deadline");
        broker
            .metrics
            .request(method.as_str(), None, 503, begun.elapsed());
        if let Some(span) = &mut span {
            span.answered(503);
        }
        let mut answer = HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, "1"))
            .content_type("text/plain; charset=utf-8")
            .body("This took too long. Try again in a moment.\n");
        body::close(&mut answer);
        dress(answer.headers_mut(), &broker, &id);
        if let Some(arriving) = arriving {
            answer = answer.map_body(|_, body| arriving.held(body));
        }
        return Err(InternalError::from_response("the request took too long", answer).into());
    };
    let mut response = answered.inspect_err(|error| {
        if let Some(span) = &mut span {
            span.answered(error.as_response_error().status_code().as_u16());
        }
    })?;
    let (route, status) = (route_of(response.request()), response.status());
    if let Some(span) = &mut span {
        if let Some(route) = &route {
            let template = route.template();
            span.routed(template.to_owned(), path(response.request(), template));
        }
        span.answered(status.as_u16());
    }
    broker.metrics.request(
        method.as_str(),
        route.as_deref(),
        status.as_u16(),
        begun.elapsed(),
    );
    guards::give_back(&broker, response.request(), status);
    if broker.draining.load(Ordering::Relaxed) {
        body::close(response.response_mut());
    }
    let request = response.request().clone();
    guards::tell(&request, response.headers_mut());
    dress(response.headers_mut(), &broker, &id);
    Ok(response)
}

/// What a route names of ours, and nobody's secret.
const NAMED: [&str; 4] = ["{pool}", "{tenant}", "{connection}", "{client}"];

/// The path as it may be shown: of what the route leaves open only names of ours, for it is also links that open something.
/// A path without a route is whatever somebody typed, and not shown at all.
fn path(request: &HttpRequest, route: &str) -> String {
    let is_name = |value: &str| {
        let mut bytes = value.bytes();
        value.len() <= 64 && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let shown = |(part, value)| {
        if NAMED.contains(&part) && is_name(value) {
            value
        } else {
            part
        }
    };
    let parts = route.split('/').zip(request.path().split('/')).map(shown);
    parts.collect::<Vec<_>>().join("/")
}

/// The only `traceparent`: of several none can be told to be the right one.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(TRACEPARENT);
    let only = all.next()?;
    match all.next() {
        None => only.to_str().ok(),
        Some(_) => None,
    }
}

/// Serves a request within its time; nothing when that is over.
async fn serve<B: MessageBody + 'static>(
    broker: &Broker,
    request: ServiceRequest,
    arriving: Option<Arriving>,
    next: Next<B>,
) -> Option<Result<ServiceResponse<EitherBody<B>>, Error>> {
    let mut response = match guards::refusal(broker, request.request()) {
        Some(answer) => request.into_response(answer).map_into_right_body(),
        None => match tokio::time::timeout(broker.guards.request_within, next.call(request)).await {
            Ok(Ok(response)) => response.map_into_left_body(),
            Ok(Err(error)) => return Some(Err(error)),
            Err(_) => return None,
        },
    };
    let Some(arriving) = arriving else {
        return Some(Ok(response));
    };
    if let Some((guard, status)) = arriving.fault() {
        broker.metrics.refused(guard);
        let answer = HttpResponse::new(status);
        response = response.into_response(answer).map_into_right_body();
    }
    Some(Ok(arriving.closing(response)))
}

/// What an answer has unless its handler gave it something else.
fn dress(headers: &mut HeaderMap, broker: &Broker, request_id: &str) {
    let mut default = |name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    if let Ok(value) = HeaderValue::from_str(request_id) {
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
}
