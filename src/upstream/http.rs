//! The one HTTP client that speaks to upstreams: fenced, bounded in time, size and number, and careful about what it
//! tells. Redirects are answers like any other, there are no cookies, no proxy from the environment, no decompression.
//!
//! What went wrong is a [`Trouble`] with a cause; neither it nor the log holds a query, a body or a header of the request.

use std::error::Error as _;
use std::time::{Duration, Instant};

use http::header::{HeaderMap, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use url::Url;

use super::Options;
use super::fence::{self, Allowed, NoAddress, Resolver};
use super::lane::{Closed, Lanes, Went};
use super::tls::Trust;
use crate::metrics::Calls;
use crate::rules::upstream_error::{Cause, plain};
use crate::trace_context::{self, TRACEPARENT};
use crate::world::{Clock, UnixTime};

/// Name, TCP and TLS.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The most that is read of an answer.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// A request got no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub cause: Cause,
    /// For the trace and the log.
    pub detail: String,
    pub retry_at: Option<UnixTime>,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.cause.name(), self.detail)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    fn new(cause: Cause, detail: impl Into<String>) -> Trouble {
        Trouble {
            cause,
            detail: detail.into(),
            retry_at: None,
        }
    }
}

pub struct Http {
    /// Dials public addresses only.
    fenced: reqwest::Client,
    /// Dials whatever a named exception resolves to.
    open: reqwest::Client,
    allowed: Allowed,
    pub(super) lanes: Lanes,
    clock: Clock,
    pub(super) calls: Calls,
    pub(super) trust: Trust,
    pub(super) proxied: bool,
    /// From the first look at the name to the last byte of the body.
    deadline: Duration,
}

impl std::fmt::Debug for Http {
    /// The clients' own form would show the proxy's credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Http({:?})", self.allowed)
    }
}

