//! What is counted while the broker works, for Prometheus. A count costs an atomic addition, and a lookup under a shared
//! lock where no route keeps it. Labels come from bounded sets: of names that others choose the first few hundred are told
//! apart, the rest is `other`. No label holds a secret or anything of a user's.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing_appender::non_blocking::ErrorCounter;

/// Names of one label that are told apart.
const MOST_NAMES: usize = 200;
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignIn {
    outcome: &'static str,
    cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    connection: String,
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    guard: &'static str,
}

/// The broker's counters.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Timed, Histogram>,
    sign_ins: Family<SignIn, Counter>,
    causes: Names,
    deliveries: Family<Delivery, Counter>,
    refused: Family<Refusal, Counter>,
    log: OnceLock<ErrorCounter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub fn new(calls: &Calls) -> Metrics {
        let mut registry = Registry::with_prefix("forebay");
        let requests = Family::default();
        registry.register(
            "http_requests",
            "Requests by route and status class",
            requests.clone(),
        );
        let request_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        registry.register(
            "http_request_seconds",
            "Time from a request's head to its answer",
            request_seconds.clone(),
        );
        let sign_ins = Family::default();
        registry.register(
            "sign_ins",
            "Sign-ins that came back from an upstream, by outcome and cause",
            sign_ins.clone(),
        );
        let deliveries = Family::default();
        registry.register(
            "webhook_deliveries",
            "Attempts to deliver to webhooks",
            deliveries.clone(),
        );
        let refused = Family::default();
        registry.register(
            "refused_requests",
            "Requests that a guard has refused, by guard",
            refused.clone(),
        );
        registry.register(
            "upstream_seconds",
            "Time of calls to upstreams, by connection",
            calls.0.seconds.clone(),
        );
        Metrics {
            registry,
            requests,
            request_seconds,
            sign_ins,
            causes: Names::default(),
            deliveries,
            refused,
            log: OnceLock::new(),
        }
    }

    /// A request was answered by that route, or by none.
    pub fn request(&self, method: &str, route: Option<&Route>, status: u16, took: Duration) {
        let method = match method {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "OPTIONS" => "OPTIONS",
            _ => "other",
        };
        let status = match status {
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            500..=599 => "5xx",
            _ => "other",
        };
        let none;
        let route = match route {
            Some(route) => route,
            None => {
                none = Route::new("unmatched");
                &none
            }
        };
        let seconds = route.seconds.get_or_init(|| {
            self.request_seconds.get_or_create_owned(&Timed {
                route: route.template.clone(),
            })
        });
        seconds.observe(took.as_secs_f64());
        let mut counters = route.requests.borrow_mut();
        let counter = counters.entry((method, status)).or_insert_with(|| {
            self.requests.get_or_create_owned(&Request {
                method,
                route: route.template.clone(),
                status,
            })
        });
        counter.inc();
    }

    /// A sign-in ended. Outcome and cause are the trace's.
    pub fn sign_in(&self, outcome: &'static str, cause: &str) {
        let cause = self.causes.label(cause);
        self.sign_ins.get_or_create(&SignIn { outcome, cause }).inc();
    }

    /// A guard has refused a request.
    pub fn refused(&self, guard: &'static str) {
        self.refused.get_or_create(&Refusal { guard }).inc();
    }

    /// Where the lines are counted that the log has lost.
    pub fn watch_log(&self, lost: ErrorCounter) {
        // A process has one log; a second one's lines are not told.
        let _ = self.log.set(lost);
    }

    /// Lines that were not written because nobody read the log quickly enough.
    pub fn lost_log_lines(&self) -> u64 {
        let lost = self.log.get().map_or(0, ErrorCounter::dropped_lines);
        u64::try_from(lost).unwrap_or(u64::MAX)
    }

    /// `arrived`, `failed` or `given_up`.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&Delivery { outcome }).inc();
    }

    /// Everything as OpenMetrics text, with what `also` registers: figures of this very moment.
    pub fn text(&self, also: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, also)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// A route of one thread's service, by its template and never by a path itself, with the counters that were found for it:
/// to find one by its labels costs more than all else of counting.
pub struct Route {
    template: String,
    seconds: OnceCell<Histogram>,
    /// By method and status class.
    requests: RefCell<BTreeMap<(&'static str, &'static str), Counter>>,
}

impl Route {
    pub fn new(template: &str) -> Route {
        Route {
            template: template.to_owned(),
            seconds: OnceCell::new(),
            requests: RefCell::default(),
        }
    }

    pub fn template(&self) -> &str {
        &self.template
    }
}

/// Calls to upstreams; clones count into the same place.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<CallsInner>);

#[derive(Debug)]
struct CallsInner {
    seconds: Family<Call, Histogram, fn() -> Histogram>,
    names: Names,
}

impl Default for CallsInner {
    fn default() -> Self {
        CallsInner {
            seconds: Family::new_with_constructor(seconds),
            names: Names::default(),
        }
    }
}

impl Calls {
    /// A call ended, with this HTTP status if there was an answer.
    pub fn ended(&self, connection: &str, status: Option<u16>, took: Duration) {
        let labels = Call {
            connection: self.0.names.label(connection),
            answer: match status {
                Some(200..=399) => "ok",
                Some(400..=499) => "refused",
                Some(_) => "failed",
                None => "none",
            },
        };
        self.0.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// The first names that come; those after them are `other`.
#[derive(Debug, Default)]
pub struct Names(RwLock<HashSet<String>>);

impl Names {
    pub fn label(&self, name: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) {
            return name.to_owned();
        }
        let full = known.len() >= MOST_NAMES;
        drop(known);
        if full {
            return "other".into();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned());
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_first_hundreds_are_one() {
        let names = Names::default();
        for n in 0..1_000 {
            let name = format!("name-{n}");
            let expected = if n < MOST_NAMES { name.as_str() } else { "other" };
            assert_eq!(names.label(&name), expected);
        }
        assert_eq!(names.label("name-7"), "name-7");
    }
}
