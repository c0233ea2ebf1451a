//! Spans for OpenTelemetry: one of each request that is served, one of each call that is made for it, sent to a collector
//! over OTLP/HTTP. Names and attributes are those of the semantic conventions for HTTP; none holds a query, a header, a body
//! or anything of a person's.
//!
//! Nobody waits for the collector. A span that ends is put into a bounded queue, a task of its own sends what is in it, and
//! what finds no room or is not taken in time is dropped and counted. Without a collector there is neither queue nor task.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};
use url::Url;

/// Spans that wait to be sent at the most; less than a kilobyte each.
const WAITING: usize = 4_096;
/// Spans that are sent at once at the most.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// A collector that takes longer has not taken them; what OpenTelemetry gives it.
pub const EXPORT_WITHIN: Duration = Duration::from_secs(10);
/// How long a node that ends waits for the collector to take the last spans.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// Where spans are put that have ended; cheap to clone.
#[derive(Clone, Debug)]
pub struct Spans(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<SpanData>,
    lost: AtomicU64,
    scope: InstrumentationScope,
}

/// The task that sends them.
pub struct Exporter {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// Begins to send spans to the collector at `endpoint`, to which the standard's path is added. What else there is to say of
/// it, OpenTelemetry's own variables do: headers, the service's name, resource attributes.
pub fn start(client: reqwest::Client, endpoint: &Url) -> Result<(Spans, Exporter), String> {
    let address = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address)
        .build()
        .map_err(|error| format!("spans cannot be sent: {error}"))?;
    exporter.set_resource(&resource());
    let (queue, waiting) = mpsc::channel(WAITING);
    let (stop, stopped) = oneshot::channel();
    let scope = InstrumentationScope::builder("forebay")
        .with_version(env!("CARGO_PKG_VERSION"))
        .build();
    let spans = Spans(Arc::new(Inner {
        queue,
        lost: AtomicU64::new(0),
        scope,
    }));
    let task = tokio::spawn(send(waiting, exporter, stopped, spans.clone()));
    Ok((spans, Exporter { task, stop }))
}

/// Who sends the spans: `forebay`, unless the environment says another name.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&"service.name".into()).map(|name| name.to_string());
    let is_named = name.is_some_and(|name| !name.starts_with("unknown_service"));
    let ours = [
        (!is_named).then(|| KeyValue::new("service.name", "forebay")),
        Some(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))),
    ];
    Resource::builder()
        .with_attributes(ours.into_iter().flatten())
        .build()
}

async fn send(
    mut waiting: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    mut stopped: oneshot::Receiver<()>,
    spans: Spans,
) {
    let (mut batch, mut is_open, mut was_taken) = (Vec::new(), true, true);
    while is_open || !waiting.is_empty() || !batch.is_empty() {
        tokio::select! {
            () = fill(&mut waiting, &mut batch) => {}
            // Sent now, dropped with the task: either way it is the end.
            _ = &mut stopped, if is_open => {
                waiting.close();
                is_open = false;
                continue;
            }
        }
        let count = batch.len() as u64;
        match exporter.export(mem::take(&mut batch)).await {
            Ok(()) if was_taken => {}
            Ok(()) => {
                info!("the collector takes spans again");
                was_taken = true;
            }
            Err(error) => {
                spans.0.lost.fetch_add(count, Ordering::Relaxed);
                // Once, not with every batch: how many they are is in the metrics.
                if mem::take(&mut was_taken) {
                    warn!(%error, "the collector takes no spans; until it does they are lost, and counted");
                }
            }
        }
    }
}

/// Waits for a span and a moment for more. Broken off it loses none: they are in the batch, or still wait.
async fn fill(waiting: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if batch.is_empty() {
        waiting.recv_many(batch, BATCH).await;
    }
    let more =
        async { while batch.len() < BATCH && waiting.recv_many(batch, BATCH - batch.len()).await > 0 {} };
    // Over is over: what has come is sent.
    let _ = timeout(GATHER, more).await;
}