impl Http {
    pub fn new(options: &Options, deadline: Duration, clock: Clock) -> Result<Http, String> {
        let proxy = options.proxy.as_ref();
        let trust = Trust::new(options.ca_pem.as_deref())?;
        let client = |fenced: bool| -> Result<reqwest::Client, String> {
            let mut builder = reqwest::Client::builder()
                .tls_backend_preconfigured(trust.config()?)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT_WITHIN.min(deadline.mul_f32(0.6)))
                .timeout(deadline)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(8)
                .dns_resolver(Resolver {
                    fenced,
                    proxy: options.proxy.as_ref().and_then(Url::host_str).map(str::to_owned),
                });
            if let Some(proxy) = proxy.filter(|_| fenced) {
                let proxy = reqwest::Proxy::all(proxy.clone())
                    .map_err(|error| format!("the outbound proxy cannot be used: {}", without_url(error)))?;
                builder = builder.proxy(proxy);
            }
            builder
                .build()
                .map_err(|error| format!("the HTTP client cannot be made: {}", without_url(error)))
        };
        Ok(Http {
            fenced: client(true)?,
            open: client(false)?,
            allowed: Allowed::parse(&options.allow)?,
            lanes: Lanes::new(clock.clone()),
            clock,
            calls: Calls::default(),
            proxied: proxy.is_some(),
            deadline,
            trust,
        })
    }

    /// A client without the fence, for an address that is the operator's own.
    pub fn unfenced(&self, within: Duration) -> Result<reqwest::Client, String> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.trust.config()?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(within)
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {}", without_url(error)))
    }

    /// Whether the URL may be called, and as a named exception.
    pub fn admits(&self, url: &Url) -> Result<bool, Trouble> {
        fence::check(url, &self.allowed)
            .map_err(|why| Trouble::new(Cause::AddressRefused, format!("{} is refused: {why}", place(url))))
    }

    /// Sends a request on a lane and reads the whole answer, whatever its status.
    pub async fn send(&self, lane: &str, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Trouble> {
        self.send_within(lane, request, self.deadline).await
    }

    /// The same for what is worth less of a wait.
    pub async fn send_within(
        &self,
        lane: &str,
        request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Response<Vec<u8>>, Trouble> {
        let turn = self.lanes.turn(lane).await.map_err(|closed| match closed {
            Closed::TooMany => Trouble::new(
                Cause::TooManyAtOnce,
                "too many requests to this provider are under way",
            ),
            Closed::Open { until } => Trouble {
                cause: Cause::CircuitOpen,
                detail: "the provider failed repeatedly and is left alone for a moment".into(),
                retry_at: Some(until),
            },
            Closed::RateLimited { until } => Trouble {
                cause: Cause::RateLimited,
                detail: format!("the provider's rate limit ends at {until}"),
                retry_at: Some(until),
            },
        })?;
        let begun = Instant::now();
        let answer = self.send_now_within(request, within).await;
        self.calls.ended(
            lane.strip_prefix("connection ").unwrap_or("metadata"),
            answer.as_ref().ok().map(|answer| answer.status().as_u16()),
            begun.elapsed(),
        );
        turn.report(match &answer {
            Err(trouble) if trouble.cause == Cause::AddressRefused => Went::Well,
            Err(_) => Went::Badly,
            Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => self
                .limited_until(answer.headers())
                .map_or(Went::Badly, Went::Limited),
            Ok(answer) if answer.status().is_server_error() => Went::Badly,
            Ok(_) => Went::Well,
        });
        answer
    }

    /// Sends a request outside the lanes, as the examination of a connection does.
    pub async fn send_now(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Trouble> {
        self.send_now_within(request, self.deadline).await
    }

    async fn send_now_within(
        &self,
        mut request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Response<Vec<u8>>, Trouble> {
        let url = Url::parse(&request.uri().to_string())
            .map_err(|_| Trouble::new(Cause::ConnectionMisconfigured, "the endpoint is not a URL"))?;
        let client = if self.admits(&url)? {
            &self.open
        } else {
            &self.fenced
        };
        request.headers_mut().insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("Forebay/", env!("CARGO_PKG_VERSION"))),
        );
        // Whose sign-in this is for, where the request that waits for it can be found.
        let call = trace_context::current(|context| context.call(request.method().as_str(), &url));
        let (traceparent, span) = call.unzip();
        if let Some(Ok(value)) = traceparent.map(|text| HeaderValue::from_str(&text)) {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        let answer = self.exchange_within(client, place(&url), request, within).await;
        if let Some(mut span) = span.flatten() {
            match &answer {
                Ok(answer) => span.answered(answer.status().as_u16()),
                Err(trouble) => span.failed(trouble.cause.name()),
            }
        }
        answer
    }

    async fn exchange_within(
        &self,
        client: &reqwest::Client,
        place: String,
        request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Response<Vec<u8>>, Trouble> {
        let request = reqwest::Request::try_from(request).map_err(|_| {
            Trouble::new(
                Cause::ConnectionMisconfigured,
                format!("{place} cannot be called"),
            )
        })?;
        match tokio::time::timeout(within, exchange(client, request)).await {
            Ok(Ok(answer)) => {
                tracing::debug!(%place, status = answer.status().as_u16(), "called the provider");
                Ok(answer)
            }
            Ok(Err(problem)) => {
                let trouble = problem.describe(&place);
                tracing::warn!(%place, cause = trouble.cause.name(), "the provider could not be called");
                Err(trouble)
            }
            Err(_) => {
                tracing::warn!(%place, "the provider did not answer in time");
                Err(Trouble::new(
                    Cause::Timeout,
                    format!(
                        "{place} did not finish its answer within {} s",
                        within.as_secs_f32()
                    ),
                ))
            }
        }
    }

    /// When a 429 says that its limit ends: Okta's `X-Rate-Limit-Reset` (epoch seconds) or `Retry-After` (seconds).
    pub fn limited_until(&self, headers: &HeaderMap) -> Option<UnixTime> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let now = self.clock.now();
        number(RETRY_AFTER.as_str())
            .map(|seconds| now.plus(seconds.max(0)))
            .or_else(|| number("x-rate-limit-reset").map(UnixTime))
    }
}

/// Scheme, host, port and path: what may be shown of a URL.
pub fn place(url: &Url) -> String {
    plain(
        &format!("{}{}", url.origin().ascii_serialization(), url.path()),
        200,
    )
}

enum Problem {
    Client(reqwest::Error),
    TooLarge,
}

async fn exchange(client: &reqwest::Client, request: reqwest::Request) -> Result<Response<Vec<u8>>, Problem> {
    let mut answer = client.execute(request).await.map_err(Problem::Client)?;
    if answer
        .content_length()
        .is_some_and(|length| length > LARGEST_BODY as u64)
    {
        return Err(Problem::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(Problem::Client)? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Problem::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status();
    std::mem::swap(response.headers_mut(), answer.headers_mut());
    Ok(response)
}

impl Problem {
    fn describe(self, place: &str) -> Trouble {
        let error = match self {
            Problem::TooLarge => {
                return Trouble::new(
                    Cause::ResponseTooLarge,
                    format!("{place} answered with more than {LARGEST_BODY} bytes"),
                );
            }
            Problem::Client(error) => error,
        };
        for source in causes(&error) {
            if let Some(problem) = source.downcast_ref::<NoAddress>() {
                let cause = match problem {
                    NoAddress::Unresolved(_) => Cause::DnsFailed,
                    NoAddress::NotPublic => Cause::AddressRefused,
                };
                return Trouble::new(cause, format!("{place}: {problem}"));
            }
            if let Some(problem) = source.downcast_ref::<rustls::Error>() {
                return Trouble::new(
                    Cause::TlsHandshakeFailed,
                    format!("{place}: {}", plain(&problem.to_string(), 200)),
                );
            }
        }
        let (cause, what) = match (error.is_connect(), error.is_timeout()) {
            (true, true) => (Cause::ConnectTimeout, "no connection came about in time"),
            (true, false) if ended_after_connecting(&error) => (
                Cause::TlsHandshakeFailed,
                "the connection ended during the TLS handshake",
            ),
            (true, false) => (Cause::ConnectFailed, "the connection was refused or failed"),
            (false, true) => (Cause::Timeout, "the answer was not finished in time"),
            (false, false) => (
                Cause::ConnectionLost,
                "the connection broke before the answer was complete",
            ),
        };
        Trouble::new(cause, format!("{place}: {what}"))
    }
}

/// What caused the error, outermost first.
fn causes(error: &reqwest::Error) -> Vec<&(dyn std::error::Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        // An I/O error's source is that of the error inside it, which would be passed over.
        let inside = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => cause.source(),
        };
    }
    causes
}

/// TCP had come about, so that it was the handshake that the other side cut short.
fn ended_after_connecting(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind;
    causes(error)
        .into_iter()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| {
            matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            )
        })
}

/// reqwest's errors name the URL, which may hold what must not be told.
fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
