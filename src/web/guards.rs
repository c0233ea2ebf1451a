//! What is refused before any handler sees it: connections and requests beyond an address's share, and requests that are
//! too long, too large or could be read in two ways. What stands in the guards' settings is decided here; what an endpoint
//! gives to whom is its own affair.

use std::any::Any;
use std::net::IpAddr;

use actix_web::dev::Extensions;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Version};
use actix_web::rt::net::TcpStream;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::body;
use super::headers::RequestId;
use super::oidc::error;
use super::{console, management, peer};
use crate::broker::{Broker, Over, RATE_WINDOW, Seat, Standing, network};
use crate::rules::discovery::paths;
use crate::rules::params;

/// Largest body that most endpoints read, in bytes.
pub const LARGEST_BODY: usize = params::LONGEST;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What costs nothing, and what many behind one address ask for again and again.
const UNCOUNTED: [&str; 2] = ["/healthz", "/assets/"];
/// Where programs prove who they are: whoever does is not counted by address.
const PROVING: [&str; 3] = [paths::TOKEN, paths::USERINFO, paths::REVOKE];

/// Gives a new connection its seat, which its requests find again, and its answers so long to be taken as a body has to come (on
/// Linux): actix-web waits for ever for somebody who reads nothing.
pub fn sit(broker: &Broker, connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>();
    #[cfg(target_os = "linux")]
    if let Some(stream) = stream
        && let Err(cause) =
            socket2::SockRef::from(stream).set_tcp_user_timeout(Some(broker.guards.body_within))
    {
        tracing::debug!(%cause, "a connection has no deadline for its answers");
    }
    let peer = stream
        .and_then(|stream| stream.peer_addr().ok())
        .map(|peer| peer.ip())
        .filter(|peer| !peer::is_proxy(peer, &broker.trusted_proxies));
    let seat = broker.seats.take(peer, broker.guards.connections_per_address);
    data.insert(seat);
}

/// The answer to a request that goes no further.
pub fn refusal(broker: &Broker, request: &HttpRequest) -> Option<HttpResponse> {
    let (guard, mut answer) = if request
        .conn_data::<Seat>()
        .is_some_and(|seat| seat.is_one_too_many)
    {
        let answer = HttpResponse::TooManyRequests()
            .insert_header((header::RETRY_AFTER, "1"))
            .content_type("text/plain; charset=utf-8")
            .body("This address has too many connections open.\n");
        ("connections", answer)
    } else if let Some(status) = misshapen(broker, request) {
        ("shape", HttpResponse::new(status))
    } else {
        return beyond_share(broker, request);
    };
    broker.metrics.refused(guard);
    body::close(&mut answer);
    Some(answer)
}

/// What is wrong with a request's form, by its head alone.
fn misshapen(broker: &Broker, request: &HttpRequest) -> Option<StatusCode> {
    let guards = &broker.guards;
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > guards.longest_url {
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
    if size > guards.largest_headers {
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
    // The console's forms hold whole mappings, and so do some calls of the management API; nothing else is as long.
    let largest = match uri.path() {
        "/" => management::LONGEST_BODY,
        path if path.starts_with("/console/") => console::door::LONGEST_FORM,
        _ => LARGEST_BODY,
    };
    announced
        .is_some_and(|length| length > largest.min(guards.largest_body))
        .then_some(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Takes the request from its address's share, and answers it if there is none left.
fn beyond_share(broker: &Broker, request: &HttpRequest) -> Option<HttpResponse> {
    let address = counted(broker, request)?;
    let standing = broker.address_rate.take(broker.clock.now(), &address)?;
    if standing.over == Some(Over::First) {
        tracing::warn!(
            "an address has used up its requests of this minute; a proxy is named with --trusted-proxy"
        );
    }
    beyond(broker, request, standing)
}

/// Takes a token request from its app client's share, and answers it if there is none left.
pub fn beyond_clients_share(broker: &Broker, request: &HttpRequest, client_id: &str) -> Option<HttpResponse> {
    let standing = broker.client_rate.take(broker.clock.now(), client_id)?;
    if standing.over == Some(Over::First) {
        tracing::warn!(
            client = client_id,
            "an app client has used up its token requests of this minute"
        );
    }
    beyond(broker, request, standing)
}

/// Keeps how somebody stands for the answer's headers; the answer itself where nothing is left.
fn beyond(broker: &Broker, request: &HttpRequest, standing: Standing) -> Option<HttpResponse> {
    let mut extensions = request.extensions_mut();
    match extensions.get_mut::<Standings>() {
        Some(known) => known.0.push(standing),
        None => {
            extensions.insert(Standings(vec![standing]));
        }
    }
    drop(extensions);
    standing.over?;
    broker.metrics.refused(standing.name);
    Some(if request.path() == "/" {
        management::too_many(&RequestId::of(request))
    } else {
        error::too_many(request, standing.resets_in)
    })
}

/// Whoever has proved who they are has the request back that was taken from their address's share.
pub fn give_back(broker: &Broker, request: &HttpRequest, status: StatusCode) {
    let proves = request.path() == "/" || PROVING.contains(&request.path());
    if proves
        && status.is_success()
        && let Some(address) = counted(broker, request)
    {
        broker.address_rate.give_back(broker.clock.now(), &address);
    }
}

/// Whose share a request takes; nobody's where the address says nothing: this machine's own may be those of a proxy that
/// nobody has named, and of everybody behind it.
fn counted(broker: &Broker, request: &HttpRequest) -> Option<IpAddr> {
    let path = request.path();
    if UNCOUNTED.iter().any(|start| path.starts_with(start)) || path.contains("/.well-known/") {
        return None;
    }
    let address = peer::address(request, &broker.trusted_proxies)?.to_canonical();
    (!address.is_loopback()).then(|| network(address))
}

/// How a request stands with the limits that it was counted against.
struct Standings(Vec<Standing>);

/// Says it (draft-ietf-httpapi-ratelimit-headers-10 §3 and §4, RFC 9110 §10.2.3).
pub fn tell(request: &HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    let Some(Standings(standings)) = extensions.get() else {
        return;
    };
    let list = |item: fn(&Standing) -> String| standings.iter().map(item).collect::<Vec<_>>().join(", ");
    let policies = list(|one| format!("\"{}\";q={};w={RATE_WINDOW}", one.name, one.quota));
    let limits = list(|one| format!("\"{}\";r={};t={}", one.name, one.left, one.resets_in));
    for (name, value) in [(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, limits)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if let Some(over) = standings.iter().find(|one| one.over.is_some()) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(over.resets_in));
    }
}
