//! A collector of OpenTelemetry on loopback: takes what comes over OTLP/HTTP, and answers as it is told, or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;
use url::Url;

/// Nothing is answered.
pub const SILENCE: u16 = 0;

pub struct Collector {
    pub url: Url,
    says: Arc<AtomicU16>,
    exports: Arc<Mutex<Vec<Export>>>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Export {
    pub head: String,
    pub body: Vec<u8>,
}

/// A span as it was told. Ids are hexadecimal, attributes text.
#[derive(Clone, Debug)]
pub struct Told {
    pub service: String,
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    pub name: String,
    pub is_server: bool,
    pub is_error: bool,
    pub attributes: BTreeMap<String, String>,
}

impl Told {
    pub fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

impl Collector {
    pub fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Collector {
            url: format!("http://{}", listener.local_addr().unwrap())
                .parse()
                .unwrap(),
            says: Arc::new(AtomicU16::new(200)),
            exports: Arc::default(),
        };
        let (says, exports) = (collector.says.clone(), collector.exports.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (says, exports) = (says.clone(), exports.clone());
                std::thread::spawn(move || take(stream.unwrap(), &says, &exports));
            }
        });
        collector
    }

    /// Answers with this from now on.
    pub fn says(&self, status: u16) {
        self.says.store(status, Ordering::SeqCst);
    }

    /// Everything that came, whatever was answered.
    pub fn exports(&self) -> Vec<Export> {
        self.exports.lock().unwrap().clone()
    }

    pub fn spans(&self) -> Vec<Told> {
        let bodies = self.exports().into_iter().map(|export| export.body);
        bodies.flat_map(|body| read(&body)).collect()
    }
}

/// Takes requests of one connection until it ends.
fn take(stream: TcpStream, says: &AtomicU16, exports: &Mutex<Vec<Export>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        exports.lock().unwrap().push(Export { head, body });
        let status = says.load(Ordering::SeqCst);
        if status == SILENCE {
            continue;
        }
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(body: &[u8]) -> Vec<Told> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut all = Vec::new();
    for resource in request.resource_spans {
        let about = texts(resource.resource.unwrap_or_default().attributes);
        let scopes = resource.scope_spans.into_iter();
        for span in scopes.flat_map(|scope| scope.spans) {
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
            assert!(span.events.is_empty() && span.links.is_empty() && span.trace_state.is_empty());
            all.push(Told {
                service: about["service.name"].clone(),
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                is_server: match span.kind {
                    2 => true,
                    3 => false,
                    other => panic!("a span of kind {other}"),
                },
                is_error: span.status.is_some_and(|status| {
                    assert_eq!(status.message, "");
                    status.code == 2
                }),
                attributes: texts(span.attributes),
            });
        }
    }
    all
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    attributes
        .into_iter()
        .map(|one| (one.key, text(one.value.unwrap().value.unwrap())))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