impl Exporter {
    /// Sends what waits, as long as the collector takes it in time.
    pub async fn stop(self) {
        // Nobody hears it where the task has ended.
        let _ = self.stop.send(());
        if timeout(FLUSH_WITHIN, self.task).await.is_err() {
            warn!("the collector did not take the last spans in time");
        }
    }
}

impl Spans {
    /// Spans that the collector did not get.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Begins the span of a request that is served: its id is ours, its parent whoever sent the request.
    pub fn server(&self, trace: TraceId, id: SpanId, parent: Option<SpanId>, method: &str) -> Box<Span> {
        self.begin(SpanKind::Server, trace, id, parent, method)
    }

    /// Begins the span of a call to that address, made while a request is served.
    pub fn client(&self, trace: TraceId, parent: SpanId, method: &str, url: &Url) -> Box<Span> {
        let id = RandomIdGenerator::default().new_span_id();
        let mut span = self.begin(SpanKind::Client, trace, id, Some(parent), method);
        // Not the URL: a hook's path may be its secret.
        span.add("server.address", url.host_str().unwrap_or_default().to_owned());
        span.add(
            "server.port",
            i64::from(url.port_or_known_default().unwrap_or_default()),
        );
        span
    }

    fn begin(
        &self,
        kind: SpanKind,
        trace: TraceId,
        id: SpanId,
        parent: Option<SpanId>,
        method: &str,
    ) -> Box<Span> {
        let known = METHODS.iter().find(|known| **known == method).copied();
        let context = SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE);
        Box::new(Span {
            spans: self.clone(),
            context,
            parent: parent.unwrap_or(SpanId::INVALID),
            kind,
            name: known.unwrap_or("HTTP").into(),
            started: SystemTime::now(),
            begun: Instant::now(),
            attributes: vec![KeyValue::new("http.request.method", known.unwrap_or("_OTHER"))],
            is_over: false,
            status: Status::Unset,
        })
    }
}

/// The methods that the semantic conventions know by name.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// Something that is under way. It ends when it is dropped, so that also what was given up is told.
#[derive(Debug)]
pub struct Span {
    spans: Spans,
    context: SpanContext,
    parent: SpanId,
    kind: SpanKind,
    name: Cow<'static, str>,
    started: SystemTime,
    begun: Instant,
    attributes: Vec<KeyValue>,
    is_over: bool,
    status: Status,
}

impl Span {
    pub fn id(&self) -> SpanId {
        self.context.span_id()
    }

    /// A route served it; its template is what requests of a kind have in common.
    pub fn routed(&mut self, route: String, path: String) {
        self.name = format!("{} {route}", self.name).into();
        self.add("http.route", route);
        self.add("url.path", path);
    }

    /// Over which scheme those who asked reached us.
    pub fn reached_over(&mut self, scheme: &'static str) {
        self.add("url.scheme", scheme);
    }

    /// It was answered. Who asks wrongly is no fault of the server, and one of whoever calls it.
    pub fn answered(&mut self, status: u16) {
        self.add("http.response.status_code", i64::from(status));
        let wrong_from = if self.kind == SpanKind::Server { 500 } else { 400 };
        match status >= wrong_from {
            true => self.failed(status.to_string()),
            false => self.is_over = true,
        }
    }

    /// It ended badly.
    pub fn failed(&mut self, cause: impl Into<Value>) {
        self.is_over = true;
        self.add("error.type", cause);
        self.status = Status::error("");
    }

    fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(name, value));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if !self.is_over {
            // Whoever waited for it waits no more.
            self.failed("cancelled");
        }
        let span = SpanData {
            span_context: self.context.clone(),
            parent_span_id: self.parent,
            parent_span_is_remote: self.kind == SpanKind::Server && self.parent != SpanId::INVALID,
            span_kind: self.kind.clone(),
            name: mem::take(&mut self.name),
            start_time: self.started,
            end_time: self.started + self.begun.elapsed(),
            attributes: mem::take(&mut self.attributes),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: mem::take(&mut self.status),
            instrumentation_scope: self.spans.0.scope.clone(),
        };
        if self.spans.0.queue.try_send(span).is_err() {
            self.spans.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
