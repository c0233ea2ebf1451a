//! The log: lines on standard error, for people or as JSON, filtered as the settings say.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};

/// Starts logging. A second start in one process (as tests do) changes nothing.
pub fn start(settings: &Settings) {
    // The filter was checked with the settings; `info` stands in for what cannot happen.
    // The server library's own start-up lines say nothing that ours do not; more specific settings still win.
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", settings.log))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = match settings.log_format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
