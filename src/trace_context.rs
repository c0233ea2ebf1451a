//! W3C Trace Context (level 1, §3.2): which trace a request belongs to, so that its log lines and the calls that it makes
//! can be found beside those of whoever sent it. A `traceparent` that cannot be read counts as none (§3.2.3); `tracestate` is other
//! vendors' and goes no further than us.
//!
//! The context travels with the task that serves the request: the log's format and the HTTP client ask for it, and nothing
//! else does. What is done on another task has none. It also knows where the spans of the request go, if anywhere.

use std::future::Future;

use opentelemetry::trace::{SpanId, TraceId};
use url::Url;

use crate::spans::{Span, Spans};

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The request that a task works for.
#[derive(Debug)]
pub struct TraceContext {
    /// A UUID: without its dashes the id of a trace that begins here, and its second half our part of any trace.
    request_id: String,
    came: Option<Came>,
    spans: Option<Spans>,
}

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug)]
struct Came {
    trace_id: TraceId,
    parent_id: SpanId,
    is_sampled: bool,
}

impl TraceContext {
    /// The context of a request with that header, if it brings one.
    pub fn of(request_id: &str, traceparent: Option<&str>) -> TraceContext {
        TraceContext {
            request_id: request_id.to_owned(),
            came: traceparent.and_then(parse),
            spans: None,
        }
    }

    /// Tells what is done for the request as spans, unless whoever sent it said that nobody keeps this trace.
    pub fn told_to(mut self, spans: Option<&Spans>) -> TraceContext {
        let is_kept = self.came.is_none_or(|came| came.is_sampled);
        self.spans = spans.filter(|_| is_kept).cloned();
        self
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub fn trace_id(&self) -> String {
        match self.came {
            Some(came) => came.trace_id.to_string(),
            None => self.request_id.replace('-', ""),
        }
    }

    /// Our part of the trace.
    fn span_id(&self) -> String {
        let letters = self.request_id.chars().filter(|letter| *letter != '-');
        letters.skip(16).collect()
    }

    /// The span that serving this request is, if it is told to anybody.
    pub fn span(&self, method: &str) -> Option<Box<Span>> {
        let (spans, trace, ours) = self.told()?;
        Some(spans.server(trace, ours, self.came.map(|came| came.parent_id), method))
    }

    /// A call that is made for this request: the `traceparent` that it says, and the span that it is, if it is told to anybody.
    pub fn call(&self, method: &str, url: &Url) -> (String, Option<Box<Span>>) {
        let told = self.told();
        let span = told.map(|(spans, trace, ours)| spans.client(trace, ours, method, url));
        let parent = span.as_ref().map(|span| span.id().to_string());
        let is_sampled = span.is_some() || self.came.is_some_and(|came| came.is_sampled);
        let text = format!(
            "00-{}-{}-{}",
            self.trace_id(),
            parent.unwrap_or_else(|| self.span_id()),
            if is_sampled { "01" } else { "00" }
        );
        (text, span)
    }

    /// Where spans go, with the ids of the trace and of our part of it.
    fn told(&self) -> Option<(&Spans, TraceId, SpanId)> {
        let spans = self.spans.as_ref()?;
        let trace = TraceId::from_hex(&self.trace_id()).ok()?;
        Some((spans, trace, SpanId::from_hex(&self.span_id()).ok()?))
    }
}

/// Runs what is done for a request.
pub async fn within<F: Future>(context: TraceContext, work: F) -> F::Output {
    CURRENT.scope(context, work).await
}

/// Looks at the context of the request that this task works for.
pub fn current<T>(look: impl FnOnce(&TraceContext) -> T) -> Option<T> {
    CURRENT.try_with(look).ok()
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, lower-case hexadecimal. A version after ours may have more after a
/// further dash.
fn parse(text: &str) -> Option<Came> {
    let mut parts = text.split('-');
    let (version, trace_id) = (parts.next()?, parts.next()?);
    let (parent_id, flags) = (parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length: usize| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let has_more = parts.next().is_some();
    if !is_hex(version, 2) || version == "ff" || (version == "00" && has_more) {
        return None;
    }
    if !is_id(trace_id, 32) || !is_id(parent_id, 16) || !is_hex(flags, 2) {
        return None;
    }
    Some(Came {
        trace_id: TraceId::from_hex(trace_id).ok()?,
        parent_id: SpanId::from_hex(parent_id).ok()?,
        is_sampled: u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: &str = "01234567-89ab-4cde-8f01-23456789abcd";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_goes_on_and_one_begins_where_there_is_none() {
        for (came, sent) in [
            (
                Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                "00-4bf92f3577b34da6a3ce929d0e0e4736-8f0123456789abcd-01",
            ),
            // Flags that level 1 does not know are not passed on.
            (
                Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe"),
                "00-4bf92f3577b34da6a3ce929d0e0e4736-8f0123456789abcd-00",
            ),
            // A later version is read as far as it is ours.
            (
                Some("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future"),
                "00-4bf92f3577b34da6a3ce929d0e0e4736-8f0123456789abcd-01",
            ),
            (None, "00-0123456789ab4cde8f0123456789abcd-8f0123456789abcd-00"),
        ] {
            let url = Url::parse("https://acme.okta.com").unwrap();
            let (traceparent, span) = TraceContext::of(ID, came).call("GET", &url);
            assert_eq!(traceparent, sent, "{came:?}");
            assert!(span.is_none());
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_none() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\u{e4}",
        ] {
            assert_ne!(TraceContext::of(ID, Some(wrong)).trace_id(), TRACE, "{wrong}");
        }
    }

    #[tokio::test]
    async fn only_what_is_done_for_a_request_has_its_context() {
        assert_eq!(current(|context| context.request_id().to_owned()), None);
        let seen = within(TraceContext::of(ID, None), async {
            current(|context| context.request_id().to_owned())
        });
        assert_eq!(seen.await.as_deref(), Some(ID));
    }
}
