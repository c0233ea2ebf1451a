//! The log: lines on standard error, for people or as JSON, filtered as the settings say. Every line of a request names the
//! request and its trace. Nobody waits for the log: a thread of its own writes it, and what whoever reads it does not take
//! in time is dropped and counted.

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogFormat, Settings};
use crate::trace_context::{self, TraceContext};

/// Lines that wait to be written at the most; some hundred bytes each.
const WAITING: usize = 4_096;

/// The log of this process; dropped, it writes what still waits.
pub struct Log {
    lost: ErrorCounter,
    _writer: WorkerGuard,
}

impl Log {
    /// Counts the lines that nobody read in time.
    pub fn lost_lines(&self) -> ErrorCounter {
        self.lost.clone()
    }
}

/// Starts logging. A second start in one process (as tests do) changes nothing.
pub fn start(settings: &Settings) -> Log {
    // The filter was checked with the settings; `info` stands in for what cannot happen.
    // The server library's own start-up lines say nothing that ours do not; more specific settings still win.
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", settings.log))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("forebay-log")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    let coloured = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(coloured)
        .with_writer(writer);
    let _ = match settings.log_format {
        LogFormat::Human => builder
            .with_target(false)
            .map_event_format(|format| OfRequest {
                format: format.with_ansi(coloured),
                name: for_people,
            })
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .map_event_format(|format| OfRequest {
                format,
                name: as_json,
            })
            .try_init(),
    };
    Log { lost, _writer: guard }
}

/// A format whose lines name the request that they are about.
struct OfRequest<F> {
    format: F,
    /// Names the request at the end of a line.
    name: fn(&mut String, &TraceContext),
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        trace_context::current(|request| (self.name)(&mut line, request));
        writer.write_str(&line)
    }
}

fn for_people(line: &mut String, request: &TraceContext) {
    line.truncate(line.trim_end().len());
    line.push_str(&format!(
        " request_id={} trace_id={}\n",
        request.request_id(),
        request.trace_id()
    ));
}

/// Both are hexadecimal and dashes, which JSON takes as they are.
fn as_json(line: &mut String, request: &TraceContext) {
    let object = line.trim_end();
    line.truncate(object.strip_suffix('}').unwrap_or(object).len());
    line.push_str(&format!(
        ",\"request_id\":\"{}\",\"trace_id\":\"{}\"}}\n",
        request.request_id(),
        request.trace_id()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_request_at_its_end() {
        let request = TraceContext::of("01234567-89ab-4cde-8f01-23456789abcd", None);
        let mut line = "INFO refused error=invalid_grant\n".to_owned();
        for_people(&mut line, &request);
        assert_eq!(
            line,
            "INFO refused error=invalid_grant request_id=01234567-89ab-4cde-8f01-23456789abcd \
             trace_id=0123456789ab4cde8f0123456789abcd\n"
        );
        let mut line = "{\"level\":\"INFO\",\"message\":\"}\"}\n".to_owned();
        as_json(&mut line, &request);
        assert_eq!(
            line,
            "{\"level\":\"INFO\",\"message\":\"}\",\"request_id\":\"01234567-89ab-4cde-8f01-23456789abcd\",\
             \"trace_id\":\"0123456789ab4cde8f0123456789abcd\"}\n"
        );
    }
}
